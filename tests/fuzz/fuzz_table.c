/* Tables whose *contents* lie: a real one (byte 0: which) gets edits of 4 bytes each (where: two bytes, scaled to a section;
 * how; with what), then all its checksums are made right. Opening gives an error or a table that can be used. */
#include "base/hash.h"
#include "check.h"
#include "serve/table.h"
#include <unistd.h>

enum { KINDS = 4 };
static leat_runtime *rt;
static struct { uint8_t *data; uint64_t size; } seed[KINDS];

static uint64_t get64(const uint8_t *p) {
  uint64_t v = 0;
  for (int i = 8; i-- > 0;) v = v << 8 | p[i];
  return v;
}
static void put64(uint8_t *p, uint64_t v) {
  for (int i = 0; i < 8; i++) p[i] = (uint8_t)(v >> (8 * i));
}

static void start(void) {
  static const char *const how[KINDS][3] = {{"hash", "none", "fixed"}, {"hash", "none", "lengths"}, {"sorted", "zstd", "lengths"}, {"sorted", "none", "fixed"}};
  char path[256];
  const char *folder = getenv("TMPDIR");
  FUZZ_REQUIRE(lt_runtime_create(NULL, &rt, NULL) == LEAT_OK);
  snprintf(path, sizeof path, "%s/leat-fuzz-table-%ld", folder ? folder : "/tmp", (long)getpid());
  for (int k = 0; k < KINDS; k++) {
    leat_params *p;
    leat_table_writer *w;
    void *data;
    FUZZ_REQUIRE(lt_params_create(rt, &lt_table_write_spec, &p, NULL) == LEAT_OK);
    FUZZ_REQUIRE(lt_params_set_text(p, "layout", how[k][0], NULL) == LEAT_OK && lt_params_set_text(p, "compression", how[k][1], NULL) == LEAT_OK);
    FUZZ_REQUIRE(lt_params_set_i64(p, "block_bytes", 512, NULL) == LEAT_OK && lt_params_set_i64(p, "created_ns", 1, NULL) == LEAT_OK);
    FUZZ_REQUIRE(lt_table_writer_create(rt, path, p, NULL, &w, NULL) == LEAT_OK);
    for (int i = 0; i < 500; i++) {
      char key[32];
      float v = (float)i;
      int n = snprintf(key, sizeof key, how[k][2][0] == 'f' ? "key%05d" : "key-%d", i);
      FUZZ_REQUIRE(lt_table_writer_add(w, key, (uint64_t)n, &v, 1, NULL) == LEAT_OK);
    }
    FUZZ_REQUIRE(lt_table_writer_finish(w, NULL) == LEAT_OK);
    lt_table_writer_free(w);
    lt_params_free(p);
    FUZZ_REQUIRE(lt_file_load(rt, path, 1 << 20, &data, &seed[k].size, NULL) == LEAT_OK);
    seed[k].data = data;
    remove(path);
  }
}

static void seal_again(uint8_t *p, uint64_t size) {
  uint64_t n = p[24], at[8] = {0}, bytes[8] = {0}, sum[2];
  uint8_t both[16];
  if (n > 6 || size < 64 + 64 * n) return;
  for (uint64_t i = 0; i < n; i++) {
    const uint8_t *row = p + 64 + 64 * i;
    at[i] = get64(row + 24);
    bytes[i] = get64(row + 32);
    if (at[i] > size || bytes[i] > size - at[i]) return;
  }
  for (uint64_t c = 0; n >= 4 && c < bytes[n - 2] / 8 && c * 65536 < bytes[0]; c++)
    put64(p + at[n - 2] + 8 * c, lt_hash64(p + at[0] + c * 65536, bytes[0] - c * 65536 < 65536 ? bytes[0] - c * 65536 : 65536, 0));
  for (uint64_t i = 0; i < n; i++) {
    lt_hash128(p + at[i], bytes[i], sum);
    put64(p + 64 + 64 * i + 48, sum[0]);
    put64(p + 64 + 64 * i + 56, sum[1]);
  }
  put64(both, lt_hash64(p, 56, 0));
  put64(both + 8, lt_hash64(p + 64, 64 * n, 0));
  put64(p + 56, lt_hash64(both, 16, 0));
}

static void use(const uint8_t *data, uint64_t size, int verify) {
  leat_table *t;
  leat_table_reader *r;
  leat_table_info info = {.struct_size = sizeof info};
  leat_table_changes c = {.struct_size = sizeof c};
  if (lt_table_open_bytes(rt, data, size, "table", verify, &t, NULL) != LEAT_OK) return;
  FUZZ_REQUIRE(lt_table_info(t, &info, NULL) == LEAT_OK);
  float *v = malloc((size_t)info.values * sizeof *v);
  uint8_t *key = malloc((size_t)info.key_bytes + 8);
  uint64_t needed;
  int64_t found;
  FUZZ_REQUIRE(v && key && lt_table_reader_create(t, 0, &r, NULL) == LEAT_OK);
  for (int i = 0; i < 520; i += 13) {
    char text[32];
    int n = snprintf(text, sizeof text, i & 1 ? "key%05d" : "key-%d", i);
    if (lt_table_get(t, text, (uint64_t)n, v, (uint64_t)info.values, &found, NULL) == LEAT_OK) FUZZ_REQUIRE(found > 0);
    if (lt_table_reader_get(r, text, (uint64_t)n, v, (uint64_t)info.values, &found, NULL) == LEAT_OK) FUZZ_REQUIRE(found > 0);
    if (i % 5 == 0 && lt_table_reader_seek(r, text, (uint64_t)n, NULL) == LEAT_OK)
      for (int k = 0; k < 40; k++)
        if (lt_table_reader_next(r, key, (uint64_t)info.key_bytes, &needed, v, (uint64_t)info.values, NULL) != LEAT_OK) break;
  }
  (void)lt_table_diff(t, t, 0, NULL, NULL, &c, NULL);
  lt_table_reader_free(r);
  lt_table_free(t);
  free(v);
  free(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!rt) start();
  if (size < 2) return 0;
  use(data, size, 1); /* as it is: nearly always refused at once */
  uint64_t n = seed[data[0] % KINDS].size;
  uint8_t *work = malloc(n);
  FUZZ_REQUIRE(work != NULL);
  memcpy(work, seed[data[0] % KINDS].data, n);
  for (size_t i = 1; i + 5 <= size && i < 200; i += 5) {
    uint64_t section = data[i] % 8, from = 0, room = 64 + 64 * (uint64_t)work[24];
    if (section < work[24] && section < 6) {
      const uint8_t *row = seed[data[0] % KINDS].data + 64 + 64 * section;
      from = get64(row + 24);
      room = get64(row + 32);
    }
    if (!room || from + room > n) continue;
    uint8_t *p = work + from + ((uint64_t)data[i + 1] << 8 | data[i + 2]) * room / 65536;
    *p = data[i + 3] & 1 ? data[i + 4] : *p ^ data[i + 4];
  }
  seal_again(work, n);
  use(work, n, data[1] & 1);
  free(work);
  return 0;
}

size_t leat_fuzz_seed(size_t number, uint8_t *out, size_t cap) {
  if (!rt) start();
  if (number < KINDS && seed[number].size <= cap) {
    memcpy(out, seed[number].data, seed[number].size);
    return seed[number].size;
  }
  if (number < KINDS || number > 3 * KINDS) return 0;
  for (size_t i = 0; i < 41; i++) out[i] = (uint8_t)(number * 37 + i * 101);
  out[0] = (uint8_t)number;
  return 41;
}
