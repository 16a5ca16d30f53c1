import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { blocksOf } from '../docs/examples.ts'
import { makeDataDir } from '../support/data-dir.ts'
import { freePort } from '../support/process.ts'
import { type Standalone, startStandalone } from '../support/standalone.ts'

const run = promisify(execFile)
const root = new URL('../../', import.meta.url)
const blocks = blocksOf(readFileSync(new URL('docs/marketplace.md', root), 'utf8'))

let dataDir: Awaited<ReturnType<typeof makeDataDir>>
let running: Standalone
let env: Record<string, string | undefined>

beforeAll(async () => {
  dataDir = await makeDataDir()
  running = await startStandalone({ dataDir: dataDir.path, port: await freePort(), env: { MARKETPLACE: 'on' } })
  env = { ...process.env, DATA_DIR: dataDir.path, URL: running.url, WRITE_KEY: running.access.write_key }
  env['TOKEN'] = (await sh('npx platform-events marketplace user ana@example.com')).trim()
})
afterAll(async () => {
  await running.stop()
  await dataDir.remove()
})

// Every `sh` block of the document, in its order; the `json` block after one is what it prints, where … stands for anything.
describe('docs/marketplace.md', () => {
  const commands = blocks.flatMap((block, at) =>
    block.language === 'sh'
      ? [{ ...block, answer: blocks[at + 1]?.language === 'json' ? blocks[at + 1]!.text : undefined }]
      : [],
  )
  test.each(commands)('line $line: $text', async ({ text, answer }) => {
    const printed = await sh(text)
    if (answer !== undefined) expect(JSON.parse(printed)).toEqual(asPattern(JSON.parse(answer)))
  })

  test('has the four checks', () => {
    expect(commands.filter(({ answer }) => answer !== undefined).length).toBeGreaterThanOrEqual(4)
  })
})

async function sh(command: string): Promise<string> {
  return (await run('bash', ['-euo', 'pipefail', '-c', command], { cwd: root, env })).stdout
}

function asPattern(value: unknown): unknown {
  if (value === '…') return expect.anything()
  if (typeof value === 'string' && value.includes('…'))
    return expect.stringMatching(new RegExp(`^${value.split('…').map(escapeRegExp).join('[^]*')}$`))
  if (Array.isArray(value)) return value.map(asPattern)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, asPattern(inner)]))
}

function escapeRegExp(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
