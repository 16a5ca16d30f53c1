import { once } from 'node:events'
import { createServer } from 'node:net'

/** Finds out that a port is taken before anything else is started. */
export async function requireFreePort(host: string, port: number): Promise<void> {
  const server = createServer()
  server.listen(port, host)
  await once(server, 'listening')
  server.close()
  await once(server, 'close')
}
