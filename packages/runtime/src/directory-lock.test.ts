import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { DirectoryLockedError, lockDirectoryNow } from './directory-lock.ts'

let directory: string
let path: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lock-'))
  path = join(directory, 'lock')
})

afterEach(() => rm(directory, { recursive: true }))

it('is held by one at a time, in the same process too, and names the pid', () => {
  const lock = lockDirectoryNow(directory)
  expect(() => lockDirectoryNow(directory)).toThrow(DirectoryLockedError)
  expect(() => lockDirectoryNow(directory)).toThrow(`process ${process.pid};`)
  lock.release()
  lockDirectoryNow(directory).release()
  expect(readdirSync(directory)).toEqual([])
})

it('takes over what a dead process left', async () => {
  const child = spawn(process.execPath, ['-e', ''])
  await once(child, 'exit')
  writeFileSync(path, JSON.stringify({ pid: child.pid, started: null, token: 'x' }))
  lockDirectoryNow(directory).release()
})

it.skipIf(!existsSync('/proc/self/stat'))('takes over when another program has the pid now', () => {
  writeFileSync(path, JSON.stringify({ pid: process.pid, started: 'an earlier boot 1', token: 'x' }))
  lockDirectoryNow(directory).release()
})

it('takes over a file that is no lock, as a crash of the machine may leave one', () => {
  writeFileSync(path, '')
  lockDirectoryNow(directory).release()
})

it('leaves alone a lock that is no longer its own', () => {
  const lock = lockDirectoryNow(directory)
  writeFileSync(path, JSON.stringify({ pid: 1, started: null, token: 'of another' }))
  lock.release()
  expect(readFileSync(path, 'utf8')).toContain('of another')
})
