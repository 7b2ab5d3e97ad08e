/* Apps: documents from files and directories, linked, and made runnable over a store. */

#include <arvo/app.h>

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "contract/remotes.h"
#include "orchestrator/app.h"

#define APP_DIRECTORY_DEPTH_MAX 32u

/* ---- Files ----------------------------------------------------------------------- */

static arvo_status
app_add_documents(arvo_app *app, arvo_document_list list, arvo_error *err)
{
    for (size_t i = 0; i < list.count; i++) {
        if (app->document_count == app->document_cap) {
            const size_t cap = app->document_cap != 0 ? app->document_cap * 2 : 16;
            const arvo_document **documents =
                arvo__arena_alloc(app->arena, cap * sizeof(const arvo_document *));
            if (documents == NULL)
                return arvo__nomem(err);
            if (app->document_count > 0)
                memcpy(documents, app->documents, app->document_count * sizeof(*documents));
            app->documents = documents;
            app->document_cap = cap;
        }
        app->documents[app->document_count++] = &list.items[i];
    }
    return ARVO_OK;
}

static arvo_status
app_load_file(arvo_app *app, const char *path, arvo_error *err)
{
    if (app->file_count++ >= ARVO_APP_FILES_MAX)
        return arvo__fail(
            err, ARVO_E_TOO_BIG, "%s: an app has at most %u files", path, ARVO_APP_FILES_MAX);
    arvo_document_list list;
    const arvo_status st = arvo_document_load(path, app->arena, &list, err);
    return st == ARVO_OK ? app_add_documents(app, list, err) : st;
}

static int
app_keep_entry(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* By bytes: the order must not depend on the locale. */
static int
app_compare_entries(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool
app_is_document_name(const char *name)
{
    static const char *const endings[] = { ".json", ".yaml", ".yml" };
    const arvo_str str = arvo_str_from(name);
    for (size_t i = 0; i < ARVO_COUNT_OF(endings); i++) {
        const arvo_str ending = arvo_str_from(endings[i]);
        if (str.len > ending.len &&
            memcmp(str.ptr + str.len - ending.len, ending.ptr, ending.len) == 0)
            return true;
    }
    return false;
}

static arvo_status
app_load_path(arvo_app *app, const char *path, bool is_named, unsigned depth, arvo_error *err);

static arvo_status
app_load_directory(
    arvo_app *app, const char *path, const struct stat *info, unsigned depth, arvo_error *err)
{
    if (depth >= APP_DIRECTORY_DEPTH_MAX)
        return arvo__fail(
            err, ARVO_E_TOO_BIG,
            "%s: directories are nested more than %u deep: does a link lead back?", path,
            APP_DIRECTORY_DEPTH_MAX);
    if (arvo__schema_remotes_has(app->remotes, info))
        return ARVO_OK;
    struct dirent **entries = NULL;
    const int count = scandir(path, &entries, app_keep_entry, app_compare_entries);
    if (count < 0)
        return arvo__fail(err, ARVO_E_IO, "%s: the directory cannot be read", path);

    arvo_status st = ARVO_OK;
    for (int i = 0; i < count; i++) {
        if (st == ARVO_OK) {
            const arvo_str child = arvo_arena_printf(app->arena, "%s/%s", path, entries[i]->d_name);
            st = child.ptr != NULL ? app_load_path(app, child.ptr, false, depth + 1, err)
                                   : arvo__nomem(err);
        }
        free(entries[i]); /* scandir's, not ours */
    }
    free(entries);
    return st;
}

/* A file that was named is read whatever it is called, and may be a pipe; in a directory only
 * documents are, and a pipe, where nobody may ever write, is a mistake. */
static arvo_status
app_load_path(arvo_app *app, const char *path, bool is_named, unsigned depth, arvo_error *err)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return arvo__fail(err, ARVO_E_IO, "%s: there is no such file or directory", path);
    if (S_ISDIR(info.st_mode))
        return app_load_directory(app, path, &info, depth, err);
    if (!is_named && !app_is_document_name(path))
        return ARVO_OK;
    if (!is_named && !S_ISREG(info.st_mode))
        return arvo__fail(
            err, ARVO_E_IO, "%s: it is no regular file, which a document must be: move it away",
            path);
    return app_load_file(app, path, err);
}

/* ---- Kinds ------------------------------------------------------------------------- */

arvo_status
arvo__app_kind_of(const arvo_document *document, app_kind *out, arvo_error *err)
{
    static const struct {
        const char *name;
        app_kind kind;
    } kinds[] = { { "contract", APP_CONTRACT },
                  { "orchestrator-contract", APP_CONTRACT },
                  { "machine", APP_MACHINE },
                  { "mock", APP_MOCK } };
    if (arvo_json_type_of(document->root) != ARVO_JSON_OBJECT)
        return arvo_document_error(
            document, ARVO_STR(""), err, ARVO_E_INVALID, "a document must be an object");
    const arvo_json *kind = arvo_json_get(document->root, "kind");
    if (kind == NULL && arvo_json_get(document->root, "uri") != NULL) {
        *out = APP_CONTRACT; /* as arvo-core exports it; the contract reader says if it is not */
        return ARVO_OK;
    }
    for (size_t i = 0; i < ARVO_COUNT_OF(kinds); i++)
        if (arvo_json_type_of(kind) == ARVO_JSON_STRING &&
            arvo_str_is(arvo_json_str(kind), kinds[i].name)) {
            *out = kinds[i].kind;
            return ARVO_OK;
        }
    return arvo_document_error(
        document, kind != NULL ? ARVO_STR("/kind") : ARVO_STR(""), err, ARVO_E_INVALID,
        "kind must be contract, orchestrator-contract, machine or mock");
}

arvo_machine_setup
arvo__app_setup(const arvo_app *app, const arvo_app_opts *opts)
{
    return (arvo_machine_setup){ .contracts = app->contracts,
                                 .guards = opts != NULL ? opts->guards : NULL,
                                 .actions = opts != NULL ? opts->actions : NULL };
}

arvo_status
arvo__app_add_machine(
    arvo_app *app, const arvo_document *document, arvo_machine *machine, arvo_error *err)
{
    const arvo_str source = arvo_machine_source(machine), version = arvo_machine_version(machine);
    app->machines[app->machine_count++] = machine; /* the app frees it, whatever follows */
    for (size_t i = 0; i + 1 < app->machine_count && source.ptr != NULL; i++)
        if (arvo_str_equal(arvo_machine_source(app->machines[i]), source) &&
            arvo_str_equal(arvo_machine_version(app->machines[i]), version))
            return arvo_document_error(
                document, ARVO_STR(""), err, ARVO_E_EXISTS,
                "there is a machine for %.*s in version %.*s already: give this one another "
                "version",
                ARVO_FMT(source), ARVO_FMT(version));
    return ARVO_OK;
}

static arvo_status
app_create_machine(
    arvo_app *app, const arvo_document *document, const arvo_app_opts *opts, arvo_error *err)
{
    const arvo_machine_setup setup = arvo__app_setup(app, opts);
    arvo_machine *machine = NULL;
    const arvo_status st = arvo_machine_create(&setup, document, &machine, err);
    return st == ARVO_OK ? arvo__app_add_machine(app, document, machine, err) : st;
}

arvo_status
arvo__app_add_mock(arvo_app *app, const arvo_document *document, arvo_error *err)
{
    arvo_handler *mock = NULL;
    const arvo_status st = arvo_handler_create_mock(app->contracts, document, &mock, err);
    if (st != ARVO_OK)
        return st;
    app->mocks[app->mock_count++] = mock;
    for (size_t i = 0; i + 1 < app->mock_count; i++)
        if (arvo_str_equal(arvo_handler_type(app->mocks[i]), arvo_handler_type(mock)))
            return arvo_document_error(
                document, ARVO_STR("/type"), err, ARVO_E_EXISTS,
                "there is a mock of %.*s already: put all replies into one",
                ARVO_FMT(arvo_handler_type(mock)));
    return ARVO_OK;
}

static arvo_status
app_add(
    arvo_app *app, const arvo_document *document, const arvo_app_opts *opts, app_kind kind,
    arvo_error *err)
{
    switch (kind) {
    case APP_CONTRACT:
        return arvo_contracts_add(app->contracts, document, NULL, err);
    case APP_MACHINE:
        return app_create_machine(app, document, opts, err);
    case APP_MOCK:
        return arvo__app_add_mock(app, document, err);
    case APP_KIND_COUNT:
        break;
    }
    return ARVO_OK;
}

bool
arvo__app_make_room(arvo_app *app)
{
    const size_t count = app->document_count;
    app->kinds = arvo_arena_calloc(app->arena, count + 1, sizeof(*app->kinds));
    app->machines = arvo_arena_calloc(app->arena, count + 1, sizeof(*app->machines));
    app->mocks = arvo_arena_calloc(app->arena, count + 1, sizeof(*app->mocks));
    return app->kinds != NULL && app->machines != NULL && app->mocks != NULL;
}

/* They are borrowed for the call that puts the app together. */
void
arvo__app_forget_remotes(arvo_app *app)
{
    app->remotes = NULL;
    arvo_contracts_find_from(app->contracts, NULL, NULL);
}

/* Contracts first, then what refers to them. */
static arvo_status
app_link(arvo_app *app, const arvo_app_opts *opts, arvo_error *err)
{
    if (!arvo__app_make_room(app))
        return arvo__nomem(err);
    arvo_status st = ARVO_OK;
    for (size_t i = 0; i < app->document_count && st == ARVO_OK; i++)
        st = arvo__app_kind_of(app->documents[i], &app->kinds[i], err);
    for (app_kind kind = APP_CONTRACT; kind < APP_KIND_COUNT; kind++)
        for (size_t i = 0; i < app->document_count && st == ARVO_OK; i++)
            if (app->kinds[i] == kind)
                st = app_add(app, app->documents[i], opts, kind, err);
    arvo__app_forget_remotes(app);
    return st;
}

arvo_status
arvo__app_read(
    const char *const *paths, size_t path_count, const arvo_app_opts *opts, arvo_app **out,
    arvo_error *err)
{
    arvo_app *app = arvo__calloc(NULL, 1, sizeof(*app));
    if (app == NULL)
        return arvo__nomem(err);
    app->arena = arvo_arena_new(NULL);
    app->contracts = arvo_contracts_new(NULL);

    app->remotes = opts != NULL ? opts->remotes : NULL;
    if (app->contracts != NULL && app->remotes != NULL)
        arvo_contracts_find_from(app->contracts, arvo_schema_remotes_find, app->remotes);

    arvo_status st = app->arena != NULL && app->contracts != NULL ? ARVO_OK : arvo__nomem(err);
    for (size_t i = 0; i < path_count && st == ARVO_OK; i++)
        st = app_load_path(app, paths[i], true, 0, err);
    if (st != ARVO_OK)
        arvo_app_free(app);
    else
        *out = app;
    return st;
}

arvo_status
arvo_app_load(
    const char *const *paths, size_t path_count, const arvo_app_opts *opts, arvo_app **out,
    arvo_error *err)
{
    ARVO_ASSERT((paths != NULL || path_count == 0) && out != NULL);
    arvo_app *app = NULL;
    arvo_status st = arvo__app_read(paths, path_count, opts, &app, err);
    if (st != ARVO_OK)
        return st;
    st = app_link(app, opts, err);
    if (st != ARVO_OK)
        arvo_app_free(app);
    else
        *out = app;
    return st;
}

void
arvo_app_free(arvo_app *app)
{
    if (app == NULL)
        return;
    for (size_t i = 0; i < app->machine_count; i++)
        arvo_machine_unref(app->machines[i]);
    for (size_t i = 0; i < app->mock_count; i++)
        arvo_handler_free(app->mocks[i]);
    arvo_contracts_unref(app->contracts);
    arvo_arena_free(app->arena);
    arvo__free(NULL, app, sizeof(*app));
}

arvo_contracts *
arvo_app_contracts(const arvo_app *app)
{
    return app->contracts;
}

size_t
arvo_app_machine_count(const arvo_app *app)
{
    return app->machine_count;
}

arvo_machine *
arvo_app_machine_at(const arvo_app *app, size_t i)
{
    return i < app->machine_count ? app->machines[i] : NULL;
}

size_t
arvo_app_mock_count(const arvo_app *app)
{
    return app->mock_count;
}

arvo_handler *
arvo_app_mock_at(const arvo_app *app, size_t i)
{
    return i < app->mock_count ? app->mocks[i] : NULL;
}

/* ---- Running ---------------------------------------------------------------------------- */

struct arvo_app_runtime {
    arvo_broker *broker;
    arvo_orchestrator **orchestrators;
    size_t orchestrator_count;
    size_t orchestrator_cap;
};

/* An orchestrator over all machines that machines[first]'s start event starts. */
static arvo_status
runtime_add_orchestrator(
    arvo_app_runtime *runtime, const arvo_app *app, size_t first, const arvo_app_runtime_opts *opts,
    arvo_error *err)
{
    const arvo_str source = arvo_machine_source(app->machines[first]);
    arvo_machine **group = arvo__calloc(NULL, app->machine_count, sizeof(*group));
    if (group == NULL)
        return arvo__nomem(err);
    size_t count = 0;
    for (size_t i = first; i < app->machine_count; i++)
        if (arvo_str_equal(arvo_machine_source(app->machines[i]), source))
            group[count++] = app->machines[i];

    const arvo_orchestrator_opts orchestrator_opts = {
        .memory = opts->memory,
        .machines = group,
        .machine_count = count,
        .platform = opts->platform,
        .telemetry = opts->telemetry,
        .violations = opts->violations,
        .error_stack = opts->error_stack,
        .lease_ms = opts->lease_ms,
        .lease_renew_max_ms = opts->lease_renew_max_ms,
        .shares_with = runtime->orchestrator_count > 0 ? runtime->orchestrators[0] : NULL
    };
    arvo_orchestrator *orchestrator = NULL;
    arvo_status st = arvo_orchestrator_create(&orchestrator_opts, &orchestrator, err);
    if (st == ARVO_OK) {
        runtime->orchestrators[runtime->orchestrator_count++] = orchestrator;
        st = arvo_broker_add_orchestrator(runtime->broker, orchestrator, err);
    }
    arvo__free(NULL, group, app->machine_count * sizeof(*group));
    return st;
}

static arvo_status
runtime_fill(
    arvo_app_runtime *runtime, const arvo_app *app, const arvo_app_runtime_opts *opts,
    arvo_error *err)
{
    arvo_broker_opts broker_opts =
        opts->broker != NULL ? *opts->broker : (arvo_broker_opts){ .queue_max = 0 };
    broker_opts.memory = opts->memory;
    broker_opts.platform = opts->platform;
    broker_opts.telemetry = opts->telemetry;
    broker_opts.on_event = opts->on_event;
    broker_opts.user = opts->user;
    arvo_status st = arvo_broker_new(&broker_opts, &runtime->broker, err);
    for (size_t i = 0; i < app->machine_count && st == ARVO_OK; i++) {
        const arvo_str source = arvo_machine_source(app->machines[i]);
        if (source.ptr != NULL && arvo_app_runtime_orchestrator(runtime, source) == NULL)
            st = runtime_add_orchestrator(runtime, app, i, opts, err);
    }
    for (size_t i = 0; i < app->mock_count && st == ARVO_OK; i++)
        st = arvo_broker_add_handler(runtime->broker, app->mocks[i], err);
    return st;
}

arvo_status
arvo_app_start(
    arvo_app *app, const arvo_app_runtime_opts *opts, arvo_app_runtime **out, arvo_error *err)
{
    ARVO_ASSERT(app != NULL && opts != NULL && out != NULL);
    arvo_app_runtime *runtime = arvo__calloc(NULL, 1, sizeof(*runtime));
    if (runtime == NULL)
        return arvo__nomem(err);
    runtime->orchestrator_cap = app->machine_count;
    runtime->orchestrators =
        arvo__calloc(NULL, runtime->orchestrator_cap, sizeof(*runtime->orchestrators));
    const arvo_status st =
        runtime->orchestrators != NULL ? runtime_fill(runtime, app, opts, err) : arvo__nomem(err);
    if (st != ARVO_OK)
        arvo_app_stop(runtime);
    else
        *out = runtime;
    return st;
}

void
arvo_app_stop(arvo_app_runtime *runtime)
{
    if (runtime == NULL)
        return;
    arvo_broker_free(runtime->broker);
    for (size_t i = 0; i < runtime->orchestrator_count; i++)
        arvo_orchestrator_free(runtime->orchestrators[i]);
    arvo__free(
        NULL, runtime->orchestrators, runtime->orchestrator_cap * sizeof(*runtime->orchestrators));
    arvo__free(NULL, runtime, sizeof(*runtime));
}

arvo_broker *
arvo_app_runtime_broker(const arvo_app_runtime *runtime)
{
    return runtime->broker;
}

size_t
arvo_app_runtime_orchestrator_count(const arvo_app_runtime *runtime)
{
    return runtime->orchestrator_count;
}

arvo_orchestrator *
arvo_app_runtime_orchestrator_at(const arvo_app_runtime *runtime, size_t i)
{
    return i < runtime->orchestrator_count ? runtime->orchestrators[i] : NULL;
}

arvo_orchestrator *
arvo_app_runtime_orchestrator(const arvo_app_runtime *runtime, arvo_str type)
{
    for (size_t i = 0; i < runtime->orchestrator_count; i++)
        if (arvo_str_equal(arvo_orchestrator_source(runtime->orchestrators[i]), type))
            return runtime->orchestrators[i];
    return NULL;
}
