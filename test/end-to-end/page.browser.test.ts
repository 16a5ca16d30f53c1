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
    standalone = await startStandalone({ dataDir: dataDir.path, port: await freePort() })
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
  const press = (page: Page, name: string | RegExp) => page.getByRole('button', { name }).click()
  const count = (page: Page, step: string) =>
    page.locator('.funnel li').filter({ hasText: step }).locator('.count').textContent()

  test('a visit from search to booking becomes a funnel, each click within a second', async () => {
    const page = await open(`${standalone.url}/#token=${standalone.access.operator_token}`)
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
    expect(new URL(page.url()).hash).toBe('')
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
