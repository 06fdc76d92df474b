/* A monitor counts rows in the cells of reference profiles, window by window: a model's, or those of a learner, which also
 * tells its predictions (their distribution, and whether they are calibrated). */
#include "lifecycle/monitor.h"
#include "base/hash.h"
#include "base/number.h"
#include "model/profiles.h"
#include "stats/drift.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const lt_param_def monitor_defs[] = {
    {"window", LEAT_PARAM_I64, "0", 0, 1000000000, NULL, "Rows of a window; 0: everything is one.", 1},
    {"window_seconds", LEAT_PARAM_F64, "0", 0, 1e9, NULL,
     "A window ends after so many seconds too, once it has min_rows rows, when the next rows come; 0: by rows alone.", 1},
    {"min_rows", LEAT_PARAM_I64, "500", 1, 1000000000, NULL, "With fewer rows the state is insufficient.", 1},
    {"warn", LEAT_PARAM_F64, "0.02", 0, 1e6, NULL, "psi of a warning, where the number of rows does not ask for more.", 1},
    {"alert", LEAT_PARAM_F64, "0.25", 0, 1e6, NULL, "psi of an alert, where the number of rows does not ask for more.", 1},
    {"alpha", LEAT_PARAM_F64, "0.001", 1e-12, 0.5, NULL, "Chance that a window without drift exceeds a limit, over all features.", 1},
    {"raise", LEAT_PARAM_I64, "2", 1, 1000, NULL, "Windows in a row that raise a state.", 1},
    {"clear", LEAT_PARAM_I64, "3", 1, 1000, NULL, "Windows in a row that clear it.", 1},
};
const lt_spec lt_spec_monitor = {"monitor", "Data against the reference profiles of a model.", monitor_defs,
                                 (int64_t)(sizeof monitor_defs / sizeof monitor_defs[0])};

enum { CALIBRATION_CELLS = 10, MONITOR_STATE = 3, MONITOR_NO_CLOCK = 2 }; /* the newest version; that of windows by rows */
static const char prediction_name[] = "(prediction)", calibration_name[] = "(calibration)";
/* Predicted probabilities in cells of equal width: how many, their sum, the sum of p (1 - p), how often they were right. */
typedef struct calibration { double n[CALIBRATION_CELLS], p[CALIBRATION_CELLS], v[CALIBRATION_CELLS], right[CALIBRATION_CELLS]; } calibration;
/* What a window has shown; the texts of leat_drift_info follow from it. */
typedef struct verdict {
  int64_t state, rows, reference_rows, windows, worst; /* windows 0: no window has ended; worst: a cell, -1 none */
  double value, warn, alert, js, ks, linf, share, reference_share;
} verdict;
typedef struct watched {
  lt_profile *window;    /* being counted; NULL: calibration */
  verdict last;          /* of the last whole window */
  int64_t higher, lower; /* windows in a row above and below the state */
  int64_t since, before; /* rows when the state began; the state of the window before */
} watched;
struct leat_monitor {
  leat_runtime *rt;
  lt_owner owner;
  const leat_model *model; /* NULL: the profiles are its own */
  leat_schema *schema;     /* of the reference */
  leat_params *settings;
  lt_profile *const *reference;
  lt_profile **own;
  watched *w;
  calibration cal;
  int64_t n, n_profiles, predictions, rows, in_window, limit; /* n: profiles, and calibration when predictions are watched */
  int64_t span, begun;     /* a window's nanoseconds, 0: by rows alone; when the present one began */
};

static int has_windows(const leat_monitor *w) { return w->limit || w->span; }

/* ---------------------------------------------------------------------------------------------- life */

void lt_monitor_free(leat_monitor *w) {
  if (!w) return;
  leat_runtime *rt = w->rt;
  for (int64_t k = 0; w->w && k < w->n; k++) lt_profile_free(w->w[k].window);
  lt_free(rt, w->w);
  if (w->own) lt_profiles_free(rt, w->own, w->n_profiles);
  lt_params_free(w->settings);
  lt_schema_free(w->schema);
  lt_model_free(w->model);
  lt_free(rt, w);
  lt_runtime_unref(rt);
}

static leat_status monitor_settings(leat_runtime *rt, const leat_params *p, leat_params **out, leat_error *err) {
  if (p && lt_params_spec(p) != &lt_spec_monitor)
    return lt_fail(err, LEAT_E_ARG, "parameters of '%.60s' are not a monitor's: make them for \"monitor\"", lt_params_spec(p)->name);
  return p ? lt_params_copy(p, out, err) : lt_params_create(rt, &lt_spec_monitor, out, err);
}

/* What reference, n_profiles and predictions say. */
static leat_status monitor_begin(leat_monitor *w, leat_error *err) {
  leat_status st = LEAT_OK;
  w->n = w->n_profiles + (w->predictions != 0);
  w->limit = lt_param_int(w->settings, "window");
  w->span = (int64_t)(lt_param_real(w->settings, "window_seconds") * 1e9);
  w->w = lt_zarray(w->rt, (uint64_t)w->n, sizeof *w->w);
  if (!w->w) return lt_fail_memory(err, (uint64_t)w->n * sizeof *w->w, "a monitor");
  for (int64_t k = 0; k < w->n_profiles && !st; k++) st = lt_profile_clone(w->rt, w->reference[k], 0, &w->w[k].window, err);
  return st;
}

static leat_status monitor_alloc(leat_runtime *rt, leat_monitor **out, leat_error *err) {
  *out = lt_zalloc(rt, sizeof **out);
  if (!*out) return lt_fail_memory(err, sizeof **out, "a monitor");
  lt_runtime_ref(rt);
  (*out)->rt = rt;
  return LEAT_OK;
}

leat_status lt_monitor_create(const leat_model *m, const leat_params *p, leat_monitor **out, leat_error *err) {
  leat_runtime *rt = lt_model_runtime(m);
  leat_monitor *w = NULL;
  *out = NULL;
  leat_status st = monitor_alloc(rt, &w, err);
  if (st) return st;
  st = monitor_settings(rt, p, &w->settings, err);
  lt_model_ref(m);
  w->model = m;
  w->schema = lt_model_schema(m);
  lt_schema_ref(w->schema);
  w->reference = lt_model_profiles(m, &w->n_profiles);
  if (!st && w->n_profiles == 0)
    st = lt_fail(err, LEAT_E_UNSUPPORTED, "the model carries no reference profiles: it was trained before there were any, or has learned too few records");
  if (!st) st = monitor_begin(w, err);
  if (st) lt_monitor_free(w);
  else *out = w;
  return st;
}

/* Names, kinds and roles; the labels are in the profiles. */
static leat_status columns_of(const leat_schema *s, leat_schema **out, leat_error *err) {
  leat_status st = lt_schema_create(s->rt, out, err);
  for (int64_t i = 0; i < s->n && !st; i++) {
    const lt_column *c = &s->col[i];
    st = lt_schema_add(*out, c->name, c->kind, c->role, c->width, c->sparse, err);
    if (st || !(*out)->col[i].labels) continue;
    lt_dict_free((*out)->col[i].labels);
    (*out)->col[i].labels = NULL;
  }
  return st;
}

leat_status lt_monitor_of(const lt_rows *rows, const double *shown, const leat_params *p, leat_monitor **out, leat_error *err) {
  leat_runtime *rt = rows->schema->rt;
  leat_monitor *w = NULL;
  lt_profile **found = NULL;
  int64_t n = 0;
  *out = NULL;
  leat_status st = monitor_alloc(rt, &w, err);
  if (st) return st;
  st = monitor_settings(rt, p, &w->settings, err);
  if (!st) st = lt_profiles_of(rt, rows, &found, &n, err);
  if (!st && !(w->own = lt_zarray(rt, (uint64_t)n + 1, sizeof *w->own))) st = lt_fail_memory(err, (uint64_t)n * sizeof *w->own, "a monitor");
  if (!st) memcpy(w->own, found, (size_t)n * sizeof *found);
  if (st) lt_profiles_free(rt, found, n);
  else lt_free(rt, found);
  if (!st) {
    w->n_profiles = n + (shown != NULL);
    w->predictions = shown != NULL;
    w->reference = w->own;
    st = columns_of(rows->schema, &w->schema, err);
  }
  if (!st && shown) st = lt_profile_number(rt, prediction_name, shown, rows->n, &w->own[n], err);
  if (!st) st = monitor_begin(w, err);
  if (st) lt_monitor_free(w);
  else *out = w;
  return st;
}

lt_owner *lt_monitor_owner(leat_monitor *w) { return &w->owner; }
const leat_model *lt_monitor_model(const leat_monitor *w) { return w->model; }
lt_profile *const *lt_monitor_reference(const leat_monitor *w, int64_t *n) {
  *n = w->n_profiles - w->predictions;
  return w->reference;
}

/* ---------------------------------------------------------------------------------------------- comparing */

/* "[3.5, 7)", "7" (a cell of one value), a label, "missing", ... */
static void cell_text(const lt_profile *p, int64_t cell, char *buf, uint64_t cap) {
  const char *label = NULL;
  double low, high;
  int64_t count;
  char a[40], b[40];
  if (lt_profile_cell(p, cell, &label, &low, &high, &count, NULL)) label = "";
  uint64_t n = 0;
  if (label) {
    n = strlen(label) < cap - 1 ? strlen(label) : cap - 1;
    memcpy(buf, label, n);
  } else {
    uint64_t x = (uint64_t)lt_f64_text(low, a), y = (uint64_t)lt_f64_text(high, b);
    if (low == high && x < cap) {
      memcpy(buf, a, x);
      n = x;
    } else if (x + y + 5 <= cap) {
      buf[n++] = '[';
      memcpy(buf + n, a, x);
      n += x;
      buf[n++] = ',';
      buf[n++] = ' ';
      memcpy(buf + n, b, y);
      n += y;
      buf[n++] = ')';
    }
  }
  buf[n] = 0;
}

/* The rate that a window may raise anything falsely is shared among all that is watched (Bonferroni). */
static double alpha_each(const leat_monitor *w) { return lt_param_real(w->settings, "alpha") / (double)w->n; }

static int64_t state_of(const leat_monitor *w, const verdict *i) {
  return i->rows < lt_param_int(w->settings, "min_rows") ? LEAT_DRIFT_INSUFFICIENT
         : i->value > i->alert                           ? LEAT_DRIFT_ALERT
         : i->value > i->warn                            ? LEAT_DRIFT_WARN
                                                         : LEAT_DRIFT_OK;
}

/* Expected calibration error over cells of equal width, its limits .05 and .1; but none counts that chance explains: the sum
 * over the cells of (right - expected)^2 / variance is chi-squared when the probabilities are right (Hosmer, Lemeshow 1980). */
static void compare_calibration(const leat_monitor *w, verdict *v) {
  const calibration *c = &w->cal;
  double n = 0, error = 0, chi = 0, most = -1;
  int64_t cells = 0, worst = 0;
  for (int i = 0; i < CALIBRATION_CELLS; i++) {
    double gap = c->right[i] - c->p[i];
    n += c->n[i];
    error += fabs(gap);
    if (c->v[i] < 1) continue;
    cells++;
    chi += gap * gap / c->v[i];
    if (fabs(gap) > most) most = fabs(gap), worst = i;
  }
  v->rows = (int64_t)n;
  v->js = v->ks = (double)NAN;
  v->warn = 0.05;
  v->alert = 0.1;
  if (n > 0) v->value = error / n;
  if (c->n[worst] > 0) {
    v->share = c->right[worst] / c->n[worst];
    v->reference_share = c->p[worst] / c->n[worst];
    v->linf = fabs(v->share - v->reference_share);
    v->worst = worst;
  }
  v->state = state_of(w, v);
  if (v->state > LEAT_DRIFT_OK && chi <= lt_chi2_quantile((double)cells, alpha_each(w))) v->state = LEAT_DRIFT_OK;
}

static void compare(const leat_monitor *w, int64_t k, verdict *v) {
  lt_drift d;
  memset(v, 0, sizeof *v);
  v->worst = -1;
  if (k >= w->n_profiles) {
    compare_calibration(w, v);
    return;
  }
  if (lt_profile_drift(w->reference[k], w->w[k].window, alpha_each(w), &d, NULL)) return;
  v->rows = d.m;
  v->reference_rows = d.n;
  v->value = d.psi;
  v->js = d.js;
  v->ks = d.ks;
  v->linf = d.linf;
  v->share = d.p;
  v->reference_share = d.q;
  v->warn = fmax(d.limit, lt_param_real(w->settings, "warn"));
  v->alert = fmax(d.limit, lt_param_real(w->settings, "alert"));
  v->worst = d.worst;
  v->state = state_of(w, v);
}

static void worst_text(const leat_monitor *w, int64_t k, int64_t worst, char *buf, uint64_t cap) {
  buf[0] = 0;
  if (worst < 0) return;
  if (k < w->n_profiles) cell_text(w->reference[k], worst, buf, cap);
  else snprintf(buf, cap, "[0.%lld, %s%lld)", (long long)worst, worst == 9 ? "" : "0.", worst == 9 ? 1LL : (long long)worst + 1);
}

static void tell(const leat_monitor *w, int64_t k, const verdict *v, leat_drift_info *info) {
  const char *name = k < w->n_profiles ? lt_profile_name(w->reference[k]) : calibration_name;
  uint64_t n = strlen(name) < sizeof info->name - 1 ? strlen(name) : sizeof info->name - 1;
  *info = (leat_drift_info){.struct_size = sizeof *info, .state = v->state, .rows = v->rows, .reference_rows = v->reference_rows,
                            .windows = v->windows, .value = v->value, .warn = v->warn, .alert = v->alert, .js = v->js, .ks = v->ks,
                            .linf = v->linf, .share = v->share, .reference_share = v->reference_share};
  memcpy(info->name, name, n);
  worst_text(w, k, v->worst, info->worst_cell, sizeof info->worst_cell);
}

/* A state is raised after `raise` windows above it, cleared after `clear` below: one odd window is no drift. */
static void close_window(leat_monitor *w) {
  for (int64_t k = 0; k < w->n; k++) {
    watched *t = &w->w[k];
    verdict now;
    compare(w, k, &now);
    int64_t state = t->last.state, windows = t->last.windows + 1;
    if (state == LEAT_DRIFT_INSUFFICIENT) state = now.state > LEAT_DRIFT_OK ? LEAT_DRIFT_OK : now.state;
    t->higher = now.state > state ? t->higher + 1 : 0;
    t->lower = now.state < state && now.state != LEAT_DRIFT_INSUFFICIENT ? t->lower + 1 : 0;
    if (t->higher >= lt_param_int(w->settings, "raise") || t->lower >= lt_param_int(w->settings, "clear")) {
      state = now.state;
      t->higher = t->lower = 0;
    }
    now.windows = state == t->last.state ? windows : 1;
    now.state = state;
    t->before = t->last.state;
    if (now.windows == 1) t->since = w->rows;
    t->last = now;
    if (t->window) lt_profile_clear(t->window);
  }
  memset(&w->cal, 0, sizeof w->cal);
  w->in_window = 0;
}

/* ---------------------------------------------------------------------------------------------- rows */

static void count_shown(leat_monitor *w, const lt_monitor_shown *s, int64_t from, int64_t n) {
  if (!w->predictions || !s) return;
  lt_profile_add_many(w->w[w->n_profiles - 1].window, s->value + from, n);
  for (int64_t i = from; s->sure && i < from + n; i++) {
    double p = s->sure[i];
    if (!(p >= 0 && p <= 1) || isnan(s->right[i])) continue;
    int cell = p < 1 ? (int)(p * CALIBRATION_CELLS) : CALIBRATION_CELLS - 1;
    w->cal.n[cell] += 1;
    w->cal.p[cell] += p;
    w->cal.v[cell] += p * (1 - p);
    w->cal.right[cell] += s->right[i];
  }
}

/* Rows [from, from + n) in one profile of each feature. */
static leat_status count_rows(leat_monitor *w, lt_profile *const *profile, const lt_rows *rows, int64_t from, int64_t n, leat_error *err) {
  return lt_profiles_count(w->rt, w->schema, profile, w->n_profiles - w->predictions, rows, from, n, err);
}

void lt_monitor_refer_begin(leat_monitor *w) {
  for (int64_t k = 0; k < w->n_profiles; k++) lt_profile_clear(w->own[k]);
}

leat_status lt_monitor_refer(leat_monitor *w, const lt_rows *rows, int64_t from, int64_t n, const double *shown, leat_error *err) {
  leat_status st = count_rows(w, w->own, rows, from, n, err);
  if (!st && w->predictions) lt_profile_add_many(w->own[w->n_profiles - 1], shown, n);
  return st;
}

/* Whether the window's time is up. A clock that was set back begins it anew. */
static int time_is_up(leat_monitor *w, int64_t now) {
  if (!w->span) return 0;
  if (!w->in_window || now < w->begun) w->begun = now;
  return w->in_window >= lt_param_int(w->settings, "min_rows") && now - w->begun >= w->span;
}

leat_status lt_monitor_rows(leat_monitor *w, const lt_rows *rows, int64_t from, int64_t n, int64_t now, const lt_monitor_shown *shown,
                            int64_t *done, int *closed, leat_error *err) {
  *done = *closed = 0;
  if (time_is_up(w, now)) {
    close_window(w);
    *closed = 1;
    return LEAT_OK;
  }
  if (w->limit && w->limit - w->in_window < n) n = w->limit - w->in_window;
  lt_profile **profile = lt_array(w->rt, (uint64_t)w->n_profiles, sizeof *profile);
  if (!profile) return lt_fail_memory(err, (uint64_t)w->n_profiles * sizeof *profile, "a monitor's update");
  for (int64_t k = 0; k < w->n_profiles; k++) profile[k] = w->w[k].window;
  leat_status st = count_rows(w, profile, rows, from, n, err);
  lt_free(w->rt, profile);
  if (st) return st;
  count_shown(w, shown, 0, n);
  w->rows += n;
  w->in_window += n;
  *done = n;
  *closed = w->limit && w->in_window == w->limit;
  if (*closed) close_window(w);
  return LEAT_OK;
}

leat_status lt_monitor_update(leat_monitor *w, const leat_batch *rows, leat_error *err) {
  lt_rows all;
  leat_status st = LEAT_OK;
  int64_t done = 0;
  int closed;
  int64_t now = w->span ? lt_now_ns(w->rt) : 0;
  lt_batch_rows(rows, &all);
  for (int64_t r = 0; r < all.n && !st; r += done) st = lt_monitor_rows(w, &all, r, all.n - r, now, NULL, &done, &closed, err);
  return st;
}

leat_status lt_monitor_merge(leat_monitor *w, const leat_monitor *other, leat_error *err) {
  leat_status st = LEAT_OK;
  if (has_windows(w) || has_windows(other))
    return lt_fail(err, LEAT_E_UNSUPPORTED,
                   "only monitors with window 0 and window_seconds 0 can be merged: windows of two have no common order");
  if (w->n != other->n)
    return lt_fail(err, LEAT_E_SHAPE, "one monitor watches %lld features, the other %lld", (long long)w->n, (long long)other->n);
  lt_profile **sum = lt_zarray(w->rt, (uint64_t)w->n_profiles, sizeof *sum); /* all or nothing */
  if (!sum) return lt_fail_memory(err, (uint64_t)w->n_profiles * sizeof *sum, "a monitor");
  for (int64_t k = 0; k < w->n_profiles && !st; k++) {
    st = lt_profile_clone(w->rt, w->w[k].window, 1, &sum[k], err);
    if (!st) st = lt_profile_merge(sum[k], other->w[k].window, err);
  }
  for (int64_t k = 0; k < w->n_profiles && !st; k++) {
    lt_profile *old = w->w[k].window;
    w->w[k].window = sum[k];
    sum[k] = old;
  }
  for (int i = 0; i < CALIBRATION_CELLS && !st; i++) {
    w->cal.n[i] += other->cal.n[i];
    w->cal.p[i] += other->cal.p[i];
    w->cal.v[i] += other->cal.v[i];
    w->cal.right[i] += other->cal.right[i];
  }
  if (!st) {
    w->rows += other->rows;
    w->in_window += other->in_window;
  }
  lt_profiles_free(w->rt, sum, w->n_profiles);
  return st;
}

/* ---------------------------------------------------------------------------------------------- what it tells */

int64_t lt_monitor_room(const leat_monitor *w) { return w->limit ? w->limit - w->in_window : INT64_MAX; }
int64_t lt_monitor_count(const leat_monitor *w) { return w->n; }

leat_status lt_monitor_at(const leat_monitor *w, int64_t index, leat_drift_info *info, leat_error *err) {
  verdict v;
  if (index < 0 || index >= w->n)
    return lt_fail(err, LEAT_E_NOT_FOUND, "the monitor watches %lld features, there is none at %lld", (long long)w->n,
                   (long long)index);
  if (has_windows(w) && w->w[index].last.windows) {
    tell(w, index, &w->w[index].last, info);
    return LEAT_OK;
  }
  compare(w, index, &v);
  if (has_windows(w)) v.state = LEAT_DRIFT_INSUFFICIENT; /* the first window is not full */
  else v.windows = 1;
  tell(w, index, &v, info);
  return LEAT_OK;
}

void lt_monitor_change(const leat_monitor *w, int64_t index, int64_t *before, int64_t *since) {
  *before = w->w[index].before;
  *since = w->w[index].since;
}

leat_status lt_monitor_state(const leat_monitor *w, int64_t *state, int64_t *rows, leat_error *err) {
  leat_drift_info info;
  leat_status st = LEAT_OK;
  *state = LEAT_DRIFT_INSUFFICIENT;
  if (rows) *rows = w->rows;
  for (int64_t k = 0; k < w->n && !st; k++) {
    st = lt_monitor_at(w, k, &info, err);
    if (!st && info.state > *state) *state = info.state;
  }
  return st;
}

/* ---------------------------------------------------------------------------------------------- to bytes and back */

static void verdict_reals(verdict *v, double *to[8]) {
  double *all[] = {&v->value, &v->warn, &v->alert, &v->js, &v->ks, &v->linf, &v->share, &v->reference_share};
  memcpy(to, all, sizeof all);
}

static void put_watched(const watched *t, lt_put *w) {
  verdict last = t->last;
  double *real[8];
  verdict_reals(&last, real);
  if (t->window) lt_profile_save_counts(t->window, w);
  const int64_t number[] = {last.state, last.rows, last.reference_rows, last.windows, t->higher, t->lower, t->since, t->before};
  for (int i = 0; i < 8; i++) lt_put_i64(w, number[i]);
  for (int i = 0; i < 8; i++) lt_put_f64(w, *real[i]);
  lt_put_u8(w, (uint8_t)(last.worst + 1));
}

/* Version 1 had whole profiles as windows, and the worst cell's text. */
static leat_status get_window_1(leat_monitor *w, watched *t, lt_get *g, leat_error *err) {
  lt_profile *p = NULL;
  leat_status st = lt_profile_load(w->rt, g, &p, err);
  if (!st && lt_profile_merge(t->window, p, NULL)) lt_get_fail(g, LEAT_E_FORMAT); /* of other cells */
  lt_profile_free(p);
  return st;
}

static void get_worst_1(leat_monitor *w, int64_t k, lt_get *g) {
  verdict *v = &w->w[k].last;
  char own[64];
  int64_t cells = k < w->n_profiles ? lt_profile_cells(w->reference[k]) : CALIBRATION_CELLS;
  lt_free(w->rt, lt_get_text(g)); /* the name: it is the profile's */
  char *text = lt_get_text(g);
  for (int64_t i = 0; text && v->worst < 0 && i < cells; i++) {
    worst_text(w, k, i, own, sizeof own);
    if (!strcmp(own, text)) v->worst = i;
  }
  lt_free(w->rt, text);
}

static leat_status get_watched(leat_monitor *w, int64_t k, int version, lt_get *g, leat_error *err) {
  watched *t = &w->w[k];
  double *real[8];
  int64_t cells = k < w->n_profiles ? lt_profile_cells(w->reference[k]) : CALIBRATION_CELLS;
  leat_status st = LEAT_OK;
  if (t->window && version == 1) st = get_window_1(w, t, g, err);
  else if (t->window) lt_profile_load_counts(t->window, g);
  if (st) return st;
  int64_t *number[] = {&t->last.state, &t->last.rows, &t->last.reference_rows, &t->last.windows, &t->higher, &t->lower, &t->since, &t->before};
  for (int i = 0; i < 8; i++) {
    *number[i] = lt_get_i64(g);
    if (*number[i] < 0) lt_get_fail(g, LEAT_E_FORMAT);
  }
  verdict_reals(&t->last, real);
  for (int i = 0; i < 8; i++) *real[i] = lt_get_f64(g);
  t->last.worst = -1;
  if (version == 1) get_worst_1(w, k, g);
  else t->last.worst = (int64_t)lt_get_u8(g) - 1;
  if (t->last.state > LEAT_DRIFT_ALERT || t->before > LEAT_DRIFT_ALERT || t->last.worst >= cells) lt_get_fail(g, LEAT_E_FORMAT);
  return LEAT_OK;
}

static void put_calibration(const calibration *c, lt_put *w) {
  lt_put_f64s(w, c->n, CALIBRATION_CELLS);
  lt_put_f64s(w, c->p, CALIBRATION_CELLS);
  lt_put_f64s(w, c->v, CALIBRATION_CELLS);
  lt_put_f64s(w, c->right, CALIBRATION_CELLS);
}

static void get_calibration(leat_runtime *rt, calibration *c, lt_get *g) {
  double *to[] = {c->n, c->p, c->v, c->right};
  for (int i = 0; i < 4; i++) {
    uint64_t n = 0;
    double *v = lt_get_f64s(g, &n);
    if (!v || n != CALIBRATION_CELLS) lt_get_fail(g, LEAT_E_FORMAT);
    for (int k = 0; !g->failed && k < CALIBRATION_CELLS; k++) {
      if (!(v[k] >= 0) || isinf(v[k])) lt_get_fail(g, LEAT_E_FORMAT);
      to[i][k] = v[k];
    }
    lt_free(rt, v);
  }
}

static int state_version(const leat_monitor *w) { return w->span ? MONITOR_STATE : MONITOR_NO_CLOCK; }

void lt_monitor_save(const leat_monitor *w, lt_put *to) {
  lt_put_u8(to, (uint8_t)state_version(w));
  lt_put_u8(to, w->model == NULL);
  lt_params_save(w->settings, to);
  if (!w->model) {
    lt_schema_save(w->schema, to);
    lt_put_u8(to, (uint8_t)w->predictions);
    lt_put_i64(to, w->n_profiles);
    for (int64_t k = 0; k < w->n_profiles; k++) lt_profile_save(w->reference[k], to);
  }
  lt_put_i64(to, w->rows);
  lt_put_i64(to, w->in_window);
  if (w->span) lt_put_i64(to, w->begun);
  lt_put_i64(to, w->n);
  for (int64_t k = 0; k < w->n; k++) put_watched(&w->w[k], to);
  if (w->predictions) put_calibration(&w->cal, to);
}

static leat_status load_reference(leat_monitor *w, lt_get *g, leat_error *err) {
  leat_schema *s = NULL;
  leat_status st = lt_schema_load(w->rt, g, &s, err);
  if (!st) st = columns_of(s, &w->schema, err);
  lt_schema_free(s);
  w->predictions = st ? 0 : lt_get_u8(g) != 0;
  uint64_t n = st ? 0 : lt_get_count(g, 10, LT_MAX_PROFILES + 2);
  if (st || g->failed) return st;
  w->own = lt_zarray(w->rt, n + 1, sizeof *w->own);
  if (!w->own) return lt_fail_memory(err, n * sizeof *w->own, "a monitor");
  w->reference = w->own;
  w->n_profiles = (int64_t)n;
  for (uint64_t k = 0; k < n && !st; k++) st = lt_profile_load(w->rt, g, &w->own[k], err);
  if (n < 1) lt_get_fail(g, LEAT_E_FORMAT);
  return st;
}

leat_status lt_monitor_load(leat_runtime *rt, const leat_model *m, lt_get *g, leat_monitor **out, leat_error *err) {
  leat_monitor *w = NULL;
  leat_params *p = NULL;
  *out = NULL;
  uint8_t version = lt_get_u8(g);
  int own = lt_get_u8(g) != 0;
  if (!g->failed && (version < 1 || version > MONITOR_STATE || own != (m == NULL))) lt_get_fail(g, LEAT_E_FORMAT);
  leat_status st = lt_get_status(g, "a monitor's state", err);
  if (!st) st = lt_params_create(rt, &lt_spec_monitor, &p, err);
  if (!st) st = lt_params_load(p, g, err);
  if (!st && m) st = lt_monitor_create(m, p, &w, err);
  if (!st && !m) st = monitor_alloc(rt, &w, err);
  if (!st && !m) {
    st = lt_params_copy(p, &w->settings, err);
    if (!st) st = load_reference(w, g, err);
    if (!st) st = lt_get_status(g, "a monitor's state", err);
    if (!st) st = monitor_begin(w, err);
  }
  if (!st) {
    w->rows = lt_get_i64(g);
    w->in_window = lt_get_i64(g);
    if ((w->span != 0) != (version > MONITOR_NO_CLOCK)) lt_get_fail(g, LEAT_E_FORMAT);
    if (w->span) w->begun = lt_get_i64(g);
    if (w->rows < 0 || w->in_window < 0 || w->in_window > w->rows || (w->limit && w->in_window >= w->limit) || lt_get_i64(g) != w->n)
      lt_get_fail(g, LEAT_E_FORMAT);
  }
  for (int64_t k = 0; !st && !g->failed && k < w->n; k++) st = get_watched(w, k, version, g, err);
  if (!st && !g->failed && w->predictions) get_calibration(rt, &w->cal, g);
  if (!st) st = lt_get_status(g, "a monitor's state", err);
  lt_params_free(p);
  if (st) lt_monitor_free(w);
  else *out = w;
  return st;
}

static leat_status monitor_sum(const leat_model *m, char sum[40], leat_error *err) {
  uint64_t needed;
  return lt_model_get_text(m, "checksum", sum, 40, &needed, err);
}

leat_status lt_monitor_save_bytes(const leat_monitor *w, void *buf, uint64_t cap, uint64_t *needed, leat_error *err) {
  char sum[40];
  lt_put to;
  leat_status st = monitor_sum(w->model, sum, err);
  *needed = 0;
  if (st) return st;
  lt_put_init(&to, w->rt);
  lt_put_raw(&to, "LMON", 4);
  lt_put_u32(&to, (uint32_t)state_version(w));
  lt_put_text(&to, sum);
  lt_monitor_save(w, &to);
  if (!to.failed) lt_put_u64(&to, lt_hash64(to.data, to.size, 0));
  st = lt_put_status(&to, err);
  if (!st) {
    *needed = to.size;
    if (cap < to.size)
      st = lt_fail(err, LEAT_E_CAPACITY, "the monitor's state has %llu bytes, the buffer room for %llu", (unsigned long long)to.size,
                   (unsigned long long)cap);
    else memcpy(buf, to.data, to.size);
  }
  lt_put_free(&to);
  return st;
}

leat_status lt_monitor_load_bytes(const leat_model *m, const void *data, uint64_t size, leat_monitor **out, leat_error *err) {
  char own[40];
  lt_get g;
  *out = NULL;
  leat_status st = monitor_sum(m, own, err);
  if (st) return st;
  lt_get_init(&g, lt_model_runtime(m), data, size);
  const void *magic = lt_get_raw(&g, 4);
  uint32_t version = lt_get_u32(&g);
  if (!magic || g.failed || memcmp(magic, "LMON", 4) != 0 || size < 16)
    return lt_fail(err, LEAT_E_FORMAT, "the bytes are not a monitor's state");
  if (version > MONITOR_STATE)
    return lt_fail(err, LEAT_E_VERSION, "the monitor's state is of version %u, this library reads up to %d", version, MONITOR_STATE);
  lt_get end;
  lt_get_init(&end, lt_model_runtime(m), (const char *)data + size - 8, 8);
  if (lt_get_u64(&end) != lt_hash64(data, size - 8, 0)) return lt_fail(err, LEAT_E_FORMAT, "the monitor's state is damaged: its checksum is another");
  char *sum = lt_get_text(&g);
  int same = sum && !strcmp(sum, own);
  lt_free(lt_model_runtime(m), sum);
  if (!same) return lt_fail(err, LEAT_E_FORMAT, "the monitor's state is of another model");
  st = lt_monitor_load(lt_model_runtime(m), m, &g, out, err);
  if (!st && lt_get_left(&g) != 8) {
    lt_monitor_free(*out);
    *out = NULL;
    st = lt_fail(err, LEAT_E_FORMAT, "the monitor's state is followed by other bytes");
  }
  return st;
}
