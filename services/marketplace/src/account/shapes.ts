import { z } from 'zod'

export const EXPORT_QUERY = z.strictObject({
  format: z
    .enum(['json', 'zip'])
    .optional()
    .describe('json: one document. zip: one CSV for each table. Without it the Accept header decides.'),
})

export const RECEIPT = z.object({
  receipt_id: z
    .uuid()
    .nullable()
    .describe('Of the receipt that is kept. null: there was no such user, as when it is asked twice.'),
  forgotten_at: z.iso.datetime({ offset: true }),
  places: z.array(
    z.object({
      place: z.string().describe('A table, or what is kept outside of the database.'),
      action: z.string(),
      n: z.number().int().nullable().describe('Rows; null: not reached from here.'),
    }),
  ),
})

/** The names besides these two are those of the registry. */
export const EXPORT = z
  .object({ exported_at: z.iso.datetime({ offset: true }), user_id: z.uuid() })
  .catchall(z.union([z.null(), z.record(z.string(), z.unknown()), z.array(z.record(z.string(), z.unknown()))]))
