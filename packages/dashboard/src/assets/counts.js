import { el } from './dom.js'
import { currentLanguage, onLanguage, text } from './text.js'

/** How often each event type came. */
export function counts() {
  const title = el('h2', { id: 'counts-title' })
  const hint = el('p', { class: 'hint' })
  const list = el('ul')
  const element = el(
    'section',
    { class: 'counts', 'aria-labelledby': 'counts-title' },
    el('header', {}, el('div', {}, title, hint)),
    list,
  )
  let shown = []

  function render() {
    title.textContent = text().counts
    hint.textContent = text().countsHint
    const most = Math.max(1, ...shown.map((each) => each.event_count))
    list.replaceChildren(
      ...shown
        .slice(0, 12)
        .map((each) =>
          el(
            'li',
            { '--share': String(each.event_count / most) },
            el('span', { class: 'type' }, each.event_type),
            el('span', { class: 'times' }, new Intl.NumberFormat(currentLanguage()).format(each.event_count)),
          ),
        ),
    )
  }
  onLanguage(render)
  render()
  return {
    element,
    show(answer) {
      shown = answer
      render()
    },
  }
}
