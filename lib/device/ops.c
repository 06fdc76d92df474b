/* The table of operations and its checks. */
#include "device/ops.h"

#include <stdio.h>
#include <string.h>

/* ---- what the letters do not say */
static leat_status bad_number(leat_error *err, const char *name, int64_t v, const char *right) {
  return lt_fail(err, LEAT_E_RANGE, "%s is %lld; it must be %s", name, (long long)v, right);
}

static leat_status check_which(const char *name, int64_t v, int64_t low, int64_t count, leat_error *err) {
  if (v >= low && v < count) return LEAT_OK;
  return lt_fail(err, LEAT_E_RANGE, "%s is %lld; it must be from %lld to %lld", name, (long long)v, (long long)low,
                 (long long)count - 1);
}

static leat_status check_act(const lt_op_args *a, leat_error *err) {
  return a->n_i ? check_which("act", a->i[0], 0, LT_F_SIGMOID + 1, err) : LEAT_OK;
}

static leat_status check_csr(const lt_op_args *a, leat_error *err) {
  int64_t r = a->in[0].shape[0] - 1, m = a->n_in > 4 ? r : a->out[0].shape[0];
  return r == m ? LEAT_OK : lt_fail(err, LEAT_E_SHAPE, "start has %lld rows, c has %lld", (long long)r, (long long)m);
}

static leat_status check_csr_t(const lt_op_args *a, leat_error *err) {
  int64_t r = a->in[0].shape[0] - 1, m = a->n_in > 4 ? r : a->in[3].shape[0];
  return r == m ? LEAT_OK : lt_fail(err, LEAT_E_SHAPE, "start has %lld rows, d has %lld", (long long)r, (long long)m);
}

static leat_status check_map(const lt_op_args *a, leat_error *err) {
  return check_which("f", a->i[0], 0, LT_F_COUNT, err);
}

static leat_status check_map_grad(const lt_op_args *a, leat_error *err) {
  return check_which("f", a->i[0], 1, LT_F_COUNT, err);
}

static leat_status check_binary(const lt_op_args *a, leat_error *err) {
  return check_which("which", a->i[0], 0, LT_BINARY_COUNT, err);
}

static leat_status check_copy(const lt_op_args *a, leat_error *err) {
  int64_t from = a->in[0].dtype, to = a->out[0].dtype;
  int from_float = from == LEAT_F32 || from == LEAT_F16 || from == LEAT_BF16;
  int to_float = to == LEAT_F32 || to == LEAT_F16 || to == LEAT_BF16;
  if ((from_float && to_float) || (from == LEAT_I32 && to == LEAT_I32) || (from == LEAT_U8 && to == LEAT_F32))
    return LEAT_OK;
  return lt_fail(err, LEAT_E_DTYPE, "copy from type %lld to %lld; it goes between F32, F16 and BF16, from I32 to I32 and "
                 "from U8 to F32", (long long)from, (long long)to);
}

static leat_status check_dropout(const lt_op_args *a, leat_error *err) {
  return a->f[0] >= 0 && a->f[0] < 1 ? LEAT_OK : lt_fail(err, LEAT_E_RANGE, "rate must be from 0 to below 1");
}

static leat_status check_reduce(const lt_op_args *a, leat_error *err) {
  leat_status st = check_which("what", a->i[0], 0, LT_REDUCE_COUNT, err);
  if (st || (st = check_which("axis", a->i[1], 0, 3, err)) != 0) return st;
  int64_t need = a->i[1] == 0 ? a->in[0].shape[1] : a->i[1] == 1 ? a->in[0].shape[0] : 1;
  if (a->out[0].shape[0] == need) return LEAT_OK;
  return lt_fail(err, LEAT_E_SHAPE, "y has %lld elements; with axis %lld it has %lld", (long long)a->out[0].shape[0],
                 (long long)a->i[1], (long long)need);
}

static leat_status check_loss(const lt_op_args *a, leat_error *err) {
  return check_which("which", a->i[0], 0, LT_LOSS_COUNT, err);
}

static leat_status check_flag(const lt_op_args *a, leat_error *err) { return check_which("the flag", a->i[0], 0, 2, err); }

static leat_status check_gather(const lt_op_args *a, leat_error *err) {
  int64_t type = a->in[0].dtype, wide;
  if (type != a->out[0].dtype || (type != LEAT_F32 && type != LEAT_I32))
    return lt_fail(err, LEAT_E_DTYPE, "table and y have the types %lld and %lld; they must both be F32, or I32",
                   (long long)type, (long long)a->out[0].dtype);
  if (!__builtin_mul_overflow(a->in[0].shape[1], a->in[1].shape[1], &wide) && a->out[0].shape[1] == wide) return LEAT_OK;
  return bad_number(err, "the number of y's columns", a->out[0].shape[1], "the table's times the index's");
}

static leat_status check_scatter(const lt_op_args *a, leat_error *err) {
  int64_t wide;
  if (!__builtin_mul_overflow(a->out[0].shape[1], a->in[1].shape[1], &wide) && a->in[0].shape[1] == wide) return LEAT_OK;
  return bad_number(err, "the number of d's columns", a->in[0].shape[1], "the table's times the index's");
}

static leat_status check_top_k(const lt_op_args *a, leat_error *err) {
  int64_t k = a->out[0].shape[1], n = a->in[0].shape[1];
  return k <= n ? LEAT_OK : lt_fail(err, LEAT_E_SHAPE, "the %lld largest of %lld", (long long)k, (long long)n);
}

/* ---- the table */
#define F(role, dims) {role, dims, NULL, LEAT_F32, 0}
#define FS(role, dims) {role, dims, NULL, LEAT_F32, 1}
#define FB(role, dims, other) {role, dims, other, LEAT_F32, 0}
#define T(role, dims, type) {role, dims, NULL, type, 0}
static const lt_op_def ops[LT_OP_COUNT] = {
    {"gemm", 2, 3, 1, 1, 2, 2, 0, 1, {FS("a", "mk"), FS("b", "kn"), F("bias", "n")}, {FS("c", "mn")}, check_act},
    {"gemv", 2, 2, 1, 1, 2, 2, 0, 0, {FS("a", "mn"), FS("x", "n")}, {FS("y", "m")}, NULL},
    {"gemm_batched", 2, 2, 1, 1, 2, 2, 0, 0, {FS("a", "pmk"), FS("b", "pkn")}, {FS("c", "pmn")}, NULL},
    {"gemm_q8", 4, 4, 1, 1, 0, 0, 1, 1,
     {F("a", "mk"), T("w", "nk", LEAT_I8), F("scale", "n"), F("bias", "n")}, {F("c", "mn")}, check_act},
    {"csr_gemm", 4, 5, 1, 1, 2, 2, 0, 0,
     {T("start", "R", LEAT_I32), T("index", "z", LEAT_I32), F("value", "z"), F("b", "kn"), T("rows", "m", LEAT_I32)},
     {F("c", "mn")}, check_csr},
    {"csr_gemm_t", 4, 5, 1, 1, 2, 2, 0, 0,
     {T("start", "R", LEAT_I32), T("index", "z", LEAT_I32), F("value", "z"), F("d", "mn"), T("rows", "m", LEAT_I32)},
     {F("c", "kn")}, check_csr_t},
    {"map", 1, 1, 1, 1, 0, 0, 1, 1, {F("x", "mn")}, {F("y", "mn")}, check_map},
    {"map_grad", 2, 2, 1, 1, 0, 0, 1, 1, {F("d", "mn"), F("s", "mn")}, {F("dx", "mn")}, check_map_grad},
    {"binary", 2, 2, 1, 1, 2, 2, 1, 1, {F("a", "mn"), FB("b", "mn", "n")}, {F("c", "mn")}, check_binary},
    {"fill", 0, 0, 1, 1, 1, 1, 0, 0, {F(NULL, NULL)}, {F("y", "mn")}, NULL},
    {"copy", 1, 1, 1, 1, 0, 0, 0, 0, {T("x", "mn", LT_OP_DTYPE_ANY)}, {T("y", "mn", LT_OP_DTYPE_ANY)}, check_copy},
    {"dropout", 1, 1, 1, 1, 1, 1, 2, 2, {F("x", "mn")}, {F("y", "mn")}, check_dropout},
    {"reduce", 1, 1, 1, 1, 2, 2, 2, 2, {F("x", "mn")}, {F("y", ".")}, check_reduce},
    {"softmax", 1, 1, 1, 1, 0, 0, 0, 0, {F("x", "mn")}, {F("y", "mn")}, NULL},
    {"softmax_xent", 2, 3, 1, 2, 1, 1, 0, 0, {F("x", "mn"), T("y", "m", LEAT_I32), F("w", "m")},
     {F("loss", "m"), F("dx", "mn")}, NULL},
    {"loss", 2, 3, 1, 2, 3, 3, 1, 1, {F("f", "m"), F("y", "m"), F("w", "m")}, {F("loss", "m"), F("df", "m")}, check_loss},
    {"layer_norm", 3, 3, 3, 3, 1, 1, 0, 0, {F("x", "mn"), F("gamma", "n"), F("beta", "n")},
     {F("y", "mn"), F("mean", "m"), F("rstd", "m")}, NULL},
    {"layer_norm_grad", 5, 5, 3, 3, 0, 0, 0, 0,
     {F("d", "mn"), F("x", "mn"), F("gamma", "n"), F("mean", "m"), F("rstd", "m")},
     {F("dx", "mn"), F("dgamma", "n"), F("dbeta", "n")}, NULL},
    {"batch_norm", 3, 3, 5, 5, 2, 2, 0, 0, {F("x", "mn"), F("gamma", "n"), F("beta", "n")},
     {F("y", "mn"), F("mean", "n"), F("rstd", "n"), F("run_mean", "n"), F("run_var", "n")}, NULL},
    {"batch_norm_grad", 5, 5, 3, 3, 0, 0, 0, 0,
     {F("d", "mn"), F("x", "mn"), F("gamma", "n"), F("mean", "n"), F("rstd", "n")},
     {F("dx", "mn"), F("dgamma", "n"), F("dbeta", "n")}, NULL},
    {"batch_norm_apply", 5, 5, 1, 1, 1, 1, 0, 0,
     {F("x", "mn"), F("gamma", "n"), F("beta", "n"), F("mean", "n"), F("var", "n")}, {F("y", "mn")}, NULL},
    {"sgd", 1, 2, 1, 2, 5, 5, 1, 1, {F("g", "mn"), F("norm2", "1")}, {F("w", "mn"), F("v", "mn")}, check_flag},
    {"adam", 1, 2, 3, 3, 9, 9, 1, 1, {F("g", "mn"), F("norm2", "1")}, {F("w", "mn"), F("u", "mn"), F("v", "mn")},
     check_flag},
    {"gather", 2, 2, 1, 1, 0, 0, 0, 0, {T("table", "vd", LT_OP_DTYPE_ANY), T("index", "mf", LEAT_I32)},
     {T("y", "mD", LT_OP_DTYPE_ANY)}, check_gather},
    {"scatter_add", 2, 2, 1, 1, 2, 2, 0, 0, {F("d", "mW"), T("index", "mf", LEAT_I32)}, {F("table", "vw")},
     check_scatter},
    {"histogram", 3, 3, 1, 1, 1, 1, 0, 0, {T("code", "mf", LEAT_U8), F("g", "m"), F("h", "m")}, {F("hist", "fb2")}, NULL},
    {"argmax", 1, 1, 1, 1, 0, 0, 0, 0, {F("x", "mn")}, {T("index", "m", LEAT_I32)}, NULL},
    {"top_k", 1, 1, 2, 2, 0, 0, 0, 0, {F("x", "mn")}, {F("value", "mk"), T("index", "mk", LEAT_I32)}, check_top_k},
};
#undef F
#undef FS
#undef FB
#undef T

const lt_op_def *lt_op_at(int64_t index) { return index >= 0 && index < LT_OP_COUNT ? &ops[index] : NULL; }

const lt_op_def *lt_op_find(const char *name) {
  for (int i = 0; i < LT_OP_COUNT; i++)
    if (ops[i].name[0] == name[0] && !strcmp(ops[i].name, name)) return &ops[i];
  return NULL;
}

int lt_op_empty(const lt_op_args *a) {
  for (int64_t i = 0; i < a->n_out; i++)
    if (!lt_view_empty(&a->out[i])) return 0;
  return 1;
}

/* ---- the check */
/* "a [m, k], b [k, n]": for messages. */
static void describe(const lt_tensor_def *d, int64_t n, char *out, uint64_t cap) {
  uint64_t at = 0;
  out[0] = 0;
  for (int64_t i = 0; i < n && at < cap; i++) {
    at += (uint64_t)snprintf(out + at, cap - at, "%s%s [", i ? ", " : "", d[i].role);
    for (const char *dims = d[i].dims; *dims && at < cap; dims++) {
      const char *long_name = *dims == 'R' ? "r + 1" : *dims == 'D' ? "f d" : *dims == 'W' ? "f w" : NULL;
      if (long_name) at += (uint64_t)snprintf(out + at, cap - at, "%s", long_name);
      else at += (uint64_t)snprintf(out + at, cap - at, "%c", *dims);
      if (dims[1] && at < cap) at += (uint64_t)snprintf(out + at, cap - at, ", ");
    }
    if (at < cap) at += (uint64_t)snprintf(out + at, cap - at, "]");
  }
}

static leat_status shape_wrong(const lt_op_def *def, const lt_view *v, leat_error *err) {
  char in[256], out[256], shape[128] = "";
  describe(def->in, def->in_max, in, sizeof in);
  describe(def->out, def->out_max, out, sizeof out);
  for (int64_t i = 0, at = 0; i < v->rank && i < 4; i++)
    at += snprintf(shape + at, sizeof shape - (uint64_t)at, "%s%lld", i ? ", " : "", (long long)v->shape[i]);
  return lt_fail(err, LEAT_E_SHAPE, "%s: %s has rank %lld and shape [%s], which does not fit; the op takes %s%sgives %s",
                 def->name, v->name, (long long)v->rank, shape, in, in[0] ? " and " : "", out);
}

static leat_status rows_have_unit_stride(const lt_op_def *def, const lt_view *v, leat_error *err) {
  int64_t r = v->rank, bad = v->shape[r - 1] > 1 && v->stride[r - 1] != 1;
  if (r >= 2) bad |= v->shape[r - 2] > 1 && v->stride[r - 2] < v->shape[r - 1];
  for (int64_t i = 0; i + 2 < r; i++) bad |= v->shape[i] > 1 && v->stride[i] != v->stride[i + 1] * v->shape[i + 1];
  if (!bad || lt_view_empty(v)) return LEAT_OK;
  return lt_fail(err, LEAT_E_SHAPE, "%s: the strides of %s are not those of rows that lie one behind the other", def->name,
                 v->name);
}

/* One tensor against its definition; dim: what the letters mean so far, -1 nothing. */
static leat_status take_tensor(const lt_op_def *def, const lt_tensor_def *want, const leat_b_tensor *t, lt_view *v,
                               int64_t dim[26], leat_error *err) {
  const char *dims = want->dims;
  v->name = want->role;
  v->data = NULL;
  v->rank = t->rank;
  v->dtype = t->dtype;
  v->size = lt_op_dtype_size(t->dtype);
  memcpy(v->shape, t->shape, sizeof v->shape);
  memcpy(v->stride, t->stride, sizeof v->stride);
  if (v->size == 0 || (want->dtype != LT_OP_DTYPE_ANY && t->dtype != want->dtype))
    return lt_fail(err, LEAT_E_DTYPE, "%s: %s has the type %lld; the op takes type %d (LEAT_F32 is 1)", def->name, v->name,
                   (long long)t->dtype, (int)want->dtype);
  if (want->other && t->rank == (int64_t)strlen(want->other)) dims = want->other;
  for (int64_t i = 0; i < 4; i++, dims++) {
    if (!*dims) {
      if (t->rank != i) return shape_wrong(def, v, err);
      break;
    }
    int64_t n = t->shape[i];
    if (i >= t->rank) return shape_wrong(def, v, err);
    if (*dims >= 'a' && *dims <= 'z') {
      int64_t *known = &dim[*dims - 'a'];
      if (*known < 0) *known = n;
      else if (*known != n) return shape_wrong(def, v, err);
    } else if ((*dims == 'R' && n < 1) || (*dims >= '0' && *dims <= '9' && n != *dims - '0')) {
      return shape_wrong(def, v, err);
    }
  }
  leat_status st = lt_view_span(v, err);
  return st || want->strided ? st : rows_have_unit_stride(def, v, err);
}

static leat_status count_wrong(const lt_op_def *def, const char *what, int64_t n, int low, int high, leat_error *err) {
  return lt_fail(err, LEAT_E_ARG, "%s has %lld %s; it takes %d to %d", def->name, (long long)n, what, low, high);
}

leat_status lt_op_take(const lt_op_def *def, const leat_b_op *op, lt_op_args *a, leat_error *err) {
  int64_t dim[26];
  leat_status st;
  if (op->n_in < def->in_min || op->n_in > def->in_max)
    return count_wrong(def, "inputs", op->n_in, def->in_min, def->in_max, err);
  if (op->n_out < def->out_min || op->n_out > def->out_max)
    return count_wrong(def, "outputs", op->n_out, def->out_min, def->out_max, err);
  if (op->n_attr_f < def->f_min || op->n_attr_f > def->f_max)
    return count_wrong(def, "numbers", op->n_attr_f, def->f_min, def->f_max, err);
  if (op->n_attr_i < def->i_min || op->n_attr_i > def->i_max)
    return count_wrong(def, "integers", op->n_attr_i, def->i_min, def->i_max, err);
  if ((op->n_in && !op->in) || !op->out || (op->n_attr_f && !op->attr_f) || (op->n_attr_i && !op->attr_i))
    return lt_fail(err, LEAT_E_ARG, "%s: a list of tensors or attributes is NULL", def->name);
  a->n_in = op->n_in, a->n_out = op->n_out;
  a->f = op->attr_f, a->i = op->attr_i;
  a->n_f = op->n_attr_f, a->n_i = op->n_attr_i;
  memset(dim, -1, sizeof dim);
  for (int64_t i = 0; i < op->n_in; i++) {
    a->in[i].written = 0;
    if ((st = take_tensor(def, &def->in[i], &op->in[i], &a->in[i], dim, err)) != 0) return st;
  }
  for (int64_t i = 0; i < op->n_out; i++) {
    a->out[i].written = 1;
    if ((st = take_tensor(def, &def->out[i], &op->out[i], &a->out[i], dim, err)) != 0) return st;
  }
  return def->check ? def->check(a, err) : LEAT_OK;
}
