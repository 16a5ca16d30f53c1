import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import type { CollectingLog } from '@platform-events/event-log'
import { type Component, inTime, type Logger, reasonOf } from '@platform-events/runtime'
import type { ReceivedCounts } from './received-counts.ts'
import type { DeliveryReport, SpoolReport } from './save-delivery-report.ts'

export interface DeliveryReporterOptions {
  log: Pick<CollectingLog, 'accepted' | 'spool'>
  received: ReceivedCounts
  /** Puts a report into Postgres, or rejects in bounded time (`saveDeliveryReport`). */
  save: (report: DeliveryReport) => Promise<void>
  /** What could not be told yet lies here, for the next process. */
  file: string
  logger: Logger
  /** Between two reports. Default 1000. */
  everyMs?: number
}

/** An unchanged spool is told this often, so that a collector that is gone can be told from one that is idle. */
const ALIVE_MS = 30_000

/**
 * Tells the ledger every second what this collector accepted and rejected. While Postgres is away the counts wait in memory and in
 * a file, so that a kill costs those of the last second at most, and of the accepted none: they lie in the log (`AcceptedCounts`).
 */
export function deliveryReporter(options: DeliveryReporterOptions): Component {
  const reporter = new Reporter(options)
  return { name: 'delivery report', start: () => reporter.start(), stop: () => reporter.stop() }
}

class Reporter {
  readonly #options: DeliveryReporterOptions
  readonly #waiting = new Waiting()
  #saving: Promise<boolean> | undefined
  #spool = { told: '', atMs: 0 }
  #inFile = ''
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  #failing = false

  constructor(options: DeliveryReporterOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    this.#waiting.add(await readReport(this.#options.file, this.#options.logger))
    if (this.#waiting.size > 0) this.#inFile = JSON.stringify(this.#waiting.report())
    this.#schedule()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#report()
  }

  #schedule(): void {
    if (this.#stopped) return
    this.#timer = setTimeout(
      () => void this.#report().then(() => this.#schedule()),
      this.#options.everyMs ?? 1000,
    ).unref()
  }

  async #report(): Promise<void> {
    const { log, received } = this.#options
    this.#waiting.add({ accepted: log.accepted.takeNews(), ...received.takeNews() })
    // One at a time, and none waits for it: the file must not fall behind a Postgres that does not answer.
    this.#saving ??= this.#save().finally(() => {
      this.#saving = undefined
    })
    const isSaved = await inTime(this.#saving, this.#stopped ? 1000 : 200, 'Postgres').catch(() => false)
    if (!isSaved || this.#waiting.size > 0) await this.#keep()
    else if (this.#inFile !== '') await this.#forget()
  }

  /** @returns whether what waited is in Postgres */
  async #save(): Promise<boolean> {
    const spool = this.#spoolReport()
    if (this.#waiting.size === 0 && spool === null) return true
    const taken = this.#waiting.report()
    try {
      await this.#options.save({ ...taken, spool })
    } catch (err) {
      if (!this.#failing)
        this.#options.logger.warn({ reason: reasonOf(err) }, 'the ledger is not told, the counts wait here')
      this.#failing = true
      return false
    }
    if (this.#failing) this.#options.logger.info('the ledger is told again')
    this.#failing = false
    this.#waiting.remove(taken)
    if (spool !== null) this.#spool = { told: JSON.stringify(spool), atMs: performance.now() }
    return true
  }

  /** Null: there is none, or nothing new of it. */
  #spoolReport(): SpoolReport | null {
    const stats = this.#options.log.spool?.()
    if (stats === undefined) return null
    const { id: spool_id, events, bytes } = stats
    const spool = { spool_id, host: hostname(), events, bytes }
    const isNews = JSON.stringify(spool) !== this.#spool.told || performance.now() - this.#spool.atMs > ALIVE_MS
    return isNews ? spool : null
  }

  /** Replaces the file at once or not at all. */
  async #keep(): Promise<void> {
    const { file, logger } = this.#options
    const text = JSON.stringify(this.#waiting.report())
    if (text === this.#inFile) return
    try {
      await writeFile(`${file}.new`, text, { mode: 0o600 })
      await rename(`${file}.new`, file)
      this.#inFile = text
    } catch (err) {
      logger.debug({ err, file }, 'the counts for the ledger wait in memory only')
    }
  }

  async #forget(): Promise<void> {
    await rm(this.#options.file, { force: true }).catch(() => undefined)
    this.#inFile = ''
  }
}

type Counts = Omit<DeliveryReport, 'spool'>
type Kind = keyof Counts

/** What is still to be told: of each count the greatest. */
class Waiting {
  readonly #counts = new Map<string, { kind: Kind; count: Counts[Kind][number]; text: string }>()

  get size(): number {
    return this.#counts.size
  }

  add(counts: Counts): void {
    for (const kind of ['accepted', 'repeated', 'rejected', 'numbers'] as const)
      for (const count of counts[kind]) {
        const name = nameOf(kind, count)
        // Of an earlier process: what lies drained in its spool may be told after what came later.
        if (grownOf(count) < grownOf(this.#counts.get(name)?.count)) continue
        this.#counts.set(name, { kind, count, text: JSON.stringify(count) })
      }
  }

  report(): Counts {
    const of = <K extends Kind>(wanted: K): Counts[K] =>
      [...this.#counts.values()].flatMap(({ kind, count }) => (kind === wanted ? [{ ...count }] : [])) as Counts[K]
    return { accepted: of('accepted'), repeated: of('repeated'), rejected: of('rejected'), numbers: of('numbers') }
  }

  /** Leaves what has changed since. */
  remove(counts: Counts): void {
    for (const kind of ['accepted', 'repeated', 'rejected', 'numbers'] as const)
      for (const count of counts[kind]) {
        const name = nameOf(kind, count)
        if (this.#counts.get(name)?.text === JSON.stringify(count)) this.#counts.delete(name)
      }
  }
}

/** All of it but the number that grows. */
function nameOf(kind: Kind, count: Counts[Kind][number]): string {
  return JSON.stringify([kind, Object.entries(count).filter(([key]) => !GROWING.has(key))])
}

function grownOf(count: object | undefined): number {
  return Object.entries(count ?? {}).reduce((sum, [key, value]) => (GROWING.has(key) ? sum + Number(value) : sum), 0)
}

const GROWING = new Set(['accepted', 'repeated', 'n'])

const NOTHING: Counts = { accepted: [], repeated: [], rejected: [], numbers: [] }

async function readReport(file: string, logger: Logger): Promise<Counts> {
  try {
    return { ...NOTHING, ...(JSON.parse(await readFile(file, 'utf8')) as Partial<Counts>) }
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'ENOENT')
      logger.warn({ err, file }, 'counts for the ledger cannot be read')
    return NOTHING
  }
}
