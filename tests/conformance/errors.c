/* What is wrong must be refused: with a status at the latest in op_enqueue, with nothing written, and the device works
 * afterwards. A score of 0 is a refusal too: leat then does not use the device for that op. */
#include "device/ops.h"
#include "suite.h"

/* A small right call of each op. */
static void base_products(cf_case *c, cf_suite *s, const char *op) {
  int64_t five = 5;
  if (!strcmp(op, "gemm_batched")) {
    cf_uniform(s, cf_input(c, cf_make(s, LEAT_F32, 3, (int64_t[]){2, 4, 3}, CF_ROWS)), -1, 1);
    cf_uniform(s, cf_input(c, cf_make(s, LEAT_F32, 3, (int64_t[]){2, 3, 5}, CF_ROWS)), -1, 1);
    cf_output(c, cf_make(s, LEAT_F32, 3, (int64_t[]){2, 4, 5}, CF_ROWS));
  } else if (!strcmp(op, "gemv")) {
    cf_input(c, cf_matrix(s, 4, 5, 0));
    cf_input(c, cf_vector(s, 5));
    cf_output(c, cf_vector(s, 4));
  } else if (!strcmp(op, "gemm_q8")) {
    cf_input(c, cf_matrix(s, 4, 3, 0));
    cf_input(c, cf_make(s, LEAT_I8, 2, (int64_t[]){5, 3}, CF_ROWS));
    for (int64_t k = 0; k < 15; k++) cf_put(&c->in[1], k, (double)k);
    cf_input(c, cf_vector(s, five)), cf_input(c, cf_vector(s, five));
    cf_output(c, cf_matrix(s, 4, 5, 0));
    cf_integer(c, 1);
    return;
  } else {
    cf_input(c, cf_matrix(s, 4, 3, 0));
    cf_input(c, cf_matrix(s, 3, 5, 0));
    cf_input(c, cf_vector(s, 5));
    cf_output(c, cf_matrix(s, 4, 5, 0));
    cf_integer(c, 1);
  }
  cf_double(c, 1), cf_double(c, 0);
}

static void base_tables(cf_case *c, cf_suite *s, const char *op) {
  if (!strncmp(op, "csr", 3)) {
    cf_tensor *start = cf_input(c, cf_ints(s, 4, 0, 1, 0, 1));
    for (int64_t k = 0; k < 4; k++) cf_put(start, k, (double)(2 * k));
    cf_input(c, cf_ints(s, 6, 0, 1, 0, 7));
    cf_input(c, cf_vector(s, 6));
    cf_input(c, cf_matrix(s, op[8] ? 3 : 7, 5, 0));
    cf_output(c, cf_matrix(s, op[8] ? 7 : 3, 5, 0));
    cf_double(c, 1), cf_double(c, 0);
  } else if (!strcmp(op, "gather")) {
    cf_input(c, cf_matrix(s, 7, 3, 0));
    cf_input(c, cf_ints(s, 4, 2, 2, 0, 7));
    cf_output(c, cf_matrix(s, 4, 6, 0));
  } else if (!strcmp(op, "scatter_add")) {
    cf_input(c, cf_matrix(s, 4, 6, 0));
    cf_input(c, cf_ints(s, 4, 2, 2, 0, 7));
    cf_output(c, cf_matrix(s, 7, 3, 0));
    cf_double(c, 1), cf_double(c, 0);
  } else if (!strcmp(op, "histogram")) {
    cf_input(c, cf_make(s, LEAT_U8, 2, (int64_t[]){9, 3}, CF_ROWS));
    for (int64_t k = 0; k < 27; k++) cf_put(&c->in[0], k, (double)(k % 8));
    cf_input(c, cf_vector(s, 9)), cf_input(c, cf_vector(s, 9));
    cf_output(c, cf_make(s, LEAT_F32, 3, (int64_t[]){3, 8, 2}, CF_ROWS));
    cf_double(c, 0);
  } else if (!strcmp(op, "argmax")) {
    cf_input(c, cf_matrix(s, 4, 5, 0));
    cf_output(c, cf_ints(s, 4, 0, 1, 0, 1));
  } else { /* top_k */
    cf_input(c, cf_matrix(s, 4, 5, 0));
    cf_output(c, cf_matrix(s, 4, 2, 0));
    cf_output(c, cf_ints(s, 4, 2, 2, 0, 1));
  }
}

static void base_norms(cf_case *c, cf_suite *s, const char *op) {
  int grad = strstr(op, "_grad") != NULL, apply = strstr(op, "_apply") != NULL, batch = op[0] == 'b';
  cf_input(c, cf_matrix(s, 4, 6, 0));
  if (grad) cf_input(c, cf_matrix(s, 4, 6, 0));
  cf_input(c, cf_vector(s, 6));
  if (!grad) cf_input(c, cf_vector(s, 6));
  for (int i = 0; i < 2 && (grad || apply); i++) cf_uniform(s, cf_input(c, cf_vector(s, batch ? 6 : 4)), 0.5, 1);
  cf_output(c, cf_matrix(s, 4, 6, 0));
  for (int i = 0; i < 2 && !apply; i++) cf_output(c, cf_vector(s, grad || batch ? 6 : 4));
  for (int i = 0; i < 2 && batch && !grad && !apply; i++) cf_output(c, cf_vector(s, 6));
  if (!grad) cf_double(c, 1e-5);
  if (batch && !grad && !apply) cf_double(c, 0.1);
}

static void base_rows(cf_case *c, cf_suite *s, const char *op) {
  int loss = !strcmp(op, "loss"), xent = !strcmp(op, "softmax_xent"), step = !strcmp(op, "sgd") || !strcmp(op, "adam");
  if (loss) {
    for (int i = 0; i < 3; i++) cf_input(c, cf_vector(s, 4));
    for (int i = 0; i < 2; i++) cf_output(c, cf_vector(s, 4));
    for (int i = 0; i < 3; i++) cf_double(c, 1);
    cf_integer(c, 0);
    return;
  }
  if (strcmp(op, "fill")) cf_input(c, cf_matrix(s, 4, 6, 0));
  if (!strcmp(op, "map_grad") || !strcmp(op, "binary")) cf_input(c, cf_matrix(s, 4, 6, 0));
  if (xent) cf_input(c, cf_ints(s, 4, 0, 1, 0, 6)), cf_output(c, cf_vector(s, 4));
  if (!strcmp(op, "reduce")) cf_output(c, cf_vector(s, 6));
  else cf_output(c, cf_matrix(s, 4, 6, 0));
  for (int i = 0; i < (op[0] == 's' ? 1 : 2) && step; i++) cf_output(c, cf_matrix(s, 4, 6, 0));
  int numbers = step ? (op[0] == 's' ? 5 : 9) : !strcmp(op, "binary") || !strcmp(op, "reduce") ? 2 :
                xent || !strcmp(op, "fill") || !strcmp(op, "dropout") ? 1 : 0;
  for (int i = 0; i < numbers; i++) cf_double(c, 0.5);
  if (!strncmp(op, "map", 3)) cf_integer(c, 1);
  if (!strcmp(op, "binary") || step) cf_integer(c, 0);
  if (!strcmp(op, "dropout") || !strcmp(op, "reduce")) cf_integer(c, 0), cf_integer(c, 0);
}

static void base_case(cf_case *c, cf_suite *s, const char *op) {
  cf_case_begin(c, s, op);
  if (!strncmp(op, "gem", 3)) base_products(c, s, op);
  else if (!strncmp(op, "csr", 3) || !strcmp(op, "gather") || !strcmp(op, "scatter_add") || !strcmp(op, "histogram") ||
           !strcmp(op, "argmax") || !strcmp(op, "top_k"))
    base_tables(c, s, op);
  else if (strstr(op, "_norm")) base_norms(c, s, op);
  else base_rows(c, s, op);
  cf_label(c, "as the base of errors");
}

enum { FLAWS_OF_TENSOR = 11 };

/* 1: dimension k of the tensor may be another one: the call is right all the same. */
static int is_free(const cf_case *c, int64_t at, int64_t k) {
  const lt_op_def *def = lt_op_find(c->op);
  const char *mine = at < c->n_in ? def->in[at].dims : def->out[at - c->n_in].dims;
  int64_t times = 0;
  for (int64_t i = 0; i < c->n_in + c->n_out; i++)
    for (const char *d = i < c->n_in ? def->in[i].dims : def->out[i - c->n_in].dims; *d; d++) times += *d == mine[k];
  return mine[k] >= 'a' && mine[k] <= 'z' && times < 2;
}

/* Makes l wrong in the way of this number; NULL: there is no such way for this op. Flaws of the memory are made when there
 * is some. */
static const char *flaw_of(cf_case *c, cf_live *l, int flaw) {
  static const double many[CF_NUMBERS + 1];
  static const int64_t huge[4] = {INT64_MAX, INT64_MAX, 0, 0};
  int64_t n = c->n_in + c->n_out, at = flaw / FLAWS_OF_TENSOR, last = at < n ? l->tensor[at].rank - 1 : 0;
  leat_b_tensor *t = &l->tensor[at];
  if (at < n) {
    switch (flaw % FLAWS_OF_TENSOR) {
    case 0: t->dtype = LEAT_F64; return "a tensor of float64";
    case 1: t->rank = t->rank == 3 ? 2 : t->rank + 2 > 4 ? 1 : 4; return "a tensor of another rank";
    case 2: t->shape[0] = -1; return "a negative dimension";
    case 3: t->shape[0] = INT64_C(1) << 40; return "a dimension far beyond the memory";
    case 4: t->offset = UINT64_MAX - 63; return "an offset outside its buffer";
    case 5: t->offset += 1 << 20; return "an offset behind its buffer";
    case 6: t->stride[0] = INT64_C(1) << 50; return t->shape[0] > 1 ? "a stride out of memory" : NULL;
    case 7: t->shape[0]--; return is_free(c, at, 0) ? NULL : "a first dimension that does not fit";
    case 8: t->shape[last]--; return is_free(c, at, last) ? NULL : "a last dimension that does not fit";
    case 9: t->offset = 0, t->stride[0] *= -1; return t->shape[0] > 1 ? "a stride that leads below its buffer" : NULL;
    default: t->buffer = NULL; return "a tensor without a buffer";
    }
  }
  switch (flaw - FLAWS_OF_TENSOR * n) {
  case 0: l->op.n_in = 0; return c->n_in ? "no inputs" : NULL;
  case 1: l->op.n_out = 0; return "no outputs";
  case 2: l->op.n_attr_f = CF_NUMBERS + 1, l->op.attr_f = many; return "too many numbers";
  case 3: l->op.n_attr_f = 0; return c->n_f ? "no numbers" : NULL;
  case 4: l->op.attr_i = huge; return c->n_i && strcmp(c->op, "dropout") ? "an attribute out of its bounds" : NULL;
  case 5: l->op.name = "no_such_op"; return "an op that nobody knows";
  case 6: l->op.name = ""; return "an op without a name";
  default: return NULL;
  }
}

/* 1: refused; 0: it was accepted; -1: it cannot be tried. */
static int is_refused(cf_case *c, cf_live *l, int flaw, const char **what) {
  cf_suite *s = c->s;
  leat_error said = cf_error();
  int64_t score = 0;
  leat_b_tensor good[2 * CF_TENSORS];
  leat_b_op op = l->op;
  memcpy(good, l->tensor, sizeof good);
  *what = flaw_of(c, l, flaw);
  int refused = *what ? 0 : -1;
  leat_b_kernel *kernel = NULL;
  if (!refused && (s->t.op_score(s->device, &l->op, &score, &said) || score <= 0)) refused = 1;
  if (!refused && s->t.op_prepare(s->device, &l->op, &kernel, &said)) refused = 1, kernel = NULL;
  if (!refused) refused = s->t.op_enqueue(s->queue, kernel, &l->op, NULL, 0, NULL, &said) != 0;
  if (kernel) s->t.op_free(kernel);
  memcpy(l->tensor, good, sizeof good);
  l->op = op;
  return refused;
}

static int nothing_written(cf_case *c) {
  for (int64_t i = 0; i < c->n_in + c->n_out; i++) {
    const cf_tensor *t = i < c->n_in ? &c->in[i] : &c->out[i - c->n_in];
    if (memcmp(t->data, t->after, (size_t)(t->n * cf_size(t->dtype)))) return 0;
  }
  return 1;
}

/* The same call with a kernel that was prepared for the right one. */
static void late_flaws(cf_case *c, cf_live *l, leat_error *said) {
  cf_suite *s = c->s;
  leat_b_kernel *kernel = NULL;
  int64_t n = c->n_in + c->n_out;
  if (s->t.op_prepare(s->device, &l->op, &kernel, said)) return;
  for (int64_t at = 0; at < n; at++) {
    uint64_t offset = l->tensor[at].offset;
    l->tensor[at].offset = 1 << 24;
    leat_status st = s->t.op_enqueue(s->queue, kernel, &l->op, NULL, 0, NULL, said);
    l->tensor[at].offset = offset;
    if (st < 0 && !cf_live_fetch(c, l, said) && nothing_written(c)) cf_pass(s);
    else cf_fail(s, "%s: tensor %lld behind its buffer was not refused by op_enqueue", c->op, (long long)at);
  }
  s->t.op_free(kernel);
}

/* plain: gemm without bias and activation, which more devices have. */
static void flaws_of_op(cf_suite *s, const char *op, int plain) {
  cf_case c;
  cf_live l;
  leat_error said = cf_error();
  const char *what;
  int64_t score = 0;
  if (s->broken) return;
  base_case(&c, s, op);
  if (plain) c.n_in = 2, c.n_i = 0;
  cf_live_op(&c, &l);
  if (s->t.op_score(s->device, &l.op, &score, &said) || score <= 0) {
    cf_skip(s, "ops that are not offered");
    cf_case_end(&c);
    return;
  }
  leat_status st = cf_live_buffers(&c, &l, CF_OWN, &said);
  for (int flaw = 0; flaw < FLAWS_OF_TENSOR * 2 * CF_TENSORS && !st && !s->broken; flaw++) {
    int refused = is_refused(&c, &l, flaw, &what);
    if (refused < 0) continue;
    st = cf_live_fetch(&c, &l, &said);
    if (st) break;
    if (refused && nothing_written(&c)) {
      cf_pass(s);
    } else {
      cf_live_free(&c, &l); /* from fresh memory on */
      st = cf_live_buffers(&c, &l, CF_OWN, &said);
      cf_fail(s, "%s with %s (%d): %s", op, what, flaw, refused ? "refused, but something was written" : "accepted");
    }
  }
  if (!st) late_flaws(&c, &l, &said);
  if (st) cf_fail(s, "%s: the device does not work after errors: status %d %s", op, (int)st, said.message);
  cf_live_free(&c, &l);
  if (!st && cf_run_once(&c)) cf_pass(s); /* it still works */
  cf_case_end(&c);
}

void cf_errors(cf_suite *s) {
  static const char *const ops[] = {
      "gemm", "gemv", "gemm_batched", "gemm_q8", "csr_gemm", "csr_gemm_t", "map", "map_grad", "binary", "fill", "copy",
      "dropout", "reduce", "softmax", "softmax_xent", "loss", "layer_norm", "layer_norm_grad", "batch_norm",
      "batch_norm_grad", "batch_norm_apply", "sgd", "adam", "gather", "scatter_add", "histogram", "argmax", "top_k"};
  if (!cf_begin(s, "errors")) return;
  for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) flaws_of_op(s, ops[i], 0);
  flaws_of_op(s, "gemm", 1);
  s->offers = 0;
  cf_end(s);
}
