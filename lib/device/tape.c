/* Tapes: see tape.h. */
#include "device/tape.h"
#include "device/registry.h"
#include <string.h>

/* A tensor of an op that the CPU does: its own block on the CPU, as long as the tensor reaches. */
typedef struct tape_stage { leat_b_buffer *buffer; void *data; uint64_t size; } tape_stage;
typedef struct tape_node {
  leat_b_op op;
  leat_b_tensor in[LT_TAPE_TENSORS], out[LT_TAPE_TENSORS];
  double f[LT_TAPE_F];
  int64_t i[LT_TAPE_I];
  leat_b_kernel *kernel;
  tape_stage *stage; /* [n_in + n_out], NULL: the device does it */
} tape_node;
struct lt_tape {
  leat_runtime *rt;
  leat_device *dev, *cpu;
  leat_b_queue *queue, *cpu_queue;
  leat_b_buffer **buffer;
  uint64_t *size, n_buffers, cap_buffers, cap_sizes;
  tape_node **node;
  uint64_t n_nodes, cap_nodes;
};

static leat_error tape_said(void) {
  leat_error e;
  memset(&e, 0, sizeof e);
  e.struct_size = sizeof e;
  return e;
}

/* Plug-ins are promised one thread at a time; the built-in devices take any number. */
static void tape_enter(const lt_tape *t) {
  if (!t->dev->backend->built_in) lt_mutex_lock(&t->dev->lock);
}

static void tape_leave(const lt_tape *t) {
  if (!t->dev->backend->built_in) lt_mutex_unlock(&t->dev->lock);
}

static int tape_has_slots(const leat_b_backend *b) {
  return b->device_open && b->buffer_alloc && b->buffer_free && b->queue_create && b->queue_free && b->queue_copy &&
         b->queue_finish && b->op_score && b->op_prepare && b->op_enqueue && b->op_free;
}

leat_status lt_tape_create(leat_runtime *rt, const leat_device *dev, lt_tape **out, leat_error *err) {
  leat_error said = tape_said();
  *out = NULL;
  leat_device *cpu = (leat_device *)(uintptr_t)lt_devices_cpu(rt);
  leat_device *on = dev ? (leat_device *)(uintptr_t)dev : cpu;
  if (!tape_has_slots(&on->backend->table))
    return lt_fail(err, LEAT_E_UNSUPPORTED, "device %s has no memory or queues of its own to train on", on->name);
  leat_status st = lt_device_ready(on, err);
  if (!st) st = lt_device_ready(cpu, err);
  if (st) return st;
  lt_tape *t = lt_zalloc(rt, sizeof *t);
  if (!t) return lt_fail_memory(err, sizeof *t, "a tape");
  lt_runtime_ref(rt);
  t->rt = rt;
  t->dev = on;
  t->cpu = cpu;
  tape_enter(t);
  st = on->backend->table.queue_create(on->open, 0, &t->queue, &said);
  tape_leave(t);
  if (st) st = lt_device_failed(on, "queue_create", st, &said, err);
  if (!st) {
    st = cpu->backend->table.queue_create(cpu->open, 0, &t->cpu_queue, &said);
    if (st) st = lt_device_failed(cpu, "queue_create", st, &said, err);
  }
  if (st) lt_tape_free(t);
  else *out = t;
  return st;
}

static void node_free(lt_tape *t, tape_node *n) {
  const leat_b_backend *cpu = &t->cpu->backend->table;
  if (!n) return;
  if (n->kernel) (n->stage ? cpu : &t->dev->backend->table)->op_free(n->kernel);
  for (int64_t k = 0; n->stage && k < n->op.n_in + n->op.n_out; k++)
    if (n->stage[k].buffer) cpu->buffer_free(n->stage[k].buffer);
  lt_free(t->rt, n->stage);
  lt_free(t->rt, n);
}

void lt_tape_free(lt_tape *t) {
  if (!t) return;
  leat_runtime *rt = t->rt;
  const leat_b_backend *b = &t->dev->backend->table;
  leat_error said = tape_said();
  tape_enter(t);
  if (t->queue) (void)b->queue_finish(t->queue, &said); /* nothing may run on buffers that go away */
  for (uint64_t k = 0; k < t->n_nodes; k++) node_free(t, t->node[k]);
  for (uint64_t k = 0; k < t->n_buffers; k++)
    if (t->buffer[k]) b->buffer_free(t->buffer[k]);
  if (t->queue) b->queue_free(t->queue);
  tape_leave(t);
  if (t->cpu_queue) t->cpu->backend->table.queue_free(t->cpu_queue);
  lt_free(rt, t->node);
  lt_free(rt, t->buffer);
  lt_free(rt, t->size);
  lt_free(rt, t);
  lt_runtime_unref(rt);
}

static leat_status tape_room(lt_tape *t, leat_error *err) {
  if (t->n_buffers >= INT32_MAX) return lt_fail(err, LEAT_E_RANGE, "too many buffers");
  leat_status st = lt_grow(t->rt, (void **)&t->buffer, &t->cap_buffers, t->n_buffers + 1, sizeof *t->buffer, err);
  return st ? st : lt_grow(t->rt, (void **)&t->size, &t->cap_sizes, t->n_buffers + 1, sizeof *t->size, err);
}

leat_status lt_tape_wrap(lt_tape *t, const void *host, uint64_t n, int32_t *id, leat_error *err) {
  leat_error said = tape_said();
  const leat_b_backend *b = &t->dev->backend->table;
  leat_status st = tape_room(t, err);
  if (st) return st;
  if (b->buffer_wrap && n) {
    t->buffer[t->n_buffers] = NULL;
    t->size[t->n_buffers] = n;
    tape_enter(t);
    st = b->buffer_wrap(t->dev->open, (void *)(uintptr_t)host, n, &t->buffer[t->n_buffers], &said);
    tape_leave(t);
    if (!st) *id = (int32_t)t->n_buffers++;
    if (!st) return LEAT_OK;
    if (st != LEAT_E_UNSUPPORTED) return lt_device_failed(t->dev, "buffer_wrap", st, &said, err);
  }
  st = lt_tape_buffer(t, n, id, err);
  return st ? st : lt_tape_write(t, *id, 0, host, n, err);
}

leat_status lt_tape_buffer(lt_tape *t, uint64_t size, int32_t *id, leat_error *err) {
  leat_error said = tape_said();
  *id = -1;
  leat_status st = tape_room(t, err);
  if (st) return st;
  size = size ? (size + 63) / 64 * 64 : 64;
  t->buffer[t->n_buffers] = NULL;
  t->size[t->n_buffers] = size;
  tape_enter(t);
  st = t->dev->backend->table.buffer_alloc(t->dev->open, 0, size, 64, &t->buffer[t->n_buffers], &said);
  tape_leave(t);
  if (st) return lt_device_failed(t->dev, "buffer_alloc", st, &said, err);
  *id = (int32_t)t->n_buffers++;
  return LEAT_OK;
}

/* The lock is held. */
static leat_status tape_copy(lt_tape *t, leat_b_buffer *dst, leat_b_buffer *src, uint64_t offset, void *host,
                             uint64_t size, leat_error *err) {
  leat_error said = tape_said();
  const leat_b_backend *b = &t->dev->backend->table;
  leat_b_copy copy = {sizeof copy, dst, src, host, dst ? offset : 0, src ? offset : 0, size, NULL, 0};
  if (size == 0) return LEAT_OK;
  leat_status st = b->queue_copy(t->queue, &copy, NULL, &said);
  if (st) return lt_device_failed(t->dev, "queue_copy", st, &said, err);
  st = b->queue_finish(t->queue, &said);
  return st ? lt_device_failed(t->dev, "queue_finish", st, &said, err) : LEAT_OK;
}

static leat_status tape_range(const lt_tape *t, int32_t id, uint64_t offset, uint64_t size, leat_error *err) {
  if (id >= 0 && (uint64_t)id < t->n_buffers && t->buffer[id] && offset <= t->size[id] && size <= t->size[id] - offset)
    return LEAT_OK;
  return lt_fail(err, LEAT_E_INTERNAL, "a copy of %llu bytes at %llu is outside buffer %d of a tape",
                 (unsigned long long)size, (unsigned long long)offset, (int)id);
}

leat_status lt_tape_write(lt_tape *t, int32_t id, uint64_t offset, const void *from, uint64_t size, leat_error *err) {
  leat_status st = tape_range(t, id, offset, size, err);
  if (st) return st;
  tape_enter(t);
  st = tape_copy(t, t->buffer[id], NULL, offset, (void *)(uintptr_t)from, size, err);
  tape_leave(t);
  return st;
}

leat_status lt_tape_read(lt_tape *t, int32_t id, uint64_t offset, void *to, uint64_t size, leat_error *err) {
  leat_status st = tape_range(t, id, offset, size, err);
  if (st) return st;
  tape_enter(t);
  st = tape_copy(t, NULL, t->buffer[id], offset, to, size, err);
  tape_leave(t);
  return st;
}

/* ---- ops */

static uint64_t dtype_size(int64_t dtype) {
  return dtype == LEAT_F32 || dtype == LEAT_I32 ? 4 : dtype == LEAT_F16 || dtype == LEAT_BF16 ? 2 : 1;
}

/* Bytes from the first element to behind the last one. */
static uint64_t tensor_span(const leat_b_tensor *v) {
  int64_t reach = 1;
  for (int64_t k = 0; k < v->rank; k++) {
    if (v->shape[k] == 0) return 0;
    reach += (v->shape[k] - 1) * v->stride[k];
  }
  return (uint64_t)reach * dtype_size(v->dtype);
}

static leat_status node_tensor(const lt_tape *t, const lt_tensor *from, leat_b_tensor *to, leat_error *err) {
  *to = (leat_b_tensor){sizeof *to, NULL, from->offset, from->dtype, from->rank, {0}, {0}};
  memcpy(to->shape, from->shape, sizeof to->shape);
  memcpy(to->stride, from->stride, sizeof to->stride);
  leat_status st = tape_range(t, from->buffer, from->offset, tensor_span(to), err);
  if (!st) to->buffer = t->buffer[from->buffer];
  return st;
}

/* The op's place on the CPU: a block for each tensor. */
static leat_status node_stage(lt_tape *t, tape_node *n, leat_error *err) {
  const leat_b_backend *cpu = &t->cpu->backend->table;
  leat_error said = tape_said();
  int64_t count = n->op.n_in + n->op.n_out;
  n->stage = lt_zarray(t->rt, (uint64_t)count, sizeof *n->stage);
  if (!n->stage) return lt_fail_memory(err, (uint64_t)count * sizeof *n->stage, "a tape");
  for (int64_t k = 0; k < count; k++) {
    tape_stage *s = &n->stage[k];
    s->size = tensor_span(k < n->op.n_in ? &n->in[k] : &n->out[k - n->op.n_in]);
    if (s->size == 0) continue;
    leat_status st = cpu->buffer_alloc(t->cpu->open, 0, s->size, 64, &s->buffer, &said);
    if (!st) st = cpu->buffer_map(s->buffer, 0, s->size, 0, &s->data, &said);
    if (st) return lt_device_failed(t->cpu, "buffer_alloc", st, &said, err);
  }
  return LEAT_OK;
}

/* The op with its tensors on the CPU's blocks. */
static leat_b_op staged_op(const tape_node *n, leat_b_tensor in[LT_TAPE_TENSORS], leat_b_tensor out[LT_TAPE_TENSORS]) {
  leat_b_op op = n->op;
  for (int64_t k = 0; k < op.n_in; k++) {
    in[k] = n->in[k];
    in[k].buffer = n->stage[k].buffer;
    in[k].offset = 0;
  }
  for (int64_t k = 0; k < op.n_out; k++) {
    out[k] = n->out[k];
    out[k].buffer = n->stage[op.n_in + k].buffer;
    out[k].offset = 0;
  }
  op.in = in;
  op.out = out;
  return op;
}

static leat_status node_prepare(lt_tape *t, tape_node *n, leat_error *err) {
  const leat_b_backend *b = &t->dev->backend->table, *cpu = &t->cpu->backend->table;
  leat_b_tensor in[LT_TAPE_TENSORS], out[LT_TAPE_TENSORS];
  leat_error said = tape_said();
  int64_t score = 0;
  tape_enter(t);
  leat_status st = b->op_score(t->dev->open, &n->op, &score, &said);
  if (!st && score > 0) st = b->op_prepare(t->dev->open, &n->op, &n->kernel, &said);
  tape_leave(t);
  if (!st && score > 0) return LEAT_OK;
  if (st && st != LEAT_E_UNSUPPORTED) return lt_device_failed(t->dev, n->op.name, st, &said, err);
  n->kernel = NULL;
  st = node_stage(t, n, err);
  if (st) return st;
  leat_b_op op = staged_op(n, in, out);
  st = cpu->op_prepare(t->cpu->open, &op, &n->kernel, &said);
  return st ? lt_device_failed(t->cpu, n->op.name, st, &said, err) : LEAT_OK;
}

leat_status lt_tape_add(lt_tape *t, const lt_tape_op *op, int32_t *node, leat_error *err) {
  leat_status st = lt_grow(t->rt, (void **)&t->node, &t->cap_nodes, t->n_nodes + 1, sizeof *t->node, err);
  if (st) return st;
  tape_node *n = lt_zalloc(t->rt, sizeof *n);
  if (!n) return lt_fail_memory(err, sizeof *n, "a tape");
  memcpy(n->f, op->f, sizeof n->f);
  memcpy(n->i, op->i, sizeof n->i);
  n->op = (leat_b_op){sizeof n->op, op->name, op->n_in, op->n_out, n->in, n->out, n->f, n->i, op->n_f, op->n_i, 0};
  for (int32_t k = 0; k < op->n_in && !st; k++) st = node_tensor(t, &op->in[k], &n->in[k], err);
  for (int32_t k = 0; k < op->n_out && !st; k++) st = node_tensor(t, &op->out[k], &n->out[k], err);
  if (!st) st = node_prepare(t, n, err);
  if (st) {
    node_free(t, n);
    return st;
  }
  if (node) *node = (int32_t)t->n_nodes;
  t->node[t->n_nodes++] = n;
  return LEAT_OK;
}

int32_t lt_tape_end(const lt_tape *t) { return (int32_t)t->n_nodes; }
void lt_tape_set_f(lt_tape *t, int32_t node, int32_t k, double value) { t->node[node]->f[k] = value; }
void lt_tape_set_i(lt_tape *t, int32_t node, int32_t k, int64_t value) { t->node[node]->i[k] = value; }
void lt_tape_move_in(lt_tape *t, int32_t node, int32_t k, uint64_t offset) { t->node[node]->in[k].offset = offset; }
void lt_tape_move_out(lt_tape *t, int32_t node, int32_t k, uint64_t offset) { t->node[node]->out[k].offset = offset; }
/* What the device lacks: there and back. Outputs go there too, since an op may add to them. */
static leat_status run_staged(lt_tape *t, tape_node *n, leat_error *err) {
  const leat_b_backend *cpu = &t->cpu->backend->table;
  leat_b_tensor in[LT_TAPE_TENSORS], out[LT_TAPE_TENSORS];
  leat_error said = tape_said();
  leat_status st = LEAT_OK;
  int64_t n_in = n->op.n_in, count = n_in + n->op.n_out;
  for (int64_t k = 0; k < count && !st; k++) {
    const leat_b_tensor *v = k < n_in ? &n->in[k] : &n->out[k - n_in];
    st = tape_copy(t, NULL, v->buffer, v->offset, n->stage[k].data, n->stage[k].size, err);
  }
  if (st) return st;
  leat_b_op op = staged_op(n, in, out);
  st = cpu->op_enqueue(t->cpu_queue, n->kernel, &op, NULL, 0, NULL, &said);
  if (!st) st = cpu->queue_finish(t->cpu_queue, &said);
  if (st) return lt_device_failed(t->cpu, n->op.name, st, &said, err);
  for (int64_t k = n_in; k < count && !st; k++) {
    const leat_b_tensor *v = &n->out[k - n_in];
    st = tape_copy(t, v->buffer, NULL, v->offset, n->stage[k].data, n->stage[k].size, err);
  }
  lt_runtime_count_fallback(t->rt, 1);
  return st;
}

leat_status lt_tape_run(lt_tape *t, int32_t from, int32_t to, leat_error *err) {
  const leat_b_backend *b = &t->dev->backend->table;
  leat_error said = tape_said();
  leat_status st = LEAT_OK;
  tape_enter(t);
  for (int32_t k = from; k < to && !st; k++) {
    tape_node *n = t->node[k];
    if (n->stage) {
      st = run_staged(t, n, err);
      continue;
    }
    st = b->op_enqueue(t->queue, n->kernel, &n->op, NULL, 0, NULL, &said);
    if (st) st = lt_device_failed(t->dev, n->op.name, st, &said, err);
  }
  tape_leave(t);
  return st;
}

leat_status lt_tape_finish(lt_tape *t, leat_error *err) {
  leat_error said = tape_said();
  tape_enter(t);
  leat_status st = t->dev->backend->table.queue_finish(t->queue, &said);
  tape_leave(t);
  return st ? lt_device_failed(t->dev, "queue_finish", st, &said, err) : LEAT_OK;
}
