/* What the command reads: files, standard input, values on the command line, apps. */

#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static arvo_arena *arena;
static arvo_schema_remotes *remotes;

arvo_arena *
cli_arena(void)
{
    if (arena == NULL)
        arena = arvo_arena_new(NULL);
    if (arena == NULL) {
        fputs("arvo: out of memory\n", stderr);
        exit(CLI_TRANSACTION);
    }
    return arena;
}

void
cli_arena_free(void)
{
    arvo_schema_remotes_free(remotes);
    arvo_arena_free(arena);
    remotes = NULL;
    arena = NULL;
}

void
cli_check_memory(void)
{
    if (arvo_arena_failed(cli_arena())) {
        fputs("arvo: out of memory\n", stderr);
        exit(CLI_TRANSACTION);
    }
}

arvo_schema_remotes *
cli_remotes(void)
{
    return remotes;
}

bool
cli_remotes_map(const char *given, arvo_error *err)
{
    const char *const equals = strchr(given, '=');
    if (equals == NULL) {
        (void)arvo_error_set(err, ARVO_E_INVALID, ARVO_NO_OFFSET, "must be DIR=URL");
        return false;
    }
    if (remotes == NULL)
        remotes = arvo_schema_remotes_new(NULL);
    if (remotes == NULL) {
        fputs("arvo: out of memory\n", stderr);
        exit(CLI_TRANSACTION);
    }
    const arvo_str folder = { given, (size_t)(equals - given) };
    return arvo_schema_remotes_map(remotes, folder, arvo_str_from(equals + 1), err) == ARVO_OK;
}

/* A descriptor to its end, as far as a document may be long. */
static bool
descriptor_read(int descriptor, const char *name, arvo_buf *out)
{
    for (;;) {
        char *room = arvo_buf_reserve(out, (size_t)64 * 1024);
        if (room == NULL || out->len > ARVO_DOCUMENT_BYTES_MAX) {
            cli_error(
                "%s: larger than %zu bytes, the limit of a document", name,
                ARVO_DOCUMENT_BYTES_MAX);
            return false;
        }
        const ssize_t got = read(descriptor, room, (size_t)64 * 1024);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            cli_error("%s: %s", name, strerror(errno));
            return false;
        }
        if (got == 0)
            return true;
        out->len += (size_t)got;
    }
}

bool
cli_text_load(const char *path, arvo_str *out)
{
    const bool is_stdin = strcmp(path, "-") == 0;
    const int descriptor = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        cli_error("%s: %s", path, strerror(errno));
        return false;
    }
    /* Room for one read more than the limit, so that what is too long is seen to be. */
    arvo_buf text = ARVO_BUF_INIT(ARVO_DOCUMENT_BYTES_MAX + (size_t)128 * 1024);
    const bool done = descriptor_read(descriptor, is_stdin ? "standard input" : path, &text);
    if (done) {
        *out = arvo_arena_str_dup(cli_arena(), arvo_buf_str(&text));
        cli_check_memory();
    }
    arvo_buf_fini(&text);
    if (!is_stdin)
        (void)close(descriptor);
    return done;
}

bool
cli_file_write(const char *path, arvo_str text)
{
    if (strcmp(path, "-") == 0) {
        (void)fwrite(text.ptr, 1, text.len, stdout);
        (void)cli_flush();
        return true; /* main() says what went wrong, and whether it matters */
    }
    FILE *file = fopen(path, "wbe");
    const bool is_written = file != NULL && fwrite(text.ptr, 1, text.len, file) == text.len;
    int failure = errno;
    if (file != NULL && fclose(file) != 0 && is_written)
        failure = errno;
    else if (is_written)
        return true;
    cli_error("%s: cannot be written: %s", path, strerror(failure));
    return false;
}

int
cli_json_write(const arvo_json *value, const char *path)
{
    arvo_buf text = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    int exit_code = CLI_DONE;
    cli_check_memory();
    arvo_json_write_pretty(value, 2, &text);
    arvo_buf_append_char(&text, '\n');
    if (text.status != ARVO_OK) {
        cli_error("output: %s", arvo_status_text(text.status));
        exit_code = CLI_TRANSACTION;
    } else if (!cli_file_write(path != NULL ? path : "-", arvo_buf_str(&text))) {
        exit_code = CLI_USAGE;
    }
    arvo_buf_fini(&text);
    return exit_code;
}

bool
cli_documents_load(const char *path, arvo_document_list *out)
{
    arvo_error err = { 0 };
    if (arvo_document_load(path, cli_arena(), out, &err) == ARVO_OK)
        return true;
    (void)cli_fail(&err);
    return false;
}

bool
cli_document_load(const char *path, arvo_document *out)
{
    arvo_document_list list = { 0 };
    if (!cli_documents_load(path, &list))
        return false;
    if (list.count != 1) {
        cli_error("%s: holds %zu documents; give a file with one", path, list.count);
        return false;
    }
    *out = list.items[0];
    return true;
}

bool
cli_event_load(const char *path, arvo_event *out)
{
    arvo_document document;
    arvo_error err = { 0 };
    if (!cli_document_load(path, &document))
        return false;
    if (arvo_event_from_json(document.root, cli_arena(), out, &err) == ARVO_OK)
        return true;
    cli_error("%s: not an event: %s", path, err.text);
    return false;
}

bool
cli_value_load(const char *option, const char *given, const arvo_json **out)
{
    if (given[0] == '@' || strcmp(given, "-") == 0) {
        arvo_document document;
        if (!cli_document_load(given[0] == '@' ? given + 1 : given, &document))
            return false;
        *out = document.root;
        return true;
    }
    arvo_error err = { 0 };
    if (arvo_json_parse(arvo_str_from(given), cli_arena(), out, &err) == ARVO_OK)
        return true;
    cli_error("--%s: %s; give JSON, @FILE or -", option, err.text);
    return false;
}

/* A path mistyped may well be an empty folder. */
static bool
app_is_empty(const arvo_app *app)
{
    return arvo_app_machine_count(app) == 0 && arvo_app_mock_count(app) == 0 &&
           arvo_contracts_count(arvo_app_contracts(app)) == 0;
}

static void
app_say_empty(const char *const *paths, size_t count, arvo_error *err)
{
    (void)arvo_error_set(
        err, ARVO_E_IO, ARVO_NO_OFFSET, "%s%s: no documents there; name .yaml, .yml or .json files",
        paths[0], count > 1 ? ", ..." : "");
}

bool
cli_app_findings(cli_args *args, arvo_check *check, arvo_app **out, int *exit_code)
{
    const arvo_app_opts opts = { .remotes = cli_remotes() };
    arvo_error err = { 0 };
    const arvo_status st =
        arvo_app_check(args->operands, args->operand_count, &opts, check, out, &err);
    if (st == ARVO_OK && (*out == NULL || !app_is_empty(*out)))
        return true;
    if (st == ARVO_OK)
        app_say_empty(args->operands, args->operand_count, &err);
    *exit_code = st == ARVO_E_NOMEM ? CLI_TRANSACTION : CLI_USAGE;
    (void)cli_fail(&err);
    return false;
}

arvo_app *
cli_app_try(const char *const *paths, size_t count, arvo_error *err)
{
    const arvo_app_opts opts = { .remotes = cli_remotes() };
    arvo_app *app = NULL;
    if (arvo_app_load(paths, count, &opts, &app, err) != ARVO_OK)
        return NULL;
    if (!app_is_empty(app))
        return app;
    app_say_empty(paths, count, err);
    arvo_app_free(app);
    return NULL;
}

arvo_app *
cli_app_load(const char *const *paths, size_t count)
{
    arvo_error err = { 0 };
    arvo_app *app = cli_app_try(paths, count, &err);
    if (app == NULL)
        (void)cli_fail(&err);
    return app;
}

bool
cli_document_is(const arvo_document *document, const char *kind)
{
    return arvo_str_is(arvo_json_str(arvo_json_get(document->root, "kind")), kind);
}

arvo_contracts *
cli_contracts_load(const cli_list *apps, const arvo_document_list *documents)
{
    arvo_error err = { 0 };
    arvo_contracts *contracts = NULL;
    if (apps->count > 0) {
        arvo_app *app = cli_app_load(apps->items, apps->count);
        if (app == NULL)
            return NULL;
        contracts = arvo_contracts_ref(arvo_app_contracts(app));
        arvo_app_free(app);
    } else {
        contracts = arvo_contracts_new(NULL);
    }
    if (contracts != NULL && cli_remotes() != NULL)
        arvo_contracts_find_from(contracts, arvo_schema_remotes_find, cli_remotes());
    for (size_t i = 0; i < documents->count && contracts != NULL; i++) {
        if (cli_document_is(&documents->items[i], "machine") ||
            cli_document_is(&documents->items[i], "mock"))
            continue;
        const arvo_status st = arvo_contracts_add(contracts, &documents->items[i], NULL, &err);
        if (st == ARVO_OK || (st == ARVO_E_EXISTS && apps->count > 0))
            continue;
        (void)cli_fail(&err);
        arvo_contracts_unref(contracts);
        return NULL;
    }
    return contracts;
}
