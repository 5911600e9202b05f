/** Names a user may have given a file. Every one of them has broken some archiver. */
export const HOSTILE_NAMES: readonly string[] = [
  '../../../etc/passwd.txt',
  '/etc/cron.d/kfbackup.txt',
  'C:\\Windows\\System32\\drivers.txt',
  '..\\..\\evil.txt',
  '..',
  'CON.txt',
  'nul',
  'aux.pdf',
  'tab\tand\nnew line\r.txt',
  'nul\u0000byte.txt',
  'bell\u0007escape\u001b[31m.txt',
  `${'long name '.repeat(29)}.pdf`,
  `${'長'.repeat(100)}.txt`,
  'same.txt',
  'SAME.TXT',
  '🚒 Feuerwehr 🇩🇪.png',
  'invoice\u202Efdp.txt',
  '\u200Fعربي.txt',
  'trailing dots...',
  'trailing spaces   ',
  ' leading.txt',
  '100% #1 & more?=a;b.txt',
  'quotes \' and " here.xlsx',
  'a:b*c?d<e>f|g.txt',
  'half\uD800surrogate.txt',
  'e\u0301 and \u00e9.txt',
  '.hidden',
  '%2e%2e%2fencoded.txt',
  'semi;colon,comma.csv',
  '-rf.txt',
]

const DEEP = 400
const LONG_TEXT_CHARS = 2_000_000

/**
 * Members for the JSON of record `index` that a careless reader breaks on: prototype keys, numbers no double can hold, a text of 2 MB, deep
 * nesting, escapes that need not be there, halves of surrogate pairs, nested `_id`s. Ends in a comma; empty for other records.
 */
export function hostileMembers(index: number): string {
  switch (index) {
    case 20:
      return '"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"toString":"x","hasOwnProperty":null,"":"empty key",'
    case 21:
      return '"Ledger_no":9007199254740993,"Exact":12345678901234567890.123456789012345678,"Tiny":1e-400,"Huge":1E+400,"Minus_zero":-0,"Trailing":1.500,'
    case 22:
      return `"Log":"${'All work and no play. '.repeat(Math.ceil(LONG_TEXT_CHARS / 22)).slice(0, LONG_TEXT_CHARS)}",`
    case 23:
      return `"Deep":${'[{"a":'.repeat(DEEP)}null${'}]'.repeat(DEEP)},`
    case 24:
      return '"\\u0045scaped":"\\u0048\\u0065llo \\/ \\u20ac \\ud83d\\ude92","quote\\"key":"back\\\\slash\\"",'
    case 25:
      return '"Broken":"\\ud800 and \\udc00\\ud83d","Brackets":"]}],{[\\"","Comma":",,,",'
    case 26:
      return '"Nested":{"_id":"PkNotThisOne","Data":[{"_id":"PkNorThis"}]},"Data":[{"_id":"PkNeitherThis"}],'
    default:
      return ''
  }
}

/** The part of a name that a storage key keeps: one path segment, no control characters, no broken pairs. */
export function keySegment(name: string): string {
  const clean = name.toWellFormed().replace(/[\u0000-\u001f\u007f/\\\ufffd]/g, '_')
  return clean === '' || clean === '.' || clean === '..' ? '_' : clean
}
