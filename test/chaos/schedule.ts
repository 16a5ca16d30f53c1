import { between, randomOf } from './random.ts'

export type Transport = 'local' | 'kafka'

/** What is done to the system, and how often relative to the others. */
const WEIGHTS = {
  kill: { local: 5, kafka: 5 },
  freeze: { local: 3, kafka: 4 },
  add_consumer: { local: 0, kafka: 2 },
  broker_kill: { local: 0, kafka: 2 },
  broker_stop: { local: 0, kafka: 1 },
  broker_freeze: { local: 0, kafka: 1 },
  postgres_immediate: { local: 3, kafka: 3 },
  door_cut: { local: 2, kafka: 2 },
  door_slow: { local: 2, kafka: 2 },
  door_silent: { local: 2, kafka: 2 },
  door_no_answer: { local: 3, kafka: 3 },
  database_cut: { local: 0, kafka: 2 },
  database_slow: { local: 0, kafka: 1 },
  database_silent: { local: 0, kafka: 2 },
  database_no_answer: { local: 0, kafka: 3 },
  replay: { local: 3, kafka: 3 },
  odd_clock: { local: 3, kafka: 3 },
  poison: { local: 2, kafka: 3 },
  days_dropped: { local: 2, kafka: 2 },
} as const satisfies Record<string, Record<Transport, number>>

export type FaultKind = keyof typeof WEIGHTS

export interface Fault {
  /** Milliseconds from the start of the traffic. */
  atMs: number
  kind: FaultKind
  /** Which of several targets: a share in [0, 1). */
  target: number
  /** For how long, where it lasts. */
  lastsMs: number
}

const QUIET_START_MS = 2000

/** The faults of a run, by its seed alone: one every 3 s on average unless told, each lasting 0.5 to 8 s, so that they overlap. */
export function schedule(seed: number, transport: Transport, forMs: number, everyMs = 3000): Fault[] {
  const random = randomOf(seed)
  const kinds = Object.entries(WEIGHTS).flatMap(([kind, weight]) =>
    Array<FaultKind>(weight[transport]).fill(kind as FaultKind),
  )
  const faults: Fault[] = []
  for (let atMs = QUIET_START_MS; ; ) {
    atMs += -Math.log(1 - random()) * everyMs
    if (atMs >= forMs) return faults
    const kind = kinds[Math.floor(random() * kinds.length)]!
    faults.push({ atMs: Math.round(atMs), kind, target: random(), lastsMs: Math.round(between(random, 500, 8000)) })
  }
}
