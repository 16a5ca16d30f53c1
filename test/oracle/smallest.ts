import type { Pool } from '@platform-events/postgres'
import { compareQuestion, type Found, storeWorld } from './compare.ts'
import type { World } from './data-sets.ts'

/** Makes the world of a difference as small as one that still has it: fewer sets, then fewer events. The database holds it afterwards. */
export async function smallest(pool: Pool, found: Found): Promise<Found> {
  let best = found
  const types = found.world.sets.at(-1)!
  const retry = async (sets: World['sets']): Promise<boolean> => {
    const world = { ...best.world, sets }
    await storeWorld(pool, world)
    const still = await compareQuestion(pool, world, best.question)
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
  await storeWorld(pool, best.world)
  return best
}
