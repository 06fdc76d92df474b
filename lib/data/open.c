/* Which reader reads a file. */
#include <string.h>

#include "data/reader.h"

static const lt_reader *const readers[] = {&lt_reader_csv, &lt_reader_ndjson, &lt_reader_svmlight, &lt_reader_idx, &lt_reader_npy,
                                           &lt_reader_ldat};
enum { N_READERS = sizeof readers / sizeof readers[0] };

const lt_spec *const *lt_reader_specs(int64_t *count) {
  static const lt_spec *const specs[N_READERS] = {&lt_spec_csv, &lt_spec_ndjson, &lt_spec_svmlight, &lt_spec_idx, &lt_spec_npy,
                                                   &lt_spec_ldat};
  *count = N_READERS;
  return specs;
}

static const lt_reader *reader_of(const lt_spec *spec) {
  for (int i = 0; i < N_READERS; i++)
    if (readers[i]->spec == spec) return readers[i];
  return NULL;
}

static int ends_with(const char *s, uint64_t n, const char *tail) {
  uint64_t t = strlen(tail);
  if (n < t) return 0;
  for (uint64_t i = 0; i < t; i++) {
    char c = s[n - t + i];
    if (c >= 'A' && c <= 'Z') c = (char)(c + 32);
    if (c != tail[i]) return 0;
  }
  return 1;
}

static const lt_reader *reader_by_name(const char *path) {
  static const struct { const char *tail, *spec; } tails[] = {
      {".csv", "reader/csv"}, {".tsv", "reader/csv"}, {".tab", "reader/csv"}, {".txt", "reader/csv"},
      {".data", "reader/csv"}, {".ndjson", "reader/ndjson"}, {".jsonl", "reader/ndjson"}, {".libsvm", "reader/svmlight"}, {".svm", "reader/svmlight"},
      {".svmlight", "reader/svmlight"}, {".npy", "reader/npy"}, {".ldat", "reader/ldat"}, {".idx", "reader/idx"}, {"idx3-ubyte", "reader/idx"},
      {"idx1-ubyte", "reader/idx"}, {"idx2-ubyte", "reader/idx"}, {"idx4-ubyte", "reader/idx"}};
  uint64_t n = strlen(path);
  if (ends_with(path, n, ".zst")) n -= 4;
  else if (ends_with(path, n, ".gz")) n -= 3;
  for (uint64_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
    if (!ends_with(path, n, tails[i].tail)) continue;
    for (int k = 0; k < N_READERS; k++)
      if (!strcmp(readers[k]->spec->name, tails[i].spec)) return readers[k];
  }
  return NULL;
}

int lt_reader_task(const leat_params *p) {
  if (lt_param_is(p, "task", "binary")) return LT_TASK_BINARY;
  if (lt_param_is(p, "task", "multiclass")) return LT_TASK_MULTICLASS;
  return lt_param_is(p, "task", "regression") ? LT_TASK_REGRESSION : LT_TASK_AUTO;
}

/* The reader and its parameters (defaults, owned: *own) for a name. */
static leat_status choose(leat_runtime *rt, const char *name, const leat_params *given, const lt_reader **reader,
                          leat_params **own, leat_error *err) {
  *own = NULL;
  if (given) {
    *reader = reader_of(lt_params_spec(given));
    if (*reader) return LEAT_OK;
    return lt_fail(err, LEAT_E_ARG, "the parameter set '%s' is not one of a reader (reader/csv, ...)",
                   lt_params_spec(given)->name);
  }
  *reader = reader_by_name(name);
  if (!*reader)
    return lt_fail(err, LEAT_E_ARG,
                   "%s: the name does not tell the format (.csv .tsv .ndjson .jsonl .libsvm .svm .svmlight .npy .ldat idx3-ubyte); give a "
                   "reader",
                   name);
  return lt_params_create(rt, (*reader)->spec, own, err);
}

leat_status lt_dataset_open(leat_runtime *rt, const leat_schema *s, const char *path, const leat_params *reader,
                            leat_dataset **out, leat_error *err) {
  *out = NULL;
  const lt_reader *r = NULL;
  leat_params *own = NULL;
  lt_source *src = NULL;
  leat_status st = choose(rt, path, reader, &r, &own, err);
  const leat_params *p = own ? own : reader;
  if (!st) st = lt_source_open(rt, path, lt_param_int(p, "map") != 0, &src, err);
  if (!st) st = r->open(rt, s, src, p, out, err);
  lt_params_free(own);
  return st;
}

leat_status lt_dataset_from_reader(leat_runtime *rt, const leat_schema *s, const leat_params *reader, const char *name,
                                   int64_t (*pull)(void *user, void *buf, uint64_t cap), void *user, leat_dataset **out,
                                   leat_error *err) {
  *out = NULL;
  const lt_reader *r = NULL;
  leat_params *own = NULL;
  lt_source *src = NULL;
  leat_status st = choose(rt, name, reader, &r, &own, err);
  const leat_params *p = own ? own : reader;
  if (!st) st = lt_source_from_pull(rt, name, pull, user, &src, err);
  if (!st) st = r->open(rt, s, src, p, out, err);
  lt_params_free(own);
  return st;
}
