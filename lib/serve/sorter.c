/* Rows in the order of a layout, out of rows in any order, in bounded memory: sorted runs go to a temporary file beside
 * the table and are merged. In memory: a most-significant-digit radix sort in place (McIlroy, Bostic, McIlroy:
 * "Engineering radix sort", 1993) of 8 bytes of each key beside the row's number, reloaded where 8 bytes do not decide. */
#include "serve/sorter.h"

enum { SORT_SMALL = 24, SORT_DEEP = 24, SORT_AHEAD = 12 };

static void sorter_drop(lt_sorter *s) {
  for (uint64_t i = 0; i < s->have_segs; i++) lt_free(s->rt, s->seg[i].bytes);
  lt_free(s->rt, s->entry);
  s->entry = NULL;
  s->have_segs = s->n_segs = s->n = s->cap_entries = 0;
}

leat_status lt_sorter_create(leat_runtime *rt, const char *path, int layout, uint64_t value_bytes, uint64_t memory_bytes,
                             int refuse_twice, lt_sorter **out, leat_error *err) {
  lt_sorter *s = lt_zalloc(rt, sizeof *s);
  *out = NULL;
  if (!s) return lt_fail_memory(err, sizeof *s, "a sorter");
  s->rt = rt;
  s->layout = layout;
  s->value_bytes = value_bytes;
  s->refuse_twice = refuse_twice;
  s->memory = memory_bytes;
  s->seg_bytes = memory_bytes >= (64u << 20) ? (4u << 20) - 64 : (1u << 20) - 64; /* with the block's head: huge pages */
  s->path = lt_strdup(rt, path);
  if (!s->path) {
    lt_free(rt, s);
    return lt_fail_memory(err, strlen(path), "a path");
  }
  *out = s;
  return LEAT_OK;
}

void lt_sorter_free(lt_sorter *s) {
  if (!s) return;
  sorter_drop(s);
  lt_sorter_merge_end(s);
  (void)lt_file_close(s->file, NULL);
  if (s->file_name) (void)lt_path_remove(s->rt, s->file_name, NULL);
  lt_free(s->rt, s->file_name);
  lt_free(s->rt, s->run);
  lt_free(s->rt, s->seg);
  lt_free(s->rt, s->path);
  lt_free(s->rt, s);
}

/* ---- sorting what is in memory */
static const uint8_t *sorter_row(const lt_sorter *s, uint64_t at) {
  return s->seg[at >> SORT_SEG_BITS].bytes + (at & (((uint64_t)1 << SORT_SEG_BITS) - 1));
}

/* Rows whose first `depth` bytes are equal; by key, then by the order in which they came. */
static int sort_compare(const lt_sorter *s, const sort_entry *a, const sort_entry *b, uint64_t depth) {
  if (a->order != b->order) return a->order < b->order ? -1 : 1;
  const uint8_t *p = sorter_row(s, a->at), *q = sorter_row(s, b->at);
  uint64_t pn = lt_t_load16(p), qn = lt_t_load16(q);
  uint64_t skip = depth < pn ? depth : pn;
  if (skip > qn) skip = qn;
  int c = lt_t_compare(p + 2 + skip, pn - skip, q + 2 + skip, qn - skip);
  return c ? c : a->at < b->at ? -1 : 1;
}

static void sort_insertion(const lt_sorter *s, sort_entry *e, uint64_t n, uint64_t depth) {
  for (uint64_t i = 1; i < n; i++) {
    sort_entry x = e[i];
    uint64_t j = i;
    for (; j && sort_compare(s, &x, &e[j - 1], depth) < 0; j--) e[j] = e[j - 1];
    e[j] = x;
  }
}

/* For what radix passes should not do: many rows of one key, keys that share very much. */
static void sort_heap(const lt_sorter *s, sort_entry *e, uint64_t n, uint64_t depth) {
  for (uint64_t i = n / 2, end = n; end > 1;) {
    sort_entry x;
    if (i) x = e[--i];
    else {
      x = e[--end];
      e[end] = e[0];
    }
    uint64_t at = i;
    for (uint64_t child; (child = 2 * at + 1) < end; at = child) {
      if (child + 1 < end && sort_compare(s, &e[child], &e[child + 1], depth) < 0) child++;
      if (sort_compare(s, &x, &e[child], depth) >= 0) break;
      e[at] = e[child];
    }
    e[at] = x;
  }
}

static void sort_split(sort_entry *e, uint64_t n, int shift, uint64_t start[257]) {
  uint64_t head[256], count[256] = {0};
  for (uint64_t i = 0; i < n; i++) count[e[i].order >> shift & 255]++;
  start[0] = 0;
  for (int b = 0; b < 256; b++) {
    head[b] = start[b];
    start[b + 1] = start[b] + count[b];
  }
  for (int b = 0; b < 256; b++)
    while (head[b] < start[b + 1]) {
      sort_entry x = e[head[b]];
      unsigned to = (unsigned)(x.order >> shift & 255);
      while (to != (unsigned)b) {
        sort_entry y = e[head[to]];
        e[head[to]++] = x;
        x = y;
        to = (unsigned)(x.order >> shift & 255);
      }
      e[head[b]++] = x;
    }
}

static void sort_radix(const lt_sorter *s, sort_entry *e, uint64_t n, int shift, uint64_t depth, int level);

/* n rows with the same 8 bytes behind `depth`: the next 8 decide. */
static void sort_deeper(const lt_sorter *s, sort_entry *e, uint64_t n, uint64_t depth, int level) {
  if (s->layout == LT_LAYOUT_HASH || level >= SORT_DEEP) {
    sort_heap(s, e, n, depth);
    return;
  }
  uint64_t ended = 0;
  for (uint64_t i = 0; i < n; i++) { /* keys that end here come first */
    const uint8_t *p = sorter_row(s, e[i].at);
    uint64_t size = lt_t_load16(p);
    if (size <= depth + 8) {
      sort_entry x = e[i];
      e[i] = e[ended];
      e[ended++] = x;
    } else
      e[i].order = lt_t_prefix(p + 2 + depth + 8, size - depth - 8);
  }
  sort_heap(s, e, ended, depth);
  sort_radix(s, e + ended, n - ended, 56, depth + 8, level + 1);
}

static void sort_radix(const lt_sorter *s, sort_entry *e, uint64_t n, int shift, uint64_t depth, int level) {
  uint64_t start[257];
  if (n <= SORT_SMALL) {
    sort_insertion(s, e, n, depth);
    return;
  }
  if (shift < 0) {
    sort_deeper(s, e, n, depth, level);
    return;
  }
  sort_split(e, n, shift, start);
  for (int b = 0; b < 256; b++)
    if (start[b + 1] > start[b] + 1) sort_radix(s, e + start[b], start[b + 1] - start[b], shift - 8, depth, level);
}

typedef struct sort_job { lt_sorter *s; uint64_t skip; uint64_t start[257]; } sort_job;

static void sort_fill_task(void *arg, int64_t index) {
  const sort_job *j = arg;
  lt_sorter *s = j->s;
  const sort_seg *g = &s->seg[index];
  sort_entry *e = s->entry + g->first;
  for (uint64_t at = 0; at < g->used; e++) {
    const uint8_t *p = g->bytes + at;
    uint64_t size = lt_t_load16(p);
    e->at = (uint64_t)index << SORT_SEG_BITS | at;
    e->order = s->layout == LT_LAYOUT_HASH ? lt_hash64(p + 2, size, 0) : lt_t_prefix(p + 2 + j->skip, size - j->skip);
    at += 2 + size + s->value_bytes;
  }
}

static void sort_task(void *arg, int64_t index) {
  const sort_job *j = arg;
  uint64_t from = j->start[index], n = j->start[index + 1] - from;
  if (n > 1) sort_radix(j->s, j->s->entry + from, n, 48, j->skip, 0);
}

static leat_status sorter_sort(lt_sorter *s, leat_error *err) {
  sort_job j = {s, s->layout == LT_LAYOUT_HASH ? 0 : s->common, {0}};
  if (s->n > s->cap_entries) { /* what it held is of no use: not copied */
    lt_free(s->rt, s->entry);
    s->cap_entries = s->n;
    s->entry = lt_array(s->rt, s->n, sizeof *s->entry);
  }
  if (!s->entry) {
    s->cap_entries = 0;
    return lt_fail_memory(err, s->n * sizeof *s->entry, "sorting a table");
  }
  leat_status st = lt_parallel_for(s->rt, (int64_t)s->n_segs, sort_fill_task, &j);
  if (!st) {
    sort_split(s->entry, s->n, 56, j.start);
    st = lt_parallel_for(s->rt, 256, sort_task, &j);
  }
  return st ? lt_fail(err, st, "the host's executor failed") : LEAT_OK;
}

/* ---- reading them in order: of rows with one key, the last */
static leat_status sorter_twice(const lt_sorter *s, const uint8_t *key, uint64_t size, leat_error *err) {
  (void)s;
  char shown[81];
  uint64_t n = size < 80 ? size : 80;
  for (uint64_t i = 0; i < n; i++) shown[i] = (char)(key[i] >= ' ' && key[i] < 127 ? key[i] : '?');
  shown[n] = 0;
  return lt_fail(err, LEAT_E_DATA, "the key '%s' comes more than once: give each row its own, or set duplicates=last",
                 shown);
}

leat_status lt_sorter_memory_next(lt_sorter *s, lt_table_row *row, int32_t *got, leat_error *err) {
  *got = 0;
  if (s->place == s->n) return LEAT_OK;
  for (;;) {
    if (s->place + SORT_AHEAD < s->n) __builtin_prefetch(sorter_row(s, s->entry[s->place + SORT_AHEAD].at));
    const uint8_t *p = sorter_row(s, s->entry[s->place].at);
    row->size = lt_t_load16(p);
    row->key = p + 2;
    row->value = p + 2 + row->size;
    s->place++;
    if (s->place == s->n) break;
    if (s->entry[s->place].order != s->entry[s->place - 1].order) break; /* most often */
    const uint8_t *q = sorter_row(s, s->entry[s->place].at);
    if (lt_t_load16(q) != row->size || memcmp(q + 2, row->key, row->size) != 0) break;
    if (s->refuse_twice) return sorter_twice(s, row->key, row->size, err);
  }
  row->order = s->layout == LT_LAYOUT_HASH ? s->entry[s->place - 1].order : lt_t_prefix(row->key, row->size);
  *got = 1;
  return LEAT_OK;
}

leat_status lt_sorter_same(lt_sorter *s, const lt_table_row *row, leat_error *err) {
  return s->refuse_twice ? sorter_twice(s, row->key, row->size, err) : LEAT_OK;
}

/* ---- taking rows */
/* The memory is kept for the next run: fresh pages cost more than sorting what lies in them. */
static leat_status sorter_full(lt_sorter *s, leat_error *err) {
  leat_status st = sorter_sort(s, err);
  if (!st) st = lt_sorter_spill(s, err);
  if (!st) s->n_segs = s->n = 0;
  return st;
}

static leat_status sorter_segment(lt_sorter *s, leat_error *err) {
  uint64_t need = (s->n_segs + 1) * (s->seg_bytes + 64) + s->n * sizeof *s->entry;
  leat_status st = LEAT_OK;
  if (s->n_segs && need > s->memory) st = sorter_full(s, err);
  void *seg = s->seg;
  if (!st) st = lt_grow(s->rt, &seg, &s->cap_segs, s->n_segs + 1, sizeof *s->seg, err);
  if (st) return st;
  s->seg = seg;
  sort_seg *g = &s->seg[s->n_segs];
  if (s->n_segs == s->have_segs) {
    g->bytes = lt_alloc(s->rt, s->seg_bytes);
    if (!g->bytes) return lt_fail_memory(err, s->seg_bytes, "rows of a table");
    s->have_segs++;
  }
  g->used = 0;
  g->first = s->n;
  s->n_segs++;
  return LEAT_OK;
}

leat_status lt_sorter_add(lt_sorter *s, const uint8_t *key, uint64_t size, uint8_t **room, leat_error *err) {
  uint64_t need = 2 + size + s->value_bytes;
  sort_seg *g = s->n_segs ? &s->seg[s->n_segs - 1] : NULL;
  /* The entries are allocated when the rows are sorted; with few bytes a row they would be more than the rows. */
  if (!g || need > s->seg_bytes - g->used) {
    leat_status st = sorter_segment(s, err);
    if (st) return st;
    g = &s->seg[s->n_segs - 1];
  }
  if (!s->n) {
    s->common = size;
  } else if (s->common && s->layout == LT_LAYOUT_SORTED) {
    const uint8_t *first = s->seg[0].bytes + 2;
    uint64_t n = s->common < size ? s->common : size, i = 0;
    if (n != s->common || memcmp(first, key, n) != 0) {
      while (i < n && first[i] == key[i]) i++;
      s->common = i;
    }
  }
  uint8_t *p = g->bytes + g->used;
  lt_t_store16(p, (uint32_t)size);
  memcpy(p + 2, key, size);
  *room = p + 2 + size;
  g->used += need;
  if (!s->rows || size < s->key_min) s->key_min = (uint32_t)size;
  if (size > s->key_max) s->key_max = (uint32_t)size;
  s->n++;
  s->rows++;
  s->key_bytes += size;
  return LEAT_OK;
}

/* ---- all rows, as a source */
static leat_status sorter_rewind(void *self, leat_error *err) {
  lt_sorter *s = self;
  s->place = 0;
  return s->n_runs ? lt_sorter_merge_begin(s, err) : LEAT_OK;
}

static leat_status sorter_next(void *self, lt_table_row *row, int32_t *got, leat_error *err) {
  lt_sorter *s = self;
  return s->n_runs ? lt_sorter_merge_next(s, row, got, err) : lt_sorter_memory_next(s, row, got, err);
}

leat_status lt_sorter_seal(lt_sorter *s, lt_row_source *out, leat_error *err) {
  leat_status st = LEAT_OK;
  if (s->n_runs && s->n) st = sorter_full(s, err);
  else if (s->n) st = sorter_sort(s, err);
  if (!st && s->n_runs) sorter_drop(s);
  if (st) return st;
  *out = (lt_row_source){s, sorter_rewind, sorter_next, s->rows, s->key_bytes, s->key_min, s->key_max};
  return LEAT_OK;
}
