/* A CSV file in passes: a window of whole records is held, parsed and handed on. */
#include "data/csv.h"

enum { BLOCK = 1 << 21 };

typedef struct csv_stream {
  lt_csv c;
  lt_source *src;
  char *buf;             /* text [at, size) is not parsed yet */
  uint64_t cap, at, size;
  int ended;
  uint64_t skip;         /* bytes of the source before the first row */
  int64_t row, line;     /* of the text at `at` */
  int64_t first_line;
  leat_batch *block;     /* parsed rows; [given, block->n) are still to be handed on */
  int64_t given;
} csv_stream;

static void stream_free(void *self) {
  csv_stream *x = self;
  if (!x) return;
  leat_runtime *rt = x->c.rt;
  lt_batch_free(x->block);
  lt_csv_clear(&x->c);
  lt_source_free(x->src);
  lt_free(rt, x->buf);
  lt_free(rt, x);
}

/* More text, so that at least `want` bytes are held, or all there is. */
static leat_status fill(csv_stream *x, uint64_t want, leat_error *err) {
  if (x->at) {
    memmove(x->buf, x->buf + x->at, x->size - x->at);
    x->size -= x->at;
    x->at = 0;
  }
  if (want > lt_runtime_load_budget(x->c.rt))
    return lt_fail(err, LEAT_E_DATA, "%s: a record is longer than the runtime's load budget", x->c.name);
  leat_status st = lt_grow(x->c.rt, (void **)&x->buf, &x->cap, want, 1, err);
  while (!st && !x->ended && x->size < want) {
    uint64_t got = 0;
    st = lt_source_read(x->src, x->buf + x->size, x->cap - x->size, &got, err);
    x->size += got;
    x->ended = !got;
  }
  return st;
}

/* Where the whole records of the text end that is held. */
static const char *whole_records(const csv_stream *x, int64_t *records) {
  lt_csv_scan s;
  const char *from = x->buf + x->at, *to = x->buf + x->size;
  lt_csv_scan_text(from, to, &x->c, 0, &s);
  *records = s.whole;
  return x->ended ? to : s.tail;
}

/* Parses the next whole records into block; none are left when block stays NULL. */
static leat_status next_block(csv_stream *x, leat_error *err) {
  lt_batch_free(x->block);
  x->block = NULL;
  x->given = 0;
  leat_status st = LEAT_OK;
  for (uint64_t want = BLOCK; !st; want *= 2) {
    if (x->size - x->at < want && !x->ended) st = fill(x, want, err);
    if (st) break;
    int64_t records, lines;
    const char *from = x->buf + x->at, *to = whole_records(x, &records);
    if (to == from || (!records && !x->ended)) {
      if (x->ended) return LEAT_OK;
      continue;
    }
    st = lt_csv_parse(&x->c, from, to, x->row, x->line, &x->block, &lines, err);
    if (st) break;
    x->at += (uint64_t)(to - from);
    x->row += x->block->n;
    x->line += lines;
    if (!x->block->n) {
      lt_batch_free(x->block);
      x->block = NULL;
      if (!x->ended) continue;
    }
    return LEAT_OK;
  }
  return st;
}

static leat_status stream_next(void *self, int64_t max_rows, leat_batch *rows, int64_t *got, leat_error *err) {
  csv_stream *x = self;
  leat_status st = LEAT_OK;
  while (!st && *got < max_rows) {
    if (!x->block || x->given == x->block->n) {
      st = next_block(x, err);
      if (st || !x->block) break;
    }
    lt_rows view;
    lt_batch_rows(x->block, &view);
    int64_t n = x->block->n - x->given < max_rows - *got ? x->block->n - x->given : max_rows - *got;
    st = lt_batch_append(rows, &view, x->given, n, err);
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
  csv_stream *x = self;
  leat_status st = lt_source_rewind(x->src, err);
  if (st) return st;
  lt_batch_free(x->block);
  x->block = NULL;
  x->given = 0;
  x->at = x->size = 0;
  x->ended = 0;
  x->row = 1;
  x->line = x->first_line;
  st = fill(x, x->skip > BLOCK ? x->skip : BLOCK, err);
  if (!st && x->size < x->skip) st = lt_fail(err, LEAT_E_FORMAT, "%s: the file has become shorter", x->c.name);
  if (!st) x->at = x->skip;
  return st;
}

/* The first window: at least `rows` records behind the header. */
static leat_status first_window(csv_stream *x, const leat_params *p, const leat_schema *s, leat_error *err) {
  int64_t rows = lt_param_int(p, "chunk_rows"), records = 0;
  uint64_t want = BLOCK;
  leat_status st = fill(x, want, err);
  const char *data = x->buf;
  if (!st && !x->ended && !memchr(x->buf, '\n', x->size)) /* a very long first line: the header needs it whole */
    while (!st && !x->ended && !memchr(x->buf, '\n', x->size)) st = fill(x, want *= 2, err);
  data = x->buf;
  if (!st) st = lt_csv_head(&x->c, p, s, &data, x->buf + x->size, &x->line, err);
  if (st) return st;
  x->skip = (uint64_t)(data - x->buf);
  x->first_line = x->line;
  x->row = 1;
  for (;;) {
    x->at = x->skip;
    whole_records(x, &records);
    x->at = 0;
    if (x->ended || records >= rows) break;
    st = fill(x, want *= 2, err);
    if (st) return st;
  }
  x->at = x->skip;
  const char *from = x->buf + x->at, *to = whole_records(x, &records);
  st = lt_csv_plan(&x->c, p, s, from, to, x->line, err);
  if (st || x->c.fixed) return st;
  /* labels and classes are those of the window; it becomes the first block */
  int64_t lines;
  st = lt_csv_parse(&x->c, from, to, 1, x->line, &x->block, &lines, err);
  if (!st) st = lt_csv_finish_target(&x->c, x->block, err);
  if (st) return st;
  x->at += (uint64_t)(to - from);
  x->row += x->block->n;
  x->line += lines;
  x->c.fixed = 1;
  for (int64_t i = 0; i < x->c.n; i++) {
    lt_csv_op *op = &x->c.op[i];
    if (op->op == LT_CSV_NUMBER && x->c.schema->col[op->column].kind == LEAT_CATEGORY) op->op = LT_CSV_LABEL;
  }
  return LEAT_OK;
}

leat_status lt_csv_stream(leat_runtime *rt, const leat_schema *s, lt_source *src, const leat_params *p,
                          leat_dataset **out, leat_error *err) {
  csv_stream *x = lt_zalloc(rt, sizeof *x);
  if (!x) {
    lt_source_free(src);
    return lt_fail_memory(err, sizeof *x, "a stream");
  }
  x->c.rt = rt;
  x->c.name = lt_source_name(src);
  x->src = src;
  leat_status st = first_window(x, p, s, err);
  if (st) {
    stream_free(x);
    return st;
  }
  lt_stream stream = {x, stream_next, stream_rewind, stream_free};
  return lt_dataset_of_stream(rt, x->c.schema, &stream, out, err);
}
