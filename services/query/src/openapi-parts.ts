import { REQUEST_ERRORS, type RequestErrorCode } from '@platform-events/contracts'
import type { JsonSchema } from './json-schema.ts'
import type { SHAPES } from './openapi-shapes.ts'

export const JSON_TYPE = 'application/json'

export function ref(name: keyof typeof SHAPES | 'Error'): { $ref: string } {
  return { $ref: `#/components/schemas/${name}` }
}

export function json(description: string, name: keyof typeof SHAPES): object {
  return { description, content: { [JSON_TYPE]: { schema: ref(name) } } }
}

/** One response per status, which names the codes that share it. */
export function errors(codes: RequestErrorCode[]): Record<string, object> {
  const byStatus = groupByStatus(codes)
  return Object.fromEntries(
    [...byStatus].map(([status, same]) => [
      status,
      {
        description: same.map((code) => `${code}: ${REQUEST_ERRORS[code].help}`).join('\n'),
        content: { [JSON_TYPE]: { schema: { ...ref('Error'), properties: { code: { enum: same } } } } },
      },
    ]),
  )
}

export function parameters(query: JsonSchema): object[] {
  return Object.entries(query.properties ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    required: false,
    schema,
  }))
}

function groupByStatus(codes: RequestErrorCode[]): Map<number, RequestErrorCode[]> {
  const byStatus = new Map<number, RequestErrorCode[]>()
  for (const code of codes) {
    const { status } = REQUEST_ERRORS[code]
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  return byStatus
}
