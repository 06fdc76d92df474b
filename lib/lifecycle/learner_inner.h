/* The durable learner's inside, shared by learner*.c.
 *
 * The discipline. Everything that changes what a reopened learner must have again happens in functions that are a pure
 * function of the state and of one journal record: lt_learner_apply and what it calls (take_*, lt_ln_*). A live call checks
 * its arguments, encodes the record, appends it, and then runs the very function that the replay runs. Such a function
 * reads no clock (times are in the record), no environment and nothing of the store that is not numbered by the learner;
 * what it writes elsewhere (held records, snapshots, events) has the learner's own number, which the other side ignores
 * when it has it already. l->replaying is looked at only to leave out what has no effect on the state: predictions for the
 * caller, publishing, checkpoints. */
#ifndef LEAT_LIFECYCLE_LEARNER_INNER_H
#define LEAT_LIFECYCLE_LEARNER_INNER_H
#include "base/os.h"
#include "base/sealed.h"
#include "lifecycle/alerts.h"
#include "lifecycle/learner.h"
#include "lifecycle/series.h"

/* A schema that rows in the journal are of; numbered by its place in the list. Rows of one that differs in later labels
 * only are rows of the same one, which grows: then it is a new object. */
typedef struct lt_ln_schema {
  leat_schema *s;
  int64_t target, weight, key;   /* columns, -1 none */
  int64_t n_labels;              /* of the target */
  int32_t *code;                 /* [n_labels] the trainer's code, -1: not looked up or not there yet */
} lt_ln_schema;
/* Learned records and where the journal has their rows: n records, the first one is number `learned` (records learned
 * before it) and row `index` of record `sequence`. step 0: the rows behind it in the same record; 1: the only rows of the
 * records behind it. */
typedef struct lt_ln_run { int64_t learned, n; uint64_t sequence; int64_t index, step; } lt_ln_run;
/* Rows that were predicted and wait to be learned (chunk, label_delay). */
typedef struct lt_ln_block {
  leat_batch *rows;
  uint32_t schema;
  int64_t from;                  /* those before it are learned */
  int64_t n_served;
  double *served;                /* [rows, n_served] */
  uint64_t *sequence;            /* [rows] */
  int64_t *index;
  uint64_t served_cap, sequence_cap, index_cap;
} lt_ln_block;
typedef struct lt_ln_watch lt_ln_watch;
typedef struct lt_ln_race lt_ln_race;
enum { LT_LN_BLOCK = 4096, LT_LN_CANDIDATES = 16 };

struct leat_learner {
  leat_runtime *rt;
  leat_store *store;
  lt_owner owner;
  leat_params *model, *settings;
  char *lineage;
  int32_t locked, stopped, replaying;
  lt_online_trainer *o;
  lt_guard *guard;
  lt_gate *gate;
  lt_pending *pending;
  int64_t label_delay[LEAT_DELAY_BUCKETS]; /* since it was opened: of the clock, so no part of the state that replays */
  double label_delay_seconds;
  lt_journal *journal;
  lt_quarantine *quarantine;
  lt_ln_watch *watch;
  lt_ln_race *race;              /* NULL: nobody races with the model */
  /* settings */
  int64_t chunk, delay, snapshot_rows, checkpoint_bytes, max_classes;
  int64_t ttl_ns;
  /* ---- the state (beside the objects above) */
  int64_t mode;                  /* LEAT_LEARNING or LEAT_FROZEN */
  lt_ln_schema *schema;
  uint64_t n_schemas, schema_cap;
  lt_dict *sources;
  int64_t *next;                 /* [sources] next position */
  uint64_t next_cap;
  int64_t seen, duplicate, counted, unmatched, expired, replaced, dropped;
  int64_t held, events, snapshots, swaps, rollbacks;
  int64_t live_version, good_version, live_row, swap_row, next_snapshot;
  int64_t learned_ns;
  int64_t candidate[LT_LN_CANDIDATES], candidate_row[LT_LN_CANDIDATES], n_candidates; /* snapshots not certified yet */
  double spike_loss, spike_n;
  int64_t chunk_fill, queued;
  lt_ln_block *block;
  uint64_t n_blocks, block_cap;
  lt_ln_run *run;
  uint64_t n_runs, run_cap;
  int64_t suspect_until;         /* records learned before it are in the quarantine as suspects already */
  uint64_t applied;              /* the newest journal record that the state has in it */
  /* ---- not part of it */
  leat_schema *seen_schema;      /* the caller's last one, held so that its address tells it */
  int64_t seen_labels;
  uint32_t seen_number;
  int64_t last_source;
  int64_t duplicate_unsaved;     /* skipped since the last record */
  int64_t known_events, known_snapshots; /* the newest numbers that the store has */
  uint64_t checkpoint_sequence;  /* of the newest checkpoint */
  lt_alert silent, old;          /* by the clock */
  int64_t waiting_since, looked_ns; /* since when predictions wait and no label has come, 0 none do; the last look */
  int64_t bytes_since;           /* journalled since */
  lt_series *series;             /* how it fared, for reports */
  lt_put put;
  double *out;                   /* predictions of a stretch */
  uint64_t out_cap;
  lt_mutex lock;                 /* of `published` */
  int32_t has_lock;
  leat_model *published;
};

/* ---- schemas (learner_schema.c) */
/* The number of a caller's schema; a new one, or new labels of a known one, are journalled. need_target: its rows are to be
 * learned; else predicted. Makes the trainer, gate and guard ready for it. Fails before anything has changed. */
leat_status lt_ln_number(leat_learner *l, leat_schema *s, int need_target, uint32_t *number, leat_error *err);
/* The same, whatever labels the target of the known one has: the known one gets those of s that it lacks. */
leat_status lt_ln_number_joined(leat_learner *l, leat_schema *s, uint32_t *number, leat_error *err);
/* The same of labels by key: whatever its columns, they are only kept. */
leat_status lt_ln_number_labels(leat_learner *l, leat_schema *s, uint32_t *number, leat_error *err);
leat_status lt_ln_apply_schema(leat_learner *l, lt_get *g, leat_error *err);
leat_status lt_ln_apply_labels(leat_learner *l, lt_get *g, leat_error *err);
leat_status lt_ln_schema_add(leat_learner *l, leat_schema *s, leat_error *err); /* takes a reference */
void lt_ln_schemas_free(leat_learner *l);
/* The trainer begins with rows of this schema, if it has not yet. */
leat_status lt_ln_begin(leat_learner *l, leat_schema *s, leat_error *err);
int32_t lt_ln_code(leat_learner *l, lt_ln_schema *sc, int64_t theirs); /* the trainer's; -1: not known there */

/* ---- rows (learner_take.c) */
typedef struct lt_ln_take {
  lt_rows rows;                  /* of schema number `schema` */
  uint32_t schema;
  uint64_t sequence;             /* the journal's record that has them */
  int64_t from;                  /* rows before it are duplicates to be held */
  const char *source;            /* NULL: rows.side's */
  const int64_t *position;       /* [rows]; NULL: rows.side's */
  const double *served;          /* [rows, n_served]; NULL: predicted here */
  int64_t n_served;
  const int64_t *ids;            /* released records: their ids */
  const int32_t *pardon;         /* and reasons */
  int8_t *taken;                 /* out, for those; may be NULL */
  int32_t queue;                 /* through chunk and label_delay */
  const leat_matrix *pred;       /* NULL: nobody asks */
  int64_t pred_first;            /* its row for row 0 */
} lt_ln_take;
leat_status lt_ln_take_rows(leat_learner *l, const lt_ln_take *t, leat_error *err);
/* Learns rows [a, b): in stretches between snapshots and events. */
typedef struct lt_ln_stretch {
  const lt_rows *rows;
  uint32_t schema;
  int64_t from, n;
  const double *served;          /* of row `from` on */
  int64_t n_served;
  uint64_t sequence;             /* with index NULL: all rows are of it, at their own place */
  const uint64_t *sequences;     /* else of row `from` on */
  const int64_t *index;
  const leat_matrix *pred;
  int64_t pred_first;
} lt_ln_stretch;
leat_status lt_ln_learn(leat_learner *l, const lt_ln_stretch *s, leat_error *err);
leat_status lt_ln_hold(leat_learner *l, const lt_held *h, const lt_rows *rows, int64_t r, leat_error *err);
void lt_ln_show(const leat_matrix *pred, int64_t row, const double *p, int64_t n);
void lt_ln_show_none(const leat_matrix *pred, int64_t row);
leat_status lt_ln_out(leat_learner *l, int64_t rows, int64_t outs, leat_error *err); /* room in l->out */

double lt_ln_own_label(leat_learner *l, lt_ln_schema *sc, const lt_rows *v, int64_t r); /* own code or number; NaN none */

/* ---- monitors (learner_watch.c) */
leat_status lt_ln_watch_open(leat_learner *l, leat_error *err);
void lt_ln_watch_free(leat_learner *l);
int lt_ln_watches(const leat_learner *l);
int64_t lt_ln_watch_room(const leat_learner *l); /* rows to the end of the window, at least 1 */
/* Rows [s->from, s->from + n), which were learned, and what was predicted for them: p [n, outs]. */
leat_status lt_ln_watch_rows(leat_learner *l, const lt_ln_stretch *s, int64_t n, const double *p, int64_t outs, leat_error *err);
void lt_ln_watch_save(const leat_learner *l, lt_put *to);
leat_status lt_ln_watch_restore(leat_learner *l, lt_get *g, leat_error *err);

/* ---- the race (learner_race.c) */
leat_status lt_ln_race_open(leat_learner *l, leat_error *err);
leat_status lt_ln_race_check(leat_learner *l, leat_error *err);    /* do all suit the learner's columns? */
void lt_ln_race_free(leat_learner *l);
int lt_ln_races(const leat_learner *l);
/* The racers learn what the champion has learned; p [n, outs]: its own predictions, made just before each row. */
leat_status lt_ln_race_rows(leat_learner *l, const lt_ln_stretch *s, int64_t n, const double *p, int64_t outs, leat_error *err);
leat_status lt_ln_race_decide(leat_learner *l, leat_error *err);
void lt_ln_race_save(const leat_learner *l, lt_put *to);
leat_status lt_ln_race_restore(leat_learner *l, lt_get *g, leat_error *err);

/* ---- chunk and label_delay (learner_queue.c) */
leat_status lt_ln_queue(leat_learner *l, const lt_ln_take *t, int64_t from, int64_t n, leat_error *err);
void lt_ln_queue_free(leat_learner *l);
void lt_ln_queue_save(const leat_learner *l, lt_put *w);
leat_status lt_ln_queue_restore(leat_learner *l, lt_get *g, leat_error *err);

/* ---- what happens (learner_events.c) */
leat_status lt_ln_event(leat_learner *l, leat_event *e, leat_error *err); /* numbers it; to the store */
leat_status lt_ln_guard_events(leat_learner *l, leat_error *err);
/* A version of what is live now; skipped (*version 0) while there is no model. */
leat_status lt_ln_snapshot(leat_learner *l, int64_t *version, leat_error *err);
leat_status lt_ln_snapshot_due(leat_learner *l, leat_error *err);
/* A window has ended: a point for the report. */
leat_status lt_ln_point(leat_learner *l, leat_error *err);
leat_status lt_ln_freeze(leat_learner *l, const char *name, double value, double threshold, const char *text, leat_error *err);
leat_status lt_ln_ran(leat_learner *l, const lt_ln_stretch *s, int64_t learned, int64_t n, leat_error *err);
void lt_ln_prune(leat_learner *l);
uint64_t lt_ln_keep(const leat_learner *l);

/* ---- the journal (learner_journal.c) */
/* Appends what l->put holds. On failure the mode is STOPPED. */
leat_status lt_ln_append(leat_learner *l, uint32_t type, uint64_t *sequence, leat_error *err);
void lt_ln_put_begin(leat_learner *l);
leat_status lt_ln_sync(leat_learner *l, leat_error *err);
leat_status lt_learner_apply(leat_learner *l, uint32_t type, uint64_t sequence, const void *data, uint64_t size,
                             const leat_matrix *pred, int8_t *taken, leat_error *err);
/* The rows of a record that holds some to learn, as lt_ln_run counts them. */
leat_status lt_ln_record_rows(leat_learner *l, const lt_record *rec, leat_batch **out, leat_error *err);
leat_status lt_ln_replay(leat_learner *l, uint64_t from, leat_error *err);
int64_t lt_ln_next_position(const leat_learner *l, const char *source);
leat_status lt_ln_advance(leat_learner *l, const char *source, int64_t next, leat_error *err);
/* Rows of a caller without those that were taken before: *skip rows at their front. The side says where they come from. */
leat_status lt_ln_arrive(leat_learner *l, const leat_batch *rows, lt_rows *v, lt_side *side, int64_t *skip, leat_error *err);
/* Whatever failed behind a journal record: this handle has half of it. Returns st. */
leat_status lt_ln_broken(leat_learner *l, leat_status st);
leat_status lt_ln_usable(const leat_learner *l, leat_error *err);
leat_status lt_ln_clock(leat_learner *l, leat_error *err);

/* ---- keyed rows and labels (learner_keyed.c) */
leat_status lt_ln_apply_predict(leat_learner *l, uint64_t sequence, lt_get *g, const leat_matrix *pred, leat_error *err);
leat_status lt_ln_apply_label(leat_learner *l, uint64_t sequence, lt_get *g, leat_error *err);
/* ---- by hand (learner_hand.c) */
leat_status lt_ln_apply_rollback(leat_learner *l, lt_get *g, leat_error *err);
leat_status lt_ln_apply_thaw(leat_learner *l, leat_error *err);
leat_status lt_ln_apply_release(leat_learner *l, uint64_t sequence, lt_get *g, int8_t *taken, leat_error *err);
/* ---- checkpoints (learner_state.c) */
leat_status lt_ln_checkpoint(leat_learner *l, leat_error *err);
leat_status lt_ln_checkpoint_load(leat_learner *l, const char *name, leat_error *err);
leat_status lt_ln_parts(leat_learner *l, leat_error *err); /* trainer, gate, pending of l->model and l->settings, fresh */
void lt_ln_parts_free(leat_learner *l);
#endif
