/** What the sandbox's people, vendors and papers are called. Other people's text: commas, quotes, line ends, several scripts. */
export const FIRST_NAMES = [
  'Anna',
  'Ravi',
  'Chloé',
  'Björn',
  'Mei',
  'Olu',
  'Siobhán',
  'Diego',
  'Yuki',
  'Fatima',
  'Łukasz',
  'Grace',
  'Nguyễn',
  'Peter',
  'Zoë',
  'Karthik',
  'Ingrid',
  'محمد',
  '伟',
  'Андрей',
  'Sean "Mac"',
  'Priya',
  'Tomás',
  'Emma',
]
export const LAST_NAMES = [
  'Jones',
  'Müller',
  "O'Brien",
  'Patel',
  'García, Jr.',
  'Nakamura',
  'van der Berg',
  'Okafor',
  'Świątek',
  '李',
  'Иванова',
  'Smith',
  'Fernández',
  'Rao',
  'Haddad',
  'Lindqvist',
  'Kowalski-Nowak',
  'Dubois',
  'Kim',
  'Rossi',
  'Subramanian',
]
export const DEPARTMENTS = [
  'Finance',
  'Human Resources',
  'IT',
  'Purchasing',
  'Production',
  'Logistics',
  'Sales',
  'Legal',
  'R&D',
  'Facilities',
]
export const CITIES = ['Hamburg', 'Chennai', 'São Paulo', 'Austin, TX', 'Göteborg', 'Kraków', '東京', 'Dublin', 'Lyon', 'Toronto']
export const VENDORS = [
  'Acme Office Supplies',
  'Bergström & Söner AB',
  'Kumar Brothers Pvt. Ltd.',
  'Nordic "Cold Chain" Logistics',
  'Papelería Ñandú',
  'Quick, Clean & Co.',
  '華東電子有限公司',
  'Möbel Höffner GmbH',
  'Tools <and> More',
  'Zenith Freight Inc.',
]
export const PRODUCTS = [
  'Laptop 14"',
  'Safety shoes, size 43',
  'Label printer',
  'Office chair "Ergo"',
  'Pallet wrap 500 mm',
  'Fork-lift battery',
  'Hydraulic oil 20 l',
  'USB-C dock',
  'Whiteboard 120×90',
  'Screws M6 × 40 (100 pcs)',
  'Coffee beans 5 kg',
  'First-aid kit DIN 13157',
]
export const STATUSES = ['Draft', 'In progress', 'Completed', 'Rejected', 'Withdrawn']
export const STEPS = ['Manager approval', 'Finance check', 'Purchasing', 'Goods receipt', 'Payment', 'Closed']
export const BOARD_STATUSES = ['New', 'Triage', 'In progress', 'Waiting for customer', 'Resolved', 'Closed']
export const PRIORITIES = ['Low', 'Medium', 'High', 'Urgent']
export const CATEGORIES = ['Hardware', 'Access', 'Billing', 'Delivery', 'Quality', 'Question']
export const SENTENCES = [
  'Please approve before Friday, the quote expires.',
  'The supplier confirmed delivery within two weeks.',
  'Replacement for the broken unit in building 3.',
  'See attached quote; the second one is cheaper but without support.',
  'Budget was agreed in the monthly meeting.',
  'Customer says:\n"It stopped working after the update."',
  'Called back, no answer. Will try again tomorrow.',
  'Rechnung geprüft, Skonto 2 % möglich.',
  'Café, naïve, coöperate: accents must survive.',
  'Ready for pick-up at gate 4 ✅',
  'Path on the share is \\\\files\\public\\2026.',
  'Tab\tseparated\tvalues were pasted here.',
  '注文は来週届きます。',
  'Вопрос передан в бухгалтерию.',
  'Escalated to second level 🚒, see the log.',
  'No further action needed.',
  'Amount differs from the order by 12.40 EUR.',
  'The form was filled in on a phone, sorry for typos.',
  'Line one\r\nline two\r\nline three',
  'Warranty until 2028; keep the invoice.',
]

/** A list as JSON string literals. */
export function literals(list: readonly string[]): string[] {
  return list.map((text) => JSON.stringify(text))
}
