import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { buildTrackerScript } from './bundle.ts'

it('the script weighs at most 3.0 KB by gzip -9', async () => {
  const script = await buildTrackerScript()
  expect(gzipSync(script, { level: 9 }).length).toBeLessThanOrEqual(3072)
  expect(script).not.toMatch(/\bimport\b|\brequire\b|sourceMappingURL/)
})
