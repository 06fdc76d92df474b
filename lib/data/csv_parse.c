/* CSV text to columns, in parallel: the text is cut into pieces at line ends, a first pass finds out which of them are
 * record ends and how many records start in each piece, so that in a second pass every piece writes its rows to where
 * they belong. What is cut where depends on the text alone. */
#include <math.h>
#include <stdio.h>

#include "base/number.h"
#include "data/csv.h"
#include "data/decimal.h"

typedef struct csv_bytes { char *data; uint64_t cap, size; } csv_bytes;
typedef struct csv_piece {
  const char *from, *to;  /* a stretch of text, cut behind newlines */
  const char *first;      /* records that start in [first, to) are this piece's */
  int64_t row, rows, line, newlines;
  int quoted;
  const char *nul;
  lt_dict **labels;       /* of every LABEL column, when they are collected */
  csv_bytes *texts;       /* of every TEXT column */
  leat_error error;
} csv_piece;
typedef struct csv_job {
  lt_csv *c;
  const char *from, *to;
  csv_piece *piece;
  int64_t n;
  leat_batch *b;
} csv_job;

/* ---- first pass */

static void scan_piece(void *arg, int64_t i) {
  csv_piece *p = &((csv_job *)arg)->piece[i];
  lt_csv_scan s;
  lt_csv_scan_text(p->from, p->to, ((csv_job *)arg)->c, 0, &s);
  p->first = s.first;
  p->rows = s.records;
  p->newlines = s.newlines;
  p->quoted = s.quoted;
  p->nul = s.nul;
}

static leat_status cut(csv_job *job, leat_error *err) {
  const char **bound = NULL;
  leat_status st = lt_cut_lines(job->c->rt, job->from, job->to, job->c->piece, &bound, &job->n, err);
  if (st) return st;
  job->piece = lt_zarray(job->c->rt, (uint64_t)job->n, sizeof *job->piece);
  if (!job->piece) st = lt_fail_memory(err, (uint64_t)job->n * sizeof *job->piece, "the pieces of a file");
  for (int64_t i = 0; !st && i < job->n; i++) {
    job->piece[i].from = bound[i];
    job->piece[i].to = bound[i + 1];
  }
  if (st) job->n = 0;
  lt_free(job->c->rt, bound);
  return st;
}

/* Where records start, and their numbers, one piece after the other. A piece that turns out to begin inside a quoted
 * field is scanned again as such. */
static leat_status chain(csv_job *job, int64_t row, int64_t line, leat_error *err) {
  int quoted = 0;
  for (int64_t i = 0; i < job->n; i++) {
    csv_piece *p = &job->piece[i];
    if (quoted) {
      lt_csv_scan s;
      lt_csv_scan_text(p->from, p->to, job->c, 1, &s);
      p->first = s.first;
      p->rows = s.records;
      p->newlines = s.newlines;
      p->quoted = s.quoted;
    }
    p->row = row;
    p->line = line;
    if (p->nul) {
      for (const char *c = p->from; c < p->nul; c++) line += *c == '\n';
      return lt_fail_at(err, LEAT_E_FORMAT, 0, 0, "%s: line %lld: a NUL byte; this is not a text file in UTF-8",
                        job->c->name, (long long)line);
    }
    row += p->rows;
    line += p->newlines;
    quoted = p->quoted;
  }
  return LEAT_OK;
}

/* ---- second pass */

typedef struct row_parse {
  lt_csv *c;
  csv_piece *p;
  leat_batch *b;
  lt_csv_text t;
  int64_t base, row;    /* number of the batch's first row (from 1); row in the batch, from 0 */
  const char *record;
} row_parse;

static int64_t lines_to(const csv_piece *p, const char *at) {
  int64_t line = p->line;
  for (const char *c = p->from; c < at && (c = memchr(c, '\n', (uint64_t)(at - c))) != NULL; c++) line++;
  return line;
}

static lt_place place_of(const row_parse *q, const lt_csv_op *op) {
  lt_place at = {.file = q->c->name, .row = q->base + q->row};
  at.line = lines_to(q->p, q->record);
  if (op) {
    at.column = op - q->c->op + 1;
    at.name = lt_dict_text(q->c->names, op - q->c->op, NULL);
  }
  return at;
}

static leat_status missing_value(row_parse *q, const lt_csv_op *op) {
  if (!op->required && !op->weight) return LEAT_OK;
  lt_place at = place_of(q, op);
  return lt_fail_place(&q->p->error, &at,
                       op->weight ? "the weight is missing"
                                  : "the target is missing; training data needs it in every row");
}

static leat_status csv_number(row_parse *q, const lt_csv_op *op, const lt_field *f) {
  double v = NAN;
  if (lt_is_missing(&q->c->missing, f->s, f->len)) {
    leat_status st = missing_value(q, op);
    if (st) return st;
  } else if (!lt_parse_f64(f->s, f->s + f->len, &v)) {
    lt_place at = place_of(q, op);
    return lt_fail_number(&q->p->error, &at, f->s, f->len);
  }
  if (op->weight && !(v >= 0 && isfinite(v))) {
    lt_place at = place_of(q, op);
    return lt_fail_value(&q->p->error, &at, f->s, f->len, "is no weight; it must be finite and not negative");
  }
  ((double *)q->b->slot[op->column].data)[q->row] = v;
  return LEAT_OK;
}

static leat_status put_label(row_parse *q, const lt_csv_op *op, lt_field *f) {
  const lt_column *col = &q->c->schema->col[op->column];
  int32_t *out = (int32_t *)q->b->slot[op->column].data + q->row;
  if (lt_is_missing(&q->c->missing, f->s, f->len)) {
    *out = LT_MISSING;
    return missing_value(q, op);
  }
  if (q->c->fixed) {
    *out = lt_label_code(col, f->s, f->len);
    return LEAT_OK;
  }
  char buf[32];
  const char *s = f->s;
  uint64_t len = f->len;
  if (col->role == LEAT_ROLE_TARGET) s = lt_label_text(s, &len, buf);
  lt_dict **d = &q->p->labels[op->slot];
  int64_t code = 0;
  leat_status st = *d ? LEAT_OK : lt_dict_create(q->c->rt, d, &q->p->error);
  if (!st) st = lt_dict_add(*d, s, len, &code, &q->p->error);
  *out = (int32_t)code;
  return st;
}

static leat_status put_text(row_parse *q, const lt_csv_op *op, lt_field *f) {
  csv_bytes *t = &q->p->texts[op->slot];
  if (lt_is_missing(&q->c->missing, f->s, f->len)) f->len = 0;
  leat_status st = lt_grow(q->c->rt, (void **)&t->data, &t->cap, t->size + f->len + 1, 1, &q->p->error);
  if (st) return st;
  if (f->len) memcpy(t->data + t->size, f->s, f->len);
  t->size += f->len;
  q->b->slot[op->column].text->end[q->row + 1] = t->size; /* the piece's own start is added later */
  return LEAT_OK;
}

static leat_status put_other(row_parse *q, const lt_csv_op *op, const lt_field *f) {
  int64_t ns = INT64_MIN;
  int v = 255;
  if (lt_is_missing(&q->c->missing, f->s, f->len)) {
    leat_status st = missing_value(q, op);
    if (st) return st;
  } else if (op->op == LT_CSV_BOOL ? (v = lt_parse_bool(f->s, f->len)) < 0
                                   : !lt_parse_time(f->s, f->s + f->len, &ns)) {
    lt_place at = place_of(q, op);
    return lt_fail_value(&q->p->error, &at, f->s, f->len,
                         op->op == LT_CSV_BOOL
                             ? "is not true or false as the rows before; declare the column with --categorical"
                             : "is not a time (YYYY-MM-DD HH:MM:SS) as the rows before; declare the column with "
                               "--categorical");
  }
  if (op->op == LT_CSV_BOOL) ((uint8_t *)q->b->slot[op->column].data)[q->row] = (uint8_t)v;
  else ((int64_t *)q->b->slot[op->column].data)[q->row] = ns;
  return LEAT_OK;
}

static leat_status bad_field(row_parse *q, int what, int64_t i) {
  lt_place at = place_of(q, what == LT_FIELD_MEMORY ? NULL : &q->c->op[i]);
  if (what == LT_FIELD_MEMORY) return lt_fail_memory(&q->p->error, q->t.scratch_cap * 2, "a quoted field");
  return lt_fail_place(&q->p->error, &at,
                       what == LT_FIELD_OPEN
                           ? "the quoted field that begins here is never closed"
                           : "there is text behind a closing quote; write a quote inside a quoted field as \"\"");
}

static leat_status ragged(row_parse *q, int64_t found) {
  char why[128];
  lt_place at = place_of(q, NULL);
  snprintf(why, sizeof why, "%lld fields, expected %lld as in the %s", (long long)found, (long long)q->c->n,
           q->c->has_header ? "header" : "first row");
  return lt_fail_place(&q->p->error, &at, why);
}

static leat_status put_field(row_parse *q, const lt_csv_op *op, lt_field *f) {
  switch (op->op) {
    case LT_CSV_NUMBER: return csv_number(q, op, f);
    case LT_CSV_LABEL: return put_label(q, op, f);
    case LT_CSV_TEXT: return put_text(q, op, f);
    case LT_CSV_SKIP: return LEAT_OK;
    default: return put_other(q, op, f);
  }
}

static leat_status parse_record(row_parse *q) {
  const int64_t n = q->c->n;
  const char delim = q->t.delim;
  const lt_csv_op *op = q->c->op;
  lt_slot *const slot = q->b->slot;
  int end = LT_FIELD_MORE;
  for (int64_t i = 0; i < n; i++, op++) {
    if (end == LT_FIELD_LAST) return ragged(q, i);
    if (op->op == LT_CSV_NUMBER && q->t.end - q->t.p > LT_DECIMAL_ROOM + 1 && !op->weight) {
      double v;
      const char *p = lt_decimal(q->t.p, &v);
      if (p && (*p == delim || *p == '\n' || (*p == '\r' && p[1] == '\n'))) {
        ((double *)slot[op->column].data)[q->row] = v;
        p += *p == '\r';
        end = *p == '\n' ? LT_FIELD_LAST : LT_FIELD_MORE;
        q->t.p = p + 1;
        continue;
      }
    }
    lt_field f;
    end = lt_csv_field(&q->t, &f);
    if (end < 0) return bad_field(q, end, i);
    leat_status st = put_field(q, op, &f);
    if (st) return st;
  }
  if (end == LT_FIELD_LAST) return LEAT_OK;
  int64_t found = n;
  for (lt_field f; end == LT_FIELD_MORE; found++) end = lt_csv_field(&q->t, &f);
  return ragged(q, found);
}

static void parse_piece(void *arg, int64_t i) {
  csv_job *job = arg;
  csv_piece *p = &job->piece[i];
  row_parse q = {.c = job->c, .p = p, .b = job->b};
  p->error.struct_size = sizeof p->error;
  if (!p->rows) return;
  q.t = lt_csv_cursor(job->c, p->first, job->to);
  q.base = job->piece[0].row;
  q.row = p->row - q.base;
  int64_t end = q.row + p->rows;
  leat_status st = LEAT_OK;
  if (job->c->n_labels && !job->c->fixed) {
    p->labels = lt_zarray(job->c->rt, (uint64_t)job->c->n_labels, sizeof *p->labels);
    if (!p->labels) st = lt_fail_memory(&p->error, (uint64_t)job->c->n_labels * 8, "labels");
  }
  if (!st && job->c->n_texts) {
    p->texts = lt_zarray(job->c->rt, (uint64_t)job->c->n_texts, sizeof *p->texts);
    if (!p->texts) st = lt_fail_memory(&p->error, (uint64_t)job->c->n_texts * sizeof *p->texts, "texts");
  }
  for (; !st && q.row < end; q.row++) {
    q.t.p = lt_csv_skip_blank(q.t.p, q.t.end, q.t.delim);
    q.record = q.t.p;
    st = parse_record(&q);
  }
  lt_free(job->c->rt, q.t.scratch);
}

/* ---- afterwards */

/* Labels of all pieces, sorted, become the schema's; codes follow. */
static leat_status merge_labels(csv_job *job, leat_error *err) {
  lt_csv *c = job->c;
  leat_status st = LEAT_OK;
  for (int64_t k = 0; !st && k < c->n; k++) {
    const lt_csv_op *op = &c->op[k];
    if (op->op != LT_CSV_LABEL) continue;
    lt_dict *all = c->schema->col[op->column].labels;
    int64_t used = 0;
    for (int64_t i = 0; i < job->n; i++)
      if (job->piece[i].labels && job->piece[i].labels[op->slot]) used += lt_dict_count(job->piece[i].labels[op->slot]);
    int32_t *map = lt_array(c->rt, (uint64_t)used, sizeof *map);
    int64_t *sorted = NULL, code, at = 0;
    if (!map) st = lt_fail_memory(err, (uint64_t)used * sizeof *map, "labels");
    for (int64_t i = 0; !st && i < job->n; i++) {
      const lt_dict *d = job->piece[i].labels ? job->piece[i].labels[op->slot] : NULL;
      for (int64_t j = 0; !st && d && j < lt_dict_count(d); j++) {
        uint64_t len;
        const char *s = lt_dict_text(d, j, &len);
        st = lt_dict_add(all, s, len, &code, err);
        map[at++] = (int32_t)code;
      }
    }
    if (!st) {
      sorted = lt_array(c->rt, (uint64_t)lt_dict_count(all), sizeof *sorted);
      st = sorted ? lt_dict_sort(all, sorted, err) : lt_fail_memory(err, (uint64_t)lt_dict_count(all) * 8, "labels");
    }
    int32_t *out = job->b->slot[op->column].data;
    at = 0;
    for (int64_t i = 0; !st && i < job->n; i++) {
      const lt_dict *d = job->piece[i].labels ? job->piece[i].labels[op->slot] : NULL;
      if (!d) {
        out += job->piece[i].rows;
        continue;
      }
      for (int64_t r = 0; r < job->piece[i].rows; r++, out++)
        if (*out >= 0) *out = (int32_t)sorted[map[at + *out]];
      at += lt_dict_count(d);
    }
    lt_free(c->rt, map);
    lt_free(c->rt, sorted);
    if (!st && c->schema->col[op->column].role == LEAT_ROLE_TARGET) {
      char where[128];
      snprintf(where, sizeof where, "%.60s, column '%.40s'", c->name, c->schema->col[op->column].name);
      st = lt_target_check_classes(lt_dict_count(all), c->task, where, err);
    }
  }
  return st;
}

typedef struct text_job { csv_job *job; int32_t slot; lt_slot_text *t; uint64_t *base; } text_job;

static void move_text(void *arg, int64_t i) {
  text_job *x = arg;
  csv_piece *p = &x->job->piece[i];
  if (!p->rows) return;
  csv_bytes *bytes = &p->texts[x->slot];
  uint64_t *end = x->t->end + 1 + (p->row - x->job->piece[0].row);
  if (bytes->size) memcpy(x->t->text + x->base[i], bytes->data, bytes->size);
  for (int64_t r = 0; r < p->rows; r++) end[r] += x->base[i];
}

static leat_status join_texts(csv_job *job, leat_error *err) {
  lt_csv *c = job->c;
  uint64_t *base = lt_array(c->rt, (uint64_t)job->n, sizeof *base);
  if (!base) return lt_fail_memory(err, (uint64_t)job->n * sizeof *base, "texts");
  leat_status st = LEAT_OK;
  for (int64_t k = 0; !st && k < c->n; k++) {
    const lt_csv_op *op = &c->op[k];
    if (op->op != LT_CSV_TEXT) continue;
    uint64_t total = 0;
    for (int64_t i = 0; i < job->n; i++) {
      base[i] = total;
      if (job->piece[i].texts) total += job->piece[i].texts[op->slot].size;
    }
    int64_t rows = job->b->n;
    job->b->n = 0;
    st = lt_batch_slot_text(job->b, op->column, rows, total, err);
    job->b->n = rows;
    text_job x = {job, op->slot, job->b->slot[op->column].text, base};
    if (!st) st = lt_parallel_for(c->rt, job->n, move_text, &x);
  }
  lt_free(c->rt, base);
  return st;
}

/* A batch of the schema with room for `rows` rows in every column that the file fills. */
static leat_status room(lt_csv *c, int64_t rows, leat_batch **out, leat_error *err) {
  leat_batch *b = NULL;
  uint8_t *want = lt_zarray(c->rt, (uint64_t)c->schema->n, 1);
  if (!want) return lt_fail_memory(err, (uint64_t)c->schema->n, "a dataset");
  leat_status st = lt_batch_create(c->rt, c->schema, &b, err);
  for (int64_t i = 0; !st && i < c->n; i++) {
    if (c->op[i].op == LT_CSV_TEXT) st = lt_batch_slot_text(b, c->op[i].column, rows, 0, err);
    else if (c->op[i].op != LT_CSV_SKIP) want[c->op[i].column] = 1;
  }
  if (!st) st = lt_batch_arena(b, want, rows, err);
  lt_free(c->rt, want);
  if (st) {
    lt_batch_free(b);
    return st;
  }
  b->n = rows;
  *out = b;
  return LEAT_OK;
}

static void free_pieces(csv_job *job) {
  leat_runtime *rt = job->c->rt;
  for (int64_t i = 0; i < job->n; i++) {
    csv_piece *p = &job->piece[i];
    for (int64_t k = 0; p->labels && k < job->c->n_labels; k++) lt_dict_free(p->labels[k]);
    for (int64_t k = 0; p->texts && k < job->c->n_texts; k++) lt_free(rt, p->texts[k].data);
    lt_free(rt, p->labels);
    lt_free(rt, p->texts);
  }
  lt_free(rt, job->piece);
}

leat_status lt_csv_parse(lt_csv *c, const char *from, const char *to, int64_t row, int64_t line, leat_batch **out,
                         int64_t *lines, leat_error *err) {
  *out = NULL;
  csv_job job = {.c = c, .from = from, .to = to};
  leat_status st = cut(&job, err);
  if (!st) st = lt_parallel_for(c->rt, job.n, scan_piece, &job);
  if (!st) st = chain(&job, row, line, err);
  int64_t rows = 0;
  if (lines) *lines = 0;
  for (int64_t i = 0; !st && i < job.n; i++) {
    rows += job.piece[i].rows;
    if (lines) *lines += job.piece[i].newlines;
  }
  if (!st) st = room(c, rows, &job.b, err);
  if (!st) st = lt_parallel_for(c->rt, job.n, parse_piece, &job);
  for (int64_t i = 0; !st && i < job.n; i++) /* the first error in the file, whoever met it */
    if (job.piece[i].error.code) st = lt_fail_copy(err, &job.piece[i].error);
  if (!st && c->n_labels && !c->fixed) st = merge_labels(&job, err);
  if (!st && c->n_texts) st = join_texts(&job, err);
  if (st) {
    lt_batch_free(job.b);
  } else {
    lt_batch_sync(job.b);
    *out = job.b;
  }
  free_pieces(&job);
  return st;
}
