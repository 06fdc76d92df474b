/* Requests of the Open Inference Protocol v2: their JSON, and tensors as JSON or as bytes. */
#include "serve_infer.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct { const char *name; size_t size; int64_t bytes; } types[] = {
  { "", 0, 0 }, { "BOOL", 4, 1 }, { "UINT8", 5, 1 }, { "UINT16", 6, 2 }, { "UINT32", 6, 4 }, { "UINT64", 6, 8 },
      { "INT8", 4, 1 },
  { "INT16", 5, 2 }, { "INT32", 5, 4 }, { "INT64", 5, 8 }, { "FP16", 4, 2 }, { "FP32", 4, 4 }, { "FP64", 4, 8 },
      { "BYTES", 5, 0 },
};

const char *infer_type_name(infer_type t) { return types[t].name; }

/* s[n] is the literal w. */
#define is(s, n, w) ((n) == sizeof(w) - 1 && memcmp((s), (w), sizeof(w) - 1) == 0)

/* The members of an object: each(key) reads its value. */
typedef int (*member_fn)(serve_json *j, const char *key, size_t n, void *arg);
static int members(serve_json *j, member_fn each, void *arg, const char *what) {
  char buf[128];
  const char *key;
  size_t n;
  if (!serve_json_take(j, '{')) return serve_json_fail(j, "%s must be an object", what);
  if (serve_json_take(j, '}')) return 1;
  do {
    if (!serve_json_string(j, buf, sizeof buf, &key, &n)) return 0;
    if (!serve_json_take(j, ':'))
      return serve_json_fail(j, "a ':' is missing behind \"%.*s\"", (int)(n > 60 ? 60 : n), key);
    if (!each(j, key, n, arg)) return 0;
  } while (serve_json_take(j, ','));
  return serve_json_take(j, '}') || serve_json_fail(j, "a '}' or ',' is missing in %s", what);
}

/* ---- inputs */

static int input_parameter(serve_json *j, const char *key, size_t n, void *arg) {
  infer_input *in = arg;
  if (!is(key, n, "binary_data_size")) return serve_json_skip(j, 4);
  in->has_binary = 1;
  if (!serve_json_i64(j, &in->binary_size)) return 0;
  return in->binary_size >= 0 || serve_json_fail(j, "binary_data_size is negative");
}

static int input_shape(serve_json *j, infer_input *in) {
  if (!serve_json_take(j, '[')) return serve_json_fail(j, "shape must be an array of integers");
  if (serve_json_take(j, ']')) return 1;
  do {
    if (in->n_dims == INFER_DIMS) return serve_json_fail(j, "shape has more than %d dimensions", INFER_DIMS);
    if (!serve_json_i64(j, &in->dim[in->n_dims])) return 0;
    if (in->dim[in->n_dims] < 0) return serve_json_fail(j, "shape has a negative dimension");
    in->n_dims++;
  } while (serve_json_take(j, ','));
  return serve_json_take(j, ']') || serve_json_fail(j, "a ']' is missing in shape");
}

/* Rows come one at a time more often than not: [3] and ["a"] are read once. 0: it is something else. */
static int input_one(serve_json *j, infer_input *in) {
  serve_json own = { .at = j->at, .end = j->end };
  if (!serve_json_take(&own, '[')) return 0;
  char c = serve_json_peek(&own);
  if (c == '"') {
    if (!serve_json_string(&own, NULL, 0, &in->one_text, &in->one_size) || memchr(in->one_text, '\\', in->one_size))
      return 0;
  } else if (!(c == '-' || (c >= '0' && c <= '9')) || !serve_json_number(&own, &in->one_number, &in->one_whole)) {
    return 0;
  }
  if (!serve_json_take(&own, ']')) return 0;
  in->one = c == '"' ? ONE_TEXT : ONE_NUMBER;
  j->at = own.at;
  return 1;
}

static int input_member(serve_json *j, const char *key, size_t n, void *arg) {
  infer_input *in = arg;
  const char *s;
  char buf[32];
  if (is(key, n, "name")) return serve_json_string(j, in->kept, sizeof in->kept, &in->name, &in->name_size);
  if (is(key, n, "shape")) {
    in->n_dims = 0;
    return input_shape(j, in);
  }
  if (is(key, n, "datatype")) {
    if (!serve_json_string(j, buf, sizeof buf, &s, &n)) return 0;
    for (int t = 1; t < (int)(sizeof types / sizeof types[0]); t++)
      if (types[t].size == n && memcmp(s, types[t].name, n) == 0) in->type = (infer_type)t;
    return in->type != T_NONE ||
        serve_json_fail(j, "datatype \"%.*s\" is unknown: BOOL, INT8 to INT64, UINT8 to UINT64, FP16, FP32, FP64, BYTES",
                        (int)(n > 30 ? 30 : n), s);
  }
  if (is(key, n, "parameters")) return members(j, input_parameter, in, "parameters");
  if (!is(key, n, "data")) return serve_json_skip(j, 3);
  serve_json_peek(j);
  in->has_data = 1;
  in->one = ONE_NONE;
  in->data = j->at;
  return input_one(j, in) || serve_json_skip(j, 3);
}

static int parse_inputs(serve_json *j, infer_scratch *t, size_t most) {
  if (!serve_json_take(j, '[')) return serve_json_fail(j, "inputs must be an array");
  if (serve_json_take(j, ']')) return 1;
  do {
    if ((size_t)t->n_inputs >= most) return serve_json_fail(j, "there are more than %zu inputs", most);
    if (t->n_inputs == t->cap_inputs) {
      t->cap_inputs = t->cap_inputs ? 2 * t->cap_inputs : 32;
      t->input = serve_grow(t->input, (size_t)t->cap_inputs * sizeof *t->input);
    }
    infer_input *in = &t->input[t->n_inputs];
    memset(in, 0, offsetof(infer_input, kept));
    if (!members(j, input_member, in, "an input")) return 0;
    in->kept_name = in->name == in->kept;
    if (!in->name) return serve_json_fail(j, "input %lld has no name", (long long)t->n_inputs + 1);
    int s = in->name_size > 60 ? 60 : (int)in->name_size;
    if (!in->type) return serve_json_fail(j, "input \"%.*s\" has no datatype", s, in->name);
    if (!in->n_dims) return serve_json_fail(j, "input \"%.*s\" has no shape", s, in->name);
    if (in->has_data == in->has_binary)
      return serve_json_fail(j, in->has_data ? "input \"%.*s\" has data and binary_data_size: one of them"
                             : "input \"%.*s\" has no data", s, in->name);
    t->n_inputs++;
  } while (serve_json_take(j, ','));
  return serve_json_take(j, ']') || serve_json_fail(j, "a ']' or ',' is missing in inputs");
}

/* ---- outputs, parameters, the whole */

static int output_parameter(serve_json *j, const char *key, size_t n, void *arg) {
  infer_scratch *t = arg;
  return is(key, n, "binary_data") ? serve_json_bool(j, &t->wants[t->n_outputs]) : serve_json_skip(j, 4);
}
static int output_member(serve_json *j, const char *key, size_t n, void *arg) {
  infer_scratch *t = arg;
  if (is(key, n, "name")) return serve_json_string(j, NULL, 0, &t->wanted[t->n_outputs], &t->wanted_size[t->n_outputs]);
  if (is(key, n, "parameters")) return members(j, output_parameter, t, "parameters");
  return serve_json_skip(j, 3);
}
static int parse_outputs(serve_json *j, infer_scratch *t) {
  if (!serve_json_take(j, '[')) return serve_json_fail(j, "outputs must be an array");
  if (serve_json_take(j, ']')) return 1;
  do {
    if (t->n_outputs == INFER_OUTPUTS) return serve_json_fail(j, "there are more than %d outputs", INFER_OUTPUTS);
    t->wants[t->n_outputs] = -1;
    t->wanted[t->n_outputs] = NULL;
    if (!members(j, output_member, t, "an output")) return 0;
    if (!t->wanted[t->n_outputs]) return serve_json_fail(j, "output %d has no name", t->n_outputs + 1);
    t->n_outputs++;
  } while (serve_json_take(j, ','));
  return serve_json_take(j, ']') || serve_json_fail(j, "a ']' or ',' is missing in outputs");
}

static int top_parameter(serve_json *j, const char *key, size_t n, void *arg) {
  infer_scratch *t = arg;
  if (is(key, n, "binary_data_output")) return serve_json_bool(j, &t->binary_out);
  if (is(key, n, "allow_missing")) return serve_json_bool(j, &t->allow_missing);
  return serve_json_skip(j, 2);
}

typedef struct top { infer_scratch *t; size_t most; int inputs; } top;
static int top_member(serve_json *j, const char *key, size_t n, void *arg) {
  top *p = arg;
  if (is(key, n, "id")) return serve_json_string(j, NULL, 0, &p->t->id, &p->t->id_size);
  if (is(key, n, "parameters")) return members(j, top_parameter, p->t, "parameters");
  if (is(key, n, "outputs")) {
    p->t->n_outputs = 0;
    return parse_outputs(j, p->t);
  }
  if (!is(key, n, "inputs")) return serve_json_skip(j, 1);
  if (p->inputs++) return serve_json_fail(j, "inputs is there twice");
  return parse_inputs(j, p->t, p->most);
}

int infer_parse(infer_scratch *t, serve_json *j, size_t most) {
  top p = { t, most, 0 };
  t->n_inputs = 0;
  t->n_outputs = t->binary_out = t->allow_missing = 0;
  t->id = NULL;
  t->id_size = 0;
  if (!members(j, top_member, &p, "the request")) return 0;
  if (serve_json_peek(j) || j->at != j->end) return serve_json_fail(j, "there is more behind the request's object");
  for (int64_t i = 0; i < t->n_inputs; i++) /* the array may have moved since: names that were unescaped lie in it */
    if (t->input[i].kept_name) t->input[i].name = t->input[i].kept;
  return p.inputs && t->n_inputs ? 1 : serve_json_fail(j, "there are no inputs");
}

/* ---- data: JSON */

/* The elements of nested or flat arrays, one after the other: put(index) reads one. */
typedef int (*element_fn)(serve_json *j, int64_t index, void *arg);
static int elements(serve_json *j, const infer_input *in, int64_t n, element_fn put, void *arg) {
  serve_json own = { in->data, j->end, "" };
  int64_t i = 0;
  int depth = 0, s = in->name_size > 60 ? 60 : (int)in->name_size;
  do { /* the text was checked before: it is an array that closes */
    char c = serve_json_peek(&own);
    if (c == '[') {
      own.at++;
      depth++;
      continue;
    }
    if (c == ']') {
      own.at++;
      depth--;
      if (depth > 0) (void)serve_json_take(&own, ',');
      continue;
    }
    if (depth == 0) return serve_json_fail(j, "input \"%.*s\": data must be an array", s, in->name);
    if (i == n || !put(&own, i, arg)) {
      if (i == n) break;
      return serve_json_fail(j, "input \"%.*s\", element %lld: %s", s, in->name, (long long)i, own.why[0] ? own.why
                             : "wrong type");
    }
    i++;
    (void)serve_json_take(&own, ',');
  } while (depth > 0);
  if (i == n && depth == 0) return 1;
  return serve_json_fail(j, "input \"%.*s\": data has %s elements than its shape says (%lld)", s, in->name, i == n
                         ? "more" : "fewer", (long long)n);
}

static int take_null(serve_json *j) {
  if (serve_json_peek(j) != 'n') return 0;
  j->at += 4;
  return 1;
}

typedef struct number_sink { double *x; int64_t width, stride; const serve_column *c; infer_type type; } number_sink;
static int put_number(serve_json *j, int64_t i, void *arg) {
  number_sink *k = arg;
  double *to = &k->x[i / k->width * k->stride + i % k->width];
  int flag, whole;
  if (take_null(j)) return (void)(*to = NAN), 1;
  if (k->type == T_BYTES) { /* a label */
    char buf[INFER_NAME];
    const char *s;
    size_t n;
    if (!serve_json_string(j, buf, sizeof buf, &s, &n)) return 0;
    *to = n ? (double)serve_label_code(k->c, s, n) : NAN;
    return 1;
  }
  if (k->type == T_BOOL) {
    char c = serve_json_peek(j);
    if (c != '0' && c != '1') {
      if (!serve_json_bool(j, &flag)) return 0;
      *to = flag;
      return 1;
    }
  }
  if (!serve_json_number(j, to, &whole)) return 0;
  if (k->type < T_F16 && !whole) return serve_json_fail(j, "%s takes whole numbers", infer_type_name(k->type));
  return 1;
}

/* ---- data: bytes, little-endian */

static double half(uint16_t h) {
  double v = (h & 0x7c00) == 0x7c00 ? (h & 1023 ? NAN : INFINITY) : h & 0x7c00 ? ldexp(1024 + (h & 1023),
                                                                                       (h >> 10 & 31) - 25)
                                                                                           : ldexp(h & 1023, -24);
  return h & 0x8000 ? -v : v;
}

static double element(const char *p, infer_type t) {
  uint64_t u = 0;
  memcpy(&u, p, (size_t)types[t].bytes);
  float f;
  double d;
  switch (t) {
    case T_I8: return (int8_t)u;
    case T_I16: return (int16_t)u;
    case T_I32: return (int32_t)u;
    case T_I64: return (double)(int64_t)u;
    case T_F16: return half((uint16_t)u);
    case T_F32: memcpy(&f, p, sizeof f); return (double)f;
    case T_F64: memcpy(&d, p, sizeof d); return d;
    default: return (double)u;
  }
}

/* The next of a BYTES tensor: a length of 4 bytes, then the bytes. */
static int bytes_next(const infer_input *in, int64_t *at, const char **s, size_t *n) {
  uint32_t size;
  if (in->binary_size - *at < 4) return 0;
  memcpy(&size, in->data + *at, 4);
  if (size > in->binary_size - *at - 4) return 0;
  *s = in->data + *at + 4;
  *n = size;
  *at += 4 + (int64_t)size;
  return 1;
}

int infer_numbers(const infer_input *in, const serve_column *c, int64_t rows, int64_t width, double *x, int64_t stride,
                  serve_json *j) {
  number_sink k = { x, width, stride, c, in->type };
  int s = in->name_size > 60 ? 60 : (int)in->name_size;
  int64_t n = rows * width, at = 0;
  int label = c && c->kind == LEAT_CATEGORY;
  if (label != (in->type == T_BYTES))
    return serve_json_fail(j, "input \"%.*s\" is %s: expected %s", s, in->name, infer_type_name(in->type), label
                           ? "BYTES" : c && c->kind == LEAT_TIME ? "INT64" : "numbers");
  if (in->one == ONE_NUMBER && n == 1 && in->type != T_BOOL && in->type != T_BYTES &&
      (in->type >= T_F16 || in->one_whole)) {
    *x = in->one_number;
    return 1;
  }
  if (in->one == ONE_TEXT && n == 1 && in->type == T_BYTES) {
    *x = in->one_size ? (double)serve_label_code(c, in->one_text, in->one_size) : NAN;
    return 1;
  }
  if (in->has_data) {
    if (!elements(j, in, n, put_number, &k)) return 0;
  } else if (in->type == T_BYTES) {
    for (int64_t i = 0; i < n; i++) {
      const char *text;
      size_t size;
      if (!bytes_next(in, &at, &text, &size))
        return serve_json_fail(j, "input \"%.*s\": its bytes end within element %lld", s, in->name, (long long)i);
      x[i / width * stride + i % width] = size ? (double)serve_label_code(c, text, size) : NAN;
    }
    if (at != in->binary_size)
      return serve_json_fail(j, "input \"%.*s\": there are bytes behind its last element", s, in->name);
  } else {
    int64_t each = types[in->type].bytes;
    if (in->binary_size != n * each)
      return serve_json_fail(j, "input \"%.*s\": binary_data_size is %lld, its shape and %s ask for %lld", s, in->name,
                             (long long)in->binary_size,
                             infer_type_name(in->type), (long long)(n * each));
    for (int64_t i = 0; i < n; i++) x[i / width * stride + i % width] = element(in->data + i * each, in->type);
  }
  for (int64_t i = 0; i < n; i++)
    if (isinf(x[i / width * stride + i % width]))
      return serve_json_fail(j, "input \"%.*s\": element %lld is infinite", s, in->name, (long long)i);
  return 1;
}

/* ---- cells */

const char *serve_cell(const serve_cells *c, int64_t row, int64_t column) {
  size_t at = c->at[row * c->columns + column];
  return at ? c->text + at - 1 : NULL;
}

static int cell_put(serve_cells *c, int64_t row, int64_t column, const char *s, size_t n) {
  if (n == 0) return 1; /* missing */
  if (memchr(s, 0, n)) return 0;
  if (c->used + n + 1 > c->cap) {
    c->cap = 2 * (c->used + n + 1) + 4096;
    c->text = serve_grow(c->text, c->cap);
  }
  c->at[row * c->columns + column] = c->used + 1;
  memcpy(c->text + c->used, s, n);
  c->used += n;
  c->text[c->used++] = 0;
  return 1;
}

typedef struct cell_sink { serve_cells *c; int64_t column, kind; infer_type type; char *buf; size_t cap; } cell_sink;

static int put_text_of(cell_sink *k, int64_t row, double v) {
  char text[48];
  if (isnan(v)) return 1;
  if (isinf(v)) return 0;
  int n = k->kind == LEAT_BOOL ? snprintf(text, sizeof text, "%d", v != 0) : snprintf(text, sizeof text, "%.17g", v);
  return cell_put(k->c, row, k->column, text, (size_t)n);
}

static int put_cell(serve_json *j, int64_t i, void *arg) {
  cell_sink *k = arg;
  const char *s;
  size_t n;
  double v;
  int flag, whole;
  if (take_null(j)) return 1;
  if (k->type == T_BYTES) {
    if (!serve_json_string(j, k->buf, k->cap, &s, &n)) return 0;
    return cell_put(k->c, i, k->column, s, n) || serve_json_fail(j, "a text holds a NUL");
  }
  char c = serve_json_peek(j);
  if (k->type == T_BOOL && c != '0' && c != '1') {
    if (!serve_json_bool(j, &flag)) return 0;
    return put_text_of(k, i, flag);
  }
  if (!serve_json_number(j, &v, &whole)) return 0;
  if (k->type < T_F16 && !whole) return serve_json_fail(j, "%s takes whole numbers", infer_type_name(k->type));
  return put_text_of(k, i, v);
}

int infer_cells(const infer_input *in, const char *name, int64_t kind, serve_cells *c, int64_t column, serve_json *j) {
  int text_kind = kind == LEAT_CATEGORY || kind == LEAT_TEXT || kind == LEAT_ID || kind == LEAT_TIME, ok = 1;
  int64_t at = 0, i = 0, each = types[in->type].bytes;
  if (text_kind != (in->type == T_BYTES))
    return serve_json_fail(j, "input \"%.60s\" is %s: expected %s", name, infer_type_name(in->type), text_kind ? "BYTES"
                           : "numbers");
  cell_sink k = { c, column, kind, in->type, NULL, 0 };
  if (in->has_data) {
    k.cap = (size_t)(j->end - in->data);
    k.cap = k.cap < 65536 ? k.cap : 65536;
    k.buf = in->type == T_BYTES ? serve_grow(NULL, k.cap + 1) : NULL;
    ok = elements(j, in, c->rows, put_cell, &k);
    free(k.buf);
    return ok;
  }
  for (; i < c->rows && ok; i++) {
    const char *s;
    size_t n;
    if (in->type == T_BYTES) ok = bytes_next(in, &at, &s, &n) && cell_put(c, i, column, s, n);
    else ok = in->binary_size == c->rows * each && put_text_of(&k, i, element(in->data + i * each, in->type));
  }
  if (ok && (in->type != T_BYTES || at == in->binary_size)) return 1;
  return serve_json_fail(j, "input \"%.60s\": its bytes do not fit its shape and %s (element %lld)", name,
                         infer_type_name(in->type), (long long)i);
}
