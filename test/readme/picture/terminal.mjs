/**
 * What a terminal shows after some bytes, with colours: the control sequences that ora, cli-progress and chalk use. Throws on any other.
 *
 * @typedef {{ text: string, style: string }} Cell
 */

const GRAPHEMES = new Intl.Segmenter('en', { granularity: 'grapheme' })
const WIDE = /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60]|\p{Emoji_Presentation}/u
const COLORS = { 30: 'black', 31: 'red', 32: 'green', 33: 'yellow', 34: 'blue', 35: 'magenta', 36: 'cyan', 37: 'white', 90: 'gray' }

export class Terminal {
  constructor({ columns, rows }) {
    this.columns = columns
    this.rows = rows
    /** @type {Cell[][]} */
    this.lines = Array.from({ length: rows }, () => [])
    this.x = 0
    this.y = 0
    this.color = ''
    this.bold = false
    this.dim = false
    this.rest = ''
  }

  write(text) {
    const all = this.rest + text
    const cut = /\u001b(?:\[[?0-9;]*)?$/.exec(all)
    this.rest = cut === null ? '' : cut[0]
    for (const [piece] of all.slice(0, all.length - this.rest.length).matchAll(/\u001b\[[?0-9;]*[A-Za-z]|\u001b[78]|[^\u001b]+/g)) {
      if (piece.startsWith('\u001b')) this.control(piece)
      else
        for (const { segment } of GRAPHEMES.segment(piece)) for (const sign of segment === '\r\n' ? ['\r', '\n'] : [segment]) this.put(sign)
    }
  }

  control(piece) {
    const [, parameter = '', letter = ''] = /^\u001b\[([?0-9;]*)([A-Za-z])$/.exec(piece) ?? []
    const n = Number(parameter) || 1
    if (letter === 'A') this.y = Math.max(0, this.y - n)
    else if (letter === 'B') this.y = Math.min(this.rows - 1, this.y + n)
    else if (letter === 'C') this.x += n
    else if (letter === 'D') this.x = Math.max(0, this.x - n)
    else if (letter === 'G') this.x = n - 1
    else if (letter === 'K') this.lines[this.y].length = parameter === '2' ? 0 : Math.min(this.lines[this.y].length, this.x)
    else if (letter === 'J')
      for (let y = this.y; y < this.rows; y++) this.lines[y].length = y === this.y ? Math.min(this.lines[y].length, this.x) : 0
    else if (letter === 'm') this.paint(parameter)
    else if (!'hl'.includes(letter) || letter === '') throw new Error(`unknown sequence ${JSON.stringify(piece)}`)
  }

  paint(parameters) {
    for (const code of parameters.split(';').map(Number)) {
      if (code === 0) [this.color, this.bold, this.dim] = ['', false, false]
      else if (code === 1) this.bold = true
      else if (code === 2) this.dim = true
      else if (code === 22) [this.bold, this.dim] = [false, false]
      else if (code === 39) this.color = ''
      else if (COLORS[code] !== undefined) this.color = COLORS[code]
      else throw new Error(`unknown colour ${code}`)
    }
  }

  put(sign) {
    if (sign === '\r') this.x = 0
    else if (sign === '\n') this.down()
    else {
      const width = WIDE.test(sign) ? 2 : 1
      if (this.x + width > this.columns) {
        this.x = 0
        this.down()
      }
      const line = this.lines[this.y]
      while (line.length < this.x) line.push({ text: ' ', style: '' })
      line[this.x++] = {
        text: sign,
        style: [this.color, this.bold ? 'bold' : '', this.dim ? 'dim' : ''].filter((word) => word !== '').join(' '),
      }
      if (width === 2) line[this.x++] = { text: '', style: '' }
    }
  }

  down() {
    if (this.y < this.rows - 1) this.y++
    else {
      this.lines.shift()
      this.lines.push([])
    }
  }

  /** A copy of what is shown. */
  screen() {
    return this.lines.map((line) => line.map((cell) => ({ ...cell })))
  }
}
