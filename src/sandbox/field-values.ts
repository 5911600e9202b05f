import type { Account } from './account.js'
import type { FieldBlueprint } from './flow-blueprints.js'
import { at, mix } from './random.js'
import { CATEGORIES, CITIES, DEPARTMENTS, literals, PRODUCTS, SENTENCES, VENDORS } from './words.js'

const DAY_MS = 86_400_000
const PRODUCT_TEXTS = literals(PRODUCTS)
const CITY_TEXTS = literals(CITIES)
const CHOICES = literals([...DEPARTMENTS, ...CATEGORIES])
const VENDOR_REFS = VENDORS.map((name, index) => JSON.stringify({ _id: `PkVendor${index}`, Name: name, Kind: 'Suppliers_A00' }))
const INNER_SENTENCES = literals(SENTENCES).map((literal) => literal.slice(1, -1))

/** A JSON string of one to four sentences. */
export function prose(chance: number): string {
  let text = at(INNER_SENTENCES, chance)
  for (let more = (chance >>> 8) % 4, next = chance; more > 0; more--) {
    next = mix(next, more)
    text += ` ${at(INNER_SENTENCES, next)}`
  }
  return `"${text}"`
}

/** A time as the API writes it: with milliseconds, without, or with an offset. */
export function timeLiteral(timeMs: number, chance: number): string {
  const iso = new Date(timeMs).toISOString()
  switch (chance % 4) {
    case 0:
      return `"${iso.slice(0, 19)}Z"`
    case 1:
      return `"${new Date(timeMs + 19_800_000).toISOString().slice(0, 19)}+05:30"`
    default:
      return `"${iso}"`
  }
}

/** `{"_id","Name","Kind"}` of some user. */
export function someone(account: Account, chance: number): string {
  return at(account.people, chance).ref
}

/** The JSON value of a field that holds no files, chosen by `chance`; times lie shortly before `timeMs`. */
export function fieldValue(account: Account, field: FieldBlueprint, chance: number, timeMs: number): string {
  const amount = (chance % 900_000) / 100
  switch (field.type) {
    case 'Text':
      return chance % 7 === 0 ? at(CITY_TEXTS, chance >>> 4) : at(PRODUCT_TEXTS, chance >>> 4)
    case 'Textarea':
      return prose(chance)
    case 'Number':
      return chance % 3 === 0 ? `"${amount.toFixed(2)}"` : amount.toFixed(chance % 2)
    case 'Currency':
      return chance % 5 === 0 ? `{"value":"${amount.toFixed(2)}","unit":"EUR"}` : `"${amount.toFixed(2)} EUR"`
    case 'Date':
      return `"${new Date(timeMs + ((chance % 60) - 20) * DAY_MS).toISOString().slice(0, 10)}"`
    case 'DateTime':
      return timeLiteral(timeMs - (chance % DAY_MS), chance >>> 3)
    case 'Select':
      return at(CHOICES, chance)
    case 'Checklist':
      return `[${at(CHOICES, chance)},${at(CHOICES, chance >>> 5)}]`
    case 'User':
      return someone(account, chance)
    case 'Boolean':
      return chance % 3 === 0 ? '"Yes"' : String(chance % 2 === 0)
    case 'Email':
      return `"contact.${chance % 10_000}@vendor.example"`
    case 'Vendor':
      return at(VENDOR_REFS, chance)
    default:
      return 'null'
  }
}
