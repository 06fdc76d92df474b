/* Chapter 18 through the public face: reading beside a writer, purging under the learner's lock. */
#include "hosts.h"
#include "lifecycle/folder.h"
#include "lifecycle/quarantine.h"

static leat_runtime *rt;
static char path[256];
static leat_store *store;

static int start(void **state) {
  leat_runtime_opts opts = {.struct_size = sizeof opts};
  leat_params *p = NULL;
  (void)state;
  rt = host_runtime(&opts);
  host_folder(rt, path);
  if (leat_params_create(rt, "store", &p, NULL) || leat_params_set_i64(p, "create", 1, NULL) ||
      leat_store_open(rt, path, p, &store, NULL))
    return 1;
  leat_params_free(p);
  return 0;
}
static int stop(void **state) {
  static const char *const parts[] = {"models", "learner", "journal", "quarantine", "tables"};
  (void)state;
  leat_store_free(store);
  for (int i = 0; i < 5; i++) {
    char part[512];
    snprintf(part, sizeof part, "%s/%s", path, parts[i]);
    host_folder_end(rt, part);
  }
  host_folder_end(rt, path);
  leat_runtime_free(rt);
  return 0;
}

static lt_quarantine *writer(void) {
  char folder[512];
  lt_quarantine *w = NULL;
  leat_error err = {.struct_size = sizeof err};
  snprintf(folder, sizeof folder, "%s/quarantine", path);
  if (lt_quarantine_open(rt, folder, 1, NULL, &w, &err)) fail_msg("%s", err.message);
  return w;
}
static void hold(lt_quarantine *w, int64_t from, int64_t to) {
  for (int64_t id = from; id <= to; id++) {
    lt_held h = {.id = id, .reason = id % 2 ? LEAT_REASON_OUTLIER : LEAT_REASON_PARSE, .column = -1, .position = id,
                 .source = "s.csv", .raw = "secret,1", .raw_size = 8};
    assert_int_equal(lt_quarantine_add(w, &h, NULL, 0, NULL), LEAT_OK);
  }
  assert_int_equal(lt_quarantine_sync(w, NULL), LEAT_OK);
}

static void test_reading(void **state) {
  (void)state;
  leat_quarantine *q;
  leat_held_info info = {.struct_size = sizeof info};
  int64_t n, cursor = 0;
  char buf[16];
  uint64_t needed;
  leat_error err = {.struct_size = sizeof err};
  assert_int_equal(leat_quarantine_open(NULL, &q, &err), LEAT_E_ARG);
  assert_null(q);
  assert_int_equal(leat_quarantine_open(store, NULL, &err), LEAT_E_ARG);
  assert_int_equal(leat_quarantine_open(store, &q, &err), LEAT_OK);
  assert_int_equal(leat_quarantine_count(q, 0, &n, &err), LEAT_OK);
  assert_int_equal(n, 0);
  lt_quarantine *w = writer();
  hold(w, 1, 10);
  assert_int_equal(leat_quarantine_count(q, LEAT_REASON_PARSE, &n, &err), LEAT_OK);
  assert_int_equal(n, 5);
  assert_int_equal(leat_quarantine_count(q, 7, &n, &err), LEAT_E_ARG);
  for (int64_t id = 1; id <= 9; id += 2) {
    assert_int_equal(leat_quarantine_next(q, LEAT_REASON_OUTLIER, &cursor, &info, &err), LEAT_OK);
    assert_int_equal(info.id, id);
    assert_string_equal(info.source, "s.csv");
  }
  assert_int_equal(leat_quarantine_next(q, LEAT_REASON_OUTLIER, &cursor, &info, &err), LEAT_E_NOT_FOUND);
  hold(w, 11, 12); /* the reader looks again */
  assert_int_equal(leat_quarantine_next(q, LEAT_REASON_OUTLIER, &cursor, &info, &err), LEAT_OK);
  assert_int_equal(info.id, 11);
  struct { uint64_t struct_size; int64_t id; } old = {.struct_size = 16}; /* a caller of an older header */
  cursor = 3;
  assert_int_equal(leat_quarantine_next(q, 0, &cursor, (leat_held_info *)(void *)&old, &err), LEAT_OK);
  assert_int_equal(old.id, 4);
  assert_int_equal(leat_quarantine_read(q, 12, buf, sizeof buf, &needed, &err), LEAT_OK);
  assert_int_equal(needed, 8);
  assert_memory_equal(buf, "secret,1", 8);
  assert_int_equal(leat_quarantine_read(q, 12, NULL, 0, &needed, &err), LEAT_E_CAPACITY);
  assert_int_equal(needed, 8);
  assert_int_equal(leat_quarantine_read(q, 13, buf, sizeof buf, &needed, &err), LEAT_E_NOT_FOUND);
  assert_int_equal(needed, 0);
  lt_quarantine_close(w);
  leat_quarantine_free(q);
  leat_quarantine_free(NULL);
}

static void test_purging(void **state) {
  (void)state;
  leat_quarantine *q;
  leat_store *other = NULL, *looks = NULL;
  leat_params *p = NULL;
  int64_t ids[] = {2, 3}, none[] = {77}, n, purged;
  leat_error err = {.struct_size = sizeof err};
  assert_int_equal(leat_quarantine_open(store, &q, &err), LEAT_OK);
  assert_int_equal(leat_store_open(rt, path, NULL, &other, &err), LEAT_OK);
  for (int own = 0; own < 2; own++) { /* a learner of this handle, or of another one */
    assert_int_equal(lt_folder_lock_learner(own ? store : other, &err), LEAT_OK);
    assert_int_equal(leat_quarantine_purge(q, ids, 2, &purged, &err), LEAT_E_BUSY);
    assert_non_null(strstr(err.message, "learner"));
    assert_int_equal(purged, 0);
    lt_folder_unlock_learner(own ? store : other);
  }
  assert_int_equal(leat_quarantine_purge(q, none, 1, &purged, &err), LEAT_E_NOT_FOUND);
  assert_int_equal(leat_quarantine_purge(q, ids, 2, &purged, &err), LEAT_OK);
  assert_int_equal(purged, 2);
  assert_int_equal(leat_quarantine_count(q, 0, &n, &err), LEAT_OK);
  assert_int_equal(n, 10);
  assert_int_equal(leat_quarantine_purge(q, NULL, 0, NULL, &err), LEAT_OK);
  assert_int_equal(leat_quarantine_count(q, 0, &n, &err), LEAT_OK);
  assert_int_equal(n, 0);
  lt_quarantine *w = writer(); /* numbers are not used again */
  assert_int_equal(lt_quarantine_last_id(w), 12);
  lt_quarantine_close(w);
  assert_int_equal(lt_folder_lock_learner(store, &err), LEAT_OK); /* the lock was given back */
  lt_folder_unlock_learner(store);
  leat_quarantine_free(q);
  assert_int_equal(leat_params_create(rt, "store", &p, &err), LEAT_OK);
  assert_int_equal(leat_params_set_i64(p, "read_only", 1, &err), LEAT_OK);
  assert_int_equal(leat_store_open(rt, path, p, &looks, &err), LEAT_OK);
  assert_int_equal(leat_quarantine_open(looks, &q, &err), LEAT_OK);
  assert_int_equal(leat_quarantine_purge(q, NULL, 0, NULL, &err), LEAT_E_STATE);
  leat_store_free(looks); /* the quarantine keeps what it needs */
  assert_int_equal(leat_quarantine_count(q, 0, &n, &err), LEAT_OK);
  leat_quarantine_free(q);
  leat_params_free(p);
  leat_store_free(other);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_reading), cmocka_unit_test(test_purging)};
  return cmocka_run_group_tests(tests, start, stop);
}
