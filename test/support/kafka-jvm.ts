import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { brokerAnswers } from './kafka-ready.ts'

/** Apache Kafka on the local JVM: broker and controller in one process, its state in one folder. */
export interface JvmBroker {
  folder: string
  port: number
}

const INFRA = fileURLToPath(new URL('../../infra/kafka/', import.meta.url))
const JARS = join(INFRA, 'target', 'jars')
const PREFIX = 'platform-events-kafka-'

/** Why this machine cannot run the broker, or null. */
export function whyNoJvm(): string | null {
  const missing = ['java', 'mvn'].filter((program) => spawnSync(program, ['-version'], { stdio: 'ignore' }).error)
  if (existsSync(JARS)) missing.splice(missing.indexOf('mvn'), missing.includes('mvn') ? 1 : 0)
  if (missing.length === 0) return null
  return `no ${missing.join(' and no ')} here: install a JRE (17 or newer) and Maven, start Docker, or set KAFKA_BROKERS`
}

/**
 * Makes a broker in a temporary folder and waits until it answers. Brokers that a killed run left behind are removed first.
 *
 * @throws Error that says what the broker or Maven said
 */
export async function createJvmBroker(options: { port?: number } = {}): Promise<JvmBroker> {
  resolveJars()
  removeLeftovers()
  const folder = join(tmpdir(), `${PREFIX}${randomBytes(6).toString('hex')}`)
  mkdirSync(folder)
  writeFileSync(join(folder, 'owner'), String(process.pid))
  const [freePort, controllerPort] = await freePorts(2)
  const port = options.port ?? freePort!
  writeFileSync(join(folder, 'server.properties'), properties(folder, port, controllerPort!))
  const clusterId = randomBytes(16).toString('base64url')
  const format = ['kafka.tools.StorageTool', 'format', '--standalone', '-t', clusterId, '-c', 'server.properties']
  const done = spawnSync('java', javaArguments(folder, format), { cwd: folder, encoding: 'utf8' })
  if (done.status !== 0) throw new Error(`Kafka's storage could not be formatted:\n${done.stdout}${done.stderr}`)
  const broker = { folder, port }
  await startJvmBroker(broker)
  return broker
}

/** Starts a broker that was stopped, in the same folder and on the same port; resolves when it answers. */
export async function startJvmBroker({ folder, port }: JvmBroker): Promise<void> {
  const log = openSync(join(folder, 'broker.log'), 'a')
  // Detached: a test process may restart the broker and end before it.
  const child = spawn('java', javaArguments(folder, ['kafka.Kafka', 'server.properties']), {
    cwd: folder,
    detached: true,
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  child.unref()
  writeFileSync(join(folder, 'pid'), String(child.pid))
  try {
    await brokerAnswers(`127.0.0.1:${port}`, () => child.exitCode === null)
  } catch (cause) {
    const said = readFileSync(join(folder, 'broker.log'), 'utf8').slice(-2000)
    throw new Error(`Apache Kafka did not come up on port ${port}. It said:\n${said}`, { cause })
  }
}

/** SIGTERM lets it finish, SIGKILL is a crash; resolves when the process is gone. */
export async function stopJvmBroker(broker: JvmBroker, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  const pid = pidOf(broker.folder)
  if (pid === null) return
  process.kill(pid, signal)
  for (let waited = 0; pidOf(broker.folder) !== null; waited += 50) {
    if (waited > 20_000) process.kill(pid, 'SIGKILL')
    await sleep(50)
  }
}

/** Freezes it (SIGSTOP), or lets it go on (SIGCONT): connections stay open, nothing answers. */
export function signalJvmBroker(broker: JvmBroker, signal: 'SIGSTOP' | 'SIGCONT'): void {
  const pid = pidOf(broker.folder)
  if (pid !== null) process.kill(pid, signal)
}

export async function removeJvmBroker(broker: JvmBroker): Promise<void> {
  await stopJvmBroker(broker, 'SIGKILL')
  rmSync(broker.folder, { recursive: true, force: true })
}

function resolveJars(): void {
  if (existsSync(JARS)) return
  process.stdout.write('Fetching the jars of Apache Kafka by Maven, once (43 MB) …\n')
  // Into a draft folder, so that an interrupted download is not taken for a whole one.
  const draft = `${JARS}.draft`
  rmSync(draft, { recursive: true, force: true })
  const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${draft}`]
  const done = spawnSync('mvn', ['-q', '-B', '-f', join(INFRA, 'pom.xml'), ...goal], { encoding: 'utf8' })
  if (done.status !== 0)
    throw new Error(`Maven could not fetch the jars of Apache Kafka:\n${done.stdout}${done.stderr}`)
  spawnSync('mv', [draft, JARS])
}

function javaArguments(folder: string, main: string[]): string[] {
  const log = `-Dlog4j2.configurationFile=${join(INFRA, 'log4j2.properties')}`
  const heap = ['-Xmx512m', '-XX:+UseSerialGC']
  return [
    ...heap,
    log,
    `-Dplatform.events.broker=${basename(folder)}`,
    '-cp',
    `${join(JARS, '*')}${delimiter}`,
    ...main,
  ]
}

function properties(folder: string, port: number, controllerPort: number): string {
  return `process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:${controllerPort}
listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}
advertised.listeners=PLAINTEXT://127.0.0.1:${port}
controller.listener.names=CONTROLLER
log.dirs=${join(folder, 'logs')}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
`
}

/** The broker's process, if it lives and is ours. */
function pidOf(folder: string): number | null {
  try {
    const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'))
    const ps = spawnSync('ps', ['-o', 'stat=,args=', '-p', String(pid)], { encoding: 'utf8' }).stdout
    return ps.includes(basename(folder)) && !ps.trim().startsWith('Z') ? pid : null
  } catch {
    return null
  }
}

/** Brokers whose starter is gone: their processes, then their folders. */
function removeLeftovers(): void {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(PREFIX))) {
    const folder = join(tmpdir(), name)
    try {
      process.kill(Number(readFileSync(join(folder, 'owner'), 'utf8')), 0)
    } catch {
      const pid = pidOf(folder)
      if (pid !== null) process.kill(pid, 'SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => {
          server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
        }),
    ),
  )
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
