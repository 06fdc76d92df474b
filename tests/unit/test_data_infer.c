#include "data_kit.h"
#include "data/decimal.h"
#include "base/number.h"

static int32_t kind_of(const char *const *values, int n, int repeat) {
  leat_runtime *rt = kit_runtime(1);
  char *t = malloc(1 << 20);
  uint64_t k = (uint64_t)sprintf(t, "col,other\n");
  for (int r = 0; r < repeat; r++)
    for (int i = 0; i < n; i++) k += (uint64_t)sprintf(t + k, values[i], r), k += (uint64_t)sprintf(t + k, ",1\n");
  leat_dataset *d = kit_good(rt, "", t);
  int32_t kind = kit_column(d, "col")->kind;
  assert_int_equal(kit_column(d, "col")->role, kind == LEAT_ID ? LEAT_ROLE_IGNORE : LEAT_ROLE_FEATURE);
  leat_dataset_free(d);
  leat_runtime_free(rt);
  free(t);
  return kind;
}
#define KIND(repeat, ...) kind_of((const char *const[]){__VA_ARGS__}, \
                                  (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)), repeat)

static void kinds(void **state) {
  (void)state;
  assert_int_equal(KIND(1, "1", "2.5", "-3e7", "NA", ""), LEAT_NUMBER);
  assert_int_equal(KIND(1, "NA", "?", "", "N/A", "None", "null", "NULL", "NaN", "nan"), LEAT_NUMBER);
  assert_int_equal(KIND(100, "%d"), LEAT_ID);
  assert_int_equal(KIND(99, "%d"), LEAT_NUMBER);
  assert_int_equal(KIND(100, "%d.5"), LEAT_NUMBER);
  assert_int_equal(KIND(60, "%d", "NA"), LEAT_NUMBER);
  assert_int_equal(KIND(60, "%d", "0"), LEAT_NUMBER);
  assert_int_equal(KIND(1, "true", "False", "", "TRUE"), LEAT_BOOL);
  assert_int_equal(KIND(1, "true", "False", "yes"), LEAT_CATEGORY);
  assert_int_equal(KIND(1, "2020-01-02", "2020-01-02T03:04:05Z", ""), LEAT_TIME);
  assert_int_equal(KIND(1, "2020-01-02", "soon"), LEAT_CATEGORY);
  assert_int_equal(KIND(20, "u%d"), LEAT_ID);
  assert_int_equal(KIND(19, "u%d"), LEAT_CATEGORY);
  assert_int_equal(KIND(20, "u%d", "same"), LEAT_CATEGORY);
  assert_int_equal(KIND(20, "this is row %d"), LEAT_TEXT);
  assert_int_equal(KIND(20, "this is a row", "and this too"), LEAT_CATEGORY);
  assert_int_equal(KIND(1, "1", "2", "3", "x"), LEAT_CATEGORY); /* fewer than ten numbers */
}

/* The fast path gives what the exact parser gives, and takes nothing that it would not. */
static void decimals(void **state) {
  (void)state;
  uint64_t h = 88172645463325252u;
  int fast = 0;
  for (int i = 0; i < 400000; i++) {
    char text[96];
    int n = 0;
    h ^= h << 13, h ^= h >> 7, h ^= h << 17;
    if (h & 1) text[n++] = '-';
    int before = (int)(h >> 1) % 20, behind = (int)(h >> 9) % 20;
    uint64_t g = h;
    for (int k = 0; k < before; k++) g = g * 6364136223846793005u + 1442695040888963407u, text[n++] = (char)('0' + (g >> 60) % 10);
    if (h & 1 << 20 || !before) {
      text[n++] = '.';
      for (int k = 0; k < behind; k++) g = g * 6364136223846793005u + 1, text[n++] = (char)('0' + (g >> 60) % 10);
    }
    int len = n;
    memset(text + n, ',', sizeof text - (uint64_t)n);
    double a = 0, b = 0;
    const char *end = lt_decimal(text, &a);
    if (!end || end != text + len) continue;
    fast++;
    if (!lt_parse_f64(text, text + len, &b)) fail_msg("%.*s is not a number for the exact parser", len, text);
    assert_memory_equal(&a, &b, sizeof a);
  }
  assert_true(fast > 100000);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(kinds), cmocka_unit_test(decimals)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
