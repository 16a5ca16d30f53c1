import type { Logger } from './logger.ts'

/** Everything long-lived has this shape. A process is a list of them in start order. */
export interface Component {
  name: string
  /** Resolves when the component is ready for those that start after it. */
  start(): Promise<void>
  /** Takes nothing new and finishes what it holds. Called on all at once, before the first stop. */
  drain?(): Promise<void>
  /** Releases what start acquired, also of a start that was given up half-way. Called last started first. */
  stop(): Promise<void>
}

export interface RunningProcess {
  /** Drains, then stops all components; safe to call more than once. Resolves with whether all went well in time. */
  shutdown(reason: string): Promise<boolean>
}

/** The most that each of the two phases of a shutdown may take. */
const PHASE_DEADLINE_MS = 10_000

/**
 * Starts components in order. If one fails, those already started are stopped, last first, and its error is thrown.
 *
 * @param stopping its abort ends the start where it is, and resolves: the shutdown that follows stops what was started, and the
 * component that was about to
 */
export async function startComponents(
  components: Component[],
  logger: Logger,
  stopping?: AbortSignal,
): Promise<RunningProcess> {
  const started: Component[] = []
  let done: Promise<boolean> | undefined
  const shutdown = (reason: string): Promise<boolean> => {
    done ??= stopAll(started, logger, reason)
    return done
  }
  for (const component of components) {
    if (stopping?.aborted) break
    try {
      if ((await startUnless(stopping, component)) === 'given up') {
        started.push(component)
        break
      }
    } catch (error) {
      await shutdown(`${component.name} did not start`)
      throw error
    }
    started.push(component)
    logger.debug({ component: component.name }, 'started')
  }
  return { shutdown }
}

async function startUnless(stopping: AbortSignal | undefined, component: Component): Promise<'started' | 'given up'> {
  const starting = component.start().then(() => 'started' as const)
  if (stopping === undefined) return await starting
  let giveUp = (): void => undefined
  const givenUp = new Promise<'given up'>((resolve) => {
    giveUp = () => resolve('given up')
  })
  stopping.addEventListener('abort', giveUp)
  try {
    // What fails after it was given up is nobody's concern: the race has its own eye on it.
    return await Promise.race([starting, givenUp])
  } finally {
    stopping.removeEventListener('abort', giveUp)
  }
}

/** A terminal and npm may both pass one Ctrl-C on; what comes so soon after the first signal is the same one. */
const SAME_SIGNAL_MS = 500

/**
 * Starts a process that on SIGINT, SIGTERM or SIGHUP shuts down and then exits: 0 if all went well in time, else 1. Another signal
 * later exits at once. A signal that comes while the process still starts has the start give up what it waits for.
 *
 * @param start what it resolves with is shut down; see `startComponents` for the signal. Or it throws the signal's reason, having
 * released everything
 * @param onStopped called before the exit
 * @returns when it runs; never, once a signal came
 * @throws what `start` throws
 */
export async function exitOnSignals(
  start: (stopping: AbortSignal) => Promise<RunningProcess>,
  onStopped: (well: boolean) => void = () => undefined,
): Promise<void> {
  const stopping = new AbortController()
  let signalledAt: number | undefined
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (signalledAt !== undefined && performance.now() - signalledAt > SAME_SIGNAL_MS) process.exit(130)
      if (signalledAt !== undefined) return
      signalledAt = performance.now()
      stopping.abort()
      void starting
        .then(
          (running) => running.shutdown(signal),
          (error: unknown) => error === stopping.signal.reason,
        )
        .catch(() => false)
        .then((well) => {
          onStopped(well)
          process.exit(well ? 0 : 1)
        })
    })
  }
  const starting = Promise.resolve().then(() => start(stopping.signal))
  try {
    await starting
  } catch (error) {
    if (error !== stopping.signal.reason) throw error
  }
  if (stopping.signal.aborted) await new Promise<never>(() => undefined)
}

async function stopAll(started: Component[], logger: Logger, reason: string): Promise<boolean> {
  logger.info({ reason }, 'stopping')
  const lastFirst = [...started].reverse()
  const done = await Promise.all(
    lastFirst.map((component) => inTime(async () => component.drain?.(), component.name, 'drain', logger)),
  )
  for (const component of lastFirst) done.push(await inTime(() => component.stop(), component.name, 'stop', logger))
  return done.every((well) => well)
}

async function inTime(work: () => Promise<void>, component: string, phase: string, logger: Logger): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${PHASE_DEADLINE_MS} ms`)), PHASE_DEADLINE_MS)
  })
  try {
    await Promise.race([work(), deadline])
    return true
  } catch (err) {
    logger.error({ err, component, phase }, 'shutdown')
    return false
  } finally {
    clearTimeout(timer)
  }
}
