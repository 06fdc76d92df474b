/* Rows as an Arrow array. Columns that lie as Arrow wants them are lent, with a reference to the batch that they live in;
 * every array holds its own, so a consumer may move children away and release them in any order, on any thread. */
#include <math.h>
#include <string.h>

#include "data/arrow.h"

enum { NODE_BLOCKS = 3 };
typedef struct array_node {
  leat_runtime *rt;
  leat_batch *held;
  void *own[NODE_BLOCKS];
  const void *buffer[NODE_BLOCKS];
  struct ArrowArray *child;
  struct ArrowArray **list;
} array_node;

static void array_release(struct ArrowArray *a) {
  array_node *x = a->private_data;
  leat_runtime *rt = x->rt;
  for (int64_t i = 0; i < a->n_children; i++)
    if (a->children[i]->release) a->children[i]->release(a->children[i]);
  if (a->dictionary && a->dictionary->release) a->dictionary->release(a->dictionary);
  for (int k = 0; k < NODE_BLOCKS; k++) lt_free(rt, x->own[k]);
  lt_batch_free(x->held);
  lt_free(rt, x->child);
  lt_free(rt, x->list);
  lt_free(rt, x);
  a->release = NULL;
  lt_runtime_unref(rt);
}

static leat_status no_memory(leat_error *err) { return lt_fail_memory(err, sizeof(array_node), "an Arrow array"); }

/* children -1: a dictionary. held may be NULL. */
static leat_status make_array(leat_runtime *rt, leat_batch *held, int64_t length, int64_t buffers, int64_t children,
                              struct ArrowArray *out, leat_error *err) {
  uint64_t n = children < 0 ? 1 : (uint64_t)children;
  memset(out, 0, sizeof *out);
  array_node *x = lt_zalloc(rt, sizeof *x);
  struct ArrowArray *child = n ? lt_zarray(rt, n, sizeof *child) : NULL;
  struct ArrowArray **list = n ? lt_zarray(rt, n, sizeof(struct ArrowArray *)) : NULL;
  if (!x || (n && (!child || !list))) {
    lt_free(rt, x);
    lt_free(rt, child);
    lt_free(rt, list);
    return no_memory(err);
  }
  x->rt = rt;
  x->held = held;
  x->child = child;
  x->list = list;
  if (held) lt_ref_add(&held->ref);
  lt_runtime_ref(rt);
  for (uint64_t i = 0; i < n; i++) list[i] = &child[i];
  *out = (struct ArrowArray){.length = length, .n_buffers = buffers, .buffers = x->buffer, .release = array_release, .private_data = x};
  if (children < 0) {
    out->dictionary = child;
  } else {
    out->n_children = children;
    out->children = list;
  }
  return LEAT_OK;
}

static void *own_memory(struct ArrowArray *a, int k, int64_t n, int64_t size) {
  array_node *x = a->private_data;
  x->own[k] = lt_zarray(x->rt, (uint64_t)n + 1, (uint64_t)size);
  x->buffer[k] = x->own[k];
  return x->own[k];
}

static void lend(struct ArrowArray *a, int k, const void *p) { ((array_node *)a->private_data)->buffer[k] = p; }

static int is_missing(const lt_column *c, const lt_col *v, int64_t r) {
  if (lt_column_is_text(c)) return v->text_end[r] == v->text_end[r - 1];
  switch (v->dtype) {
    case LEAT_F64: return isnan(((const double *)v->data)[r * v->row_stride]);
    case LEAT_F32: return isnan(((const float *)v->data)[r * v->row_stride]);
    case LEAT_U8: return c->kind == LEAT_BOOL && ((const uint8_t *)v->data)[r * v->row_stride] == 255;
    case LEAT_I32: return c->kind == LEAT_CATEGORY && ((const int32_t *)v->data)[r * v->row_stride] < 0;
    case LEAT_I64: return c->kind == LEAT_TIME && ((const int64_t *)v->data)[r * v->row_stride] == INT64_MIN;
    default: return 0;
  }
}

/* The bitmap, when something is missing. */
static leat_status put_valid(const lt_column *c, const lt_col *v, int64_t n, struct ArrowArray *a, leat_error *err) {
  int64_t missing = 0;
  for (int64_t r = 0; r < n; r++) missing += is_missing(c, v, r);
  a->null_count = missing;
  if (!missing) return LEAT_OK;
  uint8_t *bits = own_memory(a, 0, (n + 7) / 8, 1);
  if (!bits) return no_memory(err);
  for (int64_t r = 0; r < n; r++)
    if (!is_missing(c, v, r)) bits[r >> 3] = (uint8_t)(bits[r >> 3] | 1u << (r & 7));
  return LEAT_OK;
}

static void store_number(void *out, int32_t dtype, int64_t k, double x) {
  if (dtype == LEAT_F32) ((float *)out)[k] = (float)x;
  else if (dtype == LEAT_U8) ((uint8_t *)out)[k] = (uint8_t)x;
  else if (dtype == LEAT_F64) ((double *)out)[k] = x;
}

/* n * width numbers as dtype into buffer 1. */
static leat_status write_values(const lt_column *c, const lt_col *v, int64_t n, int32_t dtype, struct ArrowArray *a,
                              leat_error *err) {
  int64_t size = lt_dtype_size(dtype);
  if (v->dtype == dtype && v->col_stride == 1 && v->row_stride == c->width) {
    lend(a, 1, v->data);
    return LEAT_OK;
  }
  char *out = own_memory(a, 1, n * c->width, size);
  if (!out) return no_memory(err);
  for (int64_t r = 0; r < n; r++)
    for (int64_t j = 0; j < c->width; j++) {
      int64_t k = r * c->width + j;
      if (v->dtype == dtype)
        memcpy(out + k * size, (const char *)v->data + (r * v->row_stride + j * v->col_stride) * size, (uint64_t)size);
      else store_number(out, dtype, k, lt_col_number(c, v, r, j));
    }
  return LEAT_OK;
}

static leat_status write_bools(const lt_col *v, int64_t n, struct ArrowArray *a, leat_error *err) {
  uint8_t *bits = own_memory(a, 1, (n + 7) / 8, 1);
  if (!bits) return no_memory(err);
  for (int64_t r = 0; r < n; r++)
    if (((const uint8_t *)v->data)[r * v->row_stride] == 1) bits[r >> 3] = (uint8_t)(bits[r >> 3] | 1u << (r & 7));
  return LEAT_OK;
}

/* Codes and the dictionary of their labels. */
static leat_status write_labels(const lt_column *c, const lt_col *v, int64_t n, struct ArrowArray *a, leat_error *err) {
  leat_status st = LEAT_OK;
  int64_t labels = lt_dict_count(c->labels), bytes = 0;
  if (a->null_count) { /* no consumer shall meet an index that is outside */
    int32_t *code = own_memory(a, 1, n, sizeof *code);
    if (!code) return no_memory(err);
    for (int64_t r = 0; r < n; r++) code[r] = ((const int32_t *)v->data)[r * v->row_stride];
    for (int64_t r = 0; r < n; r++) code[r] = code[r] < 0 ? 0 : code[r];
    if (!labels) labels = 1; /* all are missing: index 0 needs something to point at */
  } else {
    st = write_values(c, v, n, LEAT_I32, a, err);
  }
  array_node *x = a->private_data;
  if (!st) st = make_array(x->rt, NULL, labels, 3, 0, a->dictionary, err);
  int32_t *end = st ? NULL : own_memory(a->dictionary, 1, labels + 1, sizeof *end);
  if (!st && !end) st = no_memory(err);
  for (int64_t i = 0; !st && i < labels; i++) {
    uint64_t len = 0;
    if (i < lt_dict_count(c->labels)) lt_dict_text(c->labels, i, &len);
    bytes += (int64_t)len;
    if (bytes > INT32_MAX) return lt_fail(err, LEAT_E_UNSUPPORTED, "column '%s': its labels have more than 2 GiB", c->name);
    end[i + 1] = (int32_t)bytes;
  }
  char *text = st ? NULL : own_memory(a->dictionary, 2, bytes, 1);
  if (!st && !text) st = no_memory(err);
  for (int64_t i = 0; !st && i < labels && i < lt_dict_count(c->labels); i++) {
    uint64_t len = 0;
    const char *s = lt_dict_text(c->labels, i, &len);
    if (len) memcpy(text + end[i], s, len);
  }
  return st;
}

static leat_status write_sparse(const lt_col *v, int64_t n, leat_batch *held, struct ArrowArray *a, leat_error *err) {
  array_node *x = a->private_data;
  int64_t m = n ? v->row_start[n] : 0;
  struct ArrowArray *s = a->children[0];
  lend(a, 1, v->row_start);
  leat_status st = make_array(x->rt, held, m, 1, 2, s, err);
  if (!st) st = make_array(x->rt, held, m, 2, 0, s->children[0], err);
  if (!st) st = make_array(x->rt, held, m, 2, 0, s->children[1], err);
  if (st) return st;
  lend(s->children[0], 1, v->index);
  if (v->value) {
    lend(s->children[1], 1, v->value);
    return LEAT_OK;
  }
  float *ones = own_memory(s->children[1], 1, m, sizeof *ones);
  if (!ones) return no_memory(err);
  for (int64_t k = 0; k < m; k++) ones[k] = 1.0f;
  return LEAT_OK;
}

/* A column without data: every value is missing. */
static leat_status write_nothing(const lt_column *c, int64_t n, int32_t dtype, struct ArrowArray *a, leat_error *err) {
  array_node *x = a->private_data;
  int64_t size = c->sparse || lt_column_is_text(c) ? 8 : 8 * c->width;
  leat_status st = LEAT_OK;
  a->null_count = n;
  if (!own_memory(a, 0, (n + 7) / 8, 1)) return no_memory(err);
  if (c->width > 1 && !c->sparse) {
    st = make_array(x->rt, NULL, n * c->width, 2, 0, a->children[0], err);
    if (!st && !own_memory(a->children[0], 1, n * c->width, lt_dtype_size(dtype))) st = no_memory(err);
    return st;
  }
  if (!own_memory(a, 1, n + 1, size)) return no_memory(err);
  if (lt_column_is_text(c)) lend(a, 2, "");
  if (c->sparse) {
    st = make_array(x->rt, NULL, 0, 1, 2, a->children[0], err);
    for (int k = 0; k < 2 && !st; k++) {
      st = make_array(x->rt, NULL, 0, 2, 0, a->children[0]->children[k], err);
      if (!st && !own_memory(a->children[0]->children[k], 1, 1, 4)) st = no_memory(err);
    }
  }
  if (c->kind == LEAT_CATEGORY && !lt_column_is_text(c)) {
    st = make_array(x->rt, NULL, 1, 3, 0, a->dictionary, err);
    if (!st && (!own_memory(a->dictionary, 1, 2, 4) || !own_memory(a->dictionary, 2, 1, 1))) st = no_memory(err);
  }
  return st;
}

static leat_status write_column(leat_batch *held, const lt_column *c, const lt_col *v, int64_t n, int32_t dtype,
                              struct ArrowArray *out, leat_error *err) {
  int text = lt_column_is_text(c), block = c->width > 1 && !c->sparse;
  int64_t children = c->sparse || block ? 1 : c->kind == LEAT_CATEGORY && !text ? -1 : 0;
  int nothing = !v->data && !v->row_start && !v->text_end;
  leat_status st = make_array(held->rt, held, n, text ? 3 : block ? 1 : 2, children, out, err);
  if (st) return st;
  if (nothing) return write_nothing(c, n, dtype, out, err);
  if (c->sparse) return write_sparse(v, n, held, out, err);
  if (block) {
    st = make_array(held->rt, held, n * c->width, 2, 0, out->children[0], err);
    return st ? st : write_values(c, v, n, dtype, out->children[0], err);
  }
  st = put_valid(c, v, n, out, err);
  if (st) return st;
  if (text) {
    lend(out, 1, v->text_end - 1);
    lend(out, 2, v->text ? v->text : "");
    return LEAT_OK;
  }
  if (c->kind == LEAT_CATEGORY) return write_labels(c, v, n, out, err);
  if (c->kind == LEAT_BOOL) return write_bools(v, n, out, err);
  return write_values(c, v, n, c->kind == LEAT_TIME ? LEAT_I64 : dtype, out, err);
}

leat_status lt_arrow_put_array(leat_batch *held, const lt_rows *rows, const int32_t *dtype, struct ArrowArray *out,
                               leat_error *err) {
  int64_t n = 0;
  for (int64_t i = 0; i < rows->schema->n; i++) n += dtype[i] != 0;
  leat_status st = make_array(held->rt, NULL, rows->n, 1, n, out, err);
  for (int64_t i = 0, k = 0; i < rows->schema->n && !st; i++)
    if (dtype[i]) st = write_column(held, &rows->schema->col[i], &rows->col[i], rows->n, dtype[i], out->children[k++], err);
  if (st && out->release) out->release(out);
  return st;
}
