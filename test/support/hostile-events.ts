import fc from 'fast-check'

/** What a hostile or broken client may post: bodies (JSON text) made of fields that are right, odd, or nonsense. */
export function hostileBodies(nowMs: number): fc.Arbitrary<string> {
  const event = fc.record(
    {
      id: mostly(fc.oneof(uuidv7(nowMs), fc.uuid()), nonsense),
      event_type: mostly(text, nonsense),
      user_id: mostly(fc.option(fc.uuid()), nonsense),
      session_id: mostly(fc.option(text), nonsense),
      properties: mostly(properties, nonsense),
      created_at: mostly(fc.option(times(nowMs)), nonsense),
      stream: mostly(fc.option(fc.uuid()), nonsense),
      seq: mostly(fc.option(fc.nat({ max: 2_147_483_647 })), nonsense),
    },
    { requiredKeys: ['event_type'] },
  )
  const batch = fc.record({
    batch: mostly(fc.array(event, { minLength: 1, maxLength: 12 }), nonsense),
    sent_at: mostly(fc.option(times(nowMs)), nonsense),
  })
  return fc
    .tuple(fc.oneof({ weight: 4, arbitrary: batch }, { weight: 2, arbitrary: event }, nonsense), fc.boolean(), damage)
    .map(([value, escaped, damaged]) => damaged(escaped ? escapeAll(JSON.stringify(value)) : JSON.stringify(value)))
}

const mostly = <T, U>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<U>): fc.Arbitrary<T | U> =>
  fc.oneof({ weight: 30, arbitrary: usual }, { weight: 1, arbitrary: odd })

const nonsense = fc.oneof(
  fc.constantFrom('', ' ', 'yesterday', '__proto__', '00000000-0000-0000-0000-000000000000', -1, 1e308, 5e-324, true),
  fc.jsonValue({ maxDepth: 3 }),
)

const text = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 128 }),
  fc.constantFrom(
    'A',
    'B',
    '\0',
    'a\0b',
    '\ud800',
    'x\udc00',
    '😀'.repeat(64),
    '\\.',
    '\u001b[2J',
    '<script>',
    'é'.repeat(128),
  ),
)

/** Some within the late window, some anywhere in the years that ISO 8601 can say, and their edges. */
function times(nowMs: number): fc.Arbitrary<string> {
  const day = 86_400_000
  return fc.oneof(
    fc.integer({ min: nowMs - 8 * day, max: nowMs + day }).map((ms) => new Date(ms).toISOString()),
    fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 }).map((ms) => new Date(ms).toISOString()),
    fc.constantFrom(
      '0001-01-01T00:00:00Z',
      '0099-12-31T23:59:59.000001Z',
      '2285-06-05T23:47:34.740993Z',
      '9999-12-31T23:59:59.998999Z',
      '9999-12-31T23:59:59.999999Z',
      '9999-12-31T23:59:59-00:01',
      '0001-01-01T00:00:00+23:59',
    ),
  )
}

/** With a time of about now, or any that its 48 bits can say. */
function uuidv7(nowMs: number): fc.Arbitrary<string> {
  const time = fc.oneof(
    fc.integer({ min: nowMs - 691_200_000, max: nowMs + 600_000 }),
    fc.integer({ min: 0, max: 2 ** 48 - 1 }),
  )
  return fc.tuple(time, fc.uuid()).map(([ms, uuid]) => {
    const hex = ms.toString(16).padStart(12, '0')
    return `${hex.slice(0, 8)}-${hex.slice(8)}-7${uuid.slice(15)}`
  })
}

const properties = fc.oneof(
  fc.dictionary(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.constantFrom('__proto__', 'constructor', 'toJSON', 'pro_id'),
    ),
    fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' }),
    { maxKeys: 5 },
  ),
  fc.record({
    pro_id: fc.oneof(text, fc.constantFrom('é'.repeat(9000), '\u0001'.repeat(200), 'x'.repeat(33_000), null)),
  }),
)

/** Cuts or doubles the text, rarely. */
const damage = fc.oneof(
  { weight: 20, arbitrary: fc.constant((body: string) => body) },
  {
    weight: 1,
    arbitrary: fc
      .double({ min: 0, max: 1, noNaN: true })
      .map((at) => (body: string) => body.slice(0, body.length * at)),
  },
  { weight: 1, arbitrary: fc.constant((body: string) => body + body) },
)

function escapeAll(json: string): string {
  return json.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
