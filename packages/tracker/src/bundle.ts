import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** The tracker as one script for a page's script tag: minified, without modules, for browsers of 2020 and later. */
export function buildTrackerScript(): Promise<string> {
  return bundle('./script.ts', 'iife')
}

/** The same as one ES module, for `import` in a page, in a bundler and in Node. */
export function buildTrackerModule(): Promise<string> {
  return bundle('./index.ts', 'esm')
}

async function bundle(entry: string, format: 'iife' | 'esm'): Promise<string> {
  const result = await build({
    entryPoints: [fileURLToPath(new URL(entry, import.meta.url))],
    bundle: true,
    format,
    minify: true,
    target: 'es2020',
    charset: 'utf8',
    legalComments: 'none',
    write: false,
    // Names between the tracker's own parts. Not in the module, whose users may bring a queue of their own.
    ...(format === 'iife' && { mangleProps: PRIVATE }),
    tsconfigRaw: {},
    logLevel: 'silent',
  })
  return result.outputFiles[0]!.text
}

const PRIVATE =
  /^(retryAfterMs|handOver|sendNow|enqueue|onSettled|onProblem|correction|learn|clockCorrection|stampedAt|append|waiting|answer)$/
