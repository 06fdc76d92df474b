/* The learners' updates. Each is one loop over a row's slots.
 *   adagrad  Duchi, Hazan, Singer: Adaptive subgradient methods, JMLR 12 (2011)
 *   ftrl     McMahan et al.: Ad click prediction, KDD 2013
 *   coin     Orabona, Tommasi: Training deep networks without learning rates through coin betting, NIPS 2017
 *   ons      Cutkosky, Orabona: Black-box reductions for parameter-free online learning, COLT 2018
 *   alma     Gentile: A new approximate maximal margin classification algorithm, JMLR 2 (2001), with its probability by an
 *            online form of Platt's scaling
 *   gauss    the diagonal form of West's and of Chu et al.'s (KDD 2011) Gaussian posterior, MacKay's link
 * The mixer is an extended Kalman filter of the learners' weights: its noise is added, never multiplied, and capped. */
#include "train/learn.h"
#include <math.h>

enum { COIN_ALPHA = 1 };

static void step_adagrad(lt_online_slot *s, const lt_online_feed *f, float gradient, float rate) {
  for (int64_t i = 0; i < f->n; i++) {
    lt_online_slot *t = &s[f->slot[i]];
    float g = gradient * f->z[i];
    t->ada_g += g * g;
    t->ada_w -= rate * g / sqrtf(t->ada_g + 1e-8f);
  }
}

static void step_ftrl(lt_online_slot *s, const lt_online_feed *f, double gradient, const lt_online_rates *r) {
  for (int64_t i = 0; i < f->n; i++) {
    lt_online_slot *t = &s[f->slot[i]]; /* its n and z are coin_g and coin_th */
    double g = gradient * (double)f->z[i], n = (double)t->coin_g, z = (double)t->coin_th;
    double root = sqrt(n + g * g);
    z += g - (root - sqrt(n)) / r->alpha * (double)t->coin_w;
    t->coin_g = (float)(n + g * g);
    t->coin_th = (float)z;
    t->coin_w = fabs(z) <= r->l1 ? 0 : (float)(-(z - (z > 0 ? r->l1 : -r->l1)) / ((r->beta + root) / r->alpha));
  }
}

static void step_coin(lt_online_slot *s, const lt_online_feed *f, float gradient, float most) {
  for (int64_t i = 0; i < f->n; i++) {
    lt_online_slot *t = &s[f->slot[i]];
    float z = f->z[i], g = gradient * z, size = fabsf(z) * most;
    if (size > t->coin_l) t->coin_l = size;
    t->coin_g += fabsf(g);
    float reward = t->coin_r - t->coin_w * g;
    t->coin_r = reward > 0 ? (reward < 1e12f ? reward : 1e12f) : 0;
    t->coin_th -= g;
    float room = t->coin_l * (t->coin_g + COIN_ALPHA * t->coin_l);
    t->coin_w = room > 0 ? t->coin_th / room * (0.5f + t->coin_r) : 0;
  }
}

static void step_ons(lt_online_slot *s, const lt_online_feed *f, float gradient) {
  float most = gradient > 1 ? 1 : gradient < -1 ? -1 : gradient;
  for (int64_t i = 0; i < f->n; i++) {
    lt_online_slot *t = &s[f->slot[i]];
    float z = f->z[i], x = z > 3 ? 1 : z < -3 ? -1 : z / 3, g = most * x, left = 1 - g * t->ons_b;
    float q = g / left, wealth = (1 + t->ons_wealth) * left, b;
    t->ons_wealth = (wealth > 1e9f ? 1e9f : wealth < 1e-6f ? 1e-6f : wealth) - 1;
    t->ons_a += q * q;
    b = t->ons_b - 2.2188f * q / (1 + t->ons_a); /* 2 / (2 - ln 3) = 2.2188 */
    t->ons_b = b > 0.5f ? 0.5f : b < -0.5f ? -0.5f : b;
  }
}

static void alma_rescale(lt_online *m, int64_t model) {
  lt_online_one *o = &m->one[model];
  for (int64_t i = 0; i < m->n_slots; i++) m->slot[model][i].alma_w *= (float)o->alma_scale;
  o->alma_scale = 1;
}

/* ALMA_2 with alpha .9: margin (1 - alpha) B / sqrt(k), step C / sqrt(k), then back into the unit ball (by the scale). */
static void step_alma(lt_online *m, int64_t model, const lt_online_feed *f, const lt_online_dot *d, double expert, double y,
                      double w) {
  lt_online_one *o = &m->one[model];
  double norm = sqrt(d->zz), sign = y > 0.5 ? 1 : -1, margin = o->alma_scale * d->dot[LT_ALMA] / (norm > 0 ? norm : 1);
  double x = margin * sqrt(o->alma_k), g = (lt_online_sigmoid(expert) - y) * (w < 1 ? w : 1);
  double rate = 0.02 * 4 / (1 + x * x); /* 4: the logistic loss has a curvature of 1/4 at most */
  o->platt_a -= rate * g * x;
  o->platt_b -= rate * g;
  if (sign * margin > 0.1 / 0.9 / sqrt(o->alma_k)) return;
  double step = sqrt(2) / sqrt(o->alma_k), square = o->alma_square + 2 * step * sign * margin + step * step;
  float add = (float)(step * sign / norm / o->alma_scale);
  lt_online_slot *s = m->slot[model];
  for (int64_t i = 0; i < f->n; i++) s[f->slot[i]].alma_w += add * f->z[i];
  if (square > 1) {
    o->alma_scale /= sqrt(square);
    square = 1;
  }
  o->alma_square = square > 0 ? square : 0;
  o->alma_k += 1;
  if (o->alma_scale < 1e-9) alma_rescale(m, model);
}

/* p: at the mean, h: the curvature there. */
static void step_gauss(lt_online_slot *s, const lt_online_feed *f, double gradient, double h, double var) {
  float step = (float)(-gradient / (1 + h * var)), more = (float)h;
  for (int64_t i = 0; i < f->n; i++) {
    lt_online_slot *t = &s[f->slot[i]];
    float z = f->z[i];
    t->gauss_w += step * z / (10 + t->gauss_q);
    t->gauss_q += more * z * z;
  }
}

/* h: the curvature of the loss at the mixture; error: y - p. */
static void step_mixer(lt_online *m, lt_online_one *o, const double expert[LT_LEARNERS], double error, double h) {
  double x[LT_MIXED], px[LT_MIXED], s = 1;
  int n = 0;
  for (int i = 0; i < LT_MIXED; i++)
    if (m->learners & LT_LEARNER(i)) x[n++] = expert[i];
  for (int i = 0; i < n; i++) {
    px[i] = 0;
    for (int j = 0; j < n; j++) px[i] += o->mix_p[i * LT_MIXED + j] * x[j];
  }
  for (int i = 0; i < n; i++) s += h * x[i] * px[i];
  for (int i = 0; i < n; i++) {
    double w = o->mix_w[i] + px[i] * error / s;
    o->mix_w[i] = w > 1e3 ? 1e3 : w < -1e3 ? -1e3 : w;
    for (int j = 0; j < n; j++) o->mix_p[i * LT_MIXED + j] -= h * px[i] * px[j] / s;
  }
  for (int i = 0; i < n; i++)
    if (o->mix_p[i * LT_MIXED + i] < 0.1) o->mix_p[i * LT_MIXED + i] += 1e-5;
}

static void step_number(lt_online *m, int64_t model, const lt_online_feed *f, const lt_online_dot *d,
                        const double expert[LT_LEARNERS], double mixed, double y, double w, const lt_online_rates *rates) {
  lt_online_slot *s = m->slot[model];
  lt_online_one *o = &m->one[model];
  double noise = o->noise > 1e-6 ? o->noise : 1e-6, miss = mixed - y, part = miss > 8 ? 8 : miss < -8 ? -8 : miss;
  if (m->learners & LT_LEARNER(LT_ADAGRAD)) {
    double e = expert[LT_ADAGRAD] - y;
    step_adagrad(s, f, (float)(w * (e > 64 ? 64 : e < -64 ? -64 : e)), rates->adagrad);
  }
  if (m->learners & LT_LEARNER(LT_FTRL)) step_ftrl(s, f, w * (expert[LT_FTRL] - y), rates);
  if (m->learners & LT_LEARNER(LT_COIN)) { /* bets need bounded gradients: those of Huber's loss */
    double e = (expert[LT_COIN] - y) / 4;
    step_coin(s, f, (float)(w * (e > 1 ? 1 : e < -1 ? -1 : e)), (float)(w > 1 ? w : 1));
  }
  if (m->learners & LT_LEARNER(LT_GAUSS)) step_gauss(s, f, w * (expert[LT_GAUSS] - y) / noise, w / noise, d->var);
  if (m->learners & (m->learners - 1)) step_mixer(m, o, expert, -w * miss / noise, w / noise);
  o->noise += (part * part - o->noise) * 0.001;
}

void lt_online_step(lt_online *m, int64_t model, const lt_online_feed *f, const lt_online_dot *d,
                    const double expert[LT_LEARNERS], double mixed, double y, double w, const lt_online_rates *rates) {
  if (w > 1e6) w = 1e6;
  if (m->regression) {
    step_number(m, model, f, d, expert, mixed, y, w, rates);
    return;
  }
  lt_online_slot *s = m->slot[model];
  uint32_t learners = m->learners;
  if (learners & LT_LEARNER(LT_ADAGRAD))
    step_adagrad(s, f, (float)(w * (lt_online_sigmoid(expert[LT_ADAGRAD]) - y)), rates->adagrad);
  if (learners & LT_LEARNER(LT_FTRL)) step_ftrl(s, f, w * (lt_online_sigmoid(expert[LT_FTRL]) - y), rates);
  if (learners & LT_LEARNER(LT_COIN))
    step_coin(s, f, (float)(w * (lt_online_sigmoid(expert[LT_COIN]) - y)), (float)(w > 1 ? w : 1));
  if (learners & LT_LEARNER(LT_ONS)) step_ons(s, f, (float)(w * (lt_online_sigmoid(expert[LT_ONS]) - y)));
  if (learners & LT_LEARNER(LT_ALMA)) step_alma(m, model, f, d, expert[LT_ALMA], y, w);
  if (learners & LT_LEARNER(LT_GAUSS)) {
    double at = d->dot[LT_GAUSS], p = lt_online_sigmoid(at > 30 ? 30 : at < -30 ? -30 : at), h = p * (1 - p);
    step_gauss(s, f, w * (p - y), w * (h > 0.02 ? h : 0.02), d->var);
  }
  if (learners & (learners - 1)) {
    double p = lt_online_sigmoid(mixed);
    step_mixer(m, &m->one[model], expert, w * (y - p), w * p * (1 - p));
  }
}

void lt_online_welford(lt_online_moment *t, double x) {
  double d = x - t->mean;
  t->n += 1;
  t->mean += d / t->n;
  t->m2 += d * (x - t->mean);
  if (t->m2 < 0) t->m2 = 0;
}

void lt_online_count(lt_online *m, const lt_online_feed *f, const double *x, const float *raw) {
  lt_online_slot *s = m->slot[0];
  for (int64_t j = 0; j < m->n_dense; j++)
    if (lt_online_usable(x[j])) lt_online_welford(&m->moment[j], x[j]);
  for (int64_t i = 0; i < f->n; i++) {
    lt_online_slot *t = &s[f->slot[i]];
    t->n += 1;
    t->square += raw[i] * raw[i];
    if (t->n > 8388608.0f) { /* a float counts no further: the oldest half is forgotten */
      t->n *= 0.5f;
      t->square *= 0.5f;
    }
  }
}
