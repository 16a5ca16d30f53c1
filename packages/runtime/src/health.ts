/** The state of one part, as /readyz shows it. */
export interface PartHealth {
  ok: boolean
  /** It does its work, but not by its usual way; an operator should look. */
  degraded?: true
  /** Why it is not, or what an operator wants to know of it, in a few words. */
  detail?: string
}

/** Tells the state of a part; may throw. */
export type HealthCheck = () => Promise<PartHealth> | PartHealth

export type Health = Record<string, PartHealth>

const CHECK_DEADLINE_MS = 2000

/**
 * Asks all parts at once; a check that throws or takes longer than 2 s counts as not ok, with its reason.
 *
 * @param behind parts that are told of, but do not decide
 */
export async function checkHealth(
  checks: Record<string, HealthCheck>,
  behind: Record<string, HealthCheck> = {},
): Promise<{ ok: boolean; parts: Health }> {
  const [deciding, others] = await Promise.all([askAll(checks), askAll(behind)])
  return { ok: Object.values(deciding).every((part) => part.ok), parts: { ...deciding, ...others } }
}

async function askAll(checks: Record<string, HealthCheck>): Promise<Health> {
  const asked = Object.entries(checks).map(async ([name, check]) => [name, await ask(check)] as const)
  return Object.fromEntries(await Promise.all(asked))
}

async function ask(check: HealthCheck): Promise<PartHealth> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<PartHealth>((resolve) => {
    timer = setTimeout(() => resolve({ ok: false, detail: `no answer in ${CHECK_DEADLINE_MS} ms` }), CHECK_DEADLINE_MS)
  })
  try {
    return await Promise.race([check(), late])
  } catch (error) {
    return { ok: false, detail: error instanceof Error ? error.message : String(error) }
  } finally {
    clearTimeout(timer)
  }
}
