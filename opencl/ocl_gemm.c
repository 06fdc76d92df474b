/* gemm: which kernel computes it, with which tiles. */
#include <stddef.h>
#include <stdio.h>

#include "ocl.h"

/* Panels of the packed way. 6 x 16 fills the registers of AVX2, 8 x 16 those of wider ones. */
typedef struct panel { int m, n; } panel;
static const panel panels[] = {{6, 16}, {4, 24}, {8, 16}};
typedef struct tile { int tm, tn, tk, wm, wn; } tile;
/* The first serves any device: 64 work items, 4.6 KiB of local memory. */
static const tile tiles[] = {{32, 32, 16, 4, 4}, {64, 64, 16, 4, 4}, {128, 64, 16, 8, 4}, {128, 128, 8, 8, 8}};
enum { N_PANELS = sizeof panels / sizeof *panels, N_TILES = sizeof tiles / sizeof *tiles };
enum { PACKED = 1, TILED = 2, PACK_STEP = 64 };

static int tile_fits(const ocl_slot *s, const tile *t) {
  size_t items = (size_t)(t->tm / t->wm) * (size_t)(t->tn / t->wn);
  cl_ulong bytes = (cl_ulong)t->tk * (cl_ulong)(t->tm + t->tn + 8) * sizeof(cl_float);
  return items <= s->max_group && bytes <= s->local_bytes;
}

int64_t ocl_gemm_choices(int64_t variant) { return variant == PACKED ? N_PANELS : N_TILES; }

/* Without measuring: large tiles for large matrices, as long as there are enough of them to keep a device busy. */
static int64_t choose(const ocl_slot *s, int64_t variant, int64_t m, int64_t n) {
  if (variant == PACKED) return 0;
  for (int64_t i = N_TILES - 1; i > 0; i--)
    if (tile_fits(s, &tiles[i]) && ((m + tiles[i].tm - 1) / tiles[i].tm) * ((n + tiles[i].tn - 1) / tiles[i].tn) >= 64)
      return i;
  return 0;
}

leat_status ocl_gemm_choose(leat_b_kernel *k, int64_t variant, int64_t choice, leat_error *err) {
  char options[96];
  k->choice[0] = variant;
  k->choice[1] = choice;
  if (variant == PACKED) {
    snprintf(options, sizeof options, "-DPACKED -DMR=%d -DNR=%d", panels[choice].m, panels[choice].n);
    leat_status st = ocl_kernel_make(k, 0, OCL_GEMM, options, "pack_a", err);
    if (!st) st = ocl_kernel_make(k, 2, OCL_GEMM, options, "pack_b", err);
    return st ? st : ocl_kernel_make(k, 1, OCL_GEMM, options, "gemm_packed", err);
  }
  const tile *t = &tiles[choice];
  if (!tile_fits(k->device->slot, t))
    return ocl_fail(err, LEAT_E_UNSUPPORTED, "tiles of %d x %d do not fit into the device", t->tm, t->tn);
  snprintf(options, sizeof options, "-DTILED -DTM=%d -DTN=%d -DTK=%d -DWM=%d -DWN=%d", t->tm, t->tn, t->tk, t->wm, t->wn);
  return ocl_kernel_make(k, 0, OCL_GEMM, options, "gemm_tiled", err);
}

leat_status ocl_gemm_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  const ocl_slot *s = k->device->slot;
  int64_t forced = k->device->self->variant, variant = forced % 10, choice = forced / 10 - 1;
  if (variant != PACKED && variant != TILED) variant = s->props.kind == LEAT_CPU ? PACKED : TILED;
  if (choice < 0 || choice >= ocl_gemm_choices(variant)) {
    choice = choose(s, variant, op->out->shape[0], op->out->shape[1]);
    if (!forced) ocl_gemm_tune(k->device, op, variant, &choice);
  }
  return ocl_gemm_choose(k, variant, choice, err);
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

static void pack(ocl_run *r, int which, const leat_b_tensor *t, int64_t rows, int64_t rs, int64_t cs, int64_t k, int64_t width,
                 cl_mem to) {
  ocl_begin(r, which);
  ocl_tensor(r, t);
  ocl_long(r, rs);
  ocl_long(r, cs);
  ocl_int(r, rows);
  ocl_int(r, k);
  ocl_mem(r, to);
  ocl_go(r, (k + PACK_STEP - 1) / PACK_STEP, (rows + width - 1) / width, 1, 1, 1);
}

static leat_status packed_run(ocl_run *r, const leat_b_op *op, int64_t k, leat_error *err) {
  const leat_b_tensor *a = op->in, *b = op->in + 1;
  int64_t m = op->out->shape[0], n = op->out->shape[1];
  const panel *size = &panels[r->prepared->choice[1]];
  int64_t mp = (m + size->m - 1) / size->m, np = (n + size->n - 1) / size->n;
  cl_mem pa, pb;
  leat_status st = ocl_queue_scratch(r->queue, 1, (uint64_t)(mp * size->m * k) * sizeof(float) + 64, &pa, err);
  if (!st) st = ocl_queue_scratch(r->queue, 2, (uint64_t)(np * size->n * k) * sizeof(float) + 64, &pb, err);
  if (st) return st;
  pack(r, 0, a, m, a->stride[0], a->stride[1], k, size->m, pa);
  pack(r, 2, b, n, b->stride[1], b->stride[0], k, size->n, pb);
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
  if (r->prepared->choice[0] == PACKED) return packed_run(r, op, k, err);
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
