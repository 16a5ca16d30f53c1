import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate, inflateRaw, type ZlibOptions } from 'node:zlib'
import { LIMITS, RequestError } from '@platform-events/contracts'
import type { InFlightClaim } from './in-flight.ts'

const LIMIT = LIMITS.ENCODED_REQUEST_BYTES
/** In place of a size: nothing more is taken. */
const TOO_MUCH = Number.POSITIVE_INFINITY

type Decode = (encoded: Buffer, options: ZlibOptions) => Promise<Buffer>

const zlibInflate = promisify<Buffer, ZlibOptions, Buffer>(inflate)
const rawInflate = promisify<Buffer, ZlibOptions, Buffer>(inflateRaw)
const DECODERS = new Map<string, Decode>([
  ['gzip', promisify<Buffer, ZlibOptions, Buffer>(gunzip)],
  ['x-gzip', promisify<Buffer, ZlibOptions, Buffer>(gunzip)],
  // RFC 9110 means zlib's wrapping; some clients send the bare stream.
  ['deflate', (encoded, options) => (isZlib(encoded) ? zlibInflate : rawInflate)(encoded, options)],
  ['br', promisify<Buffer, ZlibOptions, Buffer>(brotliDecompress)],
])

/**
 * Reads a request's body as text, its size bounded before and after decoding: no more than the limits is ever held.
 *
 * @param claim what this request holds of the bytes in flight; grows with what is read
 * @throws RequestError unsupported_encoding, payload_too_large, invalid_encoding, or as `claim` does
 */
export async function readBody(request: IncomingMessage, claim: InFlightClaim): Promise<string> {
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase()
  const decode = DECODERS.get(encoding)
  if (decode === undefined && encoding !== 'identity' && encoding !== '')
    throw new RequestError('unsupported_encoding', `Content-Encoding ${encoding.slice(0, 64)} is not supported.`)
  const received = await readBytes(request, claim)
  const body = decode === undefined || received.length === 0 ? received : await decoded(received, decode, claim)
  if (!isUtf8(body)) throw new RequestError('invalid_encoding', 'The body is not UTF-8.')
  const text = body.toString('utf8')
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
}

/**
 * By events and not by iteration, which costs every request more and would end the stream when it refuses. What comes after a
 * refusal is thrown away, so that the client can read the answer on its open connection.
 */
function readBytes(request: IncomingMessage, claim: InFlightClaim): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = Number(request.headers['content-length'] ?? 0) > LIMIT ? TOO_MUCH : 0
    if (size === TOO_MUCH) reject(tooLarge())
    else claim.arriving(refuse)
    request.on('data', (chunk: Buffer) => {
      if (size === TOO_MUCH) return
      size += chunk.length
      try {
        if (size > LIMIT) throw tooLarge()
        claim.take(chunk.length)
        chunks.push(chunk)
      } catch (error) {
        refuse(error)
      }
    })
    request.on('end', () => {
      claim.arrived()
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks))
    })
    request.on('error', (cause) => reject(brokenOff(cause)))
    request.on('close', () => {
      if (!request.readableEnded) reject(brokenOff())
    })

    function refuse(error: unknown): void {
      size = TOO_MUCH
      chunks.length = 0
      reject(error)
    }
  })
}

function tooLarge(): RequestError {
  return new RequestError('payload_too_large', 'The body has more than 500 KB.')
}

function brokenOff(cause?: Error): RequestError {
  return new RequestError('invalid_encoding', 'The body broke off.', { cause })
}

async function decoded(received: Buffer, decode: Decode, claim: InFlightClaim): Promise<Buffer> {
  try {
    return await claim.decoding(async () => {
      const body = await decode(received, { maxOutputLength: LIMITS.REQUEST_BYTES })
      claim.take(body.length)
      return body
    })
  } catch (error) {
    if (error instanceof RequestError) throw error
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw new RequestError('payload_too_large', 'The decoded body has more than 500 KB.')
    throw new RequestError('invalid_encoding', 'The body does not decode as its Content-Encoding says.', {
      cause: error,
    })
  }
}

/** RFC 1950: method 8 in the low bits, and the first two bytes as a number divisible by 31. */
function isZlib(bytes: Buffer): boolean {
  return bytes.length >= 2 && (bytes[0]! & 0x0f) === 8 && bytes.readUInt16BE(0) % 31 === 0
}
