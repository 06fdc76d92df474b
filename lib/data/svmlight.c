/* reader/svmlight: `label qid:Q index:value ... # comment`, a row a line.
 * As in csv_parse.c: a first pass counts rows and entries of every piece, so that in the second pass each piece writes
 * to where its rows belong. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "data/decimal.h"
#include "data/quick.h"
#include "data/reader.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

static const lt_param_def svm_defs[] = {
    LT_READER_PARAMS("the first field is the target; its column is called label"),
    LT_TEXT_PARAMS,
    LT_RECORD_PARAMS,
    {"index", LEAT_PARAM_CHOICE, "auto", 0, 0, "auto|0|1",
     "number of the first feature; auto: 1, unless an index 0 is seen", LT_SINCE_0_1},
    {"width", LEAT_PARAM_I64, "0", 0, 2147483646, NULL,
     "at least so many features: what a stream may bring that its first rows do not show", LT_SINCE_0_1},
};
const lt_spec lt_spec_svmlight = {"reader/svmlight", "svmlight and libsvm files", svm_defs,
                                  sizeof svm_defs / sizeof *svm_defs};

/* Where a row is at fault, before it is known which columns there are. */
enum { IN_NONE = -1, IN_LABEL = 0, IN_QID = 1, IN_BLOCK = 2 };
enum { NOT_INDEX = INT32_MAX }; /* an entry beyond a known width; taken out at the end */

typedef struct svm {
  leat_runtime *rt;
  const char *name;
  int task;
  int64_t piece;       /* bytes parsed by one task */
  int64_t least;       /* features, at least */
  int base;            /* 0 or 1; -1: not known yet */
  int known;           /* the schema is given or learned */
  int strict;          /* learned from a stream's window: wider rows are an error */
  int keep, raw, grow; /* the parameters errors=keep, raw, grow */
  lt_notes notes;
  int avx2;            /* the processor has it */
  int number_labels;   /* the target's classes are numbers */
  leat_params *p;
  leat_schema *given, *schema;
  int64_t label, qid, block; /* columns of the schema, -1 none */
} svm;

typedef struct svm_piece {
  const char *from, *to;
  int64_t row, rows, line, lines, entry, entries;
  int32_t least, most; /* raw indices seen */
  int ones, qids, labels;
  int64_t beyond, unused, bad; /* unused: counted, but not in a row that could be read */
  lt_dict *fresh;      /* labels that the schema does not have */
  const char *nul;
  leat_error error;
} svm_piece;
typedef struct svm_job {
  svm *f;
  const char *from, *to;
  svm_piece *piece;
  int64_t n, rows;
  double *label, *qid;
  int32_t *code;       /* labels as codes, when the schema's target has classes */
  int64_t *row_start;
  int32_t *index;
  float *value;
  int64_t width;       /* known width, or INT32_MAX */
} svm_job;

/* ---- first pass */

static int is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

/* Does a row begin in the line [p, newline)? */
static int is_row(const char *p, const char *newline) {
  while (p < newline && is_blank(*p)) p++;
  return p < newline && *p != '#';
}

/* Rows and entries where there are no comments and no groups: rows are lines, entries are colons. Returns where it met
 * something else. */
static const char *count_plain(svm_piece *s) {
  const char *p = s->from, *start = s->from;
#if defined(__SSE2__)
  const __m128i colon = _mm_set1_epi8(':'), newline = _mm_set1_epi8('\n'), hash = _mm_set1_epi8('#');
  const __m128i group = _mm_set1_epi8('q'), zero = _mm_setzero_si128();
  __m128i colons = zero; /* 0 to 255 in every byte */
  for (unsigned round = 1; s->to - p >= 16; round++) {
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i odd = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, hash), _mm_cmpeq_epi8(v, group)), _mm_cmpeq_epi8(v, zero));
    if (_mm_movemask_epi8(odd)) return p;
    colons = _mm_sub_epi8(colons, _mm_cmpeq_epi8(v, colon));
    if (round % 255 == 0 || s->to - p < 32) {
      __m128i sums = _mm_sad_epu8(colons, zero);
      s->entries += _mm_cvtsi128_si32(sums) + _mm_cvtsi128_si32(_mm_srli_si128(sums, 8));
      colons = zero;
    }
    unsigned m = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, newline));
    for (; m; m &= m - 1) {
      const char *e = p + __builtin_ctz(m);
      s->rows += is_row(start, e);
      s->lines++;
      start = e + 1;
    }
    p += 16;
  }
#endif
  for (; p < s->to; p++) {
    if (*p == '#' || *p == 'q' || !*p) return p;
    s->entries += *p == ':';
    if (*p != '\n') continue;
    s->rows += is_row(start, p);
    s->lines++;
    start = p + 1;
  }
  s->rows += is_row(start, s->to);
  return p;
}

static void count_piece(void *arg, int64_t i) {
  svm_piece *s = &((svm_job *)arg)->piece[i];
  if (count_plain(s) == s->to) return;
  s->nul = memchr(s->from, 0, (uint64_t)(s->to - s->from));
  s->rows = s->lines = s->entries = 0;
  for (const char *p = s->from; p < s->to;) {
    const char *e = memchr(p, '\n', (uint64_t)(s->to - p));
    s->lines += e != NULL;
    if (!e) e = s->to;
    if (is_row(p, e)) {
      s->rows++;
      for (const char *c = p; c < e && *c != '#'; c++) s->entries += *c == ':' && (c == p || c[-1] != 'd');
    }
    p = e + 1;
  }
}

/* ---- second pass */

typedef struct svm_label { char text[8]; int size; int32_t code; double number; } svm_label;
typedef struct svm_row {
  svm_job *job;
  svm_piece *s;
  int64_t row, entry;
  const char *start;
  svm_label label_before;
  int32_t reason, column;     /* errors=keep: why this row cannot be read */
  const char *label;          /* a new one */
  uint64_t label_len;
} svm_row;

/* errors=keep: the row cannot be read. */
static leat_status svm_give_up(svm_row *q, int32_t reason, int64_t column) {
  q->reason = reason;
  q->column = (int32_t)column;
  return LEAT_E_DATA;
}

static leat_status svm_fail(svm_row *q, const char *s, uint64_t len, const char *why) {
  lt_place at = {.file = q->job->f->name, .row = q->row + 1, .line = q->s->line};
  at.row = q->s->row + (q->row - (q->s->row - q->job->piece[0].row));
  for (const char *c = q->s->from; c < q->start; c++) at.line += *c == '\n';
  return s ? lt_fail_value(&q->s->error, &at, s, len, why) : lt_fail_place(&q->s->error, &at, why);
}

static const char *word_end(const char *p, const char *end) {
  while (p < end && !is_blank(*p) && *p != '\n' && *p != '#') p++;
  return p;
}

static leat_status take_label(svm_row *q, const char **at, const char *end) {
  const char *p = *at, *e = word_end(p, end);
  svm_job *job = q->job;
  const lt_column *target = job->f->known && job->f->label >= 0 ? &job->f->schema->col[job->f->label] : NULL;
  double v = NAN;
  if (memchr(p, ':', (uint64_t)(e - p))) { /* no label: rows to predict */
    if (!job->f->given && !job->f->keep)
      return svm_fail(q, p, (uint64_t)(e - p), "stands where the label should be; a row is: label index:value ...");
    if (job->code) job->code[q->row] = LT_MISSING;
    else job->label[q->row] = NAN;
    return LEAT_OK;
  }
  *at = e;
  if (job->code) {
    int32_t code = lt_is_missing(NULL, p, (uint64_t)(e - p)) ? LT_MISSING : lt_label_code(target, p, (uint64_t)(e - p));
    job->code[q->row] = code;
    if (code != LT_UNSEEN) return LEAT_OK;
    if (job->f->number_labels && !(lt_parse_f64(p, e, &v) && isfinite(v)))
      return job->f->keep ? svm_give_up(q, LEAT_REASON_LABEL_INVALID, IN_LABEL) : LEAT_OK;
    q->label = p;
    q->label_len = (uint64_t)(e - p);
    return LEAT_OK;
  }
  if (job->f->keep) {
    if (!lt_is_missing(NULL, p, (uint64_t)(e - p)) && (!lt_parse_f64(p, e, &v) || isinf(v)))
      return svm_give_up(q, LEAT_REASON_LABEL_INVALID, IN_LABEL);
  } else if (!lt_parse_f64(p, e, &v)) {
    if (!job->f->given || !lt_is_missing(NULL, p, (uint64_t)(e - p)))
      return svm_fail(q, p, (uint64_t)(e - p), "is not a label; labels are numbers");
  } else if (isnan(v) && !job->f->given) {
    return svm_fail(q, p, (uint64_t)(e - p), "is no label; training data needs one in every row");
  }
  job->label[q->row] = v;
  return LEAT_OK;
}

static leat_status take_qid(svm_row *q, const char **at, const char *end) {
  const char *e = word_end(*at, end);
  double v;
  if (!lt_parse_f64(*at + 4, e, &v) || (q->job->f->keep && isinf(v))) {
    if (q->job->f->keep) return svm_give_up(q, LEAT_REASON_TYPE, IN_QID);
    return svm_fail(q, *at, (uint64_t)(e - *at), "is not a group; write qid: and a number");
  }
  if (q->job->qid) q->job->qid[q->row] = v;
  q->s->qids = 1;
  *at = e;
  return LEAT_OK;
}

/* The value at p that ends at e's word: any number, slowly. */
static leat_status slow_value(svm_row *q, const char *word, const char **at, const char *end, double *v) {
  const char *e = word_end(*at, end);
  if (!lt_parse_f64(*at, e, v)) {
    if (!q->job->f->keep) return svm_fail(q, word, (uint64_t)(e - word), "is not index:value");
    if (!lt_is_missing(NULL, *at, (uint64_t)(e - *at))) return svm_give_up(q, LEAT_REASON_TYPE, IN_BLOCK);
    *v = NAN;
  }
  *at = e;
  return LEAT_OK;
}

/* An entry that is not as the others; NaN passes under errors=keep, an index 0 where they count from 1 without it (it is
 * told about later). */
static leat_status odd_entry(svm_row *q, const char *word, const char *p, int64_t index, int64_t last, double v) {
  uint64_t len = (uint64_t)(p - word);
  if (q->job->f->keep) {
    if (index >= NOT_INDEX || index <= last || (!index && q->job->f->base == 1))
      return svm_give_up(q, LEAT_REASON_SHAPE, IN_BLOCK);
    return isnan(v) ? LEAT_OK : svm_give_up(q, LEAT_REASON_NON_FINITE, IN_BLOCK);
  }
  if (index >= NOT_INDEX) return svm_fail(q, word, len, "has an index above 2147483646");
  if (index <= last)
    return svm_fail(q, word, len,
                    index == last ? "has the index of the entry before it; an index comes once a row"
                                  : "has a smaller index than the entry before it; indices ascend");
  if (!isfinite((float)v))
    return svm_fail(q, word, len, "is not a finite float; leave the entry out when it is missing");
  return LEAT_OK;
}

static leat_status take_entry(svm_row *q, const char **at, const char *end, int64_t *last) {
  const char *word = *at, *p = word;
  svm_job *job = q->job;
  svm_piece *s = q->s;
  int64_t index = 0;
  double v;
  const char *digits = p;
  uint64_t eight = 0;
  unsigned n = job->to - p > LT_DECIMAL_ROOM ? lt_eight_digits(p, &eight) : 0;
  if (n && n < 8) { /* the usual length, whatever it is, without a branch a digit */
    index = (int64_t)eight;
    p += n;
  } else {
    while (p < end && *p >= '0' && *p <= '9' && p - digits < 11) index = index * 10 + (*p++ - '0');
  }
  if (p == digits || p == end || *p != ':')
    return job->f->keep ? svm_give_up(q, LEAT_REASON_PARSE, IN_NONE)
                        : svm_fail(q, word, (uint64_t)(word_end(word, end) - word), "is not index:value");
  p++;
  const char *fast = job->to - p > LT_DECIMAL_ROOM ? lt_decimal(p, &v) : NULL;
  if (fast && (is_blank(*fast) || *fast == '\n')) {
    p = fast;
  } else {
    leat_status st = slow_value(q, word, &p, end, &v);
    if (st) return st;
  }
  float value = (float)v;
  int64_t slot = index - (job->f->base == 0 ? 0 : 1);
  if (index >= NOT_INDEX || index <= *last || !isfinite(value) || (slot < 0 && job->f->base == 1)) {
    leat_status st = odd_entry(q, word, p, index, *last, v);
    if (st) return st;
    if (isnan(v)) { /* errors=keep: what is missing is left out */
      *last = index;
      *at = p;
      return LEAT_OK;
    }
  }
  if (index < s->least) s->least = (int32_t)index;
  if (index > s->most) s->most = (int32_t)index;
  s->ones &= value == 1.0f;
  *last = index;
  if (slot >= job->width) {
    if (job->f->keep && job->f->strict) return svm_give_up(q, LEAT_REASON_SHAPE, IN_BLOCK);
    slot = NOT_INDEX;
    s->beyond++;
  }
  job->index[q->entry] = (int32_t)slot;
  job->value[q->entry++] = value;
  *at = p;
  return LEAT_OK;
}

/* The label before comes again more often than not: its bytes and what they meant. */
static int known_label(svm_row *q, const char **at) {
  const svm_job *job = q->job;
  const svm_label *l = &q->label_before;
  const char *p = *at;
  if (!l->size || job->to - p <= l->size || memcmp(p, l->text, (size_t)l->size) != 0 || p[l->size] != ' ') return 0;
  if (job->code) job->code[q->row] = l->code;
  else job->label[q->row] = l->number;
  *at = p + l->size;
  return 1;
}

static void keep_label(svm_row *q, const char *from, const char *to) {
  svm_label *l = &q->label_before;
  l->size = to - from < (int64_t)sizeof l->text ? (int)(to - from) : 0;
  if (q->job->code && (l->code = q->job->code[q->row]) == LT_UNSEEN) l->size = 0; /* it may become known */
  else if (!q->job->code) l->number = q->job->label[q->row];
  memcpy(l->text, from, (size_t)l->size);
}

/* The entries from p on that need no care. */
static const char *take_usual(svm_row *q, const char *p, const char *end, int64_t *last) {
  svm_job *job = q->job;
  svm_piece *s = q->s;
  lt_quick x = {.last = *last, .shift = job->f->base != 0, .width = job->width, .ones = 1};
  x.index = job->index + q->entry;
  x.value = job->value + q->entry;
#if LT_QUICK_AVX2
  if (job->f->avx2) p = lt_quick_entries_avx2(p, end, job->to, &x);
  else
#endif
    p = lt_quick_entries(p, end, job->to, &x);
  if (!x.n) return p;
  if (x.first < s->least) s->least = x.first;
  if (x.last > s->most) s->most = (int32_t)x.last;
  s->ones &= x.ones;
  q->entry += x.n;
  *last = x.last;
  return p;
}

static leat_status parse_line(svm_row *q, const char *p, const char *end) {
  int64_t last = -1;
  const char *before;
  int first = 1;
  leat_status st = LEAT_OK;
  for (; !st; first = 0) {
    while (p < end && is_blank(*p)) p++;
    if (p == end || *p == '#') break;
    if (first) {
      before = p;
      st = known_label(q, &p) ? LEAT_OK : take_label(q, &p, end);
      if (!st && p != before) keep_label(q, before, p);
      if (st || p != before) continue;
    }
    if (*p == 'q' && end - p > 4 && !memcmp(p, "qid:", 4)) st = take_qid(q, &p, end);
    else {
      before = p;
      p = take_usual(q, p, end, &last);
      if (p == before) st = take_entry(q, &p, end, &last);
    }
  }
  return st;
}

/* Enters a label that the schema does not have. */
static leat_status new_label(svm_row *q) {
  char buf[32];
  int64_t code = 0, known = lt_dict_count(q->job->f->schema->col[q->job->f->label].labels);
  const char *s = lt_label_text(q->label, &q->label_len, buf);
  leat_status st = q->s->fresh ? LEAT_OK : lt_dict_create(q->job->f->rt, &q->s->fresh, &q->s->error);
  if (!st) st = lt_dict_add(q->s->fresh, s, q->label_len, &code, &q->s->error);
  if (!st) q->job->code[q->row] = (int32_t)(known + code);
  return st;
}

/* The line [p, e) as row q->row. What a row that cannot be read has told is taken back. */
static leat_status kept_line(svm_row *q, const char *p, const char *e) {
  svm_job *job = q->job;
  svm_piece *s = q->s;
  int64_t entry = q->entry, beyond = s->beyond;
  int32_t least = s->least, most = s->most;
  int ones = s->ones, qids = s->qids;
  q->reason = 0;
  leat_status st = LEAT_OK;
  if (e - p > LT_RECORD_MOST) st = svm_give_up(q, LEAT_REASON_TOO_LONG, -1);
  else if (s->nul && memchr(p, 0, (uint64_t)(e - p))) st = svm_give_up(q, LEAT_REASON_PARSE, -1);
  if (!st) st = parse_line(q, p, e);
  if (!st || !q->reason) return st;
  s->least = least;
  s->most = most;
  s->ones = ones;
  s->qids = qids;
  s->beyond = beyond;
  s->bad++;
  q->entry = entry;
  q->label = NULL;
  if (job->code) job->code[q->row] = LT_MISSING;
  else job->label[q->row] = NAN;
  if (job->qid) job->qid[q->row] = NAN;
  lt_note_bad(&job->f->notes, q->row, q->reason, q->column, p, e);
  return LEAT_OK;
}

static void svm_parse_piece(void *arg, int64_t i) {
  svm_job *job = arg;
  svm_piece *s = &job->piece[i];
  svm_row q = {.job = job, .s = s, .row = s->row - job->piece[0].row, .entry = s->entry};
  s->error.struct_size = sizeof s->error;
  s->least = INT32_MAX;
  s->most = -1;
  s->ones = 1;
  leat_status st = LEAT_OK;
  for (const char *p = s->from; !st && p < s->to;) {
    const char *e = memchr(p, '\n', (uint64_t)(s->to - p));
    if (!e) e = s->to;
    if (is_row(p, e)) {
      q.start = p;
      if (job->qid) job->qid[q.row] = NAN;
      job->row_start[q.row] = q.entry;
      q.label = NULL;
      st = job->f->keep ? kept_line(&q, p, e) : parse_line(&q, p, e);
      if (!st && q.label && job->f->grow) st = new_label(&q);
      if (!st && job->f->raw && !job->f->notes.reason[q.row]) lt_note_raw(&job->f->notes, q.row, p, e);
      q.row++;
    }
    p = e + 1;
  }
  for (; !st && q.entry < s->entry + s->entries; s->unused++) job->index[q.entry++] = NOT_INDEX;
}

/* ---- afterwards */

typedef struct shift_job { int32_t *index; int64_t n; } shift_job;
enum { SHIFT_TILE = 1 << 20 };

/* An index 0 was seen: the file counts from 0. */
static void shift_tile(void *arg, int64_t i) {
  shift_job *x = arg;
  int64_t to = (i + 1) * SHIFT_TILE < x->n ? (i + 1) * SHIFT_TILE : x->n;
  for (int64_t k = i * SHIFT_TILE; k < to; k++) x->index[k] += x->index[k] != NOT_INDEX;
}

static void drop_beyond(svm_job *job) {
  int64_t at = 0, from = 0;
  for (int64_t r = 0; r < job->rows; r++) {
    int64_t to = job->row_start[r + 1];
    for (int64_t k = from; k < to; k++) {
      if (job->index[k] == NOT_INDEX) continue;
      job->index[at] = job->index[k];
      job->value[at++] = job->value[k];
    }
    from = to;
    job->row_start[r + 1] = at;
  }
}

/* Schema of a file: label, qid when there is one, x. A block that counts from 0 is called x0: that is how a schema
 * remembers what the indices of other files mean. */
static leat_status learn_schema(svm *f, int qid, int64_t width, leat_error *err) {
  leat_status st = lt_schema_create(f->rt, &f->schema, err);
  f->label = 0;
  f->qid = qid ? 1 : -1;
  f->block = qid ? 2 : 1;
  if (!st) st = lt_schema_add(f->schema, "label", LEAT_NUMBER, LEAT_ROLE_TARGET, 1, 0, err);
  if (!st && qid) st = lt_schema_add(f->schema, "qid", LEAT_NUMBER, LEAT_ROLE_GROUP, 1, 0, err);
  if (!st) st = lt_schema_add(f->schema, f->base ? "x" : "x0", LEAT_NUMBER, LEAT_ROLE_FEATURE, width, 1, err);
  return st;
}

static leat_status svm_room(svm_job *job, int64_t entries, leat_error *err) {
  svm *f = job->f;
  if (f->keep || f->raw) {
    leat_status st = lt_notes_room(f->rt, job->rows, &job->f->notes, err);
    if (st) return st;
  }
  uint64_t rows = (uint64_t)job->rows;
  int codes = f->known && f->label >= 0 && f->schema->col[f->label].kind == LEAT_CATEGORY;
  job->row_start = lt_array(f->rt, rows + 1, sizeof *job->row_start);
  job->index = lt_array(f->rt, (uint64_t)entries + 1, sizeof *job->index);
  job->value = lt_array(f->rt, (uint64_t)entries + 1, sizeof *job->value);
  if (codes) job->code = lt_array(f->rt, rows + 1, sizeof *job->code);
  else job->label = lt_array(f->rt, rows + 1, sizeof *job->label);
  if (!f->known || f->qid >= 0) job->qid = lt_array(f->rt, rows + 1, sizeof *job->qid);
  if (job->row_start && job->index && job->value && (codes ? (void *)job->code : (void *)job->label) &&
      (job->qid || (f->known && f->qid < 0)))
    return LEAT_OK;
  return lt_fail_memory(err, rows * 24 + (uint64_t)entries * 8, "a sparse dataset");
}

static leat_status cut_and_count(svm_job *job, int64_t row, int64_t line, int64_t *entries, leat_error *err) {
  const char **bound = NULL;
  leat_status st = lt_cut_lines(job->f->rt, job->from, job->to, job->f->piece, &bound, &job->n, err);
  if (!st) {
    job->piece = lt_zarray(job->f->rt, (uint64_t)job->n, sizeof *job->piece);
    if (!job->piece) st = lt_fail_memory(err, (uint64_t)job->n * sizeof *job->piece, "the pieces of a file");
  }
  for (int64_t i = 0; !st && i < job->n; i++) {
    job->piece[i].from = bound[i];
    job->piece[i].to = bound[i + 1];
  }
  lt_free(job->f->rt, bound);
  if (!st) st = lt_parallel_for(job->f->rt, job->n, count_piece, job);
  for (int64_t i = 0; !st && i < job->n; i++) {
    svm_piece *s = &job->piece[i];
    s->row = row + job->rows;
    s->line = line;
    s->entry = *entries;
    if (s->nul && !job->f->keep) {
      for (const char *c = s->from; c < s->nul; c++) line += *c == '\n';
      st = lt_fail(err, LEAT_E_FORMAT, "%s: line %lld: a NUL byte; this is not a text file", job->f->name,
                   (long long)line);
    }
    job->rows += s->rows;
    line += s->lines;
    *entries += s->entries;
  }
  return st;
}

/* What all pieces say about base and width. */
static leat_status settle(svm_job *job, int64_t entries, leat_error *err) {
  svm *f = job->f;
  int32_t least = INT32_MAX, most = -1;
  int qids = 0;
  int64_t beyond = 0, unused = 0;
  for (int64_t i = 0; i < job->n; i++) {
    const svm_piece *s = &job->piece[i];
    unused += s->unused;
    if (s->entries && s->least < least) least = s->least;
    if (s->entries && s->most > most) most = s->most;
    qids |= s->qids;
    beyond += s->beyond;
  }
  leat_status st = LEAT_OK;
  if (least == 0 && f->base == 1)
    return lt_fail(err, LEAT_E_DATA, "%s: there is an index 0, but indices count from 1 here (parameter index, or the "
                   "model's)", f->name);
  if (f->base < 0) {
    f->base = least == 0 ? 0 : 1;
    shift_job x = {job->index, entries};
    if (!f->base) st = lt_parallel_for(f->rt, (entries + SHIFT_TILE - 1) / SHIFT_TILE, shift_tile, &x);
  }
  if (!st && !f->known) {
    int64_t width = f->grow && !f->least ? NOT_INDEX : most + 1 - f->base; /* grow: any, unless the caller knows better */
    if (width < 1 && f->keep) width = 1; /* only rows that cannot be read */
    if (width < 1) return lt_fail(err, LEAT_E_DATA, "%s: no row has a feature", f->name);
    st = learn_schema(f, qids, width > f->least ? width : f->least, err);
  }
  if (!st && beyond && f->strict)
    st = lt_fail(err, LEAT_E_DATA,
                 "%s: a row has an index above %lld, the largest of the stream's first window; set width, or grow=1, or "
                 "read it without stream",
                 f->name, (long long)(job->width - 1 + f->base));
  if (!st && (beyond || unused)) drop_beyond(job);
  return st;
}

/* New labels, in the order of the file, go behind those of the schema: a new schema, as others may hold the old one. */
static leat_status svm_grow(svm_job *job, leat_error *err) {
  svm *f = job->f;
  leat_schema *grown = NULL;
  leat_status st = LEAT_OK;
  int any = 0;
  for (int64_t i = 0; i < job->n; i++) any |= job->piece[i].fresh != NULL;
  if (!any) return LEAT_OK;
  st = lt_schema_copy(f->schema, &grown, err);
  lt_dict *all = st ? NULL : grown->col[f->label].labels;
  int64_t known = st ? 0 : lt_dict_count(all), row = 0;
  for (int64_t i = 0; !st && i < job->n; i++) {
    const svm_piece *s = &job->piece[i];
    int64_t used = s->fresh ? lt_dict_count(s->fresh) : 0;
    int32_t *map = used ? lt_array(f->rt, (uint64_t)used, sizeof *map) : NULL;
    if (used && !map) st = lt_fail_memory(err, (uint64_t)used * sizeof *map, "labels");
    for (int64_t j = 0; !st && j < used; j++) {
      uint64_t len;
      const char *text = lt_dict_text(s->fresh, j, &len);
      int64_t code = lt_dict_find(all, text, len);
      if (code < 0 && lt_dict_count(all) < lt_label_limit(&grown->col[f->label])) st = lt_dict_add(all, text, len, &code, err);
      map[j] = code < 0 ? LT_UNSEEN : (int32_t)code;
    }
    for (int64_t r = row; !st && used && r < row + s->rows; r++)
      if (job->code[r] >= known) job->code[r] = map[job->code[r] - known];
    row += s->rows;
    lt_free(f->rt, map);
  }
  if (st) {
    lt_schema_free(grown);
    return st;
  }
  lt_schema_free(f->schema);
  f->schema = grown;
  return LEAT_OK;
}

/* Everything into a batch, which takes over the arrays. */
static leat_status assemble(svm_job *job, leat_batch **out, leat_error *err) {
  svm *f = job->f;
  leat_batch *b = NULL;
  leat_status st = lt_batch_create(f->rt, f->schema, &b, err);
  if (!st) b->slot[f->block].csr = lt_zalloc(f->rt, sizeof(lt_slot_csr));
  if (!st && !b->slot[f->block].csr) st = lt_fail_memory(err, sizeof(lt_slot_csr), "a sparse block");
  if (st) {
    lt_batch_free(b);
    return st;
  }
  int ones = 1;
  for (int64_t i = 0; i < job->n; i++) ones &= job->piece[i].ones || !job->piece[i].entries;
  uint64_t entries = (uint64_t)job->row_start[job->rows] + 1, rows = (uint64_t)job->rows + 1;
  lt_slot *x = &b->slot[f->block];
  *x->csr = (lt_slot_csr){job->row_start, rows, job->index, entries, ones ? NULL : job->value, ones ? 0 : entries, !ones};
  x->present = 1;
  if (ones) lt_free(f->rt, job->value);
  job->row_start = NULL;
  job->index = NULL;
  job->value = NULL;
  if (f->label >= 0) {
    lt_slot *y = &b->slot[f->label];
    y->dtype = job->code ? LEAT_I32 : LEAT_F64;
    y->data = job->code ? (void *)job->code : (void *)job->label;
    y->cap = rows * (job->code ? 4 : 8);
    y->present = 1;
    job->code = NULL;
    job->label = NULL;
  }
  if (f->qid >= 0) {
    b->slot[f->qid].data = job->qid;
    b->slot[f->qid].dtype = LEAT_F64;
    b->slot[f->qid].cap = rows * 8;
    b->slot[f->qid].present = 1;
    job->qid = NULL;
  }
  b->n = job->rows;
  lt_batch_sync(b);
  *out = b;
  return LEAT_OK;
}

static leat_status svm_parse(void *self, const char *from, const char *to, int64_t row, int64_t line, leat_batch **out,
                             int64_t *lines, leat_error *err) {
  svm *f = self;
  svm_job job = {.f = f, .from = from, .to = to};
  int64_t entries = 0;
  *out = NULL;
  leat_status st = cut_and_count(&job, row, line, &entries, err);
  job.width = f->known ? f->schema->col[f->block].width : INT32_MAX;
  if (!st && !job.rows) st = lt_fail(err, LEAT_E_DATA, "%s: there are no rows", f->name);
  if (!st) st = svm_room(&job, entries, err);
  if (!st) st = lt_parallel_for(f->rt, job.n, svm_parse_piece, &job);
  for (int64_t i = 0; !st && i < job.n; i++)
    if (job.piece[i].error.code) st = lt_fail_copy(err, &job.piece[i].error);
  if (!st) job.row_start[job.rows] = entries;
  if (!st) st = settle(&job, entries, err);
  if (!st && f->grow) st = svm_grow(&job, err);
  if (!st) st = assemble(&job, out, err);
  if (!st && (f->keep || f->raw)) {
    int64_t bad = 0;
    for (int64_t i = 0; i < job.n; i++) bad += job.piece[i].bad;
    int64_t column[3] = {f->label, f->qid, f->block};
    for (int64_t r = 0; bad && r < job.rows; r++)
      if (f->notes.reason[r] && f->notes.column[r] >= 0) f->notes.column[r] = (int32_t)column[f->notes.column[r]];
    st = lt_notes_give(*out, &f->notes, f->raw, bad, err);
    lt_batch_sync(*out);
    if (st) {
      lt_batch_free(*out);
      *out = NULL;
    }
  }
  if (lines) *lines = 0;
  for (int64_t i = 0; lines && i < job.n && job.piece; i++) *lines += job.piece[i].lines;
  for (int64_t i = 0; i < job.n && job.piece; i++) lt_dict_free(job.piece[i].fresh);
  lt_free(f->rt, job.piece);
  lt_free(f->rt, job.row_start);
  lt_free(f->rt, job.index);
  lt_free(f->rt, job.value);
  lt_free(f->rt, job.code);
  lt_free(f->rt, job.label);
  lt_free(f->rt, job.qid);
  return st;
}

/* The labels are settled: are they numbers? */
static void settle_labels(svm *f) {
  const lt_dict *d = f->label >= 0 ? f->schema->col[f->label].labels : NULL;
  int64_t n = d ? lt_dict_count(d) : 0;
  f->number_labels = n > 0;
  for (int64_t i = 0; i < n && f->number_labels; i++) {
    uint64_t len;
    double v;
    const char *s = lt_dict_text(d, i, &len);
    f->number_labels = lt_parse_f64(s, s + len, &v);
  }
}

static leat_status to_classes(svm *f, leat_batch *b, leat_error *err) {
  char where[160];
  snprintf(where, sizeof where, "%.140s, labels", f->name);
  return lt_target_to_classes(b, f->label, f->task, where, err);
}

/* ---- opening */

static void svm_release(void *self) {
  svm *f = self;
  lt_notes_free(f->rt, &f->notes);
  lt_schema_free(f->given);
  lt_schema_free(f->schema);
  lt_params_free(f->p);
  lt_free(f->rt, f);
}

static leat_status svm_start(leat_runtime *rt, const leat_schema *s, const lt_source *src, const leat_params *p,
                             svm **out, leat_error *err) {
  svm *f = lt_zalloc(rt, sizeof *f);
  if (!f) return lt_fail_memory(err, sizeof *f, "a reader");
  f->rt = rt;
  f->name = lt_source_name(src);
  f->task = lt_reader_task(p);
  f->piece = lt_param_int(p, "piece_bytes");
  f->keep = lt_param_is(p, "errors", "keep");
  f->raw = lt_param_int(p, "raw") != 0;
  f->grow = lt_param_int(p, "grow") && lt_param_int(p, "stream");
  f->least = lt_param_int(p, "width");
  f->base = lt_param_is(p, "index", "0") ? 0 : lt_param_is(p, "index", "1") ? 1 : -1;
  f->label = f->qid = f->block = -1;
#if LT_QUICK_AVX2
  f->avx2 = LT_QUICK_HAS_AVX2();
#endif
  const char *target = lt_param_str(p, "target");
  leat_status st = LEAT_OK;
  if (*target && strcmp(target, "label") != 0 && strcmp(target, "1") != 0)
    st = lt_fail(err, LEAT_E_NOT_FOUND, "%s: there is no column '%s'; the target of a svmlight file is called label",
                 f->name, target);
  if (!st && s) st = lt_schema_copy(s, &f->given, err);
  if (!st && s) {
    f->schema = f->given;
    lt_schema_ref(f->schema);
    f->known = 1;
    f->label = lt_schema_role(s, LEAT_ROLE_TARGET);
    f->qid = lt_schema_role(s, LEAT_ROLE_GROUP);
    for (int64_t i = 0; i < s->n; i++) {
      if (s->col[i].sparse) f->block = i;
      else if (s->col[i].role == LEAT_ROLE_FEATURE && s->col[i].kind != LEAT_ID && !st)
        st = lt_fail(err, LEAT_E_NOT_FOUND, "%s: the model needs column '%s', a svmlight file has no named columns",
                     f->name, s->col[i].name);
    }
    if (!st && f->block < 0)
      st = lt_fail(err, LEAT_E_UNSUPPORTED, "%s: the schema has no sparse block to read the rows into", f->name);
    if (!st && f->base < 0) f->base = strcmp(s->col[f->block].name, "x0") != 0;
    if (!st && f->label >= 0 && s->col[f->label].kind == LEAT_BOOL)
      st = lt_fail(err, LEAT_E_UNSUPPORTED, "%s: the schema's target is BOOL; it must be NUMBER or CATEGORY", f->name);
    if (!st && f->qid >= 0 && s->col[f->qid].kind != LEAT_NUMBER) f->qid = -1;
    if (!st) settle_labels(f);
  }
  if (st) {
    svm_release(f);
    return st;
  }
  *out = f;
  return LEAT_OK;
}

static leat_status svm_head(void *self, const char **data, const char *end, int64_t *line, leat_error *err) {
  svm *f = self;
  const char *p = *data;
  *line = 1;
  int64_t odd = 0;
  if (p == end) return lt_fail(err, LEAT_E_DATA, "%s: the file is empty", f->name);
  for (const char *c = p; c < end && c - p < 4096; c++)
    if ((unsigned char)*c < 32 && *c != '\t' && *c != '\n' && *c != '\r' && (!f->keep || ++odd > 40))
      return lt_fail(err, LEAT_E_FORMAT, "%s: byte %lld is a control character (%d): this is a binary file, no svmlight",
                     f->name, (long long)(c - p), *c);
  return LEAT_OK;
}

static const char *svm_whole(void *self, const char *from, const char *to, int ended, int64_t *records) {
  (void)self;
  const char *tail = from;
  *records = 0;
  for (const char *p = from; p < to;) {
    const char *e = memchr(p, '\n', (uint64_t)(to - p));
    if (!e && !ended) break;
    if (!e) e = to - 1;
    *records += is_row(p, *e == '\n' ? e : to);
    tail = p = e + 1;
  }
  return tail;
}

static leat_status svm_plan(void *self, const char *from, const char *to, int64_t line, leat_batch **block,
                            int64_t *lines, leat_error *err) {
  svm *f = self;
  if (f->known) return LEAT_OK;
  leat_status st = svm_parse(f, from, to, 1, line, block, lines, err);
  if (!st) st = to_classes(f, *block, err);
  f->known = f->strict = 1;
  if (!st) settle_labels(f);
  return st;
}

static leat_schema *svm_schema(void *self) { return ((svm *)self)->schema; }

static leat_status svm_open(leat_runtime *rt, const leat_schema *s, lt_source *src, const leat_params *p,
                            leat_dataset **out, leat_error *err) {
  static const lt_text_format format = {svm_head, svm_whole, svm_plan, svm_parse, svm_schema, svm_release};
  svm *f = NULL;
  leat_status st = svm_start(rt, s, src, p, &f, err);
  if (st) {
    lt_source_free(src);
    return st;
  }
  if (lt_param_int(p, "stream")) return lt_text_stream(rt, &format, f, src, p, out, err);
  const char *data;
  uint64_t size;
  int64_t line = 1;
  leat_batch *b = NULL;
  st = lt_source_all(src, &data, &size, err);
  const char *end = st ? NULL : data + size;
  if (!st) st = svm_head(f, &data, end, &line, err);
  if (!st) st = svm_parse(f, data, end, 1, line, &b, NULL, err);
  if (!st && !f->given) st = to_classes(f, b, err);
  if (!st) st = lt_batch_name_source(b, f->name, 0, err);
  if (st) lt_batch_free(b);
  else st = lt_dataset_of(b, out, err);
  svm_release(f);
  lt_source_free(src);
  return st;
}

const lt_reader lt_reader_svmlight = {&lt_spec_svmlight, svm_open};
