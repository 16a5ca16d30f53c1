import { el, stamp } from './dom.js'
import { CITIES, SERVICES } from './shop-data.js'
import { currentLanguage, onLanguage, text } from './text.js'
import { FUNNEL, reached, sendCrowd, visitor } from './tracking.js'

/** The funnel as a silhouette: a bar for each step, and between two what goes on and what leaves. */
export function funnel() {
  const element = el('section', { class: 'funnel', 'aria-labelledby': 'funnel-title' })
  const rows = FUNNEL.map(row)
  let steps = FUNNEL.map((event_type) => ({ event_type, actors: 0, from_previous: null, from_first: null }))
  const title = el('h2', { id: 'funnel-title' })
  const hint = el('p', { class: 'hint' })
  const crowd = el('button', { class: 'quiet', onclick: () => sendCrowd(25, CITIES, Object.keys(SERVICES)) })
  const empty = el('p', { class: 'empty' })
  element.append(
    el('header', {}, el('div', {}, title, hint), crowd),
    el(
      'ol',
      {},
      rows.map((each) => each.element),
    ),
    empty,
  )

  function render() {
    const words = text()
    title.textContent = words.funnel
    hint.textContent = words.funnelHint
    crowd.textContent = words.crowd
    empty.textContent = words.funnelEmpty
    element.dataset.empty = String(steps[0].actors === 0)
    for (const [index, each] of rows.entries()) each.show(steps[index], steps[index + 1])
  }
  onLanguage(render)
  render()
  return {
    element,
    show(answer) {
      steps = answer
      render()
    },
    /** This visitor has been somewhere new. */
    mark: render,
  }
}

function row(eventType) {
  const label = el('span', { class: 'label' })
  const you = el('span', { class: 'reached' })
  const bar = el('span', { class: 'bar' })
  const between = el('span', { class: 'between' })
  const count = el('span', { class: 'count' })
  const share = el('span', { class: 'share' })
  const element = el(
    'li',
    {},
    el('div', { class: 'name' }, label, you, el('code', {}, eventType)),
    el('div', { class: 'track' }, bar, between),
    el('div', { class: 'number' }, count, share),
  )
  let shown = -1
  return {
    element,
    show(step, next) {
      const words = text()
      label.textContent = words.steps[eventType]
      you.replaceChildren(...(reached.has(eventType) && visitor() ? [stamp(visitor())] : []))
      you.title = reached.has(eventType) ? words.you : ''
      count.textContent = number(step.actors)
      share.textContent = step.from_first === null ? '' : percent(step.from_first)
      element.style.setProperty('--here', String(step.from_first ?? 0))
      element.style.setProperty('--next', String(next?.from_first ?? 0))
      between.textContent =
        next && next.from_previous !== null ? words.goOn(percent(next.from_previous), step.actors - next.actors) : ''
      if (shown >= 0 && step.actors > shown) restart(count, 'grew')
      shown = step.actors
    },
  }
}

/** Plays the animation of a class from its start. */
function restart(node, name) {
  node.classList.remove(name)
  void node.offsetWidth
  node.classList.add(name)
}

function number(value) {
  return new Intl.NumberFormat(currentLanguage()).format(value)
}

function percent(fraction) {
  return new Intl.NumberFormat(currentLanguage(), { style: 'percent', maximumFractionDigits: 0 }).format(fraction)
}
