import { EVENT_ERRORS, REQUEST_ERRORS } from '@platform-events/contracts'
import { expect, it } from 'vitest'
import { ANALYSES } from './analysis/analyses.ts'
import { OPENAPI } from './openapi.ts'

interface Operation {
  summary: string
  security?: Record<string, unknown>[]
  parameters?: { name: string; in: string; required?: boolean; schema?: object; content?: object }[]
  requestBody?: { content: Record<string, { schema: object }> }
  responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>
}

const METHODS = ['get', 'post', 'put', 'delete', 'patch', 'head', 'options']
// As it goes over the wire: what is no JSON has fallen out.
const document = JSON.parse(JSON.stringify(OPENAPI)) as {
  openapi: string
  info: { title: string; version: string }
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, object>; securitySchemes: Record<string, object> }
}
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
)

it('names every path of the product', () => {
  expect(Object.keys(OPENAPI.paths).sort()).toEqual(
    [
      '/v1/events',
      '/v1/counts',
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
      ...ANALYSES.map(({ path }) => `/v1/${path}`).filter((path) => path !== '/v1/counts'),
    ].sort(),
  )
})

it('is an OpenAPI 3.1 document: what the specification requires of each object is there', () => {
  expect(document.openapi).toMatch(/^3\.1\.\d+$/)
  expect(document.info).toMatchObject({ title: expect.any(String), version: expect.any(String) })
  expect(operations.length).toBeGreaterThan(30)
  for (const { path, method, operation } of operations) {
    expect(path).toMatch(/^\/[\w./{}-]*$/)
    expect(METHODS).toContain(method)
    expect(Object.keys(operation.responses).length).toBeGreaterThan(0)
    for (const [status, response] of Object.entries(operation.responses)) {
      expect(status).toMatch(/^[2-5]\d\d$/)
      expect(response.description).toEqual(expect.any(String))
      for (const media of Object.values(response.content ?? {})) expect(media.schema).toBeTypeOf('object')
    }
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1])
    const told = (operation.parameters ?? []).filter((one) => one.in === 'path').map(({ name }) => name)
    expect(told).toEqual(inPath)
    const names = (operation.parameters ?? []).map((one) => `${one.in} ${one.name}`)
    expect(new Set(names).size).toBe(names.length)
    for (const one of operation.parameters ?? []) {
      expect(['path', 'query', 'header', 'cookie']).toContain(one.in)
      // Either schema or content, and not both (section 4.8.12.2).
      expect(Number(one.schema !== undefined) + Number(one.content !== undefined)).toBe(1)
    }
    for (const scheme of (operation.security ?? []).flatMap((one) => Object.keys(one)))
      expect(document.components.securitySchemes).toHaveProperty(scheme)
  }
})

it('is JSON whose references all lead somewhere', () => {
  const text = JSON.stringify(OPENAPI)
  const references = [...text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map((match) => match[1]!)
  expect(references.length).toBeGreaterThan(10)
  expect(references.length).toBe([...text.matchAll(/"\$ref"/g)].length)
  for (const name of references) expect(OPENAPI.components.schemas).toHaveProperty(name)
})

const TYPES = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null']

it('has schemas that JSON Schema 2020-12 allows', () => {
  const wrong: string[] = []
  const look = (schema: unknown, where: string): void => {
    if (typeof schema === 'boolean') return
    if (typeof schema !== 'object' || schema === null) return void wrong.push(where)
    const { type, properties, required, items, anyOf, oneOf, additionalProperties, pattern } = schema as Record<
      string,
      unknown
    >
    if (type !== undefined && ![type].flat().every((one) => TYPES.includes(one as string))) wrong.push(`${where}: type`)
    if (pattern !== undefined) new RegExp(pattern as string, 'u')
    for (const [name, one] of Object.entries(properties ?? {})) look(one, `${where}.${name}`)
    for (const name of (required as string[] | undefined) ?? [])
      if (!Object.hasOwn((properties as object | undefined) ?? {}, name)) wrong.push(`${where} requires ${name}`)
    if (items !== undefined) look(items, `${where}[]`)
    if (additionalProperties !== undefined) look(additionalProperties, `${where}{}`)
    for (const list of [anyOf, oneOf]) {
      if (list !== undefined && !(Array.isArray(list) && list.length > 0)) wrong.push(`${where}: empty list`)
      for (const [at, one] of ((list as unknown[] | undefined) ?? []).entries()) look(one, `${where}|${at}`)
    }
  }
  for (const [name, schema] of Object.entries(document.components.schemas)) look(schema, name)
  expect(wrong).toEqual([])
})

it('tells the form of every question and answer, as JSON and as CSV, by POST and by GET', () => {
  for (const { path, name, csv } of ANALYSES) {
    const { post, get } = document.paths[`/v1/${path}`]!
    const answer = post!.responses['200']!.content!
    expect(answer['application/json']!.schema).toEqual({ $ref: `#/components/schemas/${name}` })
    expect(JSON.stringify(answer['text/csv'])).toContain(csv.columns.join(', '))
    expect(post!.requestBody!.content['application/json']!.schema).toEqual({
      $ref: `#/components/schemas/${name}Request`,
    })
    expect(get!.parameters!.map((one) => one.name)).toContain('q')
  }
})

it('has the closed tables of errors, and names no code outside of them', () => {
  expect(OPENAPI['x-errors']).toBe(REQUEST_ERRORS)
  expect(OPENAPI['x-event-errors']).toBe(EVENT_ERRORS)
})

it('tells the form of each parameter', () => {
  const { parameters } = OPENAPI.paths['/v1/counts'].get
  const form = { in: 'query', required: false, schema: expect.objectContaining({ anyOf: expect.any(Array) }) }
  expect(parameters.slice(0, 2)).toEqual([
    { name: 'from', ...form },
    { name: 'to', ...form },
  ])
})
