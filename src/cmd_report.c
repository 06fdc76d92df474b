/* leat report: the life of a store as one page. */
#include "report_page.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Room for one more. */
#define REPORT_PUSH(list, n, item)                                                                              \
  do {                                                                                                          \
    if (((n) & ((n) - 1)) == 0) list = cli_grow(list, (size_t)((n) ? 2 * (n) : 1) * sizeof *list); \
    list[n++] = item;                                                                                           \
  } while (0)

static int collect(leat_store *s, report *r) {
  leat_error err;
  leat_point p = { .struct_size = sizeof p };
  leat_event e = { .struct_size = sizeof e };
  int64_t cursor = 0, n = 0;
  leat_status st;
  cli_error_init(&err);
  if (leat_store_generation(s, &r->generation, &err)) return cli_fail_error(&err);
  while ((st = leat_store_series(s, &cursor, &p, &err)) == LEAT_OK) REPORT_PUSH(r->point, r->n_points, p);
  if (st != LEAT_E_NOT_FOUND) return cli_fail_error(&err);
  leat_drift_point d = { .struct_size = sizeof d };
  cursor = 0;
  while ((st = leat_store_drift(s, &cursor, &d, &err)) == LEAT_OK) REPORT_PUSH(r->drift, r->n_drift, d);
  if (st != LEAT_E_NOT_FOUND) return cli_fail_error(&err);
  cursor = 0;
  while ((st = leat_store_history(s, &cursor, &e, &err)) == LEAT_OK) REPORT_PUSH(r->event, r->n_events, e);
  if (st != LEAT_E_NOT_FOUND) return cli_fail_error(&err);
  if (leat_store_count(s, &n, &err)) return cli_fail_error(&err);
  for (int64_t i = 0; i < n; i++) {
    leat_version_info v = { .struct_size = sizeof v };
    if (leat_store_at(s, i, &v, &err) == LEAT_OK) REPORT_PUSH(r->version, r->n_versions, v);
  }
  if (r->n_points) r->numbers = (r->point[r->n_points - 1].flags & LEAT_POINT_NUMBERS) != 0;
  r->due.struct_size = sizeof r->due;
  if (leat_store_stage(s, "production", &r->production, NULL)) r->production = 0;
  if (r->production && leat_store_due(s, NULL, &r->due, &err)) return cli_fail_error(&err);
  leat_quarantine *q = NULL;
  st = leat_quarantine_open(s, &q, &err);
  if (st && st != LEAT_E_NOT_FOUND) return cli_fail_error(&err);
  for (int reason = 100; q && reason <= 900 && r->n_reasons < 32; reason++) {
    int64_t count = 0;
    if (strcmp(leat_reason_name(reason), "unknown") == 0 || leat_quarantine_count(q, reason, &count, NULL) || count == 0) continue;
    r->reason[r->n_reasons].name = leat_reason_name(reason);
    r->reason[r->n_reasons++].count = count;
    r->held += count;
  }
  leat_quarantine_free(q);
  return 0;
}

int cmd_report(const cli_args *a) {
  leat_runtime *rt = NULL;
  leat_store *s = NULL;
  leat_params *p = NULL;
  leat_error err;
  report r = { 0 };
  cli_output out = { 0 };
  cli_error_init(&err);
  char *path = cli_text("%s", a->files[0]);
  for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--) path[n - 1] = 0;
  const char *slash = strrchr(path, '/');
  r.name = slash ? slash + 1 : path;
  r.now_ns = (int64_t)time(NULL) * 1000000000;
  int status = a->output ? cli_output_check("-o", a->output) : 0;
  if (!status) status = cli_runtime(a, &rt);
  if (!status && (leat_params_create(rt, "store", &p, &err) || leat_params_set_i64(p, "read_only", 1, &err) ||
                  leat_params_set_i64(p, "create", 0, &err) || leat_store_open(rt, a->files[0], p, &s, &err)))
    status = cli_fail_error(&err);
  if (!status) status = collect(s, &r);
  if (!status) status = cli_output_open(&out, a->output);
  if (!status) {
    report_page(out.to, &r);
    status = cli_output_commit(&out);
    if (status) cli_output_abort(&out);
  }
  if (!status && a->output && a->json)
    status = cli_json_print(json_pack("{s:s,s:I,s:I,s:I}", "page", a->output, "points", (json_int_t)r.n_points, "events",
                                      (json_int_t)r.n_events, "versions", (json_int_t)r.n_versions));
  else if (!status && a->output && !a->quiet)
    printf("%s: %lld windows, %lld events, %lld versions\n", a->output, (long long)r.n_points, (long long)r.n_events, (long long)r.n_versions);
  free(r.point);
  free(r.event);
  free(r.drift);
  free(r.version);
  free(path);
  leat_params_free(p);
  leat_store_free(s);
  leat_runtime_free(rt);
  return status;
}
