/* The registry of parameter specs: what the rooms below declare, in one list. */
#include "api/api.h"
#include "data/arrow.h"
#include "data/dataset.h"
#include "lifecycle/endpoint.h"
#include "lifecycle/folder.h"
#include "lifecycle/learner.h"
#include "lifecycle/monitor.h"
#include "lifecycle/refresh.h"
#include "lifecycle/tables.h"
#include "model/online.h"
#include "model/predictor.h"
#include "serve/table.h"
#include "stats/detector.h"
#include <string.h>

const lt_spec *lt_specs_at(int64_t index) {
  int64_t n_families, n_readers;
  const lt_family *const *families = lt_family_all(&n_families);
  const lt_spec *const *readers = lt_reader_specs(&n_readers);
  if (index < 0) return NULL;
  if (index < n_families) return families[index]->spec;
  index -= n_families;
  if (index < n_readers) return readers[index];
  index -= n_readers;
  int64_t n_detectors;
  const lt_detector_kind *const *detectors = lt_detector_kinds(&n_detectors);
  if (index < n_detectors) return detectors[index]->spec;
  index -= n_detectors;
  static const lt_spec *const others[] = {
      &lt_spec_arrow, &lt_online_mlp_spec,
      &lt_predictor_spec, &lt_spec_store, &lt_spec_monitor, &lt_spec_learner, &lt_spec_refresh,
      &lt_table_write_spec, &lt_table_read_spec, &lt_table_publish_spec, &lt_spec_endpoint,
      &lt_spec_trial,
      &lt_spec_ldat_write,
  };
  return index < (int64_t)(sizeof others / sizeof others[0]) ? others[index] : NULL;
}

int64_t lt_specs_count(void) {
  int64_t n = 0;
  while (lt_specs_at(n)) n++;
  return n;
}

leat_status lt_specs_find(const char *name, const lt_spec **out, leat_error *err) {
  const char *names[64], *near;
  const lt_spec *s;
  int64_t n = 0;
  *out = NULL;
  for (int64_t i = 0; (s = lt_specs_at(i)) != NULL; i++) {
    if (!strcmp(s->name, name)) {
      *out = s;
      return LEAT_OK;
    }
    if (n < 64) names[n++] = s->name;
  }
  near = lt_nearest(name, names, n);
  if (near) return lt_fail(err, LEAT_E_NOT_FOUND, "there is no spec '%.100s': did you mean '%s'?", name, near);
  return lt_fail(err, LEAT_E_NOT_FOUND, "there is no spec '%.100s'; leat_spec_name lists them (model/linear, ...)", name);
}
