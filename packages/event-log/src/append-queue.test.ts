import { expect, it } from 'vitest'
import { AppendQueue } from './append-queue.ts'

const MiB = 1024 * 1024

function heldQueue(): { queue: AppendQueue<string>; groups: string[][]; letGo(): void } {
  const groups: string[][] = []
  let letGo = (): void => undefined
  const held = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const queue = new AppendQueue<string>({
    groupBytes: MiB,
    lingerMs: 0,
    failTogether: false,
    async write(items) {
      groups.push(items)
      await held
    },
  })
  return { queue, groups, letGo }
}

it('has no more bytes wait than its bound, and takes appends again when the log does', async () => {
  const { queue, groups, letGo } = heldQueue()
  const taken = [queue.append(['first'], MiB)]
  await expect.poll(() => groups).toEqual([['first']])
  for (let waiting = 0; waiting < 32; waiting++) taken.push(queue.append([`${waiting}`], MiB))
  await expect(queue.append(['too much'], 1)).rejects.toThrow('the log is behind: 33554432 bytes wait for it')
  letGo()
  await Promise.all(taken)
  await queue.append(['later'], MiB)
  expect(groups.flat()).toHaveLength(34)
  expect(groups.flat()).not.toContain('too much')
})

it('writes groups of its size at most, an append alone where it is larger', async () => {
  const { queue, groups, letGo } = heldQueue()
  letGo()
  await Promise.all([
    queue.append(['a'], MiB / 2),
    queue.append(['b'], MiB / 2),
    queue.append(['c'], 1),
    queue.append(['d', 'e'], 2 * MiB),
    queue.append(['f'], 1),
  ])
  expect(groups).toEqual([['a', 'b'], ['c'], ['d', 'e'], ['f']])
})
