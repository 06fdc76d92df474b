/* Networks in training: their buffers, their first numbers. */
#include "train/net.h"
#include "base/rng.h"
#include <math.h>
#include <string.h>

enum { PAD = 16, EVAL_ROWS = 256 };

void lt_net_free(lt_net *n) {
  if (!n) return;
  leat_runtime *rt = n->rt;
  lt_tape_free(n->tape); /* first: it borrows memory of the others */
  lt_net_data_free(n, &n->train);
  lt_net_data_free(n, &n->valid);
  lt_mlp_free(n->m);
  lt_free(rt, n->order);
  lt_free(rt, n->staging);
  lt_free(rt, n);
  lt_runtime_unref(rt);
}

static leat_status make_floats(lt_net *n, int32_t *id, int64_t count, leat_error *err) {
  return lt_tape_buffer(n->tape, (uint64_t)(count > 0 ? count : 1) * sizeof(float), id, err);
}

/* Vectors of all parameters, cleared: padding is added up and squared with the rest. */
static leat_status make_parameters(lt_net *n, leat_error *err) {
  int momentum = n->optimizer != LT_OPT_SGD || lt_param_real(n->settings, "momentum") > 0;
  int32_t *all[] = {&n->v, &n->grad, &n->best, momentum ? &n->first : NULL, n->optimizer != LT_OPT_SGD ? &n->second : NULL};
  leat_status st = LEAT_OK;
  float *zeros = lt_zarray(n->rt, (uint64_t)n->shape.n, sizeof *zeros);
  if (!zeros) return lt_fail_memory(err, (uint64_t)n->shape.n * 4, "the parameters of a network");
  for (size_t k = 0; k < sizeof all / sizeof *all && !st; k++) {
    if (!all[k]) continue;
    st = make_floats(n, all[k], n->shape.n, err);
    if (!st) st = lt_tape_write(n->tape, *all[k], 0, zeros, (uint64_t)n->shape.n * sizeof *zeros, err);
  }
  lt_free(n->rt, zeros);
  return st ? st : make_floats(n, &n->norm2, 1, err);
}

static leat_status make_activations(lt_net *n, const lt_design *d, leat_error *err) {
  const lt_mlp_shape *s = &n->shape;
  int64_t m = n->batch > n->eval_rows ? n->batch : n->eval_rows, cols = s->n_embedded * s->dim;
  int64_t dense = d->n_dense == d->n_slots ? s->n_inputs : s->n_dense + cols;
  int dropout = lt_param_real(n->settings, "dropout") > 0;
  leat_status st = make_floats(n, &n->a0, m * ((dense + PAD - 1) / PAD * PAD), err);
  if (!st && cols > 0) st = make_floats(n, &n->codes, m * s->n_embedded, err);
  if (!st && cols > 0) st = make_floats(n, &n->embed_grad, m * cols, err);
  for (int64_t l = 0; l < s->n_layers && !st; l++) {
    int64_t out = s->layer[l].out;
    int last = l + 1 == s->n_layers;
    st = make_floats(n, &n->z[l], m * out, err);
    if (!st) st = make_floats(n, &n->g[l], m * out, err);
    if (st || last) continue;
    st = make_floats(n, &n->a[l], m * out, err);
    if (!st && dropout) st = make_floats(n, &n->dropped[l], m * out, err);
    if (st || s->norm == LT_NORM_NONE) continue;
    st = make_floats(n, &n->mean[l], m > out ? m : out, err);
    if (!st) st = make_floats(n, &n->rstd[l], m > out ? m : out, err);
    if (!st && s->activation == LT_ACT_GELU) st = make_floats(n, &n->mid[l], m * out, err);
  }
  return st;
}

/* Weights and biases are uniform in +-sqrt(3 / in) (LeCun, Bottou, Orr and Mueller 1998: sums of variance 1). He's bound was worse
 * on tables, Glorot's with few inputs. Of compressed inputs only those that a row fills count as incoming. */
static void first_weights(lt_net *n, const lt_net_plan *plan) {
  const lt_mlp_shape *s = &n->m->shape;
  double filled = plan->x->nnz > 0 ? (double)plan->x->nnz / (double)plan->x->n : 0;
  lt_rng rng;
  lt_rng_init(&rng, n->seed, 0);
  for (int64_t k = 0; k < s->n_embed_rows * s->dim; k++) n->m->v[k] = (float)((lt_rng_unit(&rng) - 0.5) * 0.1);
  for (int64_t l = 0; l < s->n_layers; l++) {
    const lt_mlp_layer *y = &s->layer[l];
    double in = (double)y->in;
    if (l == 0 && plan->x->n_dense < plan->x->n_slots)
      in = fmin(in, (double)(s->n_dense + s->n_embedded * s->dim) + fmax(filled - (double)s->n_embedded, 1));
    double bound = sqrt(3 / in);
    lt_rng_init(&rng, n->seed, (uint64_t)l + 1);
    for (int64_t k = 0; k < y->in * y->ld; k++) n->m->v[y->w + k] = (float)((2 * lt_rng_unit(&rng) - 1) * bound);
    for (int64_t o = 0; o < y->out; o++) n->m->v[y->b + o] = (float)((2 * lt_rng_unit(&rng) - 1) * bound);
  }
  const lt_mlp_layer *y = &s->layer[s->n_layers - 1];
  for (int64_t o = 0; o < y->out; o++) n->m->v[y->b + o] = (float)plan->null_margin[o];
}

/* A model's numbers, its last layer back in units of (y - centre) / unit. */
static leat_status warm_weights(lt_net *n, const lt_mlp *from, leat_error *err) {
  const lt_mlp_shape *a = &from->shape, *b = &n->m->shape;
  int same = a->n == b->n && a->n_layers == b->n_layers && a->n_inputs == b->n_inputs && a->dim == b->dim &&
             a->n_embedded == b->n_embedded && a->norm == b->norm && a->activation == b->activation;
  for (int64_t l = 0; same && l < a->n_layers; l++) same = a->layer[l].out == b->layer[l].out;
  if (!same)
    return lt_fail(err, LEAT_E_ARG, "the model that training starts from has other layers, activation, norm or embeddings than "
                   "the settings ask for: they must be equal");
  memcpy(n->m->v, from->v, (size_t)a->n * sizeof *from->v);
  const lt_mlp_layer *y = &b->layer[b->n_layers - 1];
  for (int64_t k = 0; k < y->in * y->ld; k++) n->m->v[y->w + k] = (float)((double)n->m->v[y->w + k] / n->unit);
  for (int64_t o = 0; o < y->out; o++) n->m->v[y->b + o] = (float)(((double)n->m->v[y->b + o] - n->centre) / n->unit);
  return LEAT_OK;
}

static void no_buffers(lt_net *n) {
  int32_t *one[] = {&n->v, &n->grad, &n->first, &n->second, &n->best, &n->norm2, &n->a0, &n->codes, &n->embed_grad, &n->keep};
  for (size_t k = 0; k < sizeof one / sizeof *one; k++) *one[k] = -1;
  for (int l = 0; l <= LT_MLP_LAYERS; l++)
    n->z[l] = n->a[l] = n->dropped[l] = n->g[l] = n->mid[l] = n->mean[l] = n->rstd[l] = -1;
}

static leat_status make_numbers(lt_net *n, const lt_net_plan *plan, leat_error *err) {
  int64_t widths[LT_MLP_LAYERS + 1];
  leat_status st = lt_mlp_create(n->rt, plan->task, plan->encoder, plan->settings, &n->m, err);
  if (st) return st;
  n->shape = n->m->shape;
  for (int64_t l = 0; l < n->shape.n_layers; l++) widths[l] = n->shape.layer[l].out;
  lt_mlp_lay_out(&n->shape, widths, PAD);
  if (plan->warm) st = warm_weights(n, plan->warm, err);
  else first_weights(n, plan);
  return st;
}

static leat_status make_rows(lt_net *n, const lt_net_plan *plan, leat_error *err) {
  int64_t most = plan->x->n;
  leat_status st = lt_net_upload(n, &n->train, plan->x, err);
  if (!st && plan->xv) st = lt_net_upload(n, &n->valid, plan->xv, err);
  if (plan->xv && plan->xv->n > most) most = plan->xv->n;
  n->order = lt_array(n->rt, (uint64_t)most, sizeof *n->order);
  n->staging = lt_array(n->rt, (uint64_t)most, 4);
  if (!st && (!n->order || !n->staging)) st = lt_fail_memory(err, (uint64_t)most * 12, "the order of the rows");
  if (!st && plan->xv) st = lt_net_order(n, &n->valid, -1, err);
  return st;
}

leat_status lt_net_create(const lt_net_plan *plan, lt_net **out, leat_error *err) {
  *out = NULL;
  lt_net *n = lt_zalloc(plan->rt, sizeof *n);
  if (!n) return lt_fail_memory(err, sizeof *n, "a network");
  lt_runtime_ref(plan->rt);
  n->rt = plan->rt;
  n->settings = plan->settings;
  n->optimizer = lt_param_is(plan->settings, "optimizer", "sgd") ? LT_OPT_SGD
                 : lt_param_is(plan->settings, "optimizer", "adamw") ? LT_OPT_ADAMW : LT_OPT_ADAM;
  n->loss_kind = plan->loss_kind;
  n->loss_shape = plan->loss_shape;
  n->unit = plan->unit;
  n->centre = plan->centre;
  n->batch = lt_param_int(plan->settings, "batch_size");
  if (n->batch > plan->x->n) n->batch = plan->x->n;
  n->eval_rows = EVAL_ROWS;
  n->seed = (uint64_t)lt_param_int(plan->settings, "seed");
  n->ordered = -1;
  no_buffers(n);
  leat_status st = make_numbers(n, plan, err);
  if (!st) st = lt_tape_create(n->rt, plan->dev, &n->tape, err);
  if (!st) st = make_parameters(n, err);
  if (!st) st = make_activations(n, plan->x, err);
  if (!st) st = make_rows(n, plan, err);
  if (!st) st = lt_net_put(n, 0, n->m->v, err);
  if (!st) st = lt_net_build(n, &n->train, n->batch, 1, &n->step, err);
  if (!st) st = lt_net_build(n, &n->train, n->train.n % n->batch, 1, &n->step_rest, err);
  if (st) lt_net_free(n);
  else *out = n;
  return st;
}
