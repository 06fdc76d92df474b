/* Whole tables: merging them, which also turns one layout into another, and telling two apart. */
#include <math.h>
#include "serve/table_inner.h"

typedef struct merge_input {
  leat_table *t;
  leat_table_reader *r;
  lt_table_row row;
  uint64_t rank; /* the newest has the highest */
} merge_input;
typedef struct merge_run {
  leat_runtime *rt;
  int32_t layout;
  uint64_t n, live, value_bytes;
  merge_input *in;
  merge_input **heap; /* the next key first; of one key the newest table's */
  uint8_t *last;
} merge_run;

static int merge_key(const lt_table_row *a, const lt_table_row *b) {
  if (a->order != b->order) return a->order < b->order ? -1 : 1;
  return lt_t_compare(a->key, a->size, b->key, b->size);
}

static int merge_before(const merge_input *a, const merge_input *b) {
  int c = merge_key(&a->row, &b->row);
  return c ? c < 0 : a->rank > b->rank;
}

static void merge_sink(merge_run *m, uint64_t at) {
  merge_input *x = m->heap[at];
  for (uint64_t child; (child = 2 * at + 1) < m->live; at = child) {
    if (child + 1 < m->live && merge_before(m->heap[child + 1], m->heap[child])) child++;
    if (!merge_before(m->heap[child], x)) break;
    m->heap[at] = m->heap[child];
  }
  m->heap[at] = x;
}

static leat_status merge_step(merge_input *in, int32_t *got, leat_error *err) {
  uint64_t before = in->row.key ? in->row.order : 0;
  leat_status st = lt_table_reader_step(in->r, &in->row, got, err);
  if (!st && *got && in->row.order < before) /* a file that was made to deceive: the result would be one that lies */
    st = lt_fail(err, LEAT_E_FORMAT, "%s is damaged: its rows are not in order", in->t->path);
  return st;
}

static leat_status merge_rewind(void *self, leat_error *err) {
  merge_run *m = self;
  leat_status st = LEAT_OK;
  m->live = 0;
  for (uint64_t i = 0; i < m->n && !st; i++) {
    int32_t got = 0;
    st = lt_table_reader_seek(m->in[i].r, NULL, 0, err);
    m->in[i].row.key = NULL;
    if (!st) st = merge_step(&m->in[i], &got, err);
    if (!st && got) m->heap[m->live++] = &m->in[i];
  }
  for (uint64_t i = m->live / 2; i-- > 0 && !st;) merge_sink(m, i);
  return st;
}

static leat_status merge_forward(merge_run *m, leat_error *err) {
  int32_t got;
  leat_status st = merge_step(m->heap[0], &got, err);
  if (st) return st;
  if (!got) m->heap[0] = m->heap[--m->live];
  if (m->live > 1) merge_sink(m, 0);
  return LEAT_OK;
}

static leat_status merge_next(void *self, lt_table_row *row, int32_t *got, leat_error *err) {
  merge_run *m = self;
  leat_status st;
  *got = 0;
  if (!m->live) return LEAT_OK;
  const lt_table_row *top = &m->heap[0]->row;
  memcpy(m->last, top->key, top->size);
  memcpy(m->last + top->size, top->value, m->value_bytes);
  *row = (lt_table_row){top->order, m->last, top->size, m->last + top->size};
  st = merge_forward(m, err);
  while (!st && m->live && merge_key(&m->heap[0]->row, row) == 0) st = merge_forward(m, err);
  *got = !st;
  return st;
}

/* By age: created, then the order in which they were named. */
static void merge_rank(merge_run *m) {
  for (uint64_t i = 0; i < m->n; i++) {
    m->in[i].rank = 0;
    for (uint64_t k = 0; k < m->n; k++) {
      int64_t a = m->in[k].t->meta.created, b = m->in[i].t->meta.created;
      m->in[i].rank += a < b || (a == b && k < i);
    }
  }
}

static leat_status merge_open(merge_run *m, const char *const *paths, int map, leat_error *err) {
  leat_params *p = NULL;
  leat_status st = lt_params_create(m->rt, &lt_table_read_spec, &p, err);
  if (!st && map) st = lt_params_set_i64(p, "map", 1, err);
  for (uint64_t i = 0; i < m->n && !st; i++) {
    merge_input *in = &m->in[i];
    st = lt_table_open(m->rt, paths[i], p, &in->t, err);
    if (!st) st = lt_table_reader_create(in->t, 1, &in->r, err);
    if (st) break;
    const lt_table_meta *a = &m->in[0].t->meta, *b = &in->t->meta;
    if (a->key_type != b->key_type || a->n_values != b->n_values)
      st = lt_fail(err, LEAT_E_SHAPE, "%s has %s keys and %llu values, %s has %s keys and %llu: they cannot be merged", paths[i],
                   b->key_type ? "u64" : "bytes", (unsigned long long)b->n_values, paths[0], a->key_type ? "u64" : "bytes",
                   (unsigned long long)a->n_values);
  }
  lt_params_free(p);
  return st;
}

/* The newest table's words; valid as long as every part of it is. */
static leat_status merge_meta(merge_run *m, int32_t layout, lt_table_meta *meta, leat_error *err) {
  const lt_table_meta *newest = NULL;
  for (uint64_t i = 0; i < m->n; i++)
    if (m->in[i].rank == m->n - 1) newest = &m->in[i].t->meta;
  leat_status st = lt_table_meta_copy(m->rt, newest, meta, err);
  if (st) return st;
  meta->layout = layout;
  for (uint64_t i = 0; i < m->n; i++) {
    int64_t end = m->in[i].t->meta.valid_until;
    if (end && (!meta->valid_until || end < meta->valid_until)) meta->valid_until = end;
  }
  return LEAT_OK;
}

static leat_status merge_sorted_again(merge_run *m, const char *to, lt_table_meta *meta, uint64_t memory, const lt_emit_opts *o,
                                      leat_error *err) {
  lt_sorter *s = NULL;
  lt_row_source src;
  leat_status st = lt_sorter_create(m->rt, to, meta->layout, m->value_bytes, memory, 0, &s, err);
  for (uint64_t rank = 0; rank < m->n && !st; rank++)
    for (uint64_t i = 0; i < m->n && !st; i++) {
      int32_t got = m->in[i].rank == rank;
      while (!st && got) {
        lt_table_row row;
        uint8_t *room;
        st = lt_table_reader_step(m->in[i].r, &row, &got, err);
        if (!st && got) st = lt_sorter_add(s, row.key, row.size, &room, err);
        if (!st && got) memcpy(room, row.value, m->value_bytes);
      }
    }
  if (!st) st = lt_sorter_seal(s, &src, err);
  if (!st) st = lt_table_emit(m->rt, to, meta, o, &src, err);
  lt_sorter_free(s);
  return st;
}

static leat_status merge_in_order(merge_run *m, const char *to, lt_table_meta *meta, const lt_emit_opts *o, leat_error *err) {
  lt_row_source src = {m, merge_rewind, merge_next, 0, 0, 0, 0};
  m->heap = lt_array(m->rt, m->n, sizeof *m->heap);
  m->last = lt_alloc(m->rt, LT_TABLE_KEY_MAX + m->value_bytes);
  if (!m->heap || !m->last) return lt_fail_memory(err, LT_TABLE_KEY_MAX, "merging tables");
  for (uint64_t i = 0; i < m->n; i++) {
    const lt_table_meta *a = &m->in[i].t->meta;
    if (!a->rows) continue;
    if (!src.rows || a->key_min < src.key_min) src.key_min = a->key_min;
    if (a->key_max > src.key_max) src.key_max = a->key_max;
    src.rows += a->rows;
    src.key_bytes += a->key_bytes;
  }
  return lt_table_emit(m->rt, to, meta, o, &src, err);
}

leat_status lt_table_merge(leat_runtime *rt, const char *const *paths, uint64_t n, const char *to, const leat_params *p,
                           leat_error *err) {
  merge_run m = {.rt = rt, .n = n};
  lt_table_meta meta;
  leat_params *own = NULL;
  leat_status st = LEAT_OK;
  memset(&meta, 0, sizeof meta);
  if (!n || n > 100000) return lt_fail(err, LEAT_E_ARG, "%llu tables are to be merged: name at least one", (unsigned long long)n);
  if (p && lt_params_spec(p) != &lt_table_write_spec)
    return lt_fail(err, LEAT_E_ARG, "the parameters are of '%s', a table takes those of 'table/write'", lt_params_spec(p)->name);
  if (!p && (st = lt_params_create(rt, &lt_table_write_spec, &own, err)) != 0) return st;
  const leat_params *q = p ? p : own;
  m.in = lt_zarray(rt, n, sizeof *m.in);
  if (!m.in) st = lt_fail_memory(err, n * sizeof *m.in, "merging tables");
  if (!st) st = merge_open(&m, paths, lt_param_int(q, "map") != 0, err);
  if (st) goto out;
  merge_rank(&m);
  int32_t layout = p ? lt_param_is(p, "layout", "hash") : m.in[0].t->meta.layout, in_order = 1;
  m.layout = layout;
  m.value_bytes = 4 * m.in[0].t->meta.n_values;
  for (uint64_t i = 0; i < n; i++) in_order &= m.in[i].t->meta.layout == layout;
  lt_emit_opts o = {lt_param_is(q, "compression", "zstd"), lt_param_int(q, "dictionary") != 0,
                    (uint64_t)lt_param_int(q, "block_bytes")};
  st = merge_meta(&m, layout, &meta, err);
  if (!st)
    st = in_order ? merge_in_order(&m, to, &meta, &o, err)
                  : merge_sorted_again(&m, to, &meta, (uint64_t)lt_param_int(q, "memory_bytes"), &o, err);
out:
  for (uint64_t i = 0; m.in && i < n; i++) {
    lt_table_reader_free(m.in[i].r);
    lt_table_free(m.in[i].t);
  }
  lt_free(rt, m.in);
  lt_free(rt, m.heap);
  lt_free(rt, m.last);
  lt_table_meta_free(rt, &meta);
  lt_params_free(own);
  return st;
}

/* ---- two tables */
typedef struct diff_run {
  const leat_table *a, *b; /* rows of a are looked for in b */
  leat_table_reader *ra, *rb;
  float *va, *vb;
  lt_table_each each;
  void *user;
  double tolerance;
  leat_table_changes *out;
} diff_run;

static void diff_tell(const diff_run *d, int64_t what, const lt_table_row *row, const float *a, const float *b) {
  uint64_t number;
  if (!d->each) return;
  if (d->a->meta.key_type == LT_KEYS_U64) {
    number = lt_t_prefix(row->key, 8);
    d->each(d->user, what, &number, 8, a, b);
  } else
    d->each(d->user, what, row->key, row->size, a, b);
}

static void diff_values(const diff_run *d, const lt_table_row *row, const uint8_t *value) {
  int changed = 0;
  for (uint64_t k = 0; k < d->a->meta.n_values; k++) {
    d->va[k] = lt_t_float(row->value + 4 * k);
    d->vb[k] = lt_t_float(value + 4 * k);
    if (memcmp(&d->va[k], &d->vb[k], 4) == 0) continue;
    double x = fabs((double)d->va[k] - (double)d->vb[k]);
    if (isnan(x)) changed |= isnan(d->va[k]) != isnan(d->vb[k]) || !isnan(d->va[k]);
    else if (x > d->out->max_difference) d->out->max_difference = x;
    changed |= x > d->tolerance;
  }
  if (changed) {
    d->out->changed++;
    diff_tell(d, LEAT_TABLE_CHANGED, row, d->va, d->vb);
  } else
    d->out->same++;
}

static leat_status diff_find(leat_table_reader *r, const leat_table *t, const lt_table_row *row, const uint8_t **value,
                             int32_t *hit, leat_error *err) {
  return t->meta.layout == LT_LAYOUT_HASH ? lt_table_find_hash(t, row->key, row->size, value, hit, err)
                                          : lt_table_reader_find(r, row->key, row->size, value, hit, err);
}

/* One pass over `from`; other: the table where its keys are looked for. second: only what is missing there counts. */
static leat_status diff_pass(const diff_run *d, leat_table_reader *from, leat_table_reader *other, const leat_table *in,
                             int second, leat_error *err) {
  lt_table_row row;
  const uint8_t *value;
  int32_t got = 1, hit;
  leat_status st = lt_table_reader_seek(from, NULL, 0, err);
  while (!st && got) {
    st = lt_table_reader_step(from, &row, &got, err);
    if (st || !got) break;
    st = diff_find(other, in, &row, &value, &hit, err);
    if (st) break;
    if (hit && !second) diff_values(d, &row, value);
    if (hit) continue;
    float *v = second ? d->vb : d->va;
    for (uint64_t k = 0; k < d->a->meta.n_values; k++) v[k] = lt_t_float(row.value + 4 * k);
    if (second) d->out->added++;
    else d->out->removed++;
    diff_tell(d, second ? LEAT_TABLE_ADDED : LEAT_TABLE_REMOVED, &row, second ? NULL : v, second ? v : NULL);
  }
  return st;
}

leat_status lt_table_diff(const leat_table *a, const leat_table *b, double tolerance, lt_table_each each, void *user,
                          leat_table_changes *out, leat_error *err) {
  leat_table_changes given, full;
  leat_status st = lt_take_struct(&given, sizeof given, out, out->struct_size, "leat_table_changes", err);
  if (st) return st;
  if (!(tolerance >= 0)) return lt_fail(err, LEAT_E_RANGE, "tolerance must be 0 or more");
  if (a->meta.key_type != b->meta.key_type || a->meta.n_values != b->meta.n_values)
    return lt_fail(err, LEAT_E_SHAPE, "%s and %s have keys or values of different kinds: they cannot be compared", a->path, b->path);
  memset(&full, 0, sizeof full);
  full.struct_size = out->struct_size;
  leat_runtime *rt = a->rt;
  diff_run d = {a, b, NULL, NULL, NULL, NULL, each, user, tolerance, &full};
  d.va = lt_array(rt, 2 * a->meta.n_values, sizeof *d.va);
  if (!d.va) return lt_fail_memory(err, 8 * a->meta.n_values, "comparing tables");
  d.vb = d.va + a->meta.n_values;
  st = lt_table_reader_create(a, 1 << 20, &d.ra, err);
  if (!st) st = lt_table_reader_create(b, 1 << 20, &d.rb, err);
  if (!st) st = diff_pass(&d, d.ra, d.rb, b, 0, err);
  if (!st && full.same + full.changed != (int64_t)b->meta.rows) st = diff_pass(&d, d.rb, d.ra, a, 1, err);
  lt_table_reader_free(d.ra);
  lt_table_reader_free(d.rb);
  lt_free(rt, d.va);
  if (!st) lt_give_struct(out, out->struct_size, &full, sizeof full);
  return st;
}
