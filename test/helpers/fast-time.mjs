// Loaded with --import before the real binary: its time goes KFBACKUP_TEST_SPEED times as fast, so that a wait of a minute takes a moment. Both the clock and
// the waits are changed, or what waits for a certain time would wait for it in full.

import { syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers/promises'

const speed = Number(process.env.KFBACKUP_TEST_SPEED ?? 100)
const now = Date.now.bind(Date)
const started = now()
const wait = timers.setTimeout

Date.now = () => Math.round(started + (now() - started) * speed)
timers.setTimeout = (ms, value, options) => wait(ms / speed, value, options)
syncBuiltinESMExports()
