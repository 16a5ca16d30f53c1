import type { Readable } from 'node:stream'
import type { ClientBase } from 'pg'
import { to as copyTo } from 'pg-copy-streams'

/**
 * Runs a `COPY (select …) TO STDOUT` in a text form, and gives its bytes as they come. Nothing is read from the server that nobody takes from
 * the stream; until it has ended the connection does nothing else.
 *
 * @returns a stream of buffers, which do not end where rows end; it fails with what ended the statement, also for who comes to listen later
 */
export function copyText(client: ClientBase, sql: string): Readable {
  const stream = client.query(copyTo(sql))
  // It emits the error that ends it, when nobody reads it any more too, and stays as it was: an uncaught exception, or a reader that waits for ever.
  stream.on('error', (error: Error) => stream.destroy(error))
  return stream
}
