/** The collector leaves clocks alone that are no further off than this, and corrects others in steps of it. */
const STEP_MS = 5 * 60 * 1000

export interface ServerClock {
  /** What to add to the local clock, in ms: 0 unless that clock is badly off. */
  correction(): number
  /** Takes the `server_time` of an answer, and the local times around its request. */
  learn(serverTime: string | undefined, sentAt: number, receivedAt: number): void
}

/**
 * Corrects a badly wrong clock by the collector's own rule (more than 5 minutes off: by the skew, rounded to 5 minutes).
 * The same rule, because events stamped before the first answer are corrected by the collector and later ones here: any
 * finer correction would put some of the later ones before the earlier. A clock that is slightly off is wrong for all
 * events of the tracker alike, which keeps their order.
 */
export function serverClock(): ServerClock {
  let correction = 0
  return {
    correction: () => correction,
    learn(serverTime, sentAt, receivedAt) {
      const skew = Date.parse(serverTime ?? '') - (sentAt + receivedAt) / 2
      if (Math.abs(skew - correction) > STEP_MS) correction = Math.round(skew / STEP_MS) * STEP_MS
    },
  }
}
