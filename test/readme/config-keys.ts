interface Schema {
  type?: string
  properties?: Record<string, Schema>
  anyOf?: Schema[]
  oneOf?: Schema[]
  items?: Schema
  default?: unknown
  const?: unknown
}

function isSecret(variants: readonly Schema[]): boolean {
  return variants.some(({ properties }) => properties !== undefined && 'command' in properties)
}

/** Every key of a config that holds a value, with its default where the schema has one; `webhooks[].url` for those in lists. */
export function keysOf(schema: Schema, path = ''): Map<string, unknown> {
  const keys = new Map<string, unknown>()
  const variants = schema.anyOf ?? schema.oneOf
  const add = (inner: Schema, at: string): void => {
    for (const [key, value] of keysOf(inner, at)) if (!keys.has(key) || keys.get(key) === undefined) keys.set(key, value)
  }
  if (variants !== undefined) {
    if (isSecret(variants) || variants.every(({ properties }) => properties === undefined)) keys.set(path, schema.default)
    else for (const variant of variants) add(variant, path)
  } else if (schema.properties !== undefined) {
    for (const [name, inner] of Object.entries(schema.properties))
      if (name !== '$schema') add(inner, path === '' ? name : `${path}.${name}`)
  } else if (schema.items !== undefined && schema.items.properties !== undefined) add(schema.items, `${path}[]`)
  else keys.set(path, schema.default)
  return keys
}
