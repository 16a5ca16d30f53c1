import { randomBytes } from 'node:crypto'
import { createPool, migrate, migrateMarketplace } from '@platform-events/postgres'
import type { TestProject } from 'vitest/node'
import { startTestServer } from './embedded-test-server.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Of a login that may create databases. */
    postgresUrl: string
    /** A migrated database to clone. */
    postgresTemplate: string
    /** The same with the marketplace in it, or why there is none: only who wants it is told. */
    marketplaceTemplate: { name: string } | { error: string }
  }
}

/** One server for the whole run (TEST_DATABASE_URL if set, else embedded), and migrated templates in it: of the core, and with the marketplace. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['TEST_DATABASE_URL']
  const server = given ? undefined : await startTestServer()
  const url = given ?? server!.connectionString
  const template = `platform_events_template_${randomBytes(4).toString('hex')}`
  const marketplace = `${template}_marketplace`
  const admin = createPool({ connectionString: url, applicationName: 'platform-events tests', max: 1 })
  try {
    await admin.query(`create database ${template}`)
    await migrate(within(url, template))
    await admin.query(`create database ${marketplace} template ${template}`)
    project.provide('marketplaceTemplate', await withMarketplace(url, marketplace))
  } catch (error) {
    await admin.end()
    await server?.stop()
    throw error
  }
  project.provide('postgresUrl', url)
  project.provide('postgresTemplate', template)
  return async () => {
    for (const name of [template, marketplace]) await admin.query(`drop database if exists ${name} with (force)`)
    await admin.end()
    await server?.stop()
  }
}

async function withMarketplace(url: string, name: string): Promise<{ name: string } | { error: string }> {
  try {
    await migrateMarketplace(within(url, name), { development: true })
    return { name }
  } catch (error) {
    return { error: (error as Error).message }
  }
}

function within(url: string, database: string): string {
  const changed = new URL(url)
  changed.pathname = `/${database}`
  return changed.href
}
