/* The quarantine: its index in memory, opening, following what another process writes. */
#include "lifecycle/quarantine_inner.h"
#include <string.h>

/* ---- the index */
uint64_t lt_held_bound(const lt_quarantine *q, int64_t id) {
  uint64_t lo = 0, hi = q->n;
  while (lo < hi) {
    uint64_t mid = lo + (hi - lo) / 2;
    if (q->item[mid].id <= id) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}

lt_held_item *lt_held_find(const lt_quarantine *q, int64_t id) {
  uint64_t i = lt_held_bound(q, id);
  return i && q->item[i - 1].id == id && q->item[i - 1].state ? &q->item[i - 1] : NULL;
}

lt_held_segment *lt_held_segment_of(const lt_quarantine *q, uint32_t number) {
  uint64_t lo = 0, hi = q->n_segments;
  while (lo < hi) {
    uint64_t mid = lo + (hi - lo) / 2;
    if (q->segment[mid].name.number < number) lo = mid + 1;
    else hi = mid;
  }
  return lo < q->n_segments && q->segment[lo].name.number == number ? &q->segment[lo] : NULL;
}

leat_status lt_held_room(lt_quarantine *q, leat_error *err) {
  if (q->gone > 1024 && q->gone > q->n / 2) {
    uint64_t n = 0;
    for (uint64_t i = 0; i < q->n; i++)
      if (q->item[i].state) q->item[n++] = q->item[i];
    q->n = n;
    q->gone = 0;
    for (int i = 0; i < LT_HELD_REASONS; i++) q->sum[i].first = q->sum[i].released = 0;
  }
  void *item = q->item;
  leat_status st = lt_grow(q->rt, &item, &q->cap, q->n + 1, sizeof *q->item, err);
  if (!st) q->item = item;
  return st;
}

void lt_held_enter(lt_quarantine *q, lt_held_item item) {
  lt_held_sum *s = &q->sum[lt_held_slot(item.reason)];
  lt_held_segment *g = lt_held_segment_of(q, item.segment);
  q->item[q->n++] = item;
  q->held++;
  q->present++;
  q->bytes += item.bytes;
  s->held++;
  s->present++;
  s->bytes += item.bytes;
  g->items++;
  g->live += item.bytes;
}

void lt_held_change(lt_quarantine *q, lt_held_item *it, uint8_t state) {
  lt_held_sum *s = &q->sum[lt_held_slot(it->reason)];
  lt_held_segment *g = lt_held_segment_of(q, it->segment);
  uint64_t at = (uint64_t)(it - q->item);
  if (it->state == LEAT_HELD && state != LEAT_HELD) {
    q->held--;
    s->held--;
  }
  if (it->state == LEAT_HELD_RELEASED && state == LEAT_HELD) {
    q->held++;
    s->held++;
  }
  if (state == LEAT_HELD_RELEASED && at < s->released) s->released = at;
  if (state != LEAT_HELD && state != LEAT_HELD_RELEASED) {
    q->present--;
    q->bytes -= it->bytes;
    s->present--;
    s->bytes -= it->bytes;
    if (g) {
      g->items--;
      g->live -= it->bytes;
    }
    q->gone++;
    state = 0;
  }
  it->state = state;
}

leat_status lt_held_add_schema(lt_quarantine *q, lt_held_segment *s, uint64_t hash, uint64_t offset, leat_error *err) {
  void *schema = s->schema;
  leat_status st = lt_grow(q->rt, &schema, &s->cap_schemas, s->n_schemas + 1, sizeof *s->schema, err);
  if (st) return st;
  s->schema = schema;
  s->schema[s->n_schemas++] = (lt_held_schema){hash, offset};
  return LEAT_OK;
}

leat_status lt_held_add_segment(lt_quarantine *q, lt_segment name, leat_error *err) {
  void *segment = q->segment;
  leat_status st = lt_grow(q->rt, &segment, &q->cap_segments, q->n_segments + 1, sizeof *q->segment, err);
  if (st) return st;
  q->segment = segment;
  lt_held_segment *s = &q->segment[q->n_segments++];
  memset(s, 0, sizeof *s);
  s->name = name;
  s->size = 32;
  return LEAT_OK;
}

void lt_held_forget(lt_quarantine *q) {
  lt_held_close_view(q);
  if (q->log) (void)lt_reclog_close(q->log, NULL);
  q->log = NULL;
  for (uint64_t i = 0; i < q->n_segments; i++) lt_free(q->rt, q->segment[i].schema);
  memset(q->sum, 0, sizeof q->sum);
  q->n = q->gone = q->n_segments = q->bytes = 0;
  q->held = q->present = q->last_id = q->dropped = 0;
}

/* ---- one record of a segment */
static leat_status segment_damaged(const lt_quarantine *q, const lt_held_segment *s, uint64_t at, const char *what,
                                   leat_error *err) {
  char *path = lt_segment_path(q->rt, q->folder, 'q', s->name, "");
  leat_status st = lt_fail(err, LEAT_E_FORMAT, "%s is damaged: %s at byte %llu; restore it from a copy",
                           path ? path : q->folder, what, (unsigned long long)at);
  lt_free(q->rt, path);
  return st;
}

static leat_status take_record(lt_quarantine *q, lt_held_segment *s, const lt_record *rec, leat_error *err) {
  lt_held_bytes b;
  leat_status st = lt_held_parse(q->rt, rec, q->folder, &b, err);
  if (!st) st = lt_held_room(q, err);
  if (st) return st;
  if (q->n && q->item[q->n - 1].id >= b.h.id) return segment_damaged(q, s, rec->offset, "a record out of order", err);
  uint32_t bytes = (uint32_t)(32 + (rec->size + 7) / 8 * 8);
  lt_held_enter(q, (lt_held_item){.id = b.h.id, .offset = rec->offset, .segment = (uint32_t)s->name.number, .bytes = bytes,
                                  .reason = (int16_t)b.h.reason, .state = LEAT_HELD});
  if (!s->records++ || b.h.id < s->min_id) s->min_id = b.h.id;
  if (b.h.id > s->max_id) s->max_id = b.h.id;
  s->record_bytes += bytes;
  if (b.h.id > q->last_id) q->last_id = b.h.id;
  return LEAT_OK;
}

void lt_held_take_purge(lt_quarantine *q, const int64_t *ids, uint64_t n, int64_t *count) {
  for (uint64_t i = 0; !n && i < q->n; i++)
    if (q->item[i].state) {
      lt_held_change(q, &q->item[i], LEAT_HELD_PURGED);
      ++*count;
    }
  for (uint64_t k = 0; !n && k < q->n_segments; k++) q->segment[k].wipe = q->segment[k].records > 0;
  for (uint64_t i = 0; i < n; i++) {
    lt_held_item *it = lt_held_find(q, ids[i]);
    lt_held_segment *s = it ? lt_held_segment_of(q, it->segment) : NULL;
    if (!s) continue; /* named twice, or done already */
    s->wipe = 1;
    lt_held_change(q, it, LEAT_HELD_PURGED);
    ++*count;
  }
}

static leat_status take_purge(lt_quarantine *q, lt_get *r, leat_error *err) {
  uint64_t n;
  int64_t count = 0, *ids = lt_get_i64s(r, &n);
  if (!ids) return lt_get_status(r, "a purge", err);
  lt_held_take_purge(q, ids, n, &count);
  lt_free(q->rt, ids);
  return LEAT_OK;
}

static void take_state(lt_quarantine *q, int64_t id, uint8_t state, uint32_t tries, uint64_t mark, int64_t dropped) {
  if (dropped > q->dropped) q->dropped = dropped;
  lt_held_item *it = lt_held_find(q, id);
  if (!it) return;
  it->tries = tries;
  it->mark = mark;
  lt_held_change(q, it, state);
}

static void take_cut(lt_quarantine *q, int64_t last) {
  while (q->n && q->item[q->n - 1].id > last) {
    if (q->item[q->n - 1].state) lt_held_change(q, &q->item[q->n - 1], LT_HELD_DROPPED);
    q->n--;
    q->gone--;
  }
  for (int i = 0; i < LT_HELD_REASONS; i++) {
    if (q->sum[i].first > q->n) q->sum[i].first = q->n;
    if (q->sum[i].released > q->n) q->sum[i].released = q->n;
  }
  if (q->last_id > last) q->last_id = last;
}

leat_status lt_held_take(lt_quarantine *q, lt_held_segment *s, const lt_record *rec, leat_error *err) {
  lt_get r;
  leat_status st = LEAT_OK;
  lt_get_init(&r, q->rt, rec->data, rec->size);
  switch (rec->type) {
  case LT_HELD_SCHEMA: {
    uint64_t hash = lt_get_u64(&r);
    if (!r.failed) st = lt_held_add_schema(q, s, hash, rec->offset, err);
    break;
  }
  case LT_HELD_RECORD: st = take_record(q, s, rec, err); break;
  case LT_HELD_STATE: {
    int64_t id = lt_get_i64(&r);
    uint8_t state = lt_get_u8(&r);
    uint32_t tries = lt_get_u32(&r);
    uint64_t mark = lt_get_u64(&r);
    int64_t dropped = lt_get_i64(&r);
    if ((state != LEAT_HELD && state != LEAT_HELD_RELEASED && state != LT_HELD_DROPPED) || id < 1) lt_get_fail(&r, LEAT_E_FORMAT);
    if (!r.failed) take_state(q, id, state, tries, mark, dropped);
    break;
  }
  case LT_HELD_LAST: {
    int64_t last = lt_get_i64(&r), dropped = lt_get_i64(&r);
    if (r.failed || last < 0) return segment_damaged(q, s, rec->offset, "a count", err);
    if (q->n && q->item[q->n - 1].id > last) return segment_damaged(q, s, rec->offset, "a count that contradicts records", err);
    q->last_id = last;
    if (dropped > q->dropped) q->dropped = dropped;
    break;
  }
  case LT_HELD_CUT: {
    int64_t last = lt_get_i64(&r);
    if (!r.failed) take_cut(q, last);
    break;
  }
  case LT_HELD_PURGE: st = take_purge(q, &r, err); break;
  default: lt_get_fail(&r, LEAT_E_FORMAT);
  }
  if (r.failed && st != LEAT_E_MEMORY) st = segment_damaged(q, s, rec->offset, "a record that makes no sense", err);
  s->size = rec->offset + 32 + (rec->size + 7) / 8 * 8;
  s->last_id = q->last_id;
  s->dropped = q->dropped;
  return st;
}

/* ---- opening */
/* The names that count: of each number the highest generation. *old (may be NULL): the others. */
static void names_that_count(lt_segments *found, lt_segment *old, uint64_t *n_old) {
  uint64_t n = 0;
  for (uint64_t i = 0; i < found->n; i++) {
    if (i + 1 < found->n && found->at[i + 1].number == found->at[i].number) {
      if (old) old[(*n_old)++] = found->at[i];
      continue;
    }
    found->at[n++] = found->at[i];
  }
  found->n = n;
}

static leat_status drain(lt_quarantine *q, int last, leat_error *err) {
  lt_held_segment *s = &q->segment[q->n_segments - 1];
  int32_t got = 1, torn = 0;
  leat_status st = LEAT_OK;
  while (!st && got) {
    lt_record rec;
    st = lt_reclog_next(q->log, &rec, &got, &torn, err);
    if (!st && got) st = lt_held_take(q, s, &rec, err);
  }
  s->last_id = q->last_id;
  s->dropped = q->dropped;
  if (!st && torn && !last) st = segment_damaged(q, s, s->size, "a cut", err);
  return st;
}

static leat_status open_segment(lt_quarantine *q, lt_segment name, leat_error *err) {
  if (name.number > UINT32_MAX)
    return lt_fail(err, LEAT_E_FORMAT, "%s holds a segment with a number that no quarantine has", q->folder);
  char *path = lt_segment_path(q->rt, q->folder, 'q', name, "");
  if (!path) return lt_fail_memory(err, 256, "a path");
  if (q->log) (void)lt_reclog_close(q->log, NULL);
  q->log = NULL;
  leat_status st = lt_held_add_segment(q, name, err);
  if (!st) st = lt_reclog_read_open(q->rt, path, LT_HELD_KIND, LT_HELD_VERSION, &q->log, err);
  lt_free(q->rt, path);
  return st;
}

/* Reads what the list has and the index has not. */
static leat_status read_on(lt_quarantine *q, const lt_segments *found, leat_error *err) {
  leat_status st = LEAT_OK;
  if (q->n_segments) st = drain(q, q->n_segments == found->n, err);
  for (uint64_t k = q->n_segments; !st && k < found->n; k++) {
    st = open_segment(q, found->at[k], err);
    if (!st) st = drain(q, k + 1 == found->n, err);
  }
  return st;
}

static leat_status hollow_last(lt_quarantine *q, lt_segments *found, int remove, leat_error *err) {
  int32_t hollow = 0;
  if (!found->n) return LEAT_OK;
  char *path = lt_segment_path(q->rt, q->folder, 'q', found->at[found->n - 1], "");
  if (!path) return lt_fail_memory(err, 256, "a path");
  leat_status st = lt_segment_hollow(q->rt, path, &hollow, err);
  if (!st && hollow) found->n--;
  if (!st && hollow && remove) st = lt_path_remove(q->rt, path, err);
  lt_free(q->rt, path);
  return st;
}

leat_status lt_held_refresh(lt_quarantine *q, leat_error *err) {
  leat_status st = LEAT_OK;
  if (q->write) return LEAT_OK;
  for (int tries = 0; tries < 4; tries++) { /* segments may be rewritten while they are read */
    lt_segments found;
    st = lt_segments_find(q->rt, q->folder, 'q', &found, err);
    if (st == LEAT_E_NOT_FOUND) {
      lt_held_forget(q);
      return LEAT_OK;
    }
    if (st) return st;
    names_that_count(&found, NULL, NULL);
    st = hollow_last(q, &found, 0, err);
    int same = q->n_segments <= found.n && (q->log || !q->n_segments);
    for (uint64_t k = 0; same && k < q->n_segments; k++)
      same = q->segment[k].name.number == found.at[k].number && q->segment[k].name.generation == found.at[k].generation;
    if (!same) lt_held_forget(q);
    if (!st) st = read_on(q, &found, err);
    lt_segments_free(&found);
    if (!st) return LEAT_OK;
    lt_held_forget(q);
    if (st != LEAT_E_NOT_FOUND && st != LEAT_E_FORMAT) break;
  }
  return st == LEAT_E_NOT_FOUND ? LEAT_E_IO : st;
}

static leat_status wipe_old(lt_quarantine *q, const lt_segment *old, uint64_t n, leat_error *err) {
  leat_status st = LEAT_OK;
  for (uint64_t i = 0; !st && i < n; i++) {
    char *path = lt_segment_path(q->rt, q->folder, 'q', old[i], "");
    st = path ? lt_segment_wipe(q->rt, path, err) : lt_fail_memory(err, 256, "a path");
    lt_free(q->rt, path);
  }
  return st;
}

static leat_status open_writer(lt_quarantine *q, leat_error *err) {
  lt_segments found;
  lt_segment *old = NULL;
  uint64_t n_old = 0, torn = 0;
  leat_status st = lt_path_make_folder(q->rt, q->folder, err);
  if (!st) st = lt_segments_find(q->rt, q->folder, 'q', &found, err);
  if (st) return st;
  old = lt_array(q->rt, found.n, sizeof *old);
  if (!old) st = lt_fail_memory(err, found.n * sizeof *old, "a list of files");
  if (!st) names_that_count(&found, old, &n_old);
  if (!st) st = hollow_last(q, &found, 1, err);
  if (!st) st = read_on(q, &found, err);
  if (!st && q->log) {
    char *path = lt_segment_path(q->rt, q->folder, 'q', q->segment[q->n_segments - 1].name, "");
    (void)lt_reclog_close(q->log, NULL);
    q->log = NULL;
    st = path ? lt_reclog_append_open(q->rt, path, LT_HELD_KIND, LT_HELD_VERSION, &q->log, &torn, err)
              : lt_fail_memory(err, 256, "a path");
    if (torn) lt_log(q->rt, LEAT_LOG_WARN, "%s: %llu bytes of a torn tail were cut off", path, (unsigned long long)torn);
    lt_free(q->rt, path);
  }
  if (!st) st = wipe_old(q, old, n_old, err);
  if (!st) st = lt_segments_tidy(&found, q->folder, err);
  if (!st) st = lt_path_sync_folder(q->rt, q->folder, err);
  lt_segments_free(&found);
  lt_free(q->rt, old);
  if (!st && !q->n_segments) st = lt_held_begin_segment(q, err);
  for (uint64_t k = q->n_segments; !st && k--;)
    if (q->segment[k].wipe && k + 1 < q->n_segments) st = lt_held_rewrite(q, k, err);
  if (!st && q->segment[q->n_segments - 1].wipe) st = lt_held_rewrite(q, q->n_segments - 1, err);
  return st;
}

leat_status lt_quarantine_open(leat_runtime *rt, const char *folder, int write, const lt_quarantine_limits *limits,
                               lt_quarantine **out, leat_error *err) {
  *out = NULL;
  lt_quarantine *q = lt_zalloc(rt, sizeof *q);
  if (!q) return lt_fail_memory(err, sizeof *q, "a quarantine");
  q->rt = rt;
  q->write = write;
  if (limits) q->limits = *limits;
  if (q->limits.bytes <= 0) q->limits.bytes = (int64_t)256 << 20;
  if (q->limits.records <= 0) q->limits.records = 1000000;
  if (!(q->limits.reason_share > 0 && q->limits.reason_share <= 1)) q->limits.reason_share = .25;
  lt_put_init(&q->scratch, rt);
  q->folder = lt_strdup(rt, folder);
  leat_status st = q->folder ? LEAT_OK : lt_fail_memory(err, strlen(folder) + 1, "a path");
  if (!st) st = write ? open_writer(q, err) : lt_held_refresh(q, err);
  if (st) {
    lt_quarantine_close(q);
    return st;
  }
  *out = q;
  return LEAT_OK;
}

void lt_quarantine_close(lt_quarantine *q) {
  if (!q) return;
  lt_held_forget(q);
  lt_schema_free(q->schema);
  lt_put_free(&q->scratch);
  lt_free(q->rt, q->segment);
  lt_free(q->rt, q->item);
  lt_free(q->rt, q->folder);
  lt_free(q->rt, q);
}

/* ---- reading one record */
void lt_held_close_view(lt_quarantine *q) {
  if (q->view) (void)lt_reclog_close(q->view, NULL);
  q->view = NULL;
}

leat_status lt_held_read(lt_quarantine *q, uint32_t segment, uint64_t offset, lt_record *rec, leat_error *err) {
  leat_status st = LEAT_OK;
  int32_t got = 0, torn = 0;
  const lt_held_segment *s = lt_held_segment_of(q, segment);
  if (!s) return lt_fail(err, LEAT_E_INTERNAL, "the quarantine has no segment %lu", (unsigned long)segment);
  if (q->write && !q->failed && s == &q->segment[q->n_segments - 1]) st = lt_reclog_flush(q->log, err);
  if (!st && (!q->view || q->view_segment != segment)) {
    lt_held_close_view(q);
    char *path = lt_segment_path(q->rt, q->folder, 'q', s->name, "");
    st = path ? lt_reclog_read_open(q->rt, path, LT_HELD_KIND, LT_HELD_VERSION, &q->view, err)
              : lt_fail_memory(err, 256, "a path");
    lt_free(q->rt, path);
    q->view_segment = segment;
  }
  if (!st) st = lt_reclog_seek(q->view, offset, err);
  if (!st) st = lt_reclog_next(q->view, rec, &got, &torn, err);
  if (st) {
    lt_held_close_view(q);
    return st == LEAT_E_RANGE ? LEAT_E_FORMAT : st;
  }
  return got ? LEAT_OK : segment_damaged(q, s, offset, "a record that cannot be read", err);
}

/* ---- facts */
leat_status lt_quarantine_refresh(lt_quarantine *q, leat_error *err) { return lt_held_refresh(q, err); }
int64_t lt_quarantine_last_id(const lt_quarantine *q) { return q->last_id; }
int64_t lt_quarantine_dropped(const lt_quarantine *q) { return q->dropped; }

int64_t lt_quarantine_count(const lt_quarantine *q, int64_t reason) {
  if (!reason) return q->held;
  int slot = reason < 0 || reason > INT16_MAX ? LT_HELD_REASONS - 1 : lt_held_slot((int32_t)reason);
  return slot < LT_HELD_REASONS - 1 ? q->sum[slot].held : 0;
}

int64_t lt_quarantine_state(const lt_quarantine *q, int64_t id) {
  const lt_held_item *it = lt_held_find(q, id);
  return it ? it->state : 0;
}
