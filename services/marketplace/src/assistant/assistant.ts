/** One message of a conversation, as a model sees it. */
export interface AssistantMessage {
  role: 'user' | 'assistant'
  content: string
}

export type Locale = 'en' | 'es'

export interface AssistantQuestion {
  /** Oldest first; the last is the user's. */
  messages: AssistantMessage[]
  /** The language to answer in. */
  locale: Locale
  /** Its abort ends the answer; its reason is then what `answer` throws. */
  signal: AbortSignal
}

export interface AssistantAnswer {
  content: string
  /** As the model asked for them: [{ id, type: 'function', function: { name, arguments } }]; null for none. */
  toolCalls: object[] | null
  model: string
  /** The model's own count of tokens, as it gave it; null where it gave none. */
  usage: object | null
  /** Why the answer ended, as the model said: stop, length, tool_calls, content_filter … */
  finishReason?: string
}

/** What an answer has at most, in UTF-16 code units; a longer one is cut there, its end being `length`. */
export const ANSWER_CHARACTERS = 16_000

/** What answers: a model behind HTTP, or the offline one. */
export interface Assistant {
  name: string
  /** Until the last byte of an answer. Whoever asks keeps it, by the signal. */
  timeoutMs: number
  /**
   * @param onDelta called with each piece of the content as it comes, in order
   * @throws AssistantError; the signal's reason
   */
  answer(question: AssistantQuestion, onDelta: (content: string) => void): Promise<AssistantAnswer>
}

/**
 * What went wrong: `unreachable` no connection; `status` an answer that is not 200; `content_type` no stream of events; `invalid` not what the
 * protocol says; `cut` the stream ended before the answer did; `too_large`; `empty` an answer without content and tool calls; `refused` an error
 * that the model told within the stream; `timeout`; `cancelled` nobody waits any more.
 */
export type AssistantErrorKind =
  | 'unreachable'
  | 'status'
  | 'content_type'
  | 'invalid'
  | 'cut'
  | 'too_large'
  | 'empty'
  | 'refused'
  | 'timeout'
  | 'cancelled'

/** The one error of an assistant. Its message is for the log: it may quote what the model's server said. */
export class AssistantError extends Error {
  readonly kind: AssistantErrorKind

  constructor(kind: AssistantErrorKind, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'AssistantError'
    this.kind = kind
  }
}
