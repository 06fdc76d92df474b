/* Pending labels against a model that is a plain array. With --write-golden PATH it writes the golden file instead. */
#include "base/rng.h"
#include "data_kit.h"
#include "hosts.h"
#include "lifecycle/pending.h"

enum { PT_MOST = 3000, PT_EXTRA = 192 };
typedef struct pt_item { char key[24]; uint64_t key_size; int64_t time; uint32_t schema; int n_served; double served[3]; char row[64]; uint64_t row_size; } pt_item;
typedef struct pt_model { pt_item item[PT_MOST]; int64_t n, max_records, max_bytes; } pt_model;

static int64_t pt_cost(const pt_item *x) { return (int64_t)(x->key_size + x->row_size) + 8 * x->n_served + PT_EXTRA; }
static int64_t pt_bytes(const pt_model *m) {
  int64_t n = 0;
  for (int64_t i = 0; i < m->n; i++) n += pt_cost(&m->item[i]);
  return n;
}
static int64_t pt_find(const pt_model *m, const char *key, uint64_t size) {
  for (int64_t i = 0; i < m->n; i++)
    if (m->item[i].key_size == size && memcmp(m->item[i].key, key, size) == 0) return i;
  return -1;
}
static void pt_remove(pt_model *m, int64_t i) {
  memmove(&m->item[i], &m->item[i + 1], (size_t)(m->n - i - 1) * sizeof m->item[0]);
  m->n--;
}
static int64_t pt_add(pt_model *m, const pt_item *x, int32_t *replaced) {
  int64_t at = pt_find(m, x->key, x->key_size), dropped = 0;
  *replaced = at >= 0;
  if (at >= 0) pt_remove(m, at);
  if (pt_cost(x) > m->max_bytes) return 1;
  while (m->n && (m->n >= m->max_records || pt_bytes(m) + pt_cost(x) > m->max_bytes)) {
    pt_remove(m, 0);
    dropped++;
  }
  m->item[m->n++] = *x;
  return dropped;
}
static int64_t pt_oldest(const pt_model *m) {
  int64_t t = INT64_MAX;
  for (int64_t i = 0; i < m->n; i++) t = m->item[i].time < t ? m->item[i].time : t;
  return t;
}

static pt_item pt_make(lt_rng *r, int64_t time, int keys) {
  pt_item x = {.time = time, .schema = lt_rng_u32(r), .n_served = (int)lt_rng_below(r, 4), .row_size = lt_rng_below(r, 60)};
  x.key_size = (uint64_t)snprintf(x.key, sizeof x.key, "k%d", (int)lt_rng_below(r, (uint64_t)keys));
  if (lt_rng_below(r, 50) == 0) x.key_size = 0; /* the empty key is a key */
  if (lt_rng_below(r, 50) == 0) x.key[1] = 0;
  for (int i = 0; i < 3; i++) x.served[i] = lt_rng_normal(r);
  for (size_t i = 0; i < sizeof x.row; i++) x.row[i] = (char)lt_rng_u32(r);
  return x;
}
static lt_waiting pt_waiting(const pt_item *x) {
  return (lt_waiting){x->key, x->key_size, x->time, x->schema, x->row, x->row_size, x->served, x->n_served};
}
static void pt_equal(const lt_waiting *w, const pt_item *x) {
  assert_int_equal(w->key_size, x->key_size);
  assert_memory_equal(w->key, x->key, x->key_size);
  assert_int_equal(w->time_ns, x->time);
  assert_int_equal(w->schema, x->schema);
  assert_int_equal(w->row_size, x->row_size);
  assert_memory_equal(w->row, x->row, x->row_size);
  assert_int_equal(w->n_served, x->n_served);
  assert_memory_equal(w->served, x->served, 8 * (size_t)x->n_served);
}
static void pt_same(const lt_pending *p, const pt_model *m) {
  uint32_t cursor = 0;
  lt_waiting w;
  assert_int_equal(lt_pending_count(p), m->n);
  assert_int_equal(lt_pending_bytes(p), pt_bytes(m));
  assert_int_equal(lt_pending_oldest(p), pt_oldest(m));
  for (int64_t i = 0; i < m->n; i++) {
    assert_int_equal(lt_pending_next(p, &cursor, &w), 1);
    pt_equal(&w, &m->item[i]);
  }
  assert_int_equal(lt_pending_next(p, &cursor, &w), 0);
}
static lt_put pt_save(leat_runtime *rt, const lt_pending *p) {
  lt_put w;
  lt_put_init(&w, rt);
  lt_pending_save(p, &w);
  assert_false(w.failed);
  return w;
}

static leat_error pt_e;
#define PT_OK(call) do { pt_e = (leat_error){.struct_size = sizeof pt_e}; if (call) fail_msg("%s:%d: %s", __FILE__, __LINE__, pt_e.message); } while (0)

static void against_model(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  static pt_model m;
  for (uint64_t seed = 1; seed <= 12; seed++) {
    lt_rng r;
    lt_rng_init(&r, seed, 1);
    int keys = seed % 3 == 0 ? 20 : seed % 3 == 1 ? 300 : 100000;
    m.n = 0;
    m.max_records = seed % 2 ? 1000000 : 150;
    m.max_bytes = seed % 4 < 2 ? 1 << 28 : 20000;
    lt_pending *p = NULL;
    PT_OK(lt_pending_create(rt, m.max_records, m.max_bytes, &p, &pt_e));
    int64_t now = 1000;
    for (int step = 0; step < 4000; step++) {
      uint64_t what = lt_rng_below(&r, 100);
      if (m.n >= PT_MOST - 1) what = 99;
      now += (int64_t)lt_rng_below(&r, 10);
      if (lt_rng_below(&r, 200) == 0) now -= (int64_t)lt_rng_below(&r, seed % 5 ? 1 : 500); /* a clock that is set back */
      if (what < 60) {
        pt_item x = pt_make(&r, now, keys);
        lt_waiting w = pt_waiting(&x);
        int32_t a = -1, b;
        int64_t dropped = -1;
        PT_OK(lt_pending_add(p, &w, &a, &dropped, &pt_e));
        int64_t k = pt_add(&m, &x, &b);
        assert_int_equal(a, b);
        assert_int_equal(dropped, k);
      } else if (what < 85) { /* one that is there, or not */
        pt_item x = pt_make(&r, now, keys);
        if (m.n && what < 75) x = m.item[lt_rng_below(&r, (uint64_t)m.n)];
        int64_t at = pt_find(&m, x.key, x.key_size);
        lt_waiting w;
        assert_int_equal(lt_pending_find(p, x.key, x.key_size, &w), at >= 0);
        if (at >= 0) pt_equal(&w, &m.item[at]);
        assert_int_equal(lt_pending_remove(p, x.key, x.key_size), at >= 0);
        if (at >= 0) pt_remove(&m, at);
      } else if (what < 88 || what == 99) {
        int64_t before = now - (int64_t)lt_rng_below(&r, 1500), n = m.n;
        for (int64_t i = m.n - 1; i >= 0; i--)
          if (m.item[i].time < before) pt_remove(&m, i);
        assert_int_equal(lt_pending_expire(p, before), n - m.n);
      } else if (what == 88) { /* saved, restored: goes on as before */
        lt_put a = pt_save(rt, p), b;
        lt_pending *again = NULL;
        lt_get g;
        PT_OK(lt_pending_create(rt, m.max_records, m.max_bytes, &again, &pt_e));
        lt_get_init(&g, rt, a.data, a.size);
        PT_OK(lt_pending_restore(again, &g, &pt_e));
        assert_int_equal(lt_get_left(&g), 0);
        b = pt_save(rt, again);
        assert_int_equal(a.size, b.size);
        assert_memory_equal(a.data, b.data, a.size);
        lt_put_free(&a);
        lt_put_free(&b);
        lt_pending_free(p);
        p = again;
      }
      if (step % 50 == 0) pt_same(p, &m);
    }
    pt_same(p, &m);
    while (m.n) pt_remove(&m, 0);
    lt_pending_expire(p, INT64_MAX);
    pt_same(p, &m);
    lt_pending_free(p);
  }
  kit_balanced(rt);
}

static void limits(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  lt_pending *p = NULL;
  leat_error e = {.struct_size = sizeof e};
  assert_int_equal(lt_pending_create(rt, 0, 1, &p, &e), LEAT_E_RANGE);
  assert_int_equal(lt_pending_create(rt, 1, 0, &p, &e), LEAT_E_RANGE);
  PT_OK(lt_pending_create(rt, 1000, 2000, &p, &pt_e));
  char big[4000] = {0};
  int32_t replaced;
  int64_t dropped;
  lt_waiting w = {.key = "a", .key_size = 1, .row = big, .row_size = 10};
  PT_OK(lt_pending_add(p, &w, &replaced, &dropped, &pt_e));
  w.key = "b";
  PT_OK(lt_pending_add(p, &w, &replaced, &dropped, &pt_e));
  w.key = "a"; /* larger than everything that may wait: it is dropped itself, and the old one was not its prediction */
  w.row_size = sizeof big;
  PT_OK(lt_pending_add(p, &w, &replaced, &dropped, &pt_e));
  assert_int_equal(replaced, 1);
  assert_int_equal(dropped, 1);
  assert_int_equal(lt_pending_count(p), 1);
  assert_int_equal(lt_pending_find(p, "b", 1, &w), 1);
  w.n_served = -1;
  assert_int_equal(lt_pending_add(p, &w, &replaced, &dropped, &e), LEAT_E_RANGE);
  lt_pending_free(p);
  kit_balanced(rt);
}

/* Every allocation fails once: nothing has changed then. */
static void no_memory(void **state) {
  (void)state;
  host_memory mem = {0};
  leat_allocator a = host_allocator(&mem, 1);
  leat_runtime_opts o = {.struct_size = sizeof o, .n_threads = 1, .allocator = &a};
  leat_runtime *rt = NULL;
  leat_error e = {.struct_size = sizeof e};
  if (leat_runtime_create(&o, &rt, &e)) fail_msg("%s", e.message);
  lt_pending *p = NULL;
  for (int64_t k = 1; !p; k++) {
    mem.fail_at = mem.calls + k;
    leat_status st = lt_pending_create(rt, 100, 100000, &p, &e);
    assert_true(st == 0 || st == LEAT_E_MEMORY);
  }
  static pt_model m;
  lt_rng r;
  lt_rng_init(&r, 3, 1);
  m.n = 0;
  m.max_records = 100;
  m.max_bytes = 100000;
  int failures = 0;
  for (int i = 0; i < 500; i++) {
    pt_item x = pt_make(&r, i, 150);
    lt_waiting w = pt_waiting(&x);
    int32_t replaced;
    int64_t dropped;
    leat_status st = 1;
    for (int64_t k = 1; st; k++) {
      mem.fail_at = mem.calls + k;
      st = lt_pending_add(p, &w, &replaced, &dropped, &e);
      mem.fail_at = 0;
      if (!st) break;
      assert_int_equal(st, LEAT_E_MEMORY);
      failures++;
      pt_same(p, &m);
    }
    pt_add(&m, &x, &replaced);
    pt_same(p, &m);
  }
  assert_true(failures > 100);
  lt_pending_free(p);
  leat_runtime_free(rt);
  assert_int_equal(mem.blocks, 0);
  assert_int_equal(mem.wrong, 0);
}

static void damage(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  lt_pending *p = NULL;
  lt_rng r;
  lt_rng_init(&r, 5, 1);
  PT_OK(lt_pending_create(rt, 100, 1 << 20, &p, &pt_e));
  for (int i = 0; i < 40; i++) {
    pt_item x = pt_make(&r, i, 1000);
    lt_waiting w = pt_waiting(&x);
    int32_t replaced;
    int64_t dropped;
    PT_OK(lt_pending_add(p, &w, &replaced, &dropped, &pt_e));
  }
  lt_put w = pt_save(rt, p);
  for (int i = 0; i < 4000; i++) {
    uint64_t size = i & 1 ? lt_rng_below(&r, w.size) : w.size;
    uint8_t *bytes = malloc(size + 1);
    memcpy(bytes, w.data, size);
    if (!(i & 1))
      for (int k = 0; k <= i % 4; k++) bytes[lt_rng_below(&r, size)] = i & 2 ? 255 : (uint8_t)lt_rng_u32(&r);
    lt_pending *q = NULL;
    lt_get g;
    leat_error e = {.struct_size = sizeof e};
    PT_OK(lt_pending_create(rt, 100, 1 << 20, &q, &pt_e));
    lt_get_init(&g, rt, bytes, size);
    leat_status st = lt_pending_restore(q, &g, &e);
    if (i & 1) assert_int_equal(st, LEAT_E_FORMAT);
    if (!st) lt_pending_expire(q, 20);
    lt_pending_free(q);
    free(bytes);
  }
  lt_put_free(&w);
  lt_pending_free(p);
  kit_balanced(rt);
}

/* The bytes of version 1 are read for ever. */
static lt_pending *golden_pending(leat_runtime *rt) {
  lt_pending *p = NULL;
  PT_OK(lt_pending_create(rt, 100, 1 << 20, &p, &pt_e));
  for (int i = 0; i < 10; i++) {
    pt_item x = {.key_size = 3, .time = 1000 - i % 3, .schema = (uint32_t)i, .n_served = i % 4, .row_size = (uint64_t)i * 5};
    memcpy(x.key, "k0", 3);
    x.key[1] = (char)('0' + i % 8);
    for (int k = 0; k < 3; k++) x.served[k] = 0.25 * k - i;
    for (size_t k = 0; k < sizeof x.row; k++) x.row[k] = (char)(k + (size_t)i);
    lt_waiting w = pt_waiting(&x);
    int32_t replaced;
    int64_t dropped;
    PT_OK(lt_pending_add(p, &w, &replaced, &dropped, &pt_e));
  }
  return p;
}

static void golden(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  lt_pending *p = golden_pending(rt), *old = NULL;
  void *data = NULL;
  uint64_t size = 0;
  lt_get r;
  PT_OK(lt_pending_create(rt, 100, 1 << 20, &old, &pt_e));
  PT_OK(lt_file_load(rt, "tests/golden/pending-v1.bin", 1 << 20, &data, &size, &pt_e));
  lt_get_init(&r, rt, data, size);
  PT_OK(lt_pending_restore(old, &r, &pt_e));
  lt_put a = pt_save(rt, p), b = pt_save(rt, old);
  assert_int_equal(a.size, size);
  assert_memory_equal(a.data, data, size);
  assert_memory_equal(b.data, data, size);
  lt_put_free(&a);
  lt_put_free(&b);
  lt_free(rt, data);
  lt_pending_free(p);
  lt_pending_free(old);
  kit_balanced(rt);
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "--write-golden") == 0) {
    leat_runtime *rt = kit_runtime(1);
    lt_put w = pt_save(rt, golden_pending(rt));
    return lt_file_replace(rt, argv[2], w.data, w.size, NULL) != LEAT_OK;
  }
  const struct CMUnitTest tests[] = {cmocka_unit_test(against_model), cmocka_unit_test(limits), cmocka_unit_test(no_memory),
                                     cmocka_unit_test(damage), cmocka_unit_test(golden)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
