import type { AssistantMessage } from '../assistant/assistant.ts'
import { CHAT_LIMITS } from './limits.ts'

/**
 * What the model gets of a conversation: its last messages, as many as fit, and never less than the last one. Answers that are tool calls alone
 * have nothing to read in them.
 *
 * @param messages oldest first
 */
export function historyOf(messages: { role: string; content: string }[]): AssistantMessage[] {
  const readable = messages.filter(isReadable).slice(-CHAT_LIMITS.HISTORY_MESSAGES)
  let characters = 0
  const from = readable.findLastIndex((message, at) => {
    characters += message.content.length
    return characters > CHAT_LIMITS.HISTORY_CHARACTERS && at < readable.length - 1
  })
  return readable.slice(from + 1).map(({ role, content }) => ({ role, content }))
}

/** A `system` message that a user wrote into the own conversation would command the model. */
function isReadable(message: { role: string; content: string }): message is AssistantMessage {
  return (message.role === 'user' || message.role === 'assistant') && message.content !== ''
}
