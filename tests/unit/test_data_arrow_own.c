/* Arrow and DLPack: who owns what, whatever fails and whenever; producers that lie; streams; datasets out again. */
#include "arrow_help.h"

/* ---- failures */

static leat_status open_stream(leat_runtime *rt, const char *set, struct ArrowArrayStream *in, leat_dataset **d, leat_error *e) {
  leat_params *p = kit_params(rt, "reader/arrow", set);
  *e = (leat_error){.struct_size = sizeof *e};
  leat_status st = leat_dataset_from_arrow_stream(rt, NULL, p, in, d, e);
  leat_params_free(p);
  return st;
}

static void made_three(made_stream *x) { /* 20, 0, 15 and 25 rows */
  *x = (made_stream){.n = 4};
  made_table_schema(&x->schema);
  made_table_array(&x->array[0], 0, 20);
  made_table_array(&x->array[1], 20, 0);
  made_table_array(&x->array[2], 20, 15);
  made_table_array(&x->array[3], 35, 25);
}

static void before_the_first_pull(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  leat_error e;
  made_stream x;
  struct ArrowArrayStream in;
  leat_dataset *d = NULL;
  made_three(&x);
  made_open(&x, &in);
  x.fail_schema = 13;
  assert_int_equal(open_stream(rt, "target=y", &in, &d, &e), LEAT_E_IO);
  assert_null(d);
  assert_int_equal(e.os_code, 13);
  assert_non_null(strstr(e.message, "the cable was cut"));
  assert_non_null(in.release); /* still the caller's, and as good as before */
  assert_true(!x.released && !x.pulls);
  x.fail_schema = 0;
  assert_int_equal(open_stream(rt, "target=y", &in, &d, &e), 0);
  assert_null(in.release);
  leat_dataset_free(d);
  assert_int_equal(open_stream(rt, "target=y", &in, &d, &e), LEAT_E_ARG); /* released already */
  made_three(&x); /* a schema that cannot be taken */
  free((void *)(uintptr_t)x.schema.private_data);
  x.schema.private_data = calloc(1, 3);
  memcpy(x.schema.private_data, "l", 2);
  x.schema.format = x.schema.name = x.schema.private_data;
  made_open(&x, &in);
  assert_int_equal(open_stream(rt, "target=y", &in, &d, &e), LEAT_E_DTYPE);
  assert_non_null(in.release);
  in.release(&in);
  assert_int_equal(made_live, 0);
  kit_balanced(rt);
}

static void after_the_first_pull(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  leat_error e;
  made_stream x;
  struct ArrowArrayStream in;
  leat_dataset *d = NULL;
  for (int at = 1; at <= 5; at++) {
    made_three(&x);
    made_open(&x, &in);
    x.fail_at = at;
    assert_int_equal(open_stream(rt, "target=y", &in, &d, &e), LEAT_E_IO);
    assert_int_equal(e.os_code, 5);
    assert_non_null(strstr(e.message, "get_next"));
    assert_null(d);
    assert_null(in.release); /* released and marked so */
    assert_int_equal(x.released, 1);
    assert_int_equal(made_live, 0);
  }
  static const char *const wrong[] = {"target=z", "target=y weight=s"};
  for (uint64_t k = 0; k < 2; k++) { /* what only the rows tell */
    made_three(&x);
    made_open(&x, &in);
    assert_int_not_equal(open_stream(rt, wrong[k], &in, &d, &e), 0);
    assert_null(in.release);
    assert_int_equal(made_live, 0);
  }
  made_three(&x); /* the third array has other columns than the schema says */
  x.array[2].n_children = 3;
  x.array[2].children[3]->release(x.array[2].children[3]);
  free(x.array[2].children[3]);
  made_open(&x, &in);
  assert_int_equal(open_stream(rt, "target=y", &in, &d, &e), LEAT_E_FORMAT);
  assert_non_null(strstr(e.message, "has 3 columns, its schema says 4"));
  assert_int_equal(made_live, 0);
  made_three(&x); /* and nothing but empty arrays is no data */
  made_stream_free(&x);
  x.n = 0;
  made_table_schema(&x.schema);
  made_open(&x, &in);
  assert_int_equal(open_stream(rt, "target=y", &in, &d, &e), LEAT_E_DATA);
  assert_int_equal(made_live, 0);
  kit_balanced(rt);
}

/* ---- lies. Each of them is seen before anything is read outside, and leaves the array to the caller. */

static void lie(int k, struct ArrowArray *a) {
  static const int32_t down[5] = {0, 5, 3, 6, 7}, below[5] = {-1, 0, 1, 2, 3};
  struct ArrowArray *c = a->children[0], *s = a->children[2];
  switch (k) {
    case 0: a->length = 5; break;                       /* more rows than the columns have */
    case 1: c->length = 3; break;
    case 2: a->offset = 1; break;
    case 3: a->length = -1; break;
    case 4: c->offset = -1; break;
    case 5: c->length = INT64_MAX; break;
    case 6: c->n_buffers = 1; break;
    case 7: c->n_buffers = 3; break;
    case 8: c->buffers[1] = NULL; break;
    case 9: c->buffers = NULL; break;
    case 10: a->n_children = 3; break;
    case 11: c->null_count = 2; break;                  /* but no bitmap */
    case 12: made_buffer(s, 1, down, sizeof down); break;
    case 13: made_buffer(s, 1, below, sizeof below); break;
    case 14: s->buffers[1] = NULL; break;
    case 15: s->buffers[2] = NULL; break;
    case 16: a->n_buffers = 2; break;
    case 17: c->n_children = 1; c->children = NULL; break;
    default: a->children[1]->release(a->children[1]); break;
  }
}

static void lies(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  for (int k = 0; k <= 18; k++) {
    struct ArrowSchema s;
    struct ArrowArray a;
    leat_error e;
    made_table_schema(&s);
    made_table_array(&a, 0, 4);
    struct ArrowArray was = *a.children[0], top = a;
    const void **buffers = a.children[0]->buffers;
    lie(k, &a);
    if (made_dataset(rt, "target=y", &s, &a, &e)) fail_msg("lie %d is believed", k);
    if (e.code != LEAT_E_FORMAT) fail_msg("lie %d: %d %s", k, e.code, e.message);
    a.n_children = top.n_children;
    a.children[0]->n_children = was.n_children;
    a.children[0]->children = was.children;
    a.children[0]->buffers = buffers;
    s.release(&s);
    a.release(&a);
    assert_int_equal(made_live, 0);
  }
  kit_balanced(rt);
}

/* The same of dictionaries, lists, views: index outside, no dictionary, too few numbers, bytes behind a buffer. */
static void deeper_lies(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  struct ArrowSchema s;
  struct ArrowArray a;
  const char *label[2] = {"a", "b"};
  for (int k = 0; k < 3; k++) {
    int16_t index[4] = {0, 1, (int16_t)(k == 0 ? 2 : k == 1 ? -1 : 0), 0};
    made_one(&s, &a, "s", 4);
    s.children[0]->dictionary = calloc(1, sizeof(struct ArrowSchema));
    made_schema(s.children[0]->dictionary, "u", "", 0);
    made_plain(a.children[0], 4, 0, NULL, index, 2);
    if (k < 2) {
      a.children[0]->dictionary = calloc(1, sizeof(struct ArrowArray));
      made_texts(a.children[0]->dictionary, 2, 0, label, 0);
    }
    made_bad(rt, "target=y", &s, &a, LEAT_E_FORMAT, k < 2 ? "outside of its dictionary" : "NULL");
  }
  float x[11] = {0};
  made_one(&s, &a, "+w:3", 4);
  s.children[0]->release(s.children[0]);
  made_schema(s.children[0], "+w:3", "x", 1);
  made_schema(s.children[0]->children[0], "f", "item", 0);
  made_array(a.children[0], 4, 0, 1, 1);
  made_plain(a.children[0]->children[0], 11, 0, NULL, x, 4); /* 12 are needed */
  made_bad(rt, "target=y", &s, &a, LEAT_E_FORMAT, "fewer");
  int32_t view[4] = {20, 0, 0, 5}; /* 20 bytes from byte 5 of a buffer of 24 */
  int64_t size = 24;
  for (int k = 0; k < 3; k++) {
    char bytes[64] = {0};
    view[2] = k == 1 ? 1 : 0;
    view[0] = k == 2 ? -1 : 20;
    memcpy(bytes, view, sizeof view);
    made_one(&s, &a, "vu", 2);
    made_array(a.children[0], 2, 0, 4, 0);
    made_buffer(a.children[0], 1, bytes, 32);
    made_buffer(a.children[0], 2, bytes, 24);
    made_buffer(a.children[0], 3, &size, 8);
    made_bad(rt, "target=y", &s, &a, LEAT_E_FORMAT, "text");
  }
  int32_t end[3] = {0, 2, 4}, index[4] = {0, 1, 0, 1};
  float v[4] = {1, 2, 3, 4};
  for (int k = 0; k < 2; k++) {
    made_one(&s, &a, "+l", 2);
    s.children[0]->release(s.children[0]);
    made_schema(s.children[0], "+l", "x", 1);
    made_schema(s.children[0]->children[0], "+s", "", 2);
    made_schema(s.children[0]->children[0]->children[0], "i", "index", 0);
    made_schema(s.children[0]->children[0]->children[1], "f", "value", 0);
    made_array(a.children[0], 2, 0, 2, 1);
    made_buffer(a.children[0], 1, end, sizeof end);
    struct ArrowArray *pairs = a.children[0]->children[0];
    made_array(pairs, k ? 4 : 3, 0, 1, 2);
    if (k) index[1] = 0; /* does not ascend */
    made_plain(pairs->children[0], k ? 4 : 3, 0, NULL, index, 4);
    made_plain(pairs->children[1], k ? 4 : 3, 0, NULL, v, 4);
    made_bad(rt, "target=y", &s, &a, k ? LEAT_E_DATA : LEAT_E_FORMAT, k ? "row 1, column 'x': its indices" : "fewer");
  }
  assert_int_equal(made_live, 0);
  kit_balanced(rt);
}

/* ---- memory runs out at every allocation: nothing leaks, nothing is released twice, inputs stay or are marked */

typedef struct scarce { int64_t left; } scarce;
static void *scarce_alloc(void *user, uint64_t size, uint64_t align) {
  scarce *s = user;
  return s->left-- > 0 ? aligned_alloc(align, (size + align - 1) / align * align) : NULL;
}
static void scarce_release(void *user, void *p, uint64_t size, uint64_t align) {
  (void)user, (void)size, (void)align;
  free(p);
}

static void out_of_memory(void **state) {
  (void)state;
  scarce budget = {INT64_MAX};
  leat_allocator allocator = {.struct_size = sizeof allocator, .user = &budget, .alloc = scarce_alloc, .release = scarce_release};
  leat_runtime_opts o = {.struct_size = sizeof o, .allocator = &allocator, .n_threads = 1};
  leat_runtime *rt = NULL;
  leat_error e = {.struct_size = sizeof e};
  assert_int_equal(leat_runtime_create(&o, &rt, &e), 0);
  leat_params *p = kit_params(rt, "reader/arrow", "target=y");
  int64_t failed = 0;
  for (int what = 0; what < 2; what++) {
    leat_status st = LEAT_E_MEMORY;
    for (int64_t k = 0; st; k++, failed += st != 0) {
      made_stream x;
      struct ArrowArrayStream in, back = {0};
      struct ArrowArray a = {0};
      leat_dataset *d = NULL;
      made_three(&x);
      made_open(&x, &in);
      budget.left = what ? INT64_MAX : k;
      st = leat_dataset_from_arrow_stream(rt, NULL, p, &in, &d, &e);
      if (what && !st) {
        budget.left = k;
        st = leat_dataset_to_arrow(d, 0, &back, &e);
        if (!st && back.get_next(&back, &a)) st = LEAT_E_MEMORY;
      }
      budget.left = INT64_MAX;
      assert_true(st == 0 || st == LEAT_E_MEMORY);
      if (a.release) a.release(&a);
      if (back.release) back.release(&back);
      leat_dataset_free(d);
      if (in.release) in.release(&in);
      assert_int_equal(x.released, 1);
      assert_int_equal(made_live, 0);
    }
  }
  if (failed < 50) fail_msg("only %lld failures", (long long)failed);
  leat_params_free(p);
  kit_balanced(rt);
}

/* ---- streams */

static void chunks_are_one_table(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(2);
  leat_error e;
  made_stream x;
  struct ArrowArrayStream in;
  struct ArrowSchema s;
  struct ArrowArray a;
  leat_dataset *d = NULL, *t[2] = {NULL, NULL};
  made_table_schema(&s);
  made_table_array(&a, 0, 60);
  leat_dataset *whole = made_good(rt, "target=y", &s, &a);
  made_three(&x);
  const void *second = x.array[2].children[0]->buffers[1];
  made_open(&x, &in);
  if (open_stream(rt, "target=y", &in, &d, &e)) fail_msg("%s", e.message);
  assert_int_equal(lt_dataset_rows(d), 60);
  assert_int_equal(x.released, 1);
  assert_int_equal(d->chunks->n, 3); /* not joined; the empty one is left out */
  assert_ptr_equal(d->chunks->batch[1]->col[0].data, second);
  assert_true(kit_sum(d) == kit_sum(whole));
  int64_t pick[7] = {59, 0, 20, 19, 34, 35, 0};
  leat_dataset *both[2] = {d, whole};
  for (int k = 0; k < 2; k++) {
    leat_dataset *part = NULL;
    assert_int_equal(leat_dataset_slice(both[k], 10, 40, &part, NULL), 0);
    for (int q = 0; q < 7; q++) pick[q] = q * 13 % 40;
    assert_int_equal(leat_dataset_take(part, pick, 7, &t[k], NULL), 0);
    leat_dataset_free(part);
  }
  assert_true(kit_sum(t[0]) == kit_sum(t[1]));
  for (int r = 0; r < 60; r++) assert_true(kit_number(d, r, "i", 0) == 7 * r % 11);
  leat_batch *b = NULL;
  leat_schema *schema = NULL;
  int64_t got = 0, rows = 0;
  assert_int_equal(leat_dataset_schema(d, &schema, NULL), 0);
  assert_int_equal(leat_batch_create(rt, schema, &b, NULL), 0);
  do { /* 13 rows at a time, across the chunks */
    assert_int_equal(leat_dataset_next(d, 13, b, &got, &e), 0);
    for (int64_t r = 0; r < got; r++) assert_true(((double *)b->slot[0].data)[r] == (double)(rows + r) / 4);
    rows += got;
  } while (got);
  assert_int_equal(rows, 60);
  assert_int_equal(leat_dataset_rewind(d, &e), 0);
  leat_schema_free(schema);
  leat_batch_free(b);
  leat_dataset_free(d);
  leat_dataset_free(t[1]);
  leat_dataset_free(whole);
  assert_true(kit_number(t[0], 0, "a", 0) == 10 / 4.0); /* the chunks live on */
  leat_dataset_free(t[0]);
  assert_int_equal(made_live, 0);
  kit_balanced(rt);
}

static int64_t read_all(leat_dataset *d, int64_t step, leat_error *e) {
  leat_batch *b = NULL;
  leat_schema *s = NULL;
  int64_t got = 0, rows = 0;
  assert_int_equal(leat_dataset_schema(d, &s, NULL), 0);
  assert_int_equal(leat_batch_create(d->rt, s, &b, NULL), 0);
  do {
    if (leat_dataset_next(d, step, b, &got, e)) {
      rows = -1;
      break;
    }
    for (int64_t r = 0; r < got; r++) {
      lt_rows v;
      lt_batch_rows(b, &v);
      assert_true(lt_col_number(&v.schema->col[0], &v.col[0], r, 0) == (double)(rows + r) / 4);
      assert_true(v.side && v.side->position == rows && !strcmp(v.side->source, "events"));
    }
    rows += got;
  } while (got);
  leat_schema_free(s);
  leat_batch_free(b);
  return rows;
}

static made_stream source_now;
static int sources;
static int32_t open_source(void *user, struct ArrowArrayStream *out) {
  if (user) return 2;
  sources++;
  made_three(&source_now);
  made_open(&source_now, out);
  return 0;
}

static void one_array_after_the_other(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  leat_error e;
  made_stream x;
  struct ArrowArrayStream in;
  leat_dataset *d = NULL;
  made_three(&x);
  made_open(&x, &in);
  if (open_stream(rt, "target=y stream=1 chunk_rows=10 source=events", &in, &d, &e)) fail_msg("%s", e.message);
  assert_int_equal(x.pulls, 1);
  assert_int_equal(leat_dataset_rewind(d, &e), 0); /* nothing was read yet */
  assert_int_equal(read_all(d, 7, &e), 60);
  assert_int_equal(made_live, 6); /* the stream and its schema of 5: no array is held any more */
  assert_int_equal(leat_dataset_rewind(d, &e), LEAT_E_UNSUPPORTED);
  assert_non_null(strstr(e.message, "comes only once"));
  leat_dataset_free(d);
  assert_int_equal(made_live, 0);
  made_three(&x); /* a failure in the middle */
  made_open(&x, &in);
  x.fail_at = 3;
  if (open_stream(rt, "target=y stream=1 chunk_rows=10 source=events", &in, &d, &e)) fail_msg("%s", e.message);
  assert_int_equal(read_all(d, 20, &e), -1);
  assert_int_equal(e.code, LEAT_E_IO);
  leat_dataset_free(d);
  assert_int_equal(x.released, 1);
  assert_int_equal(made_live, 0);
  leat_params *p = kit_params(rt, "reader/arrow", "target=y stream=1 chunk_rows=10 source=events"); /* again and again */
  if (leat_dataset_from_arrow_source(rt, NULL, p, open_source, NULL, &d, &e)) fail_msg("%s", e.message);
  for (int k = 0; k < 3; k++) {
    assert_int_equal(read_all(d, 7 + k, &e), 60);
    assert_int_equal(leat_dataset_rewind(d, &e), 0);
  }
  assert_int_equal(sources, 4);
  leat_dataset_free(d);
  int user = 0;
  assert_int_equal(leat_dataset_from_arrow_source(rt, NULL, p, open_source, &user, &d, &e), LEAT_E_IO);
  assert_int_equal(e.os_code, 2);
  leat_params_free(p);
  assert_int_equal(made_live, 0);
  kit_balanced(rt);
}

/* ---- out */

static const void *column_of(const leat_dataset *d, const char *name) {
  int64_t i = 0;
  if (lt_schema_find(d->schema, name, &i, NULL)) fail_msg("no column %s", name);
  return d->base->col[i].data;
}

/* What went out comes in as it was; numbers are lent; children outlive their parent. */
static void out_and_in_again(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  leat_error e;
  struct ArrowArrayStream out;
  leat_dataset *d = kit_good(rt, "target=y key=k categorical=c text=t",
                             "k,a,b,c,t,d,y\nk1,1.5,true,x,some words here,2020-01-02,no\nk2,,false,,,,yes\nk3,-3,,z,more,2021-05-06 "
                             "07:08:09.25,no\n"),
               *back = NULL, *part = NULL;
  const void *numbers = column_of(d, "a");
  assert_int_equal(leat_dataset_to_arrow(d, 0, &out, &e), 0);
  struct ArrowArray a, moved;
  struct ArrowSchema s;
  assert_int_equal(out.get_schema(&out, &s), 0);
  assert_int_equal(out.get_next(&out, &a), 0);
  assert_int_equal(a.length, 3);
  assert_string_equal(s.children[1]->name, "a");
  assert_ptr_equal(a.children[1]->buffers[1], numbers);
  assert_int_equal(a.children[1]->null_count, 1);
  moved = *a.children[1];
  a.children[1]->release = NULL;
  a.release(&a);
  s.release(&s);
  assert_int_equal(out.get_next(&out, &a), 0);
  assert_null(a.release);
  out.release(&out);
  assert_int_equal(leat_dataset_to_arrow(d, 2, &out, &e), 0);
  leat_dataset_free(d);
  assert_true(((const double *)moved.buffers[1])[2] == -3);
  moved.release(&moved);
  leat_params *p = kit_params(rt, "reader/arrow", "target=y key=k categorical=c text=t");
  if (leat_dataset_from_arrow_stream(rt, NULL, p, &out, &back, &e)) fail_msg("%s", e.message);
  static const char *const want[3][7] = {{"k1", "1.5", "true", "x", "some words here", "2020-01-02", "no"},
                                         {"k2", "", "false", "", "", "", "yes"},
                                         {"k3", "-3", "", "z", "more", "2021-05-06T07:08:09.25", "no"}};
  static const char *const name[7] = {"k", "a", "b", "c", "t", "d", "y"};
  for (int r = 0; r < 3; r++)
    for (int k = 0; k < 7; k++) {
      const char *got = kit_field(back, r, name[k]);
      if (strncmp(got, want[r][k], k == 5 ? 10 : 99) != 0) fail_msg("row %d %s: '%s'", r, name[k], got);
    }
  int64_t pick[4] = {2, 2, 0, 1};
  assert_int_equal(leat_dataset_take(back, pick, 4, &part, &e), 0);
  uint64_t sum = kit_sum(part);
  assert_int_equal(leat_dataset_to_arrow(part, 3, &out, &e), 0);
  leat_dataset_free(part);
  leat_dataset_free(back);
  if (leat_dataset_from_arrow_stream(rt, NULL, p, &out, &back, &e)) fail_msg("%s", e.message);
  assert_true(kit_sum(back) == sum);
  leat_dataset_free(back);
  leat_params_free(p);
  kit_balanced(rt);
}

/* Blocks, dense and sparse. */
static void blocks_out_and_in(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  leat_error e = {.struct_size = sizeof e};
  struct ArrowArrayStream out;
  float x[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, NAN, 11, 12};
  leat_matrix m = {.struct_size = sizeof m, .data = x, .rows = 4, .cols = 3, .dtype = LEAT_F32};
  int64_t start[4] = {0, 2, 2, 3};
  int32_t index[3] = {1, 4, 0};
  leat_csr c = {.struct_size = sizeof c, .row_start = start, .index = index, .rows = 3, .cols = 5};
  for (int k = 0; k < 3; k++) {
    leat_dataset *d = NULL, *back = NULL;
    float v[3] = {2, 3, 4};
    c.value = k == 2 ? v : NULL;
    c.dtype = LEAT_F32;
    assert_int_equal(k ? leat_dataset_from_csr(rt, NULL, &c, NULL, NULL, &d, &e)
                       : leat_dataset_from_dense(rt, NULL, &m, NULL, NULL, &d, &e), 0);
    uint64_t sum = kit_sum(d);
    assert_int_equal(leat_dataset_to_arrow(d, 0, &out, &e), 0);
    leat_dataset_free(d);
    if (leat_dataset_from_arrow_stream(rt, NULL, NULL, &out, &back, &e)) fail_msg("%s", e.message);
    assert_true(kit_sum(back) == sum);
    leat_dataset_free(back);
  }
  kit_balanced(rt);
}

/* ---- DLPack, in both versions */

typedef struct tensor_parts {
  void *data;
  int32_t device[2], ndim;
  uint8_t code, bits;
  uint16_t lanes;
  int64_t *shape, *strides;
  uint64_t offset;
} tensor_parts;
typedef struct plain_tensor { tensor_parts t; void *context; void (*deleter)(struct plain_tensor *); } plain_tensor;
typedef struct new_tensor {
  uint32_t major, minor;
  void *context;
  void (*deleter)(struct new_tensor *);
  uint64_t flags;
  tensor_parts t;
} new_tensor;
static int deleted;
static void delete_plain(plain_tensor *t) { (void)t; deleted++; }
static void delete_new(new_tensor *t) { (void)t; deleted++; }

static void tensors(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(2);
  leat_error e = {.struct_size = sizeof e};
  enum { N = 40 };
  double x[N][3];
  int64_t y[N], shape[2] = {N / 2, 2}, strides[2] = {-6, 2}, rows[1] = {N / 2}, packed[3] = {N, 1, 3};
  for (int r = 0; r < N; r++) {
    for (int j = 0; j < 3; j++) x[r][j] = r * 10 + j;
    y[r] = r % 3 == 0;
  }
  /* rows N-1, N-3, ... and columns 0 and 2 of x */
  tensor_parts tx = {&x[N - 1][0], {1, 0}, 2, 2, 64, 1, shape, strides, 0}, ty = {y, {1, 0}, 1, 0, 64, 1, rows, NULL, 0};
  for (int major = 0; major < 2; major++) {
    plain_tensor px = {tx, NULL, delete_plain}, py = {ty, NULL, delete_plain};
    new_tensor nx = {1, 1, NULL, delete_new, 0, tx}, ny = {1, 0, NULL, delete_new, 0, ty};
    void *given = major ? (void *)&nx : &px, *labels = major ? (void *)&ny : &py;
    tensor_parts *t = major ? &nx.t : &px.t;
    leat_dataset *d = NULL;
    deleted = 0;
    if (leat_dataset_from_dlpack(rt, NULL, major, given, labels, NULL, &d, &e)) fail_msg("%s", e.message);
    assert_int_equal(deleted, 1); /* the labels were copied */
    assert_ptr_equal(column_of(d, "x"), &x[N - 1][0]);
    for (int r = 0; r < N / 2; r++)
      for (int j = 0; j < 2; j++) assert_true(kit_number(d, r, "x", j) == (N - 1 - 2 * r) * 10 + 2 * j);
    assert_int_equal(kit_column(d, "y")->kind, LEAT_CATEGORY);
    leat_trainer *trainer = NULL;
    leat_model *model = NULL;
    leat_predictor *q = NULL;
    leat_params *p = kit_params(rt, "model/linear", NULL);
    void *tensor = NULL;
    float out[N / 2];
    leat_matrix mo = {.struct_size = sizeof mo, .data = out, .rows = N / 2, .cols = 1, .dtype = LEAT_F32};
    if (leat_trainer_create(rt, p, NULL, NULL, &trainer, &e) || leat_trainer_set_data(trainer, d, NULL, &e) ||
        leat_trainer_fit(trainer, &e) || leat_trainer_snapshot(trainer, &model, &e) ||
        leat_predictor_create(model, NULL, NULL, &q, &e) || leat_predictor_run_dataset(q, d, &mo, &e) ||
        leat_predictor_run_dlpack(q, d, major, &tensor, &e))
      fail_msg("%s", e.message);
    const tensor_parts *got = major ? &((new_tensor *)tensor)->t : &((plain_tensor *)tensor)->t;
    assert_int_equal(got->shape[0], N / 2);
    assert_memory_equal(got->data, out, sizeof out);
    leat_predictor_free(q);
    leat_model_free(model);
    leat_trainer_free(trainer);
    leat_params_free(p);
    if (major) ((new_tensor *)tensor)->deleter(tensor);
    else ((plain_tensor *)tensor)->deleter(tensor);
    assert_int_equal(deleted, 1);
    leat_dataset_free(d);
    assert_int_equal(deleted, 2);
    /* failures leave everything to the caller */
    static const struct { int field, value; leat_status code; } wrong[] = {
        {0, 2, LEAT_E_UNSUPPORTED}, {1, 4, LEAT_E_DTYPE}, {2, 16, LEAT_E_DTYPE}, {3, 0, LEAT_E_SHAPE}, {4, 2, LEAT_E_DTYPE}};
    for (uint64_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
      *t = tx;
      if (wrong[k].field == 0) t->device[0] = wrong[k].value;
      if (wrong[k].field == 1) t->code = (uint8_t)wrong[k].value;
      if (wrong[k].field == 2) t->bits = (uint8_t)wrong[k].value;
      if (wrong[k].field == 3) t->ndim = wrong[k].value;
      if (wrong[k].field == 4) t->lanes = (uint16_t)wrong[k].value;
      assert_int_equal(leat_dataset_from_dlpack(rt, NULL, major, given, labels, NULL, &d, &e), wrong[k].code);
      assert_null(d);
    }
    *t = tx;
    nx.major = 2;
    if (major) assert_int_equal(leat_dataset_from_dlpack(rt, NULL, 1, given, NULL, NULL, &d, &e), LEAT_E_VERSION);
    nx.major = 1;
    rows[0] = 5;
    assert_int_equal(leat_dataset_from_dlpack(rt, NULL, major, given, labels, NULL, &d, &e), LEAT_E_SHAPE);
    rows[0] = N / 2;
    assert_int_equal(leat_dataset_from_dlpack(rt, NULL, 2, given, NULL, NULL, &d, &e), LEAT_E_ARG);
    assert_int_equal(deleted, 2);
    *t = (tensor_parts){x, {1, 0}, 3, 2, 64, 1, packed, NULL, 0}; /* [N, 1, 3] is [N, 3] */
    assert_int_equal(leat_dataset_from_dlpack(rt, NULL, major, given, NULL, NULL, &d, &e), 0);
    assert_true(kit_number(d, 7, "x", 2) == 72);
    leat_dataset_free(d);
    assert_int_equal(deleted, 3);
  }
  kit_balanced(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(before_the_first_pull), cmocka_unit_test(after_the_first_pull), cmocka_unit_test(lies),
      cmocka_unit_test(deeper_lies),           cmocka_unit_test(out_of_memory),        cmocka_unit_test(chunks_are_one_table),
      cmocka_unit_test(one_array_after_the_other), cmocka_unit_test(out_and_in_again), cmocka_unit_test(blocks_out_and_in),
      cmocka_unit_test(tensors)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
