import { vi } from 'vitest'

/** Waits until the check passes, for as long as a machine that does much else may take. */
export async function soon(check: () => unknown): Promise<void> {
  await vi.waitFor(check, { timeout: 8000, interval: 20 })
}
