/* The inside of encoder and binding, for the files of this folder: families reach columns in bulk through it. */
#ifndef LEAT_MODEL_ENCODING_H
#define LEAT_MODEL_ENCODING_H
#include "model/encoder.h"
enum { LT_PART_NUMBERS = 1, LT_PART_CATEGORY = 2, LT_PART_TEXT = 3, LT_PART_SPARSE = 4 };
/* One FEATURE column as encoded. */
typedef struct lt_part {
  int32_t type, hashed;
  int64_t column;            /* in the encoder's schema */
  int64_t slot, width;       /* encoded slots [slot, slot + width) */
  int64_t number, numbers;   /* feature numbers [number, number + numbers) of a row as numbers */
  int64_t n_labels;          /* CATEGORY */
  int32_t *slot_of;          /* CATEGORY: slot (from `slot`) of code 0 .. n_labels; the last is unseen and missing */
} lt_part;
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
  lt_bound *part;           /* one for each part of e */
};
/* Raw numbers of rows [from, from + n): x[r * ld + dense slot], NaN when missing (infinities stay). */
void lt_encode_numbers(const lt_encode *b, const lt_rows *rows, int64_t from, int64_t n, double *x, int64_t ld);
/* `width` numbers of rows [from, from + n) of a number-like column: x[r * ld + j], NaN when missing. */
void lt_column_numbers(const lt_column *c, const lt_col *v, int64_t width, int64_t from, int64_t n, double *x, int64_t ld);
/* The code of part k (a CATEGORY) in [0, n_labels]; n_labels is unseen and missing. */
int64_t lt_encode_code(const lt_encode *b, int64_t k, const lt_rows *rows, int64_t r);
/* The text of part k (TEXT). */
const char *lt_encode_text(const lt_encode *b, int64_t k, const lt_rows *rows, int64_t r, uint64_t *n);
/* Text -> ascending slots (from 0) and weights of length 1; index and value have room for n / 2 + 1. Returns how many. */
int64_t lt_text_slots(const char *text, uint64_t n, int64_t hash_bits, int32_t *index, float *value);
/* Slot of an index of a hashed sparse block. */
static inline int32_t lt_hash_index(int32_t index, int64_t hash_bits) {
  return (int32_t)(lt_mix32((uint32_t)index) & (uint32_t)((1u << hash_bits) - 1u));
}
/* Ascending by index, repeats added up; returns how many remain. In place, no memory. */
int64_t lt_sort_slots(int32_t *index, float *value, int64_t n);
#endif
