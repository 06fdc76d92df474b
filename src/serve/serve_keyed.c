/* Rows with keys. Each row's key says who answers it: what is served, or a trial's candidate; where both predict, both
 * are noted, and the label that comes later decides between them. One loan of each lasts for the whole request. */
#include "serve_infer.h"
#include <math.h>
#include <string.h>

enum { BY_CANDIDATE = 1, BY_BOTH = 2 };
typedef struct keyed {
  leat_lease lease[2];                    /* of what is served, of the candidate; without a predictor: not asked for */
  const serve_plan *plan[2];
  int said[2];                            /* its predictions of all rows are in t->y */
} keyed;

static void keep(serve_server *s, keyed *k, leat_lease *l) {
  int role = (l->flags & LEAT_LEASE_CANDIDATE) != 0;
  if (!l->predictor) return;
  if (!k->lease[role].predictor) k->lease[role] = *l;
  else leat_endpoint_release(s->endpoint, l);
}

/* Who answers which row. */
static leat_status routes(serve_request *q, infer_scratch *t, keyed *k, leat_error *err) {
  leat_status st = LEAT_OK;
  t->route = infer_room(t->route, &t->cap_route, (size_t)q->rows + 1);
  for (int64_t r = 0; r < q->rows && !st; r++) {
    leat_lease served = { .struct_size = sizeof served }, beside = { .struct_size = sizeof beside };
    const char *key = serve_cell(&t->keys, r, 0);
    st = leat_endpoint_acquire_key(q->s->endpoint, key, strlen(key), &served, &beside, err);
    t->route[r] = (uint8_t)((served.flags & LEAT_LEASE_CANDIDATE ? BY_CANDIDATE : 0) | (beside.predictor ? BY_BOTH : 0));
    keep(q->s, k, &served);
    keep(q->s, k, &beside);
  }
  if (!st && q->rows == 0) {
    k->lease[0].struct_size = sizeof k->lease[0];
    st = leat_endpoint_acquire(q->s->endpoint, &k->lease[0], err);
  }
  return st;
}

static void give_back(serve_server *s, keyed *k) {
  for (int i = 0; i < 2; i++) leat_endpoint_release(s->endpoint, &k->lease[i]);
}

/* All rows, by one of them. 0: *j or err says why not. */
static int say(serve_request *q, infer_scratch *t, keyed *k, int role, serve_json *j, leat_status *st, leat_error *err) {
  k->plan[role] = serve_plan_of(q->w, &k->lease[role], err);
  if (!k->plan[role]) {
    *st = LEAT_E_INTERNAL;
    return 0;
  }
  const serve_plan *p = k->plan[role];
  if (!infer_encode(t, &t->rows[role], p, q->rows, 0, j)) return 0;
  t->y[role] = infer_room(t->y[role], &t->cap_y[role], (size_t)(q->rows * p->out_cols + 1) * sizeof *t->y[role]);
  *st = infer_run(&t->rows[role], p, k->lease[role].predictor, q->rows, t->y[role], err);
  k->said[role] = *st == LEAT_OK;
  if (role == 0 && k->said[0] && !p->as_text && !p->sparse)
    serve_drift_note(q->s, p->version, t->rows[0].x, q->rows, p->numbers);
  return k->said[role];
}

static int row_is_finite(const double *y, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (!isfinite(y[i])) return 0;
  return 1;
}

/* Notes of every row. answered 0: somebody else has answered, and of each pair what is served stands first. */
static void notes(serve_request *q, infer_scratch *t, const keyed *k, int answered) {
  for (int64_t r = 0; r < q->rows; r++) {
    int candidate = (t->route[r] & BY_CANDIDATE) && answered, both = (t->route[r] & BY_BOTH) != 0;
    const char *key = serve_cell(&t->keys, r, 0);
    const double *said[2] = { NULL, NULL };
    if (!answered && !both) continue;
    for (int i = 0; i < 2; i++)
      if (k->said[i]) said[i] = t->y[i] + r * k->plan[i]->out_cols;
    leat_noted note = { .struct_size = sizeof note, .key = key, .key_size = strlen(key), .served = &k->lease[candidate],
      .p = said[candidate],
                        .beside = both ? &k->lease[!candidate] : NULL, .q = said[!candidate] };
    (void)leat_endpoint_note(q->s->endpoint, &note, NULL);
  }
}

static int same_classes(const serve_plan *a, const serve_plan *b) {
  int same = a->n_classes == b->n_classes && a->out_cols == b->out_cols;
  for (int64_t i = 0; same && i < a->n_classes; i++) same = strcmp(a->class_name[i], b->class_name[i]) == 0;
  return same;
}

/* The rows' answers in t->y[0], and whose they are. A row whose candidate has nothing fit to say is answered by what is
 * served; rows of both in one answer need the same classes in both, else what is served answers all. */
static const serve_plan *combine(const serve_request *q, infer_scratch *t, const keyed *k) {
  t->candidate_rows = 0;
  if (!k->said[0]) { /* nobody else was asked */
    double *y = t->y[0];
    size_t cap = t->cap_y[0];
    t->y[0] = t->y[1];
    t->cap_y[0] = t->cap_y[1];
    t->y[1] = y;
    t->cap_y[1] = cap;
    t->candidate_rows = q->rows;
    return k->plan[1];
  }
  if (!k->said[1] || !same_classes(k->plan[0], k->plan[1])) return k->plan[0];
  int64_t n = k->plan[0]->out_cols;
  for (int64_t r = 0; r < q->rows; r++) {
    if (!(t->route[r] & BY_CANDIDATE) || !row_is_finite(t->y[1] + r * n, n)) continue;
    memcpy(t->y[0] + r * n, t->y[1] + r * n, (size_t)n * sizeof(double));
    t->candidate_rows++;
  }
  return q->rows > 0 && t->candidate_rows == q->rows ? k->plan[1] : k->plan[0];
}

const serve_plan *infer_keyed(serve_request *q, infer_scratch *t, serve_json *j) {
  leat_error err = { .struct_size = sizeof err };
  keyed k = { { { 0 }, { 0 } }, { NULL, NULL }, { 0, 0 } };
  const serve_plan *p = NULL;
  leat_status st = LEAT_OK;
  int ok = infer_keys(t, q->rows, j);
  if (ok) {
    st = routes(q, t, &k, &err);
    ok = !st;
  }
  int mixed = ok && k.lease[1].predictor != NULL;
  if (mixed && !say(q, t, &k, 1, j, &st, &err)) {
    j->why[0] = 0; /* the candidate cannot take these rows: what is served answers them, and the note ends the trial */
    st = LEAT_OK;
    if (!k.lease[0].predictor) {
      k.lease[0].struct_size = sizeof k.lease[0];
      st = leat_endpoint_acquire(q->s->endpoint, &k.lease[0], &err);
      ok = !st;
    }
  }
  if (ok && mixed && k.said[1] && !k.lease[0].predictor && !row_is_finite(t->y[1], q->rows * k.plan[1]->out_cols)) {
    k.lease[0].struct_size = sizeof k.lease[0];
    ok = leat_endpoint_acquire(q->s->endpoint, &k.lease[0], &err) == LEAT_OK;
  }
  if (ok && k.lease[0].predictor) ok = say(q, t, &k, 0, j, &st, &err);
  if (ok) {
    notes(q, t, &k, 1);
    p = combine(q, t, &k);
  }
  give_back(q->s, &k);
  if (p) return p;
  if (j->why[0]) serve_error(q, 400, "%s", j->why);
  else serve_error(q, st == LEAT_E_STATE ? 503 : serve_code_of(st), "%.400s", err.message);
  return NULL;
}

void infer_beside(serve_request *q, infer_scratch *t, const serve_json *request) {
  leat_error err = { .struct_size = sizeof err };
  serve_json j = *request;
  keyed k = { { { 0 }, { 0 } }, { NULL, NULL }, { 0, 0 } };
  leat_status st = LEAT_OK;
  if (!infer_keys(t, q->rows, &j)) return;
  if (routes(q, t, &k, &err) == LEAT_OK && k.lease[0].predictor && k.lease[1].predictor && say(q, t, &k, 0, &j, &st,
                                                                                               &err)) {
    (void)say(q, t, &k, 1, &j, &st, &err);
    notes(q, t, &k, 0);
  }
  give_back(q->s, &k);
}
