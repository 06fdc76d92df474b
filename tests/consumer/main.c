/* A host that knows leat only as it is installed: trains, predicts, prints a number that the script looks for. */
#include <leat/leat.h>
#include <stdio.h>

enum { ROWS = 200, COLS = 2 };

static int failed(leat_status status, const leat_error *err) {
  if (status != LEAT_OK) fprintf(stderr, "%s: %s\n", leat_status_name(status), err->message);
  return status != LEAT_OK;
}

int main(void) {
  static double x[ROWS * COLS], y[ROWS], p[ROWS];
  leat_error err = {.struct_size = sizeof err};
  leat_matrix mx = {.struct_size = sizeof mx, .data = x, .rows = ROWS, .cols = COLS, .dtype = LEAT_F64};
  leat_matrix my = {.struct_size = sizeof my, .data = y, .rows = ROWS, .cols = 1, .dtype = LEAT_F64};
  leat_matrix mp = {.struct_size = sizeof mp, .data = p, .rows = ROWS, .cols = 1, .dtype = LEAT_F64};
  leat_runtime *rt = NULL;
  leat_dataset *data = NULL;
  leat_params *params = NULL;
  leat_trainer *trainer = NULL;
  leat_model *model = NULL;
  leat_predictor *q = NULL;
  int right = 0, rc = 1;
  for (int i = 0; i < ROWS; i++) {
    x[2 * i] = (double)(i * 29 % 101) / 50.0 - 1.0;
    x[2 * i + 1] = (double)(i * 53 % 97) / 48.0 - 1.0;
    y[i] = x[2 * i] + x[2 * i + 1] > 0.05 * (double)(i % 5 - 2);
  }
  if (failed(leat_runtime_create(NULL, &rt, &err), &err)) goto out;
  if (failed(leat_dataset_from_dense(rt, NULL, &mx, &my, NULL, &data, &err), &err)) goto out;
  if (failed(leat_params_create(rt, "model/linear", &params, &err), &err)) goto out;
  if (failed(leat_trainer_create(rt, params, NULL, NULL, &trainer, &err), &err)) goto out;
  if (failed(leat_trainer_set_data(trainer, data, NULL, &err), &err)) goto out;
  if (failed(leat_trainer_fit(trainer, &err), &err)) goto out;
  if (failed(leat_trainer_snapshot(trainer, &model, &err), &err)) goto out;
  if (failed(leat_predictor_create(model, NULL, NULL, &q, &err), &err)) goto out;
  if (failed(leat_predictor_run(q, &mx, &mp, &err), &err)) goto out;
  for (int i = 0; i < ROWS; i++) right += (p[i] > 0.5) == (y[i] > 0.5);
  printf("leat %s: %s\n", leat_version_text(), right > ROWS * 9 / 10 ? "learned" : "did not learn");
  rc = right > ROWS * 9 / 10 ? 0 : 1;
out:
  leat_predictor_free(q);
  leat_model_free(model);
  leat_trainer_free(trainer);
  leat_params_free(params);
  leat_dataset_free(data);
  leat_runtime_free(rt);
  return rc;
}
