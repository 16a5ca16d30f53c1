import { Worker } from 'node:worker_threads'
import type { DaySlice } from '@platform-events/analytics'
import type { Logger } from '@platform-events/runtime'
import { CANCELLED, type FromWorker, type Parts, type ToWorker } from './messages.ts'
import { partsOf, workersFor } from './parts.ts'
import type { WalkAnswer, WalkQuestion } from './questions.ts'
import { WARM_UP, warmUpSlices } from './warm-up.ts'

export interface WalkPool {
  /**
   * Makes the workers and has each walk something, so that the first question waits neither for their code nor for their compiler.
   * Resolves when they are done with it, or after 2 s: a question finds them at work, then.
   */
  start(): Promise<void>
  /**
   * Walks the slices in worker threads: the loop that answers requests never waits for it.
   *
   * @throws the signal's reason once it is aborted; Error if a worker died over it, which others survive
   */
  walk<Q extends WalkQuestion>(question: Q, slices: DaySlice[], signal?: AbortSignal): Promise<WalkAnswer<Q>>
  /** Ends the workers, and what they walk. */
  stop(): Promise<void>
}

interface Task {
  message: ToWorker
  /** Those of the walk that it is a part of. */
  parts: Parts
  resolve(value: unknown): void
  reject(error: unknown): void
}

interface Seat {
  worker: Worker | undefined
  task: Task | undefined
}

/** After so long a worker that was told to stop is ended. A part of a walk takes milliseconds. */
const STUBBORN_MS = 5000
/** A start that takes longer goes on behind everybody's back. */
const START_MS = 2000
/** How often a compiler wants to see something: less leaves the first question slower by up to 100 ms, more brings nothing. */
const WARM_UPS = 5
const WORKER = new URL('./worker.mjs', import.meta.url)

export interface WalkPoolOptions {
  /** How many workers; each is made when it is needed, and again after it died. */
  threads: number
  logger: Logger
  /** What they run; for tests. */
  worker?: URL
  /** For tests. */
  stubbornMs?: number
}

export function walkPool({
  threads,
  logger,
  worker: file = WORKER,
  stubbornMs = STUBBORN_MS,
}: WalkPoolOptions): WalkPool {
  const seats: Seat[] = Array.from({ length: threads }, () => ({ worker: undefined, task: undefined }))
  const waiting: Task[] = []
  let lastTaskId = 0
  let stopped = false

  function spawn(seat: Seat): Worker {
    const worker = new Worker(file, { execArgv: [], name: 'walk' })
    // A service that is done does not wait for them.
    worker.unref()
    seat.worker = worker
    worker.on('message', (message: FromWorker) => {
      const { task } = seat
      if (task?.message.taskId !== message.taskId) return
      seat.task = undefined
      if (message.ok) task.resolve(message.value)
      else task.reject(Object.assign(new Error(`a walk failed: ${message.message}`), { stack: message.stack }))
      hand()
    })
    worker.on('error', (err) => logger.error({ err }, 'a walk worker died'))
    worker.on('exit', () => {
      if (seat.worker !== worker) return
      const { task } = seat
      seat.worker = undefined
      seat.task = undefined
      task?.reject(new Error('a walk worker died over this question'))
      hand()
    })
    return worker
  }

  /** Gives what waits to who is free, in the order of asking. */
  function hand(): void {
    for (const seat of seats) {
      while (!stopped && seat.task === undefined) {
        const task = waiting.shift()
        if (task === undefined) return
        give(task, seat)
      }
    }
  }

  function give(task: Task, seat: Seat): void {
    const worker = seat.worker ?? spawn(seat)
    try {
      worker.postMessage(task.message)
      seat.task = task
    } catch (error) {
      // What cannot be cloned.
      task.reject(error)
    }
  }

  function perform(message: ToWorker, parts: Parts): Promise<unknown> {
    if (stopped) throw new Error('the walk workers are stopped')
    return new Promise((resolve, reject) => {
      const task = { message, parts, resolve, reject }
      // What ends a question goes before what begins another.
      if (message.kind === 'finish') waiting.unshift(task)
      else waiting.push(task)
      hand()
    })
  }

  function tally(question: WalkQuestion, slices: DaySlice[], parts: Parts): Promise<unknown> {
    lastTaskId += 1
    return perform({ taskId: lastTaskId, kind: 'tally', question, slices, parts }, parts)
  }

  function finish(question: WalkQuestion, tallies: unknown[], parts: Parts): Promise<unknown> {
    lastTaskId += 1
    return perform({ taskId: lastTaskId, kind: 'finish', question, tallies }, parts)
  }

  async function warmUp(): Promise<void> {
    const slices = warmUpSlices()
    for (let time = 0; time < WARM_UPS; time += 1) {
      const tallies = await Promise.all(seats.map(() => tally(WARM_UP, slices, partsOf(slices, 1))))
      await Promise.all(seats.map(() => finish(WARM_UP, tallies, partsOf(slices, 1))))
    }
  }

  function cancel(parts: Parts, reason: unknown): void {
    Atomics.store(parts.next, 0, CANCELLED)
    const mine = (task: Task | undefined) => task?.parts === parts
    for (const task of waiting.filter(mine)) {
      waiting.splice(waiting.indexOf(task), 1)
      task.reject(reason)
    }
    for (const seat of seats.filter(({ task }) => mine(task))) {
      const { task, worker } = seat
      task!.reject(reason)
      const stubborn = setTimeout(() => {
        if (seat.task === task) void worker?.terminate()
      }, stubbornMs)
      stubborn.unref()
    }
  }

  return {
    start() {
      return new Promise((resolve) => {
        const timer = setTimeout(resolve, START_MS)
        const done = (): void => {
          clearTimeout(timer)
          resolve()
        }
        // Who dies over it is logged, and made again for the first question.
        void warmUp().then(done, done)
      })
    },
    async walk(question, slices, signal) {
      signal?.throwIfAborted()
      // 0 is nobody, whose events are counted and do nothing else.
      const parts = partsOf(slices, question.walk === 'counts' ? 0 : 1)
      const abort = (): void => cancel(parts, signal?.reason)
      signal?.addEventListener('abort', abort)
      try {
        const workers = Array.from({ length: workersFor(slices, threads) })
        const tallies = await Promise.all(workers.map(() => tally(question, slices, parts)))
        signal?.throwIfAborted()
        return (await finish(question, tallies, parts)) as WalkAnswer<typeof question>
      } catch (error) {
        Atomics.store(parts.next, 0, CANCELLED)
        throw error
      } finally {
        signal?.removeEventListener('abort', abort)
      }
    },
    async stop() {
      stopped = true
      for (const task of waiting.splice(0)) task.reject(new Error('the walk workers are stopped'))
      await Promise.all(seats.map(({ worker }) => worker?.terminate()))
    },
  }
}
