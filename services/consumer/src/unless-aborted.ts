import { once } from 'node:events'

/** As the work settles; on the signal it rejects at once, and the work goes on alone. */
export async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const settled = new AbortController()
  const aborted = once(signal, 'abort', { signal: settled.signal }).then(() => {
    throw signal.reason
  })
  try {
    signal.throwIfAborted()
    return await Promise.race([work, aborted])
  } finally {
    settled.abort()
    // Whichever comes later is nobody's failure.
    for (const late of [work, aborted]) late.catch(() => undefined)
  }
}
