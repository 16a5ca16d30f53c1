import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { buildTrackerModule, buildTrackerScript } from './bundle.ts'

it('the script weighs at most 3.0 KB by gzip -9', async () => {
  const script = await buildTrackerScript()
  expect(gzipSync(script, { level: 9 }).length).toBeLessThanOrEqual(3072)
  expect(script).not.toMatch(/\bimport\b|\brequire\b|sourceMappingURL/)
})

it('the module is one file that Node imports as it is', async () => {
  const module = await buildTrackerModule()
  const { createTracker, trackEvent } = await import(`data:text/javascript,${encodeURIComponent(module)}`)
  expect([typeof createTracker, typeof trackEvent]).toEqual(['function', 'function'])
})
