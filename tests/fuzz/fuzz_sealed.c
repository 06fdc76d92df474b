/* Sealed files. The bytes are tried as they are, then with their checksums made right, so that what lies behind them is
 * reached: fields, sections, zstd frames, and a profile parsed from each section. */
#include "check.h"
#include "base/hash.h"
#include "base/sealed.h"
#include "base/sealed_inner.h"
#include "stats/profile.h"

static leat_runtime *fuzz_runtime(void) {
  static leat_runtime *rt; /* kept for the process's life */
  if (!rt) FUZZ_REQUIRE(lt_runtime_create(NULL, &rt, NULL) == LEAT_OK);
  return rt;
}

size_t leat_fuzz_seed(size_t which, uint8_t *buf, size_t cap) {
  leat_runtime *rt = fuzz_runtime();
  static const char *const labels[] = {"red", "green", "blue"};
  static const int64_t counts[] = {3, 2, 1};
  static double sample[100];
  lt_seal *s;
  lt_profile *p = NULL;
  lt_put w;
  const void *data;
  uint64_t n;
  if (which > 3) return 0;
  for (int i = 0; i < 100; i++) sample[i] = i * i % 83;
  FUZZ_REQUIRE(lt_seal_create(rt, "FUZZ", 2, 1, &s, NULL) == LEAT_OK);
  lt_put_init(&w, rt);
  if (which == 1) FUZZ_REQUIRE(lt_profile_number(rt, "n", sample, 100, &p, NULL) == LEAT_OK);
  if (which == 2) FUZZ_REQUIRE(lt_profile_category(rt, "c", labels, counts, 3, 1, &p, NULL) == LEAT_OK);
  if (which == 3) FUZZ_REQUIRE(lt_profile_sparse(rt, "s", sample, sample, 100, &p, NULL) == LEAT_OK);
  if (p) lt_profile_save(p, &w);
  FUZZ_REQUIRE(lt_seal_add(s, "raw", LT_SEAL_RAW, w.data, w.size, NULL) == LEAT_OK);
  FUZZ_REQUIRE(lt_seal_add(s, "packed", LT_SEAL_ZSTD, sample, sizeof sample, NULL) == LEAT_OK);
  FUZZ_REQUIRE(lt_seal_add(s, "profile", LT_SEAL_ZSTD, w.data, w.size, NULL) == LEAT_OK);
  FUZZ_REQUIRE(lt_seal_bytes(s, &data, &n, NULL) == LEAT_OK);
  size_t size = n <= cap ? (size_t)n : 0;
  memcpy(buf, data, size);
  lt_put_free(&w);
  lt_profile_free(p);
  lt_seal_free(s);
  return size;
}

static void use(leat_runtime *rt, const void *data, uint64_t size) {
  lt_profile *p;
  lt_get r;
  lt_get_init(&r, rt, data, size);
  if (lt_profile_load(rt, &r, &p, NULL) != LEAT_OK) return;
  for (int64_t i = 0; i < lt_profile_cells(p); i++) {
    const char *label;
    double low, high;
    int64_t count;
    FUZZ_REQUIRE(lt_profile_cell(p, i, &label, &low, &high, &count, NULL) == LEAT_OK && count >= 0);
    if (label) FUZZ_REQUIRE(strlen(label) < 32);
  }
  FUZZ_REQUIRE(lt_profile_rows(p) >= 0);
  lt_profile_add(p, 5);
  lt_profile_add_label(p, "red", 3, 1);
  lt_profile_free(p);
}

static int open_all(leat_runtime *rt, const void *bytes, uint64_t size) {
  lt_sealed *f;
  leat_status st = lt_sealed_open_bytes(rt, bytes, size, "input", "", 2, 1 << 20, &f, NULL);
  if (st != LEAT_OK) {
    FUZZ_REQUIRE(!f && (st == LEAT_E_FORMAT || st == LEAT_E_VERSION || st == LEAT_E_MEMORY));
    return 0;
  }
  for (int64_t i = 0; i < lt_sealed_count(f); i++) {
    const char *name;
    const void *data;
    uint64_t n;
    uint64_t sum[2];
    FUZZ_REQUIRE(lt_sealed_info(f, i, &name, NULL, NULL, NULL, NULL) == LEAT_OK);
    if (lt_sealed_section(f, name, &data, &n, NULL) != LEAT_OK) continue;
    lt_hash128(data, n, sum);
    use(rt, data, n);
  }
  lt_sealed_free(f);
  return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  leat_runtime *rt = fuzz_runtime();
  (void)open_all(rt, data, size);
  if (size < LT_SEAL_HEAD) return 0;
  uint8_t *p = malloc(size), both[16];
  if (!p) return 0;
  memcpy(p, data, size);
  uint64_t count = p[24] | (uint64_t)p[25] << 8, room = (size - LT_SEAL_HEAD) / LT_SEAL_ENTRY;
  if (count > room) count = room;
  memcpy(p, lt_seal_magic, 8);
  p[24] = (uint8_t)count;
  p[25] = (uint8_t)(count >> 8);
  lt_seal_store(p + 32, size);
  for (uint64_t i = 0; i < count; i++) {
    uint8_t *row = p + LT_SEAL_HEAD + i * LT_SEAL_ENTRY;
    uint64_t offset = 0, stored = 0, sum[2];
    for (int k = 8; k-- > 0;) offset = offset << 8 | row[24 + k], stored = stored << 8 | row[32 + k];
    if (offset > size || stored > size - offset) continue;
    lt_hash128(p + offset, stored, sum);
    lt_seal_store(row + 48, sum[0]);
    lt_seal_store(row + 56, sum[1]);
  }
  lt_seal_store(both, lt_hash64(p, LT_SEAL_HEAD - 8, 0));
  lt_seal_store(both + 8, lt_hash64(p + LT_SEAL_HEAD, count * LT_SEAL_ENTRY, 0));
  lt_seal_store(p + LT_SEAL_HEAD - 8, lt_hash64(both, 16, 0));
  (void)open_all(rt, p, size);
  free(p);
  return 0;
}
