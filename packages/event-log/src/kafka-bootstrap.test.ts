import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { firstToAnswer } from './kafka-bootstrap.ts'

const REFUSES = '127.0.0.1:1'
const ends: (() => void)[] = []

afterEach(() => {
  for (const end of ends.splice(0)) end()
})

async function listen(onConnection: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    ends.push(() => socket.destroy())
    socket.on('error', () => undefined)
    onConnection(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  ends.push(() => server.close())
  return `127.0.0.1:${(server.address() as { port: number }).port}`
}

it('takes the broker that answers, whatever the others do', async () => {
  const frozen = await listen(() => undefined)
  const deadBehindProxy = await listen((socket) => socket.destroy())
  const well = await listen((socket) => socket.on('data', (request) => socket.write(request)))
  expect(await firstToAnswer([frozen, deadBehindProxy, REFUSES, well])).toBe(well)
})

it('takes the first when none answers', async () => {
  const frozen = await listen(() => undefined)
  expect(await firstToAnswer([frozen, REFUSES], false, 50)).toBe(frozen)
})
