import type { Access } from './access.ts'

/** The few lines that `npm start` prints when all parts are ready. */
export function welcome(
  access: Access,
  facts: { dataDir: string; transport: string; database: string; ms: number },
): string {
  const curl =
    `curl -s ${access.url}/v1/events -H 'authorization: Bearer ${access.write_key}' ` +
    `-d '{"event_type":"SearchStarted","session_id":"me","properties":{"city":"Bogotá"}}'`
  return [
    '',
    `platform-events is ready after ${(facts.ms / 1000).toFixed(1)} s (log: ${facts.transport}; database: ${facts.database}).`,
    '',
    `  Open       ${access.url}/#token=${access.operator_token}`,
    `  Write key  ${access.write_key}`,
    `  Send one   ${curl}`,
    `  Ask        npx platform-events funnel SearchStarted ProfessionalViewed CheckoutStarted`,
    `  Data       ${facts.dataDir} (keys: access.json; log lines: platform-events.log)`,
    `  Stop       Ctrl-C`,
    '',
  ].join('\n')
}

/** One sentence for what keeps the process from starting, and how to go on; null for an error that we did not foresee. */
export function explain(error: unknown, settings: { PORT: number; DATA_DIR: string }): string | null {
  switch (errnoCode(error)) {
    case 'EADDRINUSE':
      return `Port ${settings.PORT} is taken. Stop what listens there, or take another one: PORT=${settings.PORT + 1} npm start`
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return `${messageOf(error)}: this folder cannot be written to. Give another one: DATA_DIR=~/platform-events-data npm start`
    case 'EEXIST':
    case 'ENOTDIR':
      return `${settings.DATA_DIR} is a file, or lies in one. Give a folder: DATA_DIR=~/platform-events-data npm start`
    case 'ENOSPC':
      return `The disk that holds ${settings.DATA_DIR} is full. Make room, or give a folder on another disk by DATA_DIR.`
    case 'ECONNREFUSED':
    case 'ENOTFOUND':
    case 'ETIMEDOUT':
      return `${messageOf(error)}: nothing answers there. Compare DATABASE_URL and KAFKA_BROKERS with what runs.`
    default:
      return isTold(error) ? messageOf(error) : null
  }
}

function errnoCode(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const code = (at as NodeJS.ErrnoException).code
    if (code !== undefined) return code
  }
  return undefined
}

/** Errors with a name of their own, or of the system, say in a sentence what is in the way; others want their stack. */
function isTold(error: unknown): boolean {
  return (
    errnoCode(error) !== undefined ||
    (error instanceof Error && !/^(Type|Range|Reference|Syntax|)Error$/.test(error.name))
  )
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
