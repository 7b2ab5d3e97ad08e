/* A report in the standard's output formats (2020-12 core, section 12).
 *
 * `detailed` is a tree: issues that came through the same keyword stand below
 * it, and a step that only one of them took is left out. Where issues lie is
 * all that is known of the tree, so it is made from their common beginnings. */

#include "contract/schema.h"

/* The deepest common place of two pointers: whole tokens only. */
static size_t
common_len(arvo_str a, arvo_str b)
{
    size_t slash = 0;
    size_t i = 0;
    for (; i < a.len && i < b.len && a.ptr[i] == b.ptr[i]; i++)
        if (a.ptr[i] == '/')
            slash = i;
    const bool whole = (i == a.len || a.ptr[i] == '/') && (i == b.len || b.ptr[i] == '/');
    return whole ? i : slash;
}

/* A key that is missing is a fault of the object that should have it. */
static arvo_str
instance_of(const arvo_schema_issue *issue)
{
    arvo_str at = issue->path;
    if (!arvo_str_is(issue->keyword, "required"))
        return at;
    while (at.len > 0 && at.ptr[at.len - 1] != '/')
        at.len--;
    at.len -= at.len > 0;
    return at;
}

static void
set(arvo_arena *arena, arvo_json *object, const char *key, arvo_str text)
{
    arvo_json_set_ref(arena, object, arvo_str_from(key), arvo_json_string(arena, text));
}

/* `issue` at `location` or at one of its steps towards it. */
static arvo_json *
unit_new(arvo_arena *arena, const arvo_schema_issue *issue, arvo_str location, arvo_str instance)
{
    arvo_json *const unit = arvo_json_object_new(arena);
    const size_t behind = issue->location.len - location.len;
    const arvo_str rest = { issue->location.ptr + location.len, behind };
    arvo_json_set_ref(arena, unit, ARVO_STR("valid"), arvo_json_bool(false));
    set(arena, unit, "keywordLocation", location);
    /* As long as no reference lies between, the absolute place has the same steps. */
    arvo_str absolute = issue->absolute;
    if (absolute.len >= behind &&
        arvo_str_equal((arvo_str){ absolute.ptr + absolute.len - behind, behind }, rest)) {
        absolute.len -= behind;
        set(arena, unit, "absoluteKeywordLocation", absolute);
    }
    set(arena, unit, "instanceLocation", instance);
    return unit;
}

static arvo_json *
leaf_new(arvo_arena *arena, const arvo_schema_issue *issue)
{
    arvo_json *const unit = unit_new(arena, issue, issue->location, instance_of(issue));
    set(arena, unit, "error", issue->message);
    return unit;
}

/* The unit of a set of issues, one or more. Sets get smaller, so the recursion is bounded by
 * ARVO_SCHEMA_ISSUES_MAX. */
static arvo_json *
branch_new(arvo_arena *arena, const arvo_schema_issue *const *issues, size_t count)
{
    if (count == 1)
        return leaf_new(arena, issues[0]);
    arvo_str location = issues[0]->location;
    arvo_str instance = instance_of(issues[0]);
    for (size_t i = 1; i < count; i++) {
        location.len = common_len(location, issues[i]->location);
        instance.len = common_len(instance, instance_of(issues[i]));
    }
    arvo_json *const unit = unit_new(arena, issues[0], location, instance);
    arvo_json *const errors = arvo_json_array_new(arena);
    bool done[ARVO_SCHEMA_ISSUES_MAX] = { false };
    for (size_t i = 0; i < count; i++) {
        const arvo_schema_issue *group[ARVO_SCHEMA_ISSUES_MAX];
        size_t group_count = 0;
        if (done[i])
            continue;
        /* Those of the same next step; an issue at the very place stands for itself. */
        for (size_t k = i; k < count; k++) {
            const bool same =
                k == i || common_len(issues[i]->location, issues[k]->location) > location.len;
            if (done[k] || !same)
                continue;
            done[k] = true;
            group[group_count++] = issues[k];
        }
        arvo_json_push(arena, errors, branch_new(arena, group, group_count));
    }
    arvo_json_set_ref(arena, unit, ARVO_STR("errors"), errors);
    return unit;
}

static arvo_json *
basic_new(arvo_arena *arena, const arvo_schema_report *report)
{
    arvo_json *const errors = arvo_json_array_new(arena);
    for (size_t i = 0; i < report->count; i++)
        arvo_json_push(arena, errors, leaf_new(arena, &report->issues[i]));
    arvo_json *const out = arvo_json_object_new(arena);
    arvo_json_set_ref(arena, out, ARVO_STR("valid"), arvo_json_bool(false));
    arvo_json_set_ref(arena, out, ARVO_STR("errors"), errors);
    return out;
}

static arvo_json *
detailed_new(arvo_arena *arena, const arvo_schema_report *report)
{
    const arvo_schema_issue *issues[ARVO_SCHEMA_ISSUES_MAX];
    for (size_t i = 0; i < report->count; i++)
        issues[i] = &report->issues[i];
    return branch_new(arena, issues, report->count);
}

const arvo_json *
arvo_schema_report_json(
    const arvo_schema_report *report, arvo_schema_output output, arvo_arena *arena)
{
    ARVO_ASSERT(report != NULL);
    ARVO_ASSERT(report->count <= ARVO_SCHEMA_ISSUES_MAX);
    ARVO_ASSERT(arena != NULL);
    arvo_json *out = NULL;
    if (report->count == 0 || output == ARVO_SCHEMA_OUTPUT_FLAG) {
        out = arvo_json_object_new(arena);
        arvo_json_set_ref(arena, out, ARVO_STR("valid"), arvo_json_bool(report->count == 0));
    } else if (output == ARVO_SCHEMA_OUTPUT_BASIC) {
        out = basic_new(arena, report);
    } else {
        out = detailed_new(arena, report);
    }
    return arvo_arena_failed(arena) ? NULL : out;
}
