/* reader/svmlight. Input: byte 0 the settings, then the file. */
#include "text_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t leat_fuzz_seed(size_t number, uint8_t *out, size_t cap);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const sets[8][7] = {{NULL}, {"index", "0", NULL}, {"index", "1", NULL}, {"task", "regression", NULL},
      {"errors", "keep", NULL}, {"errors", "keep", "index", "0", "raw", "true", NULL},
      {"errors", "keep", "index", "1", NULL}, {"raw", "true", "task", "regression", NULL}};
  if (size < 1) return 0;
  text_check("reader/svmlight", sets[data[0] & 7], data + 1, size - 1);
  return 0;
}

size_t leat_fuzz_seed(size_t number, uint8_t *out, size_t cap) {
  static const char *const seeds[] = {"1 1:0.5 7:2\n-1 2:1\n\n1 1:1 3:-4e2 # note: 5\n", "3 qid:1 1:1\n2 qid:1 2:1 # qid:9\n",
                                      "0 0:1 5:1\r\n1\n \t\n# all\n1 3:1", "1.5 100000:1 2147483646:2\n2.5 7:0.1234567890123456789\n"};
  if (number >= 8 * (sizeof seeds / sizeof *seeds)) return 0;
  const char *t = seeds[number / 8];
  if (strlen(t) + 1 > cap) return 0;
  out[0] = (uint8_t)(number % 8);
  memcpy(out + 1, t, strlen(t));
  return strlen(t) + 1;
}
