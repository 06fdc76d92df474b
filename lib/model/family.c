/* The registry of model families: one line each. */
#include "model/family.h"
#include "model/mlp.h"
#include "model/online.h"
#include <string.h>

static const lt_family *const lt_families[] = {
    &lt_family_linear,
    &lt_family_online,
    &lt_family_mlp,
};

const lt_family *const *lt_family_all(int64_t *count) {
  *count = (int64_t)(sizeof lt_families / sizeof lt_families[0]);
  return lt_families;
}

const lt_family *lt_family_find(const char *name) {
  for (size_t i = 0; i < sizeof lt_families / sizeof lt_families[0]; i++)
    if (name && strcmp(lt_families[i]->name, name) == 0) return lt_families[i];
  return NULL;
}

const lt_family *lt_family_of_spec(const char *spec) {
  if (strcmp(spec, lt_online_mlp_spec.name) == 0) return &lt_family_online;
  for (size_t i = 0; i < sizeof lt_families / sizeof lt_families[0]; i++)
    if (strcmp(lt_families[i]->spec->name, spec) == 0) return lt_families[i];
  return NULL;
}

int64_t lt_task_outputs(const lt_task *task) { return task->n_classes > 2 ? task->n_classes : 1; }
