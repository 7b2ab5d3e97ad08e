/* The JSON Schema Test Suite, for the keywords that are supported.
 *
 * Read from $ARVO_SHARED/json-schema-test-suite; skipped when it is not there.
 * Prints how many cases passed, and every group that was not run with the
 * reason the compiler gave. A group that cannot be compiled for any other
 * reason than an unsupported keyword fails. */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arvo/contract.h>

#include "base/internal.h"

#define EXIT_SKIPPED 77

typedef struct suite_count {
    size_t passed;
    size_t failed;
    size_t not_run; /* cases of groups that were not run */
    size_t groups_not_run;
} suite_count;

/* The folder says the draft; a schema of the suite need not. */
static const arvo_json *
with_dialect(arvo_arena *arena, const arvo_json *schema, const char *dialect)
{
    if (arvo_json_type_of(schema) != ARVO_JSON_OBJECT || arvo_json_get(schema, "$schema") != NULL)
        return schema;
    arvo_json *const out = arvo_json_clone(arena, schema);
    arvo_json_set(arena, out, ARVO_STR("$schema"), arvo_json_string(arena, arvo_str_from(dialect)));
    return out;
}

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
    const arvo_json *group, const char *file, const char *dialect, arvo_arena *arena,
    suite_count *count)
{
    char where[512];
    const arvo_str name = arvo_json_str(arvo_json_get(group, "description"));
    (void)snprintf(where, sizeof(where), "%s: %.*s", file, ARVO_FMT(name));
    const arvo_json *const tests = arvo_json_get(group, "tests");
    const arvo_json *const json = with_dialect(arena, arvo_json_get(group, "schema"), dialect);
    arvo_schema *schema = NULL;
    arvo_error err = { 0 };
    const arvo_status st = arvo_schema_compile(json, NULL, &schema, &err);
    if (st == ARVO_E_UNSUPPORTED) {
        count->groups_not_run++;
        count->not_run += arvo_json_count(tests);
        printf("not run: %s: %s\n", where, err.text);
        return;
    }
    if (st != ARVO_OK) {
        count->failed += arvo_json_count(tests);
        printf("FAILED %s: %s\n", where, err.text);
        return;
    }
    for (size_t i = 0; i < arvo_json_count(tests); i++)
        case_run(schema, arvo_json_at(tests, i), where, arena, count);
    arvo_schema_free(schema);
}

static bool
file_run(const char *path, const char *file, const char *dialect, suite_count *count)
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
        group_run(arvo_json_at(groups, i), file, dialect, arena, count);
    arvo_arena_free(arena);
    return true;
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* false: the folder is not there, or one of its files cannot be read. */
static bool
draft_run(const char *shared, const char *draft, const char *dialect, bool *found)
{
    char folder[1024];
    (void)snprintf(folder, sizeof(folder), "%s/json-schema-test-suite/tests/%s", shared, draft);
    struct dirent **entries = NULL;
    const int entry_count = scandir(folder, &entries, NULL, by_name);
    if (entry_count < 0)
        return true;
    suite_count count = { 0 };
    bool ok = true;
    for (int i = 0; i < entry_count; i++) {
        char path[2048];
        const char *const name = entries[i]->d_name;
        (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
        if (strlen(name) > 5 && strcmp(name + strlen(name) - 5, ".json") == 0)
            ok = file_run(path, name, dialect, &count) && ok;
        free(entries[i]);
    }
    free(entries);
    *found = count.passed > 0;
    printf(
        "%s: %zu passed, %zu failed; %zu cases in %zu groups not run (unsupported keywords)\n",
        draft, count.passed, count.failed, count.not_run, count.groups_not_run);
    return ok && count.failed == 0;
}

int
main(void)
{
    const char *const shared = getenv("ARVO_SHARED");
    bool found_7 = false;
    bool found_2020 = false;
    if (shared == NULL) {
        printf("skipped: ARVO_SHARED is not set\n");
        return EXIT_SKIPPED;
    }
    const bool ok_7 =
        draft_run(shared, "draft7", "http://json-schema.org/draft-07/schema#", &found_7);
    const bool ok_2020 = draft_run(
        shared, "draft2020-12", "https://json-schema.org/draft/2020-12/schema", &found_2020);
    if (ok_7 && ok_2020 && !found_7 && !found_2020) {
        printf("skipped: there is no json-schema-test-suite in %s\n", shared);
        return EXIT_SKIPPED;
    }
    return ok_7 && ok_2020 && found_7 && found_2020 ? 0 : 1;
}
