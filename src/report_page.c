/* The report: one HTML page without a network. Charts are SVG, drawn here; the small script only follows the pointer. Colours
 * follow the reader's light or dark setting. */
#define _GNU_SOURCE /* gmtime_r */
#include "report_page.h"
#include <math.h>
#include <string.h>
#include <time.h>

enum { CHART_WIDTH = 960, CHART_HEIGHT = 260, LEFT = 56, RIGHT = 16, TOP = 14, BOTTOM = 30, MOST_POINTS = 600 };

static const char style[] =
    ":root{color-scheme:light dark;--bg:#fbfbfa;--card:#fff;--ink:#1b1f24;--dim:#667;--line:#e3e3df;--model:#2563c9;--band:#2563c922;"
    "--nochange:#b4690e;--majority:#8a8f98;--bad:#c62828;--good:#2e7d32;--swap:#7b3fb5}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#14171b;--card:#1c2026;--ink:#e7e9ec;--dim:#9aa3ae;--line:#2e343c;--model:#6ea8fe;"
    "--band:#6ea8fe2b;--nochange:#f0a94b;--majority:#8b939e;--bad:#ff7b72;--good:#56d364;--swap:#c792ea}}\n"
    "*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,sans-serif}\n"
    "main{max-width:1040px;margin:0 auto;padding:20px 16px 60px}h1{font-size:1.5rem;margin:.2em 0}h2{font-size:1.1rem;margin:1.6em 0 .5em}\n"
    ".dim{color:var(--dim)}.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin:14px 0}\n"
    ".tile,.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:10px 14px}.tile b{display:block;"
    "font-size:1.45rem;font-variant-numeric:tabular-nums;line-height:1.25}.tile span{color:var(--dim);font-size:.85rem}\n"
    "svg{width:100%;height:auto;display:block;overflow:visible}svg text{fill:var(--dim);font-size:12px}.grid{stroke:var(--line)}\n"
    ".l{fill:none;stroke-width:2;stroke-linejoin:round}.legend{display:flex;flex-wrap:wrap;gap:4px 16px;font-size:.85rem;color:var(--dim);margin-top:6px}\n"
    ".legend i{display:inline-block;width:14px;height:3px;margin-right:6px;vertical-align:middle}\n"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem}th,td{text-align:left;padding:5px 10px 5px 0;"
    "border-bottom:1px solid var(--line);vertical-align:top;white-space:nowrap}td.w{white-space:normal;min-width:220px}th{color:var(--dim);font-weight:600}\n"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.bar{background:var(--model);height:10px;border-radius:3px;min-width:2px}\n"
    ".tag{border-radius:9px;padding:1px 8px;font-size:.8rem;border:1px solid var(--line)}.tag.swap{color:var(--swap)}.tag.bad{color:var(--bad)}.tag.good{color:var(--good)}\n"
    ".mark{stroke:var(--swap);stroke-dasharray:3 3}.mark.rollback{stroke:var(--bad);stroke-width:2;stroke-dasharray:none}.alarm{fill:var(--nochange)}\n"
    "#tip{position:fixed;pointer-events:none;background:var(--card);border:1px solid var(--line);border-radius:6px;padding:4px 8px;font-size:.82rem;"
    "display:none;white-space:pre;box-shadow:0 2px 8px #0003;z-index:2}\n";

static const char script[] =
    "'use strict';const tip=document.getElementById('tip');for(const s of document.querySelectorAll('svg[data-points]')){"
    "const p=JSON.parse(s.dataset.points),v=s.viewBox.baseVal,c=s.querySelector('.cursor');"
    "s.addEventListener('pointermove',e=>{const r=s.getBoundingClientRect(),x=(e.clientX-r.left)/r.width*v.width;let b=0;"
    "for(let i=1;i<p.length;i++)if(Math.abs(p[i][0]-x)<Math.abs(p[b][0]-x))b=i;if(!p.length)return;"
    "c.setAttribute('x1',p[b][0]);c.setAttribute('x2',p[b][0]);c.style.display='';tip.textContent=p[b][1];tip.style.display='block';"
    "tip.style.left=Math.min(e.clientX+14,innerWidth-tip.offsetWidth-8)+'px';tip.style.top=(e.clientY+14)+'px';});"
    "s.addEventListener('pointerleave',()=>{tip.style.display='none';c.style.display='none';});}document.documentElement.dataset.ready='yes';\n";

int report_is_swap(int64_t kind) { return kind >= LEAT_EVENT_ROLLBACK && kind <= LEAT_EVENT_NON_FINITE; }

const char *report_event_name(int64_t kind) {
  static const struct { int64_t kind; const char *name; } names[] = {
    { LEAT_EVENT_VERSION, "version" }, { LEAT_EVENT_STAGE, "promoted" }, { LEAT_EVENT_STAGE_BACK, "stage rolled back" },
    { LEAT_EVENT_TABLE, "table published" }, { LEAT_EVENT_TABLE_BACK, "table rolled back" }, { LEAT_EVENT_PIN, "pin" }, { LEAT_EVENT_REMOVED, "removed" }, { LEAT_EVENT_WARNING, "warning" },
    { LEAT_EVENT_ALARM, "alarm" }, { LEAT_EVENT_CERTIFIED, "certified" }, { LEAT_EVENT_ROLLBACK, "rollback" },
    { LEAT_EVENT_RESTART, "restart" }, { LEAT_EVENT_PIN_BACK, "back to the pin" }, { LEAT_EVENT_UNDO, "undo" },
    { LEAT_EVENT_ROLLBACK_BY_HAND, "rollback by hand" }, { LEAT_EVENT_NON_FINITE, "not finite" },
    { LEAT_EVENT_FROZEN, "frozen" }, { LEAT_EVENT_THAWED, "thawed" }, { LEAT_EVENT_HELD, "suspects held" },
    { LEAT_EVENT_GATE, "gate" }, { LEAT_EVENT_MONITORED, "monitored" }, { LEAT_EVENT_REFRESH_DUE, "refresh due" },
    { LEAT_EVENT_REFRESH, "refresh" }, { LEAT_EVENT_DRIFT, "drift" }, { LEAT_EVENT_DRIFT_OVER, "drift over" }, { LEAT_EVENT_RACE, "race" }, { LEAT_EVENT_TRIAL, "trial" },
  };
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (names[i].kind == kind) return names[i].name;
  return "event";
}

/* Text inside HTML, and inside an attribute's JSON when `json`. */
static void put_text(FILE *to, const char *s) {
  for (; *s; s++) {
    switch (*s) {
      case '&': fputs("&amp;", to); break;
      case '<': fputs("&lt;", to); break;
      case '>': fputs("&gt;", to); break;
      case '"': fputs("&quot;", to); break;
      case '\'': fputs("&#39;", to); break;
      default: if ((unsigned char)*s >= 32) fputc(*s, to);
    }
  }
}

static void put_time(FILE *to, int64_t ns) {
  time_t t = (time_t)(ns / 1000000000);
  struct tm tm;
  char buf[40];
  if (ns > 0 && gmtime_r(&t, &tm) && strftime(buf, sizeof buf, "%Y-%m-%d %H:%M:%S", &tm)) fputs(buf, to);
  else fputs("-", to);
}

/* ---- charts */

typedef struct window { double row, model, no_change, majority, half; } window; /* half: of the 95 % interval */

/* Means over windows from means over everything: neighbours are joined until there are few enough to draw. */
static int64_t windows(const report *r, int loss, window *w) {
  int64_t step = (r->n_points + MOST_POINTS - 1) / MOST_POINTS, n = 0;
  double rows = 0, sum[3] = { 0, 0, 0 };
  for (int64_t i = step - 1; i < r->n_points && step > 0; i += step) {
    const leat_point *p = &r->point[i];
    double now[3] = { loss ? p->loss : p->score, loss ? p->no_change_loss : p->no_change_score,
                      loss ? p->majority_loss : p->majority_score };
    double fresh = (double)p->rows - rows;
    int squares = r->numbers && !loss; /* means of squares add up, their roots do not */
    if (fresh < 1) continue;
    double mean[3];
    for (int k = 0; k < 3; k++) {
      double total = (squares ? now[k] * now[k] : now[k]) * (double)p->rows;
      mean[k] = (total - sum[k]) / fresh;
      if (squares) mean[k] = sqrt(mean[k] > 0 ? mean[k] : 0);
      sum[k] = total;
    }
    rows = (double)p->rows;
    w[n].row = (double)p->row;
    w[n].model = mean[0];
    w[n].no_change = mean[1];
    w[n].majority = mean[2];
    w[n].half = !loss && !r->numbers ? 1.96 * sqrt(mean[0] * (1 - mean[0]) / fresh) : 0;
    n += isfinite(mean[0]) != 0;
  }
  return n;
}

typedef struct frame { double low, high, first, last; } frame;
static double at_x(const frame *f, double row) {
  double span = f->last > f->first ? f->last - f->first : 1;
  return LEFT + (row - f->first) / span * (CHART_WIDTH - LEFT - RIGHT);
}
static double at_y(const frame *f, double v) {
  double span = f->high > f->low ? f->high - f->low : 1, part = (v - f->low) / span;
  return TOP + (1 - (part < 0 ? 0 : part > 1 ? 1 : part)) * (CHART_HEIGHT - TOP - BOTTOM);
}

static void line(FILE *to, const frame *f, const window *w, int64_t n, int which, const char *colour) {
  int open = 0;
  fprintf(to, "<path class=\"l\" style=\"stroke:var(--%s)\" d=\"", colour);
  for (int64_t i = 0; i < n; i++) {
    double v = which == 0 ? w[i].model : which == 1 ? w[i].no_change : w[i].majority;
    if (!isfinite(v)) continue;
    fprintf(to, "%c%.1f %.1f", open ? 'L' : 'M', at_x(f, w[i].row), at_y(f, v));
    open = 1;
  }
  fputs("\"/>\n", to);
}

static void band(FILE *to, const frame *f, const window *w, int64_t n) {
  if (n < 2 || !(w[0].half > 0 || w[n - 1].half > 0)) return;
  fputs("<path style=\"fill:var(--band)\" d=\"", to);
  for (int64_t i = 0; i < n; i++) fprintf(to, "%c%.1f %.1f", i ? 'L' : 'M', at_x(f, w[i].row), at_y(f, w[i].model + w[i].half));
  for (int64_t i = n; i-- > 0;) fprintf(to, "L%.1f %.1f", at_x(f, w[i].row), at_y(f, w[i].model - w[i].half));
  fputs("Z\"/>\n", to);
}

/* A round step that gives about five lines. */
static double round_step(double span) {
  double raw = span / 5, ten = pow(10, floor(log10(raw > 0 ? raw : 1))), unit = raw / ten;
  return (unit < 1.5 ? 1 : unit < 3.5 ? 2 : unit < 7.5 ? 5 : 10) * ten;
}

static void axes(FILE *to, const frame *f) {
  char buf[32];
  double step = round_step(f->high - f->low);
  for (double v = ceil(f->low / step) * step; v <= f->high + step * 1e-9; v += step)
    fprintf(to, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", LEFT,
            CHART_WIDTH - RIGHT, at_y(f, v), at_y(f, v), LEFT - 6, at_y(f, v) + 4, cli_number(fabs(v) < step * 1e-6 ? 0 : v, buf));
  step = round_step(f->last - f->first);
  for (double v = ceil(f->first / step) * step; v <= f->last; v += step)
    fprintf(to, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", at_x(f, v), CHART_HEIGHT - 8, cli_count(v, buf));
}

static void marks(FILE *to, const report *r, const frame *f) {
  for (int64_t i = 0; i < r->n_events; i++) {
    const leat_event *e = &r->event[i];
    double x = at_x(f, (double)e->row);
    if ((double)e->row < f->first || (double)e->row > f->last) continue;
    if (e->kind == LEAT_EVENT_ALARM) fprintf(to, "<circle class=\"alarm\" cx=\"%.1f\" cy=\"%d\" r=\"3\"><title>alarm at record %lld</title></circle>\n", x, TOP - 6, (long long)e->row);
    if (!report_is_swap(e->kind)) continue;
    int rollback = e->kind == LEAT_EVENT_ROLLBACK || e->kind == LEAT_EVENT_ROLLBACK_BY_HAND || e->kind == LEAT_EVENT_NON_FINITE;
    fprintf(to, "<line class=\"mark%s\" data-kind=\"%s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"><title>%s at record %lld</title></line>\n",
            rollback ? " rollback" : "", report_event_name(e->kind), x, x, TOP, CHART_HEIGHT - BOTTOM, report_event_name(e->kind),
            (long long)e->row);
  }
}

static void chart(FILE *to, const report *r, int loss, const char *title, const char *what) {
  window *w = cli_alloc((size_t)(MOST_POINTS + 2) * sizeof *w);
  int64_t n = windows(r, loss, w);
  frame f = { INFINITY, -INFINITY, 0, n ? w[n - 1].row : 1 };
  char a[32], b[32], c[32];
  for (int64_t i = 0; i < n; i++) {
    const double v[] = { w[i].model, w[i].no_change, w[i].majority };
    for (int k = 0; k < 3; k++) {
      if (!isfinite(v[k])) continue;
      if (v[k] < f.low) f.low = v[k];
      if (v[k] > f.high) f.high = v[k];
    }
  }
  fprintf(to, "<h2>%s</h2>\n<div class=\"card\">", title);
  if (n < 2) {
    fputs("<p class=\"dim\">Not enough windows yet to draw a line: a point is kept for every window of the guard.</p></div>\n", to);
    free(w);
    return;
  }
  double room = (f.high - f.low) * 0.06 + 1e-9;
  f.low -= room;
  f.high += room;
  if (!loss && !r->numbers && f.high > 1) f.high = 1;
  fprintf(to, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\" data-points='[", CHART_WIDTH, CHART_HEIGHT, title);
  for (int64_t i = 0; i < n; i++)
    fprintf(to, "%s[%.1f,\"record %.0f\\n%s %s\\nno change %s\\nmajority %s\"]", i ? "," : "", at_x(&f, w[i].row), w[i].row, what,
            cli_number(w[i].model, a), cli_number(w[i].no_change, b), cli_number(w[i].majority, c));
  fputs("]'>\n", to);
  axes(to, &f);
  band(to, &f, w, n);
  line(to, &f, w, n, 2, "majority");
  line(to, &f, w, n, 1, "nochange");
  line(to, &f, w, n, 0, "model");
  marks(to, r, &f);
  fprintf(to, "<line class=\"cursor grid\" style=\"display:none\" y1=\"%d\" y2=\"%d\"/></svg>\n", TOP, CHART_HEIGHT - BOTTOM);
  fprintf(to, "<div class=\"legend\"><span><i style=\"background:var(--model)\"></i>model, window by window%s</span><span><i "
              "style=\"background:var(--nochange)\"></i>no change: what came before</span><span><i style=\"background:var(--majority)\"></i>%s</span>"
              "<span><i style=\"background:var(--swap)\"></i>swap</span><span><i style=\"background:var(--bad)\"></i>rollback</span>"
              "<span><i style=\"background:var(--nochange);height:7px;width:7px;border-radius:4px\"></i>alarm</span></div></div>\n",
          !loss && !r->numbers ? " (95 % band)" : "", r->numbers ? "mean" : "majority class");
  free(w);
}

/* ---- tables */

static void tile(FILE *to, const char *value, const char *what) {
  fputs("<div class=\"tile\"><b>", to);
  put_text(to, value);
  fputs("</b><span>", to);
  put_text(to, what);
  fputs("</span></div>\n", to);
}

/* 1234567 -> "1 234 567", with thin spaces */
static const char *grouped(int64_t v, char buf[64]) {
  char digits[24];
  int n = snprintf(digits, sizeof digits, "%lld", (long long)v), k = 0;
  for (int i = 0; i < n; i++) {
    if (i && (n - i) % 3 == 0) k += snprintf(buf + k, (size_t)(64 - k), "\xe2\x80\x89");
    buf[k++] = digits[i];
  }
  buf[k] = 0;
  return buf;
}

static void tiles(FILE *to, const report *r) {
  char a[64], text[160];
  int64_t swaps = 0, rollbacks = 0;
  for (int64_t i = 0; i < r->n_events; i++) {
    swaps += report_is_swap(r->event[i].kind);
    rollbacks += r->event[i].kind == LEAT_EVENT_ROLLBACK || r->event[i].kind == LEAT_EVENT_ROLLBACK_BY_HAND;
  }
  fputs("<div class=\"tiles\">", to);
  if (r->n_points) {
    const leat_point *p = &r->point[r->n_points - 1];
    tile(to, cli_number(p->score, a), r->numbers ? "RMSE of all served predictions" : "accuracy of all served predictions");
    snprintf(text, sizeof text, "the same by no change");
    tile(to, cli_number(p->no_change_score, a), text);
    tile(to, cli_number(p->loss, a), r->numbers ? "squared loss" : "log-loss");
    tile(to, grouped(p->row, a), "records learned");
    double age = r->now_ns > p->time_ns ? (double)(r->now_ns - p->time_ns) / 1e9 : 0;
    if (age < 120) snprintf(text, sizeof text, "%.0f s", age);
    else if (age < 7200) snprintf(text, sizeof text, "%.0f min", age / 60);
    else if (age < 172800) snprintf(text, sizeof text, "%.0f h", age / 3600);
    else snprintf(text, sizeof text, "%.0f days", age / 86400);
    tile(to, text, "since the last window");
  }
  tile(to, grouped(r->held, a), "records in quarantine");
  tile(to, grouped(swaps, a), "models swapped in");
  tile(to, grouped(rollbacks, a), "of them rollbacks");
  fputs("</div>\n", to);
}

static void reasons(FILE *to, const report *r) {
  int64_t most = 1;
  fputs("<h2>Quarantine by reason</h2>\n<div class=\"card scroll\">", to);
  for (int i = 0; i < r->n_reasons; i++)
    if (r->reason[i].count > most) most = r->reason[i].count;
  if (r->n_reasons == 0) fputs("<p class=\"dim\">Nothing is held back.</p>", to);
  else fputs("<table><tr><th>reason</th><th class=\"n\">records</th><th style=\"width:60%\"></th></tr>\n", to);
  for (int i = 0; i < r->n_reasons; i++) {
    fputs("<tr><td>", to);
    put_text(to, r->reason[i].name);
    fprintf(to, "</td><td class=\"n\">%lld</td><td><div class=\"bar\" style=\"width:%.1f%%\"></div></td></tr>\n",
            (long long)r->reason[i].count, 100.0 * (double)r->reason[i].count / (double)most);
  }
  fputs(r->n_reasons ? "</table></div>\n" : "</div>\n", to);
}

static void events(FILE *to, const report *r) {
  enum { SHOWN = 200 };
  char a[32], b[32];
  int64_t left = SHOWN;
  fputs("<h2>What happened</h2>\n<div class=\"card scroll\"><table><tr><th>time (UTC)</th><th class=\"n\">record</th><th>event</th>"
        "<th class=\"n\">version</th><th class=\"n\">value</th><th class=\"n\">limit</th><th></th></tr>\n", to);
  for (int64_t i = r->n_events; i-- > 0 && left > 0;) { /* the newest first; versions have a table of their own */
    const leat_event *e = &r->event[i];
    if (e->kind == LEAT_EVENT_VERSION || e->kind == LEAT_EVENT_REMOVED) continue;
    left--;
    int bad = e->kind == LEAT_EVENT_ROLLBACK || e->kind == LEAT_EVENT_ALARM || e->kind == LEAT_EVENT_FROZEN || e->kind == LEAT_EVENT_NON_FINITE ||
              e->kind == LEAT_EVENT_DRIFT || e->kind == LEAT_EVENT_REFRESH_DUE;
    int good = e->kind == LEAT_EVENT_CERTIFIED || e->kind == LEAT_EVENT_STAGE || e->kind == LEAT_EVENT_THAWED;
    fputs("<tr><td>", to);
    put_time(to, e->time_ns);
    fprintf(to, "</td><td class=\"n\">%lld</td><td><span class=\"tag%s\">%s</span> ", (long long)e->row,
            bad ? " bad" : good ? " good" : report_is_swap(e->kind) ? " swap" : "", report_event_name(e->kind));
    put_text(to, e->name);
    fputs("</td><td class=\"n\">", to);
    if (e->version) fprintf(to, "%lld", (long long)e->version);
    int numbers = e->kind >= LEAT_EVENT_WARNING && e->kind != LEAT_EVENT_THAWED && e->threshold != 0;
    fprintf(to, "</td><td class=\"n\">%s</td><td class=\"n\">%s</td><td class=\"w\">", numbers ? cli_number(e->value, a) : "",
            numbers ? cli_number(e->threshold, b) : "");
    put_text(to, e->text);
    fputs("</td></tr>\n", to);
  }
  fputs("</table>", to);
  if (left == SHOWN) fputs("<p class=\"dim\">Nothing yet.</p>", to);
  if (left == 0) fprintf(to, "<p class=\"dim\">The newest %d; `leat store DIR log` has all.</p>", SHOWN);
  fputs("</div>\n", to);
}

static void versions(FILE *to, const report *r) {
  char a[32], b[32];
  fputs("<h2>Versions</h2>\n<div class=\"card scroll\"><table><tr><th class=\"n\">version</th><th>stages</th><th>origin</th><th>created (UTC)</th>"
        "<th class=\"n\">learned</th><th class=\"n\">faded loss</th><th class=\"n\">size</th><th>checksum</th></tr>\n", to);
  for (int64_t i = r->n_versions; i-- > 0;) {
    const leat_version_info *v = &r->version[i];
    fprintf(to, "<tr><td class=\"n\">%lld</td><td>", (long long)v->version);
    put_text(to, v->stages);
    if (v->flags & LEAT_VERSION_CERTIFIED) fputs(" <span class=\"tag good\">certified</span>", to);
    if (v->flags & LEAT_VERSION_PINNED) fputs(" <span class=\"tag\">pinned</span>", to);
    fputs("</td><td>", to);
    put_text(to, v->origin);
    fputs("</td><td>", to);
    put_time(to, v->created_ns);
    fprintf(to, "</td><td class=\"n\">%lld</td><td class=\"n\">%s</td><td class=\"n\">%s</td><td>%.12s</td></tr>\n", (long long)v->rows_learned,
            isfinite(v->loss) ? cli_number(v->loss, a) : "", cli_bytes(v->bytes, b), v->checksum);
  }
  fputs("</table></div>\n", to);
}

void report_text(FILE *to, const char *s) { put_text(to, s); }

void report_page(FILE *to, const report *r) {
  fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>", to);
  put_text(to, r->name);
  fprintf(to, " - leat</title>\n<style>%s</style></head>\n<body><main>\n<h1>", style);
  put_text(to, r->name);
  fprintf(to, "</h1>\n<p class=\"dim\">The life of a model. Generation %lld of its store, ", (long long)r->generation);
  put_time(to, r->now_ns);
  fputs(" UTC.</p>\n", to);
  tiles(to, r);
  chart(to, r, 0, r->numbers ? "Progressive RMSE" : "Progressive accuracy", r->numbers ? "RMSE" : "accuracy");
  chart(to, r, 1, r->numbers ? "Progressive squared loss" : "Progressive log-loss", "loss");
  report_drift(to, r);
  reasons(to, r);
  events(to, r);
  versions(to, r);
  fprintf(to, "<div id=\"tip\"></div>\n</main>\n<script>%s</script>\n</body></html>\n", script);
}
