import { z } from 'zod'

/** Settings of whoever answers analyses. */
export const analysisSettings = {
  /** What closed days may take in memory once they are read, in MiB. */
  SEGMENT_CACHE_MB: z.coerce.number().int().min(0).default(256),
  /** Threads that walk events; as many as there are cores, and 2 at most, unless told. */
  WALK_THREADS: z.coerce.number().int().min(1).max(64).optional(),
}

type Settings = z.output<z.ZodObject<typeof analysisSettings>>

/** As the routes take them. */
export function analysisOptions(settings: Settings): {
  segmentCacheBytes: number
  walkEarly: true
  walkThreads?: number
} {
  const { SEGMENT_CACHE_MB, WALK_THREADS } = settings
  return {
    segmentCacheBytes: SEGMENT_CACHE_MB * 1024 ** 2,
    walkEarly: true,
    ...(WALK_THREADS === undefined ? {} : { walkThreads: WALK_THREADS }),
  }
}
