import type { Consumption, DeadLetterTopic, EventLog, RecordBatch } from '@platform-events/event-log'
import { BinaryCopy, type Pool } from '@platform-events/postgres'
import type { Component, HealthCheck, Logger, PartHealth, Registry } from '@platform-events/runtime'
import { Accumulator } from './accumulator.ts'
import { ActorKeys } from './actor-key.ts'
import { type AskForDay, askPostgresForDay } from './days.ts'
import { DeadLetterPublisher } from './dead-letter-publisher.ts'
import { Delivering } from './delivering.ts'
import { Loader } from './loader.ts'
import { Losses } from './losses.ts'
import { consumerMetrics } from './metrics.ts'
import { readOffset } from './offsets.ts'
import { PreparedBatch } from './prepared-batch.ts'
import { StoredOffsets } from './stored-offsets.ts'

export interface ConsumerOptions {
  log: EventLog
  pool: Pool
  logger: Logger
  metrics: Registry
  /** Names the consumer group, where the log has such a thing. */
  group?: string
  /** 0 to 15: processes that load at the same time should have different ones, so that they do not wait for each other's rollup. */
  shard?: number
  /** Events in one load. */
  maxEvents?: number
  /** The longest that events wait for more to come. */
  lingerMs?: number
  /** So many dead letters in a row with one code pause the consumer. */
  deadInARow?: number
  /** Where dead letters are published; on the local log they are in Postgres only. This consumer closes it. */
  deadLetterTopic?: DeadLetterTopic | undefined
  /** Makes the partition of a UTC day; Postgres's own function unless told. */
  askForDay?: AskForDay
  /** What a successor waits for the offsets before it ends the sessions that hold them. */
  lockTimeoutMs?: number
  /** The first and the longest pause between two attempts to store. */
  backoffMs?: [first: number, longest: number]
}

export interface Consumer extends Component {
  check: HealthCheck
}

/**
 * Moves events from the event log into `platform_events`, exactly once. Its stop lets the load under way end; what was not
 * stored is delivered again to whoever comes next.
 */
export function createConsumer(options: ConsumerOptions): Consumer {
  const { log, pool, logger, group = 'platform-events', maxEvents = 10_000 } = options
  const delivering = new Delivering()
  const losses = new Losses(pool, logger, options.metrics)
  const offsets = new StoredOffsets(pool, logger, losses)
  const actorKeys = new ActorKeys()
  const publisher = publisherOf(options)
  let consumption: Consumption | undefined

  const lag = async (): Promise<number> => {
    const partitions = await log.lag((topicPartition) => readOffset(pool, topicPartition))
    return partitions.reduce((sum, { records }) => sum + records, 0)
  }
  const loader = new Loader({
    pool,
    logger,
    metrics: consumerMetrics(options.metrics, lag),
    copy: new BinaryCopy(8 << 20),
    shard: options.shard ?? 0,
    askForDay: options.askForDay ?? askPostgresForDay(pool),
    deadInARow: options.deadInARow ?? 100,
    onDead: publisher && (() => publisher.wake()),
    ...(options.lockTimeoutMs === undefined ? {} : { lockTimeoutMs: options.lockTimeoutMs }),
    ...(options.backoffMs === undefined ? {} : { backoffMs: options.backoffMs }),
  })
  const accumulator = new Accumulator({
    maxEvents,
    lingerMs: options.lingerMs ?? 250,
    topicPartitions: () => delivering.count,
    load: (batches) => loader.load(batches),
  })

  const onBatch = async (batch: RecordBatch): Promise<number> => {
    delivering.see(batch)
    return await accumulator.add(new PreparedBatch(batch, actorKeys))
  }

  return {
    name: 'consumer',
    async start() {
      publisher?.start()
      consumption = await log.consume({
        group,
        maxEvents,
        onBatch,
        from: (topicPartition) => offsets.read(topicPartition),
        onLoss: (outside) => offsets.move(outside),
      })
    },
    async drain() {
      await Promise.all([consumption?.stop(), publisher?.stop()])
      consumption = undefined
    },
    async stop() {
      await consumption?.stop()
      await publisher?.stop()
    },
    check: () => health(loader, offsets, losses, publisher, lag),
  }
}

function publisherOf(options: ConsumerOptions): DeadLetterPublisher | undefined {
  const { pool, logger, metrics, deadLetterTopic: topic, backoffMs } = options
  if (topic === undefined) return undefined
  return new DeadLetterPublisher({ pool, logger, metrics, topic, ...(backoffMs === undefined ? {} : { backoffMs }) })
}

async function health(
  loader: Loader,
  offsets: StoredOffsets,
  losses: Losses,
  publisher: DeadLetterPublisher | undefined,
  lag: () => Promise<number>,
): Promise<PartHealth> {
  const { trouble, lastCommit } = loader
  const committed = `last commit ${lastCommit?.toISOString() ?? 'none'}`
  if (trouble !== undefined) {
    const state = trouble.paused ? 'paused' : 'retrying'
    return { ok: false, detail: `${state} since ${trouble.since.toISOString()}: ${trouble.reason}; ${committed}` }
  }
  if (offsets.trouble !== undefined)
    return { ok: false, detail: `stored offsets are not read: ${offsets.trouble}; ${committed}` }
  const [records, ...open] = await Promise.all([lag(), losses.open(), publisher?.trouble() ?? ''])
  const detail = `lag ${records} records, ${committed}`
  // A loss of the past is said until it is acknowledged, but this part stays ok: it stores what comes, and whoever routes by
  // /readyz would take every instance out, for a gap that none of them can close.
  // So it is with dead letters that Kafka does not take.
  const degraded = open.filter((what) => what !== '')
  return degraded.length === 0
    ? { ok: true, detail }
    : { ok: true, degraded: true, detail: [detail, ...degraded].join('; ') }
}
