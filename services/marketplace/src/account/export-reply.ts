import { Readable } from 'node:stream'
import type { Pool } from '@platform-events/postgres'
import type { FastifyReply } from 'fastify'
import { exportedJson } from './export-json.ts'
import { EXPORT_LIMITS, type ExportLimits, watchReader } from './export-reader.ts'
import { type ExportSession, openExport } from './export-session.ts'
import { exportedZip } from './export-zip.ts'

type ExportFormat = 'json' | 'zip'

interface ExportOptions {
  pool: Pool
  userId: string
  format: ExportFormat
  /** Called when there is something to send. */
  onBegin?: () => Promise<void>
  /** Called once, however it ends. */
  onEnd: () => void
  limits?: ExportLimits
}

/**
 * Answers with all that is the user's, as it is read. Where something fails in the middle the connection is destroyed, so that half an export cannot
 * be taken for a whole one. A reader who is gone, too slow, or there for too long ends it, at whatever moment.
 *
 * @throws RequestError sign_in_required, database_unavailable; nothing is sent then
 */
export async function replyWithExport(reply: FastifyReply, options: ExportOptions): Promise<FastifyReply> {
  const { pool, userId, format, onBegin, onEnd, limits = EXPORT_LIMITS } = options
  // Before anything that takes time: whoever hangs up meanwhile is not told of later.
  const reader = watchReader(reply.raw, limits)
  let session: ExportSession | undefined
  let ended = false
  const end = (whole: boolean) => {
    if (ended) return
    ended = true
    reader.stop()
    session?.close(whole)
    onEnd()
  }
  try {
    session = await openExport(pool, userId, { ended: reader.gone, limitMs: limits.totalMs })
    await onBegin?.()
    reader.gone.throwIfAborted()
    const source =
      format === 'zip' ? exportedZip(session) : Readable.from(exportedJson(session, userId), { objectMode: false })
    source.once('end', () => end(true))
    // More than one may come.
    source.on('error', () => end(false))
    source.once('close', () => end(false))
    // The source may be waiting for Postgres, and would not notice.
    reader.gone.addEventListener('abort', () => end(false), { once: true })
    const day = session.exportedAt.slice(0, 10)
    return reply
      .type(format === 'zip' ? 'application/zip' : 'application/json; charset=utf-8')
      .header('content-disposition', `attachment; filename="export-${day}.${format}"`)
      .send(source)
  } catch (error) {
    end(false)
    if (!reader.gone.aborted) throw error
    // Nobody is there to be told.
    return reply.hijack()
  }
}
