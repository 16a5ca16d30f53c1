export { actorKey } from './actor-key.ts'
export { type Consumer, type ConsumerOptions, createConsumer } from './consumer.ts'
export type { AskForDay } from './days.ts'
