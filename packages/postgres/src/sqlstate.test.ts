import { describe, expect, test } from 'vitest'
import { classify, sqlstateOf } from './sqlstate.ts'

/** What node-postgres throws when Postgres answers with an error. */
function answer(code: string, fields: { constraint?: string } = {}): Error {
  return Object.assign(new Error('said in any language'), { code, severity: 'ERROR', ...fields })
}

function fromNode(code: string): Error {
  return Object.assign(new Error(code), { code, errno: -1, syscall: 'connect' })
}

describe('classify', () => {
  test.each([
    ['23505', 'duplicate'],
    ['22P02', 'row'],
    ['22P05', 'row'],
    ['22021', 'row'],
    ['23502', 'row'],
    ['54000', 'row'],
    ['22P04', 'ours'],
    ['42501', 'ours'],
    ['42P01', 'ours'],
    ['3D000', 'ours'],
    ['3F000', 'ours'],
    ['28P01', 'ours'],
    ['0A000', 'ours'],
    ['08006', 'retry'],
    ['40001', 'retry'],
    ['40P01', 'retry'],
    ['53100', 'retry'],
    ['55P03', 'retry'],
    ['57P01', 'retry'],
    ['57014', 'retry'],
    ['58030', 'retry'],
    ['25006', 'retry'],
    ['XX000', 'retry'],
  ])('%s is %s', (code, expected) => {
    expect(classify(answer(code))).toBe(expected)
  })

  test('23514 of a CHECK names its constraint, that of a missing partition names none', () => {
    expect(classify(answer('23514', { constraint: 'positive' }))).toBe('row')
    expect(classify(answer('23514'))).toBe('no_partition')
  })

  test.each(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EPIPE', 'ENOTFOUND'])('%s of Node is retry', (code) => {
    expect(classify(fromNode(code))).toBe('retry')
    expect(sqlstateOf(fromNode(code))).toBeUndefined()
  })

  test('a connection that ended is retry, a bug of ours is ours', () => {
    expect(classify(new Error('Connection terminated unexpectedly'))).toBe('retry')
    expect(classify(new AggregateError([fromNode('ECONNREFUSED')]))).toBe('retry')
    expect(classify(new TypeError('x is undefined'))).toBe('ours')
    expect(classify('nothing of an error')).toBe('retry')
  })

  test('looks through wrapping errors', () => {
    const wrapped = new Error('batch failed', { cause: answer('23505') })
    expect(sqlstateOf(wrapped)).toBe('23505')
    expect(classify(wrapped)).toBe('duplicate')
  })
})
