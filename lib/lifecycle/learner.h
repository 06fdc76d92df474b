/* The durable learner: it composes the trainer's row loop (train/learn.h), the guard, the gate, the pending labels, the
 * journal, the quarantine and the store's folder. Order of effects: journal, then learn; the journal is synced before
 * anything that lasts (a snapshot, an event, a held record's commit) is written elsewhere. */
#ifndef LEAT_LIFECYCLE_LEARNER_H
#define LEAT_LIFECYCLE_LEARNER_H
#include "lifecycle/folder.h"
#include "lifecycle/gate.h"
#include "lifecycle/guard.h"
#include "lifecycle/journal.h"
#include "lifecycle/pending.h"
#include "lifecycle/quarantine.h"
extern const lt_spec lt_spec_learner;
/* What leat.h says of leat_learner_*. */
leat_status lt_learner_create(leat_store *s, const leat_params *model, const leat_params *settings,
                              const leat_schema *schema, const leat_model *from, leat_learner **out, leat_error *err);
leat_status lt_learner_open(leat_store *s, leat_learner **out, leat_error *err);
void lt_learner_free(leat_learner *l);
lt_owner *lt_learner_owner(leat_learner *l);
leat_store *lt_learner_store(const leat_learner *l);
leat_status lt_learner_feed(leat_learner *l, const leat_batch *rows, leat_matrix *pred, leat_error *err);
leat_status lt_learner_predict(leat_learner *l, const leat_batch *rows, leat_matrix *pred, leat_error *err);
leat_status lt_learner_label(leat_learner *l, const leat_batch *labels, leat_error *err);
leat_status lt_learner_position(const leat_learner *l, const char *source, int64_t *position, leat_error *err);
/* Looks, once a second, whether labels are silent and whether nothing is learned: alerts in the history. What fails is
 * logged. */
void lt_learner_look(leat_learner *l);
leat_status lt_learner_commit(leat_learner *l, leat_error *err);
leat_status lt_learner_model(const leat_learner *l, leat_model **out, leat_error *err);
leat_status lt_learner_live(leat_learner *l, leat_model **out, leat_error *err);
leat_status lt_learner_snapshot(leat_learner *l, int64_t *version, leat_error *err);
leat_status lt_learner_rollback(leat_learner *l, int64_t version, leat_error *err);
leat_status lt_learner_thaw(leat_learner *l, leat_error *err);
leat_status lt_learner_get_state(const leat_learner *l, leat_learner_state *out, leat_error *err);
leat_status lt_learner_metrics(const leat_learner *l, int64_t set, leat_metrics **out, leat_error *err);
leat_status lt_learner_next_event(leat_learner *l, int64_t *cursor, leat_event *out, leat_error *err);
/* Held records back into the stream (quarantine): journalled with their rows, so that a replay needs no quarantine. taken[i]:
 * 1 learned (or learned before), 0 still held. */
leat_status lt_learner_release(leat_learner *l, const int64_t *ids, uint64_t n, int8_t *taken, leat_error *err);
lt_quarantine *lt_learner_quarantine(leat_learner *l); /* the writer's, borrowed */
#endif
