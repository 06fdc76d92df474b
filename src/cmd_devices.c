/* leat devices: what can compute, and why something cannot. */
#define _DEFAULT_SOURCE /* strsep */
#include "cli.h"
#include <stdlib.h>
#include <string.h>

static const char *device_kind(int64_t kind) {
  return kind == LEAT_CPU ? "cpu" : kind == LEAT_GPU ? "gpu" : kind == LEAT_FPGA ? "fpga" : "other";
}

/* The ops of a device as a list; a device that cannot be opened has none, and the reason goes into why. */
static json_t *list_ops(const leat_device *dev, char *why, size_t cap) {
  char ops[1024], *rest = ops;
  uint64_t needed;
  leat_error err;
  json_t *list = json_array();
  cli_error_init(&err);
  if (why[0]) return list;
  if (leat_device_ops(dev, ops, sizeof ops, &needed, &err)) {
    snprintf(why, cap, "%s", err.message);
    return list;
  }
  for (char *op; (op = strsep(&rest, " ")) != NULL;)
    if (*op) json_array_append_new(list, json_string(op));
  return list;
}

static int list_one(leat_runtime *rt, int64_t index, cli_table *t, json_t *list) {
  const leat_device *dev;
  leat_device_props props = { .struct_size = sizeof props };
  char why[1024], total[32], count[32];
  uint64_t needed;
  leat_error err;
  cli_error_init(&err);
  if (leat_device_at(rt, index, &dev, &err) || leat_device_get_props(dev, &props, &err) ||
      leat_device_state(dev, why, sizeof why, &needed, &err))
    return cli_fail_error(&err);
  const char *name = props.name ? props.name : "?", *backend = props.backend ? props.backend : "";
  const char *vendor = props.vendor ? props.vendor : "", *driver = props.driver ? props.driver : "";
  json_t *ops = list_ops(dev, why, sizeof why);
  snprintf(count, sizeof count, "%zu", json_array_size(ops));
  const char *row[] = { name, device_kind(props.kind), why[0] ? "no" : "yes",
                        props.mem_total ? cli_bytes(props.mem_total, total) : "-", count, vendor, why[0] ? why : driver };
  cli_table_row(t, row);
  json_array_append_new(list, json_pack("{s:s,s:s,s:b,s:s,s:s,s:s,s:s,s:I,s:I,s:o}", "name", name, "kind",
                                        device_kind(props.kind), "usable", !why[0], "why", why, "backend", backend,
                                        "vendor", vendor, "driver", driver, "memory_total",
                                        (json_int_t)props.mem_total, "memory_free", (json_int_t)props.mem_free, "ops", ops));
  return 0;
}

/* A plug-in that is there and cannot be loaded stands in the list with the reason. */
typedef struct missing { cli_table *table; json_t *list; } missing;
static void list_missing(void *to, const char *name, const leat_error *err) {
  missing *m = to;
  const char *row[] = { name, "other", "no", "-", "0", "", err->message };
  cli_table_row(m->table, row);
  json_array_append_new(m->list, json_pack("{s:s,s:s,s:b,s:s,s:s}", "name", name, "kind", "other", "usable", 0, "why",
                                           err->message, "backend", name));
}

int cmd_devices(const cli_args *a) {
  leat_runtime *rt;
  int64_t n = 0;
  cli_args with = *a;
  with.device = "any:"; /* with the cache folder: what a board can do is written there */
  int status = cli_runtime(&with, &rt);
  if (status) return status;
  static const char *const heads[] = { "name", "kind", "usable", "memory", "ops", "vendor", "driver, or why not" };
  cli_table *t = cli_table_create("lllrrll", heads);
  json_t *list = json_array();
  missing m = { t, list };
  cli_plugins(rt, list_missing, &m);
  leat_device_count(rt, &n, NULL);
  for (int64_t i = 0; !status && i < n; i++) status = list_one(rt, i, t, list);
  cli_table_print(t, status || a->json ? NULL : stdout, 0);
  if (!status && a->json) {
    status = cli_json_print(json_pack("{s:o}", "devices", list));
  } else {
    json_decref(list);
    if (!status) status = cli_flush();
  }
  leat_runtime_free(rt);
  return status;
}
