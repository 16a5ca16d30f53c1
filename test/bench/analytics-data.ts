import { createHash } from 'node:crypto'
import { BinaryCopy, copyIn, type Pool } from '@platform-events/postgres'
import { type Random, randomOf } from '../chaos/random.ts'

export interface AnalyticsDataOptions {
  /** In all, over the days. */
  rows: number
  days: number
  users: number
  /** Properties of about 290 bytes; without it none. */
  properties: boolean
  seed: number
  /** The last of the days ends here; milliseconds since 1970, a UTC midnight. */
  endMs: number
  onDay?: (day: number) => void
}

/** The five steps of the booking funnel, 61 % of the events, and nine more. */
const TYPES: [name: string, weight: number][] = [
  ['SearchStarted', 0.3],
  ['ProfessionalViewed', 0.16],
  ['CheckoutStarted', 0.07],
  ['PaymentAttempted', 0.045],
  ['BookingConfirmed', 0.035],
  ['LeadReceived', 0.12],
  ['JobStatusChanged', 0.08],
  ['LeadAccepted', 0.05],
  ['ReviewSubmitted', 0.04],
  ['LeadDeclined', 0.03],
  ['PayoutInitiated', 0.03],
  ['Cancellation', 0.02],
  ['DisputeOpened', 0.012],
  ['DisputeResolved', 0.008],
]
const CITIES = ['Bogotá', 'Medellín', 'Cali', 'Barranquilla', 'Cartagena', 'Bucaramanga', 'Pereira', 'Manizales']
const SERVICES = ['cleaning', 'plumbing', 'painting', 'electricity', 'gardening', 'moving']
const DAY_MS = 86_400_000
const COLUMNS = 'id, event_type, user_id, session_id, properties, created_at, received_at, source_id, actor_key'
/** What a session of a user who logs in half-way looks like: its first events have no user. */
const LOGS_IN = 0.2

interface Made {
  ms: number
  type: number
  user: number | null
  session: string | null
}

/**
 * Fills platform_events as a shop would have over these days: users of very different activity, sessions of 1 to 20 events, 38 % of the
 * events without a user, 3 % without a session; then the hourly counts and the session map, which a consumer would have written.
 */
export async function fillWithEvents(pool: Pool, options: AnalyticsDataOptions): Promise<void> {
  const random = randomOf(options.seed)
  const perDay = Math.round(options.rows / options.days)
  const firstMs = options.endMs - options.days * DAY_MS
  const copy = new BinaryCopy(64 << 20)
  let over: Made[] = []
  for (let day = 0; day < options.days; day++) {
    const dayMs = firstMs + day * DAY_MS
    await pool.query(`select events_internal.create_day($1::date)`, [new Date(dayMs).toISOString().slice(0, 10)])
    const events = over
    over = []
    while (events.length < perDay) addSession(random, dayMs, options.users, events, over)
    await copyDay(pool, copy, events.slice(0, perDay), random, options.properties)
    options.onDay?.(day)
  }
  await pool.query(`insert into events_internal.event_rollup_hourly (hour, event_type, shard, n)
    select date_trunc('hour', created_at, 'UTC'), event_type, 0, count(*) from public.platform_events group by 1, 2`)
  await pool.query(`insert into events_internal.session_users (session_id, session_key, user_id, user_key, first_created_at, first_id)
    select distinct on (session_id) session_id, events_internal.actor_key(null, session_id), user_id, actor_key, created_at, id
      from public.platform_events where user_id is not null and session_id is not null
     order by session_id, created_at, id`)
  await pool.query('vacuum (freeze, analyze) public.platform_events')
  await pool.query('analyze events_internal.session_users')
}

function addSession(random: Random, dayMs: number, users: number, events: Made[], over: Made[]): void {
  const user = random() < 0.62 ? Math.floor(random() ** 2 * users) : null
  const logsInAt = user !== null && random() < LOGS_IN ? Math.floor(random() * 4) : 0
  const session = random() < 0.03 ? null : uuid(random)
  let ms = dayMs + Math.floor(random() * DAY_MS)
  const length = 1 + Math.floor(random() ** 1.5 * 20)
  for (let i = 0; i < length; i++) {
    const event = { ms, type: typeOf(random()), user: i < logsInAt && session !== null ? null : user, session }
    if (ms < dayMs + DAY_MS) events.push(event)
    else over.push(event)
    ms += Math.floor(random() ** 2 * 600_000)
  }
}

async function copyDay(pool: Pool, copy: BinaryCopy, events: Made[], random: Random, wide: boolean): Promise<void> {
  copy.begin()
  events.sort((a, b) => a.ms - b.ms)
  for (const { ms, type, user, session } of events) {
    const micros = ms * 1000 + Math.floor(random() * 1000)
    const userId = user === null ? null : userIdOf(user)
    copy.row(9)
    copy.uuid(uuidv7(ms, random))
    copy.text(TYPES[type]![0])
    if (userId === null) copy.null()
    else copy.uuid(userId)
    if (session === null) copy.null()
    else copy.text(session)
    copy.jsonb(Buffer.from(wide ? JSON.stringify(wideProperties(random)) : '{}'))
    copy.timestamptz(micros)
    copy.timestamptz(micros + 40_000)
    copy.int2(1)
    const key = actorKey(userId, session)
    if (key === null) copy.null()
    else copy.int8(key)
  }
  const client = await pool.connect()
  try {
    await copyIn(client, `copy public.platform_events (${COLUMNS}) from stdin (format binary)`, copy.finish())
  } finally {
    client.release()
  }
}

function wideProperties(random: Random): object {
  return {
    pro_id: `pro-${Math.floor(random() ** 2 * 5000)}`,
    city: pick(random, CITIES),
    service: pick(random, SERVICES),
    price: Math.floor(random() * 400) * 1000,
    availability_score: Math.floor(random() * 100) / 100,
    badges: random() < 0.5 ? ['verified', 'top'] : ['verified'],
    device: pick(random, ['mobile', 'desktop', 'tablet']),
    lat: 6.2442 + random() / 100,
    experiment: pick(random, ['ranking-a', 'ranking-b']),
    url: `https://example.com/professionals?page=${Math.floor(random() * 50)}&from=campaign`,
    request: uuid(random),
  }
}

const CUMULATIVE = TYPES.map(
  (
    (sum) =>
    ([, weight]) =>
      (sum += weight)
  )(0),
)

function typeOf(share: number): number {
  const found = CUMULATIVE.findIndex((limit) => share < limit)
  return found === -1 ? TYPES.length - 1 : found
}

function pick<T>(random: Random, from: T[]): T {
  return from[Math.floor(random() * from.length)]!
}

const keys = new Map<string, bigint>()

/** As events_internal.actor_key. Users come again and again, so their keys are kept. */
function actorKey(userId: string | null, session: string | null): bigint | null {
  if (userId === null) return session === null ? null : hashOf(`s:${session}`)
  const known = keys.get(userId) ?? hashOf(`u:${userId}`)
  keys.set(userId, known)
  return known
}

function hashOf(text: string): bigint {
  return createHash('sha256').update(text).digest().readBigInt64BE()
}

function userIdOf(user: number): string {
  return `00000000-0000-4000-8000-${user.toString(16).padStart(12, '0')}`
}

function uuid(random: Random): string {
  const hex = (digits: number): string =>
    Math.floor(random() * 16 ** digits)
      .toString(16)
      .padStart(digits, '0')
  return `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`
}

function uuidv7(ms: number, random: Random): string {
  const hex = ms.toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7${uuid(random).slice(15)}`
}
