/** The steps of the booking, in their order. */
export const FUNNEL = ['SearchStarted', 'ProfessionalViewed', 'CheckoutStarted', 'PaymentAttempted', 'BookingConfirmed']

/** The global that /t.js makes; absent where something blocked that script. */
const tracker = globalThis.platformEvents
const listeners = new Set()

/** Which steps this visitor has been through since the page was opened. */
export const reached = new Set()

/** The real call, made for every button of the shop. */
export function track(eventType, properties) {
  reached.add(eventType)
  void tracker?.trackEvent(eventType, properties)
  for (const listener of listeners) listener({ eventType, properties })
}

/** Told of every call that the shop makes. */
export function onTrack(listener) {
  listeners.add(listener)
}

export function visitor() {
  return tracker?.getAnalyticsSessionId() ?? ''
}

/** From here on a stranger: a new session, and nobody signed in. */
export function becomeNewVisitor() {
  tracker?.clearAnalyticsSession()
  tracker?.setAnalyticsUser(null)
  reached.clear()
}

/** Signs in as somebody made up; the session's earlier events become theirs. */
export function signInAsSomebody() {
  // Pages served by plain http have no randomUUID: there everybody is the same somebody.
  tracker?.setAnalyticsUser(crypto.randomUUID?.() ?? '5f2a7c1e-0000-4000-8000-c0ffee000001')
}

/** A crowd that shops as crowds do: each visitor of it with their own session, fewer at every step. */
export function sendCrowd(visitors, cities, services) {
  const pick = (list) => list[Math.floor(Math.random() * list.length)]
  const events = Array.from({ length: visitors }, (_, number) => {
    const price = 60_000 + 5000 * Math.floor(Math.random() * 20)
    const properties = [
      { city: pick(cities), service: pick(services), device: pick(['mobile', 'mobile', 'desktop']) },
      { pro_id: `pro_${number % 9}`, price },
      { pro_id: `pro_${number % 9}`, subtotal: price },
      { method: pick(['card', 'pse', 'nequi']), success: true, amount: price },
      { booking_id: `bk_${Math.random().toString(36).slice(2, 10)}`, total: price, deposit_captured: true },
    ]
    const sessionId = `demo-${Date.now().toString(36)}-${number}`
    const steps = [1, 0.78, 0.62, 0.84, 0.9].findIndex((goesOn) => Math.random() > goesOn)
    return FUNNEL.slice(0, steps < 0 ? FUNNEL.length : steps).map((eventType, step) => ({
      eventType,
      properties: properties[step],
      userId: null,
      sessionId,
    }))
  })
  return tracker?.trackEvents(events.flat())
}
