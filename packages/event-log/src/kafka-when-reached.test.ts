import { createLogger } from '@platform-events/runtime'
import { expect, it, vi } from 'vitest'
import { makeRecord } from '../../../test/support/event-log-subject.ts'
import { type ConsumeOptions, type EventLog, LogUnavailableError } from './event-log.ts'
import { kafkaWhenReached } from './kafka-when-reached.ts'

const logger = createLogger({ name: 'test', level: 'silent' })
const options: ConsumeOptions = { group: 'group', from: async () => null, onBatch: async (batch) => batch.nextOffset }

/** Stands for Kafka, which is reached as soon as the test says so. */
function fake() {
  const stop = vi.fn(async () => undefined)
  const log = {
    append: vi.fn(async () => undefined),
    consume: vi.fn(async () => ({ stop })),
    lag: vi.fn(async () => []),
    close: vi.fn(async () => undefined),
  } satisfies EventLog
  const state = { reachable: false, opened: 0 }
  const open = async (): Promise<EventLog> => {
    state.opened += 1
    if (!state.reachable) throw new LogUnavailableError('nothing answers')
    return log
  }
  return { log, stop, state, open }
}

it('refuses at once and says why, until Kafka is reached in the background', async () => {
  const { log: kafka, state, open } = fake()
  const log = kafkaWhenReached(open, logger)
  await vi.waitFor(() => expect(log.append([])).rejects.toThrow('nothing answers'))
  await expect(log.lag(async () => null)).rejects.toThrow(LogUnavailableError)
  state.reachable = true
  const record = makeRecord('a')
  await vi.waitFor(() => log.append([record]), { timeout: 5000 })
  expect(kafka.append).toHaveBeenCalledWith([record])
  await log.close()
  expect(kafka.close).toHaveBeenCalledOnce()
})

it('has a consumption wait for Kafka, and one that was stopped meanwhile not begin', async () => {
  const { log: kafka, stop, state, open } = fake()
  const log = kafkaWhenReached(open, logger)
  const kept = await log.consume(options)
  const given = await log.consume({ ...options, group: 'other' })
  await given.stop()
  state.reachable = true
  await vi.waitFor(() => expect(kafka.consume).toHaveBeenCalled(), { timeout: 5000 })
  expect(kafka.consume.mock.calls).toEqual([[options]])
  await kept.stop()
  expect(stop).toHaveBeenCalledOnce()
  await log.close()
})

it('tries no more after a close, and closes what was reached too late', async () => {
  const { log: kafka, state } = fake()
  let reach: (log: EventLog) => void = () => undefined
  const log = kafkaWhenReached(() => {
    state.opened += 1
    return new Promise((resolve) => {
      reach = resolve
    })
  }, logger)
  const closing = log.close()
  reach(kafka)
  await closing
  expect(kafka.close).toHaveBeenCalledOnce()
  await expect(log.append([makeRecord('a')])).rejects.toThrow(LogUnavailableError)
  expect(state.opened).toBe(1)
})
