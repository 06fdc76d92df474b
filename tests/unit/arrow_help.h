/* A producer of Arrow data made by hand: every buffer is a block of exactly its size, so that a reader that steps outside
 * is seen by AddressSanitizer, and every release is counted. */
#ifndef LEAT_TESTS_ARROW_HELP_H
#define LEAT_TESTS_ARROW_HELP_H
#include "data_kit.h"

static int made_live; /* schemas, arrays and streams that are not released yet */

typedef struct made_parts { void *block[4]; const void *buffer[4]; } made_parts;

static inline void made_schema_release(struct ArrowSchema *s) {
  assert_non_null(s->release); /* never twice */
  for (int64_t i = 0; i < s->n_children; i++) {
    if (s->children[i]->release) s->children[i]->release(s->children[i]);
    free(s->children[i]);
  }
  if (s->dictionary) {
    if (s->dictionary->release) s->dictionary->release(s->dictionary);
    free(s->dictionary);
  }
  free(s->children);
  free(s->private_data);
  s->release = NULL;
  made_live--;
}

static inline void made_schema(struct ArrowSchema *s, const char *format, const char *name, int64_t children) {
  uint64_t f = strlen(format) + 1, n = strlen(name) + 1;
  char *text = malloc(f + n);
  memcpy(text, format, f);
  memcpy(text + f, name, n);
  *s = (struct ArrowSchema){.format = text, .name = text + f, .flags = ARROW_FLAG_NULLABLE, .n_children = children,
                            .release = made_schema_release, .private_data = text};
  s->children = calloc((size_t)children + 1, sizeof *s->children);
  for (int64_t i = 0; i < children; i++) s->children[i] = calloc(1, sizeof **s->children);
  made_live++;
}

static inline void made_array_release(struct ArrowArray *a) {
  made_parts *p = a->private_data;
  assert_non_null(a->release);
  for (int64_t i = 0; i < a->n_children; i++) {
    if (a->children[i]->release) a->children[i]->release(a->children[i]);
    free(a->children[i]);
  }
  if (a->dictionary) {
    if (a->dictionary->release) a->dictionary->release(a->dictionary);
    free(a->dictionary);
  }
  for (int k = 0; k < 4; k++) free(p->block[k]);
  free(a->children);
  free(p);
  a->release = NULL;
  made_live--;
}

static inline void made_array(struct ArrowArray *a, int64_t length, int64_t offset, int64_t buffers, int64_t children) {
  made_parts *p = calloc(1, sizeof *p);
  *a = (struct ArrowArray){.length = length, .offset = offset, .n_buffers = buffers, .n_children = children,
                           .buffers = p->buffer, .release = made_array_release, .private_data = p};
  a->children = calloc((size_t)children + 1, sizeof *a->children);
  for (int64_t i = 0; i < children; i++) a->children[i] = calloc(1, sizeof **a->children);
  made_live++;
}

static inline void made_buffer(struct ArrowArray *a, int k, const void *data, uint64_t size) {
  made_parts *p = a->private_data;
  free(p->block[k]);
  p->block[k] = malloc(size ? size : 1);
  if (size) memcpy(p->block[k], data, size);
  p->buffer[k] = p->block[k];
}

/* Bits of "1101", a NULL bitmap for NULL. */
static inline void made_valid(struct ArrowArray *a, const char *bits) {
  uint8_t b[64] = {0};
  int64_t n = 0, missing = 0;
  if (!bits) return;
  for (; bits[n]; n++) {
    if (bits[n] == '1') b[n >> 3] = (uint8_t)(b[n >> 3] | 1u << (n & 7));
    else missing++;
  }
  made_buffer(a, 0, b, (uint64_t)(n + 7) / 8);
  a->null_count = missing;
}

/* A column of fixed elements; the buffers hold offset + length of them. */
static inline void made_plain(struct ArrowArray *a, int64_t length, int64_t offset, const char *valid, const void *data,
                       uint64_t size) {
  made_array(a, length, offset, 2, 0);
  made_valid(a, valid);
  made_buffer(a, 1, data, (uint64_t)(length + offset) * size);
}

/* A column of texts, NULL for none. large: 64-bit offsets. */
static inline void made_texts(struct ArrowArray *a, int64_t length, int64_t offset, const char *const *text, int large) {
  char bytes[1024], valid[64] = {0};
  int32_t small[64] = {0};
  int64_t wide[64] = {0}, at = 0;
  for (int64_t r = 0; r < length + offset; r++) {
    uint64_t n = text[r] ? strlen(text[r]) : 0;
    valid[r] = text[r] ? '1' : '0';
    if (n) memcpy(bytes + at, text[r], n);
    at += (int64_t)n;
    small[r + 1] = (int32_t)at;
    wide[r + 1] = at;
  }
  made_array(a, length, offset, 3, 0);
  if (strchr(valid, '0')) made_valid(a, valid);
  if (large) made_buffer(a, 1, wide, (uint64_t)(length + offset + 1) * 8);
  else made_buffer(a, 1, small, (uint64_t)(length + offset + 1) * 4);
  made_buffer(a, 2, bytes, (uint64_t)at);
}

/* ---- streams */

typedef struct made_stream {
  struct ArrowSchema schema;
  struct ArrowArray array[8];
  int64_t n, next;
  int fail_schema, fail_at; /* fail_at: get_next number, from 1 */
  int pulls, released;
} made_stream;

static inline int made_get_schema(struct ArrowArrayStream *s, struct ArrowSchema *out) {
  made_stream *x = s->private_data;
  if (x->fail_schema) return x->fail_schema;
  *out = x->schema; /* once is enough for these tests */
  x->schema.release = NULL;
  return 0;
}

static inline int made_get_next(struct ArrowArrayStream *s, struct ArrowArray *out) {
  made_stream *x = s->private_data;
  assert_false(x->released);
  if (++x->pulls == x->fail_at) return 5;
  memset(out, 0, sizeof *out);
  if (x->next < x->n) {
    *out = x->array[x->next];
    x->array[x->next++].release = NULL;
  }
  return 0;
}

static inline const char *made_last_error(struct ArrowArrayStream *s) {
  (void)s;
  return "the cable was cut";
}

static inline void made_stream_free(made_stream *x) { /* what was not given out */
  if (x->schema.release) x->schema.release(&x->schema);
  for (int64_t i = 0; i < x->n; i++)
    if (x->array[i].release) x->array[i].release(&x->array[i]);
}

static inline void made_stream_release(struct ArrowArrayStream *s) {
  made_stream *x = s->private_data;
  assert_non_null(s->release);
  assert_false(x->released);
  x->released = 1;
  made_stream_free(x);
  s->release = NULL;
  made_live--;
}

static inline void made_open(made_stream *x, struct ArrowArrayStream *out) {
  *out = (struct ArrowArrayStream){made_get_schema, made_get_next, made_last_error, made_stream_release, x};
  made_live++;
}

/* ---- a table that most tests use: a f64, i i32, s utf8, y i64 */

enum { MADE_COLS = 4 };
static inline void made_table_schema(struct ArrowSchema *s) {
  made_schema(s, "+s", "", MADE_COLS);
  made_schema(s->children[0], "g", "a", 0);
  made_schema(s->children[1], "i", "i", 0);
  made_schema(s->children[2], "u", "s", 0);
  made_schema(s->children[3], "l", "y", 0);
}

/* rows rows from row `first` on: a = r / 4, i = 7 r % 11, s one of three, y = r % 2. */
static inline void made_table_array(struct ArrowArray *a, int64_t first, int64_t rows) {
  static const char *const word[3] = {"red", "green", "blue"};
  double d[64];
  int32_t i[64];
  int64_t y[64];
  const char *s[64];
  assert_true(rows <= 60);
  for (int64_t k = 0; k < rows; k++) {
    int64_t r = first + k;
    d[k] = (double)r / 4;
    i[k] = (int32_t)(7 * r % 11);
    s[k] = word[r % 3];
    y[k] = r % 2;
  }
  made_array(a, rows, 0, 1, MADE_COLS);
  made_plain(a->children[0], rows, 0, NULL, d, 8);
  made_plain(a->children[1], rows, 0, NULL, i, 4);
  made_texts(a->children[2], rows, 0, s, 0);
  made_plain(a->children[3], rows, 0, NULL, y, 8);
}

static inline leat_dataset *made_dataset(leat_runtime *rt, const char *set, struct ArrowSchema *s, struct ArrowArray *a,
                                  leat_error *e) {
  leat_params *p = kit_params(rt, "reader/arrow", set);
  leat_dataset *d = NULL;
  *e = (leat_error){.struct_size = sizeof *e};
  leat_status st = leat_dataset_from_arrow(rt, NULL, p, s, a, &d, e);
  assert_int_equal(st, e->code);
  assert_true((st == 0) == (d != NULL));
  assert_true((st == 0) == (s->release == NULL)); /* moved on success, as it was on failure */
  assert_true((st == 0) == (a->release == NULL));
  leat_params_free(p);
  return d;
}

static inline leat_dataset *made_good(leat_runtime *rt, const char *set, struct ArrowSchema *s, struct ArrowArray *a) {
  leat_error e;
  leat_dataset *d = made_dataset(rt, set, s, a, &e);
  if (!d) fail_msg("%s", e.message);
  return d;
}

/* Fails so, and everything is still the caller's. Releases it. */
static inline void made_bad(leat_runtime *rt, const char *set, struct ArrowSchema *s, struct ArrowArray *a, leat_status code,
                     const char *part) {
  leat_error e;
  if (made_dataset(rt, set, s, a, &e)) fail_msg("taken, though: %s", part);
  if (e.code != code || !strstr(e.message, part)) fail_msg("got %d '%s', wanted %d '%s'", e.code, e.message, code, part);
  s->release(s);
  a->release(a);
}

/* A table of one column `x`, that the caller fills, beside a target. */
static inline void made_one(struct ArrowSchema *s, struct ArrowArray *a, const char *format, int64_t rows) {
  int64_t y[256];
  assert_true(rows <= 256);
  for (int64_t r = 0; r < 256; r++) y[r] = r & 1;
  made_schema(s, "+s", "", 2);
  made_schema(s->children[0], format, "x", 0);
  made_schema(s->children[1], "l", "y", 0);
  made_array(a, rows, 0, 1, 2);
  made_plain(a->children[1], rows, 0, NULL, y, 8);
}
#endif
