import { apiAccess } from './access.ts'
import { CliError, type VerbInput } from './verb.ts'

/** Asks the query side. @throws CliError with its message and help, or that nothing answers */
export async function askApi(
  input: VerbInput,
  path: string,
  init: { method?: string; body?: object; headers?: Record<string, string> } = {},
): Promise<Response> {
  const { url, token } = await apiAccess(input)
  let answer: Response
  try {
    answer = await fetch(url + path, {
      method: init.method ?? 'GET',
      headers: {
        authorization: `Bearer ${token}`,
        ...(init.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...init.headers,
      },
      ...(init.body === undefined ? {} : { body: JSON.stringify(init.body) }),
      signal: input.context.signal,
    })
  } catch (error) {
    throw new CliError(`Nothing answers at ${url}.`, 'Run `npm start`, or give the right --url.', error)
  }
  if (answer.ok) return answer
  const said = await answer.json().catch(() => ({}))
  throw new CliError(`${answer.status} ${said.code ?? ''}: ${said.message ?? answer.statusText}`, said.help)
}
