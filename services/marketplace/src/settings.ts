import { z } from 'zod'

/** What the module takes from the environment, besides what every service does. */
export const marketplaceSettings = {
  /** Of an OpenAI-compatible API, up to and without `/chat/completions`, e.g. https://api.openai.com/v1; absent: the offline assistant. */
  ASSISTANT_URL: z.url().optional(),
  /** Which model to ask there; ASSISTANT_URL needs it. */
  ASSISTANT_MODEL: z.string().min(1).optional(),
  ASSISTANT_API_KEY: z.string().min(1).optional(),
  /** Until the last byte of the model's answer; Node's fetch itself gives up after five minutes of silence. */
  ASSISTANT_TIMEOUT_MS: z.coerce.number().int().min(100).max(300_000).default(60_000),
}
