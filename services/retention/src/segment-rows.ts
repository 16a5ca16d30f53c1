import { setImmediate as turn } from 'node:timers/promises'
import { type DaySlice, encodeColumn, type PropertyColumn, SOURCE_COLUMN } from '@platform-events/analytics'
import { ByteTable } from './byte-table.ts'
import { rowOrder } from './row-order.ts'
import { type PropertyValues, SegmentProperties } from './segment-properties.ts'

/** What a row is made of, as SELECT_ROWS of read-day.ts has it: the fields of a binary COPY. */
const [ACTOR, CREATED_AT, ID, TYPE, SOURCE, PROPERTIES] = [0, 1, 2, 3, 4, 5]
export const ROW_FIELDS = 6

/** Event types of one day; their codes have 16 bits. */
const TYPES = { maxEntries: 65_535, maxBytes: 1 << 24 }

/** A day that no segment can hold. */
export class UnfitDayError extends Error {}

interface FinishedDay {
  slice: DaySlice
  /** Null: not kept. */
  columns(): Generator<[property: string, Uint8Array | null]>
  allProperties: boolean
}

/** The rows of a day as they come, in any order; about 60 bytes each. */
export class SegmentRows {
  readonly #day: number
  readonly #firstMicros: number
  readonly #types = new ByteTable(TYPES)
  readonly #properties = new SegmentProperties()
  #rows = 0
  #actors: Uint32Array
  #ms: Uint32Array
  #us: Uint16Array
  #ids: Uint8Array
  #typeCodes: Uint16Array
  #sources: Int16Array
  /** Rows whose actor has no number yet. */
  withoutNumber = 0

  /**
   * @param day since 1970-01-01
   * @param expected as many rows as will probably come
   */
  constructor(day: number, expected: number) {
    this.#day = day
    this.#firstMicros = (day - DAYS_1970_TO_2000) * 86_400_000_000
    const capacity = Math.ceil(expected * 1.05) + 16
    this.#actors = new Uint32Array(capacity)
    this.#ms = new Uint32Array(capacity)
    this.#us = new Uint16Array(capacity)
    this.#ids = new Uint8Array(capacity * 16)
    this.#typeCodes = new Uint16Array(capacity)
    this.#sources = new Int16Array(capacity)
  }

  /** Takes a row of a binary COPY, whose bytes may be used again afterwards. */
  add(bytes: Buffer, starts: Int32Array, sizes: Int32Array): void {
    const row = this.#rows
    if (row === this.#actors.length) this.#grow()
    const actorSize = sizes[ACTOR]!
    if (actorSize < 0) this.withoutNumber += 1
    else this.#actors[row] = bytes.readInt32BE(starts[ACTOR])
    const at = starts[CREATED_AT]!
    const micros = bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4) - this.#firstMicros
    const ms = Math.floor(micros / 1000)
    this.#ms[row] = ms
    this.#us[row] = micros - ms * 1000
    const id = starts[ID]!
    for (let byte = 0; byte < 16; byte += 1) this.#ids[row * 16 + byte] = bytes[id + byte]!
    const type = this.#types.numberOf(bytes, starts[TYPE]!, starts[TYPE]! + sizes[TYPE]!)
    if (type === 0) throw new UnfitDayError('more than 65,535 event types')
    this.#typeCodes[row] = type - 1
    this.#sources[row] = bytes.readInt16BE(starts[SOURCE])
    // The first byte of a jsonb is its version.
    const properties = starts[PROPERTIES]!
    if (sizes[PROPERTIES]! > 0) this.#properties.add(row, bytes, properties + 1, properties + sizes[PROPERTIES]!)
    this.#rows += 1
  }

  /** The day, and its columns one by one, encoded. The same rows make the same bytes, in whatever order they came. */
  async finish(): Promise<FinishedDay> {
    const order = await rowOrder(this.#rows, { actors: this.#actors, ms: this.#ms, us: this.#us, ids: this.#ids })
    const slice = this.#slice(order)
    await turn()
    const places = new Uint32Array(order.length)
    for (let place = 0; place < order.length; place += 1) places[order[place]!] = place
    const sources = this.#sources
    const properties = this.#properties
    return {
      slice,
      allProperties: properties.complete,
      *columns() {
        yield [SOURCE_COLUMN, encodeColumn(sourceColumn(sources, order), slice)]
        for (const [name, values] of properties.columns())
          yield [name, values === undefined ? null : encodeColumn(columnOf(values, places), slice)]
      },
    }
  }

  #slice(order: Uint32Array): DaySlice {
    const rows = order.length
    const names = this.#types.texts()
    const types = names.toSorted()
    const codes = new Map(types.map((name, code) => [name, code]))
    const codeOf = names.map((name) => codes.get(name)!)
    const slice: DaySlice = {
      day: this.#day,
      rows,
      types,
      actorNos: new Uint32Array(0),
      actorEnds: new Uint32Array(0),
      ms: new Uint32Array(rows),
      us: new Uint16Array(rows),
      typeCodes: types.length > 256 ? new Uint16Array(rows) : new Uint8Array(rows),
      columns: new Map(),
    }
    const [actorNos, actorEnds] = [new Uint32Array(rows), new Uint32Array(rows)]
    let actors = 0
    for (let place = 0; place < rows; place += 1) {
      const row = order[place]!
      slice.ms[place] = this.#ms[row]!
      slice.us[place] = this.#us[row]!
      slice.typeCodes[place] = codeOf[this.#typeCodes[row]!]!
      if (place === 0 || actorNos[actors - 1] !== this.#actors[row]) actorNos[actors++] = this.#actors[row]!
      actorEnds[actors - 1] = place + 1
    }
    slice.actorNos = actorNos.slice(0, actors)
    slice.actorEnds = actorEnds.slice(0, actors)
    return slice
  }

  #grow(): void {
    const capacity = this.#actors.length * 2
    this.#actors = copied(this.#actors, new Uint32Array(capacity))
    this.#ms = copied(this.#ms, new Uint32Array(capacity))
    this.#us = copied(this.#us, new Uint16Array(capacity))
    this.#ids = copied(this.#ids, new Uint8Array(capacity * 16))
    this.#typeCodes = copied(this.#typeCodes, new Uint16Array(capacity))
    this.#sources = copied(this.#sources, new Int16Array(capacity))
  }
}

const DAYS_1970_TO_2000 = 10_957

function copied<Numbers extends Uint32Array | Uint16Array | Int16Array | Uint8Array>(
  from: Numbers,
  to: Numbers,
): Numbers {
  to.set(from)
  return to
}

/** Values numbered as they appear in the order of the rows, and not as they came. */
function columnOf(values: PropertyValues, places: Uint32Array): PropertyColumn {
  const codes = values.codes(places.length, places)
  const texts = values.table.texts()
  const renumbered = new Uint16Array(texts.length + 1)
  const inOrder: string[] = []
  for (let place = 0; place < codes.length; place += 1) {
    const code = codes[place]!
    if (code === 0) continue
    if (renumbered[code] === 0) renumbered[code] = inOrder.push(texts[code - 1]!)
    codes[place] = renumbered[code]!
  }
  return { values: inOrder, codes }
}

function sourceColumn(sources: Int16Array, order: Uint32Array): PropertyColumn {
  const codeOf = new Map<number, number>()
  const codes = new Uint32Array(order.length)
  for (let place = 0; place < order.length; place += 1) {
    const source = sources[order[place]!]!
    if (!codeOf.has(source)) codeOf.set(source, codeOf.size + 1)
    codes[place] = codeOf.get(source)!
  }
  return { values: [...codeOf.keys()].map(String), codes }
}
