/* A progress line on stderr, only when that is a terminal. */
#define _POSIX_C_SOURCE 200809L
#include "cli.h"
#include <math.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double cli_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void cli_progress_begin(cli_progress *p, const cli_args *a) {
  p->on = !a->quiet && isatty(STDERR_FILENO);
  if (!a->output && isatty(STDOUT_FILENO) && a->command[0] == 'p') p->on = 0; /* predictions go to the same screen */
  p->begun = cli_seconds();
  p->shown = p->begun - 1;
}

void cli_progress_show(cli_progress *p, const char *what, double done, double total, double rate, double loss) {
  if (!p->on) return;
  double now = cli_seconds();
  if (now - p->shown < 0.1) return;
  p->shown = now;
  char bar[32] = "", left[48] = "", value[48] = "", number[32], speed[32];
  if (total > 0) {
    enum { WIDTH = 20 };
    double share = done / total > 1 ? 1 : done / total;
    int full = (int)(share * WIDTH);
    bar[0] = '[';
    memset(bar + 1, '#', (size_t)full);
    memset(bar + 1 + full, '.', (size_t)(WIDTH - full));
    memcpy(bar + 1 + WIDTH, "] ", 3);
    if (done > 0) {
      long long s = (long long)((now - p->begun) * (total - done) / done + 0.5);
      snprintf(left, sizeof left, ", at most %lld:%02lld left", s / 60, s % 60);
    }
  }
  if (isfinite(loss)) snprintf(value, sizeof value, ", loss %s", cli_number(loss, number));
  char of[32] = "";
  if (total > 0) snprintf(of, sizeof of, "/%.0f", total);
  fprintf(stderr, "\r\033[K%s%s %.0f%s, %s rows/s%s%s", bar, what, done, of, cli_count(rate, speed), value, left);
  fflush(stderr);
}

void cli_progress_end(cli_progress *p) {
  if (p->on && p->shown >= p->begun) fprintf(stderr, "\r\033[K");
  p->on = 0;
}
