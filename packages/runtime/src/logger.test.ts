import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { createLogger } from './logger.ts'

test.runIf(existsSync('/dev/full'))('a disk that is full costs lines, not the process', async () => {
  const logger = createLogger({ name: 'test', level: 'info', file: '/dev/full' })
  expect(() => logger.info('nobody will read this')).not.toThrow()
  // The stream tells its error later; without a listener that ends the process, and this run with it.
  await new Promise((resolve) => setImmediate(resolve))
  expect(() => logger.info('nor this')).not.toThrow()
})
