import type { PlainPart } from '../../crypto/plain-part.js'
import { ByteFeed } from '../verify/byte-feed.js'
import type { Findings } from '../verify/findings.js'
import { scanZip } from '../verify/zip-scan.js'
import type { PartExtractor } from './part-extractor.js'

/** One pass over a part from its first stored byte to its last; MACs are checked on the way. */
export async function passWhole(
  plain: PlainPart,
  { name, extractor, findings }: { name: string; extractor: PartExtractor; findings: Findings },
  signal: AbortSignal,
): Promise<void> {
  const feed = new ByteFeed(plain.readAll((damage) => findings.damage(damage, { part: name }), signal).plain)
  try {
    await scanZip(plain, feed, extractor, signal)
  } finally {
    await feed.close()
  }
}
