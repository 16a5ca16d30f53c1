import { setTimeout as sleep } from 'node:timers/promises'
import type { BrokerFault } from './brokers.ts'
import { paddedEvents } from './made-events.ts'
import type { ManagedProcess } from './managed-process.ts'
import { type Battlefield, nothing, type Perform, type Performed, seconds } from './performed.ts'
import { at } from './random.ts'
import type { Fault } from './schedule.ts'
import type { System } from './system.ts'

const SPOOL_FULL_MS = 20_000

export const processFaults = {
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
  restart: (fault, { system }) =>
    onProcess(fault, system, (target) => ({
      says: `${target.name}: SIGTERM, started again ${seconds(fault.lastsMs)} after its end`,
      over: target.restart(fault.lastsMs).then((how) => `${target.name} ${how}`),
    })),
  add_consumer: ({ lastsMs }, { system }) => ({
    says: `one more consumer for ${seconds(lastsMs)}: two rebalances`,
    over: system.addConsumer!(lastsMs),
  }),
  more_partitions: (_, { system }) => ({
    says: 'Kafka: the topic gets one more topic partition',
    over: system.addTopicPartition!(),
  }),
  broker_kill: (fault, field) => onBroker('kill', fault, field),
  broker_stop: (fault, field) => onBroker('stop', fault, field),
  broker_freeze: (fault, field) => onBroker('freeze', fault, field),
  below_min_insync: ({ lastsMs }, { system }) =>
    onKafka(system, () => ({
      says: `Kafka: two of three brokers killed, below min.insync.replicas for ${seconds(lastsMs)}`,
      over: system.brokers!.tooFew(sleep(lastsMs)).then(nothing),
    })),
  spool_full: (_, { system, traffic }) =>
    onKafka(system, () => {
      const door = system.doors.find(({ spoolsLittle }) => spoolsLittle)!
      const before = traffic.sent.answers503
      const deadline = Date.now() + SPOOL_FULL_MS
      const isFull = (): boolean => traffic.sent.answers503 > before + 5 || Date.now() > deadline
      const full = (async () => {
        while (!isFull()) await Promise.race([traffic.send(paddedEvents(), 'stored', { url: door.url }), sleep(1000)])
      })()
      return {
        says: 'Kafka away until the small spool of collector-2 is full',
        over: system
          .brokers!.tooFew(full)
          .then(() => `${traffic.sent.answers503 - before} answers of 503 with Retry-After`),
      }
    }),
} satisfies Record<string, Perform>

function onProcess({ target }: Fault, { processes }: System, act: (target: ManagedProcess) => Performed): Performed {
  const chosen = at(processes, target)
  if (chosen.state() === 'up') return act(chosen)
  return { says: `${chosen.name} is ${chosen.state()} already: passed over`, over: nothing(), passedOver: true }
}

function onBroker(how: BrokerFault, { target, lastsMs }: Fault, { system }: Battlefield): Performed {
  return onKafka(system, () => {
    const { name, over } = system.brokers!.hit(how, target, lastsMs)
    const says = {
      kill: `${name}: SIGKILL, started again after ${seconds(lastsMs)}`,
      stop: `${name}: stopped in order, started again after ${seconds(lastsMs)}`,
      freeze: `${name}: SIGSTOP for ${seconds(lastsMs)}`,
    }
    return { says: says[how], over: over.then(nothing) }
  })
}

function onKafka({ brokers }: System, act: () => Performed): Performed {
  if (!brokers!.busy()) return act()
  return { says: 'a broker is away already: passed over', over: nothing(), passedOver: true }
}
