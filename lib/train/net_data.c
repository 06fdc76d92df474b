/* Rows of a network on its device. */
#include "base/rng.h"
#include "train/net.h"
#include <string.h>

enum { ORDER_STREAM = 1 << 20 };

void lt_net_data_free(lt_net *n, lt_net_data *d) {
  lt_free(n->rt, d->y_host);
  lt_free(n->rt, d->w_host);
  lt_free(n->rt, d->column_host);
  lt_free(n->rt, d->start_host);
  lt_free(n->rt, d->code_host);
  lt_free(n->rt, d->value_host);
}

/* Compressed slots are split into codes of embedded columns and the other inputs. */
static void split_row(const lt_net *n, const lt_design *d, int64_t r, lt_net_data *to, int64_t *at) {
  const lt_mlp *m = n->m;
  int64_t first = m->shape.n_dense + m->shape.n_embedded * m->shape.dim; /* inputs that are dense */
  for (int64_t k = d->row_start[r]; k < d->row_start[r + 1]; k++) {
    int64_t slot = d->index[k] + d->n_dense, row = lt_mlp_slot_row(m, slot);
    if (row >= 0) {
      to->column_host[*at] = (int32_t)(row - first);
      to->value_host[(*at)++] = d->value ? d->value[k] : 1;
      continue;
    }
    int64_t part = 0;
    while (part + 1 < m->shape.n_embedded && slot >= m->embedded[part + 1].slot) part++;
    to->code_host[r * m->shape.n_embedded + part] = (int32_t)~row;
  }
}

static leat_status split_rows(lt_net *n, const lt_design *d, lt_net_data *to, leat_error *err) {
  int64_t f = n->m->shape.n_embedded, at = 0;
  to->start_host = lt_array(n->rt, (uint64_t)d->n + 1, sizeof *to->start_host);
  to->column_host = lt_array(n->rt, (uint64_t)d->nnz + 1, sizeof *to->column_host);
  to->value_host = lt_array(n->rt, (uint64_t)d->nnz + 1, sizeof *to->value_host);
  to->code_host = lt_array(n->rt, (uint64_t)(d->n * f) + 1, sizeof *to->code_host);
  if (!to->start_host || !to->column_host || !to->value_host || !to->code_host)
    return lt_fail_memory(err, (uint64_t)(d->nnz * 8 + d->n * (f + 1) * 4), "the encoded rows of a network");
  for (int64_t k = 0; k < d->n * f; k++) to->code_host[k] = -1;
  for (int64_t r = 0; r < d->n; r++) {
    to->start_host[r] = (int32_t)at;
    split_row(n, d, r, to, &at);
  }
  to->start_host[d->n] = (int32_t)at;
  return LEAT_OK;
}

static leat_status upload_sparse(lt_net *n, lt_net_data *to, const lt_design *d, leat_error *err) {
  const lt_mlp_shape *s = &n->m->shape;
  if (d->n_dense == d->n_slots) return LEAT_OK;
  if (d->nnz >= INT32_MAX)
    return lt_fail(err, LEAT_E_UNSUPPORTED, "%lld entries of sparse rows: a network trains on at most 2^31 - 1", (long long)d->nnz);
  leat_status st = split_rows(n, d, to, err);
  uint64_t nnz = st ? 0 : (uint64_t)to->start_host[d->n];
  to->n_csr = s->n_inputs - s->n_dense - s->n_embedded * s->dim;
  if (!st && to->n_csr > 0) {
    st = lt_tape_wrap(n->tape, to->start_host, ((uint64_t)d->n + 1) * 4, &to->start, err);
    if (!st) st = lt_tape_wrap(n->tape, to->column_host, (nnz ? nnz : 1) * 4, &to->column, err);
    if (!st) st = lt_tape_wrap(n->tape, to->value_host, (nnz ? nnz : 1) * 4, &to->value, err);
  }
  if (!st && s->n_embedded > 0)
    st = lt_tape_wrap(n->tape, to->code_host, (uint64_t)(d->n * s->n_embedded) * 4, &to->code, err);
  return st;
}

leat_status lt_net_upload(lt_net *n, lt_net_data *to, const lt_design *d, leat_error *err) {
  uint64_t rows = (uint64_t)d->n, bytes = rows * sizeof(float);
  *to = (lt_net_data){.d = d, .n = d->n, .x = -1, .code = -1, .start = -1, .column = -1, .value = -1, .index = -1,
                      .y = -1, .weight = -1, .loss = -1};
  if (d->n > INT32_MAX)
    return lt_fail(err, LEAT_E_UNSUPPORTED, "%lld rows: a network trains on at most 2^31 - 1", (long long)d->n);
  to->y_host = lt_array(n->rt, rows, sizeof *to->y_host);
  to->w_host = d->weight ? lt_array(n->rt, rows, sizeof *to->w_host) : NULL;
  if (!to->y_host || (d->weight && !to->w_host)) return lt_fail_memory(err, 2 * bytes, "targets");
  for (int64_t r = 0; r < d->n; r++) {
    float y = (float)((d->y[r] - n->centre) / n->unit);
    int32_t code = (int32_t)d->y[r];
    memcpy(&to->y_host[r], n->m->n_out > 1 ? (const void *)&code : &y, sizeof y);
    if (d->weight) to->w_host[r] = (float)d->weight[r];
  }
  leat_status st = LEAT_OK;
  if (d->n_dense > 0) st = lt_tape_wrap(n->tape, d->x, rows * (uint64_t)d->ld * sizeof(float), &to->x, err);
  if (!st) st = upload_sparse(n, to, d, err);
  if (!st) st = lt_tape_buffer(n->tape, bytes, &to->index, err);
  if (!st) st = lt_tape_buffer(n->tape, bytes, &to->y, err);
  if (!st && d->weight) st = lt_tape_buffer(n->tape, bytes, &to->weight, err);
  if (!st) st = lt_tape_buffer(n->tape, bytes, &to->loss, err);
  return st;
}

leat_status lt_net_order(lt_net *n, lt_net_data *d, int64_t epoch, leat_error *err) {
  uint64_t bytes = (uint64_t)d->n * 4;
  int32_t *index = n->staging;
  uint32_t *y = n->staging;
  float *w = n->staging;
  for (int64_t r = 0; r < d->n; r++) n->order[r] = r;
  if (epoch >= 0) {
    lt_rng rng;
    lt_rng_init(&rng, n->seed, ORDER_STREAM + (uint64_t)epoch);
    lt_rng_shuffle(&rng, n->order, (uint64_t)d->n);
  }
  for (int64_t r = 0; r < d->n; r++) index[r] = (int32_t)n->order[r];
  leat_status st = lt_tape_write(n->tape, d->index, 0, index, bytes, err);
  for (int64_t r = 0; r < d->n && !st; r++) y[r] = d->y_host[n->order[r]];
  if (!st) st = lt_tape_write(n->tape, d->y, 0, y, bytes, err);
  if (st || !d->w_host) return st;
  for (int64_t r = 0; r < d->n; r++) w[r] = d->w_host[n->order[r]];
  return lt_tape_write(n->tape, d->weight, 0, w, bytes, err);
}
