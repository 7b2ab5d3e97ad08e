/* What is looked at to say whether a store is well (doctor.c): for arvo doctor and for a bundle. */
#ifndef ARVO_CLI_DOCTOR_H
#define ARVO_CLI_DOCTOR_H

#include "cli.h"

#define DOCTOR_CHECKS_MAX    16u
#define DOCTOR_INSTANCES_MAX 100000u /* active ones whose machines are looked for in the app */

typedef enum doctor_level {
    DOCTOR_OK = 0,
    DOCTOR_NOTE, /* said, not judged */
    DOCTOR_WARN, /* more than the threshold */
    DOCTOR_FAIL  /* does not work */
} doctor_level;

typedef struct doctor_check {
    const char *name;
    doctor_level level;
    int64_t value; /* -1: no number */
    const char *what;
    const char *remedy; /* NULL: none is needed */
} doctor_check;

/* Zero where that is the threshold. */
typedef struct doctor_opts {
    const char *store;
    const char *backup; /* NULL: not looked at */
    int64_t clock_skew_ms;
    int64_t leases_max;
    int64_t outbox_max;
    int64_t outbox_age_ms;
    int64_t dead_max;
    int64_t disk_free_mib;
    int64_t backup_age_ms;
    const char *const *app; /* paths */
    size_t app_count;
} doctor_opts;

/** Whose thresholds are those of the manual. */
doctor_opts doctor_opts_default(const char *store);

typedef struct doctor_report {
    doctor_check checks[DOCTOR_CHECKS_MAX];
    size_t count;
    bool is_reached; /* the store answered */
} doctor_report;

/** Look. `memory` gets the store, read only and owned by the caller (NULL: it cannot be opened);
 * `stats` what it said of itself. */
void doctor_examine(
    const doctor_opts *opts, doctor_report *report, arvo_memory **memory, arvo_memory_stats *stats);

/** Whether all is well. */
bool doctor_is_fine(const doctor_report *report);

/** {"ok", "store", "checks": [{"check", "level", "value", "what", "do"}]} */
const arvo_json *doctor_json(const doctor_opts *opts, const doctor_report *report);

#endif
