/* A learner that is fed from an Arrow stream, in crash and replay; predictions out of it. */
#define _GNU_SOURCE 1
#include "arrow_help.h"
#include <unistd.h>

static void check(leat_status st, const leat_error *e) {
  if (st) fail_msg("%s", e->message);
}

static leat_params *settings(leat_runtime *rt, const char *spec, const char *set) { return kit_params(rt, spec, set); }

/* 60 rows in three arrays, as a stream of a learner's records. */
static leat_dataset *records(leat_runtime *rt, made_stream *x) {
  leat_error e = {.struct_size = sizeof e};
  struct ArrowArrayStream in;
  leat_dataset *d = NULL;
  *x = (made_stream){.n = 3};
  made_table_schema(&x->schema);
  for (int k = 0; k < 3; k++) made_table_array(&x->array[k], 20 * k, 20);
  made_open(x, &in);
  leat_params *p = settings(rt, "reader/arrow", "target=y stream=1 chunk_rows=20 source=events");
  check(leat_dataset_from_arrow_stream(rt, NULL, p, &in, &d, &e), &e);
  leat_params_free(p);
  return d;
}

/* Feeds at most `most` rows. */
static void feed(leat_runtime *rt, leat_learner *l, int64_t most) {
  leat_error e = {.struct_size = sizeof e};
  made_stream x;
  leat_dataset *d = records(rt, &x);
  leat_schema *s = NULL;
  leat_batch *b = NULL;
  int64_t got = 1;
  check(leat_dataset_schema(d, &s, &e), &e);
  check(leat_batch_create(rt, s, &b, &e), &e);
  for (int64_t done = 0; done < most && got; done += got) {
    check(leat_dataset_next(d, 7, b, &got, &e), &e);
    if (got) check(leat_learner_feed(l, b, NULL, &e), &e);
  }
  leat_batch_free(b);
  leat_schema_free(s);
  leat_dataset_free(d);
}

static void learner_from_arrow(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  leat_error e = {.struct_size = sizeof e};
  char folder[256], line[300];
  const char *base = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%s/leat-arrow-XXXXXX", base ? base : "/tmp");
  assert_non_null(mkdtemp(folder));
  made_stream x;
  leat_dataset *d = records(rt, &x);
  leat_schema *s = NULL;
  check(leat_dataset_schema(d, &s, &e), &e);
  leat_dataset_free(d);
  leat_params *create = settings(rt, "store", "create=1"), *model = settings(rt, "online/linear", NULL);
  leat_store *store = NULL;
  leat_learner *l = NULL;
  leat_model *live = NULL;
  check(leat_store_open(rt, folder, create, &store, &e), &e);
  check(leat_learner_create(store, model, NULL, s, NULL, &l, &e), &e);
  feed(rt, l, 35);
  check(leat_learner_commit(l, &e), &e);
  leat_learner_free(l); /* and again from the beginning: what was taken is skipped */
  check(leat_learner_open(store, &l, &e), &e);
  feed(rt, l, 60);
  int64_t position = 0;
  leat_learner_state now = {.struct_size = sizeof now};
  check(leat_learner_position(l, "events", &position, &e), &e);
  assert_int_equal(position, 60);
  check(leat_learner_get_state(l, &now, &e), &e);
  assert_int_equal(now.rows_seen, 60);
  check(leat_learner_live(l, &live, &e), &e);
  struct ArrowArrayStream out;
  struct ArrowSchema os;
  struct ArrowArray oa;
  d = records(rt, &x);
  check(leat_predict_arrow(live, NULL, d, 25, &out, &e), &e);
  leat_dataset_free(d);
  leat_model_free(live); /* the stream keeps what it needs */
  assert_int_equal(out.get_schema(&out, &os), 0);
  assert_string_equal(os.children[0]->name, "prediction");
  assert_string_equal(os.children[2]->name, "p_1");
  os.release(&os);
  int64_t rows = 0;
  for (;;) {
    assert_int_equal(out.get_next(&out, &oa), 0);
    if (!oa.release) break;
    const float *p0 = oa.children[1]->buffers[1], *p1 = oa.children[2]->buffers[1];
    for (int64_t r = 0; r < oa.length; r++) assert_true(fabsf(p0[r] + p1[r] - 1) < 1e-6f);
    rows += oa.length;
    oa.release(&oa);
  }
  assert_int_equal(rows, 60);
  out.release(&out);
  leat_learner_free(l);
  leat_store_free(store);
  leat_params_free(create);
  leat_params_free(model);
  leat_schema_free(s);
  snprintf(line, sizeof line, "rm -rf '%s'", folder);
  assert_int_equal(system(line), 0);
  assert_int_equal(made_live, 0);
  kit_balanced(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(learner_from_arrow)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
