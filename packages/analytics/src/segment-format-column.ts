import { type Header, PartReader, padded, SegmentFormatError, writeParts } from './segment-format-bytes.ts'
import { decodeTexts, encodeTexts } from './segment-format-text.ts'
import type { DaySlice, PropertyColumn } from './slice.ts'

/**
 * A property of a day as bytes: header, codes of the event types that have it at all (u16), ends and bytes of its values, and a code (u8 up to 255
 * values, u16 up to 65,535, else u32) for each row of those types, in the order of the slice.
 *
 * @param slice the day that the column belongs to
 */
export function encodeColumn(column: PropertyColumn, slice: DaySlice): Uint8Array {
  const has = new Uint8Array(slice.types.length)
  for (let row = 0; row < slice.rows; row += 1) if (column.codes[row] !== 0) has[slice.typeCodes[row]!] = 1
  let codedRows = 0
  for (let row = 0; row < slice.rows; row += 1) codedRows += has[slice.typeCodes[row]!]!
  const codes = codesFor(column.values.length, codedRows)
  for (let row = 0, at = 0; row < slice.rows; row += 1)
    if (has[slice.typeCodes[row]!] === 1) codes[at++] = column.codes[row]!
  const types = Uint16Array.from(slice.types.keys()).filter((code) => has[code] === 1)
  const values = encodeTexts(column.values)
  return writeParts(
    {
      kind: 'C',
      day: slice.day,
      rows: slice.rows,
      entries: column.values.length,
      types: types.length,
      textBytes: values.bytes.length,
      codeBytes: codes.BYTES_PER_ELEMENT,
      codedRows,
    },
    [types, values.ends, values.bytes, codes],
  )
}

/**
 * The column that `encodeColumn` wrote, with a code for each row of the slice: a view over the bytes where every row has one, else an array of its own.
 *
 * @param slice the day as it was built together with the column
 * @throws SegmentFormatError on anything that is no undamaged column of this version, and of this day
 */
export function decodeColumn(bytes: Uint8Array, slice: DaySlice): PropertyColumn {
  const parts = new PartReader('C', bytes, sizeOfColumn)
  const { day, rows, entries, types, textBytes, codeBytes, codedRows } = parts.header
  if (day !== slice.day || rows !== slice.rows) throw new SegmentFormatError('a column of another segment')
  const typesWithIt = parts.u16(types)
  const ends = parts.u32(entries)
  const values = decodeTexts(ends, parts.u8(textBytes))
  const coded = parts.codes(codedRows, codeBytes)
  return { values, codes: codedRows === rows ? coded : spread(coded, typesWithIt, slice) }
}

function spread(coded: PropertyColumn['codes'], typesWithIt: Uint16Array, slice: DaySlice): PropertyColumn['codes'] {
  const has = new Uint8Array(slice.types.length)
  for (const code of typesWithIt) has[code] = 1
  const { rows, typeCodes } = slice
  const codes = new (coded.constructor as Uint8ArrayConstructor)(rows)
  let at = 0
  for (let row = 0; row < rows; row += 1) if (has[typeCodes[row]!] === 1) codes[row] = coded[at++]!
  if (at !== coded.length) throw new SegmentFormatError('a column of another segment')
  return codes
}

function codesFor(values: number, rows: number): PropertyColumn['codes'] {
  return values <= 0xff ? new Uint8Array(rows) : values <= 0xffff ? new Uint16Array(rows) : new Uint32Array(rows)
}

function sizeOfColumn(header: Header): number {
  const { entries, types, textBytes, codeBytes, codedRows } = header
  if (![1, 2, 4].includes(codeBytes)) throw new SegmentFormatError(`a column with codes of ${codeBytes} bytes`)
  return padded(types * 2) + padded(entries * 4) + padded(textBytes) + padded(codedRows * codeBytes)
}
