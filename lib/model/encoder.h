/* The encoder inside the model: raw rows -> numbers a family learns from. The same code in training and in serving.
 *   NUMBER, TIME, BOOL   missing (NaN, infinite) -> the training mean; (x - mean) / deviation of the population when
 *                        `standardize` (a constant column: 0)                                        1 slot an element
 *   CATEGORY             one-hot over the training labels + one cell for unseen and missing             n_labels + 1 slots
 *                        more labels than `max_onehot`: hashed into 2^hash_bits slots
 *                        (the cell for unseen and missing is there too)                       2^hash_bits + 1 slots
 *                        a column that `log` names: sign(x) log(1 + |x|) in x's place
 *   TEXT                 words (words=2: and pairs of them) hashed into 2^hash_bits slots, counts of length 1 (L2). A word is a maximal run of ASCII
 *                        letters and digits, ' and bytes above 127; ASCII capitals count as small letters
 *   sparse block         as it is (no centring), or hashed into 2^hash_bits slots when wider than `max_width`;
 *                        standardize=yes divides by the deviation (never centres)
 *   ID                   nothing
 * Encoded rows have `dense` slots [0, n_dense) followed by sparse slots [n_dense, n_slots). */
#ifndef LEAT_MODEL_ENCODER_H
#define LEAT_MODEL_ENCODER_H
#include "base/params.h"
#include "data/dataset.h"
typedef struct lt_encoder lt_encoder;
typedef struct lt_encode lt_encode; /* an encoder bound to rows of one schema object (labels are remapped by text) */
/* Fits to the rows of `train` in fixed tiles: the same result at any thread count. `settings`: the model's parameters
 * standardize, max_onehot, hash_bits, max_width. */
leat_status lt_encoder_fit(leat_runtime *rt, const leat_dataset *train, const leat_params *settings, lt_encoder **out,
                           leat_error *err);
/* The layout alone, for learners that see their rows one by one and keep statistics themselves: of the settings hash_bits,
 * words, log, buckets, missing and cross; standardize no, sparse blocks wider than 2^24 hashed. ARG, NOT_FOUND: settings that
 * do not fit the columns. */
leat_status lt_encoder_unfitted(leat_runtime *rt, leat_schema *schema, const leat_params *settings, lt_encoder **out,
                                leat_error *err);
/* A copy for a schema that differs in nothing but the labels of the target. */
leat_status lt_encoder_copy_for(const lt_encoder *e, const leat_schema *schema, lt_encoder **out, leat_error *err);
leat_status lt_encoder_copy(const lt_encoder *e, lt_encoder **out, leat_error *err);
void lt_encoder_free(lt_encoder *e);
void lt_encoder_save(const lt_encoder *e, lt_put *w);
leat_status lt_encoder_load(leat_runtime *rt, const leat_schema *schema, lt_get *r, lt_encoder **out, leat_error *err);
int64_t lt_encoder_slots(const lt_encoder *e);   /* all */
int64_t lt_encoder_dense(const lt_encoder *e);   /* those that every row fills */
leat_status lt_encoder_slot_name(const lt_encoder *e, int64_t slot, lt_put *w, leat_error *err); /* "Contract=Two year" */
/* Binding. `schema` must have the encoder's feature columns by name (NOT_FOUND with the near-miss) and kind. */
leat_status lt_encode_create(const lt_encoder *e, const leat_schema *schema, lt_encode **out, leat_error *err);
void lt_encode_free(lt_encode *b);
/* The dense slots of rows [from, from + n): dense[r * ld + slot]. Columns in bulk: the trainers' fast way. */
void lt_encode_dense(const lt_encode *b, const lt_rows *rows, int64_t from, int64_t n, float *dense, int64_t ld);
/* The sparse slots of one row only (as encode_row). */
int64_t lt_encode_sparse(const lt_encode *b, const lt_rows *rows, int64_t r, int32_t *index, float *value);
/* One row: dense[n_dense] is filled; the sparse slots are appended to index/value (room for lt_encode_room()), ascending,
 * repeats added up. Returns how many. Never allocates. */
int64_t lt_encode_room(const lt_encode *b, const lt_rows *rows, int64_t r);
int64_t lt_encode_row(const lt_encode *b, const lt_rows *rows, int64_t r, float *dense, int32_t *index, float *value);
#endif
