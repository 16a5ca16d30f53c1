export { runCli } from './run.ts'
export type { CliContext } from './verb.ts'
