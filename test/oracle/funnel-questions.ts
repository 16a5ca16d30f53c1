import { apiActors, apiFunnel, apiLift } from './api-funnel-questions.ts'
import type { World } from './data-sets.ts'
import { apiExplain, sqlExplain } from './explain-questions.ts'
import type { OracleFunnel } from './funnel.ts'
import type { Breakdown } from './funnel-answers.ts'
import { expectationsOf } from './funnel-expected.ts'
import { unitsOf } from './identity.ts'
import type { Question } from './question.ts'
import type { Choices } from './random.ts'
import { sqlActors, sqlChains, sqlLift, sqlTimes, sqlTotals, sqlTrend } from './sql-funnel-questions.ts'

/** What SQL and the API are asked of one definition. */
export function funnelQuestions(
  world: World,
  funnel: OracleFunnel,
  choices: Choices,
  ask: 'everything' | 'chains',
): Question[] {
  const expected = expectationsOf(funnel)
  const breakdown = makeBreakdown(funnel, choices)
  const bucket = choices.oneOf(['day', 'week', 'month'] as const)
  const timeZone = choices.chance(0.5) ? world.timeZone : 'UTC'
  if (ask === 'chains') {
    return [sqlChains(expected), sqlTotals(expected, null), apiFunnel(expected, breakdown, bucket, timeZone)]
  }
  const required = funnel.steps.flatMap((step, index) => (step.optional ? [] : [index + 1]))
  const step = choices.oneOf(required.slice(0, -1))
  const property = choices.oneOf(['kind', 'n', 'absent'])
  const outcome = choices.oneOf(['converted', 'dropped'] as const)
  const units = [...unitsOf(world.sets.flat(), funnel.unit).keys()]
  const actor = units.length > 0 ? choices.oneOf(units) : null
  return [
    sqlChains(expected),
    sqlTotals(expected, null),
    sqlTotals(expected, breakdown),
    sqlTimes(expected),
    sqlTrend(expected, bucket, timeZone),
    sqlLift(expected, step, property),
    sqlActors(expected, step, outcome),
    apiFunnel(expected, breakdown, bucket, timeZone),
    apiLift(expected, step, property),
    apiActors(expected, step, outcome),
    ...(actor === null ? [] : [sqlExplain(funnel, actor), apiExplain(funnel, actor)]),
  ]
}

function makeBreakdown(funnel: OracleFunnel, choices: Choices): Breakdown {
  if (choices.chance(0.3)) return { by: choices.oneOf(['source', 'day']) }
  const at = choices.oneOf(['first', 'last', choices.whole(1, funnel.steps.length)] as const)
  return { property: choices.oneOf(['kind', 'kind', 'n', 'tags', "o'k", 'absent']), at }
}
