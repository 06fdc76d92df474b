/* Streams, stores and short cuts for the tests of the durable learner. */
#ifndef LEAT_TESTS_LEARNER_HELP_H
#define LEAT_TESTS_LEARNER_HELP_H
#include "online_help.h"
#include "lifecycle/learner_inner.h"
#include <unistd.h>

#define LR_OK(call) TR_OK(call, &lr_e)
static leat_error lr_e = {.struct_size = sizeof lr_e};

static inline void lr_folder(char path[256]) {
  const char *base = getenv("TMPDIR");
  snprintf(path, 256, "%s/leat-learner-XXXXXX", base ? base : "/tmp");
  if (!mkdtemp(path)) fail();
}
static inline void lr_shell(const char *what, const char *a, const char *b) {
  char line[1024];
  snprintf(line, sizeof line, "%s '%s' '%s'", what, a, b);
  if (system(line) != 0) fail_msg("%s", line);
}
static inline void lr_remove(const char *path) { lr_shell("rm -rf", path, "/nonexistent/leat"); }
/* What a process that is killed now leaves: everything that was written, nothing that was in its memory. */
static inline void lr_copy(const char *from, const char *to) {
  lr_remove(to);
  lr_shell("cp -r", from, to);
}

/* name=value pairs into a fresh set of a spec. */
static inline leat_params *lr_params(leat_runtime *rt, const char *spec, const char *text) {
  leat_params *p = NULL;
  LR_OK(leat_params_create(rt, spec, &p, &lr_e));
  while (text && *text) {
    char name[64] = {0}, value[256] = {0};
    size_t n = strcspn(text, "=");
    memcpy(name, text, n);
    text += n + 1;
    n = strcspn(text, " ");
    memcpy(value, text, n);
    text += n;
    while (*text == ' ') text++;
    LR_OK(leat_params_set_text(p, name, value, &lr_e));
  }
  return p;
}

typedef struct lr_life { leat_runtime *rt; leat_store *s; leat_learner *l; } lr_life;
static inline leat_status lr_try_open(lr_life *x, leat_runtime *rt, const char *path) {
  memset(x, 0, sizeof *x);
  x->rt = rt;
  leat_status st = leat_store_open(rt, path, NULL, &x->s, &lr_e);
  if (!st) st = leat_learner_open(x->s, &x->l, &lr_e);
  return st;
}
static inline void lr_open(lr_life *x, leat_runtime *rt, const char *path) { LR_OK(lr_try_open(x, rt, path)); }
static inline void lr_create(lr_life *x, leat_runtime *rt, const char *path, const char *model, const char *settings,
                             const leat_schema *schema, const leat_model *from) {
  leat_params *p = lr_params(rt, "store", "create=1"), *m = model ? lr_params(rt, "online/linear", model) : NULL;
  leat_params *k = lr_params(rt, "learner", settings);
  memset(x, 0, sizeof *x);
  x->rt = rt;
  LR_OK(leat_store_open(rt, path, p, &x->s, &lr_e));
  LR_OK(leat_learner_create(x->s, m, k, schema, from, &x->l, &lr_e));
  leat_params_free(p);
  leat_params_free(m);
  leat_params_free(k);
}
static inline void lr_close(lr_life *x) {
  leat_learner_free(x->l);
  leat_store_free(x->s);
  x->l = NULL;
  x->s = NULL;
}
/* The process ends here: no destructor runs that could write. The memory is given back, the files stay as they are. */
static inline void lr_kill(lr_life *x) {
  x->l->stopped = 1; /* nothing is ever written again by this handle */
  lr_close(x);
}

/* ---- a stream: three numbers, a category, a label; `turn`: from this record on the label says the opposite */
typedef struct lr_stream { int64_t classes, turn, back; uint64_t seed; } lr_stream;
static inline leat_schema *lr_schema(leat_runtime *rt, const lr_stream *w, int key) {
  static const char *const label[] = {"no", "yes", "maybe", "later"};
  leat_schema *s = NULL;
  LR_OK(leat_schema_create(rt, &s, &lr_e));
  if (key) LR_OK(leat_schema_add_column(s, "id", LEAT_ID, LEAT_ROLE_KEY, &lr_e));
  for (int i = 0; i < 3; i++) {
    char name[4] = {'x', (char)('0' + i), 0};
    if (key != 2) LR_OK(leat_schema_add_column(s, name, LEAT_NUMBER, LEAT_ROLE_FEATURE, &lr_e));
  }
  if (key != 2) {
    LR_OK(leat_schema_add_column(s, "plan", LEAT_CATEGORY, LEAT_ROLE_FEATURE, &lr_e));
    for (int i = 0; i < 3; i++) {
      char name[2] = {(char)('a' + i), 0};
      LR_OK(leat_schema_add_category(s, key ? 4 : 3, name, &lr_e));
    }
  }
  int64_t target = key == 2 ? 1 : key ? 5 : 4;
  LR_OK(leat_schema_add_column(s, "y", w->classes ? LEAT_CATEGORY : LEAT_NUMBER, LEAT_ROLE_TARGET, &lr_e));
  for (int64_t k = 0; k < w->classes; k++) LR_OK(leat_schema_add_category(s, target, label[k], &lr_e));
  return s;
}
static inline void lr_record(const lr_stream *w, int64_t i, double x[3], char plan[2], char y[32]) {
  static const char *const label[] = {"no", "yes", "maybe", "later"};
  lt_rng r;
  double m = 0;
  lt_rng_init(&r, w->seed, (uint64_t)i + 11);
  for (int k = 0; k < 3; k++) {
    x[k] = lt_rng_normal(&r);
    m += x[k] * (k + 1);
  }
  plan[0] = (char)('a' + (int)lt_rng_below(&r, 3));
  plan[1] = 0;
  if (plan[0] == 'b') m += 1;
  m += 0.5 * lt_rng_normal(&r);
  if (w->turn && i >= w->turn && i < w->back) m = -m;
  if (w->classes == 0) snprintf(y, 32, "%.17g", m);
  else if (w->classes == 2) snprintf(y, 32, "%s", label[m > 0]);
  else snprintf(y, 32, "%s", label[m < -1.5 ? 0 : m < 0 ? 1 : m < 1.5 ? 2 : w->classes - 1]);
}
enum { LR_PLAIN, LR_NO_LABEL, LR_LABELS };
/* Appends record i. key: 0 no such column; 1 rows by key; 2 labels by key. what: LR_*. */
static inline void lr_add(const lr_stream *w, leat_batch *b, int64_t i, int key, int what) {
  char text[6][32], plan[2], y[32];
  double x[3];
  const char *field[6];
  uint64_t n = 0;
  lr_record(w, i, x, plan, y);
  if (key) {
    snprintf(text[n], 32, "k%lld", (long long)i);
    field[n] = text[n];
    n++;
  }
  if (key != 2) {
    for (int k = 0; k < 3; k++) {
      snprintf(text[n], 32, "%.17g", x[k]);
      field[n] = text[n];
      n++;
    }
    field[n++] = plan;
  }
  field[n++] = what == LR_NO_LABEL ? "" : y;
  LR_OK(leat_batch_add_text(b, field, n, &lr_e));
}
static inline leat_batch *lr_batch(leat_runtime *rt, const lr_stream *w, leat_schema *s, int64_t from, int64_t n, int key, int what) {
  leat_batch *b = NULL;
  LR_OK(leat_batch_create(rt, s, &b, &lr_e));
  for (int64_t i = from; i < from + n; i++) lr_add(w, b, i, key, what);
  return b;
}
/* Feeds records [the source's position, to), `call` a call. */
static inline void lr_feed(lr_life *x, const lr_stream *w, leat_schema *s, int64_t to, int64_t call) {
  int64_t at = 0;
  LR_OK(leat_learner_position(x->l, "stream", &at, &lr_e));
  while (at < to) {
    int64_t n = to - at < call ? to - at : call;
    leat_batch *b = lr_batch(x->rt, w, s, at, n, 0, LR_PLAIN);
    LR_OK(leat_batch_set_source(b, "stream", at, &lr_e));
    LR_OK(leat_learner_feed(x->l, b, NULL, &lr_e));
    leat_batch_free(b);
    at += n;
  }
}

/* ---- how a life ends */
typedef struct lr_end {
  unsigned char *model;
  uint64_t size;
  double metric[5][8];
  leat_learner_state state;
  int64_t held, events;
  uint64_t held_sum, event_sum;
} lr_end;
static inline uint64_t lr_mix(uint64_t a, const void *p, uint64_t n) { return lt_hash64(p, n, a); }
static inline void lr_finish(lr_life *x, lr_end *o) {
  static const char *const names[] = {"rows", "loss", "accuracy", "kappa", "auc", "rmse", "mae", "brier"};
  leat_model *m = NULL;
  memset(o, 0, sizeof *o);
  LR_OK(leat_learner_live(x->l, &m, &lr_e));
  leat_model_save_bytes(m, NULL, 0, &o->size, NULL);
  o->model = malloc(o->size);
  LR_OK(leat_model_save_bytes(m, o->model, o->size, &o->size, &lr_e));
  leat_model_free(m);
  for (int s = 0; s < 5; s++) {
    leat_metrics *k = NULL;
    LR_OK(leat_learner_metrics(x->l, s, &k, &lr_e));
    for (int i = 0; i < 8; i++)
      if (leat_metrics_value(k, names[i], &o->metric[s][i], NULL)) o->metric[s][i] = -1;
    leat_metrics_free(k);
  }
  o->state.struct_size = sizeof o->state;
  LR_OK(leat_learner_get_state(x->l, &o->state, &lr_e));
  o->state.model_age_ns = o->state.journal_bytes = 0;
  memset(o->state.label_delay, 0, sizeof o->state.label_delay); /* of the clock, and since it was opened */
  o->state.label_delay_seconds = 0;
  leat_event e = {.struct_size = sizeof e};
  for (int64_t cursor = 0; leat_learner_next_event(x->l, &cursor, &e, NULL) == LEAT_OK; o->events++) {
    int64_t v[3] = {e.kind, e.row, e.version};
    o->event_sum = lr_mix(o->event_sum, v, sizeof v);
    o->event_sum = lr_mix(o->event_sum, e.text, strlen(e.text));
  }
  leat_held_info h = {.struct_size = sizeof h};
  for (int64_t cursor = 0; lt_quarantine_next(lt_learner_quarantine(x->l), 0, &cursor, &h, NULL) == LEAT_OK; o->held++) {
    int64_t v[5] = {h.id, h.reason, h.column, h.position, h.row};
    o->held_sum = lr_mix(o->held_sum, v, sizeof v);
    o->held_sum = lr_mix(o->held_sum, h.detail, strlen(h.detail));
    o->held_sum = lr_mix(o->held_sum, h.source, strlen(h.source));
  }
}
static inline void lr_same_model(const lr_end *a, const lr_end *b) {
  assert_int_equal(a->size, b->size);
  assert_memory_equal(a->model, b->model, a->size);
  assert_memory_equal(a->metric, b->metric, sizeof a->metric);
}
static inline void lr_same(const lr_end *a, const lr_end *b) {
  lr_same_model(a, b);
  assert_int_equal(a->held, b->held);
  assert_int_equal(a->events, b->events);
  assert_true(a->held_sum == b->held_sum);
  assert_true(a->event_sum == b->event_sum);
  leat_learner_state x = a->state, y = b->state; /* how long labels were waited for is the clock's, and of this opening */
  memset(x.label_delay, 0, sizeof x.label_delay);
  memset(y.label_delay, 0, sizeof y.label_delay);
  x.label_delay_seconds = y.label_delay_seconds = 0;
  assert_memory_equal(&x, &y, sizeof x);
}
static inline void lr_drop(lr_end *o) { free(o->model); }
#endif
