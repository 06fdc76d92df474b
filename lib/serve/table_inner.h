/* What the files of tables share; for this room only. */
#ifndef LEAT_SERVE_TABLE_INNER_H
#define LEAT_SERVE_TABLE_INNER_H
#include <string.h>
#include "base/hash.h"
#include "serve/table.h"
enum {
  LT_TABLE_VERSION = 1,
  LT_TABLE_CHUNK = 65536,      /* bytes of data under one checksum */
  LT_TABLE_KEY_MAX = 65535,
  LT_TABLE_VALUES_MAX = 16384,
  LT_TABLE_RESTART = 16,       /* keys of a block between two that are stored whole */
  LT_TABLE_BUCKET = 5,         /* keys a bucket on average */
  LT_TABLE_ENTRY = 16,         /* bytes of the index a bucket: u32 place, u8 keys, fingerprints of the first of them */
  LT_TABLE_INLINE = 11,        /* fingerprints that the index has room for */
  LT_TABLE_LINE = 32,          /* bytes of a filter line */
  LT_TABLE_LINE_KEYS = 28,     /* keys a filter line at most: at least 9.1 bits a key */
  LT_TABLE_BLOCK_LIMIT = 1 << 24 /* bytes of an unpacked block, at most */
};
enum { LT_LAYOUT_SORTED = 0, LT_LAYOUT_HASH = 1 };
enum { LT_KEYS_BYTES = 0, LT_KEYS_U64 = 1 };

/* ---- little-endian numbers in place; compilers make one load of each */
static inline uint32_t lt_t_load16(const uint8_t *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8; }
static inline uint32_t lt_t_load32(const uint8_t *p) { return lt_t_load16(p) | lt_t_load16(p + 2) << 16; }
static inline uint64_t lt_t_load64(const uint8_t *p) { return lt_t_load32(p) | (uint64_t)lt_t_load32(p + 4) << 32; }
static inline void lt_t_store16(uint8_t *p, uint32_t v) { p[0] = (uint8_t)v; p[1] = (uint8_t)(v >> 8); }
static inline void lt_t_store32(uint8_t *p, uint32_t v) { lt_t_store16(p, v); lt_t_store16(p + 2, v >> 16); }
static inline void lt_t_store64(uint8_t *p, uint64_t v) {
  lt_t_store32(p, (uint32_t)v);
  lt_t_store32(p + 4, (uint32_t)(v >> 32));
}
static inline float lt_t_float(const uint8_t *p) {
  uint32_t u = lt_t_load32(p);
  float f;
  memcpy(&f, &u, sizeof f);
  return f;
}
static inline void lt_t_put_float(uint8_t *p, float f) {
  uint32_t u;
  memcpy(&u, &f, sizeof u);
  lt_t_store32(p, u);
}
/* The first 8 bytes as a number that sorts as they do; a shorter key as if zeros followed. */
static inline uint64_t lt_t_prefix(const uint8_t *p, uint64_t n) {
  uint64_t v = 0;
  if (n >= 8) {
    for (int i = 0; i < 8; i++) v = v << 8 | p[i];
    return v;
  }
  for (uint64_t i = 0; i < n; i++) v |= (uint64_t)p[i] << (56 - 8 * i);
  return v;
}
static inline int lt_t_compare(const uint8_t *a, uint64_t an, const uint8_t *b, uint64_t bn) {
  int c = memcmp(a, b, an < bn ? an : bn);
  return c ? c : an < bn ? -1 : an > bn;
}
static inline uint64_t lt_t_bucket(uint64_t hash, uint64_t buckets) {
  return (uint64_t)((unsigned __int128)hash * buckets >> 64);
}

/* ---- a row on its way into a table. order: what rows are sorted by first, the hash or the first 8 bytes. */
typedef struct lt_table_row { uint64_t order; const uint8_t *key; uint64_t size; const uint8_t *value; } lt_table_row;
static inline uint64_t lt_t_order(int layout, const uint8_t *key, uint64_t size) {
  return layout == LT_LAYOUT_HASH ? lt_hash64(key, size, 0) : lt_t_prefix(key, size);
}
/* Rows in the order of a layout, each key once; rewind gives them again. rows and key_bytes: at least so many come. */
typedef struct lt_row_source {
  void *self;
  leat_status (*rewind)(void *self, leat_error *err);
  leat_status (*next)(void *self, lt_table_row *row, int32_t *got, leat_error *err); /* row: until the next call */
  uint64_t rows, key_bytes;
  uint32_t key_min, key_max; /* lengths of the keys; 0, 0 without rows */
} lt_row_source;

/* ---- what a table says of itself */
typedef struct lt_table_meta {
  int32_t layout, key_type;
  uint64_t rows, key_bytes, n_values, buckets, blocks;
  uint32_t key_min, key_max, shift, block_max;
  char **name;     /* [n_values] */
  char *model;     /* checksum, or "" */
  int64_t created, valid_until;
  float *standard; /* [n_values], or NULL: what keys that are not there get */
} lt_table_meta;
void lt_table_meta_free(leat_runtime *rt, lt_table_meta *m);
leat_status lt_table_meta_copy(leat_runtime *rt, const lt_table_meta *from, lt_table_meta *to, leat_error *err);
void lt_table_meta_save(const lt_table_meta *m, lt_put *w);
leat_status lt_table_meta_load(leat_runtime *rt, const void *data, uint64_t size, lt_table_meta *m, leat_error *err);
/* Bytes that the length of a key takes in a table: 0 when all have the same length. */
static inline uint32_t lt_t_len_bytes(const lt_table_meta *m) { return m->key_min == m->key_max ? 0 : m->key_max < 256 ? 1 : 2; }
/* Bytes that a shared prefix takes in a block, and half of those of a restart. */
static inline uint32_t lt_t_share_bytes(const lt_table_meta *m) { return m->key_max < 256 ? 1 : 2; }
static inline uint64_t lt_t_filter_lines(uint64_t rows) { return (rows + LT_TABLE_LINE_KEYS - 1) / LT_TABLE_LINE_KEYS; }
/* One line of a split block Bloom filter (Putze, Sanders, Singler: "Cache-, hash- and space-efficient Bloom filters",
 * 2007; the odd multipliers are those of Apache Parquet's format): one bit in each of 8 words. */
static inline uint32_t lt_t_filter_bit(uint32_t key, int word) {
  static const uint32_t salt[8] = {0x47b6137bu, 0x44974d91u, 0x8824ad5bu, 0xa2b7289du,
                                   0x705495c7u, 0x2df1424bu, 0x9efc4947u, 0x5c6bfb31u};
  return 1u << ((key * salt[word]) >> 27);
}

/* ---- the frame (frame.c): a sealed file that is written in one pass, and read without loading it */
typedef struct lt_frame lt_frame;
typedef struct lt_spool lt_spool; /* bytes that wait: in memory, then in a file */
leat_status lt_spool_create(leat_runtime *rt, const char *path, lt_spool **out, leat_error *err);
void lt_spool_free(lt_spool *s);
leat_status lt_spool_put(lt_spool *s, const void *p, uint64_t n, leat_error *err);
leat_status lt_spool_copy(lt_spool *s, lt_frame *f, leat_error *err);
/* "PATH.tmp-PROCESS-NUMBER", new and open; *name is to be freed. */
leat_status lt_table_temporary(leat_runtime *rt, const char *path, char **name, lt_file **out, leat_error *err);
leat_status lt_frame_create(leat_runtime *rt, const char *path, uint32_t sections, lt_frame **out, leat_error *err);
void lt_frame_free(lt_frame *f); /* before finish: nothing of it stays */
leat_status lt_frame_begin(lt_frame *f, const char *name, lt_spool *sums, leat_error *err); /* sums: of chunks, or NULL */
leat_status lt_frame_put(lt_frame *f, const void *p, uint64_t n, leat_error *err);
uint64_t lt_frame_at(const lt_frame *f); /* bytes of the section so far */
leat_status lt_frame_finish(lt_frame *f, leat_error *err);
typedef struct lt_frame_section { const uint8_t *data; uint64_t size, sum[2]; } lt_frame_section;
/* Finds the n named sections, which must be all there are, in this order; checks everything but the bytes of those whose
 * bit in `later` is set. checksum: of the table of sections. */
leat_status lt_frame_parse(leat_runtime *rt, const uint8_t *data, uint64_t size, const char *name,
                           const char *const *sections, uint32_t n, uint32_t later, lt_frame_section *out,
                           char checksum[33], leat_error *err);

/* ---- making a file out of rows (emit.c) */
typedef struct lt_emit_opts { int32_t compress, dictionary; uint64_t block_bytes; } lt_emit_opts;
leat_status lt_table_emit(leat_runtime *rt, const char *path, lt_table_meta *m, const lt_emit_opts *o,
                          lt_row_source *src, leat_error *err);
leat_status lt_emit_hash(leat_runtime *rt, lt_frame *f, const char *path, lt_table_meta *m, lt_row_source *src,
                         leat_error *err);
leat_status lt_emit_sorted(leat_runtime *rt, lt_frame *f, const char *path, lt_table_meta *m, const lt_emit_opts *o,
                           lt_row_source *src, leat_error *err);

/* ---- sorting (sorter.c) */
typedef struct lt_sorter lt_sorter;
leat_status lt_sorter_create(leat_runtime *rt, const char *path, int layout, uint64_t value_bytes, uint64_t memory_bytes,
                             int refuse_twice, lt_sorter **out, leat_error *err);
void lt_sorter_free(lt_sorter *s);
/* value: value_bytes, little-endian; NULL gives room in *room that the caller fills before the next call. */
leat_status lt_sorter_add(lt_sorter *s, const uint8_t *key, uint64_t size, uint8_t **room, leat_error *err);
leat_status lt_sorter_seal(lt_sorter *s, lt_row_source *out, leat_error *err);

/* ---- an open table */
typedef struct lt_block_place { uint64_t at; uint32_t line, rows; } lt_block_place; /* line: its first one of the filter */
struct leat_table {
  lt_ref refs;
  leat_runtime *rt;
  char *path;
  lt_file *file;          /* while mapped */
  const void *mapped;
  void *own;
  const uint8_t *bytes;
  uint64_t size;
  lt_table_meta meta;
  char checksum[33];
  uint64_t value_bytes;
  uint32_t len_bytes, share_bytes;
  const uint8_t *data;
  uint64_t data_size;
  const uint8_t *sums;
  uint8_t *seen;          /* a byte a chunk: 0 not yet, 1 right, 2 damaged; atomic */
  uint64_t chunks;
  const uint8_t *index, *filter, *dict;
  uint64_t dict_size;
  void *ddict;            /* ZSTD_DDict */
  const uint8_t *key_ends, *key_blob;
  lt_block_place *place;  /* [blocks + 1] */
  const uint8_t *common;  /* what the first and the last block's first key share */
  uint64_t common_size;
  uint64_t *prefix, *top; /* of each block's first key, behind common; of every 64th */
};
/* FORMAT, naming the byte. */
leat_status lt_table_damage(const leat_table *t, uint64_t at, const char *what, leat_error *err);
int lt_table_chunks_wrong(const leat_table *t, uint64_t from, uint64_t to); /* verifies; 1 when one is damaged */
static inline int lt_t_unchecked(const leat_table *t, uint64_t from, uint64_t to) {
  for (uint64_t c = from / LT_TABLE_CHUNK; c <= (to - 1) / LT_TABLE_CHUNK; c++)
    if (__atomic_load_n(&t->seen[c], __ATOMIC_RELAXED) != 1) return 1;
  return 0;
}
/* A caller's key as the table stores it. u64: the number's 8 bytes, the highest first. */
leat_status lt_table_key(int key_type, const void *key, uint64_t size, uint8_t room[8], const uint8_t **out, leat_error *err);

/* ---- blocks of the sorted layout (blocks.c) */
typedef struct lt_block_view { /* the keys' part */
  const uint8_t *whole, *restart, *shared, *lens, *suffix, *common;
  uint32_t n, restarts, common_size, suffix_bytes;
} lt_block_view;
typedef struct lt_block_parts { /* as they are stored; raw: bytes when unpacked */
  const uint8_t *keys, *values;
  uint64_t keys_size, keys_raw, values_size, values_raw;
  int32_t keys_packed, values_packed;
} lt_block_parts;
void lt_tblock_first_key(const leat_table *t, uint64_t b, const uint8_t **key, uint64_t *size);
int64_t lt_tblock_find(const leat_table *t, const uint8_t *key, uint64_t size); /* -1: before the first */
int lt_tblock_may_have(const leat_table *t, uint64_t b, const uint8_t *key, uint64_t size);
leat_status lt_tblock_parts(const leat_table *t, uint64_t b, lt_block_parts *p, leat_error *err); /* verified */
int lt_tblock_open(const leat_table *t, uint64_t b, const uint8_t *keys, uint64_t size, lt_block_view *v); /* 0: nonsense */
/* 1 found, in *row; 0 not there; -1 nonsense */
int lt_tblock_search(const leat_table *t, const lt_block_view *v, const uint8_t *key, uint64_t size, uint64_t *row);

/* ---- the next row of a reader, as it is stored */
leat_status lt_table_reader_step(leat_table_reader *r, lt_table_row *row, int32_t *got, leat_error *err);
/* 1 found: value_bytes at *value (until the next call); 0 not there. key: as stored. */
leat_status lt_table_reader_find(leat_table_reader *r, const uint8_t *key, uint64_t size, const uint8_t **value,
                                 int32_t *hit, leat_error *err);
leat_status lt_table_find_hash(const leat_table *t, const uint8_t *key, uint64_t size, const uint8_t **value, int32_t *hit,
                               leat_error *err); /* the same in the hash layout */
/* 0 when nothing in t depends on it */
static inline int64_t lt_table_now(const leat_table *t) { return t->meta.valid_until ? lt_now_ns(t->rt) : 0; }
static inline int64_t lt_table_status(const leat_table *t, int hit, int64_t now) {
  if (!hit) return t->meta.standard ? LEAT_TABLE_DEFAULT : LEAT_TABLE_MISS;
  return now > t->meta.valid_until ? LEAT_TABLE_STALE : LEAT_TABLE_HIT; /* 0 > 0 where there is no end */
}
#endif
