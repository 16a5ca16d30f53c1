import {
  askCounts,
  askFunnel,
  askLedger,
  askMonitoring,
  followTail,
  SignedOut,
  signIn,
  takeTokenFromAddress,
} from './api.js'
import { counts } from './counts.js'
import { el } from './dom.js'
import { funnel } from './funnel.js'
import { ledger } from './ledger.js'
import { monitoring } from './monitoring.js'
import { shop } from './shop.js'
import { signedOut } from './signed-out.js'
import { tail } from './tail.js'
import { currentLanguage, onLanguage, setLanguage, text } from './text.js'
import { FUNNEL, onTrack } from './tracking.js'

/** Between two questions to the server, however many events come in. */
const PAUSE_MS = 250
/** Asked even without events: the tail may be behind. */
const POLL_MS = 10_000
const LEDGER_MS = 2000
const MONITORING_MS = 30_000
const MONITORING_AFTER_MS = 2000

const desk = document.getElementById('desk')
const status = document.getElementById('status')
const hasMonitoring = desk.dataset.monitoring === 'on'
const parts = {
  ...{ funnel: funnel(), tail: tail(showLatency), counts: counts(), ledger: ledger() },
  monitoring: monitoring(),
}
let state = 'connecting'
let latency = null
let stopFollowing
let refreshing = false
let wanted = false

await start()

async function start() {
  shop(document.getElementById('shop'))
  onLanguage(showTexts)
  onTrack(() => parts.funnel.mark())
  showTexts()
  const token = takeTokenFromAddress()
  if (token !== null) await signIn(token).catch(() => false)
  connect()
  setInterval(refresh, POLL_MS)
  setInterval(refreshLedger, LEDGER_MS)
  setInterval(refreshMonitoring, MONITORING_MS)
}

function connect() {
  stopFollowing?.()
  setState('connecting')
  void refresh()
  void refreshLedger()
  // What people click for comes first.
  setTimeout(refreshMonitoring, MONITORING_AFTER_MS)
  stopFollowing = followTail(
    (event) => {
      parts.tail.add(event)
      void refresh()
    },
    (next) => {
      if (next === 'live') parts.tail.connected()
      setState(next)
    },
  )
}

/** Asks for the numbers: at once, but never twice at a time; what comes meanwhile is asked after a pause. */
async function refresh() {
  wanted = true
  if (refreshing || state === 'signed-out') return
  refreshing = true
  while (wanted) {
    wanted = false
    try {
      await Promise.all([
        askFunnel(FUNNEL).then((answer) => parts.funnel.show(answer.steps)),
        askCounts().then((answer) => parts.counts.show(answer.counts)),
      ])
    } catch (error) {
      if (error instanceof SignedOut) setState('signed-out')
      else setState('lost')
      break
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
  refreshing = false
}

/** Beside the others: should it fail, the numbers go on, and what it showed stays. */
async function refreshLedger() {
  if (state === 'signed-out' || document.hidden) return
  await askLedger().then(parts.ledger.show, () => undefined)
}

async function refreshMonitoring() {
  if (!hasMonitoring || state === 'signed-out' || document.hidden) return
  await askMonitoring().then(parts.monitoring.show, () => undefined)
}

function setState(next) {
  if (state === 'signed-out' && next === 'lost') return
  if (next === 'signed-out') stopFollowing?.()
  state = next
  showStatus()
  showDesk()
}

function showDesk() {
  const shown = state === 'signed-out' ? 'signed-out' : 'numbers'
  if (desk.dataset.shown === shown) return
  desk.dataset.shown = shown
  desk.replaceChildren(
    ...(shown === 'numbers'
      ? [
          parts.funnel.element,
          el('div', { class: 'lower' }, parts.tail.element, parts.counts.element),
          parts.ledger.element,
          parts.monitoring.element,
        ]
      : [
          signedOut(async (token) => {
            const known = await signIn(token)
            if (known) connect()
            return known
          }),
        ]),
  )
}

function showLatency(ms) {
  latency = ms
  showStatus()
}

function showStatus() {
  status.dataset.state = state
  const words = [text()[state], state === 'live' && latency !== null && el('span', {}, text().latency(latency))]
  status.replaceChildren(el('i'), ...words.filter(Boolean))
}

function showTexts() {
  document.documentElement.lang = currentLanguage()
  for (const node of document.querySelectorAll('[data-text]')) {
    const parts = text()[node.dataset.text].split('trackEvent()')
    node.replaceChildren(
      ...parts.flatMap((part, index) => (index > 0 ? [el('code', {}, 'trackEvent()'), part] : [part])),
    )
  }
  const languages = document.getElementById('languages')
  languages.setAttribute('aria-label', text().language)
  languages.replaceChildren(
    ...['en', 'es'].map((language) =>
      el(
        'button',
        {
          lang: language,
          'aria-pressed': String(language === currentLanguage()),
          onclick: () => setLanguage(language),
        },
        language.toUpperCase(),
      ),
    ),
  )
  showStatus()
}
