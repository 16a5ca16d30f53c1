/**
 * The event types in use and their properties. One place: the tracker's types come from here.
 * Amounts are in COP; coordinates in degrees; times in the unit that the name says.
 */
export interface EventCatalog {
  // customer
  SearchStarted: { city?: string; service?: string; lat?: number; lng?: number; device?: string }
  ProfessionalViewed: { pro_id: string; badges?: string[]; price?: number; availability_score?: number }
  CheckoutStarted: { pro_id: string; items?: CheckoutItem[]; subtotal: number; deposit_type?: string }
  PaymentAttempted: { method: string; success: boolean; error_code?: string; amount?: number }
  BookingConfirmed: { booking_id: string; total: number; deposit_captured: boolean }
  ReviewSubmitted: { booking_id: string; rating: number; text_len: number }
  // professional
  LeadReceived: { city?: string; service: string; price: number; instant_book: boolean }
  LeadAccepted: { booking_id: string; response_time_minutes?: number }
  LeadDeclined: { booking_id: string; reason?: string }
  JobStatusChanged: { booking_id: string; from: string; to: string; trigger?: string }
  PayoutInitiated: { payout_id: string; amount: number; method: string }
  // operations
  Cancellation: {
    booking_id: string
    who_initiated: 'customer' | 'professional' | 'system'
    reason?: string
    refund_amount?: number
  }
  DisputeOpened: { booking_id: string; reason: string }
  DisputeResolved: { dispute_id: string; resolution: string }
}

/** One line of a checkout; its fields are the caller's. */
export type CheckoutItem = string | { [field: string]: string | number | boolean | null }

export type EventType = keyof EventCatalog
