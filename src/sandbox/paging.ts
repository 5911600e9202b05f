/** Page size where none is asked for. */
const DEFAULT_PAGE_SIZE = 10

/** Silent caps of the lists that are no flow's. */
export const LIST_CAPS = {
  flows: 100,
  users: 100,
  groups: 50,
  groupMembers: 50,
  roles: 100,
  apps: 100,
  comments: 50,
  activity: 100,
  audit: 500,
} as const

export interface Page {
  offset: number
  size: number
}

function positive(text: string | null): number | undefined {
  if (text === null || !/^[0-9]{1,9}$/.test(text)) return undefined
  const value = Number(text)
  return value > 0 ? value : undefined
}

/** The window a request asks for: pages from 1, ten rows unless told, never more than `cap` and not a word about it. */
export function pageOf(query: URLSearchParams, cap: number): Page {
  const size = Math.min(positive(query.get('page_size')) ?? DEFAULT_PAGE_SIZE, cap)
  return { offset: ((positive(query.get('page_number')) ?? 1) - 1) * size, size }
}

/** True when the request asks for a page at all; some endpoints give everything otherwise. */
export function asksForPage(query: URLSearchParams): boolean {
  return query.has('page_number') || query.has('page_size')
}

/** The rows of a page, joined by commas; `row` makes the JSON of one place. */
export function rowsOf(page: Page, total: number, row: (place: number) => string): string {
  let rows = ''
  const end = Math.min(page.offset + page.size, total)
  for (let place = page.offset; place < end; place++) rows += place === page.offset ? row(place) : `,${row(place)}`
  return rows
}
