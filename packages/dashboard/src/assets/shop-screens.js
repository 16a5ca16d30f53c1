import { el, icon } from './dom.js'
import { CITIES, cop, professionals, SERVICES } from './shop-data.js'
import { text } from './text.js'
import { signInAsSomebody, track } from './tracking.js'

const DEPOSIT = 0.2
const METHODS = ['card', 'pse', 'nequi', 'expired']

/** Every screen takes the order so far, `go(screen, chosen)` and `restart()`, and returns its elements. */
export function search(order, go) {
  const words = text()
  const submit = (event) => {
    event.preventDefault()
    const device = matchMedia('(max-width: 720px)').matches ? 'mobile' : 'desktop'
    track('SearchStarted', { city: order.city, service: order.service, device })
    go('results')
  }
  return [
    heading(words.searchTitle),
    el(
      'form',
      { onsubmit: submit },
      el(
        'div',
        { class: 'services', role: 'group', 'aria-label': words.searchTitle },
        Object.entries(SERVICES).map(([service, { icon: path }]) =>
          choice('service', service, order, [icon(path), el('span', {}, words.services[service])]),
        ),
      ),
      el('label', { for: 'city' }, words.where),
      el(
        'select',
        { id: 'city', onchange: (event) => Object.assign(order, { city: event.target.value }) },
        CITIES.map((city) => el('option', { selected: city === order.city }, city)),
      ),
      el('button', { class: 'primary' }, words.search),
    ),
  ]
}

export function results(order, go) {
  const words = text()
  const view = (pro) => {
    track('ProfessionalViewed', {
      pro_id: pro.id,
      price: pro.price,
      badges: pro.badges,
      availability_score: pro.availability,
    })
    go('profile', { pro })
  }
  return [
    back(() => go('search')),
    heading(words.resultsTitle(words.services[order.service], order.city)),
    el(
      'ul',
      { class: 'pros' },
      professionals(order.service).map((pro) =>
        el(
          'li',
          {},
          el(
            'button',
            { onclick: () => view(pro) },
            monogram(pro.name),
            el('span', { class: 'who' }, el('b', {}, pro.name), el('small', {}, facts(pro))),
            el('span', { class: 'price' }, cop(pro.price), el('small', {}, words.visit)),
          ),
        ),
      ),
    ),
  ]
}

export function profile(order, go) {
  const words = text()
  const { pro } = order
  const book = () => {
    track('CheckoutStarted', {
      pro_id: pro.id,
      items: [order.service],
      subtotal: pro.price,
      deposit_type: 'percent_20',
    })
    go('checkout', { declined: false })
  }
  return [
    back(() => go('results')),
    el('div', { class: 'portrait' }, monogram(pro.name), el('div', {}, heading(pro.name), el('p', {}, facts(pro)))),
    el('p', { class: 'lead' }, words.profileText),
    el('p', { class: 'tags' }, ...pro.badges.map((badge) => el('span', {}, words.badges[badge]))),
    el('p', { class: 'muted' }, words.available(pro.availability)),
    el('button', { class: 'primary', onclick: book }, words.book, el('span', {}, cop(pro.price))),
  ]
}

export function checkout(order, go) {
  const words = text()
  const { pro } = order
  const deposit = Math.round(pro.price * DEPOSIT)
  const pay = (event) => {
    event.preventDefault()
    const declined = order.method === 'expired'
    track('PaymentAttempted', {
      method: declined ? 'card' : order.method,
      success: !declined,
      ...(declined && { error_code: 'card_expired' }),
      amount: deposit,
    })
    if (declined) return go('checkout', { declined })
    const booking = `bk_${Math.random().toString(36).slice(2, 10)}`
    track('BookingConfirmed', { booking_id: booking, total: pro.price, deposit_captured: true })
    go('done', { booking })
  }
  const signIn = () => {
    signInAsSomebody()
    go('checkout', { signedIn: true })
  }
  return [
    back(() => go('profile')),
    heading(words.checkoutTitle),
    el(
      'dl',
      {},
      line(`${words.services[order.service]}, ${pro.name}`, words.tomorrow),
      line(words.subtotal, cop(pro.price)),
      line(words.deposit, cop(deposit)),
    ),
    el(
      'p',
      { class: 'account' },
      order.signedIn ? words.signedIn : words.guest,
      !order.signedIn && el('button', { class: 'link', onclick: signIn }, words.signIn),
    ),
    el(
      'form',
      { onsubmit: pay },
      el(
        'fieldset',
        { class: 'methods' },
        el('legend', {}, words.method),
        METHODS.map((method) => choice('method', method, order, [el('span', {}, words.methods[method])])),
      ),
      el('p', { class: 'problem', role: 'alert' }, order.declined ? words.declined : ''),
      el('button', { class: 'primary' }, words.pay(cop(deposit))),
    ),
  ]
}

export function done(order, go, restart) {
  const words = text()
  const rate = (rating) => {
    track('ReviewSubmitted', { booking_id: order.booking, rating, text_len: 0 })
    go('done', { rating })
  }
  return [
    el('p', { class: 'seal' }, icon('M5 12.5 10 17.5 19.5 7')),
    heading(words.doneTitle),
    el('p', { class: 'lead' }, words.doneText(order.pro.name)),
    el('p', { class: 'muted' }, el('code', {}, order.booking), ` · ${cop(order.pro.price)}`),
    el(
      'div',
      { class: 'rating', role: 'group', 'aria-label': words.rate },
      el('span', {}, order.rating ? words.thanks : words.rate),
      [1, 2, 3, 4, 5].map((stars) =>
        el(
          'button',
          {
            'aria-label': words.stars(stars),
            'aria-pressed': String(stars <= (order.rating ?? 0)),
            disabled: order.rating !== undefined,
            onclick: () => rate(stars),
          },
          '★',
        ),
      ),
    ),
    el('button', { class: 'primary', onclick: restart }, words.again),
  ]
}

function heading(words) {
  return el('h2', { tabindex: '-1' }, words)
}

function back(onclick) {
  return el('button', { class: 'link back', onclick }, `← ${text().back}`)
}

/** A radio button that looks like a tile; what is chosen is kept in the order. */
function choice(name, value, order, content) {
  const input = el('input', {
    type: 'radio',
    name,
    value,
    checked: order[name] === value,
    onchange: () => Object.assign(order, { [name]: value }),
  })
  return el('label', { class: 'choice' }, input, ...content)
}

function monogram(name) {
  const letters = name.split(' ')
  return el('span', { class: 'monogram', 'aria-hidden': 'true' }, letters[0][0] + letters.at(-1)[0])
}

function facts(pro) {
  return `★ ${pro.rating} · ${text().jobs(pro.jobs)}`
}

function line(term, description) {
  return el('div', {}, el('dt', {}, term), el('dd', {}, description))
}
