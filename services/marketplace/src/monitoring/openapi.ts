import { answerOf, errorAnswers, type OpenApiPart, queryParameters, schemaOf } from '../openapi-part.ts'
import { MONITORING, MONITORING_QUERY } from './shapes.ts'

/** Monitoring, for the module's OpenAPI document. */
export const MONITORING_OPENAPI: OpenApiPart = {
  paths: {
    '/api/monitoring': {
      get: {
        summary: 'What operators watch: conversations, guests, bookings, jobs, tables, indexes and queries.',
        security: [{ operator: [] }],
        parameters: queryParameters(MONITORING_QUERY),
        responses: {
          200: answerOf('Hourly figures for a day back; what the database has no table for is absent.', 'Monitoring'),
          ...errorAnswers(['unauthorized', 'invalid_query', 'not_found', 'database_unavailable', 'internal']),
        },
      },
    },
  },
  schemas: { Monitoring: schemaOf(MONITORING) },
}
