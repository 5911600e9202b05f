import { execFileSync } from 'node:child_process'

/** Tests drive the real binary, so it is compiled from the sources under test, once, before the first of them. */
export default function buildOnce(): void {
  execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' })
}
