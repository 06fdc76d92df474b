/* Writing a table: rows by hand, or every row of a data set with its prediction. */
#include "base/number.h"
#include "data/batch.h"
#include "data/dataset.h"
#include "serve/table_inner.h"

enum { SCORE_ROWS = 4096, SINCE_0_1 = 1 << 8 };
static const lt_param_def table_write_defs[] = {
    {"layout", LEAT_PARAM_CHOICE, "sorted", 0, 0, "sorted|hash",
     "sorted: in the order of the keys, for scans, ranges and merging; hash: for the fastest look-ups", SINCE_0_1},
    {"key_type", LEAT_PARAM_CHOICE, "bytes", 0, 0, "bytes|u64", "keys are bytes, or whole numbers of 64 bits", SINCE_0_1},
    {"values", LEAT_PARAM_I64, "1", 1, LT_TABLE_VALUES_MAX, NULL, "numbers a key, where no model says it", SINCE_0_1},
    {"names", LEAT_PARAM_TEXT, "", 0, 65536, NULL, "names of the values, separated by commas; empty: as the model has them",
     SINCE_0_1},
    {"default", LEAT_PARAM_TEXT, "", 0, 65536, NULL,
     "values for keys that are not there, separated by commas; empty: there are none", SINCE_0_1},
    {"duplicates", LEAT_PARAM_CHOICE, "last", 0, 0, "last|error", "of rows with the same key the last one counts, or it is an error",
     SINCE_0_1},
    {"compression", LEAT_PARAM_CHOICE, "zstd", 0, 0, "none|zstd", "of the blocks of the sorted layout", SINCE_0_1},
    {"dictionary", LEAT_PARAM_BOOL, "true", 0, 0, NULL, "train a dictionary for the compression", SINCE_0_1},
    {"block_bytes", LEAT_PARAM_I64, "4096", 256, 32768, NULL, "bytes of a block of the sorted layout, unpacked", SINCE_0_1},
    {"memory_bytes", LEAT_PARAM_I64, "268435456", 1048576, 1e15, NULL,
     "bytes of rows that are held before they are sorted and put aside in a temporary file", SINCE_0_1},
    {"map", LEAT_PARAM_BOOL, "false", 0, 0, NULL,
     "map the tables that are merged instead of reading them: less memory, but SIGBUS when somebody cuts them", SINCE_0_1},
    {"shard", LEAT_PARAM_I64, "0", 0, 1e9, NULL, "keep only the keys of this part, from 0, of the number of shards", SINCE_0_1},
    {"shards", LEAT_PARAM_I64, "1", 1, 1e9, NULL, "how many parts the keys fall into, by their hash", SINCE_0_1},
    {"created_ns", LEAT_PARAM_I64, "0", 0, 9.2e18, NULL, "when the table was made, nanoseconds since 1970; 0: now", SINCE_0_1},
    {"valid_until_ns", LEAT_PARAM_I64, "0", 0, 9.2e18, NULL,
     "from then on look-ups answer STALE, nanoseconds since 1970; 0: never", SINCE_0_1},
};
const lt_spec lt_table_write_spec = {"table/write", "Writing a table of predictions.", table_write_defs,
                                     (int64_t)(sizeof table_write_defs / sizeof table_write_defs[0])};

struct leat_table_writer {
  lt_owner owner;
  leat_runtime *rt;
  const leat_model *model;
  char *path;
  leat_params *params;
  lt_table_meta meta;
  lt_sorter *sorter;
  uint64_t shard, shards;
  int64_t rows;          /* of all data sets, for messages */
  int32_t done;
  leat_status failed;
};

/* ---- life */
static leat_status writer_names(leat_table_writer *w, leat_error *err) {
  const char *p = lt_param_str(w->params, "names");
  lt_table_meta *m = &w->meta;
  m->name = lt_zarray(w->rt, m->n_values, sizeof *m->name);
  if (!m->name) return lt_fail_memory(err, m->n_values * sizeof *m->name, "names of values");
  int given = p[0] != 0;
  for (uint64_t k = 0; k < m->n_values; k++) {
    char text[512], query[40] = "class:";
    uint64_t n = 0, needed;
    if (given) {
      n = strcspn(p, ",");
      if (!n || (p[n] == ',') != (k + 1 < m->n_values))
        return lt_fail(err, LEAT_E_ARG, "names: '%s' are not the names of %llu values", lt_param_str(w->params, "names"),
                       (unsigned long long)m->n_values);
      m->name[k] = lt_strndup(w->rt, p, n);
      p += n + (p[n] == ',');
    } else {
      int64_t classes = 0;
      if (w->model) (void)lt_model_get_i64(w->model, "n_classes", &classes, NULL);
      lt_i64_text((int64_t)(classes == 2 && m->n_values == 1 ? 1 : k), query + 6);
      if (!w->model || lt_model_get_text(w->model, classes ? query : "target", text, sizeof text, &needed, NULL)) {
        memcpy(text, "value", 6);
        if (m->n_values > 1) lt_i64_text((int64_t)k, text + 5);
      }
      m->name[k] = lt_strdup(w->rt, text);
    }
    if (!m->name[k]) return lt_fail_memory(err, n, "names of values");
  }
  return LEAT_OK;
}

static leat_status writer_standard(leat_table_writer *w, leat_error *err) {
  const char *text = lt_param_str(w->params, "default"), *p = text;
  lt_table_meta *m = &w->meta;
  if (!text[0]) return LEAT_OK;
  m->standard = lt_zarray(w->rt, m->n_values, sizeof *m->standard);
  if (!m->standard) return lt_fail_memory(err, m->n_values * sizeof *m->standard, "default values");
  for (uint64_t k = 0; k < m->n_values; k++) {
    uint64_t n = strcspn(p, ",");
    double v;
    if (!lt_parse_f64(p, p + n, &v) || (p[n] == ',') != (k + 1 < m->n_values))
      return lt_fail(err, LEAT_E_ARG, "default: '%s' are not %llu numbers, separated by commas", text,
                     (unsigned long long)m->n_values);
    m->standard[k] = (float)v;
    p += n + (p[n] == ',');
  }
  return LEAT_OK;
}

static leat_status writer_meta(leat_table_writer *w, leat_error *err) {
  lt_table_meta *m = &w->meta;
  const leat_params *p = w->params;
  char checksum[64] = "";
  uint64_t needed;
  leat_status st = LEAT_OK;
  m->layout = lt_param_is(p, "layout", "hash") ? LT_LAYOUT_HASH : LT_LAYOUT_SORTED;
  m->key_type = lt_param_is(p, "key_type", "u64") ? LT_KEYS_U64 : LT_KEYS_BYTES;
  m->n_values = w->model ? (uint64_t)lt_model_outputs(w->model) : (uint64_t)lt_param_int(p, "values");
  if (m->n_values > LT_TABLE_VALUES_MAX)
    return lt_fail(err, LEAT_E_UNSUPPORTED, "the model has %llu outputs, a table takes up to %d", (unsigned long long)m->n_values,
                   LT_TABLE_VALUES_MAX);
  m->created = lt_param_int(p, "created_ns");
  if (!m->created) m->created = lt_now_ns(w->rt);
  m->valid_until = lt_param_int(p, "valid_until_ns");
  w->shard = (uint64_t)lt_param_int(p, "shard");
  w->shards = (uint64_t)lt_param_int(p, "shards");
  if (w->shard >= w->shards)
    return lt_fail(err, LEAT_E_RANGE, "shard is %llu of %llu: it must be from 0 to %llu", (unsigned long long)w->shard,
                   (unsigned long long)w->shards, (unsigned long long)w->shards - 1);
  if (w->model) st = lt_model_get_text(w->model, "checksum", checksum, sizeof checksum, &needed, err);
  m->model = lt_strdup(w->rt, checksum);
  if (!st && !m->model) st = lt_fail_memory(err, sizeof checksum, "a table");
  if (!st) st = writer_names(w, err);
  return st ? st : writer_standard(w, err);
}

leat_status lt_table_writer_create(leat_runtime *rt, const char *path, const leat_params *p, const leat_model *m,
                                   leat_table_writer **out, leat_error *err) {
  leat_status st = LEAT_OK;
  *out = NULL;
  if (p && lt_params_spec(p) != &lt_table_write_spec)
    return lt_fail(err, LEAT_E_ARG, "the parameters are of '%s', a table takes those of 'table/write'", lt_params_spec(p)->name);
  leat_table_writer *w = lt_zalloc(rt, sizeof *w);
  if (!w) return lt_fail_memory(err, sizeof *w, "a table");
  w->rt = rt;
  lt_runtime_ref(rt);
  if (m) lt_model_ref(m);
  w->model = m;
  w->path = lt_strdup(rt, path);
  if (!w->path) st = lt_fail_memory(err, strlen(path), "a path");
  if (!st) st = p ? lt_params_copy(p, &w->params, err) : lt_params_create(rt, &lt_table_write_spec, &w->params, err);
  if (!st) st = writer_meta(w, err);
  if (!st)
    st = lt_sorter_create(rt, path, w->meta.layout, 4 * w->meta.n_values, (uint64_t)lt_param_int(w->params, "memory_bytes"),
                          lt_param_is(w->params, "duplicates", "error"), &w->sorter, err);
  if (st) lt_table_writer_free(w);
  else *out = w;
  return st;
}

void lt_table_writer_free(leat_table_writer *w) {
  if (!w) return;
  leat_runtime *rt = w->rt;
  lt_sorter_free(w->sorter);
  lt_table_meta_free(rt, &w->meta);
  lt_params_free(w->params);
  if (w->model) lt_model_free(w->model);
  lt_free(rt, w->path);
  lt_free(rt, w);
  lt_runtime_unref(rt);
}

lt_owner *lt_table_writer_owner(leat_table_writer *w) { return &w->owner; }

/* ---- rows */
leat_status lt_table_key(int key_type, const void *key, uint64_t size, uint8_t room[8], const uint8_t **out, leat_error *err) {
  if (key_type == LT_KEYS_U64) {
    uint64_t v;
    if (size != 8) return lt_fail(err, LEAT_E_ARG, "a key of %llu bytes: this table's keys are uint64_t", (unsigned long long)size);
    memcpy(&v, key, 8);
    for (int i = 0; i < 8; i++) room[i] = (uint8_t)(v >> (56 - 8 * i));
    *out = room;
    return LEAT_OK;
  }
  if (size < 1 || size > LT_TABLE_KEY_MAX)
    return lt_fail(err, LEAT_E_ARG, "a key of %llu bytes: keys have 1 to %d", (unsigned long long)size, LT_TABLE_KEY_MAX);
  *out = key;
  return LEAT_OK;
}

static leat_status writer_usable(const leat_table_writer *w, leat_error *err) {
  if (w->failed) return lt_fail(err, LEAT_E_STATE, "an earlier call on this table failed: begin again");
  return w->done ? lt_fail(err, LEAT_E_STATE, "the table is finished") : LEAT_OK;
}

/* The shard of a key; another seed than the table's, so that a shard's hashes spread over all buckets. */
static int writer_other_shard(const leat_table_writer *w, const uint8_t *key, uint64_t size) {
  return w->shards > 1 && lt_hash64(key, size, 0x7368617264) % w->shards != w->shard;
}

leat_status lt_table_writer_add(leat_table_writer *w, const void *key, uint64_t size, const float *value, uint64_t n,
                                leat_error *err) {
  uint8_t room[8], *to;
  const uint8_t *k;
  leat_status st = writer_usable(w, err);
  if (st) return st;
  if (n != w->meta.n_values)
    return lt_fail(err, LEAT_E_SHAPE, "%llu values are given, the table has %llu a key", (unsigned long long)n,
                   (unsigned long long)w->meta.n_values);
  st = lt_table_key(w->meta.key_type, key, size, room, &k, err);
  if (st || writer_other_shard(w, k, size)) return st;
  st = lt_sorter_add(w->sorter, k, size, &to, err);
  if (st) w->failed = st;
  for (uint64_t i = 0; i < n && !st; i++) lt_t_put_float(to + 4 * i, value[i]);
  return st;
}

/* ---- scoring */
typedef struct score_run {
  leat_table_writer *w;
  leat_predictor *q;
  leat_batch *batch;
  float *pred;
  int64_t key; /* column */
} score_run;

static leat_status score_batch(score_run *s, leat_error *err) {
  leat_table_writer *w = s->w;
  lt_rows v;
  lt_batch_rows(s->batch, &v);
  uint64_t n_values = w->meta.n_values;
  leat_matrix out = {sizeof out, s->pred, v.n, (int64_t)n_values, 0, 0, LEAT_F32, 0};
  leat_status st = lt_predictor_run_batch(s->q, s->batch, &out, err);
  for (int64_t r = 0; r < v.n && !st; r++, w->rows++) {
    uint64_t size, number = 0;
    const char *text = lt_col_text(&v.col[s->key], r, &size);
    const void *key = text;
    long long row = (long long)w->rows + 1;
    if (!size)
      return lt_fail_at(err, LEAT_E_DATA, row, s->key + 1, "row %lld has no key in column '%s': every row of a table needs one",
                        row, v.schema->col[s->key].name);
    if (size > LT_TABLE_KEY_MAX)
      return lt_fail_at(err, LEAT_E_DATA, row, s->key + 1, "row %lld: the key has %llu bytes, keys have at most %d", row,
                        (unsigned long long)size, LT_TABLE_KEY_MAX);
    if (w->meta.key_type == LT_KEYS_U64) {
      for (uint64_t i = 0; i < size; i++) {
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (text[i] < '0' || text[i] > '9' || number > (UINT64_MAX - digit) / 10)
          return lt_fail_at(err, LEAT_E_DATA, row, s->key + 1,
                            "row %lld: the key '%.*s' is no whole number of 64 bits: set key_type=bytes", row,
                            (int)(size < 40 ? size : 40), text);
        number = number * 10 + digit;
      }
      key = &number;
      size = 8;
    }
    st = lt_table_writer_add(w, key, size, s->pred + (uint64_t)r * n_values, n_values, err);
  }
  return st;
}

leat_status lt_table_writer_score(leat_table_writer *w, leat_dataset *d, const leat_device *dev, leat_error *err) {
  score_run s = {w, NULL, NULL, NULL, lt_schema_role(lt_dataset_schema(d), LEAT_ROLE_KEY)};
  int64_t got = 1;
  leat_status st = writer_usable(w, err);
  if (st) return st;
  if (!w->model) return lt_fail(err, LEAT_E_STATE, "the table was made without a model: give one to leat_table_writer_create");
  if (s.key < 0)
    return lt_fail(err, LEAT_E_DATA, "the data has no KEY column: name one (reader parameter key, or the schema's role)");
  st = lt_predictor_create(w->model, NULL, dev, &s.q, err);
  if (!st) st = lt_batch_create(w->rt, lt_dataset_schema(d), &s.batch, err);
  if (!st && !(s.pred = lt_array(w->rt, SCORE_ROWS * w->meta.n_values, sizeof *s.pred)))
    st = lt_fail_memory(err, SCORE_ROWS * w->meta.n_values * sizeof *s.pred, "predictions");
  while (!st && got) {
    lt_batch_clear(s.batch);
    st = lt_dataset_next(d, SCORE_ROWS, s.batch, &got, err);
    if (!st && got) st = score_batch(&s, err);
  }
  if (st) w->failed = st; /* some of its rows may be in */
  lt_predictor_free(s.q);
  lt_batch_free(s.batch);
  lt_free(w->rt, s.pred);
  return st;
}

leat_status lt_table_writer_finish(leat_table_writer *w, leat_error *err) {
  lt_row_source src;
  lt_emit_opts o = {lt_param_is(w->params, "compression", "zstd"), lt_param_int(w->params, "dictionary") != 0,
                    (uint64_t)lt_param_int(w->params, "block_bytes")};
  leat_status st = writer_usable(w, err);
  if (st) return st;
  st = lt_sorter_seal(w->sorter, &src, err);
  if (!st) st = lt_table_emit(w->rt, w->path, &w->meta, &o, &src, err);
  if (st) w->failed = st;
  else w->done = 1;
  lt_sorter_free(w->sorter);
  w->sorter = NULL;
  return st;
}
