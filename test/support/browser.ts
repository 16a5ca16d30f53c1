import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium, type LaunchOptions } from 'playwright-core'
import { describe } from 'vitest'

const NAMES = [
  'chromium',
  'chromium-browser',
  'google-chrome-stable',
  'google-chrome',
  'microsoft-edge',
  'brave-browser',
]
const ELSEWHERE = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
  'C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe',
]
const HOW_TO_FIX = 'no Chromium found: install one (Debian: apt-get install chromium) or set CHROMIUM_PATH'

/** The system's Chromium or a relative of it: CHROMIUM_PATH, else by name on the PATH, else where installers put it. */
function findChromium(): string | undefined {
  const onPath = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean)
  const named = process.env['CHROMIUM_PATH']
  const places = named
    ? [named]
    : [...NAMES.flatMap((name) => onPath.map((folder) => join(folder, name))), ...ELSEWHERE]
  return places.find(isExecutable)
}

/** As `describe`, for tests in a browser: without one they are skipped, saying why; in CI they fail instead. */
export function describeInBrowser(name: string, tests: () => void): void {
  if (findChromium() || process.env['CI']) describe(name, tests)
  else describe.skip(`${name} (skipped: ${HOW_TO_FIX})`, tests)
}

/** Starts the browser, headless, with nothing phoning home. Close it when done. */
export async function launchChromium(options: LaunchOptions = {}): Promise<Browser> {
  const executablePath = findChromium()
  if (!executablePath) throw new Error(HOW_TO_FIX)
  return chromium.launch({
    executablePath,
    headless: true,
    ...options,
    args: [
      // Root (containers, most CI) cannot have the sandbox.
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      '--disable-gpu',
      '--disable-quic',
      '--disable-dev-shm-usage',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...(options.args ?? []),
    ],
  })
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
