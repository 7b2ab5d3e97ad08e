/* One machine out of files, to look at: for the verbs that draw it or walk through it. */

#include "cli.h"

#include <sys/stat.h>

#define NAMES_DEPTH_MAX 256u /* a document's own depth is bounded by the same number */

/* ---- Functions that a C program would supply ---- */

static bool
guard_stand_in(const arvo_scope *scope)
{
    return scope != NULL;
}

static void
action_stand_in(const arvo_scope *scope)
{
    (void)scope;
}

/* Every string where a name may stand: too many do no harm, the document's own names come first. */
static void
names_collect(const arvo_json *value, bool is_place, cli_list *names, unsigned depth)
{
    static const char *const places[] = { "guard", "guards", "actions", "entry", "exit", "type" };
    if (is_place && arvo_json_str(value).len > 0)
        cli_list_append(names, cli_cstr(arvo_json_str(value)));
    for (size_t i = 0; i < arvo_json_count(value) && depth < NAMES_DEPTH_MAX; i++) {
        const arvo_str key = arvo_json_key_at(value, i);
        bool is_next = key.ptr == NULL && is_place;
        for (size_t k = 0; k < ARVO_COUNT_OF(places); k++)
            is_next = is_next || arvo_str_is(key, places[k]);
        names_collect(arvo_json_at(value, i), is_next, names, depth + 1);
    }
}

static void
stand_ins(const arvo_json *root, arvo_machine_setup *setup)
{
    cli_list names = { 0 };
    names_collect(root, false, &names, 0);
    arvo_guard_def *guards = arvo_arena_calloc(cli_arena(), names.count + 1, sizeof(*guards));
    arvo_action_def *actions = arvo_arena_calloc(cli_arena(), names.count + 1, sizeof(*actions));
    cli_check_memory();
    for (size_t i = 0; i < names.count; i++) {
        guards[i] = (arvo_guard_def){ .name = names.items[i], .guard = guard_stand_in };
        actions[i] = (arvo_action_def){ .name = names.items[i], .action = action_stand_in };
    }
    setup->guards = guards;
    setup->actions = actions;
}

/* ---- Which machine ---- */

static bool
is_wanted(const cli_machine_opts *opts, arvo_str id, arvo_str version, arvo_str source)
{
    if (opts->wanted != NULL) {
        const char *at = strchr(opts->wanted, '@');
        const size_t len = at != NULL ? (size_t)(at - opts->wanted) : strlen(opts->wanted);
        return arvo_str_equal(id, (arvo_str){ opts->wanted, len }) &&
               (at == NULL || arvo_str_is(version, at + 1));
    }
    /* Without contracts nobody knows which events start it. */
    return opts->source.ptr == NULL || source.ptr == NULL ||
           (arvo_str_equal(source, opts->source) && arvo_str_equal(version, opts->version));
}

/* One line about what there is instead of exactly one. */
static void
choice_fail(const cli_machine_opts *opts, size_t count, const char *all)
{
    const char *what = opts->wanted != NULL ? cli_printf("no machine %s", opts->wanted)
                       : opts->source.ptr != NULL
                           ? cli_printf(
                                 "no machine for %s in version %s", cli_cstr(opts->source),
                                 cli_cstr(opts->version))
                           : "no machine (kind: machine)";
    if (count > 1)
        cli_error(
            "%s: several machines: %s; choose one with --machine ID@VERSION", opts->path, all);
    else if (*all != '\0')
        cli_error("%s: %s there, only: %s", opts->path, what, all);
    else
        cli_error("%s: %s there", opts->path, what);
}

static const char *
list_add(const char *all, arvo_str id, arvo_str version)
{
    return cli_printf(
        "%s%s%s%s%s", all, *all != '\0' ? ", " : "", cli_cstr(id), version.ptr != NULL ? "@" : "",
        cli_cstr(version));
}

/* ---- From an app ---- */

static arvo_machine *
load_from_folder(const cli_machine_opts *opts)
{
    cli_list paths = { 0 };
    cli_list_append(&paths, opts->path);
    for (size_t i = 0; i < opts->apps.count; i++)
        cli_list_append(&paths, opts->apps.items[i]);
    arvo_app *app = cli_app_load(paths.items, paths.count);
    if (app == NULL)
        return NULL;
    const char *all = "";
    const char *wanted = "";
    arvo_machine *found = NULL;
    size_t count = 0;
    for (size_t i = 0; i < arvo_app_machine_count(app); i++) {
        arvo_machine *machine = arvo_app_machine_at(app, i);
        const arvo_str id = arvo_machine_id(machine);
        const arvo_str version = arvo_machine_version(machine);
        all = list_add(all, id, version);
        if (!is_wanted(opts, id, version, arvo_machine_source(machine)))
            continue;
        wanted = list_add(wanted, id, version);
        found = machine;
        count++;
    }
    if (count != 1)
        choice_fail(opts, count, count > 1 ? wanted : all);
    found = count == 1 ? arvo_machine_ref(found) : NULL;
    arvo_app_free(app);
    return found;
}

/* ---- From a file ---- */

static const arvo_document *
document_choose(const cli_machine_opts *opts, const arvo_document_list *documents)
{
    const char *all = "";
    const char *wanted = "";
    const arvo_document *found = NULL;
    size_t count = 0;
    for (size_t i = 0; i < documents->count; i++) {
        const arvo_json *root = documents->items[i].root;
        const arvo_str id = arvo_json_str(arvo_json_get(root, "id"));
        const arvo_str version = arvo_json_str(arvo_json_get(root, "version"));
        if (!cli_document_is(&documents->items[i], "machine"))
            continue;
        all = list_add(all, id, version);
        if (!is_wanted(opts, id, version, ARVO_STR_NONE))
            continue;
        wanted = list_add(wanted, id, version);
        found = &documents->items[i];
        count++;
    }
    if (count == 1)
        return found;
    choice_fail(opts, count, count > 1 ? wanted : all);
    return NULL;
}

bool
cli_machine_document(const cli_machine_opts *opts, arvo_document *out)
{
    arvo_document_list documents = { 0 };
    if (!cli_documents_load(opts->path, &documents))
        return false;
    const arvo_document *found = document_choose(opts, &documents);
    if (found != NULL)
        *out = *found;
    return found != NULL;
}

/* The document without `contracts`; places in it stay what they were. */
static arvo_document
without_contracts(const arvo_document *document)
{
    arvo_document copy = *document;
    arvo_json *root = arvo_json_object_new(cli_arena());
    for (size_t i = 0; i < arvo_json_count(document->root); i++)
        if (!arvo_str_is(arvo_json_key_at(document->root, i), "contracts"))
            arvo_json_set(
                cli_arena(), root, arvo_json_key_at(document->root, i),
                arvo_json_at(document->root, i));
    cli_check_memory();
    copy.root = root;
    return copy;
}

arvo_status
cli_machine_compile(const arvo_document *document, arvo_machine **out, arvo_error *err)
{
    const arvo_document alone = without_contracts(document);
    arvo_machine_setup setup = { 0 };
    stand_ins(document->root, &setup);
    return arvo_machine_create(&setup, &alone, out, err);
}

static arvo_machine *
load_from_file(const cli_machine_opts *opts)
{
    arvo_document_list documents = { 0 };
    if (!cli_documents_load(opts->path, &documents))
        return NULL;
    const arvo_document *document = document_choose(opts, &documents);
    arvo_contracts *contracts =
        document != NULL ? cli_contracts_load(&opts->apps, &documents) : NULL;
    if (contracts == NULL)
        return NULL;
    arvo_machine *machine = NULL;
    arvo_error err = { 0 };
    arvo_machine_setup setup = { .contracts = contracts };
    stand_ins(document->root, &setup);
    arvo_status st = arvo_machine_create(&setup, document, &machine, &err);
    if (st == ARVO_E_NOT_FOUND && opts->apps.count == 0)
        st = cli_machine_compile(document, &machine, &err);
    if (st != ARVO_OK)
        (void)cli_fail(&err);
    arvo_contracts_unref(contracts);
    return machine;
}

arvo_machine *
cli_machine_load(const cli_machine_opts *opts)
{
    struct stat info;
    if (stat(opts->path, &info) == 0 && S_ISDIR(info.st_mode))
        return load_from_folder(opts);
    return load_from_file(opts);
}

const arvo_machine *
cli_app_machine(const arvo_app *app, arvo_str source, arvo_str version)
{
    for (size_t i = 0; i < arvo_app_machine_count(app); i++) {
        const arvo_machine *machine = arvo_app_machine_at(app, i);
        if (arvo_str_equal(arvo_machine_source(machine), source) &&
            arvo_str_equal(arvo_machine_version(machine), version))
            return machine;
    }
    return NULL;
}
