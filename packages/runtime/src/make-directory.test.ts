import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeDirectory } from './make-directory.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'platform-events-'))
})
afterEach(() => rm(folder, { recursive: true }))

test('makes what is absent, twice over and at once, and leaves what is there', async () => {
  const deep = join(folder, 'a', 'b', 'c')
  await Promise.all([makeDirectory(deep), makeDirectory(deep)])
  await makeDirectory(deep)
  await makeDirectory('/')
  expect((await stat(deep)).isDirectory()).toBe(true)
})

test('tells of a file that is in the way', async () => {
  await writeFile(join(folder, 'file'), '')
  await expect(makeDirectory(join(folder, 'file'))).rejects.toMatchObject({ code: 'EEXIST' })
  await expect(makeDirectory(join(folder, 'file', 'a', 'b'))).rejects.toMatchObject({ code: 'ENOTDIR' })
})

test.skipIf(process.platform !== 'linux')('ends where no folder can be made', async () => {
  await expect(makeDirectory('/proc/nothing/data')).rejects.toMatchObject({ code: 'ENOENT' })
})
