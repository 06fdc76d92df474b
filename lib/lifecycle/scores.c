/* Predictions under keys, until their labels come.
 *
 * The ring is Vyukov's bounded queue ("Bounded MPMC queue", 1024cores.net): each slot has a sequence number that says whose turn it
 * is. A ring whose slots have become too narrow (a model with more classes) stays, behind the new one, for those who still write
 * into it. */
#include "lifecycle/scores.h"
#include "base/number.h"
#include "base/os.h"
#include "lifecycle/pending.h"
#include <math.h>
#include <string.h>

enum { SCORES_VERSIONS = 16, SCORES_BINS = 10 };
#define SCORES_FADE 1e-4          /* calibration is of some 10 000 labels */
#define SCORES_LEAST 0.049787068367863944 /* exp(-3): losses are cut at 3 */
typedef struct score_slot {
  int64_t sequence;
  uint64_t key[2];
  int64_t version[2], n[2], time_ns;
  int32_t candidate, spare;
  double p[];
} score_slot;
typedef struct score_ring {
  struct score_ring *older;
  int64_t slots, numbers, stride;
  _Alignas(64) int64_t head;      /* writers */
  _Alignas(64) int64_t tail;      /* the reader */
  unsigned char *slot;
} score_ring;
typedef struct score_version { int64_t version, classes; leat_schema *schema; } score_version;
typedef struct score_head { int64_t version[2], n[2]; int32_t candidate, spare; } score_head; /* kept with a prediction that waits */
struct lt_scores {
  leat_runtime *rt;
  score_ring *ring;               /* the newest; NULL before the first version is known */
  int64_t slots, delay_ns;
  int64_t noted, dropped;         /* writers */
  lt_pending *waiting;
  score_version version[SCORES_VERSIONS];
  int64_t n_versions;
  double square, squares;         /* numbers: faded squared error of what was answered */
  double rows[SCORES_BINS], predicted[SCORES_BINS], happened[SCORES_BINS], sum_predicted, sum_happened;
  leat_score_state told;
};

/* ---------------------------------------------------------------------------------------------- the ring */

static score_slot *ring_slot(const score_ring *r, int64_t at) {
  return (score_slot *)(void *)(r->slot + (at & (r->slots - 1)) * r->stride);
}

static leat_status ring_create(leat_runtime *rt, int64_t slots, int64_t numbers, score_ring **out, leat_error *err) {
  int64_t stride = (int64_t)((sizeof(score_slot) + (uint64_t)numbers * sizeof(double) + 63) / 64 * 64);
  score_ring *r = lt_zalloc(rt, sizeof *r);
  *out = NULL;
  if (!r) return lt_fail_memory(err, sizeof *r, "notes of predictions");
  r->slot = lt_zalloc(rt, (uint64_t)(slots * stride));
  if (!r->slot) {
    lt_free(rt, r);
    return lt_fail_memory(err, (uint64_t)(slots * stride), "notes of predictions");
  }
  r->slots = slots;
  r->numbers = numbers;
  r->stride = stride;
  for (int64_t i = 0; i < slots; i++) ring_slot(r, i)->sequence = i;
  *out = r;
  return LEAT_OK;
}

static void slot_fill(score_slot *to, const lt_note *n) {
  memcpy(to->key, n->key, sizeof to->key);
  memcpy(to->version, n->version, sizeof to->version);
  memcpy(to->n, n->n, sizeof to->n);
  to->time_ns = n->time_ns;
  to->candidate = n->candidate;
  memcpy(to->p, n->p[0], (uint64_t)n->n[0] * sizeof(double));
  if (n->n[1]) memcpy(to->p + n->n[0], n->p[1], (uint64_t)n->n[1] * sizeof(double));
}

int lt_scores_note(lt_scores *s, const lt_note *n) {
  score_ring *r = __atomic_load_n(&s->ring, __ATOMIC_ACQUIRE);
  __atomic_fetch_add(&s->noted, 1, __ATOMIC_RELAXED);
  if (r && n->n[0] > 0 && n->n[0] + n->n[1] <= r->numbers) {
    int64_t at = __atomic_load_n(&r->head, __ATOMIC_RELAXED);
    for (;;) {
      score_slot *to = ring_slot(r, at);
      int64_t ahead = __atomic_load_n(&to->sequence, __ATOMIC_ACQUIRE) - at;
      if (ahead < 0) break; /* full */
      if (ahead > 0) {
        at = __atomic_load_n(&r->head, __ATOMIC_RELAXED);
      } else if (__atomic_compare_exchange_n(&r->head, &at, at + 1, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        slot_fill(to, n);
        __atomic_store_n(&to->sequence, at + 1, __ATOMIC_RELEASE);
        return 1;
      }
    }
  }
  __atomic_fetch_add(&s->dropped, 1, __ATOMIC_RELAXED);
  return 0;
}

static leat_status ring_drain(lt_scores *s, score_ring *r, leat_error *err) {
  for (;;) {
    score_slot *from = ring_slot(r, r->tail);
    int64_t ready = __atomic_load_n(&from->sequence, __ATOMIC_ACQUIRE) == r->tail + 1, dropped = 0;
    if (!ready) return LEAT_OK;
    score_head head = {.candidate = from->candidate};
    memcpy(head.version, from->version, sizeof head.version);
    memcpy(head.n, from->n, sizeof head.n);
    lt_waiting w = {.key = (const char *)from->key, .key_size = sizeof from->key, .time_ns = from->time_ns, .row = &head,
                    .row_size = sizeof head, .served = from->p, .n_served = from->n[0] + from->n[1]};
    int32_t replaced = 0;
    leat_status st = lt_pending_add(s->waiting, &w, &replaced, &dropped, err);
    if (st) return st; /* it stays in the ring */
    s->told.expired += dropped;
    __atomic_store_n(&from->sequence, r->tail + r->slots, __ATOMIC_RELEASE);
    r->tail++;
  }
}

leat_status lt_scores_drain(lt_scores *s, leat_error *err) {
  leat_status st = LEAT_OK;
  for (score_ring *r = s->ring; r && !st; r = r->older) st = ring_drain(s, r, err);
  int64_t old = lt_now_ns(s->rt) - s->delay_ns;
  if (lt_pending_oldest(s->waiting) < old) s->told.expired += lt_pending_expire(s->waiting, old);
  return st;
}

/* ---------------------------------------------------------------------------------------------- life */

leat_status lt_scores_create(leat_runtime *rt, int64_t waiting, int64_t delay_ns, int64_t slots, lt_scores **out, leat_error *err) {
  lt_scores *s = lt_zalloc(rt, sizeof *s);
  *out = NULL;
  if (!s) return lt_fail_memory(err, sizeof *s, "scores");
  s->rt = rt;
  s->delay_ns = delay_ns;
  for (s->slots = 64; s->slots < slots;) s->slots *= 2;
  s->told.loss = s->told.calibration_error = s->told.calibration_ratio = NAN;
  leat_status st = lt_pending_create(rt, waiting, (int64_t)256 << 20, &s->waiting, err);
  if (st) lt_scores_free(s);
  else *out = s;
  return st;
}

void lt_scores_free(lt_scores *s) {
  if (!s) return;
  for (score_ring *r = s->ring, *older; r; r = older) {
    older = r->older;
    lt_free(s->rt, r->slot);
    lt_free(s->rt, r);
  }
  for (int64_t i = 0; i < s->n_versions; i++) lt_schema_free(s->version[i].schema);
  lt_pending_free(s->waiting);
  lt_free(s->rt, s);
}

leat_status lt_scores_know(lt_scores *s, const leat_model *m, int64_t version, int64_t numbers, leat_error *err) {
  score_version v = {.version = version, .schema = lt_model_schema(m)};
  leat_status st = lt_model_get_i64(m, "n_classes", &v.classes, err);
  score_ring *r = s->ring, *fresh = NULL;
  if (!st && (!r || r->numbers < numbers)) {
    st = ring_create(s->rt, s->slots, r && 2 * r->numbers > numbers ? 2 * r->numbers : numbers < 4 ? 4 : numbers, &fresh, err);
    if (fresh) {
      fresh->older = r;
      __atomic_store_n(&s->ring, fresh, __ATOMIC_RELEASE);
    }
  }
  if (st) return st;
  for (int64_t i = 0; i < s->n_versions; i++)
    if (s->version[i].version == version) return LEAT_OK;
  if (s->n_versions == SCORES_VERSIONS) { /* the one that was made known first */
    lt_schema_free(s->version[0].schema);
    memmove(s->version, s->version + 1, (SCORES_VERSIONS - 1) * sizeof s->version[0]);
    s->n_versions--;
  }
  lt_schema_ref(v.schema);
  s->version[s->n_versions++] = v;
  return LEAT_OK;
}

/* ---------------------------------------------------------------------------------------------- labels */

static const score_version *scores_version(const lt_scores *s, int64_t version) {
  for (int64_t i = 0; i < s->n_versions; i++)
    if (s->version[i].version == version) return &s->version[i];
  return NULL;
}

/* The label as this version counts: a number, or a class, -1 for one that it does not have. 0: it is no number. */
static int score_truth(const score_version *v, const char *label, uint64_t size, double *y) {
  int64_t target = lt_schema_role(v->schema, LEAT_ROLE_TARGET);
  const lt_column *c = target < 0 ? NULL : &v->schema->col[target];
  if (v->classes && c && c->labels) *y = (double)lt_dict_find(c->labels, label, size);
  else if (!lt_parse_f64(label, label + size, y) || !isfinite(*y)) return 0;
  return 1;
}

static double score_sure(const score_version *v, const double *p, int64_t n, double y) {
  if (y < 0 || y >= (double)v->classes) return 0;
  if (n > 1) return y < (double)n ? p[(int64_t)y] : 0;
  return y == 1 ? p[0] : 1 - p[0];
}

/* Log-loss, cut at 3; for numbers Huber's, in units of the faded error of what was answered: the guard's losses. */
static double score_loss(const score_version *v, const double *p, int64_t n, double y, double unit) {
  if (v->classes) {
    double sure = score_sure(v, p, n, y);
    return sure > SCORES_LEAST ? -log(sure) : LT_TRIAL_CLIP;
  }
  double u = fabs(y - p[0]) / unit, loss = u <= 1 ? u * u / 2 : u - 0.5;
  return loss < LT_TRIAL_CLIP ? loss : LT_TRIAL_CLIP;
}

static double score_unit(lt_scores *s, double miss) {
  double before = s->squares > 0 ? sqrt(s->square) : 0, unit = before > 0 ? before : fabs(miss);
  double most = before > 0 && s->squares >= 100 ? 8 * before : INFINITY, part = fabs(miss) < most ? fabs(miss) : most;
  if (s->squares < 1000) s->squares += 1;
  s->square += (part * part - s->square) / s->squares;
  return unit > 0 ? unit : 1;
}

/* Two classes: how often the second one came true where it was given p. More: how often the likeliest one did. */
static void score_calibration(lt_scores *s, const score_version *v, const double *p, int64_t n, double y) {
  double sure = p[0], came = y;
  for (int64_t k = 0; k < SCORES_BINS; k++) {
    s->rows[k] *= 1 - SCORES_FADE;
    s->predicted[k] *= 1 - SCORES_FADE;
    s->happened[k] *= 1 - SCORES_FADE;
  }
  if (v->classes && n == 1) came = y == 1;
  if (v->classes && n > 1) {
    int64_t best = 0;
    for (int64_t k = 1; k < n; k++)
      if (p[k] > p[best]) best = k;
    sure = p[best];
    came = y == (double)best;
  }
  if (v->classes) {
    int64_t bin = (int64_t)(sure * SCORES_BINS);
    bin = bin < 0 ? 0 : bin < SCORES_BINS ? bin : SCORES_BINS - 1;
    s->rows[bin] += 1;
    s->predicted[bin] += sure;
    s->happened[bin] += came;
    double rows = 0, off = 0;
    for (int64_t k = 0; k < SCORES_BINS; k++) {
      rows += s->rows[k];
      off += fabs(s->predicted[k] - s->happened[k]);
    }
    s->told.calibration_error = off / rows;
  }
  s->sum_predicted += sure - SCORES_FADE * s->sum_predicted;
  s->sum_happened += came - SCORES_FADE * s->sum_happened;
  s->told.calibration_ratio = s->sum_happened != 0 ? s->sum_predicted / s->sum_happened : NAN;
}

static const int64_t delay_bound[LEAT_DELAY_BUCKETS - 1] = {100000000,      1000000000,      10000000000,     60000000000,
                                                            300000000000,   1800000000000,   3600000000000,   21600000000000,
                                                            86400000000000, 259200000000000, 604800000000000};
int lt_delay_bucket(int64_t delay_ns) {
  int b = 0;
  while (b < LEAT_DELAY_BUCKETS - 1 && delay_ns > delay_bound[b]) b++;
  return b;
}

/* Both predicted it: the trial hears of it. Which is which, the note says. */
static void score_pair(lt_trial *t, const int64_t pair[2], const score_head *h, const double loss[2]) {
  int c = h->candidate;
  if (!t || c < 0 || c > 1 || h->version[c] != pair[0] || h->version[1 - c] != pair[1]) return;
  lt_trial_pair(t, loss[c], loss[1 - c], c == 0);
}

static leat_status score_one(lt_scores *s, const lt_waiting *w, const char *label, uint64_t size, lt_trial *t, const int64_t pair[2],
                             leat_error *err) {
  score_head h;
  double loss[2] = {0, 0}, unit = 1;
  memcpy(&h, w->row, sizeof h);
  for (int i = 0; i < 2 && h.n[i] > 0; i++) {
    const score_version *v = scores_version(s, h.version[i]);
    const double *p = w->served + (i ? h.n[0] : 0);
    double y;
    if (!v) { /* long gone */
      s->told.unscored++;
      return LEAT_OK;
    }
    if (!score_truth(v, label, size, &y))
      return lt_fail(err, LEAT_E_DATA, "the label '%.*s' is no finite number, which version %lld predicts", (int)(size < 60 ? size : 60),
                     label, (long long)v->version);
    if (i == 0 && !v->classes) unit = score_unit(s, y - p[0]);
    loss[i] = score_loss(v, p, h.n[i], y, unit);
    if (i == 0) score_calibration(s, v, p, h.n[0], y);
  }
  s->told.scored++;
  double part = s->told.scored < 1000 ? (double)s->told.scored : 1000;
  s->told.loss = s->told.scored == 1 ? loss[0] : s->told.loss + (loss[0] - s->told.loss) / part;
  if (h.n[1] > 0) score_pair(t, pair, &h, loss);
  return LEAT_OK;
}

leat_status lt_scores_label(lt_scores *s, const uint64_t key[2], const char *label, uint64_t size, lt_trial *t,
                            const int64_t pair[2], int64_t *matched, leat_error *err) {
  lt_waiting w;
  int64_t now = lt_now_ns(s->rt);
  *matched = 0;
  leat_status st = lt_scores_drain(s, err);
  if (st) return st;
  if (!lt_pending_find(s->waiting, key, 2 * sizeof *key, &w)) {
    s->told.unmatched++;
    return LEAT_OK;
  }
  int64_t delay = now > w.time_ns ? now - w.time_ns : 0;
  st = score_one(s, &w, label, size, t, pair, err);
  if (st) return st; /* it goes on waiting for a label that can be read */
  s->told.delay[lt_delay_bucket(delay)]++;
  s->told.delay_seconds += (double)delay / 1e9;
  s->told.last_label_ns = now;
  (void)lt_pending_remove(s->waiting, key, 2 * sizeof *key);
  *matched = 1;
  return LEAT_OK;
}

void lt_scores_get_state(const lt_scores *s, leat_score_state *out) {
  uint64_t given = out->struct_size;
  *out = s->told;
  out->struct_size = given;
  out->noted = __atomic_load_n(&s->noted, __ATOMIC_RELAXED);
  out->dropped = __atomic_load_n(&s->dropped, __ATOMIC_RELAXED);
  out->waiting = lt_pending_count(s->waiting);
}
