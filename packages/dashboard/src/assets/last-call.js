import { el } from './dom.js'
import { text } from './text.js'

let last

/** Shows the call that the last button made, as one would write it. */
export function showCall(element, made) {
  last = made ?? last
  const blocked = globalThis.platformEvents === undefined
  element.replaceChildren(
    el('p', {}, blocked ? text().blocked : text().lastCall),
    el('pre', {}, el('code', {}, ...(last ? code(last) : [el('i', {}, text().noCall)]))),
  )
}

function code({ eventType, properties }) {
  const lines = Object.entries(properties).flatMap(([name, value], index) => [
    index > 0 ? ', ' : '',
    `${name}: `,
    el('span', { class: typeof value === 'string' ? 'string' : 'value' }, literal(value)),
  ])
  return [el('b', {}, 'trackEvent'), '(', el('span', { class: 'string' }, `'${eventType}'`), ', { ', ...lines, ' })']
}

function literal(value) {
  if (typeof value === 'string') return `'${value}'`
  return Array.isArray(value) ? `[${value.map(literal).join(', ')}]` : String(value)
}
