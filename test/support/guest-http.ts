import type { FastifyInstance, InjectOptions } from 'fastify'
import { platformToken } from './platform-token.ts'

interface Answer {
  status: number
  // biome-ignore lint/suspicious/noExplicitAny: what was answered is what the tests are about
  body: any
  headers: Record<string, unknown>
}

type AskGuest = (method: 'GET' | 'POST', path: string, options?: InjectOptions) => Promise<Answer>

/** Asks under /api/guest, each time from an address of its own unless told, so that rates do not add up. */
export function guestAsker(app: () => FastifyInstance): AskGuest {
  let last = 0
  return async (method, path, options = {}) => {
    last += 1
    const remoteAddress = `10.0.${last >> 8}.${last & 255}`
    const answer = await app().inject({ method, url: `/api/guest/${path}`, remoteAddress, ...options })
    return { status: answer.statusCode, body: answer.json(), headers: answer.headers }
  }
}

/** The cookie that an answer set, as a browser sends it back. */
export function cookieOf({ headers }: Pick<Answer, 'headers'>): { headers: { cookie: string } } {
  return { headers: { cookie: String(headers['set-cookie']).split(';')[0]! } }
}

export function bearer(token: string): { headers: { authorization: string } } {
  return { headers: { authorization: `Bearer ${token}` } }
}

/** As a user who has signed in a moment ago. */
export function signedIn(userId: string): { headers: { authorization: string } } {
  return bearer(platformToken({ sub: userId, exp: Math.floor(Date.now() / 1000) + 60 }))
}
