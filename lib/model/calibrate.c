/* Platt: Platt, "Probabilistic outputs for support vector machines" (1999), with the targets and Newton's method of Lin,
 * Lin, Weng, "A note on Platt's probabilistic outputs for support vector machines", Machine Learning 68 (2007).
 * Isotonic: pool adjacent violators (Ayer et al. 1955). Temperature: Guo et al., "On calibration of modern neural
 * networks" (2017): one factor for all margins. */
#include "model/calibrate.h"
#include "stats/sums.h"
#include <float.h>
#include <math.h>
#include <string.h>

enum { FIT_STEPS = 100, FORMAT = 1 };

int32_t lt_calibration_kind(const char *name) {
  static const char *const names[] = {"none", "platt", "isotonic", "temperature"};
  for (int32_t i = 1; i < 4; i++)
    if (strcmp(names[i], name) == 0) return i;
  return LT_CALIBRATE_NONE;
}

void lt_calibration_free(lt_calibration *c) {
  if (!c) return;
  for (int64_t k = 0; c->map && k < c->n_maps; k++) {
    lt_free(c->rt, c->map[k].x);
    lt_free(c->rt, c->map[k].y);
  }
  lt_free(c->rt, c->map);
  lt_free(c->rt, c);
}

static leat_status calibration_new(leat_runtime *rt, int32_t kind, int64_t n_out, lt_calibration **out, leat_error *err) {
  *out = NULL;
  lt_calibration *c = lt_zalloc(rt, sizeof *c);
  if (!c) return lt_fail_memory(err, sizeof *c, "a calibration");
  c->rt = rt;
  c->kind = kind;
  c->n_out = n_out;
  c->n_maps = kind == LT_CALIBRATE_TEMPERATURE ? 1 : n_out;
  c->map = lt_zarray(rt, (uint64_t)c->n_maps, sizeof *c->map);
  if (!c->map) {
    lt_calibration_free(c);
    return lt_fail_memory(err, (uint64_t)n_out * sizeof *c->map, "a calibration");
  }
  *out = c;
  return LEAT_OK;
}

static leat_status map_room(lt_calibration *c, lt_calibration_map *m, int64_t n, leat_error *err) {
  m->x = lt_zarray(c->rt, (uint64_t)n, sizeof(double));
  m->y = lt_zarray(c->rt, (uint64_t)n, sizeof(double));
  m->n = n;
  return m->x && m->y ? LEAT_OK : lt_fail_memory(err, (uint64_t)n * 16, "a calibration");
}

/* ---------------------------------------------------------------------------------------------- apply */

static double calibrate_sigmoid(double z) {
  double e = exp(-fabs(z));
  return z >= 0.0 ? 1.0 / (1.0 + e) : e / (1.0 + e);
}

/* A huge margin times a slope stays a number. */
static double calibrate_margin(double z) { return z > 1e150 ? 1e150 : z < -1e150 ? -1e150 : z; }

static double map_isotonic(const lt_calibration_map *m, double z) {
  int64_t lo = 0, hi = m->n - 1;
  if (z <= m->x[0]) return m->y[0];
  if (z >= m->x[hi]) return m->y[hi];
  while (hi - lo > 1) {
    int64_t mid = lo + (hi - lo) / 2;
    if (m->x[mid] <= z) lo = mid;
    else hi = mid;
  }
  double part = (z - m->x[lo]) / (m->x[hi] - m->x[lo]);
  return m->y[lo] + part * (m->y[hi] - m->y[lo]);
}

static double map_apply(const lt_calibration *c, int64_t k, double z) {
  const lt_calibration_map *m = &c->map[k];
  z = calibrate_margin(z);
  return c->kind == LT_CALIBRATE_PLATT ? calibrate_sigmoid(m->x[0] * z + m->y[0]) : map_isotonic(m, z);
}

/* out[k] = log odds of class k. The sum of the others is taken from the sum of all, but for the largest, of which nothing
 * might be left. */
static void log_odds(const double *m, int64_t n, double *out) {
  int64_t best = 0;
  double all = 0, rest = 0;
  for (int64_t k = 1; k < n; k++)
    if (m[k] > m[best]) best = k;
  double top = calibrate_margin(m[best]);
  for (int64_t k = 0; k < n; k++) {
    double e = exp(calibrate_margin(m[k]) - top);
    all += e;
    if (k != best) rest += e;
    out[k] = e;
  }
  for (int64_t k = 0; k < n; k++) {
    double others = k == best ? rest : all - out[k];
    out[k] = calibrate_margin(m[k]) - top - log(fmax(others, DBL_MIN));
  }
}

static void softmax_of(const double *m, double factor, int64_t n, double *out) {
  double top = calibrate_margin(m[0]), sum = 0;
  for (int64_t k = 1; k < n; k++) top = fmax(top, calibrate_margin(m[k]));
  for (int64_t k = 0; k < n; k++) sum += out[k] = exp(factor * (calibrate_margin(m[k]) - top));
  for (int64_t k = 0; k < n; k++) out[k] /= sum;
}

void lt_calibration_apply(const lt_calibration *c, const double *margins, double *out) {
  int64_t n = c->n_out;
  if (c->kind == LT_CALIBRATE_TEMPERATURE) {
    if (n > 1) softmax_of(margins, c->map[0].x[0], n, out);
    else out[0] = calibrate_sigmoid(c->map[0].x[0] * calibrate_margin(margins[0]));
    return;
  }
  if (n == 1) {
    out[0] = map_apply(c, 0, margins[0]);
    return;
  }
  double sum = 0;
  log_odds(margins, n, out);
  for (int64_t k = 0; k < n; k++) sum += out[k] = map_apply(c, k, out[k]);
  for (int64_t k = 0; k < n; k++) out[k] = sum > 0 ? out[k] / sum : 1.0 / (double)n;
}

/* ---------------------------------------------------------------------------------------------- fit */

/* Rows of one score: z[n], whether the row is of the class, weights (NULL: ones). */
typedef struct calibrate_rows { const double *z, *y, *w; int64_t n, of_class; } calibrate_rows;

static double row_weight(const calibrate_rows *r, int64_t i) { return r->w ? r->w[i] : 1.0; }
static int row_hit(const calibrate_rows *r, int64_t i) { return (int64_t)r->y[i] == r->of_class; }

static void row_counts(const calibrate_rows *r, double *yes, double *no) {
  *yes = *no = 0;
  for (int64_t i = 0; i < r->n; i++) *(row_hit(r, i) ? yes : no) += row_weight(r, i);
}

/* -log likelihood of targets t under sigmoid(a z + b); gradient g[2] and Hessian h[3] (aa, ab, bb). */
static double platt_value(const calibrate_rows *r, double yes, double no, double a, double b, double *g, double *h) {
  double f = 0, up = (yes + 1) / (yes + 2), down = 1 / (no + 2);
  for (int j = 0; j < 3; j++) h[j] = g[j % 2] = 0;
  for (int64_t i = 0; i < r->n; i++) {
    double w = row_weight(r, i), t = row_hit(r, i) ? up : down, z = calibrate_margin(r->z[i]), s = a * z + b;
    double p = calibrate_sigmoid(s), c = w * p * calibrate_sigmoid(-s);
    f += w * ((s > 0 ? s : 0) + log1p(exp(-fabs(s))) - t * s);
    g[0] += w * (p - t) * z;
    g[1] += w * (p - t);
    h[0] += c * z * z;
    h[1] += c * z;
    h[2] += c;
  }
  return f;
}

static void fit_platt(const calibrate_rows *r, lt_calibration_map *m) {
  double yes, no, g[2], h[3], g2[2], h2[3];
  row_counts(r, &yes, &no);
  double a = 0, b = log((yes + 1) / (no + 1)), f = platt_value(r, yes, no, a, b, g, h);
  for (int step = 0; step < FIT_STEPS; step++) {
    if (fabs(g[0]) + fabs(g[1]) <= 1e-10 * (yes + no)) break;
    double aa = h[0] + 1e-12 * (1 + h[0]), bb = h[2] + 1e-12 * (1 + h[2]), det = aa * bb - h[1] * h[1];
    double da = -(bb * g[0] - h[1] * g[1]) / det, db = -(aa * g[1] - h[1] * g[0]) / det;
    double slope = g[0] * da + g[1] * db, t = 1;
    if (!(det > 0) || !isfinite(da) || !isfinite(db) || !(slope < 0)) break;
    int better = 0;
    for (int half = 0; half < 40 && !better; half++, t *= 0.5) {
      double f2 = platt_value(r, yes, no, a + t * da, b + t * db, g2, h2);
      better = f2 < f + 1e-4 * t * slope;
      if (!better) continue;
      a += t * da;
      b += t * db;
      f = f2;
      memcpy(g, g2, sizeof g);
      memcpy(h, h2, sizeof h);
    }
    if (!better) break; /* rounding */
  }
  m->x[0] = a;
  m->y[0] = b;
}

/* d/d factor of the mean -log likelihood, and its derivative, which is never negative. */
static double temperature_slope(const double *margins, int64_t n, int64_t k, const double *y, const double *w,
                                double factor, double *p, double *second) {
  double g = 0, h = 0;
  for (int64_t i = 0; i < n; i++) {
    double wi = w ? w[i] : 1.0;
    if (k == 1) {
      double z = calibrate_margin(margins[i]), q = calibrate_sigmoid(factor * z);
      g += wi * (q - (y[i] > 0.5 ? 1.0 : 0.0)) * z;
      h += wi * q * calibrate_sigmoid(-factor * z) * z * z;
      continue;
    }
    const double *m = margins + i * k;
    double mean = 0, square = 0, base = calibrate_margin(m[(int64_t)y[i]]);
    softmax_of(m, factor, k, p);
    for (int64_t j = 0; j < k; j++) {
      double d = calibrate_margin(m[j]) - base;
      mean += p[j] * d;
      square += p[j] * d * d;
    }
    g += wi * mean;
    h += wi * (square - mean * mean);
  }
  *second = h;
  return g;
}

/* The factor's best value is where a rising function is 0: Newton's steps inside a bracket. */
static leat_status fit_temperature(lt_calibration *c, const double *margins, int64_t n, const double *y, const double *w,
                                   leat_error *err) {
  leat_status st = map_room(c, &c->map[0], 1, err);
  double *p = lt_array(c->rt, (uint64_t)c->n_out, sizeof *p);
  if (!st && !p) st = lt_fail_memory(err, (uint64_t)c->n_out * 8, "a calibration");
  if (!st) {
    double lo = 0, hi = 1e6, at = 1, h = 0;
    for (int step = 0; step < FIT_STEPS; step++) {
      double g = temperature_slope(margins, n, c->n_out, y, w, at, p, &h);
      if (g > 0) hi = at;
      else lo = at;
      double next = h > 0 ? at - g / h : -1;
      if (!(next > lo && next < hi)) next = hi < 1e6 ? 0.5 * (lo + hi) : 4 * at < hi ? 4 * at : hi;
      double moved = fabs(next - at);
      at = next;
      if (moved <= 1e-12 * at) break;
    }
    c->map[0].x[0] = at > 1e-6 ? at : 1e-6; /* margins that tell nothing: nearly flat, never turned round */
  }
  lt_free(c->rt, p);
  return st;
}

/* Blocks of equal fitted value; the knots are each block's ends. */
static leat_status fit_isotonic(lt_calibration *c, const calibrate_rows *r, lt_calibration_map *m, leat_error *err) {
  leat_runtime *rt = c->rt;
  uint64_t n = (uint64_t)r->n;
  leat_status st = LEAT_OK;
  lt_scored *v = lt_array(rt, n, sizeof *v), *room = lt_array(rt, n, sizeof *room);
  double *sum = lt_array(rt, n, 8), *weight = lt_array(rt, n, 8), *low = lt_array(rt, n, 8), *high = lt_array(rt, n, 8);
  int64_t k = 0, knots = 0;
  if (!v || !room || !sum || !weight || !low || !high) {
    st = lt_fail_memory(err, n * 64, "an isotonic calibration");
    goto out;
  }
  for (uint64_t i = 0; i < n; i++) {
    double w = row_weight(r, (int64_t)i);
    v[i].key = calibrate_margin(r->z[i]);
    v[i].weight = row_hit(r, (int64_t)i) ? w : -w; /* the sign tells the class */
  }
  lt_sort_scored(v, room, n);
  for (uint64_t i = 0; i < n;) { /* rows of one score are one block from the start */
    double s = 0, w = 0, z = v[i].key;
    for (; i < n && !(v[i].key > z); i++) {
      s += v[i].weight > 0 ? v[i].weight : 0;
      w += fabs(v[i].weight);
    }
    if (!(w > 0)) continue;
    sum[k] = s;
    weight[k] = w;
    low[k] = high[k] = z;
    for (k++; k > 1 && sum[k - 2] * weight[k - 1] >= sum[k - 1] * weight[k - 2]; k--) {
      sum[k - 2] += sum[k - 1];
      weight[k - 2] += weight[k - 1];
      high[k - 2] = high[k - 1];
    }
  }
  for (int64_t i = 0; i < k; i++) knots += high[i] > low[i] ? 2 : 1;
  st = map_room(c, m, knots, err);
  knots = 0;
  for (int64_t i = 0; i < k && !st; i++) {
    for (int end = 0; end < (high[i] > low[i] ? 2 : 1); end++, knots++) {
      m->x[knots] = end ? high[i] : low[i];
      m->y[knots] = sum[i] / weight[i];
    }
  }
out:
  lt_free(rt, v);
  lt_free(rt, room);
  lt_free(rt, sum);
  lt_free(rt, weight);
  lt_free(rt, low);
  lt_free(rt, high);
  return st;
}

leat_status lt_calibration_fit(leat_runtime *rt, int32_t kind, const double *margins, int64_t n, int64_t n_out,
                               const double *y, const double *w, lt_calibration **out, leat_error *err) {
  lt_calibration *c = NULL;
  double *z = NULL, *odds = NULL;
  *out = NULL;
  leat_status st = calibration_new(rt, kind, n_out, &c, err);
  if (!st && kind == LT_CALIBRATE_TEMPERATURE) st = fit_temperature(c, margins, n, y, w, err);
  if (st || kind == LT_CALIBRATE_TEMPERATURE) goto out;
  z = n_out > 1 ? lt_array(rt, (uint64_t)n, sizeof *z) : NULL;
  odds = n_out > 1 ? lt_array(rt, (uint64_t)n_out, sizeof *odds) : NULL;
  if (n_out > 1 && (!z || !odds)) st = lt_fail_memory(err, (uint64_t)n * 8, "a calibration");
  for (int64_t k = 0; k < n_out && !st; k++) {
    calibrate_rows r = {n_out > 1 ? z : margins, y, w, n, n_out > 1 ? k : 1};
    double yes, no;
    for (int64_t i = 0; i < n && n_out > 1; i++) {
      log_odds(margins + i * n_out, n_out, odds);
      z[i] = odds[k];
    }
    row_counts(&r, &yes, &no);
    if (!(yes + no > 0) || (n_out == 1 && (!(yes > 0) || !(no > 0)))) {
      st = lt_fail(err, LEAT_E_DATA, "the rows for the calibration have one class only: rows of both are needed");
    } else if (kind == LT_CALIBRATE_PLATT) {
      st = map_room(c, &c->map[k], 1, err);
      if (!st) fit_platt(&r, &c->map[k]);
    } else {
      st = fit_isotonic(c, &r, &c->map[k], err);
    }
  }
out:
  lt_free(rt, z);
  lt_free(rt, odds);
  if (st) lt_calibration_free(c);
  else *out = c;
  return st;
}

/* ---------------------------------------------------------------------------------------------- bytes */

leat_status lt_calibration_copy(const lt_calibration *from, lt_calibration **out, leat_error *err) {
  lt_calibration *c = NULL;
  *out = NULL;
  leat_status st = calibration_new(from->rt, from->kind, from->n_out, &c, err);
  for (int64_t k = 0; !st && k < c->n_maps; k++) {
    st = map_room(c, &c->map[k], from->map[k].n, err);
    if (st) break;
    memcpy(c->map[k].x, from->map[k].x, (size_t)c->map[k].n * sizeof(double));
    memcpy(c->map[k].y, from->map[k].y, (size_t)c->map[k].n * sizeof(double));
  }
  if (st) lt_calibration_free(c);
  else *out = c;
  return st;
}

void lt_calibration_save(const lt_calibration *c, lt_put *w) {
  lt_put_u32(w, FORMAT);
  lt_put_u32(w, (uint32_t)c->kind);
  lt_put_i64(w, c->n_maps);
  for (int64_t k = 0; k < c->n_maps; k++) {
    lt_put_f64s(w, c->map[k].x, (uint64_t)c->map[k].n);
    lt_put_f64s(w, c->map[k].y, (uint64_t)c->map[k].n);
  }
}

static void check_map(const lt_calibration *c, const lt_calibration_map *m, uint64_t nx, uint64_t ny, lt_get *r) {
  int knots = c->kind == LT_CALIBRATE_ISOTONIC;
  if (r->failed) return;
  if (nx != ny || nx < 1 || (!knots && nx != 1)) {
    lt_get_fail(r, LEAT_E_FORMAT);
    return;
  }
  for (uint64_t i = 0; i < nx; i++) {
    int good = isfinite(m->x[i]) && isfinite(m->y[i]) && fabs(m->x[i]) <= 1e150 && fabs(m->y[i]) <= 1e150;
    if (good && knots) good = m->y[i] >= 0 && m->y[i] <= 1 && (i == 0 || (m->x[i] > m->x[i - 1] && m->y[i] >= m->y[i - 1]));
    if (good && c->kind == LT_CALIBRATE_TEMPERATURE) good = m->x[i] > 0;
    if (!good) lt_get_fail(r, LEAT_E_FORMAT);
  }
}

leat_status lt_calibration_load(leat_runtime *rt, int64_t n_out, lt_get *r, lt_calibration **out, leat_error *err) {
  lt_calibration *c = NULL;
  *out = NULL;
  uint32_t format = lt_get_u32(r), kind = lt_get_u32(r);
  int64_t maps = lt_get_i64(r);
  if (!r->failed && format > FORMAT)
    return lt_fail(err, LEAT_E_VERSION, "the model's calibration is of version %lld, this library reads up to %d",
                   (long long)format, FORMAT);
  if (!r->failed && (format < 1 || kind < 1 || kind > LT_CALIBRATE_TEMPERATURE ||
                     maps != (kind == LT_CALIBRATE_TEMPERATURE ? 1 : n_out)))
    lt_get_fail(r, LEAT_E_FORMAT);
  if (r->failed) return lt_get_status(r, "the calibration", err);
  leat_status st = calibration_new(rt, (int32_t)kind, n_out, &c, err);
  for (int64_t k = 0; !st && k < maps && !r->failed; k++) {
    uint64_t nx = 0, ny = 0;
    c->map[k].x = lt_get_f64s(r, &nx);
    c->map[k].y = lt_get_f64s(r, &ny);
    c->map[k].n = (int64_t)nx;
    check_map(c, &c->map[k], nx, ny, r);
  }
  if (!st) st = lt_get_status(r, "the calibration", err);
  if (st) lt_calibration_free(c);
  else *out = c;
  return st;
}
