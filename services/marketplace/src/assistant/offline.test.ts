import { expect, it } from 'vitest'
import type { AssistantMessage, Locale } from './assistant.ts'
import { FAQ, SERVICES } from './catalogue.ts'
import { offlineAssistant } from './offline.ts'

const earlier: AssistantMessage[] = [
  { role: 'user', content: 'Hi' },
  { role: 'assistant', content: 'Hello.' },
]

async function ask(content: string, locale: Locale, before: AssistantMessage[] = earlier): Promise<string> {
  const deltas: string[] = []
  const answer = await offlineAssistant(1000).answer(
    { messages: [...before, { role: 'user', content }], locale, signal: new AbortController().signal },
    (delta) => deltas.push(delta),
  )
  expect(deltas.length).toBeGreaterThan(1)
  expect(deltas.join('')).toBe(answer.content)
  expect(answer).toMatchObject({ toolCalls: null, model: 'offline', usage: null })
  return answer.content
}

it.each<[string, Locale, string]>([
  ['How much is a PLUMBER in Bogota?', 'en', 'Plumbing in Bogotá: $90.000–$220.000 COP a visit'],
  ['¿Cuánto vale la plomería en Medellín?', 'es', 'Plomería en Medellín: entre $90.000–$220.000 COP por visita'],
  ['I want to book somebody to paint my walls in Santa Marta', 'en', 'Painting in Santa Marta'],
  ['Quiero cancelar y que me devuelvan la plata', 'es', 'Una reserva se cancela'],
  ['Can I pay by card?', 'en', 'You pay in Colombian pesos'],
  ['What is the meaning of life?', 'en', 'I have no answer to that. I can tell you about: Home cleaning'],
  ['👷', 'es', 'No tengo respuesta para eso'],
])('answers %s in %s', async (question, locale, beginning) => {
  expect((await ask(question, locale)).slice(0, beginning.length)).toBe(beginning)
})

it('says what it is in the first answer of a conversation, and not again', async () => {
  expect(await ask('Can I pay by card?', 'en', [])).toMatch(/^I am the offline assistant.*You pay in/)
  expect(await ask('¿Cómo se paga?', 'es', [])).toMatch(/^Soy el asistente sin conexión.*Se paga/)
  expect(await ask('Can I pay by card?', 'en')).not.toContain('offline')
})

it('finds each entry of its catalogue by each of its words', async () => {
  for (const { name, words } of SERVICES)
    for (const word of words) expect(await ask(word, 'en'), word).toContain(name.en)
  for (const { answer, words } of FAQ) for (const word of words) expect(await ask(word, 'es'), word).toBe(answer.es)
})
