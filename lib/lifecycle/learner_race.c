/* The race: learners of other parameters (learner, rates, hash_bits, ...) learn the same records beside the champion, which is the
 * live model. Each bets on being better than the champion and, the other way round, on being worse (the guard's
 * restarted e-process, 5 % margin): who is better beyond doubt becomes the champion, who is worse beyond doubt in some windows
 * in a row is dropped: one that only begins slowly is not. A stretch in which a racer is better is not enough for the crown: it must
 * also be ahead over the last ten thousand records or so, by its true loss, not the one that is clipped for bets.
 * Decisions fall at the ends of the guard's windows only, so that they do not depend on how calls are cut. */
#include "lifecycle/learner_inner.h"
#include "stats/evidence.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define RACE_RECORDS 10000.0 /* what counts for who is ahead */
#define RACE_SUREST 1e-6     /* losses by what counts at most: the log of it, */
#define RACE_FARTHEST 20.0   /* usual misses */
enum { RACE_MOST = 8, RACE_LOST = 4 }; /* racers; windows in a row that a loser has lost */

typedef struct racer {
  leat_params *params;
  lt_online_trainer *o;      /* NULL: not begun */
  lt_guard *g;               /* of o, with nothing to guard: its loop over rows */
  int32_t dropped;
  int32_t lost;              /* windows lost beyond doubt, one after the other */
  lt_evidence better, worse; /* than the champion; worse: in this window */
  double ahead, records;     /* the champion's loss less its own, over so many records */
} racer;
struct lt_ln_race {
  racer r[RACE_MOST];
  int n;
  lt_evidence_unit unit;     /* numbers: of the champion's error */
  double *p;
  uint64_t p_cap;
};

/* ---------------------------------------------------------------------------------------------- life */

static void racer_stop(leat_learner *l, racer *r) {
  (void)l;
  lt_guard_free(r->g);
  lt_online_close(r->o);
  r->g = NULL;
  r->o = NULL;
}

void lt_ln_race_free(leat_learner *l) {
  if (!l->race) return;
  for (int k = 0; k < l->race->n; k++) {
    racer_stop(l, &l->race->r[k]);
    lt_params_free(l->race->r[k].params);
  }
  lt_free(l->rt, l->race->p);
  lt_free(l->rt, l->race);
  l->race = NULL;
}

/* The end of NAME=VALUE: a comma before what is no NAME=... stands in the value, which is a list. */
static const char *entry_end(const char *text, const char *end) {
  for (;;) {
    const char *stop = memchr(text, ',', (size_t)(end - text));
    if (!stop) return end;
    const char *next = memchr(stop + 1, ',', (size_t)(end - stop - 1));
    if (!next) next = end;
    if (memchr(stop + 1, '=', (size_t)(next - stop - 1))) return stop;
    text = stop + 1;
  }
}

/* "learner=coin,hash_bits=20" onto a copy of the model's own. */
static leat_status race_entry(leat_learner *l, const char *text, size_t n, racer *r, leat_error *err) {
  enum { LONGEST = 1024 };
  leat_status st = lt_params_copy(l->model, &r->params, err);
  leat_error why = {.struct_size = sizeof why};
  for (const char *end = text + n; text < end && !st;) {
    char name[64] = {0}, value[LONGEST] = {0};
    while (text < end && *text == ' ') text++;
    const char *stop = entry_end(text, end), *eq = memchr(text, '=', (size_t)(stop - text));
    if (!eq || eq == text || eq - text > 63 || stop - eq > LONGEST)
      return lt_fail(err, LEAT_E_ARG, "race '%.*s': expected NAME=VALUE,... of the model for each learner, ';' between learners", (int)(stop - text), text);
    memcpy(name, text, (size_t)(eq - text));
    memcpy(value, eq + 1, (size_t)(stop - eq - 1));
    st = lt_params_set_text(r->params, name, value, &why);
    if (st) return lt_fail(err, st == LEAT_E_MEMORY ? st : LEAT_E_ARG, "race: %.400s", why.message);
    text = stop + 1;
  }
  return st;
}

leat_status lt_ln_race_open(leat_learner *l, leat_error *err) {
  const char *text = lt_param_str(l->settings, "race");
  leat_status st = LEAT_OK;
  if (!text || !text[0]) return LEAT_OK;
  l->race = lt_zalloc(l->rt, sizeof *l->race);
  if (!l->race) return lt_fail_memory(err, sizeof *l->race, "a race");
  for (const char *at = text; at && !st;) {
    const char *end = strchr(at, ';');
    size_t n = end ? (size_t)(end - at) : strlen(at);
    if (l->race->n == RACE_MOST) return lt_fail(err, LEAT_E_ARG, "race: at most %d learners race beside the model's own", RACE_MOST);
    if (n > 0) st = race_entry(l, at, n, &l->race->r[l->race->n++], err);
    at = end ? end + 1 : NULL;
  }
  return st;
}

int lt_ln_races(const leat_learner *l) { return l->race != NULL; }

/* ---------------------------------------------------------------------------------------------- events */

/* What tells these parameters from the others: name=value of all that are not the default. */
static void race_text(const leat_params *p, char *to, size_t cap) {
  size_t at = 0;
  to[0] = 0;
  for (int64_t i = 0; i < lt_params_spec(p)->count; i++) {
    leat_param_info info = {.struct_size = sizeof info};
    char value[128];
    uint64_t needed;
    if (lt_params_info(p, i, &info, NULL) || lt_params_get_text(p, info.name, value, sizeof value, &needed, NULL)) continue;
    if (strcmp(value, info.default_text) == 0 || at + strlen(info.name) + strlen(value) + 4 > cap) continue;
    at += (size_t)snprintf(to + at, cap - at, "%s%s=%s", at ? "," : "", info.name, value);
  }
  if (!to[0]) snprintf(to, cap, "defaults");
}

static leat_status race_tell(leat_learner *l, const char *name, const leat_params *p, double value, double threshold, int64_t from,
                             leat_error *err) {
  leat_event e = {0};
  char text[160];
  e.kind = LEAT_EVENT_RACE;
  e.version = l->live_version;
  e.value = value;
  e.threshold = threshold;
  race_text(p, text, sizeof text);
  snprintf(e.name, sizeof e.name, "%s", name);
  if (from >= 0) snprintf(e.text, sizeof e.text, "%s: from version %lld to %lld", text, (long long)from, (long long)l->live_version);
  else snprintf(e.text, sizeof e.text, "%s", text);
  return lt_ln_event(l, &e, err);
}

/* ---------------------------------------------------------------------------------------------- rows */

/* A racer begins with the champion's schema. */
static leat_status racer_begin(leat_learner *l, racer *r, leat_error *err) {
  leat_status st = lt_online_open(l->rt, r->params, NULL, &r->o, err);
  if (!st) st = lt_online_begin(r->o, l->o->schema, err);
  if (!st) st = lt_guard_create(r->o, NULL, &r->g, err);
  if (st) racer_stop(l, r);
  return st;
}

/* One whose parameters do not suit the columns is out, and says why; the others race. */
static leat_status racer_refuse(leat_learner *l, racer *r, const char *why, leat_error *err) {
  leat_event e = {0};
  r->dropped = 1;
  e.kind = LEAT_EVENT_RACE;
  e.version = l->live_version;
  snprintf(e.name, sizeof e.name, "refused");
  snprintf(e.text, sizeof e.text, "%.250s", why);
  return lt_ln_event(l, &e, err);
}

/* Room for those in front goes first; classes that the champion has met by now are counted before a racer's model grows. One
 * that does not fit any more is dropped. */
static leat_status race_begin(leat_learner *l, leat_error *err) {
  int64_t room = lt_param_int(l->settings, "race_bytes");
  leat_status st = LEAT_OK;
  for (int k = 0; k < l->race->n && !st; k++) {
    racer *r = &l->race->r[k];
    leat_error why = {.struct_size = sizeof why};
    uint64_t one = r->o ? lt_online_model_bytes(r->o->m) : 0;
    if (r->dropped) continue;
    if (!r->o) st = lt_online_suits(l->rt, r->params, l->o->schema, &one, &why);
    if (st == LEAT_E_MEMORY) return lt_fail(err, st, "%s", why.message);
    if (st) {
      st = racer_refuse(l, r, why.message, err);
      continue;
    }
    int64_t bytes = (int64_t)one * l->o->m->n_models;
    if (bytes <= room) {
      room -= bytes;
      if (!r->o) st = racer_begin(l, r, err);
      continue;
    }
    racer_stop(l, r);
    r->dropped = 1;
    st = race_tell(l, "memory", r->params, (double)bytes, (double)room, -1, err);
  }
  return st;
}

leat_status lt_ln_race_check(leat_learner *l, leat_error *err) {
  leat_status st = LEAT_OK;
  for (int k = 0; l->race && k < l->race->n && !st; k++) {
    leat_error why = {.struct_size = sizeof why};
    uint64_t bytes;
    st = lt_online_suits(l->rt, l->race->r[k].params, l->o->schema, &bytes, &why);
    if (st) lt_fail(err, st, "race: %.400s", why.message);
  }
  return st;
}

/* The probability that was given to what came true; a class that the model does not know yet had none. */
static double race_sure(const double *p, int64_t outs, double y) {
  return outs > 1 ? (int64_t)y < outs ? p[(int64_t)y] : 0 : y == 1 ? p[0] : 1 - p[0];
}

/* The loss itself, but for what no learner can be blamed for. */
static double race_whole_loss(const leat_learner *l, const double *p, int64_t outs, double y, double unit) {
  if (l->o->m->regression) {
    double u = fabs(y - *p) / unit;
    return u <= 1 ? u * u / 2 : u < RACE_FARTHEST ? u - 0.5 : RACE_FARTHEST - 0.5;
  }
  double sure = race_sure(p, outs, y);
  return sure > RACE_SUREST ? -log(sure) : -log(RACE_SUREST);
}

static double race_loss(const leat_learner *l, const double *p, int64_t outs, double y, double unit) {
  if (l->o->m->regression) return lt_evidence_number_loss(y - *p, unit);
  return lt_evidence_log_loss(race_sure(p, outs, y));
}

static leat_status racer_learn(leat_learner *l, racer *r, const lt_ln_stretch *s, int64_t n, int64_t outs, leat_error *err) {
  leat_status st = lt_online_bind(r->o, l->schema[s->schema].s, 1, err);
  for (int64_t at = 0, done = 0; at < n && !st; at += done) {
    lt_guard_call c = {s->rows, s->from + at, n - at, NULL, 0, l->race->p + at * outs, outs};
    st = lt_guard_learn(r->g, &c, &done, err);
    if (!st && done <= 0) st = lt_fail(err, LEAT_E_INTERNAL, "a racer has learned none of %lld rows", (long long)(n - at));
  }
  return st;
}

leat_status lt_ln_race_rows(leat_learner *l, const lt_ln_stretch *s, int64_t n, const double *p, int64_t outs, leat_error *err) {
  lt_ln_race *c = l->race;
  leat_status st = race_begin(l, err);
  if (!st) st = lt_grow(l->rt, (void **)&c->p, &c->p_cap, (uint64_t)(n * (outs + 1)), sizeof *c->p, err);
  double *unit = st ? NULL : c->p + n * outs;
  for (int64_t i = 0; i < n && !st; i++) { /* in front of the racers: their bets are in the champion's units */
    double y = lt_ln_own_label(l, &l->schema[s->schema], s->rows, s->from + i);
    unit[i] = l->o->m->regression && !isnan(y) ? lt_evidence_unit_of(&c->unit, y - p[i * outs]) : 1;
  }
  for (int k = 0; k < c->n && !st; k++) {
    racer *r = &c->r[k];
    if (r->dropped) continue;
    st = racer_learn(l, r, s, n, outs, err);
    for (int64_t i = 0; i < n && !st; i++) {
      double y = lt_ln_own_label(l, &l->schema[s->schema], s->rows, s->from + i);
      if (isnan(y)) continue;
      double mine = race_loss(l, c->p + i * outs, outs, y, unit[i]), theirs = race_loss(l, p + i * outs, outs, y, unit[i]);
      lt_evidence_race(&r->better, mine, theirs, LT_EVIDENCE_MARGIN);
      lt_evidence_race(&r->worse, theirs, mine, LT_EVIDENCE_MARGIN);
      double gain = race_whole_loss(l, p + i * outs, outs, y, unit[i]) - race_whole_loss(l, c->p + i * outs, outs, y, unit[i]);
      if (r->records < RACE_RECORDS) r->records += 1;
      r->ahead += (gain - r->ahead) / r->records;
    }
  }
  return st;
}

/* ---------------------------------------------------------------------------------------------- at a window's end */

/* The two trainers change models; scores, golden rows and counts stay where they are. The guard begins anew: its copies are of
 * another shape. */
static leat_status race_crown(leat_learner *l, racer *r, leat_error *err) {
  lt_online_trainer *a = l->o, *b = r->o;
  const lt_online_trainer own = *a, other = *b;
  int64_t from = l->live_version, to = 0;
  double value = lt_evidence_wealth(&r->better);
  lt_guard *fresh = NULL, *idle = NULL;
  *a = other;
  *b = own;
  a->progress = own.progress, b->progress = other.progress;
  a->golden = own.golden, b->golden = other.golden;
  a->n_golden = own.n_golden, b->n_golden = other.n_golden;
  a->golden_seen = own.golden_seen, b->golden_seen = other.golden_seen;
  a->learned = own.learned, b->learned = other.learned;
  a->labels = own.labels, b->labels = other.labels;
  a->profiles = own.profiles, b->profiles = other.profiles;
  a->n_profiles = own.n_profiles, b->n_profiles = other.n_profiles;
  leat_params *params = l->model;
  l->model = r->params;
  r->params = params;
  leat_status st = lt_guard_create(l->o, l->settings, &fresh, err);
  if (!st) st = lt_guard_create(r->o, NULL, &idle, err);
  if (st) {
    lt_guard_free(fresh);
    return st; /* the caller stops: what was journalled is done again */
  }
  lt_guard_free(l->guard);
  lt_guard_free(r->g);
  l->guard = fresh;
  r->g = idle;
  double ahead = r->ahead;
  for (int k = 0; k < l->race->n; k++) { /* from now on against the new champion, whose place the old one has */
    l->race->r[k].ahead = &l->race->r[k] == r ? -ahead : l->race->r[k].ahead - ahead;
    memset(&l->race->r[k].better, 0, sizeof r->better);
    memset(&l->race->r[k].worse, 0, sizeof r->worse);
    l->race->r[k].lost = 0;
  }
  l->n_candidates = 0;
  l->good_version = 0;
  l->swaps++;
  l->swap_row = l->o->learned;
  st = lt_ln_snapshot(l, &to, err);
  return st ? st : race_tell(l, "champion", l->model, value, lt_param_real(l->settings, "evidence"), from, err);
}

leat_status lt_ln_race_decide(leat_learner *l, leat_error *err) {
  lt_ln_race *c = l->race;
  double evidence = lt_param_real(l->settings, "evidence");
  racer *best = NULL;
  leat_status st = LEAT_OK;
  for (int k = 0; k < c->n && !st; k++) {
    racer *r = &c->r[k];
    if (r->dropped || !r->o) continue;
    double worse = lt_evidence_wealth(&r->worse);
    r->lost = worse >= evidence ? r->lost + 1 : 0;
    memset(&r->worse, 0, sizeof r->worse);
    if (r->lost >= RACE_LOST) {
      r->dropped = 1;
      racer_stop(l, r);
      st = race_tell(l, "dropped", r->params, worse, evidence, -1, err);
    } else if (lt_evidence_wealth(&r->better) >= evidence && r->ahead > 0 &&
               (!best || lt_evidence_wealth(&r->better) > lt_evidence_wealth(&best->better))) {
      best = r;
    }
  }
  return st || !best ? st : race_crown(l, best, err);
}

/* ---------------------------------------------------------------------------------------------- to bytes and back */

/* How a racer stands in a file (0: not begun), whether `ahead` follows, and above it the windows it has lost. */
enum { RACING = 1, AT_REST = 2, RACING_EDGES = 3, HAS_AHEAD = 4, LOST_SHIFT = 4 };

static void put_bets(lt_put *to, const lt_evidence *e) {
  lt_put_u64(to, LT_EVIDENCE_BETS);
  lt_evidence_save(e, to);
}

void lt_ln_race_save(const leat_learner *l, lt_put *to) {
  const lt_ln_race *c = l->race;
  lt_put_u8(to, (uint8_t)c->n);
  lt_put_f64(to, c->unit.square);
  lt_put_f64(to, c->unit.squares);
  for (int k = 0; k < c->n; k++) {
    const racer *r = &c->r[k];
    lt_params_save(r->params, to);
    int edges = r->o && lt_encoder_is_online(r->o->encoder);
    lt_put_u8(to, (uint8_t)((r->dropped ? AT_REST : !r->o ? 0 : edges ? RACING_EDGES : RACING) | HAS_AHEAD | r->lost << LOST_SHIFT));
    lt_put_f64(to, r->ahead);
    lt_put_f64(to, r->records);
    put_bets(to, &r->better);
    put_bets(to, &r->worse);
    if (!r->o) continue;
    int64_t n = r->o->labels ? lt_dict_count(r->o->labels) : 0;
    lt_put_i64(to, n);
    for (int64_t i = 0; i < n; i++) lt_put_text(to, lt_dict_text(r->o->labels, i, NULL));
    lt_online_save(r->o->m, to);
    if (edges) lt_derive_put_edges(r->o->encoder, to);
  }
}

static void get_bets(lt_get *g, lt_evidence *e) {
  if (lt_get_u64(g) != LT_EVIDENCE_BETS) lt_get_fail(g, LEAT_E_FORMAT);
  lt_evidence_load(e, g);
}

static leat_status racer_restore(leat_learner *l, racer *r, int edges, lt_get *g, leat_error *err) {
  lt_online *m = NULL;
  if (!l->o->m) lt_get_fail(g, LEAT_E_FORMAT);
  leat_status st = g->failed ? LEAT_OK : racer_begin(l, r, err);
  uint64_t n = st || g->failed ? 0 : lt_get_count(g, 8, LT_ONLINE_CLASSES);
  for (uint64_t i = 0; i < n && !st && !g->failed; i++) {
    char *text = lt_get_text(g);
    int64_t code = 0;
    if (!text || !r->o->labels) lt_get_fail(g, LEAT_E_FORMAT);
    else st = lt_dict_add(r->o->labels, text, strlen(text), &code, err);
    if (!g->failed && !st && code != (int64_t)i) lt_get_fail(g, LEAT_E_FORMAT);
    lt_free(l->rt, text);
  }
  if (!st && !g->failed) st = lt_online_load(l->rt, g, &m, err);
  if (st || g->failed) return st;
  if (!lt_online_fits(m, r->o->encoder) || !lt_online_same_kind(m, r->o->m)) {
    lt_online_free(m);
    lt_get_fail(g, LEAT_E_FORMAT);
    return LEAT_OK;
  }
  lt_online_free(r->o->m);
  r->o->m = m;
  if (edges) lt_derive_get_edges(r->o->encoder, g);
  lt_guard_disturbed(r->g);
  return m->regression ? LEAT_OK : lt_progressive_grow(r->o->progress, m->n_classes > 2 ? m->n_classes : 2, err);
}

leat_status lt_ln_race_restore(leat_learner *l, lt_get *g, leat_error *err) {
  lt_ln_race *c = l->race;
  leat_status st = LEAT_OK;
  if (!c || lt_get_u8(g) != c->n) lt_get_fail(g, LEAT_E_FORMAT);
  if (g->failed) return LEAT_OK;
  c->unit.square = lt_get_f64(g);
  c->unit.squares = lt_get_f64(g);
  if (!(c->unit.square >= 0) || !(c->unit.squares >= 0)) lt_get_fail(g, LEAT_E_FORMAT);
  for (int k = 0; k < c->n && !st && !g->failed; k++) {
    racer *r = &c->r[k];
    st = lt_params_load(r->params, g, err);
    if (st) break;
    uint8_t what = lt_get_u8(g);
    r->lost = what >> LOST_SHIFT;
    what &= (1 << LOST_SHIFT) - 1;
    if (what & HAS_AHEAD) { /* an older file: they begin at 0 */
      r->ahead = lt_get_f64(g);
      r->records = lt_get_f64(g);
      what &= HAS_AHEAD - 1;
    }
    if (what > RACING_EDGES || r->lost > RACE_LOST || !isfinite(r->ahead) || !(r->records >= 0 && r->records <= RACE_RECORDS))
      lt_get_fail(g, LEAT_E_FORMAT);
    get_bets(g, &r->better);
    get_bets(g, &r->worse);
    r->dropped = what == AT_REST;
    if ((what == RACING || what == RACING_EDGES) && !g->failed) st = racer_restore(l, r, what == RACING_EDGES, g, err);
  }
  return st;
}
