import { randomUUID } from 'node:crypto'
import { createTracker } from '@platform-events/tracker'

export interface Traffic {
  /** Marks the events: `properties.run`. */
  run: string
  /** Events given to the tracker so far. */
  tracked(): number
  /** Resolves when the tracker has an acknowledgement for each event; rejects if it gave any up. */
  acknowledged: Promise<void>
}

/** Tracks events a few at a time through the real tracker, so that faults fall between, before and after its requests. */
export function startTraffic(options: { url: string; writeKey: string; events: number }): Traffic {
  const run = randomUUID()
  const lost: string[] = []
  let tracked = 0
  const tracker = createTracker({
    url: options.url,
    writeKey: options.writeKey,
    flushIntervalMs: 20,
    onError: (problem) => {
      if (problem.lost) lost.push(problem.code)
    },
  })
  async function send(): Promise<void> {
    while (tracked < options.events) {
      const properties = { city: 'Cali', run, n: tracked } as { city: string }
      void tracker.trackEvent('SearchStarted', properties, null, `visitor-${tracked % 50}`)
      tracked++
      if (tracked % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 10))
    }
    const all = await tracker.closeAnalytics(60_000)
    if (!all || lost.length > 0) throw new Error(`not everything was acknowledged: ${lost.join(', ')}`)
  }
  return { run, tracked: () => tracked, acknowledged: send() }
}
