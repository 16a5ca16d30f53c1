import { z } from 'zod'

/** What the module takes from the environment, besides what every service does. */
export const marketplaceSettings = {
  /** Pages of which other origins may call /api, separated by commas; absent: those of this origin alone. */
  MARKETPLACE_ORIGINS: z
    .string()
    .transform((text) => text.split(',').map((origin) => origin.trim()))
    .pipe(z.array(z.string().regex(/^https?:\/\/[^/\s]+$/, 'origins, https://shop.example.com,https://…')))
    .default([]),
  /** Who may say by X-Forwarded-For where a request comes from: how many proxies stand in front, or their addresses separated by commas. */
  TRUST_PROXY: z
    .string()
    .transform((text) => (/^\d+$/.test(text) ? Number(text) : text))
    .optional(),
  /** Of an OpenAI-compatible API, up to and without `/chat/completions`, e.g. https://api.openai.com/v1; absent: the offline assistant. */
  ASSISTANT_URL: z.url().optional(),
  /** Which model to ask there; ASSISTANT_URL needs it. */
  ASSISTANT_MODEL: z.string().min(1).optional(),
  ASSISTANT_API_KEY: z.string().min(1).optional(),
  /**
   * Until the last byte of the model's answer. Less than the 60 s after which nginx and its like give up, so that the caller is told why; Node's
   * fetch itself gives up after five minutes of silence.
   */
  ASSISTANT_TIMEOUT_MS: z.coerce.number().int().min(100).max(300_000).default(50_000),
}
