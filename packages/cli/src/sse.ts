/** One message of a stream of server-sent events. */
export interface SseMessage {
  event: string
  id: string | undefined
  data: string
}

/** Reads the messages of an answer, as the WHATWG HTML standard says (section 9.2.6); comments are passed over. */
export async function* readSse(body: ReadableStream<Uint8Array>): AsyncGenerator<SseMessage> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of body) {
    text = (text + decoder.decode(chunk, { stream: true })).replaceAll('\r\n', '\n')
    const blocks = text.split('\n\n')
    text = blocks.pop()!
    for (const block of blocks) {
      const message = parseBlock(block)
      if (message.data !== '') yield message
    }
  }
}

function parseBlock(block: string): SseMessage {
  const message: SseMessage = { event: 'message', id: undefined, data: '' }
  const data: string[] = []
  for (const line of block.split('\n')) {
    const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? []
    if (field === 'event') message.event = value
    if (field === 'id') message.id = value
    if (field === 'data') data.push(value)
  }
  message.data = data.join('\n')
  return message
}
