/** `${NAME}`, `${NAME:-default}`, `$${` for a literal `${`; anything else that begins with `${` is a mistake. */
const REFERENCE = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{/g

export interface Interpolated {
  text: string
  /** Every variable the text refers to. */
  names: string[]
  /** Those that are not set and have no default. */
  unset: string[]
  /** A `${` that is no reference. */
  malformed: boolean
}

/** Replaces the references once: what a variable holds is never looked into again (details.md 19). */
export function interpolate(template: string, env: NodeJS.ProcessEnv): Interpolated {
  const names: string[] = []
  const unset: string[] = []
  let malformed = false
  const text = template.replace(REFERENCE, (found, name: string | undefined, fallback: string | undefined) => {
    if (found === '$${') return '${'
    if (name === undefined) {
      malformed = true
      return found
    }
    names.push(name)
    const value = env[name]
    // As in a shell, `:-` also stands in for an empty variable.
    if (fallback !== undefined) return value === undefined || value === '' ? fallback : value
    if (value === undefined) unset.push(name)
    return value ?? ''
  })
  return { text, names, unset, malformed }
}

/** What to say of a `${` that is no reference. */
export const MALFORMED = 'holds a "${" that is no ${NAME} or ${NAME:-default}; write "$${" where "${" itself is meant'
