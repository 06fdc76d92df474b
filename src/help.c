/* The part of --help that comes from the library's parameter tables. */
#include "cli.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct help_text { char *s; size_t n; } help_text;

static void add(help_text *h, const char *text) {
  size_t k = strlen(text);
  h->s = cli_grow(h->s, h->n + k + 1);
  memcpy(h->s + h->n, text, k + 1);
  h->n += k;
}

/* "integer, 0 to 30", "number, above 0" ... */
static const char *bound(const leat_param_info *i, double v, char buf[32]) {
  if (i->type != LEAT_PARAM_I64 || fabs(v) > 9e15) return cli_number(v, buf);
  snprintf(buf, 32, "%.0f", v);
  return buf;
}

static void add_type(help_text *h, const leat_param_info *i) {
  static const char *const name[] = { "?", "integer", "number", "text", "choice", "yes or no" };
  char low[32], high[32];
  if (i->type == LEAT_PARAM_CHOICE && i->choices) {
    add(h, i->choices);
    return;
  }
  add(h, name[i->type >= 1 && i->type <= 5 ? i->type : 0]);
  if (i->type > LEAT_PARAM_F64 || !(i->min < i->max)) return;
  int from = isfinite(i->min) && i->min > -1e300, to = isfinite(i->max) && i->max < 9e18;
  char *bounds = from && to ? cli_text(", %s to %s", bound(i, i->min, low), bound(i, i->max, high))
                 : from     ? cli_text(", from %s", bound(i, i->min, low))
                 : to       ? cli_text(", to %s", bound(i, i->max, high))
                            : cli_text("%s", "");
  add(h, bounds);
  free(bounds);
}

static void add_param(help_text *h, const leat_param_info *i) {
  char *head = cli_text("  %-18s ", i->name);
  add(h, head);
  free(head);
  add_type(h, i);
  if (i->default_text && i->default_text[0]) {
    add(h, "; default ");
    add(h, i->default_text);
  }
  add(h, "\n");
  /* the sentence, folded before argp would do it */
  const char *p = i->doc ? i->doc : "";
  while (*p) {
    size_t n = strlen(p);
    if (n > 56) {
      n = 56;
      while (n && p[n] != ' ') n--;
      if (!n) n = strcspn(p, " ");
    }
    char *line = cli_text("%21s%.*s\n", "", (int)n, p);
    add(h, line);
    free(line);
    p += n;
    while (*p == ' ') p++;
  }
}

static int is_option(const char *name) {
  static const char *const options[] = { "target", "key", "weight", "time", "ignore", "categorical", "text", "task",
    "header", "labels", "stream", "map" };
  for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
    if (strcmp(options[i], name) == 0) return 1;
  return 0;
}

static void add_spec(help_text *h, leat_runtime *rt, const char *spec, const char *title) {
  leat_params *p;
  int64_t n = 0;
  int any = 0;
  if (leat_params_create(rt, spec, &p, NULL)) return;
  leat_params_count(p, &n, NULL);
  for (int64_t i = 0; i < n; i++) {
    leat_param_info info = { .struct_size = sizeof info };
    if (leat_params_info(p, i, &info, NULL) || (strncmp(spec, "reader/", 7) == 0 && is_option(info.name))) continue;
    if (!any) add(h, title);
    any = 1;
    add_param(h, &info);
  }
  leat_params_free(p);
}

char *cli_help_params(const char *command, const char *family) {
  help_text h = { NULL, 0 };
  leat_runtime *rt;
  int64_t n = 0;
  int train = strcmp(command, "train") == 0, monitor = strcmp(command, "monitor") == 0, learn = strcmp(command, "learn") == 0;
  int table = strcmp(command, "table") == 0, refresh = strcmp(command, "refresh") == 0;
  const char *learns = family && strcmp(family, "mlp") == 0 ? "online/mlp" : "online/linear";
  int convert = strcmp(command, "convert") == 0;
  if (!convert && !train && !monitor && !learn && !table && !refresh && strcmp(command, "predict") != 0 && strcmp(command, "evaluate") != 0) return NULL;
  if (leat_runtime_create(NULL, &rt, NULL)) return NULL;
  leat_spec_count(rt, &n, NULL);
  for (int64_t i = 0; i < n; i++) {
    const char *name;
    if (leat_spec_name(rt, i, &name, NULL)) continue;
    int model = strncmp(name, "model/", 6) == 0, reader = strncmp(name, "reader/", 7) == 0;
    if (learn && !reader && strcmp(name, "learner") != 0 && strcmp(name, learns) != 0 && strcmp(name, "store") != 0) continue;
    if (!learn && !reader && (train ? !model : strcmp(name, monitor ? "monitor" : refresh ? "refresh" : convert ? "dataset/save" : table ? "table/write"
                                                                     : "predictor") != 0) &&
        !(table && strcmp(name, "table/publish") == 0)) continue;
    if (model && family && strcmp(name + 6, family) != 0) continue;
    char *title = model    ? cli_text("%sParameters of --model %s (--set NAME=VALUE):\n", h.n ? "\n" : "", name + 6)
                  : reader ? cli_text("%sParameters of --format %s:\n", h.n ? "\n" : "", name + 7)
                           : cli_text("%sParameters of the %s (--set NAME=VALUE):\n", h.n ? "\n" : "", name);
    add_spec(&h, rt, name, title);
    free(title);
  }
  leat_runtime_free(rt);
  if (h.n) add(&h, "\n"); /* argp takes the last end of line away */
  return h.s;
}
