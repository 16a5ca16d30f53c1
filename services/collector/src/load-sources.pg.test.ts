import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '@platform-events/runtime'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/support/postgres.ts'
import { loadSources } from './load-sources.ts'
import { sourceDirectory } from './sources.ts'

let database: Awaited<ReturnType<typeof createTestDatabase>>
beforeEach(async () => {
  database = await createTestDatabase()
})
afterEach(() => database.drop())

const hash = createHash('sha256').update('sk_1').digest()

test('reads the enabled sources as the table has them', async () => {
  await database.pool.query(`delete from events_internal.event_sources`)
  await database.pool.query(
    `insert into events_internal.event_sources
       (name, write_key, secret_key_hash, allowed_origins, user_ids, events_per_second, enabled)
     values ('shop', 'pk_1', $1, '{https://shop.example}', 'trust', 100, true),
            ('bare', 'pk_2', null, default, default, null, true),
            ('gone', 'pk_3', null, default, default, null, false)`,
    [hash],
  )
  expect(await loadSources(database.pool)).toEqual([
    {
      sourceId: expect.any(Number),
      name: 'shop',
      writeKey: 'pk_1',
      secretKeyHash: hash.toString('hex'),
      allowedOrigins: ['https://shop.example'],
      userIds: 'trust',
      eventsPerSecond: 100,
    },
    {
      sourceId: expect.any(Number),
      name: 'bare',
      writeKey: 'pk_2',
      secretKeyHash: null,
      allowedOrigins: ['*'],
      userIds: 'verify',
      eventsPerSecond: null,
    },
  ])
})

test('a source made while the collector runs works at once, by either key', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sources-'))
  const directory = sourceDirectory({
    load: () => loadSources(database.pool),
    file: join(folder, 'sources.json'),
    logger: createLogger({ name: 'sources', level: 'silent' }),
  })
  try {
    await directory.start()
    await database.pool.query(
      `insert into events_internal.event_sources (name, write_key, secret_key_hash) values ('new', 'pk_new', $1)`,
      [hash],
    )
    expect(await directory.find('pk_new')).toMatchObject({ source: { name: 'new' }, secret: false })
    expect(directory.find('sk_1')).toMatchObject({ source: { name: 'new' }, secret: true })
  } finally {
    await directory.stop()
    await rm(folder, { recursive: true })
  }
})
