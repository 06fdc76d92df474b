/* A store's folder: versions, stages, compare-and-swap, rollback, pins, history, two handles, two processes, snapshots and
 * their ring, checkpoints, what it refuses. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include "folder_help.h"

static leat_runtime *rt;
static leat_model *model[4];
static int start(void **state) {
  (void)state;
  rt = new_runtime(1);
  if (!rt || place_start()) return 1;
  for (int i = 0; i < 4; i++) model[i] = little_model(rt, (uint64_t)i + 1);
  return 0;
}
static int stop(void **state) {
  (void)state;
  for (int i = 0; i < 4; i++) lt_model_free(model[i]);
  lt_runtime_unref(rt);
  wipe(place);
  return 0;
}

static void test_versions(void **state) {
  (void)state;
  const char *path = at_place("versions");
  int64_t v, n;
  leat_version_info i;
  leat_model *m;
  leat_store *s = open_store(rt, path);
  OK(lt_folder_count(s, &n, &error_of));
  assert_int_equal(n, 0);
  assert_int_equal(generation_of(s), 0);
  FAILS(LEAT_E_NOT_FOUND, "none yet", lt_folder_load(s, 1, &m, &error_of));
  FAILS(LEAT_E_ARG, "origin", lt_folder_add(s, model[0], "", &v, &error_of));
  FAILS(LEAT_E_ARG, "control", lt_folder_add(s, model[0], "a\nb", &v, &error_of));
  for (int k = 0; k < 3; k++) {
    OK(lt_folder_add(s, model[k], k ? "train" : "by hand", &v, &error_of));
    assert_int_equal(v, k + 1);
    assert_int_equal(generation_of(s), k + 1);
  }
  OK(lt_folder_at(s, 1, &i, &error_of));
  assert_int_equal(i.version, 2);
  assert_string_equal(i.origin, "train");
  assert_true(isnan(i.loss) && i.bytes > 100 && i.rows_learned == 40 && i.created_ns > 0 && !i.flags && !i.stages[0]);
  assert_string_equal(i.checksum, model[1]->checksum);
  FAILS(LEAT_E_NOT_FOUND, "index 3", lt_folder_at(s, 3, &i, &error_of));
  FAILS(LEAT_E_NOT_FOUND, "index -1", lt_folder_at(s, -1, &i, &error_of));
  FAILS(LEAT_E_NOT_FOUND, "from 1 to 3", lt_folder_version(s, 4, &i, &error_of));
  OK(lt_folder_load(s, 2, &m, &error_of));
  assert_string_equal(m->checksum, model[1]->checksum);
  lt_model_free(m);
  OK(lt_folder_export(s, 3, at_place("out.leat"), &error_of));
  OK(lt_model_load(rt, at_place("out.leat"), &m, &error_of));
  assert_string_equal(m->checksum, model[2]->checksum);
  lt_model_free(m);
  FAILS(LEAT_E_IO, "nowhere", lt_folder_export(s, 3, at_place("nowhere/x.leat"), &error_of));
  OK(lt_folder_verify(s, &error_of));
  leat_store *again = open_store(rt, at_place("versions/"));
  same_state(s, again);
  lt_folder_free(again);
  lt_folder_ref(s);
  lt_folder_free(s);
  OK(lt_folder_count(s, &n, &error_of));
  lt_folder_free(s);
  lt_folder_free(NULL);
}

static void test_stages(void **state) {
  (void)state;
  int64_t v, g, g0;
  leat_version_info i;
  leat_store *s = open_store(rt, at_place("stages"));
  for (int k = 0; k < 3; k++) OK(lt_folder_add(s, model[k], "train", &v, &error_of));
  FAILS(LEAT_E_NOT_FOUND, "stage 'production'", lt_folder_stage(s, "production", &v, &error_of));
  OK(lt_folder_promote(s, 1, "production", -1, &g, &error_of));
  assert_int_equal(g, 4);
  assert_int_equal(stage_of(s, "previous"), 0);
  FAILS(LEAT_E_NOT_FOUND, "nothing to go back to", lt_folder_rollback(s, "production", -1, &g, &error_of));
  FAILS(LEAT_E_NOT_FOUND, "did you mean 'production'", lt_folder_rollback(s, "prodction", -1, &g, &error_of));
  FAILS(LEAT_E_STATE, "generation is 4, not 3", lt_folder_promote(s, 2, "production", 3, &g, &error_of));
  assert_int_equal(g, 0);
  OK(lt_folder_promote(s, 2, "production", 4, &g, &error_of));
  assert_int_equal(g, 5);
  OK(lt_folder_promote(s, 2, "production", -1, &g, &error_of)); /* there already: no change */
  assert_int_equal(g, 5);
  assert_int_equal(stage_of(s, "production"), 2);
  assert_int_equal(stage_of(s, "previous"), 1);
  OK(lt_folder_promote(s, 3, "production", -1, NULL, &error_of));
  OK(lt_folder_promote(s, 3, "canary.eu-1", -1, NULL, &error_of));
  OK(lt_folder_version(s, 3, &i, &error_of));
  assert_string_equal(i.stages, "production,canary.eu-1");
  OK(lt_folder_version(s, 2, &i, &error_of));
  assert_string_equal(i.stages, "previous");
  g0 = generation_of(s);
  FAILS(LEAT_E_STATE, "generation", lt_folder_rollback(s, "production", g0 - 1, &g, &error_of));
  OK(lt_folder_rollback(s, "production", g0, &g, &error_of));
  assert_int_equal(g, g0 + 1);
  assert_int_equal(stage_of(s, "production"), 2);
  assert_int_equal(stage_of(s, "previous"), 1);
  OK(lt_folder_rollback(s, "production", -1, &g, &error_of));
  assert_int_equal(stage_of(s, "production"), 1);
  assert_int_equal(stage_of(s, "previous"), 0);
  FAILS(LEAT_E_NOT_FOUND, "nothing to go back to", lt_folder_rollback(s, "production", -1, &g, &error_of));
  FAILS(LEAT_E_ARG, "follows 'production'", lt_folder_promote(s, 1, "previous", -1, &g, &error_of));
  FAILS(LEAT_E_ARG, "letters", lt_folder_promote(s, 1, "a b", -1, &g, &error_of));
  FAILS(LEAT_E_ARG, "letters", lt_folder_stage(s, "", &v, &error_of));
  FAILS(LEAT_E_NOT_FOUND, "version 9", lt_folder_promote(s, 9, "testing", -1, &g, &error_of));
  for (int k = 0; k < 70; k++) OK(lt_folder_promote(s, 1 + k % 3, "testing", -1, &g, &error_of));
  for (int k = 0; k < LT_STAGE_STEPS - 1; k++) OK(lt_folder_rollback(s, "testing", -1, &g, &error_of));
  FAILS(LEAT_E_NOT_FOUND, "nothing to go back to", lt_folder_rollback(s, "testing", -1, &g, &error_of));
  lt_folder_free(s);
}

static void test_pin_and_history(void **state) {
  (void)state;
  static const int kinds[] = {LEAT_EVENT_VERSION, LEAT_EVENT_STAGE, LEAT_EVENT_PIN, LEAT_EVENT_PIN, LEAT_EVENT_VERSION,
                              LEAT_EVENT_STAGE, LEAT_EVENT_STAGE_BACK};
  int64_t v, cursor = 0, n = 0;
  leat_version_info i;
  leat_event e;
  leat_store *s = open_store(rt, at_place("history"));
  FAILS(LEAT_E_NOT_FOUND, "no more", lt_folder_history(s, &cursor, &e, &error_of));
  OK(lt_folder_add(s, model[0], "train", &v, &error_of));
  OK(lt_folder_promote(s, 1, "testing", -1, NULL, &error_of));
  OK(lt_folder_pin(s, 1, 1, &error_of));
  OK(lt_folder_pin(s, 1, 1, &error_of)); /* no change, no event */
  OK(lt_folder_version(s, 1, &i, &error_of));
  assert_int_equal(i.flags, LEAT_VERSION_PINNED);
  OK(lt_folder_pin(s, 1, 0, &error_of));
  FAILS(LEAT_E_NOT_FOUND, "version 2", lt_folder_pin(s, 2, 1, &error_of));
  OK(lt_folder_add(s, model[1], "train", &v, &error_of));
  OK(lt_folder_promote(s, 2, "testing", -1, NULL, &error_of));
  OK(lt_folder_rollback(s, "testing", -1, NULL, &error_of));
  while (lt_folder_history(s, &cursor, &e, &error_of) == LEAT_OK) {
    assert_int_equal(e.kind, kinds[n]);
    assert_int_equal(e.generation, ++n);
    assert_int_equal(cursor, n);
    assert_true(e.time_ns > 0);
  }
  assert_int_equal(n, 7);
  assert_int_equal(e.version, 1);
  assert_true(e.value == 2); /* where it came from */
  assert_string_equal(e.name, "testing");
  cursor = 8;
  FAILS(LEAT_E_ARG, "cursor", lt_folder_history(s, &cursor, &e, &error_of));
  lt_folder_free(s);
}

static void test_two_handles(void **state) {
  (void)state;
  const char *path = at_place("two");
  int64_t v, cursor = 0;
  leat_event e;
  leat_store *a = open_store(rt, path), *b = open_store(rt, path), *r = open_with(rt, path, "read_only", 1);
  for (int k = 0; k < 6; k++) {
    OK(lt_folder_add(k % 2 ? a : b, model[k % 4], "train", &v, &error_of));
    assert_int_equal(v, k + 1);
    OK(lt_folder_promote(k % 2 ? b : a, v, "production", generation_of(r), NULL, &error_of));
    assert_int_equal(stage_of(r, "production"), v);
    assert_int_equal(generation_of(a), generation_of(b));
  }
  OK(lt_folder_gc(a, &v, &error_of)); /* compacted: the others have the old file open */
  assert_int_equal(stage_of(r, "production"), 6);
  OK(lt_folder_promote(b, 2, "production", generation_of(r), NULL, &error_of));
  assert_int_equal(stage_of(r, "production"), 2);
  assert_int_equal(stage_of(a, "previous"), 6);
  OK(lt_folder_gc(b, &v, &error_of));
  OK(lt_folder_gc(b, &v, &error_of));
  while (lt_folder_history(r, &cursor, &e, &error_of) == LEAT_OK) v = e.version;
  assert_int_equal(cursor, 13);
  assert_int_equal(v, 2);
  same_state(a, b);
  same_state(a, r);
  FAILS(LEAT_E_STATE, "read only", lt_folder_add(r, model[0], "train", &v, &error_of));
  FAILS(LEAT_E_STATE, "read only", lt_folder_promote(r, 1, "testing", -1, NULL, &error_of));
  FAILS(LEAT_E_STATE, "read only", lt_folder_rollback(r, "production", -1, NULL, &error_of));
  FAILS(LEAT_E_STATE, "read only", lt_folder_pin(r, 1, 1, &error_of));
  FAILS(LEAT_E_STATE, "read only", lt_folder_gc(r, NULL, &error_of));
  FAILS(LEAT_E_STATE, "read only", lt_folder_lock_learner(r, &error_of));
  OK(lt_folder_verify(r, &error_of));
  assert_true(lt_folder_read_only(r) && !lt_folder_read_only(a));
  lt_folder_free(a);
  lt_folder_free(b);
  lt_folder_free(r);
}

/* A snapshot of the made-up learner at hour `hour`. */
static int64_t snap(leat_store *s, int64_t ordinal, int64_t hour, const int64_t *protect, int64_t n) {
  int64_t v = 0;
  lt_snapshot at = {.ordinal = ordinal, .row = ordinal * 100, .time_ns = (hour * 3600 + 1) * 1000000000, .loss = .5,
                    .journal = (uint64_t)ordinal * 10};
  OK(lt_folder_snapshot(s, model[ordinal % 4], &at, protect, n, &v, &error_of));
  return v;
}

static void test_ring(void **state) {
  (void)state;
  int64_t n, protect[] = {7}, cursor = 0, removed = 0;
  leat_version_info i;
  leat_event e;
  leat_store *s = open_with(rt, at_place("ring"), "keep_recent", 3), *other = open_store(rt, at_place("ring"));
  OK(lt_folder_lock_learner(s, &error_of));
  FAILS(LEAT_E_BUSY, "one at a time", lt_folder_lock_learner(s, &error_of));
  FAILS(LEAT_E_BUSY, "one at a time", lt_folder_lock_learner(other, &error_of));
  for (int64_t k = 1; k <= 300; k++) { /* one an hour... two in each: only the last of an hour may stay */
    assert_int_equal(snap(s, k, 1000 + k / 2, protect, k >= 7 ? 1 : 0), k);
    if (k == 20) OK(lt_folder_pin(other, 20, 1, &error_of));
    if (k == 30) OK(lt_folder_promote(other, 30, "testing", -1, NULL, &error_of));
    if (k == 31) OK(lt_folder_promote(other, 31, "testing", -1, NULL, &error_of));
    if (k == 40) {
      leat_event c = {.struct_size = sizeof c, .kind = LEAT_EVENT_CERTIFIED, .version = 40, .row = 4000, .time_ns = 5};
      OK(lt_folder_event(s, 1, &c, &error_of));
    }
  }
  OK(lt_folder_version(s, 40, &i, &error_of));
  assert_int_equal(i.flags, LEAT_VERSION_SNAPSHOT | LEAT_VERSION_CERTIFIED);
  for (int64_t v = 1; v <= 300; v++) {
    OK(lt_folder_version(s, v, &i, &error_of));
    int64_t hour = 1000 + v / 2, day = hour / 24, newest = 1150;
    int keep = v > 297 || v == 7 || v == 20 || v == 30 || v == 31 || v == 40;
    keep |= (v % 2 || v == 300) && hour > newest - 24;                /* the last of its hour */
    keep |= (hour % 24 == 23 && v % 2 && day > newest / 24 - 7);      /* the last of its day */
    if (keep == !(i.flags & LEAT_VERSION_REMOVED)) {
      char name[40];
      lt_folder_package(v, name);
      char *file = lt_folder_file(s, name);
      assert_int_equal(is_there(file), keep);
      lt_free(rt, file);
    } else fail_msg("version %lld: kept %d", (long long)v, !keep);
    assert_int_equal(i.row, v * 100);
    assert_int_equal(i.parent, v - 1);
  }
  while (lt_folder_history(s, &cursor, &e, NULL) == LEAT_OK) removed += e.kind == LEAT_EVENT_REMOVED;
  OK(lt_folder_count(s, &n, &error_of));
  assert_int_equal(removed, 300 - n);
  leat_model *m;
  FAILS(LEAT_E_NOT_FOUND, "was removed", lt_folder_load(s, 1, &m, &error_of));
  FAILS(LEAT_E_NOT_FOUND, "was removed", lt_folder_promote(s, 1, "testing", -1, NULL, &error_of));
  OK(lt_folder_rollback(s, "testing", -1, NULL, &error_of));
  assert_int_equal(stage_of(s, "testing"), 30);
  OK(lt_folder_verify(s, &error_of));
  OK(lt_folder_gc(s, NULL, &error_of));
  same_state(s, other);
  lt_folder_unlock_learner(s);
  OK(lt_folder_lock_learner(other, &error_of));
  lt_folder_free(other);
  OK(lt_folder_lock_learner(s, &error_of)); /* freed with its handle */
  lt_folder_free(s);
}

static void test_ordinals(void **state) {
  (void)state;
  int64_t a, b, g;
  leat_event e = {.struct_size = sizeof e, .kind = LEAT_EVENT_ALARM, .row = 9, .value = 3, .threshold = 2, .time_ns = 77,
                  .name = "adwin", .text = "the loss rose"};
  leat_store *s = open_store(rt, at_place("ordinals"));
  assert_int_equal(snap(s, 1, 1, NULL, 0), 1);
  OK(lt_folder_event(s, 1, &e, &error_of));
  OK(lt_folder_add(s, model[0], "train", &a, &error_of));
  assert_int_equal(snap(s, 2, 1, NULL, 0), 3);
  OK(lt_folder_event(s, 2, &e, &error_of));
  OK(lt_folder_checkpoint(s, "c-1.leat", 10, 5, &error_of));
  char *before = state_text(s);
  g = generation_of(s);
  for (int round = 0; round < 2; round++) { /* a replay, by the same handle and after opening again */
    assert_int_equal(snap(s, 1, 1, NULL, 0), 1);
    OK(lt_folder_event(s, 1, &e, &error_of));
    assert_int_equal(snap(s, 2, 1, NULL, 0), 3);
    OK(lt_folder_event(s, 2, &e, &error_of));
    OK(lt_folder_checkpoint(s, "c-1.leat", 10, 5, &error_of));
    assert_int_equal(generation_of(s), g);
    char *after = state_text(s);
    assert_string_equal(before, after);
    free(after);
    if (round) OK(lt_folder_gc(s, NULL, &error_of));
    lt_folder_free(s);
    s = open_store(rt, at_place("ordinals"));
  }
  assert_int_equal(lt_folder_snapshot_version(s, 2), 3);
  assert_int_equal(lt_folder_snapshot_version(s, 3), 0);
  assert_int_equal(lt_folder_snapshot_version(s, 0), 0);
  lt_folder_ordinals(s, &a, &b);
  assert_true(a == 2 && b == 2);
  free(before);
  FAILS(LEAT_E_ARG, "from 1", lt_folder_event(s, 0, &e, &error_of));
  lt_folder_free(s);
}

static void test_checkpoints(void **state) {
  (void)state;
  lt_checkpoint c;
  leat_store *s = open_store(rt, at_place("checkpoints"));
  OK(lt_folder_lock_learner(s, &error_of));
  FAILS(LEAT_E_NOT_FOUND, "0 checkpoints", lt_folder_checkpoint_at(s, 0, &c, &error_of));
  for (int k = 1; k <= 3; k++) {
    char name[32], file[64];
    snprintf(name, sizeof name, "c-%d.leat", k);
    snprintf(file, sizeof file, "checkpoints/learner/%s", name);
    put_file(at_place(file), "x");
    OK(lt_folder_checkpoint(s, name, (uint64_t)k * 10, (uint64_t)k * 5, &error_of));
  }
  OK(lt_folder_checkpoint_at(s, 0, &c, &error_of));
  assert_string_equal(c.name, "c-3.leat");
  assert_true(c.journal == 30 && c.keep == 15);
  OK(lt_folder_checkpoint_at(s, 1, &c, &error_of));
  assert_string_equal(c.name, "c-2.leat");
  assert_false(is_there(at_place("checkpoints/learner/c-1.leat")));
  assert_true(is_there(at_place("checkpoints/learner/c-2.leat")));
  FAILS(LEAT_E_NOT_FOUND, "2 checkpoints", lt_folder_checkpoint_at(s, 2, &c, &error_of));
  FAILS(LEAT_E_ARG, "file's name", lt_folder_checkpoint(s, "a/b", 1, 1, &error_of));
  FAILS(LEAT_E_FORMAT, "c-3.leat", lt_folder_verify(s, &error_of));
  lt_folder_free(s);
}

/* ---- many at once */

/* A process that adds and promotes, by compare-and-swap, `n` times; what it has done goes to `done` as it goes. */
static void worker(const char *path, int id, int n, volatile int64_t *done) {
  leat_runtime *mine = new_runtime(1);
  leat_store *s = NULL;
  leat_error err = {.struct_size = sizeof err};
  char stage[32];
  snprintf(stage, sizeof stage, "stage-%d", id);
  if (!mine || lt_folder_open(mine, path, NULL, &s, &err)) _exit(2);
  for (int k = 0; k < n; k++) {
    int64_t v, g, made;
    if (lt_folder_add(s, model[(id + k) % 4], stage, &v, &err)) _exit(3);
    ++*done;
    for (;;) {
      if (lt_folder_generation(s, &g, &err)) _exit(4);
      leat_status st = lt_folder_promote(s, v, stage, g, &made, &err);
      if (st == LEAT_E_STATE) continue; /* somebody else was faster */
      if (st || made != g + 1) _exit(5);
      break;
    }
    ++*done;
  }
  lt_folder_free(s);
  lt_runtime_unref(mine);
  _exit(0);
}

static void test_processes(void **state) {
  (void)state;
  enum { N = 4, EACH = 12 };
  const char *path = at_place("processes");
  volatile int64_t *done = mmap(NULL, N * sizeof *done, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t child[N];
  int64_t count, cursor = 0, n = 0, mine[N + 1] = {0};
  leat_event e;
  for (int i = 0; i < N; i++)
    if ((child[i] = fork()) == 0) worker(path, i, EACH, &done[i]); /* one of them makes the store */
  for (int i = 0; i < N; i++) {
    int how;
    assert_int_equal(waitpid(child[i], &how, 0), child[i]);
    assert_int_equal(how, 0);
  }
  leat_store *s = open_store(rt, path);
  OK(lt_folder_count(s, &count, &error_of));
  assert_int_equal(count, N * EACH);
  assert_int_equal(generation_of(s), 2 * N * EACH);
  while (lt_folder_history(s, &cursor, &e, NULL) == LEAT_OK) {
    assert_int_equal(e.generation, ++n);
    if (e.kind == LEAT_EVENT_STAGE) {
      int64_t *before = &mine[atoi(e.name + 6)];
      assert_true((int64_t)e.value == *before); /* each stage's line is unbroken */
      *before = e.version;
    }
  }
  assert_int_equal(n, 2 * N * EACH);
  OK(lt_folder_verify(s, &error_of));
  lt_folder_free(s);
  munmap((void *)(uintptr_t)done, N * sizeof *done);
}

/* All of them make the store at the same moment. */
static void test_making(void **state) {
  (void)state;
  volatile int64_t *done = mmap(NULL, sizeof *done, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (int round = 0; round < 25; round++) {
    enum { N = 5 };
    const char *path = at_place("making");
    pid_t child[N];
    int64_t n;
    for (int i = 0; i < N; i++)
      if ((child[i] = fork()) == 0) worker(path, i, 1, done);
    for (int i = 0; i < N; i++) {
      int how;
      assert_int_equal(waitpid(child[i], &how, 0), child[i]);
      assert_int_equal(how, 0);
    }
    leat_store *s = open_store(rt, path);
    OK(lt_folder_count(s, &n, &error_of));
    assert_int_equal(n, N);
    lt_folder_free(s);
    wipe(path);
  }
  munmap((void *)(uintptr_t)done, sizeof *done);
}

/* Processes are killed at any moment, again and again; what they had done is there, and the rest is whole. */
static void test_killed(void **state) {
  (void)state;
  enum { N = 3 };
  const char *path = at_place("killed");
  uint64_t seed = 77;
  int rounds = getenv("LEAT_SOAK") ? 300 : 25;
  volatile int64_t *done = mmap(NULL, N * sizeof *done, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int64_t certain = 0;
  for (int round = 0; round < rounds; round++) {
    pid_t child[N];
    int64_t g, acknowledged = 0;
    for (int i = 0; i < N; i++) {
      done[i] = 0;
      if ((child[i] = fork()) == 0) worker(path, i, 100000, &done[i]);
    }
    for (int i = 0; i < N; i++) {
      seed = seed * 6364136223846793005u + 1442695040888963407u;
      lt_sleep_ns((int64_t)(seed >> 40) % 15000000 + 2000000);
      kill(child[i], SIGKILL);
      waitpid(child[i], NULL, 0);
    }
    for (int i = 0; i < N; i++) acknowledged += done[i];
    leat_store *s = open_store(rt, path);
    g = generation_of(s);
    assert_true(g >= certain + acknowledged && g <= certain + acknowledged + N);
    certain = g;
    if (round % 5 == 4) {
      OK(lt_folder_verify(s, &error_of));
      OK(lt_folder_gc(s, NULL, &error_of));
      assert_int_equal(generation_of(s), g);
    }
    lt_folder_free(s);
  }
  assert_true(certain > 0);
  munmap((void *)(uintptr_t)done, N * sizeof *done);
}

typedef struct crew { leat_store *s; int id; int64_t failed; } crew;
static void *crew_run(void *arg) {
  crew *c = arg;
  char stage[32];
  snprintf(stage, sizeof stage, "stage-%d", c->id);
  for (int k = 0; k < 8; k++) {
    int64_t v, w, cursor = 0;
    leat_version_info i;
    leat_event e;
    c->failed += lt_folder_add(c->s, model[c->id % 4], stage, &v, NULL) != LEAT_OK;
    c->failed += lt_folder_promote(c->s, v, stage, -1, NULL, NULL) != LEAT_OK;
    c->failed += lt_folder_stage(c->s, stage, &w, NULL) != LEAT_OK || w != v;
    c->failed += lt_folder_version(c->s, v, &i, NULL) != LEAT_OK || strcmp(i.stages, stage) != 0;
    c->failed += lt_folder_history(c->s, &cursor, &e, NULL) != LEAT_OK;
    if (k == 4) c->failed += lt_folder_gc(c->s, NULL, NULL) != LEAT_OK;
  }
  return NULL;
}
static void test_threads(void **state) {
  (void)state;
  leat_store *s[2] = {open_store(rt, at_place("threads")), open_store(rt, at_place("threads"))};
  lt_thread t[6];
  crew c[6];
  for (int i = 0; i < 6; i++) {
    c[i] = (crew){s[i % 2], i, 0};
    assert_int_equal(lt_thread_start(&t[i], crew_run, &c[i]), 0);
  }
  for (int i = 0; i < 6; i++) {
    lt_thread_join(&t[i]);
    assert_int_equal(c[i].failed, 0);
  }
  assert_int_equal(generation_of(s[0]), 6 * 8 * 2);
  same_state(s[0], s[1]);
  lt_folder_free(s[0]);
  lt_folder_free(s[1]);
}

/* ---- opening */

static void test_opening(void **state) {
  (void)state;
  leat_store *s = NULL;
  leat_params *p;
  int64_t v;
  OK(lt_params_create(rt, &lt_spec_store, &p, &error_of));
  OK(lt_params_set_i64(p, "create", 0, &error_of));
  FAILS(LEAT_E_NOT_FOUND, "there is no store", lt_folder_open(rt, at_place("none"), p, &s, &error_of));
  assert_null(s);
  assert_false(is_there(at_place("none")));
  OK(lt_params_set_i64(p, "create", 1, &error_of));
  OK(lt_params_set_i64(p, "read_only", 1, &error_of));
  FAILS(LEAT_E_NOT_FOUND, "there is no store", lt_folder_open(rt, at_place("none"), p, &s, &error_of));
  lt_params_free(p);
  OK(lt_params_create(rt, &lt_predictor_spec, &p, &error_of));
  FAILS(LEAT_E_ARG, "'predictor'", lt_folder_open(rt, at_place("none"), p, &s, &error_of));
  lt_params_free(p);
  FAILS(LEAT_E_ARG, "empty", lt_folder_open(rt, "", NULL, &s, &error_of));
  FAILS(LEAT_E_IO, "No such file", lt_folder_open(rt, at_place("none/deeper"), NULL, &s, &error_of));
  put_file(at_place("file"), "x");
  assert_int_not_equal(lt_folder_open(rt, at_place("file"), NULL, &s, &error_of), LEAT_OK);
  mkdir(at_place("half"), 0777); /* made by hand, or by one that was killed */
  mkdir(at_place("half/models"), 0777);
  put_file(at_place("half/MANIFEST.lock"), "");
  put_file(at_place("half/MANIFEST.tmp-1-1"), "half");
  lt_folder_free(open_store(rt, at_place("half")));
  lt_folder_free(open_store(rt, at_place("half")));
  wipe(at_place("half/tables")); /* a copy without its empty folders */
  wipe(at_place("half/models"));
  s = open_store(rt, at_place("half"));
  OK(lt_folder_add(s, model[0], "train", &v, &error_of));
  assert_true(is_there(at_place("half/tables")));
  leat_store *other = open_store(rt, at_place("half"));
  wipe(at_place("half")); /* removed, and made again: seen by who has it open */
  FAILS(LEAT_E_FORMAT, "has gone", lt_folder_count(other, &v, &error_of));
  lt_folder_free(s);
  s = open_store(rt, at_place("half"));
  OK(lt_folder_count(other, &v, &error_of));
  assert_int_equal(v, 0);
  OK(lt_folder_add(other, model[0], "train", &v, &error_of));
  same_state(s, other);
  lt_folder_free(other);
  lt_folder_free(s);
  unlink(at_place("half/MANIFEST"));
  FAILS(LEAT_E_FORMAT, "MANIFEST is missing, but models holds 'v-1.leat'", lt_folder_open(rt, at_place("half"), NULL, &s, &error_of));
  mkdir(at_place("home"), 0777);
  put_file(at_place("home/letter"), "dear");
  FAILS(LEAT_E_STATE, "'letter'", lt_folder_open(rt, at_place("home"), NULL, &s, &error_of));
  assert_false(is_there(at_place("home/models")));
  char here[1024];
  assert_non_null(getcwd(here, sizeof here));
  assert_int_equal(chdir(place), 0);
  s = open_store(rt, "relative");
  assert_string_equal(lt_folder_path(s), "relative");
  lt_folder_free(s);
  mkdir("dot", 0777);
  assert_int_equal(chdir("dot"), 0);
  lt_folder_free(open_store(rt, "."));
  assert_int_equal(chdir(here), 0);
}

/* What a store shows of files that are not what they should be. */
static void test_verify(void **state) {
  (void)state;
  int64_t v, bytes;
  leat_store *s = open_store(rt, at_place("verify"));
  lt_reclog *l;
  OK(lt_folder_add(s, model[0], "train", &v, &error_of));
  OK(lt_folder_checkpoint(s, "c-1.leat", 5, 3, &error_of));
  FAILS(LEAT_E_FORMAT, "c-1.leat is missing", lt_folder_verify(s, &error_of));
  OK(lt_model_save(model[0], at_place("verify/learner/c-1.leat"), &error_of)); /* any sealed file */
  for (int k = 1; k <= 5; k += 2) {
    char name[64];
    snprintf(name, sizeof name, "verify/journal/j-%016x.log", (unsigned)k);
    OK(lt_reclog_create(rt, at_place(name), "JRNL", 1, (uint64_t)k, &l, &error_of));
    OK(lt_reclog_append(l, 1, "abc", 3, NULL, &error_of));
    OK(lt_reclog_append(l, 1, "def", 3, NULL, &error_of));
    OK(lt_reclog_close(l, &error_of));
  }
  put_file(at_place("verify/journal/j-5.log.tmp-1-2"), "half");
  put_file(at_place("verify/learner/c-0.leat"), "old");
  put_file(at_place("verify/models/notes.txt"), "not of the store");
  OK(lt_folder_verify(s, &error_of));
  assert_int_equal(truncate(at_place("verify/journal/j-0000000000000005.log"), 100), 0); /* torn: the last one may be */
  OK(lt_folder_verify(s, &error_of));
  OK(lt_folder_lock_learner(s, &error_of));
  OK(lt_folder_gc(s, &bytes, &error_of)); /* a learner is at work: its files stay */
  assert_true(is_there(at_place("verify/learner/c-0.leat")));
  lt_folder_unlock_learner(s);
  OK(lt_folder_gc(s, &bytes, &error_of));
  assert_true(bytes >= 4 + 3 + 112);
  assert_false(is_there(at_place("verify/journal/j-0000000000000001.log"))); /* all before 3 */
  assert_true(is_there(at_place("verify/journal/j-0000000000000003.log")));
  assert_false(is_there(at_place("verify/learner/c-0.leat")));
  assert_true(is_there(at_place("verify/learner/c-1.leat")));
  assert_true(is_there(at_place("verify/models/notes.txt"))); /* not the store's to remove */
  assert_int_equal(truncate(at_place("verify/journal/j-0000000000000003.log"), 100), 0);
  FAILS(LEAT_E_FORMAT, "j-0000000000000003.log", lt_folder_verify(s, &error_of));
  OK(lt_folder_gc(s, &bytes, &error_of));
  unlink(at_place("verify/journal/j-0000000000000003.log"));
  assert_int_equal(truncate(at_place("verify/models/v-1.leat"), 300), 0);
  FAILS(LEAT_E_FORMAT, "v-1.leat", lt_folder_verify(s, &error_of));
  FAILS(LEAT_E_FORMAT, "v-1.leat", lt_folder_promote(s, 1, "testing", -1, NULL, &error_of));
  assert_int_equal(stage_of(s, "testing"), 0);
  OK(lt_model_save(model[1], at_place("verify/models/v-1.leat"), &error_of));
  FAILS(LEAT_E_FORMAT, "is not the package of version 1", lt_folder_verify(s, &error_of));
  unlink(at_place("verify/models/v-1.leat"));
  FAILS(LEAT_E_FORMAT, "v-1.leat is missing", lt_folder_verify(s, &error_of));
  lt_folder_free(s);
}

/* ---- the golden file: read for ever */

static void write_golden(const char *path) {
  int64_t v;
  leat_event e = {.struct_size = sizeof e, .kind = LEAT_EVENT_CERTIFIED, .version = 2, .row = 9, .value = 3.5, .threshold = 2,
                  .time_ns = 77, .name = "adwin", .text = "so it was"};
  leat_store *s = open_with(rt, at_place("write"), "keep_recent", 1);
  OK(lt_folder_add(s, model[0], "train", &v, &error_of));
  snap(s, 1, 1, NULL, 0);
  OK(lt_folder_event(s, 1, &e, &error_of));
  OK(lt_folder_checkpoint(s, "c-1.leat", 10, 5, &error_of));
  OK(lt_folder_promote(s, 1, "production", -1, NULL, &error_of));
  OK(lt_folder_gc(s, NULL, &error_of)); /* a base and events, then records of every kind */
  OK(lt_folder_promote(s, 2, "production", -1, NULL, &error_of));
  OK(lt_folder_pin(s, 1, 1, &error_of));
  snap(s, 2, 1, NULL, 0);
  snap(s, 3, 1, NULL, 0);
  e.kind = LEAT_EVENT_ROLLBACK;
  OK(lt_folder_event(s, 4, &e, &error_of));
  OK(lt_folder_rollback(s, "production", -1, NULL, &error_of));
  OK(lt_folder_checkpoint(s, "c-2.leat", 20, 15, &error_of));
  char *text = state_text(s), command[1200];
  snprintf(command, sizeof command, "%s.txt", path);
  put_file(command, text);
  free(text);
  snprintf(command, sizeof command, "cp '%s' '%s.bin'", at_place("write/MANIFEST"), path);
  assert_int_equal(system(command), 0);
  lt_folder_free(s);
}

static void test_golden(void **state) {
  (void)state;
  void *bytes, *text;
  uint64_t size, text_size;
  mkdir(at_place("golden"), 0777);
  OK(lt_file_load(rt, "tests/golden/manifest-v1.bin", 1 << 20, &bytes, &size, &error_of));
  OK(lt_file_load(rt, "tests/golden/manifest-v1.txt", 1 << 20, &text, &text_size, &error_of));
  OK(lt_file_replace(rt, at_place("golden/MANIFEST"), bytes, size, &error_of));
  leat_store *s = open_store(rt, at_place("golden"));
  char *now = state_text(s);
  assert_int_equal(strlen(now), text_size);
  assert_memory_equal(now, text, text_size);
  free(now);
  OK(lt_folder_pin(s, 1, 0, &error_of)); /* and it can be gone on with */
  OK(lt_folder_gc(s, NULL, &error_of));
  lt_folder_free(s);
  lt_free(rt, bytes);
  lt_free(rt, text);
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "--write-golden") == 0) { /* PATH without .bin */
    if (start(NULL)) return 1;
    write_golden(argv[2]);
    return stop(NULL);
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_versions),   cmocka_unit_test(test_stages), cmocka_unit_test(test_pin_and_history),
      cmocka_unit_test(test_two_handles), cmocka_unit_test(test_ring),  cmocka_unit_test(test_ordinals),
      cmocka_unit_test(test_checkpoints), cmocka_unit_test(test_processes), cmocka_unit_test(test_making), cmocka_unit_test(test_killed),
      cmocka_unit_test(test_threads),    cmocka_unit_test(test_opening), cmocka_unit_test(test_verify),
      cmocka_unit_test(test_golden)};
  return cmocka_run_group_tests(tests, start, stop);
}
