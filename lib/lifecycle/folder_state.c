/* What the records of a MANIFEST say. Every record begins with the generation it makes and the time; nothing of a record
 * is believed before it fits to what is known. */
#include <math.h>
#include <string.h>
#include "lifecycle/folder_inner.h"

enum { EVENTS_BYTES = 1 << 20 };

void lt_manifest_init(lt_manifest *m, leat_runtime *rt, const char *path) {
  memset(m, 0, sizeof *m);
  m->rt = rt;
  m->path = path;
  lt_put_init(&m->events, rt);
}

void lt_manifest_free(lt_manifest *m) {
  if (!m->rt) return;
  lt_put_free(&m->events);
  lt_free(m->rt, m->entry);
  lt_free(m->rt, m->live);
  lt_free(m->rt, m->stage);
  lt_free(m->rt, m->table);
  lt_free(m->rt, m->event_at);
  memset(m, 0, sizeof *m);
}

/* ---- looking things up */

const lt_entry *lt_manifest_entry(const lt_manifest *m, int64_t version) {
  return version >= 1 && (uint64_t)version <= m->n ? &m->entry[version - 1] : NULL;
}

const lt_stage_line *lt_manifest_stage(const lt_manifest *m, const char *name) {
  for (uint64_t i = 0; i < m->n_stages; i++)
    if (strcmp(m->stage[i].name, name) == 0) return &m->stage[i];
  return NULL;
}

int64_t lt_manifest_staged(const lt_manifest *m, const lt_stage_line *s, int64_t steps) {
  if (!s) return 0;
  for (int64_t i = s->n; i-- > 0;) {
    if (m->entry[s->version[i] - 1].flags & LEAT_VERSION_REMOVED) continue;
    if (steps-- == 0) return s->version[i];
  }
  return 0;
}

int lt_manifest_needed(const lt_manifest *m, int64_t version) {
  for (uint64_t i = 0; i < m->n_stages; i++)
    if (lt_manifest_staged(m, &m->stage[i], 0) == version || lt_manifest_staged(m, &m->stage[i], 1) == version) return 1;
  return 0;
}

/* ---- writing */

void lt_manifest_head(const lt_manifest *m, lt_put *w, int64_t step, int64_t time_ns) {
  lt_put_i64(w, m->generation + step);
  lt_put_i64(w, time_ns);
}

void lt_manifest_put_entry(lt_put *w, const lt_entry *e) {
  lt_put_i64(w, e->version);
  lt_put_i64(w, e->parent);
  lt_put_i64(w, e->created_ns);
  lt_put_i64(w, e->rows);
  lt_put_i64(w, e->row);
  lt_put_i64(w, e->bytes);
  lt_put_u64(w, e->flags);
  lt_put_f64(w, e->loss);
  lt_put_i64(w, e->ordinal);
  lt_put_i64(w, e->taken_ns);
  lt_put_u64(w, e->journal);
  lt_put_text(w, e->checksum);
  lt_put_text(w, e->origin);
}

void lt_manifest_put_event(lt_put *w, const leat_event *e) {
  lt_put_i64(w, e->generation);
  lt_put_i64(w, e->time_ns);
  lt_put_i64(w, e->kind);
  lt_put_i64(w, e->version);
  lt_put_i64(w, e->row);
  lt_put_f64(w, e->value);
  lt_put_f64(w, e->threshold);
  lt_put_text(w, e->name);
  lt_put_text(w, e->text);
}

void lt_manifest_base(const lt_manifest *m, lt_put *w) {
  lt_manifest_head(m, w, 0, m->time_ns);
  lt_put_u64(w, m->n);
  for (uint64_t i = 0; i < m->n; i++) lt_manifest_put_entry(w, &m->entry[i]);
  lt_put_u64(w, m->n_stages);
  for (uint64_t i = 0; i < m->n_stages; i++) {
    lt_put_text(w, m->stage[i].name);
    lt_put_i64s(w, m->stage[i].version, (uint64_t)m->stage[i].n);
  }
  lt_put_u64(w, (uint64_t)m->n_checkpoints);
  for (int64_t i = 0; i < m->n_checkpoints; i++) {
    lt_put_text(w, m->checkpoint[i].name);
    lt_put_u64(w, m->checkpoint[i].journal);
    lt_put_u64(w, m->checkpoint[i].keep);
  }
  lt_put_i64(w, m->snapshot_ordinal);
  lt_put_i64(w, m->event_ordinal);
  lt_put_u64(w, m->n_events);
}

uint64_t lt_manifest_events(const lt_manifest *m, uint64_t from, lt_put *w) {
  uint64_t to = from, start = from < m->n_events ? m->event_at[from] : m->events.size;
  while (to < m->n_events && m->event_at[to] - start < EVENTS_BYTES) to++;
  uint64_t end = to < m->n_events ? m->event_at[to] : m->events.size;
  lt_manifest_head(m, w, 0, m->time_ns);
  lt_put_u64(w, to - from);
  lt_put_raw(w, m->events.data + start, end - start);
  return to;
}

/* ---- reading */

/* A text of less than cap bytes into a caller's array. */
void lt_manifest_word(lt_get *r, char *buf, uint64_t cap) {
  uint64_t n = lt_get_count(r, 1, cap - 1);
  const void *p = lt_get_raw(r, n);
  memset(buf, 0, cap);
  if (!p) return;
  memcpy(buf, p, n);
  if (memchr(buf, 0, n)) lt_get_fail(r, LEAT_E_FORMAT);
}

static void get_entry(lt_get *r, lt_entry *e) {
  memset(e, 0, sizeof *e);
  e->version = lt_get_i64(r);
  e->parent = lt_get_i64(r);
  e->created_ns = lt_get_i64(r);
  e->rows = lt_get_i64(r);
  e->row = lt_get_i64(r);
  e->bytes = lt_get_i64(r);
  e->flags = lt_get_u64(r);
  e->loss = lt_get_f64(r);
  e->ordinal = lt_get_i64(r);
  e->taken_ns = lt_get_i64(r);
  e->journal = lt_get_u64(r);
  lt_manifest_word(r, e->checksum, sizeof e->checksum);
  lt_manifest_word(r, e->origin, sizeof e->origin);
}

static void get_event(lt_get *r, leat_event *e) {
  memset(e, 0, sizeof *e);
  e->struct_size = sizeof *e;
  e->generation = lt_get_i64(r);
  e->time_ns = lt_get_i64(r);
  e->kind = lt_get_i64(r);
  e->version = lt_get_i64(r);
  e->row = lt_get_i64(r);
  e->value = lt_get_f64(r);
  e->threshold = lt_get_f64(r);
  lt_manifest_word(r, e->name, sizeof e->name);
  lt_manifest_word(r, e->text, sizeof e->text);
}

static void get_checkpoint(lt_get *r, lt_checkpoint *c) {
  lt_manifest_word(r, c->name, sizeof c->name);
  c->journal = lt_get_u64(r);
  c->keep = lt_get_u64(r);
  if (!c->name[0] || strchr(c->name, '/')) lt_get_fail(r, LEAT_E_FORMAT);
}

leat_status lt_manifest_event(const lt_manifest *m, uint64_t index, leat_event *out, leat_error *err) {
  lt_get r;
  lt_get_init(&r, m->rt, m->events.data + m->event_at[index], m->events.size - m->event_at[index]);
  get_event(&r, out);
  return lt_get_status(&r, "an event", err);
}

/* ---- applying */

leat_status lt_manifest_tell(lt_manifest *m, const leat_event *e, leat_error *err) {
  void *at = m->event_at;
  leat_status st = lt_grow(m->rt, &at, &m->event_cap, m->n_events + 1, sizeof *m->event_at, err);
  if (st) return st;
  m->event_at = at;
  m->event_at[m->n_events] = m->events.size;
  lt_manifest_put_event(&m->events, e);
  st = lt_put_status(&m->events, err);
  if (!st) m->n_events++;
  return st;
}

leat_event lt_manifest_now(const lt_manifest *m, int32_t kind, int64_t version) {
  leat_event e;
  memset(&e, 0, sizeof e);
  e.struct_size = sizeof e;
  e.generation = m->generation;
  e.time_ns = m->time_ns;
  e.kind = kind;
  e.version = version;
  return e;
}

static leat_status manifest_add_entry(lt_manifest *m, const lt_entry *e, leat_error *err) {
  void *p = m->entry;
  leat_status st = lt_grow(m->rt, &p, &m->cap, m->n + 1, sizeof *m->entry, err);
  m->entry = p;
  if (st) return st;
  m->entry[m->n++] = *e;
  if (e->ordinal > m->snapshot_ordinal) m->snapshot_ordinal = e->ordinal;
  if (e->flags & LEAT_VERSION_REMOVED) return LEAT_OK;
  p = m->live;
  st = lt_grow(m->rt, &p, &m->live_cap, m->n_live + 1, sizeof *m->live, err);
  m->live = p;
  if (!st) m->live[m->n_live++] = e->version;
  return st;
}

/* 0: the entry cannot be. */
static int manifest_entry_fits(const lt_manifest *m, const lt_entry *e) {
  return e->version == (int64_t)m->n + 1 && e->parent >= 0 && e->parent < e->version && e->rows >= 0 && e->row >= 0 &&
         e->bytes >= 0 && e->ordinal >= 0 && (e->ordinal == 0 || e->ordinal > m->snapshot_ordinal) &&
         (e->ordinal > 0) == ((e->flags & LEAT_VERSION_SNAPSHOT) != 0);
}

static leat_status manifest_remove(lt_manifest *m, int64_t version, leat_error *err) {
  lt_entry *e = &m->entry[version - 1];
  uint64_t i = 0;
  leat_event told = lt_manifest_now(m, LEAT_EVENT_REMOVED, version);
  e->flags |= LEAT_VERSION_REMOVED;
  while (m->live[i] != version) i++;
  m->n_live--;
  memmove(m->live + i, m->live + i + 1, (m->n_live - i) * sizeof *m->live);
  told.row = e->row;
  memcpy(told.name, e->origin, sizeof told.name);
  return lt_manifest_tell(m, &told, err);
}

static leat_status apply_version(lt_manifest *m, lt_get *r, leat_error *err) {
  lt_entry e;
  get_entry(r, &e);
  if (!manifest_entry_fits(m, &e) || e.flags & LEAT_VERSION_REMOVED) lt_get_fail(r, LEAT_E_FORMAT);
  uint64_t n = lt_get_count(r, 8, UINT64_MAX);
  if (r->failed) return LEAT_OK;
  leat_status st = manifest_add_entry(m, &e, err);
  leat_event told = lt_manifest_now(m, LEAT_EVENT_VERSION, e.version);
  told.row = e.row;
  told.value = (double)e.rows;
  memcpy(told.name, e.origin, sizeof told.name);
  if (!st) st = lt_manifest_tell(m, &told, err);
  for (uint64_t i = 0; i < n && !st; i++) {
    int64_t v = lt_get_i64(r);
    const lt_entry *gone = lt_manifest_entry(m, v);
    if (!gone || gone->flags & LEAT_VERSION_REMOVED || v == e.version) lt_get_fail(r, LEAT_E_FORMAT);
    if (r->failed) return LEAT_OK;
    st = manifest_remove(m, v, err);
  }
  return st;
}

static leat_status manifest_new_stage(lt_manifest *m, const char *name, lt_stage_line **out, leat_error *err) {
  void *p = m->stage;
  leat_status st = lt_grow(m->rt, &p, &m->stage_cap, m->n_stages + 1, sizeof *m->stage, err);
  m->stage = p;
  if (st) return st;
  *out = &m->stage[m->n_stages++];
  memset(*out, 0, sizeof **out);
  memcpy((*out)->name, name, sizeof (*out)->name);
  return LEAT_OK;
}

static leat_status apply_stage(lt_manifest *m, lt_get *r, int back, leat_error *err) {
  char name[64];
  lt_manifest_word(r, name, sizeof name);
  int64_t v = lt_get_i64(r), before;
  const lt_entry *e = lt_manifest_entry(m, v);
  lt_stage_line *s = (lt_stage_line *)(uintptr_t)lt_manifest_stage(m, name);
  leat_status st = LEAT_OK;
  if (!name[0] || !e || e->flags & LEAT_VERSION_REMOVED || (!s && (back || m->n_stages >= LT_STAGES_MOST)))
    lt_get_fail(r, LEAT_E_FORMAT);
  if (r->failed) return LEAT_OK;
  if (!s) st = manifest_new_stage(m, name, &s, err);
  if (st) return st;
  before = lt_manifest_staged(m, s, 0);
  if (back) {
    if (s->n) s->n--;
    while (s->n && s->version[s->n - 1] != v) s->n--;
    if (!s->n) lt_get_fail(r, LEAT_E_FORMAT);
  } else {
    if (s->n == LT_STAGE_STEPS) memmove(s->version, s->version + 1, (size_t)--s->n * sizeof *s->version);
    s->version[s->n++] = v;
  }
  leat_event told = lt_manifest_now(m, back ? LEAT_EVENT_STAGE_BACK : LEAT_EVENT_STAGE, v);
  told.value = (double)before;
  told.row = e->row;
  memcpy(told.name, name, sizeof told.name);
  return lt_manifest_tell(m, &told, err);
}

static leat_status apply_pin(lt_manifest *m, lt_get *r, leat_error *err) {
  int64_t v = lt_get_i64(r);
  uint8_t pinned = lt_get_u8(r);
  const lt_entry *e = lt_manifest_entry(m, v);
  if (!e || e->flags & LEAT_VERSION_REMOVED || pinned > 1) lt_get_fail(r, LEAT_E_FORMAT);
  if (r->failed) return LEAT_OK;
  uint64_t bit = LEAT_VERSION_PINNED;
  m->entry[v - 1].flags = pinned ? e->flags | bit : e->flags & ~bit;
  leat_event told = lt_manifest_now(m, LEAT_EVENT_PIN, v);
  told.value = pinned;
  told.row = e->row;
  return lt_manifest_tell(m, &told, err);
}

static leat_status apply_event(lt_manifest *m, lt_get *r, leat_error *err) {
  leat_event e;
  int64_t ordinal = lt_get_i64(r);
  get_event(r, &e);
  if (ordinal <= m->event_ordinal) lt_get_fail(r, LEAT_E_FORMAT);
  if (r->failed) return LEAT_OK;
  m->event_ordinal = ordinal;
  e.generation = m->generation;
  if (e.kind == LEAT_EVENT_CERTIFIED && lt_manifest_entry(m, e.version))
    m->entry[e.version - 1].flags |= LEAT_VERSION_CERTIFIED;
  return lt_manifest_tell(m, &e, err);
}

static leat_status apply_note(lt_manifest *m, lt_get *r, leat_error *err) {
  leat_event e;
  get_event(r, &e);
  if (r->failed) return LEAT_OK;
  e.generation = m->generation;
  return lt_manifest_tell(m, &e, err);
}

static void apply_checkpoint(lt_manifest *m, lt_get *r) {
  lt_checkpoint c;
  get_checkpoint(r, &c);
  if (r->failed) return;
  if (m->n_checkpoints && strcmp(m->checkpoint[0].name, c.name) != 0) {
    m->checkpoint[1] = m->checkpoint[0];
    m->n_checkpoints = 2;
  }
  if (!m->n_checkpoints) m->n_checkpoints = 1;
  m->checkpoint[0] = c;
}

static leat_status apply_base_stages(lt_manifest *m, lt_get *r, leat_error *err) {
  uint64_t n = lt_get_count(r, 16, LT_STAGES_MOST);
  for (uint64_t i = 0; i < n && !r->failed; i++) {
    char name[64];
    lt_stage_line *s;
    lt_manifest_word(r, name, sizeof name);
    if (!name[0] || lt_manifest_stage(m, name)) lt_get_fail(r, LEAT_E_FORMAT);
    uint64_t steps = lt_get_count(r, 8, LT_STAGE_STEPS);
    if (r->failed) return LEAT_OK;
    leat_status st = manifest_new_stage(m, name, &s, err);
    if (st) return st;
    for (uint64_t k = 0; k < steps; k++) {
      int64_t v = lt_get_i64(r);
      if (!lt_manifest_entry(m, v)) lt_get_fail(r, LEAT_E_FORMAT);
      if (r->failed) return LEAT_OK;
      s->version[s->n++] = v;
    }
  }
  return LEAT_OK;
}

static leat_status apply_base(lt_manifest *m, lt_get *r, leat_error *err) {
  uint64_t n = lt_get_count(r, 100, UINT64_MAX);
  for (uint64_t i = 0; i < n; i++) {
    lt_entry e;
    get_entry(r, &e);
    if (!manifest_entry_fits(m, &e)) lt_get_fail(r, LEAT_E_FORMAT);
    if (r->failed) return LEAT_OK;
    leat_status st = manifest_add_entry(m, &e, err);
    if (st) return st;
  }
  leat_status st = apply_base_stages(m, r, err);
  if (st) return st;
  n = lt_get_count(r, 24, 2);
  for (uint64_t i = 0; i < n; i++) get_checkpoint(r, &m->checkpoint[i]);
  m->n_checkpoints = (int64_t)n;
  int64_t snapshot = lt_get_i64(r), event = lt_get_i64(r);
  if (snapshot < m->snapshot_ordinal || event < 0) lt_get_fail(r, LEAT_E_FORMAT);
  m->snapshot_ordinal = snapshot;
  m->event_ordinal = event;
  m->events_due = lt_get_u64(r);
  return LEAT_OK;
}

static leat_status apply_events(lt_manifest *m, lt_get *r, leat_error *err) {
  uint64_t n = lt_get_count(r, 72, m->events_due);
  for (uint64_t i = 0; i < n; i++) {
    leat_event e;
    get_event(r, &e);
    if (r->failed) return LEAT_OK;
    leat_status st = lt_manifest_tell(m, &e, err);
    if (st) return st;
  }
  m->events_due -= n;
  return LEAT_OK;
}

static leat_status manifest_damage(const lt_manifest *m, const lt_record *rec, const char *what, leat_error *err) {
  return lt_fail(err, LEAT_E_FORMAT, "%s is damaged: record %llu at byte %llu %s; restore it from a copy", m->path,
                 (unsigned long long)rec->sequence, (unsigned long long)rec->offset, what);
}

leat_status lt_manifest_apply(lt_manifest *m, const lt_record *rec, leat_error *err) {
  if (rec->type == LT_M_WITNESS) return LEAT_OK;
  if (rec->type < LT_M_BASE || rec->type > LT_M_TABLES)
    return lt_fail(err, LEAT_E_VERSION, "%s has a record of type %u, which this version does not know: take a newer leat",
                   m->path, rec->type);
  lt_get r;
  leat_status st = LEAT_OK;
  int first = m->generation == 0 && m->n == 0 && m->n_checkpoints == 0 && m->n_events == 0;
  int compacted = rec->type == LT_M_BASE || rec->type == LT_M_EVENTS || rec->type == LT_M_TABLES;
  int step = !compacted && rec->type != LT_M_CHECKPOINT;
  lt_get_init(&r, m->rt, rec->data, rec->size);
  int64_t generation = lt_get_i64(&r), time_ns = lt_get_i64(&r);
  if (rec->type == LT_M_BASE ? !first || generation < 0 : m->generation == INT64_MAX || generation != m->generation + step)
    return manifest_damage(m, rec, "does not follow from what is before it", err);
  if (rec->type == LT_M_TABLES && (m->n_tables || m->n_events || !m->events_due))
    return manifest_damage(m, rec, "is not where it should be", err);
  if (m->events_due && rec->type != LT_M_EVENTS && rec->type != LT_M_TABLES) return manifest_damage(m, rec, "comes before the end of the history", err);
  m->generation = generation;
  m->time_ns = time_ns;
  if (compacted) m->base_bytes = rec->offset + rec->size;
  switch (rec->type) {
    case LT_M_BASE: st = apply_base(m, &r, err); break;
    case LT_M_EVENTS: st = apply_events(m, &r, err); break;
    case LT_M_VERSION: st = apply_version(m, &r, err); break;
    case LT_M_STAGE: st = apply_stage(m, &r, 0, err); break;
    case LT_M_STAGE_BACK: st = apply_stage(m, &r, 1, err); break;
    case LT_M_PIN: st = apply_pin(m, &r, err); break;
    case LT_M_EVENT: st = apply_event(m, &r, err); break;
    case LT_M_NOTE: st = apply_note(m, &r, err); break;
    case LT_M_CHECKPOINT: apply_checkpoint(m, &r); break;
    default: st = lt_manifest_apply_table(m, rec->type, &r, err); break;
  }
  if (!st && (r.failed || lt_get_left(&r))) st = manifest_damage(m, rec, "holds what cannot be", err);
  return st;
}
