import { SOURCE_COLUMN } from '@platform-events/analytics'
import { ByteTable } from './byte-table.ts'
import { eachProperty } from './top-level-properties.ts'

/** A property is kept as a column up to so many distinct values, and bytes of them. */
const KEPT = { maxEntries: 65_534, maxBytes: 1 << 20 }
/** A day's properties beyond these are not looked at: somebody makes names out of data. */
const NAMES = { maxEntries: 500, maxBytes: 1 << 18 }
/** Values of all columns together, 6 bytes each; above that the longest column goes. */
const MOST_VALUES = 24_000_000

/** The top-level properties of a day's events, coded as they come. */
export class SegmentProperties {
  readonly #names = new ByteTable(NAMES)
  readonly #values: (PropertyValues | undefined)[] = []
  readonly #mostValues: number
  #total = 0
  /** Whether every property that was seen is in `columns`. */
  complete = true

  constructor(mostValues = MOST_VALUES) {
    this.#mostValues = mostValues
  }

  /** Takes in the properties of a row, the text of a jsonb. */
  add(row: number, bytes: Uint8Array, start: number, end: number): void {
    eachProperty(bytes, start, end, (keyStart, keyEnd, valueStart, valueEnd) => {
      const name = this.#names.numberOf(bytes, keyStart, keyEnd)
      if (name === 0) {
        this.complete = false
        return
      }
      if (name > this.#values.length) this.#values.push(new PropertyValues())
      const values = this.#values[name - 1]
      if (values === undefined) return
      const code = values.table.numberOf(bytes, valueStart, valueEnd)
      if (code === 0) this.#drop(name - 1)
      else {
        values.add(row, code)
        this.#total += 1
        if (this.#total > this.#mostValues) this.#dropLongest()
      }
    })
  }

  /** By name, in the order of names; undefined where a property had too many values to be kept. */
  *columns(): Generator<[name: string, values: PropertyValues | undefined]> {
    const names = this.#names.texts().map((text, at): [string, number] => [JSON.parse(`"${text}"`), at])
    // Whoever has a property of this name cannot ask for it: the name means source_id.
    for (const [name, at] of names.toSorted(([a], [b]) => (a < b ? -1 : 1)))
      if (name !== SOURCE_COLUMN) yield [name, this.#values[at]]
  }

  #drop(at: number): void {
    this.#total -= this.#values[at]!.length
    this.#values[at] = undefined
  }

  #dropLongest(): void {
    const lengths = this.#values.map((values) => values?.length ?? 0)
    this.#drop(lengths.indexOf(Math.max(...lengths)))
  }
}

/** The values of one property, for the rows that have it. */
export class PropertyValues {
  readonly table = new ByteTable(KEPT)
  #rows = new Uint32Array(16)
  #codes = new Uint16Array(16)
  length = 0

  add(row: number, code: number): void {
    if (this.length === this.#rows.length) {
      const [rows, codes] = [new Uint32Array(this.length * 2), new Uint16Array(this.length * 2)]
      rows.set(this.#rows)
      codes.set(this.#codes)
      this.#rows = rows
      this.#codes = codes
    }
    this.#rows[this.length] = row
    this.#codes[this.length] = code
    this.length += 1
  }

  /** A code for each of `rows` rows, row n of those that came being the row `places[n]`. */
  codes(rows: number, places: Uint32Array): Uint16Array {
    const codes = new Uint16Array(rows)
    for (let at = 0; at < this.length; at += 1) codes[places[this.#rows[at]!]!] = this.#codes[at]!
    return codes
  }
}
