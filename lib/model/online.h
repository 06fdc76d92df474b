/* The online family: linear learners and a small network that are trained one row after the other (train/learn.c), up to
 * six at once, mixed. A snapshot is the whole state, so that a model can be learned on and predicts what its trainer did.
 *
 * A row is a list of slots with values z: slot 0 the bias (z = 1); slots 1 .. n_dense the numbers, standardised by the
 * mean and deviation so far *with this row's own value* and clipped to +-8; behind them, when the model has other
 * columns, 2^hash_bits slots for indices of sparse blocks (as they are while they fit), labels and words (hashed), each
 * value divided by the root mean square of the slot's values, this one among them. Missing numbers are left out. What the
 * settings words, log, buckets, missing and cross ask for is hashed too: pairs of words and of labels by their text, a number's
 * cell by its place. */
#ifndef LEAT_MODEL_ONLINE_H
#define LEAT_MODEL_ONLINE_H
#include "model/encoding.h"
#include "model/family.h"
enum { LT_ADAGRAD = 0, LT_COIN, LT_ONS, LT_ALMA, LT_GAUSS, LT_FTRL, LT_NET, LT_LEARNERS };
enum { LT_RACE = 5, LT_MIXED = 6 };  /* the linear ones that race; those that the mixer takes, at most: ftrl stands alone */
#define LT_LEARNER(k) (1u << (k))
enum { LT_ONLINE_CLASSES = 256, LT_ONLINE_CLIP = 8 };
/* What is kept for one slot of one model, in the order of the bytes of a file. All zero is where every learner starts. */
enum {
  LT_SLOT_N = 0, LT_SLOT_SQUARE,     /* values seen and the sum of their squares; of the first model only */
  LT_SLOT_ADA_W, LT_SLOT_ADA_G,      /* weight, sum of squared gradients */
  LT_SLOT_COIN_W, LT_SLOT_COIN_L, LT_SLOT_COIN_G, LT_SLOT_COIN_R, LT_SLOT_COIN_TH, /* ftrl: w, -, n, -, z */
  LT_SLOT_ONS_WEALTH, LT_SLOT_ONS_A, LT_SLOT_ONS_B, /* less 1, less 1, the bet */
  LT_SLOT_ALMA_W,                    /* times the model's alma_scale */
  LT_SLOT_GAUSS_W, LT_SLOT_GAUSS_Q,  /* weight; precision less its start */
  LT_SLOT_NUMBERS
};                                   /* of the network: see online_net.h */
/* Where these are among the floats of a slot: a line of 16 for learners that are mixed, 4 or 8 for one that stands alone. */
typedef struct lt_online_layout {
  int32_t bits;                      /* a slot has 2^bits floats */
  int8_t at[LT_SLOT_NUMBERS];        /* -1: this learner has none */
} lt_online_layout;
/* What a model has once. */
typedef struct lt_online_one {
  double alma_scale, alma_square, alma_k; /* |w|^2 of the true weights; updates + 1 */
  double platt_a, platt_b;
  double noise;                      /* regression: the mean squared error so far, faded */
  double mix_w[LT_MIXED], mix_p[LT_MIXED * LT_MIXED];
} lt_online_one;
typedef struct lt_online_moment { double n, mean, m2; } lt_online_moment;
typedef struct lt_online {
  leat_runtime *rt;
  uint32_t learners;                 /* LT_LEARNER bits */
  int32_t regression;
  int64_t n_classes;                 /* classes known so far; 0 regression */
  int64_t n_models;                  /* 1 up to two classes (class 1 against class 0), else one a class */
  int64_t n_dense, hash_bits, n_hashed, n_slots; /* n_slots = 1 + n_dense + n_hashed */
  lt_online_moment *moment;          /* [n_dense] */
  lt_online_moment target;           /* regression */
  lt_online_one *one;                /* [n_models] */
  const lt_online_layout *layout;
  int64_t n_hidden;                  /* units of the network; 0: there is none */
  float **cell;                      /* [n_models] of [n_slots + LT_ONLINE_PAD] slots: the layout's floats each; the last
                                        ones take the place of entries that a row does not have, and stay without effect */
  float **net;                       /* [n_models] of [n_slots, n_hidden + 1], see online_net.h; NULL without a network */
  double **head;                     /* [n_models] of lt_online_net_head_size; NULL likewise */
} lt_online;
extern const lt_family lt_family_online;
/* hidden: units of the network, a multiple of 4 up to LT_ONLINE_NET_HIDDEN; 0 when LT_NET is not among the learners. */
leat_status lt_online_create(leat_runtime *rt, uint32_t learners, int64_t hidden, int64_t n_classes, const lt_encoder *e,
                             lt_online **out, leat_error *err);
/* lt_online_model_bytes of such a one. */
uint64_t lt_online_bytes(uint32_t learners, int64_t hidden, const lt_encoder *e);
void lt_online_free(lt_online *m);
leat_status lt_online_copy(const lt_online *m, lt_online **out, leat_error *err);
/* One more class; the third one turns the model of two classes into one a class. On failure nothing has changed. */
leat_status lt_online_add_class(lt_online *m, leat_error *err);
/* online_hasten.c: what was summed up counts `share` of it, the weights stay; beta: FTRL's. Touches every slot. */
void lt_online_hasten(lt_online *m, float share, double beta);
void lt_online_save(const lt_online *m, lt_put *w);
leat_status lt_online_load(leat_runtime *rt, lt_get *r, lt_online **out, leat_error *err);
static inline float *lt_online_at(const lt_online *m, int64_t model, int64_t slot) {
  return m->cell[model] + ((uint64_t)slot << m->layout->bits);
}
/* A slot as the numbers of a file, and back; set: 0 when a number stands where this model has none, or is impossible. */
void lt_online_numbers_of(const lt_online *m, int64_t model, int64_t slot, float v[LT_SLOT_NUMBERS]);
int lt_online_set_numbers(lt_online *m, int64_t model, int64_t slot, const float v[LT_SLOT_NUMBERS]);
/* Bytes of all slots of one model, those behind the end among them, without and with the network's. */
uint64_t lt_online_cell_bytes(const lt_online *m);
uint64_t lt_online_model_bytes(const lt_online *m);
/* Learned by the same learners, units and kind of target? */
int lt_online_same_kind(const lt_online *a, const lt_online *b);
/* Does it belong to this encoder? */
int lt_online_fits(const lt_online *m, const lt_encoder *e);
/* The learners that a choice stands for; 0 when it does not fit numbers. */
uint32_t lt_online_learners(const char *name, int regression);
/* A copy of settings of "online/linear" or "online/mlp", as those of "online/linear", which is what is kept everywhere. */
leat_status lt_online_settings(leat_runtime *rt, const leat_params *p, leat_params **out, leat_error *err);
int lt_online_is_spec(const lt_spec *spec);
int lt_online_encodes(const leat_params *settings); /* does it set anything of the encoder but hash_bits? */
extern const lt_spec lt_online_spec, lt_online_mlp_spec;

/* ---- rows (online_rows.c) */
enum { LT_ONLINE_BLOCK = 256, LT_ONLINE_PAD = 4 };
/* A row's slots, block by block: full calls `use`. */
typedef struct lt_online_feed {
  const lt_online *m;
  int64_t n, n_done;                 /* entries; the first n_done have their z already */
  int64_t cap;
  uint32_t *slot;
  float *raw;                        /* values as they came; z of the entries that have theirs already */
  float *z;
  int32_t counted;                   /* the step has taken the values into the slots' statistics */
  void (*use)(void *user);           /* NULL: cap is enough for the row */
  void *user;
} lt_online_feed;
/* Entries that row r can have. */
int64_t lt_online_room(const lt_online *m, const lt_encode *bind, const lt_rows *rows, int64_t r);
/* Appends the row's entries, dense ones with z, the others with raw values, and fetches the slots of the next row's. index and value: room for the longest text's
 * words. x: room for n_dense. */
void lt_online_row(lt_online_feed *f, const lt_encode *bind, const lt_rows *rows, int64_t r, double *x, int32_t *index,
                   float *value);
/* The same from numbers in schema order with codes for labels (no texts, no sparse block). */
void lt_online_numbers(lt_online_feed *f, const lt_encoder *e, const double *x);
/* The same from the entries of a model's only column, a sparse block. */
void lt_online_entries(lt_online_feed *f, const int32_t *index, const float *value, int64_t n);
/* A row that another model of the same shape has encoded, for f->m: n, n_done and slot are set; z as lt_online_row leaves it. */
void lt_online_refill(lt_online_feed *f, const double *x, const float *raw);
/* Raw values -> z. */
void lt_online_scale(lt_online_feed *f);
static inline int lt_online_usable(double x) { return x > -1e150 && x < 1e150; }       /* false for NaN */
static inline int lt_online_usable_f(float v) { return v > -1e15f && v < 1e15f; }

/* ---- predictions. dot: of the learners' weights with z, in the order of the entries; n: entries so far; unit: the network's
 * sums and outputs, [2, n_hidden], room of the owner; NULL without a network. */
typedef struct lt_online_dot { double dot[LT_LEARNERS], var, zz; int64_t n; float *unit; } lt_online_dot;
/* Back to no entries. */
void lt_online_dot_clear(const lt_online *m, lt_online_dot *d);
void lt_online_dots(const lt_online *m, int64_t model, lt_online_feed *f, lt_online_dot *d);
/* lt_online_scale and the dots of model 0, in one go. */
void lt_online_see(lt_online_feed *f, lt_online_dot *d);
/* The learners' own linear predictions (logits, or standardised numbers), and their mixture. */
double lt_online_mix(const lt_online *m, int64_t model, const lt_online_dot *d, double expert[LT_LEARNERS]);
/* Mixtures of the models -> predictions as a predictor gives them. */
void lt_online_link(const lt_online *m, const double *mixed, double *out);
double lt_online_sigmoid(double v);
/* A target in the units of the models, and back (regression). */
double lt_online_deviation(const lt_online_moment *t);
#endif
