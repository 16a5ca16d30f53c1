import { SegmentFormatError } from './segment-format-bytes.ts'

/** Texts one after the other as UTF-8, and where each ends. */
export function encodeTexts(texts: string[]): { ends: Uint32Array; bytes: Uint8Array } {
  const encoded = new TextEncoder()
  const parts = texts.map((text) => encoded.encode(text))
  const ends = new Uint32Array(texts.length)
  let at = 0
  for (const [index, part] of parts.entries()) {
    at += part.length
    ends[index] = at
  }
  const bytes = new Uint8Array(at)
  for (const [index, part] of parts.entries()) bytes.set(part, ends[index]! - part.length)
  return { ends, bytes }
}

/** @throws SegmentFormatError where the ends do not ascend to the last byte, or the bytes are no UTF-8 */
export function decodeTexts(ends: Uint32Array, bytes: Uint8Array): string[] {
  // A copy, because no decoder takes shared memory everywhere.
  const own = new Uint8Array(bytes)
  if ((ends.at(-1) ?? 0) !== own.length) throw new SegmentFormatError('texts that do not fill their section')
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  try {
    const all = decoder.decode(own)
    // As many characters as bytes: ASCII, whose slices cost nothing. A call of the decoder costs ten times as much.
    const cut =
      all.length === own.length
        ? (from: number, to: number) => all.slice(from, to)
        : (from: number, to: number) => decoder.decode(own.subarray(from, to))
    const texts = new Array<string>(ends.length)
    for (let index = 0, from = 0; index < ends.length; index += 1) {
      const to = ends[index]!
      if (to < from) throw new SegmentFormatError('texts in no order')
      texts[index] = cut(from, to)
      from = to
    }
    return texts
  } catch (error) {
    if (error instanceof SegmentFormatError) throw error
    throw new SegmentFormatError(`texts that are no UTF-8: ${(error as Error).message}`)
  }
}
