import { CHAT_LIMITS } from './limits.ts'

interface Said {
  role: string
  content: string
}

/**
 * What of the messages sent is not stored yet. A client sends the whole conversation again, or its end, or only what is new: the end of what is
 * stored is looked for at the beginning of what is sent. Where it is not there, new is what follows the last message of the assistant, for the
 * user cannot have written anything before it that was not sent then.
 *
 * @param stored the end of the conversation, oldest first, as `readEnd` gives it
 * @param sent oldest first
 */
export function newMessages<Sent extends Said>(stored: Said[], sent: Sent[]): Sent[] {
  const isEndAlone = stored.length >= CHAT_LIMITS.MESSAGES_PER_REQUEST
  const known = Math.max(overlap(stored, sent, isEndAlone), overlapBeforeUnseen(stored, sent, isEndAlone))
  const rest = sent.slice(known)
  // What the assistant said is stored already, or it did not say it.
  return rest.slice(rest.findLastIndex(({ role }) => role === 'assistant') + 1)
}

/**
 * How many messages at the beginning of `sent` are stored: the most of them whose last ones are the end of `stored`. Where `stored` is only the
 * end of a long conversation, `sent` may begin before it.
 */
function overlap(stored: Said[], sent: Said[], isEndAlone: boolean): number {
  if (stored.length === 0) return 0
  for (let known = isEndAlone ? sent.length : Math.min(stored.length, sent.length); known > 0; known -= 1) {
    const end = stored.slice(-known)
    const from = known - end.length
    if (end.every(({ role, content }, at) => role === sent[from + at]!.role && content === sent[from + at]!.content))
      return known
  }
  return 0
}

/**
 * The same where the client never saw the last answer, and so sends the conversation without it. Only for one that sends the conversation: the
 * same short question twice ("yes") is no history.
 */
function overlapBeforeUnseen(stored: Said[], sent: Said[], isEndAlone: boolean): number {
  const seen = stored.slice(0, stored.findLastIndex(({ role }) => role === 'user') + 1)
  const length = overlap(seen, sent, isEndAlone)
  const isHistory = sent.slice(0, length).some(({ role }) => role === 'assistant')
  return isHistory && length < sent.length ? length : 0
}
