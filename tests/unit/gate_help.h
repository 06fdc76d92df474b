/* Gates for tests: the learner's parameters that they know. */
#ifndef LEAT_TESTS_GATE_HELP_H
#define LEAT_TESTS_GATE_HELP_H
#include "data_kit.h"
#include "lifecycle/gate.h"

static const lt_param_def gate_defs[] = {LT_GATE_PARAMS};
static const lt_spec gate_spec = {"learner", "the gate's part", gate_defs, sizeof gate_defs / sizeof *gate_defs};

/* name=value pairs, separated by blanks. */
static inline leat_status gate_make(leat_runtime *rt, const char *set, lt_gate **out, leat_error *e) {
  leat_params *p = NULL;
  char text[1024];
  *e = (leat_error){.struct_size = sizeof *e};
  *out = NULL;
  if (lt_params_create(rt, &gate_spec, &p, e)) fail_msg("%s", e->message);
  snprintf(text, sizeof text, "%s", set);
  for (char *w = strtok(text, " "); w; w = strtok(NULL, " ")) {
    char *eq = strchr(w, '=');
    *eq = 0;
    if (lt_params_set_text(p, w, eq + 1, e)) fail_msg("%s", e->message);
  }
  leat_status st = lt_gate_create(rt, p, out, e);
  lt_params_free(p);
  assert_int_equal(st, e->code);
  assert_true((st == 0) == (*out != NULL));
  return st;
}
static inline lt_gate *gate_good(leat_runtime *rt, const char *set) {
  leat_error e;
  lt_gate *g = NULL;
  if (gate_make(rt, set, &g, &e)) fail_msg("%s: %s", set, e.message);
  return g;
}
/* All its bytes (lt_put_free), or without strikes and the last verdicts. */
static inline lt_put gate_bytes(leat_runtime *rt, const lt_gate *g, int all) {
  lt_put w;
  lt_put_init(&w, rt);
  lt_gate_save(g, &w);
  assert_false(w.failed);
  uint64_t size = 0;
  for (int i = 0; i < 8; i++) size |= (uint64_t)w.data[4 + i] << 8 * i;
  assert_true(size < w.size);
  if (!all) w.size = 12 + size;
  return w;
}
static inline void gate_same(leat_runtime *rt, const lt_gate *a, const lt_gate *b, int all) {
  lt_put x = gate_bytes(rt, a, all), y = gate_bytes(rt, b, all);
  assert_int_equal(x.size, y.size);
  assert_memory_equal(x.data, y.data, x.size);
  lt_put_free(&x);
  lt_put_free(&y);
}
#endif
