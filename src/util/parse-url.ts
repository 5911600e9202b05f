/** The URL, or undefined when it is none. (`URL.parse` is younger than Node 20.19.) */
export function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}
