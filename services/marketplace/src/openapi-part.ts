import { REQUEST_ERRORS, type RequestErrorCode } from '@platform-events/contracts'
import { z } from 'zod'

/** What one part of the module answers, for `GET /api/openapi.json`: operations by path (`/api/x/{id}`) and method, and the schemas they name. */
export interface OpenApiPart {
  paths: Record<string, Record<string, object>>
  schemas: Record<string, object>
}

/** Operations of a signed-in user. */
export const SIGNED_IN = [{ platform_jwt: [] }]

/** The JSON Schema (2020-12, as OpenAPI 3.1 has it) of what is sent or answered. */
export function schemaOf(shape: z.ZodType): object {
  const { $schema: _dialect, ...schema } = z.toJSONSchema(shape, { io: 'input', unrepresentable: 'any' })
  return schema
}

/** A body of JSON, by the name of its schema. */
export function jsonOf(name: string): { 'application/json': { schema: { $ref: string } } } {
  return { 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } }
}

/** An answer of JSON, by the name of its schema. */
export function answerOf(description: string, name: string): object {
  return { description, content: jsonOf(name) }
}

/** One parameter for each field of a query; zod's defaults and bounds come with it. */
export function queryParameters(query: z.ZodObject): object[] {
  const { properties } = schemaOf(query) as { properties?: Record<string, object> }
  return Object.entries(properties ?? {}).map(([name, schema]) => ({ name, in: 'query', required: false, schema }))
}

/** The id in a path. */
export const ID_PARAMETER = { name: 'id', in: 'path', required: true, schema: { type: 'string', format: 'uuid' } }

/** One answer per status, which names the codes that share it. */
export function errorAnswers(codes: RequestErrorCode[]): Record<string, object> {
  const statuses = new Set(codes.map((code) => REQUEST_ERRORS[code].status))
  return Object.fromEntries(
    [...statuses].map((status) => {
      const same = codes.filter((code) => REQUEST_ERRORS[code].status === status)
      const schema = { $ref: '#/components/schemas/Error', properties: { code: { enum: same } } }
      return [
        status,
        {
          description: same.map((code) => `${code}: ${REQUEST_ERRORS[code].help}`).join('\n'),
          content: { 'application/json': { schema } },
        },
      ]
    }),
  )
}
