import { afterEach, describe, expect, test } from 'vitest'
import { PUBLIC_KEY, SECRET_KEY, type TestCollector, testCollector } from '../../../test/support/collector.ts'
import { platformToken } from '../../../test/support/platform-token.ts'
import type { Source } from './source.ts'

const ANA = '11111111-1111-4111-8111-11111111111a'
const BETO = '22222222-2222-4222-8222-22222222222b'
const GUEST = undefined

let collector: TestCollector
afterEach(() => collector.app.close())

/** Sends one event of each user; answers with the user ids stored and the number dropped. */
async function send(
  options: { policy: Source['userIds']; key?: string; token?: string; bearer?: string },
  users: Array<string | undefined>,
) {
  collector = await testCollector({ source: { userIds: options.policy } })
  const batch = users.map((user_id, seq) => ({ event_type: 'A', user_id, seq }))
  const { status, body } = await collector.post(
    { batch, write_key: options.key ?? PUBLIC_KEY, user_token: options.token },
    options.bearer === undefined ? {} : { authorization: `Bearer ${options.bearer}` },
  )
  expect({ status, accepted: body.accepted }).toEqual({ status: 202, accepted: users.length })
  const events = collector.log.events().sort((a, b) => a.seq! - b.seq!)
  return { users: events.map(({ user_id }) => user_id), dropped: body.user_ids_dropped ?? 0 }
}

const token = platformToken({ sub: ANA })

describe('the public key', () => {
  test('trust: every user_id is kept', async () => {
    expect(await send({ policy: 'trust' }, [ANA, BETO, GUEST])).toEqual({ users: [ANA, BETO, GUEST], dropped: 0 })
  })
  test('drop: none is, and no token changes that', async () => {
    expect(await send({ policy: 'drop', token }, [ANA, BETO, GUEST])).toEqual({
      users: [GUEST, GUEST, GUEST],
      dropped: 2,
    })
  })
  test('verify, without a token: none is', async () => {
    expect(await send({ policy: 'verify' }, [ANA, GUEST])).toEqual({ users: [GUEST, GUEST], dropped: 1 })
  })
  test('verify, with a token in the body: only its user is; an event without user_id is its user’s', async () => {
    expect(await send({ policy: 'verify', token }, [ANA.toUpperCase(), BETO, GUEST])).toEqual({
      users: [ANA, GUEST, ANA],
      dropped: 1,
    })
  })
  test('verify, with a token as Authorization: Bearer', async () => {
    expect(await send({ policy: 'verify', bearer: token }, [ANA, GUEST])).toEqual({ users: [ANA, ANA], dropped: 0 })
  })
  test('trust, with a token: an event without user_id is its user’s', async () => {
    expect(await send({ policy: 'trust', token }, [BETO, GUEST])).toEqual({ users: [BETO, ANA], dropped: 0 })
  })
  test.each([
    ['forged', platformToken({ sub: ANA }, 'another secret, as long as one has to be')],
    ['expired', platformToken({ sub: ANA, exp: 1_000_000_000 })],
    ['without a user', platformToken({ role: 'service_role' })],
    ['whose user is no UUID', platformToken({ sub: 'ana' })],
    ['garbage', 'a.b.c'],
    ['empty', ''],
  ])('verify, with a token that is %s: as without one', async (_, bad) => {
    expect(await send({ policy: 'verify', token: bad }, [ANA, GUEST])).toEqual({ users: [GUEST, GUEST], dropped: 1 })
  })
})

describe('the secret key', () => {
  test.each(['trust', 'verify', 'drop'] as const)('is trusted, also where the public key is to %s', async (policy) => {
    expect(await send({ policy, key: SECRET_KEY }, [ANA, BETO])).toEqual({ users: [ANA, BETO], dropped: 0 })
  })
})

test('user ids dropped are counted', async () => {
  await send({ policy: 'drop' }, [ANA, BETO, GUEST])
  expect(await collector.counted('collector_user_ids_dropped_total')).toBe(2)
})

test('the record’s key is what is left when a user_id was dropped', async () => {
  await send({ policy: 'drop' }, [ANA])
  const [record] = collector.log.records
  expect(record!.key).toBe(collector.log.events()[0]!.id)
})
