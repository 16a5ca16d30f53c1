export {
  type ErrorBody,
  EVENT_ERRORS,
  type EventErrorCode,
  REQUEST_ERRORS,
  RequestError,
  type RequestErrorCode,
} from './error-codes.ts'
export type {
  EventProperties,
  IngestAnswer,
  Json,
  LoggedEvent,
  RejectedEvent,
  WireBatch,
  WireEvent,
} from './event.ts'
export { LIMITS } from './limits.ts'
export { uuidv7Generator, uuidv7Time } from './uuidv7.ts'
