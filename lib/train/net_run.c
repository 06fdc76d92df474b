/* The course of a network's training: batches, epochs, evaluations. */
#include "train/net.h"
#include <math.h>
#include <string.h>

enum { BATCHES_AHEAD = 64 }; /* enqueued before the device is waited for */
static const double pi = 3.14159265358979323846;

/* The step's length after `done` steps, of `each` an epoch: warm-up, then the schedule over all epochs. */
static double rate_now(const lt_net *n, int64_t done, int64_t each) {
  const leat_params *p = n->settings;
  double rate = lt_param_real(p, "learning_rate");
  if (rate == 0) rate = n->optimizer == LT_OPT_SGD ? 0.01 : 0.001;
  double epoch = (double)done / (double)each, warm = lt_param_real(p, "warmup"), all = (double)lt_param_int(p, "max_iterations");
  if (epoch < warm) return rate * ((double)done + 1) / fmax(warm * (double)each, 1);
  double part = all > warm ? (epoch - warm) / (all - warm) : 1;
  part = part > 1 ? 1 : part;
  if (lt_param_is(p, "schedule", "cosine")) return rate * (1 + cos(pi * part)) / 2;
  if (lt_param_is(p, "schedule", "linear")) return rate * (1 - part);
  if (lt_param_is(p, "schedule", "step")) return rate * pow(0.1, floor(part * 3 < 2 ? part * 3 : 2));
  return rate;
}

/* Moves the op's tensors to row `row` of the epoch. */
static void prog_at(lt_net *n, const lt_net_prog *p, int64_t row) {
  for (int32_t k = 0; k < p->n_moves; k++) {
    const lt_net_move *v = &p->move[k];
    if (v->out) lt_tape_move_out(n->tape, v->node, v->tensor, (uint64_t)row * v->bytes);
    else lt_tape_move_in(n->tape, v->node, v->tensor, (uint64_t)row * v->bytes);
  }
}

/* 1 / the batch's weight: what is minimised is the mean. */
static double batch_share(const lt_net *n, int64_t row, int64_t m) {
  if (!n->train.w_host) return 1 / (double)m;
  double sum = 0;
  for (int64_t r = row; r < row + m; r++) sum += (double)n->train.w_host[n->order[r]];
  return sum > 0 ? 1 / sum : 0;
}

static void prog_numbers(lt_net *n, const lt_net_prog *p, int64_t row) {
  const leat_params *s = n->settings;
  int64_t each = (n->train.n + n->batch - 1) / n->batch;
  double rate = rate_now(n, n->steps, each), t = (double)n->steps + 1;
  lt_tape_set_f(n->tape, p->loss, 0, batch_share(n, row, p->m));
  for (int32_t k = 0; k < p->n_drops; k++)
    lt_tape_set_i(n->tape, p->drop[k], 1, ((n->steps + 1) << 8) + p->drop_layer[k]);
  for (int32_t k = 0; k < p->n_steps; k++) {
    lt_tape_set_f(n->tape, p->step[k], 0, rate);
    if (n->optimizer == LT_OPT_SGD) continue;
    lt_tape_set_f(n->tape, p->step[k], 7, 1 - pow(lt_param_real(s, "beta1"), t));
    lt_tape_set_f(n->tape, p->step[k], 8, 1 - pow(lt_param_real(s, "beta2"), t));
  }
}

leat_status lt_net_rows(lt_net *n, int64_t epoch, int64_t max_rows, int64_t *rows, int *end, leat_error *err) {
  leat_status st = LEAT_OK;
  *rows = 0;
  if (n->ordered != epoch) {
    st = lt_net_order(n, &n->train, epoch, err);
    n->ordered = st ? -1 : epoch;
  }
  for (int64_t k = 0; !st && k < BATCHES_AHEAD && n->epoch_rows < n->train.n && (*rows == 0 || *rows + n->batch <= max_rows); k++) {
    const lt_net_prog *p = n->train.n - n->epoch_rows >= n->batch ? &n->step : &n->step_rest;
    prog_at(n, p, n->epoch_rows);
    prog_numbers(n, p, n->epoch_rows);
    st = lt_tape_run(n->tape, p->from, p->to, err);
    if (st) break;
    n->steps++;
    n->epoch_rows += p->m;
    *rows += p->m;
  }
  *end = n->epoch_rows >= n->train.n;
  return st ? st : lt_tape_finish(n->tape, err);
}

static leat_status sum_losses(lt_net *n, const lt_net_data *d, int64_t from, int64_t to, double *sum, leat_error *err) {
  float *v = n->staging;
  leat_status st = lt_tape_read(n->tape, d->loss, (uint64_t)from * 4, v, (uint64_t)(to - from) * 4, err);
  for (int64_t r = 0; r < to - from && !st; r++) *sum += (double)v[r];
  return st;
}

leat_status lt_net_loss(lt_net *n, double *sum, leat_error *err) {
  leat_status st = sum_losses(n, &n->train, n->loss_rows, n->epoch_rows, &n->loss_sum, err);
  if (!st) n->loss_rows = n->epoch_rows;
  *sum = n->loss_sum;
  return st;
}

/* Logits of the m rows of the batch that was last evaluated, in the target's units. */
static leat_status read_margins(lt_net *n, int64_t m, double *out, leat_error *err) {
  int64_t n_out = n->m->n_out, count = m * n_out;
  float part[1024];
  leat_status st = LEAT_OK;
  for (int64_t k = 0; k < count && !st; k += 1024) {
    int64_t now = count - k < 1024 ? count - k : 1024;
    st = lt_tape_read(n->tape, n->z[n->shape.n_layers - 1], (uint64_t)k * 4, part, (uint64_t)now * 4, err);
    for (int64_t j = 0; j < now && !st; j++) out[k + j] = (double)part[j] * n->unit + n->centre;
  }
  return st;
}

leat_status lt_net_evaluate(lt_net *n, int set, double *sum, double *margins, leat_error *err) {
  lt_net_data *d = set ? &n->valid : &n->train;
  int64_t each = n->eval_rows < d->n ? n->eval_rows : d->n;
  leat_status st = LEAT_OK;
  if (n->eval[set].m == 0) {
    st = lt_net_build(n, d, each, 0, &n->eval[set], err);
    if (!st) st = lt_net_build(n, d, d->n % each, 0, &n->eval_rest[set], err);
  }
  if (!st && !set) {
    double before;
    st = lt_net_loss(n, &before, err); /* the epoch's losses so far: their place is taken now */
    if (!st) st = lt_net_order(n, d, -1, err);
    n->ordered = -1;
  }
  for (int64_t r = 0; r < d->n && !st; r += each) {
    const lt_net_prog *p = d->n - r >= each ? &n->eval[set] : &n->eval_rest[set];
    prog_at(n, p, r);
    st = lt_tape_run(n->tape, p->from, p->to, err);
    if (!st && margins) st = read_margins(n, p->m, margins + r * n->m->n_out, err);
  }
  if (!st) st = lt_tape_finish(n->tape, err);
  *sum = 0;
  return st ? st : sum_losses(n, d, 0, d->n, sum, err);
}

/* ---- parameters in and out */

static int32_t vector_of(const lt_net *n, int which) {
  return which == 0 ? n->v : which == 1 ? n->best : which == 2 ? n->first : n->second;
}

int lt_net_has(const lt_net *n, int which) { return vector_of(n, which) >= 0; }

leat_status lt_net_get(lt_net *n, int which, float *out, leat_error *err) {
  uint64_t bytes = (uint64_t)n->shape.n * sizeof(float);
  float *v = lt_alloc(n->rt, bytes);
  if (!v) return lt_fail_memory(err, bytes, "the parameters of a network");
  leat_status st = lt_tape_read(n->tape, vector_of(n, which), 0, v, bytes, err);
  if (!st) lt_mlp_repack(&n->shape, v, &n->m->shape, out);
  lt_free(n->rt, v);
  return st;
}

leat_status lt_net_put(lt_net *n, int which, const float *from, leat_error *err) {
  uint64_t bytes = (uint64_t)n->shape.n * sizeof(float);
  float *v = lt_alloc(n->rt, bytes);
  if (!v) return lt_fail_memory(err, bytes, "the parameters of a network");
  lt_mlp_repack(&n->m->shape, from, &n->shape, v);
  leat_status st = lt_tape_write(n->tape, vector_of(n, which), 0, v, bytes, err);
  lt_free(n->rt, v);
  return st;
}

leat_status lt_net_keep_best(lt_net *n, leat_error *err) {
  if (n->keep < 0) {
    lt_tensor all = lt_rows_of(n->v, LEAT_F32, 0, 1, n->shape.n, n->shape.n), best = all;
    best.buffer = n->best;
    lt_tape_op op = {.name = "copy", .n_in = 1, .n_out = 1, .in = {all}, .out = {best}};
    leat_status st = lt_tape_add(n->tape, &op, &n->keep, err);
    if (st) return st;
  }
  return lt_tape_run(n->tape, n->keep, n->keep + 1, err);
}

leat_status lt_net_swap_best(lt_net *n, leat_error *err) {
  uint64_t bytes = (uint64_t)n->m->shape.n * sizeof(float);
  float *now = lt_alloc(n->rt, bytes), *best = lt_alloc(n->rt, bytes);
  leat_status st = now && best ? LEAT_OK : lt_fail_memory(err, bytes, "the parameters of a network");
  if (!st) st = lt_net_get(n, 0, now, err);
  if (!st) st = lt_net_get(n, 1, best, err);
  if (!st) st = lt_net_put(n, 0, best, err);
  if (!st) st = lt_net_put(n, 1, now, err);
  lt_free(n->rt, now);
  lt_free(n->rt, best);
  return st;
}

leat_status lt_net_model(lt_net *n, int best, lt_mlp **out, leat_error *err) {
  leat_status st = lt_family_mlp.copy(n->m, (void **)out, err);
  if (st) return st;
  lt_mlp *m = *out;
  st = lt_net_get(n, best ? 1 : 0, m->v, err);
  if (!st && !(n->unit == 1 && n->centre == 0)) {
    const lt_mlp_layer *y = &m->shape.layer[m->shape.n_layers - 1];
    for (int64_t k = 0; k < y->in * y->ld; k++) m->v[y->w + k] = (float)((double)m->v[y->w + k] * n->unit);
    for (int64_t o = 0; o < y->out; o++) m->v[y->b + o] = (float)((double)m->v[y->b + o] * n->unit + n->centre);
  }
  m->unit = n->unit;
  m->centre = n->centre;
  for (int64_t k = 0; k < m->shape.n && !st; k++)
    if (!isfinite(m->v[k])) st = lt_fail(err, LEAT_E_NUMERIC, "a parameter of the network is not finite: take a smaller learning_rate");
  if (st) {
    lt_mlp_free(m);
    *out = NULL;
  }
  return st;
}
