/* The inside of a model, for the files of this folder. */
#ifndef LEAT_MODEL_MODEL_INNER_H
#define LEAT_MODEL_MODEL_INNER_H
#include "model/encoding.h"
#include "model/model.h"
#define LT_LIBRARY_VERSION "0.1.0" /* leat_version_text: a test compares them */
/* Packages are written in the oldest version that says all there is to say, which is also what a reader must know. */
enum { LT_MODEL_VERSION = 2, LT_MAX_GOLDEN = 16 };
struct leat_model {
  lt_ref ref;
  leat_runtime *rt;
  leat_schema *schema;       /* all raw columns */
  leat_schema *features;     /* the FEATURE columns alone: rows of strings, golden rows */
  lt_encoder *encoder;
  const lt_family *family;
  void *params;
  leat_params *settings;
  lt_profile **profile;
  int64_t n_profiles;
  leat_batch *golden;        /* rows of `features`; NULL: none */
  double *golden_out;        /* [n_golden, outputs] */
  int64_t n_golden;
  lt_task task;
  int64_t n_parameters, rows_trained, iterations, version;
  char *lineage, *kernels, *library, *data; /* data: its checksum, 16 hex digits */
  char checksum[33];
  lt_encode *bind, *bind_features;
  lt_plan *plan;             /* predictors fork it */
  void *package;             /* the bytes of the file: what save writes */
  uint64_t package_size;
};
/* An empty model with one reference. */
leat_status lt_model_new(leat_runtime *rt, leat_model **out, leat_error *err);
/* Schema, encoder, family and params are there: makes features, bindings and plan. */
leat_status lt_model_finish(leat_model *m, leat_error *err);
/* Predictions of the golden rows, [n_golden, outputs]. */
leat_status lt_model_golden(const leat_model *m, double *out, leat_error *err);
/* The model as a sealed file in m->package, and its checksum. */
leat_status lt_package_write(leat_model *m, leat_error *err);
/* Reads data (copied into the model). `name` is used in messages. */
leat_status lt_package_read(leat_runtime *rt, const void *data, uint64_t size, const char *name, leat_model **out,
                            leat_error *err);
#endif
