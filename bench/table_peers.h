/* Other stores for bench_table: Debian's LevelDB, RocksDB (block table, zstd block table, PlainTable), LMDB, tinycdb. Their
 * headers and libraries are used when they are there (libleveldb-dev librocksdb-dev liblmdb-dev libcdb-dev); the
 * libraries are loaded at run time, so that nothing of leat's build depends on them. */
#ifndef LEAT_BENCH_TABLE_PEERS_H
#define LEAT_BENCH_TABLE_PEERS_H
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct peer {
  const char *name;
  int (*build)(const char *folder, uint64_t n, const char *(*key)(uint64_t), float (*value)(uint64_t)); /* keys ascend */
  int (*open)(const char *folder);
  int (*get)(const char *key, float *v); /* 1 found */
  uint64_t (*scan)(double *sum);         /* rows, or NULL */
  const char *file;                      /* below the folder, for the size */
} peer;

#define PEER_LOAD(h, f) ((p_##f = (__typeof__(&f))(uintptr_t)dlsym(h, #f)) != NULL)
static int peer_bad(const char *who, char *err) {
  if (!err) return 0;
  fprintf(stderr, "%s: %s\n", who, err);
  return 1;
}

#if __has_include(<leveldb/c.h>)
#include <leveldb/c.h>
#define LEVEL_ALL(X) X(leveldb_open) X(leveldb_options_create) X(leveldb_options_set_create_if_missing) \
  X(leveldb_options_set_filter_policy) X(leveldb_options_set_cache) X(leveldb_options_set_compression) \
  X(leveldb_options_set_write_buffer_size) X(leveldb_filterpolicy_create_bloom) X(leveldb_cache_create_lru) \
  X(leveldb_writebatch_create) X(leveldb_writebatch_put) X(leveldb_writebatch_clear) X(leveldb_write) \
  X(leveldb_writeoptions_create) X(leveldb_readoptions_create) X(leveldb_get) X(leveldb_free) X(leveldb_close) \
  X(leveldb_compact_range)
#define X(f) static __typeof__(&f) p_##f;
LEVEL_ALL(X)
#undef X
static leveldb_t *level_db;
static leveldb_readoptions_t *level_ro;
static int level_load(void) {
  void *h = dlopen("libleveldb.so", RTLD_NOW);
#define X(f) &&PEER_LOAD(h, f)
  return h LEVEL_ALL(X);
#undef X
}
static int level_open_how(const char *folder, uint8_t create) {
  char path[600], *err = NULL;
  if (!level_load()) return 0;
  snprintf(path, sizeof path, "%s/leveldb", folder);
  leveldb_options_t *o = p_leveldb_options_create();
  p_leveldb_options_set_create_if_missing(o, create);
  p_leveldb_options_set_filter_policy(o, p_leveldb_filterpolicy_create_bloom(10));
  p_leveldb_options_set_cache(o, p_leveldb_cache_create_lru((size_t)2 << 30));
  p_leveldb_options_set_compression(o, leveldb_no_compression);
  p_leveldb_options_set_write_buffer_size(o, 64 << 20);
  level_db = p_leveldb_open(o, path, &err);
  level_ro = p_leveldb_readoptions_create();
  return !peer_bad("leveldb", err);
}
static int level_open(const char *folder) { return level_open_how(folder, 0); }
static int level_build(const char *folder, uint64_t n, const char *(*key)(uint64_t), float (*value)(uint64_t)) {
  char *err = NULL;
  if (!level_open_how(folder, 1)) return 0;
  leveldb_writebatch_t *b = p_leveldb_writebatch_create();
  leveldb_writeoptions_t *w = p_leveldb_writeoptions_create();
  for (uint64_t i = 0; i < n && !err; i++) {
    float v = value(i);
    p_leveldb_writebatch_put(b, key(i), 16, (char *)&v, 4);
    if (i % 4096 == 4095 || i + 1 == n) {
      p_leveldb_write(level_db, w, b, &err);
      p_leveldb_writebatch_clear(b);
    }
  }
  p_leveldb_compact_range(level_db, NULL, 0, NULL, 0);
  p_leveldb_close(level_db);
  return !peer_bad("leveldb", err);
}
static int level_get(const char *key, float *v) {
  char *err = NULL;
  size_t n;
  char *p = p_leveldb_get(level_db, level_ro, key, 16, &n, &err);
  if (!p) return 0;
  memcpy(v, p, 4);
  p_leveldb_free(p);
  return 1;
}
#define PEER_LEVEL {"LevelDB, bloom 10, 2 GB cache", level_build, level_open, level_get, NULL, "leveldb"},
#else
#define PEER_LEVEL
#endif

#if __has_include(<rocksdb/c.h>)
#include <rocksdb/c.h>
#define ROCKS_ALL(X) X(rocksdb_open) X(rocksdb_open_for_read_only) X(rocksdb_close) X(rocksdb_options_create) X(rocksdb_options_set_create_if_missing) \
  X(rocksdb_block_based_options_create) X(rocksdb_block_based_options_set_filter_policy) \
  X(rocksdb_block_based_options_set_block_cache) X(rocksdb_filterpolicy_create_bloom_full) X(rocksdb_cache_create_lru) \
  X(rocksdb_options_set_block_based_table_factory) X(rocksdb_options_set_compression) \
  X(rocksdb_options_set_plain_table_factory) X(rocksdb_options_set_prefix_extractor) \
  X(rocksdb_slicetransform_create_fixed_prefix) X(rocksdb_options_set_allow_mmap_reads) \
  X(rocksdb_sstfilewriter_create) X(rocksdb_sstfilewriter_open) X(rocksdb_sstfilewriter_put) \
  X(rocksdb_sstfilewriter_finish) X(rocksdb_envoptions_create) X(rocksdb_ingestexternalfileoptions_create) \
  X(rocksdb_ingest_external_file) X(rocksdb_readoptions_create) X(rocksdb_get_pinned) X(rocksdb_pinnableslice_value) \
  X(rocksdb_pinnableslice_destroy) X(rocksdb_create_iterator) X(rocksdb_iter_seek_to_first) X(rocksdb_iter_valid) \
  X(rocksdb_iter_next) X(rocksdb_iter_value) X(rocksdb_iter_destroy) X(rocksdb_ingestexternalfileoptions_set_move_files) \
  X(rocksdb_writebatch_create) X(rocksdb_writebatch_put) X(rocksdb_writebatch_clear) X(rocksdb_write) \
  X(rocksdb_writeoptions_create) X(rocksdb_writeoptions_disable_WAL) X(rocksdb_flushoptions_create) X(rocksdb_flush) \
  X(rocksdb_compact_range)
#define X(f) static __typeof__(&f) p_##f;
ROCKS_ALL(X)
#undef X
enum { ROCKS_BLOCK, ROCKS_ZSTD, ROCKS_ZSTD_SMALL, ROCKS_PLAIN, ROCKS_KINDS };
static const char *const rocks_name[] = {"rocksdb-block", "rocksdb-zstd", "rocksdb-zstd", "rocksdb-plain"};
static rocksdb_t *rocks_db[ROCKS_KINDS];
static rocksdb_readoptions_t *rocks_ro;
static int rocks_load(void) {
  static void *h;
  if (h) return 1;
  h = dlopen("librocksdb.so", RTLD_NOW);
#define X(f) &&PEER_LOAD(h, f)
  int all = h ROCKS_ALL(X);
#undef X
  if (all) rocks_ro = p_rocksdb_readoptions_create();
  return all;
}
static rocksdb_options_t *rocks_options(int kind) {
  rocksdb_options_t *o = p_rocksdb_options_create();
  p_rocksdb_options_set_create_if_missing(o, 1);
  p_rocksdb_options_set_compression(o, kind == ROCKS_ZSTD || kind == ROCKS_ZSTD_SMALL ? rocksdb_zstd_compression : rocksdb_no_compression);
  if (kind == ROCKS_PLAIN) {
    p_rocksdb_options_set_prefix_extractor(o, p_rocksdb_slicetransform_create_fixed_prefix(16));
    p_rocksdb_options_set_allow_mmap_reads(o, 1);
    p_rocksdb_options_set_plain_table_factory(o, 16, 10, 0.75, 16);
    return o;
  }
  rocksdb_block_based_table_options_t *b = p_rocksdb_block_based_options_create();
  p_rocksdb_block_based_options_set_filter_policy(b, p_rocksdb_filterpolicy_create_bloom_full(10));
  p_rocksdb_block_based_options_set_block_cache(b, p_rocksdb_cache_create_lru(kind == ROCKS_ZSTD_SMALL ? (size_t)8 << 20 : (size_t)2 << 30));
  p_rocksdb_options_set_block_based_table_factory(o, b);
  return o;
}
static int rocks_open(int kind, const char *folder, int write) {
  char path[600], *err = NULL;
  if (!rocks_load()) return 0;
  snprintf(path, sizeof path, "%s/%s", folder, rocks_name[kind]);
  rocks_db[kind] = write ? p_rocksdb_open(rocks_options(kind), path, &err)
                         : p_rocksdb_open_for_read_only(rocks_options(kind), path, 0, &err);
  return !peer_bad(rocks_name[kind], err);
}
static int rocks_build(int kind, const char *folder, uint64_t n, const char *(*key)(uint64_t), float (*value)(uint64_t)) {
  char path[600], *err = NULL;
  if (!rocks_open(kind, folder, 1)) return 0;
  if (kind == ROCKS_PLAIN) { /* its files cannot be ingested */
    rocksdb_writebatch_t *b = p_rocksdb_writebatch_create();
    rocksdb_writeoptions_t *w = p_rocksdb_writeoptions_create();
    p_rocksdb_writeoptions_disable_WAL(w, 1);
    for (uint64_t i = 0; i < n && !err; i++) {
      float v = value(i);
      p_rocksdb_writebatch_put(b, key(i), 16, (char *)&v, 4);
      if (i % 4096 == 4095 || i + 1 == n) {
        p_rocksdb_write(rocks_db[kind], w, b, &err);
        p_rocksdb_writebatch_clear(b);
      }
    }
    if (!err) p_rocksdb_flush(rocks_db[kind], p_rocksdb_flushoptions_create(), &err);
    p_rocksdb_compact_range(rocks_db[kind], NULL, 0, NULL, 0);
  } else {
    snprintf(path, sizeof path, "%s/%s.sst", folder, rocks_name[kind]);
    rocksdb_sstfilewriter_t *w = p_rocksdb_sstfilewriter_create(p_rocksdb_envoptions_create(), rocks_options(kind));
    p_rocksdb_sstfilewriter_open(w, path, &err);
    for (uint64_t i = 0; i < n && !err; i++) {
      float v = value(i);
      p_rocksdb_sstfilewriter_put(w, key(i), 16, (char *)&v, 4, &err);
    }
    if (!err) p_rocksdb_sstfilewriter_finish(w, &err);
    rocksdb_ingestexternalfileoptions_t *in = p_rocksdb_ingestexternalfileoptions_create();
    p_rocksdb_ingestexternalfileoptions_set_move_files(in, 1);
    const char *list[] = {path};
    if (!err) p_rocksdb_ingest_external_file(rocks_db[kind], list, 1, in, &err);
  }
  p_rocksdb_close(rocks_db[kind]);
  return !peer_bad(rocks_name[kind], err);
}
static int rocks_get(int kind, const char *key, float *v) {
  char *err = NULL;
  size_t n;
  rocksdb_pinnableslice_t *s = p_rocksdb_get_pinned(rocks_db[kind], rocks_ro, key, 16, &err);
  if (!s) return 0;
  memcpy(v, p_rocksdb_pinnableslice_value(s, &n), 4);
  p_rocksdb_pinnableslice_destroy(s);
  return 1;
}
static uint64_t rocks_scan(int kind, double *sum) {
  uint64_t rows = 0;
  rocksdb_iterator_t *it = p_rocksdb_create_iterator(rocks_db[kind], rocks_ro);
  for (p_rocksdb_iter_seek_to_first(it); p_rocksdb_iter_valid(it); p_rocksdb_iter_next(it), rows++) {
    size_t n;
    float v;
    memcpy(&v, p_rocksdb_iter_value(it, &n), 4);
    *sum += (double)v;
  }
  p_rocksdb_iter_destroy(it);
  return rows;
}
#define ROCKS(name, KIND)                                                              \
  static int name##_open(const char *f) { return rocks_open(KIND, f, 0); }             \
  static int name##_get(const char *k, float *v) { return rocks_get(KIND, k, v); }
#define ROCKS_BUILD(name, KIND)                                                        \
  static int name##_build(const char *f, uint64_t n, const char *(*k)(uint64_t), float (*v)(uint64_t)) { \
    return rocks_build(KIND, f, n, k, v);                                              \
  }
#define ROCKS_SCAN(name, KIND) static uint64_t name##_scan(double *sum) { return rocks_scan(KIND, sum); }
ROCKS(rblock, ROCKS_BLOCK)
ROCKS_BUILD(rblock, ROCKS_BLOCK)
ROCKS_SCAN(rblock, ROCKS_BLOCK)
ROCKS(rzstd, ROCKS_ZSTD)
ROCKS_BUILD(rzstd, ROCKS_ZSTD)
ROCKS_SCAN(rzstd, ROCKS_ZSTD)
ROCKS(rsmall, ROCKS_ZSTD_SMALL)
ROCKS_SCAN(rsmall, ROCKS_ZSTD_SMALL)
ROCKS(rplain, ROCKS_PLAIN)
ROCKS_BUILD(rplain, ROCKS_PLAIN)
#define PEER_ROCKS                                                                                          \
  {"RocksDB block table, bloom 10, 2 GB cache", rblock_build, rblock_open, rblock_get, rblock_scan, "rocksdb-block"}, \
  {"RocksDB zstd, bloom 10, 2 GB cache", rzstd_build, rzstd_open, rzstd_get, rzstd_scan, "rocksdb-zstd"},    \
  {"RocksDB zstd, bloom 10, 8 MB cache", NULL, rsmall_open, rsmall_get, rsmall_scan, "rocksdb-zstd"},        \
  {"RocksDB PlainTable, mmap", rplain_build, rplain_open, rplain_get, NULL, "rocksdb-plain"},
#else
#define PEER_ROCKS
#endif

#if __has_include(<lmdb.h>)
#include <lmdb.h>
#define LMDB_ALL(X) X(mdb_env_create) X(mdb_env_set_mapsize) X(mdb_env_open) X(mdb_txn_begin) X(mdb_dbi_open) X(mdb_put) \
  X(mdb_txn_commit) X(mdb_env_close) X(mdb_get)
#define X(f) static __typeof__(&f) p_##f;
LMDB_ALL(X)
#undef X
static MDB_env *lmdb_env;
static MDB_txn *lmdb_txn;
static MDB_dbi lmdb_dbi;
static int lmdb_start(const char *folder, unsigned flags) {
  char path[600];
  void *h = dlopen("liblmdb.so", RTLD_NOW);
#define X(f) &&PEER_LOAD(h, f)
  if (!(h LMDB_ALL(X))) return 0;
#undef X
  snprintf(path, sizeof path, "%s/lmdb", folder);
  mkdir(path, 0777);
  return !p_mdb_env_create(&lmdb_env) && !p_mdb_env_set_mapsize(lmdb_env, (size_t)4 << 30) &&
         !p_mdb_env_open(lmdb_env, path, flags | MDB_NORDAHEAD, 0666) &&
         !p_mdb_txn_begin(lmdb_env, NULL, flags & MDB_RDONLY, &lmdb_txn) && !p_mdb_dbi_open(lmdb_txn, NULL, 0, &lmdb_dbi);
}
static int lmdb_open(const char *folder) { return lmdb_start(folder, MDB_RDONLY | MDB_NOLOCK); }
static int lmdb_build(const char *folder, uint64_t n, const char *(*key)(uint64_t), float (*value)(uint64_t)) {
  if (!lmdb_start(folder, 0)) return 0;
  for (uint64_t i = 0; i < n; i++) {
    float v = value(i);
    MDB_val k = {16, (void *)(uintptr_t)key(i)}, d = {4, &v};
    if (p_mdb_put(lmdb_txn, lmdb_dbi, &k, &d, MDB_APPEND)) return 0;
  }
  int bad = p_mdb_txn_commit(lmdb_txn);
  p_mdb_env_close(lmdb_env);
  return !bad;
}
static int lmdb_get(const char *key, float *v) {
  MDB_val k = {16, (void *)(uintptr_t)key}, d;
  if (p_mdb_get(lmdb_txn, lmdb_dbi, &k, &d)) return 0;
  memcpy(v, d.mv_data, 4);
  return 1;
}
#define PEER_LMDB {"LMDB", lmdb_build, lmdb_open, lmdb_get, NULL, "lmdb/data.mdb"},
#else
#define PEER_LMDB
#endif

#if __has_include(<cdb.h>)
#include <cdb.h>
#define CDB_ALL(X) X(cdb_init) X(cdb_find) X(cdb_get) X(cdb_make_start) X(cdb_make_add) X(cdb_make_finish)
#define X(f) static __typeof__(&f) p_##f;
CDB_ALL(X)
#undef X
static struct cdb tiny;
static int tiny_start(const char *folder, int flags) {
  char path[600];
  void *h = dlopen("libcdb.so", RTLD_NOW);
#define X(f) &&PEER_LOAD(h, f)
  if (!(h CDB_ALL(X))) return -1;
#undef X
  snprintf(path, sizeof path, "%s/tiny.cdb", folder);
  return open(path, flags, 0666);
}
static int tiny_open(const char *folder) {
  int fd = tiny_start(folder, O_RDONLY);
  return fd >= 0 && p_cdb_init(&tiny, fd) == 0;
}
static int tiny_build(const char *folder, uint64_t n, const char *(*key)(uint64_t), float (*value)(uint64_t)) {
  static struct cdb_make m;
  int fd = tiny_start(folder, O_RDWR | O_CREAT | O_TRUNC);
  if (fd < 0 || p_cdb_make_start(&m, fd)) return 0;
  for (uint64_t i = 0; i < n; i++) {
    float v = value(i);
    if (p_cdb_make_add(&m, key(i), 16, &v, 4)) return 0;
  }
  int bad = p_cdb_make_finish(&m);
  close(fd);
  return !bad;
}
static int tiny_get(const char *key, float *v) {
  if (p_cdb_find(&tiny, key, 16) <= 0) return 0;
  memcpy(v, p_cdb_get(&tiny, cdb_datalen(&tiny), cdb_datapos(&tiny)), 4);
  return 1;
}
#define PEER_TINY {"tinycdb", tiny_build, tiny_open, tiny_get, NULL, "tiny.cdb"},
#else
#define PEER_TINY
#endif

static const peer peers[] = {PEER_LEVEL PEER_ROCKS PEER_LMDB PEER_TINY {NULL, NULL, NULL, NULL, NULL, NULL}};
#endif
