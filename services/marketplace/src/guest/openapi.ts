import type { RequestErrorCode } from '@platform-events/contracts'
import { answerOf, errorAnswers, jsonOf, type OpenApiPart, SIGNED_IN, schemaOf } from '../openapi-part.ts'
import { BOOKINGS, CONVERSION, CONVERTED, MADE_SESSION, NEW_SESSION, SESSION } from './shapes.ts'

const GUEST = [{ guest_token: [] }, { guest_token_header: [] }]
const ALWAYS: RequestErrorCode[] = ['rate_limited', 'database_unavailable', 'internal']
const BODY: RequestErrorCode[] = ['invalid_json', 'invalid_query', 'payload_too_large']

/** Guest checkout, for the module's OpenAPI document. */
export const GUEST_OPENAPI: OpenApiPart = {
  paths: {
    '/api/guest/session': {
      post: {
        summary: 'Become a guest for 24 hours. Ends the earlier session of this browser for the same email.',
        description:
          'The same answer whether the email is known or not: an email is no proof of anything. With the live token of an earlier session for the ' +
          'same email, that one is replaced and its bookings come along.',
        security: [{}, ...GUEST],
        requestBody: { required: true, content: jsonOf('NewGuestSession') },
        responses: {
          201: answerOf('The session and its token.', 'MadeGuestSession'),
          ...errorAnswers([...BODY, ...ALWAYS]),
        },
      },
      get: {
        summary: 'The live session of a token.',
        security: GUEST,
        responses: {
          200: answerOf('The session.', 'GuestSession'),
          ...errorAnswers(['guest_session_required', ...ALWAYS]),
        },
      },
    },
    '/api/guest/bookings': {
      get: {
        summary: 'The bookings of a live session.',
        security: GUEST,
        responses: {
          200: answerOf('The bookings.', 'GuestBookings'),
          ...errorAnswers(['guest_session_required', ...ALWAYS]),
        },
      },
    },
    '/api/guest/convert': {
      post: {
        summary:
          'After the sign-up: give the guest’s bookings and analytics to the account. The token opens nothing afterwards.',
        description: 'Idempotent for one account.',
        security: SIGNED_IN,
        requestBody: { required: true, content: jsonOf('GuestConversion') },
        responses: {
          200: answerOf('What the account has from the guest.', 'GuestConverted'),
          ...errorAnswers([
            ...BODY,
            'sign_in_required',
            'guest_session_required',
            'already_converted',
            'customer_required',
            'identity_unavailable',
            ...ALWAYS,
          ]),
        },
      },
    },
  },
  schemas: {
    NewGuestSession: schemaOf(NEW_SESSION),
    MadeGuestSession: schemaOf(MADE_SESSION),
    GuestSession: schemaOf(SESSION),
    GuestBookings: schemaOf(BOOKINGS),
    GuestConversion: schemaOf(CONVERSION),
    GuestConverted: schemaOf(CONVERTED),
  },
}
