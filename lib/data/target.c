/* Targets: when are numbers classes? Text, or at most 20 distinct integers (DESIGN 4), unless the task is given. */
#include <math.h>
#include <string.h>

#include "base/number.h"
#include "data/store.h"

enum { AUTO_CLASSES = 20, MOST_CLASSES = 65536, MOST_LABELS = 1 << 20 };

int64_t lt_label_limit(const lt_column *c) { return c->role == LEAT_ROLE_TARGET ? MOST_CLASSES : MOST_LABELS; }

leat_status lt_target_check_classes(int64_t n, int task, const char *where, leat_error *err) {
  if (task == LT_TASK_REGRESSION)
    return lt_fail(err, LEAT_E_DATA, "%s: the target holds text, a regression needs numbers", where);
  if (task == LT_TASK_BINARY && n > 2)
    return lt_fail(err, LEAT_E_DATA, "%s: the target has %lld classes, task binary needs two; use task multiclass", where,
                   (long long)n);
  if (n > MOST_CLASSES)
    return lt_fail(err, LEAT_E_DATA, "%s: the target has %lld classes, the most is %d; is it an identifier?", where,
                   (long long)n, (int)MOST_CLASSES);
  return LEAT_OK;
}

int32_t lt_target_code(const double *values, int64_t n, double y) {
  if (isnan(y)) return LT_MISSING;
  int64_t lo = 0, hi = n;
  while (lo < hi) {
    int64_t mid = lo + (hi - lo) / 2;
    if (values[mid] < y) lo = mid + 1;
    else hi = mid;
  }
  return lo < n && values[lo] == y ? (int32_t)lo : LT_UNSEEN;
}

/* The distinct numbers of y, ascending, at most `limit` of them; *count limit + 1 tells that there are more. `whole`
 * comes back 0 when one of them is no integer. */
static leat_status distinct(leat_runtime *rt, const double *y, int64_t n, int64_t limit, double **values,
                            int64_t *count, int *whole, leat_error *err) {
  double *v = NULL;
  uint64_t cap = 0;
  int64_t m = 0, last = 0;
  *whole = 1;
  for (int64_t r = 0; r < n; r++) {
    double x = y[r];
    if (isnan(x) || (m && v[last] == x)) continue;
    if (x == 0) x = 0; /* -0 is 0 */
    if (floor(x) != x || isinf(x)) {
      *whole = 0;
      if (limit == AUTO_CLASSES) break;
    }
    int64_t lo = 0, hi = m;
    while (lo < hi) {
      int64_t mid = lo + (hi - lo) / 2;
      if (v[mid] < x) lo = mid + 1;
      else hi = mid;
    }
    last = lo;
    if (lo < m && v[lo] == x) continue;
    if (m == limit) {
      m++;
      break;
    }
    leat_status st = lt_grow(rt, (void **)&v, &cap, (uint64_t)m + 1, sizeof *v, err);
    if (st) {
      lt_free(rt, v);
      return st;
    }
    memmove(v + lo + 1, v + lo, (uint64_t)(m - lo) * sizeof *v);
    v[lo] = x;
    m++;
  }
  *values = v;
  *count = m;
  return LEAT_OK;
}

leat_status lt_target_decide(leat_runtime *rt, const double *y, int64_t n, int task, const char *where,
                             lt_dict **labels, double **values, leat_error *err) {
  *labels = NULL;
  *values = NULL;
  if (task == LT_TASK_REGRESSION) return LEAT_OK;
  double *v = NULL;
  int64_t count = 0;
  int whole = 1;
  int64_t limit = task == LT_TASK_AUTO ? AUTO_CLASSES : MOST_CLASSES;
  leat_status st = distinct(rt, y, n, limit, &v, &count, &whole, err);
  if (st) return st;
  if (task == LT_TASK_AUTO && (!whole || count > limit || !count)) {
    lt_free(rt, v);
    return LEAT_OK;
  }
  lt_dict *d = NULL;
  st = lt_target_check_classes(count, task, where, err);
  if (!st) st = lt_dict_create(rt, &d, err);
  for (int64_t i = 0; !st && i < count; i++) {
    char buf[32];
    int64_t code;
    int len = lt_f64_text(v[i], buf);
    st = lt_dict_add(d, buf, (uint64_t)len, &code, err);
  }
  if (st) {
    lt_dict_free(d);
    lt_free(rt, v);
    return st;
  }
  *labels = d;
  *values = v;
  return LEAT_OK;
}

leat_status lt_target_to_classes(leat_batch *b, int64_t i, int task, const char *where, leat_error *err) {
  lt_column *c = &b->schema->col[i];
  lt_slot *s = &b->slot[i];
  lt_dict *labels = NULL;
  double *values = NULL;
  leat_status st = lt_target_decide(b->rt, s->data, b->n, task, where, &labels, &values, err);
  if (st || !labels) return st;
  int64_t k = lt_dict_count(labels);
  const double *y = s->data;
  int32_t *code = s->data; /* in place: codes are the smaller ones, and are written behind what is read */
  for (int64_t r = 0; r < b->n; r++) {
    double x;
    memcpy(&x, y + r, sizeof x);
    int32_t q = lt_target_code(values, k, x == 0 ? 0 : x);
    memcpy(code + r, &q, sizeof q);
  }
  lt_free(b->rt, values);
  s->dtype = LEAT_I32;
  c->kind = LEAT_CATEGORY;
  lt_dict_free(c->labels);
  c->labels = labels;
  lt_batch_sync(b);
  return LEAT_OK;
}

const char *lt_label_text(const char *s, uint64_t *len, char buf[32]) {
  double v;
  if (*len == 0 || *len > 24 || !lt_parse_f64(s, s + *len, &v) || !isfinite(v)) return s;
  *len = (uint64_t)lt_f64_text(v == 0 ? 0 : v, buf);
  return buf;
}

int32_t lt_label_code(const lt_column *c, const char *s, uint64_t len) {
  if (!len) return LT_MISSING;
  int64_t code = lt_dict_find(c->labels, s, len);
  if (code >= 0) return (int32_t)code;
  if (c->role != LEAT_ROLE_TARGET) return LT_UNSEEN;
  char buf[32];
  const char *t = lt_label_text(s, &len, buf);
  code = t == s ? -1 : lt_dict_find(c->labels, t, len);
  return code >= 0 ? (int32_t)code : LT_UNSEEN;
}

int lt_parse_bool(const char *s, uint64_t len) {
  static const char *const word[2] = {"false", "true"};
  for (int k = 0; k < 2; k++) {
    if (len != strlen(word[k])) continue;
    uint64_t i = 0;
    while (i < len && (s[i] | 32) == word[k][i]) i++;
    if (i == len) return k;
  }
  return -1;
}
