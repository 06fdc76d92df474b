/* The learner and its journal: records out and, after a crash, in again. */
#include "lifecycle/learner_inner.h"
#include <string.h>

void lt_ln_put_begin(leat_learner *l) {
  l->put.size = 0;
  l->put.failed = 0;
}

leat_status lt_ln_broken(leat_learner *l, leat_status st) {
  if (st) l->stopped = 1;
  return st;
}

leat_status lt_ln_usable(const leat_learner *l, leat_error *err) {
  if (!l->stopped) return LEAT_OK;
  return lt_fail(err, LEAT_E_STATE, "learning has stopped, because the disk failed or memory ran out: open the store again to go on");
}

leat_status lt_ln_append(leat_learner *l, uint32_t type, uint64_t *sequence, leat_error *err) {
  leat_status st = lt_put_status(&l->put, err);
  if (!st) st = lt_journal_append(l->journal, type, l->put.data, l->put.size, sequence, err);
  if (st == LEAT_E_IO) l->stopped = 1;
  if (!st) l->bytes_since += (int64_t)l->put.size;
  return st;
}

leat_status lt_ln_sync(leat_learner *l, leat_error *err) {
  if (l->replaying) return LEAT_OK; /* opening it has synced what is read again */
  leat_status st = lt_journal_sync(l->journal, err);
  if (st) l->stopped = 1;
  return st;
}

/* ---------------------------------------------------------------------------------------------- positions */

int64_t lt_ln_next_position(const leat_learner *l, const char *source) {
  int64_t k = lt_dict_find(l->sources, source, strlen(source));
  return k < 0 ? 0 : l->next[k];
}

leat_status lt_ln_advance(leat_learner *l, const char *source, int64_t next, leat_error *err) {
  int64_t k = 0;
  uint64_t n = (uint64_t)lt_dict_count(l->sources);
  leat_status st = lt_dict_add(l->sources, source, strlen(source), &k, err);
  if (!st && (uint64_t)k == n) {
    st = lt_grow(l->rt, (void **)&l->next, &l->next_cap, n + 1, sizeof *l->next, err);
    if (!st) l->next[k] = 0;
  }
  if (!st && l->next[k] < next) l->next[k] = next;
  return st;
}

leat_status lt_ln_arrive(leat_learner *l, const leat_batch *rows, lt_rows *v, lt_side *side, int64_t *skip, leat_error *err) {
  lt_batch_rows(rows, v);
  *side = v->side ? *v->side : (lt_side){0};
  *skip = 0;
  int64_t next = lt_ln_next_position(l, side->source ? side->source : "");
  if (!side->source) {
    side->source = "";
    side->position = next;
  }
  if (side->position < 0 || side->position > INT64_MAX - v->n)
    return lt_fail(err, LEAT_E_ARG, "the rows' position %lld is outside [0, 2^63)", (long long)side->position);
  if (next > side->position) *skip = next - side->position < v->n ? next - side->position : v->n;
  v->side = side;
  return LEAT_OK;
}

/* Rows from `skip` on as a view; col: room for the schema's columns. */
static void rows_behind(lt_rows *v, lt_side *side, int64_t skip, lt_col *col) {
  for (int64_t i = 0; i < v->schema->n; i++) {
    const lt_col *c = &v->col[i];
    col[i] = *c;
    int64_t size = c->dtype == LEAT_F64 || c->dtype == LEAT_I64 ? 8 : c->dtype == LEAT_U8 ? 1 : 4;
    if (c->data) col[i].data = (const char *)c->data + skip * c->row_stride * size;
    if (c->row_start) col[i].row_start = c->row_start + skip;
    if (c->text_end) col[i].text_end = c->text_end + skip;
  }
  v->col = col;
  v->n -= skip;
  v->first += skip;
  side->position += skip;
  if (side->raw_end) side->raw_end += skip;
  if (side->reason) side->reason += skip;
  if (side->column) side->column += skip;
}

/* ---------------------------------------------------------------------------------------------- rows that are fed */

static leat_status fed(leat_learner *l, const lt_ln_take *t, int64_t duplicates, int64_t time_ns, leat_error *err) {
  l->duplicate += duplicates;
  l->learned_ns = time_ns;
  leat_status st = lt_ln_take_rows(l, t, err);
  if (!st) st = lt_ln_advance(l, t->rows.side->source, t->rows.side->position + t->rows.n, err);
  return st;
}

static leat_status pred_check(leat_learner *l, const leat_matrix *pred, const lt_rows *v, lt_ln_schema *sc, leat_matrix *out,
                              leat_error *err) {
  leat_status st = lt_matrix_check(pred, v->n, -1, 1u << LEAT_F32 | 1u << LEAT_F64, "pred", out, err);
  if (st) return st;
  int64_t classes = l->o->m->n_classes;
  for (int64_t k = 0; l->o->labels && k < sc->n_labels && classes <= out->cols; k++) {
    if (lt_ln_code(l, sc, k) >= 0) continue;
    int64_t r = 0;
    while (r < v->n && lt_rows_target(v, sc->target, r) != (double)k) r++;
    classes += r < v->n;
  }
  if (l->o->m->regression ? out->cols == 1 : out->cols == 1 ? classes <= 2 : out->cols >= classes) return LEAT_OK;
  return lt_fail(err, LEAT_E_SHAPE, "pred has %lld columns; %lld are needed", (long long)out->cols,
                 (long long)(l->o->m->regression || classes <= 2 ? 1 : classes));
}

leat_status lt_learner_feed(leat_learner *l, const leat_batch *rows, leat_matrix *pred, leat_error *err) {
  lt_ln_take t = {0};
  lt_side side;
  leat_matrix out;
  lt_col *col = NULL;
  int64_t skip = 0, duplicates;
  leat_status st = lt_ln_usable(l, err);
  if (!st) st = lt_ln_arrive(l, rows, &t.rows, &side, &skip, err);
  if (st || t.rows.n == 0) return st;
  st = lt_ln_number(l, lt_batch_schema(rows), 1, &t.schema, err);
  if (!st && pred) st = pred_check(l, pred, &t.rows, &l->schema[t.schema], &out, err);
  if (!st) st = lt_online_reserve(l->o, &t.rows, err);
  int32_t action = lt_gate_action(l->gate, LEAT_REASON_DUPLICATE);
  if (!st && skip > 0 && action == LT_STOP)
    st = lt_fail(err, LEAT_E_STATE, "position %lld of '%.100s' was taken before, and the action for duplicates is stop",
                 (long long)side.position, side.source);
  if (st) return st;
  t.pred = pred ? &out : NULL;
  if (action == LT_HOLD) {
    t.from = skip;
    skip = 0;
  }
  for (int64_t r = 0; r < skip; r++) lt_ln_show_none(t.pred, r);
  l->duplicate_unsaved += skip;
  if (skip == t.rows.n) return LEAT_OK;
  t.rows.schema = l->schema[t.schema].s;
  if (skip > 0) {
    col = lt_array(l->rt, (uint64_t)t.rows.schema->n, sizeof *col);
    if (!col) return lt_fail_memory(err, (uint64_t)t.rows.schema->n * sizeof *col, "columns of a view");
    rows_behind(&t.rows, &side, skip, col);
    t.pred_first = skip;
  }
  duplicates = l->duplicate_unsaved;
  int64_t now = lt_now_ns(l->rt);
  lt_ln_put_begin(l);
  lt_put_u32(&l->put, t.schema);
  lt_put_i64(&l->put, now);
  lt_put_i64(&l->put, duplicates);
  lt_put_i64(&l->put, t.from);
  lt_batch_save(&t.rows, &l->put);
  st = lt_ln_append(l, LT_J_ROWS, &t.sequence, err);
  if (!st) {
    l->duplicate_unsaved = 0;
    t.queue = l->chunk > 1 || l->delay > 0;
    st = lt_ln_broken(l, fed(l, &t, duplicates, now, err));
    l->applied = t.sequence;
  }
  lt_free(l->rt, col);
  if (!st && l->bytes_since >= l->checkpoint_bytes) st = lt_ln_checkpoint(l, err);
  return st;
}

static leat_status apply_rows(leat_learner *l, uint64_t sequence, lt_get *g, leat_error *err) {
  lt_ln_take t = {0};
  leat_batch *rows = NULL;
  t.schema = lt_get_u32(g);
  int64_t now = lt_get_i64(g), duplicates = lt_get_i64(g);
  t.from = lt_get_i64(g);
  if (t.schema >= l->n_schemas || t.from < 0) lt_get_fail(g, LEAT_E_FORMAT);
  leat_status st = lt_get_status(g, "rows in the journal", err);
  if (!st) st = lt_batch_load(l->rt, l->schema[t.schema].s, g, &rows, err);
  if (!st) {
    lt_batch_rows(rows, &t.rows);
    if (!t.rows.side || !t.rows.side->source || t.from > t.rows.n) st = lt_fail(err, LEAT_E_FORMAT, "rows in the journal have no source");
  }
  t.sequence = sequence;
  t.queue = l->chunk > 1 || l->delay > 0;
  if (!st) st = lt_ln_begin(l, l->schema[t.schema].s, err);
  if (!st) st = fed(l, &t, duplicates, now, err);
  lt_batch_free(rows);
  return st;
}

leat_status lt_ln_record_rows(leat_learner *l, const lt_record *rec, leat_batch **out, leat_error *err) {
  lt_get g;
  uint32_t schema;
  lt_get_init(&g, l->rt, rec->data, rec->size);
  *out = NULL;
  schema = lt_get_u32(&g);
  if (rec->type == LT_J_ROWS) {
    lt_get_raw(&g, 24);
  } else if (rec->type == LT_J_LABEL || rec->type == LT_J_RELEASE) {
    uint64_t n = lt_get_u64(&g); /* what stands before the rows */
    lt_get_raw(&g, n);
  } else {
    lt_get_fail(&g, LEAT_E_FORMAT);
  }
  if (schema >= l->n_schemas) lt_get_fail(&g, LEAT_E_FORMAT);
  leat_status st = lt_get_status(&g, "rows in the journal", err);
  return st ? st : lt_batch_load(l->rt, l->schema[schema].s, &g, out, err);
}

/* ---------------------------------------------------------------------------------------------- the clock */

static leat_status apply_clock(leat_learner *l, lt_get *g, leat_error *err) {
  int64_t now = lt_get_i64(g);
  leat_status st = lt_get_status(g, "the time in the journal", err);
  if (!st) l->expired += lt_pending_expire(l->pending, now - l->ttl_ns);
  return st;
}

leat_status lt_ln_clock(leat_learner *l, leat_error *err) {
  int64_t now = lt_now_ns(l->rt), oldest = lt_pending_oldest(l->pending);
  uint64_t sequence;
  if (l->ttl_ns <= 0 || oldest == INT64_MAX || oldest >= now - l->ttl_ns) return LEAT_OK;
  lt_ln_put_begin(l);
  lt_put_i64(&l->put, now);
  leat_status st = lt_ln_append(l, LT_J_CLOCK, &sequence, err);
  if (!st) st = lt_learner_apply(l, LT_J_CLOCK, sequence, l->put.data, l->put.size, NULL, NULL, err);
  return st;
}

/* ---------------------------------------------------------------------------------------------- replay */

leat_status lt_learner_apply(leat_learner *l, uint32_t type, uint64_t sequence, const void *data, uint64_t size,
                             const leat_matrix *pred, int8_t *taken, leat_error *err) {
  lt_get g;
  int64_t version;
  leat_status st;
  lt_get_init(&g, l->rt, data, size);
  switch (type) {
    case LT_J_SCHEMA: st = lt_ln_apply_schema(l, &g, err); break;
    case LT_J_LABELS: st = lt_ln_apply_labels(l, &g, err); break;
    case LT_J_ROWS: st = apply_rows(l, sequence, &g, err); break;
    case LT_J_PREDICT: st = lt_ln_apply_predict(l, sequence, &g, pred, err); break;
    case LT_J_LABEL: st = lt_ln_apply_label(l, sequence, &g, err); break;
    case LT_J_RELEASE: st = lt_ln_apply_release(l, sequence, &g, taken, err); break;
    case LT_J_SNAPSHOT: st = lt_ln_snapshot(l, &version, err); break;
    case LT_J_ROLLBACK: st = lt_ln_apply_rollback(l, &g, err); break;
    case LT_J_CLOCK: st = apply_clock(l, &g, err); break;
    case LT_J_THAW: st = lt_ln_apply_thaw(l, err); break;
    default:
      return lt_fail(err, LEAT_E_VERSION, "the journal has a record of an unknown kind (%u): a newer leat wrote it", type);
  }
  l->applied = sequence;
  return lt_ln_broken(l, st);
}

leat_status lt_ln_replay(leat_learner *l, uint64_t from, leat_error *err) {
  lt_journal_reader *r = NULL;
  lt_record rec;
  int32_t got = 1;
  leat_status st = LEAT_OK;
  if (from >= lt_journal_next(l->journal)) return LEAT_OK;
  char *folder = lt_folder_file(l->store, "journal");
  if (!folder) return lt_fail_memory(err, 64, "a path");
  st = lt_journal_read(l->rt, folder, from, &r, err);
  lt_free(l->rt, folder);
  l->replaying = 1;
  while (!st && got) {
    st = lt_journal_next_record(r, &rec, &got, err);
    if (st || !got || rec.type == LT_J_BEGIN) continue;
    st = lt_learner_apply(l, rec.type, rec.sequence, rec.data, rec.size, NULL, NULL, err);
    l->bytes_since += (int64_t)rec.size;
  }
  l->replaying = 0;
  lt_journal_read_close(r);
  return st;
}
