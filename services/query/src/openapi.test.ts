import { EVENT_ERRORS, REQUEST_ERRORS } from '@platform-events/contracts'
import { expect, it } from 'vitest'
import { OPENAPI } from './openapi.ts'

it('names every path of the product', () => {
  expect(Object.keys(OPENAPI.paths).sort()).toEqual(
    [
      '/v1/events',
      '/v1/counts',
      '/v1/funnel',
      '/v1/events/tail',
      '/v1/session',
      '/v1/ledger',
      '/v1/losses',
      '/v1/losses/{id}/acknowledge',
      '/v1/dead-letters',
      '/v1/dead-letters/{id}',
      '/v1/dead-letters/{id}/mend',
      '/v1/dead-letters/{id}/replay',
      '/v1/dead-letters/{id}/give-up',
      '/openapi.json',
      '/livez',
      '/readyz',
      '/metrics',
    ].sort(),
  )
})

it('is JSON whose references all lead somewhere', () => {
  const text = JSON.stringify(OPENAPI)
  const references = [...text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map((match) => match[1]!)
  expect(references.length).toBeGreaterThan(10)
  for (const name of references) expect(OPENAPI.components.schemas).toHaveProperty(name)
})

it('has the closed tables of errors, and names no code outside of them', () => {
  expect(OPENAPI['x-errors']).toBe(REQUEST_ERRORS)
  expect(OPENAPI['x-event-errors']).toBe(EVENT_ERRORS)
})

it('tells the form of each parameter', () => {
  const { parameters } = OPENAPI.paths['/v1/counts'].get
  expect(parameters).toEqual([
    { name: 'from', in: 'query', required: false, schema: expect.objectContaining({ anyOf: expect.any(Array) }) },
    { name: 'to', in: 'query', required: false, schema: expect.objectContaining({ anyOf: expect.any(Array) }) },
  ])
})
