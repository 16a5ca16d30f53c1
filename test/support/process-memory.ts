import { readFileSync } from 'node:fs'

/** Anonymous memory of a process in MB (RssAnon; LMDB's mapped pages are no part of it). Linux only. */
export function rssAnonMb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Math.round(Number(/RssAnon:\s+(\d+)/.exec(status)?.[1]) / 1024)
}

/** Looks at it four times a second, until it is stopped or the process ends. */
export function watchRssAnon(pid: number): { highestMb(): number; stop(): void } {
  let highest = 0
  const look = (): void => {
    try {
      highest = Math.max(highest, rssAnonMb(pid))
    } catch {
      clearInterval(timer)
    }
  }
  const timer = setInterval(look, 250)
  return {
    highestMb() {
      look()
      return highest
    },
    stop: () => clearInterval(timer),
  }
}
