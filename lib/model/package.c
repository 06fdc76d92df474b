/* The package (.leat, kind MODL): a model as a sealed file and back. The bytes are described in docs/formats.md. Every
 * section's checksum is verified before it is parsed, every count is checked before it is trusted, the parts are
 * checked against each other, and at the end the golden rows are predicted and compared. */
#include "base/sealed.h"
#include "base/number.h"
#include "device/vec.h"
#include "model/model_inner.h"
#include "model/online.h"
#include <math.h>
#include <string.h>

/* ---------------------------------------------------------------------------------------------- write */

static const char *package_task(const lt_task *t) {
  return t->n_classes == 0 ? "regression" : t->n_classes == 2 ? "binary" : "multiclass";
}

static void package_pair(lt_put *w, const char *key, const char *value) {
  lt_put_text(w, key);
  lt_put_text(w, value);
}

static void package_number(lt_put *w, const char *key, int64_t value) {
  char text[32];
  lt_i64_text(value, text);
  package_pair(w, key, text);
}

static void write_manifest(const leat_model *m, lt_put *w) {
  lt_put_u64(w, 8);
  package_pair(w, "family", m->family->name);
  package_pair(w, "task", package_task(&m->task));
  package_pair(w, "library", m->library);
  package_pair(w, "kernels", m->kernels);
  package_number(w, "rows", m->rows_trained);
  package_number(w, "iterations", m->iterations);
  package_pair(w, "lineage", m->lineage);
  package_pair(w, "data", m->data);
}

static void write_settings(const leat_model *m, lt_put *w) {
  lt_put_text(w, lt_params_spec(m->settings)->name);
  lt_params_save(m->settings, w);
}

static void write_profile(const leat_model *m, lt_put *w) {
  lt_put_i64(w, m->n_profiles);
  for (int64_t i = 0; i < m->n_profiles; i++) lt_profile_save(m->profile[i], w);
}

static void write_golden(const leat_model *m, lt_put *w) {
  lt_rows rows;
  lt_put_i64(w, m->n_golden);
  if (m->n_golden == 0) return;
  lt_batch_rows(m->golden, &rows);
  lt_rows_save(&rows, w);
  lt_put_f64s(w, m->golden_out, (uint64_t)(m->n_golden * lt_model_outputs(m)));
}

static void write_schema(const leat_model *m, lt_put *w) { lt_schema_save(m->schema, w); }
static void write_encoder(const leat_model *m, lt_put *w) { lt_encoder_save(m->encoder, w); }
static void write_params(const leat_model *m, lt_put *w) { m->family->save(m->params, w); }

static const lt_calibration *package_calibration(const leat_model *m) {
  return m->family->calibration ? m->family->calibration(m->params) : NULL;
}
static void write_calibration(const leat_model *m, lt_put *w) { lt_calibration_save(package_calibration(m), w); }

static lt_decision *package_decision(const leat_model *m) {
  lt_decision *d = m->family->decision ? m->family->decision(m->params) : NULL;
  return d && !lt_decision_is_none(d) ? d : NULL;
}
static void write_decision(const leat_model *m, lt_put *w) { lt_decision_save(package_decision(m), w); }

typedef struct package_section { const char *name; void (*write)(const leat_model *m, lt_put *w); } package_section;
static const package_section package_sections[] = {
    {"manifest", write_manifest}, {"schema", write_schema},     {"encoder", write_encoder}, {"params", write_params},
    {"settings", write_settings}, {"profile", write_profile},   {"golden", write_golden},   {"calibration", write_calibration},
    {"decision", write_decision},
};
enum { PACKAGE_SECTIONS = sizeof package_sections / sizeof package_sections[0] };

leat_status lt_package_write(leat_model *m, leat_error *err) {
  lt_seal *seal = NULL;
  lt_put w;
  m->version = m->family->format ? m->family->format(m->params, m->settings) : 1;
  leat_status st = lt_seal_create(m->rt, "MODL", (uint32_t)m->version, (uint32_t)m->version, &seal, err);
  for (int i = 0; i < PACKAGE_SECTIONS && !st; i++) {
    if (package_sections[i].write == write_calibration && !package_calibration(m)) continue;
    if (package_sections[i].write == write_decision && !package_decision(m)) continue;
    lt_put_init(&w, m->rt);
    package_sections[i].write(m, &w);
    st = lt_seal_add_put(seal, package_sections[i].name, LT_SEAL_ZSTD, &w, err);
  }
  if (!st) st = lt_seal_take(seal, &m->package, &m->package_size, m->checksum, err);
  lt_seal_free(seal);
  return st;
}

/* ---------------------------------------------------------------------------------------------- read */

typedef struct package_reader {
  leat_model *m;
  lt_sealed *sealed;
  const char *name;   /* of the file */
  char *task;
  uint64_t need;      /* bytes that loading may take, but for what each column costs */
  leat_error *err;
} package_reader;

static leat_status package_bad(const package_reader *p, const char *section) {
  return lt_fail(p->err, LEAT_E_FORMAT, "%s: section %s is not as a model's must be: damaged, or made by something else",
                 p->name, section);
}

static leat_status read_manifest(package_reader *p, lt_get *r) {
  leat_model *m = p->m;
  uint64_t n = lt_get_count(r, 16, 1024);
  for (uint64_t i = 0; i < n && !r->failed; i++) {
    char *key = lt_get_text(r), *value = lt_get_text(r), **keep = NULL;
    const char *end = value ? value + strlen(value) : NULL;
    if (!key || !value) lt_get_fail(r, LEAT_E_FORMAT);
    else if (strcmp(key, "family") == 0) m->family = lt_family_find(value);
    else if (strcmp(key, "task") == 0) keep = &p->task;
    else if (strcmp(key, "library") == 0) keep = &m->library;
    else if (strcmp(key, "kernels") == 0) keep = &m->kernels;
    else if (strcmp(key, "lineage") == 0) keep = &m->lineage;
    else if (strcmp(key, "data") == 0) keep = &m->data;
    else if (strcmp(key, "rows") == 0 && !lt_parse_i64(value, end, &m->rows_trained)) lt_get_fail(r, LEAT_E_FORMAT);
    else if (strcmp(key, "iterations") == 0 && !lt_parse_i64(value, end, &m->iterations)) lt_get_fail(r, LEAT_E_FORMAT);
    if (keep && *keep) lt_get_fail(r, LEAT_E_FORMAT); /* twice */
    if (keep && !*keep) *keep = value;
    else lt_free(m->rt, value);
    lt_free(m->rt, key);
  }
  if (!r->failed && (!p->task || !m->library || !m->kernels || !m->lineage || !m->data || m->rows_trained < 0 || m->iterations < 0))
    lt_get_fail(r, LEAT_E_FORMAT);
  if (!r->failed && !m->family)
    return lt_fail(p->err, LEAT_E_VERSION, "%s: the model's family is not known to this version of leat", p->name);
  return LEAT_OK;
}

static leat_status read_settings(package_reader *p, lt_get *r) {
  char *spec = lt_get_text(r);
  leat_status st = LEAT_OK;
  if (!spec || strcmp(spec, p->m->family->spec->name) != 0) lt_get_fail(r, LEAT_E_FORMAT);
  lt_free(p->m->rt, spec);
  if (!r->failed) st = lt_params_create(p->m->rt, p->m->family->spec, &p->m->settings, p->err);
  if (!st && !r->failed) st = lt_params_load(p->m->settings, r, p->err);
  return st;
}

static leat_status read_profile(package_reader *p, lt_get *r) {
  leat_model *m = p->m;
  leat_status st = LEAT_OK;
  uint64_t n = lt_get_count(r, 8, 1048576);
  m->profile = lt_zarray(m->rt, n, sizeof *m->profile);
  if (!m->profile) return lt_fail_memory(p->err, n * sizeof *m->profile, "reference profiles");
  for (uint64_t i = 0; i < n && !r->failed && !st; i++) {
    st = lt_profile_load(m->rt, r, &m->profile[i], p->err);
    if (!st) m->n_profiles = (int64_t)i + 1;
  }
  return st;
}

static leat_status read_golden(package_reader *p, lt_get *r) {
  leat_model *m = p->m;
  uint64_t n_out = 0;
  leat_status st = LEAT_OK;
  lt_rows rows;
  m->n_golden = lt_get_i64(r);
  if (!r->failed && (m->n_golden < 0 || m->n_golden > LT_MAX_GOLDEN)) lt_get_fail(r, LEAT_E_FORMAT);
  if (r->failed || m->n_golden == 0) return LEAT_OK;
  st = lt_rows_load(m->rt, m->features, r, &m->golden, p->err);
  if (st) return st;
  lt_batch_rows(m->golden, &rows);
  m->golden_out = lt_get_f64s(r, &n_out);
  if (rows.n != m->n_golden || n_out != (uint64_t)(m->n_golden * lt_model_outputs(m))) lt_get_fail(r, LEAT_E_FORMAT);
  return LEAT_OK;
}

static uint64_t package_more(uint64_t sum, uint64_t times, uint64_t bytes) {
  return bytes > (UINT64_MAX - sum) / times ? UINT64_MAX : sum + times * bytes;
}

static leat_status package_fits(const package_reader *p, uint64_t need) {
  uint64_t budget = lt_runtime_load_budget(p->m->rt);
  if (need <= budget) return LEAT_OK;
  return lt_fail(p->err, LEAT_E_MEMORY, "%s: loading may take %llu bytes, the budget is %llu: raise load_budget_bytes",
                 p->name, (unsigned long long)need, (unsigned long long)budget);
}

/* What parsing takes at most: weights come with their folded forms, names and labels with their dictionaries, each block
 * with its rounding, and each column with its structs. It is kept inside the budget before anything is parsed, and again
 * when the kinds of the columns are known. */
static leat_status package_budget(package_reader *p, uint64_t size) {
  const void *schema = NULL;
  uint64_t schema_size = 0;
  lt_get r;
  p->need = package_more(65536, 2, size);
  for (int64_t i = 0; i < lt_sealed_count(p->sealed); i++) {
    const char *name = NULL;
    uint64_t stored = 0, raw = 0;
    int32_t codec = 0;
    leat_status st = lt_sealed_info(p->sealed, i, &name, &stored, &raw, &codec, p->err);
    if (st) return st;
    p->need = package_more(p->need, strcmp(name, "params") == 0 ? 6 : 14, raw);
  }
  leat_status st = package_fits(p, p->need);
  if (st || lt_sealed_section(p->sealed, "schema", &schema, &schema_size, NULL)) return st; /* absent: found later */
  lt_get_init(&r, p->m->rt, schema, schema_size);
  uint64_t columns = lt_get_u64(&r), most = schema_size / 16; /* a section begins with its count */
  return package_fits(p, package_more(p->need, 2048, columns < most ? columns : most));
}

static leat_status read_schema(package_reader *p, lt_get *r) {
  leat_status st = lt_schema_load(p->m->rt, r, &p->m->schema, p->err);
  if (st) return st;
  const leat_schema *s = p->m->schema;
  for (int64_t i = 0; i < s->n; i++) p->need = package_more(p->need, s->col[i].labels ? 6144 : 2048, 1);
  if (lt_schema_role(s, LEAT_ROLE_TARGET) < 0) return package_bad(p, "schema");
  return package_fits(p, p->need);
}

static leat_status read_encoder(package_reader *p, lt_get *r) {
  leat_status st = lt_encoder_load(p->m->rt, p->m->schema, r, &p->m->encoder, p->err);
  if (!st && lt_encoder_is_online(p->m->encoder) && p->m->family != &lt_family_online) return package_bad(p, "encoder");
  return st;
}

static leat_status read_params(package_reader *p, lt_get *r) {
  leat_model *m = p->m;
  lt_task task;
  leat_status st = m->family->load(m->rt, m->encoder->n_slots, r, &m->params, &task, p->err);
  if (st) return st;
  if (task.n_classes != lt_schema_classes(m->schema) || strcmp(p->task, package_task(&task)) != 0)
    return package_bad(p, "params");
  return LEAT_OK;
}

static leat_status read_calibration(package_reader *p, lt_get *r) {
  if (!p->m->family->calibrate) return package_bad(p, "calibration");
  return p->m->family->calibrate(p->m->params, r, p->err);
}

static leat_status read_decision(package_reader *p, lt_get *r) {
  lt_decision *d = p->m->family->decision ? p->m->family->decision(p->m->params) : NULL;
  if (!d) return package_bad(p, "decision");
  lt_decision_load(d, r);
  return LEAT_OK;
}

static int package_has(const package_reader *p, const char *name) {
  const void *data;
  uint64_t size;
  return lt_sealed_section(p->sealed, name, &data, &size, NULL) != LEAT_E_NOT_FOUND;
}

static leat_status package_section_read(package_reader *p, const char *name,
                                        leat_status (*read)(package_reader *p, lt_get *r)) {
  const void *data = NULL;
  uint64_t size = 0;
  lt_get r;
  leat_status st = lt_sealed_section(p->sealed, name, &data, &size, p->err);
  if (st == LEAT_E_NOT_FOUND) return lt_fail(p->err, LEAT_E_FORMAT, "%s: there is no section %s", p->name, name);
  if (st) return st;
  lt_get_init(&r, p->m->rt, data, size);
  st = read(p, &r);
  if (!st && !r.failed && lt_get_left(&r) > 0) lt_get_fail(&r, LEAT_E_FORMAT);
  if (!st && r.failed && r.why == LEAT_E_FORMAT) st = package_bad(p, name);
  if (!st) st = lt_get_status(&r, name, p->err);
  return st;
}

/* Golden rows: the same kernels give the same bits (through the exponential of the C library: 1e-12), others 1e-9; or
 * what the family says, of the largest prediction. */
static leat_status package_self_test(const package_reader *p) {
  const leat_model *m = p->m;
  uint64_t n = (uint64_t)(m->n_golden * lt_model_outputs(m));
  int same = strcmp(m->kernels, lt_vec_get()->name) == 0;
  int numbers = m->task.n_classes == 0 && m->version == 1; /* of the sums alone */
  double tolerance = !same ? 1e-9 : numbers ? 0.0 : 1e-12, scale = 0.0;
  if (m->family->tolerance > 0) {
    tolerance = m->family->tolerance;
    same = 0;
  }
  leat_status st = LEAT_OK;
  if (n == 0) return LEAT_OK;
  double *out = lt_zarray(m->rt, n, sizeof *out);
  if (!out) return lt_fail_memory(p->err, n * sizeof *out, "the self-test");
  st = lt_model_golden(m, out, p->err);
  for (uint64_t i = 0; i < n && !same; i++) scale = fmax(scale, fabs(m->golden_out[i]));
  for (uint64_t i = 0; i < n && !st; i++) {
    double size = fmax(scale, fmax(fabs(out[i]), fabs(m->golden_out[i])));
    if (fabs(out[i] - m->golden_out[i]) <= tolerance * size) continue;
    char got[32], want[32];
    lt_f64_text(out[i], got);
    lt_f64_text(m->golden_out[i], want);
    st = lt_fail(p->err, LEAT_E_FORMAT, "%s: self-test failed: golden row %llu gives %s, it must give %s", p->name,
                 (unsigned long long)(i / (uint64_t)lt_model_outputs(m) + 1), got, want);
  }
  lt_free(m->rt, out);
  return st;
}

leat_status lt_package_read(leat_runtime *rt, const void *data, uint64_t size, const char *name, leat_model **out,
                            leat_error *err) {
  package_reader p = {NULL, NULL, name, NULL, 0, err};
  *out = NULL;
  leat_status st = lt_model_new(rt, &p.m, err);
  if (st) return st;
  st = lt_sealed_open_bytes(rt, data, size, name, "MODL", LT_MODEL_VERSION, 0, &p.sealed, err);
  if (!st) st = package_budget(&p, size);
  if (!st) st = package_section_read(&p, "manifest", read_manifest);
  if (!st) st = package_section_read(&p, "schema", read_schema);
  if (!st) st = package_section_read(&p, "encoder", read_encoder);
  if (!st) st = package_section_read(&p, "params", read_params);
  if (!st) p.m->version = (int64_t)lt_sealed_version(p.sealed);
  if (!st && package_has(&p, "calibration")) st = package_section_read(&p, "calibration", read_calibration);
  if (!st && package_has(&p, "decision")) st = package_section_read(&p, "decision", read_decision);
  if (!st) st = lt_model_finish(p.m, err);
  if (!st) st = package_section_read(&p, "settings", read_settings);
  if (!st) st = package_section_read(&p, "profile", read_profile);
  if (!st) st = package_section_read(&p, "golden", read_golden);
  if (!st) st = package_self_test(&p);
  if (!st) {
    p.m->package = lt_alloc(rt, size);
    if (!p.m->package) st = lt_fail_memory(err, size, "a package");
  }
  if (!st) {
    memcpy(p.m->package, data, size);
    p.m->package_size = size;
    lt_sealed_checksum(p.sealed, p.m->checksum);
    *out = p.m;
    p.m = NULL;
  }
  lt_free(rt, p.task);
  lt_sealed_free(p.sealed);
  lt_model_free(p.m);
  return st;
}
