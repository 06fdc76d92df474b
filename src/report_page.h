/* What a report page shows, and its writers: page (report_page.c), style and script (report_style.c), progress
 * (report_chart.c), drift (report_drift.c), lists (report_lists.c). All charts share one axis: records learned, from 0 to
 * the newest. */
#ifndef LEAT_SRC_REPORT_PAGE_H
#define LEAT_SRC_REPORT_PAGE_H
#include "cli.h"

typedef struct report {
  const char *name;  /* of the store */
  leat_point *point; /* oldest first */
  int64_t n_points;
  leat_event *event;
  int64_t n_events;
  leat_drift_point *drift; /* oldest first; all features of a window together */
  int64_t n_drift;
  leat_version_info *version;
  int64_t n_versions;
  struct {
    const char *name;
    int64_t count;
  } reason[32];
  int n_reasons;
  int64_t held, generation, now_ns;
  int64_t production; /* its version, 0 none */
  leat_due_info due;  /* of production */
  int numbers;        /* the target is a number: score is RMSE */
} report;

/* One self-contained page; at most about a megabyte, however long the store's life. */
void report_page(FILE *to, const report *r);
void report_progress(FILE *to, const report *r, int loss);
void report_drift(FILE *to, const report *r);
/* How many of how many watched features have drifted; beyond: more that lay beyond their limit in the newest window
 * alone. */
int64_t report_drifted(const report *r, int64_t *beyond, int64_t *of);
void report_alerts(FILE *to, const report *r);
void report_changes(FILE *to, const report *r);
void report_versions(FILE *to, const report *r);

extern const char report_style[], report_script[];
double report_x(const report *r, int64_t row); /* percent of the axis; outside of 0 to 100 it is not on it */
void report_x_axis(FILE *to, const report *r);
void report_text(FILE *to, const char *s); /* inside HTML */
void report_time(FILE *to, int64_t ns);
const char *report_short(double v, char buf[32]);    /* 1200 -> 1.2 k */
const char *report_grouped(int64_t v, char buf[64]); /* 1234567 -> 1 234 567, with thin spaces */
const char *report_age(int64_t ns, char buf[64]);    /* 3 days */
double report_round_step(double span);               /* a round step that gives about five lines */
int report_is_swap(int64_t kind);
int report_is_rollback(int64_t kind);
const char *report_event_name(int64_t kind);
#endif
