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
  const char *nul, *next; /* next: behind its last record (errors=keep) */
  int64_t bad;
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
  int nul;                /* errors=keep: there are NUL bytes, which make a record unreadable */
} csv_job;

/* ---- first pass */

static void scan_piece(void *arg, int64_t i) {
  csv_job *job = arg;
  csv_piece *p = &job->piece[i];
  lt_csv_scan s;
  if (job->c->keep) lt_csv_scan_kept(p->from, p->to, job->to, job->c, &s);
  else lt_csv_scan_text(p->from, p->to, job->c, 0, &s);
  p->next = s.next;
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
  const char *at = job->from;
  for (int64_t i = 0; job->c->keep && i < job->n; i++) {
    csv_piece *p = &job->piece[i];
    lt_csv_scan s;
    if (at >= p->to) {
      p->first = p->to;
      p->rows = 0;
      p->next = at;
    } else if (at > p->from) { /* a record of the piece before it reaches into this one */
      lt_csv_scan_kept(at, p->to, job->to, job->c, &s);
      p->first = s.first;
      p->rows = s.records;
      p->next = s.next;
    }
    at = p->next;
    p->quoted = 0;
    job->nul |= p->nul != NULL;
  }
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
    if (p->nul && !job->c->keep) {
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

enum { NUMBER_MOST = 4096 }; /* bytes of a number (errors=keep): reading one takes more than linear time */
typedef struct late_label { const lt_csv_op *op; lt_field f; int64_t at; } late_label; /* at: in late_text, -1: f.s stays */
typedef struct row_parse {
  lt_csv *c;
  csv_piece *p;
  leat_batch *b;
  lt_csv_text t;
  int64_t base, row;    /* number of the batch's first row (from 1); row in the batch, from 0 */
  const char *record;
  lt_notes *notes;
  int nul;              /* as of the job */
  int32_t reason, column;
  late_label *late;     /* errors=keep: labels that may be new are entered when their record turns out to be good */
  int64_t n_late;
  int64_t *seen;        /* ndjson: the last row, from 1, that has the column */
  csv_bytes late_text;
} row_parse;

/* errors=keep: the record cannot be read. */
static leat_status give_up(row_parse *q, int32_t reason, const lt_csv_op *op) {
  q->reason = reason;
  q->column = op ? op->column : -1;
  return LEAT_E_DATA;
}

static leat_status wrong_value(row_parse *q, const lt_csv_op *op, int32_t reason) {
  int target = q->c->schema->col[op->column].role == LEAT_ROLE_TARGET;
  return give_up(q, target ? LEAT_REASON_LABEL_INVALID : op->weight ? LEAT_REASON_WEIGHT : reason, op);
}

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
  if (q->c->keep) return op->weight ? give_up(q, LEAT_REASON_WEIGHT, op) : LEAT_OK;
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
  } else if ((q->c->keep && f->len > NUMBER_MOST) || !lt_parse_f64(f->s, f->s + f->len, &v)) {
    if (q->c->keep) return wrong_value(q, op, LEAT_REASON_TYPE);
    lt_place at = place_of(q, op);
    return lt_fail_number(&q->p->error, &at, f->s, f->len);
  }
  if (q->c->keep && isinf(v)) return wrong_value(q, op, LEAT_REASON_NON_FINITE);
  if (op->weight && !(v >= 0 && isfinite(v))) {
    if (q->c->keep) return give_up(q, LEAT_REASON_WEIGHT, op);
    lt_place at = place_of(q, op);
    return lt_fail_value(&q->p->error, &at, f->s, f->len, "is no weight; it must be finite and not negative");
  }
  ((double *)q->b->slot[op->column].data)[q->row] = v;
  return LEAT_OK;
}

/* A target whose labels are numbers: text that is none is no label of it. */
static int no_label(const lt_csv_op *op, const char *s, uint64_t len) {
  double v;
  return op->numbers && !(lt_parse_f64(s, s + len, &v) && isfinite(v));
}

/* A label that the schema does not have; known: how many it has. */
static leat_status grown_label(row_parse *q, const lt_csv_op *op, const char *s, uint64_t len, int64_t known,
                               int32_t *out) {
  lt_dict **d = &q->p->labels[op->slot];
  int64_t code = 0;
  if (no_label(op, s, len)) return LEAT_OK;
  leat_status st = *d ? LEAT_OK : lt_dict_create(q->c->rt, d, &q->p->error);
  if (!st) st = lt_dict_add(*d, s, len, &code, &q->p->error);
  if (!st) *out = (int32_t)(known + code);
  return st;
}

static leat_status put_label(row_parse *q, const lt_csv_op *op, lt_field *f) {
  const lt_column *col = &q->c->schema->col[op->column];
  int32_t *out = (int32_t *)q->b->slot[op->column].data + q->row;
  if (lt_is_missing(&q->c->missing, f->s, f->len)) {
    *out = LT_MISSING;
    return missing_value(q, op);
  }
  char buf[32];
  const char *s = f->s;
  uint64_t len = f->len;
  if (q->c->fixed) {
    *out = lt_label_code(col, s, len);
    if (*out == LT_UNSEEN && q->c->keep && no_label(op, s, len)) return give_up(q, LEAT_REASON_LABEL_INVALID, op);
    if (*out != LT_UNSEEN || !q->c->grow) return LEAT_OK;
    if (col->role == LEAT_ROLE_TARGET) s = lt_label_text(s, &len, buf);
    return grown_label(q, op, s, len, lt_dict_count(col->labels), out);
  }
  if (col->role == LEAT_ROLE_TARGET) s = lt_label_text(s, &len, buf);
  lt_dict **d = &q->p->labels[op->slot];
  int64_t code = 0;
  leat_status st = *d ? LEAT_OK : lt_dict_create(q->c->rt, d, &q->p->error);
  if (!st) st = lt_dict_add(*d, s, len, &code, &q->p->error);
  *out = (int32_t)code;
  return st;
}

static leat_status label_later(row_parse *q, const lt_csv_op *op, const lt_field *f) {
  if (no_label(op, f->s, f->len) && !lt_is_missing(&q->c->missing, f->s, f->len))
    return give_up(q, LEAT_REASON_LABEL_INVALID, op);
  late_label *l = &q->late[q->n_late++];
  *l = (late_label){op, *f, -1};
  if (!f->len || f->s != q->t.scratch) return LEAT_OK;
  csv_bytes *t = &q->late_text; /* the scratch is the next field's */
  leat_status st = lt_grow(q->c->rt, (void **)&t->data, &t->cap, t->size + f->len, 1, &q->p->error);
  if (st) return st;
  memcpy(t->data + t->size, f->s, f->len);
  l->at = (int64_t)t->size;
  t->size += f->len;
  return LEAT_OK;
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
    if (q->c->keep) return wrong_value(q, op, LEAT_REASON_TYPE);
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
  if (q->c->keep && what != LT_FIELD_MEMORY) return give_up(q, LEAT_REASON_PARSE, NULL);
  lt_place at = place_of(q, what == LT_FIELD_MEMORY ? NULL : &q->c->op[i]);
  if (what == LT_FIELD_MEMORY) return lt_fail_memory(&q->p->error, q->t.scratch_cap * 2, "a quoted field");
  return lt_fail_place(&q->p->error, &at,
                       what == LT_FIELD_OPEN
                           ? "the quoted field that begins here is never closed"
                           : "there is text behind a closing quote; write a quote inside a quoted field as \"\"");
}

static leat_status ragged(row_parse *q, int64_t found) {
  if (q->c->keep) return give_up(q, LEAT_REASON_PARSE, NULL);
  char why[128];
  lt_place at = place_of(q, NULL);
  snprintf(why, sizeof why, "%lld fields, expected %lld as in the %s", (long long)found, (long long)q->c->n,
           q->c->has_header ? "header" : "first row");
  return lt_fail_place(&q->p->error, &at, why);
}

static leat_status put_field(row_parse *q, const lt_csv_op *op, lt_field *f) {
  switch (op->op) {
    case LT_CSV_NUMBER: return csv_number(q, op, f);
    case LT_CSV_LABEL: return q->late ? label_later(q, op, f) : put_label(q, op, f);
    case LT_CSV_TEXT: return put_text(q, op, f);
    case LT_CSV_SKIP: return LEAT_OK;
    default: return put_other(q, op, f);
  }
}

static leat_status json_wrong(row_parse *q, int more, const lt_csv_op *op, const char *to) {
  if (more == LT_FIELD_MEMORY) return lt_fail_memory(&q->p->error, q->t.scratch_cap * 2, "a string");
  if (q->c->keep) return give_up(q, op ? LEAT_REASON_TYPE : LEAT_REASON_PARSE, op && op->op != LT_CSV_SKIP ? op : NULL);
  lt_place at = place_of(q, op);
  if (op) return lt_fail_place(&q->p->error, &at, "the value is an object or array; only flat records are read (ignore=...)");
  return lt_json_fail(&q->p->error, &at, q->record, to, q->t.p);
}

/* A record of ndjson: values by their names, in any order; what is not there is missing. */
static leat_status json_record(row_parse *q) {
  lt_csv *c = q->c;
  const char *all = q->t.end, *newline = memchr(q->record, '\n', (uint64_t)(all - q->record));
  const char *to = newline ? newline : all;
  leat_status st = LEAT_OK;
  q->t.end = to;
  int more = lt_json_open(&q->t), nested = 0;
  for (int64_t hint = 0; !st && more == LT_FIELD_MORE;) {
    lt_field key, f;
    more = lt_json_field(&q->t, &key, &f, &nested);
    int64_t i = more < 0 ? -1 : lt_json_column(c, &key, hint);
    if (i < 0) continue;
    hint = i + 1;
    if (q->seen[i] == q->row + 1) st = json_wrong(q, LT_FIELD_JUNK, NULL, to);
    q->seen[i] = q->row + 1;
    const lt_csv_op *op = &c->op[i];
    if (st || op->op == LT_CSV_SKIP) continue;
    st = nested ? json_wrong(q, LT_FIELD_JUNK, op, to) : put_field(q, op, &f);
  }
  if (!st && more < 0) st = json_wrong(q, more, NULL, to);
  for (int64_t i = 0; !st && i < c->n; i++) {
    lt_field none = {"", 0};
    if (q->seen[i] != q->row + 1) st = put_field(q, &c->op[i], &none);
  }
  q->t.end = all;
  q->t.p = newline ? newline + 1 : all;
  return st;
}

static leat_status parse_record(row_parse *q) {
  if (q->c->json) return json_record(q);
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
  if (q->c->keep) return give_up(q, LEAT_REASON_PARSE, NULL);
  int64_t found = n;
  for (lt_field f; end == LT_FIELD_MORE; found++) end = lt_csv_field(&q->t, &f);
  return ragged(q, found);
}

/* Row q->row has no fields. */
static void blank_row(row_parse *q) {
  for (int64_t k = 0; k < q->c->n; k++) {
    const lt_csv_op *op = &q->c->op[k];
    if (op->op == LT_CSV_SKIP) continue;
    lt_slot *s = &q->b->slot[op->column];
    switch (op->op) {
      case LT_CSV_NUMBER: ((double *)s->data)[q->row] = (double)NAN; break;
      case LT_CSV_LABEL: ((int32_t *)s->data)[q->row] = LT_MISSING; break;
      case LT_CSV_BOOL: ((uint8_t *)s->data)[q->row] = 255; break;
      case LT_CSV_TIME: ((int64_t *)s->data)[q->row] = INT64_MIN; break;
      default: { /* what the record's text had put in is taken out */
        int64_t first = q->p->row - q->base;
        q->p->texts[op->slot].size = q->row > first ? s->text->end[q->row] : 0;
        s->text->end[q->row + 1] = q->p->texts[op->slot].size;
        break;
      }
    }
  }
}

static leat_status enter_labels(row_parse *q) {
  leat_status st = LEAT_OK;
  for (int64_t k = 0; !st && k < q->n_late; k++) {
    late_label *l = &q->late[k];
    if (l->at >= 0) l->f.s = q->late_text.data + l->at;
    st = put_label(q, l->op, &l->f);
  }
  return st;
}

/* A record under errors=keep. */
static leat_status kept_record(row_parse *q) {
  q->reason = 0;
  q->n_late = 0;
  q->late_text.size = 0;
  leat_status st = parse_record(q);
  if (!st && q->t.p - q->record > LT_RECORD_MOST) st = give_up(q, LEAT_REASON_PARSE, NULL);
  if (!st && q->nul && memchr(q->record, 0, (uint64_t)(q->t.p - q->record))) st = give_up(q, LEAT_REASON_PARSE, NULL);
  if (!st && q->n_late) st = enter_labels(q);
  if (!st || st != LEAT_E_DATA || !q->reason) return st;
  q->t.p = lt_csv_record_end(q->c, q->record, q->t.end, 1);
  if (q->t.p - q->record > LT_RECORD_MOST) {
    q->reason = LEAT_REASON_TOO_LONG;
    q->column = -1;
  } else if (q->column >= 0 && ((q->c->json ? !lt_json_whole(q->c, q->record, q->t.p)
                                               : lt_csv_count(q->c, q->record, q->t.p) != q->c->n) ||
                                (q->nul && memchr(q->record, 0, (uint64_t)(q->t.p - q->record))))) {
    q->reason = LEAT_REASON_PARSE; /* fields that are not where they should be are no wonder */
    q->column = -1;
  }
  blank_row(q);
  lt_note_bad(q->notes, q->row, q->reason, q->column, q->record, q->t.p);
  q->p->bad++;
  return LEAT_OK;
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
  q.nul = job->nul;
  q.notes = &job->c->notes;
  if (job->c->n_labels && (!job->c->fixed || job->c->grow)) {
    p->labels = lt_zarray(job->c->rt, (uint64_t)job->c->n_labels, sizeof *p->labels);
    if (!p->labels) st = lt_fail_memory(&p->error, (uint64_t)job->c->n_labels * 8, "labels");
  }
  if (!st && job->c->n_texts) {
    p->texts = lt_zarray(job->c->rt, (uint64_t)job->c->n_texts, sizeof *p->texts);
    if (!p->texts) st = lt_fail_memory(&p->error, (uint64_t)job->c->n_texts * sizeof *p->texts, "texts");
  }
  if (!st && job->c->keep && p->labels) {
    q.late = lt_array(job->c->rt, (uint64_t)job->c->n_labels, sizeof *q.late);
    if (!q.late) st = lt_fail_memory(&p->error, (uint64_t)job->c->n_labels * sizeof *q.late, "labels");
  }
  if (!st && job->c->json) {
    q.seen = lt_zarray(job->c->rt, (uint64_t)job->c->n, sizeof *q.seen);
    if (!q.seen) st = lt_fail_memory(&p->error, (uint64_t)job->c->n * sizeof *q.seen, "columns");
  }
  for (; !st && q.row < end; q.row++) {
    q.t.p = lt_csv_skip_blank(q.t.p, q.t.end, q.t.delim);
    q.record = q.t.p;
    int64_t bad = p->bad;
    st = job->c->keep ? kept_record(&q) : parse_record(&q);
    if (!st && job->c->raw && p->bad == bad) lt_note_raw(q.notes, q.row, q.record, q.t.p);
  }
  lt_free(job->c->rt, q.t.scratch);
  lt_free(job->c->rt, q.t.name);
  lt_free(job->c->rt, q.seen);
  lt_free(job->c->rt, q.late);
  lt_free(job->c->rt, q.late_text.data);
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

/* Labels that came up in these rows, in the order of the file, go behind those of the schema: a new one, as others may
 * hold the old. */
static leat_status grow_labels(csv_job *job, leat_error *err) {
  lt_csv *c = job->c;
  leat_schema *grown = NULL;
  leat_status st = LEAT_OK;
  int any = 0;
  for (int64_t i = 0; i < job->n; i++)
    for (int64_t k = 0; job->piece[i].labels && k < c->n_labels; k++) any |= job->piece[i].labels[k] != NULL;
  if (!any) return LEAT_OK;
  st = lt_schema_copy(c->schema, &grown, err);
  for (int64_t k = 0; !st && k < c->n; k++) {
    const lt_csv_op *op = &c->op[k];
    if (op->op != LT_CSV_LABEL) continue;
    lt_dict *all = grown->col[op->column].labels;
    int64_t known = lt_dict_count(all), most = lt_label_limit(&grown->col[op->column]);
    int32_t *out = job->b->slot[op->column].data;
    for (int64_t i = 0; !st && i < job->n; i++) {
      int64_t rows = job->piece[i].rows;
      const lt_dict *d = job->piece[i].labels ? job->piece[i].labels[op->slot] : NULL;
      int64_t used = d ? lt_dict_count(d) : 0;
      int32_t *map = used ? lt_array(c->rt, (uint64_t)used, sizeof *map) : NULL;
      if (used && !map) st = lt_fail_memory(err, (uint64_t)used * sizeof *map, "labels");
      for (int64_t j = 0; !st && j < used; j++) {
        uint64_t len;
        const char *s = lt_dict_text(d, j, &len);
        int64_t code = lt_dict_find(all, s, len);
        if (code < 0 && lt_dict_count(all) < most) st = lt_dict_add(all, s, len, &code, err);
        map[j] = code < 0 ? LT_UNSEEN : (int32_t)code;
      }
      for (int64_t r = 0; !st && used && r < rows; r++)
        if (out[r] >= known) out[r] = map[out[r] - known];
      out += rows;
      lt_free(c->rt, map);
    }
  }
  if (!st) st = lt_batch_take_schema(job->b, grown, err);
  if (st) {
    lt_schema_free(grown);
    return st;
  }
  lt_schema_free(c->schema);
  c->schema = grown;
  return LEAT_OK;
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
  int64_t rows = 0, bad = 0;
  if (lines) *lines = 0;
  for (int64_t i = 0; !st && i < job.n; i++) {
    rows += job.piece[i].rows;
    if (lines) *lines += job.piece[i].newlines;
  }
  if (!st) st = room(c, rows, &job.b, err);
  if (!st && rows && (c->keep || c->raw)) st = lt_notes_room(c->rt, rows, &c->notes, err);
  if (!st) st = lt_parallel_for(c->rt, job.n, parse_piece, &job);
  for (int64_t i = 0; !st && i < job.n; i++) /* the first error in the file, whoever met it */
    if (job.piece[i].error.code) st = lt_fail_copy(err, &job.piece[i].error);
  for (int64_t i = 0; !st && i < job.n; i++) bad += job.piece[i].bad;
  if (!st && c->n_labels && !c->fixed) st = merge_labels(&job, err);
  if (!st && c->n_labels && c->fixed && c->grow) st = grow_labels(&job, err);
  if (!st && c->n_texts) st = join_texts(&job, err);
  if (!st && rows && (c->keep || c->raw)) st = lt_notes_give(job.b, &c->notes, c->raw, bad, err);
  if (st) {
    lt_batch_free(job.b);
  } else {
    lt_batch_sync(job.b);
    *out = job.b;
  }
  free_pieces(&job);
  return st;
}
