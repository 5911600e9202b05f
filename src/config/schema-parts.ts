import { z } from 'zod'
import { nearest } from '../util/nearest.js'
import { parseDuration, parseSize } from '../util/units.js'

// A config is read once: compiling a parser for each object costs more than it saves.
z.config({ jitless: true })

/** An object whose unknown keys are errors with the nearest known one; one line of the message for each key. */
export function object<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  const known = Object.keys(shape)
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? issue.keys.map((key) => unknownKey(key, known)).join('\n') : undefined),
  })
}

/** `unknown key; did you mean "zip"?`, or the known keys when none is near. */
export function unknownKey(key: string, known: readonly string[]): string {
  const near = nearest(key, known)
  return near === undefined ? `unknown key; known here: ${known.join(', ')}` : `unknown key; did you mean "${near}"?`
}

/** Text on one line that is not empty. */
export function text(): z.ZodString {
  return z.string().regex(/^[^\u0000-\u001f\u007f]*\S[^\u0000-\u001f\u007f]*$/, { error: 'must be text on one line, not empty' })
}

/** A whole number within bounds, both inclusive. */
export function whole(min: number, max: number): z.ZodNumber {
  const error = max === Number.MAX_SAFE_INTEGER ? `must be a whole number, ${min} or more` : `must be a whole number from ${min} to ${max}`
  return z.int({ error }).min(min, { error }).max(max, { error })
}

/** A list with at least one element. */
export function listOf<Item extends z.ZodType>(item: Item, empty: string): z.ZodArray<Item> {
  return z.array(item).min(1, { error: empty })
}

/** `4GB`, `512 MiB`, or a number of bytes. */
export function size(): z.ZodUnion<readonly [z.ZodString, z.ZodNumber]> {
  return z
    .union([z.string(), z.number()], { error: 'must be a size such as "4GB" or a number of bytes' })
    .refine((value) => parseSize(value) !== undefined, { error: 'must be a size such as "4GB", "512MiB" or a number of bytes' })
}

/** `7d`, `26h`, `6 months`; never zero. */
export function duration(): z.ZodString {
  return z.string().refine((value) => (parseDuration(value) ?? 0) > 0, { error: 'must be a duration such as "26h", "7d" or "6 months"' })
}

/** Argument list of a program run without a shell. */
export function argv(): z.ZodArray<z.ZodString> {
  return listOf(z.string().regex(/^[^\u0000]*$/, { error: 'must not hold NUL' }), 'must name a program, as ["program", "argument"]').refine(
    (words) => words[0] !== '',
    { error: 'must begin with the name of a program' },
  )
}

const SECRET_SHAPE = 'must be text that is not empty, {"file": "…"} or {"command": ["…"]}'

/** A secret as the file may give it. The text is never repeated in a message. */
export function secret(): z.ZodType<SecretInput, SecretInput> {
  return z.union([z.string().min(1, { error: SECRET_SHAPE }), object({ file: text() }), object({ command: argv() })], {
    error: SECRET_SHAPE,
  })
}

export type SecretInput = string | { file: string } | { command: string[] }

export type KeyPath = readonly (string | number)[]

/** `notifications.webhooks[0].url` */
export function keyName(path: KeyPath): string {
  return path.reduce<string>((name, part) => (typeof part === 'number' ? `${name}[${part}]` : name === '' ? part : `${name}.${part}`), '')
}
