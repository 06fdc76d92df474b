#include "data/dlpack.h"

#include <string.h>

#include "data/store.h"

/* DLPack's structs, versions 0.8 (without a version inside) and 1.x. */
enum { DL_INT = 0, DL_UINT = 1, DL_FLOAT = 2, DL_BOOL = 6 };
enum { DL_CPU = 1, DL_CUDA_HOST = 3, DL_ROCM_HOST = 11 };
typedef struct dl_tensor {
  void *data;
  int32_t device_type, device_id;
  int32_t ndim;
  uint8_t code, bits;
  uint16_t lanes;
  int64_t *shape, *strides; /* strides in elements; NULL: packed rows */
  uint64_t byte_offset;
} dl_tensor;
typedef struct dl_plain {
  dl_tensor tensor;
  void *context;
  void (*deleter)(struct dl_plain *self);
} dl_plain;
typedef struct dl_versioned {
  uint32_t major, minor;
  void *context;
  void (*deleter)(struct dl_versioned *self);
  uint64_t flags;
  dl_tensor tensor;
} dl_versioned;

static const dl_tensor *tensor_of(int64_t major, const void *t) {
  return major ? &((const dl_versioned *)t)->tensor : &((const dl_plain *)t)->tensor;
}

void lt_dlpack_free(int64_t major, void *tensor) {
  if (!tensor) return;
  dl_versioned *v = tensor;
  dl_plain *p = tensor;
  if (major && v->deleter) v->deleter(v);
  else if (!major && p->deleter) p->deleter(p);
}

static int32_t dtype_of(const dl_tensor *t) {
  static const int32_t ints[2][4] = {{LEAT_I8, LEAT_I16, LEAT_I32, LEAT_I64}, {LEAT_U8, LEAT_U16, LEAT_U32, LEAT_U64}};
  if (t->lanes != 1) return 0;
  int size = t->bits == 8 ? 0 : t->bits == 16 ? 1 : t->bits == 32 ? 2 : t->bits == 64 ? 3 : -1;
  if (t->code == DL_FLOAT) return t->bits == 32 ? LEAT_F32 : t->bits == 64 ? LEAT_F64 : 0;
  if (t->code == DL_BOOL) return t->bits == 8 ? LEAT_U8 : 0;
  return size >= 0 && (t->code == DL_INT || t->code == DL_UINT) ? ints[t->code == DL_UINT][size] : 0;
}

/* Rows and columns of a tensor: dimensions behind the first one must lie as one. */
static leat_status shape_of(const dl_tensor *t, const char *what, leat_matrix *m, leat_error *err) {
  if (t->ndim < 1 || t->ndim > 64 || !t->shape)
    return lt_fail(err, LEAT_E_SHAPE, "%s has %d dimensions, it must have at least one: the rows", what, (int)t->ndim);
  int64_t cols = 1;
  for (int32_t k = 0; k < t->ndim; k++)
    if (t->shape[k] < 0) return lt_fail(err, LEAT_E_SHAPE, "%s: a dimension is negative", what);
  for (int32_t k = t->ndim - 1; k > 0; k--) {
    int64_t stride = t->strides ? t->strides[k] : cols;
    if (t->shape[k] == 1) continue;
    if (cols == 1) m->col_stride = stride;
    else if (stride != m->col_stride * cols)
      return lt_fail(err, LEAT_E_SHAPE, "%s: its dimensions behind the first one do not lie as one row; make it contiguous", what);
    if (__builtin_mul_overflow(cols, t->shape[k], &cols) || cols > INT32_MAX)
      return lt_fail(err, LEAT_E_SHAPE, "%s has more than 2147483647 numbers a row", what);
  }
  m->rows = t->shape[0];
  m->cols = cols;
  m->row_stride = t->strides ? t->strides[0] : cols;
  if (!m->col_stride) m->col_stride = 1;
  return LEAT_OK;
}

/* A tensor as a matrix over its memory. */
static leat_status matrix_of(int64_t major, const void *tensor, const char *what, leat_matrix *m, leat_error *err) {
  const dl_versioned *v = tensor;
  if (major && v->major != 1)
    return lt_fail(err, LEAT_E_VERSION, "%s is of DLPack version %u.%u; version 1 is read", what, v->major, v->minor);
  const dl_tensor *t = tensor_of(major, tensor);
  if (t->device_type != DL_CPU && t->device_type != DL_CUDA_HOST && t->device_type != DL_ROCM_HOST)
    return lt_fail(err, LEAT_E_UNSUPPORTED, "%s lies on a device of DLPack type %d; copy it to the CPU's memory first", what,
                   (int)t->device_type);
  memset(m, 0, sizeof *m);
  m->struct_size = sizeof *m;
  m->dtype = dtype_of(t);
  if (!m->dtype)
    return lt_fail(err, LEAT_E_DTYPE, "%s: DLPack type %d of %d bits x %d is not taken; convert it to float32 or float64", what,
                   (int)t->code, (int)t->bits, (int)t->lanes);
  leat_status st = shape_of(t, what, m, err);
  if (st) return st;
  m->data = t->data ? (char *)t->data + t->byte_offset : NULL;
  if (m->rows && m->cols && (!m->data || (uintptr_t)m->data % (uint64_t)lt_dtype_size((int32_t)m->dtype)))
    return lt_fail(err, LEAT_E_ARG, "%s has no data, or data that is not aligned to its elements", what);
  return LEAT_OK;
}

typedef struct dl_held { int64_t major; void *tensor; leat_batch *labels; } dl_held;

static void dl_held_free(leat_runtime *rt, void *held) {
  dl_held *h = held;
  lt_dlpack_free(h->major, h->tensor);
  lt_batch_free(h->labels);
  lt_free(rt, h);
}

/* Rows over x's memory; labels: a batch of the same schema that has the other columns. Takes over labels, also on failure. */
static leat_status dataset_over(leat_batch *labels, const leat_matrix *x, dl_held **held, leat_dataset **out,
                                leat_error *err) {
  leat_runtime *rt = labels->rt;
  leat_batch *b = NULL;
  dl_held *h = lt_zalloc(rt, sizeof *h);
  leat_status st = h ? lt_batch_create(rt, labels->schema, &b, err) : lt_fail_memory(err, sizeof *h, "a tensor");
  if (st) {
    lt_free(rt, h);
    lt_batch_free(labels);
    return st;
  }
  h->labels = labels;
  b->held = h;
  b->held_free = dl_held_free;
  b->n = x->rows;
  int64_t at = 0;
  for (int64_t i = 0; i < b->schema->n; i++) {
    const lt_column *c = &b->schema->col[i];
    b->col[i] = labels->col[i];
    if (c->role != LEAT_ROLE_FEATURE || lt_column_is_text(c) || c->sparse) continue;
    const char *p = (const char *)x->data + at * x->col_stride * lt_dtype_size((int32_t)x->dtype);
    b->col[i] = (lt_col){.dtype = (int32_t)x->dtype, .row_stride = x->row_stride, .col_stride = x->col_stride, .data = p};
    at += c->width;
  }
  *held = h;
  return lt_dataset_of(b, out, err);
}

/* Can every feature number be used where it lies? */
static int all_numbers(const leat_schema *s) {
  for (int64_t i = 0; s && i < s->n; i++) {
    const lt_column *c = &s->col[i];
    if (c->role == LEAT_ROLE_FEATURE && !lt_column_is_text(c) && !c->sparse && c->kind != LEAT_NUMBER) return 0;
  }
  return 1;
}

leat_status lt_dataset_from_dlpack(leat_runtime *rt, const leat_schema *s, int64_t major, void *x, void *y, void *w,
                                   leat_dataset **out, leat_error *err) {
  leat_matrix m[3];
  void *given[3] = {x, y, w};
  static const char *const what[3] = {"x", "y", "w"};
  leat_status st = LEAT_OK;
  leat_batch *labels = NULL;
  dl_held *held = NULL;
  *out = NULL;
  if (major != 0 && major != 1)
    return lt_fail(err, LEAT_E_ARG, "major is %lld, it must be 0 (DLManagedTensor) or 1 (DLManagedTensorVersioned)",
                   (long long)major);
  for (int k = 0; k < 3 && !st; k++)
    if (given[k]) st = matrix_of(major, given[k], what[k], &m[k], err);
  if (!st && (!m[0].rows || !m[0].cols)) st = lt_fail(err, LEAT_E_SHAPE, "x has no rows or no columns");
  if (st) return st;
  const leat_matrix *my = y ? &m[1] : NULL, *mw = w ? &m[2] : NULL;
  if (all_numbers(s)) {
    if (!st) st = lt_label_batch(rt, s, &m[0], my, mw, &labels, err);
    if (!st) st = dataset_over(labels, &m[0], &held, out, err);
  } else { /* codes of categories and the like: a copy */
    st = lt_dataset_of_matrix(rt, s, "x", "y", LT_TASK_AUTO, &m[0], my, mw, out, err);
  }
  if (st) return st;
  if (held) { /* nothing can fail any more */
    held->major = major;
    held->tensor = x;
  } else {
    lt_dlpack_free(major, x);
  }
  lt_dlpack_free(major, y);
  lt_dlpack_free(major, w);
  return LEAT_OK;
}

/* ---- out */

typedef struct dl_own { /* both forms of the struct, and what they point to */
  union { dl_plain plain; dl_versioned versioned; } managed;
  leat_runtime *rt;
  int64_t shape[2], strides[2];
  void *memory;
} dl_own;

static void own_free(dl_own *x) {
  leat_runtime *rt = x->rt;
  lt_free(rt, x->memory);
  lt_free(rt, x);
  lt_runtime_unref(rt);
}

static void delete_plain(dl_plain *t) { own_free(t->context); }
static void delete_versioned(dl_versioned *t) { own_free(t->context); }

leat_status lt_dlpack_make(leat_runtime *rt, int64_t major, int64_t rows, int64_t cols, void **tensor, float **data,
                           leat_error *err) {
  enum { ALIGN = 256 }; /* what the specification asks for */
  *tensor = NULL;
  if (major != 0 && major != 1)
    return lt_fail(err, LEAT_E_ARG, "major is %lld, it must be 0 (DLManagedTensor) or 1 (DLManagedTensorVersioned)",
                   (long long)major);
  dl_own *x = lt_zalloc(rt, sizeof *x);
  char *memory = rows < INT64_MAX / 8 / cols ? lt_alloc(rt, (uint64_t)(rows * cols) * sizeof **data + ALIGN) : NULL;
  if (!x || !memory) {
    lt_free(rt, x);
    lt_free(rt, memory);
    return lt_fail_memory(err, (uint64_t)(rows * cols) * sizeof **data, "predictions");
  }
  lt_runtime_ref(rt);
  x->rt = rt;
  x->memory = memory;
  x->shape[0] = rows;
  x->shape[1] = x->strides[0] = cols;
  x->strides[1] = 1;
  dl_tensor t = {.data = memory + (ALIGN - (uintptr_t)memory % ALIGN) % ALIGN, .device_type = DL_CPU, .ndim = 2, .code = DL_FLOAT,
                 .bits = 32, .lanes = 1, .shape = x->shape, .strides = x->strides};
  *data = t.data;
  if (major) x->managed.versioned = (dl_versioned){.major = 1, .context = x, .deleter = delete_versioned, .tensor = t};
  else x->managed.plain = (dl_plain){t, x, delete_plain};
  *tensor = &x->managed;
  return LEAT_OK;
}
