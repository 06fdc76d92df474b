/* reader/csv: tables of text; and reader/ndjson, whose records are other text for the same tables. */
#include "data/csv.h"

#include <stdio.h>

#include "base/number.h"

static const lt_param_def csv_defs[] = {
    LT_READER_PARAMS("column to learn"),
    LT_TEXT_PARAMS,
    LT_RECORD_PARAMS,
    {"key", LEAT_PARAM_TEXT, "", 0, 0, NULL, "column that names the row; not learned from", LT_SINCE_0_1},
    {"weight", LEAT_PARAM_TEXT, "", 0, 0, NULL, "column with the row's weight", LT_SINCE_0_1},
    {"time", LEAT_PARAM_TEXT, "", 0, 0, NULL, "column with the row's time; not learned from", LT_SINCE_0_1},
    {"group", LEAT_PARAM_TEXT, "", 0, 0, NULL, "column of groups of rows; not learned from", LT_SINCE_0_1},
    {"ignore", LEAT_PARAM_TEXT, "", 0, 65536, NULL, "columns that are not read, separated by commas", LT_SINCE_0_1},
    {"categorical", LEAT_PARAM_TEXT, "", 0, 65536, NULL, "columns that hold labels, even if they look like numbers",
     LT_SINCE_0_1},
    {"text", LEAT_PARAM_TEXT, "", 0, 65536, NULL, "columns that hold text of several words", LT_SINCE_0_1},
    {"number", LEAT_PARAM_TEXT, "", 0, 65536, NULL, "columns that hold numbers, whatever they look like", LT_SINCE_0_1},
    {"delimiter", LEAT_PARAM_CHOICE, "auto", 0, 0, "auto|comma|semicolon|tab|bar", "what stands between fields",
     LT_SINCE_0_1},
    {"header", LEAT_PARAM_CHOICE, "auto", 0, 0, "auto|yes|no", "is the first line the columns' names? auto: if it could be",
     LT_SINCE_0_1},
    {"quotes", LEAT_PARAM_CHOICE, "auto", 0, 0, "auto|yes|no",
     "do quotes enclose fields (RFC 4180)? auto: yes, but with tabs only fields quoted from end to end within a line",
     LT_SINCE_0_1},
    {"missing", LEAT_PARAM_TEXT, "", 0, 0, NULL,
     "values that are missing, separated by commas, beside empty, NA, N/A, NaN, nan, null, NULL, None, ?", LT_SINCE_0_1},
};
const lt_spec lt_spec_csv = {"reader/csv", "CSV and TSV files (RFC 4180)", csv_defs, sizeof csv_defs / sizeof *csv_defs};

static const lt_param_def json_defs[] = {
    LT_READER_PARAMS("key of the value to learn"),
    LT_TEXT_PARAMS,
    LT_RECORD_PARAMS,
    {"key", LEAT_PARAM_TEXT, "", 0, 0, NULL, "column that names the row; not learned from", LT_SINCE_0_1},
    {"weight", LEAT_PARAM_TEXT, "", 0, 0, NULL, "column with the row's weight", LT_SINCE_0_1},
    {"time", LEAT_PARAM_TEXT, "", 0, 0, NULL, "column with the row's time; not learned from", LT_SINCE_0_1},
    {"group", LEAT_PARAM_TEXT, "", 0, 0, NULL, "column of groups of rows; not learned from", LT_SINCE_0_1},
    {"ignore", LEAT_PARAM_TEXT, "", 0, 65536, NULL, "columns that are not read, separated by commas", LT_SINCE_0_1},
    {"categorical", LEAT_PARAM_TEXT, "", 0, 65536, NULL, "columns that hold labels, even if they look like numbers",
     LT_SINCE_0_1},
    {"text", LEAT_PARAM_TEXT, "", 0, 65536, NULL, "columns that hold text of several words", LT_SINCE_0_1},
    {"number", LEAT_PARAM_TEXT, "", 0, 65536, NULL, "columns that hold numbers, whatever they look like", LT_SINCE_0_1},
    {"missing", LEAT_PARAM_TEXT, "", 0, 0, NULL,
     "values that are missing, separated by commas, beside null, empty, NA, N/A, NaN, nan, NULL, None, ?", LT_SINCE_0_1},
};
const lt_spec lt_spec_ndjson = {"reader/ndjson", "a flat JSON object a line (NDJSON, JSON Lines)", json_defs,
                                sizeof json_defs / sizeof *json_defs};

void lt_csv_clear(lt_csv *c) {
  lt_dict_free(c->names);
  if (c->missing.rt) lt_tokens_free(&c->missing);
  lt_free(c->rt, c->op);
  lt_notes_free(c->rt, &c->notes);
  lt_schema_free(c->schema);
  memset(c, 0, sizeof *c);
}

/* ---- delimiter and header */

enum { SNIFF_RECORDS = 20, SNIFF_BYTES = 1 << 20, REPEAT_RECORDS = 100 };

/* Fields of the first record with this delimiter; *same: as many in the records behind it. */
static int64_t count_fields(const lt_csv *c, const char *p, const char *end, int *same) {
  lt_csv_text t = lt_csv_cursor(c, p, end);
  int64_t first = 0;
  *same = 1;
  for (int k = 0; k < SNIFF_RECORDS; k++) {
    t.p = lt_csv_skip_blank(t.p, end, c->delim);
    if (t.p >= end || (k && t.p - p > SNIFF_BYTES)) break;
    int64_t n = 0;
    int more = LT_FIELD_MORE;
    for (lt_field f; more == LT_FIELD_MORE; n++) more = lt_csv_field(&t, &f);
    if (more < 0) *same = 0;
    if (!k) first = n;
    else if (n != first) *same = 0;
    if (!*same) break;
  }
  lt_free(c->rt, t.scratch);
  return first;
}

static char quotes_of(const leat_params *p, char delim) {
  if (lt_param_is(p, "quotes", "yes")) return LT_QUOTES_FULL;
  if (lt_param_is(p, "quotes", "no")) return LT_QUOTES_NONE;
  return delim == '\t' ? LT_QUOTES_LINE : LT_QUOTES_FULL;
}

static char find_delimiter(const lt_csv *c, const leat_params *params, const char *p, const char *end) {
  static const char candidates[4] = {'\t', ';', '|', ','};
  char best = ',';
  int64_t most = 1;
  for (int k = 0; k < 4; k++) {
    int same;
    lt_csv trial = {.rt = c->rt, .delim = candidates[k], .quotes = quotes_of(params, candidates[k])};
    int64_t n = count_fields(&trial, p, end, &same);
    if (n > 1 && same) return candidates[k];
    if (n > most) {
      most = n;
      best = candidates[k];
    }
  }
  return best;
}

static leat_status check_text(const lt_csv *c, const char *p, const char *end, leat_error *err) {
  int64_t odd = 0;
  if (p == end) return lt_fail(err, LEAT_E_DATA, "%s: the file is empty", c->name);
  const unsigned char *u = (const unsigned char *)p;
  if (end - p >= 2 && ((u[0] == 0xff && u[1] == 0xfe) || (u[0] == 0xfe && u[1] == 0xff)))
    return lt_fail(err, LEAT_E_FORMAT, "%s: the text is in UTF-16; it must be in UTF-8", c->name);
  for (int64_t i = 0; i < end - p && i < 4096; i++)
    if (u[i] < 32 && u[i] != '\t' && u[i] != '\n' && u[i] != '\r' && u[i] != '\f' && u[i] != '\v' &&
        (!c->keep || ++odd > 40)) /* errors=keep: some may be in a broken record */
      return lt_fail(err, LEAT_E_FORMAT, "%s: byte %lld is a control character (%d): this is a binary file, no CSV",
                     c->name, (long long)i, (int)u[i]);
  return LEAT_OK;
}

static int all_digits(const lt_field *f) {
  for (uint64_t i = 0; i < f->len; i++)
    if (f->s[i] < '0' || f->s[i] > '9') return 0;
  return 1;
}

/* What the first line may be: LINE_NAMES: nothing in it is a value; LINE_MIXED: names and whole numbers. */
enum { LINE_DATA = 0, LINE_MIXED = 1, LINE_NAMES = 2 };

/* The first record's fields as names. *word: the first field that is no number. */
static leat_status read_names(lt_csv *c, const char **data, const char *end, int *could, int64_t *word,
                              int64_t *doubled, leat_error *err) {
  lt_csv_text t = lt_csv_cursor(c, *data, end);
  leat_status st = lt_dict_create(c->rt, &c->names, err);
  int more = LT_FIELD_MORE;
  *could = LINE_NAMES;
  *word = -1;
  *doubled = 0;
  for (c->n = 0; !st && more == LT_FIELD_MORE; c->n++) {
    lt_field f;
    double v;
    int64_t ns, code;
    char made[32];
    more = lt_csv_field(&t, &f);
    if (more < 0) {
      st = more == LT_FIELD_MEMORY ? lt_fail_memory(err, t.scratch_cap, "a quoted field")
                                   : lt_fail(err, LEAT_E_DATA, "%s: the quotes of the first line do not match", c->name);
      break;
    }
    if (f.len && (lt_is_missing(&c->missing, f.s, f.len) || lt_parse_f64(f.s, f.s + f.len, &v) ||
                  lt_parse_time(f.s, f.s + f.len, &ns) || lt_parse_bool(f.s, f.len) >= 0))
      *could = all_digits(&f) && *could ? LINE_MIXED : LINE_DATA;
    else if (f.len && *word < 0)
      *word = c->n;
    if (!f.len) { /* as in the files of pandas, whose first name is empty */
      f.len = (uint64_t)snprintf(made, sizeof made, "c%lld", (long long)c->n + 1);
      f.s = made;
    }
    st = lt_dict_add(c->names, f.s, f.len, &code, err);
    if (!st && code != c->n - (*doubled != 0) && !*doubled) *doubled = c->n + 1;
  }
  if (*word < 0) *could = LINE_DATA;
  *data = t.p;
  lt_free(c->rt, t.scratch);
  return st;
}

/* A header's names do not come again in their columns. */
static int repeats(const lt_csv *c, const char *p, const char *end) {
  lt_csv_text t = lt_csv_cursor(c, p, end);
  int found = 0;
  for (int k = 0; k < REPEAT_RECORDS && !found; k++) {
    t.p = lt_csv_skip_blank(t.p, end, c->delim);
    if (t.p >= end) break;
    int more = LT_FIELD_MORE;
    for (int64_t i = 0; more == LT_FIELD_MORE; i++) {
      lt_field f;
      uint64_t len = 0;
      more = lt_csv_field(&t, &f);
      if (more < 0) break;
      const char *name = lt_dict_text(c->names, i, &len);
      if (name && f.len && len == f.len && !memcmp(name, f.s, len)) found = 1;
    }
    if (more < 0) break;
  }
  lt_free(c->rt, t.scratch);
  return found;
}

/* Are there only numbers below the name of column k? */
static int numbers_below(const lt_csv *c, const char *p, const char *end, int64_t k) {
  lt_csv_text t = lt_csv_cursor(c, p, end);
  int numbers = 0, others = 0;
  for (int r = 0; r < REPEAT_RECORDS && !others; r++) {
    t.p = lt_csv_skip_blank(t.p, end, c->delim);
    if (t.p >= end) break;
    int more = LT_FIELD_MORE;
    for (int64_t i = 0; more == LT_FIELD_MORE; i++) {
      lt_field f;
      double v;
      more = lt_csv_field(&t, &f);
      if (more < 0 || i != k || lt_is_missing(&c->missing, f.s, f.len)) continue;
      if (lt_parse_f64(f.s, f.s + f.len, &v)) numbers++;
      else others++;
    }
    if (more < 0) break;
  }
  lt_free(c->rt, t.scratch);
  return numbers && !others;
}

static int knows_names(const lt_csv *c, const leat_schema *s, int *numbered) {
  int any = 0;
  *numbered = s->n > 0; /* names made up for a file without a header */
  for (int64_t i = 0; i < s->n; i++) {
    int64_t k;
    const char *name = s->col[i].name;
    if (lt_dict_find(c->names, name, strlen(name)) >= 0) any = 1;
    if (name[0] != 'c' || !lt_parse_i64(name + 1, name + strlen(name), &k)) *numbered = 0;
  }
  return any;
}

static leat_status number_names(lt_csv *c, leat_error *err) {
  lt_dict_free(c->names);
  c->names = NULL;
  leat_status st = lt_dict_create(c->rt, &c->names, err);
  for (int64_t i = 0; !st && i < c->n; i++) {
    char made[32];
    int len = snprintf(made, sizeof made, "c%lld", (long long)i + 1);
    st = lt_dict_add(c->names, made, (uint64_t)len, NULL, err);
  }
  return st;
}

/* How many fields most of the first records have: the first one may be broken. */
static int64_t usual_fields(const lt_csv *c, const char *p, const char *end) {
  int64_t count[REPEAT_RECORDS], n = 0, best = 0, most = 0;
  while (n < REPEAT_RECORDS && (p = lt_csv_skip_blank(p, end, c->delim)) < end) {
    const char *newline = memchr(p, '\n', (uint64_t)(end - p)), *line = newline ? newline + 1 : end;
    count[n] = lt_csv_count(c, p, line);
    n += count[n] > 0;
    p = line;
  }
  for (int64_t i = 0; i < n; i++) {
    int64_t same = 0;
    for (int64_t k = 0; k < n; k++) same += count[k] == count[i];
    if (same > most) {
      most = same;
      best = count[i];
    }
  }
  return best ? best : 1;
}

/* The keys are the columns, those of a schema first: a key may be absent from a record, and from all. */
static leat_status json_head(lt_csv *c, const leat_schema *s, const char *first, const char *end, leat_error *err) {
  c->quotes = LT_QUOTES_NONE;
  c->has_header = 1;
  leat_status st = lt_dict_create(c->rt, &c->names, err);
  for (int64_t i = 0; !st && s && i < s->n; i++) st = lt_dict_add(c->names, s->col[i].name, strlen(s->col[i].name), NULL, err);
  if (!st) st = lt_json_names(c, first, end, err);
  c->n = st ? 0 : lt_dict_count(c->names);
  if (!st && !c->n) st = lt_fail(err, LEAT_E_DATA, "%s: no record is a JSON object with a key", c->name);
  return st;
}

leat_status lt_csv_head(lt_csv *c, const leat_params *p, const leat_schema *s, const char **data, const char *end,
                        int64_t *line, leat_error *err) {
  static const char delims[] = {',', ';', '\t', '|'};
  static const char *const names[] = {"comma", "semicolon", "tab", "bar"};
  const char *at = *data;
  *line = 1;
  c->task = lt_reader_task(p);
  c->piece = lt_param_int(p, "piece_bytes");
  c->keep = lt_param_is(p, "errors", "keep");
  c->raw = lt_param_int(p, "raw") != 0;
  c->grow = lt_param_int(p, "grow") && lt_param_int(p, "stream");
  if (end - at >= 3 && !memcmp(at, "\xef\xbb\xbf", 3)) at += 3;
  leat_status st = check_text(c, at, end, err);
  if (!st) st = lt_tokens_split(c->rt, lt_param_str(p, "missing"), &c->missing, err);
  if (st) return st;
  c->delim = c->json ? ',' : 0;
  for (int k = 0; k < 4 && !c->json; k++)
    if (lt_param_is(p, "delimiter", names[k])) c->delim = delims[k];
  const char *first = lt_csv_skip_blank(at, end, c->delim ? c->delim : ',');
  if (first == end) return lt_fail(err, LEAT_E_DATA, "%s: there are only blank lines", c->name);
  if (c->json) {
    *data = first;
    return json_head(c, s, first, end, err);
  }
  if (!c->delim) c->delim = find_delimiter(c, p, first, end);
  c->quotes = quotes_of(p, c->delim);
  int could = 0, numbered = 0;
  int64_t doubled = 0, word = -1;
  const char *behind = first;
  st = read_names(c, &behind, end, &could, &word, &doubled, err);
  int broken = c->keep && st == LEAT_E_DATA;
  if (broken) st = LEAT_OK; /* no header, but a record that cannot be read */
  if (st) return st;
  if (broken) c->has_header = 0;
  else if (lt_param_is(p, "header", "yes")) c->has_header = 1;
  else if (lt_param_is(p, "header", "no")) c->has_header = 0;
  else if (s && knows_names(c, s, &numbered)) c->has_header = !numbered || could == LINE_NAMES;
  else if (s && numbered) c->has_header = 0;
  else if (could == LINE_NAMES) c->has_header = doubled || !repeats(c, behind, end);
  else c->has_header = could == LINE_MIXED && !doubled && numbers_below(c, behind, end, word);
  if (!c->has_header) {
    behind = first;
    if (c->keep) c->n = usual_fields(c, first, end);
    st = number_names(c, err);
  } else if (doubled) {
    st = lt_fail(err, LEAT_E_DATA,
                 "%s: column %lld of the header has the name of another column; names must differ (header=no: the first "
                 "line is data)",
                 c->name, (long long)doubled);
  }
  if (!st && c->has_header && memchr(first, 0, (uint64_t)(behind - first)))
    st = lt_fail(err, LEAT_E_FORMAT, "%s: a NUL byte in the header; this is not a text file in UTF-8", c->name);
  for (const char *q = *data; q < behind; q++) *line += *q == '\n';
  *data = behind;
  return st;
}

/* ---- a whole file */

static leat_status csv_all(leat_runtime *rt, const leat_schema *s, lt_source *src, const leat_params *p,
                           leat_dataset **out, leat_error *err) {
  lt_csv c = {.rt = rt, .name = lt_source_name(src), .json = lt_params_spec(p) == &lt_spec_ndjson};
  const char *data;
  uint64_t size;
  int64_t line = 1;
  leat_batch *b = NULL;
  leat_status st = lt_source_all(src, &data, &size, err);
  const char *end = data + size;
  if (!st) st = lt_csv_head(&c, p, s, &data, end, &line, err);
  if (!st) st = lt_csv_plan(&c, p, s, data, end, line, err);
  if (!st) st = lt_csv_parse(&c, data, end, 1, line, &b, NULL, err);
  if (!st) st = lt_csv_finish_target(&c, b, err);
  if (!st) st = lt_batch_name_source(b, c.name, 0, err);
  if (st) lt_batch_free(b);
  else st = lt_dataset_of(b, out, err);
  lt_csv_clear(&c);
  lt_source_free(src);
  return st;
}

/* ---- in passes */

typedef struct csv_pass {
  lt_csv c;
  leat_params *p;
  leat_schema *known; /* the caller's, or NULL */
} csv_pass;

static leat_status pass_head(void *self, const char **data, const char *end, int64_t *line, leat_error *err) {
  csv_pass *x = self;
  return lt_csv_head(&x->c, x->p, x->known, data, end, line, err);
}

static const char *pass_whole(void *self, const char *from, const char *to, int ended, int64_t *records) {
  csv_pass *x = self;
  lt_csv_scan s;
  if (x->c.keep) return lt_csv_whole_kept(from, to, &x->c, ended, records);
  lt_csv_scan_text(from, to, &x->c, 0, &s);
  *records = ended ? s.records : s.whole;
  return ended ? to : s.tail;
}

static leat_status pass_plan(void *self, const char *from, const char *to, int64_t line, leat_batch **block,
                             int64_t *lines, leat_error *err) {
  csv_pass *x = self;
  lt_csv *c = &x->c;
  leat_status st = lt_csv_plan(c, x->p, x->known, from, to, line, err);
  if (st || c->fixed) return st;
  /* labels and classes are those of the window */
  st = lt_csv_parse(c, from, to, 1, line, block, lines, err);
  if (!st) st = lt_csv_finish_target(c, *block, err);
  for (int64_t i = 0; !st && i < c->n; i++) {
    lt_csv_op *op = &c->op[i];
    if (op->op != LT_CSV_NUMBER || c->schema->col[op->column].kind != LEAT_CATEGORY) continue;
    op->op = LT_CSV_LABEL;
    op->slot = (int32_t)c->n_labels++;
  }
  lt_csv_settle(c);
  return st;
}

static leat_status pass_parse(void *self, const char *from, const char *to, int64_t row, int64_t line,
                              leat_batch **out, int64_t *lines, leat_error *err) {
  return lt_csv_parse(&((csv_pass *)self)->c, from, to, row, line, out, lines, err);
}

static leat_schema *pass_schema(void *self) { return ((csv_pass *)self)->c.schema; }

static void pass_release(void *self) {
  csv_pass *x = self;
  leat_runtime *rt = x->c.rt;
  lt_csv_clear(&x->c);
  lt_schema_free(x->known);
  lt_params_free(x->p);
  lt_free(rt, x);
}

static leat_status csv_passes(leat_runtime *rt, const leat_schema *s, lt_source *src, const leat_params *p,
                              leat_dataset **out, leat_error *err) {
  static const lt_text_format format = {pass_head, pass_whole, pass_plan, pass_parse, pass_schema, pass_release};
  csv_pass *x = lt_zalloc(rt, sizeof *x);
  leat_status st = LEAT_OK;
  if (!x) {
    lt_source_free(src);
    return lt_fail_memory(err, sizeof *x, "a reader");
  }
  x->c.rt = rt;
  x->c.name = lt_source_name(src);
  x->c.json = lt_params_spec(p) == &lt_spec_ndjson;
  st = lt_params_copy(p, &x->p, err);
  if (!st && s) st = lt_schema_copy(s, &x->known, err);
  if (st) {
    pass_release(x);
    lt_source_free(src);
    return st;
  }
  return lt_text_stream(rt, &format, x, src, p, out, err);
}

static leat_status csv_open(leat_runtime *rt, const leat_schema *s, lt_source *src, const leat_params *p,
                            leat_dataset **out, leat_error *err) {
  return lt_param_int(p, "stream") ? csv_passes(rt, s, src, p, out, err) : csv_all(rt, s, src, p, out, err);
}

const lt_reader lt_reader_csv = {&lt_spec_csv, csv_open};
const lt_reader lt_reader_ndjson = {&lt_spec_ndjson, csv_open};
