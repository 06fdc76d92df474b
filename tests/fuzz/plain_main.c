/* Drives a fuzz target without libFuzzer: inputs from its corpus folder (tests/fuzz/corpus/NAME), mutated, and bytes made
 * up from nothing; always the same ones. Usage: fuzz_x [RUNS [FIRST]], or fuzz_x FILE... to run inputs as they are. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* A target may bring seeds of its own: returns how many bytes it wrote, 0 when there is no seed of that number. */
__attribute__((weak)) size_t leat_fuzz_seed(size_t number, uint8_t *out, size_t cap);

enum { CAP = 1 << 16, MAX_SEEDS = 160 };
static struct seed { uint8_t *data; size_t size; } seeds[MAX_SEEDS];
static size_t n_seeds;
static uint64_t state;

static uint64_t next(void) { /* splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators") */
  uint64_t z = (state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
static size_t below(size_t n) { return n == 0 ? 0 : (size_t)(next() % n); }

static void add_seed(const uint8_t *data, size_t size) {
  if (n_seeds == MAX_SEEDS) return;
  uint8_t *copy = malloc(size + 1);
  if (copy == NULL) exit(1);
  memcpy(copy, data, size);
  seeds[n_seeds].data = copy;
  seeds[n_seeds++].size = size;
}

static size_t load_file(const char *path, uint8_t *out) {
  FILE *f = fopen(path, "rb");
  if (f == NULL) return 0;
  const size_t n = fread(out, 1, CAP, f);
  fclose(f);
  return n;
}

static void load_seeds(const char *program, uint8_t *buf) {
  const char *slash = strrchr(program, '/');
  char folder[512], path[1024];
  snprintf(folder, sizeof folder, "tests/fuzz/corpus/%s", slash != NULL ? slash + 1 : program);
  DIR *d = opendir(folder);
  for (struct dirent *e = d != NULL ? readdir(d) : NULL; e != NULL; e = readdir(d)) {
    if (e->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
    add_seed(buf, load_file(path, buf));
  }
  if (d != NULL) closedir(d);
  for (size_t i = 0; leat_fuzz_seed != NULL && i < MAX_SEEDS; i++) {
    const size_t n = leat_fuzz_seed(i, buf, CAP);
    if (n == 0) break;
    add_seed(buf, n);
  }
}

static size_t mutate(uint8_t *buf, size_t n) {
  static const char *const bits[] = {",", "\n", "\"", ";", "\t", ":", "nan", "-", "1e309", "0x", "\r\n", "9999999999999999999"};
  for (size_t k = 1 + below(6); k > 0; k--) {
    const size_t at = below(n + 1), len = below(n - at + 1), to = below(n + 1);
    switch (below(8)) {
      case 0: if (n > 0) buf[at % n] ^= (uint8_t)(1u << below(8)); break;
      case 1: if (n > 0) buf[at % n] = (uint8_t)next(); break;
      case 2: n = at; break;
      case 3: memmove(buf + at, buf + at + len, n - at - len); n -= len; break;
      case 4: if (n + len <= CAP) { memmove(buf + at + len, buf + at, n - at); n += len; } break;
      case 5: for (size_t i = 0; i < 8 && at + i < n; i++) buf[at + i] = below(2) ? 0xff : 0; break;
      case 6: {
        const char *text = bits[below(sizeof bits / sizeof bits[0])];
        const size_t t = strlen(text);
        if (n + t <= CAP) { memmove(buf + at + t, buf + at, n - at); memcpy(buf + at, text, t); n += t; }
        break;
      }
      default: for (size_t i = 0; i < len && to + i < n; i++) buf[to + i] = buf[at + i]; break;
    }
  }
  return n;
}

int main(int argc, char **argv) {
  static uint8_t buf[CAP];
  char *end = NULL;
  const unsigned long runs = argc > 1 ? strtoul(argv[1], &end, 10) : 1000;
  if (argc > 1 && *end != 0) {
    for (int i = 1; i < argc; i++) LLVMFuzzerTestOneInput(buf, load_file(argv[i], buf));
    return 0;
  }
  load_seeds(argv[0], buf);
  for (size_t i = 0; i < n_seeds; i++) LLVMFuzzerTestOneInput(seeds[i].data, seeds[i].size);
  for (unsigned long i = argc > 2 ? strtoul(argv[2], NULL, 10) : 0, last = i + runs; i < last; i++) {
    size_t n = 0;
    state = 0x6c656174u + i * 0x9e3779b97f4a7c15u;
    if (n_seeds > 0 && below(8) != 0) {
      const struct seed *s = &seeds[below(n_seeds)];
      memcpy(buf, s->data, n = s->size);
    } else {
      n = below(300);
      for (size_t k = 0; k < n; k++) buf[k] = (uint8_t)next();
    }
    n = mutate(buf, n);
    uint8_t *exact = malloc(n > 0 ? n : 1); /* its own block: the sanitizer sees a read behind the end */
    if (exact == NULL) return 1;
    memcpy(exact, buf, n);
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
  }
  printf("%lu inputs, %zu seeds\n", runs, n_seeds);
  for (size_t i = 0; i < n_seeds; i++) free(seeds[i].data);
  return 0;
}
