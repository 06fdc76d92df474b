/* The learners take entries four at a time, from slots laid out for the learners that there are. Here each is held
 * against its plain loop over single entries: the same bits, also where entries of one row share a slot. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/rng.h"
#include "base/runtime.h"
#include "model/encoder.h"
#include "train/learn.h"

enum { SLOTS = 40, MOST = 23, ROWS = 300 };
typedef float numbers[LT_SLOT_NUMBERS];

static float clip(float z) { return z > LT_ONLINE_CLIP ? LT_ONLINE_CLIP : z < -LT_ONLINE_CLIP ? -LT_ONLINE_CLIP : z; }
static float outcome(float z) { return z > 3 ? 1 : z < -3 ? -1 : z / 3; }

static void plain_scale(numbers *s, const uint32_t *slot, const float *raw, int n, float *z) {
  for (int i = 0; i < n; i++) {
    const float *t = s[slot[i]];
    z[i] = clip(raw[i] * sqrtf((t[LT_SLOT_N] + 1) / (t[LT_SLOT_SQUARE] + raw[i] * raw[i])));
  }
}

static void plain_dots(numbers *s, const uint32_t *slot, const float *z, int n, lt_online_dot *d) {
  memset(d, 0, sizeof *d);
  for (int i = 0; i < n; i++) {
    const float *t = s[slot[i]];
    d->zz += (double)(z[i] * z[i]);
    d->dot[LT_ADAGRAD] += (double)(t[LT_SLOT_ADA_W] * z[i]);
    d->dot[LT_COIN] += (double)(t[LT_SLOT_COIN_W] * z[i]);
    d->dot[LT_FTRL] += (double)(t[LT_SLOT_COIN_W] * z[i]);
    d->dot[LT_ONS] += (double)(t[LT_SLOT_ONS_B] * (1 + t[LT_SLOT_ONS_WEALTH]) * outcome(z[i]));
    d->dot[LT_ALMA] += (double)(t[LT_SLOT_ALMA_W] * z[i]);
    d->dot[LT_GAUSS] += (double)(t[LT_SLOT_GAUSS_W] * z[i]);
    d->var += (double)(z[i] * z[i] / (10 + t[LT_SLOT_GAUSS_Q]));
  }
}

static void plain_adagrad(float *t, float z, float gradient, float rate) {
  float g = gradient * z;
  t[LT_SLOT_ADA_G] += g * g;
  t[LT_SLOT_ADA_W] -= rate * g / sqrtf(t[LT_SLOT_ADA_G] + 1e-8f);
}

static void plain_coin(float *t, float z, float gradient, float most) {
  float g = gradient * z, size = fabsf(z) * most;
  if (size > t[LT_SLOT_COIN_L]) t[LT_SLOT_COIN_L] = size;
  t[LT_SLOT_COIN_G] += fabsf(g);
  float reward = t[LT_SLOT_COIN_R] - t[LT_SLOT_COIN_W] * g;
  t[LT_SLOT_COIN_R] = reward > 0 ? (reward < 1e12f ? reward : 1e12f) : 0;
  t[LT_SLOT_COIN_TH] -= g;
  float room = t[LT_SLOT_COIN_L] * (t[LT_SLOT_COIN_G] + t[LT_SLOT_COIN_L]);
  t[LT_SLOT_COIN_W] = room > 0 ? t[LT_SLOT_COIN_TH] / room * (0.5f + t[LT_SLOT_COIN_R]) : 0;
}

static void plain_ftrl(float *t, float value, double gradient, const lt_online_rates *r) {
  double g = gradient * (double)value, n = (double)t[LT_SLOT_COIN_G], z = (double)t[LT_SLOT_COIN_TH], root = sqrt(n + g * g);
  z += g - (root - sqrt(n)) / r->alpha * (double)t[LT_SLOT_COIN_W];
  t[LT_SLOT_COIN_G] = (float)(n + g * g);
  t[LT_SLOT_COIN_TH] = (float)z;
  t[LT_SLOT_COIN_W] = fabs(z) <= r->l1 ? 0 : (float)(-(z - (z > 0 ? r->l1 : -r->l1)) / ((r->beta + root) / r->alpha));
}

static void plain_ons(float *t, float z, float gradient) {
  float most = gradient > 1 ? 1 : gradient < -1 ? -1 : gradient, g = most * outcome(z), left = 1 - g * t[LT_SLOT_ONS_B];
  float q = g / left, wealth = (1 + t[LT_SLOT_ONS_WEALTH]) * left, b;
  t[LT_SLOT_ONS_WEALTH] = (wealth > 1e9f ? 1e9f : wealth < 1e-6f ? 1e-6f : wealth) - 1;
  t[LT_SLOT_ONS_A] += q * q;
  b = t[LT_SLOT_ONS_B] - 2.2188f * q / (1 + t[LT_SLOT_ONS_A]);
  t[LT_SLOT_ONS_B] = b > 0.5f ? 0.5f : b < -0.5f ? -0.5f : b;
}

/* What step_alma adds is found by what it did to the one-off numbers; here only its loop over the entries is plain. */
static float alma_added(const lt_online_one *o, const lt_online_dot *d, double y) {
  double norm = sqrt(d->zz), sign = y > 0.5 ? 1 : -1, margin = o->alma_scale * d->dot[LT_ALMA] / (norm > 0 ? norm : 1);
  if (sign * margin > 0.1 / 0.9 / sqrt(o->alma_k)) return 0;
  return (float)(sqrt(2) / sqrt(o->alma_k) * sign / norm / o->alma_scale);
}

static void plain_gauss(float *t, float z, float step, float h) {
  t[LT_SLOT_GAUSS_W] += step * z / (10 + t[LT_SLOT_GAUSS_Q]);
  t[LT_SLOT_GAUSS_Q] += h * z * z;
}

static void plain_step(numbers *s, uint32_t learners, const uint32_t *slot, const float *raw, const float *z, int n,
                       const lt_online_one *one, const lt_online_dot *d, const double *expert, double y, double w,
                       const lt_online_rates *r) {
  double at = d->dot[LT_GAUSS], p = lt_online_sigmoid(at > 30 ? 30 : at < -30 ? -30 : at), h = p * (1 - p), g[LT_LEARNERS];
  for (int k = 0; k < LT_LEARNERS; k++) g[k] = learners & LT_LEARNER(k) ? w * (lt_online_sigmoid(expert[k]) - y) : 0;
  h = w * (h > 0.02 ? h : 0.02);
  float step = (float)(-(w * (p - y)) / (1 + h * d->var)), add = alma_added(one, d, y);
  for (int i = 0; i < n; i++) {
    float *t = s[slot[i]];
    if (learners & LT_LEARNER(LT_ADAGRAD)) plain_adagrad(t, z[i], (float)g[LT_ADAGRAD], r->adagrad);
    if (learners & LT_LEARNER(LT_COIN)) plain_coin(t, z[i], (float)g[LT_COIN], (float)(w > 1 ? w : 1));
    if (learners & LT_LEARNER(LT_FTRL)) plain_ftrl(t, z[i], g[LT_FTRL], r);
    if (learners & LT_LEARNER(LT_ONS)) plain_ons(t, z[i], (float)g[LT_ONS]);
    if (learners & LT_LEARNER(LT_ALMA)) t[LT_SLOT_ALMA_W] += add * z[i];
    if (learners & LT_LEARNER(LT_GAUSS)) plain_gauss(t, z[i], step, (float)h);
    t[LT_SLOT_N] += 1;
    t[LT_SLOT_SQUARE] += raw[i] * raw[i];
  }
}

static void check(uint32_t learners) {
  leat_runtime *rt = NULL;
  lt_online *m = NULL;
  lt_encoder e;
  lt_rng r;
  static numbers plain[SLOTS];
  uint32_t slot[MOST + 1];
  float raw[MOST + 1], z[MOST + 1], own[MOST + 1];
  const lt_online_rates rates = {0.3f, 0.1, 1, 0.01, 1};
  memset(plain, 0, sizeof plain);
  memset(&e, 0, sizeof e);
  e.hash_bits = 5;
  e.n_slots = 32;
  assert_int_equal(leat_runtime_create(NULL, &rt, NULL), LEAT_OK);
  assert_int_equal(lt_online_create(rt, learners, 0, 2, &e, &m, NULL), LEAT_OK);
  lt_rng_init(&r, 7, learners);
  lt_online_feed f = {m, 0, 0, MOST + 1, slot, raw, z, 0, NULL, NULL};
  for (int row = 0; row < ROWS; row++) {
    int n = 1 + (int)(lt_rng_u32(&r) % MOST);
    lt_online_dot d = {0}, d2;
    double expert[LT_LEARNERS] = {0}, y = lt_rng_unit(&r) < 0.4, w = row % 3 ? 1 : 2.5;
    f.n_done = 1;
    f.n = n;
    slot[0] = 0;
    raw[0] = 1;
    for (int i = 1; i < n; i++) { /* half of the rows have slots twice and more */
      slot[i] = row % 2 ? 1 + lt_rng_u32(&r) % 6 : (uint32_t)i;
      raw[i] = (float)lt_rng_normal(&r) * (row % 5 ? 1 : 30);
    }
    plain_scale(plain, slot, raw, n, own);
    own[0] = 1;
    f.counted = 0;
    if (row % 3) lt_online_scale(&f);
    else lt_online_see(&f, &d);
    assert_memory_equal(own, z, (size_t)n * sizeof *z);
    if (row % 3) lt_online_dots(m, 0, &f, &d);
    plain_dots(plain, slot, own, n, &d2);
    for (int k = 0; k < LT_LEARNERS; k++)
      if (learners & LT_LEARNER(k)) assert_memory_equal(&d.dot[k], &d2.dot[k], sizeof(double));
    if (learners & LT_LEARNER(LT_GAUSS)) assert_memory_equal(&d.var, &d2.var, sizeof(double));
    if (learners & LT_LEARNER(LT_ALMA)) assert_memory_equal(&d.zz, &d2.zz, sizeof(double));
    double mixed = lt_online_mix(m, 0, &d, expert);
    lt_online_one before = m->one[0];
    lt_online_step(m, 0, &f, &d, expert, mixed, y, w, &rates);
    lt_online_count(m, &f, NULL);
    plain_step(plain, learners, slot, raw, own, n, &before, &d, expert, y, w, &rates);
    for (int64_t i = 0; i < m->n_slots; i++) {
      numbers v;
      lt_online_numbers_of(m, 0, i, v);
      for (int k = 0; k < LT_SLOT_NUMBERS; k++) assert_true(v[k] == plain[i][k]);
    }
  }
  lt_online_free(m);
  leat_runtime_free(rt);
}

static void every_learner(void **state) {
  (void)state;
  for (int k = 0; k < LT_NET; k++) check(LT_LEARNER(k)); /* the network has its own test */
}

static void mixed_learners(void **state) {
  (void)state;
  check(lt_online_learners("race", 0));
  check(lt_online_learners("cheap", 0));
}

/* The numbers of a slot come back as they were set, and impossible ones are refused. */
static void numbers_of_slots(void **state) {
  (void)state;
  leat_runtime *rt = NULL;
  lt_encoder e;
  memset(&e, 0, sizeof e);
  e.n_dense = 3;
  e.hash_bits = 4;
  e.n_slots = 3;
  assert_int_equal(leat_runtime_create(NULL, &rt, NULL), LEAT_OK);
  for (int k = 0; k <= LT_NET; k++) {
    lt_online *m = NULL;
    numbers v, back;
    uint32_t learners = k < LT_NET ? LT_LEARNER(k) : lt_online_learners("race", 0);
    assert_int_equal(lt_online_create(rt, learners, 0, 2, &e, &m, NULL), LEAT_OK);
    for (int i = 0; i < LT_SLOT_NUMBERS; i++) v[i] = m->layout->at[i] < 0 ? 0 : 1 + (float)i;
    for (int64_t s = 0; s < m->n_slots; s++) {
      assert_true(lt_online_set_numbers(m, 0, s, v));
      lt_online_numbers_of(m, 0, s, back);
      assert_memory_equal(v, back, sizeof v);
    }
    for (int i = 0; i < LT_SLOT_NUMBERS; i++) {
      float good = v[i];
      v[i] = NAN;
      assert_false(lt_online_set_numbers(m, 0, 1, v));
      if (m->layout->at[i] < 0) {
        v[i] = 1;
        assert_false(lt_online_set_numbers(m, 0, 1, v));
      }
      v[i] = good;
    }
    v[LT_SLOT_N] = -1;
    assert_false(lt_online_set_numbers(m, 0, 1, v));
    lt_online_free(m);
  }
  leat_runtime_free(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_learner), cmocka_unit_test(mixed_learners),
                                     cmocka_unit_test(numbers_of_slots)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
