import { cleanStrings } from '@platform-events/contracts'
import { z } from 'zod'
import { ANSWER_CHARACTERS, type AssistantAnswer, AssistantError } from './assistant.ts'

/** `choices` is empty in the chunk that brings `usage`, and some servers leave out what they have nothing to say about. */
const chunkSchema = z.looseObject({
  model: z.string().nullish(),
  choices: z
    .array(
      z.looseObject({
        delta: z
          .looseObject({
            content: z.string().nullish(),
            tool_calls: z
              .array(
                z.looseObject({
                  index: z.int().min(0).max(127).nullish(),
                  id: z.string().nullish(),
                  type: z.string().nullish(),
                  function: z.looseObject({ name: z.string().nullish(), arguments: z.string().nullish() }).nullish(),
                }),
              )
              .nullish(),
          })
          .nullish(),
        finish_reason: z.string().nullish(),
      }),
    )
    .nullish(),
  usage: z.record(z.string(), z.unknown()).nullish(),
  error: z.unknown().optional(),
})

interface ToolCall {
  id: string
  type: string
  function: { name: string; arguments: string }
}

/** Puts the chunks of one streamed chat completion together (OpenAI's API reference, "Streaming": the chat completion chunk object). */
export class CompletionChunks {
  #content = ''
  readonly #toolCalls: ToolCall[] = []
  #model: string | undefined
  #usage: object | null = null
  #finishReason: string | undefined
  #cut = false

  /** Whether the answer had to be cut: what comes then is not wanted. */
  get cut(): boolean {
    return this.#cut
  }

  /** Whether the model has said that its answer is at its end. */
  get finished(): boolean {
    return this.#finishReason !== undefined
  }

  /**
   * @param text one chunk, JSON
   * @returns the piece of content that it brings, as far as an answer may have it
   * @throws AssistantError invalid, refused
   */
  add(text: string): string {
    const chunk = readChunk(text)
    if (chunk.error !== undefined && chunk.error !== null)
      throw new AssistantError('refused', `the model says: ${JSON.stringify(chunk.error).slice(0, 500)}`)
    if (chunk.model) this.#model = chunk.model
    if (chunk.usage) this.#usage = chunk.usage
    const choice = chunk.choices?.[0]
    if (choice?.finish_reason) this.#finishReason = choice.finish_reason
    for (const [at, part] of (choice?.delta?.tool_calls ?? []).entries()) {
      const call = this.#toolCall(part.index ?? at)
      // The id and the name come whole, with the first part; the arguments bit by bit.
      if (part.id) call.id = part.id
      if (part.type) call.type = part.type
      if (part.function?.name) call.function.name = part.function.name
      call.function.arguments += part.function?.arguments ?? ''
    }
    const content = this.#fitting(choice?.delta?.content ?? '')
    this.#content += content
    return content
  }

  /**
   * @param asked the model that was asked, where the chunks name none
   * @throws AssistantError empty
   */
  answer(asked: string): AssistantAnswer {
    const calls = this.#toolCalls.filter((call) => call !== undefined)
    if (this.#content === '' && calls.length === 0)
      throw new AssistantError('empty', `the answer is empty, its end: ${this.#finishReason}`)
    // What a model writes goes to Postgres, too, which refuses NUL and lone surrogates.
    return cleanStrings(
      {
        content: this.#content,
        toolCalls: calls.length === 0 ? null : calls,
        model: this.#model ?? asked,
        usage: this.#usage,
        ...(this.#finishReason !== undefined && { finishReason: this.#finishReason }),
      },
      () => undefined,
    ) as AssistantAnswer
  }

  #fitting(content: string): string {
    const room = ANSWER_CHARACTERS - this.#content.length
    if (content.length <= room) return content
    this.#cut = true
    this.#finishReason = 'length'
    // Not within a character of two code units.
    return content.slice(0, room).replace(/[\ud800-\udbff]$/, '')
  }

  #toolCall(index: number): ToolCall {
    this.#toolCalls[index] ??= { id: '', type: 'function', function: { name: '', arguments: '' } }
    return this.#toolCalls[index]
  }
}

function readChunk(text: string): z.output<typeof chunkSchema> {
  try {
    return chunkSchema.parse(JSON.parse(text))
  } catch (error) {
    throw new AssistantError('invalid', `a chunk of the answer is none: ${text.slice(0, 200)}`, error)
  }
}
