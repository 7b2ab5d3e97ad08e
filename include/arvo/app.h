/* arvo/app.h - an app: documents from files and directories, linked and ready to run.
 *
 * Threads: loading is for one thread; afterwards an app is immutable.
 */
#ifndef ARVO_APP_H
#define ARVO_APP_H

#include <arvo/broker.h>
#include <arvo/check.h>

ARVO_BEGIN_DECLS

#define ARVO_APP_FILES_MAX 10000u

typedef struct arvo_app arvo_app;

typedef struct arvo_app_opts {
    const arvo_guard_def *guards;   /* functions that machines may name; NULL: none */
    const arvo_action_def *actions; /* NULL: none */
    /* Folders of schema documents that contracts refer to; NULL: none. Borrowed for the call. A
     * folder of the app that is one of them is left out when the app is searched through. */
    arvo_schema_remotes *remotes;
} arvo_app_opts;

/**
 * Load files and directories (searched through, .json .yaml .yml, in name order, names with a dot
 * in front left out), in any order of documents: contracts first, then machines, then mocks. A path
 * may be a pipe; what a directory holds must be regular files.
 *
 * @param out  Owned (arvo_app_free()). Written on success only.
 * @return ARVO_OK, or the status of the first document that is wrong ("file:line: pointer: ...":
 *         unknown `kind`, unknown keys, the same machine or mock twice, ...); ARVO_E_IO (a file
 *         that is not there, cannot be read or is no regular one), ARVO_E_TOO_BIG
 *         (ARVO_APP_FILES_MAX, directories nested too deep), ARVO_E_NOMEM.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_app_load(
    const char *const *paths, size_t path_count, const arvo_app_opts *opts, arvo_app **out,
    arvo_error *err);
/** NULL is fine. */
ARVO_API void arvo_app_free(arvo_app *app);

/**
 * Check an app: what arvo_app_load() refuses, all of it that can be told at once; what
 * arvo_machine_check() finds in each machine; and what only the whole app shows: versions that no
 * machine implements, workflows that call each other in a circle. Sorts the findings of `check`.
 * @param out  Nullable. The app, owned (arvo_app_free()), when there are no errors; else NULL.
 * @return ARVO_OK whatever was found; ARVO_E_IO, ARVO_E_MALFORMED, ARVO_E_TOO_BIG,
 *         ARVO_E_UNSUPPORTED (a file that cannot be read), ARVO_E_NOMEM.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_app_check(
    const char *const *paths, size_t path_count, const arvo_app_opts *opts, arvo_check *check,
    arvo_app **out, arvo_error *err);

ARVO_API arvo_contracts *arvo_app_contracts(const arvo_app *app);
ARVO_API size_t arvo_app_machine_count(const arvo_app *app);
ARVO_API arvo_machine *arvo_app_machine_at(const arvo_app *app, size_t i);
ARVO_API size_t arvo_app_mock_count(const arvo_app *app);
ARVO_API arvo_handler *arvo_app_mock_at(const arvo_app *app, size_t i);

/** An app made runnable over a store: one orchestrator per machine source, and a broker. */
typedef struct arvo_app_runtime arvo_app_runtime;

typedef struct arvo_app_runtime_opts {
    arvo_memory *memory;             /* borrowed for the runtime's life */
    const arvo_platform *platform;   /* of the orchestrators; NULL: the system's */
    const arvo_telemetry *telemetry; /* NULL: off */
    arvo_violations violations;
    bool error_stack;
    int64_t lease_ms;               /* as in arvo_orchestrator_opts */
    int64_t lease_renew_max_ms;     /* likewise */
    const arvo_broker_opts *broker; /* NULL: the defaults; its memory, platform, on_event and user
                                       are those of this */
    bool (*on_event)(void *user, const arvo_delivery *delivery); /* as in arvo_broker_opts */
    void *user;
} arvo_app_runtime_opts;

/**
 * Machines without contracts are left out: no event can start them.
 * @param app  Borrowed for the runtime's life.
 * @param out  Owned (arvo_app_stop()). Written on success only.
 * @return ARVO_OK, ARVO_E_EXISTS (a mock serves the start event of a machine), ARVO_E_NOMEM, or as
 *         arvo_orchestrator_create() and arvo_broker_new().
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_app_start(
    arvo_app *app, const arvo_app_runtime_opts *opts, arvo_app_runtime **out, arvo_error *err);
/** Before the app and its store go. NULL is fine. */
ARVO_API void arvo_app_stop(arvo_app_runtime *runtime);
ARVO_API arvo_broker *arvo_app_runtime_broker(const arvo_app_runtime *runtime);
ARVO_API size_t arvo_app_runtime_orchestrator_count(const arvo_app_runtime *runtime);
ARVO_API arvo_orchestrator *
arvo_app_runtime_orchestrator_at(const arvo_app_runtime *runtime, size_t i);
/** The orchestrator whose source is `type`; NULL: none. */
ARVO_API arvo_orchestrator *
arvo_app_runtime_orchestrator(const arvo_app_runtime *runtime, arvo_str type);

ARVO_END_DECLS

#endif
