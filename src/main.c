/* leat: the command line. One file a command (cmd_*.c); this one finds the command. */
#include "cli.h"
#include <stdlib.h>
#include <string.h>

static const cli_command commands[] = {
  { "train", "DATA...", "Trains a model on labelled rows and writes it as a package (.leat).", 1, 1 << 20, cmd_train },
  { "evaluate", "MODEL DATA...", "Measures a model on labelled rows, beside the majority baseline.", 2, 1 << 20,
    cmd_evaluate },
  { "predict", "MODEL DATA...", "Writes one CSV line a row: key, prediction and, for classes, their probabilities.", 2,
    1 << 20, cmd_predict },
  { "convert", "DATA...", "Writes rows as a dataset file (.ldat), which is read much faster than text.", 1, 1 << 20,
    cmd_convert },
  { "monitor", "MODEL|STORE DATA...", "Compares data with what the model (a store's: production) was trained on: drift by feature.", 2, 1 << 20,
    cmd_monitor },
  { "inspect", "FILE", "Shows what a leat file holds and verifies every checksum.", 1, 1, cmd_inspect },
  { "generate", "churn|sea|hyperplane|sparse|dense", "Writes reproducible synthetic data.", 1, 1, cmd_generate },
  { "learn", "DATA...", "Learns from a stream of records, each predicted before it is learned; keeps all in a store.", 1, 1 << 20,
    cmd_learn },
  { "store", "DIR status|log|add MODEL|export VERSION|promote VERSION|rollback|verify|gc",
    "Versions, stages and history of a model's store.", 2, 4, cmd_store },
  { "refresh", "[DATA...]", "Trains a store's static model again and promotes it when it is no worse; without DATA: is it due?", 0, 1 << 20,
    cmd_refresh },
  { "report", "DIR", "Writes one self-contained page with charts of a store's life.", 1, 1, cmd_report },
  { "quarantine", "DIR list|show ID|release ID...|replay|purge [ID...]",
    "Records that a store's learner held back: looked at, released, purged.", 2, 1 << 20, cmd_quarantine },
  { "table", "build|load|convert|merge|diff|get|scan|info|verify|worker|publish|rollback|published|follow ...",
    "Predictions made beforehand, in files that answer keys.", 1, 1 << 20, cmd_table },
  { "devices", "", "Lists the devices that can compute, and why one cannot be used.", 0, 0, cmd_devices },
};
enum { N_COMMANDS = (int)(sizeof commands / sizeof commands[0]) };

static int overview(FILE *to) {
  fprintf(to, "Usage: leat COMMAND [OPTION...]\n"
              "The whole life of a machine-learning model.\n\n");
  for (int i = 0; i < N_COMMANDS; i++) fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].doc);
  fprintf(to, "\n`leat COMMAND --help` lists its options and parameters; `leat --version` tells the version.\n"
              "Exit status: 0 done, 1 the work failed, 2 wrong usage.\n");
  return to == stdout ? cli_flush() : CLI_USAGE;
}

int main(int argc, char **argv) {
  if (argc < 2) {
    overview(stderr);
    return cli_wrong("no command: expected one of the above, e.g. `leat train --help`");
  }
  const char *name = argv[1];
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) return overview(stdout);
  if (strcmp(name, "--version") == 0) {
    printf("leat %s\n", leat_version_text());
    return cli_flush();
  }
  for (int i = 0; i < N_COMMANDS; i++) {
    if (strcmp(commands[i].name, name) != 0) continue;
    cli_args a;
    int status = cli_parse(&commands[i], argc - 1, argv + 1, &a);
    if (status < 0) status = commands[i].run(&a);
    cli_args_free(&a);
    return status;
  }
  const char *names[N_COMMANDS];
  for (int i = 0; i < N_COMMANDS; i++) names[i] = commands[i].name;
  const char *near = cli_nearest(name, names, N_COMMANDS);
  if (near) return cli_wrong("unknown command '%s': did you mean '%s'?", name, near);
  return cli_wrong("unknown command '%s': `leat --help` lists the commands", name);
}
