/* The CPU device. Products go to BLIS (Van Zee and van de Geijn: "BLIS: a framework for rapidly instantiating BLAS
 * functionality", 2015) one tile of C at a time, single-threaded, from leat's own threads: BLIS's own threading spins and
 * collapses on busy cores, and it is not bit-equal when M or N is cut differently, so tiles follow from the shape alone
 * and K is never cut here. BLIS aborts on parameters that it does not like: it only sees matrices in rows or columns with
 * unit stride, checked by op.c or made so by a copy. */
#define _POSIX_C_SOURCE 200809L /* blis.h itself needs it: it names POSIX threads */
#include "device/cpu_ops.h"
#include "device/kern.h"

#include <blis.h>
#include <stddef.h>
#include <string.h>

enum { CPU_TILE_ROWS = 768, CPU_TILE_COLS = 1024, CPU_TILES = 8 };
static const double cpu_tile_work = 8e6;    /* multiply-adds below which a tile is not cut further */
static const double cpu_small_work = 32768; /* multiply-adds below which BLIS is not entered */
/* From this size on in both directions, BLIS packs its operands. Its path without packing wins on slim shapes, but falls
 * to a third where the leading dimension is a power of two; left alone it would take it for tiles of any product. */
enum { CPU_PACK_FROM = 192, CPU_SLIM = 128 };

/* A matrix as BLIS takes it: unit stride in one direction, the other one steps over it. */
typedef struct cpu_matrix {
  const char *data; /* not const where it is c */
  int64_t rows, cols, rs, cs;
  void *copy;
  uint64_t copy_bytes;
} cpu_matrix;

typedef struct cpu_job {
  leat_b_instance *self;
  const lt_gemm *end; /* what follows the product, NULL nothing; c is its own, not a copy */
  cpu_matrix a, b, c;
  uint64_t size; /* of an element: 4 or 8 */
  double alpha, beta;
  int64_t tile_rows, tile_cols, tiles_down, tiles_across;
  bool unpacked;
} cpu_job;

/* ---- a place inside BLIS: its memory pools were grown for so many callers */
static void blis_enter(leat_b_instance *self) {
  lt_mutex_lock(&self->lock);
  while (self->inside >= self->width) lt_cond_wait(&self->free_place, &self->lock);
  self->inside++;
  lt_mutex_unlock(&self->lock);
}

static void blis_leave(leat_b_instance *self) {
  lt_mutex_lock(&self->lock);
  self->inside--;
  lt_cond_signal(&self->free_place);
  lt_mutex_unlock(&self->lock);
}

static void cpu_tile(void *arg, int64_t index) {
  const cpu_job *job = arg;
  int64_t i = index / job->tiles_across * job->tile_rows, j = index % job->tiles_across * job->tile_cols;
  int64_t m = job->c.rows - i < job->tile_rows ? job->c.rows - i : job->tile_rows;
  int64_t n = job->c.cols - j < job->tile_cols ? job->c.cols - j : job->tile_cols;
  void *a = (void *)(uintptr_t)(job->a.data + i * job->a.rs * (int64_t)job->size);
  void *b = (void *)(uintptr_t)(job->b.data + j * job->b.cs * (int64_t)job->size);
  void *c = (void *)(uintptr_t)(job->c.data + (i * job->c.rs + j * job->c.cs) * (int64_t)job->size);
  rntm_t one_thread = BLIS_RNTM_INITIALIZER;
  bli_rntm_set_num_threads(1, &one_thread);
  bli_rntm_set_l3_sup(job->unpacked, &one_thread);
  blis_enter(job->self);
  if (job->size == sizeof(float)) {
    float alpha = (float)job->alpha, beta = (float)job->beta;
    bli_sgemm_ex(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, m, n, job->a.cols, &alpha, a, job->a.rs, job->a.cs, b,
                 job->b.rs, job->b.cs, &beta, c, job->c.rs, job->c.cs, NULL, &one_thread);
  } else {
    double alpha = job->alpha, beta = job->beta;
    bli_dgemm_ex(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, m, n, job->a.cols, &alpha, a, job->a.rs, job->a.cs, b,
                 job->b.rs, job->b.cs, &beta, c, job->c.rs, job->c.cs, NULL, &one_thread);
  }
  blis_leave(job->self);
  if (job->end) lt_gemm_end(job->end, i, m, j, n);
}

/* `count` pieces of n, all but the last a multiple of `unit`. */
static int64_t cpu_piece(int64_t n, int64_t count, int64_t unit) {
  int64_t piece = (n + count - 1) / count;
  piece = (piece + unit - 1) / unit * unit;
  return piece < n ? piece : n;
}

/* Tiles by shape: no larger than the largest, then cut on where they are longer while there are few of them and each is
 * still worth a thread. */
static void cpu_cut(cpu_job *job) {
  int64_t m = job->c.rows, n = job->c.cols;
  int64_t down = (m + CPU_TILE_ROWS - 1) / CPU_TILE_ROWS, across = (n + CPU_TILE_COLS - 1) / CPU_TILE_COLS;
  while (down < CPU_TILES && across < CPU_TILES && down * across < CPU_TILES) {
    double tiles = (double)down * (double)across;
    if ((double)m * (double)n * (double)job->a.cols / tiles < 2 * cpu_tile_work) break;
    if (n / across >= m / down) across++;
    else down++;
  }
  job->tile_rows = cpu_piece(m, down, 24);
  job->tile_cols = cpu_piece(n, across, 32);
  job->tiles_down = (m + job->tile_rows - 1) / job->tile_rows;
  job->tiles_across = (n + job->tile_cols - 1) / job->tile_cols;
  job->unpacked = m < CPU_PACK_FROM || n < CPU_PACK_FROM;
}

static void copy_elements(void *to, int64_t to_rs, int64_t to_cs, const void *from, int64_t rs, int64_t cs,
                          int64_t rows, int64_t cols, uint64_t size) {
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < cols; j++)
      memcpy((char *)to + (i * to_rs + j * to_cs) * (int64_t)size,
             (const char *)from + (i * rs + j * cs) * (int64_t)size, size);
}

/* Gives m strides that BLIS takes; a copy in rows when there are none for the matrix as it lies. */
static leat_status cpu_matrix_take(leat_b_instance *self, cpu_matrix *m, uint64_t size, int read, leat_error *err) {
  if (m->rows == 1) m->rs = m->cs == 1 ? m->cols : 1;
  if (m->cols == 1) m->cs = m->rs == 1 ? m->rows : 1;
  if (m->rows == 1 && m->cols == 1) m->rs = m->cs = 1;
  if ((m->cs == 1 && m->rs >= m->cols) || (m->rs == 1 && m->cs >= m->rows)) return LEAT_OK;
  if (__builtin_mul_overflow((uint64_t)m->rows * size, (uint64_t)m->cols, &m->copy_bytes))
    return lt_fail(err, LEAT_E_SHAPE, "a matrix of %lld x %lld is more than memory holds", (long long)m->rows,
                   (long long)m->cols);
  m->copy = self->host->alloc(self->host->ctx, m->copy_bytes, 64);
  if (!m->copy) return lt_fail_memory(err, m->copy_bytes, "a copy of a strided matrix");
  if (read) copy_elements(m->copy, m->cols, 1, m->data, m->rs, m->cs, m->rows, m->cols, size);
  m->data = m->copy;
  m->rs = m->cols, m->cs = 1;
  return LEAT_OK;
}

static leat_status cpu_run(cpu_job *job, leat_error *err) {
  const leat_b_host *host = job->self->host;
  cpu_matrix asked = job->c;
  leat_status st = cpu_matrix_take(job->self, &job->a, job->size, 1, err);
  if (st || (st = cpu_matrix_take(job->self, &job->b, job->size, 1, err)) != 0 ||
      (st = cpu_matrix_take(job->self, &job->c, job->size, job->beta != 0, err)) != 0)
    goto out;
  const lt_gemm *end = job->end;
  if (job->c.copy) job->end = NULL;
  cpu_cut(job);
  int64_t tiles = job->tiles_down * job->tiles_across;
  if (tiles == 1) cpu_tile(job, 0);
  else if ((st = host->parallel_for(host->ctx, tiles, cpu_tile, job)) != 0)
    lt_fail(err, st, "the host's executor failed with status %d", (int)st);
  if (!st && job->c.copy)
    copy_elements((void *)(uintptr_t)asked.data, asked.rs, asked.cs, job->c.data, job->c.rs, job->c.cs, asked.rows,
                  asked.cols, job->size);
  if (!st && job->c.copy && end) lt_gemm_end(end, 0, end->m, 0, end->n);
out:
  for (int i = 0; i < 3; i++) {
    cpu_matrix *m = i == 0 ? &job->a : i == 1 ? &job->b : &job->c;
    if (m->copy) host->release(host->ctx, m->copy, m->copy_bytes, 64);
  }
  return st;
}

/* BLIS does not gain on small products or where there is nothing to multiply; and its kernels take a beta of NaN for 0. */
static int cpu_is_small(int64_t m, int64_t n, int64_t k, double alpha, double beta) {
  return k < 1 || alpha == 0 || beta != beta || (double)m * (double)n * (double)k < cpu_small_work;
}

/* The shapes of neural networks' layers, in all three forms: where one side is short, the own kernels are faster (see
 * bench_mlp_ops); with the second operand transposed, as in the gradient to a layer's input, up to twice as long. */
static int cpu_is_slim(const lt_gemm *g) {
  int64_t side = g->b_rs == 1 && g->b_cs != 1 && g->a_cs == 1 ? 2 * CPU_SLIM : CPU_SLIM;
  if (!lt_kern_avx2()) return 0; /* in plain C they are not */
  return g->m <= side || g->n <= CPU_SLIM || g->k <= CPU_SLIM;
}

static leat_status cpu_gemm(leat_b_instance *self, const lt_op_args *args, leat_error *err) {
  const lt_gemm gemm = lt_gemm_of(args), *g = &gemm;
  if (g->n == 1 || g->m == 1) {
    lt_gemv v = {g->m, g->k, g->alpha, g->beta, g->a, g->b, g->c, g->a_rs, g->a_cs, g->b_rs, g->c_rs};
    if (g->n != 1) v = (lt_gemv){g->n, g->k, g->alpha, g->beta, g->b, g->a, g->c, g->b_cs, g->b_rs, g->a_cs, g->c_cs};
    leat_status st = lt_own_gemv(self->host, &v, err);
    if (!st) lt_gemm_end(g, 0, g->m, 0, g->n);
    return st;
  }
  if (cpu_is_small(g->m, g->n, g->k, (double)g->alpha, (double)g->beta) || cpu_is_slim(g))
    return lt_own_gemm(self->host, g, err);
  cpu_job job = {.self = self, .end = g->bias || g->act ? g : NULL, .size = sizeof(float),
                 .a = {(const char *)g->a, g->m, g->k, g->a_rs, g->a_cs, NULL, 0},
                 .b = {(const char *)g->b, g->k, g->n, g->b_rs, g->b_cs, NULL, 0},
                 .c = {(const char *)g->c, g->m, g->n, g->c_rs, g->c_cs, NULL, 0}};
  job.alpha = (double)g->alpha, job.beta = (double)g->beta;
  return cpu_run(&job, err);
}

leat_status lt_cpu_dgemm(leat_b_instance *self, const lt_gemm64 *g, leat_error *err) {
  if (g->m == 0 || g->n == 0) return LEAT_OK;
  if (cpu_is_small(g->m, g->n, g->k, g->alpha, g->beta)) {
    lt_own_dgemm(g);
    return LEAT_OK;
  }
  cpu_job job = {.self = self, .size = sizeof(double), .alpha = g->alpha, .beta = g->beta,
                 .a = {(const char *)g->a, g->m, g->k, g->a_rs, g->a_cs, NULL, 0},
                 .b = {(const char *)g->b, g->k, g->n, g->b_rs, g->b_cs, NULL, 0},
                 .c = {(const char *)g->c, g->m, g->n, g->c_rs, g->c_cs, NULL, 0}};
  return cpu_run(&job, err);
}

static leat_status cpu_gemv(leat_b_instance *self, const lt_op_args *args, leat_error *err) {
  lt_gemv g = lt_gemv_of(args);
  return lt_own_gemv(self->host, &g, err);
}

/* The ops that the CPU has kernels for; the reference's plain loops do the others. */
#define OP(name) {#name, lt_cpu_##name, NULL}
static const lt_host_op_entry cpu_ops[] = {
    {"gemm", cpu_gemm, NULL}, {"gemv", cpu_gemv, NULL}, OP(map), OP(map_grad), OP(binary), OP(fill), OP(copy), OP(dropout),
    OP(reduce), OP(softmax), OP(softmax_xent), OP(argmax), OP(sgd), OP(adam), OP(layer_norm), OP(layer_norm_grad),
    OP(batch_norm), OP(batch_norm_grad), OP(batch_norm_apply), OP(csr_gemm), OP(csr_gemm_t), OP(gather), OP(scatter_add),
    OP(gemm_batched), OP(gemm_q8), {NULL, NULL, NULL}};
#undef OP

/* ---- life */
enum { WARM = 48 };

/* One product that packs both operands, so that BLIS makes its pools now, where a runtime that cannot be made is still a
 * status and not an abort. */
static void cpu_warm(void *arg, int64_t index) {
  leat_b_instance *self = arg;
  double zeros[WARM * WARM] = {0}, one = 1, zero = 0; /* both operands and, as zeros they stay, the product */
  rntm_t one_thread = BLIS_RNTM_INITIALIZER;
  (void)index;
  bli_rntm_set_num_threads(1, &one_thread);
  bli_rntm_set_l3_sup(0, &one_thread);
  blis_enter(self);
  bli_dgemm_ex(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, WARM, WARM, WARM, &one, zeros, WARM, 1, zeros, WARM, 1, &zero, zeros,
               WARM, 1, NULL, &one_thread);
  blis_leave(self);
}

static int64_t option_number(const leat_b_host *host, const char *name) {
  char text[32];
  uint64_t needed = 0;
  int64_t v = 0;
  if (host->option(host->ctx, name, text, sizeof text, &needed)) return 0;
  for (const char *p = text; *p >= '0' && *p <= '9' && v < 1000000; p++) v = v * 10 + (*p - '0');
  return v;
}

leat_status lt_cpu_query(uint32_t abi_major, const leat_b_host *host, leat_b_backend *out, leat_error *err) {
  static const lt_host_ops ops = {"cpu", "host processor", "BLIS", cpu_ops};
  if (bli_info_get_enable_openmp())
    return lt_fail(err, LEAT_E_BACKEND, "this BLIS is the OpenMP build, which stalls when cores are busy; take the "
                   "pthread or serial build: update-alternatives --config libblis.so.4-x86_64-linux-gnu, or link "
                   "with libblis-pthread-dev");
  leat_status st = lt_host_backend(abi_major, host, &ops, out, err);
  if (st) return st;
  int64_t threads = option_number(host, "threads");
  out->self->width = threads > 1 ? threads : 1;
  bli_init();
  st = host->parallel_for(host->ctx, out->self->width, cpu_warm, out->self);
  if (!st) return LEAT_OK;
  out->close(out->self);
  return lt_fail(err, st, "the host's executor failed with status %d", (int)st);
}
