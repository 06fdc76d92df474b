/* The report's lists: alerts, what was done about the model, versions. */
#include "report_page.h"
#include <math.h>
#include <string.h>

enum { OPEN_EVENTS = 12, MOST_EVENTS = 150, MOST_VERSIONS = 60 };

int report_is_swap(int64_t kind) { return kind >= LEAT_EVENT_ROLLBACK && kind <= LEAT_EVENT_NON_FINITE; }
int report_is_rollback(int64_t kind) {
  return kind == LEAT_EVENT_ROLLBACK || kind == LEAT_EVENT_ROLLBACK_BY_HAND || kind == LEAT_EVENT_NON_FINITE;
}

static const struct {
  int64_t kind;
  const char *name, *look;
  int alert;
} events[] = {
    {LEAT_EVENT_STAGE, "promoted", "good", 0},
    {LEAT_EVENT_STAGE_BACK, "stage rolled back", "bad", 0},
    {LEAT_EVENT_TABLE, "table published", "no", 0},
    {LEAT_EVENT_TABLE_BACK, "table rolled back", "bad", 0},
    {LEAT_EVENT_PIN, "pin", "no", 0},
    {LEAT_EVENT_CERTIFIED, "certified", "good", 0},
    {LEAT_EVENT_ROLLBACK, "rollback", "bad", 0},
    {LEAT_EVENT_RESTART, "restart", "swap", 0},
    {LEAT_EVENT_PIN_BACK, "back to the pin", "swap", 0},
    {LEAT_EVENT_UNDO, "undo", "swap", 0},
    {LEAT_EVENT_ROLLBACK_BY_HAND, "rollback by hand", "bad", 0},
    {LEAT_EVENT_NON_FINITE, "not finite", "bad", 0},
    {LEAT_EVENT_FROZEN, "frozen", "bad", 0},
    {LEAT_EVENT_THAWED, "thawed", "good", 0},
    {LEAT_EVENT_HELD, "suspects held", "warn", 0},
    {LEAT_EVENT_GATE, "gate", "warn", 0},
    {LEAT_EVENT_REFRESH, "refresh", "swap", 0},
    {LEAT_EVENT_RACE, "race", "swap", 0},
    {LEAT_EVENT_TRIAL, "trial", "swap", 0},
    {LEAT_EVENT_WARNING, "warning", "warn", 1},
    {LEAT_EVENT_ALARM, "alarm", "bad", 1},
    {LEAT_EVENT_MONITORED, "monitored", "no", 1},
    {LEAT_EVENT_REFRESH_DUE, "refresh due", "warn", 1},
    {LEAT_EVENT_DRIFT, "drift", "bad", 1},
    {LEAT_EVENT_DRIFT_OVER, "drift over", "good", 1},
    {LEAT_EVENT_ALERT, "alert", "bad", 1},
    {LEAT_EVENT_ALERT_OVER, "alert over", "good", 1},
};
enum { KINDS = sizeof events / sizeof events[0] };

static int find(int64_t kind) {
  for (int i = 0; i < KINDS; i++)
    if (events[i].kind == kind) return i;
  return -1;
}

const char *report_event_name(int64_t kind) {
  int i = find(kind);
  return i >= 0 ? events[i].name : kind == LEAT_EVENT_VERSION ? "snapshot" : "event";
}

static void event(FILE *to, const leat_event *e, int k) {
  char a[64], b[32];
  fprintf(to, "<li><span class=\"tag %s\">%s</span> ", events[k].look, events[k].name);
  if (strcmp(e->name, events[k].name) != 0) {
    fputs("<b>", to);
    report_text(to, e->name);
    fputs("</b> ", to);
  }
  fputs("<span class=\"when\">", to);
  if (e->version) fprintf(to, "version %lld, ", (long long)e->version);
  if (e->row) fprintf(to, "record %s, ", report_grouped(e->row, a));
  report_time(to, e->time_ns);
  fputs("</span>", to);
  if (e->text[0]) {
    fputs("<div>", to);
    report_text(to, e->text);
    fputs("</div>", to);
  }
  int measured =
      e->threshold != 0 && e->kind >= LEAT_EVENT_WARNING && e->kind != LEAT_EVENT_THAWED && e->kind != LEAT_EVENT_REFRESH;
  if (measured) {
    fprintf(to, "<div class=\"dim\">%s%s, ", report_is_swap(e->kind) ? "evidence " : "", cli_number(e->value, a));
    fprintf(to, "limit %s</div>", cli_number(e->threshold, b));
  }
  fputs("</li>\n", to);
}

/* The newest first; the first few open, the others behind a click. */
static void list(FILE *to, const report *r, int alert, const char *none) {
  int64_t all = 0, shown = 0;
  for (int64_t i = 0; i < r->n_events; i++) {
    int k = find(r->event[i].kind);
    all += k >= 0 && events[k].alert == alert;
  }
  fputs("<div class=\"card\">", to);
  if (!all) fprintf(to, "<p class=\"dim\">%s</p></div>\n", none);
  if (!all) return;
  fputs("<ul class=\"list\">\n", to);
  for (int64_t i = r->n_events; i-- > 0 && shown < MOST_EVENTS;) {
    int k = find(r->event[i].kind);
    if (k < 0 || events[k].alert != alert) continue;
    if (shown++ == OPEN_EVENTS)
      fprintf(to, "</ul><details><summary>%lld older ones</summary><ul class=\"list\">\n", (long long)(all - OPEN_EVENTS));
    event(to, &r->event[i], k);
  }
  fputs("</ul>", to);
  if (all > MOST_EVENTS)
    fprintf(to, "<p class=\"dim\">These are the newest %d; <code>leat store DIR log</code> has all.</p>", MOST_EVENTS);
  fputs(shown > OPEN_EVENTS ? "</details></div>\n" : "</div>\n", to);
}

void report_alerts(FILE *to, const report *r) {
  fputs("<h2>Alerts</h2>\n", to);
  list(to, r, 1, "None so far: no detector has warned, no feature has drifted.");
}

void report_changes(FILE *to, const report *r) {
  fputs("<h2>What was done about the model</h2>\n", to);
  list(to, r, 0, "Nothing so far: no promotion, no swap, no rollback.");
}

void report_versions(FILE *to, const report *r) {
  char a[64], b[32], age[64];
  int64_t shown = 0;
  fputs("<h2>Versions and snapshots</h2>\n<div class=\"card\">", to);
  if (r->n_versions == 0) {
    fputs("<p class=\"dim\">None yet.</p></div>\n", to);
    return;
  }
  fputs(
      "<table class=\"stack\"><thead><tr><th class=\"n\">version</th><th>stages</th><th>origin</th><th>made (UTC)</th><th "
      "class=\"n\">age</th>"
      "<th class=\"n\">records learned</th><th class=\"n\">loss of late</th><th "
      "class=\"n\">size</th><th>checksum</th></tr></thead>\n",
      to);
  for (int64_t i = r->n_versions; i-- > 0 && shown < MOST_VERSIONS; shown++) {
    const leat_version_info *v = &r->version[i];
    fprintf(to, "<tr><td class=\"n\" data-l=\"version\">%lld</td><td data-l=\"stages\">", (long long)v->version);
    report_text(to, v->stages);
    if (v->flags & LEAT_VERSION_CERTIFIED) fputs(" <span class=\"tag good\">certified</span>", to);
    if (v->flags & LEAT_VERSION_PINNED) fputs(" <span class=\"tag no\">pinned</span>", to);
    fputs("</td><td data-l=\"origin\">", to);
    report_text(to, v->origin);
    fputs("</td><td data-l=\"made (UTC)\">", to);
    report_time(to, v->created_ns);
    fprintf(to, "</td><td class=\"n\" data-l=\"age\">%s</td><td class=\"n\" data-l=\"records learned\">%s</td>",
            report_age(r->now_ns - v->created_ns, age), report_grouped(v->rows_learned, a));
    fprintf(to, "<td class=\"n\" data-l=\"loss of late\">%s</td>", isfinite(v->loss) ? cli_number(v->loss, b) : "");
    fprintf(to, "<td class=\"n\" data-l=\"size\">%s</td><td data-l=\"checksum\"><code>%.12s</code></td></tr>\n",
            cli_bytes(v->bytes, b), v->checksum);
  }
  fputs("</table>", to);
  if (r->n_versions > MOST_VERSIONS)
    fprintf(to, "<p class=\"dim\">The newest %d of %lld.</p>", MOST_VERSIONS, (long long)r->n_versions);
  fputs("</div>\n", to);
}
