/* The inside of a store, for the files folder*.c. */
#ifndef LEAT_LIFECYCLE_FOLDER_INNER_H
#define LEAT_LIFECYCLE_FOLDER_INNER_H
#include "base/os.h"
#include "base/reclog.h"
#include "lifecycle/folder.h"

#define LT_MANIFEST_KIND "MFST"
enum {
  LT_MANIFEST_VERSION = 1, LT_MANIFEST_HEAD = 32, /* the header of a record log: which file this is */
  LT_STAGES_MOST = 64, LT_STAGE_STEPS = 64,       /* stages; versions that a stage remembers */
  LT_TABLES_MOST = 1024, LT_TABLE_STEPS = 16      /* published tables; generations of one that are kept at most */
};
/* Records of the MANIFEST; docs/formats.md has their bytes. */
enum {
  LT_M_BASE = 1,    /* all that was known when the log was compacted, but the events */
  LT_M_EVENTS,      /* events of a compacted log */
  LT_M_VERSION,     /* a version, and the snapshots that made room for it */
  LT_M_STAGE,
  LT_M_STAGE_BACK,
  LT_M_PIN,
  LT_M_EVENT,       /* of the learner */
  LT_M_CHECKPOINT,
  LT_M_WITNESS,     /* empty: proves that what is before it was on the disk, see base/reclog.h */
  LT_M_NOTE,        /* an event of somebody else: monitored, refresh */
  LT_M_TABLE,       /* a table was published */
  LT_M_TABLE_BACK,  /* the generation before is the current one again */
  LT_M_TABLES       /* all tables, behind the base of a compacted log; only where there are any */
};

typedef struct lt_entry {
  int64_t version, parent, created_ns, rows, row, bytes;
  uint64_t flags;             /* LEAT_VERSION_* */
  double loss;
  int64_t ordinal, taken_ns;  /* of a snapshot, else 0 */
  uint64_t journal;
  char checksum[40], origin[64];
} lt_entry;
typedef struct lt_stage_line { char name[64]; int64_t version[LT_STAGE_STEPS]; int64_t n; } lt_stage_line;
/* A generation of a published table, in the file tables/NAME-NUMBER.ltab. */
typedef struct lt_table_entry {
  int64_t number, rows, bytes, time_ns;
  double psi;
  uint64_t flags;             /* LEAT_PUBLISHED_* */
  char checksum[40], model[40];
} lt_table_entry;
typedef struct lt_table_line {
  char name[64];
  int64_t newest, n;          /* newest: the highest number that was given; entry[n - 1] is the current one */
  lt_table_entry entry[LT_TABLE_STEPS];
} lt_table_line;
/* What the records say. */
typedef struct lt_manifest {
  leat_runtime *rt;
  const char *path;           /* for messages */
  int64_t generation, time_ns;
  lt_entry *entry;            /* version v is entry[v - 1]; removed ones too */
  uint64_t n, cap;
  int64_t *live;              /* versions that are not removed, ascending */
  uint64_t n_live, live_cap;
  lt_stage_line *stage;
  uint64_t n_stages, stage_cap;
  lt_table_line *table;
  uint64_t n_tables, table_cap;
  lt_put events;              /* their bytes, one behind the other */
  uint64_t *event_at, n_events, event_cap, events_due;
  lt_checkpoint checkpoint[2];
  int64_t n_checkpoints, snapshot_ordinal, event_ordinal;
  uint64_t base_bytes;        /* of the log, up to the end of what its compaction wrote */
} lt_manifest;
void lt_manifest_init(lt_manifest *m, leat_runtime *rt, const char *path);
void lt_manifest_free(lt_manifest *m);
/* On failure m is good for nothing but lt_manifest_free. */
leat_status lt_manifest_apply(lt_manifest *m, const lt_record *rec, leat_error *err);
void lt_manifest_base(const lt_manifest *m, lt_put *w);
/* Events from index `from` on, about 1 MiB of them; returns the index behind. */
uint64_t lt_manifest_events(const lt_manifest *m, uint64_t from, lt_put *w);
leat_status lt_manifest_event(const lt_manifest *m, uint64_t index, leat_event *out, leat_error *err);
const lt_entry *lt_manifest_entry(const lt_manifest *m, int64_t version); /* NULL */
const lt_stage_line *lt_manifest_stage(const lt_manifest *m, const char *name);
/* The version a stage shows (steps 0) or showed before (1); 0 none. Removed ones are passed over. */
int64_t lt_manifest_staged(const lt_manifest *m, const lt_stage_line *s, int64_t steps);
/* Is it on a stage, or what a stage would go back to? */
int lt_manifest_needed(const lt_manifest *m, int64_t version);
const lt_table_line *lt_manifest_table(const lt_manifest *m, const char *name); /* NULL */
/* The start of a record's payload. */
void lt_manifest_head(const lt_manifest *m, lt_put *w, int64_t step, int64_t time_ns);
void lt_manifest_put_entry(lt_put *w, const lt_entry *e);
void lt_manifest_put_event(lt_put *w, const leat_event *e);
void lt_manifest_put_table(lt_put *w, const lt_table_entry *e);
void lt_manifest_tables(const lt_manifest *m, lt_put *w); /* the payload of LT_M_TABLES */
/* folder_tables.c, for folder_state.c: one of the three types; nonsense fails r. */
leat_status lt_manifest_apply_table(lt_manifest *m, uint32_t type, lt_get *r, leat_error *err);
void lt_manifest_word(lt_get *r, char *buf, uint64_t cap); /* a text of less than cap bytes, zeros behind it */
leat_event lt_manifest_now(const lt_manifest *m, int32_t kind, int64_t version);
leat_status lt_manifest_tell(lt_manifest *m, const leat_event *e, leat_error *err);

struct leat_store {
  lt_ref refs;
  leat_runtime *rt;
  char *path, *manifest;
  int read_only;
  int64_t keep_recent, keep_hourly, keep_daily, keep_tables;
  lt_mutex lock;              /* all below */
  lt_manifest now;
  uint8_t head[LT_MANIFEST_HEAD];
  lt_reclog *reader, *writer;
  uint64_t next;              /* sequence number that the next record will have */
  uint64_t tried_bytes;       /* of the log when compacting it failed */
  int32_t torn, stale, rewrite;
  lt_file *learner;
};
/* folder_log.c. A change: begin, look at s->now, commit at most one record, end. */
typedef struct lt_change { lt_file *lock; } lt_change;
leat_status lt_folder_begin(leat_store *s, lt_change *c, leat_error *err);
leat_status lt_folder_commit(leat_store *s, uint32_t type, lt_put *payload, leat_error *err);
void lt_folder_end(leat_store *s, lt_change *c);
/* Locks the mutex and reads what came; on failure the mutex is free. */
leat_status lt_folder_enter(leat_store *s, leat_error *err);
void lt_folder_leave(leat_store *s);
leat_status lt_folder_compact(leat_store *s, leat_error *err); /* inside a change */
leat_status lt_folder_complete(leat_store *s, int create, leat_error *err);
/* Locks PATH/NAME, waiting for some seconds; BUSY. */
/* Opens PATH/NAME to lock it, makes it if need be; nothing is locked yet. */
leat_status lt_folder_lock_file(const leat_store *s, const char *name, lt_file **out, leat_error *err);
leat_status lt_folder_wait(const leat_store *s, const char *name, int64_t kind, lt_file **out, leat_error *err);
leat_status lt_folder_manifest_read(const leat_store *s, leat_error *err); /* from the beginning, for verify */
/* folder_tables.c */
void lt_folder_table_file(const char *name, int64_t number, char file[96]); /* "tables/NAME-12.ltab" */
leat_status lt_folder_verify_tables(leat_store *s, leat_error *err);
leat_status lt_folder_gc_tables(leat_store *s, int64_t *bytes, leat_error *err); /* inside a change */
/* folder_files.c */
leat_status lt_folder_gc_remove(leat_store *s, const char *folder, const char *name, int64_t *bytes, leat_error *err);
/* A word of 1 to 63 letters, digits, '.', '_', '-' (name), or without control characters. */
leat_status lt_folder_check_word(const char *word, const char *what, int name, leat_error *err);
/* folder.c */
void lt_folder_package(int64_t version, char name[40]); /* "models/v-12.leat" */
leat_status lt_folder_removed(const leat_store *s, int64_t version, leat_error *err);
/* A package under a name of its own, synced; *lock keeps gc away from it. */
typedef struct lt_package { char *path; lt_file *lock; int64_t bytes; char checksum[40]; int64_t rows; } lt_package;
leat_status lt_folder_put_package(leat_store *s, const leat_model *m, lt_package *out, leat_error *err);
/* Inside a change: gives it its final name, durably. */
leat_status lt_folder_name_package(leat_store *s, lt_package *p, int64_t version, leat_error *err);
void lt_folder_end_package(leat_store *s, lt_package *p);
/* Names in PATH/NAME, sorted; *names is one block (lt_free) of n pointers and their texts. No folder: none. */
leat_status lt_folder_names(const leat_store *s, const char *name, char ***names, uint64_t *n, leat_error *err);
#endif
