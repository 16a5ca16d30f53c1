import { parseArgs } from 'node:util'
import type { Ground, Transport } from './schedule.ts'

export interface Settings {
  seed: number
  minutes: number
  transport: Transport
  eventsPerSecond: number
  /** Between two faults, on average. */
  everySeconds: number
  /** Of Kafka. */
  brokers: number
  /** Kinds of faults to leave out, to find out which of them it was. */
  without: string[]
}

/** With the local log, every other seed has a Postgres apart from the process, and thus a connection to break. */
export function groundOf({ transport, seed, brokers }: Settings): Ground {
  if (transport === 'kafka') return { transport, brokers, databaseApart: true }
  return { transport, brokers: 0, databaseApart: seed % 2 === 1 }
}

export const USAGE = `npm run chaos -- [--seed 1] [--minutes 3] [--transport local|kafka] [--rate 200] [--every 3] [--brokers 1]
                [--without kind,kind]

Starts the real processes, sends events through the real tracker, breaks things by the seed, and compares at the end.`

/** @throws Error that says what is wrong with the arguments */
export function parseSettings(args: string[]): Settings {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args,
    options: { seed: text, minutes: text, transport: text, rate: text, every: text, brokers: text, without: text },
  })
  const number = (name: 'seed' | 'minutes' | 'rate' | 'every', otherwise: number, most: number): number => {
    const given = Number(values[name] ?? otherwise)
    if (!(given >= 0 && given <= most)) throw new Error(`--${name} is a number from 0 to ${most}.`)
    return given
  }
  const transport = values.transport ?? 'local'
  if (transport !== 'local' && transport !== 'kafka') throw new Error('--transport is local or kafka.')
  const brokers = values.brokers ?? '1'
  if (brokers !== '1' && brokers !== '3') throw new Error('--brokers is 1 or 3.')
  return {
    seed: number('seed', Date.now() % 100_000, 2 ** 32 - 1),
    minutes: number('minutes', 3, 600),
    transport,
    eventsPerSecond: number('rate', 200, 10_000),
    everySeconds: Math.max(0.1, number('every', 3, 600)),
    brokers: Number(brokers),
    without: values.without?.split(',') ?? [],
  }
}
