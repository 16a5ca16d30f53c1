import { REQUEST_ERRORS } from '@platform-events/contracts'
import { ACCOUNT_OPENAPI } from './account/openapi.ts'
import { CHAT_OPENAPI } from './chat/openapi.ts'
import { GUEST_OPENAPI } from './guest/openapi.ts'
import { MONITORING_OPENAPI } from './monitoring/openapi.ts'
import type { OpenApiPart } from './openapi-part.ts'

/** Every part's own; a new part adds its line. */
const PARTS: OpenApiPart[] = [CHAT_OPENAPI, GUEST_OPENAPI, ACCOUNT_OPENAPI, MONITORING_OPENAPI]

/** The module's HTTP interface as OpenAPI 3.1; `x-errors` is the closed table of codes. */
export const MARKETPLACE_OPENAPI = {
  openapi: '3.1.0',
  info: {
    title: 'platform-events marketplace',
    version: '1',
    description: 'The assistant, guest checkout, one’s own data: beside the events of a marketplace.',
    license: { name: 'MIT', identifier: 'MIT' },
  },
  paths: {
    ...Object.assign({}, ...PARTS.map((part) => part.paths)),
    '/api/openapi.json': { get: { summary: 'This.', responses: { 200: { description: 'OpenAPI 3.1.' } } } },
  } as OpenApiPart['paths'],
  components: {
    schemas: {
      ...Object.assign({}, ...PARTS.map((part) => part.schemas)),
      Error: {
        type: 'object',
        required: ['code', 'message', 'help', 'retryable'],
        properties: {
          code: { enum: Object.keys(REQUEST_ERRORS) },
          message: { type: 'string' },
          help: { type: 'string' },
          retryable: { type: 'boolean' },
        },
      },
    } as OpenApiPart['schemas'],
    securitySchemes: {
      platform_jwt: {
        type: 'http',
        scheme: 'bearer',
        description: 'The JWT that the platform gave the signed-in user.',
      },
      guest_token: { type: 'http', scheme: 'bearer', description: 'The session_token of a live guest session.' },
      guest_token_header: { type: 'apiKey', in: 'header', name: 'x-guest-session-token' },
      operator: { type: 'http', scheme: 'bearer', description: 'An operator token (op_…), or the JWT of an admin.' },
    },
  },
  'x-errors': REQUEST_ERRORS,
}
