/* A monitor counts rows in the cells of a model's reference profiles, window by window. */
#include "lifecycle/monitor.h"
#include "base/number.h"
#include "model/profiles.h"
#include "stats/drift.h"
#include <math.h>
#include <string.h>

static const lt_param_def monitor_defs[] = {
    {"window", LEAT_PARAM_I64, "0", 0, 1000000000, NULL, "Rows of a window; 0: everything is one.", 1},
    {"min_rows", LEAT_PARAM_I64, "500", 1, 1000000000, NULL, "With fewer rows the state is insufficient.", 1},
    {"warn", LEAT_PARAM_F64, "0.1", 0, 1e6, NULL, "psi of a warning, where the number of rows does not ask for more.", 1},
    {"alert", LEAT_PARAM_F64, "0.25", 0, 1e6, NULL, "psi of an alert, where the number of rows does not ask for more.", 1},
    {"alpha", LEAT_PARAM_F64, "0.001", 1e-12, 0.5, NULL, "Chance that a window without drift exceeds a limit, over all features.", 1},
    {"raise", LEAT_PARAM_I64, "2", 1, 1000, NULL, "Windows in a row that raise a state.", 1},
    {"clear", LEAT_PARAM_I64, "3", 1, 1000, NULL, "Windows in a row that clear it.", 1},
};
const lt_spec lt_spec_monitor = {"monitor", "Data against the reference profiles of a model.", monitor_defs,
                                 (int64_t)(sizeof monitor_defs / sizeof monitor_defs[0])};

typedef struct watched {
  lt_profile *window;    /* being counted */
  leat_drift_info last;  /* of the last whole window (window > 0) */
  int64_t higher, lower; /* windows in a row above and below the state */
} watched;
struct leat_monitor {
  leat_runtime *rt;
  lt_owner owner;
  const leat_model *model;
  leat_params *settings;
  lt_profile *const *reference;
  watched *w;
  int64_t n, rows, in_window, limit;
};

void lt_monitor_free(leat_monitor *w) {
  if (!w) return;
  leat_runtime *rt = w->rt;
  for (int64_t k = 0; w->w && k < w->n; k++) lt_profile_free(w->w[k].window);
  lt_free(rt, w->w);
  lt_params_free(w->settings);
  lt_model_free(w->model);
  lt_free(rt, w);
  lt_runtime_unref(rt);
}

leat_status lt_monitor_create(const leat_model *m, const leat_params *p, leat_monitor **out, leat_error *err) {
  leat_runtime *rt = lt_model_runtime(m);
  leat_status st = LEAT_OK;
  *out = NULL;
  if (p && lt_params_spec(p) != &lt_spec_monitor)
    return lt_fail(err, LEAT_E_ARG, "parameters of '%.60s' are not a monitor's: make them for \"monitor\"", lt_params_spec(p)->name);
  leat_monitor *w = lt_zalloc(rt, sizeof *w);
  if (!w) return lt_fail_memory(err, sizeof *w, "a monitor");
  lt_runtime_ref(rt);
  w->rt = rt;
  lt_model_ref(m);
  w->model = m;
  w->reference = lt_model_profiles(m, &w->n);
  if (w->n == 0)
    st = lt_fail(err, LEAT_E_UNSUPPORTED, "the model carries no reference profiles: only a model that was trained offline does");
  if (!st) st = p ? lt_params_copy(p, &w->settings, err) : lt_params_create(rt, &lt_spec_monitor, &w->settings, err);
  if (!st) {
    w->limit = lt_param_int(w->settings, "window");
    w->w = lt_zarray(rt, (uint64_t)w->n, sizeof *w->w);
    if (!w->w) st = lt_fail_memory(err, (uint64_t)w->n * sizeof *w->w, "a monitor");
  }
  for (int64_t k = 0; k < w->n && !st; k++) st = lt_profile_clone(rt, w->reference[k], 0, &w->w[k].window, err);
  if (st) lt_monitor_free(w);
  else *out = w;
  return st;
}

lt_owner *lt_monitor_owner(leat_monitor *w) { return &w->owner; }
const leat_model *lt_monitor_model(const leat_monitor *w) { return w->model; }

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

static void compare(const leat_monitor *w, int64_t k, leat_drift_info *info) {
  lt_drift d;
  memset(info, 0, sizeof *info);
  info->struct_size = sizeof *info;
  const char *name = lt_profile_name(w->reference[k]);
  uint64_t n = strlen(name) < sizeof info->name - 1 ? strlen(name) : sizeof info->name - 1;
  memcpy(info->name, name, n);
  if (lt_profile_drift(w->reference[k], w->w[k].window, &d, NULL)) return;
  info->rows = d.m;
  info->reference_rows = d.n;
  info->value = d.psi;
  info->js = d.js;
  info->ks = d.ks;
  info->linf = d.linf;
  info->share = d.p;
  info->reference_share = d.q;
  double alpha = lt_param_real(w->settings, "alpha");
  info->warn = lt_psi_limit(&d, lt_param_real(w->settings, "warn"), alpha, w->n);
  info->alert = lt_psi_limit(&d, lt_param_real(w->settings, "alert"), alpha, w->n);
  cell_text(w->reference[k], d.worst, info->worst_cell, sizeof info->worst_cell);
  info->state = d.m < lt_param_int(w->settings, "min_rows") ? LEAT_DRIFT_INSUFFICIENT
                : info->value > info->alert                 ? LEAT_DRIFT_ALERT
                : info->value > info->warn                  ? LEAT_DRIFT_WARN
                                                            : LEAT_DRIFT_OK;
}

/* A state is raised after `raise` windows above it, cleared after `clear` below: one odd window is no drift. */
static void close_window(leat_monitor *w) {
  for (int64_t k = 0; k < w->n; k++) {
    watched *t = &w->w[k];
    leat_drift_info now;
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
    t->last = now;
    lt_profile_clear(t->window);
  }
  w->in_window = 0;
}

leat_status lt_monitor_update(leat_monitor *w, const leat_batch *rows, leat_error *err) {
  lt_rows all, part;
  leat_batch *piece = NULL;
  leat_status st = LEAT_OK;
  lt_profile **profile = lt_array(w->rt, (uint64_t)w->n, sizeof *profile);
  if (!profile) return lt_fail_memory(err, (uint64_t)w->n * sizeof *profile, "a monitor's update");
  for (int64_t k = 0; k < w->n; k++) profile[k] = w->w[k].window;
  lt_batch_rows(rows, &all);
  for (int64_t r = 0; r < all.n && !st;) {
    int64_t n = w->limit && w->limit - w->in_window < all.n - r ? w->limit - w->in_window : all.n - r;
    part = all;
    if (n < all.n) { /* a window ends inside the batch */
      if (!piece) st = lt_batch_create(w->rt, lt_batch_schema(rows), &piece, err);
      if (!st) lt_batch_clear(piece);
      if (!st) st = lt_batch_append(piece, &all, r, n, err);
      if (!st) lt_batch_rows(piece, &part);
    }
    if (!st) st = lt_profiles_count(w->rt, lt_model_schema(w->model), profile, w->n, &part, err);
    if (st) break;
    r += n;
    w->rows += n;
    w->in_window += n;
    if (w->limit && w->in_window == w->limit) close_window(w);
  }
  lt_batch_free(piece);
  lt_free(w->rt, profile);
  return st;
}

leat_status lt_monitor_merge(leat_monitor *w, const leat_monitor *other, leat_error *err) {
  leat_status st = LEAT_OK;
  if (w->limit || other->limit)
    return lt_fail(err, LEAT_E_UNSUPPORTED, "only monitors with window 0 can be merged: windows of two have no common order");
  if (w->n != other->n)
    return lt_fail(err, LEAT_E_SHAPE, "one monitor watches %lld features, the other %lld", (long long)w->n, (long long)other->n);
  leat_monitor *sum = NULL; /* all or nothing */
  st = lt_monitor_create(w->model, w->settings, &sum, err);
  for (int64_t k = 0; k < w->n && !st; k++) {
    st = lt_profile_merge(sum->w[k].window, w->w[k].window, err);
    if (!st) st = lt_profile_merge(sum->w[k].window, other->w[k].window, err);
  }
  if (!st) {
    watched *swap = w->w;
    w->w = sum->w;
    sum->w = swap;
    w->rows += other->rows;
    w->in_window += other->in_window;
  }
  lt_monitor_free(sum);
  return st;
}

int64_t lt_monitor_count(const leat_monitor *w) { return w->n; }

leat_status lt_monitor_at(const leat_monitor *w, int64_t index, leat_drift_info *info, leat_error *err) {
  if (index < 0 || index >= w->n)
    return lt_fail(err, LEAT_E_NOT_FOUND, "the monitor watches %lld features, there is none at %lld", (long long)w->n,
                   (long long)index);
  if (w->limit) {
    *info = w->w[index].last;
    if (info->name[0]) return LEAT_OK;
    compare(w, index, info); /* the first window is not full */
    info->state = LEAT_DRIFT_INSUFFICIENT;
    return LEAT_OK;
  }
  compare(w, index, info);
  info->windows = 1;
  return LEAT_OK;
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
