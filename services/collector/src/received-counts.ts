import { randomUUID } from 'node:crypto'
import type { Ingested } from './ingest.ts'

/** What one collector rejected of a source on a UTC day, by code; the whole count, not the difference. */
export interface RejectedCount {
  collector_id: string
  source_id: number
  day: string
  code: string
  n: number
}

/** How often an id came twice within one request. */
export interface RepeatedCount {
  collector_id: string
  source_id: number
  day: string
  repeated: number
}

/** The tracker's number of an event that was rejected: it will not come, and is not missing. */
interface RejectedNumber {
  source_id: number
  day: string
  stream: string
  seq: number
}

export interface ReceivedNews {
  rejected: RejectedCount[]
  repeated: RepeatedCount[]
  numbers: RejectedNumber[]
}

/** Numbers kept of a UTC day: anybody may send bad events. Of a flood of them the rest counts as missing, too. */
const MAX_NUMBERS_A_DAY = 50_000

/** Counts, for the ledger, what this process received and did not put into the log. What it did is numbered there. */
export class ReceivedCounts {
  readonly #collectorId = randomUUID()
  readonly #rejected = new Map<string, RejectedCount>()
  readonly #repeated = new Map<string, RepeatedCount>()
  #news = emptyNews()
  #numbered = { day: '', n: 0 }

  /** Counts a request that is answered by 202. */
  add(sourceId: number, receivedAt: string, result: Ingested): void {
    const where = { collector_id: this.#collectorId, source_id: sourceId, day: receivedAt.slice(0, 10) }
    for (const { code } of result.rejected) {
      const count = entry(this.#rejected, `${where.day} ${sourceId} ${code}`, { ...where, code, n: 0 })
      count.n++
      this.#news.rejected.add(count)
    }
    if (result.duplicates > 0) {
      const count = entry(this.#repeated, `${where.day} ${sourceId}`, { ...where, repeated: 0 })
      count.repeated += result.duplicates
      this.#news.repeated.add(count)
    }
    if (this.#numbered.day !== where.day) this.#numbered = { day: where.day, n: 0 }
    for (const number of result.rejectedNumbers)
      if (this.#numbered.n++ < MAX_NUMBERS_A_DAY)
        this.#news.numbers.push({ source_id: sourceId, day: where.day, ...number })
  }

  /** What changed since the last call. */
  takeNews(): ReceivedNews {
    const { rejected, repeated, numbers } = this.#news
    this.#news = emptyNews()
    return { rejected: [...rejected], repeated: [...repeated], numbers }
  }
}

function emptyNews() {
  return { rejected: new Set<RejectedCount>(), repeated: new Set<RepeatedCount>(), numbers: [] as RejectedNumber[] }
}

function entry<T>(map: Map<string, T>, key: string, fresh: T): T {
  const known = map.get(key)
  if (known !== undefined) return known
  map.set(key, fresh)
  return fresh
}
