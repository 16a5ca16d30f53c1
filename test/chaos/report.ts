import type { Fault } from './schedule.ts'
import type { SentEvents } from './sent-events.ts'
import type { Settings } from './settings.ts'
import type { System } from './system.ts'
import type { Verdict } from './verdict.ts'

/** What a person sees who watches a run. */
export interface Report {
  begin(): void
  started(sent: SentEvents, system: System): void
  fault(fault: Fault, says: string, passedOver: boolean): void
  line(text: string): void
  failed(error: unknown): void
  /** Somebody ends the run before its end: what there is to say so far. */
  stopped(): void
  /** Prints the table. `deaths`: how often a process ended that nobody had killed. @returns whether every check is good */
  verdict(verdict: Verdict, sent: SentEvents, deaths: number): boolean
  /** A failed run leaves its data and logs here. */
  kept(folder: string): void
}

const SHOWN_IDS = 10

export function createReport(settings: Settings): Report {
  const { seed, minutes, transport, brokers, eventsPerSecond, everySeconds, without } = settings
  const left = without.length > 0 ? ` --without ${without}` : ''
  const kafka = transport === 'kafka' ? ` --brokers ${brokers}` : ''
  const again = `npm run chaos -- --seed ${seed} --minutes ${minutes} --transport ${transport}${kafka} --rate ${eventsPerSecond} --every ${everySeconds}${left}`
  const brokersInWords = brokers === 3 ? ' with three brokers' : ''
  const kinds = new Map<string, number>()
  let begun = Date.now()
  let counts = (): string => ''
  let faults = 0
  let passed = 0

  function line(text: string): void {
    const s = (Date.now() - begun) / 1000
    const clock = `${String(Math.floor(s / 60)).padStart(2)}:${(s % 60).toFixed(1).padStart(4, '0')}`
    console.log(`${clock}  ${text.padEnd(86)} ${counts()}`.trimEnd())
  }
  function repeat(): void {
    console.log(`\nThe same faults again:  ${again}`)
  }

  return {
    line,
    begin() {
      console.log(
        `Seed ${seed}, ${minutes} min, transport ${transport}${brokersInWords}, ${eventsPerSecond} events/s, a fault every ${everySeconds} s. Starting …`,
      )
    },
    started(sent, { processes }) {
      begun = Date.now()
      counts = () => `${number(sent.byId.size)} sent, ${number(sent.acknowledged)} acknowledged`
      line(`under attack: ${processes.map(({ name }) => name).join(', ')}`)
    },
    fault({ kind }, says, passedOver) {
      if (passedOver) passed++
      else {
        faults++
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
      }
      line(says)
    },
    kept(folder) {
      console.log(`Data and logs stay in ${folder}`)
    },
    failed(error) {
      console.log(`\nThe run could not be brought to its end: ${error instanceof Error ? error.stack : error}`)
      repeat()
    },
    stopped() {
      console.log(`\nStopped after ${faults} faults: ${counts() || 'it was still starting'}.`)
      console.log('Nothing was compared. Ending and removing everything …')
    },
    verdict(verdict, sent, deaths) {
      console.log()
      row(`faults (${passed} more passed over)`, faults)
      for (const [kind, times] of [...kinds].sort(([a], [b]) => a.localeCompare(b))) row(`  ${kind}`, times)
      row('processes ended by themselves', deaths)
      row('answers of 503', number(sent.answers503))
      row('events sent', number(sent.byId.size))
      row('acknowledged', number(sent.acknowledged))
      row('stored', number(verdict.stored))
      row('dead letters with an id, unresolved', number(verdict.dead))
      row('in quarantine', number(verdict.quarantined))
      for (const [name, count] of verdict.counts) row(name, number(count))
      console.log(`  ${'─'.repeat(62)}`)
      for (const { name, broken } of verdict.checks) row(name, broken.length, broken.length === 0 ? 'ok' : 'BROKEN')
      const broken = verdict.checks.filter((check) => check.broken.length > 0)
      for (const check of broken) {
        console.log(`\n${check.name}:`)
        for (const id of check.broken.slice(0, SHOWN_IDS)) console.log(`  ${id}`)
        if (check.broken.length > SHOWN_IDS) console.log(`  … and ${check.broken.length - SHOWN_IDS} more`)
      }
      if (broken.length > 0) repeat()
      console.log(broken.length === 0 ? '\nNothing lost, nothing twice.' : '\nFAILED')
      return broken.length === 0
    },
  }
}

function row(name: string, value: string | number, mark = ''): void {
  console.log(`  ${name.padEnd(46)}${String(value).padStart(10)}  ${mark}`.trimEnd())
}

function number(value: number): string {
  return value.toLocaleString('en-US')
}
