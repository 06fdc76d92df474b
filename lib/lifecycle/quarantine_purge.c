/* Segments of the quarantine rewritten: for purging, and to give back the space of what made room. */
#include "lifecycle/quarantine_inner.h"
#include <string.h>

typedef struct rewriting {
  lt_quarantine *q;
  uint64_t k;
  lt_reclog *from, *to;
  lt_held_segment fresh;
  lt_put moved;      /* pairs: index of an item, its new offset */
  int32_t kept;      /* anything that counts */
} rewriting;

/* May the record of an id that is not in the index still lie in another segment? */
static int lies_elsewhere(const lt_quarantine *q, uint64_t k, int64_t id) {
  for (uint64_t i = 0; i < q->n_segments; i++) {
    const lt_held_segment *s = &q->segment[i];
    if (i != k && s->records > s->items && (id == 0 || (s->min_id <= id && id <= s->max_id))) return 1;
  }
  return 0;
}

static leat_status copy(rewriting *w, const lt_record *rec, leat_error *err) {
  return lt_reclog_append(w->to, rec->type, rec->data, rec->size, NULL, err);
}

static leat_status copy_state(rewriting *w, const lt_held_item *it, leat_error *err) {
  uint8_t room[40];
  lt_put m;
  lt_put_init(&m, w->q->rt);
  m.data = room;
  m.cap = sizeof room;
  lt_put_i64(&m, it->id);
  lt_put_u8(&m, it->state);
  lt_put_u32(&m, it->tries);
  lt_put_u64(&m, it->mark);
  lt_put_i64(&m, 0);
  w->kept = 1;
  return lt_reclog_append(w->to, LT_HELD_STATE, m.data, m.size, NULL, err);
}

/* The schema of a record, copied when the first one needs it. */
static leat_status copy_schema(rewriting *w, uint64_t hash, leat_error *err) {
  const lt_held_segment *s = &w->q->segment[w->k];
  lt_record rec;
  for (uint64_t i = 0; i < w->fresh.n_schemas; i++)
    if (w->fresh.schema[i].hash == hash) return LEAT_OK;
  for (uint64_t i = 0; i < s->n_schemas; i++) {
    if (s->schema[i].hash != hash) continue;
    leat_status st = lt_held_read(w->q, (uint32_t)s->name.number, s->schema[i].offset, &rec, err);
    uint64_t at = lt_reclog_size(w->to);
    if (!st) st = copy(w, &rec, err);
    if (!st) st = lt_held_add_schema(w->q, &w->fresh, hash, at, err);
    return st;
  }
  return lt_fail(err, LEAT_E_FORMAT, "%s: segment %08llx is damaged: it lacks the schema of a held row", w->q->folder,
                 (unsigned long long)s->name.number);
}

static leat_status copy_record(rewriting *w, const lt_record *rec, leat_error *err) {
  lt_held_bytes b;
  lt_quarantine *q = w->q;
  leat_status st = lt_held_parse(q->rt, rec, q->folder, &b, err);
  if (st) return st;
  lt_held_item *it = lt_held_find(q, b.h.id);
  if (!it || it->segment != w->fresh.name.number || it->offset != rec->offset) return LEAT_OK;
  if (b.schema) st = copy_schema(w, b.schema, err);
  if (st) return st;
  uint64_t at = lt_reclog_size(w->to);
  lt_put_u64(&w->moved, (uint64_t)(it - q->item));
  lt_put_u64(&w->moved, at);
  st = lt_put_status(&w->moved, err);
  if (!st) st = copy(w, rec, err);
  if (!st && (it->state != LEAT_HELD || it->tries || it->mark)) st = copy_state(w, it, err);
  if (!w->fresh.records++) w->fresh.min_id = b.h.id;
  w->fresh.max_id = b.h.id;
  w->fresh.record_bytes += it->bytes;
  w->kept = 1;
  return st;
}

/* Needed as long as one of the records lies in another segment. */
static leat_status copy_purge(rewriting *w, const lt_record *rec, leat_error *err) {
  lt_get r;
  lt_get_init(&r, w->q->rt, rec->data, rec->size);
  uint64_t n = lt_get_count(&r, 8, UINT64_MAX);
  int needed = n == 0 && lies_elsewhere(w->q, w->k, 0);
  for (uint64_t i = 0; i < n && !needed; i++) needed = lies_elsewhere(w->q, w->k, lt_get_i64(&r));
  if (!needed) return LEAT_OK;
  w->kept = 1;
  return copy(w, rec, err);
}

static leat_status copy_one(rewriting *w, const lt_record *rec, leat_error *err) {
  lt_get r;
  lt_get_init(&r, w->q->rt, rec->data, rec->size);
  if (rec->type == LT_HELD_RECORD) return copy_record(w, rec, err);
  if (rec->type == LT_HELD_CUT) {
    w->kept = 1;
    return copy(w, rec, err);
  }
  if (rec->type == LT_HELD_PURGE) return copy_purge(w, rec, err);
  if (rec->type != LT_HELD_STATE) return LEAT_OK;
  int64_t id = lt_get_i64(&r);
  const lt_held_item *it = lt_held_find(w->q, id);
  if (it) return it->segment == w->fresh.name.number ? LEAT_OK : copy_state(w, it, err);
  if (!lies_elsewhere(w->q, w->k, id)) return LEAT_OK;
  w->kept = 1; /* it keeps a dead record dead */
  return copy(w, rec, err);
}

static leat_status copy_all(rewriting *w, leat_error *err) {
  const lt_held_segment *s = &w->q->segment[w->k];
  uint8_t room[16];
  lt_put last;
  int32_t got = 1, torn = 0;
  leat_status st = LEAT_OK;
  while (!st && got) {
    lt_record rec;
    st = lt_reclog_next(w->from, &rec, &got, &torn, err);
    if (!st && got) st = copy_one(w, &rec, err);
  }
  if (!st && torn) st = lt_fail(err, LEAT_E_FORMAT, "%s: a segment is cut", w->q->folder);
  lt_put_init(&last, w->q->rt);
  last.data = room;
  last.cap = sizeof room;
  lt_put_i64(&last, s->last_id);
  lt_put_i64(&last, s->dropped);
  if (!st) st = lt_reclog_append(w->to, LT_HELD_LAST, last.data, last.size, NULL, err);
  if (!st) st = lt_reclog_sync(w->to, err);
  if (!st) w->fresh.size = lt_reclog_size(w->to);
  return st;
}

static leat_status remove_old(lt_quarantine *q, const char *path, leat_error *err) {
  leat_status st = lt_segment_wipe(q->rt, path, err);
  return st ? st : lt_path_sync_folder(q->rt, q->folder, err);
}

/* The new segment is on the disk under its name: the index follows. */
static leat_status install(rewriting *w, const char *path, int last, leat_error *err) {
  lt_quarantine *q = w->q;
  lt_held_segment *s = &q->segment[w->k];
  lt_get r;
  lt_held_close_view(q);
  lt_get_init(&r, q->rt, w->moved.data, w->moved.size);
  while (lt_get_left(&r)) {
    uint64_t i = lt_get_u64(&r);
    q->item[i].offset = lt_get_u64(&r);
  }
  lt_free(q->rt, s->schema);
  w->fresh.live = s->live;
  w->fresh.items = s->items;
  w->fresh.last_id = s->last_id;
  w->fresh.dropped = s->dropped;
  *s = w->fresh;
  w->fresh.schema = NULL;
  if (!last) return LEAT_OK;
  (void)lt_reclog_close(q->log, NULL);
  q->log = NULL;
  return lt_reclog_append_open(q->rt, path, LT_HELD_KIND, LT_HELD_VERSION, &q->log, NULL, err);
}

/* Nothing in it counts any more: the segment goes, and with it its place in the list. */
static void drop_segment(lt_quarantine *q, uint64_t k) {
  lt_held_close_view(q);
  lt_free(q->rt, q->segment[k].schema);
  memmove(q->segment + k, q->segment + k + 1, (q->n_segments - k - 1) * sizeof *q->segment);
  q->n_segments--;
}

leat_status lt_held_rewrite(lt_quarantine *q, uint64_t k, leat_error *err) {
  rewriting w = {.q = q, .k = k};
  int last = k + 1 == q->n_segments, renamed = 0;
  lt_segment name = q->segment[k].name;
  char *old = lt_segment_path(q->rt, q->folder, 'q', name, ""), *fresh = NULL, *part = NULL, *gone = NULL;
  leat_status st = last ? lt_quarantine_sync(q, err) : LEAT_OK;
  lt_put_init(&w.moved, q->rt);
  name.generation++;
  w.fresh.name = name;
  fresh = lt_segment_path(q->rt, q->folder, 'q', name, "");
  part = lt_segment_path(q->rt, q->folder, 'q', name, ".tmp");
  gone = lt_segment_path(q->rt, q->folder, 'q', name, ".old.tmp");
  if (!st && (!old || !fresh || !part || !gone)) st = lt_fail_memory(err, 256, "a path");
  if (!st) st = lt_segment_wipe(q->rt, part, err);
  if (!st) st = lt_reclog_read_open(q->rt, old, LT_HELD_KIND, LT_HELD_VERSION, &w.from, err);
  if (!st) st = lt_reclog_create(q->rt, part, LT_HELD_KIND, LT_HELD_VERSION, 1, &w.to, err);
  if (!st) st = copy_all(&w, err);
  if (w.to) {
    leat_status closed = lt_reclog_close(w.to, st ? NULL : err);
    if (!st) st = closed;
  }
  (void)lt_reclog_close(w.from, NULL);
  if (!st && (w.kept || last)) {
    st = lt_path_rename(q->rt, part, fresh, err);
    renamed = !st;
    if (!st) st = lt_path_sync_folder(q->rt, q->folder, err);
    if (!st) st = install(&w, fresh, last, err);
    if (st && renamed) q->failed = 1; /* which one counts is for the next open to find out */
    if (!st) st = remove_old(q, old, err);
  } else if (!st) { /* no successor: it gives up its name before its bytes */
    st = lt_path_rename(q->rt, old, gone, err);
    if (!st) st = lt_path_sync_folder(q->rt, q->folder, err);
    if (st) q->failed = 1;
    else drop_segment(q, k);
    if (!st) st = remove_old(q, gone, err);
  }
  if (!renamed && part) (void)lt_segment_wipe(q->rt, part, NULL);
  lt_free(q->rt, w.fresh.schema);
  lt_put_free(&w.moved);
  lt_free(q->rt, gone);
  lt_free(q->rt, part);
  lt_free(q->rt, fresh);
  lt_free(q->rt, old);
  return st;
}

/* The space of what made room comes back when most of a segment is dead. A full disk is no reason to fail here: what was
 * there stays, and the next segment brings the next try. */
leat_status lt_held_reclaim(lt_quarantine *q, leat_error *err) {
  for (uint64_t k = 0; k + 1 < q->n_segments; k++) {
    const lt_held_segment *s = &q->segment[k];
    int dead = s->record_bytes - s->live > s->size / 2 || (k == 0 && s->items == 0) ||
               (k == 0 && s->size - s->live > s->size / 2 && s->size > 1 << 16);
    if (!dead) continue;
    uint64_t before = q->n_segments;
    leat_status st = lt_held_rewrite(q, k, NULL);
    if (q->failed) return lt_held_usable(q, err);
    if (st) return LEAT_OK;
    if (q->n_segments < before) k--;
  }
  return LEAT_OK;
}

/* One record says what goes: all of it or nothing. */
static leat_status mark_purged(lt_quarantine *q, const int64_t *ids, uint64_t n, int64_t *count, leat_error *err) {
  lt_put w;
  for (uint64_t i = 0; i < n; i++)
    if (!lt_held_find(q, ids[i]))
      return lt_fail(err, LEAT_E_NOT_FOUND, "the quarantine holds no record %lld: nothing was purged", (long long)ids[i]);
  lt_put_init(&w, q->rt);
  lt_put_i64s(&w, ids, n);
  leat_status st = lt_held_append(q, LT_HELD_PURGE, &w, NULL, err);
  lt_put_free(&w);
  if (!st && (st = lt_quarantine_sync(q, err)) != 0) q->failed = 1; /* only reading it again tells what the disk has */
  if (!st) lt_held_take_purge(q, ids, n, count);
  return st;
}

leat_status lt_quarantine_purge(lt_quarantine *q, const int64_t *ids, uint64_t n, int64_t *purged, leat_error *err) {
  int64_t count = 0;
  leat_status st = lt_held_usable(q, err);
  if (purged) *purged = 0;
  if (!st && (!ids || n)) st = mark_purged(q, ids, ids ? n : 0, &count, err);
  /* the last segment holds the marks: it comes last */
  for (uint64_t k = 0; !st && k < q->n_segments; k++) {
    uint64_t before = q->n_segments;
    if (!q->segment[k].wipe) continue;
    st = lt_held_rewrite(q, k, err);
    if (q->n_segments < before) k--;
  }
  if (!st && purged) *purged = count;
  return st;
}
