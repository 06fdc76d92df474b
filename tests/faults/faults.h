/* What the fault programs share: checks that count, and the life of a model through the public calls. */
#ifndef LEAT_FAULTS_H
#define LEAT_FAULTS_H
#include <leat/leat.h>

extern int faults_passed, faults_failed, faults_skipped;
/* Counts; prints a line when it does not hold. Returns the condition. */
int check_that(int holds, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The last line of every program, and its exit status. */
int finish_faults(void);

/* A fresh folder under $TMPDIR or /tmp, removed with all in it by remove_folder. */
void make_folder(char *path, int cap);
void remove_folder(const char *path);
int count_files(const char *folder);
void join_path(char *out, int cap, const char *folder, const char *name);
/* A churn-like CSV: numbers, a category, a text, blanks; target "churn". */
int write_csv(const char *path, int rows, int seed);
/* The whole file, freed by the caller; NULL when it cannot be read. */
unsigned char *read_file(const char *path, long *size);
int same_files(const char *a, const char *b);

/* CSV -> dataset -> trainer -> steps -> checkpoint -> loaded -> to the end -> model -> package -> loaded -> predictions.
 * Everything is freed. `folder` has data.csv; model.leat and train.ckpt are written there. `sum` (may be NULL): a sum
 * over the bits of all predictions. `what` names the call that failed. */
/* The family of live(): "model/linear", or what a test sets. */
extern const char *live_spec;
leat_status live(const leat_runtime_opts *opts, const char *folder, uint64_t *sum, const char **what, leat_error *err);
/* Only: model.leat of the folder loaded, and predictions of its rows. */
leat_status relive(leat_runtime *rt, const char *folder, uint64_t *sum, const char **what, leat_error *err);
#endif
