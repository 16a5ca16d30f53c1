import { el, stamp } from './dom.js'
import { onLanguage, text } from './text.js'
import { visitor } from './tracking.js'

const ROWS = 60

/** Events as they are stored, the newest on top. `onLatency(ms)`: how long this visitor's own event took to get here. */
export function tail(onLatency) {
  const opened = Date.now()
  const seen = new Set()
  const title = el('h2', { id: 'tail-title' })
  const hint = el('p', { class: 'hint' })
  const empty = el('p', { class: 'empty' })
  const list = el('ol', { tabindex: '0', 'aria-labelledby': 'tail-title' })
  const element = el(
    'section',
    { class: 'tail', 'aria-labelledby': 'tail-title', 'data-empty': 'true' },
    el('header', {}, el('div', {}, title, hint)),
    list,
    empty,
  )
  /** The events of a fresh connection are past ones: they appear without a flash. */
  let quietUntil = 0

  const render = () => {
    title.textContent = text().tail
    hint.textContent = text().tailHint
    empty.textContent = text().tailEmpty
    for (const badge of list.querySelectorAll('.mine')) badge.textContent = text().you
  }
  onLanguage(render)
  render()

  return {
    element,
    connected() {
      quietUntil = Date.now() + 300
    },
    add(event) {
      // A reconnection repeats the last ones.
      if (seen.has(event.id)) return
      seen.add(event.id)
      const mine = event.session_id !== null && event.session_id === visitor()
      const happened = Date.parse(event.created_at)
      if (mine && happened > opened) onLatency(Math.max(0, Date.now() - happened))
      list.prepend(row(event, mine, Date.now() > quietUntil))
      if (list.children.length > ROWS) list.lastElementChild.remove()
      element.dataset.empty = 'false'
    },
  }
}

function row(event, mine, fresh) {
  const actor = event.session_id ?? event.user_id
  return el(
    'li',
    { class: fresh ? 'fresh' : null },
    el(
      'details',
      {},
      el(
        'summary',
        {},
        el('time', { datetime: event.created_at }, time(event.created_at)),
        actor ? stamp(actor) : el('span', { class: 'stamp' }),
        el('span', { class: 'type' }, event.event_type),
        mine && el('span', { class: 'mine' }, text().you),
        el('span', { class: 'properties' }, ...brief(event.properties)),
      ),
      el('pre', {}, JSON.stringify(event, null, 2)),
    ),
  )
}

function time(iso) {
  return new Date(iso).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })
}

/** Rows inserted by SQL may have any JSON there. */
function brief(properties) {
  if (properties === null || typeof properties !== 'object') return [JSON.stringify(properties)]
  return Object.entries(properties).flatMap(([name, value]) => [
    el('span', {}, name),
    ` ${value !== null && typeof value === 'object' ? JSON.stringify(value) : value}  `,
  ])
}
