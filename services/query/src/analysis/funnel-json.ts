import type { Range } from './period.ts'

const FIELDS = ['steps', 'window', 'mode', 'unit', 'exclude']

/** A funnel that was checked, as the SQL functions take it: without what only HTTP knows, and with its range filled in. */
export function funnelJson(given: object, { from, to }: Range): string {
  const fields = Object.entries(given).filter(([name]) => FIELDS.includes(name))
  return JSON.stringify({ ...Object.fromEntries(fields), from, to })
}
