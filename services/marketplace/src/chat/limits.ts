/** What the chat takes at most; characters are UTF-16 code units, as browsers count them. */
export const CHAT_LIMITS = {
  BODY_BYTES: 256 * 1024,
  /** Of those that are new: a conversation that is sent again may be longer. */
  MESSAGES_PER_REQUEST: 50,
  QUESTION_CHARACTERS: 8000,
  MESSAGES_PER_CONVERSATION: 1000,
  /** What the model sees of a conversation: its end. */
  HISTORY_MESSAGES: 40,
  HISTORY_CHARACTERS: 32_000,
  REQUESTS_PER_MINUTE: 20,
  IDEMPOTENCY_KEY_CHARACTERS: 200,
} as const
