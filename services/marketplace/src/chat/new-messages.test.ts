import { describe, expect, it } from 'vitest'
import { newMessages } from './new-messages.ts'

/** 'u1' is said by the user, 'a1' by the assistant. */
const said = (text: string) =>
  text
    .split(' ')
    .filter(Boolean)
    .map((content) => ({ role: content.startsWith('u') ? 'user' : 'assistant', content }))

describe('what is new of', () => {
  it.each([
    ['all of the conversation again', 'u1 a1', 'u1 a1 u2', 'u2'],
    ['its end alone', 'u1 a1 u2 a2', 'a2 u3', 'u3'],
    ['only what is new', 'u1 a1', 'u2', 'u2'],
    ['two questions at once', 'u1 a1', 'u2 u3', 'u2 u3'],
    ['the same short question twice', 'u1 a1', 'u1', 'u1'],
    ['the same short question twice, with the conversation', 'u1 a1', 'u1 a1 u1', 'u1'],
    ['a question whose answer failed, asked again', 'u1 a1 u2', 'u1 a1 u2', ''],
    ['a question whose answer failed, and another', 'u1 a1 u2', 'u1 a1 u2 u3', 'u3'],
    ['a conversation whose last answer was never seen', 'u1 a1 u2 a2', 'u1 a1 u2 u3', 'u3'],
    ['a conversation of another device', 'u1 a1', 'u7 a7 u8', 'u8'],
    ['words put into the assistant’s mouth', 'u1 a1', 'u1 a1 u2 a9 u3', 'u3'],
    ['a greeting of the page', 'u1 a1', 'a0 u2', 'u2'],
  ])('%s', (_what, stored, sent, expected) => {
    expect(newMessages(said(stored), said(sent))).toEqual(said(expected))
  })
})

it('knows a conversation again of which only the end was looked up', () => {
  const all = said(Array.from({ length: 40 }, (_, n) => `u${n} a${n}`).join(' '))
  const end = all.slice(-50)
  expect(newMessages(end, [...all, ...said('u u')])).toEqual(said('u u'))
  expect(newMessages(end, [...all.slice(0, -1), ...said('u u')])).toEqual(said('u u'))
  expect(newMessages([...end.slice(-49), ...said('u')], [...all, ...said('u')])).toEqual([])
})

it('stores a conversation as it was, whatever part of its end is sent again each time', () => {
  let stored: { role: string; content: string }[] = []
  for (let turn = 0; turn < 8; turn += 1) {
    const asked = said('u u u'.slice(0, 1 + (turn % 3) * 2)).map(({ role }, at) => ({
      role,
      content: `u${turn}.${at}`,
    }))
    for (let again = 0; again <= stored.length; again += 1)
      expect(newMessages(stored, [...stored.slice(stored.length - again), ...asked])).toEqual(asked)
    stored = [...stored, ...asked, { role: 'assistant', content: `a${turn}` }]
  }
})
