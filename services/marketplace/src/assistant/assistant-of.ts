import type { Assistant } from './assistant.ts'
import { offlineAssistant } from './offline.ts'
import { openAiAssistant } from './openai.ts'

/** The assistant that the settings choose: a model behind ASSISTANT_URL, else the offline one. */
export function assistantOf(settings: {
  ASSISTANT_URL?: string | undefined
  ASSISTANT_MODEL?: string | undefined
  ASSISTANT_API_KEY?: string | undefined
  ASSISTANT_TIMEOUT_MS: number
}): Assistant {
  const {
    ASSISTANT_URL: url,
    ASSISTANT_MODEL: model,
    ASSISTANT_API_KEY: apiKey,
    ASSISTANT_TIMEOUT_MS: timeoutMs,
  } = settings
  if (url === undefined) return offlineAssistant(timeoutMs)
  if (model === undefined) throw new AssistantSettingsError()
  return openAiAssistant({ url, model, apiKey, timeoutMs })
}

class AssistantSettingsError extends Error {
  constructor() {
    super('ASSISTANT_URL needs ASSISTANT_MODEL beside it: the name of the model to ask there.')
    this.name = 'AssistantSettingsError'
  }
}
