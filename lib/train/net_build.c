/* A step of a network as ops (docs/ops.md). Back-propagation as Rumelhart, Hinton and Williams (1986); the gradients of
 * norms and losses are ops of their own. */
#include "train/net.h"
#include <string.h>

enum { A0_PAD = 16 };

typedef struct build {
  lt_net *n;
  const lt_net_data *d;
  lt_net_prog *p;
  int64_t m;
  int train;
  leat_error *err;
  leat_status st;
} build;

static int32_t add(build *b, const lt_tape_op *op) {
  int32_t node = -1;
  if (!b->st) b->st = lt_tape_add(b->n->tape, op, &node, b->err);
  return node;
}

/* The tensor k of the node lies `bytes` further on for each row of the epoch that is done. */
static void moves(build *b, int32_t node, int32_t k, int out, uint64_t bytes) {
  if (!b->st) b->p->move[b->p->n_moves++] = (lt_net_move){node, k, out, bytes};
}

static int64_t n_x(const lt_mlp_shape *s) { return s->n_dense + s->n_embedded * s->dim; }
static uint64_t at(int64_t element) { return (uint64_t)element * sizeof(float); }

static lt_tensor weights(const lt_net *n, int32_t buffer, int64_t l, int64_t from, int64_t rows) {
  const lt_mlp_layer *y = &n->shape.layer[l];
  return lt_rows_of(buffer, LEAT_F32, at(y->w + from * y->ld), rows, y->out, y->ld);
}

static lt_tensor floats(int32_t buffer, int64_t from, int64_t n) { return lt_vector(buffer, LEAT_F32, at(from), n); }

static lt_tensor rows(int32_t buffer, int64_t m, int64_t n) { return lt_rows_of(buffer, LEAT_F32, 0, m, n, n); }

/* Dense inputs of layer 0: all of the design's dense slots when there are no others, else the encoder's and embeddings. */
static int64_t dense_inputs(const build *b) {
  return b->d->d->n_dense == b->d->d->n_slots ? b->n->shape.n_inputs : n_x(&b->n->shape);
}

static int64_t a0_ld(const build *b) { return (dense_inputs(b) + A0_PAD - 1) / A0_PAD * A0_PAD; }

static lt_tensor a0(const build *b, int64_t from, int64_t cols) {
  return lt_rows_of(b->n->a0, LEAT_F32, at(from), b->m, cols, a0_ld(b));
}

static void drop(build *b, lt_tensor from, lt_tensor to, double rate, int32_t layer) {
  lt_tape_op op = {.name = "dropout", .n_in = 1, .n_out = 1, .n_f = 1, .n_i = 2, .in = {from}, .out = {to}, .f = {rate},
                   .i = {(int64_t)b->n->seed}};
  int32_t node = add(b, &op);
  if (b->st) return;
  b->p->drop_layer[b->p->n_drops] = layer;
  b->p->drop[b->p->n_drops++] = node;
}

/* The batch's rows into a0. */
static void inputs(build *b) {
  lt_net *n = b->n;
  const lt_mlp_shape *s = &n->shape;
  const lt_design *d = b->d->d;
  lt_tensor index = lt_rows_of(b->d->index, LEAT_I32, 0, b->m, 1, 1);
  double rate = b->train ? lt_param_real(n->settings, "input_dropout") : 0;
  if (d->n_dense > 0) {
    lt_tape_op op = {.name = "gather", .n_in = 2, .n_out = 1, .in = {lt_rows_of(b->d->x, LEAT_F32, 0, d->n, d->n_dense, d->ld), index},
                     .out = {a0(b, 0, d->n_dense)}};
    moves(b, add(b, &op), 1, 0, 4);
    if (rate > 0) drop(b, a0(b, 0, d->n_dense), a0(b, 0, d->n_dense), rate, 0);
  }
  if (s->n_embedded == 0) return;
  lt_tensor codes = lt_rows_of(n->codes, LEAT_I32, 0, b->m, s->n_embedded, s->n_embedded);
  lt_tape_op op = {.name = "gather", .n_in = 2, .n_out = 1,
                   .in = {lt_rows_of(b->d->code, LEAT_I32, 0, d->n, s->n_embedded, s->n_embedded), index}, .out = {codes}};
  moves(b, add(b, &op), 1, 0, 4);
  lt_tape_op look = {.name = "gather", .n_in = 2, .n_out = 1,
                     .in = {lt_rows_of(n->v, LEAT_F32, 0, s->n_embed_rows, s->dim, s->dim), codes},
                     .out = {a0(b, s->n_dense, s->n_embedded * s->dim)}};
  add(b, &look);
}

/* What goes into layer l. */
static lt_tensor input_of(const build *b, int64_t l) {
  const lt_net *n = b->n;
  if (l == 0) return a0(b, 0, dense_inputs(b));
  int dropped = b->train && n->dropped[l - 1] >= 0;
  return rows(dropped ? n->dropped[l - 1] : n->a[l - 1], b->m, n->shape.layer[l].in);
}

/* The compressed inputs' part of layer 0: z = their rows of W, or their gradient. */
static void compressed(build *b, lt_tensor from, lt_tensor to, int gradient) {
  const lt_net_data *d = b->d;
  int64_t nnz = d->start_host[d->n];
  lt_tape_op op = {.name = gradient ? "csr_gemm_t" : "csr_gemm", .n_in = 5, .n_out = 1, .n_f = 2,
                   .in = {lt_vector(d->start, LEAT_I32, 0, d->n + 1), lt_vector(d->column, LEAT_I32, 0, nnz),
                          floats(d->value, 0, nnz), from, lt_vector(d->index, LEAT_I32, 0, b->m)},
                   .out = {to}, .f = {1, 0}};
  moves(b, add(b, &op), 4, 0, 4);
}

static void norm(build *b, int64_t l, lt_tensor z, lt_tensor y) {
  lt_net *n = b->n;
  const lt_mlp_layer *w = &n->shape.layer[l];
  lt_tensor gamma = floats(n->v, w->gamma, w->out), beta = floats(n->v, w->beta, w->out);
  lt_tape_op op = {.name = "layer_norm", .n_in = 3, .n_out = 3, .n_f = 1, .in = {z, gamma, beta},
                   .out = {y, floats(n->mean[l], 0, b->m), floats(n->rstd[l], 0, b->m)}, .f = {LT_LAYER_NORM_EPS, 0.1}};
  if (n->shape.norm == LT_NORM_BATCH) {
    lt_tensor mean = floats(n->v, w->mean, w->out), var = floats(n->v, w->var, w->out);
    if (b->train) {
      op.name = "batch_norm";
      op.n_out = 5;
      op.n_f = 2;
      op.out[1] = floats(n->mean[l], 0, w->out);
      op.out[2] = floats(n->rstd[l], 0, w->out);
      op.out[3] = mean;
      op.out[4] = var;
    } else {
      op.name = "batch_norm_apply";
      op.n_in = 5;
      op.n_out = 1;
      op.in[3] = mean;
      op.in[4] = var;
    }
  }
  add(b, &op);
}

/* Layer l's outputs: z as the gradients need it, a behind the activation. */
static void forward(build *b, int64_t l) {
  lt_net *n = b->n;
  const lt_mlp_shape *s = &n->shape;
  const lt_mlp_layer *w = &s->layer[l];
  int last = l + 1 == s->n_layers;
  int fused = !last && s->norm == LT_NORM_NONE && s->activation != LT_ACT_GELU;
  lt_tensor z = rows(last || !fused ? n->z[l] : n->a[l], b->m, w->out);
  int csr = l == 0 && b->d->n_csr > 0;
  if (csr) compressed(b, weights(n, n->v, 0, dense_inputs(b), b->d->n_csr), z, 0);
  lt_tape_op op = {.name = "gemm", .n_in = 3, .n_out = 1, .n_f = 2, .n_i = 1,
                   .in = {input_of(b, l), weights(n, n->v, l, 0, l ? w->in : dense_inputs(b)), floats(n->v, w->b, w->out)},
                   .out = {z}, .f = {1, csr}, .i = {fused ? s->activation : LT_ACT_NONE}};
  add(b, &op);
  if (last) return;
  lt_tensor a = rows(n->a[l], b->m, w->out);
  if (!fused) {
    lt_tensor from = z;
    if (s->norm != LT_NORM_NONE) norm(b, l, z, a);
    if (s->norm != LT_NORM_NONE) from = a;
    /* gelu's gradient wants what it was given: norms leave it in `mid` */
    if (s->norm != LT_NORM_NONE && s->activation == LT_ACT_GELU) {
      lt_tensor mid = rows(n->mid[l], b->m, w->out);
      lt_tape_op keep = {.name = "copy", .n_in = 1, .n_out = 1, .in = {a}, .out = {mid}};
      if (b->train) add(b, &keep);
    }
    lt_tape_op map = {.name = "map", .n_in = 1, .n_out = 1, .n_i = 1, .in = {from}, .out = {a}, .i = {s->activation}};
    add(b, &map);
  }
  if (b->train && n->dropped[l] >= 0)
    drop(b, a, rows(n->dropped[l], b->m, w->out), lt_param_real(n->settings, "dropout"), (int32_t)l + 1);
}

static void loss(build *b) {
  lt_net *n = b->n;
  int64_t l = n->shape.n_layers - 1, n_out = n->m->n_out;
  int32_t y_type = n_out > 1 ? LEAT_I32 : LEAT_F32;
  int weighted = b->d->weight >= 0;
  lt_tape_op op = {.name = n_out > 1 ? "softmax_xent" : "loss", .n_in = 2 + weighted, .n_out = 1 + b->train,
                   .n_f = n_out > 1 ? 1 : 3, .n_i = n_out > 1 ? 0 : 1,
                   .in = {rows(n->z[l], b->m, n_out), lt_vector(b->d->y, y_type, 0, b->m), floats(b->d->weight, 0, b->m)},
                   .out = {floats(b->d->loss, 0, b->m), rows(n->g[l], b->m, n_out)}, .f = {1, n->loss_shape, 0},
                   .i = {n->loss_kind}};
  if (n_out == 1) {
    op.in[0] = floats(n->z[l], 0, b->m);
    op.out[1] = floats(n->g[l], 0, b->m);
  }
  int32_t node = add(b, &op);
  moves(b, node, 1, 0, 4);
  if (weighted) moves(b, node, 2, 0, 4);
  moves(b, node, 0, 1, 4);
  b->p->loss = node;
}

/* Gradient behind layer l's activation, in g[l], -> in front of it, and in front of the norm. */
static void back_through(build *b, int64_t l) {
  lt_net *n = b->n;
  const lt_mlp_shape *s = &n->shape;
  const lt_mlp_layer *w = &s->layer[l];
  lt_tensor g = rows(n->g[l], b->m, w->out);
  if (n->dropped[l] >= 0) drop(b, g, g, lt_param_real(n->settings, "dropout"), (int32_t)l + 1);
  int gelu = s->activation == LT_ACT_GELU;
  lt_tensor kept = rows(!gelu ? n->a[l] : s->norm == LT_NORM_NONE ? n->z[l] : n->mid[l], b->m, w->out);
  lt_tape_op map = {.name = "map_grad", .n_in = 2, .n_out = 1, .n_i = 1, .in = {g, kept}, .out = {g}, .i = {s->activation}};
  add(b, &map);
  if (s->norm == LT_NORM_NONE) return;
  int64_t count = s->norm == LT_NORM_LAYER ? b->m : w->out;
  lt_tape_op op = {.name = s->norm == LT_NORM_LAYER ? "layer_norm_grad" : "batch_norm_grad", .n_in = 5, .n_out = 3,
                   .in = {g, rows(n->z[l], b->m, w->out), floats(n->v, w->gamma, w->out), floats(n->mean[l], 0, count),
                          floats(n->rstd[l], 0, count)},
                   .out = {g, floats(n->grad, w->gamma, w->out), floats(n->grad, w->beta, w->out)}};
  add(b, &op);
}

static void gemm(build *b, lt_tensor a, lt_tensor w, lt_tensor c) {
  lt_tape_op op = {.name = "gemm", .n_in = 2, .n_out = 1, .n_f = 2, .in = {a, w}, .out = {c}, .f = {1, 0}};
  add(b, &op);
}

static void embedding_gradient(build *b, lt_tensor g) {
  lt_net *n = b->n;
  const lt_mlp_shape *s = &n->shape;
  int64_t cols = s->n_embedded * s->dim;
  lt_tensor d = rows(n->embed_grad, b->m, cols);
  gemm(b, g, lt_transposed(weights(n, n->v, 0, s->n_dense, cols)), d);
  lt_tape_op op = {.name = "scatter_add", .n_in = 2, .n_out = 1, .n_f = 2,
                   .in = {d, lt_rows_of(n->codes, LEAT_I32, 0, b->m, s->n_embedded, s->n_embedded)},
                   .out = {lt_rows_of(n->grad, LEAT_F32, 0, s->n_embed_rows, s->dim, s->dim)}, .f = {1, 0}};
  add(b, &op);
}

static void backward(build *b, int64_t l) {
  lt_net *n = b->n;
  const lt_mlp_shape *s = &n->shape;
  const lt_mlp_layer *w = &s->layer[l];
  lt_tensor g = rows(n->g[l], b->m, w->out);
  if (l + 1 < s->n_layers) back_through(b, l);
  int64_t dense = l ? w->in : dense_inputs(b);
  if (dense > 0) gemm(b, lt_transposed(input_of(b, l)), g, weights(n, n->grad, l, 0, dense));
  if (l == 0 && b->d->n_csr > 0) compressed(b, g, weights(n, n->grad, 0, dense, b->d->n_csr), 1);
  lt_tape_op op = {.name = "reduce", .n_in = 1, .n_out = 1, .n_f = 2, .n_i = 2, .in = {g}, .out = {floats(n->grad, w->b, w->out)},
                   .f = {1, 0}, .i = {0, 0}};
  add(b, &op);
  if (l > 0) gemm(b, g, lt_transposed(weights(n, n->v, l, 0, w->in)), rows(n->g[l - 1], b->m, w->in));
  else if (s->n_embedded > 0) embedding_gradient(b, g);
}

/* Parameters [from, to) take a step. */
static void step(build *b, int64_t from, int64_t to, double decay) {
  lt_net *n = b->n;
  const leat_params *p = n->settings;
  double clip = lt_param_real(p, "clip_norm");
  int adam = n->optimizer != LT_OPT_SGD;
  lt_tape_op op = {.name = adam ? "adam" : "sgd", .n_in = 1 + (clip > 0), .n_out = 1, .n_f = adam ? 9 : 5, .n_i = 1};
  lt_tensor form = lt_rows_of(n->v, LEAT_F32, at(from), 1, to - from, to - from);
  if (from == to) return;
  op.out[0] = op.in[0] = op.out[1] = op.out[2] = form;
  op.in[0].buffer = n->grad;
  op.in[1] = floats(n->norm2, 0, 1);
  op.out[1].buffer = n->first;
  op.out[2].buffer = n->second;
  if (adam) {
    double f[] = {0, lt_param_real(p, "beta1"), lt_param_real(p, "beta2"), lt_param_real(p, "epsilon"), decay, 1, clip, 1, 1};
    memcpy(op.f, f, sizeof f);
    op.n_out = 3;
    op.i[0] = n->optimizer == LT_OPT_ADAMW;
  } else {
    double f[] = {0, lt_param_real(p, "momentum"), decay, 1, clip};
    memcpy(op.f, f, sizeof f);
    op.n_out = n->first >= 0 ? 2 : 1;
    op.i[0] = lt_param_int(p, "nesterov") != 0;
  }
  int32_t node = add(b, &op);
  if (!b->st) b->p->step[b->p->n_steps++] = node;
}

leat_status lt_net_build(lt_net *n, const lt_net_data *d, int64_t m, int train, lt_net_prog *p, leat_error *err) {
  memset(p, 0, sizeof *p);
  build b = {n, d, p, m, train, err, LEAT_OK};
  const lt_mlp_shape *s = &n->shape;
  if (m == 0) return LEAT_OK;
  p->m = m;
  p->from = lt_tape_end(n->tape);
  inputs(&b);
  for (int64_t l = 0; l < s->n_layers; l++) forward(&b, l);
  loss(&b);
  if (train) {
    for (int64_t l = s->n_layers - 1; l >= 0; l--) backward(&b, l);
    lt_tape_op op = {.name = "reduce", .n_in = 1, .n_out = 1, .n_f = 2, .n_i = 2,
                     .in = {lt_rows_of(n->grad, LEAT_F32, 0, 1, s->n_learned, s->n_learned)}, .out = {floats(n->norm2, 0, 1)},
                     .f = {1, 0}, .i = {1, 2}};
    if (lt_param_real(n->settings, "clip_norm") > 0) add(&b, &op);
    step(&b, 0, s->n_decay, lt_param_real(n->settings, "weight_decay"));
    step(&b, s->n_decay, s->n_learned, 0);
  }
  p->to = lt_tape_end(n->tape);
  return b.st;
}
