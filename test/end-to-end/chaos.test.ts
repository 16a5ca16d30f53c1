import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { whyNoJvm } from '../support/kafka-jvm.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

const OFTEN = ['--rate', '100', '--every', '1.5']

/** The attacker for a quarter of a minute. What it printed is the message where it fails. */
function chaos(...args: string[]): Promise<string> {
  return new Promise((resolve, reject) =>
    execFile(process.execPath, ['infra/run.mjs', 'chaos', ...OFTEN, ...args], { cwd: root }, (error, stdout, stderr) =>
      error === null ? resolve(stdout) : reject(new Error(`${stdout}${stderr}`)),
    ),
  )
}

test('local: one process, killed, frozen and cut off', { timeout: 180_000 }, async () => {
  expect(await chaos('--seed', '1539', '--minutes', '0.25', '--transport', 'local')).toContain(
    'Nothing lost, nothing twice.',
  )
})

test('Kafka: two collectors, two consumers, a broker and a Postgres under attack', {
  timeout: 240_000,
}, async (context) => {
  const missing = whyNoJvm()
  context.skip(missing !== null, missing ?? '')
  expect(await chaos('--seed', '13989', '--minutes', '0.25', '--transport', 'kafka')).toContain(
    'Nothing lost, nothing twice.',
  )
})
