/* What a table says of itself. */
#include "serve/table_inner.h"

void lt_table_meta_free(leat_runtime *rt, lt_table_meta *m) {
  for (uint64_t k = 0; m->name && k < m->n_values; k++) lt_free(rt, m->name[k]);
  lt_free(rt, m->name);
  lt_free(rt, m->model);
  lt_free(rt, m->standard);
  m->name = NULL;
  m->model = NULL;
  m->standard = NULL;
}

leat_status lt_table_meta_copy(leat_runtime *rt, const lt_table_meta *from, lt_table_meta *to, leat_error *err) {
  lt_put w;
  lt_put_init(&w, rt);
  lt_table_meta_save(from, &w);
  leat_status st = lt_put_status(&w, err);
  if (!st) st = lt_table_meta_load(rt, w.data, w.size, to, err);
  lt_put_free(&w);
  return st;
}

void lt_table_meta_save(const lt_table_meta *m, lt_put *w) {
  lt_put_u8(w, (uint8_t)m->layout);
  lt_put_u8(w, (uint8_t)m->key_type);
  lt_put_u64(w, m->rows);
  lt_put_u64(w, m->key_bytes);
  lt_put_u32(w, m->key_min);
  lt_put_u32(w, m->key_max);
  lt_put_u64(w, m->buckets);
  lt_put_u32(w, m->shift);
  lt_put_u64(w, m->blocks);
  lt_put_u32(w, m->block_max);
  lt_put_text(w, m->model);
  lt_put_i64(w, m->created);
  lt_put_i64(w, m->valid_until);
  lt_put_u64(w, m->n_values);
  for (uint64_t k = 0; k < m->n_values; k++) lt_put_text(w, m->name[k]);
  lt_put_f32s(w, m->standard, m->standard ? m->n_values : 0);
}

leat_status lt_table_meta_load(leat_runtime *rt, const void *data, uint64_t size, lt_table_meta *m, leat_error *err) {
  lt_get r;
  uint64_t n_standard = 0;
  memset(m, 0, sizeof *m);
  lt_get_init(&r, rt, data, size);
  m->layout = lt_get_u8(&r);
  m->key_type = lt_get_u8(&r);
  m->rows = lt_get_u64(&r);
  m->key_bytes = lt_get_u64(&r);
  m->key_min = lt_get_u32(&r);
  m->key_max = lt_get_u32(&r);
  m->buckets = lt_get_u64(&r);
  m->shift = lt_get_u32(&r);
  m->blocks = lt_get_u64(&r);
  m->block_max = lt_get_u32(&r);
  m->model = lt_get_text(&r);
  m->created = lt_get_i64(&r);
  m->valid_until = lt_get_i64(&r);
  m->n_values = lt_get_count(&r, 8, LT_TABLE_VALUES_MAX);
  m->name = r.failed ? NULL : lt_zarray(rt, m->n_values, sizeof *m->name);
  if (!m->name && !r.failed) lt_get_fail(&r, LEAT_E_MEMORY);
  for (uint64_t k = 0; k < m->n_values && !r.failed; k++) m->name[k] = lt_get_text(&r);
  m->standard = lt_get_f32s(&r, &n_standard);
  if (!r.failed && n_standard == 0) {
    lt_free(rt, m->standard);
    m->standard = NULL;
  }
  if (!r.failed &&
      (lt_get_left(&r) || m->layout > LT_LAYOUT_HASH || m->key_type > LT_KEYS_U64 || m->key_min > m->key_max ||
       m->key_max > LT_TABLE_KEY_MAX || !m->n_values || (n_standard && n_standard != m->n_values) || m->shift > 31 ||
       (m->rows != 0) != (m->key_min != 0) || (m->key_type == LT_KEYS_U64 && m->rows && (m->key_min != 8 || m->key_max != 8)) ||
       m->blocks > m->rows || m->block_max > LT_TABLE_BLOCK_LIMIT))
    lt_get_fail(&r, LEAT_E_FORMAT);
  leat_status st = lt_get_status(&r, "a table's meta section", err);
  if (st) lt_table_meta_free(rt, m);
  return st;
}
