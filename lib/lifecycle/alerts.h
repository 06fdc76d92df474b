/* Alerts by the clock: staleness of a model, silence of labels, and what a host finds. They stand in the store's history (ALERT,
 * ALERT_OVER), beside the alerts of monitors. Raised above a limit, cleared below half of it. */
#ifndef LEAT_LIFECYCLE_ALERTS_H
#define LEAT_LIFECYCLE_ALERTS_H
#include "lifecycle/folder.h"
/* Notes that it is raised or over; nothing when the history says so already. */
leat_status lt_alert_note(leat_store *s, const char *name, int raised, double value, double threshold, int64_t row, const char *text,
                          leat_error *err);
/* One that is looked at now and then. */
typedef struct lt_alert { int32_t known, raised; } lt_alert;
/* Raises or clears it in the history when the value asks for it; limit 0: never. */
leat_status lt_alert_step(lt_alert *a, leat_store *s, const char *name, double value, double limit, int64_t row, const char *text,
                          leat_error *err);
#endif
