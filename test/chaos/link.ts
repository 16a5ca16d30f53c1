import type { TcpProxy } from './tcp-proxy.ts'

/** All connections between two kinds of parts, to be broken together. */
export type Link = Pick<TcpProxy, 'cut' | 'slow' | 'silent' | 'noAnswer'>

/** Clients to collectors, services to Postgres, collectors to Kafka, consumers to Kafka. */
export type LinkName = 'door' | 'database' | 'append' | 'fetch'

export function linkOf(proxies: TcpProxy[]): Link {
  const each = (act: (proxy: TcpProxy) => void): void => {
    for (const proxy of proxies) act(proxy)
  }
  return {
    cut: () => proxies.reduce((sum, proxy) => sum + proxy.cut(), 0),
    slow: (delayMs) => each((proxy) => proxy.slow(delayMs)),
    silent: (on) => each((proxy) => proxy.silent(on)),
    noAnswer: (on) => each((proxy) => proxy.noAnswer(on)),
  }
}
