import type { DaySlice } from '@platform-events/analytics'
import { createLogger } from '@platform-events/runtime'
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest'
import { type WalkPool, type WalkPoolOptions, walkPool } from './pool.ts'
import type { QuestionOf } from './questions.ts'

const logger = createLogger({ name: 'query', level: 'silent' })

/** Workers that walk; making them takes longer than all that they do here. */
let walks: WalkPool
beforeAll(() => {
  walks = walkPool({ threads: 2, logger })
})
afterAll(() => walks.stop())
let odd: WalkPool | undefined
afterEach(() => odd?.stop())

const startOdd = (options: Partial<WalkPoolOptions> = {}): WalkPool => {
  odd = walkPool({ threads: 1, logger, worker: ODD_WORKER, ...options })
  return odd
}

/** Each of so many actors does A and, a second later, B; every third does not. */
function slicesOf(actors: number): DaySlice[] {
  const shared = <T>(type: new (buffer: SharedArrayBuffer) => T, bytes: number): T =>
    new type(new SharedArrayBuffer(bytes))
  const rows = actors * 2
  const slice = {
    ...{ day: 20_000, rows, types: ['A', 'B', 'C'], columns: new Map() },
    actorNos: shared(Uint32Array, actors * 4),
    actorEnds: shared(Uint32Array, actors * 4),
    ms: shared(Uint32Array, rows * 4),
    us: shared(Uint16Array, rows * 2),
    typeCodes: shared(Uint16Array, rows * 2),
  }
  for (let at = 0; at < actors; at += 1) {
    slice.actorNos[at] = at + 1
    slice.actorEnds[at] = 2 * at + 2
    slice.ms[2 * at + 1] = 1000
    slice.typeCodes[2 * at + 1] = at % 3 === 0 ? 2 : 1
  }
  return [slice]
}

const step = (name: string) => ({ name, eventTypes: [name], where: [], optional: false })
const QUESTION: QuestionOf<'funnel'> = {
  walk: 'funnel',
  definition: {
    steps: [step('A'), step('B')],
    ...{ fromMicros: 0, toMicros: 1e18, windowMicros: 1e7, mode: 'ordered', exclude: [] },
  },
  ...{ breakdown: undefined, trend: undefined, limit: 1, nowMicros: 0 },
}

it.each([0, 3, 150_000])('tells the same of %i actors, whoever walked them', async (actors) => {
  const { steps } = await walks.walk(QUESTION, slicesOf(actors))
  expect(steps.map((one) => one.actors)).toEqual([actors, (actors / 3) * 2])
  expect(steps[1]!.time_from_previous.p50).toBe(actors === 0 ? null : 1)
})

it('answers many at once, in whatever order they come', async () => {
  const sizes = [9, 120_000, 30, 0, 105_000, 12]
  const answers = await Promise.all(sizes.map((actors) => walks.walk(QUESTION, slicesOf(actors))))
  expect(answers.map(({ steps }) => steps[0]!.actors)).toEqual(sizes)
})

it('passes a failure on, and goes on', async () => {
  const broken = { ...QUESTION, definition: { ...QUESTION.definition, steps: [{}] as never } }
  await expect(walks.walk(broken, slicesOf(3))).rejects.toThrow(/^a walk failed: /)
  expect((await walks.walk(QUESTION, slicesOf(3))).steps[0]!.actors).toBe(3)
})

/** Ends, hangs or answers, by the name of what it is asked. */
const ODD_WORKER = new URL(
  `data:text/javascript,${encodeURIComponent(`
import { parentPort } from 'node:worker_threads'
parentPort.on('message', ({ taskId, question: { walk } }) => {
  if (walk === 'die') process.exit(3)
  while (walk === 'hang');
  parentPort.postMessage({ taskId, ok: true, value: 'answer' })
})`)}`,
)
/** Tallies, and never makes an answer of it. */
const UNENDING_WORKER = new URL(
  `data:text/javascript,${encodeURIComponent(`
import { parentPort } from 'node:worker_threads'
const port = new BroadcastChannel('ending')
parentPort.on('message', ({ taskId, kind, question: { walk } }) => {
  if (walk === 'die') process.exit(3)
  if (kind === 'finish') port.postMessage(kind)
  const began = Date.now()
  while (kind === 'finish' && Date.now() - began < 10_000);
  parentPort.postMessage({ taskId, ok: true, value: 'answer' })
})`)}`,
)
/** Says in public what it is asked. */
const TELLING_WORKER = new URL(
  `data:text/javascript,${encodeURIComponent(`
import { parentPort } from 'node:worker_threads'
const port = new BroadcastChannel('asked')
parentPort.on('message', ({ taskId, kind }) => {
  port.postMessage(kind)
  parentPort.postMessage({ taskId, ok: true, value: 'answer' })
})`)}`,
)
const asked = (walk: string) => ({ walk }) as unknown as QuestionOf<'funnel'>

it('survives the death of a worker: who asked hears of it, the others do not', async () => {
  const walks = startOdd()
  const dying = walks.walk(asked('die'), [])
  const other = walks.walk(asked('funnel'), [])
  await expect(dying).rejects.toThrow('a walk worker died over this question')
  expect(await other).toBe('answer')
})

it('has started when its workers have walked something, or have died over it', async () => {
  const walks = startOdd({ worker: new URL('data:text/javascript,process.exit(3)') })
  await walks.start()
  await walks.stop()
  const asked: unknown[] = []
  const port = new BroadcastChannel('asked')
  port.onmessage = ({ data }: { data: unknown }) => asked.push(data)
  await startOdd({ worker: TELLING_WORKER }).start()
  await vi.waitUntil(() => asked.length > 2)
  port.close()
  expect(asked.slice(0, 2)).toEqual(['tally', 'finish'])
})

it('lets go of what nobody waits for any more, also in a worker that does not listen', async () => {
  const walks = startOdd({ stubbornMs: 10 })
  const gone = new AbortController()
  const hanging = walks.walk(asked('hang'), [], gone.signal)
  const waiting = walks.walk(asked('funnel'), [], gone.signal)
  const other = walks.walk(asked('funnel'), [])
  gone.abort(new Error('gone'))
  await expect(hanging).rejects.toThrow('gone')
  await expect(waiting).rejects.toThrow('gone')
  expect(await other).toBe('answer')
})

it('lets go of what is nearly done, too', async () => {
  const walks = startOdd({ stubbornMs: 10, worker: UNENDING_WORKER })
  const ending = new BroadcastChannel('ending')
  const gone = new AbortController()
  ending.onmessage = () => gone.abort(new Error('gone'))
  await expect(walks.walk(asked('funnel'), [], gone.signal)).rejects.toThrow('gone')
  ending.close()
  await expect(walks.walk(asked('die'), [])).rejects.toThrow('a walk worker died')
})

it('gives its seat to the next when a question cannot be sent to a worker', async () => {
  const walks = startOdd()
  await expect(walks.walk({ walk: 'funnel', limit: () => 1 } as never, [])).rejects.toThrow(/could not be cloned/)
  expect(await walks.walk(asked('funnel'), [])).toBe('answer')
})

it('stops in the middle of anything', async () => {
  const walks = startOdd()
  const hanging = walks.walk(asked('hang'), [])
  const waiting = walks.walk(asked('funnel'), [])
  const [first, second] = [hanging, waiting].map((one) => expect(one).rejects.toThrow(/worker/))
  await walks.stop()
  await Promise.all([first, second])
  await expect(walks.walk(asked('funnel'), [])).rejects.toThrow('stopped')
})

it('leaves the event loop to others while it walks', async () => {
  const slices = slicesOf(300_000)
  let turns = 0
  const timer = setInterval(() => {
    turns += 1
  }, 1)
  await walks.walk(QUESTION, slices)
  clearInterval(timer)
  expect(turns).toBeGreaterThan(3)
})
