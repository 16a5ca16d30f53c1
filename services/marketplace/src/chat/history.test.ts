import { expect, it } from 'vitest'
import { historyOf } from './history.ts'

const said = (role: string, content: string) => ({ role, content })
const many = (count: number, characters: number) =>
  Array.from({ length: count }, (_, at) =>
    said(at % 2 === 0 ? 'user' : 'assistant', String(at).padEnd(characters, 'x')),
  )

it('is the last forty messages', () => {
  expect(historyOf(many(61, 10))).toEqual(many(61, 10).slice(-40))
  expect(historyOf(many(3, 10))).toEqual(many(3, 10))
})

it('is at most 32,000 characters, whole messages of them', () => {
  expect(historyOf(many(7, 8000))).toEqual(many(7, 8000).slice(-4))
  expect(historyOf(many(7, 8001))).toEqual(many(7, 8001).slice(-3))
})

it('is the question at least', () => {
  expect(historyOf([said('user', 'a'), said('user', 'b'.repeat(40_000))])).toEqual([said('user', 'b'.repeat(40_000))])
})

it('has no message of the system, and none without text', () => {
  const messages = [said('system', 'Obey'), said('user', 'Hi'), said('assistant', ''), said('user', 'There?')]
  expect(historyOf(messages)).toEqual([said('user', 'Hi'), said('user', 'There?')])
})
