import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type ServingProcess, startProcess } from './process.ts'

export interface Standalone extends ServingProcess {
  /** What `DATA_DIR/access.json` says. */
  access: {
    url: string
    write_key: string
    secret_key: string
    operator_token: string
    database_url: string
    jwt_secret?: string
  }
}

/** Starts what `npm start` starts, as a process of its own, and waits until every part is ready. */
export async function startStandalone(options: {
  dataDir: string
  port: number
  env?: Record<string, string>
  /** The clone to start; absent: this one. */
  cwd?: string
  deadlineMs?: number
}): Promise<Standalone> {
  const { dataDir, env, ...rest } = options
  const process = await startProcess({
    args: ['infra/run.mjs', 'start'],
    env: { DATA_DIR: dataDir, KAFKA_BROKERS: '', DATABASE_URL: '', ...env },
    ...rest,
  })
  return { ...process, access: JSON.parse(await readFile(join(dataDir, 'access.json'), 'utf8')) }
}
