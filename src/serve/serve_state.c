/* How stale the model is that answers: by its age, by the rows it has predicted, by the silence of labels. */
#include "serve.h"
#include <string.h>

const char *const serve_limit_words[STALE_LIMITS] = { "age", "rows", "silence" };
const char *const serve_stale_words[3] = { "fresh", "aging", "stale" };

/* Since it was made; for a learner's live model, since it learned last. */
static double model_age(serve_server *s) {
  leat_learner_state l = { .struct_size = sizeof l };
  leat_endpoint_state e = { .struct_size = sizeof e };
  leat_version_info v = { .struct_size = sizeof v };
  int64_t n = 0;
  if (serve_learn_state(s, &l)) return (double)(l.model_age_ns + serve_now_ns() - serve_learn_asked_ns(s)) / 1e9;
  leat_endpoint_get_state(s->endpoint, &e, NULL);
  leat_store_count(s->store, &n, NULL);
  for (int64_t i = n; i-- > 0;) {
    if (leat_store_at(s->store, i, &v, NULL) || v.version != e.version) continue;
    return (double)(serve_wall_ns() - v.created_ns) / 1e9;
  }
  return 0;
}

void serve_staleness_now(serve_server *s, serve_staleness *out) {
  leat_score_state c = { .struct_size = sizeof c };
  serve_counts all;
  double limit[STALE_LIMITS] = { (double)s->o.max_age, (double)s->o.max_rows, (double)s->o.max_silence };
  double now[STALE_LIMITS] = { 0 };
  memset(out, 0, sizeof *out);
  serve_totals(s, &all);
  leat_endpoint_get_scores(s->endpoint, &c, NULL);
  now[STALE_AGE] = out->age = model_age(s);
  now[STALE_ROWS] = (double)all.rows - (double)__atomic_load_n(&s->rows_before, __ATOMIC_RELAXED);
  if (c.last_label_ns && c.waiting) now[STALE_SILENCE] = (double)(serve_wall_ns() - c.last_label_ns) / 1e9;
  for (int i = 0; i < STALE_LIMITS; i++) {
    if (limit[i] > 0) out->used[i] = now[i] / limit[i];
    if (out->used[i] > out->used[out->worst]) out->worst = i;
  }
  out->state = out->used[out->worst] >= 1 ? 2 : out->used[out->worst] >= 0.5 ? 1 : 0;
}
