/* Opening stores and finding instances in them. */

#include "cli.h"

#include <errno.h>
#include <sys/stat.h>

/* Readers of a file neither make it nor change it. */
const char *
cli_store_read_only(const char *url)
{
    if (strncmp(url, "sqlite:", 7) != 0 || strstr(url, "mode=") != NULL)
        return url;
    return cli_printf("%s%smode=ro", url, strchr(url, '?') != NULL ? "&" : "?");
}

const char *
cli_store_path(const char *url)
{
    if (strncmp(url, "sqlite:", 7) != 0)
        return NULL;
    const char *end = strchr(url, '?');
    const char *path =
        cli_cstr((arvo_str){ url + 7, end != NULL ? (size_t)(end - url - 7) : strlen(url + 7) });
    return *path != '\0' ? path : NULL;
}

/* A file with nothing in it is no store either. False: said so. */
bool
cli_store_is_there(const char *url)
{
    const char *path = cli_store_path(url);
    struct stat info = { 0 };
    if (path == NULL)
        return true;
    const bool is_there = stat(path, &info) == 0 || errno != ENOENT;
    if (!is_there || (S_ISREG(info.st_mode) && info.st_size == 0)) {
        cli_error(
            "%s: %s; check the path: arvo run APP --store %s makes a store there", path,
            is_there ? "the file is empty" : "there is no such file", url);
        return false;
    }
    return true;
}

const char *
cli_url(const char *url)
{
    arvo_buf shown = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_memory_url_show(arvo_str_from(url), &shown);
    const char *text = shown.status == ARVO_OK ? cli_cstr(arvo_buf_str(&shown)) : "(store)";
    arvo_buf_fini(&shown);
    return text;
}

arvo_memory *
cli_store_open(const char *url, bool read_only, int *exit_code)
{
    arvo_memory *memory = NULL;
    arvo_error err = { 0 };
    if (read_only && !cli_store_is_there(url)) {
        *exit_code = CLI_TRANSACTION;
        return NULL;
    }
    if (read_only)
        url = cli_store_read_only(url);
    if (arvo_memory_open_with(url, cli_platform(), &memory, &err) == ARVO_OK)
        return memory;
    *exit_code = cli_fail(&err);
    return NULL;
}

bool
cli_record_read(
    arvo_memory *memory, arvo_str subject, arvo_record *out, bool *out_found, int *exit_code)
{
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    arvo_error err = { 0 };
    if (ops->read(arvo_memory_self(memory), subject, cli_arena(), out_found, out, &err) == ARVO_OK)
        return true;
    *exit_code = cli_fail(&err);
    return false;
}

/* ---- Finding an instance by its execution id ---- */

struct search {
    arvo_str id;
    arvo_str found; /* arena */
    arvo_str last;  /* subject of the last row, to go on behind */
    size_t matches;
    size_t rows;
    arvo_arena *scratch;
    char last_bytes[ARVO_SUBJECT_TEXT_BYTES_MAX];
};

static bool
search_row(void *user, const arvo_record *record)
{
    struct search *search = user;
    arvo_subject subject;
    search->rows++;
    if (record->subject.len <= sizeof(search->last_bytes)) {
        memcpy(search->last_bytes, record->subject.ptr, record->subject.len);
        search->last = (arvo_str){ search->last_bytes, record->subject.len };
    }
    arvo_arena_reset(search->scratch);
    if (arvo_subject_decode(NULL, record->subject, search->scratch, &subject, NULL) != ARVO_OK)
        return true;
    if (!arvo_str_starts(subject.execution_id, search->id))
        return true;
    search->found = arvo_str_from(cli_cstr(record->subject));
    search->matches++;
    if (subject.execution_id.len != search->id.len)
        return true;
    search->matches = 1; /* the whole id: no other can be meant */
    return false;
}

static arvo_status
search_all(arvo_memory *memory, struct search *search, arvo_error *err)
{
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    arvo_record_query query = { .limit = 1000 };
    for (;;) {
        search->rows = 0;
        const size_t matches = search->matches;
        const arvo_status st = ops->list(arvo_memory_self(memory), &query, search_row, search, err);
        if (st != ARVO_OK || search->rows < query.limit || (matches != 1 && search->matches == 1))
            return st;
        query.after = search->last;
    }
}

bool
cli_subject_find(arvo_memory *memory, const char *given, arvo_str *out, int *exit_code)
{
    arvo_subject subject;
    if (arvo_subject_decode(NULL, arvo_str_from(given), cli_arena(), &subject, NULL) == ARVO_OK) {
        *out = arvo_str_from(given);
        return true;
    }
    *exit_code = CLI_NO;
    if (arvo_memory_ops_of(memory)->list == NULL || given[0] == '\0') {
        cli_error("%s: not a subject; arvo ps --json prints the subjects of a store", given);
        *exit_code = CLI_USAGE;
        return false;
    }
    arvo_error err = { 0 };
    struct search search = { .id = arvo_str_from(given), .scratch = arvo_arena_new(NULL) };
    if (search.scratch == NULL) {
        cli_error("out of memory");
        *exit_code = CLI_TRANSACTION;
        return false;
    }
    const arvo_status st = search_all(memory, &search, &err);
    arvo_arena_free(search.scratch);
    if (st != ARVO_OK)
        *exit_code = cli_fail(&err);
    else if (search.matches == 0)
        cli_error("%s: no instance in the store has this subject or execution id", given);
    else if (search.matches > 1)
        cli_error(
            "%s: %zu instances have execution ids that begin so; give more of it", given,
            search.matches);
    else
        *out = search.found;
    return st == ARVO_OK && search.matches == 1;
}
