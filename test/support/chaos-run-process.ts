// A run of the attacker that is about to end: two processes of its own, one frozen, and a pid file that names somebody else's.
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startReaper } from '../chaos/reaper.ts'
import { makeDataDir } from './data-dir.ts'

const { path: folder } = await makeDataDir()
writeFileSync(join(folder, 'owner'), String(process.pid))
const reaper = startReaper()
process.on('SIGTERM', () => {
  reaper.reap()
  process.exit(1)
})

function sleeper(name: string, ...marks: string[]): number {
  const args = [...marks, '-e', 'setInterval(() => undefined, 1000)']
  const { pid } = spawn(process.execPath, args, { detached: true, stdio: 'ignore' })
  writeFileSync(join(folder, `${name}.pid`), `${pid}\n`)
  return pid!
}

const pids = [sleeper('one', `--diagnostic-dir=${folder}`), sleeper('two', `--diagnostic-dir=${folder}`)]
process.kill(pids[1]!, 'SIGSTOP')
console.log(JSON.stringify({ folder, pids, spared: sleeper('reused') }))
setInterval(() => undefined, 1000)
