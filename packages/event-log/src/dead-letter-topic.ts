/** A topic beside the event log that tells of dead letters whoever listens to it. Kafka only. */
export interface DeadLetterTopic {
  readonly name: string

  /**
   * Reaches Kafka, and makes the topic where it is absent. Once it did so it does nothing more.
   *
   * @throws LogUnavailableError when Kafka is not reached, or the topic would lose letters by its settings
   */
  open(): Promise<void>

  /**
   * Resolves when all in-sync replicas have the letters, about 1 MB of them at most. A letter that is larger than the topic allows
   * goes without its value, and its header `value_omitted` says how many bytes it had.
   *
   * @throws LogUnavailableError when they could not be published; some of them may be on the topic all the same
   */
  publish(letters: DeadLetterMessage[]): Promise<void>

  close(): Promise<void>
}

export interface DeadLetterMessage {
  /** null: any topic partition will do. */
  key: Buffer | null
  value: Buffer
  headers: Record<string, string>
}
