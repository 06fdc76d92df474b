/* One step of the online network.
 *   output  extended Kalman filter of the output weights ("Kalman" as in Singhal, Wu: Training multilayer perceptrons with the
 *           extended Kalman algorithm, NIPS 1988, on the last layer only): its noise is added, never multiplied, and capped
 *   units   back-propagation; AdaGrad with one sum of squares a slot (Duchi, Hazan, Singer, JMLR 12, 2011; the sharing as for
 *           tables of embeddings) */
#include "train/learn.h"
#include <math.h>
#include <string.h>
#include "model/online_lanes.h"
#include "model/online_net.h"

#define NET_DRIFT 1e-4 /* what an output weight's variance grows by a row, while below where it began */

/* P x for the symmetric P: rows of units that say nothing are left out. */
static void filter_times(const double *p, const double *x, int64_t d, double *px) {
  memset(px, 0, (size_t)d * sizeof *px);
  for (int64_t j = 0; j < d; j++) {
    const double *row = p + j * d;
    const lt_x2 xj = x2_of(x[j], x[j]);
    if (x[j] == 0) continue;
    for (int64_t i = 0; i < d; i += 2) x2_store(px + i, x2_add(x2_load(px + i), x2_mul(x2_load(row + i), xj)));
  }
}

/* v -= P x g / s; P -= h P x (P x)' / s, with s = 1 + h x' P x. */
static void filter_step(lt_online *m, double *head, const double *x, double g, double h) {
  const int64_t d = lt_online_net_d(m);
  double px[LT_ONLINE_NET_HIDDEN + 2], s = 1, *p = lt_online_net_cov(m, head);
  filter_times(p, x, d, px);
  for (int64_t i = 0; i < d; i++) s += h * x[i] * px[i];
  if (!(s >= 1)) { /* rounding has made the covariance impossible: it begins anew */
    lt_online_net_prior(m, head);
    filter_times(p, x, d, px);
    s = 1;
    for (int64_t i = 0; i < d; i++) s += h * x[i] * px[i];
  }
  const double root = sqrt(h / s);
  for (int64_t i = 0; i < d; i++) {
    double v = head[i] - px[i] * g / s;
    head[i] = v > 1e3 ? 1e3 : v < -1e3 ? -1e3 : v;
    px[i] *= root;
  }
  for (int64_t i = 0; i < d; i++) { /* a product of two: the same for (i, j) and (j, i) */
    double *row = p + i * d;
    const lt_x2 pi = x2_of(px[i], px[i]);
    for (int64_t j = 0; j < d; j += 2) x2_store(row + j, x2_sub(x2_load(row + j), x2_mul(pi, x2_load(px + j))));
  }
  for (int64_t i = 0; i + 1 < d; i++)
    if (p[i * d + i] < LT_ONLINE_NET_PRIOR) p[i * d + i] += NET_DRIFT;
}

/* `fours` fours of units of one slot. */
LT_INLINE void slot_fours(float *w, const float *back, lt_x4 step, int64_t n) {
  for (int64_t j = 0; j < n; j += 4) x4_store(w + j, x4_sub(x4_load(w + j), x4_mul(step, x4_load(back + j))));
}

static void units_step(lt_online *m, int64_t model, const lt_online_feed *f, const float *back, float rate) {
  float mean = 0;
  for (int64_t j = 0; j < m->n_hidden; j++) mean += back[j] * back[j];
  mean /= (float)m->n_hidden;
  if (!(mean > 0)) return;
  for (int64_t i = 0; i < f->n; i++) {
    float *w = m->net[model] + (uint64_t)f->slot[i] * (uint64_t)(m->n_hidden + 1), z = f->z[i];
    float sum = w[m->n_hidden] + mean * z * z;
    w[m->n_hidden] = sum;
    slot_fours(w, back, x4_all(rate * z / sqrtf(sum + 1e-8f)), m->n_hidden);
  }
}

void lt_online_net_step(lt_online *m, int64_t model, const lt_online_feed *f, const lt_online_dot *d, double out, double y,
                        double w, float rate) {
  double *head = m->head[model], x[LT_ONLINE_NET_HIDDEN + 2], g, h;
  float back[LT_ONLINE_NET_HIDDEN];
  const float *unit = d->unit + m->n_hidden;
  const double scale = 1 / sqrt((double)(d->n > 0 ? d->n : 1));
  if (m->regression) {
    double *noise = lt_online_net_noise(m, head), miss = out - y, most = *noise > 1e-6 ? *noise : 1e-6;
    double part = miss > 8 ? 8 : miss < -8 ? -8 : miss;
    g = w * (miss > 4 ? 4 : miss < -4 ? -4 : miss) / most;
    h = w / most;
    *noise += (part * part - *noise) * 0.001;
  } else {
    double p = lt_online_sigmoid(out), curve = p * (1 - p);
    g = w * (p - y);
    h = w * (curve > 0.02 ? curve : 0.02);
  }
  x[0] = 1;
  x[m->n_hidden + 1] = 0;
  for (int64_t j = 0; j < m->n_hidden; j++) {
    double u = (double)unit[j], slope = j & 4 ? u > 0 : 1 - u * u;
    back[j] = (float)(g * head[1 + j] * (slope > 0 ? slope : 0) * scale);
    x[1 + j] = u;
  }
  filter_step(m, head, x, g, h);
  units_step(m, model, f, back, rate);
}
