import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from '@platform-events/postgres'
import { dropEmptyDay } from './drop-day.ts'
import { dayFromToday, eventsAt, poisonedRecord } from './made-events.ts'
import type { ManagedProcess } from './managed-process.ts'
import { at } from './random.ts'
import type { Fault, FaultKind } from './schedule.ts'
import type { Broker, System } from './system.ts'
import type { TcpProxy } from './tcp-proxy.ts'
import type { Traffic } from './traffic.ts'

export interface Battlefield {
  system: System
  traffic: Traffic
  /** Straight to Postgres. */
  pool: Pool
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

type Perform = (fault: Fault, field: Battlefield) => Performed

const DAY_MS = 86_400_000
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

/** Does one fault. Everything that it breaks is whole again when `over` resolves, but what the system must mend itself. */
export function perform(fault: Fault, field: Battlefield): Performed {
  return PERFORM[fault.kind](fault, field)
}

const PERFORM: Record<FaultKind, Perform> = {
  kill: (fault, { system }) =>
    onProcess(fault, system, (target) => ({
      says: `${target.name}: SIGKILL, started again after ${seconds(fault.lastsMs)}`,
      over: target.kill(fault.lastsMs).then(nothing),
    })),
  freeze: (fault, { system }) =>
    onProcess(fault, system, (target) => ({
      says: `${target.name}: SIGSTOP for ${seconds(fault.lastsMs)}`,
      over: target.freeze(fault.lastsMs).then(nothing),
    })),
  add_consumer: ({ lastsMs }, { system }) => ({
    says: `one more consumer for ${seconds(lastsMs)}: two rebalances`,
    over: system.addConsumer!(lastsMs),
  }),
  broker_kill: ({ lastsMs }, { system }) =>
    onBroker(system, (broker) => ({
      says: `broker: SIGKILL, started again after ${seconds(lastsMs)}`,
      over: broker.kill(lastsMs).then(nothing),
    })),
  broker_stop: ({ lastsMs }, { system }) =>
    onBroker(system, (broker) => ({
      says: `broker: stopped in order, started again after ${seconds(lastsMs)}`,
      over: broker.stop(lastsMs).then(nothing),
    })),
  broker_freeze: ({ lastsMs }, { system }) =>
    onBroker(system, (broker) => ({
      says: `broker: SIGSTOP for ${seconds(lastsMs)}`,
      over: broker.freeze(lastsMs).then(nothing),
    })),
  postgres_immediate: ({ lastsMs }, { system }) => ({
    says: `Postgres: SIGQUIT (-m immediate), crash recovery ${seconds(system.database ? lastsMs : 0)} later`,
    over: system.crashPostgres(lastsMs),
  }),
  door_cut: (_, { system }) => cut('clients and collector', system.door),
  door_slow: (fault, { system }) => slow('clients and collector', system.door, fault),
  door_silent: (fault, { system }) => silent('clients and collector', system.door, fault),
  door_no_answer: (fault, { system }) => noAnswer('collector takes requests', system.door, fault),
  database_cut: (_, { system }) => cut('services and Postgres', system.database!),
  database_slow: (fault, { system }) => slow('services and Postgres', system.database!, fault),
  database_silent: (fault, { system }) => silent('services and Postgres', system.database!, fault),
  database_no_answer: (fault, { system }) => noAnswer('Postgres takes statements', system.database!, fault),
  replay: ({ target }, { traffic }) => ({
    says: 'client: an old request again, byte for byte',
    over: traffic.replay(target),
  }),
  odd_clock: oddClock,
  poison({ lastsMs }, { system, traffic }) {
    const { record, good, bad } = poisonedRecord(system.sourceId)
    for (const event of good) traffic.sent.send(event)
    for (const event of bad) traffic.sent.send(event, 'dead')
    const over = system.appendToLog([record], lastsMs).then((how) => {
      for (const { id } of [...good, ...bad])
        if (how.startsWith('passed over')) traffic.sent.byId.delete(id!)
        else traffic.sent.acknowledge(id!)
      return how
    })
    return { says: 'log: a record with 2 good lines, 2 that are no event, 1 that jsonb refuses', over }
  },
  days_dropped({ target }, { pool, traffic }) {
    const past = dayFromToday(-2 - Math.floor(target * 4))
    const drop = async (): Promise<string> => {
      const ahead = dayFromToday(1 + Math.floor(target * 2))
      const did = [await dropEmptyDay(pool, ahead.name), await dropEmptyDay(pool, past.name)]
      // The hot path misses the day, has it made, and goes on.
      await traffic.send(eventsAt(past.noonMs), 'stored')
      return did.join(', ')
    }
    return { says: 'retention: a day ahead and a past one go missing, events for the past one follow', over: drop() }
  },
}

/** Late within the window; far too late; a clock two days ahead, sent twice, the second time by another connection. */
function oddClock({ target }: Fault, { traffic }: Battlefield): Performed {
  const days = 1 + (Math.floor(target * 100) % 5)
  if (target < 0.33)
    return {
      says: `client: 3 events that are ${days} days late`,
      over: traffic.send(eventsAt(Date.now() - days * DAY_MS), 'stored').then(nothing),
    }
  if (target < 0.66)
    return {
      says: `client: 3 events that are ${days + 10} days late, for the quarantine`,
      over: traffic.send(eventsAt(Date.now() - (days + 10) * DAY_MS), 'quarantined').then(nothing),
    }
  const ahead = days * DAY_MS
  const events = eventsAt(Date.now() + ahead)
  const twice = async (): Promise<undefined> => {
    await traffic.send(events, 'stored', ahead)
    await traffic.send(events, 'stored', ahead)
  }
  return { says: `client: 3 events by a clock ${days} days ahead, sent twice`, over: twice() }
}

function onProcess({ target }: Fault, { processes }: System, act: (target: ManagedProcess) => Performed): Performed {
  const chosen = at(processes, target)
  if (chosen.state() === 'up') return act(chosen)
  return { says: `${chosen.name} is ${chosen.state()} already: passed over`, over: nothing(), passedOver: true }
}

function onBroker({ broker }: System, act: (broker: Broker) => Performed): Performed {
  if (!broker!.busy()) return act(broker!)
  return { says: 'the broker is away already: passed over', over: nothing(), passedOver: true }
}

function cut(between: string, proxy: TcpProxy): Performed {
  return { says: `${between}: ${proxy.cut()} connections cut`, over: nothing() }
}

function slow(between: string, proxy: TcpProxy, { lastsMs, target }: Fault): Performed {
  const delayMs = Math.round(50 + target * 450)
  return {
    says: `${between}: ${delayMs} ms slower each way for ${seconds(lastsMs)}`,
    over: during(
      lastsMs,
      () => proxy.slow(delayMs),
      () => proxy.slow(0),
    ),
  }
}

function silent(between: string, proxy: TcpProxy, { lastsMs }: Fault): Performed {
  return {
    says: `${between}: connections half-open for ${seconds(lastsMs)}`,
    over: during(
      lastsMs,
      () => proxy.silent(true),
      () => proxy.silent(false),
    ),
  }
}

function noAnswer(who: string, proxy: TcpProxy, { lastsMs }: Fault): Performed {
  return {
    says: `${who}, the answers are cut off, for ${seconds(lastsMs)}`,
    over: during(
      lastsMs,
      () => proxy.noAnswer(true),
      () => proxy.noAnswer(false),
    ),
  }
}

async function during(ms: number, begin: () => void, end: () => void): Promise<undefined> {
  begin()
  await sleep(ms)
  end()
}

async function nothing(): Promise<undefined> {}
