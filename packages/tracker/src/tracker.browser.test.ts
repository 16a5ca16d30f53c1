import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { describeInBrowser, launchChromium } from '../../../test/support/browser.ts'
import { type RecordingCollector, startRecordingCollector } from '../../../test/support/recording-collector.ts'
import { buildTrackerScript } from './bundle.ts'

type Browser = Awaited<ReturnType<typeof launchChromium>>
type Page = Awaited<ReturnType<Browser['newPage']>>

describeInBrowser('the tracker in a browser', () => {
  let browser: Browser
  let script: string
  /** Serves the page; another origin than the collector's. */
  let site: RecordingCollector
  let collector: RecordingCollector
  let page: Page

  beforeAll(async () => {
    ;[browser, script] = await Promise.all([launchChromium(), buildTrackerScript()])
  })
  afterAll(() => browser?.close())

  beforeEach(async () => {
    ;[site, collector] = await Promise.all([startRecordingCollector(), startRecordingCollector()])
    collector.pages.set('/t.js', script)
    site.pages.set('/', html())
    site.pages.set('/next', '<!doctype html><title>next</title>')
    page = await browser.newPage()
  })
  afterEach(async () => {
    await page.close()
    await Promise.all([site.close(), collector.close()])
  })

  const html = (more = ''): string =>
    `<!doctype html><title>shop</title>${more}
    <script src="${collector.url}/t.js" data-write-key="pk_test"></script>
    <button onclick="platformEvents.trackEvent('SearchStarted', { city: 'Cali' })">search</button>
    <a href="/next" onclick="platformEvents.trackEvent('ProfessionalViewed', { pro_id: 'p1' })">view</a>`
  const cities = (): unknown[] => collector.accepted().map((event) => event.properties?.['city'])

  it('sends from a script tag to the script’s own origin, without a preflight', async () => {
    await page.goto(site.url)
    await page.click('button')
    await vi.waitFor(() => expect(collector.accepted()).toHaveLength(1))
    expect(collector.requests.map(({ method }) => method)).toEqual(['POST'])
    expect(collector.requests[0]!.headers).toMatchObject({
      origin: site.url,
      'content-type': 'text/plain;charset=UTF-8',
    })
    const session = await page.evaluate(() => sessionStorage.getItem('analytics_session_id'))
    expect(session).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(collector.accepted()[0]).toMatchObject({ event_type: 'SearchStarted', session_id: session, seq: 0 })
  })

  it('keeps the session over pages of the tab and starts another when told to', async () => {
    await page.goto(site.url)
    const first = await page.evaluate('platformEvents.getAnalyticsSessionId()')
    await page.reload()
    expect(await page.evaluate('platformEvents.getAnalyticsSessionId()')).toBe(first)
    await page.evaluate('platformEvents.clearAnalyticsSession()')
    expect(await page.evaluate('platformEvents.getAnalyticsSessionId()')).not.toBe(first)
  })

  it('loses nothing when a click leads away at once', async () => {
    for (let i = 0; i < 10; i++) {
      await page.goto(site.url)
      await page.click('a')
      await page.waitForURL('**/next')
    }
    await vi.waitFor(() => expect(new Set(collector.accepted().map((event) => event.id)).size).toBe(10), 5000)
    expect(collector.requests.every(({ method }) => method === 'POST')).toBe(true)
    expect(collector.accepted()).toHaveLength(10)
  })

  it('leaves with 50 KB unsent and one request still unanswered', async () => {
    await page.goto(site.url)
    await page.evaluate(`
      platformEvents.trackEvent('SearchStarted', { city: 'first' })
      for (let i = 0; i < 15; i++) platformEvents.trackEvent('SearchStarted', { city: 'n' + i, service: 'x'.repeat(3000) })
      location.href = '/next'
    `)
    await page.waitForURL('**/next')
    await vi.waitFor(() => expect(new Set(cities()).size).toBe(16), 5000)
  })

  it('sends the same bytes again after a 503', async () => {
    collector.replies.push({ status: 503, headers: { 'retry-after': '1' }, body: { code: 'log_unavailable' } })
    await page.goto(site.url)
    const began = Date.now()
    await page.evaluate("platformEvents.trackEvent('SearchStarted', { city: 'Pasto' })")
    expect(Date.now() - began).toBeGreaterThanOrEqual(1000)
    const [first, second] = collector.requests.map(({ body }) => body.slice(0, body.indexOf('],"sent_at"')))
    expect(second).toBe(first)
    expect(first).toContain('Pasto')
  })

  it('works with storage disabled', async () => {
    const deny = `<script>Object.defineProperty(window, 'sessionStorage', { get() { throw new DOMException('denied') } })</script>`
    site.pages.set('/', html(deny))
    const errors: unknown[] = []
    page.on('pageerror', (error) => errors.push(error))
    await page.goto(site.url)
    await page.click('button')
    await page.click('button')
    await vi.waitFor(() => expect(collector.accepted()).toHaveLength(2), 5000)
    const [first, second] = collector.accepted()
    expect(first!.session_id).toMatch(/^[0-9a-f-]{36}$/)
    expect(second!.session_id).toBe(first!.session_id)
    expect(errors).toEqual([])
  })

  it('sends again what only a beacon carried when the page comes back, by the same ids', async () => {
    await page.goto(site.url)
    await page.evaluate(`
      platformEvents.trackEvent('SearchStarted', { city: 'Neiva' })
      dispatchEvent(new Event('pagehide'))
    `)
    await vi.waitFor(() => expect(cities()).toEqual(['Neiva']))
    await page.evaluate("dispatchEvent(new Event('pageshow'))")
    await vi.waitFor(() => expect(cities()).toEqual(['Neiva', 'Neiva']), 5000)
    expect(collector.accepted()[0]).toEqual(collector.accepted()[1])
  })
})
