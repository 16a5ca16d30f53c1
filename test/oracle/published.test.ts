import { describe, expect, it } from 'vitest'
import { draw, funnelOf } from './drawn.ts'
import { groupsOf, totals, walk } from './funnel-answers.ts'
import { eventsOf, PUBLISHED } from './published.ts'

describe('published cases, by brute force', () => {
  it.each(PUBLISHED)('$source $what', (published) => {
    const { steps, mode = 'ordered', window = 1000, exclude = [], reached, theirs, why } = published
    const funnel = funnelOf(steps, { mode, window, exclude })
    expect(totals(walk(eventsOf(published), funnel), funnel).map(({ actors }) => actors)).toEqual(reached)
    // A difference has its reason, and a reason its difference.
    expect(theirs === undefined).toBe(why === undefined)
    expect(theirs).not.toEqual(reached)
  })
})

// https://github.com/PostHog/posthog.com/blob/master/contents/docs/product-analytics/funnels.mdx, “Attribution types”
describe('PostHog’s attribution', () => {
  const browsers = (...values: (string | null)[]) =>
    draw(values.map((_, index) => `${'AB'[index]}${index + 1}`).join(' ')).map((event, index) => ({
      ...event,
      properties: values[index] === null ? {} : { browser: `"${values[index]}"` },
    }))
  const funnel = funnelOf(['A', 'B'])
  const valueAt = (at: 'first' | 'last' | number, ...values: (string | null)[]) =>
    [...groupsOf(walk(browsers(...values), funnel), funnel, { property: 'browser', at }).keys()][0]

  it('first touchpoint is the first event’s value, last touchpoint the last’s', () => {
    expect(valueAt('first', 'Chrome', 'Firefox')).toBe('Chrome')
    expect(valueAt('last', 'Chrome', 'Firefox')).toBe('Firefox')
  })
  it('a specific step is that event’s value; who has none is in a group of nulls, where PostHog leaves them out', () => {
    expect(valueAt(2, 'Chrome', 'Firefox')).toBe('Firefox')
    expect(valueAt(2, 'Chrome')).toBeNull()
  })
  it('differs on purpose: PostHog’s first touchpoint is the first value seen in any step, ours the first event’s or null', () => {
    expect(valueAt('first', null, 'Firefox')).toBeNull()
  })
})
