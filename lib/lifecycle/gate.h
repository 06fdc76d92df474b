/* The gate: what may be learned from. One row after the other; its statistics advance only on rows that are going to be
 * learned (admitted, with a label and a weight above 0), so that after a stream whose bad rows were held back it is in the
 * state of the clean stream. See docs/gate.md. */
#ifndef LEAT_LIFECYCLE_GATE_H
#define LEAT_LIFECYCLE_GATE_H
#include "data/rows.h"
#include "base/params.h"
typedef struct lt_gate lt_gate;
enum { LT_ADMIT = 0, LT_COUNT, LT_HOLD, LT_STOP };
/* Parameters of the gate among the learner's ("learner" spec): gate (on|off), outlier (on|off), ranges ("COL=LO:HI,..."),
 * required ("COL,..."), actions ("reason=action,..."), max_age, stop_share. */
#define LT_GATE_PARAMS                                                                                                     \
  {"gate", LEAT_PARAM_BOOL, "true", 0, 0, NULL, "Look at every record before it is learned; false: only what cannot be learned is held back.", 1}, \
  {"outlier", LEAT_PARAM_BOOL, "true", 0, 0, NULL, "Hold back values far outside everything their column has shown.", 1},    \
  {"ranges", LEAT_PARAM_TEXT, "", 0, 0, NULL, "Bounds of number columns, COL=LO:HI,...; an empty side is open.", 1},         \
  {"required", LEAT_PARAM_TEXT, "", 0, 0, NULL, "Columns, comma-separated, that may not be missing.", 1},                    \
  {"actions", LEAT_PARAM_TEXT, "", 0, 0, NULL,                                                                             \
   "What to do for a reason, REASON=admit|count|quarantine|stop,...; unseen_category, loss_spike, label_missing and duplicate count by default, the others quarantine.", 1}, \
  {"max_age", LEAT_PARAM_F64, "0", 0, 1e12, NULL, "Seconds that a record's TIME may lie behind the newest one; 0: any.", 1},  \
  {"stop_share", LEAT_PARAM_F64, "0.1", 0, 1, NULL, "Learning stops when more than this share of the last 1000 records was held back; 1: never.", 1}
leat_status lt_gate_create(leat_runtime *rt, const leat_params *settings, lt_gate **out, leat_error *err);
void lt_gate_free(lt_gate *g);
/* Makes it ready for rows of a schema; statistics are kept by column name. ARG for a range or required column that the
 * schema does not have. Cheap when the schema is the last one. */
leat_status lt_gate_bind(lt_gate *g, leat_schema *s, leat_error *err);
/* The most classes that the model takes (0: any), and those that it has already: one more is LABEL_INVALID. */
leat_status lt_gate_classes(lt_gate *g, int64_t most, const lt_dict *known, leat_error *err);
typedef struct lt_verdict {
  int32_t action, reason, column; /* reason 0: nothing found */
  int32_t regime;                 /* column whose statistics were forgotten by this row, -1 none */
  char detail[256];               /* only for a reason: the value, and what would be right */
} lt_verdict;
/* Row r of the schema bound. Admitted (action ADMIT or COUNT): the statistics have it in them, if there is something to
 * learn. Held: they have not, but strikes count. `pardon`: a reason that does not count (a released record), 0 none; a
 * record that nothing can be learned from (unreadable, label_invalid, weight) stays held. Never allocates. */
void lt_gate_row(lt_gate *g, const lt_rows *rows, int64_t r, int32_t pardon, lt_verdict *v);
/* Action of a reason that the gate does not find itself (duplicate, late label, loss spike, ...). */
int32_t lt_gate_action(const lt_gate *g, int32_t reason);
/* More than stop_share of the last 1000 rows (at least 100) were held back? Rows are counted by lt_gate_row. */
int lt_gate_flooded(const lt_gate *g);
void lt_gate_forgive(lt_gate *g); /* the count of the last 1000 begins anew */
void lt_gate_save(const lt_gate *g, lt_put *w);
leat_status lt_gate_restore(lt_gate *g, lt_get *r, leat_error *err); /* into a fresh one */
#endif
