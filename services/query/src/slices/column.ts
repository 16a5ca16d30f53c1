import { SOURCE_COLUMN } from '@platform-events/analytics'

/** What a property that is called like SOURCE_COLUMN is called among columns: a name that Postgres cannot hold, and so no property has. */
export const PROPERTY_OF_THAT_NAME = `\0${SOURCE_COLUMN}`

/** The name of the column that has a property's values. */
export function columnOf(property: string): string {
  return property === SOURCE_COLUMN ? PROPERTY_OF_THAT_NAME : property
}
