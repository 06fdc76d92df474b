#include "train/objective.h"
#include <math.h>
#include <string.h>

enum { EXACT_WORK = 1 << 22, HESS64_WORK = 1 << 26, WAVE_WORK = 1 << 22 };
static const int64_t lane_bytes = (int64_t)256 << 20; /* the most that all lanes' sums may take, unless there are only 2 */

static void lane_free(leat_runtime *rt, lt_lane *l) {
  lt_free(rt, l->g);
  lt_free(rt, l->h);
  lt_free(rt, l->diag);
  lt_free(rt, l->gf);
  lt_free(rt, l->z);
  lt_free(rt, l->v);
  lt_free(rt, l->c);
  lt_free(rt, l->zd);
  lt_free(rt, l->eval);
}

void lt_objective_free(lt_objective *o) {
  if (!o) return;
  leat_runtime *rt = o->rt;
  for (int64_t k = 0; o->lanes && k < o->n_lanes; k++) lane_free(rt, &o->lanes[k]);
  lt_free(rt, o->lanes);
  lt_free(rt, o->pen);
  lt_free(rt, o->y32);
  lt_free(rt, o->w32);
  lt_free(rt, o->point32);
  lt_free(rt, o->g);
  lt_free(rt, o->h);
  lt_free(rt, o->diag);
  lt_free(rt, o->curve);
  lt_free(rt, o->curve_new);
  lt_free(rt, o);
}

static int lane_create(lt_objective *o, lt_lane *l, uint32_t want) {
  leat_runtime *rt = o->rt;
  const lt_design *d = o->d;
  uint64_t t = (uint64_t)d->tile, k = (uint64_t)o->n_out, n = (uint64_t)o->n;
  uint64_t pairs = want & (LT_WANT_HESS | LT_WANT_DIAG | LT_WANT_CURVE) ? (want & LT_WANT_HESS ? k * (k + 1) / 2 : k) : 0;
  if (want & (LT_WANT_GRAD | LT_WANT_HV)) {
    l->g = lt_array(rt, n, sizeof *l->g);
    if (!l->g) return 0;
  }
  if (want & LT_WANT_HESS) {
    l->h = lt_array(rt, n * n, sizeof *l->h);
    if (!l->h) return 0;
  }
  if (want & LT_WANT_DIAG) {
    l->diag = lt_array(rt, n, sizeof *l->diag);
    if (!l->diag) return 0;
  }
  l->gf = lt_array(rt, (uint64_t)d->ld + 8, sizeof *l->gf);
  l->z = lt_array(rt, t * k, sizeof *l->z);
  l->v = lt_array(rt, t * k, sizeof *l->v);
  l->c = lt_array(rt, t * pairs, sizeof *l->c);
  l->zd = lt_array(rt, t * k, sizeof *l->zd);
  l->eval = lt_array(rt, k * (k + 2), sizeof *l->eval);
  return l->gf && l->z && l->v && l->c && l->zd && l->eval;
}

static int64_t count_lanes(const lt_objective *o, uint32_t want) {
  int64_t lanes = LT_LANES, cells = o->n * 2 + (want & LT_WANT_HESS ? o->n * o->n : 0);
  while (lanes > 2 && cells > lane_bytes / 8 / lanes) lanes /= 2;
  return lanes < o->d->n_tiles ? lanes : o->d->n_tiles;
}

leat_status lt_objective_create(const lt_objective_plan *plan, lt_objective **out, leat_error *err) {
  *out = NULL;
  const lt_design *d = plan->design;
  leat_runtime *rt = d->rt;
  lt_objective *o = lt_zalloc(rt, sizeof *o);
  if (!o) return lt_fail_memory(err, sizeof *o, "an objective");
  o->rt = rt;
  o->vec = plan->vec;
  o->d = d;
  o->loss = plan->loss;
  o->logistic = strcmp(plan->loss->name, "logistic") == 0;
  o->squared = strcmp(plan->loss->name, "squared") == 0;
  o->args = plan->args;
  o->n_out = plan->n_out;
  o->intercept = plan->intercept;
  o->n_par = d->n_slots + (plan->intercept ? 1 : 0);
  o->n = o->n_out * o->n_par;
  int64_t work = d->n * d->n_dense + d->nnz;
  o->exact = work <= EXACT_WORK / o->n_out;
  o->wide = o->exact || o->squared || !(plan->loss->flags & LT_LOSS_KERNEL);
  uint32_t want = plan->want;
  o->n_lanes = count_lanes(o, want);
  uint64_t n = (uint64_t)o->n;
  o->lanes = lt_zarray(rt, (uint64_t)o->n_lanes, sizeof *o->lanes);
  o->pen = lt_zarray(rt, (uint64_t)o->n_par, sizeof *o->pen);
  o->point32 = lt_zarray(rt, (uint64_t)o->n_out * (uint64_t)(d->ld + o->n_par - d->n_dense), sizeof *o->point32);
  o->g = want & (LT_WANT_GRAD | LT_WANT_HV) ? lt_array(rt, n, sizeof *o->g) : NULL;
  o->h = want & LT_WANT_HESS ? lt_array(rt, n * n, sizeof *o->h) : NULL;
  o->diag = want & LT_WANT_DIAG ? lt_array(rt, n, sizeof *o->diag) : NULL;
  o->curve = want & LT_WANT_CURVE ? lt_array(rt, (uint64_t)(o->n_out * d->n), sizeof *o->curve) : NULL;
  o->curve_new = want & LT_WANT_CURVE ? lt_array(rt, (uint64_t)(o->n_out * d->n), sizeof *o->curve_new) : NULL;
  int kernel = o->logistic && !o->exact;
  o->y32 = kernel ? lt_array(rt, (uint64_t)d->n, sizeof *o->y32) : NULL;
  o->w32 = kernel && d->weight ? lt_array(rt, (uint64_t)d->n, sizeof *o->w32) : NULL;
  int bad = !o->lanes || !o->pen || !o->point32 || (want & (LT_WANT_GRAD | LT_WANT_HV) && !o->g) ||
            (want & LT_WANT_HESS && !o->h) || (want & LT_WANT_DIAG && !o->diag) || (want & LT_WANT_CURVE && !(o->curve && o->curve_new)) ||
            (kernel && !o->y32) || (kernel && d->weight && !o->w32);
  for (int64_t k = 0; !bad && k < o->n_lanes; k++) {
    lt_lane *l = &o->lanes[k];
    bad = !lane_create(o, l, want);
    l->first = k * d->n_tiles / o->n_lanes;
    l->last = (k + 1) * d->n_tiles / o->n_lanes;
  }
  if (bad) {
    lt_objective_free(o);
    return lt_fail_memory(err, (n + (want & LT_WANT_HESS ? n * n : 0)) * 8 * LT_LANES, "a solver's sums");
  }
  for (int64_t j = 0; j < d->n_slots; j++)
    o->pen[j] = plan->l2 * (j < d->n_scaled ? d->scale[j] * d->scale[j] : 1);
  for (int64_t r = 0; kernel && r < d->n; r++) {
    o->y32[r] = (float)d->y[r];
    if (o->w32) o->w32[r] = (float)d->weight[r];
  }
  *out = o;
  return LEAT_OK;
}

/* The sparse part of output k's point in float: slots behind n_dense. */
static const float *sparse32(const lt_objective *o, int64_t k) {
  return o->point32 + o->n_out * o->d->ld + k * (o->n_par - o->d->n_dense);
}

static void clear_lane(void *arg, int64_t k) {
  lt_objective *o = arg;
  lt_lane *l = &o->lanes[k];
  l->loss = l->weight = l->gap = 0;
  if (o->want & (LT_WANT_GRAD | LT_WANT_HV)) memset(l->g, 0, (size_t)o->n * sizeof *l->g);
  if (o->want & LT_WANT_HESS) memset(l->h, 0, (size_t)(o->n * o->n) * sizeof *l->h);
  if (o->want & LT_WANT_DIAG) memset(l->diag, 0, (size_t)o->n * sizeof *l->diag);
  l->next = l->first;
}

void lt_pass_start(lt_objective *o, const double *point, uint32_t want, int64_t part) {
  const lt_design *d = o->d;
  o->want = want;
  o->point = point;
  o->part = part > 0 ? part : 1;
  o->running = 1;
  for (int64_t k = 0; k < o->n_out; k++) {
    const double *u = point + k * o->n_par;
    float *dense = o->point32 + k * d->ld, *rest = o->point32 + o->n_out * d->ld + k * (o->n_par - d->n_dense);
    for (int64_t j = 0; j < d->n_dense; j++) dense[j] = (float)u[j];
    for (int64_t j = d->n_dense; j < o->n_par; j++) rest[j - d->n_dense] = (float)u[j];
  }
  if (lt_parallel_for(o->rt, o->n_lanes, clear_lane, o)) {
    for (int64_t k = 0; k < o->n_lanes; k++) clear_lane(o, k);
  }
}

void lt_objective_keep_curve(lt_objective *o) {
  float *old = o->curve;
  o->curve = o->curve_new;
  o->curve_new = old;
}

void lt_objective_margins(const lt_objective *o, const double *point, int64_t r, double *f) {
  const lt_design *d = o->d;
  for (int64_t k = 0; k < o->n_out; k++) {
    const double *u = point + k * o->n_par;
    double z = o->intercept ? u[o->n_par - 1] : 0;
    if (d->n_dense) z += o->vec->dot_f32(d->x + r * d->ld, u, NULL, d->n_dense);
    if (d->row_start) {
      int64_t at = d->row_start[r];
      z += o->vec->dot_sparse_f64(d->index + at, d->value ? d->value + at : NULL, u + d->n_dense, d->row_start[r + 1] - at);
    }
    f[k] = z;
  }
}

/* z[k * tile + i]: float margins of the tile. */
static void margins32(const lt_objective *o, lt_lane *l, int64_t r0, int64_t rows) {
  const lt_design *d = o->d;
  for (int64_t k = 0; k < o->n_out; k++) {
    float *z = l->z + k * d->tile;
    const float *rest = sparse32(o, k);
    float c = o->intercept ? rest[o->n_par - d->n_dense - 1] : 0;
    if (d->n_dense) {
      o->vec->gemv_ff(d->x + r0 * d->ld, d->ld, o->point32 + k * d->ld, c, z, rows, d->n_dense);
    } else {
      for (int64_t i = 0; i < rows; i++) z[i] = c;
    }
    if (!d->row_start) continue;
    for (int64_t i = 0; i < rows; i++) {
      int64_t at = d->row_start[r0 + i];
      z[i] = (float)((double)z[i] + o->vec->dot_sparse(d->index + at, d->value ? d->value + at : NULL, rest,
                                                       d->row_start[r0 + i + 1] - at));
    }
  }
}

/* Derivatives of the tile's rows through the loss's table entry, from margins in double. */
static void eval_rows(const lt_objective *o, lt_lane *l, int64_t r0, int64_t rows) {
  const lt_design *d = o->d;
  int64_t kk = o->n_out;
  int second = (o->want & (LT_WANT_HESS | LT_WANT_DIAG | LT_WANT_CURVE)) != 0;
  double f[1], *fs = kk == 1 ? f : l->eval, *g = l->eval + kk, *h = l->eval + 2 * kk;
  for (int64_t i = 0; i < rows; i++) {
    double w = d->weight ? d->weight[r0 + i] : 1;
    for (int64_t k = 0; k < kk; k++) fs[k] = l->zd[k * d->tile + i];
    l->loss += w * o->loss->eval(fs, kk, d->y[r0 + i], &o->args, g, second ? h : NULL);
    if (o->loss->gap) l->gap += w * o->loss->gap(fs[0], d->y[r0 + i], &o->args);
    for (int64_t k = 0; k < kk; k++) {
      double v = w * g[k];
      l->v[k * d->tile + i] = (float)v;
      l->zd[k * d->tile + i] = v;
    }
    if (!second) continue;
    if (o->want & LT_WANT_HESS) {
      for (int64_t k = 0, p = 0; k < kk; k++) {
        for (int64_t m = k; m < kk; m++, p++) l->c[p * d->tile + i] = (float)(w * h[k * kk + m]);
      }
    } else {
      for (int64_t k = 0; k < kk; k++) l->c[k * d->tile + i] = (float)(w * h[k * kk + k]);
    }
  }
}

/* Softmax in float: probabilities by the kernel, the loss from the mass that is not on the true class, which keeps its
 * digits where that mass is small. */
static void eval_softmax(const lt_objective *o, lt_lane *l, int64_t r0, int64_t rows) {
  const lt_design *d = o->d;
  int64_t kk = o->n_out, t = d->tile;
  float *p = (float *)l->zd; /* [rows, kk] */
  for (int64_t k = 0; k < kk; k++) {
    for (int64_t i = 0; i < rows; i++) p[i * kk + k] = l->z[k * t + i];
  }
  o->vec->softmax_ff(p, kk, rows, kk);
  for (int64_t i = 0; i < rows; i++, p += kk) {
    int64_t y = (int64_t)d->y[r0 + i];
    double w = d->weight ? d->weight[r0 + i] : 1, rest = 0;
    for (int64_t k = 0; k < kk; k++) rest += k == y ? 0 : (double)p[k];
    if (rest < 0.5) {
      l->loss -= w * log1p(-rest);
    } else if ((double)p[y] > 1e-30) {
      l->loss -= w * log((double)p[y]);
    } else {
      for (int64_t k = 0; k < kk; k++) l->eval[k] = (double)l->z[k * t + i];
      l->loss += w * o->loss->eval(l->eval, kk, (double)y, &o->args, NULL, NULL);
    }
    for (int64_t k = 0; k < kk; k++) l->v[k * t + i] = (float)(w * (k == y ? -rest : (double)p[k]));
    if (o->want & LT_WANT_HESS) {
      for (int64_t k = 0, at = 0; k < kk; k++) {
        for (int64_t m = k; m < kk; m++, at++)
          l->c[at * t + i] = (float)(w * (double)p[k] * ((k == m ? 1.0 : 0.0) - (double)p[m]));
      }
    } else if (o->want & LT_WANT_DIAG) {
      for (int64_t k = 0; k < kk; k++) l->c[k * t + i] = (float)(w * (double)p[k] * (1 - (double)p[k]));
    }
  }
}

/* Loss and derivatives of the tile: l->v (and l->zd when exact), l->c. */
static void derive(const lt_objective *o, lt_lane *l, int64_t r0, int64_t rows) {
  const lt_design *d = o->d;
  if (d->weight) {
    for (int64_t i = 0; i < rows; i++) l->weight += d->weight[r0 + i];
  } else {
    l->weight += (double)rows;
  }
  if (o->wide) {
    for (int64_t i = 0; i < rows; i++) {
      double f[1], *fs = o->n_out == 1 ? f : l->eval;
      lt_objective_margins(o, o->point, r0 + i, fs);
      for (int64_t k = 0; k < o->n_out; k++) l->zd[k * d->tile + i] = fs[k];
    }
    eval_rows(o, l, r0, rows);
    return;
  }
  margins32(o, l, r0, rows);
  if (o->logistic) {
    int second = (o->want & (LT_WANT_HESS | LT_WANT_DIAG | LT_WANT_CURVE)) != 0;
    l->loss += o->vec->logistic_ff(l->z, o->y32 + r0, o->w32 ? o->w32 + r0 : NULL,
                                   o->want & LT_WANT_GRAD ? l->v : NULL, second ? l->c : NULL, rows);
  } else {
    eval_softmax(o, l, r0, rows);
  }
}

/* g += X^T v of the tile. */
static void add_gradient(const lt_objective *o, lt_lane *l, int64_t r0, int64_t rows, int exact) {
  const lt_design *d = o->d;
  for (int64_t k = 0; k < o->n_out; k++) {
    double *g = l->g + k * o->n_par, sum = 0;
    const float *v = l->v + k * d->tile;
    const double *vd = l->zd + k * d->tile;
    if (exact) {
      for (int64_t i = 0; i < rows; i++) {
        const float *x = d->x + (r0 + i) * d->ld;
        for (int64_t j = 0; j < d->n_dense; j++) g[j] += vd[i] * (double)x[j];
        sum += vd[i];
      }
    } else {
      if (d->n_dense) {
        memset(l->gf, 0, (size_t)d->ld * sizeof *l->gf);
        o->vec->gemv_t_ff(d->x + r0 * d->ld, d->ld, v, l->gf, rows, d->n_dense);
        for (int64_t j = 0; j < d->n_dense; j++) g[j] += (double)l->gf[j];
      }
      for (int64_t i = 0; i < rows; i++) sum += (double)v[i];
    }
    for (int64_t i = 0; d->row_start && i < rows; i++) {
      int64_t at = d->row_start[r0 + i];
      o->vec->axpy_sparse(exact ? vd[i] : (double)v[i], d->index + at, d->value ? d->value + at : NULL, g + d->n_dense,
                          d->row_start[r0 + i + 1] - at);
    }
    if (o->intercept) g[o->n_par - 1] += sum;
  }
}

static void add_diagonal(const lt_objective *o, lt_lane *l, int64_t r0, int64_t rows) {
  const lt_design *d = o->d;
  for (int64_t k = 0; k < o->n_out; k++) {
    double *g = l->diag + k * o->n_par;
    const float *c = l->c + k * d->tile;
    for (int64_t i = 0; i < rows; i++) {
      double ci = (double)c[i];
      const float *x = d->x + (r0 + i) * d->ld;
      for (int64_t j = 0; j < d->n_dense; j++) g[j] += ci * (double)x[j] * (double)x[j];
      if (o->intercept) g[o->n_par - 1] += ci;
      if (!d->row_start) continue;
      double *gs = g + d->n_dense;
      for (int64_t q = d->row_start[r0 + i]; q < d->row_start[r0 + i + 1]; q++)
        gs[d->index[q]] += d->value ? ci * (double)d->value[q] * (double)d->value[q] : ci;
    }
  }
}

/* The upper triangle of every block (k, m), k <= m. */
static void add_hessian(const lt_objective *o, lt_lane *l, int64_t r0, int64_t rows) {
  const lt_design *d = o->d;
  const float *x = d->x + r0 * d->ld;
  int64_t nd = d->n_dense, p = 0;
  int64_t wide = d->n * nd <= HESS64_WORK / (nd + 1); /* few rows and columns: in double, so that ridge keeps its digits */
  for (int64_t k = 0; k < o->n_out; k++) {
    for (int64_t m = k; m < o->n_out; m++, p++) {
      const float *c = l->c + p * d->tile;
      double *h = l->h + k * o->n_par * o->n + m * o->n_par;
      if (wide && o->squared) {
        for (int64_t i = 0; i < rows; i++) {
          const float *xi = x + i * d->ld;
          for (int64_t a = 0; a < nd; a++) {
            double ca = (double)c[i] * (double)xi[a], *row = h + a * o->n;
            for (int64_t b = a; b < nd; b++) row[b] += ca * (double)xi[b];
          }
        }
      } else {
        o->vec->gram_ff(x, d->ld, c, h, o->n, rows, nd);
      }
      if (!o->intercept) continue;
      double sum = 0;
      memset(l->gf, 0, (size_t)d->ld * sizeof *l->gf);
      o->vec->gemv_t_ff(x, d->ld, c, l->gf, rows, nd);
      for (int64_t i = 0; i < rows; i++) sum += (double)c[i];
      for (int64_t a = 0; a < nd; a++) h[a * o->n + nd] += (double)l->gf[a];
      h[nd * o->n + nd] += sum;
    }
  }
}

static void run_tile(const lt_objective *o, lt_lane *l, int64_t tile) {
  const lt_design *d = o->d;
  int64_t r0 = tile * d->tile, rows = d->n - r0 < d->tile ? d->n - r0 : d->tile;
  if (o->want & LT_WANT_HV) {
    margins32(o, l, r0, rows);
    for (int64_t i = 0; i < rows; i++) l->v[i] = l->z[i] * o->curve[r0 + i];
    add_gradient(o, l, r0, rows, 0);
    return;
  }
  derive(o, l, r0, rows);
  if (o->want & LT_WANT_GRAD) add_gradient(o, l, r0, rows, o->exact);
  if (o->want & LT_WANT_HESS) add_hessian(o, l, r0, rows);
  if (o->want & LT_WANT_DIAG) add_diagonal(o, l, r0, rows);
  for (int64_t k = 0; o->want & LT_WANT_CURVE && k < o->n_out; k++)
    memcpy(o->curve_new + k * d->n + r0, l->c + k * d->tile, (size_t)rows * sizeof *l->c);
}

typedef struct wave_args { lt_objective *o; int64_t tiles; } wave_args;

static int64_t lane_end(const lt_objective *o, const lt_lane *l) {
  return l->first + (l->last - l->first + o->part - 1) / o->part;
}

static void wave_task(void *arg, int64_t k) {
  wave_args *a = arg;
  lt_lane *l = &a->o->lanes[k];
  int64_t end = lane_end(a->o, l), to = l->next + a->tiles < end ? l->next + a->tiles : end;
  for (; l->next < to; l->next++) run_tile(a->o, l, l->next);
}

enum { STRIPE = 4096 };

static void reduce_task(void *arg, int64_t stripe) {
  lt_objective *o = arg;
  int64_t from = stripe * STRIPE, to = from + STRIPE;
  int64_t cells = o->n;
  if (to > cells) to = cells;
  for (int64_t j = from; j < to; j++) {
    double g = 0, diag = 0;
    if (o->want & (LT_WANT_GRAD | LT_WANT_HV)) {
      for (int64_t k = 0; k < o->n_lanes; k++) g += o->lanes[k].g[j];
      o->g[j] = g;
    }
    if (o->want & LT_WANT_DIAG) {
      for (int64_t k = 0; k < o->n_lanes; k++) diag += o->lanes[k].diag[j];
      o->diag[j] = diag;
    }
  }
}

static void reduce_hessian(void *arg, int64_t row) {
  lt_objective *o = arg;
  int64_t a = row % o->n_par, block = row / o->n_par;
  for (int64_t m = block; m < o->n_out; m++) {
    for (int64_t b = a; b < o->n_par; b++) {
      int64_t at = row * o->n + m * o->n_par + b;
      double h = 0;
      for (int64_t k = 0; k < o->n_lanes; k++) h += o->lanes[k].h[at];
      o->h[at] = h;
    }
  }
}

/* The blocks are symmetric, and so is the whole. */
static void mirror_hessian(lt_objective *o) {
  for (int64_t k = 0; k < o->n_out; k++) {
    for (int64_t m = k; m < o->n_out; m++) {
      for (int64_t a = 0; a < o->n_par; a++) {
        for (int64_t b = a; b < o->n_par; b++) {
          double h = o->h[(k * o->n_par + a) * o->n + m * o->n_par + b];
          o->h[(k * o->n_par + b) * o->n + m * o->n_par + a] = h;
          o->h[(m * o->n_par + a) * o->n + k * o->n_par + b] = h;
          o->h[(m * o->n_par + b) * o->n + k * o->n_par + a] = h;
        }
      }
    }
  }
}

static leat_status finish_pass(lt_objective *o, leat_error *err) {
  o->running = 0;
  leat_status st = lt_parallel_for(o->rt, (o->n + STRIPE - 1) / STRIPE, reduce_task, o);
  if (!st && o->want & LT_WANT_HESS) st = lt_parallel_for(o->rt, o->n, reduce_hessian, o);
  if (st) return lt_fail(err, st, "the threads failed while sums were added");
  if (o->want & LT_WANT_HESS) mirror_hessian(o);
  double loss = 0, weight = 0;
  o->gap = 0;
  for (int64_t k = 0; k < o->n_lanes; k++) {
    loss += o->lanes[k].loss;
    o->gap += o->lanes[k].gap;
    weight += o->lanes[k].weight;
  }
  double share = o->part == 1 || o->want & LT_WANT_HV || !(o->d->weight_sum > 0) ? 1 : weight / o->d->weight_sum;
  o->share = share;
  double penalty = 0;
  for (int64_t i = 0; i < o->n; i++) {
    double p = share * o->pen[i % o->n_par], u = o->point[i];
    penalty += p * u * u;
    if (o->want & (LT_WANT_GRAD | LT_WANT_HV)) o->g[i] += p * u;
    if (o->want & LT_WANT_HESS) o->h[i * o->n + i] += p;
    if (o->want & LT_WANT_DIAG) o->diag[i] += p;
  }
  if (!(o->want & LT_WANT_HV)) o->f = loss + 0.5 * penalty;
  return LEAT_OK;
}

leat_status lt_pass_wave(lt_objective *o, int64_t max_rows, int64_t *rows, int *done, leat_error *err) {
  const lt_design *d = o->d;
  *rows = 0;
  *done = 0;
  int64_t row_work = d->n_dense + d->nnz / d->n + 8;
  int64_t room = WAVE_WORK / row_work < max_rows ? WAVE_WORK / row_work : max_rows;
  wave_args a = {o, room / (o->n_lanes * d->tile)};
  if (a.tiles < 1) a.tiles = 1;
  int64_t before = 0, after = 0;
  for (int64_t k = 0; k < o->n_lanes; k++) before += o->lanes[k].next;
  leat_status st = lt_parallel_for(o->rt, o->n_lanes, wave_task, &a);
  if (st) return lt_fail(err, st, "the threads failed in a pass over the rows");
  int finished = 1;
  for (int64_t k = 0; k < o->n_lanes; k++) {
    after += o->lanes[k].next;
    finished &= o->lanes[k].next >= lane_end(o, &o->lanes[k]);
  }
  *rows = (after - before) * d->tile < d->n ? (after - before) * d->tile : d->n;
  if (!finished) return LEAT_OK;
  st = finish_pass(o, err);
  *done = !st;
  return st;
}
