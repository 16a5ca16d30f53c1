import type { Access } from './access.ts'

/** The few lines that `npm start` prints when all parts are ready. */
export function welcome(
  access: Access,
  facts: { dataDir: string; isDefaultDir: boolean; transport: string; database: string; ms: number },
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
    `  Ask        ${facts.isDefaultDir ? '' : `DATA_DIR=${facts.dataDir} `}npx platform-events funnel SearchStarted ProfessionalViewed CheckoutStarted`,
    `  Data       ${facts.dataDir} (keys: access.json; log lines: platform-events.log)`,
    `  Stop       Ctrl-C`,
    '',
  ].join('\n')
}
