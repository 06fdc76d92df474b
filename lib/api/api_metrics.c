/* Chapter 14 of leat.h: metrics. */
#include "api/api.h"
#include "stats/metrics.h"

LEAT_API leat_status leat_metrics_create(leat_runtime *rt, const char *names, leat_metrics **out, leat_error *err) {
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(rt, "rt", err)) != 0 || (st = lt_need(names, "names", err)) != 0) return st;
  st = lt_metrics_create(rt, names, out, err);
  return st ? st : lt_ok(err);
}

LEAT_API void leat_metrics_free(leat_metrics *k) { lt_metrics_free(k); }

static leat_status metrics_matrix(const leat_matrix *given, leat_matrix *m, int64_t rows, int64_t cols, const char *what,
                                  leat_error *err) {
  leat_status st = lt_take_struct(m, sizeof *m, given, given->struct_size, "leat_matrix", err);
  if (st) return st;
  if (m->dtype != LEAT_F32 && m->dtype != LEAT_F64)
    return lt_fail(err, LEAT_E_DTYPE, "%s has dtype %lld; LEAT_F32 or LEAT_F64 is needed", what, (long long)m->dtype);
  if (m->rows < 0 || m->cols < 1 || (rows >= 0 && m->rows != rows) || (cols >= 0 && m->cols != cols))
    return lt_fail(err, LEAT_E_SHAPE, "%s is [%lld, %lld]; [%lld, %lld] is needed", what, (long long)m->rows,
                   (long long)m->cols, (long long)(rows >= 0 ? rows : m->rows), (long long)(cols >= 0 ? cols : m->cols));
  if (m->rows && !m->data) return lt_fail(err, LEAT_E_ARG, "%s has no data", what);
  if (!m->row_stride && !m->col_stride) {
    m->row_stride = m->cols;
    m->col_stride = 1;
  }
  return LEAT_OK;
}

static double metrics_at(const leat_matrix *m, int64_t r, int64_t c) {
  int64_t i = r * m->row_stride + c * m->col_stride;
  return m->dtype == LEAT_F32 ? (double)((const float *)m->data)[i] : ((const double *)m->data)[i];
}

/* All rows are checked and all memory is taken before the first row counts: a failure changes nothing. */
static leat_status metrics_update(leat_metrics *k, const leat_matrix *pred, const leat_matrix *y, const leat_matrix *w,
                                  leat_error *err) {
  double few[32], *row = few;
  leat_status st = lt_metrics_reserve(k, pred->cols, pred->rows, err);
  for (int64_t r = 0; r < pred->rows && !st; r++) {
    st = lt_metrics_check(k, metrics_at(y, r, 0), w ? metrics_at(w, r, 0) : 1, err);
    if (st && err && err->struct_size >= sizeof *err) err->detail[0] = r + 1;
  }
  if (!st && pred->cols > (int64_t)(sizeof few / sizeof *few)) {
    row = lt_array(lt_metrics_runtime(k), (uint64_t)pred->cols, sizeof *row);
    if (!row) st = lt_fail_memory(err, (uint64_t)pred->cols * sizeof *row, "a row of predictions");
  }
  for (int64_t r = 0; r < pred->rows && !st; r++) {
    for (int64_t c = 0; c < pred->cols; c++) row[c] = metrics_at(pred, r, c);
    st = lt_metrics_add(k, row, pred->cols, metrics_at(y, r, 0), w ? metrics_at(w, r, 0) : 1, err);
  }
  if (row != few) lt_free(lt_metrics_runtime(k), row);
  return st;
}

LEAT_API leat_status leat_metrics_update(leat_metrics *k, const leat_matrix *pred, const leat_matrix *y,
                                         const leat_matrix *w, leat_error *err) {
  leat_matrix mp, my, mw;
  lt_fpenv env;
  leat_status st = lt_need(k, "k", err);
  if (st || (st = lt_need(pred, "pred", err)) != 0 || (st = lt_need(y, "y", err)) != 0) return st;
  if ((st = metrics_matrix(pred, &mp, -1, -1, "pred", err)) != 0) return st;
  if ((st = metrics_matrix(y, &my, mp.rows, 1, "y", err)) != 0) return st;
  if (w && (st = metrics_matrix(w, &mw, mp.rows, 1, "w", err)) != 0) return st;
  if ((st = lt_owner_enter(lt_metrics_owner(k), "metrics object", err)) != 0) return st;
  lt_fpenv_enter(&env);
  st = metrics_update(k, &mp, &my, w ? &mw : NULL, err);
  lt_fpenv_leave(&env);
  lt_owner_leave(lt_metrics_owner(k));
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_metrics_merge(leat_metrics *k, const leat_metrics *other, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(k, "k", err);
  if (st || (st = lt_need(other, "other", err)) != 0) return st;
  if (k == other) return lt_fail(err, LEAT_E_ARG, "metrics cannot be merged with themselves");
  if ((st = lt_owner_enter(lt_metrics_owner(k), "metrics object", err)) != 0) return st;
  if ((st = lt_owner_enter(lt_metrics_owner(other), "metrics object", err)) == 0) {
    lt_fpenv_enter(&env);
    st = lt_metrics_merge(k, other, err);
    lt_fpenv_leave(&env);
    lt_owner_leave(lt_metrics_owner(other));
  }
  lt_owner_leave(lt_metrics_owner(k));
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_metrics_reset(leat_metrics *k, leat_error *err) {
  leat_status st = lt_need(k, "k", err);
  if (st || (st = lt_owner_enter(lt_metrics_owner(k), "metrics object", err)) != 0) return st;
  lt_metrics_reset(k);
  lt_owner_leave(lt_metrics_owner(k));
  return lt_ok(err);
}

LEAT_API leat_status leat_metrics_count(const leat_metrics *k, int64_t *count, leat_error *err) {
  leat_status st = lt_need(count, "count", err);
  if (st) return st;
  *count = 0;
  if ((st = lt_need(k, "k", err)) != 0) return st;
  *count = lt_metrics_count(k);
  return lt_ok(err);
}

LEAT_API leat_status leat_metrics_name(const leat_metrics *k, int64_t index, const char **name, leat_error *err) {
  leat_status st = lt_need(name, "name", err);
  if (st) return st;
  *name = NULL;
  if ((st = lt_need(k, "k", err)) != 0) return st;
  *name = lt_metrics_name(k, index);
  if (*name) return lt_ok(err);
  return lt_fail(err, LEAT_E_NOT_FOUND, "metric %lld: there are %lld, counted from 0", (long long)index,
                 (long long)lt_metrics_count(k));
}

LEAT_API leat_status leat_metrics_value(const leat_metrics *k, const char *name, double *value, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(value, "value", err);
  if (st) return st;
  *value = 0;
  if ((st = lt_need(k, "k", err)) != 0 || (st = lt_need(name, "name", err)) != 0) return st;
  if ((st = lt_owner_enter(lt_metrics_owner(k), "metrics object", err)) != 0) return st;
  lt_fpenv_enter(&env);
  st = lt_metrics_value(k, name, value, err);
  lt_fpenv_leave(&env);
  lt_owner_leave(lt_metrics_owner(k));
  if (st) *value = 0;
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_metrics_interval(const leat_metrics *k, const char *name, double *low, double *high,
                                           leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(low, "low", err);
  if (!st) st = lt_need(high, "high", err);
  if (st) return st;
  *low = *high = 0;
  if ((st = lt_need(k, "k", err)) != 0 || (st = lt_need(name, "name", err)) != 0) return st;
  if ((st = lt_owner_enter(lt_metrics_owner(k), "metrics object", err)) != 0) return st;
  lt_fpenv_enter(&env);
  st = lt_metrics_interval(k, name, low, high, err);
  lt_fpenv_leave(&env);
  lt_owner_leave(lt_metrics_owner(k));
  if (st) *low = *high = 0;
  return st ? st : lt_ok(err);
}
