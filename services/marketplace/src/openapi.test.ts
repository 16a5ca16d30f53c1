import { createPool } from '@platform-events/postgres'
import { createLogger, createMetrics } from '@platform-events/runtime'
import Fastify from 'fastify'
import { describe, expect, it } from 'vitest'
import { offlineAssistant } from './assistant/offline.ts'
import { MARKETPLACE_OPENAPI } from './openapi.ts'
import { marketplaceRoutes } from './routes.ts'

interface Operation {
  summary: string
  security?: Record<string, unknown>[]
  parameters?: { name: string; in: string }[]
  responses: Record<string, { description: string }>
}

// As it goes over the wire: what is no JSON has fallen out.
const document = JSON.parse(JSON.stringify(MARKETPLACE_OPENAPI)) as {
  openapi: string
  paths: Record<string, Record<string, Operation>>
  components: { schemas: object; securitySchemes: object }
}
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
)

/** Every route of the module, as the document writes it. */
async function routes(): Promise<string[]> {
  const found: string[] = []
  const app = Fastify()
  app.addHook('onRoute', ({ method, url }) => {
    const path = url.replace(/:(\w+)/g, '{$1}')
    for (const one of [method].flat()) if (one !== 'HEAD') found.push(`${one} ${path}`)
  })
  await app.register(
    marketplaceRoutes({
      // Nobody connects to it.
      pool: createPool({ connectionString: 'postgres://nobody@127.0.0.1:1/none', applicationName: 'test' }),
      verifyJwt: async () => null,
      logger: createLogger({ name: 'marketplace', level: 'silent' }),
      metrics: createMetrics(),
      assistant: offlineAssistant(1000),
      origins: [],
      clock: Date.now,
      authorizeOperator: async () => undefined,
    }),
  )
  await app.ready()
  return found
}

describe('the OpenAPI document', () => {
  it('has each route, and nothing else', async () => {
    const told = operations.map(({ path, method }) => `${method.toUpperCase()} ${path}`)
    expect(told.toSorted()).toEqual((await routes()).toSorted())
  })

  it('is one of OpenAPI 3.1: what the specification requires of each operation is there', () => {
    expect(document.openapi).toMatch(/^3\.1\.\d+$/)
    expect(operations.length).toBeGreaterThan(8)
    for (const { path, operation } of operations) {
      expect(operation.summary).toEqual(expect.any(String))
      for (const [status, { description }] of Object.entries(operation.responses)) {
        expect(status).toMatch(/^[2-5]\d\d$/)
        expect(description).toEqual(expect.any(String))
      }
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1])
      const parameters = operation.parameters ?? []
      expect(parameters.filter((one) => one.in === 'path').map(({ name }) => name)).toEqual(inPath)
      const names = parameters.map((one) => `${one.in} ${one.name}`)
      expect(new Set(names).size).toBe(names.length)
      for (const scheme of (operation.security ?? []).flatMap((one) => Object.keys(one)))
        expect(document.components.securitySchemes).toHaveProperty(scheme)
    }
  })

  it('has references that all lead somewhere, and no schema that none leads to', () => {
    const text = JSON.stringify(document)
    const named = [...text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map((match) => match[1]!)
    expect(named.length).toBe([...text.matchAll(/"\$ref"/g)].length)
    expect([...new Set(named)].toSorted()).toEqual(Object.keys(document.components.schemas).toSorted())
  })
})
