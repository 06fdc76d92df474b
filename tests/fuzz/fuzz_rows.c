/* lt_batch_load: rows of the journal. Input: byte 0 the schema, then the bytes. What loads is saved again, and loads to
 * the same bytes. */
#include "check.h"
#include "data/store.h"
#include "leat/leat.h"

static leat_runtime *rt;
static leat_schema *schema[2];

static void begin(void) {
  leat_error e = {.struct_size = sizeof e};
  leat_runtime_opts o = {.struct_size = sizeof o, .n_threads = 1};
  FUZZ_REQUIRE(!leat_runtime_create(&o, &rt, &e));
  for (int k = 0; k < 2; k++) {
    FUZZ_REQUIRE(!lt_schema_create(rt, &schema[k], &e));
    FUZZ_REQUIRE(!lt_schema_add(schema[k], "y", LEAT_CATEGORY, LEAT_ROLE_TARGET, 1, 0, &e));
    FUZZ_REQUIRE(!lt_dict_add(schema[k]->col[0].labels, "no", 2, NULL, &e));
    FUZZ_REQUIRE(!lt_dict_add(schema[k]->col[0].labels, "yes", 3, NULL, &e));
    FUZZ_REQUIRE(!lt_schema_add(schema[k], "x", LEAT_NUMBER, LEAT_ROLE_FEATURE, k ? 1000000 : 300, 1, &e));
    if (!k) continue;
    FUZZ_REQUIRE(!lt_schema_add(schema[k], "n", LEAT_NUMBER, LEAT_ROLE_FEATURE, 1, 0, &e));
    FUZZ_REQUIRE(!lt_schema_add(schema[k], "p", LEAT_NUMBER, LEAT_ROLE_FEATURE, 3, 0, &e));
    FUZZ_REQUIRE(!lt_schema_add(schema[k], "b", LEAT_BOOL, LEAT_ROLE_FEATURE, 1, 0, &e));
    FUZZ_REQUIRE(!lt_schema_add(schema[k], "t", LEAT_TIME, LEAT_ROLE_TIME, 1, 0, &e));
    FUZZ_REQUIRE(!lt_schema_add(schema[k], "key", LEAT_ID, LEAT_ROLE_KEY, 1, 0, &e));
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  leat_error e = {.struct_size = sizeof e};
  if (!rt) begin();
  if (!size) return 0;
  leat_schema *s = schema[data[0] & 1];
  leat_batch *b = NULL, *c = NULL;
  lt_get g;
  lt_get_init(&g, rt, data + 1, size - 1);
  if (lt_batch_load(rt, s, &g, &b, &e)) {
    FUZZ_REQUIRE(!b && e.message[0]);
    return 0;
  }
  lt_rows rows, again;
  lt_put w, v;
  lt_batch_rows(b, &rows);
  lt_put_init(&w, rt);
  lt_put_init(&v, rt);
  lt_batch_save(&rows, &w);
  lt_get_init(&g, rt, w.data, w.size);
  FUZZ_REQUIRE(!lt_batch_load(rt, s, &g, &c, &e) && !lt_get_left(&g));
  lt_batch_rows(c, &again);
  lt_batch_save(&again, &v);
  FUZZ_REQUIRE(v.size == w.size && !memcmp(v.data, w.data, v.size));
  for (int64_t r = 0; r < rows.n && r < 100; r++) {
    for (int64_t i = 0; i < s->n; i++) {
      uint64_t n;
      (void)lt_col_number(&s->col[i], &rows.col[i], r, s->col[i].width - 1);
      (void)lt_col_text(&rows.col[i], r, &n);
    }
  }
  lt_put_free(&w);
  lt_put_free(&v);
  FUZZ_REQUIRE(!lt_batch_append(b, &again, 0, again.n, &e));
  lt_batch_free(b);
  lt_batch_free(c);
  return 0;
}

size_t leat_fuzz_seed(size_t number, uint8_t *out, size_t cap) {
  leat_error e = {.struct_size = sizeof e};
  if (!rt) begin();
  if (number >= 8) return 0;
  leat_schema *s = schema[number & 1];
  leat_batch *b = NULL;
  int64_t start[] = {0, 2, 2, 5};
  int32_t index[] = {1, 9, 0, 5, 299};
  float value[] = {1, 1, 1, 0.5f, 1};
  double y[] = {0, 1, 1}, x[3][6] = {{1, 2, 3, 4, 1, 5e9}, {0}, {-1, 0, 0, 0, 0, 1}};
  leat_csr sp = {sizeof sp, start, index, number & 2 ? value : NULL, 3, 300, LEAT_F32, 0};
  leat_matrix my = {.struct_size = sizeof my, .data = y, .rows = 3, .cols = 1, .dtype = LEAT_F64};
  leat_matrix mx = {.struct_size = sizeof mx, .data = x, .rows = 3, .cols = 5, .row_stride = 6, .col_stride = 1, .dtype = LEAT_F64};
  FUZZ_REQUIRE(!lt_batch_create(rt, s, &b, &e));
  FUZZ_REQUIRE(!lt_batch_set_csr(b, &sp, &e));
  FUZZ_REQUIRE(!lt_batch_set_labels(b, &my, NULL, &e));
  if (number & 1) FUZZ_REQUIRE(!lt_batch_set_dense(b, &mx, &e));
  if (number & 4) {
    FUZZ_REQUIRE(!lt_batch_add_bad(b, LEAT_REASON_PARSE, 0, "raw", 3, &e));
    FUZZ_REQUIRE(!lt_batch_set_source(b, "src", 7, &e));
  }
  lt_rows rows;
  lt_put w;
  lt_batch_rows(b, &rows);
  lt_put_init(&w, rt);
  lt_batch_save(&rows, &w);
  FUZZ_REQUIRE(w.size + 1 <= cap);
  out[0] = (uint8_t)(number & 1);
  memcpy(out + 1, w.data, w.size);
  size_t n = w.size + 1;
  lt_put_free(&w);
  lt_batch_free(b);
  return n;
}
