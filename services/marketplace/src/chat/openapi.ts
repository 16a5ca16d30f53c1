import type { RequestErrorCode } from '@platform-events/contracts'
import {
  answerOf,
  errorAnswers,
  ID_PARAMETER,
  jsonOf,
  type OpenApiPart,
  queryParameters,
  SIGNED_IN,
  schemaOf,
} from '../openapi-part.ts'
import { CHAT_LIMITS } from './limits.ts'
import {
  chatAnswer,
  chatBody,
  conversationAnswer,
  conversationsPage,
  conversationsQuery,
  messagesPage,
  messagesQuery,
} from './shapes.ts'

const ERRORS: RequestErrorCode[] = ['sign_in_required', 'identity_unavailable', 'database_unavailable', 'internal']

export const CHAT_OPENAPI: OpenApiPart = {
  paths: {
    '/api/amara/chat': {
      post: {
        summary: 'Ask the assistant; begins a conversation, or continues one.',
        description: `What is sent again of a conversation is not stored again: send all of it, its end, or only what is new. At most ${CHAT_LIMITS.BODY_BYTES / 1024} KB. As server-sent events: \`conversation\` { conversation_id }, \`delta\` { content } for each piece, then \`done\` with the ChatAnswer, or \`error\` with the Error.`,
        security: SIGNED_IN,
        parameters: [
          {
            name: 'Idempotency-Key',
            in: 'header',
            required: false,
            description: 'Made once for each question and sent again with each retry of it: no retry doubles anything.',
            schema: { type: 'string', minLength: 1, maxLength: CHAT_LIMITS.IDEMPOTENCY_KEY_CHARACTERS },
          },
        ],
        requestBody: { required: true, content: jsonOf('ChatBody') },
        responses: {
          200: {
            description: 'The answer.',
            content: { ...jsonOf('ChatAnswer'), 'text/event-stream': { schema: { type: 'string' } } },
          },
          ...errorAnswers([
            'invalid_query',
            'invalid_json',
            'not_found',
            'conversation_closed',
            'conversation_full',
            'idempotency_conflict',
            'request_in_progress',
            'payload_too_large',
            'rate_limited',
            'assistant_failed',
            'assistant_timeout',
            ...ERRORS,
          ]),
        },
      },
    },
    '/api/amara/conversations': {
      get: {
        summary: 'The caller’s conversations, the one that moved last first.',
        security: SIGNED_IN,
        parameters: queryParameters(conversationsQuery),
        responses: {
          200: answerOf('One page of them.', 'Conversations'),
          ...errorAnswers(['invalid_query', ...ERRORS]),
        },
      },
    },
    '/api/amara/conversations/{id}': {
      delete: {
        summary: 'Delete a conversation with its messages.',
        security: SIGNED_IN,
        parameters: [ID_PARAMETER],
        responses: { 204: { description: 'Gone.' }, ...errorAnswers(['not_found', ...ERRORS]) },
      },
    },
    '/api/amara/conversations/{id}/messages': {
      get: {
        summary: 'What was said in a conversation, oldest first.',
        security: SIGNED_IN,
        parameters: [ID_PARAMETER, ...queryParameters(messagesQuery)],
        responses: {
          200: answerOf('One page of it.', 'Messages'),
          ...errorAnswers(['invalid_query', 'not_found', ...ERRORS]),
        },
      },
    },
    '/api/amara/conversations/{id}/close': {
      post: {
        summary: 'Close a conversation: it takes no more messages.',
        security: SIGNED_IN,
        parameters: [ID_PARAMETER],
        responses: { 200: answerOf('It is closed.', 'Conversation'), ...errorAnswers(['not_found', ...ERRORS]) },
      },
    },
  },
  schemas: {
    ChatBody: schemaOf(chatBody),
    ChatAnswer: schemaOf(chatAnswer),
    Conversations: schemaOf(conversationsPage),
    Conversation: schemaOf(conversationAnswer),
    Messages: schemaOf(messagesPage),
  },
}
