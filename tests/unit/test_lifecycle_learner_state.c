#define _DEFAULT_SOURCE /* mkdtemp */
/* The learner's checkpoints: the golden one is read for ever, damaged ones are refused. With --write-golden PATH it writes
 * the golden file instead. And: four threads predict with what a learner publishes. */
#include "learner_help.h"
#include <pthread.h>

static const lr_stream three = {3, 0, 0, 6}, plain = {2, 0, 0, 5};
static const char *const golden_settings = "guard_window=128 chunk=4 label_delay=30 ranges=x1=-2.5:2.5 snapshot_rows=300 stop_share=1 "
                                           "monitor_reference=500 monitor_window=500"; /* version 1: without monitors */

/* Rows, keyed rows that wait, a queue, held rows. */
static void golden_life(lr_life *x, leat_runtime *rt, const char *path) {
  leat_schema *s = lr_schema(rt, &three, 0), *keyed = lr_schema(rt, &three, 1);
  double p[30];
  leat_matrix pm = {.struct_size = sizeof pm, .data = p, .rows = 10, .cols = 3, .dtype = LEAT_F64};
  lr_create(x, rt, path, "hash_bits=8", golden_settings, s, NULL);
  lr_feed(x, &three, s, 903, 50);
  leat_batch *b = lr_batch(rt, &three, keyed, 2000, 10, 1, LR_NO_LABEL);
  LR_OK(leat_learner_predict(x->l, b, &pm, &lr_e));
  leat_batch_free(b);
  leat_schema_free(s);
  leat_schema_free(keyed);
}

static void write_golden(const char *to) {
  leat_runtime *rt = tr_runtime(1);
  char path[256], file[600];
  lt_checkpoint c;
  lr_life x;
  lr_folder(path);
  golden_life(&x, rt, path);
  LR_OK(lt_ln_checkpoint(x.l, &lr_e));
  LR_OK(lt_folder_checkpoint_at(x.s, 0, &c, &lr_e));
  snprintf(file, sizeof file, "%s/learner/%s", path, c.name);
  lr_shell("cp", file, to);
  lr_close(&x);
  leat_runtime_free(rt);
  lr_remove(path);
}

/* A learner without state, into which a checkpoint's bytes can be read. */
static leat_status load_bytes(lr_life *x, leat_runtime *rt, const char *path, const void *bytes, uint64_t size) {
  char file[600];
  lr_create(x, rt, path, NULL, "", NULL, NULL);
  snprintf(file, sizeof file, "%s/learner/c-test.leat", path);
  LR_OK(lt_file_replace(rt, file, bytes, size, &lr_e));
  lt_ln_parts_free(x->l);
  LR_OK(lt_dict_create(rt, &x->l->sources, &lr_e));
  return lt_ln_checkpoint_load(x->l, "c-test.leat", &lr_e);
}

static void golden_read(const char *file, int watched) {
  leat_runtime *rt = tr_runtime(1);
  char path[256];
  void *bytes = NULL;
  uint64_t size = 0;
  lr_life x;
  lt_waiting w;
  lr_folder(path);
  LR_OK(lt_file_load(rt, file, 1 << 22, &bytes, &size, &lr_e));
  LR_OK(load_bytes(&x, rt, path, bytes, size));
  leat_learner *l = x.l;
  int64_t at = 0;
  LR_OK(leat_learner_position(l, "stream", &at, &lr_e));
  assert_int_equal(at, 903);
  assert_int_equal(l->seen, 903);
  assert_int_equal(l->chunk, 4);
  assert_int_equal(l->delay, 30);
  assert_int_equal(l->o->learned + l->queued + l->held, 903);
  assert_true(l->queued >= 30 && l->queued < 34);
  assert_int_equal(l->mode, LEAT_LEARNING);
  assert_int_equal(l->o->m->n_classes, 3);
  assert_int_equal(lt_pending_count(l->pending), 10);
  assert_true(lt_pending_find(l->pending, "k2003", 5, &w));
  assert_int_equal(w.n_served, 3);
  double loss = lt_progressive_loss(l->o->progress, LT_PROGRESS_ALL);
  if (!(loss > 0.3 && loss < 0.6)) fail_msg("loss %g", loss);
  lt_put w2;
  lt_put_init(&w2, rt);
  lt_ln_watch_save(l, &w2);
  if ((w2.size > 2000) != watched) fail_msg("%llu bytes of monitors", (unsigned long long)w2.size);
  lt_put_free(&w2);
  lt_free(rt, bytes);
  lr_kill(&x);
  leat_runtime_free(rt);
  lr_remove(path);
}

static void golden(void **state) {
  (void)state;
  golden_read("tests/golden/learner-v1.leat", 0);
  golden_read("tests/golden/learner-v2.leat", 1);
}

/* A byte that is not what it was, anywhere: FORMAT. In sections whose checksums were made again: an error or nothing, no
 * crash. */
static void damage_of(const char *file, uint32_t version) {
  leat_runtime *rt = tr_runtime(1);
  char path[256];
  uint8_t *bytes = NULL;
  uint64_t size = 0;
  lr_life x;
  lt_rng r;
  lr_folder(path);
  lt_rng_init(&r, 17, 1);
  LR_OK(lt_file_load(rt, file, 1 << 22, (void **)&bytes, &size, &lr_e));
  for (int k = 0; k < 40; k++) {
    uint64_t i = lt_rng_below(&r, size);
    uint8_t bit = (uint8_t)(1u << lt_rng_below(&r, 8));
    bytes[i] ^= bit;
    leat_status st = load_bytes(&x, rt, path, bytes, size);
    if (st != LEAT_E_FORMAT && st != LEAT_E_VERSION) fail_msg("byte %llu: status %d", (unsigned long long)i, st);
    lr_kill(&x);
    lr_remove(path);
    bytes[i] ^= bit;
  }
  for (int k = 0; k < 150; k++) {
    lt_sealed *f = NULL;
    lt_seal *seal = NULL;
    LR_OK(lt_sealed_open_bytes(rt, bytes, size, "golden", "LRNR", version, 0, &f, &lr_e));
    LR_OK(lt_seal_create(rt, "LRNR", version, version, &seal, &lr_e));
    int64_t hit = (int64_t)lt_rng_below(&r, (uint64_t)lt_sealed_count(f));
    for (int64_t i = 0; i < lt_sealed_count(f); i++) {
      const char *name;
      const void *data;
      uint64_t stored, raw, n;
      int32_t codec;
      LR_OK(lt_sealed_info(f, i, &name, &stored, &raw, &codec, &lr_e));
      LR_OK(lt_sealed_section(f, name, &data, &n, &lr_e));
      uint8_t *copy = malloc(n + 8);
      memcpy(copy, data, n);
      if (i == hit && n > 0) {
        uint64_t at = lt_rng_below(&r, n);
        if (k % 3 == 0) n = at;
        else for (uint64_t j = at; j < at + (k % 3 == 1 ? 1u : 8u) && j < n; j++) copy[j] = (uint8_t)lt_rng_below(&r, 256);
      }
      LR_OK(lt_seal_add(seal, name, LT_SEAL_ZSTD, copy, n, &lr_e));
      free(copy);
    }
    const void *whole;
    uint64_t total;
    LR_OK(lt_seal_bytes(seal, &whole, &total, &lr_e));
    leat_status st = load_bytes(&x, rt, path, whole, total);
    if (st != LEAT_OK && st != LEAT_E_FORMAT && st != LEAT_E_MEMORY && st != LEAT_E_VERSION && st != LEAT_E_ARG && st != LEAT_E_RANGE && st != LEAT_E_DATA &&
        st != LEAT_E_NOT_FOUND)
      fail_msg("status %d: %s", st, lr_e.message);
    lr_kill(&x);
    lr_remove(path);
    lt_seal_free(seal);
    lt_sealed_free(f);
  }
  lt_free(rt, bytes);
  leat_runtime_free(rt);
}
static void damage(void **state) {
  (void)state;
  damage_of("tests/golden/learner-v1.leat", 1);
  damage_of("tests/golden/learner-v2.leat", 2);
}

/* ---- predictor threads beside the learner's own */

typedef struct reader { const leat_learner *l; int stop; int64_t models, rows; int bad; } reader;
static void *read_on(void *arg) {
  reader *t = arg;
  double out[1], x[4] = {0.25, -1, 0.5, 1};
  const leat_model *last = NULL;
  while (!__atomic_load_n(&t->stop, __ATOMIC_ACQUIRE)) {
    leat_model *m = NULL;
    leat_predictor *q = NULL;
    if (leat_learner_model(t->l, &m, NULL)) continue; /* none yet */
    t->models += m != last;
    last = m;
    t->bad |= leat_predictor_create(m, NULL, NULL, &q, NULL) != LEAT_OK;
    for (int i = 0; i < 20 && !t->bad; i++, t->rows++)
      t->bad |= leat_predictor_one_f64(q, x, 4, out, 1, NULL) != LEAT_OK || !(out[0] > 0 && out[0] < 1);
    leat_predictor_free(q);
    leat_model_free(m);
  }
  return NULL;
}

static void published_to_threads(void **state) {
  leat_runtime *rt = tr_runtime(1);
  leat_schema *s = lr_schema(rt, &plain, 0);
  char path[256];
  lr_life x;
  pthread_t id[4];
  reader t[4];
  (void)state;
  lr_folder(path);
  lr_create(&x, rt, path, "hash_bits=8", "snapshot_rows=100 guard_window=256", s, NULL);
  memset(t, 0, sizeof t);
  for (int i = 0; i < 4; i++) {
    t[i].l = x.l;
    if (pthread_create(&id[i], NULL, read_on, &t[i])) fail();
  }
  lr_feed(&x, &plain, s, 9000, 50);
  for (int i = 0; i < 4; i++) {
    __atomic_store_n(&t[i].stop, 1, __ATOMIC_RELEASE);
    pthread_join(id[i], NULL);
    assert_int_equal(t[i].bad, 0);
    assert_true(t[i].rows > 0);
  }
  lr_close(&x);
  leat_schema_free(s);
  leat_runtime_free(rt);
  lr_remove(path);
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "--write-golden") == 0) {
    write_golden(argv[2]);
    return 0;
  }
  const struct CMUnitTest tests[] = {cmocka_unit_test(golden), cmocka_unit_test(damage), cmocka_unit_test(published_to_threads)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
