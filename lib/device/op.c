/* Checks of strided arrays. Every op passes here before a device or BLIS sees it. */
#include "device/op.h"

/* The most elements that an array may span: far above any memory, far below where products of it overflow. */
static const int64_t op_max_span = INT64_C(1) << 46;

int lt_view_empty(const lt_view *v) {
  for (int64_t i = 0; i < v->rank; i++)
    if (v->shape[i] == 0) return 1;
  return 0;
}

static int64_t magnitude(int64_t v) { return v < 0 ? -v : v; }

/* Of the (at most two) dimensions that matter, one stride must step over all of the other. */
static int view_distinct(const lt_view *v) {
  int64_t step = 0, reach = 0;
  for (int64_t i = 0; i < v->rank; i++) {
    if (v->shape[i] < 2) continue;
    int64_t s = magnitude(v->stride[i]), r = s * v->shape[i];
    if (s == 0) return 0;
    if (step && s < reach && step < r) return 0;
    step = s, reach = r;
  }
  return 1;
}

leat_status lt_view_check(lt_view *v, leat_error *err) {
  int64_t low = 0, high = 0;
  v->low = v->high = 0;
  for (int64_t i = 0; i < v->rank; i++)
    if (v->shape[i] < 0)
      return lt_fail(err, LEAT_E_SHAPE, "dimension %lld of %s is %lld; it must be 0 or more", (long long)i, v->name,
                     (long long)v->shape[i]);
  if (lt_view_empty(v)) return LEAT_OK;
  for (int64_t i = 0; i < v->rank; i++) {
    int64_t reach;
    if (v->shape[i] == 1) continue;
    if (v->stride[i] == INT64_MIN || __builtin_mul_overflow(v->shape[i] - 1, v->stride[i], &reach) ||
        reach > op_max_span || reach < -op_max_span)
      return lt_fail(err, LEAT_E_SHAPE, "%s spans %lld elements with stride %lld: more than memory holds", v->name,
                     (long long)v->shape[i], (long long)v->stride[i]);
    if (reach < 0) low += reach;
    else high += reach;
  }
  v->low = low * v->size;
  v->high = (high + 1) * v->size;
  if (!v->data) return lt_fail(err, LEAT_E_ARG, "%s is NULL", v->name);
  if (v->written && !view_distinct(v))
    return lt_fail(err, LEAT_E_SHAPE, "the strides of %s make elements lie on each other; it is written", v->name);
  return LEAT_OK;
}

static lt_view view_of(const char *name, const float *data, const int64_t *shape, const int64_t *stride,
                       int64_t rank, int32_t written) {
  lt_view v = {.name = name, .data = data, .rank = rank, .size = (int64_t)sizeof *data, .written = written};
  for (int64_t i = 0; i < rank; i++) v.shape[i] = shape[i], v.stride[i] = stride[i];
  return v;
}

void lt_gemm_views(const lt_gemm *g, lt_view v[3]) {
  v[0] = view_of("a", g->a, (int64_t[]){g->m, g->k}, (int64_t[]){g->a_rs, g->a_cs}, 2, 0);
  v[1] = view_of("b", g->b, (int64_t[]){g->k, g->n}, (int64_t[]){g->b_rs, g->b_cs}, 2, 0);
  v[2] = view_of("c", g->c, (int64_t[]){g->m, g->n}, (int64_t[]){g->c_rs, g->c_cs}, 2, 1);
}

void lt_gemv_views(const lt_gemv *g, lt_view v[3]) {
  v[0] = view_of("a", g->a, (int64_t[]){g->m, g->n}, (int64_t[]){g->a_rs, g->a_cs}, 2, 0);
  v[1] = view_of("x", g->x, &g->n, &g->x_s, 1, 0);
  v[2] = view_of("y", g->y, &g->m, &g->y_s, 1, 1);
}

static leat_status check_views(lt_view v[3], leat_error *err) {
  leat_status st = LEAT_OK;
  for (int i = 0; i < 3 && !st; i++) st = lt_view_check(v + i, err);
  return st;
}

leat_status lt_gemm_check(const lt_gemm *g, lt_view v[3], leat_error *err) {
  lt_gemm_views(g, v);
  return check_views(v, err);
}

leat_status lt_gemv_check(const lt_gemv *g, lt_view v[3], leat_error *err) {
  lt_gemv_views(g, v);
  return check_views(v, err);
}
