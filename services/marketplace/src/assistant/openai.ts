import { type Assistant, AssistantError, type AssistantQuestion } from './assistant.ts'
import { chunksOf } from './chunks.ts'
import { CompletionChunks } from './completion-chunks.ts'
import { instructions } from './instructions.ts'
import { sseData } from './sse-reader.ts'

export interface OpenAiSettings {
  /** Up to and without `/chat/completions`. */
  url: string
  model: string
  /** Absent: no Authorization header, as local servers want it. */
  apiKey?: string | undefined
  timeoutMs: number
}

/**
 * An assistant behind an OpenAI-compatible API: `POST {url}/chat/completions`, always as a stream (OpenAI's API reference, "Create chat
 * completion"), since a model that falls silent is told from one that thinks by nothing else.
 */
export function openAiAssistant(settings: OpenAiSettings): Assistant {
  return {
    name: settings.model,
    timeoutMs: settings.timeoutMs,
    async answer(question, onDelta) {
      try {
        const chunks = new CompletionChunks()
        for await (const data of sseData(await ask(settings, question))) {
          if (data === '[DONE]') break
          const content = chunks.add(data)
          if (content !== '') onDelta(content)
          if (chunks.cut) break
        }
        // Some servers send no [DONE]; none that is whole lacks a finish_reason.
        if (!chunks.finished) throw new AssistantError('cut', 'the stream ended before the answer did')
        return chunks.answer(settings.model)
      } catch (error) {
        if (question.signal.aborted) throw question.signal.reason
        if (error instanceof AssistantError) throw error
        throw new AssistantError('cut', 'the connection to the model ended within the answer', error)
      }
    },
  }
}

/** @returns the stream of a 200 whose body is one of server-sent events; leaving it cancels the request. */
async function ask(settings: OpenAiSettings, question: AssistantQuestion): Promise<AsyncIterable<Uint8Array>> {
  const response = await send(settings, question)
  const type = response.headers.get('content-type') ?? ''
  if (response.status !== 200)
    throw new AssistantError(
      'status',
      `the model's server answers ${response.status}: ${await beginningOf(response, question.signal)}`,
    )
  if (!/^text\/event-stream\b/i.test(type) || response.body === null) {
    const said = await beginningOf(response, question.signal)
    throw new AssistantError('content_type', `the model's server answers in ${type || 'no type'}, no stream: ${said}`)
  }
  return chunksOf(response.body, question.signal)
}

async function send(settings: OpenAiSettings, { messages, locale, signal }: AssistantQuestion): Promise<Response> {
  const { url, model, apiKey } = settings
  try {
    return await fetch(`${url.replace(/\/+$/, '')}/chat/completions`, {
      method: 'POST',
      // Another place is not given the key and what the user wrote.
      redirect: 'error',
      signal,
      headers: {
        'content-type': 'application/json',
        accept: 'text/event-stream',
        ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
      },
      body: JSON.stringify({
        model,
        stream: true,
        stream_options: { include_usage: true },
        messages: [{ role: 'system', content: instructions(locale) }, ...messages],
      }),
    })
  } catch (error) {
    throw new AssistantError('unreachable', `nothing answers at ASSISTANT_URL`, error)
  }
}

/** Enough of what a server said to tell what it wants, and no more than that: it may be a page without end. */
async function beginningOf({ body }: Response, signal: AbortSignal): Promise<string> {
  if (body === null) return ''
  let text = ''
  const decoder = new TextDecoder()
  try {
    for await (const chunk of chunksOf(body, signal)) {
      text += decoder.decode(chunk, { stream: true })
      if (text.length >= 500) break
    }
  } catch {
    // What came before is all that can be told.
  }
  return text.slice(0, 500)
}
