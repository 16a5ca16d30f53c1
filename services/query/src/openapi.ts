import { EVENT_ERRORS, REQUEST_ERRORS, type RequestErrorCode } from '@platform-events/contracts'
import { ANALYSIS_PATHS, ANALYSIS_SHAPES, questionParameter } from './openapi-analyses.ts'
import { OPERATOR_PATHS } from './openapi-operator-paths.ts'
import { errors, JSON_TYPE, json, parameters, ref } from './openapi-parts.ts'
import { SHAPES } from './openapi-shapes.ts'

const WRITE_KEY = [{ write_key: [] }, { write_key_basic: [] }, { write_key_query: [] }]
const READER = [{ bearer: [] }, { session: [] }]
const READER_ERRORS: RequestErrorCode[] = ['unauthorized', 'forbidden', 'database_unavailable', 'internal']

/** The whole HTTP interface as OpenAPI 3.1; `x-errors` and `x-event-errors` are the closed tables of codes. */
export const OPENAPI = {
  openapi: '3.1.0',
  info: {
    title: 'platform-events',
    version: '1',
    description: 'Event analytics: send events, count them, ask funnels, watch them come.',
    license: { name: 'MIT', identifier: 'MIT' },
  },
  paths: {
    '/v1/events': {
      post: {
        summary: 'Send one event, or a batch; a verdict for every event that is not accepted.',
        security: WRITE_KEY,
        requestBody: {
          required: true,
          content: Object.fromEntries(
            [JSON_TYPE, 'text/plain'].map((type) => [type, { schema: { anyOf: [ref('Event'), ref('Batch')] } }]),
          ),
        },
        responses: {
          202: json('What is not listed as rejected is durably in the event log.', 'IngestAnswer'),
          ...errors([
            'invalid_json',
            'invalid_batch',
            'invalid_encoding',
            'missing_write_key',
            'unknown_write_key',
            'origin_not_allowed',
            'payload_too_large',
            'too_many_events',
            'unsupported_media_type',
            'unsupported_encoding',
            'rate_limited',
            'internal',
            'log_unavailable',
            'database_unavailable',
            'identity_unavailable',
          ]),
        },
      },
    },
    ...ANALYSIS_PATHS,
    '/v1/counts': {
      ...ANALYSIS_PATHS['/v1/counts']!,
      get: {
        summary: 'Events per type, most frequent first; the last 30 days unless told. Both ends inclusive.',
        description: 'With ?q= what POST answers, and nothing of from and to.',
        security: READER,
        parameters: [...parameters(SHAPES.CountsQuery), questionParameter({ name: 'EventCounts' }, false)],
        responses: {
          200: {
            description: 'The counts.',
            content: {
              [JSON_TYPE]: { schema: { anyOf: [ref('Counts'), { $ref: '#/components/schemas/EventCounts' }] } },
            },
          },
          ...errors(['invalid_query', 'invalid_json', 'overloaded', 'query_timeout', ...READER_ERRORS]),
        },
      },
    },
    '/v1/events/tail': {
      get: {
        summary: 'The last events, then every new one as it is stored, as server-sent events.',
        description:
          'Events named `event` carry a TailEvent and its id; `problem` an error while the stream goes on; `recovered` its end.',
        security: READER,
        parameters: parameters(SHAPES.TailQuery),
        responses: {
          200: {
            description: 'A stream without end.',
            content: { 'text/event-stream': { schema: ref('TailEvent') } },
          },
          ...errors(['invalid_query', 'rate_limited', ...READER_ERRORS]),
        },
      },
    },
    '/v1/session': {
      post: {
        summary: 'Exchange an operator token for an HttpOnly session cookie of 12 hours.',
        security: [{ bearer: [] }],
        responses: {
          204: { description: 'Set-Cookie has the session.' },
          ...errors(['unauthorized', 'database_unavailable', 'internal']),
        },
      },
      delete: {
        summary: 'Take the session cookie away.',
        responses: { 204: { description: 'Gone.' }, ...errors(['cross_origin']) },
      },
    },
    ...OPERATOR_PATHS,
    '/openapi.json': { get: { summary: 'This.', responses: { 200: { description: 'OpenAPI 3.1.' } } } },
    '/livez': { get: { summary: 'Whether the process runs.', responses: { 200: { description: 'It does.' } } } },
    '/readyz': {
      get: {
        summary: 'The state of every part, with its reason.',
        responses: { 200: json('All well.', 'Health'), 503: json('Some part is not.', 'Health') },
      },
    },
    '/metrics': {
      get: { summary: 'Figures for Prometheus.', responses: { 200: { description: 'Text format 0.0.4.' } } },
    },
  },
  components: {
    schemas: {
      ...SHAPES,
      ...ANALYSIS_SHAPES,
      Error: {
        type: 'object',
        required: ['code', 'message', 'help', 'retryable'],
        properties: {
          code: { enum: Object.keys(REQUEST_ERRORS) },
          message: { type: 'string' },
          help: { type: 'string' },
          retryable: { type: 'boolean' },
        },
      },
    },
    securitySchemes: {
      write_key: { type: 'http', scheme: 'bearer', description: 'A public (pk_…) or secret (sk_…) write key.' },
      write_key_basic: { type: 'http', scheme: 'basic', description: 'The write key as the user name.' },
      write_key_query: { type: 'apiKey', in: 'query', name: 'write_key' },
      bearer: { type: 'http', scheme: 'bearer', description: 'An operator token (op_…), or the JWT of an admin.' },
      session: { type: 'apiKey', in: 'cookie', name: 'platform_events_session' },
    },
  },
  'x-errors': REQUEST_ERRORS,
  'x-event-errors': EVENT_ERRORS,
}
