/* The readers: bytes in, an error with a text or rows out. The same bytes must give the same rows however they are cut
 * into pieces, at any number of threads, and every field can be asked for.
 *
 * Input: byte 0 the reader (two bits) and its settings, byte 1 how the bytes are cut, then the file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/dataset.h"
#include "leat/leat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t leat_fuzz_seed(size_t number, uint8_t *out, size_t cap);

static leat_runtime *one, *three;
typedef struct source { const uint8_t *data; size_t size, at, piece; } source;

static void must(int holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "fuzz_reader: %s\n", what);
  abort();
}

static int64_t pull(void *user, void *buf, uint64_t cap) {
  source *s = user;
  size_t n = s->size - s->at;
  if (n > cap) n = (size_t)cap;
  if (s->piece > 0 && n > s->piece) n = s->piece;
  memcpy(buf, s->data + s->at, n);
  s->at += n;
  return (int64_t)n;
}

static leat_status open_with(leat_runtime *rt, const uint8_t *data, size_t size, size_t piece, leat_dataset **out,
                             leat_error *err) {
  static const char *const specs[] = {"reader/csv", "reader/svmlight", "reader/npy", "reader/idx"};
  source s = {data + 2, size - 2, 0, piece};
  leat_params *p = NULL;
  must(leat_params_create(rt, specs[data[0] & 3], &p, err) == LEAT_OK, err->message);
  if ((data[0] & 3) == 0) {
    if (data[0] & 4) (void)leat_params_set_text(p, "target", "-1", err);
    if (data[0] & 8) (void)leat_params_set_text(p, "text", "1", err);
    if (data[0] & 16) (void)leat_params_set_text(p, "categorical", "2", err);
    if (data[0] & 32) (void)leat_params_set_text(p, "key", "1", err);
  }
  const leat_status status = leat_dataset_from_reader(rt, NULL, p, "fuzz", pull, &s, out, err);
  leat_params_free(p);
  return status;
}

static void all_fields(leat_runtime *rt, leat_dataset *d) {
  leat_schema *schema = NULL;
  leat_batch *b = NULL;
  int64_t columns = 0, rows = 0, cols = 0, got = 1;
  char text[64];
  uint64_t needed = 0;
  leat_error err = {.struct_size = sizeof err};
  must(leat_dataset_shape(d, &rows, &cols, &err) == LEAT_OK && rows >= 0 && cols >= 0, "shape");
  must(leat_dataset_schema(d, &schema, &err) == LEAT_OK, "schema");
  must(leat_schema_count(schema, &columns, &err) == LEAT_OK, "count");
  must(leat_batch_create(rt, schema, &b, &err) == LEAT_OK, err.message);
  int64_t seen = 0;
  while (got > 0 && seen < 200) {
    must(leat_dataset_next(d, 7, b, &got, &err) == LEAT_OK, err.message);
    for (int64_t r = 0; r < got; r++)
      for (int64_t c = 0; c < columns && c < 40; c++) (void)leat_batch_text(b, r, c, text, sizeof text, &needed, NULL);
    seen += got;
  }
  leat_batch_free(b);
  leat_schema_free(schema);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const size_t pieces[] = {0, 1, 7, 64, 4096};
  leat_error err = {.struct_size = sizeof err}, err2 = {.struct_size = sizeof err2};
  leat_dataset *a = NULL, *b = NULL;
  if (one == NULL) {
    leat_runtime_opts opts = {.struct_size = sizeof opts, .n_threads = 1};
    must(leat_runtime_create(&opts, &one, &err) == LEAT_OK, err.message);
    opts.n_threads = 3;
    must(leat_runtime_create(&opts, &three, &err) == LEAT_OK, err.message);
  }
  if (size < 2) return 0;
  const leat_status status = open_with(one, data, size, 0, &a, &err);
  const leat_status again = open_with(three, data, size, pieces[data[1] % 5], &b, &err2);
  must(status == again, "pieces and threads change whether a file is taken");
  if (status != LEAT_OK) {
    must(a == NULL && b == NULL && err.message[0] != 0, "an error without a text");
    must(strcmp(err.message, err2.message) == 0, "pieces and threads change the error");
  } else {
    uint64_t x = 0, y = 0;
    must(lt_dataset_checksum(a, &x, NULL) == LEAT_OK && lt_dataset_checksum(b, &y, NULL) == LEAT_OK, "checksum");
    must(x == y, "pieces and threads change the rows");
    all_fields(one, a);
  }
  leat_dataset_free(a);
  leat_dataset_free(b);
  return 0;
}

size_t leat_fuzz_seed(size_t number, uint8_t *out, size_t cap) {
  static const struct { uint8_t how; const char *text; size_t size; } seeds[] = {
      {0, "a,b,c\n1,2,3\n4,,6\n", 0},
      {4, "x;y;class\n1.5;red;yes\n2.5;blue;no\n;red;yes\n", 0},
      {4 | 8, "note,n,y\n\"a, quoted \"\"text\"\"\",1,0\n\"two\nlines\",2,1\n", 0},
      {32, "id\tv\nk1\t1e3\nk2\t-0.25\n", 0},
      {1, "1 1:0.5 7:2\n-1 2:1\n\n1 1:1 3:-4e2 # note\n", 0},
      {1, "3 qid:1 1:1\n2 qid:1 2:1\n", 0},
      {2, "\x93NUMPY\x01\x00\x46\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }          \n"
          "\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x40\x40\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x40\x40", 104},
      {3, "\x00\x00\x08\x03\x00\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00\x02" "12345678", 24},
      {0, "1,2,3\r\n4,5,6\r\n", 0},
      {0, "a\n1\n2\nx\n", 0}};
  if (number >= 2 * sizeof seeds / sizeof seeds[0]) return 0;
  const size_t k = number / 2, n = seeds[k].size > 0 ? seeds[k].size : strlen(seeds[k].text);
  if (n + 2 > cap) return 0;
  out[0] = seeds[k].how;
  out[1] = (uint8_t)(number & 1 ? 2 : 1);
  memcpy(out + 2, seeds[k].text, n);
  return n + 2;
}
