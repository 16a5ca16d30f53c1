import { setTimeout as sleep } from 'node:timers/promises'

/** Operators with a token, who ask again until there is an answer. */
export interface DeadLetterDesk {
  /** Waits for the letter of an event, mends it, and has two replay it at once. @returns the outcomes, in the words of the API */
  mendAndReplay(eventId: string, line: string): Promise<string>
  /** Letters that came late, for a record that was in the log twice: replayed as well, which stores nothing more. */
  finish(): Promise<void>
  /** Answers that nobody should get, whatever is broken. */
  oddAnswers: string[]
}

interface Letter {
  event_id: string | null
  dead_letter_id: number
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
  async function unresolved(): Promise<Letter[]> {
    return (await ask<{ dead_letters: Letter[] }>('?limit=500')).dead_letters
  }
  async function act(letter: number, verb: 'mend' | 'replay', body = {}): Promise<string> {
    const { outcome, message } = await ask<{ outcome: string; message: string | null }>(`/${letter}/${verb}`, body)
    return outcome === 'refused' ? `refused (${message})` : outcome
  }

  const mended = new Map<string, string>()
  return {
    oddAnswers,
    async mendAndReplay(eventId, line) {
      let letter: number | undefined
      for (; letter === undefined; await sleep(RETRY_MS))
        letter = (await unresolved()).find(({ event_id }) => event_id === eventId)?.dead_letter_id
      mended.set(eventId, line)
      const done = await act(letter, 'mend', { line })
      const outcomes = await Promise.all([act(letter, 'replay'), act(letter, 'replay')])
      return `letter ${letter}: ${[done, ...outcomes].join(', ')}`
    },
    async finish() {
      for (const { event_id, dead_letter_id } of await unresolved()) {
        const line = mended.get(event_id ?? '')
        if (line === undefined) continue
        await act(dead_letter_id, 'mend', { line })
        const outcome = await act(dead_letter_id, 'replay')
        if (outcome !== 'duplicate') oddAnswers.push(`letter ${dead_letter_id}, replayed before: ${outcome}`)
      }
    },
  }
}
