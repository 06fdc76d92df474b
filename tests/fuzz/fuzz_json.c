/* reader/ndjson. Input: byte 0 the settings, then the file. */
#include "text_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t leat_fuzz_seed(size_t number, uint8_t *out, size_t cap);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const sets[8][7] = {{NULL}, {"errors", "keep", NULL}, {"target", "y", NULL}, {"target", "y", "errors", "keep", NULL},
      {"text", "s", "raw", "true", NULL}, {"errors", "keep", "raw", "true", "text", "s", NULL}, {"ignore", "a", "errors", "keep", NULL},
      {"target", "y", "task", "regression", "errors", "keep", NULL}};
  if (size < 1) return 0;
  text_check("reader/ndjson", sets[data[0] & 7], data + 1, size - 1);
  return 0;
}

size_t leat_fuzz_seed(size_t number, uint8_t *out, size_t cap) {
  static const char *const seeds[] = {
      "{\"a\":1,\"y\":\"no\",\"s\":\"x\"}\n{\"y\":\"yes\",\"a\":-2.5e3}\n\n{\"a\":null,\"y\":\"no\",\"s\":\"a \\\"q\\\" \\u00e9\"}\n",
      "{\"s\":\"\\ud83d\\ude00\",\"y\":1,\"a\":true}\r\n{ }\n{\"a\":false,\"y\":2,\"s\":\"two words\"}",
      "{\"a\":[1,{\"b\":\"}\"}],\"y\":1,\"s\":\"\"}\n{\"a\":1,\"y\":0,\"s\":\"\"}\n{\"a\":1,\"y\":0,\"s\":\"\"}\n{\"a\":1,\"a\":0,\"s\":\"\"}\n",
      "{\"a\":\"x1\",\"y\":1,\"s\":\"k\"}\n{\"a\":\"x2\",\"y\":1.5,\"s\":\"k\"}\n{\"a\":\"x3\",\"y\":2,\"s\":\"k\"}\n{\"a\":\"x1\",\"y\":1e400,\"s\":\"k\"}\n"};
  if (number >= 8 * (sizeof seeds / sizeof *seeds)) return 0;
  const char *t = seeds[number / 8];
  if (strlen(t) + 1 > cap) return 0;
  out[0] = (uint8_t)(number % 8);
  memcpy(out + 1, t, strlen(t));
  return strlen(t) + 1;
}
