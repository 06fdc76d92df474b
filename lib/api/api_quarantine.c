/* Chapter 18 of leat.h: the quarantine of a store. The handle is a reader, which follows what a learner (of this process or
 * another one) writes; purging borrows the learner's lock and is a writer meanwhile. */
#include "api/api.h"
#include "lifecycle/folder.h"
#include "lifecycle/learner.h"
#include <string.h>

struct leat_quarantine {
  lt_owner owner;
  leat_store *store;
  lt_quarantine *q;
};

LEAT_API const char *leat_reason_name(leat_reason reason) { return lt_reason_name(reason); }

LEAT_API leat_status leat_quarantine_open(leat_store *s, leat_quarantine **out, leat_error *err) {
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(s, "s", err)) != 0) return st;
  leat_runtime *rt = lt_folder_runtime(s);
  leat_quarantine *q = lt_zalloc(rt, sizeof *q);
  char *folder = lt_folder_file(s, "quarantine");
  if (!q || !folder) st = lt_fail_memory(err, sizeof *q, "a quarantine");
  else st = lt_quarantine_open(rt, folder, 0, NULL, &q->q, err);
  lt_free(rt, folder);
  if (st) {
    lt_free(rt, q);
    return st;
  }
  q->store = s;
  lt_folder_ref(s);
  *out = q;
  return lt_ok(err);
}

LEAT_API void leat_quarantine_free(leat_quarantine *q) {
  if (!q) return;
  leat_store *s = q->store;
  lt_quarantine_close(q->q);
  lt_free(lt_folder_runtime(s), q);
  lt_folder_free(s);
}

static leat_status reason_known(int64_t reason, leat_error *err) {
  if (!reason) return LEAT_OK;
  for (int64_t i = 0; lt_reason_at(i); i++)
    if (lt_reason_at(i) == reason) return LEAT_OK;
  return lt_fail(err, LEAT_E_ARG, "reason %lld: expected a LEAT_REASON number, or 0 for all", (long long)reason);
}

LEAT_API leat_status leat_quarantine_count(const leat_quarantine *given, int64_t reason, int64_t *count, leat_error *err) {
  leat_status st = lt_need(count, "count", err);
  if (st) return st;
  *count = 0;
  if ((st = lt_need(given, "q", err)) != 0 || (st = reason_known(reason, err)) != 0) return st;
  leat_quarantine *q = (leat_quarantine *)(uintptr_t)given; /* what it shows does not change, what it knows of the files does */
  if ((st = lt_owner_enter(&q->owner, "quarantine", err)) != 0) return st;
  st = lt_quarantine_refresh(q->q, err);
  if (!st) *count = lt_quarantine_count(q->q, reason);
  lt_owner_leave(&q->owner);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_quarantine_next(leat_quarantine *q, int64_t reason, int64_t *cursor, leat_held_info *info,
                                          leat_error *err) {
  leat_held_info full;
  leat_status st = lt_need(q, "q", err);
  if (!st) st = lt_need(cursor, "cursor", err);
  if (!st) st = lt_need(info, "info", err);
  if (!st) st = reason_known(reason, err);
  if (!st) st = lt_take_struct(&full, sizeof full, info, info->struct_size, "leat_held_info", err);
  if (!st) st = lt_owner_enter(&q->owner, "quarantine", err);
  if (st) return st;
  st = lt_quarantine_next(q->q, reason, cursor, &full, err);
  lt_owner_leave(&q->owner);
  if (st) return st;
  lt_give_struct(info, info->struct_size, &full, sizeof full);
  return lt_ok(err);
}

LEAT_API leat_status leat_quarantine_read(leat_quarantine *q, int64_t id, void *buf, uint64_t cap, uint64_t *needed,
                                          leat_error *err) {
  leat_status st = lt_need(needed, "needed", err);
  if (st) return st;
  *needed = 0;
  if ((st = lt_need(q, "q", err)) != 0 || (cap && (st = lt_need(buf, "buf", err)) != 0)) return st;
  if ((st = lt_owner_enter(&q->owner, "quarantine", err)) != 0) return st;
  st = lt_quarantine_raw(q->q, id, buf, cap, needed, err);
  lt_owner_leave(&q->owner);
  if (st && st != LEAT_E_CAPACITY) *needed = 0;
  return st ? st : lt_ok(err);
}

/* ---- release */
enum { RELEASE_MOST = 4096 }; /* records in one call of the learner: one record of its journal */

static leat_status same_store(const leat_quarantine *q, const leat_learner *l, leat_error *err) {
  const char *a = lt_folder_path(q->store), *b = lt_folder_path(lt_learner_store(l));
  if (strcmp(a, b) == 0) return LEAT_OK;
  return lt_fail(err, LEAT_E_ARG, "the quarantine is that of %s, the learner that of %s: they must be of one store", a, b);
}

/* Those of the ids that were released before are left out; *n: how many remain. */
static leat_status release_part(leat_learner *l, int64_t *ids, uint64_t n, int8_t *taken, int64_t *released, leat_error *err) {
  lt_quarantine *q = lt_learner_quarantine(l);
  uint64_t kept = 0;
  for (uint64_t i = 0; i < n; i++)
    if (lt_quarantine_state(q, ids[i]) == LEAT_HELD) ids[kept++] = ids[i];
  leat_status st = kept ? lt_learner_release(l, ids, kept, taken, err) : LEAT_OK;
  for (uint64_t i = 0; i < kept && !st; i++) *released += lt_quarantine_state(q, ids[i]) == LEAT_HELD_RELEASED && taken[i];
  return st;
}

static leat_status release_ids(leat_learner *l, const int64_t *ids, uint64_t n, int64_t *released, leat_error *err) {
  lt_quarantine *q = lt_learner_quarantine(l);
  leat_runtime *rt = lt_folder_runtime(lt_learner_store(l));
  int64_t *part = lt_array(rt, RELEASE_MOST, sizeof *part), cursor = 0, last = lt_quarantine_last_id(q);
  int8_t *taken = lt_alloc(rt, RELEASE_MOST);
  leat_status st = LEAT_OK;
  if (!part || !taken) st = lt_fail_memory(err, RELEASE_MOST * sizeof *part, "records to release");
  for (uint64_t i = 0; ids && i < n && !st; i++)
    if (!lt_quarantine_state(q, ids[i]))
      st = lt_fail(err, LEAT_E_NOT_FOUND, "the quarantine holds no record %lld: nothing was released", (long long)ids[i]);
  for (uint64_t at = 0; !st && (ids ? at < n : cursor < last);) {
    uint64_t k = 0;
    for (; ids && at < n && k < RELEASE_MOST; at++) part[k++] = ids[at];
    while (!ids && cursor < last && k < RELEASE_MOST)
      if (lt_quarantine_state(q, ++cursor) == LEAT_HELD) part[k++] = cursor;
    st = release_part(l, part, k, taken, released, err);
  }
  lt_free(rt, taken);
  lt_free(rt, part);
  return st;
}

LEAT_API leat_status leat_quarantine_release(leat_quarantine *q, leat_learner *l, const int64_t *ids, uint64_t n,
                                             int64_t *released, leat_error *err) {
  lt_fpenv env;
  int64_t count = 0;
  if (released) *released = 0;
  leat_status st = lt_need(q, "q", err);
  if (!st) st = lt_need(l, "l", err);
  if (!st) st = same_store(q, l, err);
  if (!st) st = lt_owner_enter(&q->owner, "quarantine", err);
  if (st) return st;
  st = lt_owner_enter(lt_learner_owner(l), "learner", err);
  if (!st) {
    lt_fpenv_enter(&env);
    st = release_ids(l, ids, n, &count, err);
    lt_fpenv_leave(&env);
    lt_owner_leave(lt_learner_owner(l));
  }
  lt_owner_leave(&q->owner);
  if (st) return st;
  if (released) *released = count;
  return lt_ok(err);
}

/* ---- purge */
/* The only writer of a store is its learner: while there is none, whoever has its lock. */
static leat_status purge(leat_quarantine *q, const int64_t *ids, uint64_t n, int64_t *purged, leat_error *err) {
  leat_runtime *rt = lt_folder_runtime(q->store);
  lt_quarantine *writer = NULL;
  leat_status st = lt_folder_lock_learner(q->store, err);
  if (st == LEAT_E_BUSY)
    return lt_fail(err, st, "%s: a learner is at work in this store: its quarantine can be purged when the learner has been "
                   "freed, or its process has ended", lt_folder_path(q->store));
  if (st) return st;
  char *folder = lt_folder_file(q->store, "quarantine");
  st = folder ? lt_quarantine_open(rt, folder, 1, NULL, &writer, err) : lt_fail_memory(err, 256, "a path");
  if (!st) st = lt_quarantine_purge(writer, ids, n, purged, err);
  lt_quarantine_close(writer);
  lt_folder_unlock_learner(q->store);
  lt_free(rt, folder);
  return st ? st : lt_quarantine_refresh(q->q, err);
}

LEAT_API leat_status leat_quarantine_purge(leat_quarantine *q, const int64_t *ids, uint64_t n, int64_t *purged,
                                           leat_error *err) {
  int64_t count = 0;
  if (purged) *purged = 0;
  leat_status st = lt_need(q, "q", err);
  if (!st) st = lt_owner_enter(&q->owner, "quarantine", err);
  if (st) return st;
  st = purge(q, ids, n, &count, err);
  lt_owner_leave(&q->owner);
  if (st) return st;
  if (purged) *purged = count;
  return lt_ok(err);
}
