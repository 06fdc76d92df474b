/* A store's folder when things break: stopped between any two file operations (killed, or the power fails), a full disk,
 * failing syncs, no memory, a damaged MANIFEST, lies behind right checksums. The state is always the one before or the one
 * after the change that was at work, and the script of changes can be gone on with. */
#include "folder_help.h"
#include "base/sealed.h"
#include "power_files.h"

static leat_runtime *rt; /* the models' */
static leat_model *model[4];
static power_disk *disk;
static int start(void **state) {
  (void)state;
  rt = new_runtime(1);
  disk = calloc(1, sizeof *disk);
  if (!rt || !disk || place_start()) return 1;
  for (int i = 0; i < 4; i++) model[i] = little_model(rt, (uint64_t)i + 1);
  return 0;
}
static int stop(void **state) {
  (void)state;
  for (int i = 0; i < 4; i++) lt_model_free(model[i]);
  lt_runtime_unref(rt);
  power_free(disk);
  free(disk);
  wipe(place);
  return 0;
}

static leat_runtime *disk_runtime(host_memory *memory) {
  leat_file_system files = power_table(disk);
  leat_allocator allocator = memory ? host_allocator(memory, 1) : (leat_allocator){0};
  leat_runtime_opts opts = {.struct_size = sizeof opts, .files = &files, .allocator = memory ? &allocator : NULL,
                            .log_level = LEAT_LOG_ERROR};
  return host_runtime(&opts);
}

/* ---- the script */

static leat_status try_open(leat_runtime *r, leat_store **s) {
  leat_params *p;
  leat_status st = lt_params_create(r, &lt_spec_store, &p, &error_of);
  if (st) return st;
  OK(lt_params_set_i64(p, "keep_recent", 2, NULL));
  OK(lt_params_set_i64(p, "keep_hourly", 0, NULL));
  OK(lt_params_set_i64(p, "keep_daily", 1, NULL));
  st = lt_folder_open(r, "S", p, s, &error_of);
  lt_params_free(p);
  return st;
}
static leat_status take(leat_store *s, int64_t ordinal, int64_t day) {
  int64_t v;
  lt_snapshot at = {.ordinal = ordinal, .row = ordinal * 100, .time_ns = day * 86400 * 1000000000, .loss = .25,
                    .journal = (uint64_t)ordinal};
  return lt_folder_snapshot(s, model[ordinal % 4], &at, NULL, 0, &v, &error_of);
}
static leat_status tell(leat_store *s, int64_t ordinal, int32_t kind, int64_t version) {
  leat_event e = {.struct_size = sizeof e, .kind = kind, .version = version, .row = ordinal * 10, .value = 1, .time_ns = 7,
                  .name = "adwin", .text = "so it was"};
  return lt_folder_event(s, ordinal, &e, &error_of);
}
static leat_status keep(leat_store *s, int k) {
  char name[32], file[48];
  snprintf(name, sizeof name, "c-%d.leat", k);
  snprintf(file, sizeof file, "S/learner/%s", name);
  lt_seal *seal = NULL;
  leat_status st = lt_folder_lock_learner(s, &error_of);
  if (st) return st;
  st = lt_seal_create(lt_folder_runtime(s), "LRNR", 1, 1, &seal, &error_of);
  if (!st) st = lt_seal_add(seal, "state", LT_SEAL_RAW, &k, sizeof k, &error_of);
  if (!st) st = lt_seal_write(seal, file, &error_of);
  lt_seal_free(seal);
  if (!st) st = lt_folder_checkpoint(s, name, (uint64_t)k, (uint64_t)k, &error_of);
  lt_folder_unlock_learner(s);
  return st;
}
/* The table is made again, as whoever publishes would do who has not been told that it is there. */
static leat_status publish(leat_store *s, int64_t rows, float value) {
  leat_status st = little_table(lt_folder_runtime(s), "in.ltab", "hash", rows, value, 0.01f);
  if (!st) st = lt_tables_publish(s, "churn", "in.ltab", NULL, NULL, &error_of);
  return st;
}
enum { STEPS = 28 };
static leat_status step(leat_store *s, int k) {
  int64_t v;
  switch (k) {
    case 0: return lt_folder_add(s, model[0], "train", &v, &error_of);
    case 1: return lt_folder_promote(s, 1, "production", -1, NULL, &error_of);
    case 2: return take(s, 1, 1);
    case 3: return take(s, 2, 1);
    case 4: return tell(s, 1, LEAT_EVENT_CERTIFIED, 2);
    case 5: return keep(s, 1);
    case 6: return lt_folder_promote(s, 3, "production", -1, NULL, &error_of);
    case 7: return lt_folder_pin(s, 1, 1, &error_of);
    case 8: return take(s, 3, 1);
    case 9: return take(s, 4, 2); /* from here on the ring lets one go */
    case 10: return take(s, 5, 2);
    case 11: return take(s, 6, 3);
    case 12: return keep(s, 2);
    case 13: return keep(s, 3);
    case 14: return tell(s, 2, LEAT_EVENT_ALARM, 0);
    case 15: return lt_folder_rollback(s, "production", -1, NULL, &error_of);
    case 16: return lt_folder_gc(s, NULL, &error_of);
    case 17: return lt_folder_add(s, model[3], "train", &v, &error_of);
    case 18: return lt_folder_promote(s, 8, "testing", -1, NULL, &error_of);
    case 19: return take(s, 7, 4);
    case 20: return lt_folder_pin(s, 1, 0, &error_of);
    case 21: return publish(s, 30, 1);
    case 22: return publish(s, 31, 1.001f);
    case 23: return publish(s, 32, 1.002f); /* the first one goes */
    case 24: return lt_tables_rollback(s, "churn", &v, &error_of);
    case 25: return lt_folder_gc(s, NULL, &error_of);
    case 26: return publish(s, 29, 1);
    default: return lt_folder_gc(s, NULL, &error_of);
  }
}
static char *after[STEPS + 1]; /* the state after so many steps */

static void record_script(void) {
  leat_runtime *r = disk_runtime(NULL);
  leat_store *s = NULL;
  power_free(disk);
  OK(try_open(r, &s));
  after[0] = state_text(s);
  for (int k = 0; k < STEPS; k++) {
    OK(step(s, k));
    after[k + 1] = state_text(s);
  }
  lt_folder_free(s);
  lt_runtime_unref(r);
}
static void forget_script(void) {
  for (int k = 0; k <= STEPS; k++) free(after[k]);
}

/* Steps that are done, when `done` are for sure. */
static int where(leat_store *s, int done) {
  char *now = state_text(s);
  int k = done < STEPS && strcmp(now, after[done + 1]) == 0 ? done + 1 : done;
  if (strcmp(now, after[k]) != 0) print_error("after %d steps:\n%s\nbut it is\n%s\n", done, after[done], now);
  assert_string_equal(now, after[k]);
  free(now);
  return k;
}
static void go_on(leat_store *s, int done) {
  for (int k = 0; k < done; k++) /* a replay: nothing happens */
    if ((k >= 2 && k <= 4) || (k >= 8 && k <= 11) || k == 14) OK(step(s, k));
  (void)where(s, done);
  for (int k = done; k < STEPS; k++) OK(step(s, k));
  assert_int_equal(where(s, STEPS), STEPS);
  OK(lt_folder_verify(s, &error_of));
}
/* No file but those that are needed. */
static void tidy(leat_store *s) {
  OK(lt_folder_gc(s, NULL, &error_of));
  int64_t models = 0, others = 0, tables = 0, n;
  OK(lt_folder_count(s, &n, &error_of));
  for (int i = 0; i < disk->now.n; i++) {
    const char *p = disk->now.name[i].path;
    if (disk->now.name[i].node == POWER_FOLDER || strncmp(p, "S/", 2) != 0) continue;
    if (strncmp(p, "S/tables/churn-", 15) == 0 && !strstr(p, ".tmp")) tables++;
    else
    if (strncmp(p, "S/models/v-", 11) == 0 && !strstr(p, ".tmp")) models++;
    else if (strcmp(p, "S/models/LOCK") && strcmp(p, "S/MANIFEST") && strcmp(p, "S/MANIFEST.lock") && strcmp(p, "S/tables/LOCK") &&
             strcmp(p, "S/learner/LOCK") && strcmp(p, "S/learner/c-2.leat") && strcmp(p, "S/learner/c-3.leat")) {
      others++;
      print_error("left over: %s\n", p);
    }
  }
  assert_int_equal(others, 0);
  assert_int_equal(models, n);
  assert_int_equal(tables, 2);
}

/* Runs the script until something fails; the number of whole steps, -1 when the store could not be opened. */
static int run_script(leat_runtime *r, leat_store **s) {
  int k = 0;
  *s = NULL;
  if (try_open(r, s)) return -1;
  while (k < STEPS && step(*s, k) == LEAT_OK) k++;
  return k;
}

static int64_t all_calls(void) {
  leat_runtime *r = disk_runtime(NULL);
  leat_store *s;
  power_free(disk);
  assert_int_equal(run_script(r, &s), STEPS);
  lt_folder_free(s);
  lt_runtime_unref(r);
  return disk->calls;
}

static void one_stop(int64_t at, uint64_t seed) {
  leat_store *s = NULL;
  power_free(disk);
  disk->stop_at = at;
  leat_runtime *r = disk_runtime(NULL);
  int done = run_script(r, &s);
  assert_true(disk->stopped);
  lt_folder_free(s);
  lt_runtime_unref(r);
  power_on(disk, seed);
  r = disk_runtime(NULL);
  OK(try_open(r, &s));
  if (done < 0) done = 0;
  go_on(s, where(s, done));
  tidy(s);
  lt_folder_free(s);
  lt_runtime_unref(r);
}

static void test_stops(void **state) {
  (void)state;
  record_script();
  int64_t n = all_calls();
  int rounds = getenv("LEAT_SOAK") ? 200 : 3;
  assert_true(n > 150);
  for (int64_t at = 1; at < n; at++) { /* the last call is a sync of gc: nothing behind it */
    one_stop(at, 0);
    for (int i = 0; i < rounds; i++) one_stop(at, (uint64_t)at * 1000 + (uint64_t)i + 1);
  }
  forget_script();
}

/* The disk is full from some operation on: the step fails and nothing has changed; with room again the same handle goes on. */
static void test_full_disk(void **state) {
  (void)state;
  record_script();
  int64_t n = all_calls();
  for (int64_t at = 1; at < n; at++) {
    leat_store *s = NULL;
    power_free(disk);
    disk->full_at = at;
    leat_runtime *r = disk_runtime(NULL);
    int done = run_script(r, &s);
    if (done == STEPS) { /* only witnesses were to be written */
      lt_folder_free(s);
      lt_runtime_unref(r);
      continue;
    }
    assert_int_equal(error_of.code, LEAT_E_IO);
    assert_int_equal(error_of.os_code, ENOSPC);
    if (s) {
      char *now = state_text(s);
      assert_string_equal(now, after[done]);
      free(now);
    }
    disk->full_at = 0;
    if (!s) OK(try_open(r, &s));
    if (done < 0) done = 0;
    go_on(s, done);
    tidy(s);
    lt_folder_free(s);
    lt_runtime_unref(r);
  }
  forget_script();
}

/* A sync that fails: the step is made or not, and the handle goes on. */
static void test_failing_sync(void **state) {
  (void)state;
  record_script();
  int64_t n = all_calls();
  for (int64_t at = 1; at < n; at++) {
    leat_store *s = NULL;
    power_free(disk);
    disk->sync_at = at;
    leat_runtime *r = disk_runtime(NULL);
    int done = run_script(r, &s);
    if (done < STEPS) assert_int_equal(error_of.code, LEAT_E_IO);
    disk->sync_at = 0;
    if (!s) OK(try_open(r, &s));
    if (done < 0) done = 0;
    go_on(s, where(s, done));
    tidy(s);
    lt_folder_free(s);
    lt_runtime_unref(r);
  }
  forget_script();
}

/* No memory at any one moment: the step says so and is made or not; no block is lost. */
static void test_no_memory(void **state) {
  (void)state;
  record_script();
  host_memory memory = {0};
  power_free(disk);
  leat_runtime *r = disk_runtime(&memory);
  leat_store *s = NULL;
  assert_int_equal(run_script(r, &s), STEPS);
  lt_folder_free(s);
  lt_runtime_unref(r);
  int64_t n = memory.calls, failed = 0;
  assert_int_equal(memory.blocks, 0);
  for (int64_t at = 2; at <= n; at += getenv("LEAT_SOAK") || at < 400 ? 1 : 13) {
    power_free(disk);
    memset(&memory, 0, sizeof memory);
    memory.fail_at = at;
    leat_file_system files = power_table(disk);
    leat_allocator allocator = host_allocator(&memory, 1);
    leat_runtime_opts opts = {.struct_size = sizeof opts, .files = &files, .allocator = &allocator};
    if (lt_runtime_create(&opts, &r, NULL)) continue;
    int done = run_script(r, &s);
    if (done < STEPS) {
      failed++;
      if (error_of.code != LEAT_E_MEMORY) print_error("allocation %lld: %d %s\n", (long long)at, error_of.code, error_of.message);
      assert_int_equal(error_of.code, LEAT_E_MEMORY);
    }
    if (!s) OK(try_open(r, &s));
    if (done < 0) done = 0;
    go_on(s, where(s, done));
    lt_folder_free(s);
    lt_runtime_unref(r);
    assert_int_equal(memory.blocks, 0);
    assert_int_equal(memory.wrong, 0);
  }
  assert_true(failed > 200);
  forget_script();
}

/* ---- damage */

static power_node *manifest_node(void) {
  int i = power_find(&disk->now, "S/MANIFEST");
  assert_true(i >= 0);
  return &disk->node[disk->now.name[i].node];
}

static void test_damage(void **state) {
  (void)state;
  leat_store *s = NULL;
  record_script();
  for (int compacted = 0; compacted < 2; compacted++) {
    power_free(disk);
    leat_runtime *r = disk_runtime(NULL);
    OK(try_open(r, &s));
    for (int k = 0; k < (compacted ? STEPS : 16); k++) OK(step(s, k));
    char *whole = state_text(s);
    lt_folder_free(s);
    power_node *f = manifest_node();
    uint64_t size = f->size;
    uint8_t *bytes = malloc(size);
    memcpy(bytes, f->now, size);
    for (uint64_t i = 0; i < size; i++) { /* a changed byte: an error, unless it is the witness's own */
      f->now[i] ^= (uint8_t)(1u << i % 8);
      leat_status st = try_open(r, &s);
      if (i < size - 32) assert_true(st == LEAT_E_FORMAT || st == LEAT_E_VERSION);
      else {
        assert_int_equal(st, LEAT_OK);
        char *now = state_text(s);
        assert_string_equal(now, whole);
        free(now);
        lt_folder_free(s);
      }
      f->now[i] = bytes[i];
    }
    for (uint64_t cut = 0; cut < size; cut++) { /* an earlier state, or an error */
      f->size = cut;
      leat_status st = try_open(r, &s);
      if (st) assert_int_equal(st, LEAT_E_FORMAT);
      else {
        char *now = state_text(s);
        int k = 0;
        while (k <= STEPS && strcmp(now, after[k]) != 0) k++;
        assert_true(k <= STEPS);
        free(now);
        lt_folder_free(s);
      }
    }
    f->size = size;
    free(bytes);
    free(whole);
    lt_runtime_unref(r);
  }
  forget_script();
}

/* Payloads changed at random behind right checksums: an error or some state, and the store still answers every question. */
static void test_lies(void **state) {
  (void)state;
  uint64_t seed = 5;
  leat_runtime *r = disk_runtime(NULL);
  leat_store *s = NULL;
  int taken = 0, refused = 0, rounds = getenv("LEAT_SOAK") ? 100000 : getenv("LEAT_QUICK") ? 1000 : 3000;
  for (int round = 0; round < rounds; round++) {
    if (round % 500 == 0) { /* with and without compaction in it */
      power_free(disk);
      OK(try_open(r, &s));
      for (int k = 0; k < (round % 1000 ? STEPS : 16); k++) OK(step(s, k));
      lt_folder_free(s);
    }
    lt_reclog *from, *to;
    lt_record rec;
    int32_t got = 1;
    uint64_t hit = power_random(&seed) % 12, k = 0;
    OK(lt_reclog_read_open(r, "S/MANIFEST", LT_MANIFEST_KIND, 1, &from, &error_of));
    lt_path_remove(r, "T", NULL);
    OK(lt_reclog_create(r, "T", LT_MANIFEST_KIND, 1, 1, &to, &error_of));
    while (lt_reclog_next(from, &rec, &got, NULL, &error_of) == LEAT_OK && got) {
      uint8_t *copy = malloc(rec.size + 1);
      if (rec.size) memcpy(copy, rec.data, rec.size);
      uint64_t size = rec.size;
      uint32_t type = rec.type;
      if (k++ == hit || power_random(&seed) % 40 == 0) {
        for (uint64_t n = power_random(&seed) % 3; n-- > 0 && size;) copy[power_random(&seed) % size] ^= (uint8_t)(1u << power_random(&seed) % 8);
        if (power_random(&seed) % 4 == 0 && size) size -= power_random(&seed) % size;
        if (power_random(&seed) % 8 == 0) type = 1 + (uint32_t)(power_random(&seed) % 14);
        if (size >= 8 && power_random(&seed) % 6 == 0) memset(copy + power_random(&seed) % (size / 8) * 8, 0xff, 8);
      }
      OK(lt_reclog_append(to, type, copy, size, NULL, &error_of));
      free(copy);
    }
    OK(lt_reclog_sync(to, &error_of));
    OK(lt_reclog_close(to, &error_of));
    OK(lt_reclog_close(from, &error_of));
    int a = power_find(&disk->now, "T"), b = power_find(&disk->now, "S/MANIFEST");
    int keep_node = disk->now.name[b].node;
    disk->now.name[b].node = disk->now.name[a].node;
    leat_status st = try_open(r, &s);
    if (st) {
      refused++;
      assert_true(st == LEAT_E_FORMAT || st == LEAT_E_VERSION);
    } else {
      taken++;
      free(state_text(s));
      (void)lt_folder_rollback(s, "production", -1, NULL, NULL);
      (void)take(s, 50, 9);
      (void)lt_folder_verify(s, NULL);
      lt_folder_free(s);
    }
    disk->now.name[power_find(&disk->now, "S/MANIFEST")].node = keep_node;
    if (disk->n_nodes > POWER_NODES - 200 || disk->n_pending > POWER_PENDING - 200 || taken % 50 == 49) {
      power_free(disk);
      OK(try_open(r, &s));
      for (int n = 0; n < (round % 1000 >= 500 ? STEPS : 16); n++) OK(step(s, n));
      lt_folder_free(s);
    }
  }
  assert_true(taken > 50 && refused > rounds / 4);
  lt_runtime_unref(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_stops),     cmocka_unit_test(test_full_disk),
                                     cmocka_unit_test(test_failing_sync), cmocka_unit_test(test_no_memory),
                                     cmocka_unit_test(test_damage),    cmocka_unit_test(test_lies)};
  return cmocka_run_group_tests(tests, start, stop);
}
