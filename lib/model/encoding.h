/* The inside of encoder and binding, for the files of this folder: families reach columns in bulk through it. */
#ifndef LEAT_MODEL_ENCODING_H
#define LEAT_MODEL_ENCODING_H
#include "model/encoder.h"
#include <math.h>
enum {
  LT_PART_NUMBERS = 1, LT_PART_CATEGORY = 2, LT_PART_TEXT = 3, LT_PART_SPARSE = 4,
  LT_PART_BUCKETS = 5, LT_PART_CROSS = 6 /* derived of other parts (derive.c), behind them */
};
enum { LT_PART_LOG = 1, LT_PART_PAIRS = 2, LT_PART_ONLINE = 3 };
/* Values after which the edges of a learner's buckets are fitted: at each power of two from the first to the last, which is
 * for ever. */
enum { LT_EDGES_FIRST = 64, LT_EDGES_LAST = 1024 };
/* One FEATURE column as encoded. */
typedef struct lt_part {
  int32_t type;
  int32_t hashed;            /* CATEGORY, SPARSE: 0, 1; TEXT: 1, or LT_PART_PAIRS; NUMBERS: 0, or LT_PART_LOG */
  int64_t column;            /* in the encoder's schema */
  int64_t slot, width;       /* encoded slots [slot, slot + width) */
  int64_t number, numbers;   /* feature numbers [number, number + numbers) of a row as numbers */
  int64_t n_labels;          /* CATEGORY */
  double length;             /* TEXT: of a text's vector of words */
  int32_t *slot_of;          /* CATEGORY: slot (from `slot`) of code 0 .. n_labels; the last is unseen and missing */
  /* derived: n_labels and slot_of as above. BUCKETS: of the number of part `source`, [edge[c - 1], edge[c]); the last code
   * is missing; no edges: present or missing. CROSS: code of `source` * (labels of `other` + 1) + code of `other` */
  int64_t source, other, n_edges;
  double *edge;
  /* derived with `hashed` LT_PART_ONLINE, of a learner that sees no rows beforehand (derive_online.c): they have no slots here,
   * the learner hashes them. BUCKETS: how many are wanted (0: only whether the number is missing), and the values so far,
   * [LT_EDGES_LAST], while edges are still fitted */
  int64_t cells, n_sample;
  double *sample;
} lt_part;
static inline int lt_part_is_derived(const lt_part *p) { return p->type >= LT_PART_BUCKETS; }
/* Does it fill one slot of a row, by a code? */
static inline int lt_part_has_code(const lt_part *p) { return p->type == LT_PART_CATEGORY || lt_part_is_derived(p); }
struct lt_encoder {
  leat_runtime *rt;
  leat_schema *schema;
  lt_part *part;
  int64_t n_parts, n_dense, n_slots, n_numbers;
  int64_t hash_bits;
  int32_t standardize;       /* dense slots are (x - mean) / scale, else x */
  double *mean, *scale;      /* [n_dense]; scale is 1 without standardize */
  double *inverse;           /* 1 / scale */
  double *sparse_scale;      /* [width of the sparse part]: factor of its slots; NULL: 1 */
  int64_t sparse_part;       /* its part, or -1 */
  int64_t n_fitting;         /* parts with a sample */
};
enum { LT_MAX_SLOTS = 2147483647 };
/* Lays the slots out from the columns and the choices (types and hashed) of the parts. */
leat_status lt_encoder_layout(lt_encoder *e, leat_error *err);
/* Parts for the FEATURE columns of e->schema, with the choices of the settings; then the layout. */
leat_status lt_encoder_plan(lt_encoder *e, int64_t max_onehot, int64_t max_width, leat_error *err);
leat_status lt_encoder_alloc_stats(lt_encoder *e, leat_error *err);

/* How a bound column reaches its part. */
enum {
  LT_HOW_NUMBER = 1,      /* number-like -> numbers */
  LT_HOW_LABEL_NUMBER,    /* CATEGORY whose labels are numbers -> number, by table */
  LT_HOW_CODE,            /* CATEGORY -> category, by table or as it is */
  LT_HOW_NUMBER_CODE,     /* number -> category whose label is that number */
  LT_HOW_TEXT_CODE,       /* text -> category by its dictionary */
  LT_HOW_TEXT,            /* text -> text */
  LT_HOW_LABEL_TEXT,      /* label of a CATEGORY -> text */
  LT_HOW_SPARSE           /* sparse block -> sparse block */
};
typedef struct lt_label_number { double value; int32_t code; } lt_label_number;
typedef struct lt_bound {
  int32_t how;
  int64_t column;           /* in the rows' schema */
  int64_t n;                /* entries of map or value */
  int32_t *map;             /* their code -> the model's code; NULL: the same */
  double *number;           /* their code -> number */
  lt_label_number *value;   /* the model's labels that are numbers, ascending */
} lt_bound;
struct lt_encode {
  const lt_encoder *e;
  leat_schema *schema;
  lt_bound *part;           /* one for each part of e as it was then; derived parts need none */
  int64_t n_parts;
};
/* Raw numbers of rows [from, from + n): x[r * ld + dense slot], NaN when missing (infinities stay). */
void lt_encode_numbers(const lt_encode *b, const lt_rows *rows, int64_t from, int64_t n, double *x, int64_t ld);
/* `width` numbers of rows [from, from + n) of a number-like column: x[r * ld + j], NaN when missing. */
void lt_column_numbers(const lt_column *c, const lt_col *v, int64_t width, int64_t from, int64_t n, double *x, int64_t ld);
/* The code of part k (a CATEGORY) in [0, n_labels]; n_labels is unseen and missing. */
int64_t lt_encode_code(const lt_encode *b, int64_t k, const lt_rows *rows, int64_t r);
/* The text of part k (TEXT). */
const char *lt_encode_text(const lt_encode *b, int64_t k, const lt_rows *rows, int64_t r, uint64_t *n);
/* The raw number of part k (NUMBERS of width 1) of row r; NaN when missing. */
double lt_encode_number(const lt_encode *b, int64_t k, const lt_rows *rows, int64_t r);
/* ---- derived parts (derive.c): buckets, missing and cross of the settings; the others as of all parts. train NULL: of a
 * learner row by row */
leat_status lt_derive_fit(lt_encoder *e, const lt_encode *bind, const leat_dataset *train, const leat_params *settings,
                          leat_error *err);
leat_status lt_derive_layout(const lt_encoder *e, lt_part *p, leat_error *err);
/* The code of a part (lt_part_has_code) whose number is v; of a cross: whose numbers are v and u. */
int64_t lt_part_code(const lt_encoder *e, const lt_part *p, double v, double u);
int64_t lt_bucket_of(const double *edge, int64_t n, double x);
void lt_derive_name(const lt_encoder *e, const lt_part *p, int64_t at, lt_put *w);
void lt_derive_save(const lt_encoder *e, lt_put *w);
leat_status lt_derive_load(lt_encoder *e, lt_get *r, leat_error *err);
/* ---- derived parts of a learner row by row (derive_online.c) */
int lt_encoder_is_online(const lt_encoder *e);             /* has it any? No other family can use it then */
int lt_encoder_online_fits(const lt_encoder *e);           /* all derived parts are such */
/* The same columns in the same ways; edges may differ. */
int lt_encoder_same_plan(const lt_encoder *a, const lt_encoder *b);
/* Rows that may be encoded before edges are fitted again: at least 1; INT64_MAX: they are final. */
int64_t lt_derive_until(const lt_encoder *e);
/* Row r has been learned: its numbers count for the edges. */
void lt_derive_observe(lt_encoder *e, const lt_encode *bind, const lt_rows *rows, int64_t r);
/* What of the state is not in the settings, into a checkpoint and back; into an encoder of the same plan. */
void lt_derive_put_edges(const lt_encoder *e, lt_put *w);
void lt_derive_get_edges(lt_encoder *e, lt_get *r);
/* Ascending; no memory. */
void lt_derive_sort(double *x, int64_t n);
/* Edges between `cells` cells of about equal numbers of x (ascending), into edge [cells]; equal ones fall together. */
int64_t lt_derive_edges(const double *x, int64_t n, int64_t cells, double *edge);
/* Text -> ascending slots (from 0) and weights of length 1 of its words, with pairs also of each two that follow each
 * other. index and value have room for lt_text_room(n, pairs). Returns how many. */
int64_t lt_text_slots(const char *text, uint64_t n, int64_t hash_bits, int pairs, int32_t *index, float *value);
uint64_t lt_text_room(uint64_t n, int pairs);
/* A predictor's room for the slots of its longest text. */
typedef struct lt_text_words { int32_t *index; float *value; uint64_t bytes; } lt_text_words;
/* Room for a text of so many bytes, with pairs; never less than before. Errors: MEMORY, then the old room stays. */
leat_status lt_text_words_reserve(leat_runtime *rt, lt_text_words *w, uint64_t bytes, leat_error *err);
void lt_text_words_free(leat_runtime *rt, lt_text_words *w);
/* From length 1 to another; 1 keeps the bits. */
static inline void lt_text_stretch(float *value, int64_t n, double length) {
  for (int64_t i = 0; length != 1.0 && i < n; i++) value[i] = (float)((double)value[i] * length);
}
/* Sign and logarithm of 1 + |x|: what a NUMBERS part with `hashed` LT_PART_LOG makes of a number. */
static inline double lt_signed_log(double x) { return copysign(log1p(fabs(x)), x); }
/* Slot of an index of a hashed sparse block. */
static inline int32_t lt_hash_index(int32_t index, int64_t hash_bits) {
  return (int32_t)(lt_mix32((uint32_t)index) & (uint32_t)((1u << hash_bits) - 1u));
}
/* Ascending by index, repeats added up; returns how many remain. In place, no memory. */
int64_t lt_sort_slots(int32_t *index, float *value, int64_t n);
#endif
