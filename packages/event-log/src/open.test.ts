import { createLogger } from '@platform-events/runtime'
import { expect, it } from 'vitest'
import { openDeadLetterTopic } from './open.ts'

const logger = createLogger({ name: 'test', level: 'silent' })

it('has no topic for dead letters on the local log, and never that of the events', () => {
  const open = (settings: object) => openDeadLetterTopic({ DATA_DIR: 'not used', ...settings }, logger)
  const kafka = { KAFKA_BROKERS: '127.0.0.1:9092' }
  expect(open({})).toBeUndefined()
  expect(open(kafka)?.name).toBe('platform.events.dlq.v1')
  expect(open({ ...kafka, KAFKA_DLQ_TOPIC: 'dead' })?.name).toBe('dead')
  expect(() => open({ ...kafka, KAFKA_TOPIC: 'one', KAFKA_DLQ_TOPIC: 'one' })).toThrow('KAFKA_DLQ_TOPIC=one')
  expect(() => open({ ...kafka, KAFKA_DLQ_TOPIC: 'platform.events.v1' })).toThrow('KAFKA_TOPIC')
})
