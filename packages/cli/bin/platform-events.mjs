#!/usr/bin/env node
// Plain JavaScript, so that Node can begin here; everything behind it is TypeScript, which tsx runs.
try {
  const { register } = await import('tsx/esm/api')
  register()
} catch (error) {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
  console.error('platform-events: the packages are not installed yet. Run `npm start` once in this folder.')
  process.exit(1)
}
await import('../src/main.ts')
