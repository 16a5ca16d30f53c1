export type { CheckoutItem, EventCatalog, EventType } from './events.ts'
