/* Text readers: the same rows, or the same error, whatever the text is cut into, at any number of threads, and as a
 * stream. */
#ifndef LEAT_TESTS_FUZZ_TEXT_CHECK_H
#define LEAT_TESTS_FUZZ_TEXT_CHECK_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/store.h"
#include "leat/leat.h"

typedef struct text_source { const uint8_t *data; size_t size, at; } text_source;

static inline void text_must(int holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "%s\n", what);
  abort();
}

static inline int64_t text_pull(void *user, void *buf, uint64_t cap) {
  text_source *s = user;
  size_t n = s->size - s->at < cap ? s->size - s->at : (size_t)cap;
  memcpy(buf, s->data + s->at, n);
  s->at += n;
  return (int64_t)n;
}

/* Reads the text; a stream is drained into a dataset in memory. stream 2: with grow. */
static inline leat_status text_read(leat_runtime *rt, const char *spec, const char *const *set, const leat_schema *s,
                                    const uint8_t *data, size_t size, int64_t piece, int64_t stream,
                                    leat_dataset **out, leat_error *err) {
  text_source src = {data, size, 0};
  leat_params *p = NULL;
  leat_status st = leat_params_create(rt, spec, &p, err);
  for (; !st && *set; set += 2) st = leat_params_set_text(p, set[0], set[1], err);
  if (!st) st = leat_params_set_i64(p, "piece_bytes", piece, err);
  if (!st) st = leat_params_set_i64(p, "stream", stream != 0, err);
  if (!st && stream == 2) st = leat_params_set_i64(p, "grow", 1, err);
  text_must(!st, err->message);
  leat_dataset *d = NULL;
  st = leat_dataset_from_reader(rt, s, p, "fuzz", text_pull, &src, &d, err);
  leat_params_free(p);
  *out = d;
  if (st || !stream) return st;
  leat_batch *all = NULL, *b = NULL;
  int64_t got = 1;
  *out = NULL;
  st = lt_batch_create(rt, lt_dataset_schema(d), &all, err);
  if (!st) st = lt_batch_create(rt, lt_dataset_schema(d), &b, err);
  while (!st && got) {
    lt_rows rows;
    st = leat_dataset_next(d, 3, b, &got, err);
    lt_batch_rows(b, &rows);
    if (!st) st = lt_batch_take_schema(all, lt_batch_schema(b), err);
    if (!st) st = lt_batch_append(all, &rows, 0, got, err);
  }
  leat_batch_free(b);
  leat_dataset_free(d);
  if (st) lt_batch_free(all);
  else st = lt_dataset_of(all, out, err);
  return st;
}

/* Everything that travels beside the rows, but their source. */
static inline uint64_t text_side(const leat_dataset *d) {
  const lt_side *s = lt_beside_view(d->base);
  uint64_t h = (uint64_t)d->n;
  for (int64_t r = 0; s && r < d->n; r++) {
    int32_t note[2] = {s->reason ? s->reason[r] : 0, s->reason ? s->column[r] : -1};
    h = lt_hash64(note, sizeof note, h);
    uint64_t len = s->raw_end ? s->raw_end[r] - s->raw_end[r - 1] : 0;
    h = lt_hash64(len ? s->raw + s->raw_end[r - 1] : "", len, h);
  }
  return s && (s->reason || s->raw_end) ? h : 0;
}

/* A stream with the schema of the first half of the text, to which labels of the second half are added: the same ones,
 * whatever the pieces and threads are. */
static inline void text_grow(leat_runtime *one, leat_runtime *three, const char *spec, const char *const *set,
                             const uint8_t *data, size_t size) {
  leat_dataset *half = NULL, *d[2] = {NULL};
  leat_schema *s = NULL;
  leat_error e[2] = {{.struct_size = sizeof *e}, {.struct_size = sizeof *e}};
  size_t n = size / 2;
  while (n && data[n - 1] != '\n') n--;
  if (!n || text_read(one, spec, set, NULL, data, n, 1 << 20, 0, &half, &e[0])) return;
  text_must(!leat_dataset_schema(half, &s, &e[0]), e[0].message);
  leat_status a = text_read(one, spec, set, s, data, size, 1 << 20, 2, &d[0], &e[0]);
  leat_status b = text_read(three, spec, set, s, data, size, 5, 2, &d[1], &e[1]);
  text_must(a == b, "pieces change whether a growing stream is taken");
  uint64_t x = 0, y = 0;
  if (!a) {
    text_must(!lt_dataset_checksum(d[0], &x, &e[0]) && !lt_dataset_checksum(d[1], &y, &e[1]), "checksum");
    text_must(x == y, "pieces change what a stream grows to");
    text_must(text_side(d[0]) == text_side(d[1]), "pieces change what is beside a growing stream's rows");
    text_must(lt_schema_extends(d[0]->schema, s), "a schema that grew is another one");
  }
  leat_schema_free(s);
  leat_dataset_free(half);
  for (int k = 0; k < 2; k++) leat_dataset_free(d[k]);
}

static inline void text_check(const char *spec, const char *const *set, const uint8_t *data, size_t size) {
  static leat_runtime *one, *three;
  leat_error e[4];
  leat_dataset *d[4] = {NULL};
  leat_status st[4];
  for (int k = 0; k < 4; k++) e[k] = (leat_error){.struct_size = sizeof e[k]};
  if (!one) {
    leat_runtime_opts o = {.struct_size = sizeof o, .n_threads = 1};
    text_must(!leat_runtime_create(&o, &one, &e[0]), e[0].message);
    o.n_threads = 3;
    text_must(!leat_runtime_create(&o, &three, &e[0]), e[0].message);
  }
  st[0] = text_read(one, spec, set, NULL, data, size, 1 << 20, 0, &d[0], &e[0]);
  st[1] = text_read(three, spec, set, NULL, data, size, 1, 0, &d[1], &e[1]);
  text_must(st[0] == st[1], "pieces change whether a file is taken");
  if (st[0] && strcmp(e[0].message, e[1].message)) fprintf(stderr, "one piece: %s\nmany: %s\n", e[0].message, e[1].message);
  if (st[0]) text_must(!strcmp(e[0].message, e[1].message), "pieces change the error");
  uint64_t sum[4] = {0};
  leat_schema *s = NULL;
  if (!st[0]) {
    for (int k = 0; k < 2; k++) text_must(!lt_dataset_checksum(d[k], &sum[k], &e[k]), e[k].message);
    text_must(sum[0] == sum[1], "pieces change the rows");
    text_must(text_side(d[0]) == text_side(d[1]), "pieces change what is beside the rows");
    text_must(!leat_dataset_schema(d[0], &s, &e[0]), e[0].message);
    /* read with its own schema, at once and as a stream of tiny blocks */
    st[2] = text_read(three, spec, set, s, data, size, 7, 0, &d[2], &e[2]);
    st[3] = text_read(three, spec, set, s, data, size, 5, 1, &d[3], &e[3]);
    if (!st[2] && !st[3]) {
      for (int k = 2; k < 4; k++) text_must(!lt_dataset_checksum(d[k], &sum[k], &e[k]), e[k].message);
      text_must(sum[2] == sum[3], "a stream gives other rows");
      text_must(text_side(d[2]) == text_side(d[3]), "a stream has other things beside its rows");
    } else {
      if (st[2] != st[3]) fprintf(stderr, "at once: %s\nstream: %s\n", e[2].message, e[3].message);
      text_must(st[2] == st[3], "a stream takes what is refused at once, or the reverse");
    }
  }
  /* a stream that learns its schema from all of it (one block) */
  leat_dataset *x = NULL;
  leat_error ex = {.struct_size = sizeof ex};
  leat_status again = text_read(one, spec, set, NULL, data, size, 1 << 20, 1, &x, &ex);
  if (again != st[0]) fprintf(stderr, "at once: %s\nstream: %s\n", e[0].message, ex.message);
  text_must(again == st[0], "a stream takes what is refused at once, or the reverse (window)");
  if (!again) {
    uint64_t y = 0;
    text_must(!lt_dataset_checksum(x, &y, &ex) && y == sum[0], "a stream of one block gives other rows");
    text_must(text_side(x) == text_side(d[0]), "a stream of one block has other things beside its rows");
  }
  text_grow(one, three, spec, set, data, size);
  leat_dataset_free(x);
  leat_schema_free(s);
  for (int k = 0; k < 4; k++) leat_dataset_free(d[k]);
}
#endif
