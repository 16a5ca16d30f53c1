const SVG = 'http://www.w3.org/2000/svg'

/**
 * An element with its attributes, listeners (`onclick`), CSS variables (`--x`) and children; strings become text.
 * Null, undefined and false are left out.
 */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value)
    else if (name.startsWith('--')) node.style.setProperty(name, value)
    else node.setAttribute(name, value === true ? '' : value)
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false))
  return node
}

/** An icon of one stroked path on a 24 × 24 grid. */
export function icon(path) {
  const svg = document.createElementNS(SVG, 'svg')
  svg.setAttribute('viewBox', '0 0 24 24')
  svg.setAttribute('class', 'icon')
  svg.setAttribute('aria-hidden', 'true')
  const shape = document.createElementNS(SVG, 'path')
  shape.setAttribute('d', path)
  svg.append(shape)
  return svg
}

/**
 * A visitor's mark: a mirrored 5 × 5 pattern in one hue, both from the id, so that one's own rows are known at a glance.
 */
export function stamp(id) {
  const mixed = [...id].reduce((sum, letter) => Math.imul(sum ^ letter.charCodeAt(0), 16777619), 2166136261)
  const hash = Math.imul(Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d) ^ (mixed >>> 12), 0x297a2d39) >>> 0
  const svg = document.createElementNS(SVG, 'svg')
  svg.setAttribute('viewBox', '0 0 5 5')
  svg.setAttribute('class', 'stamp')
  svg.setAttribute('aria-hidden', 'true')
  svg.style.setProperty('--hue', String(hash % 360))
  const shape = document.createElementNS(SVG, 'path')
  let path = ''
  for (let cell = 0; cell < 15; cell++) {
    const [x, y] = [cell % 3, Math.floor(cell / 3)]
    if (((hash >>> (cell + 9)) & 1) === 0 && cell !== 7) continue
    path += `M${x} ${y}h1v1h-1z`
    if (x < 2) path += `M${4 - x} ${y}h1v1h-1z`
  }
  shape.setAttribute('d', path)
  svg.append(shape)
  return svg
}
