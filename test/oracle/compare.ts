import { COUNT_FORMS, type CountForm, countQuestions } from './count-questions.ts'
import type { World } from './data-sets.ts'
import { isoOf } from './definition.ts'
import { FORMS, type Form, makeFunnel } from './definitions.ts'
import { difference } from './differences.ts'
import type { OracleEvent } from './events.ts'
import { funnelQuestions } from './funnel-questions.ts'
import type { Asked, Question } from './question.ts'
import { type Choices, choicesOf } from './random.ts'
import type { Service } from './service.ts'
import { deleteEvents, forgetAll, prepareDays, storeEvents } from './store.ts'

export const ALL_FORMS = [...FORMS, ...COUNT_FORMS] as const
export type AnyForm = (typeof ALL_FORMS)[number]

export interface Found {
  question: Question
  world: World
  /** Where the answers differ. */
  difference: string
}

/**
 * Stores a world's events alone: those that are not late, then the segments of most of their days, then the late ones; and
 * some are deleted in between. So an answer of
 * the API comes partly from segments, partly from raw rows, and partly from both.
 */
export async function storeWorld(service: Service, world: World): Promise<void> {
  const { pool } = service
  await forgetAll(pool)
  await prepareDays(pool, [...world.sets.flat(), ...world.gone])
  for (const stage of stagesOf(world)) {
    await storeEvents(pool, stage.events)
    await service.buildSegments(stage.segments)
    await deleteEvents(pool, stage.gone)
  }
}

export interface Stage {
  /** Stored first; */
  events: OracleEvent[]
  /** then the segments of these days are built; */
  segments: string[]
  /** then these are deleted. */
  gone: OracleEvent[]
}

export function stagesOf(world: World): Stage[] {
  const all = [...world.sets.flat(), ...world.gone]
  const events = choicesOf(world.seed).someOf(all, all.length)
  const days = [...new Set(events.map(({ at }) => isoOf(at).slice(0, 10)))].sort()
  // By the day and not by its place, so that days stay in when a world is made smaller.
  const some = (share: number): string[] =>
    days.filter((day) => choicesOf(world.seed + Number(day.replaceAll('-', ''))).chance(share))
  return [
    { events: events.filter(({ id }) => !world.late.has(id)), segments: some(0.7), gone: world.gone },
    { events: events.filter(({ id }) => world.late.has(id)), segments: some(0.1), gone: [] },
  ]
}

/** Asks what a form asks of this world, which is stored, and compares. The first difference, or null. */
export async function compareForm(
  asked: Asked,
  world: World,
  form: AnyForm,
  of: 'sql' | 'api' | 'both' = 'both',
): Promise<Found | null> {
  const choices = choicesOf(world.seed * ALL_FORMS.length + ALL_FORMS.indexOf(form))
  const events = world.sets.flat()
  for (const question of questionsOf(world, form, choices)) {
    if (of !== 'both' && question.name.startsWith('POST') !== (of === 'api')) continue
    const found = await compareQuestion(asked, world, events, question)
    if (found) return found
  }
  return null
}

/** @param events the world's, which expectations are kept for */
export async function compareQuestion(
  asked: Asked,
  world: World,
  events: readonly OracleEvent[],
  question: Question,
): Promise<Found | null> {
  const got = await question.got(asked).catch((error: Error) => `refused: ${error.message}`)
  const found = difference(question.expected(events), got)
  return found === null ? null : { question, world, difference: found }
}

/** Several definitions: the first is asked everything, the others for their chains, of SQL and of the API. */
function questionsOf(world: World, form: AnyForm, choices: Choices): Question[] {
  const asks = ['everything', 'chains', 'chains', 'chains'] as const
  return asks.flatMap((ask) =>
    COUNT_FORMS.includes(form as CountForm)
      ? countQuestions(form as CountForm, world, choices)
      : funnelQuestions(world, makeFunnel(form as Form, world, choices), choices, ask),
  )
}
