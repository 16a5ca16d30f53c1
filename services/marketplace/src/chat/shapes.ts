import { z } from 'zod'
import { CHAT_LIMITS } from './limits.ts'

const time = z.iso.datetime({ offset: true })

/** An answer of the assistant comes back as it was given, however long; what a user writes is bounded. */
const sentMessage = z.discriminatedUnion('role', [
  z.object({
    role: z.literal('user'),
    content: z
      .string()
      .min(1)
      .max(CHAT_LIMITS.QUESTION_CHARACTERS)
      .refine((text) => text.trim() !== '', 'wants more than blanks'),
  }),
  z.object({ role: z.literal('assistant'), content: z.string() }),
])

export const chatBody = z.strictObject({
  messages: z
    .array(sentMessage)
    .min(1)
    .refine((all) => all.at(-1)?.role === 'user', 'the last message must be the user’s'),
  conversation_id: z.guid().nullish().describe('Absent: a new conversation'),
  locale: z.enum(['en', 'es']).optional().describe('Of the answer; the conversation keeps it'),
  stream: z.boolean().optional().describe('true: server-sent events, as with Accept: text/event-stream'),
})
export type ChatBody = z.output<typeof chatBody>
export type SentMessage = z.output<typeof sentMessage>

const conversation = z.object({
  id: z.uuid(),
  locale: z.enum(['en', 'es']),
  is_active: z.boolean(),
  last_message_at: time,
  created_at: time,
  updated_at: time,
})
export type Conversation = z.output<typeof conversation>

const message = z.object({
  id: z.uuid(),
  role: z.enum(['user', 'assistant', 'system']),
  content: z.string(),
  tool_calls: z.array(z.unknown()).nullable().describe('As the model gave them'),
  metadata: z
    .looseObject({
      model: z.string().optional(),
      usage: z.record(z.string(), z.unknown()).nullish(),
      timestamp: time.optional(),
      latency_ms: z.int().optional(),
      finish_reason: z.string().optional(),
    })
    .nullable(),
  created_at: time,
})
export type Message = z.output<typeof message>

export const chatAnswer = z.object({ conversation_id: z.uuid(), message })
export type ChatAnswer = z.output<typeof chatAnswer>

export const conversationAnswer = z.object({ conversation })

const next = z.string().nullable().describe('For the page behind this one; null on the last')
export const conversationsPage = z.object({ conversations: z.array(conversation), next })
export const messagesPage = z.object({ messages: z.array(message), next })

const limit = (most: number, usual: number) =>
  z.coerce.number().int().min(1).max(most).default(usual).describe('How many at most')

export const conversationsQuery = z.strictObject({
  limit: limit(100, 20),
  before: z.string().optional().describe('The `next` of the page before'),
})
export const messagesQuery = z.strictObject({
  limit: limit(200, 50),
  after: z.string().optional().describe('The `next` of the page before'),
})
