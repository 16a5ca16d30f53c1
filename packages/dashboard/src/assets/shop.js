import { el, stamp } from './dom.js'
import { showCall } from './last-call.js'
import { CITIES, SERVICES } from './shop-data.js'
import { checkout, done, profile, results, search } from './shop-screens.js'
import { onLanguage, text } from './text.js'
import { becomeNewVisitor, onTrack, visitor } from './tracking.js'

const SCREENS = { search, results, profile, checkout, done }

/** The demo shop: one screen at a time; each button that means something calls the tracker. */
export function shop(element) {
  const fresh = () => ({ screen: 'search', city: CITIES[1], service: Object.keys(SERVICES)[0], method: 'card' })
  let order = fresh()
  const body = el('div', { class: 'screen' })
  const bar = el('header')
  const call = el('div', { class: 'call' })
  element.append(bar, body, call)

  /** Goes to a screen with what was chosen on the way, and takes the reader of a screen reader along. */
  function go(screen, chosen = {}) {
    const moved = screen !== order.screen
    order = { ...order, ...chosen, screen }
    render()
    if (!moved) return
    body.classList.remove('enter')
    void body.offsetWidth
    body.classList.add('enter')
    body.querySelector('h2')?.focus({ preventScroll: true })
  }

  function restart() {
    becomeNewVisitor()
    order = { ...fresh(), screen: '' }
    go('search')
  }

  function render() {
    const words = text()
    bar.replaceChildren(
      el('p', { class: 'sign', id: 'shop-name' }, el('b', {}, 'Oficio'), ' ', el('span', {}, words.shop)),
      el(
        'button',
        { class: 'visitor', title: words.restartHint, onclick: restart },
        visitor() ? stamp(visitor()) : null,
        el('span', {}, words.restart),
      ),
    )
    body.dataset.screen = order.screen
    body.replaceChildren(...SCREENS[order.screen](order, go, restart))
  }

  onLanguage(render)
  onTrack((made) => showCall(call, made))
  showCall(call)
  onLanguage(() => showCall(call))
  render()
}
