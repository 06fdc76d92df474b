/* Arrow's C data interface: an Arrow schema as columns, arrays as cells, and datasets from and to them. */
#ifndef LEAT_DATA_ARROW_H
#define LEAT_DATA_ARROW_H
#include "data/reader.h"

/* ---- types of columns */
enum { /* numbers first, integers before floats */
  LT_AR_NULL = 0, LT_AR_I8, LT_AR_U8, LT_AR_I16, LT_AR_U16, LT_AR_I32, LT_AR_U32, LT_AR_I64, LT_AR_U64,
  LT_AR_F16, LT_AR_F32, LT_AR_F64, LT_AR_DECIMAL,
  LT_AR_TIME_OF_DAY, LT_AR_DURATION,  /* numbers in seconds */
  LT_AR_BOOL, LT_AR_DATE_DAYS, LT_AR_DATE_MS, LT_AR_TIMESTAMP,
  LT_AR_TEXT, LT_AR_LARGE_TEXT, LT_AR_TEXT_VIEW, LT_AR_FIXED_BYTES,
  LT_AR_LIST,                         /* of a fixed number of numbers: a dense block */
  LT_AR_SPARSE,                       /* list of structs of an integer and a number: a sparse block */
  LT_AR_LARGE_SPARSE,
  LT_AR_OTHER                         /* not taken */
};
enum { LT_AR_DEEPEST = 8 };
typedef struct lt_arrow_type {
  int32_t type;
  int32_t binary;     /* TEXT and the like that may hold any bytes: for keys only */
  int32_t bits, scale;/* DECIMAL; bits also: of a TIME_OF_DAY */
  int64_t per_second; /* of times; width of LIST and FIXED_BYTES */
} lt_arrow_type;
typedef struct lt_arrow_field { /* a column: a leaf of the schema, structs taken apart */
  const char *name;             /* "a", or "s.a" for a in the struct s */
  int32_t path[LT_AR_DEEPEST], depth;
  lt_arrow_type type;           /* with a dictionary: of its values */
  lt_arrow_type index;          /* .type LT_AR_NULL: no dictionary */
  lt_arrow_type item[2];        /* LIST: of the numbers; SPARSE: of indices and values */
  char *format;                 /* as the producer wrote it */
} lt_arrow_field;
typedef struct lt_arrow_table {
  leat_runtime *rt;
  int64_t n;
  lt_arrow_field *field;
  uint64_t cap;
  lt_dict *names;
} lt_arrow_table;
/* FORMAT when the schema breaks the interface's rules, DATA for two columns of one name, DTYPE when it is no struct. */
leat_status lt_arrow_table_of(leat_runtime *rt, const struct ArrowSchema *s, lt_arrow_table *out, leat_error *err);
void lt_arrow_table_free(lt_arrow_table *t);
static inline int lt_arrow_is_integer(int32_t type) { return type >= LT_AR_I8 && type <= LT_AR_U64; }
static inline int lt_arrow_is_number(int32_t type) { return type >= LT_AR_I8 && type <= LT_AR_DURATION; }
static inline int lt_arrow_is_time(int32_t type) { return type >= LT_AR_DATE_DAYS && type <= LT_AR_TIMESTAMP; }
static inline int lt_arrow_is_text(int32_t type) { return type >= LT_AR_TEXT && type <= LT_AR_FIXED_BYTES; }
static inline int lt_arrow_is_sparse(int32_t type) { return type == LT_AR_SPARSE || type == LT_AR_LARGE_SPARSE; }
/* The LEAT_* type whose bytes are the same, 0: none. */
int32_t lt_arrow_dtype(int32_t type);

/* ---- cells: one column of one array, checked */
typedef struct lt_arrow_bits { const uint8_t *bits; int64_t at; } lt_arrow_bits;
typedef struct lt_arrow_cells {
  const lt_arrow_type *type;
  int64_t n, at;                       /* row r is element at + r of the buffers */
  int32_t n_valid, views;              /* views: TEXT_VIEW's buffers of bytes */
  lt_arrow_bits valid[LT_AR_DEEPEST + 1]; /* of the column and the structs around it; none: no cell is missing */
  const void *const *buffer;
} lt_arrow_cells;
typedef struct lt_arrow_column {
  const lt_arrow_field *field;
  lt_arrow_cells cells;                /* with a dictionary: the indices */
  lt_arrow_cells value;                /* the dictionary's values; LIST: the numbers, from row 0's on; SPARSE: values */
  lt_arrow_cells index;                /* SPARSE: indices */
} lt_arrow_column;
/* Column `f` of array a: lengths, offsets, buffers and children are checked, so that no cell lies outside. What the
 * interface does not tell, the size of a buffer, is believed. FORMAT when they contradict each other. */
leat_status lt_arrow_column_of(const lt_arrow_field *f, const struct ArrowArray *a, lt_arrow_column *out,
                               leat_error *err);
/* The top-level array: its length and children. */
leat_status lt_arrow_check_rows(const struct ArrowArray *a, const struct ArrowSchema *s, leat_error *err);
int lt_arrow_missing(const lt_arrow_cells *c, int64_t r);
int64_t lt_arrow_missing_count(const lt_arrow_cells *c);
int64_t lt_arrow_integer(const lt_arrow_cells *c, int64_t r);  /* of an integer or BOOL column */
double lt_arrow_number(const lt_arrow_cells *c, int64_t r);    /* a number or BOOL, not missing */
/* Nanoseconds since 1970; 0 when it is outside of what 64 bits hold. */
int lt_arrow_time(const lt_arrow_cells *c, int64_t r, int64_t *ns);
/* A cell that is not missing as text: numbers in their shortest form, times in ISO 8601. */
enum { LT_AR_TEXT_ROOM = 192 };
const char *lt_arrow_text(const lt_arrow_cells *c, int64_t r, char buf[LT_AR_TEXT_ROOM], uint64_t *n);
/* Row r of a column: through its dictionary when it has one. NULL: missing. */
const lt_arrow_cells *lt_arrow_cell(const lt_arrow_column *c, int64_t *r);

/* ---- from arrays to rows */
typedef struct lt_arrow_bind {  /* how columns become those of a schema */
  leat_runtime *rt;
  const lt_arrow_table *table;
  leat_schema *schema;
  int64_t *field;               /* of each column of the schema; -1: absent */
  int32_t *dtype;               /* of each NUMBER: LEAT_*, what all its chunks are of; 0: each as it comes */
  int32_t fresh;                /* the schema comes from the arrays; targets must be there */
  const char *name;             /* opens messages */
  const char *source;           /* of the rows; NULL: they have no positions */
} lt_arrow_bind;
/* arrays[n] as batches over their memory (columns that can be used as they are) and own memory (others); no array is
 * touched, so each is to be handed to its batch. first_row: number of the first row from 0. */
leat_status lt_arrow_batches(const lt_arrow_bind *b, const struct ArrowArray *arrays, int64_t n, int64_t first_row,
                             leat_batch **out, leat_error *err);
void lt_arrow_take(leat_batch *b, struct ArrowArray *a); /* moves a, which the batch then releases */
/* Schema and binding from the first rows (s NULL), or for a schema. own: schema and arrays of *out (lt_arrow_bind_free). */
leat_status lt_arrow_plan(leat_runtime *rt, const lt_arrow_table *t, const leat_schema *s, const leat_params *p,
                          const struct ArrowArray *arrays, int64_t n, lt_arrow_bind *out, leat_error *err);
void lt_arrow_bind_free(lt_arrow_bind *b);
extern const lt_spec lt_spec_arrow; /* "reader/arrow" */

/* ---- datasets */
leat_status lt_dataset_from_arrow(leat_runtime *rt, const leat_schema *s, const leat_params *p, struct ArrowSchema *schema,
                                  struct ArrowArray *array, leat_dataset **out, leat_error *err);
leat_status lt_dataset_from_arrow_stream(leat_runtime *rt, const leat_schema *s, const leat_params *p,
                                         struct ArrowArrayStream *stream, leat_dataset **out, leat_error *err);
leat_status lt_dataset_from_arrow_source(leat_runtime *rt, const leat_schema *s, const leat_params *p,
                                         int32_t (*open)(void *user, struct ArrowArrayStream *out), void *user,
                                         leat_dataset **out, leat_error *err);

/* ---- out */
typedef struct lt_arrow_rows { /* a producer of rows: what an exported stream pulls */
  void *self;
  /* The next rows, and the batch that they live in, with a reference for the caller: *held NULL at the end. */
  leat_status (*next)(void *self, lt_rows *rows, leat_batch **held, leat_error *err);
  void (*release)(void *self);
} lt_arrow_rows;
/* A stream of rows of schema s; dtype[i]: what column i is written as (LEAT_*; of kinds that are no numbers any but 0), 0:
 * not at all. Rows of another type are converted. Takes over `rows`, also on failure. */
leat_status lt_arrow_export(leat_runtime *rt, leat_schema *s, const int32_t *dtype, const lt_arrow_rows *rows,
                            struct ArrowArrayStream *out, leat_error *err);
/* One array (arrow_array.c), and its schema (arrow_schema.c). */
leat_status lt_arrow_put_schema(leat_runtime *rt, const leat_schema *s, const int32_t *dtype, struct ArrowSchema *out,
                                leat_error *err);
leat_status lt_arrow_put_array(leat_batch *held, const lt_rows *rows, const int32_t *dtype, struct ArrowArray *out,
                               leat_error *err);
leat_status lt_dataset_to_arrow(leat_dataset *d, int64_t batch_rows, struct ArrowArrayStream *out, leat_error *err);
#endif
