/* leat convert: rows of any format into a dataset file. */
#define _POSIX_C_SOURCE 200809L
#include "cli.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Plain files up to here are read whole, so that labels are found out and sorted as `leat train` would; others stream. */
enum { WHOLE_BYTES = 256 << 20 };

static int reads_whole(const cli_args *a) {
  int64_t bytes = 0;
  for (int i = 0; i < a->n_files; i++) {
    struct stat st;
    if (strcmp(a->files[i], "-") == 0 || stat(a->files[i], &st) || !S_ISREG(st.st_mode)) return 0;
    int regular, packing = cli_source_packing(a->files[i], &regular);
    bytes += st.st_size * (packing == CLI_PLAIN ? 1 : 8);
  }
  return bytes <= WHOLE_BYTES;
}

static int answer(const cli_args *a, const leat_schema *s, int64_t rows, double seconds) {
  struct stat st;
  int64_t bytes = stat(a->output, &st) ? 0 : (int64_t)st.st_size, columns = 0;
  char rate[32], size[32], time[32];
  leat_schema_count(s, &columns, NULL);
  if (a->json)
    return cli_json_print(json_pack("{s:s,s:I,s:I,s:I,s:o,s:o}", "file", a->output, "rows", (json_int_t)rows, "columns",
                                    (json_int_t)columns, "bytes", (json_int_t)bytes, "seconds", cli_json_real(seconds),
                                    "rows_per_second", cli_json_real((double)rows / (seconds + 1e-9))));
  static const char *const heads[] = { "column", "kind", "role" };
  cli_table *t = cli_table_create("lll", heads);
  for (int64_t i = 0; i < columns && i < 200; i++) {
    leat_column_info info = { .struct_size = sizeof info };
    if (leat_schema_column(s, i, &info, NULL)) continue;
    const char *row[] = { info.name, cli_kind_name(info.kind), cli_role_name(info.role) };
    cli_table_row(t, row);
  }
  cli_table_print(t, stdout, 0);
  printf("\n%s: %lld rows, %lld columns, %s, in %s s, %s rows/s\n", a->output, (long long)rows, (long long)columns,
         cli_bytes(bytes, size), cli_number(seconds, time), cli_count((double)rows / (seconds + 1e-9), rate));
  return cli_flush();
}

int cmd_convert(const cli_args *a) {
  leat_runtime *rt = NULL;
  leat_params *reader = NULL, *save = NULL;
  leat_schema *s = NULL;
  cli_data data = { 0 };
  leat_error err;
  int64_t rows = 0;
  cli_error_init(&err);
  if (!a->output) return cli_wrong("convert: no output: name the dataset file with -o FILE, e.g. -o data.ldat");
  int status = cli_output_check("-o", a->output);
  if (!status) status = cli_runtime(a, &rt);
  if (!status && leat_params_create(rt, "dataset/save", &save, &err)) status = cli_fail_error(&err);
  if (!status) status = cli_reader(a, rt, a->files[0], 1, &reader);
  int whole = reads_whole(a);
  if (!status && !whole && cli_params_have(reader, "grow")) leat_params_set_i64(reader, "grow", 1, NULL);
  if (!status && !whole && cli_params_have(reader, "chunk_rows")) leat_params_set_i64(reader, "chunk_rows", 100000, NULL);
  if (!status) {
    leat_params *const sets[] = { save, reader };
    status = cli_apply_sets(a, sets, 2);
  }
  double begun = cli_seconds();
  if (!status) status = cli_data_open(a, rt, NULL, reader, a->files, a->n_files, !whole, &data);
  if (!status && leat_dataset_save(data.set, a->output, save, &rows, &err)) status = cli_data_failed(&data, &err);
  double seconds = cli_seconds() - begun;
  if (!status && leat_dataset_schema(data.set, &s, &err)) status = cli_fail_error(&err);
  if (!status) status = answer(a, s, rows, seconds);
  leat_schema_free(s);
  cli_data_close(&data);
  leat_params_free(reader);
  leat_params_free(save);
  leat_runtime_free(rt);
  return status;
}
