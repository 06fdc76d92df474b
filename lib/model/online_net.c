/* The network's state, outputs and bytes; its learning is in train/learn_net.c. */
#include "model/online_net.h"
#include <math.h>
#include <string.h>
#include "base/rng.h"
#include "model/online_lanes.h"

static uint64_t net_stride(const lt_online *m) { return (uint64_t)(m->n_hidden + 1); }

uint64_t lt_online_net_bytes(const lt_online *m) {
  return m->n_hidden > 0 ? (uint64_t)m->n_slots * net_stride(m) * sizeof(float) : 0;
}

/* ---------------------------------------------------------------------------------------------- where it begins */

void lt_online_net_make(const lt_online *m, float **net, double **head) {
  *net = lt_zarray(m->rt, (uint64_t)m->n_slots * net_stride(m), sizeof **net);
  *head = lt_zarray(m->rt, (uint64_t)lt_online_net_head_size(m), sizeof **head);
  if (*net && *head) lt_online_net_start(m, *net, *head);
}

void lt_online_net_prior(const lt_online *m, double *head) {
  const int64_t d = lt_online_net_d(m);
  double *p = lt_online_net_cov(m, head);
  memset(p, 0, (size_t)(d * d) * sizeof *p);
  for (int64_t i = 0; i + 1 < d; i++) p[i * d + i] = LT_ONLINE_NET_PRIOR;
}

void lt_online_net_start(const lt_online *m, float *net, double *head) {
  enum { STREAM = 0x6e6574 };
  memset(net, 0, (size_t)lt_online_net_bytes(m));
  memset(head, 0, (size_t)lt_online_net_head_size(m) * sizeof *head);
  lt_online_net_prior(m, head);
  *lt_online_net_noise(m, head) = 1;
  for (int64_t i = 0; i <= m->n_dense; i++) {
    lt_rng r;
    lt_rng_init(&r, STREAM, (uint64_t)i);
    for (int64_t j = 0; j < m->n_hidden; j++) net[(uint64_t)i * net_stride(m) + (uint64_t)j] = (float)((2 * lt_rng_unit(&r) - 1) * 1.7320508075688772);
  }
}

void lt_online_net_assign(lt_online *dst, const lt_online *src, int64_t model) {
  memcpy(dst->net[model], src->net[model], (size_t)lt_online_net_bytes(src));
}

void lt_online_net_mirror(const lt_online *m, const double *head, double *out) {
  memcpy(out, head, (size_t)lt_online_net_head_size(m) * sizeof *out);
  for (int64_t i = 0; i < lt_online_net_d(m); i++) out[i] = -head[i];
}

/* ---------------------------------------------------------------------------------------------- predictions */

/* `fours` fours of units from the first one on: their sums stay in registers. */
LT_INLINE void sums_of(const float *w, uint64_t stride, const lt_online_feed *f, float *unit, int fours) {
  lt_x4 sum[4];
  for (int k = 0; k < fours; k++) sum[k] = x4_load(unit + 4 * k);
  for (int64_t i = 0; i < f->n; i++) {
    const float *s = w + (uint64_t)f->slot[i] * stride;
    lt_x4 z = x4_all(f->z[i]);
    for (int k = 0; k < fours; k++) sum[k] = x4_add(sum[k], x4_mul(x4_load(s + 4 * k), z));
  }
  for (int k = 0; k < fours; k++) x4_store(unit + 4 * k, sum[k]);
}

void lt_online_net_sums(const lt_online *m, int64_t model, const lt_online_feed *f, lt_online_dot *d) {
  const float *w = m->net[model];
  int64_t j = 0;
  for (; j + 16 <= m->n_hidden; j += 16) sums_of(w + j, net_stride(m), f, d->unit + j, 4);
  for (; j < m->n_hidden; j += 4) sums_of(w + j, net_stride(m), f, d->unit + j, 1);
  d->n += f->n;
}

double lt_online_net_output(const lt_online *m, int64_t model, const lt_online_dot *d) {
  const double *v = m->head[model];
  float *out = d->unit + m->n_hidden;
  const lt_x4 scale = x4_all(1 / sqrtf((float)(d->n > 0 ? d->n : 1)));
  double even = v[0], odd = 0;
  for (int64_t j = 0; j < m->n_hidden; j += 4) {
    lt_x4 a = x4_mul(x4_load(d->unit + j), scale);
    x4_store(out + j, j & 4 ? x4_more(a, x4_all(0)) : x4_tanh(a));
  }
  for (int64_t j = 0; j < m->n_hidden; j += 2) {
    even += v[1 + j] * (double)out[j];
    odd += v[2 + j] * (double)out[j + 1];
  }
  return even + odd;
}

/* ---------------------------------------------------------------------------------------------- hasten, finite */

void lt_online_net_hasten(lt_online *m, int64_t model, float share) {
  const int64_t d = lt_online_net_d(m);
  double *p = lt_online_net_cov(m, m->head[model]);
  for (int64_t i = 0; i < m->n_slots; i++) lt_online_net_at(m, model, i)[m->n_hidden] *= share;
  for (int64_t i = 0; i + 1 < d; i++)
    if (p[i * d + i] < LT_ONLINE_NET_PRIOR / 2) p[i * d + i] = LT_ONLINE_NET_PRIOR / 2;
}

int lt_online_net_finite(const lt_online *m, int64_t model) {
  double sum = 0;
  for (int64_t i = 0; i < lt_online_net_head_size(m); i++) sum += m->head[model][i] * 0;
  return sum == 0;
}

int lt_online_net_slot_finite(const lt_online *m, int64_t model, int64_t slot) {
  const float *w = lt_online_net_at(m, model, slot);
  float sum = 0;
  for (int64_t j = 0; j <= m->n_hidden; j++) sum += w[j] * 0;
  return sum == 0;
}

/* ---------------------------------------------------------------------------------------------- bytes */

/* Output weights, the covariance's upper triangle, the squared error. */
void lt_online_net_put_head(const lt_online *m, int64_t model, lt_put *w) {
  const double *head = m->head[model], *p = head + lt_online_net_d(m);
  const int64_t d = lt_online_net_d(m);
  for (int64_t i = 0; i + 1 < d; i++) lt_put_f64(w, head[i]);
  for (int64_t i = 0; i + 1 < d; i++)
    for (int64_t j = i; j + 1 < d; j++) lt_put_f64(w, p[i * d + j]);
  lt_put_f64(w, head[lt_online_net_head_size(m) - 1]);
}

static double net_number(lt_get *r) {
  double v = lt_get_f64(r);
  if (!isfinite(v)) lt_get_fail(r, LEAT_E_FORMAT);
  return v;
}

void lt_online_net_get_head(lt_online *m, int64_t model, lt_get *r) {
  double *head = m->head[model], *p = lt_online_net_cov(m, head);
  const int64_t d = lt_online_net_d(m);
  for (int64_t i = 0; i + 1 < d && !r->failed; i++) head[i] = net_number(r);
  for (int64_t i = 0; i + 1 < d && !r->failed; i++)
    for (int64_t j = i; j + 1 < d && !r->failed; j++) p[i * d + j] = p[j * d + i] = net_number(r);
  double noise = net_number(r);
  if (noise < 0) lt_get_fail(r, LEAT_E_FORMAT);
  *lt_online_net_noise(m, head) = noise;
}

void lt_online_net_put_slot(const lt_online *m, int64_t model, int64_t slot, lt_put *w) {
  lt_put_floats(w, lt_online_net_at(m, model, slot), net_stride(m));
}

void lt_online_net_get_slot(lt_online *m, int64_t model, int64_t slot, lt_get *r) {
  float *w = lt_online_net_at(m, model, slot);
  for (int64_t j = 0; j <= m->n_hidden; j++) w[j] = lt_get_f32(r);
  if (!r->failed && (!lt_online_net_slot_finite(m, model, slot) || w[m->n_hidden] < 0)) lt_get_fail(r, LEAT_E_FORMAT);
}
