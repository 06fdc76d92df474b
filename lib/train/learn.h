/* The online trainer: rows in, one after the other. See model/online.h for the state. */
#ifndef LEAT_TRAIN_LEARN_H
#define LEAT_TRAIN_LEARN_H
#include "model/model.h"
#include "model/online.h"
#include "stats/progressive.h"
typedef struct lt_online_rates { float adagrad; double alpha, beta, l1; float net; } lt_online_rates;
lt_online_rates lt_online_rates_of(const leat_params *settings);
/* One row for one model: expert and mixed are what lt_online_mix gave for d; y in the model's units (0 or 1, or the
 * standardised number); w > 0. The statistics of the values come after all models: lt_online_count. */
void lt_online_step(lt_online *m, int64_t model, lt_online_feed *f, const lt_online_dot *d,
                    const double expert[LT_LEARNERS], double mixed, double y, double w, const lt_online_rates *rates);
/* The network's part of it (learn_net.c): out is what it predicted. */
void lt_online_net_step(lt_online *m, int64_t model, const lt_online_feed *f, const lt_online_dot *d, double out, double y,
                        double w, float rate);
/* Takes the row's values into the statistics: x [n_dense] raw numbers, f->raw those of the other entries. */
void lt_online_count(lt_online *m, const lt_online_feed *f, const double *x);
void lt_online_welford(lt_online_moment *t, double x);

enum { LT_ONLINE_GOLDEN = 16 };
typedef struct lt_online_trainer {
  leat_runtime *rt;
  const leat_params *settings;       /* the trainer's */
  leat_schema *schema;               /* of the first rows, or given; NULL before */
  lt_encoder *encoder;
  lt_online *m;
  lt_dict *labels;                   /* NULL: a number or a BOOL */
  lt_progressive *progress;
  leat_batch *golden;                /* rows for the self-test of packages */
  int64_t n_golden;
  int64_t learned, golden_seen;
  lt_profile *const *profiles;       /* borrowed: for snapshots, when somebody keeps a reference */
  int64_t n_profiles;
  lt_online_rates rates;
  /* the schema of the last rows, held so that its address tells it */
  leat_schema *bound;
  lt_encode *bind;
  int32_t *map;                      /* its label codes -> codes here; -1: a new label */
  int64_t n_map, target, weight;
  int32_t alike;                     /* the same feature columns: its rows may become golden */
  /* scratch */
  lt_online_feed feed;
  uint64_t slot_cap, z_cap, raw_cap, index_cap, value_cap;
  float *value;
  int32_t *index;
  double *x;
  lt_online_dot *dot;                /* [LT_ONLINE_CLASSES] */
  float *unit;                       /* of the dots, [LT_ONLINE_CLASSES, 2, n_hidden] */
  double *mixed, *shown;
  double (*expert)[LT_LEARNERS];
} lt_online_trainer;
/* The trainer keeps `settings` alive. schema may be NULL. */
leat_status lt_online_open(leat_runtime *rt, const leat_params *settings, const leat_schema *schema,
                           lt_online_trainer **out, leat_error *err);
leat_status lt_online_from_model(lt_online_trainer *o, const leat_model *model, leat_error *err);
void lt_online_close(lt_online_trainer *o);
/* chunk_rows 0: learn only, nothing is scored. pred may be NULL. */
leat_status lt_online_rows(lt_online_trainer *o, const leat_batch *rows, int64_t chunk_rows, const leat_matrix *pred,
                           leat_error *err);
leat_status lt_online_predict(lt_online_trainer *o, const leat_batch *rows, const leat_matrix *pred, leat_error *err);
leat_status lt_online_metrics(const lt_online_trainer *o, int64_t set, leat_metrics **out, leat_error *err);
leat_status lt_online_snapshot(const lt_online_trainer *o, const char *lineage, leat_model **out, leat_error *err);
/* Sections of a checkpoint beside "settings" and "lineage": schema, labels, online, progress, golden, edges (of buckets). */
struct lt_seal;
struct lt_sealed;
leat_status lt_online_put(const lt_online_trainer *o, struct lt_seal *seal, leat_error *err);
leat_status lt_online_get(lt_online_trainer *o, struct lt_sealed *f, leat_error *err);
/* Can these settings learn rows of this schema? ARG, DATA, UNSUPPORTED, NOT_FOUND say why not. *bytes: of one model's slots
 * (of each class, when there are more than two). */
leat_status lt_online_suits(leat_runtime *rt, const leat_params *settings, leat_schema *s, uint64_t *bytes, leat_error *err);
/* For the files of this trainer. */
leat_status lt_online_begin(lt_online_trainer *o, leat_schema *s, leat_error *err);
leat_status lt_online_schema(const lt_online_trainer *o, leat_schema **out, leat_error *err);

/* ---- for those who learn row by row themselves (the guard, the learner) */
/* Binds a schema (cheap when it is the last one); need_target: rows to be predicted may have none. */
leat_status lt_online_bind(lt_online_trainer *o, leat_schema *s, int need_target, leat_error *err);
/* Labels and weights of all rows of the schema bound, before the first one counts: DATA names the first bad one. *classes
 * (may be NULL): how many there will be. A label that is missing (NaN) is fine here. */
leat_status lt_online_check(lt_online_trainer *o, const lt_rows *v, int64_t *classes, leat_error *err);
/* The same of row r alone, with the classes known now: 0, or LEAT_REASON_LABEL_MISSING, LABEL_INVALID, WEIGHT. */
int32_t lt_online_reason(const lt_online_trainer *o, const lt_rows *v, int64_t r);
leat_status lt_online_reserve(lt_online_trainer *o, const lt_rows *v, leat_error *err);
double lt_online_weight(const lt_online_trainer *o, const lt_rows *v, int64_t r);
/* Label as a number or as *their* code; NaN: none, or one whose text is lost. */
double lt_online_label(const lt_online_trainer *o, const lt_rows *v, int64_t r);
/* Their code -> ours in *y; a label that is new here joins the labels and the scores (not the model: *y >= its classes). */
leat_status lt_online_code(lt_online_trainer *o, double *y, leat_error *err);
/* Row r's entries, and every model's learners and mixture on it, into o's scratch (feed, dot, expert, mixed). */
void lt_online_look(lt_online_trainer *o, const lt_rows *v, int64_t r);
void lt_online_golden(lt_online_trainer *o, const lt_rows *v, int64_t r);
/* Scores p, given for n models, when there may be more classes by now. */
void lt_online_score(lt_online_trainer *o, const double *p, int64_t n, double y, double w);
/* n outputs of a model as `cols` numbers: probabilities of both classes, or 0 for classes that were not there. */
void lt_online_show(const double *p, int64_t n, double *out, int64_t cols);

/* ---- contest.c: models of one shape learn the same rows side by side, as tasks of lt_parallel_for */
enum { LT_CONTESTANTS = 8 };
typedef struct lt_contestant {
  lt_online *m;
  const lt_online_rates *rates;
  double *p;                         /* [rows, n_models] its predictions, each made before its row was learned */
  double *plain;                     /* [rows, n_models] the same of its learners' unweighted mean, when `wants` it */
  int32_t wants;
  int32_t bad, rescaled;             /* a number that is not finite came up; slots were changed that no row has touched */
  /* scratch of its own */
  uint64_t p_cap, plain_cap, z_cap, raw_cap;
  float *z, *raw;
  lt_online_dot *dot;
  float *unit;                       /* of the dots */
  double *mixed;
  double (*expert)[LT_LEARNERS];
  int64_t cap_models, cap_units;
} lt_contestant;
/* Rows, encoded once for all. */
typedef struct lt_contest {
  leat_runtime *rt;
  int64_t n;                         /* rows */
  uint64_t start_cap, slot_cap, raw_cap, x_cap, y_cap, w_cap, index_cap, value_cap;
  int64_t *start, *dense;            /* [n + 1] first entries; [n] entries whose z comes from x */
  uint32_t *slot;
  float *raw;
  double *x;                         /* [n, n_dense] */
  double *y, *w;                     /* [n] own codes or numbers; weight 0: predicted, not learned */
  int32_t *index;                    /* words of a text */
  float *value;
  lt_online blank;                   /* the shape, with no statistics */
  int64_t n_blank;
  int64_t n_who;
  lt_contestant who[LT_CONTESTANTS];
} lt_contest;
void lt_contest_init(lt_contest *c, leat_runtime *rt);
void lt_contest_free(lt_contest *c);
/* Encodes rows [from, from + n) of the schema bound; y and w are the caller's to fill (lt_contest.y, .w). */
leat_status lt_contest_encode(lt_contest *c, const lt_online_trainer *o, const lt_rows *v, int64_t from, int64_t n,
                              leat_error *err);
/* Makes room for who[0 .. n_who), whose m and rates are set; then running cannot fail. */
leat_status lt_contest_ready(lt_contest *c, leat_error *err);
/* Each predicts, then learns every row. The same bits at any number of threads. */
leat_status lt_contest_run(lt_contest *c, leat_error *err);
#endif
