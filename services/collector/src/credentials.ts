import type { FastifyRequest } from 'fastify'
import type { Envelope } from './envelope.ts'

/** Who a request says it comes from. */
export interface Credentials {
  writeKey: string | undefined
  /** The platform's JWT of the signed-in user. */
  userToken: string | undefined
}

/**
 * Finds the write key: Authorization: Bearer, then the body, then the query, then the Basic user (last, because browsers add
 * that one of their own accord on a site behind a password). A Bearer token of three parts is the platform's JWT instead.
 */
export function credentialsOf(request: FastifyRequest, envelope: Envelope): Credentials {
  const [scheme, value] = authorizationOf(request.headers.authorization)
  const isJwt = scheme === 'bearer' && value.split('.').length === 3
  const bearer = scheme === 'bearer' && !isJwt ? value : ''
  const basic = scheme === 'basic' ? basicUser(value) : ''
  return {
    writeKey: bearer || envelope.writeKey || queryKey(request.query) || basic || undefined,
    userToken: envelope.userToken ?? (isJwt ? value : undefined),
  }
}

function authorizationOf(header: string | undefined): [scheme: string, value: string] {
  if (header === undefined) return ['', '']
  const [scheme = '', value = ''] = header.trim().split(/\s+/, 2)
  return [scheme.toLowerCase(), value]
}

function queryKey(query: unknown): string | undefined {
  const key = (query as Record<string, unknown>)['write_key']
  return typeof key === 'string' ? key : undefined
}

function basicUser(value: string): string {
  return Buffer.from(value, 'base64').toString('utf8').split(':', 1)[0]!
}
