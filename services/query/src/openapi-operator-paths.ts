import type { RequestErrorCode } from '@platform-events/contracts'
import { errors, JSON_TYPE, json, parameters, ref } from './openapi-parts.ts'
import { SHAPES } from './openapi-shapes.ts'

const OPERATOR = [{ bearer: [] }]
const ERRORS: RequestErrorCode[] = ['unauthorized', 'database_unavailable', 'query_timeout', 'internal']
const ONE = { name: 'id', in: 'path', required: true, schema: { type: 'integer', minimum: 1 } }

/** What only the bearer of an operator token may ask: no JWT, and no session cookie but where it says so. */
export const OPERATOR_PATHS = {
  '/v1/ledger': {
    get: {
      summary: 'The delivery ledger by UTC day of receipt and source; the last 7 days unless told, both inclusive.',
      description:
        'received = accepted + rejected; accepted = stored + duplicate + dead_lettered + quarantined + in_flight, at every moment.',
      security: [...OPERATOR, { session: [] }],
      parameters: parameters(SHAPES.LedgerQuery),
      responses: {
        200: json('The newest day first, the sums, and what lies in the spools.', 'Ledger'),
        ...errors(['invalid_query', ...ERRORS]),
      },
    },
  },
  '/v1/losses': {
    get: {
      summary: 'Loss events: gaps between what was stored and what the log still has. Newest first, 500 at most.',
      security: OPERATOR,
      parameters: parameters(SHAPES.LossesQuery),
      responses: {
        200: json('Those that wait for an operator; with `all` the others too.', 'Losses'),
        ...errors(['invalid_query', ...ERRORS]),
      },
    },
  },
  '/v1/losses/{id}/acknowledge': {
    post: acting(
      'Say that you have seen a loss event: /readyz speaks of it until then.',
      'Acknowledgement',
      'Acknowledged',
    ),
  },
  '/v1/dead-letters': {
    get: {
      summary: 'Acknowledged events that could not be stored, newest first; those that are not resolved, unless told.',
      security: OPERATOR,
      parameters: parameters(SHAPES.DeadLettersQuery),
      responses: {
        200: json('A page; `next` is the `before` of the next one.', 'DeadLetters'),
        ...errors(['invalid_query', ...ERRORS]),
      },
    },
  },
  '/v1/dead-letters/{id}': {
    get: {
      summary: 'One dead letter with its bytes as text.',
      security: OPERATOR,
      parameters: [ONE],
      responses: { 200: json('The letter.', 'DeadLetter'), ...errors(['not_found', ...ERRORS]) },
    },
  },
  '/v1/dead-letters/{id}/mend': {
    post: acting("Put another line in the place of a dead letter's; what came is kept.", 'Mending', 'DeadLetterAnswer'),
  },
  '/v1/dead-letters/{id}/replay': {
    post: acting(
      'Store the event of a dead letter, as the consumer would; asking twice stores it once.',
      'Replaying',
      'DeadLetterAnswer',
    ),
  },
  '/v1/dead-letters/{id}/give-up': {
    post: acting('Resolve a dead letter without storing it.', 'GivingUp', 'DeadLetterAnswer'),
  },
}

function acting(summary: string, body: keyof typeof SHAPES, answer: keyof typeof SHAPES): object {
  return {
    summary,
    security: OPERATOR,
    parameters: [ONE],
    requestBody: { required: body === 'Mending', content: { [JSON_TYPE]: { schema: ref(body) } } },
    responses: {
      200: json('What became of it, and as it is now.', answer),
      ...errors([
        'invalid_query',
        'invalid_json',
        'payload_too_large',
        'unsupported_media_type',
        'not_found',
        ...ERRORS,
      ]),
    },
  }
}
