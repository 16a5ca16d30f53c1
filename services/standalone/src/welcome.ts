import type { Access } from './access.ts'

/** The few lines that `npm start` prints when all parts are ready. */
export function welcome(
  access: Access,
  facts: {
    dataDir: string
    isDefaultDir: boolean
    transport: string
    database: string
    marketplace: boolean
    ms: number
  },
): string {
  const curl =
    `curl -s ${access.url}/v1/events -H 'authorization: Bearer ${access.write_key}' ` +
    `-d '{"event_type":"SearchStarted","session_id":"me","properties":{"city":"Bogotá"}}'`
  const cli = `${facts.isDefaultDir ? '' : `DATA_DIR=${facts.dataDir} `}npx platform-events`
  return [
    '',
    `platform-events is ready after ${(facts.ms / 1000).toFixed(1)} s (log: ${facts.transport}; database: ${facts.database}).`,
    '',
    `  Open       ${access.url}/#token=${access.operator_token}`,
    `  Write key  ${access.write_key}`,
    `  Send one   ${curl}`,
    `  Ask        ${cli} funnel SearchStarted ProfessionalViewed CheckoutStarted`,
    ...(facts.marketplace ? [marketplaceLine(access, cli)] : []),
    `  Data       ${facts.dataDir} (keys: access.json; log lines: platform-events.log)`,
    `  Stop       Ctrl-C`,
    '',
  ].join('\n')
}

function marketplaceLine(access: Access, cli: string): string {
  const user =
    access.jwt_secret === undefined ? '' : `${cli} marketplace user you@example.com makes a user and prints a token; `
  return `  Market     ${user}docs/marketplace.md`
}
