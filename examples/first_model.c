/* Trains on a CSV file, saves the model, loads it again and predicts one raw row. Usage: first_model churn.csv
 *   cc first_model.c $(pkg-config --cflags --libs leat) -o first_model */
#include <leat/leat.h>
#include <stdio.h>

int main(int argc, char **argv) {
  leat_error err = { .struct_size = sizeof err };
  leat_runtime *rt = NULL;
  leat_params *csv = NULL, *linear = NULL;
  leat_dataset *rows = NULL;
  leat_trainer *trainer = NULL;
  leat_model *made = NULL, *model = NULL;
  leat_predictor *predictor = NULL;
  /* one customer, as the columns come in the file; no encoding by hand */
  const char *customer[] = { "coast", "14", "month-to-month", "fibre", "card", "74.90", "120.5", "1", "0" };
  float leaves = 0;
  int failed =
      leat_runtime_create(NULL, &rt, &err) ||
      leat_params_create(rt, "reader/csv", &csv, &err) || leat_params_set_text(csv, "target", "churn", &err) ||
      leat_params_set_text(csv, "ignore", "customer_id", &err) ||
      leat_dataset_open(rt, NULL, argc > 1 ? argv[1] : "churn.csv", csv, &rows, &err) ||
      leat_params_create(rt, "model/linear", &linear, &err) ||
      leat_trainer_create(rt, linear, NULL, NULL, &trainer, &err) ||
      leat_trainer_set_data(trainer, rows, NULL, &err) || leat_trainer_fit(trainer, &err) ||
      leat_trainer_snapshot(trainer, &made, &err) || leat_model_save(made, "first_model.leat", &err) ||
      leat_model_load(rt, "first_model.leat", &model, &err) ||
      leat_predictor_create(model, NULL, NULL, &predictor, &err) ||
      leat_predictor_one_text(predictor, customer, 9, &leaves, 1, &err);
  if (failed) fprintf(stderr, "first_model: %s\n", err.message);
  else printf("this customer leaves with probability %.3f\n", leaves);
  leat_predictor_free(predictor);
  leat_model_free(model);
  leat_model_free(made);
  leat_trainer_free(trainer);
  leat_dataset_free(rows);
  leat_params_free(linear);
  leat_params_free(csv);
  leat_runtime_free(rt);
  return failed != 0;
}
