/* telemetry/log_internal.h - how the layers speak to the log of their platform. */
#ifndef ARVO_SRC_TELEMETRY_LOG_INTERNAL_H
#define ARVO_SRC_TELEMETRY_LOG_INTERNAL_H

#include <arvo/log.h>

#include "base/internal.h"

/* Whether anybody hears it; asked before a record is made. */
static inline bool
arvo__log_is_on(const arvo_platform *platform, arvo_log_area area, arvo_severity level)
{
    return ARVO_UNLIKELY(platform->log != NULL) && arvo_log_is_on(platform->log, area, level);
}

/* Hand over `record` with the time, the message and, when data is asked for, the detail: each one
 * line, its URLs masked. Somebody hears it. */
void arvo__log_hand_over(
    const arvo_platform *platform, const arvo_log_record *record, const arvo_error *message);

/* The same, when somebody hears it: a record without time and message, and what printf() gets. */
#define arvo__log(platform, record, ...)                                                           \
    do {                                                                                           \
        const arvo_log_record *const log_record_ = (record);                                       \
        if (arvo__log_is_on((platform), log_record_->area, log_record_->level)) {                  \
            arvo_error log_message_;                                                               \
            (void)arvo__fail(&log_message_, ARVO_OK, __VA_ARGS__);                                 \
            arvo__log_hand_over((platform), log_record_, &log_message_);                           \
        }                                                                                          \
    } while (0)

/* Whether the text of an error of that status may quote the data of an event: then it is a detail.
 */
bool arvo__log_may_quote(arvo_status status);

#endif
