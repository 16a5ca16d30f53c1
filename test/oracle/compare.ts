import type { Pool } from '@platform-events/postgres'
import { COUNT_FORMS, type CountForm, sqlCountQuestion } from './count-questions.ts'
import type { World } from './data-sets.ts'
import { FORMS, type Form, makeFunnel } from './definitions.ts'
import { difference } from './differences.ts'
import { sqlFunnelQuestions } from './funnel-questions.ts'
import type { Question } from './question.ts'
import { type Choices, choicesOf } from './random.ts'
import { forgetAll, prepareDays, storeEvents } from './store.ts'

export const ALL_FORMS = [...FORMS, ...COUNT_FORMS] as const
export type AnyForm = (typeof ALL_FORMS)[number]

export interface Found {
  question: Question<Pool>
  world: World
  /** Where the answers differ. */
  difference: string
}

/** Stores a world's events alone: what is late, last. */
export async function storeWorld(pool: Pool, world: World): Promise<void> {
  const events = world.sets.flat()
  await forgetAll(pool)
  await prepareDays(pool, events)
  const isLate = ({ id }: { id: string }): boolean => world.late.has(id)
  const shuffled = choicesOf(world.seed).someOf(events, events.length)
  await storeEvents(
    pool,
    shuffled.filter((event) => !isLate(event)),
  )
  await storeEvents(pool, shuffled.filter(isLate))
}

/** Asks what a form asks of this world, which is stored, and compares. The first difference, or null. */
export async function compareForm(pool: Pool, world: World, form: AnyForm, round: number): Promise<Found | null> {
  const choices = choicesOf(world.seed * 1000 + round * ALL_FORMS.length + ALL_FORMS.indexOf(form))
  for (const question of questionsOf(world, form, choices)) {
    const found = await compareQuestion(pool, world, question)
    if (found) return found
  }
  return null
}

export async function compareQuestion(pool: Pool, world: World, question: Question<Pool>): Promise<Found | null> {
  const got = await question.got(pool).catch((error: Error) => `refused: ${error.message}`)
  const found = difference(question.expected(world.sets.flat()), got)
  return found === null ? null : { question, world, difference: found }
}

function questionsOf(world: World, form: AnyForm, choices: Choices): Question<Pool>[] {
  return COUNT_FORMS.includes(form as CountForm)
    ? [sqlCountQuestion(form as CountForm, world, choices)]
    : sqlFunnelQuestions(world, makeFunnel(form as Form, world, choices), choices)
}
