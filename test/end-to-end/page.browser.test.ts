import { createPool } from '@platform-events/postgres'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeInBrowser, launchChromium } from '../support/browser.ts'
import { makeDataDir } from '../support/data-dir.ts'
import { freePort } from '../support/process.ts'
import { type Standalone, startStandalone } from '../support/standalone.ts'

describeInBrowser('the page of a running standalone', () => {
  let dataDir: Awaited<ReturnType<typeof makeDataDir>>
  let standalone: Standalone
  let browser: Browser

  beforeAll(async () => {
    dataDir = await makeDataDir()
    standalone = await startStandalone({
      dataDir: dataDir.path,
      port: await freePort(),
      env: { MARKETPLACE: 'on' },
    })
    browser = await launchChromium()
  })

  afterAll(async () => {
    await browser?.close()
    await standalone?.stop()
    await dataDir.remove()
  })

  const open = async (link: string): Promise<Page> => {
    const page = await browser.newPage()
    page.setDefaultTimeout(10_000)
    await page.goto(link)
    return page
  }
  const query = async (sql: string): Promise<void> => {
    const pool = createPool({ connectionString: standalone.access.database_url, applicationName: 'test', max: 1 })
    await pool.query(sql).finally(() => pool.end())
  }
  const press = (page: Page, name: string | RegExp) => page.getByRole('button', { name }).click()
  const count = (page: Page, step: string) =>
    page.locator('.funnel li').filter({ hasText: step }).locator('.count').textContent()

  test('a visit from search to booking becomes a funnel, each click within a second', async () => {
    const page = await open(`${standalone.url}/#token=${standalone.access.operator_token}`)
    await page.locator('#status[data-state="live"]').waitFor()
    const clicks: [string | RegExp, string][] = [
      ['Find professionals', 'SearchStarted'],
      [/Luz Marina/, 'ProfessionalViewed'],
      ['Book a visit', 'CheckoutStarted'],
      [/^Pay /, 'PaymentAttempted'],
    ]
    for (const [button, step] of clicks) {
      await press(page, button)
      await expect.poll(() => count(page, step), { timeout: 1000, interval: 20 }).toBe('1')
    }
    await expect.poll(() => count(page, 'BookingConfirmed'), { timeout: 1000, interval: 20 }).toBe('1')
    await page.locator('.tail', { hasText: 'BookingConfirmed' }).waitFor()
    const stored = page.locator('.ledger [data-account="stored"] dd')
    await expect.poll(() => stored.textContent(), { timeout: 5000, interval: 20 }).toBe('5')
    await page.getByText('The sums add up').waitFor()
    expect(new URL(page.url()).hash).toBe('')
    await page.close()
  })

  test('shows what the operators of the marketplace watch, in both languages', async () => {
    await query(
      `insert into guest_sessions (session_token, email, full_name) values (gen_random_uuid()::text, 'a@example.com', 'A')`,
    )
    const page = await open(`${standalone.url}/#token=${standalone.access.operator_token}`)
    const section = page.locator('.monitoring')
    await section.getByRole('cell', { name: 'cleanup_expired_guest_sessions' }).waitFor()
    expect(await section.locator('[data-figure="guests"] dd').allTextContents()).toEqual(['1', 'last day'])
    await page.locator('#languages [lang="es"]').click()
    await section.getByRole('heading', { name: 'Mercado' }).waitFor()
    await section.getByRole('columnheader', { name: 'Última buena' }).waitFor()
    await page.setViewportSize({ width: 400, height: 800 })
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(400)
    await page.locator('#languages [lang="en"]').click()
    await page.close()
  })

  test('shows hostile texts as texts: no script runs, no element is made, the stream cannot be forged', async () => {
    const page = await open(`${standalone.url}/#token=${standalone.access.operator_token}`)
    const problems: string[] = []
    page.on('pageerror', (error) => problems.push(error.message))
    page.on('console', (message) => void (message.type() === 'error' && problems.push(message.text())))
    const texts = [
      '<img src=x onerror="window.pwned=1">',
      '</pre><script>window.pwned=1</script>',
      '\n\nevent: problem\ndata: {"code":"internal","message":"forged"}\n\n',
      '\u202etfel\u001b[2J\u0085',
    ]
    const batch = texts.map((text) => ({
      event_type: text,
      session_id: text,
      properties: { [text]: text, href: text },
    }))
    const answer = await fetch(`${standalone.url}/v1/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${standalone.access.write_key}` },
      body: JSON.stringify({ batch: [...batch, { event_type: 'Last', session_id: 'last' }] }),
    })
    expect(await answer.json()).toMatchObject({ accepted: 5 })
    for (const json of ['null', '"text"', '[1, null]', '7'])
      await query(`insert into public.platform_events (event_type, properties) values ('Odd', '${json}')`)
    await page.locator('.tail .type', { hasText: 'Last' }).waitFor()
    await expect.poll(() => page.locator('.tail .type', { hasText: 'Odd' }).count()).toBe(4)
    await expect.poll(() => page.locator('.tail .type').allTextContents()).toEqual(expect.arrayContaining(texts))
    expect(await page.evaluate(() => 'pwned' in window)).toBe(false)
    expect(await page.locator('.tail :is(script, img), .counts :is(script, img)').count()).toBe(0)
    expect(problems).toEqual([])
    await page.close()
  })

  test('leaving the page right after a click loses nothing', async () => {
    const page = await open(`${standalone.url}/#token=${standalone.access.operator_token}`)
    await press(page, 'New visitor')
    await press(page, 'Find professionals')
    await page.goto('about:blank')
    await page.close()
    const again = await open(`${standalone.url}/#token=${standalone.access.operator_token}`)
    await expect.poll(() => count(again, 'SearchStarted'), { timeout: 5000 }).toBe('2')
    await again.close()
  })

  test('without the token the shop works and the operator side says what is missing', async () => {
    const context = await browser.newContext()
    const page = await context.newPage()
    await page.goto(standalone.url)
    await page.getByText('npm start prints a link').waitFor()
    await press(page, 'Find professionals')
    await page.getByRole('button', { name: /Luz Marina/ }).waitFor()
    await context.close()
  })
})
