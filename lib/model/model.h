/* The immutable model, its package, its predictors. */
#ifndef LEAT_MODEL_MODEL_H
#define LEAT_MODEL_MODEL_H
#include "model/encoder.h"
#include "model/family.h"
#include "stats/profile.h"
#include "stats/metrics.h"
/* What a trainer hands over; everything is copied or referenced. */
typedef struct lt_model_parts {
  leat_schema *schema;            /* the raw columns, frozen; referenced */
  const lt_encoder *encoder;      /* copied */
  const lt_family *family;
  const void *params;             /* family parameters; copied through family->copy */
  const leat_params *settings;    /* hyper-parameters; copied */
  lt_profile *const *profiles;    /* may be NULL; copied */
  int64_t n_profiles;
  const leat_batch *golden;       /* up to 16 raw rows; may be NULL; their predictions are computed here */
  int64_t rows_trained, iterations;
  const char *lineage;            /* "" or the checksum of the model it grew from */
  uint64_t data_checksum;
} lt_model_parts;
leat_status lt_model_create(leat_runtime *rt, const lt_model_parts *parts, leat_model **out, leat_error *err);
leat_status lt_model_load(leat_runtime *rt, const char *path, leat_model **out, leat_error *err);
leat_status lt_model_load_bytes(leat_runtime *rt, const void *data, uint64_t size, const char *name, leat_model **out,
                                leat_error *err);
leat_status lt_model_save(const leat_model *m, const char *path, leat_error *err);
/* The bytes of its file, the model's. */
const void *lt_model_package(const leat_model *m, uint64_t *size);
leat_status lt_model_save_bytes(const leat_model *m, void *buf, uint64_t cap, uint64_t *needed, leat_error *err);
void lt_model_ref(const leat_model *m);
void lt_model_free(const leat_model *m);
leat_runtime *lt_model_runtime(const leat_model *m);
leat_schema *lt_model_schema(const leat_model *m);       /* borrowed */
const lt_encoder *lt_model_encoder(const leat_model *m);
const lt_family *lt_model_family(const leat_model *m);
const void *lt_model_params(const leat_model *m);
const leat_params *lt_model_settings(const leat_model *m);
lt_profile *const *lt_model_profiles(const leat_model *m, int64_t *count); /* borrowed */
int64_t lt_model_outputs(const leat_model *m);           /* numbers a prediction: 1, or the classes when > 2 */
const leat_batch *lt_model_golden_rows(const leat_model *m); /* borrowed, of the feature columns; NULL: none */
leat_status lt_model_get_i64(const leat_model *m, const char *name, int64_t *value, leat_error *err);
leat_status lt_model_get_text(const leat_model *m, const char *name, char *buf, uint64_t cap, uint64_t *needed,
                              leat_error *err);
leat_status lt_model_get_f64s(const leat_model *m, const char *name, double *buf, uint64_t cap, uint64_t *needed,
                              leat_error *err);
#endif
