import { RequestError } from '@platform-events/contracts'
import type { FastifyRequest } from 'fastify'

/**
 * Refuses a request that another site's page makes with our cookie. Browsers say where a request comes from
 * (Fetch Metadata, else Origin); one that says nothing is refused too, for scripts have the bearer token.
 *
 * @throws RequestError cross_origin
 */
export function refuseCrossOrigin(request: FastifyRequest): void {
  const site = request.headers['sec-fetch-site']
  if (site === 'same-origin') return
  if (site === undefined && hostOf(request.headers.origin) === request.headers.host?.toLowerCase()) return
  throw new RequestError('cross_origin', 'This request does not come from the page of this server.')
}

function hostOf(origin: string | undefined): string | null {
  return origin !== undefined && URL.canParse(origin) ? new URL(origin).host : null
}
