import { connect as connectPlain, isIP, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'

/** ApiVersions, version 0, with no client id: what every broker answers to everybody, before authentication too. */
const API_VERSIONS = Buffer.from('0000000a0012000000000000ffff', 'hex')

/**
 * Asks all brokers at once and takes the first that answers. kafkajs asks the first of its list, and goes on asking that one, for
 * good, while it accepts connections and answers nothing: frozen, or dead behind a proxy.
 *
 * @param brokers host:port
 * @returns one of them; the first when none answers in time, for kafkajs to say what is wrong with it
 * Source: https://kafka.apache.org/protocol.html#The_Messages_ApiVersions
 */
export async function firstToAnswer(
  brokers: string[],
  ssl: boolean | ConnectionOptions = false,
  withinMs = 3000,
): Promise<string> {
  if (brokers.length === 1) return brokers[0]!
  const sockets: Socket[] = []
  try {
    const asked = brokers.map((broker) => {
      const socket = open(broker, ssl)
      sockets.push(socket)
      return answers(socket, withinMs).then(() => broker)
    })
    return await Promise.any(asked)
  } catch {
    return brokers[0]!
  } finally {
    for (const socket of sockets) socket.destroy()
  }
}

function open(broker: string, ssl: boolean | ConnectionOptions): Socket {
  const [host, port] = [broker.slice(0, broker.lastIndexOf(':')), Number(broker.slice(broker.lastIndexOf(':') + 1))]
  if (ssl === false) return connectPlain(port, host)
  const servername = isIP(host) ? {} : { servername: host }
  return connectTls({ host, port, ...servername, ...(ssl === true ? {} : ssl) })
}

function answers(socket: Socket, withinMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.on('error', reject)
    socket.once('close', () => reject(new Error('closed')))
    socket.once('data', () => resolve())
    setTimeout(() => reject(new Error('no answer')), withinMs).unref()
    socket.write(API_VERSIONS)
  })
}
