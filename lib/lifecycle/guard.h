/* The guard: the live model and its contenders learn the same rows; evidence decides which one lives. The recipe is in
 * docs/guard.md. A pure function of the rows: no clock, no chance, the same at any number of threads. It decides only when
 * the count of learned rows is a multiple of LT_GUARD_BLOCK, so that models can learn a block side by side. */
#ifndef LEAT_LIFECYCLE_GUARD_H
#define LEAT_LIFECYCLE_GUARD_H
#include "train/learn.h"
enum { LT_GUARD_BLOCK = 64, LT_GUARD_ROLLBACKS = 64 };
#define LT_GUARD_PARAMS                                                                                                    \
  {"guard", LEAT_PARAM_BOOL, "true", 0, 0, NULL, "Contenders learn beside the live model and replace it on evidence.", 1},   \
  {"guard_window", LEAT_PARAM_I64, "1000", 64, 100000000, NULL,                                                            \
   "Records of a window (rounded up to blocks of 64): a model is certified after it has lived through one.", 1},           \
  {"drift_warning", LEAT_PARAM_F64, "0.05", 1e-12, 1, NULL, "ADWIN's confidence for a warning.", 1},                        \
  {"drift_alarm", LEAT_PARAM_F64, "0.0001", 1e-12, 1, NULL, "ADWIN's confidence for an alarm.", 1},                         \
  {"drift_response", LEAT_PARAM_CHOICE, "guard", 0, 0, "guard|reset|faster|alert",                                         \
   "At an alarm: contenders race; the live model begins anew; it learns faster; nothing but the event.", 1},               \
  {"detector", LEAT_PARAM_CHOICE, "adwin", 0, 0, "adwin|ddm|hddm_a|hddm_w|page_hinkley|cusum|kswin|eddm",                  \
   "What watches the losses, with the defaults of detector/NAME; adwin: with drift_warning and drift_alarm.", 1},          \
  {"evidence", LEAT_PARAM_F64, "10000", 2, 1e200, NULL, "How much evidence a swap needs.", 1},                             \
  {"freeze_after", LEAT_PARAM_I64, "3", 1, LT_GUARD_ROLLBACKS, NULL, "Learning freezes after so many rollbacks in so many windows.", 1}
typedef struct lt_guard lt_guard;
/* Works on o's live model (o->m) and scores; o must outlive it. settings: of the learner; NULL or guard=false: nothing but
 * o's own test-then-train, in the same blocks. o may have no schema yet. */
leat_status lt_guard_create(lt_online_trainer *o, const leat_params *settings, lt_guard **out, leat_error *err);
void lt_guard_free(lt_guard *g);
/* Learns rows [from, from + n) of rows; their schema is bound (lt_online_bind), labels and weights were looked at
 * (lt_online_check, or lt_online_reason of each). A row without a label is predicted, and that is all. served: n_served
 * numbers for each of the n rows, predictions that were made before: they are scored. NULL: the live model's, just before
 * each row. Those go to pred in any case (it may be NULL): pred_stride numbers a row, both classes' when there is room, 0 for
 * classes not known then. It stops behind a block with an event and at a window's end: *done rows were learned, which
 * holds on failure too (MEMORY; the same call again goes on from there). */
typedef struct lt_guard_call {
  const lt_rows *rows;
  int64_t from, n;
  const double *served;
  int64_t n_served;
  double *pred;
  int64_t pred_stride;
} lt_guard_call;
leat_status lt_guard_learn(lt_guard *g, const lt_guard_call *c, int64_t *done, leat_error *err);
/* What happened in the last call, oldest first; 0 when there is no more. kind: LEAT_EVENT_*. To be read before the next
 * call and before saving. */
typedef struct lt_guard_event {
  int32_t kind;
  int32_t suspects;     /* 1: what was learned since `since` is suspect */
  int64_t row, since;   /* records learned; since: when the model that is live now was certified (or began), or, if that is
                         * later, a window before the loss began to differ */
  int64_t taken;        /* a revived model has learned the rows from here to `row` itself; the others it has never seen */
  double value, threshold;
  char name[32];        /* "adwin", "rollback", ...: what swapped, which detector */
} lt_guard_event;
int lt_guard_event_next(lt_guard *g, lt_guard_event *out);
int lt_guard_suspect(const lt_guard *g);         /* a suspect period is open */
int64_t lt_guard_good_row(const lt_guard *g);    /* when last-good was taken (learned rows), -1 none */
int64_t lt_guard_need_row(const lt_guard *g);    /* nothing learned before it can become suspect any more */
int lt_guard_window_end(const lt_guard *g);      /* the last call ended at a window's end */
leat_status lt_guard_good(const lt_guard *g, const lt_online **out); /* last-good's parameters, borrowed; NOT_FOUND */
/* By hand: m (copied; of live's shape but for classes that came up since) becomes live, or (NULL) last-good. ARG, NOT_FOUND. */
leat_status lt_guard_rollback(lt_guard *g, const lt_online *m, leat_error *err);
/* Somebody else has changed o->m: nothing may be concluded from what was learned when. */
void lt_guard_disturbed(lt_guard *g);
/* All models but o's own, detectors, evidence. */
void lt_guard_save(const lt_guard *g, lt_put *w);
leat_status lt_guard_restore(lt_guard *g, lt_get *r, leat_error *err); /* into a fresh one, o's own being restored already */
#endif
