/** The plain text of a mail as nodemailer sends it: quoted-printable, the first part of two. */
export function mailText(raw: string): string {
  const part = /Content-Type: text\/plain[\s\S]*?\r\n\r\n([\s\S]*?)\r\n--/.exec(raw)?.[1] ?? ''
  return part.replace(/=\r\n/g, '').replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/** The download links of a completion mail, by the name of the part. */
export function mailLinks(raw: string): { name: string; until: string; url: string }[] {
  const found = mailText(raw).matchAll(/^- (\S+) \(until (\S+)\)\r?\n {2}(https?:\S+)/gm)
  return [...found].map(([, name = '', until = '', url = '']) => ({ name, until, url }))
}
