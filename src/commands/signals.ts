import { setMaxListeners } from 'node:events'
import { CanceledError } from '../errors.js'

type SignalSource = Pick<NodeJS.Process, 'on' | 'off' | 'kill' | 'pid'>

/**
 * The first Ctrl-C or SIGTERM aborts `signal` with a CanceledError: the run saves its place and ends. The second restores the default and
 * re-raises: the process is gone at once, and the journal already holds its place.
 */
export function listenForSignals(source: SignalSource): { signal: AbortSignal; dispose: () => void } {
  const controller = new AbortController()
  // Every request and every wait listens.
  setMaxListeners(0, controller.signal)
  const onSignal = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) {
      dispose()
      source.kill(source.pid, name)
      return
    }
    controller.abort(
      new CanceledError(name === 'SIGTERM' ? 'Stopped by SIGTERM.' : 'Stopped by Ctrl-C.', name === 'SIGTERM' ? 'SIGTERM' : 'SIGINT'),
    )
  }
  const dispose = (): void => {
    source.off('SIGINT', onSignal)
    source.off('SIGTERM', onSignal)
  }
  source.on('SIGINT', onSignal)
  source.on('SIGTERM', onSignal)
  return { signal: controller.signal, dispose }
}
