#define _GNU_SOURCE
/* Arguments: one table of options, of which a command takes those that carry its letter. argp formats --help and does
 * the parsing; before it runs, every word is checked here so that a wrong one gets one line with a suggestion. */
#include "cli.h"
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A command's letter is the first one of its name, except: L learn, S store, Q quarantine, T table, M monitor, R report. An option is for
 * the commands whose letters it names; for all of them when it names none. */
typedef struct option_def { struct argp_option o; const char *commands; } option_def;
enum {
  KEY_JSON = 256, KEY_SEED, KEY_THREADS, KEY_DEVICE, KEY_SET, KEY_FORMAT, KEY_HEADER, KEY_NO_HEADER, KEY_LABELS,
  KEY_TARGET, KEY_KEY, KEY_WEIGHT, KEY_TIME, KEY_IGNORE, KEY_CATEGORICAL, KEY_TEXT, KEY_TASK, KEY_MODEL, KEY_VALID,
  KEY_HOLDOUT, KEY_CHECKPOINT, KEY_RESUME, KEY_WEIGHTS, KEY_ROWS, KEY_DRIFT,
  KEY_STAGE, KEY_TO, KEY_LEARNER, KEY_STORE, KEY_FROM, KEY_CHUNK, KEY_DELAY, KEY_ACK, KEY_COMMIT,
  KEY_NAME, KEY_FORCE, KEY_LAYOUT, KEY_SHARD, KEY_UNTIL, KEY_LIMIT, KEY_TOLERANCE, KEY_COLUMNS,
  KEY_REASON, KEY_IF_DUE, KEY_RACE, KEY_MEMORY
};
static const option_def option_defs[] = {
  { { "model", KEY_MODEL, "FAMILY", 0, "Model family (default: linear)", 1 }, "t" },
  { { NULL, 'o', "MODEL", 0, "Where the package goes", 1 }, "t" },
  { { NULL, 'o', "FILE", 0, "Where the output goes; it appears there whole or not at all (default: stdout)", 1 }, "pgR" },
  { { "valid", KEY_VALID, "DATA", 0, "Rows to validate on (early stopping, valid metrics)", 1 }, "t" },
  { { "holdout", KEY_HOLDOUT, "SHARE", 0, "Keep this share of the rows, drawn by --seed, to validate on", 1 }, "t" },
  { { "checkpoint", KEY_CHECKPOINT, "PATH", 0, "Keep a checkpoint there while training", 1 }, "t" },
  { { "resume", KEY_RESUME, NULL, 0, "Go on from the checkpoint, if it is there", 1 }, "t" },
  { { "weights", KEY_WEIGHTS, NULL, 0, "Show the coefficients by feature name", 1 }, "i" },
  { { "rows", KEY_ROWS, "N", 0, "How many rows (default: 10000)", 1 }, "g" },
  { { "drift-at", KEY_DRIFT, "ROW", 0, "The rule changes from this row on (from 1; default: it never does)", 1 }, "g" },

  { { "stage", KEY_STAGE, "STAGE", 0, "Stage: testing, production, or a word of yours (add, promote; rollback: default "
      "production)", 1 }, "S" },
  { { "store", KEY_STORE, "DIR", 0, "The store to learn in; it is made when it is not there", 1 }, "L" },
  { { "model", KEY_MODEL, "NAME", 0, "What learns: linear (default; a race of learners), mlp (the race and a neural network), or one of "
      "race, cheap, adagrad, ftrl, coin, ons, alma, gauss, net", 1 }, "L" },
  { { "from", KEY_FROM, "MODEL", 0, "Start from this online model's state", 1 }, "L" },
  { { "race", KEY_RACE, "LIST", 0, "Learners that race with the model: NAME=VALUE,... of its parameters for each, ';' between them; or a "
      "file, one a line", 1 }, "L" },
  { { "chunk", KEY_CHUNK, "N", 0, "Predict N records, then learn them (default: 1, strictly test then train)", 1 }, "L" },
  { { "label-delay", KEY_DELAY, "ROWS", 0, "A record's label comes so many records later (default: 0)", 1 }, "L" },
  { { "resume", KEY_RESUME, NULL, 0, "Go on in a store that has a learner, behind the last record of DATA that it took", 1 }, "L" },
  { { "ack", KEY_ACK, NULL, 0, "Print the number of records of DATA that are safe, after each commit", 1 }, "L" },
  { { "commit-ms", KEY_COMMIT, "MS", 0, "Milliseconds between commits (default: 100; 0: after every batch of records)", 1 }, "L" },
  { { "learner", KEY_LEARNER, NULL, 0, "Roll the learner back, not a stage (default: to last-good)", 1 }, "S" },
  { { "to", KEY_TO, "VERSION", 0, "The version to roll back to (default: the one before)", 1 }, "S" },
  { { NULL, 'o', "FILE", 0, "Where the exported package goes", 1 }, "S" },

  { { "store", KEY_STORE, "DIR", 0, "The store whose production model is trained again", 1 }, "r" },
  { { "if-due", KEY_IF_DUE, NULL, 0, "Do nothing unless age, rows or drift make a refresh due", 1 }, "r" },
  { { "valid", KEY_VALID, "DATA", 0, "Rows to compare the two models on (default: the last rows of DATA)", 1 }, "r" },
  { { "holdout", KEY_HOLDOUT, "SHARE", 0, "Share of DATA, its last rows, to compare on (default: 0.2)", 1 }, "r" },

  { { "reason", KEY_REASON, "NAME", 0, "Only records that are held for this reason (outlier, parse, type, ...)", 1 }, "Q" },
  { { "limit", KEY_LIMIT, "N", 0, "List at most so many records (default: 50; with --json all)", 1 }, "Q" },

  { { NULL, 'o', "T.ltab", 0, "Where the table goes (build, load, convert, merge); the old one stays until it is whole", 1 }, "T" },
  { { NULL, 'o', "FILE", 0, "Where the dataset file goes; it appears there whole or not at all", 1 }, "c" },
  { { "layout", KEY_LAYOUT, "NAME", 0, "sorted: ranges, scans, small; hash: the fastest look-ups (default: build sorted, merge as the "
      "first table, convert the other one)", 1 }, "T" },
  { { "shard", KEY_SHARD, "I/N", 0, "Only the keys of part I, from 0, of N (build, load); the parts merged are the whole", 1 }, "T" },
  { { "model", KEY_MODEL, "MODEL", 0, "The model whose predictions are loaded (load)", 1 }, "T" },
  { { "from", KEY_FROM, "KEY", 0, "Begin with this key, or the next (scan)", 1 }, "T" },
  { { "until", KEY_UNTIL, "KEY", 0, "End before this key (scan)", 1 }, "T" },
  { { "limit", KEY_LIMIT, "N", 0, "At most so many keys (scan; diff: how many are listed, default 10)", 1 }, "T" },
  { { "tolerance", KEY_TOLERANCE, "X", 0, "A value counts as changed when it moved by more (diff; default 0)", 1 }, "T" },
  { { "store", KEY_STORE, "DIR", 0, "The store to publish in (publish, rollback, published, follow); get, scan, info, verify: T is the name of "
      "a table that is published there", 1 }, "T" },
  { { "name", KEY_NAME, "NAME", 0, "The name to publish under (publish; default: that of the file without .ltab)", 1 }, "T" },
  { { "force", KEY_FORCE, NULL, 0, "Publish whatever the comparison with the generation before says (publish)", 1 }, "T" },
  { { "columns", KEY_COLUMNS, "NAME,...", 0, "Names of the columns of stdin, which has no header (worker)", 1 }, "T" },

  { { NULL, 0, NULL, 0, "The data:", 2 }, "tepMLTrc" },
  { { "format", KEY_FORMAT, "NAME", 0, "csv, ndjson, svmlight, ldat, idx or npy (default: by the file's name)", 2 }, "tepMLTrc" },
  { { "header", KEY_HEADER, NULL, 0, "The first line of a CSV names the columns", 2 }, "tepMLTrc" },
  { { "no-header", KEY_NO_HEADER, NULL, 0, "It does not: the columns are c1..cN", 2 }, "tepMLTrc" },
  { { "labels", KEY_LABELS, "FILE", 0, "Labels of an IDX or .npy file", 2 }, "tepMLTrc" },
  { { "target", KEY_TARGET, "COL", 0, "What is to be predicted; a column is a name, or a number from 1 or, negative, "
      "from the end", 2 }, "teMLc" },
  { { "key", KEY_KEY, "COL", 0, "What tells the rows apart", 2 }, "tpLTc" },
  { { "weight", KEY_WEIGHT, "COL", 0, "How much a row counts", 2 }, "teMLc" },
  { { "time", KEY_TIME, "COL", 0, "When the row was seen", 2 }, "tLc" },
  { { "ignore", KEY_IGNORE, "COL,...", 0, "Columns to leave out", 2 }, "tLc" },
  { { "categorical", KEY_CATEGORICAL, "COL,...", 0, "Columns that hold labels even where they look like numbers", 2 },
    "tLc" },
  { { "text", KEY_TEXT, "COL,...", 0, "Columns that hold running text", 2 }, "tLc" },
  { { "task", KEY_TASK, "NAME", 0, "binary, multiclass or regression (default: inferred: text or at most 20 distinct "
      "integers are classes)", 2 }, "tLc" },

  { { NULL, 0, NULL, 0, "Common to all commands:", 3 }, "" },
  { { "json", KEY_JSON, NULL, 0, "One JSON object on stdout instead of tables", 3 }, "" },
  { { "seed", KEY_SEED, "N", 0, "Seed of everything random (default: 0)", 3 }, "" },
  { { "threads", KEY_THREADS, "N", 0, "Threads that work; results do not depend on it (default: all cores)", 3 },
    "" },
  { { "memory", KEY_MEMORY, "SIZE", 0, "Keep at most so much in memory (512M, 2G), the rest in scratch files beside -o; the result "
      "does not change (default: 512M for more than 1 GB of DATA to train on, else all)", 1 }, "terpcM" },
  { { "device", KEY_DEVICE, "NAME", 0, "Device that computes, see `leat devices` (default: cpu)", 3 }, "" },
  { { "set", KEY_SET, "NAME=VALUE", 0, "Set a parameter (repeatable)", 3 }, "" },
  { { "quiet", 'q', NULL, 0, "No progress and no remarks on stderr", 3 }, "" },
};
enum { N_OPTIONS = (int)(sizeof option_defs / sizeof option_defs[0]) };

static int min3(int a, int b, int c) { int m = a < b ? a : b; return m < c ? m : c; }
static char fold(char c) { return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c == '_' ? '-' : c); }

/* Optimal string alignment: edits, and swaps of neighbours (Damerau 1964), by the table of Wagner and Fischer (1974). */
static int edit_distance(const char *a, const char *b) {
  enum { MOST = 63 };
  int t[MOST + 1][MOST + 1];
  size_t n = strlen(a), m = strlen(b);
  if (n > MOST || m > MOST) return MOST;
  for (size_t i = 0; i <= n; i++) t[i][0] = (int)i;
  for (size_t j = 0; j <= m; j++) t[0][j] = (int)j;
  for (size_t i = 1; i <= n; i++)
    for (size_t j = 1; j <= m; j++) {
      int d = min3(t[i - 1][j] + 1, t[i][j - 1] + 1, t[i - 1][j - 1] + (fold(a[i - 1]) != fold(b[j - 1])));
      int swap = i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) && fold(a[i - 2]) == fold(b[j - 1]);
      t[i][j] = swap && t[i - 2][j - 2] + 1 < d ? t[i - 2][j - 2] + 1 : d;
    }
  return t[n][m];
}

const char *cli_nearest(const char *name, const char *const *candidates, int64_t n) {
  const char *best = NULL;
  int least = (int)strlen(name) / 3;
  if (least < 1) least = 1;
  least++;
  for (int64_t i = 0; i < n; i++) {
    int d = edit_distance(name, candidates[i]);
    if (d < least) { least = d; best = candidates[i]; }
  }
  return best;
}

int cli_parse_i64(const char *text, int64_t *value) {
  char *end;
  errno = 0;
  long long v = strtoll(text, &end, 10);
  if (end == text || *end || errno) return 0;
  *value = v;
  return 1;
}

/* ---- the check before argp */

static char command_letter(const char *name) {
  static const char *const capitals[] = { "learn", "store", "quarantine", "table", "monitor", "report" };
  for (size_t i = 0; i < sizeof capitals / sizeof capitals[0]; i++)
    if (strcmp(name, capitals[i]) == 0) return (char)(name[0] - 'a' + 'A');
  return name[0];
}

static int options_of(const cli_command *c, struct argp_option *out) {
  int n = 0;
  for (int i = 0; i < N_OPTIONS; i++)
    if (!option_defs[i].commands[0] || strchr(option_defs[i].commands, command_letter(c->name))) out[n++] = option_defs[i].o;
  memset(&out[n], 0, sizeof out[n]);
  return n;
}

static int unknown_option(const cli_command *c, const struct argp_option *o, int n, const char *word) {
  const char *names[N_OPTIONS + 1];
  int k = 0;
  for (int i = 0; i < n; i++) if (o[i].name) names[k++] = o[i].name;
  names[k++] = "help";
  const char *near = cli_nearest(word, names, k);
  if (near) return cli_wrong("unknown option '--%s': did you mean '--%s'?", word, near);
  for (int i = 0; i < N_OPTIONS; i++)
    if (option_defs[i].o.name && strcmp(option_defs[i].o.name, word) == 0)
      return cli_wrong("option '--%s' is not one of `leat %s`: `leat %s --help` lists them", word, c->name, c->name);
  return cli_wrong("unknown option '--%s': `leat %s --help` lists the options", word, c->name);
}

/* A long option word (after "--"): which one it is, by its name or a beginning that only one has. */
static int check_long(const cli_command *c, const struct argp_option *o, int n, char **argv, int argc, int *i) {
  char *word = cli_text("%s", argv[*i] + 2);
  char *value = strchr(word, '=');
  int status = -1, found = -1, hits = 0;
  if (value) *value = 0;
  size_t len = strlen(word);
  for (int k = 0; k < n; k++) {
    if (!o[k].name || strncmp(o[k].name, word, len) != 0) continue;
    if (strlen(o[k].name) == len) { found = k; hits = 1; break; }
    found = k;
    hits++;
  }
  if (hits == 0 && strcmp(word, "help") != 0 && strcmp(word, "usage") != 0)
    status = unknown_option(c, o, n, word);
  else if (hits > 1)
    status = cli_wrong("option '--%s' is short for several: write it in full", word);
  else if (hits == 1 && o[found].arg && !value && ++*i >= argc)
    status = cli_wrong("option '--%s' lacks its value: expected --%s %s", o[found].name, o[found].name, o[found].arg);
  else if (hits == 1 && !o[found].arg && value)
    status = cli_wrong("option '--%s' takes no value: write --%s", o[found].name, o[found].name);
  free(word);
  return status;
}

static int check_words(const cli_command *c, const struct argp_option *o, int n, int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    const char *w = argv[i];
    if (w[0] != '-' || w[1] == 0) continue;
    if (strcmp(w, "--") == 0) return -1;
    if (w[1] == '-') {
      int status = check_long(c, o, n, argv, argc, &i);
      if (status >= 0) return status;
      continue;
    }
    int known = w[1] == '?' || w[1] == 'h';
    for (int k = 0; k < n; k++)
      if (o[k].key == w[1]) {
        known = 1;
        if (!o[k].arg && w[2]) return cli_wrong("unknown option '%s': write short options one by one", w);
        if (o[k].arg && !w[2] && ++i >= argc)
          return cli_wrong("option '%s' lacks its value: expected %s %s", w, w, o[k].arg);
      }
    if (!known) return cli_wrong("unknown option '%s': `leat %s --help` lists the options", w, c->name);
  }
  return -1;
}

/* ---- the parser */

typedef struct parse_state { cli_args *a; int status; } parse_state;

static void bad_number(parse_state *p, const char *option, const char *text, const char *right) {
  if (p->status < 0) p->status = cli_wrong("--%s '%s': expected %s", option, text, right);
}

static void take_i64(parse_state *p, const char *option, const char *text, int64_t min, const char *right,
                     int64_t *to) {
  if (!cli_parse_i64(text, to) || *to < min) bad_number(p, option, text, right);
}

static void take_set(parse_state *p, char *text) {
  cli_args *a = p->a;
  char *eq = strchr(text, '=');
  if (!eq || eq == text) {
    if (p->status < 0) p->status = cli_wrong("--set '%s': expected NAME=VALUE", text);
    return;
  }
  if (a->n_sets == CLI_MAX_SETS) {
    if (p->status < 0) p->status = cli_wrong("--set '%s': at most %d are taken", text, CLI_MAX_SETS);
    return;
  }
  *eq = 0;
  a->set_name[a->n_sets] = text;
  a->set_value[a->n_sets++] = eq + 1;
}

/* Bytes: a whole number with K, M, G or T (powers of 1024) behind it, or none. */
static void take_size(parse_state *p, const char *option, const char *arg, int64_t *to) {
  static const char units[] = "KMGT";
  char *end;
  errno = 0;
  long long v = strtoll(arg, &end, 10);
  const char *unit = *end ? strchr(units, *end >= 'a' ? *end - 'a' + 'A' : *end) : NULL;
  int shift = unit ? 10 * (int)(unit - units + 1) : 0;
  if (end == arg || errno || v < 1 || v > INT64_MAX >> 1 >> shift || (*end && (!unit || end[1])))
    p->status = cli_wrong("--%s %s: expected bytes as 512M or 2G", option, arg);
  else
    *to = (int64_t)v << shift;
}

static void take_holdout(parse_state *p, const char *text) {
  char *end;
  p->a->holdout = strtod(text, &end);
  if (end == text || *end || !(p->a->holdout > 0 && p->a->holdout < 1))
    bad_number(p, "holdout", text, "a share above 0 and below 1, e.g. 0.2");
}

static void take_tolerance(parse_state *p, const char *text) {
  char *end;
  p->a->tolerance = strtod(text, &end);
  if (end == text || *end || !(p->a->tolerance >= 0)) bad_number(p, "tolerance", text, "a number from 0");
}

static error_t take_option(int key, char *arg, struct argp_state *state) {
  parse_state *p = state->input;
  cli_args *a = p->a;
  switch (key) {
  case KEY_JSON: a->json = 1; break;
  case 'q': a->quiet = 1; break;
  case KEY_SEED: take_i64(p, "seed", arg, 0, "an integer from 0", &a->seed); break;
  case KEY_THREADS: take_i64(p, "threads", arg, 1, "an integer from 1", &a->threads); break;
  case KEY_DEVICE: a->device = arg; break;
  case KEY_SET: take_set(p, arg); break;
  case KEY_FORMAT: a->format = arg; break;
  case KEY_HEADER: a->header = 1; break;
  case KEY_NO_HEADER: a->header = 0; break;
  case KEY_LABELS: a->labels = arg; break;
  case KEY_TARGET: a->target = arg; break;
  case KEY_KEY: a->key = arg; break;
  case KEY_WEIGHT: a->weight = arg; break;
  case KEY_TIME: a->time = arg; break;
  case KEY_IGNORE: a->ignore = arg; break;
  case KEY_CATEGORICAL: a->categorical = arg; break;
  case KEY_TEXT: a->text = arg; break;
  case KEY_TASK: a->task = arg; break;
  case KEY_MODEL: a->model = arg; break;
  case 'o': a->output = arg; break;
  case KEY_VALID: a->valid = arg; break;
  case KEY_HOLDOUT: take_holdout(p, arg); break;
  case KEY_CHECKPOINT: a->checkpoint = arg; break;
  case KEY_RESUME: a->resume = 1; break;
  case KEY_WEIGHTS: a->weights = 1; break;
  case KEY_ROWS: take_i64(p, "rows", arg, 0, "an integer from 0", &a->rows); break;
  case KEY_DRIFT: take_i64(p, "drift-at", arg, 1, "a row number from 1", &a->drift_at); break;
  case KEY_STORE: a->store = arg; break;
  case KEY_FROM: a->from = arg; break;
  case KEY_CHUNK: take_i64(p, "chunk", arg, 1, "an integer from 1", &a->chunk); break;
  case KEY_DELAY: take_i64(p, "label-delay", arg, 0, "an integer from 0", &a->label_delay); break;
  case KEY_ACK: a->ack = 1; break;
  case KEY_COMMIT: take_i64(p, "commit-ms", arg, 0, "an integer from 0", &a->commit_ms); break;
  case KEY_NAME: a->name = arg; break;
  case KEY_FORCE: a->force = 1; break;
  case KEY_LAYOUT: a->layout = arg; break;
  case KEY_SHARD: a->shard = arg; break;
  case KEY_UNTIL: a->until = arg; break;
  case KEY_LIMIT: take_i64(p, "limit", arg, 1, "an integer from 1", &a->limit); break;
  case KEY_TOLERANCE: take_tolerance(p, arg); break;
  case KEY_COLUMNS: a->columns = arg; break;
  case KEY_STAGE: a->stage = arg; break;
  case KEY_LEARNER: a->learner = 1; break;
  case KEY_TO: take_i64(p, "to", arg, 1, "a version, a number from 1", &a->to); break;
  case KEY_REASON: a->reason = arg; break;
  case KEY_RACE: a->race = arg; break;
  case KEY_MEMORY: take_size(p, "memory", arg, &a->memory); break;
  case KEY_IF_DUE: a->if_due = 1; break;
  case ARGP_KEY_ARG: a->files[a->n_files++] = arg; break;
  default: return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

static char *help_filter(int key, const char *text, void *input) {
  const parse_state *p = input;
  if (key != ARGP_KEY_HELP_POST_DOC) return (char *)(uintptr_t)text;
  return p ? cli_help_params(p->a->command, p->a->model) : NULL;
}

int cli_parse(const cli_command *c, int argc, char **argv, cli_args *a) {
  struct argp_option options[N_OPTIONS + 1];
  int n = options_of(c, options);
  memset(a, 0, sizeof *a);
  a->command = c->name;
  a->header = -1;
  a->rows = 10000;
  a->commit_ms = 100;
  a->files = cli_alloc(sizeof *a->files * (size_t)(argc + 1));
  int status = check_words(c, options, n, argc, argv);
  if (status >= 0) return status;
  /* --help must know the family, wherever --model stands */
  for (int i = 1; i + 1 < argc; i++) if (strcmp(argv[i], "--model") == 0) a->model = argv[i + 1];
  parse_state p = { a, -1 };
  struct argp argp = { options, take_option, c->args_doc, c->doc, NULL, help_filter, NULL };
  char *called = cli_text("leat %s", c->name);
  char *old = argv[0];
  argv[0] = called;
  argp_err_exit_status = CLI_USAGE;
  error_t e = argp_parse(&argp, argc, argv, 0, NULL, &p);
  argv[0] = old;
  free(called);
  if (p.status >= 0) return p.status;
  if (e) return CLI_USAGE;
  if (a->n_files < c->min_files)
    return cli_wrong("too few arguments: expected `leat %s %s`, see `leat %s --help`", c->name, c->args_doc, c->name);
  if (a->n_files > c->max_files)
    return cli_wrong("too many arguments: '%s': expected `leat %s%s%s`", a->files[c->max_files], c->name,
                     c->args_doc[0] ? " " : "", c->args_doc);
  return -1;
}

void cli_args_free(cli_args *a) { free(a->files); }
