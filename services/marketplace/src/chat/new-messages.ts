interface Said {
  role: string
  content: string
}

/**
 * What of the messages sent is not stored yet. A client sends the whole conversation again, or its end, or only what is new: the end of what is
 * stored is looked for at the beginning of what is sent. Where it is not there, new is what follows the last message of the assistant, for the
 * user cannot have written anything before it that was not sent then.
 *
 * @param stored the end of the conversation, oldest first
 * @param sent oldest first
 */
export function newMessages<Sent extends Said>(stored: Said[], sent: Sent[]): Sent[] {
  const known = Math.max(overlap(stored, sent), overlapBeforeUnseen(stored, sent))
  const rest = sent.slice(known)
  // What the assistant said is stored already, or it did not say it.
  return rest.slice(rest.findLastIndex(({ role }) => role === 'assistant') + 1)
}

/** The most messages that are both the end of `stored` and the beginning of `sent`. */
function overlap(stored: Said[], sent: Said[]): number {
  for (let length = Math.min(stored.length, sent.length); length > 0; length -= 1) {
    const end = stored.slice(-length)
    if (end.every(({ role, content }, at) => role === sent[at]!.role && content === sent[at]!.content)) return length
  }
  return 0
}

/**
 * The same where the client never saw the last answer, and so sends the conversation without it. Only for one that sends the conversation: the
 * same short question twice ("yes") is no history.
 */
function overlapBeforeUnseen(stored: Said[], sent: Said[]): number {
  const seen = stored.slice(0, stored.findLastIndex(({ role }) => role === 'user') + 1)
  const length = overlap(seen, sent)
  const isHistory = sent.slice(0, length).some(({ role }) => role === 'assistant')
  return isHistory && length < sent.length ? length : 0
}
