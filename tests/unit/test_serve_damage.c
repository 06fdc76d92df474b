/* Damage: every byte of small tables changed and every cut, many changes of larger ones, and files whose checksums were
 * made right again behind the change. An error or the right answer; with right checksums anything but a crash. */
#include "serve_help.h"
#include "base/hash.h"
#include "serve/table.h"

enum { N_SMALL = 61, N_LARGE = 9000 };
typedef struct sample { const char *name; const char *pairs[7]; int kind; uint64_t n, n_values; uint8_t *data; uint64_t size; } sample;
static leat_runtime *rt;

static void make(sample *s) {
  const char *path = help_path("damage");
  help_build(rt, path, s->pairs, s->kind, s->n, s->n_values);
  s->data = help_file(path, &s->size);
  remove(path);
}

/* Opens and asks for everything. Returns how many calls failed; with `sealed` the answers that come must be right. */
static int use(const uint8_t *data, uint64_t size, const sample *s, int verify, int sealed, uint64_t stride) {
  leat_table *t;
  leat_table_reader *r;
  char key[1024], from[1024];
  float v[64];
  int64_t found;
  int failed = 0;
  if (lt_table_open_bytes(rt, data, size, "damaged", verify, &t, NULL)) return 1;
  leat_table_info info = {.struct_size = sizeof info};
  OK(leat_table_get_info(t, &info, &help_err));
  if (info.values > 64) { /* only where the checksums were made right */
    assert_true(!sealed);
    leat_table_free(t);
    return 0;
  }
  OK(leat_table_reader_create(t, 0, &r, &help_err));
  for (uint64_t i = 0; i < s->n + s->n / 8; i += stride) {
    uint64_t k = help_key(s->kind, i, key);
    for (int how = 0; how < 2; how++) {
      leat_status st = how ? leat_table_reader_get(r, key, k, v, 64, &found, NULL) : leat_table_get(t, key, k, v, 64, &found, NULL);
      if (st) {
        failed++;
        assert_int_equal(found, 0);
      } else if (sealed) {
        assert_int_equal(found, i < s->n ? LEAT_TABLE_HIT : info.default_values ? LEAT_TABLE_DEFAULT : LEAT_TABLE_MISS);
        for (uint64_t j = 0; j < s->n_values && i < s->n; j++) assert_true(v[j] == help_value(i, j));
      }
    }
  }
  char *room = malloc((size_t)info.key_bytes + 8);
  uint64_t needed;
  for (int how = 0; how < (info.layout[0] == 's' ? 2 : 1); how++) {
    uint64_t k = help_key(s->kind, s->n / 2, from);
    leat_status st = leat_table_reader_seek(r, how ? from : NULL, how ? k : 0, NULL);
    int64_t rows = 0;
    while (!st && rows <= 2 * N_LARGE) {
      st = leat_table_reader_next(r, room, (uint64_t)info.key_bytes, &needed, v, 64, NULL);
      rows += !st;
    }
    if (st != LEAT_E_NOT_FOUND) failed++;
    else if (sealed && !how) assert_int_equal(rows, s->n);
  }
  free(room);
  leat_table_reader_free(r);
  leat_table_free(t);
  return failed;
}

static sample small[] = {
    {"hash", {"layout", "hash", NULL}, 0, N_SMALL, 1, NULL, 0},
    {"hash, lengths", {"layout", "hash", "default", "1,2", NULL}, 1, N_SMALL, 2, NULL, 0},
    {"sorted", {"compression", "none", "block_bytes", "256", NULL}, 1, N_SMALL, 1, NULL, 0},
    {"packed", {"block_bytes", "512", NULL}, 2, N_SMALL, 3, NULL, 0},
};

static void test_every_byte(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof small / sizeof small[0]; i++) {
    sample *s = &small[i];
    make(s);
    assert_int_equal(use(s->data, s->size, s, 1, 1, 1), 0);
    for (uint64_t at = 0; at < s->size; at++) {
      uint8_t was = s->data[at];
      static const uint8_t how[] = {0x01, 0x80, 0xff};
      for (int k = 0; k < 3; k++) {
        s->data[at] = was ^ how[k];
        if (use(s->data, s->size, s, 0, 1, 1) == 0) fail_msg("%s: byte %llu: nobody noticed", s->name, (unsigned long long)at);
        leat_table *t;
        assert_int_not_equal(lt_table_open_bytes(rt, s->data, s->size, "damaged", 1, &t, NULL), LEAT_OK);
      }
      s->data[at] = was;
    }
    for (uint64_t cut = 0; cut < s->size; cut++) {
      uint8_t *exact = malloc(cut ? cut : 1); /* the sanitizer sees a read behind its end */
      leat_table *t;
      memcpy(exact, s->data, cut);
      assert_int_not_equal(lt_table_open_bytes(rt, exact, cut, "cut", 0, &t, NULL), LEAT_OK);
      free(exact);
    }
    free(s->data);
  }
}

static uint64_t state_of = 1;
static uint64_t below(uint64_t n) { return help_mix(state_of++) % n; }

static void mutate(uint8_t *p, uint64_t size, uint64_t from) {
  uint64_t at = from + below(size - from), n = 1 + below(8);
  for (uint64_t i = 0; i < n && at + i < size; i++)
    switch (below(4)) {
      case 0: p[at + i] ^= (uint8_t)(1u << below(8)); break;
      case 1: p[at + i] = (uint8_t)below(256); break;
      case 2: p[at + i] = 0xff; break;
      default: p[at + i] = 0; break;
    }
}

static sample large[] = {
    {"hash", {"layout", "hash", NULL}, 0, N_LARGE, 1, NULL, 0},
    {"hash, lengths", {"layout", "hash", NULL}, 2, N_LARGE, 2, NULL, 0},
    {"packed", {NULL}, 0, N_LARGE, 1, NULL, 0},
    {"sorted", {"compression", "none", NULL}, 1, N_LARGE, 1, NULL, 0},
    {"long keys", {"block_bytes", "8000", NULL}, 3, 900, 1, NULL, 0},
};

static void test_many_changes(void **state) {
  (void)state;
  uint64_t rounds = (getenv("LEAT_SOAK") ? 100000 : getenv("LEAT_QUICK") ? 3000 : 10000) / (sizeof large / sizeof large[0]);
  for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
    sample *s = &large[i];
    make(s);
    uint8_t *work = malloc(s->size);
    memcpy(work, s->data, s->size);
    for (uint64_t k = 0; k < rounds; k++) {
      mutate(work, s->size, 0);
      use(work, s->size, s, 0, 1, 97 + below(400));
      memcpy(work, s->data, s->size);
    }
    free(work);
    free(s->data);
  }
}

static void put64(uint8_t *p, uint64_t v) {
  for (int i = 0; i < 8; i++) p[i] = (uint8_t)(v >> (8 * i));
}
static uint64_t get64(const uint8_t *p) {
  uint64_t v = 0;
  for (int i = 8; i-- > 0;) v = v << 8 | p[i];
  return v;
}
/* Makes every checksum right, so that the parsers behind them meet the change. */
static void reseal(uint8_t *p, uint64_t size) {
  uint32_t n = p[24];
  uint64_t data_at = 0, data_size = 0, sums_at = 0, sums_size = 0, sum[2];
  for (uint32_t i = 0; i < n; i++) {
    uint8_t *row = p + 64 + 64 * i;
    if (memcmp(row, "data", 5) == 0) data_at = get64(row + 24), data_size = get64(row + 32);
    if (memcmp(row, "sums", 5) == 0) sums_at = get64(row + 24), sums_size = get64(row + 32);
  }
  if (data_at <= size && data_size <= size - data_at && sums_at <= size && sums_size <= size - sums_at)
    for (uint64_t c = 0; c < sums_size / 8 && c * 65536 < data_size; c++)
      put64(p + sums_at + 8 * c, lt_hash64(p + data_at + c * 65536, data_size - c * 65536 < 65536 ? data_size - c * 65536 : 65536, 0));
  for (uint32_t i = 0; i < n && 64 + 64 * (i + 1) <= size; i++) {
    uint8_t *row = p + 64 + 64 * i;
    uint64_t at = get64(row + 24), k = get64(row + 32);
    if (at > size || k > size - at) continue;
    lt_hash128(p + at, k, sum);
    put64(row + 48, sum[0]);
    put64(row + 56, sum[1]);
  }
  uint8_t both[16];
  put64(both, lt_hash64(p, 56, 0));
  put64(both + 8, lt_hash64(p + 64, 64 * (uint64_t)n, 0));
  put64(p + 56, lt_hash64(both, 16, 0));
}

static void test_lies(void **state) {
  (void)state;
  uint64_t rounds = getenv("LEAT_SOAK") ? 50000 : 2000, opened = 0;
  for (size_t i = 0; i < sizeof large / sizeof large[0] + sizeof small / sizeof small[0]; i++) {
    sample *s = i < sizeof large / sizeof large[0] ? &large[i] : &small[i - sizeof large / sizeof large[0]];
    make(s);
    uint8_t *work = malloc(s->size);
    uint32_t n = s->data[24];
    for (uint64_t k = 0; k < rounds / 9 + 1; k++) {
      memcpy(work, s->data, s->size);
      uint8_t *row = work + 64 + 64 * below(n); /* a section, each as often as the large one */
      uint64_t at = get64(row + 24), size = get64(row + 32);
      if (size) mutate(work, at + size, at);
      if (below(8) == 0) mutate(work, 64 + 64 * (uint64_t)n, 0);
      work[24] = (uint8_t)n;
      reseal(work, s->size);
      opened += use(work, s->size, s, 0, 0, 31 + below(200)) == 0;
    }
    free(work);
    free(s->data);
  }
  assert_true(opened > 10); /* else nothing was tried */
}

int main(void) {
  rt = help_runtime(1);
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_byte), cmocka_unit_test(test_many_changes), cmocka_unit_test(test_lies)};
  int rc = cmocka_run_group_tests(tests, NULL, NULL);
  leat_runtime_free(rt);
  return rc;
}
