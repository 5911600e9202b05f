#!/usr/bin/env node
'use strict'

// CommonJS (package.json beside this file says so), as what it loads is: Node starts its loader of ES modules only when somebody asks for one.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`kfbackup needs Node.js 20.19 or newer; this is ${process.versions.node}.\n`)
  process.exitCode = 2
} else {
  const { setFlagsFromString } = require('node:v8')
  // What is alive is about 20 MB, whatever the account's size; V8 would let it grow to several times that before it collects. Measured with 10,000
  // records: peak RSS 199 MB without these flags, 127 MB with them, at 10 to 20 % more processor time. Semi-spaces stay at 1 MB (a limit set at
  // run time is ignored, the growth factor is not), the old generation is collected when it has grown by a third: with a half, a million records
  // took 134 MB instead of 126, in the same time.
  setFlagsFromString('--semi-space-growth-factor=1')
  setFlagsFromString('--heap-growing-percent=30')
  // With so small a semi-space, helpers do not pay: on a busy machine a collection took 8.9 and 11.7 ms with them, 6.3 and 7.6 without.
  setFlagsFromString('--no-parallel-scavenge')
  // The HTTP parser is WebAssembly. Optimising it takes about 150 ms of processor time on another thread: only long runs gain by it.
  setFlagsFromString('--wasm-tiering-budget=100000000')
  require('../dist/joined/main.cjs')
}
