import { inflateRawSync } from 'node:zlib'

/** The files of a ZIP whose entries were written as streams, by its central directory. */
export function unzip(zip: Buffer): Record<string, string> {
  const files: Record<string, string> = {}
  for (let at = zip.indexOf(Buffer.from('PK\x01\x02', 'latin1')); zip.readUInt32LE(at) === 0x02014b50; ) {
    const [size, name, extra, comment] = [
      zip.readUInt32LE(at + 20),
      zip.readUInt16LE(at + 28),
      zip.readUInt16LE(at + 30),
      zip.readUInt16LE(at + 32),
    ]
    const local = zip.readUInt32LE(at + 42)
    const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28)
    files[zip.toString('utf8', at + 46, at + 46 + name)] = inflateRawSync(zip.subarray(start, start + size)).toString()
    at += 46 + name + extra + comment
  }
  return files
}
