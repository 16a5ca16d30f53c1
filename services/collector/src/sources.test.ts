import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '@platform-events/runtime'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { SECRET_KEY, testSource } from '../../../test/support/collector.ts'
import type { Source } from './source.ts'
import { type SourceDirectory, sourceDirectory } from './sources.ts'

const logger = createLogger({ name: 'sources', level: 'silent' })

let folder: string
let file: string
let directory: SourceDirectory
/** What Postgres holds; null: it is away. */
let rows: Source[] | null
let loads: number

/** A directory over `rows`, not started. */
function make(options: { refreshMs?: number; unknownKeyMs?: number } = {}): SourceDirectory {
  return sourceDirectory({
    load: async () => {
      loads++
      if (rows === null) throw new Error('ECONNREFUSED')
      return rows
    },
    file,
    logger,
    refreshMs: 60_000,
    unknownKeyMs: 20,
    ...options,
  })
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sources-'))
  file = join(folder, 'sources.json')
  rows = [testSource()]
  loads = 0
  directory = make()
})
afterEach(async () => {
  await directory.stop()
  await rm(folder, { recursive: true })
})

test('finds a source by its public key and by its secret one', async () => {
  await directory.start()
  expect(directory.find('pk_test')).toEqual({ source: testSource(), secret: false })
  expect(directory.find(SECRET_KEY)).toEqual({ source: testSource(), secret: true })
  expect(await directory.check()).toEqual({ ok: true, detail: '1 sources' })
})

test('opens nothing to one who knows only the hash of a secret key', async () => {
  await directory.start()
  const hash = createHash('sha256').update(SECRET_KEY).digest('hex')
  expect(await directory.find(hash)).toBeNull()
  expect(await directory.find(`sk_${hash}`)).toBeNull()
})

describe('a new source', () => {
  test('works with its first event', async () => {
    await directory.start()
    rows = [testSource(), testSource({ sourceId: 8, writeKey: 'pk_new' })]
    expect(await directory.find('pk_new')).toMatchObject({ source: { sourceId: 8 } })
  })

  test('and a change to one shows with the next refresh', async () => {
    directory = make({ refreshMs: 10 })
    await directory.start()
    rows = [testSource({ allowedOrigins: ['https://shop.example'] })]
    await vi.waitFor(() =>
      expect(directory.find('pk_test')).toMatchObject({ source: { allowedOrigins: ['https://shop.example'] } }),
    )
    rows = []
    await vi.waitFor(async () => expect(await directory.find('pk_test')).toBeNull())
  })
})

describe('an unknown key', () => {
  test('is looked up afresh once, then known to be unknown', async () => {
    await directory.start()
    expect(await directory.find('pk_nobody')).toBeNull()
    expect(loads).toBe(2)
    expect(directory.find('pk_nobody')).toBeNull()
    expect(loads).toBe(2)
  })

  test('many of them at once share a refresh', async () => {
    await directory.start()
    const found = await Promise.all(Array.from({ length: 50 }, (_, i) => directory.find(`pk_${i}`)))
    expect(found).toEqual(Array(50).fill(null))
    expect(loads).toBe(2)
  })

  test('too many of them at once are told to come again', async () => {
    await directory.start()
    const all = await Promise.allSettled(Array.from({ length: 150 }, async (_, i) => directory.find(`pk_${i}`)))
    const turnedAway = all.filter(({ status }) => status === 'rejected')
    expect(turnedAway).toHaveLength(50)
    expect(turnedAway[0]).toMatchObject({ reason: { code: 'database_unavailable', retryAfterSeconds: 1 } })
  })
})

test('a key longer than any of ours is unknown, without a refresh and without being remembered', async () => {
  await directory.start()
  expect(directory.find(`pk_${'x'.repeat(500_000)}`)).toBeNull()
  expect(loads).toBe(1)
  rows = [testSource({ writeKey: `pk_${'y'.repeat(200)}` })]
  await directory.find('pk_nobody')
  expect(directory.find(rows[0]!.writeKey)).toMatchObject({ secret: false })
})

describe('with Postgres away', () => {
  test('the sources in memory serve, an unknown key is told to come again', async () => {
    await directory.start()
    rows = null
    expect(directory.find('pk_test')).toMatchObject({ source: { sourceId: 7 } })
    await expect(directory.find('pk_new')).rejects.toMatchObject({ code: 'database_unavailable' })
    expect(await directory.check()).toMatchObject({ ok: true, detail: expect.stringContaining('has not answered') })
    rows = [testSource({ writeKey: 'pk_new' })]
    expect(await directory.find('pk_new')).toMatchObject({ source: { sourceId: 7 } })
    expect(await directory.check()).toEqual({ ok: true, detail: '1 sources' })
  })

  test('a start serves from the copy on disk', async () => {
    await directory.start()
    await directory.stop()
    rows = null
    directory = make()
    await directory.start()
    expect(directory.find('pk_test')).toMatchObject({ source: testSource() })
    expect(directory.find(SECRET_KEY)).toMatchObject({ secret: true })
    expect(await directory.check()).toMatchObject({ ok: true, detail: expect.stringContaining('has not answered') })
  })

  test.each([
    ['no copy', undefined],
    ['a copy cut short', '{"version":1,"sources":[{"sourceId":1'],
    ['a copy that is not ours', '{"version":9}'],
  ])('a start with %s goes well, is not ready, and becomes so', async (_, text) => {
    if (text !== undefined) await writeFile(file, text)
    rows = null
    await directory.start()
    expect(await directory.check()).toMatchObject({ ok: false })
    await expect(directory.find('pk_test')).rejects.toMatchObject({ code: 'database_unavailable' })
    rows = [testSource()]
    expect(await directory.find('pk_test')).toMatchObject({ secret: false })
    expect(await directory.check()).toMatchObject({ ok: true })
  })

  test('a Postgres that never answers counts as away', async () => {
    vi.useFakeTimers()
    try {
      directory = sourceDirectory({ load: () => new Promise(() => {}), file, logger })
      const started = directory.start()
      await vi.advanceTimersByTimeAsync(5000)
      await started
      expect(await directory.check()).toMatchObject({ ok: false })
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('the copy', () => {
  test('can be read by its owner only, and holds no secret key', async () => {
    await directory.start()
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(await readFile(file, 'utf8')).not.toContain(SECRET_KEY)
  })

  test('is not written again while nothing changes', async () => {
    directory = make({ refreshMs: 5 })
    await directory.start()
    const { ino } = await stat(file)
    await vi.waitFor(() => expect(loads).toBeGreaterThan(3))
    expect((await stat(file)).ino).toBe(ino)
  })

  test('that cannot be written stops nothing', async () => {
    file = join(folder, 'missing', 'sources.json')
    directory = make()
    await directory.start()
    expect(directory.find('pk_test')).toMatchObject({ secret: false })
  })
})
