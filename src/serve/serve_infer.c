/* POST .../infer: a loan, the rows, the answer. */
#include "serve_infer.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEEP_BYTES = 8 << 20 }; /* what a worker's scratch keeps from one request to the next */

static void *room(void *p, size_t *cap, size_t bytes) {
  if (bytes <= *cap) return p;
  *cap = bytes + bytes / 2;
  return serve_grow(p, *cap);
}

static infer_scratch *scratch_of(serve_worker *w) {
  if (!w->scratch) w->scratch = serve_alloc(sizeof(infer_scratch));
  return w->scratch;
}

static void shrink(void *pp, size_t *cap) {
  void **p = pp;
  if (*cap <= KEEP_BYTES) return;
  free(*p);
  *p = NULL;
  *cap = 0;
}

static void scratch_rest(infer_scratch *t) {
  shrink(&t->x, &t->cap_x);
  shrink(&t->y, &t->cap_y);
  shrink(&t->index, &t->cap_index);
  if (!t->index) {
    free(t->value);
    t->value = NULL;
  }
  shrink(&t->cells.text, &t->cells.cap);
  free(t->cells.at);
  t->cells.at = NULL;
}

void serve_infer_free(serve_worker *w) {
  infer_scratch *t = w->scratch;
  if (!t) return;
  free(t->input);
  free(t->x);
  free(t->y);
  free(t->index);
  free(t->value);
  free(t->cells.text);
  free(t->cells.at);
  free(t);
  w->scratch = NULL;
}

/* ---- the bytes behind the JSON */

static int binary_parts(serve_request *q, infer_scratch *t, serve_json *j) {
  const char *at = j->end, *end = q->body + q->body_size;
  for (int64_t i = 0; i < t->n_inputs; i++) {
    infer_input *in = &t->input[i];
    if (!in->has_binary) continue;
    if (in->binary_size > end - at)
      return serve_json_fail(j, "input %lld says binary_data_size %lld, but %lld bytes are left", (long long)i + 1, (long long)in->binary_size, (long long)(end - at));
    in->data = at;
    at += in->binary_size;
  }
  return at == end || serve_json_fail(j, "%lld bytes are behind the last input", (long long)(end - at));
}

/* The JSON of the request; 0: answered. */
static int infer_read(serve_request *q, infer_scratch *t, serve_json *j) {
  const char *header = serve_header(q, "Inference-Header-Content-Length"), *packed = serve_header(q, "Content-Encoding");
  size_t size = q->body_size;
  if (packed && strcmp(packed, "identity") != 0) {
    serve_error(q, 415, "Content-Encoding %.60s is not taken: send the body as it is", packed);
    return 0;
  }
  if (header) {
    char *end;
    unsigned long long n = strtoull(header, &end, 10);
    if (end == header || *end || n > size) {
      serve_error(q, 400, "Inference-Header-Content-Length is '%.40s', the body has %zu bytes", header, size);
      return 0;
    }
    size = (size_t)n;
  }
  *j = (serve_json){ q->body, q->body + size, "" };
  if (infer_parse(t, j, 65536) && binary_parts(q, t, j)) return 1;
  serve_error(q, 400, "%s (at byte %zu)", j->why, (size_t)(j->at - q->body));
  return 0;
}

/* ---- inputs to columns */

static int shape_of(const infer_input *in, int64_t rows, int64_t width, serve_json *j) {
  int64_t got = 1;
  int s = in->name_size > 60 ? 60 : (int)in->name_size;
  for (int k = 1; k < in->n_dims; k++) {
    if (in->dim[k] > INT32_MAX || got > INT32_MAX) return serve_json_fail(j, "input \"%.*s\" has too large a shape", s, in->name);
    got *= in->dim[k];
  }
  if (in->dim[0] != rows)
    return serve_json_fail(j, "input \"%.*s\" has %lld rows, the first one has %lld", s, in->name, (long long)in->dim[0], (long long)rows);
  if (got != width) return serve_json_fail(j, "input \"%.*s\" has %lld numbers a row: expected %lld", s, in->name, (long long)got, (long long)width);
  return 1;
}

static int unknown_input(const infer_input *in, const serve_plan *p, serve_json *j) {
  return serve_json_fail(j, "there is no input \"%.*s\": the model's metadata names its %lld inputs, the first is \"%.60s\"",
                         in->name_size > 60 ? 60 : (int)in->name_size, in->name, (long long)p->n_columns, p->n_columns ? p->column[0].name : "");
}

static int missing_input(const infer_scratch *t, const serve_plan *p, const uint8_t *seen, serve_json *j) {
  for (int64_t i = 0; i < p->n_columns && !t->allow_missing; i++)
    if (!seen[i])
      return serve_json_fail(j, "input \"%.60s\" is missing (parameters {\"allow_missing\":true} takes its values for missing)", p->column[i].name);
  return 1;
}

/* Rows of numbers [rows, p->numbers]. */
static int infer_matrix(infer_scratch *t, const serve_plan *p, int64_t rows, serve_json *j) {
  const infer_input *one = &t->input[0];
  if ((double)rows * (double)p->numbers > 1e9) return serve_json_fail(j, "%lld rows are too many for one request", (long long)rows);
  t->x = room(t->x, &t->cap_x, (size_t)(rows * p->numbers + 1) * sizeof *t->x);
  if (t->n_inputs == 1 && one->n_dims == 2 && one->dim[1] == p->numbers && serve_plan_find(p, one->name, one->name_size) < 0 &&
      ((one->name_size == 1 && *one->name == 'x') || (one->name_size == 5 && memcmp(one->name, "input", 5) == 0)))
    return infer_numbers(one, NULL, rows, p->numbers, t->x, p->numbers, j);
  uint8_t *seen = serve_alloc((size_t)p->n_columns + 1);
  int ok = 1;
  if (t->n_inputs < p->n_columns)
    for (int64_t i = 0; i < rows * p->numbers; i++) t->x[i] = NAN;
  for (int64_t i = 0; i < t->n_inputs && ok; i++) {
    const infer_input *in = &t->input[i];
    int64_t c = i < p->n_columns && strlen(p->column[i].name) == in->name_size && memcmp(p->column[i].name, in->name, in->name_size) == 0
                    ? i : serve_plan_find(p, in->name, in->name_size);
    if (c < 0) ok = unknown_input(in, p, j);
    else if (seen[c]) ok = serve_json_fail(j, "input \"%.60s\" is there twice", p->column[c].name);
    else ok = shape_of(in, rows, p->column[c].width, j) &&
              infer_numbers(in, &p->column[c], rows, p->column[c].width, t->x + p->column[c].offset, p->numbers, j);
    if (ok) seen[c] = 1;
  }
  ok = ok && missing_input(t, p, seen, j);
  free(seen);
  return ok;
}

/* Rows of strings; the last column is the key. */
static int infer_fields(infer_scratch *t, const serve_plan *p, int64_t rows, int64_t key, serve_json *j) {
  serve_cells *c = &t->cells;
  uint8_t *seen = serve_alloc((size_t)p->n_columns + 1);
  int ok = 1;
  if ((double)rows * (double)(p->n_columns + 1) > 1e8) ok = serve_json_fail(j, "%lld rows are too many for one request", (long long)rows);
  c->rows = rows;
  c->columns = p->n_columns + 1;
  c->used = 0;
  free(c->at);
  c->at = ok ? serve_alloc((size_t)(rows * c->columns + 1) * sizeof *c->at) : NULL;
  for (int64_t i = 0; i < t->n_inputs && ok; i++) {
    const infer_input *in = &t->input[i];
    int64_t k = i == key ? p->n_columns : serve_plan_find(p, in->name, in->name_size);
    if (k < 0) ok = unknown_input(in, p, j);
    else if (seen[k]) ok = serve_json_fail(j, "input %lld is there twice", (long long)i + 1);
    else if (i != key && p->column[k].width != 1) ok = serve_json_fail(j, "input \"%.60s\" is a block: rows with keys or texts take single columns", p->column[k].name);
    else ok = shape_of(in, rows, 1, j) && infer_cells(in, i == key ? "key" : p->column[k].name, i == key ? LEAT_ID : p->column[k].kind, c, k, j);
    if (ok) seen[k] = 1;
  }
  ok = ok && missing_input(t, p, seen, j);
  for (int64_t r = 0; ok && key >= 0 && r < rows; r++)
    if (!serve_cell(c, r, p->n_columns)) ok = serve_json_fail(j, "the key of row %lld is empty", (long long)r);
  free(seen);
  return ok;
}

/* NAME.index [rows, most], -1 where a row has fewer, and NAME.value of the same shape. */
static int infer_sparse(infer_scratch *t, const serve_plan *p, int64_t rows, serve_json *j) {
  const infer_input *index = NULL, *value = NULL;
  if (p->n_columns != 1) return serve_json_fail(j, "models with a sparse block and other columns are not served: score them with `leat predict`");
  size_t n = strlen(p->column[0].name);
  for (int64_t i = 0; i < t->n_inputs; i++) {
    const infer_input *in = &t->input[i];
    int ours = in->name_size == n + 6 && memcmp(in->name, p->column[0].name, n) == 0;
    if (ours && memcmp(in->name + n, ".index", 6) == 0) index = in;
    else if (ours && memcmp(in->name + n, ".value", 6) == 0) value = in;
    else return unknown_input(in, p, j);
  }
  if (!index || index->n_dims != 2) return serve_json_fail(j, "input \"%.60s.index\" [rows, entries] is missing", p->column[0].name);
  t->most = index->dim[1];
  if ((double)rows * (double)t->most > 1e8) return serve_json_fail(j, "%lld rows are too many for one request", (long long)rows);
  size_t all = (size_t)(rows * t->most), had = t->cap_index;
  t->x = room(t->x, &t->cap_x, (all + 1) * sizeof *t->x);
  t->index = room(t->index, &t->cap_index, (all + 1) * sizeof *t->index);
  if (had != t->cap_index) t->value = serve_grow(t->value, t->cap_index);
  if (!shape_of(index, rows, t->most, j) || !infer_numbers(index, NULL, rows, t->most, t->x, t->most, j)) return 0;
  for (size_t i = 0; i < all; i++) {
    if (!(t->x[i] >= -1 && t->x[i] < 2147483647.0 && t->x[i] == floor(t->x[i]))) return serve_json_fail(j, "index %zu is no whole number from -1 on", i);
    t->index[i] = (int32_t)t->x[i];
    t->value[i] = 1;
  }
  if (!value) return 1;
  if (!shape_of(value, rows, t->most, j) || !infer_numbers(value, NULL, rows, t->most, t->x, t->most, j)) return 0;
  for (size_t i = 0; i < all; i++) t->value[i] = isnan(t->x[i]) ? 0 : (float)t->x[i];
  return 1;
}

/* ---- predicting */

static leat_status predict_fields(serve_request *q, infer_scratch *t, const serve_plan *p, leat_predictor *pr, leat_matrix *out, leat_error *err) {
  leat_status st = LEAT_OK;
  const char **field = serve_alloc((size_t)(p->n_columns + 1) * sizeof *field);
  float *one = serve_alloc((size_t)p->out_cols * sizeof *one);
  double *y = out->data;
  for (int64_t r = 0; r < t->cells.rows && !st; r++) {
    for (int64_t c = 0; c < p->n_columns; c++) field[c] = serve_cell(&t->cells, r, c);
    st = leat_predictor_one_text(pr, field, (uint64_t)p->n_columns, one, (uint64_t)p->out_cols, err);
    for (int64_t k = 0; k < p->out_cols; k++) y[r * p->out_cols + k] = (double)one[k];
  }
  free(one);
  free(field);
  (void)q;
  return st;
}

static leat_status predict_sparse(infer_scratch *t, const serve_plan *p, int64_t rows, leat_predictor *pr, leat_error *err) {
  leat_status st = LEAT_OK;
  float *one = serve_alloc((size_t)p->out_cols * sizeof *one);
  for (int64_t r = 0; r < rows && !st; r++) {
    int64_t n = 0, from = r * t->most;
    for (int64_t i = from; i < from + t->most; i++)
      if (t->index[i] >= 0) {
        t->index[from + n] = t->index[i];
        t->value[from + n++] = t->value[i];
      }
    st = leat_predictor_one_sparse(pr, t->index + from, t->value + from, (uint64_t)n, one, (uint64_t)p->out_cols, err);
    for (int64_t k = 0; k < p->out_cols; k++) t->y[r * p->out_cols + k] = (double)one[k];
  }
  free(one);
  return st;
}

static leat_status infer_predict(serve_request *q, infer_scratch *t, const serve_plan *p, const leat_lease *lease, int64_t rows, leat_error *err) {
  t->y = room(t->y, &t->cap_y, (size_t)(rows * p->out_cols + 1) * sizeof *t->y);
  leat_matrix out = { .struct_size = sizeof out, .data = t->y, .rows = rows, .cols = p->out_cols, .dtype = LEAT_F64 };
  if (rows == 0) return LEAT_OK;
  if (p->sparse) return predict_sparse(t, p, rows, lease->predictor, err);
  if (p->as_text) return predict_fields(q, t, p, lease->predictor, &out, err);
  leat_matrix x = { .struct_size = sizeof x, .data = t->x, .rows = rows, .cols = p->numbers, .dtype = LEAT_F64 };
  leat_status st = leat_predictor_run(lease->predictor, &x, &out, err);
  if (!st) serve_drift_note(q->s, p->version, t->x, rows, p->numbers);
  return st;
}

/* ---- the answer */

static int64_t best_class(const serve_plan *p, const double *y, int64_t cols) {
  int64_t best = 0;
  if (cols == 1) return p->n_classes > 1 && y[0] >= 0.5;
  for (int64_t k = 1; k < p->n_classes && k < cols; k++)
    if (y[k] > y[best]) best = k;
  return best;
}

static double class_probability(const double *y, int64_t cols, int64_t k) { return cols == 1 ? k ? y[0] : 1 - y[0] : k < cols ? y[k] : 0; }

/* The shortest of 6 to 9 digits that reads back as f, for 1e-4 <= f < 1; 0: not one of these. */
static int unit_text(float f, char out[32]) {
  static const double power[] = { 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12 };
  if (!(f >= 1e-4f && f < 1)) return 0;
  int from = f >= .1f ? 0 : f >= .01f ? 1 : f >= .001f ? 2 : 3;
  for (int k = from; k <= from + 3; k++) {
    uint64_t u = (uint64_t)((double)f * power[k] + .5);
    if ((double)u >= power[k]) return 0;
    if ((float)((double)u / power[k]) != f) continue;
    int digits = k + 6;
    while (u % 10 == 0) u /= 10, digits--;
    for (int i = digits; i > 0; i--, u /= 10) out[1 + i] = (char)('0' + u % 10);
    out[0] = '0';
    out[1] = '.';
    return 2 + digits;
  }
  return 0;
}

/* The shortest text of 7 to 9 digits that reads back as the same float. */
static void put_f32(struct evbuffer *b, double v) {
  char text[32];
  float f = (float)v;
  int n = unit_text(f, text);
  for (int digits = 7; !n && digits <= 9; digits++) {
    int k = snprintf(text, sizeof text, "%.*g", digits, (double)f);
    if (digits == 9 || strtof(text, NULL) == f) n = k;
  }
  evbuffer_add(b, text, (size_t)n);
}

static void output_json(struct evbuffer *b, const serve_plan *p, int64_t what, int64_t rows, const double *y, int64_t cols) {
  evbuffer_add(b, "\"data\":[", 8);
  for (int64_t r = 0; r < rows; r++) {
    const double *row = y + r * cols;
    if (r) evbuffer_add(b, ",", 1);
    if (what) {
      const char *name = p->class_name[best_class(p, row, cols)];
      evbuffer_add(b, name, strlen(name));
    } else if (!p->n_classes) {
      serve_put_f64(b, row[0]);
    } else {
      for (int64_t k = 0; k < p->n_classes; k++) {
        if (k) evbuffer_add(b, ",", 1);
        put_f32(b, class_probability(row, cols, k));
      }
    }
  }
  evbuffer_add(b, "]", 1);
}

static void output_bytes(struct evbuffer *b, const serve_plan *p, int64_t what, int64_t rows, const double *y, int64_t cols) {
  for (int64_t r = 0; r < rows; r++) {
    const double *row = y + r * cols;
    if (what) {
      json_t *name = json_loads(p->class_name[best_class(p, row, cols)], JSON_DECODE_ANY, NULL);
      uint32_t n = (uint32_t)json_string_length(name);
      evbuffer_add(b, &n, 4);
      evbuffer_add(b, json_string_value(name), n);
      json_decref(name);
    } else if (!p->n_classes) {
      evbuffer_add(b, row, 8);
    } else {
      for (int64_t k = 0; k < p->n_classes; k++) {
        float f = (float)class_probability(row, cols, k);
        evbuffer_add(b, &f, 4);
      }
    }
  }
}

static int all_finite(const double *y, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (!isfinite(y[i])) return 0;
  return 1;
}

/* The JSON of an answer; the bytes of binary outputs go to `bytes`. */
static struct evbuffer *answer_json(const serve_server *s, const serve_plan *p, int64_t version, const char *id, size_t id_size, int64_t rows,
                                    const double *y, int64_t cols, const infer_output *out, int n_out, struct evbuffer *bytes) {
  struct evbuffer *b = evbuffer_new();
  if (!b) return NULL;
  char line[160];
  evbuffer_add(b, "{\"model_name\":\"", 15);
  serve_put_text(b, s->name, strlen(s->name));
  int used = version > 0 ? snprintf(line, sizeof line, "\",\"model_version\":\"%lld\"", (long long)version)
                         : snprintf(line, sizeof line, "\",\"model_version\":\"live\"");
  evbuffer_add(b, line, (size_t)used);
  if (id) {
    evbuffer_add(b, ",\"id\":\"", 7);
    evbuffer_add(b, id, id_size); /* as it came: it was checked to be the inside of a JSON string */
    evbuffer_add(b, "\"", 1);
  }
  evbuffer_add(b, ",\"outputs\":[", 12);
  for (int i = 0; i < n_out; i++) {
    int64_t what = out[i].what;
    if (p->n_classes && !what)
      used = snprintf(line, sizeof line, "%s{\"name\":\"probability\",\"datatype\":\"FP32\",\"shape\":[%lld,%lld],", i ? "," : "", (long long)rows, (long long)p->n_classes);
    else
      used = snprintf(line, sizeof line, "%s{\"name\":\"%s\",\"datatype\":\"%s\",\"shape\":[%lld],", i ? "," : "", what ? "label" : "prediction", what ? "BYTES" : "FP64", (long long)rows);
    evbuffer_add(b, line, (size_t)used);
    if (out[i].binary) {
      size_t before = evbuffer_get_length(bytes);
      output_bytes(bytes, p, what, rows, y, cols);
      evbuffer_add_printf(b, "\"parameters\":{\"binary_data_size\":%zu}", evbuffer_get_length(bytes) - before);
    } else output_json(b, p, what, rows, y, cols);
    evbuffer_add(b, "}", 1);
  }
  evbuffer_add(b, "]}", 2);
  return b;
}

struct evbuffer *serve_answer(const serve_server *s, const serve_plan *p, int64_t version, const char *id, size_t id_size, int64_t rows, const double *y,
                              int64_t cols) {
  static const infer_output both[] = { { 0, 0 }, { 1, 0 } };
  if (!all_finite(y, rows * cols)) return NULL;
  return answer_json(s, p, version, id, id_size, rows, y, cols, both, p->n_classes ? 2 : 1, NULL);
}

/* Which outputs, in which form; 0: *j says why not. */
static int choose_outputs(infer_scratch *t, const serve_plan *p, serve_json *j) {
  int n = t->n_outputs ? t->n_outputs : p->n_classes ? 2 : 1;
  for (int i = 0; i < n; i++) {
    infer_output *o = &t->output[i];
    o->what = i;
    o->binary = t->binary_out;
    if (!t->n_outputs) continue;
    const char *want = t->wanted[i], *first = p->n_classes ? "probability" : "prediction";
    size_t size = t->wanted_size[i];
    if (t->wants[i] >= 0) o->binary = t->wants[i];
    if (strlen(first) == size && memcmp(want, first, size) == 0) o->what = 0;
    else if (p->n_classes && size == 5 && memcmp(want, "label", 5) == 0) o->what = 1;
    else return serve_json_fail(j, "there is no output \"%.*s\": the model has %s%s", size > 60 ? 60 : (int)size, want, first, p->n_classes ? " and label" : "");
  }
  t->n_outputs = n;
  return 1;
}

static void infer_reply(serve_request *q, infer_scratch *t, const serve_plan *p) {
  struct evbuffer *bytes = evbuffer_new();
  if (!all_finite(t->y, q->rows * p->out_cols)) {
    if (bytes) evbuffer_free(bytes);
    serve_count(&q->w->counts.not_finite, 1);
    serve_error(q, 500, "version %lld gave a prediction that is not finite", (long long)p->version);
    return;
  }
  struct evbuffer *b = bytes ? answer_json(q->s, p, p->version, t->id, t->id_size, q->rows, t->y, p->out_cols, t->output, t->n_outputs, bytes) : NULL;
  const char *type = "application/json";
  if (b && evbuffer_get_length(bytes)) {
    char size[32];
    snprintf(size, sizeof size, "%zu", evbuffer_get_length(b));
    evhttp_add_header(evhttp_request_get_output_headers(q->r), "Inference-Header-Content-Length", size);
    evbuffer_add_buffer(b, bytes);
    type = "application/octet-stream";
  }
  if (bytes) evbuffer_free(bytes);
  if (b) serve_reply(q, 200, type, b);
  else serve_error(q, 503, "no memory for the answer");
}

static int64_t key_input(const serve_request *q, const infer_scratch *t, const serve_plan *p) {
  const char *key = q->s->o.key;
  for (int64_t i = 0; q->s->learner && i < t->n_inputs; i++)
    if (t->input[i].name_size == strlen(key) && memcmp(t->input[i].name, key, strlen(key)) == 0 &&
        serve_plan_find(p, key, strlen(key)) < 0)
      return i;
  return -1;
}

static void infer_with(serve_request *q, infer_scratch *t, serve_json *j, const leat_lease *lease, int64_t begun) {
  leat_error err = { .struct_size = sizeof err };
  const serve_plan *p = serve_plan_of(q->w, lease, &err);
  int64_t key, parsed, computed;
  if (!p) {
    serve_error(q, 500, "%.400s", err.message);
    return;
  }
  q->version = p->version;
  q->rows = t->input[0].dim[0];
  key = key_input(q, t, p);
  int ok = choose_outputs(t, p, j);
  if (ok && (key >= 0 || p->as_text) && !p->sparse) ok = infer_fields(t, p, q->rows, key, j);
  else if (ok && p->sparse) ok = infer_sparse(t, p, q->rows, j);
  else if (ok) ok = infer_matrix(t, p, q->rows, j);
  if (!ok) {
    serve_error(q, 400, "%s", j->why);
    return;
  }
  parsed = serve_now_ns();
  serve_observe(&q->w->counts.phase[PHASE_PARSE], (double)(parsed - begun) / 1e9);
  if (key >= 0) {
    serve_learn_predict(q, &t->cells, p, t->id, t->id_size);
    return;
  }
  leat_status st = infer_predict(q, t, p, lease, q->rows, &err);
  computed = serve_now_ns();
  serve_observe(&q->w->counts.phase[PHASE_COMPUTE], (double)(computed - parsed) / 1e9);
  if (st) {
    serve_error(q, serve_code_of(st), "%.400s", err.message);
    return;
  }
  infer_reply(q, t, p);
  serve_observe(&q->w->counts.phase[PHASE_ENCODE], (double)(serve_now_ns() - computed) / 1e9);
}

void serve_infer(serve_request *q, const char *version) {
  infer_scratch *t = scratch_of(q->w);
  serve_json j;
  leat_lease lease = { .struct_size = sizeof lease };
  leat_error err = { .struct_size = sizeof err };
  int64_t begun = serve_now_ns();
  q->inferring = 1;
  if (__atomic_load_n(&q->s->draining, __ATOMIC_RELAXED)) {
    serve_error(q, 503, "the server is draining");
    return;
  }
  if (!infer_read(q, t, &j)) return;
  if (leat_endpoint_acquire(q->s->endpoint, &lease, &err)) {
    serve_error(q, 503, "%.400s", err.message);
    return;
  }
  if (version && strtoll(version, NULL, 10) != lease.version)
    serve_error(q, 404, "version '%.40s' is not served: version %lld is", version, (long long)lease.version);
  else infer_with(q, t, &j, &lease, begun);
  leat_endpoint_release(q->s->endpoint, &lease);
  scratch_rest(t);
}
