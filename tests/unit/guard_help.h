/* A trainer with a guard, and streams for it. */
#ifndef LEAT_TESTS_GUARD_HELP_H
#define LEAT_TESTS_GUARD_HELP_H
#include "lifecycle/guard.h"
#include "online_help.h"
static const lt_param_def gd_defs[] = {LT_GUARD_PARAMS};
static const lt_spec gd_spec = {"test/guard", "The guard's.", gd_defs, (int64_t)(sizeof gd_defs / sizeof gd_defs[0])};
typedef struct gd_run {
  leat_runtime *rt;
  leat_params *model, *settings;
  lt_online_trainer *o;
  lt_guard *g;
  lt_guard_event event[256]; /* all events so far */
  int64_t n_events;
} gd_run;
/* settings NULL: no guard. */
static inline void gd_open(gd_run *u, leat_runtime *rt, const char *model, const char *settings) {
  leat_error e = tr_error();
  memset(u, 0, sizeof *u);
  u->rt = rt;
  u->model = on_params(rt, model);
  if (settings) {
    TR_OK(lt_params_create(rt, &gd_spec, &u->settings, &e), &e);
    while (*settings) {
      char name[64] = {0}, value[64] = {0};
      size_t n = strcspn(settings, "=");
      memcpy(name, settings, n);
      settings += n + 1;
      n = strcspn(settings, " ");
      memcpy(value, settings, n);
      settings += n;
      while (*settings == ' ') settings++;
      TR_OK(lt_params_set_text(u->settings, name, value, &e), &e);
    }
  }
  TR_OK(lt_online_open(rt, u->model, NULL, &u->o, &e), &e);
  TR_OK(lt_guard_create(u->o, u->settings, &u->g, &e), &e);
}
static inline void gd_close(gd_run *u) {
  lt_guard_free(u->g);
  lt_online_close(u->o);
  lt_params_free(u->settings);
  leat_params_free(u->model);
}
static inline void gd_events(gd_run *u) {
  lt_guard_event v;
  while (lt_guard_event_next(u->g, &v))
    if (u->n_events < 256) u->event[u->n_events++] = v;
}
static inline int64_t gd_count(const gd_run *u, int32_t kind, int64_t from, int64_t to) {
  int64_t n = 0;
  for (int64_t i = 0; i < u->n_events; i++)
    n += (kind == 0 ? u->event[i].kind >= LEAT_EVENT_ROLLBACK && u->event[i].kind <= LEAT_EVENT_UNDO : u->event[i].kind == kind) &&
         u->event[i].row >= from && u->event[i].row < to;
  return n;
}
/* Rows of a batch, by calls of `call`. */
static inline void gd_learn(gd_run *u, leat_batch *b, int64_t call) {
  leat_error e = tr_error();
  lt_rows v;
  int64_t done = 0;
  lt_batch_rows(b, &v);
  TR_OK(lt_online_bind(u->o, lt_batch_schema(b), 1, &e), &e);
  TR_OK(lt_online_check(u->o, &v, NULL, &e), &e);
  for (int64_t at = 0; at < v.n; at += done) {
    lt_guard_call c = {0};
    c.rows = &v;
    c.from = at;
    c.n = v.n - at < call ? v.n - at : call;
    TR_OK(lt_guard_learn(u->g, &c, &done, &e), &e);
    gd_events(u);
  }
}
/* The live model's, the scores' and (own) the guard's bytes (lt_put_free). */
static inline void gd_bytes(const gd_run *u, lt_put *w, int own) {
  lt_put_init(w, u->rt);
  lt_online_save(u->o->m, w);
  lt_progressive_save(u->o->progress, w);
  lt_put_i64(w, u->o->learned);
  lt_put_i64(w, u->o->n_golden);
  if (own) lt_guard_save(u->g, w);
}
static inline void gd_same(const gd_run *a, const gd_run *b, int own) {
  lt_put x, y;
  gd_bytes(a, &x, own);
  gd_bytes(b, &y, own);
  assert_int_equal(x.size, y.size);
  assert_memory_equal(x.data, y.data, x.size);
  lt_put_free(&x);
  lt_put_free(&y);
}
/* n dense rows of `cols` numbers, two labels; concept turns the weights; noise: share of labels thrown. */
static inline leat_batch *gd_dense(leat_runtime *rt, leat_schema *s, int64_t n, int64_t cols, int concept, double noise, int flip,
                                   uint64_t seed) {
  leat_error e = tr_error();
  leat_batch *b = NULL;
  lt_rng r, w;
  double *x = malloc((size_t)(n * cols) * sizeof *x), *y = malloc((size_t)n * sizeof *y), *k = malloc((size_t)cols * sizeof *k);
  if (!x || !y || !k) exit(1);
  lt_rng_init(&r, seed, 11);
  lt_rng_init(&w, 5, (uint64_t)concept);
  for (int64_t j = 0; j < cols; j++) k[j] = 1.5 * lt_rng_normal(&w);
  for (int64_t i = 0; i < n; i++) {
    double m = 0.3;
    for (int64_t j = 0; j < cols; j++) m += k[j] * (x[i * cols + j] = lt_rng_normal(&r));
    y[i] = lt_rng_unit(&r) < noise ? lt_rng_unit(&r) < 0.5 : m > 0;
    if (flip) y[i] = 1 - y[i];
  }
  TR_OK(lt_batch_create(rt, s, &b, &e), &e);
  leat_matrix mx = tr_matrix(x, n, cols, LEAT_F64), my = tr_matrix(y, n, 1, LEAT_F64);
  TR_OK(lt_batch_set_dense(b, &mx, &e), &e);
  TR_OK(lt_batch_set_labels(b, &my, NULL, &e), &e);
  free(x);
  free(y);
  free(k);
  return b;
}
#endif
