import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'

/** Ends what a run started, also when the run itself can no longer do it. */
export interface Reaper {
  /** Ends and removes everything now; blocks for some seconds. */
  reap(): void
  /** All is over, in order, and what is left is to stay. */
  dismiss(): Promise<void>
}

const TURNS = '8'

/**
 * A run's folders lie in the temporary folder, each with the pid of the run in `owner` and those of what works in it in `pid`, `*.pid` or
 * Postgres' own file. A process is ended only where its command line names that folder: pids come again. Some times over, for what was
 * just being started. Arguments: the temporary folder, an owner to treat as gone, how often.
 */
const REAP = `
trap '' HUP INT TERM
case "$(cat)" in *dismissed*) exit 0 ;; esac
gone() { [ "$1" = "$2" ] || ! kill -0 "$1"; }
for turn in $(seq "$3"); do
  for owner in "$1"/platform-events-*/owner; do
    [ -s "$owner" ] && gone "$(cat "$owner")" "$2" || continue
    folder=\${owner%/owner}
    for file in "$folder"/pid "$folder"/*.pid "$folder"/postgres/postmaster.pid; do
      pid=$(head -n 1 "$file") || continue
      ps -ww -o args= -p "$pid" | grep -qF "\${folder##*/}" || continue
      kill -KILL $(pgrep -P "$pid") "$pid"
    done
    [ "$turn" -lt "$3" ] || rm -rf "$folder"
  done
  [ "$turn" -lt "$3" ] && sleep 0.1
done
exit 0`

/** Ends what runs left that are gone, and watches over this one: from a process that learns of its end by the end of a pipe. */
export function startReaper(): Reaper {
  spawnSync('sh', ['-c', REAP, 'reaper', tmpdir(), 'none', '1'], { stdio: ['ignore', 'ignore', 'ignore'] })
  const watching = spawn('sh', ['-c', REAP, 'reaper', tmpdir(), String(process.pid), TURNS], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  watching.unref()
  return {
    async dismiss() {
      watching.ref()
      watching.stdin.end('dismissed')
      await once(watching, 'exit')
    },
    reap() {
      spawnSync('sh', ['-c', REAP, 'reaper', tmpdir(), String(process.pid), TURNS], { stdio: 'ignore' })
    },
  }
}
