/* Rows that were predicted and wait to be learned: `chunk` rows are predicted before the first of them is learned, and with
 * `label_delay` a row's label comes so many rows later. One queue, first in, first out. Part of the replay. */
#include "lifecycle/learner_inner.h"
#include <string.h>

static void block_close(leat_learner *l, lt_ln_block *b) {
  lt_batch_free(b->rows);
  lt_free(l->rt, b->served);
  lt_free(l->rt, b->sequence);
  lt_free(l->rt, b->index);
  memset(b, 0, sizeof *b);
}

void lt_ln_queue_free(leat_learner *l) {
  for (uint64_t i = 0; i < l->n_blocks; i++) block_close(l, &l->block[i]);
  lt_free(l->rt, l->block);
  l->block = NULL;
  l->n_blocks = l->block_cap = 0;
}

static int64_t block_rows(const lt_ln_block *b) {
  lt_rows v;
  lt_batch_rows(b->rows, &v);
  return v.n;
}

/* The block that rows of a schema with n_served numbers each go to. */
static leat_status block_for(leat_learner *l, uint32_t schema, int64_t n_served, lt_ln_block **out, leat_error *err) {
  leat_schema *s = l->schema[schema].s;
  lt_ln_block *last = l->n_blocks ? &l->block[l->n_blocks - 1] : NULL;
  *out = last;
  if (last && last->schema == schema && lt_batch_schema(last->rows) == s && last->n_served == n_served && block_rows(last) < LT_LN_BLOCK)
    return LEAT_OK;
  leat_status st = lt_grow(l->rt, (void **)&l->block, &l->block_cap, l->n_blocks + 1, sizeof *l->block, err);
  if (st) return st;
  lt_ln_block *b = &l->block[l->n_blocks];
  memset(b, 0, sizeof *b);
  st = lt_batch_create(l->rt, s, &b->rows, err);
  if (st) return st;
  b->schema = schema;
  b->n_served = n_served;
  l->n_blocks++;
  *out = b;
  return LEAT_OK;
}

static leat_status block_room(leat_learner *l, lt_ln_block *b, int64_t n, leat_error *err) {
  leat_status st = lt_grow(l->rt, (void **)&b->served, &b->served_cap, (uint64_t)(n * b->n_served), sizeof *b->served, err);
  if (!st) st = lt_grow(l->rt, (void **)&b->sequence, &b->sequence_cap, (uint64_t)n, sizeof *b->sequence, err);
  if (!st) st = lt_grow(l->rt, (void **)&b->index, &b->index_cap, (uint64_t)n, sizeof *b->index, err);
  return st;
}

/* Rows [from, from + n) go behind the others, with predictions p. */
static leat_status queue_push(leat_learner *l, const lt_ln_take *t, int64_t from, int64_t n, const double *p, int64_t n_served,
                              leat_error *err) {
  while (n > 0) {
    lt_ln_block *b;
    leat_status st = block_for(l, t->schema, n_served, &b, err);
    if (st) return st;
    int64_t have = block_rows(b), some = LT_LN_BLOCK - have < n ? LT_LN_BLOCK - have : n;
    lt_rows v = t->rows;
    v.schema = l->schema[t->schema].s;
    st = block_room(l, b, have + some, err);
    if (!st) st = lt_batch_append(b->rows, &v, from, some, err);
    if (st) return st;
    memcpy(b->served + have * n_served, p, (size_t)(some * n_served) * sizeof *p);
    for (int64_t i = 0; i < some; i++) {
      b->sequence[have + i] = t->sequence;
      b->index[have + i] = from + i;
    }
    l->queued += some;
    from += some;
    n -= some;
    p += some * n_served;
  }
  return LEAT_OK;
}

static leat_status queue_learn(leat_learner *l, int64_t due, leat_error *err) {
  leat_status st = LEAT_OK;
  while (due > 0 && l->n_blocks > 0 && !st) {
    lt_ln_block *b = &l->block[0];
    lt_rows v;
    lt_batch_rows(b->rows, &v);
    int64_t n = v.n - b->from < due ? v.n - b->from : due;
    lt_ln_stretch s = {&v, b->schema, b->from, n, b->served + b->from * b->n_served, b->n_served, 0, b->sequence + b->from,
                       b->index + b->from, NULL, 0};
    st = lt_ln_learn(l, &s, err);
    if (st) return st;
    b->from += n;
    l->queued -= n;
    due -= n;
    if (b->from < v.n || (l->n_blocks == 1 && v.n < LT_LN_BLOCK)) continue;
    block_close(l, b);
    l->n_blocks--;
    memmove(l->block, l->block + 1, (size_t)l->n_blocks * sizeof *l->block);
  }
  return st;
}

leat_status lt_ln_queue(leat_learner *l, const lt_ln_take *t, int64_t from, int64_t n, leat_error *err) {
  lt_online_trainer *o = l->o;
  leat_status st = LEAT_OK;
  while (n > 0 && !st) {
    int64_t some = l->chunk - l->chunk_fill < n ? l->chunk - l->chunk_fill : n, outs = o->m->n_models;
    st = lt_online_bind(o, l->schema[t->schema].s, 1, err);
    if (!st) st = lt_online_reserve(o, &t->rows, err);
    if (!st) st = lt_ln_out(l, some, outs, err);
    for (int64_t i = 0; i < some && !st; i++) {
      lt_online_look(o, &t->rows, from + i);
      lt_online_link(o->m, o->mixed, l->out + i * outs);
      lt_ln_show(t->pred, t->pred_first + from + i, l->out + i * outs, outs);
    }
    if (!st) st = queue_push(l, t, from, some, l->out, outs, err);
    if (st) return st;
    from += some;
    n -= some;
    l->chunk_fill += some;
    if (l->chunk_fill < l->chunk) continue;
    l->chunk_fill = 0;
    st = queue_learn(l, l->queued - l->delay, err);
  }
  return st;
}

/* ---------------------------------------------------------------------------------------------- checkpoints */

void lt_ln_queue_save(const leat_learner *l, lt_put *w) {
  lt_put_i64(w, l->chunk_fill);
  lt_put_u64(w, l->n_blocks);
  for (uint64_t i = 0; i < l->n_blocks; i++) {
    const lt_ln_block *b = &l->block[i];
    lt_rows v;
    lt_batch_rows(b->rows, &v);
    lt_put_u32(w, b->schema);
    lt_put_i64(w, b->from);
    lt_put_i64(w, b->n_served);
    lt_put_i64(w, v.n);
    lt_put_raw(w, b->sequence, (uint64_t)v.n * 8);
    lt_put_raw(w, b->index, (uint64_t)v.n * 8);
    lt_put_raw(w, b->served, (uint64_t)(v.n * b->n_served) * 8);
    if (v.n > 0) lt_batch_save(&v, w);
  }
}

static leat_status block_restore(leat_learner *l, lt_get *g, lt_ln_block *b, leat_error *err) {
  lt_rows v = {0};
  b->schema = lt_get_u32(g);
  b->from = lt_get_i64(g);
  b->n_served = lt_get_i64(g);
  int64_t n = lt_get_i64(g);
  if (b->schema >= l->n_schemas || b->n_served < 1 || b->n_served > LT_ONLINE_CLASSES || n < 0 || n > LT_LN_BLOCK || b->from < 0 ||
      b->from > n)
    lt_get_fail(g, LEAT_E_FORMAT);
  if (g->failed) return LEAT_OK;
  leat_status st = block_room(l, b, n, err);
  const void *sequence = st ? NULL : lt_get_raw(g, (uint64_t)n * 8);
  const void *index = st ? NULL : lt_get_raw(g, (uint64_t)n * 8);
  const void *served = st ? NULL : lt_get_raw(g, (uint64_t)(n * b->n_served) * 8);
  if (st || g->failed) return st;
  if (n > 0) {
    memcpy(b->sequence, sequence, (size_t)n * 8);
    memcpy(b->index, index, (size_t)n * 8);
    memcpy(b->served, served, (size_t)(n * b->n_served) * 8);
    st = lt_batch_load(l->rt, l->schema[b->schema].s, g, &b->rows, err);
  } else {
    st = lt_batch_create(l->rt, l->schema[b->schema].s, &b->rows, err);
  }
  if (st || !b->rows) return st;
  lt_batch_rows(b->rows, &v);
  if (v.n != n) lt_get_fail(g, LEAT_E_FORMAT);
  l->queued += n - b->from;
  return LEAT_OK;
}

leat_status lt_ln_queue_restore(leat_learner *l, lt_get *g, leat_error *err) {
  l->chunk_fill = lt_get_i64(g);
  uint64_t n = lt_get_count(g, 28, UINT32_MAX);
  if (l->chunk_fill < 0 || l->chunk_fill >= l->chunk) lt_get_fail(g, LEAT_E_FORMAT);
  leat_status st = g->failed ? LEAT_OK : lt_grow(l->rt, (void **)&l->block, &l->block_cap, n + 1, sizeof *l->block, err);
  for (uint64_t i = 0; i < n && !st && !g->failed; i++) {
    memset(&l->block[i], 0, sizeof l->block[i]);
    l->n_blocks = i + 1;
    st = block_restore(l, g, &l->block[i], err);
  }
  return st;
}
