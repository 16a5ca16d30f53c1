import { spawn } from 'node:child_process'
import { platform } from 'node:os'
import { parse } from 'node:path'

/** An operating system account that a command runs under; only root can choose one. */
export interface Account {
  name: string
  uid: number
  gid: number
}

export interface CommandResult {
  /** The exit code; null when a signal ended it. */
  code: number | null
  stdout: string
  stderr: string
}

/**
 * Runs a command to its end, under another account if one is given.
 *
 * @throws Error with the code of the system call (ENOENT, EACCES, EPERM …) when it could not be started
 */
export async function runCommand(
  command: string,
  args: string[],
  options: { account?: Account | undefined; input?: string } = {},
): Promise<CommandResult> {
  return await new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...surroundings(options.account), stdio: ['pipe', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.on('error', reject)
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.on('close', (code) => resolve({ code, stdout, stderr }))
    // A command that ends without reading its input is no error of ours.
    child.stdin.on('error', () => undefined)
    child.stdin.end(options.input ?? '')
  })
}

/**
 * What every command starts with: not our folder, which the account may not be allowed to enter, and not our
 * environment, where a PGDATA or PGOPTIONS would change what Postgres does.
 */
export function surroundings(account?: Account): {
  cwd: string
  env?: Record<string, string>
  uid?: number
  gid?: number
} {
  return {
    cwd: parse(process.execPath).root,
    ...(platform() === 'win32'
      ? {}
      : { env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' } }),
    ...(account ? { uid: account.uid, gid: account.gid } : {}),
  }
}
