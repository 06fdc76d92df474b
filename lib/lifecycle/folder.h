/* A store's folder: the MANIFEST, versions, stages, history. Other processes may write too: every change is one record,
 * appended and synced under a short lock, after what they wrote has been read.
 *   MANIFEST            record log; compacted by rename (versions, stages, all events stay)
 *   MANIFEST.lock       held while a change is made
 *   models/v-N.leat     packages
 *   learner/LOCK        held by the one learner;  learner/c-N.leat  its checkpoints
 *   journal/ quarantine/
 *   tables/NAME-N.ltab  generation N of the published table NAME
 * Thread-safe: one mutex a handle. */
#ifndef LEAT_LIFECYCLE_FOLDER_H
#define LEAT_LIFECYCLE_FOLDER_H
#include "base/params.h"
#include "model/model.h"
extern const lt_spec lt_spec_store;
leat_status lt_folder_open(leat_runtime *rt, const char *path, const leat_params *p, leat_store **out, leat_error *err);
void lt_folder_ref(leat_store *s);
void lt_folder_free(leat_store *s); /* drops a reference */
leat_runtime *lt_folder_runtime(const leat_store *s);
const char *lt_folder_path(const leat_store *s);
int lt_folder_read_only(const leat_store *s);
/* "PATH/NAME", fresh (lt_free); NULL without memory. */
char *lt_folder_file(const leat_store *s, const char *name);
/* What leat.h says of leat_store_*. */
leat_status lt_folder_generation(leat_store *s, int64_t *generation, leat_error *err);
leat_status lt_folder_count(leat_store *s, int64_t *count, leat_error *err);
leat_status lt_folder_at(leat_store *s, int64_t index, leat_version_info *info, leat_error *err);
leat_status lt_folder_version(leat_store *s, int64_t version, leat_version_info *info, leat_error *err);
leat_status lt_folder_add(leat_store *s, const leat_model *m, const char *origin, int64_t *version, leat_error *err);
leat_status lt_folder_export(leat_store *s, int64_t version, const char *path, leat_error *err);
leat_status lt_folder_load(leat_store *s, int64_t version, leat_model **out, leat_error *err);
leat_status lt_folder_stage(leat_store *s, const char *stage, int64_t *version, leat_error *err);
leat_status lt_folder_promote(leat_store *s, int64_t version, const char *stage, int64_t expected, int64_t *generation,
                              leat_error *err);
leat_status lt_folder_rollback(leat_store *s, const char *stage, int64_t expected, int64_t *generation, leat_error *err);
leat_status lt_folder_pin(leat_store *s, int64_t version, int64_t pinned, leat_error *err);
leat_status lt_folder_history(leat_store *s, int64_t *cursor, leat_event *out, leat_error *err);
/* An event that nobody replays: monitored, refresh_due, refresh. */
leat_status lt_folder_note(leat_store *s, const leat_event *event, leat_error *err);
leat_status lt_folder_verify(leat_store *s, leat_error *err); /* every file under it, by its kind */
leat_status lt_folder_gc(leat_store *s, int64_t *bytes, leat_error *err);

/* ---- for the learner. What it writes here it may write again when it replays its journal after a crash: each snapshot and
 * event has the learner's own ordinal (from 1), and one that is there already is not written twice. The caller has synced
 * the journal up to what is written here. */
/* The lock of the one learner, held until lt_folder_unlock_learner or free; BUSY when another one has it (in this process
 * too). */
leat_status lt_folder_lock_learner(leat_store *s, leat_error *err);
void lt_folder_unlock_learner(leat_store *s);
typedef struct lt_snapshot {
  int64_t ordinal, row, time_ns;
  double loss;
  uint64_t journal;      /* sequence number of the journal that it holds everything up to */
} lt_snapshot;
/* A snapshot as a version (origin "snapshot", parent: the newest snapshot before). *version: its number, also when it was
 * there already. The ring keeps the last `keep_recent`, hourly, daily, pinned, staged ones and those in `protect`
 * (n versions); the others' files are removed and an event says so. */
leat_status lt_folder_snapshot(leat_store *s, const leat_model *m, const lt_snapshot *at, const int64_t *protect, int64_t n,
                               int64_t *version, leat_error *err);
/* The version of the learner's snapshot `ordinal`; 0 when there is none. */
int64_t lt_folder_snapshot_version(leat_store *s, int64_t ordinal);
/* A learner's event (event->generation is ignored). */
leat_status lt_folder_event(leat_store *s, int64_t ordinal, const leat_event *event, leat_error *err);
/* The newest ordinals that are in the MANIFEST, 0 none. */
void lt_folder_ordinals(leat_store *s, int64_t *snapshot, int64_t *event);
/* Commits a checkpoint: learner/NAME holds everything up to journal sequence `journal`, and replaying from it needs the
 * journal from `keep` on. The two newest are kept. */
leat_status lt_folder_checkpoint(leat_store *s, const char *name, uint64_t journal, uint64_t keep, leat_error *err);
typedef struct lt_checkpoint { char name[64]; uint64_t journal, keep; } lt_checkpoint;
/* index 0 the newest, 1 the one before; NOT_FOUND. */
leat_status lt_folder_checkpoint_at(leat_store *s, int64_t index, lt_checkpoint *out, leat_error *err);
#endif
