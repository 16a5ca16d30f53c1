import { messageFaults } from './faults-in-messages.ts'
import { postgresFaults } from './faults-of-postgres.ts'
import { processFaults } from './faults-of-processes.ts'
import { linkFaults } from './faults-on-links.ts'
import type { Battlefield, Perform, Performed } from './performed.ts'
import type { Fault, FaultKind } from './schedule.ts'

const PERFORM: Record<FaultKind, Perform> = { ...processFaults, ...postgresFaults, ...linkFaults, ...messageFaults }

export function perform(fault: Fault, field: Battlefield): Performed {
  return PERFORM[fault.kind](fault, field)
}
