import { isUuid, RequestError } from '@platform-events/contracts'
import { z } from 'zod'

/** A place between two rows in the order of a list: the last row that the caller has. */
export interface Place {
  /** ISO 8601 with microseconds, as Postgres gave it. */
  at: string
  id: string
}

/** The place as text to be given back as it is. */
export function cursorOf({ at, id }: Place): string {
  return Buffer.from(`${at} ${id}`).toString('base64url')
}

/** @throws RequestError invalid_query for a text that `cursorOf` did not make */
export function placeOf(cursor: string | undefined, parameter: string): Place | undefined {
  if (cursor === undefined) return undefined
  const [at = '', id = '', ...rest] = Buffer.from(cursor, 'base64url').toString().split(' ')
  if (rest.length > 0 || !isUuid(id) || !TIME.safeParse(at).success)
    throw new RequestError('invalid_query', `${parameter}: wants the next of the page before`)
  return { at, id }
}

const TIME = z.iso.datetime({ offset: true })
