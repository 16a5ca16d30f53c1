import type { RequestErrorCode } from '@platform-events/contracts'
import {
  answerOf,
  errorAnswers,
  jsonOf,
  type OpenApiPart,
  queryParameters,
  SIGNED_IN,
  schemaOf,
} from '../openapi-part.ts'
import { EXPORT, EXPORT_QUERY, RECEIPT } from './shapes.ts'

const ERRORS: RequestErrorCode[] = [
  'sign_in_required',
  'identity_unavailable',
  'rate_limited',
  'database_unavailable',
  'internal',
]

/** One's own data, for the module's OpenAPI document. */
export const ACCOUNT_OPENAPI: OpenApiPart = {
  paths: {
    '/api/account/export': {
      get: {
        summary:
          'Everything about the caller, of one moment: profile, bookings, conversations, messages, events and so on.',
        description:
          'Streamed, for 15 minutes at most, to a reader who takes 64 kB a second. An answer that breaks off is not whole: ask again. One at a time, ten in an hour.',
        security: SIGNED_IN,
        parameters: queryParameters(EXPORT_QUERY),
        responses: {
          200: {
            description:
              'The document, or a ZIP of one CSV for each table and README.txt. In the CSV, text that begins with = + - @ or a tab or line break has an apostrophe before it; null is an empty field, empty text is "".',
            content: { ...jsonOf('AccountExport'), 'application/zip': {} },
          },
          ...errorAnswers(['invalid_query', ...ERRORS]),
        },
      },
    },
    '/api/account': {
      delete: {
        summary: 'Delete the caller’s account and forget them everywhere. It cannot be undone.',
        description: 'Bookings stay in the books without their customer, events in the counts without their person.',
        security: SIGNED_IN,
        responses: {
          200: answerOf('What was done, without the person in it.', 'ForgetReceipt'),
          ...errorAnswers(['account_kept', ...ERRORS]),
        },
      },
    },
  },
  schemas: { AccountExport: schemaOf(EXPORT), ForgetReceipt: schemaOf(RECEIPT) },
}
