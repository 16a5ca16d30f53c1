import type { Pool } from '@platform-events/postgres'
import { Gauge, inTime, type Registry } from '@platform-events/runtime'
import { readMonitoring } from './read-monitoring.ts'
import type { Monitoring } from './shapes.ts'

/** Scrapes of several Prometheus share one look. */
const KEPT_MS = 30_000

/** A scrape waits no longer for Postgres: the other figures must come also while it is away. */
const ANSWER_MS = 2000

type Sample = { labels?: Record<string, string>; value: number | null | undefined }

/** Every gauge, and where it is found. A value that is not there is no sample: zero would say something. */
const GAUGES: { name: string; help: string; label?: string; of: (figures: Monitoring) => Sample[] }[] = [
  {
    name: 'marketplace_conversations_day_count',
    help: 'Conversations begun in the hours of the last day',
    of: (f) => [{ value: sum(f.conversations_per_hour, 'conversations') }],
  },
  {
    name: 'marketplace_conversation_messages_average',
    help: 'Messages of a conversation, 30 days back',
    of: (f) => [{ value: f.messages_per_conversation?.average }],
  },
  {
    name: 'marketplace_conversation_characters_average',
    help: 'Characters of a conversation, 30 days back',
    of: (f) => [{ value: f.conversation_length?.characters_average }],
  },
  {
    name: 'marketplace_conversation_length_minutes',
    help: 'Average minutes from the first to the last message, 30 days back',
    of: (f) => [{ value: f.conversation_length?.minutes_average }],
  },
  {
    name: 'marketplace_chat_error_ratio',
    help: 'Part of the chat requests that failed, in the hours of the last day',
    of: (f) => [{ value: ratio(f.chat_errors_per_hour, 'failed', 'requests') }],
  },
  {
    name: 'marketplace_guest_sessions_day_count',
    help: 'Guest sessions made in the hours of the last day',
    of: (f) => [{ value: sum(f.guest_sessions_per_hour, 'sessions') }],
  },
  {
    name: 'marketplace_guest_conversion_ratio',
    help: 'Part of the guest sessions made in the hours of the last day that became users',
    of: (f) => [{ value: ratio(f.guest_sessions_per_hour, 'converted', 'sessions') }],
  },
  {
    name: 'marketplace_booking_attribution_ratio',
    help: 'Part of the bookings that is traced to a search, 7 days back',
    of: (f) => [{ value: ratio(f.booking_attribution, 'traced', 'bookings') }],
  },
  {
    name: 'marketplace_job_success_ratio',
    help: 'Part of the runs that went well, 90 days back',
    label: 'job',
    of: (f) => (f.jobs ?? []).map(({ job, runs, failed }) => ({ labels: { job }, value: runs && 1 - failed / runs })),
  },
  {
    name: 'marketplace_job_last_success_timestamp_seconds',
    help: 'When the job last ran well',
    label: 'job',
    of: (f) =>
      (f.jobs ?? []).map(({ job, last_good }) => ({
        labels: { job },
        value: last_good === null ? null : Date.parse(last_good) / 1000,
      })),
  },
  {
    name: 'marketplace_overdue_jobs_count',
    help: 'Jobs that did not run well when they should have',
    of: (f) => [{ value: f.jobs?.filter(({ overdue }) => overdue).length }],
  },
  {
    name: 'marketplace_unsent_events_count',
    help: 'Events of the database that platform_events did not take yet',
    of: (f) => [{ value: f.unsent_events }],
  },
  {
    name: 'marketplace_table_size_bytes',
    help: 'Tables with their indexes, the 20 largest',
    label: 'relation',
    of: (f) => f.table_sizes.map(({ relation, bytes }) => ({ labels: { relation }, value: bytes })),
  },
]

/** The figures of monitoring() at the moment of the scrape. While Postgres does not answer they are absent, rather than old. */
export function monitoringMetrics(registry: Registry, pool: Pool, clock: () => number): void {
  let kept: { at: number; figures: Promise<Monitoring | null> } | undefined
  const figures = (): Promise<Monitoring | null> => {
    if (kept !== undefined && clock() - kept.at < KEPT_MS) return kept.figures
    const asked = inTime(readMonitoring(pool, ANSWER_MS), ANSWER_MS, 'Postgres').catch(() => null)
    kept = { at: clock(), figures: asked }
    return asked
  }
  for (const { name, help, label, of } of GAUGES) {
    new Gauge({
      name,
      help,
      labelNames: label === undefined ? [] : [label],
      registers: [registry],
      async collect() {
        const found = await figures()
        this.reset()
        // A gauge without labels is 0 unless it is removed.
        if (label === undefined) this.remove()
        if (found === null) return
        for (const { labels, value } of of(found)) if (typeof value === 'number') this.set(labels ?? {}, value)
      },
    })
  }
}

function sum<Key extends string>(rows: Record<Key, number>[] | undefined, key: Key): number | undefined {
  return rows?.reduce((total, row) => total + row[key], 0)
}

function ratio<Part extends string, Whole extends string>(
  rows: Record<Part | Whole, number>[] | undefined,
  part: Part,
  whole: Whole,
): number | undefined {
  const all = sum<Part | Whole>(rows, whole)
  return all ? sum<Part | Whole>(rows, part)! / all : undefined
}
