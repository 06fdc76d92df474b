/* Whole models for the tests: mixed, dense and sparse ones with made-up weights. Needs model_help.h. */
#ifndef LEAT_TESTS_MODEL_MAKE_H
#define LEAT_TESTS_MODEL_MAKE_H
#include "model/model_inner.h"
#include "model/predictor.h"
#include "model/profiles.h"
#include "model_help.h"

HELP leat_model *model_of(leat_runtime *rt, const leat_dataset *d, const leat_params *p, int with_profiles, uint64_t seed) {
  lt_encoder *e = NULL;
  leat_model *m = NULL;
  lt_profile **profile = NULL;
  int64_t n_profiles = 0;
  leat_batch *golden = NULL;
  OK(lt_encoder_fit(rt, d, p, &e, &error_of));
  lt_linear *w = random_linear(rt, p, lt_schema_classes(lt_dataset_schema(d)), lt_encoder_slots(e), seed);
  OK(lt_golden_pick(rt, d, &golden, &error_of));
  if (with_profiles) OK(lt_profiles_fit(rt, d, &profile, &n_profiles, &error_of));
  lt_model_parts parts = {.schema = lt_dataset_schema(d), .encoder = e, .family = &lt_family_linear, .params = w,
                          .settings = p, .profiles = profile, .n_profiles = n_profiles, .golden = golden,
                          .rows_trained = lt_dataset_rows(d), .iterations = 7, .lineage = "", .data_checksum = 0x1234abcd};
  OK(lt_model_create(rt, &parts, &m, &error_of));
  lt_profiles_free(rt, profile, n_profiles);
  lt_batch_free(golden);
  lt_family_linear.release(w);
  lt_encoder_free(e);
  return m;
}

HELP leat_model *mixed_model(leat_runtime *rt, int64_t n_classes, int text) {
  leat_dataset *d = mixed_dataset(rt, n_classes, text, 400, 11);
  leat_params *p = linear_settings(rt, "hash_bits", "6");
  leat_model *m = model_of(rt, d, p, 1, 3);
  lt_params_free(p);
  lt_dataset_free(d);
  return m;
}

HELP leat_dataset *dense_dataset(leat_runtime *rt, int64_t rows, int64_t cols, int64_t classes) {
  float *x = malloc((size_t)(rows * cols) * sizeof *x), *y = malloc((size_t)rows * sizeof *y);
  lt_rng r;
  lt_rng_init(&r, 4, (uint64_t)cols);
  for (int64_t i = 0; i < rows * cols; i++) x[i] = (float)lt_rng_normal(&r);
  for (int64_t i = 0; i < rows; i++) y[i] = classes ? (float)(i % classes) : (float)lt_rng_normal(&r);
  leat_matrix mx = {.struct_size = sizeof mx, .data = x, .rows = rows, .cols = cols, .dtype = LEAT_F32};
  leat_matrix my = {.struct_size = sizeof my, .data = y, .rows = rows, .cols = 1, .dtype = LEAT_F32};
  leat_dataset *d = NULL;
  OK(lt_dataset_from_dense(rt, NULL, &mx, &my, NULL, &d, &error_of));
  free(x);
  free(y);
  return d;
}

HELP leat_model *dense_model(leat_runtime *rt, int64_t cols, int64_t classes) {
  leat_dataset *d = dense_dataset(rt, 200, cols, classes);
  leat_params *p = linear_settings(rt, NULL, NULL);
  leat_model *m = model_of(rt, d, p, 1, 5);
  lt_params_free(p);
  lt_dataset_free(d);
  return m;
}

/* Rows of nnz entries spread over width. */
HELP leat_dataset *sparse_dataset(leat_runtime *rt, int64_t width, int64_t rows, int64_t nnz, int64_t classes) {
  int64_t *at = malloc((size_t)(rows + 1) * sizeof *at);
  int32_t *index = malloc((size_t)(rows * nnz) * sizeof *index);
  float *value = malloc((size_t)(rows * nnz) * sizeof *value);
  double *y = malloc((size_t)rows * sizeof *y);
  lt_rng r;
  lt_rng_init(&r, 21, 1);
  for (int64_t i = 0; i < rows; i++) {
    at[i] = i * nnz;
    y[i] = (double)(i % classes);
    for (int64_t k = 0; k < nnz; k++) {
      index[i * nnz + k] = (int32_t)(k * (width / nnz) + (int64_t)lt_rng_below(&r, (uint64_t)(width / nnz)));
      value[i * nnz + k] = (float)lt_rng_normal(&r);
    }
  }
  at[rows] = rows * nnz;
  leat_csr x = {.struct_size = sizeof x, .row_start = at, .index = index, .value = value, .rows = rows, .cols = width,
                .dtype = LEAT_F32};
  leat_matrix my = {.struct_size = sizeof my, .data = y, .rows = rows, .cols = 1, .dtype = LEAT_F64};
  leat_dataset *d = NULL;
  OK(lt_dataset_from_csr(rt, NULL, &x, &my, NULL, &d, &error_of));
  free(at);
  free(index);
  free(value);
  free(y);
  return d;
}

HELP leat_model *sparse_model(leat_runtime *rt, int64_t width) {
  leat_dataset *d = sparse_dataset(rt, width, 100, 20, 2);
  leat_params *p = linear_settings(rt, NULL, NULL);
  leat_model *m = model_of(rt, d, p, 1, 5);
  lt_params_free(p);
  lt_dataset_free(d);
  return m;
}

HELP leat_matrix matrix_of(void *data, int64_t rows, int64_t cols, int64_t dtype) {
  leat_matrix m = {.struct_size = sizeof m, .data = data, .rows = rows, .cols = cols, .dtype = dtype};
  return m;
}
#endif
