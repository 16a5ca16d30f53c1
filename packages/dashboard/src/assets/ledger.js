import { el } from './dom.js'
import { currentLanguage, onLanguage, text } from './text.js'

const WAY = ['received', 'accepted', 'stored']
const REST = ['duplicate', 'dead_lettered', 'quarantined', 'in_flight', 'missing']

/** Of today, what came in and what became of it, and whether the sums are equal. Hidden until the first answer. */
export function ledger() {
  const title = el('h2', { id: 'ledger-title' })
  const hint = el('p', { class: 'hint' })
  const verdict = el('p', { class: 'verdict', role: 'status' })
  const way = el('dl', { class: 'way' })
  const rest = el('dl', { class: 'rest' })
  const element = el(
    'section',
    { class: 'ledger', 'aria-labelledby': 'ledger-title', hidden: true },
    el('header', {}, el('div', {}, title, hint), verdict),
    el('div', { class: 'accounts' }, way, rest),
  )
  let shown = null

  function render() {
    const words = text()
    title.textContent = words.ledger
    hint.textContent = words.ledgerHint
    if (shown === null) return
    const { holds, sums } = shown
    const said = holds ? words.identitiesHold : words.identitiesBroken
    // Said once: a status that is written anew is read out anew.
    if (verdict.textContent !== said) verdict.replaceChildren(el('i'), said)
    element.dataset.balanced = String(holds)
    const cell = (account) =>
      el(
        'div',
        { 'data-account': account, 'data-none': sums[account] === 0 },
        el('dt', {}, words.accounts[account]),
        el('dd', {}, number(sums[account])),
        account === 'received' && el('dd', { class: 'hint' }, words.rejected(number(sums.rejected))),
      )
    way.replaceChildren(...WAY.map(cell))
    rest.replaceChildren(...REST.map(cell))
  }
  onLanguage(render)
  render()
  return {
    element,
    show(answer) {
      const today = answer.ledger.filter(({ day }) => day === answer.to)
      const sum = (account) => today.reduce((total, row) => total + row[account], 0)
      const sums = Object.fromEntries([...WAY, ...REST, 'rejected'].map((account) => [account, sum(account)]))
      shown = { holds: answer.identities_hold, sums }
      element.hidden = false
      render()
    },
  }
}

function number(value) {
  return new Intl.NumberFormat(currentLanguage()).format(value)
}
