import type { Sender } from './sender.ts'

/**
 * Sends everything when the page is hidden or left, and goes on when it comes back. Outside a browser: nothing.
 *
 * Hidden: requests that outlive the page, whose answers still count if it does not end. Left: beacons, for what no request
 * carries yet. (A navigation fires pagehide first, then visibilitychange; a phone that kills a page fires only the latter.)
 *
 * @returns stops listening
 */
export function followPage(sender: Sender): () => void {
  const listening = new AbortController()
  const on = (type: string, action: () => void): void => addEventListener(type, action, { signal: listening.signal })
  if (typeof document !== 'undefined') {
    on('visibilitychange', () => (document.hidden ? sender.handOver(false) : sender.resume()))
    on('pagehide', () => sender.handOver(true))
    on('pageshow', sender.resume)
    on('online', sender.sendNow)
  }
  return () => listening.abort()
}
