export { BOOKING_FUNNEL, type CheckoutItem, type EventCatalog, type EventType } from './events.ts'
