import { expect, it } from 'vitest'
import { Dictionary } from './dictionary.ts'
import { RawDay } from './raw-day.ts'

it('tells more than 65,536 event types apart', () => {
  const types = new Dictionary()
  const day = new RawDay(20_000, { types, columns: new Map() })
  for (let at = 0; at <= 65_536; at += 1) day.add(1, at, types.code(`type ${at}`))
  const slice = day.slice()
  expect(slice.types[slice.typeCodes[65_536]!]).toBe('type 65536')
})
