import { readdirSync, readFileSync } from 'node:fs'

/** Freezes a process and all that descend from it: their connections stay open and nothing answers. Linux only. @returns lets them go on */
export function freezeTree(pid: number): () => void {
  // First of all, so that it makes no others while they are looked for.
  signal(pid, 'SIGSTOP')
  const frozen = [pid, ...descendants(pid)]
  for (const each of frozen) signal(each, 'SIGSTOP')
  return () => {
    for (const each of frozen.splice(0)) signal(each, 'SIGCONT')
  }
}

/** By /proc. */
function descendants(pid: number): number[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === pid)
    .map(Number)
  return children.flatMap((child) => [child, ...descendants(child)])
}

function parentOf(pid: string): number | undefined {
  try {
    // The name before it, in parentheses, may hold anything.
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').pop()?.split(' ')[1])
  } catch {
    return undefined
  }
}

/** To one that may have ended meanwhile: a backend's parallel workers come and go. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
