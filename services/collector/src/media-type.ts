import { RequestError } from '@platform-events/contracts'

/** JSON; what browsers send to other origins without asking first; and what `curl -d` says of any body unless told. */
const READ_AS_JSON = new Set(['application/json', 'text/plain', 'application/x-www-form-urlencoded'])

/**
 * Lets through what is read as JSON in UTF-8, and no Content-Type at all.
 *
 * @throws RequestError unsupported_media_type
 */
export function checkMediaType(header: string | undefined): void {
  if (header === undefined || header.trim() === '') return
  const [type = '', ...parameters] = header.toLowerCase().split(';')
  const charset = parameters.map((parameter) => parameter.trim()).find((parameter) => parameter.startsWith('charset='))
  if (!READ_AS_JSON.has(type.trim()) || !(charset === undefined || /^charset="?(utf-?8|us-ascii)"?$/.test(charset)))
    throw new RequestError('unsupported_media_type', `Content-Type ${header.slice(0, 100)} is not supported.`)
}
