/* The learners' updates. Each is one loop over a row's slots, four entries at a time; four of which two are of one slot
 * (labels and words may fall together) go one after the other, as if all did. `bits` and `at` say where the learner's line
 * of four floats is, see the layouts in online.c; the first four floats after it belong to it too, if it needs more.
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
#include "model/online_lanes.h"

enum {
  COIN_ALPHA = 1,
  /* learners whose step takes the values into the statistics, which stand in the same line; alma's does when it has to
   * touch the slots anyway */
  STEP_COUNTS = LT_LEARNER(LT_ADAGRAD) | LT_LEARNER(LT_COIN) | LT_LEARNER(LT_GAUSS)
};

/* line(slot, z, raw) for the row's entries: fours that share a slot are taken one at a time, each with three slots behind
 * the last one. */
#define STEP_ONE_OF(line, slots, z, raw)                                  \
  if (x4_apart(slots)) {                                                  \
    line(slots, z, raw);                                                  \
  } else {                                                                \
    for (int lane = 0; lane < 4; lane++) {                                \
      lt_four its_z, its_raw;                                             \
      one_of_four(slots, z, lane, (uint32_t)f->m->n_slots, &its_z);       \
      one_of_four(slots, raw, lane, (uint32_t)f->m->n_slots, &its_raw);   \
      line(its_z.slot, x4_load(its_z.v), x4_load(its_raw.v));             \
    }                                                                     \
  }
#define STEP_LINES(line)                                                  \
  do {                                                                    \
    int64_t i = 0;                                                        \
    for (; i + 4 <= f->n; i += 4) {                                       \
      STEP_ONE_OF(line, f->slot + i, x4_load(f->z + i), x4_load(f->raw + i)) \
    }                                                                     \
    if (i < f->n) {                                                       \
      lt_four four, other;                                                \
      x4_pad(f, f->z, i, 0, &four);                                       \
      x4_pad(f, f->raw, i, 0, &other);                                    \
      STEP_ONE_OF(line, four.slot, x4_load(four.v), x4_load(other.v))     \
    }                                                                     \
  } while (0)

static void one_of_four(const uint32_t *slot, lt_x4 v, int lane, uint32_t behind, lt_four *out) {
  float each[4];
  x4_store(each, v);
  for (uint32_t k = 0; k < 4; k++) {
    out->slot[k] = behind + k;
    out->v[k] = 0;
  }
  out->slot[lane] = slot[lane];
  out->v[lane] = each[lane];
}

/* One more value in the statistics. A float counts no further than 2^23: the oldest half is forgotten. */
LT_INLINE void count_line(lt_x4 *n, lt_x4 *square, lt_x4 raw) {
  const lt_x4 most = x4_all(8388608.0f), half = x4_all(0.5f);
  lt_x4 now = x4_add(*n, x4_all(1)), sum = x4_add(*square, x4_mul(raw, raw));
  *n = x4_sub(now, x4_where(now, most, x4_mul(now, half)));
  *square = x4_sub(sum, x4_where(now, most, x4_mul(sum, half)));
}

LT_INLINE void adagrad_line(float *s, int bits, const uint32_t *slot, lt_x4 z, lt_x4 raw, lt_x4 gradient, lt_x4 rate, int count) {
  lt_x4 v[4], g = x4_mul(gradient, z);
  x4_gather(s, slot, bits, 0, v);
  v[3] = x4_add(v[3], x4_mul(g, g));
  v[2] = x4_sub(v[2], x4_div(x4_mul(rate, g), x4_sqrt(x4_add(v[3], x4_all(1e-8f)))));
  if (count) count_line(&v[0], &v[1], raw);
  x4_scatter(s, slot, bits, 0, v);
}

static void step_adagrad(float *s, int bits, const lt_online_feed *f, float gradient, float rate, int count) {
  const lt_x4 all = x4_all(gradient), rates = x4_all(rate);
#define LINE(slot, z, raw) adagrad_line(s, bits, slot, z, raw, all, rates, count)
  STEP_LINES(LINE);
#undef LINE
}

/* In double, and rarely used: one entry after the other. */
static void step_ftrl(float *s, int bits, const lt_online_feed *f, double gradient, const lt_online_rates *r) {
  for (int64_t i = 0; i < f->n; i++) {
    float *t = s + ((uint64_t)f->slot[i] << bits); /* coin's places: w, n and z are its w, g and th */
    double g = gradient * (double)f->z[i], n = (double)t[5], z = (double)t[3];
    double root = sqrt(n + g * g);
    z += g - (root - sqrt(n)) / r->alpha * (double)t[2];
    t[5] = (float)(n + g * g);
    t[3] = (float)z;
    t[2] = fabs(z) <= r->l1 ? 0 : (float)(-(z - (z > 0 ? r->l1 : -r->l1)) / ((r->beta + root) / r->alpha));
  }
}

/* wide: w, l, g, r and th, -, -, - at 4 and 8; else n, square, w, th and l, g, r, - at 0 and 4. */
LT_INLINE void coin_line(float *s, int wide, const uint32_t *slot, lt_x4 z, lt_x4 raw, lt_x4 gradient, lt_x4 most, int count) {
  const int bits = wide ? 4 : 3, at = wide ? 4 : 0;
  lt_x4 a[4], b[4], g = x4_mul(gradient, z);
  lt_x4 *w = wide ? &a[0] : &a[2], *th = wide ? &b[0] : &a[3];
  lt_x4 *l = wide ? &a[1] : &b[0], *sum = wide ? &a[2] : &b[1], *r = wide ? &a[3] : &b[2];
  x4_gather(s, slot, bits, at, a);
  x4_gather(s, slot, bits, at + 4, b);
  *l = x4_more(x4_mul(x4_abs(z), most), *l);
  *sum = x4_add(*sum, x4_abs(g));
  *r = x4_less(x4_more(x4_sub(*r, x4_mul(*w, g)), x4_all(0)), x4_all(1e12f));
  *th = x4_sub(*th, g);
  lt_x4 room = x4_mul(*l, x4_add(*sum, x4_mul(x4_all(COIN_ALPHA), *l)));
  *w = x4_where(room, x4_all(0), x4_mul(x4_div(*th, room), x4_add(x4_all(0.5f), *r)));
  if (count) count_line(&a[0], &a[1], raw);
  x4_scatter(s, slot, bits, at, a);
  x4_scatter(s, slot, bits, at + 4, b);
}

static void step_coin(float *s, int bits, const lt_online_feed *f, float gradient, float most, int count) {
  const lt_x4 all = x4_all(gradient), mosts = x4_all(most);
  if (bits == 4) {
#define LINE(slot, z, raw) coin_line(s, 1, slot, z, raw, all, mosts, 0)
    STEP_LINES(LINE);
#undef LINE
  } else {
#define LINE(slot, z, raw) coin_line(s, 0, slot, z, raw, all, mosts, count)
    STEP_LINES(LINE);
#undef LINE
  }
}

LT_INLINE void ons_line(float *s, int bits, int at, const uint32_t *slot, lt_x4 z, lt_x4 most) {
  const lt_x4 one = x4_all(1);
  lt_x4 v[4]; /* -, wealth, a, b */
  x4_gather(s, slot, bits, at, v);
  lt_x4 g = x4_mul(most, x4_outcome(z)), left = x4_sub(one, x4_mul(g, v[3])), q = x4_div(g, left);
  lt_x4 wealth = x4_mul(x4_add(one, v[1]), left);
  v[1] = x4_sub(x4_more(x4_all(1e-6f), x4_less(x4_all(1e9f), wealth)), one);
  v[2] = x4_add(v[2], x4_mul(q, q));
  lt_x4 b = x4_sub(v[3], x4_div(x4_mul(x4_all(2.2188f), q), x4_add(one, v[2]))); /* 2 / (2 - ln 3) = 2.2188 */
  v[3] = x4_more(x4_all(-0.5f), x4_less(x4_all(0.5f), b));
  x4_scatter(s, slot, bits, at, v);
}

static void step_ons(float *s, int bits, int at, const lt_online_feed *f, float gradient) {
  const lt_x4 most = x4_all(gradient > 1 ? 1 : gradient < -1 ? -1 : gradient);
#define LINE(slot, z, raw) ons_line(s, bits, at, slot, z, most)
  STEP_LINES(LINE);
#undef LINE
}

static void alma_rescale(lt_online *m, int64_t model) {
  lt_online_one *o = &m->one[model];
  for (int64_t i = 0; i < m->n_slots; i++)
    lt_online_at(m, model, i)[m->layout->at[LT_SLOT_ALMA_W]] *= (float)o->alma_scale;
  o->alma_scale = 1;
}

/* Among others, and alone: then the statistics are beside the weight. */
static void alma_add(lt_online *m, int64_t model, const lt_online_feed *f, float add) {
  float *s = m->cell[model] + m->layout->at[LT_SLOT_ALMA_W];
  for (int64_t i = 0; i < f->n; i++) s[(uint64_t)f->slot[i] << m->layout->bits] += add * f->z[i];
}

LT_INLINE void alma_line(float *s, const uint32_t *slot, lt_x4 z, lt_x4 raw, lt_x4 add) {
  lt_x4 v[4];
  x4_gather(s, slot, 2, 0, v);
  v[2] = x4_add(v[2], x4_mul(add, z));
  count_line(&v[0], &v[1], raw);
  x4_scatter(s, slot, 2, 0, v);
}

static void alma_add_and_count(float *s, lt_online_feed *f, float by) {
  const lt_x4 add = x4_all(by);
#define LINE(slot, z, raw) alma_line(s, slot, z, raw, add)
  STEP_LINES(LINE);
#undef LINE
  f->counted = 1;
}

/* ALMA_2 with alpha .9: margin (1 - alpha) B / sqrt(k), step C / sqrt(k), then back into the unit ball (by the scale). */
static void step_alma(lt_online *m, int64_t model, lt_online_feed *f, const lt_online_dot *d, double expert, double y,
                      double w, int count) {
  lt_online_one *o = &m->one[model];
  double norm = sqrt(d->zz), sign = y > 0.5 ? 1 : -1, margin = o->alma_scale * d->dot[LT_ALMA] / (norm > 0 ? norm : 1);
  double x = margin * sqrt(o->alma_k), g = (lt_online_sigmoid(expert) - y) * (w < 1 ? w : 1);
  double rate = 0.02 * 4 / (1 + x * x); /* 4: the logistic loss has a curvature of 1/4 at most */
  o->platt_a -= rate * g * x;
  o->platt_b -= rate * g;
  if (sign * margin > 0.1 / 0.9 / sqrt(o->alma_k)) return;
  double step = sqrt(2) / sqrt(o->alma_k), square = o->alma_square + 2 * step * sign * margin + step * step;
  float add = (float)(step * sign / norm / o->alma_scale);
  if (count) alma_add_and_count(m->cell[model], f, add);
  else alma_add(m, model, f, add);
  if (square > 1) {
    o->alma_scale /= sqrt(square);
    square = 1;
  }
  o->alma_square = square > 0 ? square : 0;
  o->alma_k += 1;
  if (o->alma_scale < 1e-9) alma_rescale(m, model);
}

LT_INLINE void gauss_line(float *s, int bits, int at, int w, const uint32_t *slot, lt_x4 z, lt_x4 raw, lt_x4 step, lt_x4 more,
                          int count) {
  lt_x4 v[4];
  x4_gather(s, slot, bits, at, v);
  v[w] = x4_add(v[w], x4_div(x4_mul(step, z), x4_add(x4_all(10), v[w + 1])));
  v[w + 1] = x4_add(v[w + 1], x4_mul(x4_mul(more, z), z));
  if (count) count_line(&v[0], &v[1], raw);
  x4_scatter(s, slot, bits, at, v);
}

/* h: the curvature at the mean. */
static void step_gauss(float *s, int bits, const lt_online_feed *f, double gradient, double h, double var, int count) {
  const lt_x4 step = x4_all((float)(-gradient / (1 + h * var))), more = x4_all((float)h);
  if (bits == 4) {
#define LINE(slot, z, raw) gauss_line(s, 4, 12, 1, slot, z, raw, step, more, 0)
    STEP_LINES(LINE);
#undef LINE
  } else {
#define LINE(slot, z, raw) gauss_line(s, 2, 0, 2, slot, z, raw, step, more, count)
    STEP_LINES(LINE);
#undef LINE
  }
}

/* h: the curvature of the loss at the mixture; error: y - p. */
static void step_mixer(lt_online *m, lt_online_one *o, const double expert[LT_LEARNERS], double error, double h) {
  double x[LT_MIXED], px[LT_MIXED], s = 1;
  int n = 0;
  for (int i = 0; i < LT_LEARNERS && n < LT_MIXED; i++)
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

static void step_number(lt_online *m, int64_t model, lt_online_feed *f, const lt_online_dot *d,
                        const double expert[LT_LEARNERS], double mixed, double y, double w, const lt_online_rates *rates) {
  float *s = m->cell[model];
  const int bits = m->layout->bits, count = model == 0 && (m->learners & STEP_COUNTS) != 0;
  lt_online_one *o = &m->one[model];
  double noise = o->noise > 1e-6 ? o->noise : 1e-6, miss = mixed - y, part = miss > 8 ? 8 : miss < -8 ? -8 : miss;
  if (m->learners & LT_LEARNER(LT_ADAGRAD)) {
    double e = expert[LT_ADAGRAD] - y;
    step_adagrad(s, bits, f, (float)(w * (e > 64 ? 64 : e < -64 ? -64 : e)), rates->adagrad, count);
  }
  if (m->learners & LT_LEARNER(LT_FTRL)) step_ftrl(s, bits, f, w * (expert[LT_FTRL] - y), rates);
  if (m->learners & LT_LEARNER(LT_COIN)) { /* bets need bounded gradients: those of Huber's loss */
    double e = (expert[LT_COIN] - y) / 4;
    step_coin(s, bits, f, (float)(w * (e > 1 ? 1 : e < -1 ? -1 : e)), (float)(w > 1 ? w : 1), count);
  }
  if (m->learners & LT_LEARNER(LT_GAUSS)) step_gauss(s, bits, f, w * (expert[LT_GAUSS] - y) / noise, w / noise, d->var, count);
  if (m->n_hidden) lt_online_net_step(m, model, f, d, expert[LT_NET], y, w, rates->net);
  if (m->learners & (m->learners - 1)) step_mixer(m, o, expert, -w * miss / noise, w / noise);
  f->counted |= count;
  o->noise += (part * part - o->noise) * 0.001;
}

void lt_online_step(lt_online *m, int64_t model, lt_online_feed *f, const lt_online_dot *d,
                    const double expert[LT_LEARNERS], double mixed, double y, double w, const lt_online_rates *rates) {
  if (w > 1e6) w = 1e6;
  if (m->regression) {
    step_number(m, model, f, d, expert, mixed, y, w, rates);
    return;
  }
  float *s = m->cell[model];
  const int bits = m->layout->bits, ons = bits == 4 ? 8 : 0, count = model == 0 && (m->learners & STEP_COUNTS) != 0;
  uint32_t learners = m->learners;
  if (learners & LT_LEARNER(LT_ADAGRAD))
    step_adagrad(s, bits, f, (float)(w * (lt_online_sigmoid(expert[LT_ADAGRAD]) - y)), rates->adagrad, count);
  if (learners & LT_LEARNER(LT_FTRL)) step_ftrl(s, bits, f, w * (lt_online_sigmoid(expert[LT_FTRL]) - y), rates);
  if (learners & LT_LEARNER(LT_COIN))
    step_coin(s, bits, f, (float)(w * (lt_online_sigmoid(expert[LT_COIN]) - y)), (float)(w > 1 ? w : 1), count);
  if (learners & LT_LEARNER(LT_ONS)) step_ons(s, bits, ons, f, (float)(w * (lt_online_sigmoid(expert[LT_ONS]) - y)));
  if (learners & LT_LEARNER(LT_ALMA)) step_alma(m, model, f, d, expert[LT_ALMA], y, w, model == 0 && bits == 2);
  if (learners & LT_LEARNER(LT_GAUSS)) {
    double at = d->dot[LT_GAUSS], p = lt_online_sigmoid(at > 30 ? 30 : at < -30 ? -30 : at), h = p * (1 - p);
    step_gauss(s, bits, f, w * (p - y), w * (h > 0.02 ? h : 0.02), d->var, count);
  }
  f->counted |= count;
  if (m->n_hidden) lt_online_net_step(m, model, f, d, expert[LT_NET], y, w, rates->net);
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

void lt_online_count(lt_online *m, const lt_online_feed *f, const double *x) {
  float *s = m->cell[0] + m->layout->at[LT_SLOT_N];
  for (int64_t j = 0; j < m->n_dense; j++)
    if (lt_online_usable(x[j])) lt_online_welford(&m->moment[j], x[j]);
  for (int64_t i = 0; !f->counted && i < f->n; i++) {
    float *t = s + ((uint64_t)f->slot[i] << m->layout->bits);
    t[0] += 1;
    t[1] += f->raw[i] * f->raw[i];
    if (t[0] > 8388608.0f) { /* a float counts no further: the oldest half is forgotten */
      t[0] *= 0.5f;
      t[1] *= 0.5f;
    }
  }
}
