import { EVENT_TYPES, type World } from './data-sets.ts'
import type { OracleExclusion, OracleFunnel, OracleStep } from './funnel.ts'
import type { OracleFilter, OracleMatch, OracleScalar } from './matches.ts'
import type { Choices } from './random.ts'

/** What kinds of funnel are compared. */
export const FORMS = [
  'ordered',
  'repeated',
  'filters',
  'strict',
  'strict_order',
  'unordered',
  'exclusions',
  'optional',
  'session',
  'property',
] as const
export type Form = (typeof FORMS)[number]

/** A random definition of a form, on the world's grid of time: its edges fall on instants, or a microsecond beside them. */
export function makeFunnel(form: Form, world: World, choices: Choices): OracleFunnel {
  const funnel: OracleFunnel = {
    steps: makeSteps(form, world, choices),
    ...makeRange(world, choices),
    window: makeWindow(world, choices),
    mode: form === 'strict' || form === 'strict_order' || form === 'unordered' ? form : 'ordered',
    unit: 'actor',
    exclude: [],
  }
  if (form === 'session' || form === 'property') {
    funnel.mode = choices.oneOf(['ordered', 'ordered', 'strict', 'strict_order', 'unordered'])
    funnel.unit = form === 'session' ? 'session' : { property: choices.chance(0.95) ? 'order' : 'absent' }
  }
  if (form === 'exclusions' || (form === 'optional' && choices.chance(0.5)))
    funnel.exclude = Array.from({ length: choices.whole(1, 2) }, () => makeExclusion(funnel.steps, world, choices))
  return funnel
}

/** Two steps in order: what time_between asks. */
export function makeTimeBetween(world: World, choices: Choices): OracleFunnel {
  const funnel = makeFunnel('ordered', world, choices)
  return { ...funnel, steps: funnel.steps.slice(0, 2).map((step) => ({ ...step, name: step.eventTypes.join(' or ') })) }
}

/** How many steps, where few chains would be whole else. */
const COUNTS: Partial<Record<Form, number[]>> = {
  optional: [3, 3, 4, 5],
  filters: [2, 2, 3],
  exclusions: [2, 3, 3, 3, 4],
}

function makeSteps(form: Form, world: World, choices: Choices): OracleStep[] {
  const count = choices.oneOf(COUNTS[form] ?? [2, 2, 3, 3, 4, 5])
  const others = EVENT_TYPES.filter((type) => !world.favourites.includes(type))
  const distinct = [...choices.someOf(world.favourites, 3), ...choices.someOf(others, 2)]
  const repeated = choices.someOf(world.favourites, choices.whole(1, 2))
  // Of the plain ones, which have a way of their own, there are many.
  const isPlain = form === 'ordered' && choices.chance(0.6)
  const repeats = form === 'repeated' || (form !== 'ordered' && choices.chance(0.4))
  return Array.from({ length: count }, (_, index) => {
    const types = [repeats ? choices.oneOf(repeated) : distinct[index]!]
    if (!isPlain && choices.chance(0.15))
      types.push(...choices.someOf(EVENT_TYPES, 1).filter((type) => type !== types[0]))
    const where = choices.chance(isPlain ? 0 : form === 'filters' ? 0.6 : 0.1) ? makeFilters(choices) : []
    const optional = form === 'optional' && index > 0 && index < count - 1 && choices.chance(index === 1 ? 0.8 : 0.5)
    const name = choices.chance(0.2) ? `step "${index + 1}", ${types[0]}` : types.join(' or ')
    return { eventTypes: types, where, optional, name }
  })
}

/** Mostly all of the world; else cut at an instant, the end exclusive. */
function makeRange(world: World, choices: Choices): { from: number; to: number } {
  const instant = (): number => world.origin + choices.whole(0, world.instants) * world.unit
  const end = world.origin + (world.instants + 1) * world.unit + 2
  const from = choices.chance(0.85) ? world.origin - 5 : instant()
  const to = choices.chance(0.85) ? end : instant()
  return { from: Math.min(from, to), to: Math.max(from, to) }
}

/** Mostly some instants long, to the microsecond; 60 days at times. */
function makeWindow(world: World, choices: Choices): number {
  if (choices.chance(0.25)) return 60 * 86_400_000_000
  const jitter = world.unit > 1 ? choices.oneOf([-1, 0, 0, 0, 1]) : 0
  return Math.max(1, choices.whole(1, Math.max(1, world.instants - 1)) * world.unit + jitter)
}

function makeExclusion(steps: OracleStep[], world: World, choices: Choices): OracleExclusion {
  const required = steps.flatMap((step, index) => (step.optional ? [] : [index + 1]))
  const first = choices.whole(0, required.length - 2)
  const isWhole = choices.chance(0.6)
  return {
    ...makeMatch(steps, world, choices),
    after: isWhole ? 1 : required[first]!,
    before: isWhole ? steps.length : required[choices.whole(first + 1, required.length - 1)]!,
  }
}

/** Mostly of what is often there and no step, without filter. */
function makeMatch(steps: OracleStep[], world: World, choices: Choices): OracleMatch {
  const free = world.favourites.filter((type) => !steps.some(({ eventTypes }) => eventTypes.includes(type)))
  const types = free.length > 0 && choices.chance(0.5) ? free : world.favourites
  const more = choices.chance(0.2) ? choices.someOf(EVENT_TYPES, 1) : []
  return {
    eventTypes: [...new Set([choices.oneOf(types), ...more])],
    where: choices.chance(0.2) ? makeFilters(choices) : [],
  }
}

/** One filter, at times two. */
export function makeFilters(choices: Choices): OracleFilter[] {
  return Array.from({ length: choices.chance(0.2) ? 2 : 1 }, () => makeFilter(choices))
}

const SCALARS: Record<string, OracleScalar[]> = {
  kind: ['web', 'app', 5, '5', true, '', 'WEB'],
  n: [-1, 0, 2.5, 5, 9, 10, '10', false],
  tags: ['web', 5, true, 'b%_\\', '', '～', '😀'],
  'a.b': [1, 'x'],
  a: ['{"b": 1}'],
  "o'k": [1, 'x'],
  absent: ['x'],
}

function makeFilter(choices: Choices): OracleFilter {
  const property = choices.oneOf(['kind', 'kind', 'n', 'n', 'tags', 'tags', 'a.b', 'a', "o'k", 'absent'])
  const value = (): OracleScalar => choices.oneOf(SCALARS[property]!)
  const op = choices.oneOf(['=', '=', '!=', '!=', 'in', '<', '<=', '>', '>=', 'exists', 'contains'] as const)
  switch (op) {
    case 'in':
      return { property, op, value: Array.from({ length: choices.whole(1, 3) }, value) }
    case 'exists':
      return choices.chance(0.4) ? { property, op } : { property, op, value: choices.chance(0.5) }
    case '<':
    case '<=':
    case '>':
    case '>=':
      return { property, op, value: [value(), value(), value(), 5].find((one) => typeof one !== 'boolean')! }
    case 'contains':
      // Of a string or array, and of strings alone where the value is no string: any scalar may be asked.
      return { property, op, value: value() }
    default:
      return { property, op, value: value() }
  }
}
