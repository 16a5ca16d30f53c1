import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { brokerAnswers } from './kafka-ready.ts'

/**
 * Apache Kafka on the local JVM: broker and controller in one process, its state in one folder.
 *
 * One: `const broker = await createJvmBroker()`. A cluster: `const brokers = await createJvmCluster(3)`, of which any one may be
 * away. Each broker is then stopped, killed, frozen and started by itself: `stopJvmBroker(brokers[1], 'SIGKILL')`,
 * `signalJvmBroker(brokers[1], 'SIGSTOP')`, `startJvmBroker(brokers[1])`, and at the end `removeJvmBroker` for each.
 */
export interface JvmBroker {
  folder: string
  port: number
  heapMb: number
}

/** Starts a proxy to this port of a broker and resolves with the proxy's. */
type Proxied = (port: number) => Promise<number>

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
  const [port, controller] = await freePorts(2)
  const [broker] = await createBrokers([[options.port ?? port!, controller!]], 512)
  return broker!
}

/**
 * Makes a cluster whose nodes are brokers and controllers alike: more than half of them must run for anything to go on, and a
 * broker that starts answers when they do. Topics for groups and offsets have three replicas; a broker that is dead or frozen loses
 * its leaderships after 5 s.
 *
 * @param proxied each is a way to the brokers of its own. Who is given the ports of its proxies as brokers is told of no others; who is
 *   given the brokers' own goes past them, as the brokers do among themselves
 */
export async function createJvmCluster(size: number, ...proxied: Proxied[]): Promise<JvmBroker[]> {
  const each = 2 + proxied.length
  const free = await freePorts(each * size)
  const ports = Array.from({ length: size }, (_, index) => free.slice(each * index, each * (index + 1)))
  return await createBrokers(ports, 320, proxied)
}

/** @param ports of each broker: its own, one for controllers, one behind each proxy */
async function createBrokers(ports: number[][], heapMb: number, proxied: Proxied[] = []): Promise<JvmBroker[]> {
  resolveJars()
  removeLeftovers()
  const clusterId = randomBytes(16).toString('base64url')
  const voters = ports.map(([, controller], index) => `${index + 1}@127.0.0.1:${controller}`)
  const made = ports.map(([port]) => ({ folder: makeFolder(), port: port!, heapMb }))
  try {
    await Promise.all(
      made.map(async (broker, index) => {
        const [port, controller, ...behind] = ports[index]!
        const told = await Promise.all(proxied.map((startProxy, number) => startProxy(behind[number]!)))
        const listeners = [
          ['PLAINTEXT', port, port!] as const,
          ['CONTROLLER', controller, null] as const,
          ...told.map((advertised, number) => [`PROXIED${number + 1}`, behind[number], advertised] as const),
        ]
        const settings = properties(broker.folder, index + 1, listeners, voters)
        writeFileSync(join(broker.folder, 'server.properties'), settings)
        await format(broker, clusterId)
      }),
    )
    await Promise.all(made.map((broker) => startJvmBroker(broker)))
    return made
  } catch (error) {
    await Promise.all(made.map((broker) => removeJvmBroker(broker)))
    throw error
  }
}

/** Starts a broker that was stopped, in the same folder and on the same port; resolves when it answers. */
export async function startJvmBroker(broker: JvmBroker): Promise<void> {
  const { folder, port } = broker
  const log = openSync(join(folder, 'broker.log'), 'a')
  // Detached: a test process may restart the broker and end before it.
  const child = spawn('java', javaArguments(broker, ['kafka.Kafka', 'server.properties']), {
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

function makeFolder(): string {
  const folder = join(tmpdir(), `${PREFIX}${randomBytes(6).toString('hex')}`)
  mkdirSync(folder)
  writeFileSync(join(folder, 'owner'), String(process.pid))
  return folder
}

async function format(broker: JvmBroker, clusterId: string): Promise<void> {
  // With the equals sign, since one id in 64 begins with a hyphen.
  const main = ['kafka.tools.StorageTool', 'format', `--cluster-id=${clusterId}`, '-c', 'server.properties']
  const child = spawn('java', javaArguments(broker, main), { cwd: broker.folder, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const output of [child.stdout, child.stderr]) output.setEncoding('utf8').on('data', (text) => (said += text))
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`Kafka's storage could not be formatted:\n${said}`)
}

function javaArguments({ folder, heapMb }: JvmBroker, main: string[]): string[] {
  const log = `-Dlog4j2.configurationFile=${join(INFRA, 'log4j2.properties')}`
  const heap = [`-Xmx${heapMb}m`, '-XX:+UseSerialGC']
  return [
    ...heap,
    log,
    `-Dplatform.events.broker=${basename(folder)}`,
    '-cp',
    `${join(JARS, '*')}${delimiter}`,
    ...main,
  ]
}

/** @param listeners name, port, and the port that clients are told */
function properties(
  folder: string,
  node: number,
  listeners: (readonly [string, number | undefined, number | null])[],
  voters: string[],
): string {
  const told = listeners.filter(([, , advertised]) => advertised !== null)
  const replicas = Math.min(3, voters.length)
  const inSync = Math.max(1, replicas - 1)
  return `process.roles=broker,controller
node.id=${node}
controller.quorum.voters=${voters.join(',')}
listeners=${listeners.map(([name, port]) => `${name}://127.0.0.1:${port}`).join(',')}
advertised.listeners=${told.map(([name, , port]) => `${name}://127.0.0.1:${port}`).join(',')}
listener.security.protocol.map=${listeners.map(([name]) => `${name}:PLAINTEXT`).join(',')}
controller.listener.names=CONTROLLER
log.dirs=${join(folder, 'logs')}
auto.create.topics.enable=false
offsets.topic.replication.factor=${replicas}
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=${replicas}
transaction.state.log.min.isr=${inSync}
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=${replicas}
share.coordinator.state.topic.min.isr=${inSync}
group.initial.rebalance.delay.ms=0
# A leader that is dead or frozen is replaced after so long; the default is 9 s.
broker.session.timeout.ms=5000
broker.heartbeat.interval.ms=1000
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
