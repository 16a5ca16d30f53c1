import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** Passes TCP connections on, and misbehaves when told to. */
export interface TcpProxy {
  port: number
  /** Ends every connection in both directions. @returns how many there were */
  cut(): number
  /** Holds back all that comes, in both directions, for this long; 0 ends it. */
  slow(delayMs: number): void
  /** Connections stay open and nothing gets through; to end it they are cut, since bytes were lost. */
  silent(on: boolean): void
  /** Requests are passed on; whoever answers has its connection cut before the answer is through. */
  noAnswer(on: boolean): void
  close(): Promise<void>
}

/** @param upstreams ports of 127.0.0.1, asked each time; connections go to them in turn */
export async function startTcpProxy(upstreams: () => number[]): Promise<TcpProxy> {
  const pairs = new Set<[Socket, Socket]>()
  let delayMs = 0
  // Counted, because faults overlap: the end of one is not the end of the other.
  let silent = 0
  let noAnswer = 0
  let turn = 0

  const server = createServer((client) => {
    const ports = upstreams()
    const upstream = connect(ports[turn++ % ports.length]!, '127.0.0.1')
    const pair: [Socket, Socket] = [client, upstream]
    pairs.add(pair)
    const end = (): void => {
      pairs.delete(pair)
      client.destroy()
      upstream.destroy()
    }
    for (const socket of pair) {
      socket.setNoDelay(true)
      socket.on('error', end)
      socket.on('close', end)
    }
    pass(client, upstream, () => silent > 0)
    pass(upstream, client, () => {
      if (noAnswer > 0) end()
      return silent + noAnswer > 0
    })
  })

  function pass(from: Socket, to: Socket, swallow: () => boolean): void {
    let last = Promise.resolve()
    const inOrder = (bytes: Buffer | null): void => {
      const due = Date.now() + delayMs
      last = last.then(async () => {
        if (due > Date.now()) await sleep(due - Date.now())
        if (bytes === null) to.end()
        else if (!to.destroyed && !to.write(bytes)) from.pause()
      })
    }
    from.on('data', (bytes: Buffer) => {
      if (!swallow()) inOrder(bytes)
    })
    from.on('end', () => inOrder(null))
    to.on('drain', () => from.resume())
  }

  function cut(): number {
    const { size } = pairs
    for (const sockets of [...pairs]) for (const socket of sockets) socket.destroy()
    return size
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as { port: number }).port,
    cut,
    slow(ms) {
      delayMs = ms
    },
    silent(on) {
      silent += on ? 1 : -1
      if (!on) cut()
    },
    noAnswer(on) {
      noAnswer += on ? 1 : -1
    },
    async close() {
      server.close()
      cut()
      await once(server, 'close')
    },
  }
}
