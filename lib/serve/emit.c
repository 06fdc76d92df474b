/* A table's file out of its rows in order: the hash layout, and what both layouts share. */
#include "serve/table_inner.h"

/* Buckets and the unit of their places follow from the rows alone: however they were gathered, the bytes are the same. */
static void emit_shape(lt_table_meta *m, uint64_t rows, uint64_t key_bytes) {
  uint64_t bytes = rows * (1 + lt_t_len_bytes(m) + 4 * m->n_values) + key_bytes;
  m->buckets = rows / LT_TABLE_BUCKET + 1;
  m->shift = 2;
  while ((bytes + m->buckets * (2 + ((uint64_t)1 << m->shift))) >> m->shift > UINT32_MAX) m->shift++;
}

static leat_status emit_once(leat_runtime *rt, const char *path, lt_table_meta *m, const lt_emit_opts *o,
                             lt_row_source *src, int32_t *again, leat_error *err) {
  lt_frame *f = NULL;
  lt_table_meta guess = *m;
  lt_put w;
  lt_put_init(&w, rt);
  *again = 0;
  leat_status st = src->rewind(src->self, err);
  if (!st) st = lt_frame_create(rt, path, m->layout == LT_LAYOUT_HASH ? 4 : 6, &f, err);
  if (st) goto out;
  if (m->layout == LT_LAYOUT_HASH) {
    st = lt_emit_hash(rt, f, path, m, src, err);
    emit_shape(m, m->rows, m->key_bytes);
    *again = m->buckets != guess.buckets || m->shift != guess.shift;
  } else
    st = lt_emit_sorted(rt, f, path, m, o, src, err);
  if (st || *again) goto out;
  lt_table_meta_save(m, &w);
  st = lt_put_status(&w, err);
  if (!st) st = lt_frame_begin(f, "meta", NULL, err);
  if (!st) st = lt_frame_put(f, w.data, w.size, err);
  if (!st) st = lt_frame_finish(f, err);
out:
  lt_frame_free(f);
  lt_put_free(&w);
  return st;
}

leat_status lt_table_emit(leat_runtime *rt, const char *path, lt_table_meta *m, const lt_emit_opts *o,
                          lt_row_source *src, leat_error *err) {
  int32_t again = 0;
  m->key_min = src->key_min;
  m->key_max = src->key_max;
  m->blocks = m->buckets = 0;
  m->block_max = m->shift = 0;
  if (m->layout == LT_LAYOUT_HASH) emit_shape(m, src->rows, src->key_bytes);
  leat_status st = emit_once(rt, path, m, o, src, &again, err);
  /* Keys came twice, in different runs: now their number is known. */
  if (!st && again) st = emit_once(rt, path, m, o, src, &again, err);
  if (!st && again) st = lt_fail(err, LEAT_E_INTERNAL, "%s: the rows of a table were not the same twice", path);
  return st;
}

/* ---- the hash layout: buckets in the order of their hashes. The index has an entry of 16 bytes a bucket, so that a key that
 * is not there costs one line of memory: u32 place, u8 rows (255: that many or more), the fingerprints of the first 11 rows (the
 * hash's low byte; the 9th to 11th stand before the 1st to 8th). A bucket: u16 rows if there are 255 or more, the other
 * fingerprints, the lengths of the keys if those differ, then key and values of each; zeros to the unit. */
typedef struct hash_bucket { lt_put fp, lens, rows; uint64_t n; } hash_bucket;

/* The entry of the index, then the bucket. */
static leat_status hash_close(lt_frame *f, const lt_table_meta *m, hash_bucket *b, lt_spool *places, leat_error *err) {
  static const uint8_t zero[1 << 7] = {0};
  uint8_t head[2], entry[LT_TABLE_ENTRY] = {0};
  uint64_t unit = (uint64_t)1 << m->shift;
  if (b->n > 65535) return lt_fail(err, LEAT_E_RANGE, "more than 65535 keys have nearly the same hash: they were made to");
  if (b->fp.failed || b->lens.failed || b->rows.failed) return lt_fail_memory(err, b->rows.size, "a bucket");
  lt_t_store32(entry, (uint32_t)(lt_frame_at(f) >> m->shift));
  entry[4] = (uint8_t)(b->n < 255 ? b->n : 255);
  for (uint64_t i = 0; i < b->n && i < LT_TABLE_INLINE; i++) entry[i < 8 ? 8 + i : i - 3] = b->fp.data[i];
  leat_status st = lt_spool_put(places, entry, sizeof entry, err);
  if (st || !b->n) return st;
  lt_t_store16(head, (uint32_t)b->n);
  if (b->n >= 255) st = lt_frame_put(f, head, 2, err);
  if (!st && b->n > LT_TABLE_INLINE) st = lt_frame_put(f, b->fp.data + LT_TABLE_INLINE, b->n - LT_TABLE_INLINE, err);
  if (!st && b->lens.size) st = lt_frame_put(f, b->lens.data, b->lens.size, err);
  if (!st) st = lt_frame_put(f, b->rows.data, b->rows.size, err);
  for (uint64_t pad = (unit - lt_frame_at(f) % unit) % unit; pad && !st;) {
    uint64_t k = pad < sizeof zero ? pad : sizeof zero;
    st = lt_frame_put(f, zero, k, err);
    pad -= k;
  }
  b->fp.size = b->lens.size = b->rows.size = b->n = 0;
  return st;
}

static void hash_take(const lt_table_meta *m, hash_bucket *b, const lt_table_row *row) {
  uint8_t size[2];
  uint32_t len_bytes = lt_t_len_bytes(m);
  lt_put_u8(&b->fp, (uint8_t)row->order);
  lt_t_store16(size, (uint32_t)row->size);
  if (len_bytes) lt_put_raw(&b->lens, size, len_bytes);
  lt_put_raw(&b->rows, row->key, row->size);
  lt_put_raw(&b->rows, row->value, 4 * m->n_values);
  b->n++;
}

leat_status lt_emit_hash(leat_runtime *rt, lt_frame *f, const char *path, lt_table_meta *m, lt_row_source *src,
                         leat_error *err) {
  lt_spool *sums = NULL, *places = NULL;
  hash_bucket b;
  lt_table_row row;
  int32_t got = 1;
  uint64_t bucket = 0;
  memset(&b, 0, sizeof b);
  lt_put_init(&b.fp, rt);
  lt_put_init(&b.lens, rt);
  lt_put_init(&b.rows, rt);
  m->rows = m->key_bytes = 0;
  leat_status st = lt_spool_create(rt, path, &sums, err);
  if (!st) st = lt_spool_create(rt, path, &places, err);
  if (!st) st = lt_frame_begin(f, "data", sums, err);
  while (!st && got) {
    st = src->next(src->self, &row, &got, err);
    uint64_t to = !st && got ? lt_t_bucket(row.order, m->buckets) : m->buckets;
    for (; !st && bucket < to; bucket++) st = hash_close(f, m, &b, places, err);
    if (st || !got) break;
    hash_take(m, &b, &row);
    m->rows++;
    m->key_bytes += row.size;
  }
  if (!st) st = hash_close(f, m, &b, places, err); /* an empty one: where the last bucket ends */
  if (!st) st = lt_frame_begin(f, "index", NULL, err);
  if (!st) st = lt_spool_copy(places, f, err);
  if (!st) st = lt_frame_begin(f, "sums", NULL, err); /* the data section is closed: its sums are complete */
  if (!st) st = lt_spool_copy(sums, f, err);
  lt_put_free(&b.fp);
  lt_put_free(&b.lens);
  lt_put_free(&b.rows);
  lt_spool_free(sums);
  lt_spool_free(places);
  return st;
}
