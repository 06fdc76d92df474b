/* What a report page shows, and its writer. */
#ifndef LEAT_SRC_REPORT_PAGE_H
#define LEAT_SRC_REPORT_PAGE_H
#include "cli.h"

typedef struct report {
  const char *name;              /* of the store */
  leat_point *point;             /* oldest first */
  int64_t n_points;
  leat_event *event;
  int64_t n_events;
  leat_drift_point *drift;       /* oldest first; all features of a window together */
  int64_t n_drift;
  leat_version_info *version;
  int64_t n_versions;
  struct { const char *name; int64_t count; } reason[32];
  int n_reasons;
  int64_t held, generation, now_ns;
  int numbers;                   /* the target is a number: score is RMSE */
} report;
/* One self-contained page. */
void report_page(FILE *to, const report *r);
void report_text(FILE *to, const char *s); /* inside HTML */
void report_drift(FILE *to, const report *r);
int report_is_swap(int64_t kind);
const char *report_event_name(int64_t kind);
#endif
