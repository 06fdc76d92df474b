/* Work on whole rows and columns. A group has L work items (a power of two) for each of its R rows. */
#define ROW_ITEMS                                                                                      \
  const int l = (int)get_local_id(0), L = (int)get_local_size(0), r = (int)get_local_id(1);            \
  const long i_all = get_global_id(1), i = min(i_all, m - 1);                                          \
  const int mine = i_all < m;
/* v of the row's work items joined, for all of them. The barriers stand one after the other and not in a loop: behind a
 * loop with barriers PoCL 3.1 has run the first work item twice. */
#define HALVE(s, joined)                                                                               \
  if (l < s && s < L) {                                                                                \
    const float p = t[r * L + l], q = t[r * L + l + s];                                                \
    t[r * L + l] = joined;                                                                             \
  }                                                                                                    \
  barrier(CLK_LOCAL_MEM_FENCE);
#define JOIN(v, joined)                                                                                \
  {                                                                                                    \
    barrier(CLK_LOCAL_MEM_FENCE);                                                                      \
    t[r * L + l] = v;                                                                                  \
    barrier(CLK_LOCAL_MEM_FENCE);                                                                      \
    HALVE(32, joined) HALVE(16, joined) HALVE(8, joined) HALVE(4, joined) HALVE(2, joined) HALVE(1, joined) \
    v = t[r * L];                                                                                      \
  }
#define LARGER(p, q) ((p) != (p) ? (p) : (q) != (q) ? (q) : fmax(p, q))
#define FIRST_OF(what) ((what) == 2 ? -INFINITY : 0.0f)
#define TAKE(what, sum, v) ((what) == 0 ? (sum) + (v) : (what) == 1 ? MAD(v, v, sum) : LARGER(sum, v))

/* what: 0 sum, 1 sum of squares, 2 max. Over the columns: one number a row. */
kernel void reduce_columns(global const float *x, long xo, long xr, global float *y, long yo, long m, long n,
                           int what, float alpha, float beta, local float *t) {
  ROW_ITEMS
  float sum = FIRST_OF(what);
  x += xo + i * xr;
  for (long j = l; j < n; j += L) sum = TAKE(what, sum, x[j]);
  JOIN(sum, what == 2 ? LARGER(p, q) : p + q)
  if (l == 0 && mine) y[yo + i] = blend(alpha, sum, beta, y + yo + i);
}

/* Over the rows: one number a column, rows in order; parts of 'each' rows give rows of y. Work items: (vectors of columns,
 * part). */
kernel void reduce_rows(global const float *x, long xo, long xr, global float *y, long yo, long yr, long m, long n,
                        long each, int what, float alpha, float beta) {
  AT
  const long from = i * each, to = min(m, from + each);
  vec sum = (vec)(FIRST_OF(what));
  x += xo + j;
  if (what == 0) {
    for (long r = from; r < to; r++) sum += take(x + r * xr, some);
  } else if (what == 1) {
    for (long r = from; r < to; r++) {
      const vec v = take(x + r * xr, some);
      sum = MAD(v, v, sum);
    }
  } else {
    for (long r = from; r < to; r++) {
      const vec v = take(x + r * xr, some);
      sum = select(select(fmax(sum, v), v, isnan(v)), sum, isnan(sum));
    }
  }
  y += yo + i * yr + j;
  sum *= alpha;
  if (beta != 0.0f) sum += beta * take(y, some);
  put(sum, y, some);
}

/* Over all: first a number for each of the L * groups work items, then reduce_columns joins them. Elements in the order
 * of rows, work item g takes those with number mod count = g. */
kernel void reduce_all(global const float *x, long xo, long xr, global float *y, long m, long n, int what) {
  const long g = get_global_id(0), count = get_global_size(0);
  float sum = FIRST_OF(what);
  x += xo;
  if (m == 1) {
    for (long e = g; e < n; e += count) sum = TAKE(what, sum, x[e]);
  } else {
    for (long i = 0; i < m; i++)
      for (long j = (g + count - (i * n) % count) % count; j < n; j += count) sum = TAKE(what, sum, x[i * xr + j]);
  }
  y[g] = sum;
}

kernel void softmax(global const float *x, long xo, long xr, global float *y, long yo, long yr, long m, long n,
                    local float *t) {
  ROW_ITEMS
  float most = -INFINITY, sum = 0.0f;
  x += xo + i * xr;
  y += yo + i * yr;
  for (long j = l; j < n; j += L) most = LARGER(most, x[j]);
  JOIN(most, LARGER(p, q))
  for (long j = l; j < n; j += L) sum += exp(x[j] - most);
  JOIN(sum, p + q)
  if (!mine) return;
  for (long j = l; j < n; j += L) y[j] = exp(x[j] - most) / sum;
}

kernel void softmax_xent(global const float *x, long xo, long xr, global const int *y, long yo, global const float *w,
                         long wo, int has_w, global float *loss, long lo, global float *dx, long d_o, long dr,
                         int has_dx, long m, long n, float scale, local float *t) {
  ROW_ITEMS
  float most = -INFINITY, sum = 0.0f;
  const int label = y[yo + i];
  const int known = label >= 0 && label < n;
  x += xo + i * xr;
  for (long j = l; j < n; j += L) most = LARGER(most, x[j]);
  JOIN(most, LARGER(p, q))
  for (long j = l; j < n; j += L) sum += exp(x[j] - most);
  JOIN(sum, p + q)
  if (!mine) return;
  const float weight = has_w ? w[wo + i] : 1.0f;
  const float at = known && l == label % L ? x[label] : 0.0f;
  if (has_dx) {
    dx += d_o + i * dr;
    for (long j = l; j < n; j += L) {
      const float v = x[j];
      dx[j] = known ? scale * weight * (exp(v - most) / sum - (j == label ? 1.0f : 0.0f)) : 0.0f;
    }
  }
  if (l == (known ? label % L : 0)) loss[lo + i] = known ? weight * (log(sum) + (most - at)) : 0.0f;
}

/* u comes before v: larger, or equal and further left; a NaN is smaller than every number. */
inline int before(float u, int ju, float v, int jv) {
  if (u != u) return v != v && ju < jv;
  return v != v || u > v || (u == v && ju < jv);
}

kernel void argmax(global const float *x, long xo, long xr, global int *index, long io, long m, long n, local float *t,
                   local int *where) {
  ROW_ITEMS
  float best = NAN;
  int at = 0x7fffffff;
  x += xo + i * xr;
  for (long j = l; j < n; j += L)
    if (before(x[j], (int)j, best, at)) best = x[j], at = (int)j;
  t[r * L + l] = best;
  where[r * L + l] = at;
  barrier(CLK_LOCAL_MEM_FENCE);
#define HALVE_INDEX(s)                                                                                 \
  if (l < s && s < L && before(t[r * L + l + s], where[r * L + l + s], t[r * L + l], where[r * L + l])) { \
    t[r * L + l] = t[r * L + l + s];                                                                   \
    where[r * L + l] = where[r * L + l + s];                                                           \
  }                                                                                                    \
  barrier(CLK_LOCAL_MEM_FENCE);
  HALVE_INDEX(32) HALVE_INDEX(16) HALVE_INDEX(8) HALVE_INDEX(4) HALVE_INDEX(2) HALVE_INDEX(1)
  if (l == 0 && mine) index[io + i] = where[r * L];
}

/* One work item a row: the next one behind the last that was found, k times. */
kernel void top_k(global const float *x, long xo, long xr, global float *value, long vo, long vr, global int *index,
                  long io, long ir, long m, long n, long k) {
  const long i = get_global_id(0);
  if (i >= m) return;
  float last = 0.0f;
  int last_at = -1;
  x += xo + i * xr;
  for (long q = 0; q < k; q++) {
    float best = NAN;
    int at = 0x7fffffff;
    for (long j = 0; j < n; j++)
      if ((last_at < 0 || before(last, last_at, x[j], (int)j)) && before(x[j], (int)j, best, at)) best = x[j], at = (int)j;
    value[vo + i * vr + q] = last = best;
    index[io + i * ir + q] = last_at = at;
  }
}
