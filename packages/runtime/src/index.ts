export { Backoff } from './backoff.ts'
export {
  commonSettings,
  databaseSettings,
  deadLetterSettings,
  eventLogSettings,
  kafkaSettings,
  readConfigOrExit,
  spoolSettings,
  tokenSettings,
} from './config.ts'
export { inTime } from './deadline.ts'
export { type DirectoryLock, DirectoryLockedError, lockDirectory } from './directory-lock.ts'
export { checkHealth, type Health, type HealthCheck, type PartHealth } from './health.ts'
export { buildHttp, type HttpOptions, httpComponent } from './http.ts'
export { type Component, exitOnSignals, type RunningProcess, startComponents } from './lifecycle.ts'
export { createLogger, type Logger } from './logger.ts'
export { makeDirectory } from './make-directory.ts'
export { Counter, createMetrics, Gauge, Histogram, Registry } from './metrics.ts'
export {
  type PlatformIdentity,
  platformJwtVerifier,
  signPlatformJwt,
  type VerifyPlatformJwt,
} from './platform-jwt.ts'
export { reasonOf } from './reason.ts'
export { startOrExit } from './start-error.ts'
export { waitingRoom } from './waiting-room.ts'
