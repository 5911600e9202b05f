// Loaded with --import before the real binary: its time goes KFBACKUP_TEST_SPEED times as fast, so that a wait of a minute takes a moment. Both the clock and
// the waits are changed, or what waits for a certain time would wait for it in full. KFBACKUP_TEST_NOW (RFC 3339) says when it begins.

import { syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers/promises'

const speed = Number(process.env.KFBACKUP_TEST_SPEED ?? 100)
const now = Date.now.bind(Date)
const started = now()
const wait = timers.setTimeout

const begin = process.env.KFBACKUP_TEST_NOW === undefined ? started : Date.parse(process.env.KFBACKUP_TEST_NOW)

Date.now = () => Math.round(begin + (now() - started) * speed)
timers.setTimeout = (ms, value, options) => wait(ms / speed, value, options)
syncBuiltinESMExports()
