/* Predictions that wait for their labels: one block a record, a list in the order of making, and an index by key (open
 * addressing with linear probing; a removal shifts the cluster back, Knuth's algorithm R in "Sorting and Searching", 6.4). */
#include "lifecycle/pending.h"
#include <string.h>
#include "base/bytes.h"

enum { PENDING_EXTRA = 192 }; /* what a record costs beside its bytes: block, list, index */
typedef struct pending_block { /* behind it: served, key, row */
  int64_t time_ns;
  uint64_t key_size, row_size;
  int64_t n_served;
  uint32_t schema, spare;
} pending_block;
typedef struct pending_entry {
  pending_block *block;  /* NULL: free */
  uint64_t hash;
  uint32_t before, after; /* from 1, 0 none; free ones: after */
} pending_entry;
typedef struct pending_slot { uint32_t tag, number; } pending_slot; /* low half of the hash; number of the entry, 0 free */
struct lt_pending {
  leat_runtime *rt;
  int64_t max_records, max_bytes, count, bytes;
  pending_block *idle;   /* the one that went last: the next one is often as large */
  pending_entry *entry;  /* [0] is not used */
  uint64_t n, cap;       /* entries in use or free, with [0] */
  uint32_t head, tail, spare;
  int64_t disorder;      /* how often a record is older than the one before it: then the head need not be the oldest */
  pending_slot *table;   /* the tag tells the home: probing does not leave the table */
  uint64_t mask;
};

leat_status lt_pending_create(leat_runtime *rt, int64_t max_records, int64_t max_bytes, lt_pending **out, leat_error *err) {
  *out = NULL;
  if (max_records < 1 || max_records > INT32_MAX || max_bytes < 1)
    return lt_fail(err, LEAT_E_RANGE, "pending labels: 1 to %lld records and 1 byte or more, not %lld and %lld",
                   (long long)INT32_MAX, (long long)max_records, (long long)max_bytes);
  lt_pending *p = lt_zalloc(rt, sizeof *p);
  if (!p) return lt_fail_memory(err, sizeof *p, "pending labels");
  lt_runtime_ref(rt);
  p->rt = rt;
  p->max_records = max_records;
  p->max_bytes = max_bytes;
  p->n = 1;
  p->mask = 63;
  p->table = lt_zarray(rt, p->mask + 1, sizeof *p->table);
  if (!p->table) {
    lt_pending_free(p);
    return lt_fail_memory(err, 64 * sizeof *p->table, "pending labels");
  }
  *out = p;
  return LEAT_OK;
}

void lt_pending_free(lt_pending *p) {
  if (!p) return;
  leat_runtime *rt = p->rt;
  for (uint32_t i = p->head; i; i = p->entry[i].after) lt_free(rt, p->entry[i].block);
  lt_free(rt, p->idle);
  lt_free(rt, p->entry);
  lt_free(rt, p->table);
  lt_free(rt, p);
  lt_runtime_unref(rt);
}

static double *block_served(const pending_block *b) { return (double *)(void *)((char *)(uintptr_t)b + sizeof *b); }
static char *block_key(const pending_block *b) { return (char *)(block_served(b) + b->n_served); }
static char *block_row(const pending_block *b) { return block_key(b) + b->key_size; }
static int64_t block_cost(const pending_block *b) {
  return (int64_t)(b->key_size + b->row_size) + 8 * b->n_served + PENDING_EXTRA;
}

/* Where the key's number stands in the table, or would. */
static uint64_t pending_place(const lt_pending *p, const void *key, uint64_t size, uint64_t hash) {
  uint64_t i = hash & p->mask;
  for (; p->table[i].number; i = (i + 1) & p->mask) {
    if (p->table[i].tag != (uint32_t)hash) continue;
    const pending_entry *e = &p->entry[p->table[i].number];
    if (e->hash == hash && e->block->key_size == size && memcmp(block_key(e->block), key, size) == 0) break;
  }
  return i;
}

static int64_t pending_inversion(const lt_pending *p, uint32_t a, uint32_t b) {
  return a && b && p->entry[b].block->time_ns < p->entry[a].block->time_ns;
}

static void pending_unplace(lt_pending *p, uint64_t i) {
  uint64_t hole = i;
  for (uint64_t j = (i + 1) & p->mask; p->table[j].number; j = (j + 1) & p->mask) {
    uint64_t home = p->table[j].tag & p->mask;
    if (((j - home) & p->mask) < ((j - hole) & p->mask)) continue; /* it does not reach back to the hole */
    p->table[hole] = p->table[j];
    hole = j;
  }
  p->table[hole].number = 0;
}

/* Takes out the record at place i of the table. */
static void pending_take_out(lt_pending *p, uint64_t i) {
  uint32_t k = p->table[i].number;
  pending_entry *e = &p->entry[k];
  uint32_t a = e->before, b = e->after;
  p->disorder += pending_inversion(p, a, b) - pending_inversion(p, a, k) - pending_inversion(p, k, b);
  pending_unplace(p, i);
  if (a) p->entry[a].after = b;
  else p->head = b;
  if (b) p->entry[b].before = a;
  else p->tail = a;
  p->count--;
  p->bytes -= block_cost(e->block);
  lt_free(p->rt, p->idle);
  p->idle = e->block;
  *e = (pending_entry){.after = p->spare};
  p->spare = k;
}

static void pending_take_out_entry(lt_pending *p, uint32_t k) {
  uint64_t i = p->entry[k].hash & p->mask;
  while (p->table[i].number != k) i = (i + 1) & p->mask;
  pending_take_out(p, i);
}

/* Room for one more record in list and index. */
static leat_status pending_room(lt_pending *p, leat_error *err) {
  void *e = p->entry;
  leat_status st = LEAT_OK;
  if (!p->spare) st = lt_grow(p->rt, &e, &p->cap, p->n + 1, sizeof *p->entry, err);
  p->entry = e;
  if (st || (uint64_t)(p->count + 1) * 2 <= p->mask + 1) return st;
  uint64_t size = (p->mask + 1) * 2;
  pending_slot *table = lt_zarray(p->rt, size, sizeof *table);
  if (!table) return lt_fail_memory(err, size * sizeof *table, "the index of pending labels");
  lt_free(p->rt, p->table);
  p->table = table;
  p->mask = size - 1;
  for (uint32_t k = p->head; k; k = p->entry[k].after) {
    uint64_t i = p->entry[k].hash & p->mask;
    while (table[i].number) i = (i + 1) & p->mask;
    table[i] = (pending_slot){(uint32_t)p->entry[k].hash, k};
  }
  return LEAT_OK;
}

static void pending_append(lt_pending *p, pending_block *b, uint64_t hash, uint64_t place) {
  uint32_t k = p->spare ? p->spare : (uint32_t)p->n++;
  pending_entry *e = &p->entry[k];
  if (p->spare) p->spare = e->after;
  *e = (pending_entry){b, hash, p->tail, 0};
  if (p->tail) p->entry[p->tail].after = k;
  else p->head = k;
  p->disorder += pending_inversion(p, p->tail, k);
  p->tail = k;
  p->table[place] = (pending_slot){(uint32_t)hash, k};
  p->count++;
  p->bytes += block_cost(b);
}

static pending_block *block_make(lt_pending *p, const lt_waiting *w, int64_t cost) {
  pending_block *b = p->idle;
  if (b && block_cost(b) == cost) p->idle = NULL;
  else b = lt_alloc(p->rt, sizeof *b + (uint64_t)(cost - PENDING_EXTRA));
  if (!b) return NULL;
  *b = (pending_block){w->time_ns, w->key_size, w->row_size, w->n_served, w->schema, 0};
  if (w->n_served) memcpy(block_served(b), w->served, (size_t)w->n_served * sizeof *w->served);
  if (w->key_size) memcpy(block_key(b), w->key, w->key_size);
  if (w->row_size) memcpy(block_row(b), w->row, w->row_size);
  return b;
}

leat_status lt_pending_add(lt_pending *p, const lt_waiting *w, int32_t *replaced, int64_t *dropped, leat_error *err) {
  const uint64_t most = UINT64_C(1) << 60;
  *replaced = 0;
  *dropped = 0;
  if (w->key_size > most || w->row_size > most || w->n_served < 0 || (uint64_t)w->n_served > most / 8)
    return lt_fail(err, LEAT_E_RANGE, "pending labels: the record's sizes make no sense");
  uint64_t bytes = w->key_size + w->row_size + 8 * (uint64_t)w->n_served, hash = lt_hash64(w->key, w->key_size, 0);
  int fits = bytes + PENDING_EXTRA <= (uint64_t)p->max_bytes;
  pending_block *b = fits ? block_make(p, w, (int64_t)bytes + PENDING_EXTRA) : NULL;
  if (fits && !b) return lt_fail_memory(err, sizeof *b + bytes, "a pending label");
  leat_status st = fits ? pending_room(p, err) : LEAT_OK;
  if (st) {
    lt_free(p->rt, b);
    return st;
  }
  uint64_t i = pending_place(p, w->key, w->key_size, hash);
  if (p->table[i].number) {
    pending_take_out(p, i);
    *replaced = 1;
  }
  if (!fits) { /* larger than all that may wait */
    *dropped = 1;
    return LEAT_OK;
  }
  while (p->count && (p->count >= p->max_records || p->bytes + block_cost(b) > p->max_bytes)) {
    pending_take_out_entry(p, p->head);
    (*dropped)++;
  }
  if (*replaced || *dropped) i = pending_place(p, block_key(b), b->key_size, hash); /* removals move what stood behind them */
  pending_append(p, b, hash, i);
  return LEAT_OK;
}

static void block_show(const pending_block *b, lt_waiting *out) {
  *out = (lt_waiting){.key = block_key(b), .key_size = b->key_size, .time_ns = b->time_ns, .schema = b->schema,
                      .row = block_row(b), .row_size = b->row_size, .served = block_served(b), .n_served = b->n_served};
}

int lt_pending_find(const lt_pending *p, const void *key, uint64_t size, lt_waiting *out) {
  uint64_t i = pending_place(p, key, size, lt_hash64(key, size, 0));
  if (!p->table[i].number) return 0;
  block_show(p->entry[p->table[i].number].block, out);
  return 1;
}

int lt_pending_remove(lt_pending *p, const void *key, uint64_t size) {
  uint64_t i = pending_place(p, key, size, lt_hash64(key, size, 0));
  if (!p->table[i].number) return 0;
  pending_take_out(p, i);
  return 1;
}

int64_t lt_pending_expire(lt_pending *p, int64_t time_ns) {
  int64_t before = p->count;
  for (uint32_t k = p->head, after; k; k = after) {
    after = p->entry[k].after;
    if (p->entry[k].block->time_ns < time_ns) pending_take_out_entry(p, k);
    else if (!p->disorder) break; /* those behind it are not older */
  }
  return before - p->count;
}

int64_t lt_pending_oldest(const lt_pending *p) {
  int64_t t = INT64_MAX;
  for (uint32_t k = p->head; k; k = p->entry[k].after) {
    if (p->entry[k].block->time_ns < t) t = p->entry[k].block->time_ns;
    if (!p->disorder) break;
  }
  return t;
}

int64_t lt_pending_count(const lt_pending *p) { return p->count; }
int64_t lt_pending_bytes(const lt_pending *p) { return p->bytes; }

int lt_pending_next(const lt_pending *p, uint32_t *cursor, lt_waiting *out) {
  uint32_t k = *cursor ? p->entry[*cursor].after : p->head;
  if (!k) return 0;
  *cursor = k;
  block_show(p->entry[k].block, out);
  return 1;
}

/* Count; each: time, schema, sizes, then served, key, row. */
void lt_pending_save(const lt_pending *p, lt_put *w) {
  lt_put_u64(w, (uint64_t)p->count);
  for (uint32_t k = p->head; k; k = p->entry[k].after) {
    const pending_block *b = p->entry[k].block;
    lt_put_i64(w, b->time_ns);
    lt_put_u32(w, b->schema);
    lt_put_u64(w, (uint64_t)b->n_served);
    lt_put_u64(w, b->key_size);
    lt_put_u64(w, b->row_size);
    lt_put_raw(w, block_served(b), 8 * (uint64_t)b->n_served + b->key_size + b->row_size);
  }
}

leat_status lt_pending_restore(lt_pending *p, lt_get *r, leat_error *err) {
  leat_status st = LEAT_OK;
  uint64_t n = lt_get_count(r, 36, INT32_MAX);
  for (uint64_t i = 0; i < n && !st && !r->failed; i++) {
    lt_waiting w = {.time_ns = lt_get_i64(r), .schema = 0};
    int32_t replaced = 0;
    int64_t dropped;
    w.schema = lt_get_u32(r);
    uint64_t served = lt_get_u64(r), left;
    w.key_size = lt_get_u64(r);
    w.row_size = lt_get_u64(r);
    left = lt_get_left(r);
    if (served > left / 8 || w.key_size > left - 8 * served || w.row_size > left - 8 * served - w.key_size)
      lt_get_fail(r, LEAT_E_FORMAT);
    const char *at = lt_get_raw(r, 8 * served + w.key_size + w.row_size);
    if (!at || r->failed) break;
    w.n_served = (int64_t)served;
    w.served = (const double *)(const void *)at; /* only copied, so that its place does not matter */
    w.key = at + 8 * served;
    w.row = w.key + w.key_size;
    st = lt_pending_add(p, &w, &replaced, &dropped, err);
    if (replaced) lt_get_fail(r, LEAT_E_FORMAT);
  }
  return st ? st : lt_get_status(r, "pending labels", err);
}
