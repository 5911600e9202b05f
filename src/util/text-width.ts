const PLAIN = /^[\u0020-\u007e]*$/
const EMOJI = /\p{Emoji_Presentation}|\ufe0f/u
const ZERO = /^[\p{M}\p{Cf}\p{Cc}]+$/u
// Wide and fullwidth blocks of Unicode's East Asian Width: Hangul, CJK, kana, fullwidth forms, the supplementary ideographs.
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]/u

let segmenter: Intl.Segmenter | undefined

/** Made when first needed: it takes 10 ms. */
function graphemesOf(text: string): Intl.Segments {
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' })
  return segmenter.segment(text)
}

function graphemeWidth(grapheme: string): number {
  if (ZERO.test(grapheme)) return 0
  return EMOJI.test(grapheme) || WIDE.test(grapheme) ? 2 : 1
}

/** Columns a text without control characters takes on a terminal: two for CJK and emoji, none for combining marks. */
export function textWidth(text: string): number {
  if (PLAIN.test(text)) return text.length
  let width = 0
  for (const { segment } of graphemesOf(text)) width += graphemeWidth(segment)
  return width
}

/** Cuts a text to so many columns, never inside a character; what is cut ends in `…`. */
export function cutToWidth(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text
  if (columns < 1) return ''
  let width = 0
  let kept = ''
  for (const { segment } of graphemesOf(text)) {
    width += graphemeWidth(segment)
    if (width > columns - 1) break
    kept += segment
  }
  return `${kept}…`
}

/** Fills a text with blanks up to so many columns; `right` puts them in front. */
export function padToWidth(text: string, columns: number, align: 'left' | 'right' = 'left'): string {
  const blanks = ' '.repeat(Math.max(0, columns - textWidth(text)))
  return align === 'left' ? text + blanks : blanks + text
}

/** Breaks a text at blanks into lines of at most so many columns; a longer word stays whole. */
export function wrapText(text: string, columns: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && textWidth(line) + 1 + textWidth(word) > columns) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  lines.push(line)
  return lines
}
