import type { Link, LinkName } from './link.ts'
import { during, nothing, type Perform, type Performed, seconds } from './performed.ts'
import type { Fault } from './schedule.ts'

type How = 'cut' | 'slow' | 'silent' | 'no_answer'

export const linkFaults = {
  ...onLink('door', 'clients and collector', 'collectors take requests'),
  ...onLink('database', 'services and Postgres', 'Postgres takes statements'),
  ...onLink('append', 'collectors and Kafka', 'Kafka takes what collectors append'),
  ...onLink('fetch', 'consumers and Kafka', 'Kafka takes what consumers ask'),
}

function onLink<Name extends LinkName>(
  name: Name,
  between: string,
  whoAnswers: string,
): Record<`${Name}_${How}`, Perform> {
  const on = (act: (link: Link, fault: Fault) => Performed): Perform => {
    return (fault, { system }) => act(system.links[name]!, fault)
  }
  const faults: Record<string, Perform> = {
    [`${name}_cut`]: on((link) => ({ says: `${between}: ${link.cut()} connections cut`, over: nothing() })),
    [`${name}_slow`]: on((link, { lastsMs, target }) => {
      const delayMs = Math.round(50 + target * 450)
      return {
        says: `${between}: ${delayMs} ms slower each way for ${seconds(lastsMs)}`,
        over: during(
          lastsMs,
          () => link.slow(delayMs),
          () => link.slow(0),
        ),
      }
    }),
    [`${name}_silent`]: on((link, { lastsMs }) => ({
      says: `${between}: connections half-open for ${seconds(lastsMs)}`,
      over: during(
        lastsMs,
        () => link.silent(true),
        () => link.silent(false),
      ),
    })),
    [`${name}_no_answer`]: on((link, { lastsMs }) => ({
      says: `${whoAnswers}, the answers are cut off, for ${seconds(lastsMs)}`,
      over: during(
        lastsMs,
        () => link.noAnswer(true),
        () => link.noAnswer(false),
      ),
    })),
  }
  // A computed key of a literal type is a string to TypeScript.
  return faults as Record<`${Name}_${How}`, Perform>
}
