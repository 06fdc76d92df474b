/* What the files of the quarantine share. Records of a segment (docs/formats.md):
 *   SCHEMA  u64 hash, the schema without labels: rows behind it may be of it
 *   HELD    a held record
 *   STATE   i64 id, u8 state, u32 tries, u64 mark, i64 dropped: absolute, so that reading one twice does no harm
 *   LAST    i64 last id, i64 dropped: as of here; at the head of every segment, and at the end of a rewritten one
 *   CUT     i64 last id: records behind it are forgotten
 *   PURGE   array of i64 ids that were purged; empty: all so far */
#ifndef LEAT_LIFECYCLE_QUARANTINE_INNER_H
#define LEAT_LIFECYCLE_QUARANTINE_INNER_H
#include "lifecycle/quarantine.h"
#include "lifecycle/segment.h"
#include "base/number.h"
#include "data/store.h"
#define LT_HELD_KIND "QUAR"
enum { LT_HELD_VERSION = 1, LT_HELD_SCHEMA = 1, LT_HELD_RECORD, LT_HELD_STATE, LT_HELD_LAST, LT_HELD_CUT,
       LT_HELD_PURGE };
enum { LT_HELD_DROPPED = 4 };  /* beside LEAT_HELD_*: made room */
enum { LT_HELD_REASONS = 19 }; /* those of leat.h, and one for what a newer version may have written */
enum { LT_HELD_SEGMENT = 8 << 20, LT_HELD_RAW_MAX = 1 << 20 };

typedef struct lt_held_item {
  int64_t id;
  uint64_t offset;    /* in its segment */
  uint64_t mark;      /* `at` of the newest lt_quarantine_mark */
  uint32_t segment;   /* its number */
  uint32_t bytes;     /* that it takes there */
  uint32_t tries;
  int16_t reason;
  uint8_t state;      /* 0: gone */
} lt_held_item;
typedef struct lt_held_schema { uint64_t hash, offset; } lt_held_schema;
typedef struct lt_held_segment {
  lt_segment name;
  uint64_t size, live;     /* bytes of the file; of records that are held or released */
  uint64_t record_bytes;   /* of all records in it, gone ones too */
  int64_t items, records;  /* likewise */
  int64_t min_id, max_id;  /* of all records in it */
  int32_t wipe;            /* holds bytes of a purged record */
  lt_held_schema *schema;
  uint64_t n_schemas, cap_schemas;
  int64_t last_id, dropped; /* as of its end */
} lt_held_segment;
typedef struct lt_held_sum {
  int64_t held, present;   /* present: held or released */
  uint64_t bytes;          /* of the present ones */
  uint64_t first, released; /* no item of this reason before that index is present; is released */
} lt_held_sum;

struct lt_quarantine {
  leat_runtime *rt;
  char *folder;
  int32_t write, failed, dirty;
  lt_quarantine_limits limits;
  lt_reclog *log;          /* the last segment: for appending, or (a reader's) as far as it was read */
  lt_held_item *item;      /* by id */
  uint64_t n, cap, gone;   /* gone: entries that are empty */
  lt_held_segment *segment;
  uint64_t n_segments, cap_segments;
  lt_held_sum sum[LT_HELD_REASONS];
  int64_t held, present;
  uint64_t bytes;
  int64_t last_id, dropped;
  lt_put scratch;
  lt_reclog *view;         /* one segment open for reading records */
  uint32_t view_segment;
  leat_schema *schema;     /* the one read last, with the labels of the rows that were */
  uint64_t schema_hash;
};

/* A HELD record, pointing into its bytes. */
typedef struct lt_held_bytes {
  lt_held h;               /* texts are NULL: see below */
  uint64_t schema;         /* 0: no row */
  const char *text[3];     /* source, column name, detail: not terminated */
  uint64_t length[3];
  const uint8_t *row;
  uint64_t row_size;
} lt_held_bytes;
leat_status lt_held_parse(leat_runtime *rt, const lt_record *rec, const char *folder, lt_held_bytes *out, leat_error *err);
leat_status lt_held_describe(lt_quarantine *q, const lt_held_item *it, leat_held_info *info, leat_error *err);
/* Row r for the record: appends u64 hash of its schema and its bytes to w; `schema`: the schema's bytes. */
leat_status lt_held_put_row(const lt_rows *rows, int64_t r, lt_put *w, lt_put *schema, uint64_t *hash, leat_error *err);
/* The row as text, when nothing raw came with it. */
leat_status lt_held_put_raw(const lt_rows *rows, int64_t r, lt_put *w, leat_error *err);

int lt_held_slot(int32_t reason); /* index into sum */
lt_held_item *lt_held_find(const lt_quarantine *q, int64_t id); /* NULL; present ones only */
uint64_t lt_held_bound(const lt_quarantine *q, int64_t id); /* the first item with a larger id */
lt_held_segment *lt_held_segment_of(const lt_quarantine *q, uint32_t number);
/* The index's changes. room: one more item will fit. */
leat_status lt_held_room(lt_quarantine *q, leat_error *err);
void lt_held_enter(lt_quarantine *q, lt_held_item item);
void lt_held_change(lt_quarantine *q, lt_held_item *it, uint8_t state); /* LEAT_HELD_PURGED, DROPPED: gone */
/* ids NULL or n 0: all. Sets `wipe` of the segments that hold them. */
void lt_held_take_purge(lt_quarantine *q, const int64_t *ids, uint64_t n, int64_t *count);
void lt_held_forget(lt_quarantine *q); /* all of it: to be read again */
leat_status lt_held_add_schema(lt_quarantine *q, lt_held_segment *s, uint64_t hash, uint64_t offset, leat_error *err);
leat_status lt_held_add_segment(lt_quarantine *q, lt_segment name, leat_error *err);
/* Takes one record of a segment into the index. */
leat_status lt_held_take(lt_quarantine *q, lt_held_segment *s, const lt_record *rec, leat_error *err);
/* Reads what came since (readers); writers: nothing. */
leat_status lt_held_refresh(lt_quarantine *q, leat_error *err);
leat_status lt_held_read(lt_quarantine *q, uint32_t segment, uint64_t offset, lt_record *rec, leat_error *err);
void lt_held_close_view(lt_quarantine *q);
/* Writers. */
leat_status lt_held_append(lt_quarantine *q, uint32_t type, const lt_put *w, uint64_t *offset, leat_error *err);
leat_status lt_held_usable(const lt_quarantine *q, leat_error *err);
leat_status lt_held_put_state(lt_quarantine *q, const lt_held_item *it, uint8_t state, leat_error *err);
leat_status lt_held_begin_segment(lt_quarantine *q, leat_error *err); /* syncs and closes the one before */
leat_status lt_held_reclaim(lt_quarantine *q, leat_error *err); /* rewrites segments that are mostly dead */
/* Rewrites segment k with what is still there; the old bytes are overwritten (a record that is purged later must not have
 * been left behind by an earlier rewriting). A segment without anything that is not the last one goes. */
leat_status lt_held_rewrite(lt_quarantine *q, uint64_t k, leat_error *err);
#endif
