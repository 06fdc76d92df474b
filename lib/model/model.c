/* The immutable model: made from a trainer's parts or from a package, asked by name. */
#include "model/model_inner.h"
#include "base/number.h"
#include "device/vec.h"
#include <string.h>

/* ---------------------------------------------------------------------------------------------- life */

leat_status lt_model_new(leat_runtime *rt, leat_model **out, leat_error *err) {
  *out = NULL;
  leat_model *m = lt_zalloc(rt, sizeof *m);
  if (!m) return lt_fail_memory(err, sizeof *m, "a model");
  lt_ref_init(&m->ref);
  lt_runtime_ref(rt);
  m->rt = rt;
  m->version = 1;
  *out = m;
  return LEAT_OK;
}

void lt_model_ref(const leat_model *m) { lt_ref_add((lt_ref *)(uintptr_t)&m->ref); }

void lt_model_free(const leat_model *model) {
  leat_model *m = (leat_model *)(uintptr_t)model;
  if (!m || !lt_ref_drop(&m->ref)) return;
  leat_runtime *rt = m->rt;
  if (m->plan) m->family->plan_free(m->plan);
  lt_encode_free(m->bind);
  lt_encode_free(m->bind_features);
  if (m->params) m->family->release(m->params);
  lt_encoder_free(m->encoder);
  lt_batch_free(m->golden);
  lt_schema_free(m->features);
  lt_schema_free(m->schema);
  lt_params_free(m->settings);
  for (int64_t i = 0; i < m->n_profiles; i++) lt_profile_free(m->profile[i]);
  void *all[] = {m->profile, m->golden_out, m->lineage, m->kernels, m->library, m->data, m->package};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) lt_free(rt, all[i]);
  lt_free(rt, m);
  lt_runtime_unref(rt);
}

/* The FEATURE columns of s, labels and all. */
static leat_status model_features(const leat_schema *s, leat_schema **out, leat_error *err) {
  leat_schema *f = NULL;
  *out = NULL;
  leat_status st = lt_schema_create(s->rt, &f, err);
  for (int64_t i = 0; i < s->n && !st; i++) {
    const lt_column *c = &s->col[i];
    if (c->role != LEAT_ROLE_FEATURE) continue;
    st = lt_schema_add(f, c->name, c->kind, c->role, c->width, c->sparse, err);
    for (int64_t k = 0; !st && c->labels && k < lt_dict_count(c->labels); k++) {
      uint64_t n = 0;
      int64_t code = 0;
      const char *label = lt_dict_text(c->labels, k, &n);
      st = lt_dict_add(f->col[f->n - 1].labels, label, n, &code, err);
    }
  }
  if (st) lt_schema_free(f);
  else *out = f;
  return st;
}

leat_status lt_model_finish(leat_model *m, leat_error *err) {
  m->family->describe(m->params, &m->task, &m->n_parameters);
  leat_status st = model_features(m->schema, &m->features, err);
  if (!st) st = lt_encode_create(m->encoder, m->schema, &m->bind, err);
  if (!st) st = lt_encode_create(m->encoder, m->features, &m->bind_features, err);
  if (!st) st = m->family->plan_create(m->params, m->encoder, &m->plan, err);
  return st;
}

leat_status lt_model_golden(const leat_model *m, double *out, leat_error *err) {
  lt_plan *plan = NULL;
  lt_rows rows;
  if (!m->golden) return LEAT_OK;
  lt_batch_rows(m->golden, &rows);
  leat_status st = m->family->plan_fork(m->plan, &plan, err);
  if (!st) st = m->family->plan_rows(plan, m->bind_features, &rows, 0, rows.n, out, err);
  if (plan) m->family->plan_free(plan);
  return st;
}

const leat_batch *lt_model_golden_rows(const leat_model *m) { return m->golden; }

/* Keeps the feature columns of the rows only: a package tells no keys, targets or ignored columns of the data. */
static leat_status model_take_golden(leat_model *m, const leat_batch *golden, leat_error *err) {
  lt_rows rows, part;
  if (!golden) return LEAT_OK;
  lt_batch_rows(golden, &rows);
  int64_t n = rows.n < LT_MAX_GOLDEN ? rows.n : LT_MAX_GOLDEN, k = 0;
  if (n == 0) return LEAT_OK;
  if (!lt_schema_equal(rows.schema, m->schema))
    return lt_fail(err, LEAT_E_SHAPE, "the golden rows are not of the model's schema");
  lt_col *col = lt_zarray(m->rt, (uint64_t)m->features->n, sizeof *col);
  if (!col) return lt_fail_memory(err, (uint64_t)m->features->n * sizeof *col, "golden rows");
  for (int64_t i = 0; i < m->schema->n; i++)
    if (m->schema->col[i].role == LEAT_ROLE_FEATURE) col[k++] = rows.col[i];
  part.schema = m->features;
  part.n = n;
  part.first = 0;
  part.col = col;
  part.side = NULL;
  leat_status st = lt_batch_create(m->rt, m->features, &m->golden, err);
  if (!st) st = lt_batch_append(m->golden, &part, 0, n, err);
  lt_free(m->rt, col);
  if (st) return st;
  m->n_golden = n;
  uint64_t count = (uint64_t)(n * lt_model_outputs(m));
  m->golden_out = lt_zarray(m->rt, count, sizeof(double));
  if (!m->golden_out) return lt_fail_memory(err, count * sizeof(double), "golden rows");
  return lt_model_golden(m, m->golden_out, err);
}

static leat_status model_copy_profile(leat_runtime *rt, const lt_profile *p, lt_profile **out, leat_error *err) {
  lt_put w;
  lt_get r;
  lt_put_init(&w, rt);
  lt_profile_save(p, &w);
  leat_status st = lt_put_status(&w, err);
  if (!st) {
    lt_get_init(&r, rt, w.data, w.size);
    st = lt_profile_load(rt, &r, out, err);
  }
  lt_put_free(&w);
  return st;
}

static leat_status model_take_parts(leat_model *m, const lt_model_parts *parts, leat_error *err) {
  leat_runtime *rt = m->rt;
  lt_schema_ref(parts->schema);
  m->schema = parts->schema;
  m->family = parts->family;
  m->rows_trained = parts->rows_trained;
  m->iterations = parts->iterations;
  const uint64_t data[2] = {parts->data_checksum, 0};
  char hex[33];
  lt_hex128(data, hex);
  m->data = lt_strdup(rt, hex + 16);
  m->lineage = lt_strdup(rt, parts->lineage ? parts->lineage : "");
  m->kernels = lt_strdup(rt, lt_vec_get()->name);
  m->library = lt_strdup(rt, LT_LIBRARY_VERSION);
  m->profile = lt_zarray(rt, (uint64_t)parts->n_profiles, sizeof *m->profile);
  if (!m->lineage || !m->kernels || !m->library || !m->data || !m->profile) return lt_fail_memory(err, 64, "a model");
  leat_status st = lt_encoder_copy(parts->encoder, &m->encoder, err);
  if (!st) st = parts->family->copy(parts->params, &m->params, err);
  if (!st) st = lt_params_copy(parts->settings, &m->settings, err);
  for (int64_t i = 0; i < parts->n_profiles && !st; i++) {
    st = model_copy_profile(rt, parts->profiles[i], &m->profile[i], err);
    if (!st) m->n_profiles = i + 1;
  }
  return st;
}

leat_status lt_model_create(leat_runtime *rt, const lt_model_parts *parts, leat_model **out, leat_error *err) {
  leat_model *m = NULL;
  *out = NULL;
  leat_status st = lt_model_new(rt, &m, err);
  if (st) return st;
  st = model_take_parts(m, parts, err);
  if (!st) st = lt_model_finish(m, err);
  if (!st && lt_schema_classes(m->schema) != m->task.n_classes)
    st = lt_fail(err, LEAT_E_SHAPE, "the parameters are of %lld classes, the target has %lld", (long long)m->task.n_classes,
                 (long long)lt_schema_classes(m->schema));
  if (!st) st = model_take_golden(m, parts->golden, err);
  if (!st) st = lt_package_write(m, err);
  if (st) lt_model_free(m);
  else *out = m;
  return st;
}

/* ---------------------------------------------------------------------------------------------- files */

leat_status lt_model_load(leat_runtime *rt, const char *path, leat_model **out, leat_error *err) {
  void *data = NULL;
  uint64_t size = 0;
  *out = NULL;
  leat_status st = lt_file_load(rt, path, lt_runtime_load_budget(rt), &data, &size, err);
  if (!st) st = lt_package_read(rt, data, size, path, out, err);
  lt_free(rt, data);
  return st;
}

leat_status lt_model_load_bytes(leat_runtime *rt, const void *data, uint64_t size, const char *name, leat_model **out,
                                leat_error *err) {
  return lt_package_read(rt, data, size, name, out, err);
}

leat_status lt_model_save(const leat_model *m, const char *path, leat_error *err) {
  return lt_file_replace(m->rt, path, m->package, m->package_size, err);
}

const void *lt_model_package(const leat_model *m, uint64_t *size) {
  *size = m->package_size;
  return m->package;
}

leat_status lt_model_save_bytes(const leat_model *m, void *buf, uint64_t cap, uint64_t *needed, leat_error *err) {
  *needed = m->package_size;
  if (cap < m->package_size)
    return lt_fail(err, LEAT_E_CAPACITY, "the package has %llu bytes, the buffer %llu", (unsigned long long)m->package_size,
                   (unsigned long long)cap);
  memcpy(buf, m->package, m->package_size);
  return LEAT_OK;
}

/* ---------------------------------------------------------------------------------------------- getters */

leat_runtime *lt_model_runtime(const leat_model *m) { return m->rt; }
leat_schema *lt_model_schema(const leat_model *m) { return m->schema; }
const lt_encoder *lt_model_encoder(const leat_model *m) { return m->encoder; }
const lt_family *lt_model_family(const leat_model *m) { return m->family; }
const void *lt_model_params(const leat_model *m) { return m->params; }
const leat_params *lt_model_settings(const leat_model *m) { return m->settings; }
lt_profile *const *lt_model_profiles(const leat_model *m, int64_t *count) {
  *count = m->n_profiles;
  return m->profile;
}
int64_t lt_model_outputs(const leat_model *m) { return lt_task_outputs(&m->task); }

static leat_status model_unknown(const char *name, const char *const *names, int64_t n, const char *what,
                                 leat_error *err) {
  const char *near = lt_nearest(name, names, n);
  return lt_fail(err, LEAT_E_NOT_FOUND, "a model has no %s '%.60s'%s%s%s", what, name, near ? "; did you mean '" : "",
                 near ? near : "", near ? "'?" : "");
}

leat_status lt_model_get_i64(const leat_model *m, const char *name, int64_t *value, leat_error *err) {
  static const char *const names[] = {"n_classes",  "in_cols",        "out_cols",  "n_parameters", "rows_trained",
                                      "iterations", "format_version", "n_features"};
  const int64_t values[] = {m->task.n_classes, lt_schema_numbers(m->schema), lt_model_outputs(m), m->n_parameters,
                            m->rows_trained,   m->iterations,                m->version,          m->encoder->n_slots};
  int64_t n = (int64_t)(sizeof names / sizeof names[0]);
  *value = 0;
  for (int64_t i = 0; i < n; i++)
    if (strcmp(names[i], name) == 0) {
      *value = values[i];
      return LEAT_OK;
    }
  return model_unknown(name, names, n, "integer", err);
}

static leat_status model_class(const leat_model *m, const char *number, char *buf, uint64_t cap, uint64_t *needed,
                               leat_error *err) {
  int64_t k = -1, target = lt_schema_role(m->schema, LEAT_ROLE_TARGET);
  uint64_t n = 0;
  if (!lt_parse_i64(number, number + strlen(number), &k) || k < 0 || k >= m->task.n_classes)
    return lt_fail(err, LEAT_E_NOT_FOUND, "no class '%.30s': this model has %lld classes, from 0", number,
                   (long long)m->task.n_classes);
  const lt_dict *labels = m->schema->col[target].labels;
  const char *label = labels ? lt_dict_text(labels, k, &n) : k == 0 ? "false" : "true";
  return lt_give_text(label, labels ? n : strlen(label), buf, cap, needed, err);
}

static leat_status model_feature(const leat_model *m, const char *number, char *buf, uint64_t cap, uint64_t *needed,
                                 leat_error *err) {
  int64_t j = -1;
  lt_put w;
  if (!lt_parse_i64(number, number + strlen(number), &j)) j = -1;
  lt_put_init(&w, m->rt);
  leat_status st = lt_encoder_slot_name(m->encoder, j, &w, err);
  if (!st) st = lt_give_text((const char *)w.data, w.size, buf, cap, needed, err);
  lt_put_free(&w);
  return st;
}

leat_status lt_model_get_text(const leat_model *m, const char *name, char *buf, uint64_t cap, uint64_t *needed,
                              leat_error *err) {
  static const char *const names[] = {"family", "task",    "target",  "checksum", "kernels",
                                      "lineage", "library", "data",    "class:0", "feature:0", "param:l2"};
  *needed = 0;
  if (strncmp(name, "class:", 6) == 0) return model_class(m, name + 6, buf, cap, needed, err);
  if (strncmp(name, "feature:", 8) == 0) return model_feature(m, name + 8, buf, cap, needed, err);
  if (strncmp(name, "param:", 6) == 0) return lt_params_get_text(m->settings, name + 6, buf, cap, needed, err);
  int64_t target = lt_schema_role(m->schema, LEAT_ROLE_TARGET), k = m->task.n_classes;
  const char *values[] = {m->family->name, k == 0 ? "regression" : k == 2 ? "binary" : "multiclass",
                          target >= 0 ? m->schema->col[target].name : "", m->checksum, m->kernels, m->lineage, m->library,
                          m->data};
  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
    if (strcmp(names[i], name) == 0) return lt_give_text(values[i], strlen(values[i]), buf, cap, needed, err);
  return model_unknown(name, names, (int64_t)(sizeof names / sizeof names[0]), "text", err);
}

leat_status lt_model_get_f64s(const leat_model *m, const char *name, double *buf, uint64_t cap, uint64_t *needed,
                              leat_error *err) {
  const double *v = NULL;
  uint64_t n = 0;
  *needed = 0;
  leat_status st = m->family->array(m->params, name, &v, &n, err);
  if (st) return st;
  *needed = n;
  if (cap < n)
    return lt_fail(err, LEAT_E_CAPACITY, "'%s' has %llu numbers, the buffer room for %llu", name, (unsigned long long)n,
                   (unsigned long long)cap);
  memcpy(buf, v, n * sizeof *v);
  return LEAT_OK;
}
