// What `npm start`, `npm test` and `npm run bench` begin with on a machine that has only Node and npm. It installs the
// packages where they are missing or old, then runs the command in this same process, so that signals reach it directly.
// Plain JavaScript without imports from node_modules: they may not be there yet.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

const commands = {
  start: () => runTypeScript('services/standalone/src/main.ts'),
  collector: () => runTypeScript('services/collector/src/main.ts'),
  consumer: () => runTypeScript('services/consumer/src/main.ts'),
  query: () => runTypeScript('services/query/src/main.ts'),
  retention: () => runTypeScript('services/retention/src/main.ts'),
  marketplace: () => runTypeScript('services/marketplace/src/main.ts'),
  test: () => runTypeScript('test/run-tests.ts'),
  bench: () => runTypeScript('test/bench/main.ts'),
  oracle: () => runTypeScript('test/oracle/main.ts'),
  kafka: () => runTypeScript('test/start-kafka.ts'),
  doctor: () => runVerb('doctor'),
  chaos: () => runTypeScript('test/chaos/main.ts'),
  setup: () => console.log('Packages are installed.'),
}

const [name, ...args] = process.argv.slice(2)
const command = commands[name]
if (!command) fail(`Say one of: ${Object.keys(commands).join(', ')}.`)
requireNode()
installIfNeeded()
process.chdir(root)
process.argv = [process.argv[0], name, ...args]
await command()

function requireNode() {
  const wanted = manifest.engines.node.replace('>=', '')
  const [major, minor] = process.versions.node.split('.').map(Number)
  const [wantedMajor, wantedMinor] = wanted.split('.').map(Number)
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return
  fail(
    `Node ${wanted} or newer is needed; this is Node ${process.versions.node}. Install it from https://nodejs.org and try again.`,
  )
}

/** Installs when the lock file is another one than that of the last install that ended well. */
function installIfNeeded() {
  const stamp = join(root, 'node_modules', '.installed')
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'pnpm-lock.yaml')))
    .digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  const pnpm = manifest.packageManager
  console.log(`Installing packages with ${pnpm} (about 10 s from a warm cache, a minute or two from the network) …`)
  const inCi = ['--frozen-lockfile', '--prefer-offline', '--reporter=append-only', '--loglevel=warn']
  const done = npm(['exec', '--yes', `--package=${pnpm}`, '--', 'pnpm', 'install', ...inCi])
  if (done.error) fail(`npm could not be started (${done.error.message}). It comes with Node; see https://nodejs.org.`)
  if (done.status !== 0)
    fail(
      'The packages could not be installed: the lines above say why. With the network back, or the folder writable, run the same command again; it goes on where it stopped.',
    )
  try {
    writeFileSync(stamp, wanted)
  } catch (error) {
    fail(
      `This folder cannot be written to (${error.code}): ${root}. Run as its owner, or clone into a folder of your own.`,
    )
  }
}

/** The npm that started us where there is one, else the one on the path. */
function npm(args) {
  const options = { cwd: root, stdio: 'inherit', env: { ...process.env, CI: 'true' } }
  const own = process.env.npm_execpath
  return own?.endsWith('.js')
    ? spawnSync(process.execPath, [own, ...args], options)
    : spawnSync('npm', args, { ...options, shell: process.platform === 'win32' })
}

async function runTypeScript(file) {
  const { register } = await import('tsx/esm/api')
  register()
  await import(new URL(`../${file}`, import.meta.url).href)
}

/** A verb of the command line that has a script of its own. */
function runVerb(verb) {
  process.argv.splice(2, 0, verb)
  return runTypeScript('packages/cli/src/main.ts')
}

function fail(sentence) {
  console.error(sentence)
  process.exit(1)
}
