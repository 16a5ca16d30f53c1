import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

// A test's suffix says what it needs: .test.ts nothing, .pg.test.ts Postgres, .kafka.test.ts a broker as well,
// .browser.test.ts a Chromium. What lies in test/end-to-end starts real processes.
const everywhere = ['packages/*/src/**', 'services/*/src/**', 'infra/**', 'test/**']
const suffix = (name: string): string[] => everywhere.map((place) => `${place}/*.${name}.test.ts`)

export default defineConfig({
  test: {
    reporters: ['default'],
    // Tests wait more than they compute; on two cores vitest would take one. Projects without file parallelism stay in line, by themselves.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    projects: [
      {
        test: {
          name: 'unit',
          include: everywhere.map((place) => `${place}/*.test.ts`),
          exclude: ['**/node_modules/**', '**/*.{pg,kafka,browser}.test.ts', 'test/end-to-end/**'],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'postgres',
          include: suffix('pg'),
          exclude: ['**/node_modules/**', 'test/end-to-end/**'],
          globalSetup: ['test/support/postgres.global.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'kafka',
          include: suffix('kafka'),
          exclude: ['**/node_modules/**', 'test/end-to-end/**'],
          globalSetup: ['test/support/postgres.global.ts', 'test/support/kafka.global.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'browser',
          include: suffix('browser'),
          exclude: ['**/node_modules/**'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'end-to-end',
          include: ['test/end-to-end/**/*.test.ts'],
          exclude: ['**/node_modules/**', '**/*.browser.test.ts'],
          globalSetup: ['test/support/postgres.global.ts', 'test/support/kafka.global.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
})
