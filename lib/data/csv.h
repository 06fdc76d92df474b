/* The CSV reader's parts. */
#ifndef LEAT_DATA_CSV_H
#define LEAT_DATA_CSV_H
#include <string.h>

#include "data/reader.h"

/* What is done with a field of the file. */
enum { LT_CSV_SKIP = 0, LT_CSV_NUMBER, LT_CSV_LABEL, LT_CSV_TEXT, LT_CSV_BOOL, LT_CSV_TIME };
typedef struct lt_csv_op {
  uint8_t op;
  uint8_t required; /* a missing value is an error: the target of training data */
  uint8_t weight;   /* must be finite and not negative */
  int32_t column;   /* of the schema */
  uint8_t numbers;  /* the labels of the target are numbers */
  int32_t slot;     /* which of the LABEL or TEXT columns it is */
} lt_csv_op;
/* Quotes. FULL: RFC 4180. LINE: a field that is quoted from end to end within its line is unquoted, every other quote is
 * a character like others (tab-separated text, where newlines end records whatever stands around them). */
enum { LT_QUOTES_FULL = 0, LT_QUOTES_LINE = 1, LT_QUOTES_NONE = 2 };
typedef struct lt_csv {
  leat_runtime *rt;
  const char *name;
  char delim;
  int json;            /* reader/ndjson: records are JSON objects, names are keys */
  char quotes;         /* LT_QUOTES_* */
  int has_header;
  int64_t n;           /* fields a row */
  lt_dict *names;      /* of the file's columns */
  lt_tokens missing;
  lt_csv_op *op;       /* n */
  leat_schema *schema;
  int fixed;           /* labels are those of the schema; others are unseen, or added to it (grow) */
  int number_labels;   /* the target's labels are numbers */
  int keep, raw, grow; /* the parameters errors=keep, raw, grow */
  int64_t n_labels, n_texts;
  lt_notes notes;
  int task;
  int64_t piece;       /* bytes parsed by one task */
} lt_csv;

/* ---- fields */
typedef struct lt_csv_text { /* a cursor; records start at a line's start */
  const char *p, *end;
  char delim, quotes;
  leat_runtime *rt;
  char *scratch;       /* fields with doubled quotes, unquoted */
  uint64_t scratch_cap;
  char *name;          /* json.c: a key, unescaped */
  uint64_t name_cap;
  uint64_t span;       /* a quoted field ends within its line or so many bytes; 0: anywhere */
  int skim;            /* fields are not unquoted: only where they end is of interest */
} lt_csv_text;
typedef struct lt_field { const char *s; uint64_t len; } lt_field;
enum {
  LT_FIELD_MORE = 0, LT_FIELD_LAST = 1, LT_FIELD_OPEN = -1, LT_FIELD_JUNK = -2, LT_FIELD_MEMORY = -3,
  LT_FIELD_NESTED = -4 /* inside json.c only */
};
/* The field at t->p, trimmed and unquoted; t->p moves behind its delimiter or newline. LAST: the record ends here.
 * OPEN: a quote that is never closed; JUNK: text behind a closing quote. The field lives until the next call. */
int lt_csv_field(lt_csv_text *t, lt_field *out);
/* Moves p over blank lines; returns p, or end. */
const char *lt_csv_skip_blank(const char *p, const char *end, char delim);
lt_csv_text lt_csv_cursor(const lt_csv *c, const char *p, const char *end);

/* ---- JSON objects (json.c): a cursor whose end is that of the line */
/* To the first member, or LAST behind an empty object. */
int lt_json_open(lt_csv_text *t);
/* The next member; a value lives until the next call. nested: it is an object or array. null is empty. */
int lt_json_field(lt_csv_text *t, lt_field *key, lt_field *value, int *nested);
/* FORMAT: [from, to) is no object; p: how far it could be read. */
leat_status lt_json_fail(leat_error *err, const lt_place *at, const char *from, const char *to, const char *p);
int lt_json_whole(const lt_csv *c, const char *p, const char *end); /* is it an object, and nothing else? */
int64_t lt_json_column(const lt_csv *c, const lt_field *key, int64_t hint); /* -1: none; the hint is tried first */
/* Adds the keys of the first records to c->names. */
leat_status lt_json_names(lt_csv *c, const char *from, const char *end, leat_error *err);

/* ---- records of a stretch of text */
typedef struct lt_csv_scan {
  const char *first;    /* where the first record that starts in [from, to) starts, or to */
  int64_t records;      /* records that start in [from, to) */
  int64_t newlines;     /* in [from, to) */
  const char *tail;     /* behind the last newline that ends a record (or `from`) */
  int64_t whole;        /* records that end at or before tail */
  int quoted;           /* `to` is inside a quoted field */
  const char *nul;      /* a NUL byte, or NULL */
  const char *next;     /* lt_csv_scan_kept: behind the last record, which may end behind `to` */
} lt_csv_scan;
/* [from, to) starts at a line's start (inside a quoted field if `quoted`) and ends behind a newline, or at the end of
 * all text. */
void lt_csv_scan_text(const char *from, const char *to, const lt_csv *c, int quoted, lt_csv_scan *out);

/* ---- records where a broken one must not take others with it (errors=keep). A record is a line; one with a quoted field
 * that goes on in the next line is as many lines as it takes, if it then is whole: every quoted field ends within its line
 * or LT_QUOTED_MOST bytes, with a delimiter or newline behind it, the record has c->n fields and at most LT_RECORD_MOST
 * bytes. If not, its first line is a record, which cannot be read, and the next line begins the next one. */
/* Behind the record that begins at p. final: `end` is the end of all text; else NULL when that cannot be told yet. */
const char *lt_csv_record_end(const lt_csv *c, const char *p, const char *end, int final);
/* As lt_csv_scan_text: records that start in [from, to), `from` being outside quotes; `end` is the end of all text. */
void lt_csv_scan_kept(const char *from, const char *to, const char *end, const lt_csv *c, lt_csv_scan *out);
/* Behind the last record of [from, to) whose end can be told. */
const char *lt_csv_whole_kept(const char *from, const char *to, const lt_csv *c, int final, int64_t *records);
/* How many fields does the record in [p, end) have? -1: its quotes are broken. */
int64_t lt_csv_count(const lt_csv *c, const char *p, const char *end);

/* ---- parsing: [from, to) is whole records (or all text up to its end); the first one is data row `row` (from 1), in
 * line `line`. Rows come into a fresh batch of c->schema. Without c->fixed, labels are collected into the schema,
 * sorted. *lines: newlines seen. */
leat_status lt_csv_parse(lt_csv *c, const char *from, const char *to, int64_t row, int64_t line, leat_batch **out,
                         int64_t *lines, leat_error *err);

/* ---- planning: finds delimiter, header, names in text; *data is behind the header. eof: text is all there is. */
leat_status lt_csv_head(lt_csv *c, const leat_params *p, const leat_schema *s, const char **data, const char *end,
                        int64_t *line, leat_error *err);
/* Kinds from the rows of [from, to); then schema and ops. */
leat_status lt_csv_plan(lt_csv *c, const leat_params *p, const leat_schema *s, const char *from, const char *to,
                        int64_t line, leat_error *err);
/* The labels are settled: is the target one of numbers? */
void lt_csv_settle(lt_csv *c);
void lt_csv_clear(lt_csv *c);
/* Numbers of the target become classes where they are some. */
leat_status lt_csv_finish_target(lt_csv *c, leat_batch *b, leat_error *err);
#endif
