import type { AppendQueue } from './append-queue.ts'
import { appendedAtOf } from './local-record.ts'
import type { LocalStore } from './local-store.ts'

export interface TrimOptions {
  /** The offset that the consumer goes on from: nothing from here on is removed. */
  storedOffset: number
  /** What was appended before is removed; what came later stays, so that a database put back from a copy can replay it. */
  olderThan: Date
  /** Above this the log gives up what is stored, however young. Default: no such bound. */
  keepBytes?: number
}

/** Records removed in one commit, which appends wait for: some 3 ms. */
const REMOVED_AT_ONCE = 1000

export async function trimStore(
  store: LocalStore,
  queue: Pick<AppendQueue<never>, 'between'>,
  options: TrimOptions,
): Promise<number> {
  const { storedOffset, keepBytes = Number.POSITIVE_INFINITY } = options
  const from = store.first
  const stored = Math.min(storedOffset, store.end)
  const old = firstNotBefore(store, options.olderThan.getTime(), stored)
  for (;;) {
    const upTo = store.bytes() > keepBytes ? stored : old
    if (upTo <= store.first) return store.first - from
    await queue.between(() => store.removeBefore(Math.min(upTo, store.first + REMOVED_AT_ONCE)))
  }
}

/** The first offset before `stored` whose record was appended at or after a time; `stored` when all are older. By bisection: the log has no gaps. */
function firstNotBefore(store: LocalStore, time: number, stored: number): number {
  let low = store.first
  let high = stored
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const value = store.get(middle)
    if (value === undefined || appendedAtOf(value) < time) low = middle + 1
    else high = middle
  }
  return low
}
