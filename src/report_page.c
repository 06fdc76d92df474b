/* The report: one HTML page without a network. Charts are SVG; the small script only follows the pointer. Colours
 * follow the reader's light or dark setting. */
#define _GNU_SOURCE /* gmtime_r */
#include "report_page.h"
#include <math.h>
#include <string.h>
#include <time.h>

/* ---- text */

/* Also right inside an attribute. */
void report_text(FILE *to, const char *s) {
  for (; *s; s++) {
    switch (*s) {
      case '&': fputs("&amp;", to); break;
      case '<': fputs("&lt;", to); break;
      case '>': fputs("&gt;", to); break;
      case '"': fputs("&quot;", to); break;
      case '\'': fputs("&#39;", to); break;
      default:
        if ((unsigned char)*s >= 32) fputc(*s, to);
    }
  }
}

void report_time(FILE *to, int64_t ns) {
  time_t t = (time_t)(ns / 1000000000);
  struct tm tm;
  char buf[40];
  if (ns > 0 && gmtime_r(&t, &tm) && strftime(buf, sizeof buf, "%Y-%m-%d %H:%M:%S", &tm))
    fputs(buf, to);
  else
    fputs("-", to);
}

const char *report_short(double v, char buf[32]) {
  static const char *const unit[] = {"", " k", " M", " G"};
  int u = 0;
  if (!isfinite(v)) return strcpy(buf, "-");
  while (fabs(v) >= 999.5 && u < 3) {
    v /= 1000;
    u++;
  }
  snprintf(buf, 32, "%.3g%s", v, unit[u]);
  return buf;
}

const char *report_grouped(int64_t v, char buf[64]) {
  char digits[24];
  int n = snprintf(digits, sizeof digits, "%lld", (long long)v), k = 0;
  for (int i = 0; i < n; i++) {
    if (i && (n - i) % 3 == 0) k += snprintf(buf + k, (size_t)(64 - k), "\xe2\x80\xaf");
    buf[k++] = digits[i];
  }
  buf[k] = 0;
  return buf;
}

const char *report_age(int64_t ns, char buf[64]) {
  double s = ns > 0 ? (double)ns / 1e9 : 0;
  if (s < 120)
    snprintf(buf, 64, "%.0f s", s);
  else if (s < 7200)
    snprintf(buf, 64, "%.0f min", s / 60);
  else if (s < 172800)
    snprintf(buf, 64, "%.0f h", s / 3600);
  else
    snprintf(buf, 64, "%.0f days", s / 86400);
  return buf;
}

/* ---- the axis of records */

static int64_t newest_row(const report *r) {
  int64_t row = r->n_points ? r->point[r->n_points - 1].row : 0;
  if (r->n_drift && r->drift[r->n_drift - 1].row > row) row = r->drift[r->n_drift - 1].row;
  return row;
}

double report_x(const report *r, int64_t row) {
  int64_t last = newest_row(r);
  return last > 0 ? 100 * (double)row / (double)last : 0;
}

double report_round_step(double span) {
  double raw = span / 5, ten = pow(10, floor(log10(raw > 0 ? raw : 1))), unit = raw / ten;
  return (unit < 1.5 ? 1 : unit < 3.5 ? 2 : unit < 7.5 ? 5 : 10) * ten;
}

void report_x_axis(FILE *to, const report *r) {
  char buf[32];
  double last = (double)newest_row(r), step = report_round_step(last);
  for (double v = 0; v <= last; v += step) {
    double x = last > 0 ? 100 * v / last : 0;
    fprintf(to, "<span class=\"x%s\" style=\"left:%.2f%%\">%s</span>", x > 97 ? " end" : "", x, report_short(v, buf));
  }
  fputc('\n', to);
}

/* ---- the head: what is true now */

static void tile(FILE *to, const char *value, const char *what, const char *more) {
  fputs("<div class=\"card tile\"><b>", to);
  report_text(to, value);
  fputs("</b><span>", to);
  report_text(to, what);
  fputs("</span>", to);
  if (more && *more) {
    fputs("<small>", to);
    report_text(to, more);
    fputs("</small>", to);
  }
  fputs("</div>\n", to);
}

/* Four digits are enough for people. */
static const char *four(double v, char buf[32]) {
  if (!isfinite(v)) return strcpy(buf, "-");
  snprintf(buf, 32, "%.4g", v);
  return buf;
}

/* A window's end, or a snapshot behind it. */
static int64_t records_learned(const report *r) {
  int64_t row = r->n_points ? r->point[r->n_points - 1].row : 0;
  for (int64_t i = 0; i < r->n_versions; i++)
    if (r->version[i].row > row) row = r->version[i].row;
  return row;
}

static void tiles_of_learner(FILE *to, const report *r) {
  const leat_point *p = &r->point[r->n_points - 1];
  const char *third = r->numbers ? "mean" : "commonest class";
  char a[64], b[32], c[32], text[200];
  snprintf(text, sizeof text, "no change %s, %s %s", four(p->no_change_score, b), third, four(p->majority_score, c));
  tile(to, four(p->score, a), r->numbers ? "RMSE of all served predictions" : "accuracy of all served predictions", text);
  snprintf(text, sizeof text, "no change %s, %s %s", four(p->no_change_loss, b), third, four(p->majority_loss, c));
  tile(to, four(p->loss, a), r->numbers ? "squared loss of all" : "log-loss of all", text);
  snprintf(text, sizeof text, "the newest %s ago", report_age(r->now_ns - p->time_ns, a));
  int64_t learned = records_learned(r);
  size_t n = strlen(text);
  if (learned > p->row) snprintf(text + n, sizeof text - n, "; figures and charts are up to record %s", report_grouped(p->row, a));
  tile(to, report_grouped(learned, a), "records learned", text);
}

static void tile_of_model(FILE *to, const report *r) {
  const leat_version_info *v = NULL;
  char a[64], b[64], text[160];
  for (int64_t i = 0; i < r->n_versions; i++)
    if (r->version[i].version == (r->production ? r->production : r->version[r->n_versions - 1].version))
      v = &r->version[i];
  if (!v) return;
  int64_t behind = records_learned(r) - v->row;
  snprintf(text, sizeof text, "version %lld, %s", (long long)v->version,
           r->production ? "in production" : "the newest: none is in production");
  if (r->n_points) {
    size_t n = strlen(text);
    snprintf(text + n, sizeof text - n, "; %s records learned since", report_grouped(behind > 0 ? behind : 0, b));
  }
  tile(to, report_age(r->now_ns - v->created_ns, a), "age of the model", text);
}

static void tiles(FILE *to, const report *r) {
  char a[64], text[160];
  int64_t swaps = 0, rollbacks = 0, features, beyond, drifted = report_drifted(r, &beyond, &features);
  for (int64_t i = 0; i < r->n_events; i++) {
    swaps += report_is_swap(r->event[i].kind);
    rollbacks += report_is_rollback(r->event[i].kind);
  }
  fputs("<div class=\"tiles\">\n", to);
  if (r->n_points) tiles_of_learner(to, r);
  tile_of_model(to, r);
  if (features) {
    snprintf(text, sizeof text, "%lld of %lld", (long long)drifted, (long long)features);
    char more[64];
    snprintf(more, sizeof more, "%lld more beyond their limit once", (long long)beyond);
    tile(to, text, "watched features have drifted", beyond ? more : "from the first records");
  }
  if (r->n_points) {
    snprintf(text, sizeof text, "%lld of them rollbacks", (long long)rollbacks);
    tile(to, report_grouped(swaps, a), swaps == 1 ? "model swapped in" : "models swapped in", swaps ? text : NULL);
  }
  tile(to, report_grouped(r->held, a), "records in quarantine", r->held ? "reasons are below" : NULL);
  tile(to, report_grouped(r->n_versions, a), r->n_versions == 1 ? "version is kept" : "versions are kept", NULL);
  fputs("</div>\n", to);
}

/* What asks for somebody's attention now. */
static void attention(FILE *to, const report *r) {
  const leat_event *stop = NULL;
  int64_t features, beyond, drifted = report_drifted(r, &beyond, &features), lines = 0;
  for (int64_t i = 0; i < r->n_events; i++)
    if (r->event[i].kind == LEAT_EVENT_FROZEN || r->event[i].kind == LEAT_EVENT_THAWED) stop = &r->event[i];
  fputs("<ul class=\"now\">\n", to);
  if (stop && stop->kind == LEAT_EVENT_FROZEN) {
    fprintf(to, "<li>Learning is frozen since record %lld: ", (long long)stop->row);
    report_text(to, stop->text);
    fputs("</li>\n", to);
    lines++;
  }
  if (drifted) {
    fprintf(
        to,
        "<li class=\"warn\">%lld of %lld watched features have drifted from the first records that were learned.</li>\n",
        (long long)drifted, (long long)features);
    lines++;
  }
  if (beyond) {
    fprintf(to,
            "<li class=\"warn\">%lld watched features lay beyond their limit in the newest window; one more such window is "
            "an alert.</li>\n",
            (long long)beyond);
    lines++;
  }
  if (r->due.reasons) {
    fprintf(to, "<li class=\"warn\">A refresh of version %lld is due:%s%s%s.</li>\n", (long long)r->due.version,
            r->due.reasons & LEAT_DUE_AGE ? " age" : "", r->due.reasons & LEAT_DUE_ROWS ? " rows" : "",
            r->due.reasons & LEAT_DUE_DRIFT ? " drift" : "");
    lines++;
  }
  if (!lines)
    fputs(
        "<li class=\"good\">Nothing asks for attention: learning is not frozen, no feature is in alert, no refresh is "
        "due.</li>\n",
        to);
  fputs("</ul>\n", to);
}

static void reasons(FILE *to, const report *r) {
  char a[64];
  int64_t most = 1;
  fputs("<h2>Quarantine by reason</h2>\n<div class=\"card\">", to);
  for (int i = 0; i < r->n_reasons; i++)
    if (r->reason[i].count > most) most = r->reason[i].count;
  if (r->n_reasons == 0)
    fputs("<p class=\"dim\">Nothing is held back.</p>", to);
  else
    fputs("<table><tr><th>reason</th><th class=\"n\">records</th><th style=\"width:45%\"></th></tr>\n", to);
  for (int i = 0; i < r->n_reasons; i++) {
    fputs("<tr><td>", to);
    report_text(to, r->reason[i].name);
    fprintf(to, "</td><td class=\"n\">%s</td><td><div class=\"bar\" style=\"width:%.1f%%\"></div></td></tr>\n",
            report_grouped(r->reason[i].count, a), 100.0 * (double)r->reason[i].count / (double)most);
  }
  fputs(r->n_reasons ? "</table></div>\n" : "</div>\n", to);
}

void report_page(FILE *to, const report *r) {
  fputs(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\">\n<title>",
      to);
  report_text(to, r->name);
  fprintf(to, " - leat</title>\n<style>%s</style></head>\n<body><main>\n<h1>", report_style);
  report_text(to, r->name);
  fprintf(to, "</h1>\n<p class=\"dim\">The life of a model, generation %lld of its store, on ", (long long)r->generation);
  report_time(to, r->now_ns);
  fputs(" UTC. All times are UTC.</p>\n", to);
  attention(to, r);
  tiles(to, r);
  if (r->n_points) {
    report_progress(to, r, 0);
    report_progress(to, r, 1);
  } else
    fputs(
        "<h2>Progress</h2>\n<div class=\"card\"><p class=\"dim\">No learner has finished a window in this store, so there "
        "is no progressive loss to "
        "draw. <code>leat learn --store DIR DATA</code> begins one; a model that was trained offline shows its refreshes "
        "below.</p></div>\n",
        to);
  report_drift(to, r);
  report_alerts(to, r);
  report_changes(to, r);
  reasons(to, r);
  report_versions(to, r);
  fprintf(to, "<div id=\"tip\"></div>\n</main>\n<script>%s</script>\n</body></html>\n", report_script);
}
