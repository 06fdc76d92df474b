/* A host as somebody would have written it against 0.1, compiled with the frozen headers, run with today's library: the
 * life of a model, every struct that crosses the boundary, and the plug-in named on the command line. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "leat/backend.h"

enum { ROWS = 400, COLS = 3 };

static leat_error err;
static void check(leat_status status, int line) {
  if (status != LEAT_OK) {
    fprintf(stderr, "consumer.c:%d: %s: %s\n", line, leat_status_name(status), err.message);
    exit(1);
  }
}
#define OK(call) check((call), __LINE__)
#define THAT(condition) \
  do { \
    if (!(condition)) { \
      fprintf(stderr, "consumer.c:%d: %s\n", __LINE__, #condition); \
      exit(1); \
    } \
  } while (0)

static void *host_alloc(void *user, uint64_t size, uint64_t align) {
  ++*(int64_t *)user;
  return aligned_alloc((size_t)align, (size_t)((size + align - 1) / align * align + (size == 0 ? align : 0)));
}
static void host_release(void *user, void *p, uint64_t size, uint64_t align) {
  (void)size;
  (void)align;
  if (p != NULL) --*(int64_t *)user;
  free(p);
}

static void use_plugin(leat_runtime *rt, const char *path) {
  int64_t before = 0, after = 0;
  OK(leat_device_count(rt, &before, &err));
  OK(leat_runtime_load_backend(rt, path, &err));
  OK(leat_device_count(rt, &after, &err));
  THAT(after == before + 1);
  int seen = 0;
  for (int64_t i = 0; i < after; i++) {
    const leat_device *dev = NULL;
    leat_device_props props = {.struct_size = sizeof props};
    OK(leat_device_at(rt, i, &dev, &err));
    OK(leat_device_get_props(dev, &props, &err));
    THAT(props.name != NULL && props.kind >= LEAT_CPU);
    if (props.driver != NULL && strcmp(props.driver, "0.1") == 0) seen++;
  }
  THAT(seen == 1);
}

static leat_model *train(leat_runtime *rt, const float *x, const float *y) {
  leat_matrix mx = {.struct_size = sizeof mx, .data = (void *)(uintptr_t)x, .rows = ROWS, .cols = COLS, .dtype = LEAT_F32};
  leat_matrix my = {.struct_size = sizeof my, .data = (void *)(uintptr_t)y, .rows = ROWS, .cols = 1, .dtype = LEAT_F32};
  leat_dataset *data = NULL;
  leat_params *params = NULL;
  leat_trainer *trainer = NULL;
  leat_model *model = NULL;
  leat_progress progress = {.struct_size = sizeof progress};
  OK(leat_dataset_from_dense(rt, NULL, &mx, &my, NULL, &data, &err));
  OK(leat_params_create(rt, "model/linear", &params, &err));
  leat_param_info info = {.struct_size = sizeof info};
  OK(leat_params_info(params, 0, &info, &err));
  THAT(info.name != NULL && info.doc != NULL && info.default_text != NULL);
  OK(leat_trainer_create(rt, params, NULL, NULL, &trainer, &err));
  OK(leat_trainer_set_data(trainer, data, NULL, &err));
  OK(leat_trainer_fit(trainer, &err));
  OK(leat_trainer_progress(trainer, &progress, &err));
  THAT(progress.state == LEAT_TRAIN_DONE && progress.loss > 0);
  OK(leat_trainer_snapshot(trainer, &model, &err));
  leat_schema *schema = NULL;
  leat_column_info column = {.struct_size = sizeof column};
  OK(leat_model_schema(model, &schema, &err));
  OK(leat_schema_column(schema, 0, &column, &err));
  THAT(column.name != NULL && column.width == COLS);
  leat_schema_free(schema);
  leat_dataset_free(data); /* any order */
  leat_params_free(params);
  leat_trainer_free(trainer);
  return model;
}

int main(int argc, char **argv) {
  static float x[ROWS * COLS], y[ROWS], p[ROWS];
  err.struct_size = sizeof err;
  THAT(leat_version() >= 0x000100);
  for (int i = 0; i < ROWS; i++) {
    for (int j = 0; j < COLS; j++) x[i * COLS + j] = (float)((i * 37 + j * 101 + i * j * 13) % 97) / 48.0f - 1.0f;
    y[i] = x[i * COLS] - 0.5f * x[i * COLS + 1] + 0.1f * (float)(i % 7 - 3) > 0 ? 1.0f : 0.0f;
  }
  int64_t blocks = 0;
  leat_allocator allocator = {sizeof allocator, &blocks, host_alloc, NULL, host_release};
  leat_runtime_opts opts = {.struct_size = sizeof opts, .allocator = &allocator, .n_threads = 1};
  leat_runtime *rt = NULL;
  OK(leat_runtime_create(&opts, &rt, &err));
  if (argc > 1) use_plugin(rt, argv[1]);
  leat_model *model = train(rt, x, y);
  leat_predictor *q = NULL;
  leat_matrix mx = {.struct_size = sizeof mx, .data = x, .rows = ROWS, .cols = COLS, .dtype = LEAT_F32};
  leat_matrix mp = {.struct_size = sizeof mp, .data = p, .rows = ROWS, .cols = 1, .dtype = LEAT_F32};
  OK(leat_predictor_create(model, NULL, NULL, &q, &err));
  OK(leat_predictor_run(q, &mx, &mp, &err));
  int right = 0;
  for (int i = 0; i < ROWS; i++) right += (p[i] > 0.5f) == (y[i] > 0.5f);
  THAT(right > ROWS * 8 / 10);
  float one = 0;
  OK(leat_predictor_one_f32(q, x, COLS, &one, 1, &err));
  THAT(fabsf(one - p[0]) < 1e-6f);
  leat_metrics *metrics = NULL;
  leat_matrix my = {.struct_size = sizeof my, .data = y, .rows = ROWS, .cols = 1, .dtype = LEAT_F32};
  double auc = 0;
  OK(leat_metrics_create(rt, "auc,accuracy", &metrics, &err));
  OK(leat_metrics_update(metrics, &mp, &my, NULL, &err));
  OK(leat_metrics_value(metrics, "auc", &auc, &err));
  THAT(auc > 0.8 && auc <= 1.0);
  leat_model *none = model;
  THAT(leat_model_load(rt, "/nonexistent/x.leat", &none, &err) < 0);
  THAT(none == NULL && err.message[0] != 0 && err.code < 0);
  leat_runtime_free(rt); /* any order: the model and the predictor keep it */
  leat_model_free(model);
  leat_predictor_free(q);
  leat_metrics_free(metrics);
  if (argc <= 1) THAT(blocks == 0);
  return 0;
}
