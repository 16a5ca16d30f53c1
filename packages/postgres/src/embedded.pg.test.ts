import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { platform, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createLogger } from '@platform-events/runtime'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from './embedded.ts'
import { platformBinaries } from './embedded-binaries.ts'
import { runCommand } from './run-command.ts'

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url))
const logger = createLogger({ name: 'test', level: 'silent' })
const isRoot = process.getuid?.() === 0
const NOBODY = 65_534
/** Root plays the plain user, too, unless that user cannot come to this clone. */
const plainUserCanRun = !isRoot || (await canRun(NOBODY))

// Makes and starts servers all the time, with fsync on: slow where the machine is busy.
vi.setConfig({ testTimeout: 90_000 })

let made: string
let folder: string
let dataDir: string
const running: EmbeddedPostgres[] = []
const children: ChildProcess[] = []

beforeAll(async () => {
  made = await mkdtemp(join(tmpdir(), 'embedded-made-'))
  await chmod(made, 0o755)
  await (await startEmbeddedPostgres({ dataDir: join(made, 'data'), logger })).stop()
})
afterAll(async () => await rm(made, { recursive: true }))

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedded-'))
  await chmod(folder, 0o755)
  dataDir = join(folder, 'data')
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  for (const server of running.splice(0)) {
    await server.stop()
    if (!server.dataFolder.startsWith(folder)) await rm(dirname(server.dataFolder), { recursive: true })
  }
  await rm(folder, { recursive: true, force: true })
})

async function canRun(uid: number): Promise<boolean> {
  const account = { name: 'nobody', uid, gid: uid }
  const look = ['-e', 'fs.readFileSync(process.argv[1])', join(REPOSITORY, 'test/support/postgres-process.ts')]
  return (await runCommand(process.execPath, look, { account }).catch(() => undefined))?.code === 0
}

/** Begins with data that an earlier run left, which costs a tenth of making it. */
async function withData(): Promise<void> {
  await runCommand('cp', ['-a', join(made, 'data'), dataDir])
}

async function start(options: Partial<EmbeddedPostgresOptions> = {}): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir, logger, ...options })
  running.push(server)
  return server
}

async function query(server: { connectionString: string }, sql: string): Promise<unknown[]> {
  const client = new pg.Client(server.connectionString)
  client.on('error', () => undefined)
  await client.connect()
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows.flat()
  } finally {
    await client.end()
  }
}

type Answer = EmbeddedPostgres & { error?: string; message?: string }

/** Starts it in a process of its own, as another user if one is given. */
async function startElsewhere(uid?: number): Promise<{ child: ChildProcess; answer: Answer }> {
  const script = join(REPOSITORY, 'test/support/postgres-process.ts')
  const child = spawn(process.execPath, ['--import', 'tsx', script, dataDir], {
    cwd: REPOSITORY,
    stdio: ['ignore', 'pipe', 'inherit'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  children.push(child)
  const [line] = (await once(child.stdout!.setEncoding('utf8'), 'data')) as [string]
  return { child, answer: JSON.parse(line) as Answer }
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  await once(child, 'exit')
}

async function killServer(server: { dataFolder: string; pid: number }): Promise<void> {
  process.kill(server.pid, 'SIGKILL')
  await vi.waitFor(() => expect(() => process.kill(server.pid, 0)).toThrow(), { timeout: 5_000 })
}

async function failure(options: Partial<EmbeddedPostgresOptions> = {}): Promise<string> {
  const error = await start(options).then(
    () => new Error('it started'),
    (caught: Error) => caught,
  )
  expect(error.name).toBe('EmbeddedPostgresError')
  return error.message
}

describe('a start', () => {
  test('gives a database in UTF-8 and UTC, for 127.0.0.1 and the password alone', async () => {
    const server = await start()
    expect(server.notes).toEqual([])
    const settings = await query(
      server,
      `select current_database(), current_setting('server_encoding'), current_setting('TimeZone'),
        current_setting('listen_addresses'), current_setting('unix_socket_directories'), lower('ÑANDÚ'),
        current_setting('enable_partitionwise_aggregate')`,
    )
    expect(settings).toEqual(['platform_events', 'UTF8', 'UTC', '127.0.0.1', '', 'ñandú', 'on'])
    expect((await stat(join(dataDir, 'postgres.password'))).mode & 0o777).toBe(0o600)
    const url = new URL(server.connectionString)
    url.password = 'guessed'
    await expect(query({ connectionString: url.href }, 'select 1')).rejects.toMatchObject({ code: '28P01' })
  })

  test('finds the data, the password and the port of the last one', async () => {
    await withData()
    const first = await start()
    await query(first, 'create table kept as select 7 as n')
    await first.stop()
    const second = await start()
    expect(second.connectionString).toBe(first.connectionString)
    expect(second.notes).toEqual([])
    expect(await query(second, 'select n from kept')).toEqual([7])
  })

  test('takes another port when that of the last one is taken', async () => {
    await withData()
    const first = await start()
    await first.stop()
    const other = createServer().listen(first.port, '127.0.0.1')
    await once(other, 'listening')
    const second = await start()
    expect(second.port).not.toBe(first.port)
    expect(await query(second, 'select 1')).toEqual([1])
    other.close()
  })

  test('says what to do when the password file has another password', async () => {
    await withData()
    const server = await start()
    await server.stop()
    await writeFile(join(dataDir, 'postgres.password'), 'another\n')
    expect(await failure()).toContain('remove that file')
  })

  test('makes a new password when its file is lost', async () => {
    await withData()
    const first = await start()
    await query(first, 'create table kept as select 7 as n')
    await first.stop()
    await rm(join(dataDir, 'postgres.password'))
    const second = await start()
    expect(second.connectionString).not.toBe(first.connectionString)
    expect(second.notes).toEqual([expect.stringContaining('new password')])
    expect(await query(second, 'select n from kept')).toEqual([7])
  })

  test.runIf(platform() === 'linux')('puts the server into a process group of its own, away from Ctrl-C', async () => {
    await withData()
    const server = await start()
    const stat = await readFile(`/proc/${server.pid}/stat`, 'utf8')
    expect(Number(stat.split(' ')[4])).toBe(server.pid)
  })
})

describe('after a kill', () => {
  test('of the parent alone: the server left running is stopped, and nothing committed is lost', async () => {
    await withData()
    const { child, answer } = await startElsewhere()
    await query(answer, 'create table kept as select 7 as n')
    await kill(child)
    expect(await query(answer, 'select n from kept')).toEqual([7])
    const server = await start()
    expect(server.notes).toEqual([expect.stringContaining(`(pid ${answer.pid}) left running`)])
    expect(server.pid).not.toBe(answer.pid)
    expect(await query(server, 'select n from kept')).toEqual([7])
  })

  test('of everything: a stale postmaster.pid, and recovery', async () => {
    await withData()
    const { child, answer } = await startElsewhere()
    await query(answer, 'create table kept as select 7 as n')
    await kill(child)
    await killServer(answer)
    const server = await start()
    expect(server.notes).toHaveLength(1)
    expect(await query(server, 'select n from kept')).toEqual([7])
  })

  test('whose pid now belongs to another program, which is left alone', async () => {
    await withData()
    const first = await start()
    await first.stop()
    const bystander = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
    children.push(bystander)
    const file = join(first.dataFolder, 'postmaster.pid')
    await writeFile(file, `${bystander.pid}\n${first.dataFolder}\n1\n${first.port}\n\n127.0.0.1\n1 1\nready\n`)
    const server = await start()
    expect(server.notes).toEqual([expect.stringContaining('stale postmaster.pid')])
    expect(bystander.exitCode ?? bystander.signalCode).toBeNull()
  })

  test('while the data folder was being made', async () => {
    const script = join(REPOSITORY, 'test/support/postgres-process.ts')
    const child = spawn(process.execPath, ['--import', 'tsx', script, dataDir], { cwd: REPOSITORY, stdio: 'ignore' })
    children.push(child)
    const making = async (): Promise<string[]> =>
      (await readdir(dataDir).catch(() => [])).filter((name) => name.includes('.making-'))
    await vi.waitFor(async () => expect(await making()).toHaveLength(1), { timeout: 20_000, interval: 5 })
    await kill(child)
    expect(await making()).toHaveLength(1)

    const server = await start()
    expect(server.notes).toEqual([expect.stringContaining('killed while it made')])
    expect(await query(server, 'select 1')).toEqual([1])
    expect((await readdir(dataDir)).filter((name) => name.startsWith('postgres.'))).toEqual(
      expect.not.arrayContaining([expect.stringMatching(/making|trash/)]),
    )
  })

  test('a folder that is no complete cluster is moved aside, not removed', async () => {
    await mkdir(join(dataDir, 'postgres', 'base'), { recursive: true })
    await writeFile(join(dataDir, 'postgres', 'PG_VERSION'), '18\n')
    const server = await start()
    expect(server.notes).toEqual([expect.stringContaining('moved to')])
    const aside = (await readdir(dataDir)).find((name) => name.startsWith('postgres.broken-'))
    expect(await readFile(join(dataDir, aside!, 'PG_VERSION'), 'utf8')).toBe('18\n')
  })

  test('of the server alone, the parent is told', async () => {
    await withData()
    const onExit = vi.fn()
    const server = await start({ onExit })
    await killServer(server)
    await vi.waitFor(() => expect(onExit).toHaveBeenCalledOnce())
    expect(onExit.mock.calls[0]![0].message).toContain('SIGKILL')
  })
})

describe('a stop', () => {
  test('ends sessions and leaves nothing behind, nor does it call onExit', async () => {
    await withData()
    const onExit = vi.fn()
    const server = await start({ onExit })
    const client = new pg.Client(server.connectionString)
    const lost = vi.fn()
    client.on('error', lost)
    await client.connect()
    await client.query('begin')
    await server.stop()
    await vi.waitFor(() => expect(lost).toHaveBeenCalled())
    expect(() => process.kill(server.pid, 0)).toThrow()
    expect(await readdir(server.dataFolder)).not.toContain('postmaster.pid')
    await server.stop()
    expect(onExit).not.toHaveBeenCalled()
  })
})

describe('what cannot work is one sentence', () => {
  test('data of another major version', async () => {
    await withData()
    const server = await start()
    await server.stop()
    await writeFile(join(server.dataFolder, 'PG_VERSION'), '17\n')
    expect(await failure()).toContain('is of Postgres 17, the server here is 18')
  })

  test('a setting that Postgres refuses: its own last words', async () => {
    await withData()
    expect(await failure({ settings: { shared_buffers: 'much' } })).toContain(
      'invalid value for parameter "shared_buffers"',
    )
  })

  test('binaries that do not run', async () => {
    const binaries = { initdb: join(folder, 'initdb'), postgres: join(folder, 'postgres') }
    expect(await failure({ binaries })).toContain('set DATABASE_URL')
  })

  test('a folder that is a file', async () => {
    await writeFile(dataDir, '')
    await expect(start()).rejects.toThrow()
  })
})

describe.runIf(isRoot)('as root', () => {
  test('in a folder that others cannot enter, binaries and data lie elsewhere, and it says where', async () => {
    await chmod(folder, 0o700)
    const installed = await platformBinaries()
    await cp(dirname(dirname(installed.postgres)), join(folder, 'native'), { recursive: true, verbatimSymlinks: true })
    const bin = join(folder, 'native', 'bin')
    const binaries = { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres') }

    const first = await start({ binaries })
    expect(first.dataFolder).toMatch(/^\/var\/lib\/platform-events\/[0-9a-f]{16}\/postgres$/)
    const where = [
      expect.stringContaining('/var/lib/platform-events/binaries-18'),
      expect.stringContaining(first.dataFolder),
    ]
    expect(first.notes).toEqual(expect.arrayContaining(where))
    await query(first, 'create table kept as select 7 as n')
    await first.stop()

    const second = await start({ binaries })
    expect(second.connectionString).toBe(first.connectionString)
    expect(second.notes).toEqual(expect.arrayContaining(where))
    expect(await query(second, 'select n from kept')).toEqual([7])
    await second.stop()

    const copy = join(folder, 'copy')
    await cp(dataDir, copy, { recursive: true })
    expect(await failure({ binaries, dataDir: copy })).toContain(`${copy} is a copy of ${dataDir}`)

    // A data folder that was removed and made again is a new one, not the old data come back.
    await rm(dataDir, { recursive: true })
    const third = await start({ binaries })
    expect(third.notes).toEqual(expect.arrayContaining([expect.stringContaining('since removed')]))
    await expect(query(third, 'select n from kept')).rejects.toMatchObject({ code: '42P01' })
    const aside = /moved to (\S+):/.exec(third.notes.join('\n'))![1]!
    await rm(aside, { recursive: true })
    running.splice(0, 2)
  })

  test('on a full disk, says so', async ({ skip }) => {
    await mkdir(dataDir)
    const mounted = await runCommand('mount', ['-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', dataDir])
    skip(mounted.code !== 0, 'this root may not mount')
    try {
      expect(await failure()).toContain(`The disk that holds ${dataDir}/postgres is full`)
    } finally {
      await runCommand('umount', [dataDir])
    }
  })

  test('a folder closed after the data was made is an error, not an empty database', async () => {
    await withData()
    const server = await start()
    await server.stop()
    await chmod(folder, 0o700)
    expect(await failure()).toContain('open those folders again')
  })

  test.runIf(plainUserCanRun)('on data of a plain user the server runs as that user', async () => {
    await mkdir(dataDir)
    await chown(dataDir, NOBODY, NOBODY)
    const { child, answer } = await startElsewhere(NOBODY)
    expect(answer.message).toBeUndefined()
    await query(answer, 'create table kept as select 7 as n')
    child.kill('SIGTERM')
    await once(child, 'exit')
    const server = await start()
    expect(await query(server, 'select n from kept')).toEqual([7])
    expect((await stat(`/proc/${server.pid}`)).uid).toBe(NOBODY)
  })
})

describe.runIf(plainUserCanRun)('as a plain user', () => {
  const uid = isRoot ? NOBODY : undefined

  test('works in place, and stops with its parent', async () => {
    await mkdir(dataDir)
    if (uid !== undefined) await chown(dataDir, uid, uid)
    const { child, answer } = await startElsewhere(uid)
    expect(answer).toMatchObject({ dataFolder: join(dataDir, 'postgres'), notes: [] })
    child.kill('SIGTERM')
    await once(child, 'exit')
    expect(() => process.kill(answer.pid, 0)).toThrow()
  })

  test('in a folder that it may not write to, says so', async () => {
    await mkdir(dataDir, { mode: 0o555 })
    const { answer } = await startElsewhere(uid)
    expect(answer.error).toBe('EmbeddedPostgresError')
    expect(answer.message).toContain(`This user may not write to ${dataDir}`)
  })

  test.runIf(isRoot)('on data that root made, says so', async () => {
    await withData()
    const server = await start()
    await server.stop()
    await chmod(dataDir, 0o777)
    const { answer } = await startElsewhere(uid)
    expect(answer.message).toContain('start as root again')
  })
})
