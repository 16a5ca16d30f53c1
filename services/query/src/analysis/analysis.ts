import type { DaySlice } from '@platform-events/analytics'
import type { PoolClient } from '@platform-events/postgres'
import type { z } from 'zod'
import type { Slices } from '../slices/source.ts'
import type { Wanted } from '../slices/wanted.ts'
import type { WalkAnswer, WalkQuestion } from '../walk/questions.ts'
import type { Cell } from './csv.ts'
import type { Range } from './period.ts'

/** What an analysis answers from: one snapshot of the database, and the workers. */
export interface Asking {
  client: PoolClient
  /** Milliseconds since 1970. */
  nowMs: number
  /** The events that a walk wants to see, in the snapshot. */
  read(wanted: Wanted): Promise<Slices>
  walk<Q extends WalkQuestion>(question: Q, slices: DaySlice[]): Promise<WalkAnswer<Q>>
}

/** One kind of question. All that HTTP, CSV and OpenAPI know of it stands here. */
export interface Analysis<Request extends z.ZodType = z.ZodType, Answer = unknown> {
  /** Behind /v1/. */
  path: string
  /** The name of its shapes in /openapi.json: `<name>Request`, `<name>`. */
  name: string
  summary: string
  request: Request
  answer: z.ZodType<Answer>
  /** Where the events lie that make the answer: when all of it is closed, it stays the same. Null where it is made of more than these. */
  range(request: z.output<Request>, nowMs: number): Range | null
  /** @throws RequestError; errors of Postgres, which readOnly knows */
  run(asking: Asking, request: z.output<Request>): Promise<Answer>
  csv: {
    columns: string[]
    rows(answer: Answer): Cell[][]
  }
}

/** An analysis among others: who calls it has parsed the request with the schema beside it. */
export function analysis<Request extends z.ZodType, Answer>(one: Analysis<Request, Answer>): Analysis {
  return one as unknown as Analysis
}
