import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createLogger } from './logger.ts'

test.runIf(existsSync('/dev/full'))('a disk that is full costs lines, not the process', async () => {
  const logger = createLogger({ name: 'test', level: 'info', file: '/dev/full' })
  expect(() => logger.info('nobody will read this')).not.toThrow()
  // The stream tells its error later; without a listener that ends the process, and this run with it.
  await new Promise((resolve) => setImmediate(resolve))
  expect(() => logger.info('nor this')).not.toThrow()
})

test.runIf(existsSync('/dev/full'))('lines that a full disk does not take wait in a mebibyte, and no more', () => {
  const logger = createLogger({ name: 'test', level: 'info', file: '/dev/full' })
  const line = 'x'.repeat(100_000)
  for (let i = 0; i < 50; i++) logger.info(line)
  const stream = Object.getOwnPropertySymbols(logger)
    .map((symbol) => (logger as unknown as Record<symbol, unknown>)[symbol])
    .find((value): value is { _len: number } => typeof value === 'object' && value !== null && '_len' in value)
  expect(stream!._len).toBeGreaterThan(line.length)
  expect(stream!._len).toBeLessThanOrEqual(1024 * 1024)
})

test('a file of its full size is moved aside, and the disk holds two of them at most', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'platform-events-'))
  const file = join(folder, 'a.log')
  const write = (lines: number[]): void => {
    const logger = createLogger({ name: 'test', level: 'info', file, fileBytes: 20_000 })
    for (const n of lines) logger.info({ n }, 'x'.repeat(500))
  }
  const numbers = Array.from({ length: 100 }, (_, n) => n)
  write(numbers.slice(0, 50))
  // Another process counts what it finds.
  write(numbers.slice(50))
  expect(readdirSync(folder).sort()).toEqual(['a.log', 'a.log.1'])
  for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).size).toBeLessThan(21_000)
  const kept = [`${file}.1`, file].flatMap((path) => readFileSync(path, 'utf8').trimEnd().split('\n'))
  const last = kept.map((line) => JSON.parse(line).n as number)
  expect(last).toEqual(numbers.slice(-last.length))
  await rm(folder, { recursive: true })
})
