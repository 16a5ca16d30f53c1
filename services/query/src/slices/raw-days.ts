import { DAY_MICROS, type DaySlice } from '@platform-events/analytics'
import { RequestError } from '@platform-events/contracts'
import { copyOut, type PoolClient } from '@platform-events/postgres'
import { Dictionary } from './dictionary.ts'
import { RawDay, type RawTexts } from './raw-day.ts'
import { type RawSource, rawEventsSql } from './raw-sql.ts'
import type { Wanted } from './wanted.ts'

/**
 * Actors that the database has not numbered get numbers from here, in the order of their keys: after all others, on every day. Walks
 * want them below 2^31; the database would need 100 GB to have numbered a billion itself.
 */
export const FIRST_LOCAL_NO = 2 ** 30

/** Distinct values of a property that one question keeps in memory, some 150 MB; all of ten million would take gigabytes. */
const MOST_VALUES = 1_000_000

export interface RawDays {
  /** Ascending; days without a row are not there. */
  slices: DaySlice[]
  /** The key of actor FIRST_LOCAL_NO + n. */
  localKeys: bigint[]
}

/** Reads raw events into slices: one statement and one sort for all the days, whose rows come actor by actor. */
export async function readRawDays(
  client: PoolClient,
  wanted: Wanted,
  source: RawSource,
  mostValues = MOST_VALUES,
): Promise<RawDays> {
  if (source.ranges.length === 0 && source.lateDays.length === 0) return { slices: [], localKeys: [] }
  const texts: RawTexts = {
    types: new Dictionary(),
    // Code 0 is "absent", so the first value is 1.
    columns: new Map(wanted.columns.map((name) => [name, new Dictionary()])),
  }
  const days = new Map<number, RawDay>()
  const localKeys: bigint[] = []
  const dictionaries = [...texts.columns.values()]
  let keyHigh = 0
  let keyLow = 0
  await copyOut(client, rawEventsSql(wanted, source), 4 + dictionaries.length, (bytes, starts, sizes) => {
    const micros = bytes.readInt32BE(starts[2]) * 0x1_0000_0000 + bytes.readUInt32BE(starts[2]! + 4) + MICROS_OF_2000
    const dayNo = Math.floor(micros / DAY_MICROS)
    let actorNo: number
    if (sizes[0]! > 0) {
      actorNo = bytes.readUInt32BE(starts[0])
      if (actorNo >= FIRST_LOCAL_NO) throw new Error(`actor ${actorNo} is beyond the numbers that walks can tell apart`)
    } else {
      const high = bytes.readInt32BE(starts[1])
      const low = bytes.readInt32BE(starts[1]! + 4)
      if (localKeys.length === 0 || high !== keyHigh || low !== keyLow) localKeys.push(bytes.readBigInt64BE(starts[1]))
      keyHigh = high
      keyLow = low
      actorNo = FIRST_LOCAL_NO + localKeys.length - 1
    }
    let day = days.get(dayNo)
    if (day === undefined) {
      day = new RawDay(dayNo, texts)
      days.set(dayNo, day)
    }
    day.add(
      actorNo,
      micros - dayNo * DAY_MICROS,
      texts.types.code(bytes.toString('utf8', starts[3], starts[3]! + sizes[3]!)),
    )
    for (let at = 0; at < dictionaries.length; at += 1) {
      const size = sizes[4 + at]!
      const start = starts[4 + at]!
      day.addValue(at, size < 0 ? 0 : dictionaries[at]!.code(bytes.toString('utf8', start, start + size)) + 1)
      if (dictionaries[at]!.texts.length > mostValues) throw tooManyValues(wanted.columns[at]!, mostValues)
    }
  })
  const slices = [...days.values()].map((day) => day.slice())
  return { slices: slices.sort((a, b) => a.day - b.day), localKeys }
}

const MICROS_OF_2000 = 946_684_800_000_000

function tooManyValues(property: string, mostValues: number): RequestError {
  const many = mostValues.toLocaleString('en-US')
  const message = `${property} has more than ${many} values in this range: ask for a shorter one, or in SQL, which takes its time`
  return new RequestError('invalid_query', message)
}
