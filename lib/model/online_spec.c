/* The settings of the online family: one table under two names that differ in who learns by default. */
#include "model/online.h"
#include <string.h>

#define LEARNER_DEF(standard)                                                                                             \
  {"learner", LEAT_PARAM_CHOICE, standard, 0, 0, "race|cheap|adagrad|ftrl|coin|ons|alma|gauss|mlp|net",                   \
   "Who learns. race: all linear ones but ftrl, mixed by their logits (numbers: adagrad, coin and gauss); cheap: adagrad, "\
   "coin and alma; mlp: the race and a neural network, mixed; net: the network alone.", 1}
#define OTHER_DEFS                                                                                                        \
    {"hash_bits", LEAT_PARAM_I64, "18", 1, 24, NULL,                                                                      \
     "Sparse blocks, labels and words share 2^hash_bits slots; indices below that do not collide.", 1},                   \
    {"max_classes", LEAT_PARAM_I64, "256", 2, LT_ONLINE_CLASSES, NULL, "The most classes that may come up.", 1},          \
    {"adagrad_rate", LEAT_PARAM_F64, "0.5", 0, 1e6, NULL, "The learning rate of adagrad.", 1},                            \
    {"ftrl_alpha", LEAT_PARAM_F64, "0.1", 1e-12, 1e6, NULL, "The learning rate of ftrl.", 1},                             \
    {"ftrl_beta", LEAT_PARAM_F64, "1", 0, 1e6, NULL, "How slowly ftrl's first steps begin.", 1},                          \
    {"ftrl_l1", LEAT_PARAM_F64, "0", 0, 1e6, NULL, "ftrl keeps a weight at 0 while its evidence is below this.", 1},      \
    {"hidden", LEAT_PARAM_I64, "32", 4, 128, NULL,                                                                        \
     "Units of the network (mlp, net), a multiple of 4: a slot takes 4 * hidden + 4 bytes more.", 2},                     \
    {"net_rate", LEAT_PARAM_F64, "1", 0, 1e6, NULL, "The learning rate of the network's units.", 2},                      \
    {"words", LEAT_PARAM_I64, "1", 1, 2, NULL, "Texts are their words; 2: and each two words that follow each other.", 2}, \
    {"log", LEAT_PARAM_TEXT, "", 0, 0, NULL,                                                                              \
     "Number columns of which sign(x) * log(1 + |x|) is learned from, for amounts and counts; commas between them.", 2},  \
    {"buckets", LEAT_PARAM_TEXT, "", 0, 0, NULL,                                                                          \
     "Number columns that are learned in cells of equal mass too, as age:10,income:20 (10 when no number is given); the " \
     "edges are those of the first 1024 values.", 2},                                                                     \
    {"missing", LEAT_PARAM_BOOL, "false", 0, 0, NULL, "Number columns get a feature that says that the value is missing.", 2},\
    {"cross", LEAT_PARAM_TEXT, "", 0, 0, NULL, "Pairs of categories that are learned together too, as region*plan.", 2},  \
    {"half_life", LEAT_PARAM_I64, "1000", 1, 1000000000, NULL, "Rows after which a row counts half in the faded metrics.", 1},\
    {"window", LEAT_PARAM_I64, "1000", 1, 1000000, NULL, "Rows of the window metrics.", 1}
static const lt_param_def online_defs[] = {LEARNER_DEF("race"), OTHER_DEFS};
static const lt_param_def online_mlp_defs[] = {LEARNER_DEF("mlp"), OTHER_DEFS};
const lt_spec lt_online_spec = {
    "online/linear", "Linear model that learns row by row, untuned: a race of learners, mixed.", online_defs,
    (int64_t)(sizeof online_defs / sizeof online_defs[0])};
const lt_spec lt_online_mlp_spec = {
    "online/mlp", "Neural network that learns row by row, untuned, mixed with the race of linear learners.", online_mlp_defs,
    (int64_t)(sizeof online_mlp_defs / sizeof online_mlp_defs[0])};

int lt_online_is_spec(const lt_spec *spec) { return spec == &lt_online_spec || spec == &lt_online_mlp_spec; }

int lt_online_encodes(const leat_params *p) {
  return lt_param_int(p, "words") != 1 || lt_param_int(p, "missing") || *lt_param_str(p, "log") || *lt_param_str(p, "buckets") ||
         *lt_param_str(p, "cross");
}

/* Packages, journals and checkpoints know one table only, so that a champion of either kind may follow the other. */
leat_status lt_online_settings(leat_runtime *rt, const leat_params *p, leat_params **out, leat_error *err) {
  const lt_spec *spec = lt_params_spec(p);
  if (spec == &lt_online_spec) return lt_params_copy(p, out, err);
  leat_params *q = NULL;
  leat_status st = lt_params_create(rt, &lt_online_spec, &q, err);
  for (int64_t i = 0; i < spec->count && !st; i++) {
    const char *name = spec->defs[i].name;
    char text[64];
    uint64_t needed;
    if (spec->defs[i].type == LEAT_PARAM_TEXT) {
      st = lt_params_set_text(q, name, lt_param_str(p, name), err);
      continue;
    }
    st = lt_params_get_text(p, name, text, sizeof text, &needed, err);
    if (!st) st = lt_params_set_text(q, name, text, err);
  }
  if (st) lt_params_free(q);
  *out = st ? NULL : q;
  return st;
}

uint32_t lt_online_learners(const char *name, int regression) {
  static const char *const names[LT_LEARNERS] = {"adagrad", "coin", "ons", "alma", "gauss", "ftrl", "net"};
  const uint32_t numbers = LT_LEARNER(LT_ADAGRAD) | LT_LEARNER(LT_COIN) | LT_LEARNER(LT_GAUSS) | LT_LEARNER(LT_FTRL) | LT_LEARNER(LT_NET);
  uint32_t set = 0;
  if (strcmp(name, "race") == 0) set = LT_LEARNER(LT_RACE) - 1;
  else if (strcmp(name, "mlp") == 0) set = (LT_LEARNER(LT_RACE) - 1) | LT_LEARNER(LT_NET);
  else if (strcmp(name, "cheap") == 0) set = LT_LEARNER(LT_ADAGRAD) | LT_LEARNER(LT_COIN) | LT_LEARNER(LT_ALMA);
  else
    for (int i = 0; i < LT_LEARNERS; i++) set |= strcmp(name, names[i]) == 0 ? LT_LEARNER(i) : 0;
  return regression ? set & numbers : set;
}
