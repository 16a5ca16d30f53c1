import { setTimeout as sleep } from 'node:timers/promises'
import type { DeadLetterDesk } from './dead-letter-desk.ts'
import type { Fault } from './schedule.ts'
import type { System } from './system.ts'
import type { Traffic } from './traffic.ts'

export interface Battlefield {
  system: System
  traffic: Traffic
  letters: DeadLetterDesk
}

/** What a fault is as it begins, and its end. */
export interface Performed {
  /** One line: whom it hits and how. */
  says: string
  /** Resolves when it is over and undone; with something to add to the line, where that is known only then. */
  over: Promise<string | undefined>
  /** The target was down already. */
  passedOver?: boolean
}

/** Does one fault. Everything that it breaks is whole again when `over` resolves, but what the system must mend itself. */
export type Perform = (fault: Fault, field: Battlefield) => Performed

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

export async function nothing(): Promise<undefined> {}

export async function during(ms: number, begin: () => void, end: () => void): Promise<undefined> {
  begin()
  await sleep(ms)
  end()
}
