import type { ServerResponse } from 'node:http'

/** How long an export may hold a connection, its snapshot (which holds vacuum up) and its locks. */
export interface ExportLimits {
  /** All of it, waiting for a connection included. */
  totalMs: number
  /** A reader who takes less is given up. What Postgres takes is not the reader's. */
  leastBytesPerSecond: number
  /** … over so much time in which the reader was what we waited for. */
  overMs: number
}

export const EXPORT_LIMITS: ExportLimits = { totalMs: 900_000, leastBytesPerSecond: 64_000, overMs: 60_000 }

const LOOKS = 60

/**
 * Watches who reads an answer.
 *
 * @returns `gone` is aborted once the reader has hung up, is slower than they may be, or the time is over; in the latter two the connection is
 *   destroyed. `stop` ends the watch
 */
export function watchReader(response: ServerResponse, limits: ExportLimits): { gone: AbortSignal; stop(): void } {
  const leaving = new AbortController()
  const { socket } = response.req
  const leave = () => leaving.abort()
  const giveUp = () => {
    leave()
    response.destroy()
  }
  // The connection's end comes to an answer only where it is the one that is being sent.
  socket.once('close', leave)
  response.once('close', leave)
  if (response.destroyed || socket.destroyed) leave()

  const deadline = setTimeout(giveUp, limits.totalMs)
  const everyMs = limits.overMs / LOOKS
  const least = (limits.leastBytesPerSecond * limits.overMs) / 1000
  let written = socket.bytesWritten ?? 0
  let waits = 0
  let taken = 0
  const look = setInterval(() => {
    const now = socket.bytesWritten ?? 0
    if (response.writableNeedDrain) {
      waits += 1
      taken += now - written
    }
    written = now
    if (waits < LOOKS) return
    if (taken < least) giveUp()
    waits = 0
    taken = 0
  }, everyMs)
  return {
    gone: leaving.signal,
    stop() {
      clearTimeout(deadline)
      clearInterval(look)
      socket.off('close', leave)
      response.off('close', leave)
    },
  }
}
