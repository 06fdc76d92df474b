/* Refresh: due by age, rows or drift; the challenger against production on the same rows. Both are judged by a paired
 * non-inferiority test: e = loss - (1 + margin) * loss of production, row by row, and its mean must lie below 0 by the normal
 * bound at the confidence asked for (Schuirmann 1987, one side). No evidence, no promotion: a few rows decide nothing. */
#include "lifecycle/refresh.h"
#include "base/number.h"
#include "model/predictor.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const lt_param_def refresh_defs[] = {
    {"max_age", LEAT_PARAM_F64, "2592000", 0, 1e12, NULL, "Due when production was made so many seconds ago; 0: never.", 1},
    {"max_rows", LEAT_PARAM_I64, "0", 0, 1e18, NULL, "Due when monitors have seen so many rows since; 0: never.", 1},
    {"drift", LEAT_PARAM_BOOL, "true", 0, 0, NULL, "Due when the last monitoring of production found an alert.", 1},
    {"margin", LEAT_PARAM_F64, "0.01", 0, 10, NULL, "A new model whose loss is above production's by this share is no worse.", 1},
    {"confidence", LEAT_PARAM_F64, "0.95", 0.5, 0.999999, NULL, "How sure that must be.", 1},
    {"min_rows", LEAT_PARAM_I64, "100", 2, 1000000000, NULL, "With fewer labelled rows nothing is decided.", 1},
};
const lt_spec lt_spec_refresh = {"refresh", "When to train again, and what the new model must show.", refresh_defs,
                                 (int64_t)(sizeof refresh_defs / sizeof refresh_defs[0])};
#define REFRESH_LEAST 1e-6 /* a probability counts as no less: one row must not decide */

static leat_status refresh_params(leat_runtime *rt, const leat_params *p, leat_params **out, leat_error *err) {
  *out = NULL;
  if (p && lt_params_spec(p) != &lt_spec_refresh)
    return lt_fail(err, LEAT_E_ARG, "parameters of '%.60s' are not a refresh's: make them for \"refresh\"", lt_params_spec(p)->name);
  return p ? lt_params_copy(p, out, err) : lt_params_create(rt, &lt_spec_refresh, out, err);
}

double lt_normal_quantile(double p) { /* erfc is the C library's; bisection ends where doubles do */
  double low = -40, high = 40;
  for (int i = 0; i < 200; i++) {
    double mid = (low + high) / 2;
    if (0.5 * erfc(-mid / 1.4142135623730951) < p) low = mid;
    else high = mid;
  }
  return (low + high) / 2;
}

/* ---------------------------------------------------------------------------------------------- due */

leat_status lt_refresh_monitored(leat_store *s, const leat_monitor *w, leat_error *err) {
  leat_event e = {.struct_size = sizeof e, .kind = LEAT_EVENT_MONITORED};
  leat_version_info v = {.struct_size = sizeof v};
  leat_drift_info worst = {.struct_size = sizeof worst}, now;
  char sum[40] = "", share[40], before[40];
  uint64_t needed;
  int64_t state = 0, rows = 0, over = 0;
  leat_status st = lt_folder_stage(s, "production", &e.version, err);
  if (!st) st = lt_folder_version(s, e.version, &v, err);
  if (!st) st = lt_model_get_text(lt_monitor_model(w), "checksum", sum, sizeof sum, &needed, err);
  if (!st && strcmp(sum, v.checksum) != 0)
    st = lt_fail(err, LEAT_E_STATE, "the monitor compares with another model than production, version %lld", (long long)e.version);
  if (!st) st = lt_monitor_state(w, &state, &rows, err);
  if (!st && rows < 1) st = lt_fail(err, LEAT_E_STATE, "the monitor has seen no row");
  for (int64_t k = 0; k < lt_monitor_count(w) && !st; k++) {
    st = lt_monitor_at(w, k, &now, err);
    if (st) break;
    over += now.state == LEAT_DRIFT_ALERT;
    if (k == 0 || now.value / now.alert > worst.value / worst.alert) worst = now;
  }
  if (st) return st;
  e.row = rows;
  e.value = worst.value;
  e.threshold = worst.alert;
  snprintf(e.name, sizeof e.name, "%.63s", worst.name);
  if (state == LEAT_DRIFT_INSUFFICIENT)
    snprintf(e.text, sizeof e.text, "insufficient: %lld rows decide nothing", (long long)rows);
  else if (over)
    snprintf(e.text, sizeof e.text, "alert: %lld of %lld features have drifted; the worst cell of %.63s is %.63s: %s of the rows, %s before",
             (long long)over, (long long)lt_monitor_count(w), worst.name, worst.worst_cell, lt_few_digits(worst.share, share),
             lt_few_digits(worst.reference_share, before));
  else snprintf(e.text, sizeof e.text, "%s", state == LEAT_DRIFT_WARN ? "warn" : "ok");
  return lt_folder_note(s, &e, err);
}

static int64_t refresh_reasons(const leat_params *p, const leat_due_info *d, int alert) {
  double age = lt_param_real(p, "max_age");
  int64_t rows = lt_param_int(p, "max_rows");
  return (age > 0 && (double)d->age_ns >= age * 1e9 ? LEAT_DUE_AGE : 0) | (rows > 0 && d->rows >= rows ? LEAT_DUE_ROWS : 0) |
         (lt_param_int(p, "drift") && alert ? LEAT_DUE_DRIFT : 0);
}

static leat_status refresh_tell(leat_store *s, const leat_due_info *d, leat_error *err) {
  leat_event e = {.struct_size = sizeof e, .kind = LEAT_EVENT_REFRESH_DUE};
  char age[64] = "", rows[48] = "", drift[192] = "", a[40], b[40];
  if (d->reasons & LEAT_DUE_AGE) snprintf(age, sizeof age, "%.24s days old; ", lt_few_digits((double)d->age_ns / 86400e9, a));
  if (d->reasons & LEAT_DUE_ROWS) snprintf(rows, sizeof rows, "%lld rows since; ", (long long)d->rows);
  if (d->reasons & LEAT_DUE_DRIFT)
    snprintf(drift, sizeof drift, "%.63s has drifted, psi %.24s over %.24s; ", d->feature, lt_few_digits(d->drift, a),
             lt_few_digits(d->limit, b));
  e.version = d->version;
  e.value = (double)d->reasons;
  snprintf(e.text, sizeof e.text, "%s%s%.140s", age, rows, drift);
  if (strlen(e.text) > 2) e.text[strlen(e.text) - 2] = 0;
  return lt_folder_note(s, &e, err);
}

leat_status lt_refresh_due(leat_store *s, const leat_params *given, leat_due_info *d, leat_error *err) {
  leat_version_info v = {.struct_size = sizeof v};
  leat_params *p = NULL;
  leat_event e;
  int64_t cursor = 0, told = 0;
  int alert = 0, begun = 0;
  leat_status st = refresh_params(lt_folder_runtime(s), given, &p, err);
  if (!st) st = lt_folder_stage(s, "production", &d->version, err);
  if (!st) st = lt_folder_version(s, d->version, &v, err);
  while (!st && (e.struct_size = sizeof e, st = lt_folder_history(s, &cursor, &e, err)) == LEAT_OK) {
    begun |= e.kind == LEAT_EVENT_VERSION && e.version == d->version;
    if (!begun || e.version != d->version) continue;
    if (e.kind == LEAT_EVENT_REFRESH_DUE) told |= (int64_t)e.value;
    if (e.kind != LEAT_EVENT_MONITORED) continue;
    d->rows += e.row;
    d->drift = e.value;
    d->limit = e.threshold;
    memcpy(d->feature, e.name, sizeof d->feature);
    alert = strncmp(e.text, "alert", 5) == 0;
  }
  if (st == LEAT_E_NOT_FOUND && begun) st = LEAT_OK; /* the end of the history */
  if (!st) {
    d->age_ns = lt_now_ns(lt_folder_runtime(s)) - v.created_ns;
    d->reasons = refresh_reasons(p, d, alert);
    if (d->reasons & ~told && !lt_folder_read_only(s)) st = refresh_tell(s, d, err);
  }
  lt_params_free(p);
  return st;
}

/* ---------------------------------------------------------------------------------------------- a challenger */

typedef struct refresh_side { const leat_model *m; double *p; int64_t outs, classes, *code; } refresh_side;

/* The dataset's target codes -> this model's classes, -1 where it has none. */
static leat_status refresh_codes(const lt_column *theirs, refresh_side *a, leat_error *err) {
  const leat_schema *own = lt_model_schema(a->m);
  const lt_column *c = &own->col[lt_schema_role(own, LEAT_ROLE_TARGET)];
  leat_status st = lt_model_get_i64(a->m, "n_classes", &a->classes, err);
  if (st || !theirs->labels) return st;
  int64_t n = lt_dict_count(theirs->labels);
  a->code = lt_array(lt_model_runtime(a->m), (uint64_t)n + 1, sizeof *a->code);
  if (!a->code) return lt_fail_memory(err, (uint64_t)n * sizeof *a->code, "labels of the target");
  for (int64_t k = 0; k < n; k++) {
    uint64_t size = 0;
    const char *text = lt_dict_text(theirs->labels, k, &size);
    a->code[k] = c->labels ? lt_dict_find(c->labels, text, size) : -1;
  }
  return LEAT_OK;
}

static leat_status refresh_predict(refresh_side *a, const leat_dataset *d, leat_error *err) {
  leat_predictor *q = NULL;
  int64_t in, n = lt_dataset_rows(d);
  leat_status st = lt_predictor_create(a->m, NULL, NULL, &q, err);
  if (!st) st = lt_predictor_shape(q, &in, &a->outs, err);
  if (!st && !(a->p = lt_array(lt_model_runtime(a->m), (uint64_t)(n * a->outs) + 1, sizeof *a->p)))
    st = lt_fail_memory(err, (uint64_t)(n * a->outs) * sizeof *a->p, "predictions");
  leat_matrix out = {.struct_size = sizeof out, .data = a->p, .rows = n, .cols = a->outs, .dtype = LEAT_F64};
  if (!st) st = lt_predictor_run_dataset(q, d, &out, err);
  lt_predictor_free(q);
  return st;
}

static double refresh_loss(const refresh_side *a, int64_t row, double y) {
  const double *p = a->p + row * a->outs;
  if (!a->classes) return (y - p[0]) * (y - p[0]);
  int64_t k = a->code ? a->code[(int64_t)y] : (int64_t)y;
  double sure = k < 0 || k >= a->classes ? 0 : a->outs > 1 ? p[k] : k == 1 ? p[0] : 1 - p[0];
  return -log(sure > REFRESH_LEAST ? sure : REFRESH_LEAST);
}

typedef struct refresh_sums { double w, ww, a, b, e, ee, wwe, wwee; int64_t n; } refresh_sums;

/* Every labelled row's losses into the sums; the variance of a weighted mean of independent rows is sum w^2 (e - mean)^2. */
static leat_status refresh_rows(const leat_dataset *d, const refresh_side side[2], double margin, refresh_sums *s, leat_error *err) {
  leat_schema *schema = lt_dataset_schema(d);
  int64_t target = lt_schema_role(schema, LEAT_ROLE_TARGET), weight = lt_schema_role(schema, LEAT_ROLE_WEIGHT), at = 0;
  leat_batch *scratch = NULL;
  lt_rows v;
  leat_status st = lt_batch_create(lt_dataset_runtime(d), schema, &scratch, err);
  while (!st && at < lt_dataset_rows(d)) {
    st = lt_dataset_view(d, at, 4096, scratch, &v, err);
    for (int64_t r = 0; r < v.n && !st; r++) {
      double y = lt_rows_target(&v, target, r), w = weight < 0 ? 1 : lt_col_number(&schema->col[weight], &v.col[weight], r, 0);
      if (isnan(w)) w = 1;
      if (isnan(y) || !(w > 0)) continue;
      double a = refresh_loss(&side[0], at + r, y), b = refresh_loss(&side[1], at + r, y), e = a - (1 + margin) * b;
      s->n++;
      s->w += w;
      s->ww += w * w;
      s->a += w * a;
      s->b += w * b;
      s->e += w * e;
      s->ee += w * e * e;
      s->wwe += w * w * e;
      s->wwee += w * w * e * e;
    }
    if (!st) at += v.n;
    if (!st && v.n == 0) break;
  }
  lt_batch_free(scratch);
  return st;
}

static leat_status refresh_shadow(const leat_model *m, const leat_model *old, const leat_dataset *d, const leat_params *p,
                                  leat_challenge_info *info, leat_error *err) {
  refresh_side side[2] = {{.m = m}, {.m = old}};
  refresh_sums s = {0};
  const leat_schema *schema = lt_dataset_schema(d);
  int64_t target = lt_schema_role(schema, LEAT_ROLE_TARGET);
  leat_status st = LEAT_OK;
  if (lt_dataset_rows(d) < 0 || lt_dataset_streams(d)) return lt_fail(err, LEAT_E_UNSUPPORTED, "the rows to compare on must be in memory, not a stream");
  if (target < 0) return lt_fail(err, LEAT_E_DATA, "the rows to compare on have no target column");
  for (int i = 0; i < 2 && !st; i++) st = refresh_codes(&schema->col[target], &side[i], err);
  if (!st && !side[0].classes != !side[1].classes)
    st = lt_fail(err, LEAT_E_UNSUPPORTED, "one model predicts classes, the other numbers: their losses cannot be compared");
  for (int i = 0; i < 2 && !st; i++) st = refresh_predict(&side[i], d, err);
  if (!st) st = refresh_rows(d, side, lt_param_real(p, "margin"), &s, err);
  if (!st && s.n < lt_param_int(p, "min_rows"))
    st = lt_fail(err, LEAT_E_DATA, "%lld labelled rows to compare on are too few: at least %lld (min_rows) must be held out",
                 (long long)s.n, (long long)lt_param_int(p, "min_rows"));
  if (!st) {
    double mean = s.e / s.w, square = s.wwee - 2 * mean * s.wwe + mean * mean * s.ww;
    info->rows = s.n;
    info->loss = s.a / s.w;
    info->against_loss = s.b / s.w;
    info->upper = mean + lt_normal_quantile(lt_param_real(p, "confidence")) * (square > 0 ? sqrt(square) / s.w : 0);
  }
  for (int i = 0; i < 2; i++) {
    lt_free(lt_model_runtime(m), side[i].p);
    lt_free(lt_model_runtime(m), side[i].code);
  }
  return st;
}

/* generation: the store's when production was looked at; who promoted something else meanwhile is not overruled. */
static leat_status refresh_settle(leat_store *s, const leat_model *m, int equal, leat_challenge_info *info, leat_error *err) {
  leat_event e = {.struct_size = sizeof e, .kind = LEAT_EVENT_REFRESH};
  int64_t generation = 0, now = 0;
  char a[40], b[40];
  int better = info->upper <= 0, same = 0;
  leat_status st = LEAT_OK;
  if (equal) info->version = info->against;
  else st = lt_folder_add(s, m, "refresh", &info->version, err);
  if (!st) st = lt_folder_generation(s, &generation, err);
  if (!st) st = lt_folder_stage(s, "production", &now, err);
  same = !st && now == info->against;
  if (!st && better && same && !equal) {
    st = lt_folder_promote(s, info->version, "production", generation, NULL, err);
    info->promoted = !st;
    if (st == LEAT_E_STATE) st = LEAT_OK; /* somebody else was there in between: told below */
  }
  if (st) return st;
  e.version = info->version;
  e.row = info->rows;
  e.value = info->loss - info->against_loss;
  e.threshold = info->upper;
  snprintf(e.name, sizeof e.name, "%s", info->promoted ? "promoted" : "kept");
  snprintf(e.text, sizeof e.text, "loss %s against %s of version %lld on %lld rows: %s", lt_few_digits(info->loss, a),
           lt_few_digits(info->against_loss, b), (long long)info->against, (long long)info->rows,
           info->promoted ? "no worse"
           : equal        ? "it is production, bit for bit"
           : better       ? "no worse, but production changed meanwhile"
                          : "not shown to be no worse");
  return lt_folder_note(s, &e, err);
}

leat_status lt_refresh_challenge(leat_store *s, const leat_model *m, const leat_dataset *d, const leat_params *given,
                                 leat_challenge_info *info, leat_error *err) {
  leat_params *p = NULL;
  leat_model *old = NULL;
  char sum[2][40] = {"", ""};
  uint64_t needed;
  leat_status st = refresh_params(lt_folder_runtime(s), given, &p, err);
  if (!st && lt_folder_read_only(s)) st = lt_fail(err, LEAT_E_STATE, "%s was opened read only", lt_folder_path(s));
  if (!st) st = lt_folder_stage(s, "production", &info->against, err);
  if (!st) st = lt_folder_load(s, info->against, &old, err);
  if (!st) st = refresh_shadow(m, old, d, p, info, err);
  for (int i = 0; i < 2 && !st; i++) st = lt_model_get_text(i ? old : m, "checksum", sum[i], sizeof sum[i], &needed, err);
  if (!st) st = refresh_settle(s, m, !strcmp(sum[0], sum[1]), info, err);
  lt_model_free(old);
  lt_params_free(p);
  return st;
}
