/* The gate's parameters: what to do for a reason, bounds, required columns. */
#include <string.h>
#include "base/number.h"
#include "lifecycle/gate_inner.h"
#include "lifecycle/quarantine.h"

typedef struct gate_reason { int32_t reason, action, unlearnable; } gate_reason;
static const gate_reason reasons[GATE_REASONS] = {
    {LEAT_REASON_PARSE, LT_HOLD, 1},
    {LEAT_REASON_TOO_LONG, LT_HOLD, 1},
    {LEAT_REASON_MISSING, LT_HOLD, 0},
    {LEAT_REASON_TYPE, LT_HOLD, 1},
    {LEAT_REASON_SHAPE, LT_HOLD, 1},
    {LEAT_REASON_NON_FINITE, LT_HOLD, 0},
    {LEAT_REASON_RANGE, LT_HOLD, 0},
    {LEAT_REASON_UNSEEN_CATEGORY, LT_COUNT, 0},
    {LEAT_REASON_OUTLIER, LT_HOLD, 0},
    {LEAT_REASON_LABEL_MISSING, LT_COUNT, 0},
    {LEAT_REASON_LABEL_INVALID, LT_HOLD, 1},
    {LEAT_REASON_LABEL_LATE, LT_HOLD, 0},
    {LEAT_REASON_WEIGHT, LT_HOLD, 1},
    {LEAT_REASON_TOO_OLD, LT_HOLD, 0},
    {LEAT_REASON_DUPLICATE, LT_COUNT, 0},
    {LEAT_REASON_LOSS_SPIKE, LT_COUNT, 0},
    {LEAT_REASON_ROLLBACK_SUSPECT, LT_HOLD, 0},
    {LEAT_REASON_USER, LT_HOLD, 0},
};
static const char *const actions[] = {"admit", "count", "quarantine", "stop"}; /* LT_ADMIT to LT_STOP */

int lt_gate_reason_index(int32_t reason) {
  for (int i = 0; i < GATE_REASONS; i++)
    if (reasons[i].reason == reason) return i;
  return -1;
}

int lt_gate_unlearnable(int32_t reason) {
  int i = lt_gate_reason_index(reason);
  return i >= 0 && reasons[i].unlearnable;
}

/* The next item of a list that is separated by commas, trimmed; 0 at the end. Empty items are passed over. */
typedef struct gate_word { const char *s, *end; } gate_word;
static gate_word word_trim(gate_word w) {
  while (w.s < w.end && (*w.s == ' ' || *w.s == '\t')) w.s++;
  while (w.s < w.end && (w.end[-1] == ' ' || w.end[-1] == '\t')) w.end--;
  return w;
}
static int word_next(const char **at, gate_word *out) {
  while (**at) {
    uint64_t n = strcspn(*at, ",");
    *out = word_trim((gate_word){*at, *at + n});
    *at += n + ((*at)[n] == ',');
    if (out->s < out->end) return 1;
  }
  return 0;
}
static int word_is(gate_word w, const char *text) {
  return strlen(text) == (size_t)(w.end - w.s) && memcmp(w.s, text, (size_t)(w.end - w.s)) == 0;
}
/* Cut at the last `sign`; 0 when there is none, or nothing before it. */
static int word_cut(gate_word w, char sign, gate_word *left, gate_word *right) {
  const char *p = w.end;
  while (p > w.s && p[-1] != sign) p--;
  if (p == w.s) return 0;
  *left = word_trim((gate_word){w.s, p - 1});
  *right = word_trim((gate_word){p, w.end});
  return left->s < left->end;
}

static int word_find(gate_word w, const char *const *names, int n) {
  for (int i = 0; i < n; i++)
    if (word_is(w, names[i])) return i;
  return -1;
}

static leat_status word_unknown(gate_word w, const char *const *names, int n, const char *what, const char *list,
                                leat_error *err) {
  char name[64];
  int len = w.end - w.s < 60 ? (int)(w.end - w.s) : 60;
  memcpy(name, w.s, (size_t)len);
  name[len] = 0;
  const char *near = lt_nearest(name, names, n);
  if (near) return lt_fail(err, LEAT_E_ARG, "actions: unknown %s '%s': did you mean '%s'?", what, name, near);
  return lt_fail(err, LEAT_E_ARG, "actions: unknown %s '%s'; there are %s", what, name, list);
}

static leat_status settings_actions(lt_gate *g, const char *text, leat_error *err) {
  const char *names[GATE_REASONS];
  char list[400] = "";
  uint64_t used = 0;
  gate_word w, left, right;
  for (int i = 0; i < GATE_REASONS; i++) {
    names[i] = lt_reason_name(reasons[i].reason);
    uint64_t n = strlen(names[i]);
    g->action[i] = reasons[i].action;
    memcpy(list + used, i ? ", " : "", i ? 2 : 0);
    used += i ? 2 : 0;
    memcpy(list + used, names[i], n + 1);
    used += n;
  }
  while (word_next(&text, &w)) {
    if (!word_cut(w, '=', &left, &right))
      return lt_fail(err, LEAT_E_ARG, "actions: '%.*s' is not REASON=ACTION, for instance outlier=count",
                     w.end - w.s < 100 ? (int)(w.end - w.s) : 100, w.s);
    int i = word_find(left, names, GATE_REASONS), a = word_find(right, actions, 4);
    if (i < 0) return word_unknown(left, names, GATE_REASONS, "reason", list, err);
    if (a < 0) return word_unknown(right, actions, 4, "action", "admit, count, quarantine, stop", err);
    if (reasons[i].unlearnable && a < LT_HOLD)
      return lt_fail(err, LEAT_E_ARG, "actions: %s=%s: there is nothing to learn from such a record, it can be quarantine or stop",
                     names[i], actions[a]);
    g->action[i] = a;
  }
  return LEAT_OK;
}

static leat_status settings_ranges(lt_gate *g, const char *text, leat_error *err) {
  gate_word w, name, bounds, low, high;
  while (word_next(&text, &w)) {
    lt_gate_range r = {NULL, -INFINITY, INFINITY, -1};
    int cut = word_cut(w, '=', &name, &bounds), good = 0;
    const char *colon = cut ? memchr(bounds.s, ':', (size_t)(bounds.end - bounds.s)) : NULL;
    if (colon) {
      low = word_trim((gate_word){bounds.s, colon});
      high = word_trim((gate_word){colon + 1, bounds.end});
      good = (low.s == low.end || lt_parse_f64(low.s, low.end, &r.low)) &&
             (high.s == high.end || lt_parse_f64(high.s, high.end, &r.high)) && r.low <= r.high;
    }
    if (!good)
      return lt_fail(err, LEAT_E_ARG, "ranges: '%.*s' is not COL=LO:HI with numbers LO <= HI (an empty side is open)",
                     w.end - w.s < 100 ? (int)(w.end - w.s) : 100, w.s);
    for (uint64_t i = 0; i < g->n_ranges; i++)
      if (word_is(name, g->range[i].name))
        return lt_fail(err, LEAT_E_ARG, "ranges: '%.100s' is there twice", g->range[i].name);
    void *p = g->range;
    leat_status st = lt_grow(g->rt, &p, &g->range_cap, g->n_ranges + 1, sizeof r, err);
    if (st) return st;
    g->range = p;
    r.name = lt_strndup(g->rt, name.s, (uint64_t)(name.end - name.s));
    if (!r.name) return lt_fail_memory(err, (uint64_t)(name.end - name.s) + 1, "a range");
    g->range[g->n_ranges++] = r;
  }
  return LEAT_OK;
}

static leat_status settings_required(lt_gate *g, const char *text, leat_error *err) {
  gate_word w;
  while (word_next(&text, &w)) {
    void *p = g->required;
    leat_status st = lt_grow(g->rt, &p, &g->required_cap, g->n_required + 1, sizeof *g->required, err);
    if (st) return st;
    g->required = p;
    char *name = lt_strndup(g->rt, w.s, (uint64_t)(w.end - w.s));
    if (!name) return lt_fail_memory(err, (uint64_t)(w.end - w.s) + 1, "a required column");
    g->required[g->n_required++] = (lt_gate_name){name, -1};
  }
  return LEAT_OK;
}

leat_status lt_gate_settings(lt_gate *g, const leat_params *settings, leat_error *err) {
  g->on = lt_param_int(settings, "gate") != 0;
  g->outlier = g->on && lt_param_int(settings, "outlier") != 0;
  g->max_age = lt_param_real(settings, "max_age");
  g->stop_share = lt_param_real(settings, "stop_share");
  leat_status st = settings_actions(g, lt_param_str(settings, "actions"), err);
  if (!st) st = settings_ranges(g, lt_param_str(settings, "ranges"), err);
  if (!st) st = settings_required(g, lt_param_str(settings, "required"), err);
  return st;
}
