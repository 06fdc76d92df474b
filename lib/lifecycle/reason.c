/* Names of the reasons. Numbers and names never change. */
#include "lifecycle/quarantine_inner.h"
#include <string.h>

static const struct { int32_t reason; const char *name; } reasons[LT_HELD_REASONS - 1] = {
    {LEAT_REASON_PARSE, "parse"},
    {LEAT_REASON_TOO_LONG, "too_long"},
    {LEAT_REASON_MISSING, "missing"},
    {LEAT_REASON_TYPE, "type"},
    {LEAT_REASON_SHAPE, "shape"},
    {LEAT_REASON_NON_FINITE, "non_finite"},
    {LEAT_REASON_RANGE, "range"},
    {LEAT_REASON_UNSEEN_CATEGORY, "unseen_category"},
    {LEAT_REASON_OUTLIER, "outlier"},
    {LEAT_REASON_LABEL_MISSING, "label_missing"},
    {LEAT_REASON_LABEL_INVALID, "label_invalid"},
    {LEAT_REASON_LABEL_LATE, "label_late"},
    {LEAT_REASON_WEIGHT, "weight"},
    {LEAT_REASON_TOO_OLD, "too_old"},
    {LEAT_REASON_DUPLICATE, "duplicate"},
    {LEAT_REASON_LOSS_SPIKE, "loss_spike"},
    {LEAT_REASON_ROLLBACK_SUSPECT, "rollback_suspect"},
    {LEAT_REASON_USER, "user"}};

int lt_held_slot(int32_t reason) {
  for (int i = 0; i < LT_HELD_REASONS - 1; i++)
    if (reasons[i].reason == reason) return i;
  return LT_HELD_REASONS - 1;
}

const char *lt_reason_name(int32_t reason) {
  int i = lt_held_slot(reason);
  return i < LT_HELD_REASONS - 1 ? reasons[i].name : "unknown";
}

int32_t lt_reason_find(const char *name) {
  for (int i = 0; i < LT_HELD_REASONS - 1; i++)
    if (strcmp(reasons[i].name, name) == 0) return reasons[i].reason;
  return 0;
}

int32_t lt_reason_at(int64_t index) { return index < 0 || index >= LT_HELD_REASONS - 1 ? 0 : reasons[index].reason; }
