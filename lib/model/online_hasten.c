/* Faster learning after a change: the sums that make every learner's steps smaller count less from here on, while its weights
 * stay what they are. The gains fall again by themselves as new records are learned. */
#include "model/online.h"
#include "model/online_net.h"
#include <math.h>

enum { HASTEN_LEAST = 1 };

/* Krichevsky and Trofimov's bettor: w = th (1/2 + r) / (l (g + l)); th follows g, so that w stays. */
static void hasten_coin(float v[LT_SLOT_NUMBERS], float share) {
  float before = v[LT_SLOT_COIN_G] + v[LT_SLOT_COIN_L], g = v[LT_SLOT_COIN_G] * share;
  if (!(before > 0)) return;
  v[LT_SLOT_COIN_TH] *= (g + v[LT_SLOT_COIN_L]) / before;
  v[LT_SLOT_COIN_G] = g;
}

/* FTRL-proximal: w = -z alpha / (beta + sqrt n), while l1 is 0 or small beside z. */
static void hasten_ftrl(float v[LT_SLOT_NUMBERS], float share, double beta) {
  double n = (double)v[LT_SLOT_COIN_G] * (double)share;
  v[LT_SLOT_COIN_TH] = (float)((double)v[LT_SLOT_COIN_TH] * (beta + sqrt(n)) / (beta + sqrt((double)v[LT_SLOT_COIN_G])));
  v[LT_SLOT_COIN_G] = (float)n;
}

static void hasten_moment(lt_online_moment *t, double share) {
  double n = t->n * share > HASTEN_LEAST ? t->n * share : t->n < HASTEN_LEAST ? t->n : HASTEN_LEAST;
  if (t->n > 0) t->m2 *= n / t->n;
  t->n = n;
}

void lt_online_hasten(lt_online *m, float share, double beta) {
  for (int64_t k = 0; k < m->n_models; k++) {
    lt_online_one *o = &m->one[k];
    for (int64_t j = 0; j < m->n_slots; j++) {
      float v[LT_SLOT_NUMBERS];
      lt_online_numbers_of(m, k, j, v);
      v[LT_SLOT_N] *= share;
      v[LT_SLOT_SQUARE] *= share;
      v[LT_SLOT_ADA_G] *= share;
      v[LT_SLOT_ONS_A] *= share;
      v[LT_SLOT_GAUSS_Q] *= share;
      if (m->learners & LT_LEARNER(LT_COIN)) hasten_coin(v, share);
      if (m->learners & LT_LEARNER(LT_FTRL)) hasten_ftrl(v, share, beta);
      (void)lt_online_set_numbers(m, k, j, v);
    }
    if (m->n_hidden) lt_online_net_hasten(m, k, share);
    o->alma_k = 1 + (o->alma_k - 1) * (double)share;
    for (int i = 0; i < LT_MIXED; i++)
      if (o->mix_p[i * LT_MIXED + i] > 0 && o->mix_p[i * LT_MIXED + i] < 0.05) o->mix_p[i * LT_MIXED + i] = 0.05;
  }
  for (int64_t j = 0; j < m->n_dense; j++) hasten_moment(&m->moment[j], (double)share);
}
