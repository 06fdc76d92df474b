/* The mlp family: its settings, its numbers, their bytes. */
#include "model/mlp.h"
#include "base/number.h"
#include "model/linear.h"
#include <math.h>
#include <string.h>

/* ---------------------------------------------------------------------------------------------- shape */

static int64_t take(int64_t *at, int64_t n) {
  int64_t here = *at;
  *at += n;
  return here;
}

/* A row's stride: a multiple of pad, and for wide rows an odd one: a power of two would lay a panel of columns on few places
 * of the processor's caches (cpu_gemm.c then copies it first). */
static int64_t row_stride(int64_t width, int64_t pad) {
  int64_t ld = (width + pad - 1) / pad * pad;
  return pad > 1 && ld >= 8 * pad && ld / pad % 2 == 0 ? ld + pad : ld;
}

void lt_mlp_lay_out(lt_mlp_shape *s, const int64_t *widths, int64_t pad) {
  int64_t at = 0, in = s->n_inputs;
  take(&at, s->n_embed_rows * s->dim);
  at = (at + pad - 1) / pad * pad;
  for (int64_t l = 0; l < s->n_layers; l++) {
    lt_mlp_layer *y = &s->layer[l];
    *y = (lt_mlp_layer){in, widths[l], row_stride(widths[l], pad), 0, 0, -1, -1, -1, -1};
    y->w = take(&at, y->in * y->ld);
    in = widths[l];
  }
  s->n_decay = at;
  for (int64_t l = 0; l < s->n_layers; l++) {
    lt_mlp_layer *y = &s->layer[l];
    y->b = take(&at, y->ld);
    if (s->norm == LT_NORM_NONE || l + 1 == s->n_layers) continue;
    y->gamma = take(&at, y->ld);
    y->beta = take(&at, y->ld);
  }
  s->n_learned = at;
  for (int64_t l = 0; s->norm == LT_NORM_BATCH && l + 1 < s->n_layers; l++) {
    s->layer[l].mean = take(&at, s->layer[l].ld);
    s->layer[l].var = take(&at, s->layer[l].ld);
  }
  s->n = at;
}

static void repack_vector(const float *v, int64_t from, float *out, int64_t to, int64_t n) {
  if (from >= 0) memcpy(out + to, v + from, (size_t)n * sizeof *v);
}

void lt_mlp_repack(const lt_mlp_shape *from, const float *v, const lt_mlp_shape *to, float *out) {
  memset(out, 0, (size_t)to->n * sizeof *out);
  memcpy(out, v, (size_t)(from->n_embed_rows * from->dim) * sizeof *v);
  for (int64_t l = 0; l < from->n_layers; l++) {
    const lt_mlp_layer *a = &from->layer[l], *b = &to->layer[l];
    for (int64_t i = 0; i < a->in; i++)
      memcpy(out + b->w + i * b->ld, v + a->w + i * a->ld, (size_t)a->out * sizeof *v);
    repack_vector(v, a->b, out, b->b, a->out);
    repack_vector(v, a->gamma, out, b->gamma, a->out);
    repack_vector(v, a->beta, out, b->beta, a->out);
    repack_vector(v, a->mean, out, b->mean, a->out);
    repack_vector(v, a->var, out, b->var, a->out);
  }
}

int64_t lt_mlp_slot_row(const lt_mlp *m, int64_t slot) {
  int64_t skipped = 0;
  for (int64_t k = 0; k < m->shape.n_embedded; k++) {
    const lt_mlp_part *p = &m->embedded[k];
    if (slot < p->slot) break;
    if (slot < p->slot + p->width) return ~(p->row + slot - p->slot);
    skipped += p->width;
  }
  return slot - skipped + m->shape.n_embedded * m->shape.dim;
}

/* ---------------------------------------------------------------------------------------------- settings */

static int32_t mlp_activation(const leat_params *settings) {
  static const char *const names[] = {"relu", "gelu", "tanh", "sigmoid"};
  for (int32_t k = 0; k < 4; k++)
    if (lt_param_is(settings, "activation", names[k])) return k + 1;
  return LT_ACT_RELU;
}

/* "512,128" -> widths of the hidden layers. */
static leat_status parse_layers(const char *text, int64_t *widths, int64_t *n, leat_error *err) {
  *n = 0;
  for (const char *p = text; *p;) {
    const char *end = strchr(p, ',');
    if (!end) end = p + strlen(p);
    double v = 0;
    if (!lt_parse_f64(p, end, &v) || !(v >= 1) || v > LT_MLP_WIDTH || v != floor(v))
      return lt_fail(err, LEAT_E_ARG, "layers=%.60s: '%.*s' is no width: whole numbers from 1 to %d with commas between them are "
                     "expected, as 512,128", text, (int)(end - p < 20 ? end - p : 20), p, LT_MLP_WIDTH);
    if (*n >= LT_MLP_LAYERS)
      return lt_fail(err, LEAT_E_ARG, "layers=%.60s: more than %d hidden layers", text, LT_MLP_LAYERS);
    widths[(*n)++] = (int64_t)v;
    p = *end ? end + 1 : end;
    if (*end && !*p) return lt_fail(err, LEAT_E_ARG, "layers=%.60s: a width is missing behind the last comma", text);
  }
  return LEAT_OK;
}

static leat_status mlp_task(int64_t n_classes, const leat_params *settings, lt_task *task, leat_error *err) {
  int64_t widths[LT_MLP_LAYERS], n;
  leat_status st = lt_linear_task(n_classes, settings, task, err);
  return st ? st : parse_layers(lt_param_str(settings, "layers"), widths, &n, err);
}

/* ---------------------------------------------------------------------------------------------- life */

void lt_mlp_free(lt_mlp *m) {
  if (!m) return;
  leat_runtime *rt = m->rt;
  lt_free(rt, m->embedded);
  lt_free(rt, m->v);
  lt_calibration_free(m->calibration);
  lt_free(rt, m);
  lt_runtime_unref(rt);
}

static lt_mlp *mlp_new(leat_runtime *rt) {
  lt_mlp *m = lt_zalloc(rt, sizeof *m);
  if (!m) return NULL;
  lt_runtime_ref(rt);
  m->rt = rt;
  m->decision = LT_DECISION_NONE;
  m->unit = 1;
  return m;
}

static leat_status mlp_numbers(lt_mlp *m, leat_error *err) {
  lt_mlp_shape *s = &m->shape;
  m->v = lt_zarray(m->rt, (uint64_t)s->n, sizeof *m->v);
  if (!m->v) return lt_fail_memory(err, (uint64_t)s->n * sizeof *m->v, "the weights of a network");
  for (int64_t l = 0; l < s->n_layers; l++)
    for (int64_t j = 0; j < s->layer[l].out; j++) {
      if (s->layer[l].gamma >= 0) m->v[s->layer[l].gamma + j] = 1;
      if (s->layer[l].var >= 0) m->v[s->layer[l].var + j] = 1;
    }
  return LEAT_OK;
}

static leat_status find_embedded(lt_mlp *m, const lt_encoder *e, int64_t from, leat_error *err) {
  lt_mlp_shape *s = &m->shape;
  if (s->dim == 0) return LEAT_OK;
  m->embedded = lt_zarray(m->rt, (uint64_t)e->n_parts, sizeof *m->embedded);
  if (!m->embedded) return lt_fail_memory(err, (uint64_t)e->n_parts * sizeof *m->embedded, "embedded columns");
  for (int64_t k = 0; k < e->n_parts; k++) {
    const lt_part *p = &e->part[k];
    if (!lt_part_has_code(p) || p->width < from) continue;
    int64_t at = s->n_embedded++;
    for (; at > 0 && m->embedded[at - 1].slot > p->slot; at--) m->embedded[at] = m->embedded[at - 1];
    m->embedded[at] = (lt_mlp_part){p->slot, p->width, 0};
  }
  for (int64_t k = 0; k < s->n_embedded; k++) {
    m->embedded[k].row = s->n_embed_rows;
    s->n_embed_rows += m->embedded[k].width;
  }
  if (s->n_embedded == 0) s->dim = 0;
  return LEAT_OK;
}

/* So many numbers that no product of them overflows, and 16 GiB of them. */
static leat_status check_size(const lt_mlp_shape *s, const int64_t *widths, leat_error *err) {
  double total = (double)s->n_embed_rows * (double)s->dim, in = (double)s->n_inputs;
  for (int64_t l = 0; l < s->n_layers; l++) {
    total += (in + 4) * (double)widths[l];
    in = (double)widths[l];
  }
  if (total <= 4294967296.0) return LEAT_OK;
  return lt_fail(err, LEAT_E_RANGE, "a network of %lld million numbers (%lld inputs): at most 2^32; take narrower layers, or "
                 "fewer hash_bits", (long long)fmin(total / 1e6, 9e15), (long long)s->n_inputs);
}

leat_status lt_mlp_create(leat_runtime *rt, const lt_task *task, const lt_encoder *e, const leat_params *settings,
                          lt_mlp **out, leat_error *err) {
  int64_t widths[LT_MLP_LAYERS + 1], n = 0;
  *out = NULL;
  leat_status st = parse_layers(lt_param_str(settings, "layers"), widths, &n, err);
  if (st) return st;
  lt_mlp *m = mlp_new(rt);
  if (!m) return lt_fail_memory(err, sizeof *m, "a network");
  lt_mlp_shape *s = &m->shape;
  widths[n] = task->n_out;
  m->loss = lt_linear_loss(settings, task->n_classes);
  m->n_classes = task->n_classes;
  m->n_out = task->n_out;
  s->n_slots = e->n_slots;
  s->n_dense = e->n_dense;
  s->n_layers = n + 1;
  s->activation = mlp_activation(settings);
  s->norm = lt_param_is(settings, "norm", "layer") ? LT_NORM_LAYER : lt_param_is(settings, "norm", "batch") ? LT_NORM_BATCH
                                                                                                           : LT_NORM_NONE;
  s->dim = lt_param_int(settings, "embedding");
  st = m->loss ? find_embedded(m, e, lt_param_int(settings, "embedding_from"), err)
               : lt_fail(err, LEAT_E_INTERNAL, "the loss of the task is not in the table");
  s->n_inputs = s->n_slots - s->n_embed_rows + s->n_embedded * s->dim;
  if (!st) st = check_size(s, widths, err);
  if (!st) {
    lt_mlp_lay_out(s, widths, 1);
    st = mlp_numbers(m, err);
  }
  if (st) lt_mlp_free(m);
  else *out = m;
  return st;
}

static void mlp_release(void *params) { lt_mlp_free(params); }

static leat_status mlp_copy(const void *params, void **out, leat_error *err) {
  const lt_mlp *m = params;
  *out = NULL;
  lt_mlp *c = mlp_new(m->rt);
  if (!c) return lt_fail_memory(err, sizeof *c, "a network");
  lt_mlp blank = *c;
  *c = *m;
  c->embedded = NULL;
  c->v = NULL;
  c->calibration = NULL;
  c->rt = blank.rt;
  uint64_t parts = (uint64_t)m->shape.n_embedded, n = (uint64_t)m->shape.n;
  c->v = lt_array(c->rt, n, sizeof *c->v);
  if (parts) c->embedded = lt_array(c->rt, parts, sizeof *c->embedded);
  leat_status st = c->v && (c->embedded || !parts) ? LEAT_OK : lt_fail_memory(err, n * sizeof *c->v, "the weights of a network");
  if (!st && m->calibration) st = lt_calibration_copy(m->calibration, &c->calibration, err);
  if (st) {
    lt_mlp_free(c);
    return st;
  }
  memcpy(c->v, m->v, n * sizeof *c->v);
  if (parts) memcpy(c->embedded, m->embedded, parts * sizeof *c->embedded);
  *out = c;
  return LEAT_OK;
}

/* ---------------------------------------------------------------------------------------------- bytes */

static void mlp_save(const void *params, lt_put *w) {
  const lt_mlp *m = params;
  const lt_mlp_shape *s = &m->shape;
  lt_put_text(w, m->loss->name);
  lt_put_i64(w, m->n_classes);
  lt_put_i64(w, m->n_out);
  lt_put_i64(w, s->n_slots);
  lt_put_i64(w, s->n_dense);
  lt_put_u32(w, (uint32_t)s->activation);
  lt_put_u32(w, (uint32_t)s->norm);
  lt_put_f64(w, m->centre);
  lt_put_f64(w, m->unit);
  lt_put_i64(w, s->dim);
  lt_put_i64(w, s->n_embedded);
  for (int64_t k = 0; k < s->n_embedded; k++) {
    lt_put_i64(w, m->embedded[k].slot);
    lt_put_i64(w, m->embedded[k].width);
  }
  lt_put_i64(w, s->n_layers);
  for (int64_t l = 0; l < s->n_layers; l++) lt_put_i64(w, s->layer[l].out);
  lt_put_f32s(w, m->v, (uint64_t)s->n);
}

/* The embedded columns: behind the dense slots, ascending, apart. */
static void load_embedded(lt_mlp *m, lt_get *r) {
  lt_mlp_shape *s = &m->shape;
  int64_t at = s->n_dense;
  s->dim = lt_get_i64(r);
  s->n_embedded = (int64_t)lt_get_count(r, 16, INT32_MAX);
  if (r->failed) return;
  if (s->dim < 0 || s->dim > 1024 || (s->n_embedded > 0) != (s->dim > 0)) {
    lt_get_fail(r, LEAT_E_FORMAT);
    return;
  }
  m->embedded = s->n_embedded ? lt_array(m->rt, (uint64_t)s->n_embedded, sizeof *m->embedded) : NULL;
  if (s->n_embedded && !m->embedded) {
    lt_get_fail(r, LEAT_E_MEMORY);
    return;
  }
  for (int64_t k = 0; k < s->n_embedded && !r->failed; k++) {
    lt_mlp_part *p = &m->embedded[k];
    p->slot = lt_get_i64(r);
    p->width = lt_get_i64(r);
    p->row = s->n_embed_rows;
    if (p->slot < at || p->width < 1 || p->width > s->n_slots - p->slot) {
      lt_get_fail(r, LEAT_E_FORMAT);
      return;
    }
    at = p->slot + p->width;
    s->n_embed_rows += p->width;
  }
  s->n_inputs = s->n_slots - s->n_embed_rows + s->n_embedded * s->dim;
}

static void load_numbers(lt_mlp *m, lt_get *r) {
  lt_mlp_shape *s = &m->shape;
  int64_t widths[LT_MLP_LAYERS + 1];
  uint64_t n = 0;
  s->n_layers = lt_get_i64(r);
  if (!r->failed && (s->n_layers < 1 || s->n_layers > LT_MLP_LAYERS + 1)) lt_get_fail(r, LEAT_E_FORMAT);
  for (int64_t l = 0; l < s->n_layers && !r->failed; l++) {
    widths[l] = lt_get_i64(r);
    int last = l + 1 == s->n_layers;
    if (widths[l] < 1 || widths[l] > (last ? LT_MAX_CLASSES : LT_MLP_WIDTH) || (last && widths[l] != m->n_out))
      lt_get_fail(r, LEAT_E_FORMAT);
  }
  if (r->failed) return;
  if (check_size(s, widths, NULL)) {
    lt_get_fail(r, LEAT_E_FORMAT);
    return;
  }
  lt_mlp_lay_out(s, widths, 1);
  m->v = lt_get_f32s(r, &n);
  if (!r->failed && n != (uint64_t)s->n) lt_get_fail(r, LEAT_E_FORMAT);
  for (uint64_t k = 0; k < n && !r->failed; k++)
    if (!isfinite(m->v[k])) lt_get_fail(r, LEAT_E_FORMAT);
  for (int64_t l = 0; l < s->n_layers && !r->failed; l++)
    for (int64_t j = 0; s->layer[l].var >= 0 && j < s->layer[l].out; j++)
      if (!(m->v[s->layer[l].var + j] >= 0)) lt_get_fail(r, LEAT_E_FORMAT);
}

static leat_status mlp_load(leat_runtime *rt, int64_t n_slots, lt_get *r, void **params, lt_task *task,
                            leat_error *err) {
  *params = NULL;
  lt_mlp *m = mlp_new(rt);
  if (!m) return lt_fail_memory(err, sizeof *m, "a network");
  lt_mlp_shape *s = &m->shape;
  char *loss = lt_get_text(r);
  int64_t k = m->n_classes = task->n_classes = lt_get_i64(r);
  m->n_out = task->n_out = lt_get_i64(r);
  s->n_slots = lt_get_i64(r);
  s->n_dense = lt_get_i64(r);
  s->activation = (int32_t)lt_get_u32(r);
  s->norm = (int32_t)lt_get_u32(r);
  m->centre = lt_get_f64(r);
  m->unit = lt_get_f64(r);
  m->loss = loss ? lt_loss_find(loss) : NULL;
  if (!r->failed && (!lt_linear_loss_fits(m->loss, k) || s->n_slots != n_slots || s->n_dense < 0 || s->n_dense > n_slots ||
                     k < 0 || k == 1 || k > LT_MAX_CLASSES || m->n_out != (k > 2 ? k : 1) || s->activation < LT_ACT_RELU ||
                     s->activation > LT_ACT_SIGMOID || s->norm < 0 || s->norm > LT_NORM_BATCH || !isfinite(m->centre) ||
                     !(m->unit > 0) || !isfinite(m->unit)))
    lt_get_fail(r, LEAT_E_FORMAT);
  if (!r->failed) load_embedded(m, r);
  if (!r->failed) load_numbers(m, r);
  leat_status st = lt_get_status(r, "the parameters", err);
  lt_free(rt, loss);
  if (st) lt_mlp_free(m);
  else *params = m;
  return st;
}

/* ---------------------------------------------------------------------------------------------- questions */

static leat_status mlp_array(const void *params, const char *name, const double **v, uint64_t *n, leat_error *err) {
  lt_mlp *m = (lt_mlp *)(uintptr_t)params;
  *v = NULL;
  *n = 0;
  if (strcmp(name, "threshold") == 0 && m->n_classes == 2) {
    *v = &m->decision.threshold;
    *n = 1;
    return LEAT_OK;
  }
  if (strcmp(name, "interval") == 0 && m->decision.interval[0] > 0) {
    *v = m->decision.interval;
    *n = 3;
    return LEAT_OK;
  }
  return lt_fail(err, LEAT_E_NOT_FOUND,
                 "a network has no array '%.60s': of two classes it has threshold, of numbers it may have interval", name);
}

static void mlp_describe(const void *params, lt_task *task, int64_t *n_parameters) {
  const lt_mlp *m = params;
  task->n_classes = m->n_classes;
  task->n_out = m->n_out;
  *n_parameters = m->shape.n_learned;
}

static int64_t mlp_format(const void *params, const leat_params *settings) {
  (void)params, (void)settings;
  return 2;
}

static const lt_calibration *mlp_calibration(const void *params) { return ((const lt_mlp *)params)->calibration; }

static leat_status mlp_calibrate(void *params, lt_get *r, leat_error *err) {
  lt_mlp *m = params;
  if (m->n_classes == 0) {
    lt_get_fail(r, LEAT_E_FORMAT);
    return LEAT_OK;
  }
  return lt_calibration_load(m->rt, m->n_out, r, &m->calibration, err);
}

static lt_decision *mlp_decision(void *params) { return &((lt_mlp *)params)->decision; }

const lt_family lt_family_mlp = {
    .name = "mlp",
    .spec = &lt_mlp_spec,
    .tolerance = 1e-5,
    .task = mlp_task,
    .copy = mlp_copy,
    .release = mlp_release,
    .save = mlp_save,
    .load = mlp_load,
    .array = mlp_array,
    .describe = mlp_describe,
    .format = mlp_format,
    .calibration = mlp_calibration,
    .calibrate = mlp_calibrate,
    .decision = mlp_decision,
    .plan_create = lt_mlp_plan_create,
    .plan_fork = lt_mlp_plan_fork,
    .plan_bytes = lt_mlp_plan_bytes,
    .plan_device = lt_mlp_plan_device,
    .plan_free = lt_mlp_plan_free,
    .plan_reserve = lt_mlp_plan_reserve,
    .plan_rows = lt_mlp_plan_rows,
    .plan_numbers = lt_mlp_plan_numbers,
    .plan_one_f32 = lt_mlp_one_f32,
    .plan_one_f64 = lt_mlp_one_f64,
    .plan_one_sparse = lt_mlp_one_sparse,
};
