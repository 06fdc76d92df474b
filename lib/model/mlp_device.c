/* A network's layers on a device, for prediction of many rows: weights lie there for the predictor's life, inputs go there
 * and margins come back. */
#include "device/tape.h"
#include "model/mlp.h"
#include <math.h>
#include <string.h>

enum { SIZES = 2, PAD = 16 };
static const int64_t sizes[SIZES] = {256, LT_MLP_DEVICE_ROWS}; /* rows that are computed at once; fewer are filled up */

typedef struct device_prog { int32_t from, to; } device_prog;
struct lt_mlp_device {
  leat_runtime *rt;
  lt_tape *tape;
  lt_mlp_shape shape;          /* padded */
  int64_t n_x;
  int32_t mixed, v, x, z[3], mean, rstd;
  int32_t byte[LT_MLP_LAYERS + 1], factor[LT_MLP_LAYERS + 1]; /* weights [out, in] and factors [out]; -1: floats */
  device_prog prog[SIZES];
  int32_t last[SIZES];         /* the buffer that holds the margins */
  float *out;                  /* [LT_MLP_DEVICE_ROWS, n_out] */
};

void lt_mlp_device_free(lt_mlp_device *d) {
  if (!d) return;
  leat_runtime *rt = d->rt;
  lt_tape_free(d->tape);
  lt_free(rt, d->out);
  lt_free(rt, d);
}

static uint64_t bytes_at(int64_t k) { return (uint64_t)k * sizeof(float); }

static lt_tensor block(int32_t buffer, int64_t m, int64_t n) { return lt_rows_of(buffer, LEAT_F32, 0, m, n, n); }

static lt_tensor part(const lt_mlp_device *d, int64_t from, int64_t n) { return lt_vector(d->v, LEAT_F32, bytes_at(from), n); }

/* Layer l of m rows from `in` to z[to]. */
static leat_status add_layer(lt_mlp_device *d, int64_t l, int64_t m, lt_tensor in, int32_t to, leat_error *err) {
  const lt_mlp_layer *y = &d->shape.layer[l];
  int last = l + 1 == d->shape.n_layers, norm = !last && d->shape.norm == LT_NORM_LAYER, sums = l == 0 && d->mixed;
  int64_t k = l ? y->in : d->n_x;
  lt_tensor z = block(d->z[to], m, y->out);
  /* the first layer's other inputs are in z already, its biases with them */
  lt_tape_op op = {.name = "gemm", .n_in = 2 + !sums, .n_out = 1, .n_f = 2, .n_i = sums ? 0 : 1,
                   .in = {in, lt_rows_of(d->v, LEAT_F32, bytes_at(y->w), k, y->out, y->ld), part(d, y->b, y->out)}, .out = {z},
                   .f = {1, sums}, .i = {last || norm || sums ? LT_ACT_NONE : d->shape.activation}};
  if (d->byte[l] >= 0) {
    op = (lt_tape_op){.name = "gemm_q8", .n_in = 4, .n_out = 1, .n_i = 1, .out = {z}, .i = {op.i[0]},
                      .in = {in, lt_rows_of(d->byte[l], LEAT_I8, 0, y->out, k, k), lt_vector(d->factor[l], LEAT_F32, 0, y->out),
                             part(d, y->b, y->out)}};
  }
  leat_status st = lt_tape_add(d->tape, &op, NULL, err);
  lt_tensor act_in = z;
  if (!st && norm) { /* from z to the other block and back */
    lt_tensor other = block(d->z[2], m, y->out);
    lt_tape_op by_row = {.name = "layer_norm", .n_in = 3, .n_out = 3, .n_f = 1,
                         .in = {z, part(d, y->gamma, y->out), part(d, y->beta, y->out)},
                         .out = {other, lt_vector(d->mean, LEAT_F32, 0, m), lt_vector(d->rstd, LEAT_F32, 0, m)},
                         .f = {LT_LAYER_NORM_EPS}};
    st = lt_tape_add(d->tape, &by_row, NULL, err);
    act_in = other;
  }
  if (st || last || (!norm && !sums)) return st;
  lt_tape_op map = {.name = "map", .n_in = 1, .n_out = 1, .n_i = 1, .in = {act_in}, .out = {z}, .i = {d->shape.activation}};
  return lt_tape_add(d->tape, &map, NULL, err);
}

static leat_status add_program(lt_mlp_device *d, int k, leat_error *err) {
  leat_status st = LEAT_OK;
  lt_tensor in = block(d->x, sizes[k], d->n_x);
  int32_t to = 0;
  d->prog[k].from = lt_tape_end(d->tape);
  for (int64_t l = 0; l < d->shape.n_layers && !st; l++) {
    st = add_layer(d, l, sizes[k], in, to, err);
    in = block(d->z[to], sizes[k], d->shape.layer[l].out);
    d->last[k] = d->z[to];
    to ^= 1;
  }
  d->prog[k].to = lt_tape_end(d->tape);
  return st;
}

/* Layer l's weights in bytes, by output: its largest weight is 127. */
static leat_status add_bytes(lt_mlp_device *d, const lt_mlp_layer *y, int64_t l, const float *v, leat_error *err) {
  int64_t k = l ? y->in : d->n_x;
  int8_t *byte = lt_alloc(d->rt, (uint64_t)(k * y->out) + 1);
  float *factor = lt_array(d->rt, (uint64_t)y->out, sizeof *factor);
  leat_status st = byte && factor ? LEAT_OK : lt_fail_memory(err, (uint64_t)(k * y->out), "a predictor's weights");
  for (int64_t j = 0; j < y->out && !st; j++) {
    float most = 0;
    for (int64_t i = 0; i < k; i++) most = fmaxf(most, fabsf(v[y->w + i * y->ld + j]));
    factor[j] = most > 0 ? most / 127 : 1;
    for (int64_t i = 0; i < k; i++) byte[j * k + i] = (int8_t)lrintf(v[y->w + i * y->ld + j] / factor[j]);
  }
  if (!st) st = lt_tape_buffer(d->tape, (uint64_t)(k * y->out), &d->byte[l], err);
  if (!st) st = lt_tape_write(d->tape, d->byte[l], 0, byte, (uint64_t)(k * y->out), err);
  if (!st) st = lt_tape_buffer(d->tape, bytes_at(y->out), &d->factor[l], err);
  if (!st) st = lt_tape_write(d->tape, d->factor[l], 0, factor, bytes_at(y->out), err);
  lt_free(d->rt, byte);
  lt_free(d->rt, factor);
  return st;
}

leat_status lt_mlp_device_create(leat_runtime *rt, const leat_device *dev, const lt_mlp_shape *shape, const float *v, int64_t n_x,
                                 uint32_t how, lt_mlp_device **out, leat_error *err) {
  int64_t widths[LT_MLP_LAYERS + 1], widest = 1;
  *out = NULL;
  lt_mlp_device *d = lt_zalloc(rt, sizeof *d);
  if (!d) return lt_fail_memory(err, sizeof *d, "a predictor");
  d->rt = rt;
  d->n_x = n_x;
  d->mixed = (how & LT_MLP_DEVICE_MIXED) != 0;
  for (int l = 0; l <= LT_MLP_LAYERS; l++) d->byte[l] = d->factor[l] = -1;
  d->shape = *shape;
  for (int64_t l = 0; l < shape->n_layers; l++) {
    widths[l] = shape->layer[l].out;
    if (widths[l] > widest) widest = widths[l];
  }
  lt_mlp_lay_out(&d->shape, widths, PAD);
  uint64_t most = LT_MLP_DEVICE_ROWS * sizeof(float);
  float *packed = lt_array(rt, (uint64_t)d->shape.n, sizeof *packed);
  d->out = lt_array(rt, (uint64_t)(LT_MLP_DEVICE_ROWS * widths[shape->n_layers - 1]), sizeof *d->out);
  leat_status st = packed && d->out ? lt_tape_create(rt, dev, &d->tape, err)
                                    : lt_fail_memory(err, bytes_at(d->shape.n), "a predictor's weights");
  if (!st) {
    lt_mlp_repack(shape, v, &d->shape, packed);
    st = lt_tape_buffer(d->tape, bytes_at(d->shape.n), &d->v, err);
  }
  if (!st) st = lt_tape_write(d->tape, d->v, 0, packed, bytes_at(d->shape.n), err);
  if (!st) st = lt_tape_buffer(d->tape, most * (uint64_t)n_x, &d->x, err);
  for (int k = 0; k < (shape->norm == LT_NORM_LAYER ? 3 : 2) && !st; k++)
    st = lt_tape_buffer(d->tape, most * (uint64_t)widest, &d->z[k], err);
  if (!st) st = lt_tape_buffer(d->tape, most, &d->mean, err);
  if (!st) st = lt_tape_buffer(d->tape, most, &d->rstd, err);
  for (int64_t l = d->mixed; l < shape->n_layers && how & LT_MLP_DEVICE_BYTES && !st; l++)
    st = add_bytes(d, &shape->layer[l], l, v, err);
  for (int k = 0; k < SIZES && !st; k++) st = add_program(d, k, err);
  lt_free(rt, packed);
  if (st) lt_mlp_device_free(d);
  else *out = d;
  return st;
}

leat_status lt_mlp_device_rows(lt_mlp_device *d, const float *x, const float *sums, int64_t n, const float **margins,
                               leat_error *err) {
  int k = n <= sizes[0] ? 0 : 1;
  int64_t n_out = d->shape.layer[d->shape.n_layers - 1].out;
  leat_status st = lt_tape_write(d->tape, d->x, 0, x, bytes_at(n * d->n_x), err);
  if (!st && d->mixed) st = lt_tape_write(d->tape, d->z[0], 0, sums, bytes_at(n * d->shape.layer[0].out), err);
  if (!st) st = lt_tape_run(d->tape, d->prog[k].from, d->prog[k].to, err);
  if (!st) st = lt_tape_read(d->tape, d->last[k], 0, d->out, bytes_at(n * n_out), err);
  *margins = d->out;
  return st;
}
