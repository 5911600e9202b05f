import { setFlagsFromString } from 'node:v8'

/**
 * Keeps V8's young generation at its first size. Measured: streaming 1 GB through JSON and ciphers, it grows to 48 MB of garbage that nobody
 * needs; kept small, the process peaks at 115 MB instead of 165 MB and takes no longer.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
}
