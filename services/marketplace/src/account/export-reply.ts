import { Readable } from 'node:stream'
import type { Pool } from '@platform-events/postgres'
import type { FastifyReply } from 'fastify'
import { exportedJson } from './export-json.ts'
import { openExport } from './export-session.ts'
import { exportedZip } from './export-zip.ts'

export type ExportFormat = 'json' | 'zip'

/** A reader who takes nothing for so long is given up: the snapshot holds vacuum up. */
const STALLED_MS = 60_000

/**
 * Answers with all that is the user's, as it is read. Where something fails in the middle the connection is destroyed, so that half an export cannot
 * be taken for a whole one.
 *
 * @param onEnd called once, however it ends
 * @throws RequestError sign_in_required, database_unavailable; nothing is sent then
 */
export async function replyWithExport(
  reply: FastifyReply,
  { pool, userId, format, onEnd }: { pool: Pool; userId: string; format: ExportFormat; onEnd: () => void },
): Promise<FastifyReply> {
  const session = await openExport(pool, userId).catch((error: unknown) => {
    onEnd()
    throw error
  })
  const source =
    format === 'zip' ? exportedZip(session) : Readable.from(exportedJson(session, userId), { objectMode: false })
  const socket = reply.raw
  let taken = 0
  const watch = setInterval(() => {
    const now = socket.socket?.bytesWritten ?? 0
    if (now === taken) socket.destroy()
    taken = now
  }, STALLED_MS)
  let ended = false
  const end = (whole: boolean) => {
    if (ended) return
    ended = true
    clearInterval(watch)
    session.close(whole)
    onEnd()
  }
  source.once('end', () => end(true))
  source.once('error', () => end(false))
  // The reader is gone. The source may be waiting for Postgres, and would not notice.
  socket.once('close', () => end(false))
  const day = session.exportedAt.slice(0, 10)
  return reply
    .type(format === 'zip' ? 'application/zip' : 'application/json; charset=utf-8')
    .header('content-disposition', `attachment; filename="export-${day}.${format}"`)
    .send(source)
}
