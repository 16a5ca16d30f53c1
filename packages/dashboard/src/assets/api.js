/** The operator's session is missing or over. */
export class SignedOut extends Error {}

/** Trades an operator token for a cookie that scripts cannot read. */
export async function signIn(token) {
  const response = await fetch('/v1/session', { method: 'POST', headers: { authorization: `Bearer ${token}` } })
  return response.ok
}

/** The token out of the link that `npm start` prints (`/#token=op_…`); it does not stay in the address bar. */
export function takeTokenFromAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get('token')
  if (token !== null) history.replaceState(null, '', location.pathname + location.search)
  return token
}

export function askCounts() {
  return ask('/v1/counts')
}

/** The ledger of the last days, to the server's today. */
export function askLedger() {
  return ask('/v1/ledger')
}

/** What the marketplace's operators watch; only where its module runs. */
export function askMonitoring() {
  return ask('/api/monitoring')
}

export function askFunnel(steps) {
  return ask('/v1/funnel', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    // On a new installation nothing has come yet, and later steps come later.
    body: JSON.stringify({ steps, unknown_types: 'allow' }),
  })
}

/**
 * Follows the live tail; the browser reconnects by itself, and where it gives up (an answer that is no stream) we do.
 *
 * @returns stops following
 */
export function followTail(onEvent, onState) {
  let source
  let timer
  const open = () => {
    source = new EventSource('/v1/events/tail?limit=40')
    source.onopen = () => onState('live')
    source.addEventListener('event', (message) => onEvent(JSON.parse(message.data)))
    source.onerror = async () => {
      onState('lost')
      if (source.readyState !== EventSource.CLOSED) return
      const problem = await askCounts().then(
        () => null,
        (error) => error,
      )
      if (problem instanceof SignedOut) onState('signed-out')
      else timer = setTimeout(open, 2000)
    }
  }
  open()
  return () => {
    clearTimeout(timer)
    source.close()
  }
}

async function ask(path, options) {
  const response = await fetch(path, { ...options, signal: AbortSignal.timeout(10_000) })
  if (response.status === 401 || response.status === 403) throw new SignedOut()
  if (!response.ok) throw new Error(`${path} answered ${response.status}`)
  return response.json()
}
