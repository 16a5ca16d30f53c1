import { compareQuestion, type Found, stagesOf, storeWorld } from './compare.ts'
import type { World } from './data-sets.ts'
import type { Service } from './service.ts'
import { asInserts } from './store.ts'

/** Makes the world of a difference as small as one that still has it: fewer sets, then fewer events. The database holds it afterwards. */
export async function smallest(service: Service, found: Found): Promise<Found> {
  let best = found
  const types = found.world.sets.at(-1)!
  const retry = async (sets: World['sets']): Promise<boolean> => {
    const world = { ...best.world, sets }
    await storeWorld(service, world)
    const still = await compareQuestion(service, world, sets.flat(), best.question)
    if (still) best = still
    return still !== null
  }
  for (const set of found.world.sets.slice(0, -1)) if (set.length > 0 && (await retry([set, types]))) break
  for (let shrunk = true; shrunk; ) {
    shrunk = false
    const [set = [], ...rest] = best.world.sets
    for (const event of set)
      if (await retry([set.filter((other) => other !== event), ...rest])) {
        shrunk = true
        break
      }
  }
  await storeWorld(service, best.world)
  return best
}

/** A difference as one can try it: rows, segments and the question. */
export function printed({ question, world, difference }: Found): string {
  return [
    `-- ${question.name}: ${difference}`,
    ...stagesOf(world).flatMap(({ events, segments }) => [
      asInserts(events),
      `-- Here the segments of these days are built: ${segments.join(', ') || 'none'}`,
    ]),
    `${question.text};`,
  ].join('\n')
}
