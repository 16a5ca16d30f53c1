import { setTimeout as sleep } from 'node:timers/promises'
import { type JvmBroker, signalJvmBroker, startJvmBroker, stopJvmBroker } from '../support/kafka-jvm.ts'
import { at } from './random.ts'

export type BrokerFault = 'kill' | 'stop' | 'freeze'

/** The brokers, of which one at a time is away, unless all of Kafka is to be. */
export interface Brokers {
  count: number
  busy(): boolean
  /** @returns the name of the one that is hit */
  hit(how: BrokerFault, share: number, ms: number): { name: string; over: Promise<void> }
  /** So few are left that nothing is acknowledged (of three, one; of one, none), until this resolves. */
  tooFew(until: Promise<unknown>): Promise<void>
}

export function brokersOf(jvms: JvmBroker[]): Brokers {
  let busy = false
  const alone = async (work: () => Promise<unknown>): Promise<void> => {
    busy = true
    await work().finally(() => {
      busy = false
    })
  }
  const nameOf = (jvm: JvmBroker): string => (jvms.length === 1 ? 'broker' : `broker-${jvms.indexOf(jvm) + 1}`)
  return {
    count: jvms.length,
    busy: () => busy,
    hit(how, share, ms) {
      const jvm = at(jvms, share)
      return { name: nameOf(jvm), over: alone(() => away(jvm, how, ms)) }
    },
    tooFew: (until) =>
      alone(async () => {
        const gone = jvms.slice(0, Math.max(1, jvms.length - 1))
        await Promise.all(gone.map((jvm) => stopJvmBroker(jvm, 'SIGKILL')))
        await until
        await Promise.all(gone.map((jvm) => startJvmBroker(jvm)))
      }),
  }
}

async function away(jvm: JvmBroker, how: BrokerFault, ms: number): Promise<void> {
  if (how === 'freeze') signalJvmBroker(jvm, 'SIGSTOP')
  else await stopJvmBroker(jvm, how === 'kill' ? 'SIGKILL' : 'SIGTERM')
  await sleep(ms)
  if (how === 'freeze') signalJvmBroker(jvm, 'SIGCONT')
  else await startJvmBroker(jvm)
}
