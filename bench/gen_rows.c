/* Rows to measure memory with: numbers, categories and a text column, as many bytes of them as are wanted.
 *
 *   gen_rows csv|ndjson|svmlight MEGABYTES [CLASSES] >FILE
 *
 * 12 numbers, a category of 5, one of 200 and one of 20 000 labels, a text of some 12 words of 30 000 (csv, ndjson); 30 of
 * 2^18 features (svmlight). The target `y` depends on them, with noise: CLASSES labels (2), or a number (1). */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state = 1;

static uint64_t draw(void) { /* SplitMix64 */
  uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}
static double unit(void) { return (double)(draw() >> 11) * 0x1p-53; }
static double effect(uint64_t id) { /* of a label, a word, a feature: fixed, in [-1, 1) */
  uint64_t z = (id + 1) * UINT64_C(0xd1342543de82ef95);
  z = (z ^ (z >> 32)) * UINT64_C(0xbf58476d1ce4e5b9);
  return (double)((z ^ (z >> 29)) >> 11) * 0x1p-52 - 1;
}

static char *line, *at;
static void put(const char *s) { at = stpcpy(at, s); }
static void put_label(int classes, double score) {
  double noisy = score + 2 * unit() - 1;
  if (classes == 1) at += sprintf(at, "%.3f", noisy);
  else if (classes == 2) put(noisy > 0 ? "yes" : "no");
  else {
    int k = (int)floor((noisy + 4) / 8 * classes);
    at += sprintf(at, "k%d", k < 0 ? 0 : k >= classes ? classes - 1 : k);
  }
}

static void table_row(int json, int classes) {
  static const int labels[3] = { 5, 200, 20000 };
  double score = 0;
  char text[512], *t = text;
  if (json) put("{");
  for (int j = 0; j < 12; j++) {
    double x = 200 * unit() - 100;
    score += x * effect((uint64_t)j) / 150;
    at += json ? sprintf(at, "\"n%d\": %.4f, ", j, x) : sprintf(at, "%.4f,", x);
  }
  for (int j = 0; j < 3; j++) {
    uint64_t k = draw() % (uint64_t)labels[j];
    score += effect(1000 * (uint64_t)(j + 1) + k);
    at += json ? sprintf(at, "\"c%d\": \"label%d\", ", j, (int)k) : sprintf(at, "label%d,", (int)k);
  }
  int n = 8 + (int)(draw() % 9);
  for (int j = 0; j < n; j++) {
    int w = (int)(30000 * pow(unit(), 3)); /* few are frequent */
    score += 0.4 * effect(1000000 + (uint64_t)w);
    t += sprintf(t, "%sword%d", j ? " " : "", w);
  }
  if (json) at += sprintf(at, "\"note\": \"%s\", \"y\": ", text);
  else at += sprintf(at, "%s,", text);
  if (json && classes > 1) put("\"");
  put_label(classes, score);
  if (json) put(classes > 1 ? "\"}" : "}");
  put("\n");
}

static int ascending(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
static void sparse_row(int classes) {
  int index[30], n = 0;
  double score = 0, value[30];
  for (int j = 0; j < 30; j++) index[j] = 1 + (int)(262144 * pow(unit(), 2));
  qsort(index, 30, sizeof index[0], ascending);
  for (int j = 0; j < 30; j++)
    if (!n || index[j] != index[n - 1]) index[n++] = index[j];
  for (int j = 0; j < n; j++) {
    value[j] = unit() + 0.5;
    score += value[j] * effect((uint64_t)index[j]);
  }
  if (classes == 1) at += sprintf(at, "%.3f", score);
  else if (classes == 2) put(score + unit() - 0.5 > 0 ? "1" : "-1");
  else at += sprintf(at, "%d", (int)(fabs(score) * 1.5) % classes);
  for (int j = 0; j < n; j++) at += sprintf(at, " %d:%.4f", index[j], value[j]);
  put("\n");
}

int main(int argc, char **argv) {
  const char *format = argc > 2 ? argv[1] : "";
  int classes = argc > 3 ? atoi(argv[3]) : 2;
  double bytes = argc > 2 ? atof(argv[2]) * 1e6 : 0;
  int csv = strcmp(format, "csv") == 0, json = strcmp(format, "ndjson") == 0;
  if (bytes <= 0 || classes < 1 || (!csv && !json && strcmp(format, "svmlight") != 0)) {
    fputs("usage: gen_rows csv|ndjson|svmlight MEGABYTES [CLASSES] >FILE\n", stderr);
    return 2;
  }
  line = malloc(1 << 16);
  if (!line) return 1;
  if (csv) puts("n0,n1,n2,n3,n4,n5,n6,n7,n8,n9,n10,n11,c0,c1,c2,note,y");
  for (double done = 0; done < bytes; done += (double)(at - line)) {
    at = line;
    if (csv || json) table_row(json, classes);
    else sparse_row(classes);
    if (fwrite(line, 1, (size_t)(at - line), stdout) != (size_t)(at - line)) return 1;
  }
  free(line);
  return fflush(stdout) ? 1 : 0;
}
