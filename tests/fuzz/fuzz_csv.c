/* reader/csv. Input: byte 0 the settings, then the file. */
#include "text_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t leat_fuzz_seed(size_t number, uint8_t *out, size_t cap);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const sets[16][9] = {
      {NULL}, {"header", "no", NULL}, {"target", "-1", NULL}, {"header", "no", "text", "1", "categorical", "2", NULL},
      {"quotes", "no", NULL}, {"quotes", "yes", "delimiter", "tab", NULL}, {"key", "1", "missing", "x", NULL},
      {"header", "yes", "target", "1", "task", "multiclass", NULL},
      {"errors", "keep", NULL}, {"errors", "keep", "raw", "true", "header", "no", NULL}, {"errors", "keep", "target", "-1", NULL},
      {"errors", "keep", "raw", "true", "target", "-1", "text", "1", NULL}, {"errors", "keep", "quotes", "no", "raw", "true", NULL},
      {"errors", "keep", "quotes", "yes", "delimiter", "tab", NULL}, {"raw", "true", "key", "1", NULL},
      {"errors", "keep", "header", "yes", "target", "1", "task", "multiclass", NULL}};
  if (size < 1) return 0;
  text_check("reader/csv", sets[data[0] & 15], data + 1, size - 1);
  return 0;
}

size_t leat_fuzz_seed(size_t number, uint8_t *out, size_t cap) {
  static const char *const seeds[] = {
      "a,b,c\n1,2,3\n4,,6\n", "x;y;class\n1.5;red;yes\n2.5;blue;no\n;red;yes\n",
      "note,n,y\n\"a, quoted \"\"text\"\"\",1,0\n\"two\nlines\",2,1\n\n \n\"\n\n\",3,1\n", "id\tv\nk1\t1e3\nk2\t-0.25\n\"q\"\t1\n\"q\t2\n",
      "1,2,3\r\n4,5,6\r\n", "a\n1\n2\nx\n", "\"\",\"\"\"\"\n\"a\"  ,b\n", "when,flag\n2020-01-02,true\n2020-01-03 04:05:06,FALSE\n",
      "v\n123456789012345678\n0.1234567890123456789\n-1e308\n.5\n5.\n+7\n"};
  if (number >= 16 * (sizeof seeds / sizeof *seeds)) return 0;
  const char *t = seeds[number / 16];
  if (strlen(t) + 1 > cap) return 0;
  out[0] = (uint8_t)(number % 16);
  memcpy(out + 1, t, strlen(t));
  return strlen(t) + 1;
}
