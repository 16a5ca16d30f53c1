// How rows of SQL and objects of the API, which have the same names, become what is compared.

/** A SQL expression of type timestamptz or interval in microseconds. */
export function micros(sql: string): string {
  return `(extract(epoch from ${sql}) * 1000000)::bigint`
}

/** A whole number as pg gives bigint, and null. */
export function whole(value: unknown): number | null {
  return value === null || value === undefined ? null : Number(value)
}

/** A share of 1, or seconds, in millionths. */
export function millionths(value: unknown): number | null {
  return value === null || value === undefined ? null : Math.round(Number(value) * 1_000_000)
}

// biome-ignore lint/suspicious/noExplicitAny: a row as it comes
export function totalsRow(row: any) {
  const bounds = (of: string) => [millionths(row[of]), whole(row[`${of}_low`]), whole(row[`${of}_high`])]
  return {
    step: row.step,
    name: row.name,
    actors: Number(row.actors),
    dropped: whole(row.dropped),
    fromPrevious: bounds('from_previous'),
    fromFirst: bounds('from_first'),
  }
}

// biome-ignore lint/suspicious/noExplicitAny: a row as it comes
export function liftRow(row: any): [string | null, unknown[]] {
  const { reached, dropped, drop_rate, low, high, lift } = row
  return [row.value, [Number(reached), Number(dropped), millionths(drop_rate), whole(low), whole(high), whole(lift)]]
}

/** Bins that hold somebody; that those without are listed, or not, is no difference. */
export function filledBins<T extends { actors: number }>(bins: T[] | null): T[] {
  return (bins ?? []).filter(({ actors }) => actors > 0)
}

/** By value, for those of one frequency may come in any order. */
// biome-ignore lint/suspicious/noExplicitAny: rows as they come
export function topValuesRows(rows: any[]) {
  return rows
    .map(({ value, events, actors, share }) => [value, Number(events), Number(actors), millionths(share)])
    .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
}
