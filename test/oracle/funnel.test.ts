import { describe, expect, it } from 'vitest'
import { type Drawn, draw, funnelOf } from './drawn.ts'
import { chosenChain, type OracleFunnel, type OracleStep } from './funnel.ts'

/** The level and the positions of the chosen chain's rows in the drawing, from 1; 0 for a step without one. */
function chain(drawn: Drawn, changes: Partial<OracleFunnel> = {}, ...steps: (string | Partial<OracleStep>)[]) {
  const events = draw(drawn)
  const found = chosenChain(events, funnelOf(steps.length > 0 ? steps : ['A', 'B', 'C'], changes))
  return found && { level: found.level, rows: found.events.map((event) => (event ? events.indexOf(event) + 1 : 0)) }
}

describe('an ordered funnel', () => {
  it('lets other events come between', () => {
    expect(chain('A1 X2 B3 A4 C5')).toEqual({ level: 3, rows: [1, 3, 5] })
  })
  it('has no chain where step 1 never came', () => {
    expect(chain('B1 C2')).toBeNull()
  })
  it('takes rows of one microsecond in whichever order serves', () => {
    expect(chain('C1 B1 A1')).toEqual({ level: 3, rows: [3, 2, 1] })
  })
  it('holds the window from the first event, its last microsecond included', () => {
    expect(chain('A1 B5 C11', { window: 10 })).toEqual({ level: 3, rows: [1, 2, 3] })
    expect(chain('A1 B5 C12', { window: 10 })).toEqual({ level: 2, rows: [1, 2, 0] })
  })
  it('does not begin at the first event only: the latest start that arrives counts', () => {
    expect(chain('A1 B2 A8 B9 C12', { window: 10 })).toEqual({ level: 3, rows: [3, 4, 5] })
  })
  it('takes the chain that ends first, then starts last, then has its earliest times', () => {
    expect(chain('A1 A2 B3 B4 C5 C6')).toEqual({ level: 3, rows: [2, 3, 5] })
  })
  it('takes the first rows where times are equal', () => {
    expect(chain('A1 A1 B2 B2', {}, 'A', 'B')).toEqual({ level: 2, rows: [1, 3] })
  })
  it('keeps every event in the range, the end exclusive', () => {
    expect(chain('A1 B2 C3', { from: 1, to: 3 })).toEqual({ level: 2, rows: [1, 2, 0] })
    expect(chain('A1 B2 C3', { from: 2, to: 9 })).toBeNull()
  })
  it('has one event serve one step only', () => {
    expect(chain('A1', {}, 'A', 'A')).toEqual({ level: 1, rows: [1, 0] })
    expect(chain('A1 A1', {}, 'A', 'A')).toEqual({ level: 2, rows: [1, 2] })
  })
})

describe('a strict funnel', () => {
  it('suffers no event between, of the funnel or not', () => {
    expect(chain('A1 B2 C3', { mode: 'strict' })).toEqual({ level: 3, rows: [1, 2, 3] })
    expect(chain('A1 X2 B3 C4', { mode: 'strict' })).toEqual({ level: 1, rows: [1, 0, 0] })
  })
  it('may begin anew', () => {
    expect(chain('A1 X2 A3 B4', { mode: 'strict' }, 'A', 'B')).toEqual({ level: 2, rows: [3, 4] })
  })
  it('reads rows of one microsecond by their ids', () => {
    expect(chain('B1 A1', { mode: 'strict' }, 'A', 'B')).toEqual({ level: 1, rows: [2, 0] })
  })
})

describe('a funnel in strict order', () => {
  it('overlooks events of no step, and repeats of the step before or the next', () => {
    expect(chain('A1 X2 A3 B4 X5 B6 C7', { mode: 'strict_order' })).toEqual({ level: 3, rows: [3, 4, 7] })
  })
  it('is broken by a step out of turn', () => {
    expect(chain('A1 B2 D3 C4', { mode: 'strict_order' }, 'A', 'B', 'C', 'D')).toEqual({ level: 2, rows: [1, 2, 0, 0] })
  })
  it('may begin anew after it', () => {
    expect(chain('A1 C2 A3 B4 C5', { mode: 'strict_order' })).toEqual({ level: 3, rows: [3, 4, 5] })
  })
})

describe('an unordered funnel', () => {
  it('counts steps in any order', () => {
    expect(chain('C1 A2 B3', { mode: 'unordered' })).toEqual({ level: 3, rows: [1, 2, 3] })
    expect(chain('C1 B3', { mode: 'unordered' })).toEqual({ level: 2, rows: [1, 2, 0] })
  })
  it('holds all of them in the window of the earliest', () => {
    expect(chain('C1 A2 B12', { mode: 'unordered', window: 10 })).toEqual({ level: 2, rows: [1, 2, 0] })
    expect(chain('C1 A2 B12 C12', { mode: 'unordered', window: 10 })).toEqual({ level: 3, rows: [2, 3, 4] })
  })
  it('gives each row a step of its own, and each step one row', () => {
    expect(chain('A1 A2', { mode: 'unordered' })).toEqual({ level: 1, rows: [1, 0, 0] })
    expect(chain('A1 A2', { mode: 'unordered' }, 'A', { eventTypes: ['A', 'B'] })).toEqual({ level: 2, rows: [1, 2] })
  })
})

describe('an exclusion', () => {
  const noX = { eventTypes: ['X'], where: [], after: 1, before: 3 }
  it('breaks a chain that it falls into', () => {
    expect(chain('A1 X2 B3 C4', { exclude: [noX] })).toEqual({ level: 1, rows: [1, 0, 0] })
  })
  it('leaves another chain of the same unit alone', () => {
    expect(chain('A1 X2 A3 B4 C5', { exclude: [noX] })).toEqual({ level: 3, rows: [3, 4, 5] })
  })
  it('counts strictly between, not in the same microsecond', () => {
    expect(chain('A1 X1 B3 X3', { exclude: [noX] })).toEqual({ level: 2, rows: [1, 3, 0] })
  })
  it('counts between its two steps only', () => {
    expect(chain('A1 X2 B3 C4', { exclude: [{ ...noX, after: 2 }] })).toEqual({ level: 3, rows: [1, 3, 4] })
    expect(chain('A1 B3 X4 C5', { exclude: [{ ...noX, after: 2 }] })).toEqual({ level: 2, rows: [1, 2, 0] })
  })
  it('counts up to the last event of a chain that goes no further', () => {
    expect(chain('A1 B2 X3', { exclude: [noX] })).toEqual({ level: 2, rows: [1, 2, 0] })
  })
  it('prefers a chain that goes round it to one that starts later', () => {
    expect(chain('A1 B2 X3 C4', { exclude: [{ ...noX, before: 2 }] }, 'A', 'B', 'C')).toEqual({
      level: 3,
      rows: [1, 2, 4],
    })
  })
  it('may be a step of the funnel', () => {
    expect(chain('A1 B2 C3', { exclude: [{ ...noX, eventTypes: ['B'] }] })).toEqual({ level: 2, rows: [1, 2, 0] })
  })
})

describe('an optional step', () => {
  const maybeB = { eventTypes: ['B'], optional: true }
  it('is filled where it can be', () => {
    expect(chain('A1 B2 C3', {}, 'A', maybeB, 'C')).toEqual({ level: 2, rows: [1, 2, 3] })
  })
  it('keeps nobody from the steps after it', () => {
    expect(chain('A1 C3 B4', {}, 'A', maybeB, 'C')).toEqual({ level: 2, rows: [1, 0, 2] })
  })
  it('never changes the chain: the latest start stays, though an earlier one would fill it', () => {
    expect(chain('A1 B2 A3 C4', {}, 'A', maybeB, 'C')).toEqual({ level: 2, rows: [3, 0, 4] })
  })
  it('is filled after the last required step reached, until the window ends', () => {
    expect(chain('A1 B11', { window: 10 }, 'A', maybeB, 'C')).toEqual({ level: 1, rows: [1, 2, 0] })
    expect(chain('A1 B12', { window: 10 }, 'A', maybeB, 'C')).toEqual({ level: 1, rows: [1, 0, 0] })
  })
  it('takes no row that another step has', () => {
    expect(chain('A1 A2', {}, 'A', { eventTypes: ['A'], optional: true }, 'A')).toEqual({ level: 2, rows: [1, 0, 2] })
    expect(chain('A1 B2 C3', {}, 'A', maybeB, maybeB, 'C')).toEqual({ level: 2, rows: [1, 2, 0, 3] })
  })
})
