/* The report's progress: loss or score of the served predictions, window by window, with baselines, the band of
 * chance and marks. The drawing is stretched to the page's width; words and marks lie over it unstretched, so that a
 * phone can be read. */
#include "report_page.h"
#include <math.h>
#include <string.h>

enum { MOST_POINTS = 400, MOST_MARKS = 150 };
static const double z95 = 1.959963984540054;

typedef struct window {
  int64_t row, rows, time_ns;
  double mean[3], low, high;
} window; /* model, no change, majority */

static double joined(int roots, double mean) { return !roots ? mean : sqrt(mean > 0 ? mean : 0); }

/* The 95 % interval of a window's mean: of a share by Wilson (JASA 22, 1927), else by the loss's variance in the window. */
static void chance(const report *r, int loss, double square, window *w) {
  double n = (double)w->rows, m = w->mean[0];
  w->low = w->high = m;
  if (!loss && !r->numbers) {
    double zz = z95 * z95, middle = (m + zz / (2 * n)) / (1 + zz / n);
    double half = z95 / (1 + zz / n) * sqrt((m > 0 && m < 1 ? m * (1 - m) : 0) / n + zz / (4 * n * n));
    w->low = middle - half > 0 ? middle - half : 0;
    w->high = middle + half < 1 ? middle + half : 1;
  } else if (isfinite(square) && n > 1) {
    double mean = loss ? m : m * m, var = square - mean * mean, half = z95 * sqrt((var > 0 ? var : 0) / (n - 1));
    w->low = joined(!loss, mean - half > 0 ? mean - half : 0);
    w->high = joined(!loss, mean + half);
  }
}

/* Means over windows from means over everything: neighbours are joined until there are few enough to draw. */
static int64_t windows(const report *r, int loss, window *w) {
  int64_t step = (r->n_points + MOST_POINTS - 1) / MOST_POINTS, n = 0, rows = 0;
  double sum[3] = {0, 0, 0}, squares = 0;
  int roots = r->numbers && !loss; /* means of squares add up, their roots do not */
  for (int64_t i = step - 1; i < r->n_points && step > 0; i += step) {
    const leat_point *p = &r->point[i];
    const double now[3] = {loss ? p->loss : p->score, loss ? p->no_change_loss : p->no_change_score,
                           loss ? p->majority_loss : p->majority_score};
    double fresh = (double)(p->rows - rows), all = (double)p->rows;
    double square = (p->loss_deviation * p->loss_deviation + p->loss * p->loss) * all;
    if (p->rows <= rows) continue;
    window *o = &w[n];
    *o = (window) {.row = p->row, .rows = p->rows - rows, .time_ns = p->time_ns};
    for (int k = 0; k < 3; k++) {
      double total = (roots ? now[k] * now[k] : now[k]) * all;
      o->mean[k] = joined(roots, (total - sum[k]) / fresh);
      sum[k] = isfinite(total) ? total : 0;
    }
    chance(r, loss, (square - squares) / fresh, o);
    squares = square;
    rows = p->rows;
    n += isfinite(o->mean[0]) != 0;
  }
  return n;
}

typedef struct frame {
  double low, high;
} frame;
static double at_y(const frame *f, double v) { /* percent from the top */
  double part = (v - f->low) / (f->high > f->low ? f->high - f->low : 1);
  return 100 * (1 - (part < 0 ? 0 : part > 1 ? 1 : part));
}

static void line(FILE *to, const report *r, const frame *f, const window *w, int64_t n, int which, const char *name) {
  int open = 0;
  fprintf(to, "<path class=\"l %s\" d=\"", name);
  for (int64_t i = 0; i < n; i++) {
    if (!isfinite(w[i].mean[which])) continue;
    fprintf(to, "%c%.1f %.1f", open ? 'L' : 'M', 10 * report_x(r, w[i].row), at_y(f, w[i].mean[which]));
    open = 1;
  }
  fputs("\"/>\n", to);
}

static int band(FILE *to, const report *r, const frame *f, const window *w, int64_t n) {
  int wide = 0;
  for (int64_t i = 0; i < n; i++) wide |= w[i].high > w[i].low;
  if (!wide) return 0;
  fputs("<path class=\"band\" d=\"", to);
  for (int64_t i = 0; i < n; i++) fprintf(to, "%c%.1f %.1f", i ? 'L' : 'M', 10 * report_x(r, w[i].row), at_y(f, w[i].high));
  for (int64_t i = n; i-- > 0;) fprintf(to, "L%.1f %.1f", 10 * report_x(r, w[i].row), at_y(f, w[i].low));
  fputs("Z\"/>\n", to);
  return 1;
}

static frame frame_of(const report *r, int loss, const window *w, int64_t n) {
  frame f = {INFINITY, -INFINITY};
  for (int64_t i = 0; i < n; i++) {
    const double v[] = {w[i].mean[0], w[i].mean[1], w[i].mean[2], w[i].low};
    for (int k = 0; k < 4; k++) {
      if (!isfinite(v[k])) continue;
      if (v[k] < f.low) f.low = v[k];
      if (v[k] > f.high) f.high = v[k];
    }
  }
  double room = (f.high - f.low) * 0.06 + 1e-9;
  f.low = f.low >= 0 && f.low < room ? 0 : f.low - room;
  f.high += room;
  if (!loss && !r->numbers && f.high > 1) f.high = 1;
  return f;
}

static void y_axis(FILE *to, const frame *f, int lines) {
  char buf[32];
  double step = report_round_step(f->high - f->low);
  for (double v = ceil(f->low / step) * step; v <= f->high + step * 1e-9; v += step) {
    if (lines)
      fprintf(to, "<line class=\"grid\" x1=\"0\" x2=\"1000\" y1=\"%.1f\" y2=\"%.1f\"/>", at_y(f, v), at_y(f, v));
    else
      fprintf(to, "<span class=\"y\" style=\"top:%.1f%%\">%s</span>", at_y(f, v),
              report_short(fabs(v) < step * 1e-6 ? 0 : v, buf));
  }
  fputc('\n', to);
}

/* ---- marks: what happened where */

enum { MARK_ALARM, MARK_SWAP, MARK_ROLLBACK, MARK_PROMOTED, MARK_SNAPSHOT, MARKS };
static int mark_of(const leat_event *e) {
  if (e->kind == LEAT_EVENT_ALARM) return MARK_ALARM;
  if (report_is_rollback(e->kind)) return MARK_ROLLBACK;
  if (report_is_swap(e->kind)) return MARK_SWAP;
  if (e->kind == LEAT_EVENT_STAGE && strcmp(e->name, "production") == 0) return MARK_PROMOTED;
  return e->kind == LEAT_EVENT_VERSION ? MARK_SNAPSHOT : -1;
}

static int64_t event_row(const report *r, const leat_event *e) { /* of a promotion: where its version was taken */
  if (e->kind != LEAT_EVENT_STAGE || e->row > 0) return e->row;
  for (int64_t i = 0; i < r->n_versions; i++)
    if (r->version[i].version == e->version) return r->version[i].row;
  return e->row;
}

/* Marks of one kind that lie on one another are drawn once. Lines inside the drawing, then shapes over it. */
static void marks(FILE *to, const report *r, int shapes, int seen[MARKS]) {
  static const char *const name[MARKS] = {"alarm", "swap", "rollback", "promoted", "snapshot"};
  double last[MARKS] = {-9, -9, -9, -9, -9};
  int drawn[MARKS] = {0};
  for (int64_t i = 0; i < r->n_events; i++) {
    const leat_event *e = &r->event[i];
    int m = mark_of(e);
    if (m < 0) continue;
    double x = report_x(r, event_row(r, e));
    if (x < 0 || x > 100 || fabs(x - last[m]) < (m == MARK_ROLLBACK ? 0.05 : 0.4) || drawn[m] >= MOST_MARKS) continue;
    last[m] = x;
    drawn[m]++;
    seen[m] = 1;
    if (!shapes && m == MARK_SNAPSHOT)
      fprintf(to, "<line class=\"snap\" x1=\"%.1f\" x2=\"%.1f\" y1=\"96\" y2=\"100\"/>\n", 10 * x, 10 * x);
    if (!shapes && (m == MARK_SWAP || m == MARK_ROLLBACK))
      fprintf(to, "<line class=\"swapline%s\" data-kind=\"%s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"100\"/>\n",
              m == MARK_ROLLBACK ? " rollback" : "", report_event_name(e->kind), 10 * x, 10 * x);
    if (shapes && m != MARK_SNAPSHOT)
      fprintf(to, "<i class=\"m %s\" style=\"left:%.2f%%\" title=\"%s at record %lld\"></i>\n", name[m], x,
              report_event_name(e->kind), (long long)event_row(r, e));
  }
}

static void legend(FILE *to, const report *r, int banded, const int seen[MARKS]) {
  static const char *const text[MARKS] = {"alarm", "model swapped", "rollback", "promoted to production", "snapshot"};
  static const char *const mark[MARKS] = {"<i class=\"m alarm\"></i>", "<i class=\"m swap\"></i>",
                                          "<i class=\"m rollback\"></i>", "<i class=\"m promoted\"></i>",
                                          "<i class=\"tick\"></i>"};
  static const char *const name[] = {"model", "nochange", "majority"};
  const char *what[] = {banded ? "served predictions, window by window, with the 95 % band of chance"
                               : "served predictions, window by window",
                        "no change: as the record before", r->numbers ? "the mean so far" : "the commonest class so far"};
  fputs("<div class=\"legend\">", to);
  for (int k = 0; k < 3; k++)
    fprintf(to, "<span><svg viewBox=\"0 0 26 8\"><path class=\"l %s\" d=\"M0 4H26\"/></svg>%s</span>", name[k], what[k]);
  for (int m = 0; m < MARKS; m++)
    if (seen[m]) fprintf(to, "<span>%s%s</span>", mark[m], text[m]);
  fputs("</div>", to);
}

static void points(FILE *to, const report *r, const window *w, int64_t n, const char *what) {
  char v[4][32], rows[64];
  fputs("data-points='[", to);
  for (int64_t i = 0; i < n; i++) {
    fprintf(to, "%s[%.2f,\"record %s, ", i ? "," : "", report_x(r, w[i].row), report_grouped(w[i].row, rows));
    report_time(to, w[i].time_ns);
    fprintf(to, "\\n%s %s", what, cli_number(w[i].mean[0], v[0]));
    if (w[i].high > w[i].low) fprintf(to, " (%s to %s)", cli_number(w[i].low, v[1]), cli_number(w[i].high, v[2]));
    fprintf(to, "\\nno change %s\\n%s %s\"]", cli_number(w[i].mean[1], v[1]), r->numbers ? "mean" : "commonest class",
            cli_number(w[i].mean[2], v[3]));
  }
  fputs("]'", to);
}

void report_progress(FILE *to, const report *r, int loss) {
  const char *title = loss         ? r->numbers ? "Progressive squared loss" : "Progressive log-loss"
                      : r->numbers ? "Progressive RMSE"
                                   : "Progressive accuracy";
  window *w = cli_alloc((size_t)(MOST_POINTS + 2) * sizeof *w);
  int64_t n = windows(r, loss, w);
  int seen[MARKS] = {0}, banded;
  fprintf(to,
          "<h2>%s</h2>\n<p class=\"dim\">Each record is predicted before it is learned; %s is better.</p>\n<div "
          "class=\"card\">",
          title, loss || r->numbers ? "lower" : "higher");
  if (n < 2) {
    fprintf(to, "<p class=\"dim\">%s</p></div>\n",
            r->n_points ? "One window so far; a line begins with the second."
                        : "No learner has written here yet. A line begins with the second window of a learner.");
    free(w);
    return;
  }
  frame f = frame_of(r, loss, w, n);
  fputs("<div class=\"plot\" ", to);
  points(to, r, w, n, loss ? "loss" : r->numbers ? "RMSE" : "accuracy");
  fprintf(
      to,
      ">\n<svg viewBox=\"0 0 1000 100\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"%s by records learned\">\n",
      title);
  y_axis(to, &f, 1);
  fputs("<line class=\"axis\" x1=\"0\" x2=\"1000\" y1=\"100\" y2=\"100\"/>\n", to);
  banded = band(to, r, &f, w, n);
  marks(to, r, 0, seen);
  line(to, r, &f, w, n, 2, "majority");
  line(to, r, &f, w, n, 1, "nochange");
  line(to, r, &f, w, n, 0, "model");
  fputs("<line class=\"cursor\" y1=\"0\" y2=\"100\"/></svg>\n", to);
  y_axis(to, &f, 0);
  report_x_axis(to, r);
  marks(to, r, 1, seen);
  fputs("</div><div class=\"xname\">records learned</div>\n", to);
  legend(to, r, banded, seen);
  fputs("</div>\n", to);
  free(w);
}
