import { RequestError } from '@platform-events/contracts'

/**
 * Lets through JSON, text/plain (which browsers send to other origins without asking first), and no Content-Type at all;
 * all are read as JSON in UTF-8.
 *
 * @throws RequestError unsupported_media_type
 */
export function checkMediaType(header: string | undefined): void {
  if (header === undefined || header.trim() === '') return
  const [type = '', ...parameters] = header.toLowerCase().split(';')
  const charset = parameters.map((parameter) => parameter.trim()).find((parameter) => parameter.startsWith('charset='))
  const isKnown = type.trim() === 'application/json' || type.trim() === 'text/plain'
  if (!isKnown || !(charset === undefined || /^charset="?(utf-?8|us-ascii)"?$/.test(charset)))
    throw new RequestError('unsupported_media_type', `Content-Type ${header.slice(0, 100)} is not supported.`)
}
