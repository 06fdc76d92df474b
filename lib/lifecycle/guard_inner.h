/* The inside of the guard, for the files of this room. */
#ifndef LEAT_LIFECYCLE_GUARD_INNER_H
#define LEAT_LIFECYCLE_GUARD_INNER_H
#include "lifecycle/guard.h"
#include "model/online_copy.h"
#include "stats/adwin.h"
#include "stats/detector.h"
#include "stats/evidence.h"
/* Who is there. Contenders learn; GOOD, NEXT (the candidate) and PIN are frozen copies. */
enum { GUARD_LIVE = 0, GUARD_BACK, GUARD_FRESH, GUARD_PINNED, GUARD_DEPOSED, GUARD_GOOD, GUARD_NEXT, GUARD_PIN, GUARD_MODELS };
enum { GUARD_RACE = 0, GUARD_RESET, GUARD_FASTER, GUARD_ALERT }; /* policies */
enum { GUARD_CONTENDERS = 4, GUARD_EVENTS = 16 };
enum { GUARD_SUSPECT_WINDOWS = 5, GUARD_PIN_WINDOWS = 20, GUARD_FRESH_WINDOWS = 10 };
/* After a warning or a swap the guard is busy for so many windows. Else it is quiet: revived models learn in one of so many
 * stretches, and the candidate is taken in one of so many windows. */
enum { GUARD_BUSY_WINDOWS = 10, GUARD_QUIET = 6 };
#define GUARD_PROMISING 20.0
typedef struct lt_guard_who {
  lt_online *m;                    /* NULL: not there. Live: o's own */
  int64_t row;                     /* records learned when it was taken, revived or begun */
  int64_t origin;                  /* frozen and revived ones: when the model behind it was taken */
  lt_online_rates rates;
  lt_evidence better;              /* contenders: than the live model */
  double loss;                     /* contenders: faded over some 128 rows */
  int32_t resting;                 /* a revived one that does not learn: it will be revived again before it does */
} lt_guard_who;
struct lt_guard {
  lt_online_trainer *o;
  leat_runtime *rt;
  int32_t on;
  int64_t window, revive;
  double warning, alarm, evidence;
  int64_t freeze_after;
  lt_contest contest;
  int32_t seat[LT_CONTESTANTS];    /* who it is in the contest */
  lt_guard_who who[GUARD_MODELS];
  lt_online *spare[GUARD_MODELS];
  int64_t n_spare;
  int64_t begun;                   /* records learned when the live line began: with no last-good, all since is suspect */
  int64_t suspect_from;            /* a rollback makes suspect what was learned from here on; -1: no period, or all is said */
  int64_t suspect_until;           /* records learned; a suspect period is open before it */
  int64_t pin_until;
  int64_t busy_until;              /* something has happened not long ago: contenders are there all the time */
  int64_t undo_life;               /* of the deposed model: a fresh one may have been a rash choice */
  int64_t fresh_life;              /* records after which a fresh model that does not promise anything begins again */
  int32_t warned, next_clean;      /* the warning is on; nothing has spoken against the candidate */
  int32_t due, bad;                /* a decision is outstanding; the live model's numbers are not finite */
  lt_adwin adwin, plain;           /* on live's loss; on its learners' mean's, when there are several */
  int32_t policy;                  /* GUARD_RACE, ... */
  lt_detector *detector[2];        /* in their places, when another one was asked for */
  const char *detector_name;
  int32_t detector_errors, detected[2]; /* fed with errors, not losses; what they said since the last block's end */
  lt_evidence_unit unit;           /* regression: of the live model's error */
  int64_t rollback[LT_GUARD_ROLLBACKS];
  int64_t n_rollbacks;
  /* which slots were touched when, so that copies need not be whole; not saved */
  uint32_t clock;
  uint32_t *stamp, *page;          /* [n_slots], [n_slots / GUARD_PAGE + 1]: clock of the last touch; NULL: copies are whole */
  int64_t n_stamp;
  int64_t since[GUARD_MODELS][GUARD_MODELS]; /* two models differ only in slots touched since; -1: anywhere */
  uint32_t *list;
  uint64_t list_cap;
  lt_guard_event event[GUARD_EVENTS];
  int64_t n_events, next_event;
  int32_t window_end;
};
enum { GUARD_PAGE = 64 };
static inline lt_online *guard_model(const lt_guard *g, int i) { return i == GUARD_LIVE ? g->o->m : g->who[i].m; }
/* guard_models.c */
leat_status lt_guard_tracks(lt_guard *g, leat_error *err);          /* stamps, once the model is there */
void lt_guard_touched(lt_guard *g);                                 /* the contest's rows were learned */
void lt_guard_strange(lt_guard *g, int who);                        /* it may differ from all others anywhere */
leat_status lt_guard_spares(lt_guard *g, int64_t n, leat_error *err);
int lt_guard_copy(lt_guard *g, int to, int from);                   /* takes a spare when `to` is not there; 0: not all finite */
void lt_guard_begin(lt_guard *g, int who);                          /* an empty model, of a spare */
void lt_guard_drop(lt_guard *g, int who);
void lt_guard_trade(lt_guard *g, int a, int b);                     /* models change places */
leat_status lt_guard_add_classes(lt_guard *g, int64_t classes, leat_error *err);
/* guard_policy.c */
leat_status lt_guard_policy_open(lt_guard *g, const leat_params *settings, leat_error *err);
void lt_guard_policy_close(lt_guard *g);
void lt_guard_policy_add(lt_guard *g, int which, double loss, double most);
void lt_guard_policy_calm(lt_guard *g);
int lt_guard_stirred(lt_guard *g);
int lt_guard_alarms(lt_guard *g, int *warned, int64_t *newer);
void lt_guard_policy_act(lt_guard *g);                              /* instead of contenders, at a block's end */
void lt_guard_policy_save(const lt_guard *g, lt_put *w);            /* nothing with ADWIN */
leat_status lt_guard_policy_restore(lt_guard *g, lt_get *r, leat_error *err);
/* guard_decide.c */
double lt_guard_wealth(const lt_guard_who *c);
void lt_guard_reset_evidence(lt_guard *g);
void lt_guard_rows(lt_guard *g);                                    /* losses of the contest's rows: evidence, detector */
leat_status lt_guard_decide(lt_guard *g, leat_error *err);          /* at the end of a block */
lt_guard_event *lt_guard_tell(lt_guard *g, int32_t kind, const char *name, double value, double threshold);
#endif
