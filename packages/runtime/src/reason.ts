/** What went wrong, in words: also of a host with several addresses none of which answers, whose error has no message. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.message !== '') return error.message
  const first = error instanceof AggregateError ? error.errors[0] : error.cause
  return first === undefined ? error.name : reasonOf(first)
}
