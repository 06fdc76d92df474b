/* The report's drift: for each feature its windows as bars on the axis of all charts, and what the newest window says. */
#include "report_page.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_FEATURES = 24, NUMBERED_FEATURES = 200, BINS = 96 };

typedef struct feature {
  const char *name;
  double most;
  const leat_drift_point *last;
  int64_t n;
  const leat_drift_point **window;
} feature;

static double over(const leat_drift_info *d) { return d->alert > 0 && isfinite(d->value) ? d->value / d->alert : 0; }

/* Those that have drifted now, then those that lay furthest beyond their limits. */
static int by_most(const void *a, const void *b) {
  const feature *x = a, *y = b;
  int now = (y->last->drift.state == LEAT_DRIFT_ALERT) - (x->last->drift.state == LEAT_DRIFT_ALERT);
  return now ? now : x->most < y->most ? 1 : x->most > y->most ? -1 : strcmp(x->name, y->name);
}

/* A window's features come in the same order each time: the place of the one before is looked at first. */
static int64_t features(const report *r, feature **out) {
  feature *f = NULL;
  int64_t n = 0, k = -1;
  for (int64_t i = 0; i < r->n_drift; i++) {
    const char *name = r->drift[i].drift.name;
    k = n ? (k + 1) % n : 0;
    if (n == 0 || strcmp(f[k].name, name) != 0)
      for (k = 0; k < n && strcmp(f[k].name, name) != 0;) k++;
    if (k == n) {
      if ((n & (n - 1)) == 0) f = cli_grow(f, (size_t)(n ? 2 * n : 1) * sizeof *f);
      f[n++] = (feature) {.name = name};
    }
    if ((f[k].n & (f[k].n - 1)) == 0)
      f[k].window = cli_grow(f[k].window, (size_t)(f[k].n ? 2 * f[k].n : 1) * sizeof *f[k].window);
    f[k].window[f[k].n++] = &r->drift[i];
    f[k].last = &r->drift[i];
    if (over(&r->drift[i].drift) > f[k].most) f[k].most = over(&r->drift[i].drift);
  }
  if (n) qsort(f, (size_t)n, sizeof *f, by_most);
  *out = f;
  return n;
}

static void free_features(feature *f, int64_t n) {
  for (int64_t k = 0; k < n; k++) free(f[k].window);
  free(f);
}

static const char *state_word(int64_t state) {
  static const char *const names[] = {"insufficient", "ok", "warn", "alert"};
  return state >= 0 && state < 4 ? names[state] : "?";
}

/* Beyond its limit in the newest window, but not yet in two: no alert. */
static int once(const leat_drift_info *d) {
  return over(d) >= 1 && d->state != LEAT_DRIFT_ALERT && d->state != LEAT_DRIFT_INSUFFICIENT;
}

static void state_tag(FILE *to, const leat_drift_info *d) {
  fprintf(to, "<span class=\"tag%s\">%s</span>",
          d->state == LEAT_DRIFT_ALERT             ? " bad"
          : d->state == LEAT_DRIFT_WARN || once(d) ? " warn"
                                                   : " no",
          once(d) ? "beyond, once" : state_word(d->state));
}

/* Neighbours that are joined show the one that lay highest. */
typedef struct bin {
  double from, to;
  const leat_drift_point *top;
} bin;
static int64_t bins(const report *r, const feature *f, bin *b) {
  int64_t step = (f->n + BINS - 1) / BINS, n = 0;
  double width =
      f->n > 1 ? report_x(r, f->window[1]->row) - report_x(r, f->window[0]->row) : report_x(r, f->last->drift.rows);
  for (int64_t i = 0; i < f->n; i++) {
    const leat_drift_point *p = f->window[i];
    double x = report_x(r, p->row), from = i ? report_x(r, f->window[i - 1]->row) : x - width;
    if (n == 0 || i % step == 0) b[n++] = (bin) {from > 0 ? from : 0, x, p};
    b[n - 1].to = x;
    if (over(&p->drift) > over(&b[n - 1].top->drift)) b[n - 1].top = p;
  }
  return n;
}

/* Height of a bar in percent: logarithmic, a hundredth of the limit to a hundred times; the limit is in the middle. */
static double height(const leat_drift_info *d) {
  double h = 25 * (log10(over(d) > 1e-9 ? over(d) : 1e-9) + 2);
  return h < 4 ? 4 : h > 100 ? 100 : h;
}

static int level(const leat_drift_info *d) { return over(d) >= 1 ? 0 : d->value >= d->warn ? 1 : 2; }

static void strip(FILE *to, const report *r, const feature *f) {
  static const char *const name[] = {"bad", "warn", "ok"};
  bin b[BINS + 2];
  int64_t n = bins(r, f, b);
  char a[32], c[32], row[64];
  fputs("<div class=\"strip\" data-points='[", to);
  for (int64_t i = 0; i < n; i++)
    fprintf(to, "%s[%.1f,\"to record %s: %s, limit %s\"]", i ? "," : "", (b[i].from + b[i].to) / 2,
            report_grouped(b[i].top->row, row), cli_number(b[i].top->drift.value, a), cli_number(b[i].top->drift.alert, c));
  fputs("]'><svg viewBox=\"0 0 1000 100\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"drift of ", to);
  report_text(to, f->name);
  fputs(", window by window\">", to);
  for (int k = 0; k < 3; k++) {
    int any = 0;
    for (int64_t i = 0; i < n; i++) {
      if (level(&b[i].top->drift) != k) continue;
      double gap = b[i].to - b[i].from > 0.6 ? 1.5 : 0;
      if (!any++) fprintf(to, "<path class=\"fill-%s\" d=\"", name[k]);
      fprintf(to, "M%.1f 100V%.0fH%.1fV100Z", 10 * b[i].from + gap, 100 - height(&b[i].top->drift), 10 * b[i].to - gap);
    }
    if (any) fputs("\"/>", to);
  }
  fputs(
      "<line class=\"limit\" x1=\"0\" x2=\"1000\" y1=\"50\" y2=\"50\"/><line class=\"grid\" x1=\"0\" x2=\"1000\" "
      "y1=\"100\" y2=\"100\"/></svg></div>",
      to);
}

static void strips(FILE *to, const report *r, const feature *f, int64_t n) {
  char v[32];
  fputs(
      "<div class=\"legend\"><span><i class=\"box fill-bad\"></i>beyond the alert's limit</span><span><i class=\"box "
      "fill-warn\"></i>warning</span>"
      "<span><i class=\"box fill-ok\"></i>below</span><span><svg viewBox=\"0 0 26 8\"><path class=\"limit\" d=\"M0 "
      "4H26\"/></svg>the limit</span></div>\n"
      "<p class=\"dim\">A bar is a window; its height is the distance (PSI) as a share of the limit, on a logarithmic "
      "scale. "
      "The first records, before the first bar, are what is compared with.</p>\n",
      to);
  for (int64_t k = 0; k < n && k < SHOWN_FEATURES; k++) {
    fputs("<div class=\"feature\" data-feature=\"", to);
    report_text(to, f[k].name);
    fputs("\"><span class=\"name\" title=\"", to);
    report_text(to, f[k].name);
    fputs("\">", to);
    report_text(to, f[k].name);
    fputs("</span>", to);
    strip(to, r, &f[k]);
    fprintf(to, "<span class=\"says\">%s ", report_short(f[k].last->drift.value, v));
    state_tag(to, &f[k].last->drift);
    fputs("</span></div>\n", to);
  }
  fputs("<div class=\"feature axisrow\"><span class=\"name\"></span><div class=\"strip\">", to);
  report_x_axis(to, r);
  fputs("</div><span class=\"says\"></span></div><div class=\"xname\">records learned</div>\n", to);
}

static void numbers(FILE *to, const feature *f, int64_t n) {
  char v[4][32], since[64];
  fprintf(to,
          "<details><summary>The newest window in numbers</summary><table "
          "class=\"stack\"><thead><tr><th>feature</th><th>state</th>"
          "<th class=\"n\">PSI</th><th class=\"n\">limit</th><th>where it differs most</th><th class=\"n\">share now</th>"
          "<th class=\"n\">before</th><th class=\"n\">since record</th></tr></thead>\n");
  for (int64_t k = 0; k < n && k < NUMBERED_FEATURES; k++) {
    const leat_drift_info *d = &f[k].last->drift;
    fputs("<tr><td class=\"wide\" data-l=\"feature\">", to);
    report_text(to, d->name);
    fputs("</td><td data-l=\"state\">", to);
    state_tag(to, d);
    fprintf(to,
            "</td><td class=\"n\" data-l=\"PSI\">%s</td><td class=\"n\" data-l=\"limit\">%s</td><td data-l=\"where it "
            "differs most\">",
            cli_number(d->value, v[0]), cli_number(d->alert, v[1]));
    report_text(to, d->worst_cell);
    fprintf(to,
            "</td><td class=\"n\" data-l=\"share now\">%s</td><td class=\"n\" data-l=\"before\">%s</td><td class=\"n\" "
            "data-l=\"since record\">%s</td></tr>\n",
            cli_number(d->share, v[2]), cli_number(d->reference_share, v[3]), report_grouped(f[k].last->since, since));
  }
  fputs("</table></details>\n", to);
}

int64_t report_drifted(const report *r, int64_t *beyond, int64_t *of) {
  feature *f;
  int64_t n = features(r, &f), drifted = 0;
  *beyond = 0;
  for (int64_t k = 0; k < n; k++) {
    drifted += f[k].last->drift.state == LEAT_DRIFT_ALERT;
    *beyond += once(&f[k].last->drift);
  }
  free_features(f, n);
  *of = n;
  return drifted;
}

void report_drift(FILE *to, const report *r) {
  feature *f;
  int64_t n = features(r, &f), beyond, alerts = report_drifted(r, &beyond, &n);
  fputs("<h2>Drift per feature</h2>\n", to);
  if (n == 0)
    fputs(
        "<div class=\"card\"><p class=\"dim\">No window has been compared yet. A learner keeps its first 10 000 records as "
        "the reference and "
        "compares every window of 10 000 after them.</p></div>\n",
        to);
  else {
    fprintf(to,
            "<p class=\"dim\">Against the first records that were learned: %lld of %lld have drifted, %lld more lay beyond "
            "their limit in the "
            "newest window alone.</p>\n<div class=\"card\">",
            (long long)alerts, (long long)n, (long long)beyond);
    strips(to, r, f, n);
    if (n > SHOWN_FEATURES)
      fprintf(to, "<p class=\"dim\">Shown are the %d that lay furthest beyond their limits; the others are below.</p>\n",
              SHOWN_FEATURES);
    numbers(to, f, n);
    fputs(
        "<p class=\"dim\">A state is raised after two windows beyond the limit and cleared after three below it. "
        "(prediction) is the distribution "
        "of what was predicted, (calibration) how far predicted probabilities lie from what came true.</p></div>\n",
        to);
  }
  free_features(f, n);
}
