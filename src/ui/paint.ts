type Stroke = (text: string) => string

/** Colours, or none. */
export interface Paint {
  bold: Stroke
  dim: Stroke
  red: Stroke
  green: Stroke
  yellow: Stroke
  cyan: Stroke
}

function same(text: string): string {
  return text
}

/** Leaves every text as it is. */
export const noPaint: Paint = { bold: same, dim: same, red: same, green: same, yellow: same, cyan: same }

/** Sixteen-colour paint when `color`, else none; chalk is loaded only when it is needed. */
export async function loadPaint(color: boolean): Promise<Paint> {
  if (!color) return noPaint
  const { Chalk } = await import('chalk')
  const { bold, dim, red, green, yellow, cyan } = new Chalk({ level: 1 })
  return { bold, dim, red, green, yellow, cyan }
}
