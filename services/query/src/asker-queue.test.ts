import { expect, it } from 'vitest'
import { type AskerQueueOptions, askerQueue } from './asker-queue.ts'

const never = new AbortController().signal

/** A queue, and questions that are under way until they are told to end. */
function setUp(options: Partial<AskerQueueOptions> = {}) {
  const queue = askerQueue({ slots: 1, maxWaiting: 100, maxWaitingEach: 50, maxWaitMs: 60_000, ...options })
  const begun: string[] = []
  const ends: (() => void)[] = []
  const ask = (asker: string, signal = never) =>
    queue.run(asker, signal, () => {
      begun.push(asker)
      return new Promise<void>((resolve) => ends.push(resolve))
    })
  const endOne = async () => {
    ends.shift()!()
    await new Promise(setImmediate)
  }
  return { queue, begun, ask, endOne }
}

it('lets askers take turns, whoever has asked how much', async () => {
  const { queue, begun, ask, endOne } = setUp()
  const all = ['a', 'a', 'a', 'a', 'b', 'c', 'b'].map((asker) => ask(asker))
  await new Promise(setImmediate)
  while (queue.running > 0) await endOne()
  await Promise.all(all)
  expect(begun.join('')).toBe('aabcaba')
})

it('answers as many at once as it has slots, and refuses when too many wait, of one asker or in all', async () => {
  const { queue, ask, endOne } = setUp({ slots: 2, maxWaiting: 2, maxWaitingEach: 1 })
  const all = [ask('a'), ask('a'), ask('a')]
  expect([queue.running, queue.waiting]).toEqual([2, 1])
  const refusal = { code: 'overloaded', retryAfterSeconds: 5 }
  await expect(ask('a')).rejects.toMatchObject({ ...refusal, message: expect.stringContaining('of yours') })
  all.push(ask('b'))
  await expect(ask('c')).rejects.toMatchObject(refusal)
  await new Promise(setImmediate)
  for (const _ of all) await endOne()
  await Promise.all(all)
  expect([queue.running, queue.waiting]).toEqual([0, 0])
})

it('forgets who goes away or has waited too long, and goes on', async () => {
  const { queue, begun, ask, endOne } = setUp({ maxWaitMs: 20 })
  const gone = new AbortController()
  const first = ask('a')
  const second = ask('b', gone.signal)
  const third = ask('c')
  gone.abort(new Error('gone'))
  await expect(second).rejects.toThrow('gone')
  await expect(third).rejects.toMatchObject({ code: 'overloaded' })
  expect(queue.waiting).toBe(0)
  await endOne()
  await first
  const later = ask('d')
  await new Promise(setImmediate)
  await endOne()
  await later
  expect(begun).toEqual(['a', 'd'])
})

it('goes on after a question that failed', async () => {
  const { queue } = setUp()
  const failing = queue.run('a', never, async () => {
    throw new Error('no')
  })
  await expect(failing).rejects.toThrow('no')
  expect(await queue.run('a', never, async () => 1)).toBe(1)
})
