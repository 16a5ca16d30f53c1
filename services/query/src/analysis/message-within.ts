import type { z } from 'zod'

/** For a union whose last form is an object: what is wrong within that, where an object came, rather than that it is none of the forms. */
export function messageWithin(form: string): (issue: z.core.$ZodRawIssue) => string {
  return (issue) => {
    const within = issue.code === 'invalid_union' && isObject(issue.input) ? issue.errors.at(-1)?.[0] : undefined
    if (within === undefined) return form
    const what =
      within.code === 'unrecognized_keys' ? `unknown fields: ${within.keys.join(', ').slice(0, 200)}` : within.message
    return within.path.length === 0 ? what : `${within.path.map(String).join('.')}: ${what}`
  }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}
