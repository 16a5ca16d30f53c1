import { setTimeout as sleep } from 'node:timers/promises'

/** An operator with a token, who asks again until there is an answer. */
export interface DeadLetterDesk {
  /** The id of the letter of an event. */
  find(eventId: string): Promise<number>
  /** @returns the outcome, in the words of the API */
  act(letter: number, verb: 'mend' | 'replay', body?: object): Promise<string>
  /** Answers that nobody should get, whatever is broken. */
  oddAnswers: string[]
}

const RETRY_MS = 500
const PATIENCE_MS = 10_000
/** Taken, too many requests, unavailable, took too long. */
const EXPECTED = new Set([200, 429, 503, 504])

export function deadLetterDesk(url: string, operatorToken: string): DeadLetterDesk {
  const oddAnswers: string[] = []
  async function ask<T>(path: string, body?: object): Promise<T> {
    for (;;) {
      try {
        const response = await fetch(`${url}/v1/dead-letters${path}`, {
          ...(body && { method: 'POST', body: JSON.stringify(body) }),
          headers: { authorization: `Bearer ${operatorToken}`, 'content-type': 'application/json' },
          signal: AbortSignal.timeout(PATIENCE_MS),
        })
        if (response.status === 200) return (await response.json()) as T
        const said = `${response.status} ${await response.text()}`
        if (!EXPECTED.has(response.status)) oddAnswers.push(`${path}: ${said}`)
      } catch {}
      await sleep(RETRY_MS)
    }
  }
  return {
    oddAnswers,
    async find(eventId) {
      for (;;) {
        const { dead_letters } = await ask<{ dead_letters: { event_id: string; dead_letter_id: number }[] }>(
          '?limit=500',
        )
        const found = dead_letters.find(({ event_id }) => event_id === eventId)
        if (found) return found.dead_letter_id
        await sleep(RETRY_MS)
      }
    },
    async act(letter, verb, body = {}) {
      const { outcome, message } = await ask<{ outcome: string; message: string | null }>(`/${letter}/${verb}`, body)
      return outcome === 'refused' ? `refused (${message})` : outcome
    },
  }
}
