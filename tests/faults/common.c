#include "faults.h"
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int faults_passed, faults_failed, faults_skipped;

int check_that(int holds, const char *fmt, ...) {
  if (holds) {
    faults_passed++;
    return 1;
  }
  faults_failed++;
  if (faults_failed > 20) return 0;
  va_list args;
  va_start(args, fmt);
  fputs("FAIL ", stdout);
  vprintf(fmt, args);
  fputc('\n', stdout);
  va_end(args);
  return 0;
}

int finish_faults(void) {
  printf("%d passed, %d failed, %d skipped\n", faults_passed, faults_failed, faults_skipped);
  return faults_failed > 0 ? 1 : faults_passed == 0 && faults_skipped > 0 ? 77 : 0;
}

void make_folder(char *path, int cap) {
  const char *base = getenv("TMPDIR");
  snprintf(path, (size_t)cap, "%s/leat-faults-XXXXXX", base != NULL && base[0] != 0 ? base : "/tmp");
  if (mkdtemp(path) == NULL) {
    perror(path);
    exit(1);
  }
}

void join_path(char *out, int cap, const char *folder, const char *name) {
  snprintf(out, (size_t)cap, "%s/%s", folder, name);
}

static int each_file(const char *folder, int remove_them) {
  DIR *d = opendir(folder);
  if (d == NULL) return 0;
  int n = 0;
  for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
    n++;
    char path[4096];
    join_path(path, sizeof path, folder, e->d_name);
    if (remove_them) unlink(path);
  }
  closedir(d);
  return n;
}
int count_files(const char *folder) { return each_file(folder, 0); }
void remove_folder(const char *path) {
  each_file(path, 1);
  rmdir(path);
}

int write_csv(const char *path, int rows, int seed) {
  static const char *const plan[] = {"monthly", "one year", "two years"};
  static const char *const note[] = {"calls often", "slow line again", "", "moved house", "happy with the line"};
  FILE *f = fopen(path, "w");
  if (f == NULL) return -1;
  fputs("id,age,charge,plan,note,churn\n", f);
  unsigned s = (unsigned)seed * 2654435761u + 1u;
  for (int i = 0; i < rows; i++) {
    s = s * 1664525u + 1013904223u;
    const int age = (int)(s >> 8) % 60, charge = (int)(s >> 12) % 9000, p = (int)(s >> 20) % 3;
    const int churn = age + (p == 0 ? -25 : 10) + (int)(s >> 24) % 20 < 25;
    fprintf(f, "c%05d,", i);
    if (i % 17 != 3) fprintf(f, "%d", age);
    fprintf(f, ",%d.%02d,%s,%s,%s\n", charge / 100, charge % 100, plan[p], note[(s >> 16) % 5], churn ? "yes" : "no");
  }
  return fclose(f);
}

unsigned char *read_file(const char *path, long *size) {
  FILE *f = fopen(path, "rb");
  if (f == NULL) return NULL;
  fseek(f, 0, SEEK_END);
  *size = ftell(f);
  rewind(f);
  unsigned char *data = malloc((size_t)*size + 1);
  if (data != NULL && fread(data, 1, (size_t)*size, f) != (size_t)*size) {
    free(data);
    data = NULL;
  }
  fclose(f);
  return data;
}

int same_files(const char *a, const char *b) {
  long n = 0, m = 0;
  unsigned char *x = read_file(a, &n), *y = read_file(b, &m);
  const int same = x != NULL && y != NULL && n == m && memcmp(x, y, (size_t)n) == 0;
  free(x);
  free(y);
  return same;
}

#define DO(call) \
  do { \
    *what = #call; \
    status = (call); \
    if (status != LEAT_OK) goto out; \
  } while (0)

/* Predictions of the folder's rows: as a dataset, as text rows, and as a batch. */
static leat_status predict_all(const leat_model *m, const leat_dataset *d, uint64_t *sum, const char **what,
                               leat_error *err) {
  leat_status status = LEAT_OK;
  leat_predictor *q = NULL;
  float p[512];
  const char *const fields[] = {"31", "45.10", "two years", "slow line"};
  leat_matrix out = {.struct_size = sizeof out, .data = p, .cols = 1, .dtype = LEAT_F32};
  DO(leat_dataset_shape(d, &out.rows, &(int64_t){0}, err));
  if (out.rows > 512) out.rows = 512;
  DO(leat_predictor_create(m, NULL, NULL, &q, err));
  DO(leat_predictor_reserve(q, 64, err));
  DO(leat_predictor_run_dataset(q, d, &out, err));
  for (int64_t i = 0; i < out.rows && sum != NULL; i++) {
    uint32_t bits;
    memcpy(&bits, &p[i], sizeof bits);
    *sum = *sum * 1099511628211u + bits;
  }
  DO(leat_predictor_one_text(q, fields, 4, p, 512, err));
out:
  leat_predictor_free(q);
  return status;
}

static leat_status set_reader(leat_runtime *rt, leat_params **reader, const char **what, leat_error *err) {
  leat_status status = LEAT_OK;
  DO(leat_params_create(rt, "reader/csv", reader, err));
  DO(leat_params_set_text(*reader, "target", "churn", err));
  DO(leat_params_set_text(*reader, "key", "id", err));
  DO(leat_params_set_text(*reader, "text", "note", err));
  DO(leat_params_set_text(*reader, "categorical", "plan", err));
out:
  return status;
}

leat_status relive(leat_runtime *rt, const char *folder, uint64_t *sum, const char **what, leat_error *err) {
  leat_status status = LEAT_OK;
  leat_model *model = NULL;
  leat_schema *schema = NULL;
  leat_dataset *data = NULL;
  char package[4096], csv[4096];
  join_path(package, sizeof package, folder, "model.leat");
  join_path(csv, sizeof csv, folder, "data.csv");
  DO(leat_model_load(rt, package, &model, err));
  DO(leat_model_schema(model, &schema, err));
  DO(leat_dataset_open(rt, schema, csv, NULL, &data, err));
  DO(predict_all(model, data, sum, what, err));
out:
  leat_dataset_free(data);
  leat_schema_free(schema);
  leat_model_free(model);
  return status;
}

const char *live_spec = "model/linear";

leat_status live(const leat_runtime_opts *opts, const char *folder, uint64_t *sum, const char **what, leat_error *err) {
  leat_status status = LEAT_OK;
  leat_runtime *rt = NULL;
  leat_params *reader = NULL, *params = NULL;
  leat_dataset *all = NULL, *data = NULL, *valid = NULL;
  leat_trainer *first = NULL, *second = NULL;
  leat_model *model = NULL;
  leat_metrics *metrics = NULL;
  int64_t rows = 0, cols = 0;
  double auc = 0;
  leat_progress progress = {.struct_size = sizeof progress};
  char package[4096], csv[4096], checkpoint[4096];
  join_path(package, sizeof package, folder, "model.leat");
  join_path(csv, sizeof csv, folder, "data.csv");
  join_path(checkpoint, sizeof checkpoint, folder, "train.ckpt");
  DO(leat_runtime_create(opts, &rt, err));
  DO(set_reader(rt, &reader, what, err));
  DO(leat_dataset_open(rt, NULL, csv, reader, &all, err));
  DO(leat_dataset_shape(all, &rows, &cols, err));
  DO(leat_dataset_slice(all, 0, rows * 3 / 4, &data, err));
  DO(leat_dataset_slice(all, rows * 3 / 4, rows - rows * 3 / 4, &valid, err));
  DO(leat_params_create(rt, live_spec, &params, err));
  if (strcmp(live_spec, "model/mlp") == 0) {
    DO(leat_params_set_text(params, "layers", "6,4", err));
    DO(leat_params_set_text(params, "norm", "batch", err));
    DO(leat_params_set_i64(params, "embedding", 2, err));
    DO(leat_params_set_i64(params, "embedding_from", 3, err));
    DO(leat_params_set_i64(params, "max_iterations", 2, err));
  }
  DO(leat_params_set_i64(params, "hash_bits", 8, err));
  DO(leat_trainer_create(rt, params, NULL, NULL, &first, err));
  DO(leat_trainer_set_data(first, data, valid, err));
  DO(leat_trainer_step(first, 0, &progress, err));
  DO(leat_trainer_save(first, checkpoint, err));
  DO(leat_trainer_load(rt, checkpoint, NULL, &second, err));
  DO(leat_trainer_set_data(second, data, valid, err));
  DO(leat_trainer_fit(second, err));
  DO(leat_trainer_metrics(second, 1, &metrics, err));
  DO(leat_metrics_value(metrics, "auc", &auc, err));
  DO(leat_trainer_snapshot(second, &model, err));
  DO(leat_model_save(model, package, err));
  DO(relive(rt, folder, sum, what, err));
out:
  leat_runtime_free(rt);
  leat_dataset_free(all);
  leat_metrics_free(metrics);
  leat_trainer_free(first);
  leat_model_free(model);
  leat_params_free(reader);
  leat_dataset_free(valid);
  leat_trainer_free(second);
  leat_params_free(params);
  leat_dataset_free(data);
  return status;
}
