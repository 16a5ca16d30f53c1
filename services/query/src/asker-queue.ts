import { RequestError } from '@platform-events/contracts'

export interface AskerQueueOptions {
  /** Questions that are answered at once; the others wait. */
  slots: number
  /** How many may wait; beyond it they are refused. */
  maxWaiting: number
  /** How many of one asker may, so that others find a place. */
  maxWaitingEach: number
  /** How long one may wait, in ms. */
  maxWaitMs: number
}

export interface AskerQueue {
  /**
   * Runs a question when its turn has come: askers take turns, whoever of them has asked how much.
   *
   * @throws RequestError overloaded (too many wait, or it waited too long), the signal's reason, or what `run` throws
   */
  run<T>(asker: string, signal: AbortSignal, run: () => Promise<T>): Promise<T>
  readonly waiting: number
  readonly running: number
}

interface Waiter {
  go: () => void
}

/** A bounded queue in front of the database: connections are few, and one asker with many questions shall not hold up the rest. */
export function askerQueue({ slots, maxWaiting, maxWaitingEach, maxWaitMs }: AskerQueueOptions): AskerQueue {
  /** In the order of their turns: who was served goes behind all others. */
  const askers = new Map<string, Waiter[]>()
  let waiting = 0
  let running = 0

  function next(): void {
    const [first] = askers
    if (first === undefined || running >= slots) return
    const [asker, waiters] = first
    const waiter = waiters.shift()!
    askers.delete(asker)
    if (waiters.length > 0) askers.set(asker, waiters)
    waiting -= 1
    running += 1
    waiter.go()
  }

  function leave(asker: string, waiter: Waiter): void {
    const waiters = askers.get(asker)?.filter((other) => other !== waiter) ?? []
    if (waiters.length === 0) askers.delete(asker)
    else askers.set(asker, waiters)
    waiting -= 1
  }

  function turn(asker: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (waiting >= maxWaiting) throw overloaded('Too many questions wait already.')
    if ((askers.get(asker)?.length ?? 0) >= maxWaitingEach)
      throw overloaded('Too many questions of yours wait already.')
    return new Promise<void>((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', abort)
      }
      const waiter: Waiter = {
        go: () => {
          end()
          resolve()
        },
      }
      const giveUp = (reason: unknown): void => {
        end()
        leave(asker, waiter)
        reject(reason)
      }
      const abort = (): void => giveUp(signal.reason)
      const timer = setTimeout(() => giveUp(overloaded('This question waited too long for its turn.')), maxWaitMs)
      signal.addEventListener('abort', abort)
      askers.set(asker, [...(askers.get(asker) ?? []), waiter])
      waiting += 1
      next()
    })
  }

  return {
    async run(asker, signal, run) {
      await turn(asker, signal)
      try {
        return await run()
      } finally {
        running -= 1
        next()
      }
    },
    get waiting() {
      return waiting
    },
    get running() {
      return running
    },
  }
}

function overloaded(message: string): RequestError {
  return new RequestError('overloaded', message, { retryAfterSeconds: 5 })
}
