/* gemm: which kernel computes it, with which tiles. */
#include <stddef.h>
#include <stdio.h>

#include "ocl.h"

/* Packed: panels of PACK_M rows and PACK_N columns, as gemm.cl says. */
enum { PACK_M = 6, PACK_N = 16 };
typedef struct tile { int tm, tn, tk, wm, wn; } tile;
/* The first serves any device: 64 work items, 8.5 KiB of local memory. */
static const tile tiles[] = {{32, 32, 16, 4, 4}, {64, 64, 16, 4, 4}, {128, 64, 16, 8, 4}, {128, 128, 8, 8, 8}};
enum { N_TILES = sizeof tiles / sizeof *tiles };

static int tile_fits(const ocl_slot *s, const tile *t) {
  size_t items = (size_t)(t->tm / t->wm) * (size_t)(t->tn / t->wn);
  cl_ulong bytes = (cl_ulong)t->tk * (cl_ulong)(t->tm + t->tn + 8) * sizeof(cl_float);
  return items <= s->max_group && bytes <= s->local_bytes;
}

/* Large tiles for large matrices, as long as there are enough of them to keep a device busy. */
static int64_t tile_choose(const ocl_slot *s, int64_t m, int64_t n) {
  for (int64_t i = N_TILES - 1; i > 0; i--)
    if (tile_fits(s, &tiles[i]) && ((m + tiles[i].tm - 1) / tiles[i].tm) * ((n + tiles[i].tn - 1) / tiles[i].tn) >= 64)
      return i;
  return 0;
}

static leat_status packed_prepare(leat_b_kernel *k, leat_error *err) {
  char options[64];
  snprintf(options, sizeof options, "-DPACKED -DMR=%d -DNR=%d", PACK_M, PACK_N);
  leat_status st = ocl_kernel_make(k, 0, OCL_GEMM, options, "pack_rows", err);
  return st ? st : ocl_kernel_make(k, 1, OCL_GEMM, options, "gemm_packed", err);
}

static leat_status tiled_prepare(leat_b_kernel *k, int64_t choice, leat_error *err) {
  char options[96];
  const tile *t = &tiles[choice];
  k->choice[1] = choice;
  snprintf(options, sizeof options, "-DTILED -DTM=%d -DTN=%d -DTK=%d -DWM=%d -DWN=%d", t->tm, t->tn, t->tk, t->wm, t->wn);
  return ocl_kernel_make(k, 0, OCL_GEMM, options, "gemm_tiled", err);
}

leat_status ocl_gemm_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  const ocl_slot *s = k->device->slot;
  int64_t variant = k->device->self->variant;
  k->choice[0] = variant ? variant : s->props.kind == LEAT_CPU ? 1 : 2;
  if (k->choice[0] == 1) return packed_prepare(k, err);
  return tiled_prepare(k, tile_choose(s, op->out->shape[0], op->out->shape[1]), err);
}

static void c_args(ocl_run *r, const leat_b_op *op, int64_t k) {
  const leat_b_tensor *c = op->out, *bias = op->n_in > 2 ? op->in + 2 : NULL;
  ocl_tensor(r, c);
  ocl_long(r, c->stride[0]);
  ocl_long(r, c->stride[1]);
  ocl_int(r, c->shape[0]);
  ocl_int(r, c->shape[1]);
  ocl_int(r, k);
  ocl_float(r, op->attr_f[0]);
  ocl_float(r, op->attr_f[1]);
  ocl_tensor(r, bias);
  ocl_int(r, bias != NULL);
  ocl_int(r, ocl_i(op, 0, 0));
}

static void pack(ocl_run *r, const leat_b_tensor *t, int64_t rows, int64_t rs, int64_t cs, int64_t k, int64_t width,
                 cl_mem to) {
  ocl_begin(r, 0);
  ocl_tensor(r, t);
  ocl_long(r, rs);
  ocl_long(r, cs);
  ocl_int(r, rows);
  ocl_int(r, k);
  ocl_int(r, width);
  ocl_mem(r, to);
  ocl_go(r, (k + 15) / 16, (rows + width - 1) / width, 1, 1, 1);
}

static leat_status packed_run(ocl_run *r, const leat_b_op *op, int64_t k, leat_error *err) {
  const leat_b_tensor *a = op->in, *b = op->in + 1;
  int64_t m = op->out->shape[0], n = op->out->shape[1];
  int64_t mp = (m + PACK_M - 1) / PACK_M, np = (n + PACK_N - 1) / PACK_N;
  cl_mem pa, pb;
  leat_status st = ocl_queue_scratch(r->queue, 1, (uint64_t)(mp * PACK_M * k) * sizeof(float) + 64, &pa, err);
  if (!st) st = ocl_queue_scratch(r->queue, 2, (uint64_t)(np * PACK_N * k) * sizeof(float) + 64, &pb, err);
  if (st) return st;
  pack(r, a, m, a->stride[0], a->stride[1], k, PACK_M, pa);
  pack(r, b, n, b->stride[1], b->stride[0], k, PACK_N, pb);
  ocl_begin(r, 1);
  ocl_mem(r, pa);
  ocl_mem(r, pb);
  c_args(r, op, k);
  ocl_int(r, mp);
  ocl_go(r, mp, np, 1, 1, 1);
  return ocl_end(r, err);
}

leat_status ocl_gemm_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  const leat_b_tensor *a = op->in, *b = op->in + 1;
  int64_t m = op->out->shape[0], n = op->out->shape[1], k = op->attr_f[0] == 0 ? 0 : a->shape[1];
  if (m == 0 || n == 0) return LEAT_OK;
  if (r->prepared->choice[0] == 1) return packed_run(r, op, k, err);
  const tile *t = &tiles[r->prepared->choice[1]];
  ocl_begin(r, 0);
  ocl_tensor(r, a);
  ocl_long(r, a->stride[0]);
  ocl_long(r, a->stride[1]);
  ocl_tensor(r, b);
  ocl_long(r, b->stride[0]);
  ocl_long(r, b->stride[1]);
  c_args(r, op, k);
  int64_t gx = t->tn / t->wn, gy = t->tm / t->wm;
  ocl_go(r, (n + t->tn - 1) / t->tn * gx, (m + t->tm - 1) / t->tm * gy, 1, gx, gy);
  return ocl_end(r, err);
}
