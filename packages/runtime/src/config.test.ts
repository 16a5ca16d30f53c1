import { expect, test } from 'vitest'
import { z } from 'zod'
import { ConfigError, commonSettings, databaseSettings, readConfig } from './config.ts'

const schema = z.object({ ...commonSettings, FLUSH_INTERVAL_MS: z.coerce.number().int().positive() })

test('reads settings, with defaults, and takes an empty variable for an absent one', () => {
  const settings = readConfig(schema, { FLUSH_INTERVAL_MS: '250', PORT: '', HOME: '/anywhere' })
  expect(settings).toEqual({
    HOST: '127.0.0.1',
    PORT: 4000,
    DATA_DIR: './data',
    LOG_LEVEL: 'info',
    FLUSH_INTERVAL_MS: 250,
  })
})

test('names every bad setting at once', () => {
  const read = () => readConfig(schema, { PORT: '70000', FLUSH_INTERVAL_MS: 'soon', LOG_LEVEL: 'loud' })
  expect(read).toThrow(ConfigError)
  expect(read).toThrow(/PORT=70000: .*\n.*LOG_LEVEL=loud: .*\n.*FLUSH_INTERVAL_MS=soon: /)
})

test('says which setting is missing', () => {
  expect(() => readConfig(schema, {})).toThrow(/FLUSH_INTERVAL_MS=\(absent\)/)
})

test.each([
  ['postgres://me:secret@db.example.com:5432/shop?sslmode=require', true],
  ['postgresql://me@/shop?host=/var/run/postgresql', true],
  ['postgres://me:p%40ss@db/shop', true],
  ['postgres://me:100%@db/shop', false],
  ['postgres://me:secret@db:port/shop', false],
  ['mysql://me:secret@db/shop', false],
  ['shop', false],
])('takes an address of Postgres only: %s', (url, good) => {
  const read = () => readConfig(z.object(databaseSettings), { DATABASE_URL: url })
  if (good) expect(read()).toEqual({ DATABASE_URL: url })
  else expect(read).toThrow(/DATABASE_URL=…: the address of Postgres/)
})
