#include "lifecycle/alerts.h"
#include <stdio.h>
#include <string.h>

/* Is the alert of this name open in the history? */
static leat_status alert_open(leat_store *s, const char *name, int *open, leat_error *err) {
  leat_event e = {.struct_size = sizeof e};
  int64_t cursor = 0;
  leat_status st;
  *open = 0;
  while ((st = lt_folder_history(s, &cursor, &e, err)) == LEAT_OK) {
    if ((e.kind != LEAT_EVENT_ALERT && e.kind != LEAT_EVENT_ALERT_OVER) || strcmp(e.name, name) != 0) continue;
    *open = e.kind == LEAT_EVENT_ALERT;
  }
  return st == LEAT_E_NOT_FOUND ? LEAT_OK : st;
}

leat_status lt_alert_note(leat_store *s, const char *name, int raised, double value, double threshold, int64_t row, const char *text,
                          leat_error *err) {
  leat_event e = {.struct_size = sizeof e, .kind = raised ? LEAT_EVENT_ALERT : LEAT_EVENT_ALERT_OVER, .row = row, .value = value,
                  .threshold = threshold};
  int open = 0;
  leat_status st = alert_open(s, name, &open, err);
  if (st || open == (raised != 0)) return st;
  snprintf(e.name, sizeof e.name, "%s", name);
  snprintf(e.text, sizeof e.text, "%s", text);
  return lt_folder_note(s, &e, err);
}

leat_status lt_alert_step(lt_alert *a, leat_store *s, const char *name, double value, double limit, int64_t row, const char *text,
                          leat_error *err) {
  leat_status st = LEAT_OK;
  if (!a->known) { /* an earlier process may have raised it */
    int open = 0;
    st = alert_open(s, name, &open, err);
    if (st) return st;
    a->raised = open;
    a->known = 1;
  }
  int raised = limit > 0 && (a->raised ? value >= limit / 2 : value > limit);
  if (raised == a->raised) return LEAT_OK;
  st = lt_alert_note(s, name, raised, value, limit, row, text, err);
  if (!st) a->raised = raised;
  return st;
}
