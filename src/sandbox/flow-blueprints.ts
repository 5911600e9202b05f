/** The service in the path: boards are `case`, dataforms `form` (Kissflow's own names). */
export type Service = 'process' | 'case' | 'form' | 'dataset' | 'project'
export const SERVICES = ['process', 'case', 'form', 'dataset', 'project'] as const satisfies readonly Service[]

export interface FieldBlueprint {
  id: string
  name: string
  type:
    | 'Text'
    | 'Textarea'
    | 'Number'
    | 'Currency'
    | 'Date'
    | 'DateTime'
    | 'Select'
    | 'Checklist'
    | 'User'
    | 'Boolean'
    | 'Email'
    | 'Vendor'
    | 'Attachment'
    | 'Image'
    | 'Signature'
}

export interface TableBlueprint {
  id: string
  name: string
  /** How the item holds the rows: an array, or an object keyed by row number or by row id. */
  shape: 'array' | 'byNumber' | 'byId'
  maxRows: number
  fields: readonly FieldBlueprint[]
}

export interface FlowBlueprint {
  id: string
  name: string
  service: Service
  status: 'Live' | 'Draft' | 'Archived'
  /** Which app it belongs to; undefined for none. */
  app?: number
  /** Share of the account's records. */
  weight: number
  envelope: 'bare' | 'data' | 'table'
  /** The server gives at most this many rows a page, whatever was asked, and does not say so. */
  pageCap: number
  /** Where the record id sits in a list row: `_id`; only `_item_id`; `_id` with the human number in `_item_id`. */
  rowId?: 'id' | 'itemIdOnly' | 'both'
  /** What `count` of a form's list means. */
  count?: 'total' | 'page'
  /** Beginning of the human number, as in PR-104. */
  number: string
  /** Two records whose ids differ only in case. */
  twinIds?: true
  /** The fields endpoint says nothing about the columns of child tables. */
  hidesChildFields?: true
  fields: readonly FieldBlueprint[]
  tables: readonly TableBlueprint[]
}

type FieldType = FieldBlueprint['type']

function fields(...specs: string[]): FieldBlueprint[] {
  return specs.map((spec) => {
    const [name = '', type = 'Text', id = `${name.replaceAll(' ', '_')}`] = spec.split('|')
    return { id, name, type: type as FieldType }
  })
}

function table(id: string, name: string, shape: TableBlueprint['shape'], maxRows: number, ...specs: string[]): TableBlueprint {
  return { id, name, shape, maxRows, fields: fields(...specs) }
}

const PROCESS = { service: 'process', status: 'Live', tables: [] } as const
const BOARD = { service: 'case', status: 'Live', tables: [] } as const
const FORM = { service: 'form', status: 'Live', tables: [], envelope: 'data' } as const
const DATASET = { service: 'dataset', status: 'Live', tables: [] } as const
const PROJECT = { service: 'project', status: 'Live', tables: [] } as const

// biome-ignore format: a table
const PURCHASE_FIELDS = fields('Title', 'Requested for|User', 'Vendor|Vendor', 'Amount|Currency', 'Needed by|Date', 'Reason|Textarea', 'Urgent|Boolean', 'Cost centre|Select', 'Quotes|Attachment', 'Signed by|Signature')
// biome-ignore format: a table
const LINE_ITEMS = table('Line_Items_1', 'Line items', 'array', 5, 'Product|Text', 'Quantity|Number', 'Unit price|Currency', 'Data sheet|Attachment|Data_sheet')

/** Every flow of the account: a mid-size company's, of all types and states, very uneven in size. */
// biome-ignore format: a table, one flow a line
export const BLUEPRINTS: readonly FlowBlueprint[] = [
  { ...PROCESS, id: 'Purchase_Request_A00', name: 'Purchase Request', app: 1, weight: 22, envelope: 'table', pageCap: 200, number: 'PR', twinIds: true, fields: PURCHASE_FIELDS, tables: [LINE_ITEMS, table('Approvals_2', 'Approvals', 'byNumber', 3, 'Approver|User', 'Decision|Select', 'Stamp|Image')] },
  { ...PROCESS, id: 'Invoice_Approval_A02', name: 'Invoice Approval, "Fast Lane"', app: 1, weight: 10, envelope: 'data', pageCap: 100, number: 'INV', hidesChildFields: true, fields: fields('Invoice number', 'Vendor|Vendor', 'Gross|Currency', 'Net|Number', 'Due|Date', 'Remarks|Textarea', 'Beleg Anhänge|Attachment', 'Received|DateTime'), tables: [table('Positions_1', 'Positions', 'byId', 6, 'Text|Text', 'Net amount|Number', 'Scan|Attachment', 'Photo|Image')] },
  { ...PROCESS, id: 'Leave_Request_A00', name: 'Leave Request', app: 0, weight: 8, envelope: 'table', pageCap: 500, number: 'LR', fields: fields('From|Date', 'To|Date', 'Type|Select', 'Deputy|User', 'Comment|Textarea', 'Doctor note|Attachment') },
  { ...PROCESS, id: 'Expense_Claim_A01', name: 'Expense Claim\n(travel & per diem)', app: 0, weight: 6, envelope: 'bare', pageCap: 100, number: 'EX', fields: fields('Trip|Text', 'Total|Currency', 'Paid by|Select', 'Days|Number', 'Justification|Textarea', 'Signature|Signature'), tables: [table('Receipts_1', 'Receipts', 'array', 4, 'Date|Date', 'Amount|Currency', 'Receipt|Attachment', 'Photo|Image')] },
  { ...PROCESS, id: 'Employee_Onboarding_A00', name: 'Employee Onboarding', app: 0, weight: 2, envelope: 'data', pageCap: 200, number: 'ON', fields: fields('Candidate', 'Start|Date', 'Manager|User', 'E-mail|Email', 'Equipment|Checklist', 'Portrait|Image', 'Contract|Attachment') },
  { ...PROCESS, id: 'Audit_100%_A00', name: 'Audit 100% & follow-up; "closed"', weight: 1, envelope: 'bare', pageCap: 100, number: 'AU', fields: fields('Finding|Textarea', 'Site|Select', 'Auditor|User', 'Evidence|Attachment') },
  { ...PROCESS, id: 'Contract_Review_A00', name: 'Contract Review', status: 'Draft', weight: 0, envelope: 'table', pageCap: 100, number: 'CR', fields: fields('Contract', 'Value|Currency') },
  { ...PROCESS, id: 'Asset_Disposal_A00', name: 'Asset Disposal (old)', status: 'Archived', weight: 0.7, envelope: 'table', pageCap: 100, number: 'AD', fields: fields('Asset', 'Book value|Currency', 'Photo|Image') },
  { ...PROCESS, id: 'Travel_Request_B00', name: 'Travel Request', app: 0, weight: 0, envelope: 'data', pageCap: 100, number: 'TR', fields: fields('Destination', 'From|Date', 'To|Date') },
  { ...BOARD, id: 'Customer_Support_A00', name: 'Customer Support', app: 2, weight: 14, envelope: 'data', pageCap: 100, rowId: 'both', number: 'CFR', fields: fields('Customer|Vendor', 'Description|Textarea', 'Reported|DateTime', 'Channel|Select', 'Screenshots|Attachment', 'Satisfied|Boolean') },
  { ...BOARD, id: 'IT_Helpdesk_A00', name: 'IT Helpdesk', app: 2, weight: 5, envelope: 'bare', pageCap: 21, rowId: 'id', number: 'IT', fields: fields('Device', 'Problem|Textarea', 'Affected|User', 'Logs|Attachment', 'Photo|Image'), tables: [table('Steps_1', 'Steps tried', 'byNumber', 4, 'Step|Text', 'Result|Textarea', 'Capture|Attachment')] },
  { ...BOARD, id: 'Facilities_A00', name: 'Facilities', weight: 1.5, envelope: 'bare', pageCap: 100, rowId: 'itemIdOnly', number: 'FAC', fields: fields('Room', 'Issue|Textarea', 'Photo|Image') },
  { ...BOARD, id: 'Vendor_Issues_A00', name: 'Vendor Issues / "Claims"', app: 1, weight: 1, envelope: 'data', pageCap: 200, rowId: 'both', number: 'VI', fields: fields('Vendor|Vendor', 'Claim|Textarea', 'Amount|Currency', 'Papers|Attachment') },
  { ...BOARD, id: 'Recruiting_A00', name: 'Recruiting', app: 0, weight: 2, envelope: 'data', pageCap: 500, rowId: 'id', number: 'REC', fields: fields('Position', 'Source|Select', 'Expected salary|Number', 'CV|Attachment', 'Interview|DateTime') },
  { ...BOARD, id: 'Legacy_Tickets_A00', name: 'Legacy Tickets', status: 'Archived', weight: 0.5, envelope: 'bare', pageCap: 100, rowId: 'itemIdOnly', number: 'OLD', fields: fields('Text|Textarea', 'File|Attachment') },
  { ...BOARD, id: 'Idea_Box_A00', name: 'Idea Box', status: 'Draft', weight: 0, envelope: 'bare', pageCap: 100, rowId: 'id', number: 'IDEA', fields: fields('Idea|Textarea') },
  { ...FORM, id: 'Satisfaction_Survey_A00', name: 'Satisfaction Survey', weight: 5, pageCap: 100, count: 'total', number: 'SS', fields: fields('Status|Select|Status_1', 'Score|Number|Score_1', 'Remarks|Textarea|Remarks_1', 'Picture|Image|Picture_1') },
  { ...FORM, id: 'Visitor_Log_A00', name: 'Visitor Log', weight: 2, pageCap: 200, count: 'page', number: 'VL', fields: fields('Company|Vendor|Company_1', 'Arrival|DateTime|Arrival_1', 'Host|User|Host_1', 'Signature|Signature|Signature_1') },
  { ...FORM, id: 'Incident_Report_A00', name: 'Incident Report', app: 3, weight: 1, pageCap: 100, count: 'total', number: 'IR', fields: fields('Place|Select|Place_1', 'What happened|Textarea|What_1', 'Papers|Attachment|Papers_1'), tables: [table('Witnesses_1', 'Witnesses', 'byId', 3, 'Name|User|Witness_1', 'Statement|Attachment|Statement_1')] },
  { ...FORM, id: 'Vendor_Rating_A00', name: 'Vendor Rating', app: 1, weight: 0.6, pageCap: 100, count: 'page', number: 'VR', fields: fields('Vendor|Vendor|Vendor_1', 'Points|Number|Points_1', 'Report|Attachment|Report_1') },
  { ...FORM, id: 'Feedback_Draft_A00', name: 'Feedback', status: 'Draft', weight: 0, pageCap: 100, count: 'total', number: 'FB', fields: fields('Text|Textarea|Text_1', 'Score|Number|Score_1') },
  { ...FORM, id: 'Guest_Book_A00', name: 'Guest Book', status: 'Archived', weight: 0, pageCap: 100, count: 'total', number: 'GB', fields: fields('Entry|Textarea|Entry_1') },
  { ...DATASET, id: 'Product_Master_A00', name: 'Product Master', app: 1, weight: 14, envelope: 'table', pageCap: 500, number: 'P', fields: fields('Description', 'Price|Currency', 'Stock|Number', 'Supplier|Vendor', 'Discontinued|Boolean', 'Picture|Image', 'Data sheet|Attachment|Data_sheet') },
  { ...DATASET, id: 'Suppliers_A00', name: 'Suppliers', weight: 2, envelope: 'data', pageCap: 100, number: 'S', fields: fields('Company|Vendor', 'Contact|Email', 'Since|Date', 'Certificate|Attachment') },
  { ...DATASET, id: 'Cost_Centres_A00', name: 'Cost Centres, 2026', weight: 0.6, envelope: 'table', pageCap: 200, number: 'CC', fields: fields('Owner|User', 'Budget|Currency') },
  { ...DATASET, id: 'Länder_A00', name: 'Länder – 国', weight: 0.3, envelope: 'bare', pageCap: 100, number: 'L', fields: fields('Capital', 'Inhabitants|Number') },
  { ...DATASET, id: 'Old_Price_List_A00', name: 'Old Price List', status: 'Archived', weight: 0, envelope: 'table', pageCap: 100, number: 'OP', fields: fields('Price|Currency') },
  { ...PROJECT, id: 'Office_Move_A00', name: 'Office Move', weight: 0.6, envelope: 'bare', pageCap: 100, rowId: 'both', number: 'OM', fields: fields('Task|Textarea', 'Owner|User', 'Due|Date', 'Plan|Attachment') },
  { ...PROJECT, id: 'Product_Launch_A00', name: 'Product Launch', weight: 1.2, envelope: 'data', pageCap: 200, rowId: 'id', number: 'PL', fields: fields('Task|Textarea', 'Budget|Currency', 'Sketch|Image') },
  { ...PROJECT, id: 'ERP_Rollout_A00', name: 'ERP Roll-out', status: 'Archived', weight: 0.3, envelope: 'bare', pageCap: 100, rowId: 'both', number: 'ERP', fields: fields('Task|Textarea', 'Papers|Attachment') },
]
