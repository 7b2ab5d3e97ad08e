/* The JSON Schema Test Suite: every required case of both drafts, with its remote documents mapped;
 * and those of its optional ones that are there.
 *
 * Read from $ARVO_SHARED/json-schema-test-suite; skipped when it is not there.
 * Prints how many cases passed. */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arvo/contract.h>

#include "base/internal.h"

#define EXIT_SKIPPED 77
#define REMOTES_URL  "http://localhost:1234"

typedef struct suite_count {
    size_t passed;
    size_t failed;
} suite_count;

/* What a folder of the suite is compiled with. */
typedef struct suite_draft {
    const char *folder;
    arvo_schema_draft draft;
    bool required; /* else it may be missing: optional cases */
    bool formats;
} suite_draft;

static const suite_draft drafts[] = {
    { "draft7", ARVO_SCHEMA_DRAFT_7, true, false },
    { "draft2020-12", ARVO_SCHEMA_2020_12, true, false },
    { "draft7/optional/format", ARVO_SCHEMA_DRAFT_7, false, true },
    { "draft2020-12/optional/format", ARVO_SCHEMA_2020_12, false, true },
    { "draft7/optional", ARVO_SCHEMA_DRAFT_7, false, false },
    { "draft2020-12/optional", ARVO_SCHEMA_2020_12, false, false },
};

/* Of the other optional files some ask for what is not promised. */
static const char *const optional_files[] = { "bignum.json", "ecmascript-regex.json",
                                              "float-overflow.json", "non-bmp-regex.json" };

static void
case_run(
    const arvo_schema *schema, const arvo_json *test, const char *where, arvo_arena *arena,
    suite_count *count)
{
    const arvo_arena_mark mark = arvo_arena_mark_get(arena);
    const arvo_json *const data = arvo_json_get(test, "data");
    const bool expected = arvo_json_bool_or(arvo_json_get(test, "valid"), false);
    const arvo_str name = arvo_json_str(arvo_json_get(test, "description"));
    arvo_error err = { 0 };
    arvo_schema_report report = { 0 };
    const arvo_status st = arvo_schema_check(schema, data, arena, &report, &err);
    const bool consistent = (st == ARVO_OK) == (report.count == 0);
    if ((st == ARVO_OK || st == ARVO_E_INVALID) && (st == ARVO_OK) == expected && consistent) {
        count->passed++;
    } else {
        count->failed++;
        printf(
            "FAILED %s: %.*s: expected %s, got %s %s\n", where, ARVO_FMT(name),
            expected ? "valid" : "invalid", arvo_status_name(st), err.text);
    }
    arvo_arena_rewind(arena, mark);
}

static void
group_run(
    const arvo_json *group, const char *file, const arvo_schema_opts *opts, arvo_arena *arena,
    suite_count *count)
{
    char where[512];
    const arvo_str name = arvo_json_str(arvo_json_get(group, "description"));
    (void)snprintf(where, sizeof(where), "%s: %.*s", file, ARVO_FMT(name));
    const arvo_json *const tests = arvo_json_get(group, "tests");
    arvo_schema *schema = NULL;
    arvo_error err = { 0 };
    if (arvo_schema_compile(arvo_json_get(group, "schema"), opts, &schema, &err) != ARVO_OK) {
        count->failed += arvo_json_count(tests);
        printf("FAILED %s: %s\n", where, err.text);
        return;
    }
    for (size_t i = 0; i < arvo_json_count(tests); i++)
        case_run(schema, arvo_json_at(tests, i), where, arena, count);
    arvo_schema_free(schema);
}

static bool
file_run(const char *path, const char *file, const arvo_schema_opts *opts, suite_count *count)
{
    arvo_arena *const arena = arvo_arena_new(NULL);
    arvo_document_list documents = { 0 };
    arvo_error err = { 0 };
    if (arena == NULL || arvo_document_load(path, arena, &documents, &err) != ARVO_OK) {
        printf("FAILED %s\n", err.text);
        arvo_arena_free(arena);
        return false;
    }
    const arvo_json *const groups = documents.items[0].root;
    for (size_t i = 0; i < arvo_json_count(groups); i++)
        group_run(arvo_json_at(groups, i), file, opts, arena, count);
    arvo_arena_free(arena);
    return true;
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool
file_is_wanted(const suite_draft *draft, const char *name)
{
    if (strlen(name) < 6 || strcmp(name + strlen(name) - 5, ".json") != 0)
        return false;
    for (size_t i = 0; i < ARVO_COUNT_OF(optional_files); i++)
        if (strcmp(name, optional_files[i]) == 0)
            return true;
    return draft->required || draft->formats;
}

/* false: a case failed, or a file cannot be read. */
static bool
draft_run(
    const char *shared, const suite_draft *draft, arvo_schema_remotes *remotes, size_t *passed)
{
    char folder[1024];
    (void)snprintf(
        folder, sizeof(folder), "%s/json-schema-test-suite/tests/%s", shared, draft->folder);
    struct dirent **entries = NULL;
    const int entry_count = scandir(folder, &entries, NULL, by_name);
    const arvo_schema_opts opts = { .draft = draft->draft,
                                    .formats = draft->formats,
                                    .find = arvo_schema_remotes_find,
                                    .find_self = remotes };
    suite_count count = { 0 };
    bool ok = entry_count >= 0 || !draft->required;
    for (int i = 0; i < entry_count; i++) {
        char path[2048];
        const char *const name = entries[i]->d_name;
        (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
        if (file_is_wanted(draft, name))
            ok = file_run(path, name, &opts, &count) && ok;
        free(entries[i]);
    }
    free(entries);
    if (count.passed + count.failed > 0)
        printf("%s: %zu passed, %zu failed\n", draft->folder, count.passed, count.failed);
    else
        printf("%s: not there\n", draft->folder);
    *passed += count.passed;
    return ok && count.failed == 0;
}

int
main(void)
{
    const char *const shared = getenv("ARVO_SHARED");
    char folder[1024];
    if (shared == NULL) {
        printf("skipped: ARVO_SHARED is not set\n");
        return EXIT_SKIPPED;
    }
    (void)snprintf(folder, sizeof(folder), "%s/json-schema-test-suite/remotes", shared);
    arvo_schema_remotes *const remotes = arvo_schema_remotes_new(NULL);
    arvo_error err = { 0 };
    const arvo_status st =
        remotes != NULL
            ? arvo_schema_remotes_map(remotes, arvo_str_from(folder), ARVO_STR(REMOTES_URL), &err)
            : ARVO_E_NOMEM;
    if (st != ARVO_OK) {
        printf("skipped: no json-schema-test-suite: %s\n", err.text);
        arvo_schema_remotes_free(remotes);
        return st == ARVO_E_IO ? EXIT_SKIPPED : 1;
    }
    bool ok = true;
    size_t passed = 0;
    for (size_t i = 0; i < ARVO_COUNT_OF(drafts); i++)
        ok = draft_run(shared, &drafts[i], remotes, &passed) && ok;
    printf("%zu cases passed in all\n", passed);
    arvo_schema_remotes_free(remotes);
    return ok && passed > 0 ? 0 : 1;
}
