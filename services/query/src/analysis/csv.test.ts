import { expect, it } from 'vitest'
import { csvOf, prefersCsv } from './csv.ts'

it('writes RFC 4180', () => {
  const rows = [
    ['plain', 1.5, null, true],
    ['a,b', -3, 'say "hi"', false],
    ['two\nlines', 0, '', 'é'],
  ]
  expect(csvOf(['a', 'b', 'c', 'd'], rows)).toBe(
    'a,b,c,d\r\nplain,1.5,,true\r\n"a,b",-3,"say ""hi""",false\r\n"two\nlines",0,,é\r\n',
  )
})

it.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1'])('leaves no formula to a spreadsheet: %j', (text) => {
  const [, line] = csvOf(['x'], [[text]]).split(/\r\n/, 2)
  expect(line?.replace(/^"/, '').startsWith("'")).toBe(true)
})

it.each([
  ['text/csv', true],
  ['text/csv, application/json;q=0.5', true],
  ['application/json, text/csv;q=0.9', false],
  ['text/html, */*', false],
  ['text/csv;q=0', false],
  ['*/*', false],
  [undefined, false],
])('reads Accept: %s', (accept, csv) => {
  expect(prefersCsv(accept)).toBe(csv)
})
