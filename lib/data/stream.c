/* Text in passes: a window of whole records is held, parsed and handed on. */
#include "data/reader.h"

#include <string.h>

leat_status lt_cut_lines(leat_runtime *rt, const char *from, const char *to, int64_t piece, const char ***bounds,
                         int64_t *n, leat_error *err) {
  int64_t most = (to - from) / piece + 2;
  const char **b = lt_array(rt, (uint64_t)most, sizeof *b);
  *n = 0;
  *bounds = b;
  if (!b) return lt_fail_memory(err, (uint64_t)most * sizeof *b, "the pieces of a file");
  const char *p = from;
  b[0] = p;
  while (p < to) {
    const char *q = NULL;
    if (to - p > piece) q = memchr(p + piece - 1, '\n', (uint64_t)(to - (p + piece - 1)));
    p = q ? q + 1 : to;
    b[++*n] = p;
  }
  return LEAT_OK;
}

typedef struct text_stream {
  leat_runtime *rt;
  const lt_text_format *format;
  void *self;
  lt_source *src;
  char *buf;             /* text [at, size) is not parsed yet */
  uint64_t cap, at, size, block_bytes;
  int ended;
  uint64_t skip;         /* bytes of the source before the first record */
  int64_t row, line;     /* of the text at `at` */
  int64_t first_line;
  int keep;              /* errors=keep */
  leat_batch *block;     /* parsed rows; [given, block->n) are still to be handed on */
  int64_t given;
} text_stream;

static void stream_free(void *self) {
  text_stream *x = self;
  leat_runtime *rt = x->rt;
  lt_batch_free(x->block);
  x->format->release(x->self);
  lt_source_free(x->src);
  lt_free(rt, x->buf);
  lt_free(rt, x);
}

/* More text, so that at least `want` bytes are held, or all there is. */
static leat_status fill(text_stream *x, uint64_t want, leat_error *err) {
  if (x->at) {
    memmove(x->buf, x->buf + x->at, x->size - x->at);
    x->size -= x->at;
    x->at = 0;
  }
  if (want > lt_runtime_load_budget(x->rt))
    return lt_fail(err, LEAT_E_MEMORY, "%s: a record or the first window is larger than the runtime's load budget",
                   lt_source_name(x->src));
  leat_status st = lt_grow(x->rt, (void **)&x->buf, &x->cap, want, 1, err);
  while (!st && !x->ended && x->size < want) {
    uint64_t got = 0;
    st = lt_source_read(x->src, x->buf + x->size, want - x->size, &got, err);
    if (!st) x->ended = !got;
    x->size += got;
  }
  return st;
}

/* errors=keep: a line that is longer than a record may be is held in part only, whatever its length. Its record cannot be
 * read in any case. */
static leat_status squeeze(text_stream *x, leat_error *err) {
  uint64_t kept = LT_RECORD_MOST + 64;
  leat_status st = LEAT_OK;
  while (!st && !x->ended && x->at == 0 && x->size > 2 * LT_RECORD_MOST && !memchr(x->buf, '\n', x->size)) {
    uint64_t got = 0;
    st = lt_source_read(x->src, x->buf + kept, x->size - kept, &got, err);
    x->ended = !st && !got;
    const char *newline = got ? memchr(x->buf + kept, '\n', got) : NULL;
    uint64_t from = newline ? (uint64_t)(newline - x->buf) : kept + got;
    if (newline || x->ended) {
      memmove(x->buf + kept, x->buf + from, kept + got - from);
      x->size = kept + (kept + got - from);
    }
  }
  return st;
}

/* Parses the next whole records, of about block_bytes, into block; when none are left, block stays NULL. */
static leat_status next_block(text_stream *x, leat_error *err) {
  lt_batch_free(x->block);
  x->block = NULL;
  x->given = 0;
  leat_status st = LEAT_OK;
  for (uint64_t want = x->block_bytes; !st; want *= 2) {
    if (x->size - x->at < want && !x->ended) st = fill(x, want, err);
    if (!st && x->keep) st = squeeze(x, err);
    if (st) break;
    uint64_t have = x->size - x->at < want ? x->size - x->at : want;
    int last = x->ended && have == x->size - x->at;
    int64_t records, lines;
    const char *from = x->buf + x->at;
    const char *to = x->format->whole(x->self, from, from + have, last, &records);
    if (!records && last) break;
    if (!records) continue;
    st = x->format->parse(x->self, from, to, x->row, x->line, &x->block, &lines, err);
    if (st) break;
    st = lt_batch_name_source(x->block, lt_source_name(x->src), x->row - 1, err);
    if (st) break;
    x->at += (uint64_t)(to - from);
    x->row += x->block->n;
    x->line += lines;
    break;
  }
  return st;
}

static leat_status stream_next(void *self, int64_t max_rows, leat_batch *rows, int64_t *got, leat_error *err) {
  text_stream *x = self;
  leat_status st = LEAT_OK;
  while (!st && *got < max_rows) {
    if (!x->block || x->given == x->block->n) {
      st = next_block(x, err);
      if (st || !x->block) break;
    }
    lt_rows view;
    lt_batch_rows(x->block, &view);
    int64_t n = x->block->n - x->given < max_rows - *got ? x->block->n - x->given : max_rows - *got;
    st = lt_batch_take_schema(rows, x->block->schema, err);
    if (!st) st = lt_batch_append(rows, &view, x->given, n, err);
    if (st) break;
    x->given += n;
    *got += n;
  }
  if (st) {
    lt_batch_clear(rows);
    *got = 0;
  }
  return st;
}

static leat_status stream_rewind(void *self, leat_error *err) {
  text_stream *x = self;
  leat_status st = lt_source_rewind(x->src, err);
  if (st) return st;
  lt_batch_free(x->block);
  x->block = NULL;
  x->given = 0;
  x->at = x->size = 0;
  x->ended = 0;
  x->row = 1;
  x->line = x->first_line;
  st = fill(x, x->skip > x->block_bytes ? x->skip : x->block_bytes, err);
  if (!st && x->size < x->skip)
    st = lt_fail(err, LEAT_E_FORMAT, "%s: the file has become shorter", lt_source_name(x->src));
  if (!st) x->at = x->skip;
  return st;
}

/* The first window: at least `rows` records behind the header, and enough to know the format by. */
static leat_status first_window(text_stream *x, int64_t rows, leat_error *err) {
  enum { LEAST = 1 << 21 };
  int64_t records = 0, lines = 0;
  uint64_t want = x->block_bytes > LEAST ? x->block_bytes : LEAST;
  leat_status st = fill(x, want, err);
  while (!st && !x->ended && !memchr(x->buf, '\n', x->size)) st = fill(x, want *= 2, err);
  if (st) return st;
  const char *data = x->size ? x->buf : "", *start = data, *end = data + x->size;
  while (!x->ended && end[-1] != '\n') end--; /* no half line is looked at */
  st = x->format->head(x->self, &data, end, &x->line, err);
  if (st) return st;
  x->skip = (uint64_t)(data - start);
  x->first_line = x->line;
  x->row = 1;
  const char *from, *to;
  for (;;) {
    from = x->buf + x->skip;
    to = x->format->whole(x->self, from, x->buf + x->size, x->ended, &records);
    if (x->ended || records >= rows) break;
    st = fill(x, want *= 2, err);
    if (st) return st;
  }
  x->at = x->skip;
  st = x->format->plan(x->self, from, to, x->line, &x->block, &lines, err);
  if (!st && x->block) st = lt_batch_name_source(x->block, lt_source_name(x->src), 0, err);
  if (st || !x->block) return st;
  x->at += (uint64_t)(to - from);
  x->row += x->block->n;
  x->line += lines;
  return LEAT_OK;
}

leat_status lt_text_stream(leat_runtime *rt, const lt_text_format *format, void *self, lt_source *src,
                           const leat_params *p, leat_dataset **out, leat_error *err) {
  text_stream *x = lt_zalloc(rt, sizeof *x);
  if (!x) {
    format->release(self);
    lt_source_free(src);
    return lt_fail_memory(err, sizeof *x, "a stream");
  }
  x->rt = rt;
  x->format = format;
  x->self = self;
  x->src = src;
  x->keep = lt_param_is(p, "errors", "keep");
  x->block_bytes = 2 * (uint64_t)lt_param_int(p, "piece_bytes");
  leat_status st = first_window(x, lt_param_int(p, "chunk_rows"), err);
  if (st) {
    stream_free(x);
    return st;
  }
  lt_stream stream = {x, stream_next, stream_rewind, stream_free};
  return lt_dataset_of_stream(rt, format->schema(self), &stream, out, err);
}
