import { randomBytes } from 'node:crypto'
import { createPool, migrate } from '@platform-events/postgres'
import type { TestProject } from 'vitest/node'
import { startTestServer } from './embedded-test-server.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Of a login that may create databases. */
    postgresUrl: string
    /** A migrated database to clone. */
    postgresTemplate: string
  }
}

/** One server for the whole run (TEST_DATABASE_URL if set, else embedded), and one migrated template in it. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['TEST_DATABASE_URL']
  const server = given ? undefined : await startTestServer()
  const url = given ?? server!.connectionString
  const template = `platform_events_template_${randomBytes(4).toString('hex')}`
  const admin = createPool({ connectionString: url, applicationName: 'platform-events tests', max: 1 })
  try {
    await admin.query(`create database ${template}`)
    const templateUrl = new URL(url)
    templateUrl.pathname = `/${template}`
    await migrate(templateUrl.href)
  } catch (error) {
    await admin.end()
    await server?.stop()
    throw error
  }
  project.provide('postgresUrl', url)
  project.provide('postgresTemplate', template)
  return async () => {
    await admin.query(`drop database if exists ${template} with (force)`)
    await admin.end()
    await server?.stop()
  }
}
