import { between, randomOf } from './random.ts'

export type Transport = 'local' | 'kafka'

/** What there is to break. */
export interface Ground {
  transport: Transport
  /** 0 without Kafka. */
  brokers: number
  /** Postgres stands by itself, behind a proxy; otherwise the process under attack has one of its own. */
  databaseApart: boolean
}

/** What is done to the system, and how often relative to the others: with the local log, with Kafka. */
const WEIGHTS = {
  kill: [5, 5],
  freeze: [3, 4],
  restart: [2, 3],
  add_consumer: [0, 2],
  broker_kill: [0, 2],
  broker_stop: [0, 1],
  broker_freeze: [0, 1],
  below_min_insync: [0, 1],
  spool_full: [0, 1],
  more_partitions: [0, 1],
  postgres_immediate: [3, 3],
  postgres_frozen: [2, 2],
  postgres_read_only: [1, 1],
  postgres_no_slots: [1, 1],
  postgres_sessions_ended: [1, 1],
  postgres_statement_timeout: [1, 1],
  postgres_disk_full: [1, 1],
  postgres_locked: [1, 1],
  door_cut: [2, 2],
  door_slow: [2, 2],
  door_silent: [2, 2],
  door_no_answer: [3, 3],
  database_cut: [1, 2],
  database_slow: [1, 1],
  database_silent: [1, 2],
  database_no_answer: [2, 3],
  append_cut: [0, 1],
  append_slow: [0, 1],
  append_silent: [0, 1],
  append_no_answer: [0, 2],
  fetch_cut: [0, 1],
  fetch_slow: [0, 1],
  fetch_silent: [0, 1],
  fetch_no_answer: [0, 1],
  replay: [3, 3],
  odd_clock: [3, 3],
  poison: [1, 2],
  dead_letter: [2, 2],
  days_dropped: [2, 2],
} as const satisfies Record<string, readonly [number, number]>

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
export function schedule(seed: number, ground: Ground, forMs: number, everyMs = 3000): Fault[] {
  const random = randomOf(seed)
  const kinds = (Object.keys(WEIGHTS) as FaultKind[]).flatMap((kind) =>
    Array<FaultKind>(weight(kind, ground)).fill(kind),
  )
  const faults: Fault[] = []
  for (let atMs = QUIET_START_MS; ; ) {
    atMs += -Math.log(1 - random()) * everyMs
    if (atMs >= forMs) return faults
    const kind = kinds[Math.floor(random() * kinds.length)]!
    faults.push({ atMs: Math.round(atMs), kind, target: random(), lastsMs: Math.round(between(random, 500, 8000)) })
  }
}

function weight(kind: FaultKind, { transport, brokers, databaseApart }: Ground): number {
  if (kind.startsWith('database_') && !databaseApart) return 0
  if (kind === 'below_min_insync' && brokers < 3) return 0
  // Three are there to be attacked.
  const times = kind.startsWith('broker_') && brokers === 3 ? 3 : 1
  return WEIGHTS[kind][transport === 'local' ? 0 : 1] * times
}
