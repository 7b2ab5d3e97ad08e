/* Checks of a whole app: every document, then what only all of them together show. */

#include "machine/check.h"
#include "orchestrator/app.h"

typedef struct app_check {
    arvo_check *check;
    arvo_app *app;
    const arvo_app_opts *opts;
    const arvo_document **documents; /* of app->machines, by index */
    arvo_str *lost;                  /* URIs of contracts that are wrong themselves */
    size_t lost_count;
    bool lost_any; /* a wrong document that does not say its URI */
    size_t failures;
} app_check;

static check_place
place_of(const arvo_document *document, arvo_str pointer)
{
    return (check_place){ .document = document, .pointer = pointer, .state = CHART_NONE };
}

/* ---- Documents one by one ---- */

/* What a wrong document would have declared is not missing for those who refer to it. */
static void
document_lost(app_check *c, const arvo_document *document)
{
    const arvo_str uri = arvo_json_str(arvo_json_get(document->root, "uri"));
    if (uri.len > 0)
        c->lost[c->lost_count++] = uri;
    else
        c->lost_any = true;
}

static arvo_status
document_wrong(app_check *c, const arvo_document *document, arvo_status st, const arvo_error *err)
{
    if (st == ARVO_E_NOMEM)
        return st;
    const check_place place = place_of(document, ARVO_STR(""));
    c->failures++;
    arvo__check_add_error(
        c->check, st == ARVO_E_EXISTS ? CHECK_DUPLICATE_DOCUMENT : CHECK_INVALID_DOCUMENT, &place,
        err);
    return ARVO_OK;
}

static arvo_status
kinds_read(app_check *c)
{
    arvo_status st = ARVO_OK;
    for (size_t i = 0; i < c->app->document_count && st == ARVO_OK; i++) {
        arvo_error wrong = { 0 };
        st = arvo__app_kind_of(c->app->documents[i], &c->app->kinds[i], &wrong);
        if (st == ARVO_OK)
            continue;
        c->app->kinds[i] = APP_KIND_COUNT;
        document_lost(c, c->app->documents[i]);
        st = document_wrong(c, c->app->documents[i], st, &wrong);
    }
    return st;
}

static arvo_status
check_contract(app_check *c, const arvo_document *document)
{
    arvo_error wrong = { 0 };
    const arvo_status st = arvo_contracts_add(c->app->contracts, document, NULL, &wrong);
    if (st == ARVO_OK)
        return st;
    document_lost(c, document);
    return document_wrong(c, document, st, &wrong);
}

/* A reference to a contract that is there, and wrong: the contract's finding says enough. */
static bool
refers_to_lost(const app_check *c, const arvo_document *document, const arvo_finding *finding)
{
    const arvo_json *const at = arvo_json_pointer_get(document->root, finding->pointer);
    const arvo_str whole = arvo_json_str(at);
    const arvo_str uri = whole.ptr != NULL ? whole : arvo_json_str(arvo_json_get(at, "uri"));
    bool is_lost = c->lost_any;
    for (size_t i = 0; i < c->lost_count && !is_lost; i++)
        is_lost = arvo_str_equal(uri, c->lost[i]);
    size_t count;
    return is_lost && finding->rule == &arvo_check_rules(&count)[CHECK_UNKNOWN_CONTRACT];
}

static arvo_status
check_machine(app_check *c, const arvo_document *document, arvo_error *err)
{
    arvo_check *const check = c->check;
    const arvo_machine_setup setup = arvo__app_setup(c->app, c->opts);
    const size_t first = check->count;
    arvo_machine *machine = NULL;
    arvo_status st = arvo_machine_check(&setup, document, check, &machine, err);
    if (st != ARVO_OK)
        return st;
    size_t kept = first;
    for (size_t i = first; i < check->count; i++)
        if (!refers_to_lost(c, document, &check->entries[i].finding))
            check->entries[kept++] = check->entries[i];
    check->count = kept;
    if (machine == NULL) {
        c->failures++;
        return ARVO_OK;
    }
    arvo_error wrong = { 0 };
    c->documents[c->app->machine_count] = document;
    st = arvo__app_add_machine(c->app, document, machine, &wrong);
    return st == ARVO_OK ? st : document_wrong(c, document, st, &wrong);
}

static arvo_status
check_documents(app_check *c, arvo_error *err)
{
    arvo_status st = kinds_read(c);
    for (app_kind kind = APP_CONTRACT; kind < APP_KIND_COUNT; kind++)
        for (size_t i = 0; i < c->app->document_count && st == ARVO_OK; i++) {
            const arvo_document *const document = c->app->documents[i];
            arvo_error wrong = { 0 };
            if (c->app->kinds[i] != kind)
                continue;
            if (kind == APP_CONTRACT)
                st = check_contract(c, document);
            else if (kind == APP_MACHINE)
                st = check_machine(c, document, err);
            else if ((st = arvo__app_add_mock(c->app, document, &wrong)) != ARVO_OK)
                st = document_wrong(c, document, st, &wrong);
        }
    return st == ARVO_E_NOMEM ? arvo__nomem(err) : st;
}

/* ---- Who calls whom ---- */

typedef struct caller {
    size_t service; /* the next one to follow */
    enum { CALLER_NEW = 0, CALLER_OPEN, CALLER_DONE } state;
    size_t from; /* who called it */
} caller;

/* The first machine that implements a version + 1; 0: none. */
static size_t
machine_of(const app_check *c, const arvo_contract_version *version)
{
    for (size_t i = 0; version->is_orchestrator && i < c->app->machine_count; i++)
        if (arvo_machine_self(c->app->machines[i]) == version)
            return i + 1;
    return 0;
}

/* Where the machine lists its service, and the place of it. */
static check_place
service_place(const app_check *c, size_t machine, size_t service, arvo_buf *pointer)
{
    const arvo_document *const document = c->documents[machine];
    const arvo_json *const services =
        arvo_json_get(arvo_json_get(document->root, "contracts"), "services");
    arvo_buf_reset(pointer);
    arvo_buf_append_str(pointer, ARVO_STR("/contracts/services"));
    arvo_json_pointer_push(pointer, arvo_json_key_at(services, service));
    check_place place = place_of(document, arvo_buf_str(pointer));
    place.machine = arvo_machine_id(c->app->machines[machine]);
    return place;
}

/* `last` calls `first` again, which it was called by. */
static void
circle_add(app_check *c, const caller *callers, size_t first, size_t last, arvo_buf *pointer)
{
    arvo_arena *const arena = c->check->arena;
    const arvo_str closing = arvo_machine_source(c->app->machines[first]);
    arvo_str names = closing;
    for (size_t at = last; names.len < 400; at = callers[at].from) {
        names = arvo_arena_printf(
            arena, "%.*s -> %.*s", ARVO_FMT(arvo_machine_source(c->app->machines[at])),
            ARVO_FMT(names));
        if (at == first || names.ptr == NULL)
            break;
    }
    const check_place place = service_place(c, first, callers[first].service - 1, pointer);
    arvo__check_add(
        c->check, CHECK_CIRCULAR_SERVICES, &place, ARVO_STR_NONE,
        "these workflows call each other in a circle: %.*s", ARVO_FMT(names));
}

/* Depth first, without recursion: a circle is a call of somebody who has not come back. */
static void
circles_from(app_check *c, caller *callers, size_t start, arvo_buf *pointer)
{
    size_t at = start;
    callers[at] = (caller){ .state = CALLER_OPEN, .from = start };
    for (;;) {
        const arvo_contract_version *const service =
            arvo_machine_service_at(c->app->machines[at], callers[at].service);
        if (service == NULL) {
            callers[at].state = CALLER_DONE;
            if (at == start)
                return;
            at = callers[at].from;
            continue;
        }
        callers[at].service++;
        const size_t next = machine_of(c, service);
        if (next == 0)
            continue;
        if (callers[next - 1].state == CALLER_OPEN) {
            circle_add(c, callers, next - 1, at, pointer);
        } else if (callers[next - 1].state == CALLER_NEW) {
            callers[next - 1] = (caller){ .state = CALLER_OPEN, .from = at };
            at = next - 1;
        }
    }
}

/* A workflow that is called in a version which nobody here implements, though others are. */
static void
check_versions(app_check *c, size_t machine, arvo_buf *pointer)
{
    for (size_t i = 0; i < arvo_machine_service_count(c->app->machines[machine]); i++) {
        const arvo_contract_version *const service =
            arvo_machine_service_at(c->app->machines[machine], i);
        const arvo_contract_version *other = NULL;
        for (size_t k = 0; service->is_orchestrator && k < c->app->machine_count; k++) {
            const arvo_contract_version *const self = arvo_machine_self(c->app->machines[k]);
            if (self != NULL && self->contract == service->contract)
                other = self;
        }
        if (other == NULL || machine_of(c, service) != 0)
            continue;
        const check_place place = service_place(c, machine, i, pointer);
        arvo__check_add(
            c->check, CHECK_VERSION_MISMATCH, &place, ARVO_STR_NONE,
            "no machine implements version '%.*s' of '%.*s', though one does '%.*s'",
            ARVO_FMT(service->version), ARVO_FMT(service->uri), ARVO_FMT(other->version));
    }
}

static arvo_status
check_together(app_check *c, arvo_error *err)
{
    const size_t count = c->app->machine_count;
    caller *const callers = arvo_arena_calloc(c->check->arena, count + 1, sizeof(*callers));
    arvo_buf pointer = ARVO_BUF_INIT((size_t)64 * 1024);
    for (size_t i = 0; i < count && callers != NULL; i++)
        if (callers[i].state == CALLER_NEW)
            circles_from(c, callers, i, &pointer);
    /* A machine that did not load may be the one that is missed. */
    for (size_t i = 0; i < count && c->failures == 0; i++)
        check_versions(c, i, &pointer);
    const bool has_failed = pointer.status != ARVO_OK;
    arvo_buf_fini(&pointer);
    return has_failed ? arvo__nomem(err) : arvo__check_status(c->check, err);
}

/* ---- All of it ---- */

/* Which contracts are in arvo-core's exported form, where `additionalProperties: false` means that
 * other keys are dropped. */
static bool
stripping_find(app_check *c)
{
    arvo_str *const uris =
        arvo_arena_calloc(c->check->arena, c->app->document_count + 1, sizeof(*uris));
    size_t count = 0;
    for (size_t i = 0; i < c->app->document_count && uris != NULL; i++) {
        const arvo_json *const root = c->app->documents[i]->root;
        if (arvo_json_get(root, "kind") == NULL)
            uris[count++] = arvo_json_str(arvo_json_get(root, "uri"));
    }
    c->check->stripping = uris;
    c->check->stripping_count = count;
    c->check->knows_stripping = uris != NULL;
    return uris != NULL;
}

static arvo_status
check_all(app_check *c, arvo_error *err)
{
    arvo_arena *const arena = c->check->arena;
    const size_t count = c->app->document_count;
    c->documents = arvo_arena_calloc(arena, count + 1, sizeof(*c->documents));
    c->lost = arvo_arena_calloc(arena, 2 * count + 1, sizeof(*c->lost));
    if (!arvo__app_make_room(c->app) || c->documents == NULL || c->lost == NULL ||
        !stripping_find(c))
        return arvo__nomem(err);
    const arvo_status st = check_documents(c, err);
    return st == ARVO_OK ? check_together(c, err) : st;
}

arvo_status
arvo_app_check(
    const char *const *paths, size_t path_count, const arvo_app_opts *opts, arvo_check *check,
    arvo_app **out, arvo_error *err)
{
    ARVO_ASSERT((paths != NULL || path_count == 0) && check != NULL);
    app_check c = { .check = check, .opts = opts };
    arvo_status st = arvo__app_read(paths, path_count, opts, &c.app, err);
    if (st != ARVO_OK)
        return st;
    st = check_all(&c, err);
    arvo__app_forget_remotes(c.app);
    arvo__check_sort(check);
    check->knows_stripping = false; /* what it knows is of this app, and in its memory */
    check->stripping_count = 0;
    if (out != NULL)
        *out = st == ARVO_OK && arvo_check_errors(check) == 0 ? c.app : NULL;
    if (out == NULL || *out == NULL)
        arvo_app_free(c.app);
    return st;
}
