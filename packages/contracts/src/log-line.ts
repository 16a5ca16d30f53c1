import type { LoggedEvent } from './event.ts'

/**
 * An event as its line of NDJSON, \n included. `properties` stands last and everything before it is a scalar, so the first
 * `"properties":` in a line is the key itself (inside a string its quotes would be escaped) and its bytes can be cut out.
 */
export function logLine(event: LoggedEvent): string {
  let head = `{"id":"${event.id}","event_type":${JSON.stringify(event.event_type)}`
  if (event.user_id !== undefined) head += `,"user_id":"${event.user_id}"`
  if (event.session_id !== undefined) head += `,"session_id":${JSON.stringify(event.session_id)}`
  head += `,"created_at":"${event.created_at}"`
  if (event.raw_created_at !== undefined) head += `,"raw_created_at":"${event.raw_created_at}"`
  if (event.time_of_receipt !== undefined) head += ',"time_of_receipt":true'
  if (event.stream !== undefined) head += `,"stream":"${event.stream}"`
  if (event.seq !== undefined) head += `,"seq":${event.seq}`
  return `${head},"properties":${JSON.stringify(event.properties)}}\n`
}
