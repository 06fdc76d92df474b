/* Labels that were learned, by the hash of their texts: codes belong to a batch's schema, texts do not. */
#include <string.h>
#include "lifecycle/gate_inner.h"

int lt_gate_labels_has(const lt_gate_labels *l, uint64_t hash) {
  if (!l->size) return 0;
  for (uint64_t i = hash & (l->size - 1); l->table[i]; i = (i + 1) & (l->size - 1))
    if (l->hash[l->table[i] - 1] == hash) return 1;
  return 0;
}

static void labels_place(lt_gate_labels *l, uint64_t k) {
  uint64_t i = l->hash[k] & (l->size - 1);
  while (l->table[i]) i = (i + 1) & (l->size - 1);
  l->table[i] = (uint32_t)(k + 1);
}

void lt_gate_labels_add(lt_gate_labels *l, uint64_t hash) {
  if (l->n >= GATE_LABELS || lt_gate_labels_has(l, hash)) return;
  l->hash[l->n] = hash;
  labels_place(l, l->n++);
}

leat_status lt_gate_labels_room(leat_runtime *rt, lt_gate_labels *l, uint64_t more, leat_error *err) {
  uint64_t most = more > GATE_LABELS - l->n ? GATE_LABELS : l->n + more;
  if (most <= l->cap) return LEAT_OK;
  uint64_t cap = 16;
  while (cap < most) cap *= 2;
  uint32_t *table = lt_zarray(rt, 2 * cap, sizeof *table);
  uint64_t *hash = table ? lt_realloc(rt, l->hash, cap * sizeof *hash) : NULL;
  if (!hash) {
    lt_free(rt, table);
    return lt_fail_memory(err, cap * 16, "labels of the gate");
  }
  lt_free(rt, l->table);
  l->hash = hash;
  l->cap = cap;
  l->table = table;
  l->size = 2 * cap;
  for (uint64_t k = 0; k < l->n; k++) labels_place(l, k);
  return LEAT_OK;
}

void lt_gate_labels_free(leat_runtime *rt, lt_gate_labels *l) {
  lt_free(rt, l->hash);
  lt_free(rt, l->table);
  *l = (lt_gate_labels){0};
}
