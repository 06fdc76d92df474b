/* A million predictions after reserve, while every way to get memory in this process fails: the names below stand before
 * the C library's for libleat.so too. Dense, sparse, text rows, and small batches. */
#include "faults.h"
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_memalign(size_t align, size_t size);
extern void __libc_free(void *p);
static volatile int deny;
static volatile long asked;

static int denied(void) {
  if (!deny) return 0;
  asked++;
  errno = ENOMEM;
  return 1;
}
void *malloc(size_t size) { return denied() ? NULL : __libc_malloc(size); }
void *calloc(size_t n, size_t size) { return denied() ? NULL : __libc_calloc(n, size); }
void *realloc(void *p, size_t size) { return denied() ? NULL : __libc_realloc(p, size); }
void *memalign(size_t align, size_t size);
void *memalign(size_t align, size_t size) { return denied() ? NULL : __libc_memalign(align, size); }
void *aligned_alloc(size_t align, size_t size) { return denied() ? NULL : __libc_memalign(align, size); }
int posix_memalign(void **out, size_t align, size_t size) {
  *out = denied() ? NULL : __libc_memalign(align, size);
  return *out == NULL ? ENOMEM : 0;
}
void free(void *p) {
  if (deny && p != NULL) asked++;
  __libc_free(p);
}

enum { DENSE = 30, WIDTH = 5000, ROWS = 400, NNZ = 40 };
static leat_error err = {.struct_size = sizeof err};
static leat_runtime *rt;

static int good(leat_status status, const char *what) {
  return check_that(status == LEAT_OK, "%s: %s", what, err.message);
}

/* A network when asked for, else a linear model. */
static leat_model *train_on(leat_dataset *data, int net) {
  leat_params *params = NULL;
  leat_trainer *trainer = NULL;
  leat_model *model = NULL;
  if (good(leat_params_create(rt, net ? "model/mlp" : "model/linear", &params, &err), "params") &&
      (!net || good(leat_params_set_text(params, "layers", "24,12", &err), "layers")) &&
      (!net || good(leat_params_set_text(params, "norm", "layer", &err), "norm")) &&
      (!net || good(leat_params_set_i64(params, "max_iterations", 1, &err), "max_iterations")) &&
      good(leat_trainer_create(rt, params, NULL, NULL, &trainer, &err), "trainer") &&
      good(leat_trainer_set_data(trainer, data, NULL, &err), "set_data") &&
      good(leat_trainer_fit(trainer, &err), "fit"))
    good(leat_trainer_snapshot(trainer, &model, &err), "snapshot");
  leat_trainer_free(trainer);
  leat_params_free(params);
  return model;
}

static leat_predictor *predictor_of(const leat_model *model, const char *precision) {
  leat_predictor *q = NULL;
  leat_params *p = NULL;
  if (good(leat_params_create(rt, "predictor", &p, &err), "params") && good(leat_params_set_text(p, "precision", precision, &err), "precision"))
    good(leat_predictor_create(model, p, NULL, &q, &err), "predictor");
  leat_params_free(p);
  return q;
}

static void dense_rows(long n, int net, const char *precision) {
  static float x[ROWS * DENSE], y[ROWS], p[64];
  static double xd[DENSE], pd[1];
  for (int i = 0; i < ROWS * DENSE; i++) x[i] = (float)((i * 7919) % 1000) / 500.0f - 1.0f;
  for (int i = 0; i < ROWS; i++) y[i] = x[i * DENSE] + x[i * DENSE + 1] > 0 ? 1.0f : 0.0f;
  leat_matrix mx = {.struct_size = sizeof mx, .data = x, .rows = ROWS, .cols = DENSE, .dtype = LEAT_F32};
  leat_matrix my = {.struct_size = sizeof my, .data = y, .rows = ROWS, .cols = 1, .dtype = LEAT_F32};
  leat_matrix mp = {.struct_size = sizeof mp, .data = p, .rows = 64, .cols = 1, .dtype = LEAT_F32};
  leat_dataset *data = NULL;
  leat_predictor *q = NULL;
  leat_model *model = NULL;
  if (!good(leat_dataset_from_dense(rt, NULL, &mx, &my, NULL, &data, &err), "from_dense")) return;
  model = train_on(data, net);
  if (model == NULL || !(q = predictor_of(model, precision))) return;
  good(leat_predictor_reserve(q, 64, &err), "reserve");
  for (int j = 0; j < DENSE; j++) xd[j] = x[j];
  mx.rows = 64;
  long bad = 0;
  asked = 0;
  deny = 1;
  for (long i = 0; i < n; i++) {
    bad += leat_predictor_one_f32(q, x + i % ROWS * DENSE, DENSE, p, 64, &err) != LEAT_OK;
    if (i % 4 == 0) bad += leat_predictor_one_f64(q, xd, DENSE, pd, 1, &err) != LEAT_OK;
    if (i % 64 == 0) bad += leat_predictor_run(q, &mx, &mp, &err) != LEAT_OK;
  }
  deny = 0;
  check_that(bad == 0, "dense: %ld of %ld predictions failed: %s", bad, n, err.message);
  check_that(asked == 0, "dense: memory was asked for or given back %ld times", asked);
  leat_predictor_free(q);
  leat_model_free(model);
  leat_dataset_free(data);
}

static void sparse_rows(long n, int net) {
  static int64_t start[ROWS + 1];
  static int32_t index[ROWS * NNZ];
  static float value[ROWS * NNZ], y[ROWS], p[4];
  for (int i = 0; i < ROWS; i++) {
    for (int k = 0; k < NNZ; k++) {
      index[i * NNZ + k] = k * (WIDTH / NNZ) + (i * 31 + k * 17) % (WIDTH / NNZ);
      value[i * NNZ + k] = 1.0f + (float)(k % 3);
    }
    start[i + 1] = start[i] + NNZ;
    y[i] = index[i * NNZ] % 2 == 0 ? 1.0f : 0.0f;
  }
  leat_csr cx = {.struct_size = sizeof cx, .row_start = start, .index = index, .value = value, .rows = ROWS,
                 .cols = WIDTH, .dtype = LEAT_F32};
  leat_matrix my = {.struct_size = sizeof my, .data = y, .rows = ROWS, .cols = 1, .dtype = LEAT_F32};
  leat_dataset *data = NULL;
  leat_predictor *q = NULL;
  leat_model *model = NULL;
  if (!good(leat_dataset_from_csr(rt, NULL, &cx, &my, NULL, &data, &err), "from_csr")) return;
  model = train_on(data, net);
  if (model == NULL || !good(leat_predictor_create(model, NULL, NULL, &q, &err), "predictor")) return;
  good(leat_predictor_reserve(q, 16, &err), "reserve");
  long bad = 0;
  asked = 0;
  deny = 1;
  for (long i = 0; i < n; i++) {
    const long r = i % ROWS;
    bad += leat_predictor_one_sparse(q, index + r * NNZ, i % 2 ? value + r * NNZ : NULL, NNZ, p, 4, &err) != LEAT_OK;
  }
  deny = 0;
  check_that(bad == 0, "sparse: %ld of %ld predictions failed: %s", bad, n, err.message);
  check_that(asked == 0, "sparse: memory was asked for or given back %ld times", asked);
  leat_predictor_free(q);
  leat_model_free(model);
  leat_dataset_free(data);
}

static void text_rows(long n) {
  static const char *const rows[][4] = {{"31", "45.10", "two years", "slow line"}, {"", "7", "monthly", ""},
                                        {"59", "89.99", "never seen", "calls often, moved house"}};
  char folder[4000], path[4096];
  float p[4];
  make_folder(folder, sizeof folder);
  join_path(path, sizeof path, folder, "data.csv");
  if (write_csv(path, 400, 3) != 0) return;
  leat_runtime_opts opts = {.struct_size = sizeof opts, .n_threads = 1};
  const char *what = "";
  leat_model *model = NULL;
  leat_predictor *q = NULL;
  if (!check_that(live(&opts, folder, NULL, &what, &err) == LEAT_OK, "%s: %s", what, err.message)) return;
  join_path(path, sizeof path, folder, "model.leat");
  if (!good(leat_model_load(rt, path, &model, &err), "load")) return;
  if (!good(leat_predictor_create(model, NULL, NULL, &q, &err), "predictor")) return;
  good(leat_predictor_reserve(q, 16, &err), "reserve");
  long bad = 0;
  asked = 0;
  deny = 1;
  for (long i = 0; i < n; i++) bad += leat_predictor_one_text(q, rows[i % 3], 4, p, 4, &err) != LEAT_OK;
  deny = 0;
  check_that(bad == 0, "text: %ld of %ld predictions failed: %s", bad, n, err.message);
  check_that(asked == 0, "text: memory was asked for or given back %ld times", asked);
  leat_predictor_free(q);
  leat_model_free(model);
  remove_folder(folder);
}

int main(void) {
  if (!good(leat_runtime_create(NULL, &rt, &err), "runtime")) return finish_faults();
  void *volatile probe = NULL;
  deny = 1;
  probe = malloc(1);
  deny = 0;
  check_that(probe == NULL && asked == 1, "malloc is not interposed");
  dense_rows(1000000, 0, "f32");
  dense_rows(200000, 1, "f32");
  dense_rows(200000, 1, "int8");
  sparse_rows(1000000, 0);
  sparse_rows(100000, 1);
  text_rows(1000000);
  leat_runtime_free(rt);
  return finish_faults();
}
