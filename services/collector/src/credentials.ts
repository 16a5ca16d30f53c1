import type { FastifyRequest } from 'fastify'

/** Who a request says it comes from. */
export interface Credentials {
  writeKey: string | undefined
  /** The platform's JWT of the signed-in user. */
  userToken: string | undefined
}

/**
 * Reads the headers and the query: the write key as Authorization: Bearer, as the Basic user, or as ?write_key=. A Bearer
 * token of three parts is the platform's JWT instead; then the key comes from elsewhere.
 */
export function credentialsOf(request: FastifyRequest): Credentials {
  const [scheme = '', value = ''] = (request.headers.authorization ?? '').trim().split(/\s+/, 2)
  const fromQuery = (request.query as Record<string, unknown>)['write_key']
  const query = typeof fromQuery === 'string' && fromQuery !== '' ? fromQuery : undefined
  switch (scheme.toLowerCase()) {
    case 'bearer':
      return value.split('.').length === 3
        ? { writeKey: query, userToken: value }
        : { writeKey: value || query, userToken: undefined }
    case 'basic':
      return { writeKey: basicUser(value) || query, userToken: undefined }
    default:
      return { writeKey: query, userToken: undefined }
  }
}

function basicUser(value: string): string {
  return Buffer.from(value, 'base64').toString('utf8').split(':', 1)[0]!
}
