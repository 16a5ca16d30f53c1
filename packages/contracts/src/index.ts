export { cleanStrings, mayNeedCleaning } from './clean-strings.ts'
export { lateness, type Receipt, type SettledTime, settleTime } from './clock.ts'
export type {
  CompositeTypes,
  Database,
  Enums,
  Json as DatabaseJson,
  Tables,
  TablesInsert,
  TablesUpdate,
} from './database.types.ts'
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
export { formatIsoTime, type IsoTime, parseIsoTime } from './iso-time.ts'
export { LIMITS } from './limits.ts'
export { logLine } from './log-line.ts'
export { uuidv7Generator, uuidv7Time } from './uuidv7.ts'
export { type EventContext, type EventVerdict, isUuid, validateEvent } from './validate-event.ts'
