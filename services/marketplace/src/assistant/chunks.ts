/**
 * The bytes of an answer as they come. Aborting ends it at once, with the signal's reason, and the request with it: once `fetch` has answered, Node
 * lets its own ties between the signal and the body be collected as garbage, and who then waits for a silent server waits for ever.
 */
export async function* chunksOf(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = body.getReader()
  const leave = (): void => void reader.cancel(signal.reason).catch(() => undefined)
  signal.addEventListener('abort', leave)
  try {
    for (;;) {
      signal.throwIfAborted()
      const { done, value } = await reader.read()
      if (done) break
      yield value
    }
    signal.throwIfAborted()
  } finally {
    signal.removeEventListener('abort', leave)
    // Who stops reading half-way wants no more of it.
    leave()
  }
}
