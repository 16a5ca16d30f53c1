import { type Header, PartReader, padded, SegmentFormatError, writeParts } from './segment-format-bytes.ts'
import { decodeTexts, encodeTexts } from './segment-format-text.ts'
import type { DaySlice } from './slice.ts'

/**
 * A day as bytes, without its columns: header, ends and bytes of the type names, then the arrays of `DaySlice` as they are: actorNos, actorEnds,
 * ms (u32 each), us (u16), typeCodes (u8, or u16 from 257 types on). 7 bytes an event and 8 an actor.
 */
export function encodeSegment(slice: DaySlice): Uint8Array {
  const names = encodeTexts(slice.types)
  return writeParts(
    {
      kind: 'S',
      day: slice.day,
      rows: slice.rows,
      entries: slice.actorNos.length,
      types: slice.types.length,
      textBytes: names.bytes.length,
      codeBytes: slice.typeCodes.BYTES_PER_ELEMENT,
      codedRows: slice.rows,
    },
    [names.ends, names.bytes, slice.actorNos, slice.actorEnds, slice.ms, slice.us, slice.typeCodes],
  )
}

/**
 * The day that `encodeSegment` wrote, as views over the bytes, which must not change while it is in use. No column is in it yet.
 *
 * @param bytes may lie over shared memory; not at an 8-aligned offset they are copied first
 * @throws SegmentFormatError on anything that is no undamaged segment of this version
 */
export function decodeSegment(bytes: Uint8Array): DaySlice {
  const parts = new PartReader('S', bytes, sizeOfSegment)
  const { day, rows, entries, types, textBytes, codeBytes } = parts.header
  const ends = parts.u32(types)
  const names = decodeTexts(ends, parts.u8(textBytes))
  const actorNos = parts.u32(entries)
  const actorEnds = parts.u32(entries)
  if ((actorEnds.at(-1) ?? 0) !== rows) throw new SegmentFormatError('a segment whose actors do not end with its rows')
  const ms = parts.u32(rows)
  const us = parts.u16(rows)
  const typeCodes = parts.codes(rows, codeBytes) as Uint8Array | Uint16Array
  return { day, rows, types: names, actorNos, actorEnds, ms, us, typeCodes, columns: new Map() }
}

function sizeOfSegment(header: Header): number {
  const { rows, entries, types, textBytes, codeBytes } = header
  if (codeBytes !== 1 && codeBytes !== 2) throw new SegmentFormatError(`a segment with codes of ${codeBytes} bytes`)
  return (
    padded(types * 4) +
    padded(textBytes) +
    2 * padded(entries * 4) +
    padded(rows * 4) +
    padded(rows * 2) +
    padded(rows * codeBytes)
  )
}
