/* Readers and what they share; for this room only. A reader is one file behind lt_reader and one line of the table in
 * open.c. */
#ifndef LEAT_DATA_READER_H
#define LEAT_DATA_READER_H
#include "data/store.h"

/* ---- bytes: a file (mapped or read), a pull callback; zstd frames are decoded on the way */
typedef struct lt_source lt_source;
typedef int64_t (*lt_pull_fn)(void *user, void *buf, uint64_t cap);
leat_status lt_source_open(leat_runtime *rt, const char *path, int map, lt_source **out, leat_error *err);
leat_status lt_source_from_pull(leat_runtime *rt, const char *name, lt_pull_fn pull, void *user, lt_source **out,
                                leat_error *err);
const char *lt_source_name(const lt_source *s);
/* All bytes; they stay until the source is freed. MEMORY when unmapped bytes exceed the runtime's load budget. */
leat_status lt_source_all(lt_source *s, const char **data, uint64_t *size, leat_error *err);
/* The next bytes; *got 0 at the end only. */
leat_status lt_source_read(lt_source *s, void *buf, uint64_t cap, uint64_t *got, leat_error *err);
leat_status lt_source_rewind(lt_source *s, leat_error *err); /* UNSUPPORTED for pull */
/* The file, when the bytes are those of a file that is not packed; else NULL. It stays the source's. */
lt_file *lt_source_file(const lt_source *s, uint64_t *size);
void lt_source_free(lt_source *s);

/* ---- readers */
typedef struct lt_reader {
  const lt_spec *spec;
  /* Reads src (which it takes over, also on failure) into a dataset. s: the caller's schema or NULL. */
  leat_status (*open)(leat_runtime *rt, const leat_schema *s, lt_source *src, const leat_params *p, leat_dataset **out,
                      leat_error *err);
} lt_reader;
extern const lt_spec lt_spec_csv, lt_spec_ndjson, lt_spec_svmlight, lt_spec_idx, lt_spec_npy, lt_spec_ldat;
extern const lt_reader lt_reader_csv, lt_reader_ndjson, lt_reader_svmlight, lt_reader_idx, lt_reader_npy, lt_reader_ldat;
enum { LT_SINCE_0_1 = 1 << 8 };
/* Parameters that every reader has. */
#define LT_READER_PARAMS(target_doc)                                                                                   \
  {"target", LEAT_PARAM_TEXT, "", 0, 0, NULL, target_doc, LT_SINCE_0_1},                                                          \
  {"task", LEAT_PARAM_CHOICE, "auto", 0, 0, "auto|binary|multiclass|regression",                                       \
   "what the target is; auto: text or at most 20 distinct integers are classes", LT_SINCE_0_1},                                   \
  {"map", LEAT_PARAM_BOOL, "false", 0, 0, NULL,                                                                        \
   "map the file instead of reading it: faster, but the process gets SIGBUS when another one cuts the file", LT_SINCE_0_1},       \
  {"stream", LEAT_PARAM_BOOL, "false", 0, 0, NULL, "read in passes with bounded memory", LT_SINCE_0_1},                           \
  {"chunk_rows", LEAT_PARAM_I64, "10000", 1, 100000000, NULL,                                                          \
   "kinds and labels of a stream are learned from its first rows, at least so many", LT_SINCE_0_1}
/* and those of text */
#define LT_TEXT_PARAMS                                                                                                 \
  {"piece_bytes", LEAT_PARAM_I64, "1048576", 1, 1073741824, NULL,                                                      \
   "text is parsed in parallel in pieces of about so many bytes; does not change the result", LT_SINCE_0_1}
/* and those of text that comes in as records: what a learner reads */
#define LT_RECORD_PARAMS                                                                                               \
  {"errors", LEAT_PARAM_CHOICE, "fail", 0, 0, "fail|keep",                                                             \
   "fail: a record that cannot be read ends the reading; keep: it becomes a row without fields, with its reason",      \
   LT_SINCE_0_1},                                                                                                      \
  {"raw", LEAT_PARAM_BOOL, "false", 0, 0, NULL, "keep the bytes of every row as they came", LT_SINCE_0_1},             \
  {"grow", LEAT_PARAM_BOOL, "false", 0, 0, NULL,                                                                       \
   "labels that come up behind a stream's first rows are added to its schema, and sparse indices may be any",          \
   LT_SINCE_0_1}
int lt_reader_task(const leat_params *p); /* LT_TASK_* */

/* ---- rows that are kept though they cannot be read, and raw bytes (notes.c) */
enum {
  LT_RECORD_MOST = 1 << 20, /* bytes of a record, else TOO_LONG (errors=keep) */
  LT_QUOTED_MOST = 1 << 16, /* bytes that a quoted field may span over more than one line (errors=keep) */
  LT_RAW_MOST = 1 << 16     /* bytes that are kept of a record that is too long */
};
typedef struct lt_notes {   /* of n rows, for one stretch of text after the other; every task writes to its own rows */
  int64_t n, cap;
  const char **start;
  uint64_t *len;            /* 0: its bytes are not kept */
  int32_t *reason, *column;
} lt_notes;
leat_status lt_notes_room(leat_runtime *rt, int64_t n, lt_notes *x, leat_error *err);
void lt_notes_free(leat_runtime *rt, lt_notes *x);
void lt_note_raw(lt_notes *x, int64_t row, const char *from, const char *to); /* the end of its line is left out */
void lt_note_bad(lt_notes *x, int64_t row, int32_t reason, int32_t column, const char *from, const char *to);
/* Into what travels beside b's rows; raw: the bytes of all, else of `bad` rows. */
leat_status lt_notes_give(leat_batch *b, const lt_notes *x, int raw, int64_t bad, leat_error *err);

/* ---- text in pieces of about `piece` bytes that end behind newlines: (*bounds)[i] .. (*bounds)[i + 1], *n pieces */
leat_status lt_cut_lines(leat_runtime *rt, const char *from, const char *to, int64_t piece, const char ***bounds,
                         int64_t *n, leat_error *err);

/* ---- text in passes: a format behind this table, a window of whole records held in memory (stream.c) */
typedef struct lt_text_format {
  /* Finds the first record in text that holds at least the first line, or all of it. */
  leat_status (*head)(void *self, const char **data, const char *end, int64_t *line, leat_error *err);
  /* How many records are whole in [from, to), and where the last one ends; `ended`: to is the end of all text. */
  const char *(*whole)(void *self, const char *from, const char *to, int ended, int64_t *records);
  /* Learns the schema from the whole records [from, to), if it has none; may parse them at once into *block. */
  leat_status (*plan)(void *self, const char *from, const char *to, int64_t line, leat_batch **block, int64_t *lines,
                      leat_error *err);
  leat_status (*parse)(void *self, const char *from, const char *to, int64_t row, int64_t line, leat_batch **out,
                       int64_t *lines, leat_error *err);
  leat_schema *(*schema)(void *self);
  void (*release)(void *self);
} lt_text_format;
/* Takes over self and src, also on failure. */
leat_status lt_text_stream(leat_runtime *rt, const lt_text_format *format, void *self, lt_source *src,
                           const leat_params *p, leat_dataset **out, leat_error *err);

/* ---- columns of a table of text: what the parameters want, what the values look like */
typedef struct lt_want { int32_t role, kind; } lt_want; /* kind 0: to be inferred */
/* A column by name, by number from 1, or from the end (-1 the last). NOT_FOUND with the nearest name. */
leat_status lt_column_ref(leat_runtime *rt, const char *file, const lt_dict *names, const char *ref,
                          int64_t *index, leat_error *err);
/* Roles and kinds from target, key, weight, time, group, ignore, categorical, text, number; want[n names], zeroed. */
leat_status lt_table_wants(leat_runtime *rt, const char *file, const lt_dict *names, const leat_params *p,
                           lt_want *want, leat_error *err);

typedef struct lt_tokens { leat_runtime *rt; char *text; const char **token; uint64_t *len; int64_t n; } lt_tokens;
leat_status lt_tokens_split(leat_runtime *rt, const char *list, lt_tokens *out, leat_error *err); /* at commas, trimmed */
void lt_tokens_free(lt_tokens *t);
/* Is the text a missing value: empty, NA, N/A, NaN, nan, null, NULL, None, ? or one of `extra`? */
int lt_is_missing(const lt_tokens *extra, const char *s, uint64_t len);

typedef struct lt_infer { /* of one column */
  int lenient;                 /* some values may be junk: a column is what nine in ten of them (and at least ten) are */
  int64_t values, numbers, wholes, bools, times; /* values that are not missing; wholes: each one more than the last */
  int64_t words, distinct, missing;
  double last;
  int64_t seen_row;            /* ndjson: the last record that has it */
  int64_t junk_row, junk_line; /* the first value that is no number */
  char *junk;
  lt_dict *dict;               /* distinct values, in the second pass */
} lt_infer;
/* First pass: every value. */
leat_status lt_infer_value(leat_runtime *rt, lt_infer *c, const char *s, uint64_t len, int64_t row, int64_t line,
                           leat_error *err);
int lt_infer_needs_words(const lt_infer *c); /* 1: text, so a second pass must count words and distinct values */
leat_status lt_infer_words(leat_runtime *rt, lt_infer *c, const char *s, uint64_t len, leat_error *err);
int lt_infer_numbers(const lt_infer *c); /* is it a column of numbers? */
int32_t lt_infer_kind(const lt_infer *c);
int lt_infer_is_dirty_number(const lt_infer *c); /* nearly all numbers, but not all */
void lt_infer_free(leat_runtime *rt, lt_infer *c);

/* ---- errors with a place */
typedef struct lt_place { const char *file; int64_t row, line, column; const char *name; } lt_place;
/* "FILE: row R (line L), column 'C': 'V' is not a number; ..." */
leat_status lt_fail_number(leat_error *err, const lt_place *at, const char *s, uint64_t len);
leat_status lt_fail_value(leat_error *err, const lt_place *at, const char *s, uint64_t len, const char *why);
leat_status lt_fail_place(leat_error *err, const lt_place *at, const char *why);
/* Passes an error of a task on to the caller's. */
leat_status lt_fail_copy(leat_error *err, const leat_error *from);
#endif
