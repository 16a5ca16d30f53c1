/** A source of events, as the table event_sources has it. */
export interface Source {
  sourceId: number
  name: string
  /** The public key, `pk_…`. */
  writeKey: string
  /** sha256 of the secret key, lower-case hex; null where the source has none. */
  secretKeyHash: string | null
  /** Origins as browsers send them (`https://shop.example`); `*` is any. Bind the public key only. */
  allowedOrigins: string[]
  /** What becomes of a user_id that comes with the public key. The secret key is trusted. */
  userIds: 'trust' | 'verify' | 'drop'
  /** null: no limit. */
  eventsPerSecond: number | null
}

/** The source that a key names, and whether it was the secret one. */
export interface KeyHolder {
  source: Source
  secret: boolean
}

/** How the collector looks up a write key. */
export interface Sources {
  /**
   * @returns null for a key that no enabled source has
   * @throws RequestError database_unavailable when that cannot be said now
   */
  find(key: string): Promise<KeyHolder | null> | KeyHolder | null
}
