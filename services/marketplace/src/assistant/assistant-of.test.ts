import { expect, it } from 'vitest'
import { marketplaceSettings } from '../settings.ts'
import { assistantOf } from './assistant-of.ts'

const ASSISTANT_TIMEOUT_MS = 1000

it('is the offline one without an address, and a model behind it with one', () => {
  expect(assistantOf({ ASSISTANT_TIMEOUT_MS })).toMatchObject({ name: 'offline', timeoutMs: 1000 })
  expect(assistantOf({ ASSISTANT_TIMEOUT_MS, ASSISTANT_MODEL: 'small' }).name).toBe('offline')
  const settings = { ASSISTANT_URL: 'http://127.0.0.1:8000/v1', ASSISTANT_MODEL: 'small', ASSISTANT_TIMEOUT_MS }
  expect(assistantOf(settings)).toMatchObject({ name: 'small', timeoutMs: 1000 })
})

it('says that an address needs a model beside it', () => {
  const settings = { ASSISTANT_URL: 'http://127.0.0.1:8000/v1', ASSISTANT_TIMEOUT_MS }
  expect(() => assistantOf(settings)).toThrow('ASSISTANT_URL needs ASSISTANT_MODEL')
})

it('gives up by itself before a proxy in front would, which is after 60 s unless told', () => {
  expect(marketplaceSettings.ASSISTANT_TIMEOUT_MS.parse(undefined)).toBe(50_000)
})
