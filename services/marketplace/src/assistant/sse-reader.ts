import { AssistantError } from './assistant.ts'

/** More than any answer of a model, so that a server gone wrong cannot take our memory. */
const STREAM_BYTES = 8 * 1024 * 1024

/**
 * The data of each event of a stream of server-sent events (WHATWG HTML, section 9.2): lines end by LF, CRLF or CR, comments and other fields
 * are passed over, `data` lines of one event are joined by LF. Unlike there, an event that the end of the stream cuts off is given too: some
 * servers leave out the last empty line.
 *
 * @throws AssistantError too_large; what the source throws
 */
export async function* sseData(source: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let data: string[] = []
  for await (const line of lines(source)) {
    if (line === '') {
      if (data.length > 0) yield data.join('\n')
      data = []
    } else if (line === 'data') data.push('')
    else if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5))
  }
  if (data.length > 0) yield data.join('\n')
}

async function* lines(source: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  // Takes a byte order mark away, and holds back a character whose bytes have not all come.
  const decoder = new TextDecoder()
  let rest = ''
  let bytes = 0
  for await (const chunk of source) {
    bytes += chunk.byteLength
    if (bytes > STREAM_BYTES) throw new AssistantError('too_large', `the answer is larger than ${STREAM_BYTES} bytes`)
    const found = (rest + decoder.decode(chunk, { stream: true })).split(LINE_END)
    rest = found.pop()!
    yield* found
  }
  const last = (rest + decoder.decode()).split(/\r\n|\r|\n/)
  yield* last.filter((line, at) => at < last.length - 1 || line !== '')
}

/** A CR at the end of a chunk waits for the next one: it may be half of a CRLF. */
const LINE_END = /\r\n|\n|\r(?!$)/
