import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { ActorKeys, actorKey } from './actor-key.ts'

const USER = '7f9c24e8-3b12-4c5d-9e6f-0123456789ab'

describe('actorKey', () => {
  it('is the first 8 bytes of the sha256, signed', () => {
    const digest = createHash('sha256').update(`u:${USER}`).digest()
    expect(actorKey(USER, 'ignored')).toBe(digest.readBigInt64BE(0))
    expect(actorKey(null, 'ñandú')).toBe(createHash('sha256').update('s:ñandú').digest().readBigInt64BE(0))
    expect(actorKey(null, null)).toBeNull()
  })
})

describe('ActorKeys', () => {
  it('answers as actorKey does, however often it forgets', () => {
    const keys = new ActorKeys(3)
    for (let i = 0; i < 50; i++) {
      const name = `session ${(i * 7) % 11}`
      expect(keys.of(null, name)).toBe(actorKey(null, name))
      expect(keys.of(USER, name)).toBe(actorKey(USER, name))
    }
    expect(keys.of(null, null)).toBeNull()
  })
})
