import { compareQuestion, type Found, stagesOf, storeWorld } from './compare.ts'
import type { World } from './data-sets.ts'
import type { Service } from './service.ts'
import { asInserts } from './store.ts'

/** It takes no longer than this: what is found then is small, if not smallest. */
const LONGEST_MS = 20_000

/** Makes the world of a difference as small as one that still has it: fewer sets, then fewer events. The database holds it afterwards. */
export async function smallest(service: Service, found: Found): Promise<Found> {
  let best = found
  const deadline = performance.now() + LONGEST_MS
  const retry = async (sets: World['sets'], gone = best.world.gone): Promise<boolean> => {
    if (performance.now() > deadline) return false
    const world = { ...best.world, sets, gone }
    await storeWorld(service, world)
    const still = await compareQuestion(service, world, sets.flat(), best.question)
    if (still) best = still
    return still !== null
  }
  const types = found.world.sets.at(-1)!
  await retry(best.world.sets, [])
  // Most differences are of one set. What is counted over all of them may want several.
  let isOne = false
  for (const set of found.world.sets.slice(0, -1)) isOne ||= set.length > 0 && (await retry([set, types]))
  if (!isOne)
    for (const set of found.world.sets.slice(0, -1)) await retry(best.world.sets.filter((other) => other !== set))
  for (let shrunk = true; shrunk; ) {
    shrunk = false
    for (const event of best.world.sets.slice(0, -1).flat())
      shrunk = (await retry(best.world.sets.map((set) => set.filter((other) => other !== event)))) || shrunk
  }
  await storeWorld(service, best.world)
  return best
}

/** A difference as one can try it: rows, segments and the question. */
export function printed({ question, world, difference }: Found): string {
  return [
    `-- ${question.name}: ${difference}`,
    ...stagesOf(world).flatMap(({ events, segments, gone }) => [
      asInserts(events),
      `-- Here the segments of these days are built: ${segments.join(', ') || 'none'}`,
      ...gone.map(({ id }) => `delete from public.platform_events where id = '${id}';`),
    ]),
    `${question.text};`,
  ].join('\n')
}
