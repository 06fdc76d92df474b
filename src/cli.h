/* What the commands of `leat` share: arguments, errors, tables, JSON, data files, progress. The programs use the
 * public header only. */
#ifndef LEAT_SRC_CLI_H
#define LEAT_SRC_CLI_H
#include "leat/leat.h"
#include <jansson.h>
#include <stdio.h>

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* ---- arguments (args.c) */
enum { CLI_MAX_SETS = 64 };
typedef struct cli_args {
  const char *command;
  int json, quiet;
  int64_t seed, threads;
  const char *device;
  const char *set_name[CLI_MAX_SETS], *set_value[CLI_MAX_SETS]; /* --set, in order */
  int n_sets;
  const char *format, *labels, *target, *key, *weight, *time, *ignore, *categorical, *text, *task;
  int header; /* -1 found out, 0 no, 1 yes */
  const char *model, *output, *valid, *checkpoint;
  double holdout;
  int64_t memory;           /* bytes; 0: not given */
  int resume, weights;
  int64_t rows, drift_at;
  const char *store, *from, *race; /* leat learn */
  int64_t chunk, label_delay, commit_ms; /* chunk 0: not given */
  int ack;
  const char *layout, *shard, *until, *columns, *name; /* leat table */
  int force;
  int64_t limit;            /* 0: not given */
  double tolerance;
  const char *stage; /* leat store */
  int64_t to;        /* 0: not given */
  int learner;
  const char *reason; /* leat quarantine */
  int if_due;         /* leat refresh */
  const char **files; /* positional arguments */
  int n_files;
} cli_args;

typedef struct cli_command {
  const char *name, *args_doc, *doc;
  int min_files, max_files;
  int (*run)(const cli_args *a);
} cli_command;

/* Fills *a from the words after the command. Returns -1 to go on, else the exit status (--help: 0, wrong usage: 2). */
int cli_parse(const cli_command *c, int argc, char **argv, cli_args *a);
void cli_args_free(cli_args *a);
/* The candidate nearest to `name`, or NULL when none is near. */
const char *cli_nearest(const char *name, const char *const *candidates, int64_t n);
/* A whole decimal integer. Returns 0 when the text is none. */
int cli_parse_i64(const char *text, int64_t *value);

/* ---- what the user sees (out.c) */
#if defined(__GNUC__)
#define CLI_PRINTF(a, b) __attribute__((format(printf, a, b)))
#else
#define CLI_PRINTF(a, b)
#endif
/* One line `leat: ...` on stderr; they return CLI_FAILED and CLI_USAGE. */
int cli_fail(const char *fmt, ...) CLI_PRINTF(1, 2);
int cli_wrong(const char *fmt, ...) CLI_PRINTF(1, 2);
int cli_fail_error(const leat_error *err);
/* A remark on stderr, unless --quiet. */
void cli_note(const cli_args *a, const char *fmt, ...) CLI_PRINTF(2, 3);
void cli_error_init(leat_error *err);
void *cli_alloc(size_t bytes); /* never NULL: no memory ends the program with status 1 */
void *cli_grow(void *p, size_t bytes);
char *cli_text(const char *fmt, ...) CLI_PRINTF(1, 2); /* fresh */

typedef struct cli_table cli_table; /* columns are as wide as their widest cell */
/* align: one letter a column, l or r */
cli_table *cli_table_create(const char *align, const char *const *heads);
void cli_table_row(cli_table *t, const char *const *cells);
/* Prints it, each line after `indent` blanks, and frees it; `to` NULL: only frees. */
void cli_table_print(cli_table *t, FILE *to, int indent);

json_t *cli_json_real(double v); /* null when not finite */
/* Prints one object on one line and frees it. Returns the exit status: CLI_FAILED when stdout cannot be written. */
int cli_json_print(json_t *object);
/* Flushes stdout; CLI_FAILED with a message when that fails. */
int cli_flush(void);
/* A number for people: 5 significant digits, no trailing zeros; "-" when not finite. */
const char *cli_number(double v, char buf[32]);
/* 1234567 -> "1.2 million" */
const char *cli_count(double v, char buf[32]);
/* 1234567 -> "1.2 MB" */
const char *cli_bytes(int64_t n, char buf[32]);
const char *cli_kind_name(int64_t kind);
const char *cli_role_name(int64_t role);

/* A file that appears at `path` whole or not at all; path NULL: stdout. */
typedef struct cli_output { FILE *to; char *path, *temporary; } cli_output;
int cli_output_open(cli_output *o, const char *path);          /* 0, or CLI_FAILED */
int cli_output_commit(cli_output *o);                          /* flush, fsync, rename */
void cli_output_abort(cli_output *o);
/* Is there a folder to write `path` into? 0, or CLI_FAILED with a message. */
int cli_output_check(const char *option, const char *path);

/* Set by Ctrl-C and TERM after cli_catch_signals; long loops look at it. */
int cli_interrupted(void);
/* Also cancels `t` (may be NULL) from the handler. A second signal ends the program at once. */
void cli_catch_signals(leat_trainer *t);

/* ---- runtime, parameters, data (data.c) */
int cli_runtime(const cli_args *a, leat_runtime **rt);
/* Large work in bounded memory (pager.c): 1 and the allocator and the files to run with, 0 when that is not wanted, or -exit
 * status. The pager lives until the process ends. */
int cli_pager_start(const cli_args *a, leat_allocator *memory, leat_file_system *files);
/* Cleared; in scratch files too, where there is a pager. Never NULL. */
void *cli_large_alloc(uint64_t bytes);
void cli_large_free(void *p, uint64_t bytes);
int64_t cli_resident_peak(void); /* bytes of the process */
int64_t cli_pager_needs(void); /* a limit that would have done, when an allocation failed for want of it; else 0 */
int cli_device(const cli_args *a, leat_runtime *rt, const leat_device **dev);
json_int_t cli_fallbacks(const leat_runtime *rt); /* ops that the CPU did in the device's place */
/* Loads the plug-in of a device named PLUGIN:INDEX: 1 done, 0 there is none (or none is wanted), -1 it failed, err says why. */
int cli_plugin(leat_runtime *rt, const char *device, leat_error *err);
/* Loads all plug-ins that are there. */
void cli_plugins(leat_runtime *rt, void (*failed)(void *to, const char *name, const leat_error *err), void *to);
/* Where a plug-in's device may keep compiled programs, or NULL. */
const char *cli_cache_folder(const char *device, char *path, size_t cap);
int cli_params_have(const leat_params *p, const char *name);
/* Every --set into the first of the n parameter sets that has the name; an unknown name is wrong usage. */
int cli_apply_sets(const cli_args *a, leat_params *const *sets, int n);
/* Reader parameters for DATA (files[0] decides the format unless --format does), with the role options in; with_roles 0:
 * target and key only, as a model's schema brings the others. */
int cli_reader(const cli_args *a, leat_runtime *rt, const char *path, int with_roles, leat_params **out);
/* Reads the n files as one dataset. schema NULL: kinds and roles are inferred. stream 1: in passes. */
typedef struct cli_data { leat_dataset *set; struct cli_source *source; char *temporary; const char *labels; } cli_data;
int cli_data_open(const cli_args *a, leat_runtime *rt, const leat_schema *schema, const leat_params *reader,
                  const char *const *files, int n, int stream, cli_data *out);
void cli_data_close(cli_data *d);
/* The message of a failed read: the source's own reason where it has one. Returns CLI_FAILED. */
int cli_data_failed(const cli_data *d, const leat_error *err);
int cli_model_load(leat_runtime *rt, const char *path, leat_model **out);
/* leat_model_get_text into fresh memory; NULL when there is none. */
char *cli_model_text(const leat_model *m, const char *name);
/* A short array of the model; 0 when it has none of that name. */
uint64_t cli_model_numbers(const leat_model *m, const char *name, double *v, uint64_t cap);
int64_t cli_model_i64(const leat_model *m, const char *name);
/* First column of a role, or -1. */
int64_t cli_schema_role(const leat_schema *s, leat_role role);
/* Makes the column of that name the WEIGHT of a model's schema; it is added when the model does not know it. */
int cli_schema_set_weight(leat_schema *s, const char *name);

/* ---- bytes of files, one after the other (input.c) */
typedef struct cli_source cli_source;
enum { CLI_PLAIN = 0, CLI_GZIP = 1, CLI_ZSTD = 2 };
/* csv: the second and later files lose a first line that repeats the header of the first one. */
cli_source *cli_source_open(const char *const *files, int n, int csv);
int64_t cli_source_pull(void *source, void *buf, uint64_t cap); /* the signature leat_dataset_from_reader takes */
/* Why the pull failed, "" if it did not. */
const char *cli_source_error(const cli_source *s);
/* Of several files: which one line `line` (from 1) of all the bytes that were given out came from, and its number in that
 * file. NULL for one file. */
const char *cli_source_line(const cli_source *s, int64_t line, int64_t *own);
void cli_source_free(cli_source *s);
/* How a file's first bytes say it is packed; -1 when it cannot be opened (message printed). */
int cli_source_packing(const char *path, int *regular);

/* ---- stores (cmd_store.c) */
int cli_store_open(const cli_args *a, leat_runtime *rt, const char *path, int write, int create, leat_store **out);
const char *cli_event_name(int64_t kind);         /* "rollback" for LEAT_EVENT_ROLLBACK; "unknown" */
const char *cli_time(int64_t ns, char buf[32]);   /* "2026-11-23T08:15:00Z" */

/* ---- progress on stderr (progress.c) */
typedef struct cli_progress { int on; double begun, shown; } cli_progress;
void cli_progress_begin(cli_progress *p, const cli_args *a);
/* done of total (total 0: unknown) of `what`; rate in rows a second, loss NaN: not shown */
void cli_progress_show(cli_progress *p, const char *what, double done, double total, double rate, double loss);
void cli_progress_end(cli_progress *p);
double cli_seconds(void); /* monotonic */

/* ---- commands */
int cmd_train(const cli_args *a);
int cmd_evaluate(const cli_args *a);
int cmd_predict(const cli_args *a);
int cmd_convert(const cli_args *a);
int cmd_inspect(const cli_args *a);
int cmd_generate(const cli_args *a);
int cmd_report(const cli_args *a);
int cmd_monitor(const cli_args *a);
int cmd_refresh(const cli_args *a);
int cmd_devices(const cli_args *a);
int cmd_table(const cli_args *a);
int cmd_store(const cli_args *a);
int cmd_quarantine(const cli_args *a);
int cmd_learn(const cli_args *a);
/* The part of --help that comes from the library's parameter tables; fresh text, or NULL. */
char *cli_help_params(const char *command, const char *family);
#endif
