import { expect, test } from 'vitest'
import { type Component, startComponents } from './lifecycle.ts'
import { createLogger } from './logger.ts'

const logger = createLogger({ name: 'test', level: 'silent' })

function component(name: string, diary: string[], faults: Partial<Record<keyof Component, Error>> = {}): Component {
  const act = (verb: keyof Component) => async () => {
    diary.push(`${verb} ${name}`)
    const fault = faults[verb]
    if (fault) throw fault
  }
  return { name, start: act('start'), drain: act('drain'), stop: act('stop') }
}

test('starts in order; drains all before it stops any, last first', async () => {
  const diary: string[] = []
  const running = await startComponents([component('a', diary), component('b', diary)], logger)
  expect(await running.shutdown('test')).toBe(true)
  expect(diary).toEqual(['start a', 'start b', 'drain b', 'drain a', 'stop b', 'stop a'])
})

test('a component that does not start stops those before it, and its error comes out', async () => {
  const diary: string[] = []
  const broken = component('b', diary, { start: new Error('port taken') })
  await expect(startComponents([component('a', diary), broken, component('c', diary)], logger)).rejects.toThrow(
    'port taken',
  )
  expect(diary).toEqual(['start a', 'start b', 'drain a', 'stop a'])
})

test('a component that fails to stop does not keep the others from stopping', async () => {
  const diary: string[] = []
  const stuck = component('b', diary, { stop: new Error('stuck') })
  const running = await startComponents([component('a', diary), stuck], logger)
  expect(await running.shutdown('test')).toBe(false)
  expect(diary.at(-1)).toBe('stop a')
})

test('a second shutdown joins the first', async () => {
  const diary: string[] = []
  const running = await startComponents([component('a', diary)], logger)
  await Promise.all([running.shutdown('one'), running.shutdown('two')])
  expect(diary).toEqual(['start a', 'drain a', 'stop a'])
})

test('a start that is given up stops what was started and what was about to, and starts nothing more', async () => {
  const diary: string[] = []
  const stopping = new AbortController()
  let begun: () => void = () => undefined
  const isWaiting = new Promise<void>((resolve) => {
    begun = resolve
  })
  const start = (): Promise<void> => {
    begun()
    return new Promise(() => undefined)
  }
  const waiting = { ...component('b', diary), start }
  const starting = startComponents([component('a', diary), waiting, component('c', diary)], logger, stopping.signal)
  await isWaiting
  stopping.abort()
  expect(await (await starting).shutdown('SIGTERM')).toBe(true)
  expect(diary).toEqual(['start a', 'drain b', 'drain a', 'stop b', 'stop a'])
})

test("a start that fails after it was given up is nobody's concern", async () => {
  const stopping = new AbortController()
  let fail: (error: Error) => void = () => undefined
  const late = {
    ...component('a', []),
    start: () =>
      new Promise<void>((_, reject) => {
        fail = reject
      }),
  }
  const starting = startComponents([late], logger, stopping.signal)
  stopping.abort()
  const running = await starting
  fail(new Error('too late'))
  expect(await running.shutdown('SIGTERM')).toBe(true)
})
