/* Tables beside other stores: N keys of 16 bytes (hex digits), one f32 each, warm.
 * Usage: bench_table build FOLDER [N [NAME...]]   makes leat's two tables, and the stores whose names begin so (all)
 *        bench_table run FOLDER [N [hash|sorted]] look-ups and scans, interleaved, every answer checked: of the hash layout
 *                                                 beside all others, of the sorted one beside RocksDB
 * Times are of the processor, of this thread; look-ups in ns, median of rounds. */
#define _GNU_SOURCE
#include <leat/leat.h>
#include <math.h>
#include <sys/resource.h>
#include <time.h>
#include "clock.h"
#include "table_peers.h"

enum { ROUNDS = 7, LOOKUPS = 50000, GROUP = 1000 };
static leat_error err = {.struct_size = sizeof err};
static leat_runtime *rt;
static uint64_t n_keys = 10000000;
static char (*keys)[16]; /* ascending, then as many that are not there */
static uint64_t *numbers;

static void must(leat_status st, const char *what) {
  if (st == LEAT_OK) return;
  fprintf(stderr, "%s: %s\n", what, err.message);
  exit(1);
}
static double clock_of(clockid_t id) { return bench_clock(id); }
static double cpu(void) { return clock_of(CLOCK_THREAD_CPUTIME_ID); }
static double wall(void) { return clock_of(CLOCK_MONOTONIC); }
static double all_cpu(void) { return clock_of(CLOCK_PROCESS_CPUTIME_ID); }

static uint64_t mix(uint64_t x) { /* splitmix64: a bijection, so no key comes twice */
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}
static void hex16(uint64_t v, char *to) {
  for (int i = 0; i < 16; i++) to[i] = "0123456789abcdef"[v >> (60 - 4 * i) & 15];
}
static float value_of(uint64_t number) { return (float)(mix(number ^ 0x5bd1e995) >> 40) / 16777216.0f; }
static int ascending(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}
static const char *key_at(uint64_t i) { return keys[i]; }
static float value_at(uint64_t i) { return value_of(numbers[i]); }

static void make_keys(void) {
  keys = malloc(n_keys * 2 * 16);
  numbers = malloc(n_keys * sizeof *numbers);
  for (uint64_t i = 0; i < n_keys; i++) numbers[i] = mix(i);
  qsort(numbers, n_keys, sizeof *numbers, ascending);
  for (uint64_t i = 0; i < n_keys; i++) hex16(numbers[i], keys[i]);
  for (uint64_t i = 0; i < n_keys; i++) hex16(mix(i + n_keys), keys[n_keys + i]);
}

static const char *place(const char *folder, const char *name) {
  static char path[4][600];
  static int k;
  char *p = path[k++ & 3];
  snprintf(p, 600, "%s/%s", folder, name);
  return p;
}
static double megabytes(const char *path) { /* of a file, or all in a folder */
  char line[700] = "";
  snprintf(line, sizeof line, "du -sb --apparent-size %s", path);
  FILE *f = popen(line, "r");
  long long v = 0;
  if (!f || fscanf(f, "%lld", &v) != 1) v = 0;
  if (f) pclose(f);
  return (double)v / 1e6;
}

static void build_own(const char *folder, const char *layout, const char *compression, const char *name) {
  leat_params *p;
  leat_table_writer *w;
  must(leat_params_create(rt, "table/write", &p, &err), "params");
  must(leat_params_set_text(p, "layout", layout, &err), "layout");
  must(leat_params_set_text(p, "compression", compression, &err), "compression");
  double c = all_cpu(), t = wall();
  char key[16];
  must(leat_table_writer_create(rt, place(folder, name), p, NULL, &w, &err), "writer");
  for (uint64_t i = 0; i < n_keys; i++) { /* in a random order: made here, for the bound on memory */
    uint64_t number = mix(i);
    float v = value_of(number);
    hex16(number, key);
    must(leat_table_writer_add(w, key, 16, &v, 1, &err), "add");
  }
  double added = wall();
  must(leat_table_writer_finish(w, &err), "finish");
  leat_table_writer_free(w);
  leat_params_free(p);
  double seconds = wall() - t;
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  printf("build %-26s %6.2f s (add %.2f), %.2f M keys/s; %.2f s of processor; %.1f bytes a key; resident at most %.0f MB\n", name, seconds,
         added - t, (double)n_keys / seconds / 1e6, all_cpu() - c, megabytes(place(folder, name)) * 1e6 / (double)n_keys,
         (double)u.ru_maxrss / 1e3);
}

static void build(const char *folder, int argc, char **argv) {
  mkdir(folder, 0777);
  int wanted = argc == 0;
  for (int i = 0; i < argc; i++) wanted |= strcmp(argv[i], "leat") == 0;
  if (wanted) {
    build_own(folder, "hash", "none", "hash.ltab");
    if (getenv("LEAT_BENCH_HASH_ONLY")) return;
    build_own(folder, "sorted", "zstd", "sorted.ltab");
    build_own(folder, "sorted", "none", "sorted-plain.ltab");
  }
  if (argc == 1 && wanted) return;
  make_keys();
  for (const peer *p = peers; p->name; p++) {
    int take = argc == 0;
    for (int i = 0; i < argc; i++) take |= strncmp(argv[i], p->name, strlen(argv[i])) == 0;
    if (!take || !p->build) continue;
    double t = wall(), c = all_cpu();
    int good = p->build(folder, n_keys, key_at, value_at);
    printf("build %-44s %s %6.2f s, %.2f s of processor; %.1f bytes a key\n", p->name, good ? "" : "(failed)", wall() - t, all_cpu() - c,
           megabytes(place(folder, p->file)) * 1e6 / (double)n_keys);
    fflush(stdout);
  }
}

/* ---- look-ups */
typedef struct subject {
  char name[64];
  const peer *peer;
  leat_table *t;
  leat_table_reader *r;
  int many;
  double hit[ROUNDS], miss[ROUNDS], scan;
} subject;
static uint64_t wrong;

static void check(uint64_t i, int found, float v) {
  if (i < n_keys ? !found || v != value_of(numbers[i]) : found) wrong++;
}

static double round_of(subject *s, int hits, uint64_t seed) {
  static uint64_t pick[LOOKUPS];
  static char (*wanted)[16]; /* the keys that are asked for lie in a row, as a host would have them */
  static float v[LOOKUPS];
  static int64_t found[LOOKUPS];
  if (!wanted) wanted = malloc(LOOKUPS * 16);
  for (uint64_t i = 0; i < LOOKUPS; i++) {
    pick[i] = mix(seed * LOOKUPS + i) % n_keys + (hits ? 0 : n_keys);
    memcpy(wanted[i], keys[pick[i]], 16);
  }
  double t = cpu();
  for (uint64_t i = 0; i < LOOKUPS; i++) {
    if (s->peer) found[i] = s->peer->get(wanted[i], &v[i]);
    else if (s->many) {
      leat_matrix out = {sizeof out, v + i, GROUP, 1, 0, 0, LEAT_F32, 0};
      must(leat_table_get_many(s->t, wanted[i], NULL, GROUP, &out, found + i, &err), "get_many");
      i += GROUP - 1;
    } else if (s->r)
      must(leat_table_reader_get(s->r, wanted[i], 16, &v[i], 1, &found[i], &err), "reader_get");
    else
      must(leat_table_get(s->t, wanted[i], 16, &v[i], 1, &found[i], &err), "get");
  }
  t = cpu() - t;
  for (uint64_t i = 0; i < LOOKUPS; i++) check(pick[i], s->peer ? found[i] == 1 : found[i] == LEAT_TABLE_HIT, v[i]);
  return t / LOOKUPS * 1e9;
}

static double scan_of(subject *s) {
  double sum = 0, t = cpu();
  uint64_t rows = 0, needed;
  if (s->peer) rows = s->peer->scan(&sum);
  else {
    char key[16];
    float v;
    must(leat_table_reader_seek(s->r, NULL, 0, &err), "seek");
    while (leat_table_reader_next(s->r, key, 16, &needed, &v, 1, &err) == LEAT_OK) {
      sum += (double)v;
      rows++;
    }
  }
  t = cpu() - t;
  if (rows != n_keys) wrong++;
  return t / (double)n_keys * 1e9;
}

static subject *own(subject *s, const char *folder, const char *name, const char *title, int64_t cache, int many, int map) {
  leat_params *p;
  memset(s, 0, sizeof *s);
  snprintf(s->name, sizeof s->name, "%s", title);
  must(leat_params_create(rt, "table/read", &p, &err), "params");
  must(leat_params_set_i64(p, "map", map, &err), "map");
  must(leat_table_open(rt, place(folder, name), p, &s->t, &err), name);
  if (cache >= 0) must(leat_table_reader_create(s->t, (uint64_t)cache, &s->r, &err), "reader");
  s->many = many;
  leat_params_free(p);
  return s + 1;
}
static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static void run(const char *folder, const char *which) {
  static subject list[24];
  subject *end = list;
  int hash = !which || strcmp(which, "hash") == 0, sorted = !which || strcmp(which, "sorted") == 0;
  setvbuf(stdout, NULL, _IOLBF, 0);
  make_keys();
  if (hash) {
    end = own(end, folder, "hash.ltab", "leat hash", -1, 0, 0);
    end = own(end, folder, "hash.ltab", "leat hash, mapped", -1, 0, 1);
    end = own(end, folder, "hash.ltab", "leat hash, get_many of 1000", -1, 1, 0);
  }
  if (sorted) {
    end = own(end, folder, "sorted-plain.ltab", "leat sorted, not packed", 0, 0, 0);
    end = own(end, folder, "sorted.ltab", "leat sorted zstd, 2 GB cache", (int64_t)2 << 30, 0, 0);
    end = own(end, folder, "sorted.ltab", "leat sorted zstd, 8 MB cache", 8 << 20, 0, 0);
  }
  for (const peer *p = peers; p->name; p++) {
    if (!hash && !p->scan) continue;
    if (!sorted && strstr(p->name, "zstd")) continue;
    memset(end, 0, sizeof *end);
    snprintf(end->name, sizeof end->name, "%s", p->name);
    end->peer = p;
    if (p->open(folder)) end++;
    else printf("%s: not there\n", p->name);
  }
  for (subject *s = list; s < end; s++) { /* warm: what is asked for below, too */
    if (s->r || (s->peer && s->peer->scan)) s->scan = scan_of(s);
    for (uint64_t i = 0; i < n_keys && (s->peer || s->r || !s->many); i += s->r || (s->peer && s->peer->scan) ? 100 : 20) {
      float v;
      int64_t found;
      if (s->peer) s->peer->get(keys[i], &v);
      else if (s->r) must(leat_table_reader_get(s->r, keys[i], 16, &v, 1, &found, &err), "warm");
      else must(leat_table_get(s->t, keys[i], 16, &v, 1, &found, &err), "warm");
    }
  }
  for (int k = 0; k < ROUNDS; k++)
    for (subject *s = list; s < end; s++) {
      s->hit[k] = round_of(s, 1, (uint64_t)k);
      s->miss[k] = round_of(s, 0, (uint64_t)k);
    }
  printf("%-44s %8s %8s %8s\n", "ns of processor", "hit", "miss", "scan");
  for (subject *s = list; s < end; s++) {
    qsort(s->hit, ROUNDS, sizeof *s->hit, by_size);
    qsort(s->miss, ROUNDS, sizeof *s->miss, by_size);
    printf("%-44s %8.0f %8.0f", s->name, s->hit[ROUNDS / 2], s->miss[ROUNDS / 2]);
    if (s->scan > 0) printf(" %8.1f", s->scan);
    printf("   [%.0f..%.0f] [%.0f..%.0f]\n", s->hit[0], s->hit[ROUNDS - 1], s->miss[0], s->miss[ROUNDS - 1]);
  }
  printf("wrong answers: %llu\n", (unsigned long long)wrong);
}

int main(int argc, char **argv) {
  leat_runtime_opts o = {.struct_size = sizeof o, .n_threads = 2};
  if (argc < 3) {
    fprintf(stderr, "usage: bench_table build|run FOLDER [N [NAME...]]\n");
    return 0; /* bench/run.sh runs everything without arguments */
  }
  if (argc > 3) n_keys = strtoull(argv[3], NULL, 10);
  must(leat_runtime_create(&o, &rt, &err), "runtime");
  if (strcmp(argv[1], "build") == 0) build(argv[2], argc - 4 > 0 ? argc - 4 : 0, argv + 4);
  else run(argv[2], argc > 4 ? argv[4] : NULL);
  leat_runtime_free(rt);
  return wrong != 0;
}
