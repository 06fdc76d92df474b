/* What a device can do: its op_score is asked about a call of every op, with as few tensors as the op takes. */
#include "device/ops.h"
#include "device/registry.h"

#include <string.h>

enum { PROBE_SIZE = 32 };

/* A dense tensor whose dimensions are all of one size, but where the definition says otherwise. */
static leat_b_tensor probe_tensor(const lt_tensor_def *d) {
  leat_b_tensor t = {sizeof t, NULL, 0, d->dtype == LT_OP_DTYPE_ANY ? LEAT_F32 : d->dtype, 0, {0}, {0}};
  int64_t step = 1;
  for (const char *c = d->dims; *c; c++, t.rank++)
    t.shape[t.rank] = *c >= '0' && *c <= '9' ? *c - '0' : *c == 'R' ? PROBE_SIZE + 1
                      : *c == 'D' || *c == 'W' ? (int64_t)PROBE_SIZE * PROBE_SIZE : PROBE_SIZE;
  for (int64_t i = t.rank; i-- > 0; step *= t.shape[i]) t.stride[i] = step;
  return t;
}

static leat_status probe_op(const leat_device *dev, const lt_op_def *def, int64_t *score, leat_error *said) {
  static const double numbers[16];
  int64_t whole[4] = {!strncmp(def->name, "map", 3), 0, 0, 0}; /* relu: its gradient has no f of 0 */
  leat_b_tensor in[LT_OP_TENSORS], out[LT_OP_TENSORS];
  leat_b_op op = {sizeof op, def->name, def->in_min, def->out_min, in, out, numbers, whole, def->f_min, def->i_min, 0};
  for (int i = 0; i < def->in_min; i++) in[i] = probe_tensor(&def->in[i]);
  for (int i = 0; i < def->out_min; i++) out[i] = probe_tensor(&def->out[i]);
  *score = 0;
  return dev->backend->table.op_score(dev->open, &op, score, said);
}

leat_status lt_device_ops(const leat_device *dev, char *buf, uint64_t cap, uint64_t *needed, leat_error *err) {
  leat_device *on = (leat_device *)(uintptr_t)dev; /* its lock */
  char text[1024] = "";
  uint64_t at = 0;
  leat_status st = lt_device_ready(on, err);
  if (st) return st;
  if (!on->backend->built_in) lt_mutex_lock(&on->lock);
  for (int64_t i = 0; i < LT_OP_COUNT && dev->open && dev->backend->table.op_score; i++) {
    const lt_op_def *def = lt_op_at(i);
    leat_error said = {.struct_size = sizeof said};
    int64_t score = 0;
    uint64_t length = strlen(def->name);
    if (probe_op(dev, def, &score, &said) || score <= 0 || at + length + 2 > sizeof text) continue;
    if (at) text[at++] = ' ';
    memcpy(text + at, def->name, length + 1);
    at += length;
  }
  if (!on->backend->built_in) lt_mutex_unlock(&on->lock);
  return lt_give_text(text, at, buf, cap, needed, err);
}
