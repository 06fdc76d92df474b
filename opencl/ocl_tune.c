/* Which size of tiles is the fastest on a device for a class of shapes: measured the first time that such a product is
 * prepared, remembered for the device and, by the host's cache, for later. Every choice gives the same bits. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ocl.h"

enum { TUNE_LARGEST = 1024, TUNE_RUNS = 3 };
static const double tune_least_work = 4e6; /* multiplications; below, measuring costs more than it gains */

static double seconds(void) {
  struct timespec t;
  timespec_get(&t, TIME_UTC);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int64_t capped(int64_t n) { return n < TUNE_LARGEST ? n : TUNE_LARGEST; }

static int64_t bits(int64_t n) {
  int64_t b = 0;
  for (n = capped(n); n > 1; n = (n + 1) / 2) b++;
  return b;
}

/* A class: the sizes to powers of two, and which way a and b lie. */
static void class_name(const leat_b_op *op, int64_t variant, char *to, size_t cap) {
  const leat_b_tensor *a = op->in, *b = op->in + 1;
  snprintf(to, cap, "gemm-1-%lld-m%lld-n%lld-k%lld-%c%c", (long long)variant, (long long)bits(op->out->shape[0]),
           (long long)bits(op->out->shape[1]), (long long)bits(a->shape[1]), a->stride[1] == 1 ? 'n' : 't',
           b->stride[1] == 1 ? 'n' : 't');
}

/* Buffers of the class's size, laid out as the op's. */
typedef struct trial {
  leat_b_op op;
  leat_b_tensor in[2], out;
  double attr[2];
  leat_b_queue *queue;
} trial;

static leat_status trial_tensor(leat_b_device *dev, const leat_b_tensor *like, leat_b_tensor *t, leat_error *err) {
  int64_t m = capped(like->shape[0]), n = capped(like->shape[1]);
  int turned = like->stride[1] != 1 && like->stride[0] == 1;
  *t = (leat_b_tensor){sizeof *t, NULL, 0, LEAT_F32, 2, {m, n, 0, 0}, {turned ? 1 : n, turned ? m : 1, 0, 0}};
  return ocl_buffer_alloc(dev, 0, (uint64_t)(m * n) * sizeof(float), 1, &t->buffer, err);
}

static void trial_end(trial *t) {
  ocl_queue_free(t->queue);
  for (int i = 0; i < 2; i++) ocl_buffer_free(t->in[i].buffer);
  ocl_buffer_free(t->out.buffer);
}

static leat_status trial_begin(leat_b_device *dev, const leat_b_op *op, trial *t, leat_error *err) {
  memset(t, 0, sizeof *t);
  leat_status st = ocl_queue_create(dev, 0, &t->queue, err);
  if (!st) st = trial_tensor(dev, &op->in[0], &t->in[0], err);
  if (!st) st = trial_tensor(dev, &op->in[1], &t->in[1], err);
  if (!st) st = trial_tensor(dev, &op->out[0], &t->out, err);
  t->attr[0] = 1;
  t->op = (leat_b_op){sizeof t->op, "gemm", 2, 1, t->in, &t->out, t->attr, NULL, 2, 0, 0};
  /* Zeros: memory that nobody has written may hold denormals, which are slow on some processors. */
  for (int i = 0; i < 2 && !st; i++) {
    void *map;
    uint64_t size = t->in[i].buffer->size;
    st = ocl_buffer_map(t->in[i].buffer, 0, size, 0, &map, err);
    if (st) break;
    memset(map, 0, size);
    st = ocl_buffer_unmap(t->in[i].buffer, map, err);
  }
  return st;
}

/* Seconds of the fastest of some runs, or below 0. */
static double trial_time(leat_b_device *dev, trial *t, int64_t variant, int64_t choice) {
  leat_error err;
  leat_b_kernel *k;
  double best = -1;
  memset(&err, 0, sizeof err);
  k = ocl_zalloc(dev->self->host, sizeof *k);
  if (!k) return -1;
  k->device = dev;
  leat_status st = ocl_gemm_choose(k, variant, choice, &err);
  for (int run = 0; run <= TUNE_RUNS && !st; run++) {
    double begin = seconds();
    ocl_run r = {.queue = t->queue, .prepared = k, .op = &t->op};
    st = ocl_gemm_run(&r, &t->op, &err);
    if (!st) st = ocl_queue_finish(t->queue, &err);
    double took = seconds() - begin;
    if (!st && run > 0 && (best < 0 || took < best)) best = took; /* the first one compiles */
  }
  ocl_op_free(k);
  return st ? -1 : best;
}

static int64_t measure(leat_b_device *dev, const leat_b_op *op, int64_t variant, int64_t choice) {
  trial t;
  leat_error err;
  double best = -1;
  memset(&err, 0, sizeof err);
  if (!trial_begin(dev, op, &t, &err))
    for (int64_t i = 0; i < ocl_gemm_choices(variant); i++) {
      double took = trial_time(dev, &t, variant, i);
      if (took >= 0 && (best < 0 || took < best)) best = took, choice = i;
    }
  trial_end(&t);
  return choice;
}

static void remember(leat_b_device *dev, const char *name, int64_t choice) {
  ocl_tuned *t = ocl_zalloc(dev->self->host, sizeof *t);
  if (!t) return;
  snprintf(t->key, sizeof t->key, "%s", name);
  t->choice = choice;
  t->next = dev->tuned;
  dev->tuned = t;
}

void ocl_gemm_tune(leat_b_device *dev, const leat_b_op *op, int64_t variant, int64_t *choice) {
  const leat_b_host *host = dev->self->host;
  char name[96], key[128];
  void *bytes;
  uint64_t size;
  int64_t kept = -1;
  double work = (double)op->out->shape[0] * (double)op->out->shape[1] * (double)op->in->shape[1];
  if (work < tune_least_work) return;
  class_name(op, variant, name, sizeof name);
  for (const ocl_tuned *t = dev->tuned; t; t = t->next)
    if (!strcmp(t->key, name)) {
      *choice = t->choice;
      return;
    }
  ocl_key(dev, "tune", name, key, sizeof key);
  if (ocl_cache_read(host, key, &bytes, &size) == LEAT_OK) {
    if (size == sizeof kept) memcpy(&kept, bytes, sizeof kept);
    ocl_release(host, bytes, size + 1);
  }
  if (kept < 0 || kept >= ocl_gemm_choices(variant)) {
    kept = measure(dev, op, variant, *choice);
    ocl_cache_write(host, key, &kept, sizeof kept);
  }
  *choice = kept;
  remember(dev, name, kept);
}
