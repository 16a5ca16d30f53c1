import { parentPort } from 'node:worker_threads'
import type { FromWorker, Parts, ToWorker } from './messages.ts'
import { walkOf } from './walks.ts'

parentPort?.on('message', (message: ToWorker) => {
  parentPort!.postMessage(perform(message))
})

function perform(message: ToWorker): FromWorker {
  const { taskId } = message
  try {
    return { taskId, ok: true, value: message.kind === 'tally' ? tally(message) : finish(message) }
  } catch (error) {
    const { message: text, stack } = error instanceof Error ? error : new Error(String(error))
    return { taskId, ok: false, message: text, stack }
  }
}

/** @returns the tally of the parts that this worker took; undefined where its fellows took them all */
function tally({ question, slices, parts }: ToWorker & { kind: 'tally' }): unknown {
  const walk = walkOf(question)
  let sum: unknown
  for (let part = take(parts); part < parts.bounds.length - 1; part = take(parts)) {
    const range = { from: parts.bounds[part]!, to: parts.bounds[part + 1]! }
    const one = walk.tally(question, slices, range)
    sum = sum === undefined ? one : walk.merge(sum, one, question)
  }
  return sum
}

function take({ next }: Parts): number {
  return Atomics.add(next, 0, 1)
}

function finish({ question, tallies }: ToWorker & { kind: 'finish' }): unknown {
  const walk = walkOf(question)
  const some = tallies.filter((one) => one !== undefined) as unknown[]
  const tally = some.slice(1).reduce((sum, one) => walk.merge(sum, one, question), some[0])
  return walk.answer(question, tally)
}
