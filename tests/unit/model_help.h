/* For the tests of the model room: runtimes, small mixed data sets, models with made-up weights. */
#ifndef LEAT_TESTS_MODEL_HELP_H
#define LEAT_TESTS_MODEL_HELP_H
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/number.h"
#include "base/rng.h"
#include "data/store.h"
#include "model/encoding.h"
#include "model/family.h"
#ifndef HELP
#define HELP __attribute__((unused)) static
#endif

HELP leat_error error_of = {.struct_size = sizeof(leat_error)};
#define OK(call)                                                                                  \
  do {                                                                                            \
    leat_status status_of = (call);                                                               \
    if (status_of) print_error("%s: %d %s\n", #call, (int)status_of, error_of.message);           \
    assert_int_equal(status_of, LEAT_OK);                                                         \
  } while (0)
#define FAILS(code, text, call)                                                                   \
  do {                                                                                            \
    leat_status status_of = (call);                                                               \
    assert_int_equal(status_of, code);                                                            \
    if (!strstr(error_of.message, text)) print_error("'%s' is not in '%s'\n", text, error_of.message); \
    assert_non_null(strstr(error_of.message, text));                                              \
  } while (0)

HELP leat_runtime *new_runtime(int64_t threads) {
  leat_runtime *rt = NULL;
  leat_runtime_opts opts = {.struct_size = sizeof opts, .n_threads = threads};
  return lt_runtime_create(&opts, &rt, NULL) ? NULL : rt;
}

/* The columns of the mixed data: number, category, number, bool, time, category of many labels, id, target. With text: a
 * TEXT column too. n_classes 0: regression. */
HELP leat_schema *mixed_schema(leat_runtime *rt, int64_t n_classes, int text) {
  static const char *const contracts[] = {"Month-to-month", "One year", "Two year"};
  leat_schema *s = NULL;
  int64_t code;
  char label[32];
  OK(lt_schema_create(rt, &s, &error_of));
  OK(lt_schema_add(s, "tenure", LEAT_NUMBER, LEAT_ROLE_FEATURE, 1, 0, &error_of));
  OK(lt_schema_add(s, "contract", LEAT_CATEGORY, LEAT_ROLE_FEATURE, 1, 0, &error_of));
  OK(lt_schema_add(s, "charges", LEAT_NUMBER, LEAT_ROLE_FEATURE, 1, 0, &error_of));
  OK(lt_schema_add(s, "senior", LEAT_BOOL, LEAT_ROLE_FEATURE, 1, 0, &error_of));
  OK(lt_schema_add(s, "since", LEAT_TIME, LEAT_ROLE_FEATURE, 1, 0, &error_of));
  OK(lt_schema_add(s, "city", LEAT_CATEGORY, LEAT_ROLE_FEATURE, 1, 0, &error_of));
  if (text) OK(lt_schema_add(s, "note", LEAT_TEXT, LEAT_ROLE_FEATURE, 1, 0, &error_of));
  OK(lt_schema_add(s, "customer", LEAT_ID, LEAT_ROLE_FEATURE, 1, 0, &error_of));
  OK(lt_schema_add(s, "churn", n_classes ? LEAT_CATEGORY : LEAT_NUMBER, LEAT_ROLE_TARGET, 1, 0, &error_of));
  for (int i = 0; i < 3; i++) OK(lt_dict_add(s->col[1].labels, contracts[i], strlen(contracts[i]), &code, &error_of));
  for (int i = 0; i < 40; i++) {
    int n = snprintf(label, sizeof label, "city %d", i);
    OK(lt_dict_add(s->col[5].labels, label, (uint64_t)n, &code, &error_of));
  }
  for (int64_t i = 0; i < n_classes; i++) {
    int n = snprintf(label, sizeof label, "class %d", (int)i);
    OK(lt_dict_add(s->col[s->n - 1].labels, label, (uint64_t)n, &code, &error_of));
  }
  return s;
}

/* One row of strings for mixed_schema, FEATURE columns first, then the target; some are missing. */
typedef struct mixed_row { char field[9][64]; const char *list[9]; int n; } mixed_row;
HELP void make_row(lt_rng *r, int64_t n_classes, int text, mixed_row *m) {
  static const char *const contracts[] = {"Month-to-month", "One year", "Two year"};
  static const char *const words[] = {"cheap", "Slow", "don't", "call", "the", "price", "HOTLINE", "k\xc3\xa4se"};
  int k = 0;
  snprintf(m->field[k++], 64, "%d", (int)lt_rng_below(r, 72));
  snprintf(m->field[k++], 64, "%s", contracts[lt_rng_below(r, 3)]);
  lt_f64_text(floor(lt_rng_unit(r) * 10000) / 100, m->field[k++]);
  snprintf(m->field[k++], 64, "%s", lt_rng_below(r, 2) ? "true" : "false");
  snprintf(m->field[k++], 64, "20%02d-%02d-%02d", (int)lt_rng_below(r, 30), 1 + (int)lt_rng_below(r, 12),
           1 + (int)lt_rng_below(r, 28));
  snprintf(m->field[k++], 64, "city %d", (int)lt_rng_below(r, 40));
  if (text) {
    m->field[k][0] = 0;
    for (uint64_t i = lt_rng_below(r, 6); i > 0; i--) {
      strcat(m->field[k], words[lt_rng_below(r, 8)]);
      strcat(m->field[k], i % 2 ? ", " : " ");
    }
    k++;
  }
  snprintf(m->field[k++], 64, "id-%d", (int)lt_rng_below(r, 1000000));
  for (int i = 0; i < k; i++)
    if (lt_rng_below(r, 15) == 0) m->field[i][0] = 0;
  if (n_classes) snprintf(m->field[k++], 64, "class %d", (int)lt_rng_below(r, (uint64_t)n_classes));
  else lt_f64_text(lt_rng_normal(r), m->field[k++]);
  for (int i = 0; i < k; i++) m->list[i] = m->field[i];
  m->n = k;
}

HELP leat_batch *mixed_batch(leat_runtime *rt, leat_schema *s, int64_t n_classes, int text, int64_t rows, uint64_t seed) {
  leat_batch *b = NULL;
  lt_rng r;
  mixed_row m;
  lt_rng_init(&r, seed, 0);
  OK(lt_batch_create(rt, s, &b, &error_of));
  for (int64_t i = 0; i < rows; i++) {
    make_row(&r, n_classes, text, &m);
    OK(lt_batch_add_text(b, m.list, (uint64_t)m.n, &error_of));
  }
  return b;
}

HELP leat_dataset *mixed_dataset(leat_runtime *rt, int64_t n_classes, int text, int64_t rows, uint64_t seed) {
  leat_schema *s = mixed_schema(rt, n_classes, text);
  leat_dataset *d = NULL;
  OK(lt_dataset_of(mixed_batch(rt, s, n_classes, text, rows, seed), &d, &error_of));
  lt_schema_free(s);
  return d;
}

HELP leat_params *linear_settings(leat_runtime *rt, const char *name, const char *value) {
  leat_params *p = NULL;
  OK(lt_params_create(rt, lt_family_linear.spec, &p, &error_of));
  if (name) OK(lt_params_set_text(p, name, value, &error_of));
  return p;
}

/* Weights from a generator, about 1 / sqrt(dense slots) each. */
HELP lt_linear *random_linear(leat_runtime *rt, const leat_params *settings, int64_t n_classes, int64_t n_slots,
                              uint64_t seed) {
  lt_task task;
  void *params = NULL;
  lt_rng r;
  OK(lt_family_linear.task(n_classes, settings, &task, &error_of));
  OK(lt_family_linear.create(rt, &task, n_slots, settings, &params, &error_of));
  lt_linear *m = params;
  lt_rng_init(&r, seed, 3);
  for (int64_t i = 0; i < m->n_out * m->n_slots; i++) m->weight[i] = 0.3 * lt_rng_normal(&r);
  for (int64_t i = 0; i < m->n_out; i++) m->intercept[i] = 0.1 * lt_rng_normal(&r);
  return m;
}
#endif
