import { randomBytes } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { deflateRawSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { ByteFeed } from '../../src/core/verify/byte-feed.js'
import { EntryFault, inflateKnown } from '../../src/core/verify/inflate-entry.js'

/** A file read in pieces, each after some turns of the event loop, so that its end meets the inflating at another moment each time. */
async function* slowly(bytes: Buffer, pieceBytes: number, turns: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    for (let i = 0; i < turns; i++) await turn()
    yield bytes.subarray(at, at + pieceBytes)
  }
  for (let i = 0; i < turns; i++) await turn()
}

describe('an entry whose file ends inside it', () => {
  it.each([0, 1, 2, 5])('is a fault that says so, whatever the inflating does at that moment (%i turns)', async (turns) => {
    const plain = randomBytes(150_000)
    const compressed = deflateRawSync(plain)
    for (let round = 0; round < 60; round++) {
      // What follows the cut may end the deflate stream early, or break it.
      const cut = compressed.subarray(0, 1 + Math.floor((round / 60) * (compressed.length - 1)))
      for (const head of [cut, Buffer.concat([Buffer.from([3, 0]), cut]), Buffer.concat([Buffer.from([7]), cut])]) {
        const feed = new ByteFeed(slowly(head, 40_000, turns))
        const entry = { compressedBytes: compressed.length + 1000, bytes: plain.length }
        const failed = await inflateKnown(feed, entry, () => turn()).catch((error: unknown) => error)
        expect(failed, `${turns} turns, round ${round}, ${String(failed)}`).toBeInstanceOf(EntryFault)
      }
    }
  })
})
