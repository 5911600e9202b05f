/** The grammar of `--faults`. */
export const FAULTS_HELP = `
Faults, separated by commas, each name:value or name=value:
  reset reset-body stall 429 429-after 429-date 5xx cut-json cf wrong-length
  html                probability for each answer, as reset:0.02; a URL never
                      fails more than 4 times in a row
  chaos:0.1           all of these, together 0.1
  stall-ms=2000       how long a stalled answer keeps still before the
                      connection ends
  retry-after=1       seconds in Retry-After
  missing=comments|audit|project|upload
                      endpoints that answer 404
  forbidden=<flow id> that flow answers 403 (00010)
  plan=<service>      that service answers 403 (00023): user group app_role flow
                      process case form dataset project upload comment audit
  poison-item=<n>     n records always answer 500
  poison-file=<n>     n files always answer 500 or 404
  moving=<n>          n rows (2) inserted, deleted or moved with each page of a
                      flow's list; moving-for=<n> changes of a flow in all
  repeat-page         each page of a flow's list is the first one
  dup-rows            each page of a flow's list repeats its first row
  cap=<n>             no list gives more than n rows a page
  revoke-after=<n>    401 after n calls
  down-after=<n>      connections are cut after n calls; down-for=<n> calls,
                      else for good
  slow=<ms>           answers take about that much longer (200)
`
