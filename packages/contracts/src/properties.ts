import type { EventErrorCode } from './error-codes.ts'
import { LIMITS } from './limits.ts'

/**
 * What is wrong with the properties of an event, or null. Their own object is level 1. The recursion ends at the
 * limit, so a depth of 10,000 costs no more than one of 17.
 */
export function propertiesProblem(properties: object): Extract<EventErrorCode, 'too_deep' | 'invalid_number'> | null {
  return problemAt(properties as Record<string, unknown>, 1)
}

function problemAt(value: Record<string, unknown> | unknown[], depth: number): 'too_deep' | 'invalid_number' | null {
  if (depth > LIMITS.JSON_DEPTH) return 'too_deep'
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const problem = problemOf(value[i], depth)
      if (problem !== null) return problem
    }
    return null
  }
  for (const key in value) {
    const problem = problemOf(value[key], depth)
    if (problem !== null) return problem
  }
  return null
}

function problemOf(item: unknown, depth: number): 'too_deep' | 'invalid_number' | null {
  // JSON.parse makes Infinity of 1e400.
  if (typeof item === 'number') return Number.isFinite(item) ? null : 'invalid_number'
  if (typeof item === 'object' && item !== null) return problemAt(item as Record<string, unknown>, depth + 1)
  return null
}
