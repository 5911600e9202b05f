// C0 and C1 controls, line and paragraph separators, bidi marks, embeddings, overrides and isolates, zero-width characters, BOM.
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

/** Other people's text made safe for a terminal or a log line: control, escape and bidi characters become `?`, long text is cut. */
export function printable(text: string, maxChars = 500): string {
  const clean = text.toWellFormed().replace(UNSAFE, '?')
  return clean.length > maxChars ? `${clean.slice(0, maxChars - 1)}…` : clean
}
