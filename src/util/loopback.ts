/** True for names and addresses that never leave this machine: `localhost`, `*.localhost`, 127.0.0.0/8, `::1`. Takes `URL.hostname` as it is. */
export function isLoopback(hostname: string): boolean {
  const name = hostname.toLowerCase().replace(/^\[|\]$/g, '')
  return name === 'localhost' || name.endsWith('.localhost') || name === '::1' || /^127(\.\d{1,3}){3}$/.test(name)
}
