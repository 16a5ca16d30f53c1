import type { Assistant, AssistantMessage, Locale } from './assistant.ts'
import { type CatalogueService, CITIES, FAQ, SERVICES } from './catalogue.ts'

/**
 * An assistant for development, where no model is: the same question gets the same answer, from a small catalogue of services and frequent
 * questions. Its first answer in a conversation says what it is.
 */
export function offlineAssistant(timeoutMs: number): Assistant {
  return {
    name: 'offline',
    timeoutMs,
    async answer({ messages, locale, signal }, onDelta) {
      signal.throwIfAborted()
      const content = answerTo(messages, locale)
      // Piece by piece, as a model's answers come.
      for (const piece of content.match(/\S+\s*/g) ?? []) onDelta(piece)
      return { content, toolCalls: null, model: 'offline', usage: null, finishReason: 'stop' }
    },
  }
}

function answerTo(messages: AssistantMessage[], locale: Locale): string {
  const words = wordsOf(messages.at(-1)?.content ?? '')
  const service = best(SERVICES, words)
  const question = best(FAQ, words)
  // "How do I book a plumber?" is about the plumber.
  const answer = service ? aboutService(service, cityIn(words), locale) : (question?.answer[locale] ?? unknown(locale))
  return messages.some(({ role }) => role === 'assistant') ? answer : `${INTRODUCTION[locale]} ${answer}`
}

const INTRODUCTION: Record<Locale, string> = {
  en: 'I am the offline assistant, made for development: I answer from a small catalogue, and no model is asked.',
  es: 'Soy el asistente sin conexión, hecho para desarrollo: respondo con un catálogo pequeño y no consulto ningún modelo.',
}

function aboutService({ name, from, to, takes }: CatalogueService, city: string | undefined, locale: Locale): string {
  const price = `${pesos(from)}–${pesos(to)} COP`
  if (locale === 'es')
    return `${name.es}${city ? ` en ${city}` : ''}: entre ${price} por visita; tarda ${takes.es}. Busque por ciudad y servicio para ver profesionales disponibles.`
  return `${name.en}${city ? ` in ${city}` : ''}: ${price} a visit; it takes ${takes.en}. Search by city and service to see who is free.`
}

function unknown(locale: Locale): string {
  const names = SERVICES.map(({ name }) => name[locale]).join(', ')
  return locale === 'es'
    ? `No tengo respuesta para eso. Puedo contarle sobre: ${names}; y sobre reservas, pagos, cancelaciones y cuentas.`
    : `I have no answer to that. I can tell you about: ${names}; and about bookings, payments, cancellations and accounts.`
}

/** The one that most words of the question are about; the first of equals. */
function best<Entry extends { words: string[] }>(entries: Entry[], words: string[]): Entry | undefined {
  const scored = entries.map((entry) => ({
    entry,
    score: words.filter((word) => entry.words.some((beginning) => word.startsWith(beginning))).length,
  }))
  return scored.filter(({ score }) => score > 0).toSorted((a, b) => b.score - a.score)[0]?.entry
}

function cityIn(words: string[]): string | undefined {
  const text = ` ${words.join(' ')} `
  return Object.entries(CITIES).find(([plain]) => text.includes(` ${plain} `))?.[1]
}

function wordsOf(text: string): string[] {
  return (
    text
      .normalize('NFD')
      .replace(/\p{Mark}/gu, '')
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? []
  )
}

function pesos(amount: number): string {
  return `$${String(amount).replace(/\B(?=(\d{3})+$)/g, '.')}`
}
