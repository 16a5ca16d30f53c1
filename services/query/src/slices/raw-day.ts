import type { DaySlice, PropertyColumn } from '@platform-events/analytics'
import type { Dictionary } from './dictionary.ts'
import { Growing } from './growing.ts'

/** What all raw days of one question number alike. */
export interface RawTexts {
  types: Dictionary
  columns: Map<string, Dictionary>
}

/** One day's slice in the making, from rows that come sorted by actor and time. */
export class RawDay {
  readonly #day: number
  readonly #texts: RawTexts
  readonly #actorNos = new Growing(Uint32Array)
  readonly #actorEnds = new Growing(Uint32Array)
  readonly #ms = new Growing(Uint32Array)
  readonly #us = new Growing(Uint16Array)
  /** The types of all raw days together may be more than 65,536. */
  readonly #types = new Growing(Uint32Array)
  readonly #columns: Growing<Uint32Array>[]
  #actorNo = -1

  constructor(day: number, texts: RawTexts) {
    this.#day = day
    this.#texts = texts
    this.#columns = Array.from(texts.columns, () => new Growing(Uint32Array))
  }

  /** @param microsOfDay since the day began */
  add(actorNo: number, microsOfDay: number, typeCode: number): void {
    if (actorNo !== this.#actorNo) this.#endActor(actorNo)
    const ms = Math.floor(microsOfDay / 1000)
    this.#ms.push(ms)
    this.#us.push(microsOfDay - ms * 1000)
    this.#types.push(typeCode)
  }

  /** To be called for each column of each row. @param code 0: absent */
  addValue(column: number, code: number): void {
    this.#columns[column]!.push(code)
  }

  slice(): DaySlice {
    this.#endActor(-1)
    const columns = new Map<string, PropertyColumn>()
    for (const [at, [name, { texts }]] of Array.from(this.#texts.columns).entries())
      columns.set(name, { values: texts, codes: this.#columns[at]!.values() })
    return {
      day: this.#day,
      rows: this.#ms.length,
      types: this.#texts.types.texts,
      actorNos: this.#actorNos.values(),
      actorEnds: this.#actorEnds.values(),
      ms: this.#ms.values(),
      us: this.#us.values(),
      typeCodes: this.#types.values(),
      columns,
    }
  }

  #endActor(next: number): void {
    if (this.#actorNo >= 0) this.#actorEnds.push(this.#ms.length)
    this.#actorNo = next
    if (next >= 0) this.#actorNos.push(next)
  }
}
