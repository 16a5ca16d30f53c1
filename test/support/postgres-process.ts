import { startEmbeddedPostgres } from '@platform-events/postgres'
import { createLogger } from '@platform-events/runtime'

// A process of its own that runs embedded Postgres in the folder given, for tests that kill it or run it as another
// user. Prints one line of JSON when the server is ready or has failed; SIGTERM stops both.
const logger = createLogger({ name: 'postgres-process', level: 'silent' })
try {
  const server = await startEmbeddedPostgres({ dataDir: process.argv[2]!, logger })
  process.on('SIGTERM', () => void server.stop().then(() => process.exit(0)))
  setInterval(() => undefined, 1_000)
  console.log(JSON.stringify(server))
} catch (error) {
  console.log(JSON.stringify({ error: (error as Error).name, message: (error as Error).message }))
}
