/* The CPU's own products of matrices, for the shapes of neural networks: where one of m, n and k is some hundred at most,
 * BLIS loses up to half of the processor's speed, ten columns and less lose more. B is packed into panels of 16 columns
 * that stay in the first cache; A is read where it lies, a number at a time for all columns of a tile, so that its
 * strides do not matter; sums stay in registers (Goto and van de Geijn: "Anatomy of high-performance matrix
 * multiplication", 2008). An element of C is one chain of multiply-adds in order of k, whatever the tiles and tasks are. */
#include "device/host_device.h"
#include "device/kern.h"

#include <stddef.h>
#include <string.h>

enum {
  GEMM_DEPTH = 400,     /* of a panel: 25 KiB of the first cache */
  GEMM_ROWS = 192,      /* of a task: its part of A stays in the second cache */
  GEMM_PANELS = 32,     /* at once, where k is small */
  GEMM_TASKS = 8,       /* wanted, so that threads end together */
  GEMM_COPY = 128, GEMM_COPY_COLS = 128, /* depth up to which, and columns from which on, A's columns are copied */
  GEMM_STORED = 8,      /* panels of c whose lines are fetched ahead of the sums that go there */
  GEMM_FEW_ROWS = 6     /* up to which packing B costs more than it gains */
};
/* Multiply-adds below which waking other threads costs more than it saves, and that a task should have. */
static const double gemm_parallel_work = 1.5e6, gemm_task_work = 5e5;

typedef struct gemm_job {
  const lt_gemm *g;
  const lt_kern *kern;
  int64_t depth, rows, cols, across; /* of k at once; of a task; tasks side by side */
  int as_it_lies;                    /* B is read without packing, but for a last, narrow panel */
} gemm_job;

/* Panels of 16 columns [j, j + cols), rows [i, i + rows) of c, depth numbers of k from k0 on. */
typedef struct gemm_part {
  int64_t i, j, rows, cols, k0, depth;
  const float *b, *next; /* next: where the panel after this one begins, NULL none */
  int64_t ldb, step;
} gemm_part;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static void part_scatter(const lt_gemm *g, const gemm_part *t, const float *sum, float beta) {
  for (int64_t i = 0; i < t->rows; i++)
    for (int64_t j = 0; j < t->cols; j++) {
      float *out = g->c + (t->i + i) * g->c_rs + (t->j + j) * g->c_cs, v = g->alpha * sum[i * LT_PANEL + j];
      *out = beta == 0 ? v : v + beta * *out;
    }
}

/* Rows of a that lie in columns, side by side: many panels will pass, and each would step over as many pages as k has. */
static void part_copy_a(const gemm_part *t, const float *a, int64_t cs, float *copy) {
  if (t->rows == LT_TILE_ROWS) {
    for (int64_t k = 0; k < t->depth; k++) memcpy(copy + k * LT_TILE_ROWS, a + k * cs, LT_TILE_ROWS * sizeof *copy);
    return;
  }
  for (int64_t k = 0; k < t->depth; k++)
    for (int64_t i = 0; i < t->rows; i++) copy[k * LT_TILE_ROWS + i] = a[k * cs + i];
}

/* Whole panels whose sums are what c wants go there at once; others by way of a tile on the stack. */
static void part_run(const gemm_job *job, gemm_part t) {
  const lt_gemm *g = job->g;
  const float *a = g->a ? g->a + t.i * g->a_rs + t.k0 * g->a_cs : NULL;
  float *c = g->c + t.i * g->c_rs + t.j * g->c_cs, beta = t.k0 ? 1 : g->beta, copy[GEMM_COPY * LT_TILE_ROWS];
  int64_t rs = g->a_rs, cs = g->a_cs;
  if (rs == 1 && cs > LT_PANEL && t.depth <= GEMM_COPY && t.cols >= GEMM_COPY_COLS) {
    part_copy_a(&t, a, cs, copy);
    a = copy, cs = LT_TILE_ROWS;
  }
  if (g->c_cs == 1 && g->alpha == 1 && (t.k0 || beta == 0) && t.cols % LT_PANEL == 0) {
    for (int64_t j = 0; j < t.cols; j += GEMM_STORED * LT_PANEL) {
      int64_t cols = least(t.cols - j, GEMM_STORED * LT_PANEL);
      if (t.depth <= GEMM_COPY) /* short sums: the stores come thick */
        for (int64_t i = 0; i < t.rows; i++)
          for (int64_t q = j + cols; q < least(t.cols, j + 2 * cols); q += LT_PANEL)
            __builtin_prefetch(c + i * g->c_rs + q, 1, 3);
      job->kern->tile(a, rs, cs, t.b + j / LT_PANEL * t.step, t.ldb, t.step, cols / LT_PANEL, t.depth, t.rows, c + j, g->c_rs,
                      t.k0 > 0);
    }
  } else {
    gemm_part one = t;
    for (one.j = t.j; one.j < t.j + t.cols; one.j += LT_PANEL, one.b += t.step) {
      _Alignas(64) float sum[LT_TILE_ROWS * LT_PANEL];
      one.cols = least(t.j + t.cols - one.j, LT_PANEL);
      job->kern->tile(a, rs, cs, one.b, t.ldb, 0, 1, t.depth, t.rows, sum, LT_PANEL, 0);
      if (g->c_cs == 1) job->kern->blend(sum, t.rows, one.cols, g->alpha, beta, c + (one.j - t.j), g->c_rs);
      else part_scatter(g, &one, sum, beta);
    }
  }
  if ((t.k0 + t.depth < g->k && g->alpha != 0) || (!g->bias && !g->act)) return;
  if (g->c_cs == 1) job->kern->end(c, g->c_rs, t.rows, t.cols, g->bias ? g->bias + t.j : NULL, g->act);
  else lt_gemm_end(g, t.i, t.rows, t.j, t.cols);
}

/* Rows [i0, i1) times the columns of t, from panels. The next panel is fetched meanwhile, a part with each tile: its lines
 * lie far from each other, so that the processor does not see them coming. */
static void part_rows(const gemm_job *job, gemm_part t, int64_t i0, int64_t i1) {
  int64_t each = t.next ? t.depth * LT_TILE_ROWS / (i1 - i0) + 1 : 0, fetched = 0;
  for (t.i = i0; t.i < i1; t.i += t.rows) {
    for (int64_t end = least(fetched + each, t.depth); fetched < end; fetched++)
      __builtin_prefetch(t.next + fetched * job->g->b_rs, 0, 2);
    t.rows = lt_tile_rows(i1 - t.i);
    part_run(job, t);
  }
}

/* Columns [j0, j1) times rows [i0, i1) over one stretch of k: as many panels at a time as the caches hold. */
static void gemm_stretch(const gemm_job *job, gemm_part t, const int64_t i[2], const int64_t j[2]) {
  _Alignas(64) float panel[GEMM_DEPTH * LT_PANEL];
  const lt_gemm *g = job->g;
  int64_t narrow = job->as_it_lies ? (j[1] - j[0]) % LT_PANEL : j[1] - j[0], deep = t.depth ? t.depth : 1;
  int64_t count = t.depth <= GEMM_COPY ? GEMM_PANELS : 1; /* deep panels one by one: each stays in the first cache */
  for (t.j = j[0], t.ldb = g->b_rs, t.step = LT_PANEL; t.j < j[1] - narrow; t.j += t.cols) {
    t.cols = least(j[1] - narrow - t.j, count * LT_PANEL);
    t.b = g->b + t.k0 * g->b_rs + t.j;
    t.next = count == 1 && t.j + 2 * LT_PANEL <= j[1] ? t.b + LT_PANEL : NULL;
    part_rows(job, t, i[0], i[1]);
  }
  count = least(GEMM_DEPTH / deep, GEMM_PANELS);
  for (t.next = NULL, t.b = panel, t.ldb = LT_PANEL, t.step = t.depth * LT_PANEL; t.j < j[1]; t.j += t.cols) {
    t.cols = least(j[1] - t.j, count * LT_PANEL);
    for (int64_t q = 0; q < t.cols && t.depth; q += LT_PANEL)
      job->kern->pack(g->b + t.k0 * g->b_rs + (t.j + q) * g->b_cs, g->b_rs, g->b_cs, t.depth,
                      least(t.cols - q, LT_PANEL), panel + q / LT_PANEL * t.step);
    part_rows(job, t, i[0], i[1]);
  }
}

static void gemm_task(void *arg, int64_t index) {
  const gemm_job *job = arg;
  const lt_gemm *g = job->g;
  int64_t i0 = index / job->across * job->rows, j0 = index % job->across * job->cols;
  int64_t i[2] = {i0, least(g->m, i0 + job->rows)}, j[2] = {j0, least(g->n, j0 + job->cols)};
  gemm_part t = {.k0 = 0};
  do {
    t.depth = g->alpha == 0 ? 0 : least(g->k - t.k0, job->depth);
    gemm_stretch(job, t, i, j);
    t.k0 += job->depth;
  } while (t.k0 < g->k && g->alpha != 0);
}

/* n in `count` pieces, multiples of unit. */
static int64_t piece(int64_t n, int64_t count, int64_t unit) {
  int64_t size = ((n + count - 1) / count + unit - 1) / unit * unit;
  return size < unit ? unit : size;
}

/* Whether B's rows may stay where they are: they begin at lines of the cache, and an odd number of lines apart, so that a
 * panel spreads over all of it (512 floats apart it would fall on 2 of 64 places). */
static int gemm_lies_well(const lt_gemm *g) {
  if (g->k < 1 || g->alpha == 0 || g->b_cs != 1) return 0;
  return g->m <= GEMM_FEW_ROWS || ((uintptr_t)g->b % 64 == 0 && g->b_rs % (2 * LT_PANEL) == LT_PANEL);
}

/* Tasks: by columns where each packs its own part of B, or there are more of them; else by rows. */
static int64_t gemm_cut(gemm_job *job) {
  const lt_gemm *g = job->g;
  double work = (double)g->m * (double)g->n * (double)g->k;
  int64_t wanted = work < gemm_parallel_work ? 1 : work / GEMM_TASKS < gemm_task_work ? (int64_t)(work / gemm_task_work)
                                                                                      : GEMM_TASKS;
  int64_t panels = (g->n + LT_PANEL - 1) / LT_PANEL, stretches = (g->k + GEMM_DEPTH - 1) / GEMM_DEPTH;
  int64_t across = least(wanted, panels), down = (g->m + GEMM_ROWS - 1) / GEMM_ROWS;
  job->as_it_lies = gemm_lies_well(g);
  if (job->as_it_lies && g->m > g->n) across = 1;
  job->depth = stretches ? piece(g->k, stretches, 8) : GEMM_DEPTH;
  if (across * 2 <= wanted && down < wanted / across) down = wanted / across;
  job->cols = piece(g->n, across, LT_PANEL);
  job->rows = piece(g->m, down, 12);
  job->across = (g->n + job->cols - 1) / job->cols;
  return (g->m + job->rows - 1) / job->rows * job->across;
}

leat_status lt_own_gemm(const leat_b_host *host, const lt_gemm *g, leat_error *err) {
  gemm_job job = {.g = g, .kern = lt_kern_get()};
  leat_status st = LEAT_OK;
  int64_t tasks = gemm_cut(&job);
  if (tasks > 1 && (double)g->m * (double)g->n * (double)g->k >= gemm_parallel_work)
    st = host->parallel_for(host->ctx, tasks, gemm_task, &job);
  else
    for (int64_t i = 0; i < tasks; i++) gemm_task(&job, i);
  return st ? lt_fail(err, st, "the host's executor failed with status %d", (int)st) : LEAT_OK;
}
