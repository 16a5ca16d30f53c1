import type { RequestErrorCode } from '@platform-events/contracts'
import { ANALYSES } from './analysis/analyses.ts'
import type { Analysis } from './analysis/analysis.ts'
import { type JsonSchema, schemaOf } from './json-schema.ts'
import { errors, JSON_TYPE } from './openapi-parts.ts'

const SECURITY = [{ bearer: [] }, { session: [] }]
const ERRORS: RequestErrorCode[] = [
  ...(['invalid_query', 'invalid_json', 'unauthorized', 'forbidden', 'internal'] as const),
  ...(['database_unavailable', 'overloaded', 'query_timeout'] as const),
]
const POST_ERRORS: RequestErrorCode[] = ['payload_too_large', 'unsupported_media_type', 'cross_origin']

const IF_NONE_MATCH = { name: 'If-None-Match', in: 'header', required: false, schema: { type: 'string' } }
const CLOSED = 'Only where all days of the range are closed: the answer stays the same until one is opened again.'

export const ANALYSIS_SHAPES: Record<string, JsonSchema> = Object.fromEntries(
  ANALYSES.flatMap(({ name, request, answer }) => [
    [`${name}Request`, schemaOf(request)],
    [name, schemaOf(answer)],
  ]),
)

/** Both ways to ask each of the analyses. */
export const ANALYSIS_PATHS: Record<string, { get: object; post: object }> = Object.fromEntries(
  ANALYSES.map((one) => [`/v1/${one.path}`, { get: asking(one), post: posting(one) }]),
)

/** What GET answers with ?q=. */
function asking(one: Analysis): object {
  return {
    summary: one.summary,
    description: 'The same as POST, for what may keep answers.',
    security: SECURITY,
    parameters: [questionParameter(one, true), IF_NONE_MATCH],
    responses: { ...answers(one), ...errors(ERRORS) },
  }
}

function posting(one: Analysis): object {
  return {
    summary: one.summary,
    security: SECURITY,
    parameters: [IF_NONE_MATCH],
    requestBody: { required: true, content: { [JSON_TYPE]: { schema: shape(`${one.name}Request`) } } },
    responses: { ...answers(one), ...errors([...ERRORS, ...POST_ERRORS]) },
  }
}

export function questionParameter(one: Pick<Analysis, 'name'>, required: boolean): object {
  return {
    name: 'q',
    in: 'query',
    required,
    description: 'The question as JSON, URL-encoded.',
    content: { [JSON_TYPE]: { schema: shape(`${one.name}Request`) } },
  }
}

function answers({ name, csv }: Analysis): object {
  return {
    200: {
      description: 'The answer; rates are fractions of 1, times ISO 8601 in UTC.',
      headers: {
        ETag: { description: CLOSED, schema: { type: 'string' } },
        'Cache-Control': { description: 'no-store, or with an ETag: private, no-cache.', schema: { type: 'string' } },
      },
      content: {
        [JSON_TYPE]: { schema: shape(name) },
        'text/csv': { schema: { type: 'string', description: `A header and a line a row: ${csv.columns.join(', ')}` } },
      },
    },
    304: { description: 'The client has this answer already, by its If-None-Match.' },
  }
}

function shape(name: string): { $ref: string } {
  return { $ref: `#/components/schemas/${name}` }
}
