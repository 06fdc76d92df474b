/* What the quarantine's writer does: holding records, making room, marks, new segments. */
#include "lifecycle/quarantine_inner.h"
#include <stdio.h>
#include <string.h>

leat_status lt_held_usable(const lt_quarantine *q, leat_error *err) {
  if (!q->write) return lt_fail(err, LEAT_E_STATE, "the quarantine in %s is open for reading", q->folder);
  if (q->failed)
    return lt_fail(err, LEAT_E_IO, "the quarantine in %s takes nothing more after a write failed: open it again", q->folder);
  return LEAT_OK;
}

/* Appends to the last segment. Only without memory it is as if the call had not been made. */
leat_status lt_held_append(lt_quarantine *q, uint32_t type, const lt_put *w, uint64_t *offset, leat_error *err) {
  lt_held_segment *s = &q->segment[q->n_segments - 1];
  leat_status st = lt_put_status(w, err);
  if (st) return st;
  uint64_t at = lt_reclog_size(q->log);
  st = lt_reclog_append(q->log, type, w->data, w->size, NULL, err);
  if (st && st != LEAT_E_MEMORY && st != LEAT_E_RANGE) q->failed = 1;
  if (st) return st;
  q->dirty = 1;
  s->size = lt_reclog_size(q->log);
  if (offset) *offset = at;
  return LEAT_OK;
}

static void note_end(lt_quarantine *q) {
  q->segment[q->n_segments - 1].last_id = q->last_id;
  q->segment[q->n_segments - 1].dropped = q->dropped;
}

leat_status lt_held_put_state(lt_quarantine *q, const lt_held_item *it, uint8_t state, leat_error *err) {
  lt_put mark;
  uint8_t room[40];
  lt_put_init(&mark, q->rt);
  mark.data = room;
  mark.cap = sizeof room;
  lt_put_i64(&mark, it->id);
  lt_put_u8(&mark, state);
  lt_put_u32(&mark, it->tries);
  lt_put_u64(&mark, it->mark);
  lt_put_i64(&mark, q->dropped + (state == LT_HELD_DROPPED));
  return lt_held_append(q, LT_HELD_STATE, &mark, NULL, err);
}

leat_status lt_held_begin_segment(lt_quarantine *q, leat_error *err) {
  lt_segment name = {1, 0};
  lt_reclog *log = NULL;
  uint8_t room[16];
  lt_put last;
  leat_status st = LEAT_OK;
  if (q->n_segments) {
    name.number = q->segment[q->n_segments - 1].name.number + 1;
    st = lt_quarantine_sync(q, err);
    if (st) return st;
    note_end(q);
  }
  if (name.number > UINT32_MAX) return lt_fail(err, LEAT_E_RANGE, "%s has used up its numbers", q->folder);
  lt_put_init(&last, q->rt);
  last.data = room;
  last.cap = sizeof room;
  lt_put_i64(&last, q->last_id);
  lt_put_i64(&last, q->dropped);
  char *path = lt_segment_path(q->rt, q->folder, 'q', name, "");
  if (!path) return lt_fail_memory(err, 256, "a path");
  st = lt_held_add_segment(q, name, err);
  if (!st) {
    st = lt_reclog_create(q->rt, path, LT_HELD_KIND, LT_HELD_VERSION, 1, &log, err);
    if (!st) st = lt_reclog_append(log, LT_HELD_LAST, last.data, last.size, NULL, err);
    if (!st) st = lt_reclog_sync(log, err);
    if (st) {
      (void)lt_reclog_close(log, NULL);
      q->n_segments--;
      if (st == LEAT_E_MEMORY) (void)lt_path_remove(q->rt, path, NULL);
      else q->failed = 1;
    } else {
      if (q->log) (void)lt_reclog_close(q->log, NULL);
      q->log = log;
      q->segment[q->n_segments - 1].size = lt_reclog_size(log);
      note_end(q);
    }
  }
  lt_free(q->rt, path);
  return st;
}

/* ---- making room */
static leat_status held_drop(lt_quarantine *q, uint64_t i, leat_error *err) {
  leat_status st = lt_held_put_state(q, &q->item[i], LT_HELD_DROPPED, err);
  if (st) return st;
  lt_held_change(q, &q->item[i], LT_HELD_DROPPED);
  q->dropped++;
  note_end(q);
  return LEAT_OK;
}

/* The oldest one present of a reason. */
static uint64_t oldest_of(lt_quarantine *q, int slot) {
  uint64_t i = q->sum[slot].first;
  while (i < q->n && (!q->item[i].state || lt_held_slot(q->item[i].reason) != slot)) i++;
  q->sum[slot].first = i;
  return i;
}

/* The oldest released one of a reason; q->n when there is none. */
static uint64_t released_of(lt_quarantine *q, int slot) {
  uint64_t i = q->sum[slot].released;
  if (q->sum[slot].present == q->sum[slot].held) return q->n;
  while (i < q->n && (q->item[i].state != LEAT_HELD_RELEASED || lt_held_slot(q->item[i].reason) != slot)) i++;
  q->sum[slot].released = i;
  return i;
}

static uint64_t oldest_released(lt_quarantine *q) {
  uint64_t oldest = q->n;
  for (int k = 0; k < LT_HELD_REASONS && q->present > q->held; k++) {
    uint64_t i = released_of(q, k);
    if (i < oldest) oldest = i;
  }
  return oldest;
}

/* Room for `bytes` more of a reason: within its share, then within all. */
static leat_status make_room(lt_quarantine *q, int slot, uint64_t bytes, leat_error *err) {
  const lt_held_sum *s = &q->sum[slot];
  uint64_t all = (uint64_t)q->limits.bytes, share = (uint64_t)((double)all * q->limits.reason_share);
  int64_t most = (int64_t)((double)q->limits.records * q->limits.reason_share);
  leat_status st = LEAT_OK;
  if (most < 1) most = 1;
  while (!st && s->present && (s->bytes + bytes > share || s->present + 1 > most)) {
    uint64_t i = released_of(q, slot);
    st = held_drop(q, i < q->n ? i : oldest_of(q, slot), err);
  }
  while (!st && q->present) {
    int over_bytes = q->bytes + bytes > all, worst = 0;
    if (!over_bytes && q->present + 1 <= q->limits.records) break;
    uint64_t i = oldest_released(q);
    if (i == q->n) {
      for (int k = 1; k < LT_HELD_REASONS; k++)
        if (over_bytes ? q->sum[k].bytes > q->sum[worst].bytes : q->sum[k].present > q->sum[worst].present) worst = k;
      i = oldest_of(q, worst);
    }
    st = held_drop(q, i, err);
  }
  return st;
}

/* ---- holding */
typedef struct held_parts { lt_put raw, row, schema; uint64_t hash; } held_parts;

static leat_status held_gather(const lt_held *h, const lt_rows *rows, int64_t r, held_parts *p, leat_error *err) {
  leat_status st = LEAT_OK;
  if (h->raw) lt_put_raw(&p->raw, h->raw, h->raw_size > LT_HELD_RAW_MAX ? LT_HELD_RAW_MAX : h->raw_size);
  else if (rows) st = lt_held_put_raw(rows, r, &p->raw, err);
  if (!st) st = lt_put_status(&p->raw, err);
  if (!st && rows) st = lt_held_put_row(rows, r, &p->row, &p->schema, &p->hash, err);
  return st;
}

static void put_text_with(lt_put *w, const char *a, const char *b) {
  uint64_t n = a ? strlen(a) : 0, m = strlen(b);
  lt_put_u64(w, n + m);
  lt_put_raw(w, a, n);
  lt_put_raw(w, b, m);
}

static void held_build(lt_put *w, const lt_held *h, const held_parts *p, uint64_t whole, int bare) {
  char note[96] = "";
  uint64_t keep = bare ? 0 : p->raw.size > LT_HELD_RAW_MAX ? LT_HELD_RAW_MAX : p->raw.size;
  if (keep < whole)
    snprintf(note, sizeof note, "%s%llu of %llu raw bytes are kept", h->detail && h->detail[0] ? "; " : "",
             (unsigned long long)keep, (unsigned long long)whole);
  w->size = 0;
  lt_put_i64(w, h->id);
  lt_put_u32(w, (uint32_t)h->reason);
  lt_put_u32(w, (uint32_t)h->column);
  lt_put_i64(w, h->position);
  lt_put_i64(w, h->time_ns);
  lt_put_i64(w, h->row);
  lt_put_text(w, h->source);
  lt_put_text(w, h->column_name);
  put_text_with(w, h->detail, note);
  lt_put_u64(w, keep);
  lt_put_raw(w, p->raw.data, keep);
  if (bare || !p->row.size) lt_put_u64(w, 0);
  else lt_put_raw(w, p->row.data, p->row.size);
}

static leat_status held_put_schema(lt_quarantine *q, const held_parts *p, leat_error *err) {
  lt_held_segment *s = &q->segment[q->n_segments - 1];
  lt_put w;
  uint64_t offset = 0;
  for (uint64_t i = 0; i < s->n_schemas; i++)
    if (s->schema[i].hash == p->hash) return LEAT_OK;
  lt_put_init(&w, q->rt);
  lt_put_u64(&w, p->hash);
  lt_put_raw(&w, p->schema.data, p->schema.size);
  leat_status st = lt_held_append(q, LT_HELD_SCHEMA, &w, &offset, err);
  if (!st) st = lt_held_add_schema(q, s, p->hash, offset, err);
  lt_put_free(&w);
  return st;
}

static leat_status held_put_record(lt_quarantine *q, const lt_held *h, const held_parts *p, int bare, leat_error *err) {
  uint64_t bytes = 32 + (q->scratch.size + 7) / 8 * 8, offset = 0;
  int slot = lt_held_slot(h->reason);
  leat_status st = make_room(q, slot, bytes, err);
  if (!st && q->segment[q->n_segments - 1].size >= LT_HELD_SEGMENT) {
    st = lt_held_begin_segment(q, err);
    if (!st) st = lt_held_reclaim(q, err);
  }
  if (!st && p->hash && !bare) st = held_put_schema(q, p, err);
  if (!st) st = lt_held_room(q, err);
  if (!st) st = lt_held_append(q, LT_HELD_RECORD, &q->scratch, &offset, err);
  if (st) return st;
  lt_held_segment *s = &q->segment[q->n_segments - 1];
  if (!s->records++ || h->id < s->min_id) s->min_id = h->id;
  if (h->id > s->max_id) s->max_id = h->id;
  s->record_bytes += bytes;
  lt_held_enter(q, (lt_held_item){.id = h->id, .offset = offset, .segment = (uint32_t)s->name.number,
                                  .bytes = (uint32_t)bytes, .reason = (int16_t)h->reason, .state = LEAT_HELD});
  q->last_id = h->id;
  note_end(q);
  return LEAT_OK;
}

leat_status lt_quarantine_add(lt_quarantine *q, const lt_held *h, const lt_rows *rows, int64_t r, leat_error *err) {
  leat_status st = lt_held_usable(q, err);
  if (st || (h->id > 0 && h->id <= q->last_id)) return st;
  if (h->id < 1 || h->reason < 1 || h->reason > INT16_MAX || (rows && (r < 0 || r >= rows->n)))
    return lt_fail(err, LEAT_E_INTERNAL, "a held record with id %lld, reason %ld, row %lld", (long long)h->id,
                   (long)h->reason, (long long)r);
  held_parts p = {.hash = 0};
  lt_put_init(&p.raw, q->rt);
  lt_put_init(&p.row, q->rt);
  lt_put_init(&p.schema, q->rt);
  st = held_gather(h, rows, r, &p, err);
  if (!st) {
    uint64_t whole = h->raw ? h->raw_size : p.raw.size, share;
    held_build(&q->scratch, h, &p, whole, 0);
    st = lt_put_status(&q->scratch, err);
    share = (uint64_t)((double)q->limits.bytes * q->limits.reason_share);
    int bare = q->scratch.size + 64 > share || q->scratch.size > INT32_MAX / 2; /* alone it is too much: only that it was there */
    if (!st && bare) held_build(&q->scratch, h, &p, whole, 1);
    if (!st) st = held_put_record(q, h, &p, bare, err);
  }
  q->scratch.failed = 0;
  lt_put_free(&p.raw);
  lt_put_free(&p.row);
  lt_put_free(&p.schema);
  return st;
}

leat_status lt_quarantine_sync(lt_quarantine *q, leat_error *err) {
  leat_status st = lt_held_usable(q, err);
  if (st || !q->dirty) return st;
  st = lt_reclog_sync(q->log, err);
  if (st) q->failed = 1;
  else q->dirty = 0;
  return st;
}

leat_status lt_quarantine_mark(lt_quarantine *q, int64_t id, int released, uint64_t at, leat_error *err) {
  leat_status st = lt_held_usable(q, err);
  lt_held_item *it = st ? NULL : lt_held_find(q, id);
  if (!it || (at && at <= it->mark)) return st;
  lt_held_item next = *it;
  uint8_t state = released ? LEAT_HELD_RELEASED : it->state;
  if (at) next.mark = at;
  if (next.tries < UINT32_MAX) next.tries++;
  st = lt_held_put_state(q, &next, state, err);
  if (st) return st;
  it->mark = next.mark;
  it->tries = next.tries;
  lt_held_change(q, it, state);
  return LEAT_OK;
}

leat_status lt_quarantine_cut(lt_quarantine *q, int64_t last, leat_error *err) {
  uint8_t room[8];
  lt_put w;
  uint64_t offset = 0;
  leat_status st = lt_held_usable(q, err);
  if (last < 0) last = 0;
  if (st || last >= q->last_id) return st;
  lt_put_init(&w, q->rt);
  w.data = room;
  w.cap = sizeof room;
  lt_put_i64(&w, last);
  st = lt_held_append(q, LT_HELD_CUT, &w, &offset, err);
  if (st) return st;
  lt_record rec = {.type = LT_HELD_CUT, .data = room, .size = sizeof room, .offset = offset};
  return lt_held_take(q, &q->segment[q->n_segments - 1], &rec, err);
}

leat_status lt_quarantine_unmark(lt_quarantine *q, uint64_t last, leat_error *err) {
  leat_status st = lt_held_usable(q, err);
  for (uint64_t i = 0; !st && i < q->n; i++) {
    lt_held_item *it = &q->item[i], next = *it;
    if (!it->state || it->mark <= last) continue;
    next.mark = last;
    if (next.tries) next.tries--;
    st = lt_held_put_state(q, &next, LEAT_HELD, err);
    if (st) break;
    it->mark = next.mark;
    it->tries = next.tries;
    lt_held_change(q, it, LEAT_HELD);
  }
  return st;
}
