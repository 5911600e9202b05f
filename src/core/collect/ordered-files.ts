import type { FileRef } from '../../kissflow/attachments.js'
import { forEachLimit } from '../../util/settle.js'
import type { CollectContext } from './context.js'
import type { FileWindow } from './file-window.js'
import { filesOf, readFile } from './files.js'
import type { FlowWork } from './flow-work.js'
import { savedRecord } from './items.js'
import { ids } from './people.js'

interface PendingFile {
  seq: number
  item: string
  file: FileRef
  number: number
}

/** Fetches a flow's files in the order they are packed, no further ahead of the packer than the window allows. */
export async function fetchInOrder(context: CollectContext, flow: FlowWork, window: FileWindow): Promise<void> {
  const { store } = context
  const { number } = flow.collection
  await forEachLimit(pendingFiles(context, flow), context.options.concurrency, async (pending) => {
    const told = pending.file.size ?? 0
    await window.take(told, context.stop)
    let fetchedBytes = 0
    try {
      await readFile(context, flow, pending)
      fetchedBytes = store.items.file(number, pending.number).frame.len
    } finally {
      window.arrived(fetchedBytes - told)
    }
    context.news.beat()
  })
}

function* pendingFiles(context: CollectContext, flow: FlowWork): Generator<PendingFile> {
  const { store } = context
  const { number } = flow.collection
  for (const { seq, id } of ids(context, flow.collection)) {
    const { base, count, done } = store.items.filesOf(number, seq)
    if (done >= count) continue
    for (const [index, file] of filesOf(flow, savedRecord(context, flow, seq)).entries()) {
      if (store.items.file(number, base + index).state === 'pending') yield { seq, item: id, file, number: base + index }
    }
  }
}
