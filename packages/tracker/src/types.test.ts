import { describe, expectTypeOf, it } from 'vitest'
import { type TrackedEvent, trackEvent, trackEvents } from './index.ts'

declare module '@platform-events/catalog' {
  interface EventCatalog {
    CouponApplied: { code: string; percent: number }
  }
}

/** Never called: what is tested is that it compiles, and that the lines marked do not. */
function calls(): void {
  void trackEvent('SearchStarted', { city: 'Bogotá', service: 'plumbing' })
  void trackEvent('SearchStarted', {}, undefined, 'a-session')
  void trackEvent('CouponApplied', { code: 'HOLA', percent: 10 })
  void trackEvents([
    { eventType: 'ProfessionalViewed', properties: { pro_id: 'p1', badges: ['verified'] } },
    { eventType: 'CouponApplied', properties: { code: 'HOLA', percent: 10 }, userId: null },
  ])

  // @ts-expect-error a property of the wrong type
  void trackEvent('SearchStarted', { city: 42 })
  // @ts-expect-error a property that the event type does not have
  void trackEvent('SearchStarted', { town: 'Bogotá' })
  // @ts-expect-error a required property is missing
  void trackEvent('ProfessionalViewed', {})
  // @ts-expect-error no such event type
  void trackEvent('SearchBegun', {})
  // @ts-expect-error the properties of another event type
  void trackEvents([{ eventType: 'PaymentAttempted', properties: { pro_id: 'p1' } }])
  // @ts-expect-error a property of the wrong type in an event type of one's own
  void trackEvent('CouponApplied', { code: 'HOLA', percent: 'ten' })
}

describe('the types of trackEvent', () => {
  it('follow the catalogue, and event types of one’s own by augmentation', () => {
    expectTypeOf(calls).returns.toBeVoid()
    expectTypeOf(trackEvent<'SearchStarted'>)
      .parameter(1)
      .toEqualTypeOf<{ city?: string; service?: string; lat?: number; lng?: number; device?: string }>()
    expectTypeOf(trackEvent).returns.resolves.toBeVoid()
    expectTypeOf<Extract<TrackedEvent, { eventType: 'CouponApplied' }>['properties']>().toEqualTypeOf<{
      code: string
      percent: number
    }>()
  })
})
