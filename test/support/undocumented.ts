import { z } from 'zod'
import { MARKETPLACE_OPENAPI } from '../../services/marketplace/src/openapi.ts'

interface Documented {
  responses: Record<string, { content?: Record<string, { schema: { $ref: string } }> }>
}

/**
 * For tests: what is wrong with an answer by the marketplace's OpenAPI document: its status, a field that is missing, of another form, or not told of.
 *
 * @param path as in the document: /api/x/{id}
 * @param body JSON, as it came
 */
export function undocumented(method: string, path: string, answer: { status: number; body: unknown }): string[] {
  const operation = MARKETPLACE_OPENAPI.paths[path]?.[method.toLowerCase()] as Documented | undefined
  const response = operation?.responses[answer.status]
  if (response === undefined) return [`${method} ${path} may not answer ${answer.status}`]
  const reference = response.content?.['application/json']?.schema.$ref
  if (reference === undefined) return answer.body === '' ? [] : [`${method} ${path} ${answer.status} has no body`]
  const schema = MARKETPLACE_OPENAPI.components.schemas[reference.split('/').at(-1)!]
  const result = z.fromJSONSchema(closed(schema) as Parameters<typeof z.fromJSONSchema>[0]).safeParse(answer.body)
  return result.success ? [] : result.error.issues.map(({ path: at, message }) => `${at.join('.')}: ${message}`)
}

/** An object's fields are those that are told of, where the schema does not say that there are others. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed)
  if (typeof schema !== 'object' || schema === null) return schema
  const inside = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]))
  return 'properties' in inside ? { additionalProperties: false, ...inside } : inside
}
