import { z } from 'zod'

/** As much of a JSON Schema as this service looks into. */
export interface JsonSchema {
  properties?: Record<string, JsonSchema>
  [keyword: string]: unknown
}

/** The JSON Schema (2020-12, as OpenAPI 3.1 has it) of what is sent or answered. */
export function schemaOf(shape: z.ZodType): JsonSchema {
  const { $schema: _dialect, ...schema } = z.toJSONSchema(shape, { io: 'input', unrepresentable: 'any' })
  return schema as JsonSchema
}
