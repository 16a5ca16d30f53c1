import type { ExportSession } from './export-session.ts'

/** The document: `{ exported_at, user_id, account: {…}, bookings: […], … }`, in pieces as they come from Postgres. */
export async function* exportedJson(session: ExportSession, userId: string): AsyncGenerator<Buffer> {
  yield Buffer.from(`{"exported_at":${JSON.stringify(session.exportedAt)},"user_id":${JSON.stringify(userId)}`)
  for (const table of session.tables) {
    yield Buffer.from(`,\n${JSON.stringify(table.name)}:${table.single ? '' : '['}`)
    let isFirst = true
    for await (const chunk of session.rows(table) as AsyncIterable<Buffer>) {
      // Every line begins with a comma, the first one too.
      const piece = isFirst ? chunk.subarray(1) : chunk
      isFirst = false
      if (piece.length > 0) yield piece
    }
    if (!table.single) yield Buffer.from(']')
    else if (isFirst) yield Buffer.from('null')
  }
  yield Buffer.from('}\n')
}
