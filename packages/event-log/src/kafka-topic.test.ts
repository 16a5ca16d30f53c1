import { expect, it } from 'vitest'
import { problemsOf } from './kafka-topic.ts'

it('finds nothing wrong with the settings that Kafka gives a topic by itself', () => {
  const settings = {
    'retention.ms': '604800000',
    'max.message.bytes': '1048588',
    'unclean.leader.election.enable': 'false',
  }
  expect(problemsOf(new Map(Object.entries(settings)), 3)).toEqual([])
  expect(problemsOf(new Map([['retention.ms', '-1']]), 3)).toEqual([])
})

it('names each setting that may lose events', () => {
  const settings = {
    'retention.ms': '3600000',
    'max.message.bytes': '100000',
    'min.insync.replicas': '1',
    'unclean.leader.election.enable': 'true',
  }
  const problems = problemsOf(new Map(Object.entries(settings)), 3)
  for (const name of Object.keys(settings)) expect(problems.join('\n')).toContain(name)
  expect(problems.length).toBe(4)
})
