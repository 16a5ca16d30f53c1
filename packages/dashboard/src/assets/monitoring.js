import { el } from './dom.js'
import { currentLanguage, onLanguage, text } from './text.js'

const MANY = 8

/** What operators of the marketplace watch, as plain tables. Hidden until the first answer. */
export function monitoring() {
  const title = el('h2', { id: 'monitoring-title' })
  const hint = el('p', { class: 'hint' })
  const figures = el('dl')
  const tables = el('div', { class: 'tables' })
  const element = el(
    'section',
    { class: 'monitoring', 'aria-labelledby': 'monitoring-title', hidden: true },
    el('header', {}, el('div', {}, title, hint)),
    figures,
    tables,
  )
  let shown = null

  function render() {
    const words = text().monitoring
    title.textContent = words.title
    hint.textContent = words.hint
    if (shown === null) return
    figures.replaceChildren(
      ...figuresOf(shown).map(([name, value, note]) =>
        el(
          'div',
          { 'data-figure': name },
          el('dt', {}, words.figures[name]),
          el('dd', {}, value),
          el('dd', { class: 'hint' }, note),
        ),
      ),
    )
    tables.replaceChildren(
      ...[
        shown.jobs && table('jobs', shown.jobs.map(jobRow)),
        table('tables', shown.table_sizes.slice(0, MANY).map(sizeRow)),
        table('indexes', shown.index_usage.slice(0, MANY).map(indexRow)),
        shown.query_times.length > 0 && table('queries', shown.query_times.slice(0, MANY).map(queryRow)),
      ].filter(Boolean),
    )
  }
  onLanguage(render)
  render()
  return {
    element,
    show(answer) {
      shown = answer
      element.hidden = false
      render()
    },
  }
}

/** [name, value, what it is of]; what the database has no table for is left out. */
function figuresOf(answer) {
  const words = text().monitoring
  const { conversations_per_hour: begun, chat_errors_per_hour: chats, guest_sessions_per_hour: guests } = answer
  const { messages_per_conversation: messages, conversation_length: length, booking_attribution: bookings } = answer
  return [
    begun && ['conversations', number(sum(begun, 'conversations')), words.lastDay],
    messages && ['messages', number(messages.average), words.longest(number(messages.most))],
    length && [
      'length',
      words.minutes(number(length.minutes_average)),
      words.characters(number(length.characters_average)),
    ],
    chats && [
      'errors',
      percent(sum(chats, 'failed'), sum(chats, 'requests')),
      words.ofRequests(number(sum(chats, 'requests'))),
    ],
    guests && ['guests', number(sum(guests, 'sessions')), words.lastDay],
    guests && ['conversion', percent(sum(guests, 'converted'), sum(guests, 'sessions')), words.ofGuests],
    bookings && [
      'traced',
      percent(sum(bookings, 'traced'), sum(bookings, 'bookings')),
      words.ofBookings(number(sum(bookings, 'bookings'))),
    ],
    answer.unsent_events > 0 && ['unsent', number(answer.unsent_events), words.waiting],
  ].filter(Boolean)
}

/** Each cell is a string, or [string, attributes]. */
function jobRow({ job, overdue, last_good, last_error, success_rate, removed }) {
  const words = text().monitoring
  const state = overdue ? words.overdue : last_good === null ? words.never : time(last_good)
  return [
    name(job),
    [state, { class: overdue ? 'late' : null, title: last_error }],
    success_rate === null ? '–' : percent(success_rate, 100),
    number(removed),
  ]
}

function sizeRow({ relation, rows_estimate, bytes, index_bytes }) {
  return [name(named(relation)), number(rows_estimate), size(bytes), size(index_bytes)]
}

function indexRow({ index, scans, bytes }) {
  return [name(index), number(scans), size(bytes)]
}

function queryRow({ query, calls, mean_ms }) {
  return [name(query.replaceAll(/\s+/g, ' ')), number(calls), `${number(mean_ms)} ms`]
}

/** Whole in the title, should it be cut. */
function name(text) {
  return [text, { class: 'code', title: text }]
}

function table(which, rows) {
  const words = text().monitoring.tables[which]
  const cell = (tag) => (content) => {
    const [value, attributes] = Array.isArray(content) ? content : [content, {}]
    return el(tag, attributes, value)
  }
  return el(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': words.title, 'data-table': which },
    el(
      'table',
      {},
      el('caption', {}, words.title),
      el(
        'thead',
        {},
        el(
          'tr',
          {},
          words.columns.map((column) => el('th', { scope: 'col' }, column)),
        ),
      ),
      el(
        'tbody',
        {},
        rows.map((row) => el('tr', {}, row.map(cell('td')))),
      ),
    ),
  )
}

function sum(rows, key) {
  return rows.reduce((total, row) => total + row[key], 0)
}

function named(relation) {
  return relation.replace(/^(public|marketplace_internal)\./, '')
}

function number(value) {
  return value === null
    ? '–'
    : new Intl.NumberFormat(currentLanguage(), { maximumFractionDigits: value < 100 ? 1 : 0 }).format(value)
}

function percent(part, whole) {
  if (whole === 0) return '–'
  return new Intl.NumberFormat(currentLanguage(), { style: 'percent', maximumFractionDigits: 1 }).format(part / whole)
}

function time(iso) {
  return new Intl.DateTimeFormat(currentLanguage(), {
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
  }).format(new Date(iso))
}

function size(bytes) {
  const power = Math.min(3, Math.floor(Math.log2(Math.max(bytes, 1)) / 10))
  return `${number(bytes / 1024 ** power)} ${['B', 'KiB', 'MiB', 'GiB'][power]}`
}
