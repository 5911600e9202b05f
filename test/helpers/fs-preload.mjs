// Loaded with --import before the real binary: stands between it and the filesystem. At one chosen operation below the watched folders it stops the
// process until it is killed from outside, or lets the operation fail, as KFBACKUP_TEST_FS (JSON) says. Says what it did on file descriptor 3.
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

/**
 * @typedef {object} FsPlan
 * @property {string[]} roots Folders whose operations count.
 * @property {'count' | 'kill' | 'pause' | 'fail'} action `pause` goes on when the file named by `go` is there.
 * @property {string} [go]
 * @property {'all' | 'collect' | 'pack' | 'commit'} phase Which operations count; see `phaseOf`.
 * @property {string[]} [ops] Kinds that count; all unless told.
 * @property {string} [path] A regular expression that the path of an operation must match to count.
 * @property {number} nth The operation this happens to, from 1.
 * @property {'before' | 'half' | 'after'} [when] Where a killed process stops; `half`: the first half of a write has been written.
 * @property {string} [code] The error of a failing operation.
 * @property {boolean} [stays] Every write from then on fails, too: the disk stays full.
 */

/** @type {FsPlan} */
const plan = JSON.parse(process.env.KFBACKUP_TEST_FS ?? '{"roots":[],"action":"count","phase":"all","nth":0}')
const CONTROL_FD = 3
const pattern = new RegExp(plan.path ?? '')
const real = { ...fs }
const realPromises = { ...fs.promises }
const COMMIT_FILE = /^(?:flows\.csv|Readme\.txt|SHA256SUMS|backup\.json)(?:\.partial)?$/
const PART_FILE = /\.(?:zip|aes256cbc|zip\.age)(?:\.partial)?$/
const ERRNO = { EIO: -5, EACCES: -13, ENOSPC: -28, EDQUOT: -122, EROFS: -30 }

let phase = 'collect'
let reached = 0
let failing = false
let stopped = false
const counts = { collect: 0, pack: 0, commit: 0 }

/**
 * Phases only go forward: what the collector still syncs while parts are stored belongs to packing. It begins with the first part's own file: what is packed
 * for a folder while the account is read is of no use to another process.
 */
function phaseOf(path) {
  const parts = path.split('/')
  if (phase !== 'commit' && COMMIT_FILE.test(parts.at(-1)) && path.startsWith(plan.roots[1] ?? '\0')) phase = 'commit'
  else if (phase === 'collect' && PART_FILE.test(parts.at(-1))) phase = 'pack'
  return phase
}

function pathOf(target) {
  if (typeof target !== 'number') return String(target)
  try {
    return real.readlinkSync(`/proc/self/fd/${target}`)
  } catch {
    return ''
  }
}

function say(message) {
  real.writeSync(CONTROL_FD, `${JSON.stringify(message)}\n`)
}

/** Told the parent; now nothing moves until it kills this process, or lets a paused one go on. */
function stop(op, path, when) {
  if (stopped) return
  stopped = true
  say({ at: { op, path, when, phase, nth: plan.nth } })
  const never = new Int32Array(new SharedArrayBuffer(4))
  if (plan.action !== 'pause') Atomics.wait(never, 0, 0)
  while (!real.existsSync(plan.go)) Atomics.wait(never, 0, 0, 5)
}

function failure(op, path) {
  const text = { EIO: 'i/o error', EACCES: 'permission denied', ENOSPC: 'no space left on device' }[plan.code] ?? 'failed'
  return Object.assign(new Error(`${plan.code}: ${text}, ${op} '${path}'`), {
    code: plan.code,
    errno: ERRNO[plan.code] ?? -1,
    syscall: op,
    path,
  })
}

/** Counts an operation; the plan's action when it is the chosen one. */
function gate(op, target) {
  const path = pathOf(target)
  if (!plan.roots.some((root) => path.startsWith(root))) return undefined
  const now = phaseOf(path)
  if ((plan.ops !== undefined && !plan.ops.includes(op)) || !pattern.test(path)) return undefined
  counts[now]++
  if (failing && (op === 'write' || op === 'open' || op === 'sync')) return { path, action: 'fail' }
  if ((plan.phase !== 'all' && plan.phase !== now) || ++reached !== plan.nth || plan.action === 'count') return undefined
  if (plan.action === 'fail') {
    failing = plan.stays === true
    say({ failed: { op, path, phase: now, nth: plan.nth } })
  }
  return { path, action: plan.action }
}

/** One synchronous operation; `half` does the first half of it. */
function around(op, target, run, half) {
  const chosen = gate(op, target)
  if (chosen === undefined) return run()
  if (chosen.action === 'fail') throw failure(op, chosen.path)
  if (plan.when === 'before') stop(op, chosen.path, 'before')
  if (plan.when === 'half' && half !== undefined) {
    half()
    stop(op, chosen.path, 'half')
  }
  try {
    return run()
  } finally {
    // Also behind an operation that failed by itself, such as opening what is not there yet.
    stop(op, chosen.path, 'after')
  }
}

/** One operation that answers with a promise. */
async function aroundAsync(op, target, run, half) {
  const chosen = gate(op, target)
  if (chosen === undefined) return await run()
  if (chosen.action === 'fail') throw failure(op, chosen.path)
  if (plan.when === 'before') stop(op, chosen.path, 'before')
  if (plan.when === 'half' && half !== undefined) {
    half()
    stop(op, chosen.path, 'half')
  }
  try {
    return await run()
  } finally {
    stop(op, chosen.path, 'after')
  }
}

/** One operation that answers with a callback, its last argument. */
function aroundCallback(op, target, args, run, half) {
  const callback = args.at(-1)
  const chosen = gate(op, target)
  if (chosen === undefined) return run(...args)
  if (chosen.action === 'fail') return void process.nextTick(callback, failure(op, chosen.path))
  if (plan.when === 'before') stop(op, chosen.path, 'before')
  if (plan.when === 'half' && half !== undefined) {
    half()
    stop(op, chosen.path, 'half')
  }
  return run(...args.slice(0, -1), (...results) => {
    stop(op, chosen.path, 'after')
    callback(...results)
  })
}

function halfWrite(fd, args) {
  const [bytes, second, third, fourth] = args
  if (typeof bytes === 'string') return real.writeSync(fd, bytes.slice(0, bytes.length >>> 1))
  const offset = typeof second === 'number' ? second : 0
  const length = typeof third === 'number' ? third : bytes.length - offset
  if (length > 1) real.writeSync(fd, bytes, offset, length >>> 1, typeof fourth === 'number' ? fourth : null)
}

const opensForWriting = (flags) =>
  typeof flags === 'number' ? (flags & (fs.constants.O_CREAT | fs.constants.O_TRUNC)) !== 0 : /[wax]/.test(String(flags))

fs.openSync = (path, flags, mode) =>
  opensForWriting(flags ?? 'r') ? around('open', path, () => real.openSync(path, flags, mode)) : real.openSync(path, flags, mode)
fs.writeSync = (fd, ...args) =>
  around(
    'write',
    fd,
    () => real.writeSync(fd, ...args),
    () => halfWrite(fd, args),
  )
fs.writeFileSync = (path, data, options) =>
  around(
    'write',
    path,
    () => real.writeFileSync(path, data, options),
    () => real.writeFileSync(path, data.slice(0, data.length >>> 1), options),
  )
fs.appendFileSync = (path, data, options) =>
  around(
    'write',
    path,
    () => real.appendFileSync(path, data, options),
    () => real.appendFileSync(path, data.slice(0, data.length >>> 1), options),
  )
fs.fsyncSync = (fd) => around('sync', fd, () => real.fsyncSync(fd))
fs.fdatasyncSync = (fd) => around('sync', fd, () => real.fdatasyncSync(fd))
fs.ftruncateSync = (fd, length) => around('truncate', fd, () => real.ftruncateSync(fd, length))
fs.renameSync = (from, to) => around('rename', to, () => real.renameSync(from, to))
fs.linkSync = (from, to) => around('link', to, () => real.linkSync(from, to))
fs.mkdirSync = (path, options) => around('mkdir', path, () => real.mkdirSync(path, options))
fs.rmSync = (path, options) => around('remove', path, () => real.rmSync(path, options))
fs.unlinkSync = (path) => around('remove', path, () => real.unlinkSync(path))

for (const [name, op] of Object.entries({ fsync: 'sync', fdatasync: 'sync', ftruncate: 'truncate' }))
  fs[name] = (fd, ...args) => aroundCallback(op, fd, args, (...all) => real[name](fd, ...all))
fs.write = (fd, ...args) =>
  aroundCallback(
    'write',
    fd,
    args,
    (...all) => real.write(fd, ...all),
    () => halfWrite(fd, args),
  )
fs.writev = (fd, ...args) =>
  aroundCallback(
    'write',
    fd,
    args,
    (...all) => real.writev(fd, ...all),
    () => halfWrite(fd, args[0]),
  )
fs.open = (path, flags, ...args) =>
  opensForWriting(flags) ? aroundCallback('open', path, args, (...all) => real.open(path, flags, ...all)) : real.open(path, flags, ...args)

fs.promises.open = async (path, flags, mode) => {
  if (!opensForWriting(flags ?? 'r')) return await realPromises.open(path, flags, mode)
  const handle = await aroundAsync('open', path, () => realPromises.open(path, flags, mode))
  const own = { write: handle.write, writev: handle.writev, sync: handle.sync, datasync: handle.datasync, truncate: handle.truncate }
  handle.write = (...args) =>
    aroundAsync(
      'write',
      handle.fd,
      () => own.write.apply(handle, args),
      () => halfWrite(handle.fd, args),
    )
  handle.writev = (...args) =>
    aroundAsync(
      'write',
      handle.fd,
      () => own.writev.apply(handle, args),
      () => halfWrite(handle.fd, args[0]),
    )
  handle.sync = () => aroundAsync('sync', handle.fd, () => own.sync.call(handle))
  handle.datasync = () => aroundAsync('sync', handle.fd, () => own.datasync.call(handle))
  handle.truncate = (length) => aroundAsync('truncate', handle.fd, () => own.truncate.call(handle, length))
  return handle
}
fs.promises.rename = (from, to) => aroundAsync('rename', to, () => realPromises.rename(from, to))
fs.promises.mkdir = (path, options) => aroundAsync('mkdir', path, () => realPromises.mkdir(path, options))
fs.promises.unlink = (path) => aroundAsync('remove', path, () => realPromises.unlink(path))
fs.promises.rmdir = (path) => aroundAsync('remove', path, () => realPromises.rmdir(path))
fs.promises.rm = (path, options) => aroundAsync('remove', path, () => realPromises.rm(path, options))

syncBuiltinESMExports()
if (plan.action === 'count') process.on('exit', () => say({ counts }))
