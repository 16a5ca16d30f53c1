import { connect, createServer, type Server, type Socket } from 'node:net'
import { freePort } from './process.ts'

/** An address at which nobody answers until it is opened; then whoever listens at another one of this machine does. */
export interface LateDoor {
  port: number
  open(): Promise<void>
  close(): void
}

/** @param to the host and port behind it */
export async function lateDoor(to: { host: string; port: number }): Promise<LateDoor> {
  const port = await freePort()
  const sockets = new Set<Socket>()
  let server: Server | undefined
  function pass(client: Socket): void {
    const upstream = connect(to.port, to.host)
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      socket.setNoDelay(true).on('error', () => other.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
      socket.pipe(other)
    }
  }
  return {
    port,
    async open() {
      server = createServer(pass).listen(port, '127.0.0.1')
      await new Promise((resolve) => server?.once('listening', resolve))
    },
    close() {
      server?.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
