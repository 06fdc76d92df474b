/* The report's drift: a strip for each feature, a cell for each window, and a table of what the newest window says. */
#include "report_page.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_FEATURES = 24, SHOWN_WINDOWS = 80, NAMES = 190, WIDTH = 960, STEP = 20, HEAD = 22 };

typedef struct feature { const char *name; double most; const leat_drift_point *last; } feature;

static int by_most(const void *a, const void *b) {
  const feature *x = a, *y = b;
  return x->most < y->most ? 1 : x->most > y->most ? -1 : strcmp(x->name, y->name);
}

static double over(const leat_drift_info *d) { return d->alert > 0 && isfinite(d->value) ? d->value / d->alert : 0; }

/* The features, those that lay furthest beyond their limits first. */
static int64_t features(const report *r, feature **out) {
  feature *f = cli_alloc((size_t)(r->n_drift + 1) * sizeof *f);
  int64_t n = 0;
  for (int64_t i = 0; i < r->n_drift; i++) {
    int64_t k = 0;
    while (k < n && strcmp(f[k].name, r->drift[i].drift.name) != 0) k++;
    if (k == n) f[n++] = (feature){ r->drift[i].drift.name, 0, NULL };
    if (over(&r->drift[i].drift) > f[k].most) f[k].most = over(&r->drift[i].drift);
    f[k].last = &r->drift[i];
  }
  qsort(f, (size_t)n, sizeof *f, by_most);
  *out = f;
  return n;
}

static const char *state_word(int64_t state) {
  static const char *const names[] = { "insufficient", "ok", "warn", "alert" };
  return state >= 0 && state < 4 ? names[state] : "?";
}

static int64_t windows_of(const report *r, int64_t *row) { /* the newest ones, oldest first */
  int64_t n = 0;
  for (int64_t i = r->n_drift; i-- > 0 && n < SHOWN_WINDOWS;)
    if (n == 0 || row[n - 1] != r->drift[i].row) row[n++] = r->drift[i].row;
  for (int64_t i = 0; i < n / 2; i++) {
    int64_t t = row[i];
    row[i] = row[n - 1 - i];
    row[n - 1 - i] = t;
  }
  return n;
}

static void strips(FILE *to, const report *r, const feature *f, int64_t n) {
  int64_t row[SHOWN_WINDOWS], m = windows_of(r, row), shown = n < SHOWN_FEATURES ? n : SHOWN_FEATURES;
  double cell = (double)(WIDTH - NAMES) / (double)(m > 8 ? m : 8);
  char a[32], b[32];
  fprintf(to, "<svg viewBox=\"0 0 %d %lld\" role=\"img\" aria-label=\"Drift of each feature, window by window\">\n", WIDTH, (long long)(HEAD + shown * STEP));
  fprintf(to, "<text x=\"%d\" y=\"14\">record %s</text><text x=\"%.0f\" y=\"14\" text-anchor=\"end\">%s</text>\n", NAMES, cli_count((double)row[0], a),
          NAMES + cell * (double)m, m > 4 ? cli_count((double)row[m - 1], b) : "");
  for (int64_t k = 0; k < shown; k++) {
    fprintf(to, "<text x=\"%d\" y=\"%lld\" text-anchor=\"end\">", NAMES - 8, (long long)(HEAD + k * STEP + 14));
    report_text(to, f[k].name);
    fputs("</text>\n", to);
    for (int64_t i = 0, at = 0; i < r->n_drift; i++) {
      const leat_drift_point *p = &r->drift[i];
      if (p->row < row[0] || strcmp(p->drift.name, f[k].name) != 0) continue;
      while (at + 1 < m && row[at] < p->row) at++;
      double x = over(&p->drift);
      fprintf(to, "<rect x=\"%.1f\" y=\"%lld\" width=\"%.1f\" height=\"%d\" style=\"fill:var(--%s);opacity:%.2f\"><title>", NAMES + cell * (double)at,
              (long long)(HEAD + k * STEP), cell > 2 ? cell - 1 : cell, STEP - 2, x > 1 ? "bad" : x > 0.4 ? "nochange" : "model",
              x > 1 ? 0.9 : 0.12 + 0.6 * x);
      report_text(to, f[k].name);
      fprintf(to, " up to record %lld: %s of %s, %s</title></rect>\n", (long long)p->row, cli_number(p->drift.value, a), cli_number(p->drift.alert, b),
              state_word(p->drift.state));
    }
  }
  fputs("</svg>\n", to);
}

void report_drift(FILE *to, const report *r) {
  feature *f;
  char v[4][32];
  int64_t n = features(r, &f), alerts = 0;
  fputs("<h2>Drift</h2>\n<div class=\"card scroll\">", to);
  for (int64_t k = 0; k < n; k++) alerts += f[k].last->drift.state == LEAT_DRIFT_ALERT;
  if (n == 0) fputs("<p class=\"dim\">No window has been compared with the learner's first records yet.</p></div>\n", to);
  if (n > 0) {
    fprintf(to, "<p>%lld of %lld have drifted from the first records that were learned.</p>\n", (long long)alerts, (long long)n);
    strips(to, r, f, n);
    fputs("<table><tr><th>feature</th><th>state</th><th class=\"n\">psi</th><th class=\"n\">alert at</th><th>worst cell</th><th class=\"n\">share</th>"
          "<th class=\"n\">before</th><th class=\"n\">since</th></tr>\n", to);
    for (int64_t k = 0; k < n && k < SHOWN_FEATURES; k++) {
      const leat_drift_info *d = &f[k].last->drift;
      fputs("<tr><td>", to);
      report_text(to, d->name);
      fprintf(to, "</td><td><span class=\"tag%s\">%s</span></td><td class=\"n\">%s</td><td class=\"n\">%s</td><td>", d->state == LEAT_DRIFT_ALERT ? " bad" : "",
              state_word(d->state), cli_number(d->value, v[0]), cli_number(d->alert, v[1]));
      report_text(to, d->worst_cell);
      fprintf(to, "</td><td class=\"n\">%s</td><td class=\"n\">%s</td><td class=\"n\">%lld</td></tr>\n", cli_number(d->share, v[2]),
              cli_number(d->reference_share, v[3]), (long long)f[k].last->since);
    }
    fputs("</table>", to);
    if (n > SHOWN_FEATURES) fprintf(to, "<p class=\"dim\">The %d that lay furthest beyond their limits.</p>", SHOWN_FEATURES);
    fputs("<p class=\"dim\">Red: beyond the alert's limit in that window; a state is raised after two windows and cleared after three.</p></div>\n", to);
  }
  free(f);
}
