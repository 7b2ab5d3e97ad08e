/* What is wrong with a value, said for people. Runs only for refused values. */

#include <stdarg.h>
#include <stdio.h>

#include "contract/schema.h"

#define SHOWN_BYTES_MAX   40u
#define SHOWN_VALUES_MAX  8u
#define MESSAGE_BYTES_MAX 400u
#define CLOSEST_WORDS_MAX 200u
#define CLOSEST_BYTES_MAX 48u
#define PATH_BYTES_MAX    200u
#define CONSTANT_WEIGHT   4u
#define ENUM_BYTES_MAX    2048u

/* ---- Text ----------------------------------------------------------------- */

static void *
arena_alloc(void *self, size_t size)
{
    return arvo__arena_alloc(self, size);
}

static void
arena_free(void *self, void *ptr, size_t size)
{
    (void)self;
    (void)ptr;
    (void)size;
}

arvo_allocator
arvo__arena_allocator(arvo_arena *arena)
{
    return (arvo_allocator){ .alloc = arena_alloc, .free = arena_free, .self = arena };
}

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edits between two words: a letter added, dropped, changed, or two neighbours swapped; letter case
 * ignored. */
static size_t
edit_distance(arvo_str a, arvo_str b)
{
    size_t rows[3][CLOSEST_BYTES_MAX + 1]; /* of i - 2, i - 1 and i, in turn */
    for (size_t k = 0; k <= b.len; k++)
        rows[0][k] = k;
    for (size_t i = 1; i <= a.len; i++) {
        const size_t *const above = rows[(i - 1) % 3];
        const size_t *const higher = rows[(i + 1) % 3];
        size_t *const row = rows[i % 3];
        row[0] = i;
        for (size_t k = 1; k <= b.len; k++) {
            const bool differ = lower(a.ptr[i - 1]) != lower(b.ptr[k - 1]);
            row[k] = least(above[k - 1] + differ, least(above[k], row[k - 1]) + 1);
            if (differ && i > 1 && k > 1 && lower(a.ptr[i - 1]) == lower(b.ptr[k - 2]) &&
                lower(a.ptr[i - 2]) == lower(b.ptr[k - 1]))
                row[k] = least(row[k], higher[k - 2] + 1);
        }
    }
    return rows[a.len % 3][b.len];
}

arvo_str
arvo__closest(arvo_str word, const arvo_str *words, size_t count)
{
    arvo_str best = ARVO_STR_NONE;
    size_t best_distance = word.len / 3 + 1; /* up to a third of the letters may be wrong */
    if (word.len > CLOSEST_BYTES_MAX)
        return best;
    for (size_t i = 0; i < count; i++) {
        if (words[i].len > CLOSEST_BYTES_MAX || words[i].len == 0)
            continue;
        const size_t distance = edit_distance(word, words[i]);
        if (distance < best_distance) {
            best = words[i];
            best_distance = distance;
        }
    }
    return best;
}

static arvo_buf
message_buf(const arvo_allocator *memory, size_t max)
{
    arvo_buf buf = ARVO_BUF_INIT(max);
    buf.allocator = memory;
    return buf;
}

const char *
arvo__schema_show(const schema_run *run, const arvo_json *value)
{
    if (run->collector == NULL || run->collector->issues == NULL)
        return "";
    switch (arvo_json_type_of(value)) {
    case ARVO_JSON_STRING: {
        const arvo_str quoted = arvo__quote(run->arena, arvo_json_str(value), SHOWN_BYTES_MAX);
        return quoted.ptr != NULL ? quoted.ptr : "a string";
    }
    case ARVO_JSON_ARRAY:
        return "an array";
    case ARVO_JSON_OBJECT:
        return "an object";
    default: {
        const arvo_allocator memory = arvo__arena_allocator(run->arena);
        arvo_buf buf = message_buf(&memory, 64);
        arvo_json_write(value, &buf);
        arvo_buf_append_char(&buf, '\0');
        return buf.status == ARVO_OK ? buf.ptr : "a value";
    }
    }
}

/* ---- Places --------------------------------------------------------------- */

static void
path_write(const schema_path *path, arvo_buf *out)
{
    char number[24];
    if (path == NULL)
        return;
    path_write(path->parent, out); /* as deep as the value, which is bounded */
    arvo_str token = { path->key, path->at };
    if (path->key == NULL) {
        const int len = snprintf(number, sizeof(number), "%zu", path->at);
        token = (arvo_str){ number, (size_t)len };
    }
    arvo_json_pointer_push(out, token);
}

static arvo_str
path_text(const schema_run *run)
{
    const arvo_allocator memory = arvo__arena_allocator(run->arena);
    arvo_buf buf = message_buf(&memory, ARVO_BUF_BYTES_MAX_DEFAULT);
    path_write(run->path, &buf);
    return buf.status == ARVO_OK ? arvo_buf_str(&buf) : ARVO_STR_NONE;
}

/* From where a reference led, or from the root, to a keyword; references before it come first. */
static void
location_write(
    schema_run *run, const schema_hop *hop, const schema_node *node, const char *keyword,
    arvo_buf *out)
{
    if (hop != NULL) /* as deep as $ref recursion, which is bounded */
        location_write(run, hop->parent, hop->from, hop->keyword, out);
    const arvo_str own =
        arvo__schema_pointer(hop != NULL ? hop->to : NULL, node, keyword, run->arena);
    arvo_buf_append_str(out, own);
}

/* The standard's keywordLocation: through each $ref. */
static arvo_str
location_text(schema_run *run, const schema_node *node, const char *keyword)
{
    const arvo_allocator memory = arvo__arena_allocator(run->arena);
    arvo_buf buf = message_buf(&memory, ARVO_BUF_BYTES_MAX_DEFAULT);
    location_write(run, run->hop, node, keyword, &buf);
    return buf.status == ARVO_OK ? arvo_buf_str(&buf) : ARVO_STR_NONE;
}

/* Its absoluteKeywordLocation; none where the resource has no URI. */
static arvo_str
absolute_text(schema_run *run, const schema_node *node, const char *keyword)
{
    const schema_resource *const resource = node->resource;
    if (resource->uri.len == 0)
        return ARVO_STR_NONE;
    const arvo_str inner = arvo__schema_pointer(resource->node, node, keyword, run->arena);
    return arvo_arena_printf(run->arena, "%.*s#%.*s", ARVO_FMT(resource->uri), ARVO_FMT(inner));
}

/* ---- Issues --------------------------------------------------------------- */

static bool
is_collecting(const schema_run *run)
{
    return run->collector != NULL && run->status == ARVO_OK;
}

static void
issue_add(schema_run *run, const schema_node *node, const char *keyword, arvo_str message)
{
    schema_collector *const collector = run->collector;
    if (collector->issues == NULL) {
        /* A wrong constant mostly means that another alternative was meant. */
        const bool tells =
            keyword != NULL && (strcmp(keyword, "const") == 0 || strcmp(keyword, "enum") == 0);
        collector->count += tells ? CONSTANT_WEIGHT : 1;
        return;
    }
    if (collector->count == ARVO_SCHEMA_ISSUES_MAX) {
        collector->more = true;
        return;
    }
    const arvo_schema_issue issue = {
        .path = path_text(run),
        .keyword = arvo_str_from(keyword != NULL ? keyword : "false"),
        .message = message,
        .schema = arvo__schema_pointer(NULL, node, keyword, run->arena),
        .location = location_text(run, node, keyword),
        .absolute = absolute_text(run, node, keyword),
    };
    if (issue.path.ptr == NULL || issue.schema.ptr == NULL || issue.message.ptr == NULL ||
        issue.location.ptr == NULL || arvo_arena_failed(run->arena)) {
        (void)arvo__schema_stop(run, ARVO_E_NOMEM);
        return;
    }
    collector->issues[collector->count++] = issue;
}

bool
arvo__schema_issue(
    schema_run *run, const schema_node *node, const char *keyword, const char *format, ...)
{
    if (!is_collecting(run))
        return false;
    arvo_str message = ARVO_STR("");
    if (run->collector->issues != NULL) {
        char text[MESSAGE_BYTES_MAX];
        va_list args;
        va_start(args, format);
        (void)vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        message = arvo_arena_str_dup(run->arena, arvo_str_from(text));
    }
    issue_add(run, node, keyword, message);
    return false;
}

/* "string, number or null" */
static const char *
types_text(uint16_t types, char *out, size_t size)
{
    static const char *const names[] = { "null",   "boolean", "integer", "number",
                                         "string", "array",   "object" };
    const bool number = (types & SCHEMA_TYPE_BIT(ARVO_JSON_DOUBLE)) != 0;
    const bool integer = !number && (types & SCHEMA_TYPE_BIT(ARVO_JSON_INT)) != 0;
    const bool shown[] = { (types & SCHEMA_TYPE_BIT(ARVO_JSON_NULL)) != 0,
                           (types & SCHEMA_TYPE_BIT(ARVO_JSON_BOOL)) != 0,
                           integer,
                           number,
                           (types & SCHEMA_TYPE_BIT(ARVO_JSON_STRING)) != 0,
                           (types & SCHEMA_TYPE_BIT(ARVO_JSON_ARRAY)) != 0,
                           (types & SCHEMA_TYPE_BIT(ARVO_JSON_OBJECT)) != 0 };
    size_t left = 0;
    for (size_t i = 0; i < ARVO_COUNT_OF(shown); i++)
        left += shown[i];
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < ARVO_COUNT_OF(shown); i++) {
        if (!shown[i])
            continue;
        left--;
        const int added = snprintf(
            out + len, size - len, "%s%s", names[i],
            left > 1    ? ", "
            : left == 1 ? " or "
                        : "");
        len += (size_t)added;
    }
    return out;
}

bool
arvo__schema_type_issue(schema_run *run, const schema_node *node, const arvo_json *value)
{
    char types[96];
    if (!is_collecting(run))
        return false;
    if (node->types == 0)
        return arvo__schema_issue(run, node, NULL, "nothing is allowed here");
    return arvo__schema_issue(
        run, node, "type", "expected %s, got %s", types_text(node->types, types, sizeof(types)),
        arvo__schema_show(run, value));
}

bool
arvo__schema_enum_issue(
    schema_run *run, const schema_node *node, const schema_op *op, const arvo_json *value)
{
    if (!is_collecting(run))
        return false;
    const arvo_allocator memory = arvo__arena_allocator(run->arena);
    arvo_buf buf = message_buf(&memory, ENUM_BYTES_MAX);
    arvo_buf_printf(&buf, "expected %s", op->count > 1 ? "one of " : "");
    for (size_t i = 0; i < op->count && i < SHOWN_VALUES_MAX; i++)
        arvo_buf_printf(
            &buf, "%s%s", i > 0 ? ", " : "", arvo__schema_show(run, op->as.values->values[i]));
    arvo_buf_printf(
        &buf, "%s, got %s", op->count > SHOWN_VALUES_MAX ? ", ..." : "",
        arvo__schema_show(run, value));
    issue_add(run, node, "enum", buf.status == ARVO_OK ? arvo_buf_str(&buf) : ARVO_STR_NONE);
    return false;
}

bool
arvo__schema_missing_issue(schema_run *run, const schema_node *node, const schema_entry *entry)
{
    char types[96];
    if (!is_collecting(run))
        return false;
    const schema_path path = { .parent = run->path, .key = entry->key, .at = entry->key_len };
    const bool known = entry->node != NULL && entry->node->types != SCHEMA_TYPES_ALL;
    run->path = &path;
    if (known)
        (void)arvo__schema_issue(
            run, node, "required", "is missing (expected %s)",
            types_text(entry->node->types, types, sizeof(types)));
    else
        (void)arvo__schema_issue(run, node, "required", "is missing");
    run->path = path.parent;
    return false;
}

bool
arvo__schema_unknown_key_issue(
    schema_run *run, const schema_node *node, const schema_object *object,
    const struct arvo__member *member)
{
    if (!is_collecting(run))
        return false;
    arvo_str words[CLOSEST_WORDS_MAX];
    const size_t entry_count = object != NULL ? object->entry_count : 0;
    const char *const keyword = object != NULL ? "additionalProperties" : "unevaluatedProperties";
    size_t count = 0;
    for (; count < entry_count && count < CLOSEST_WORDS_MAX; count++)
        words[count] = (arvo_str){ object->entries[count].key, object->entries[count].key_len };
    const arvo_str close = arvo__closest((arvo_str){ member->key, member->key_len }, words, count);
    const schema_path path = { .parent = run->path, .key = member->key, .at = member->key_len };
    run->path = &path;
    if (close.ptr != NULL)
        (void)arvo__schema_issue(
            run, node, keyword, "is an unknown key; did you mean \"%.*s\"?", ARVO_FMT(close));
    else
        (void)arvo__schema_issue(run, node, keyword, "is an unknown key");
    run->path = path.parent;
    return false;
}

/* ---- Alternatives --------------------------------------------------------- */

/* The types that all alternatives together accept. */
static uint16_t
alternatives_types(const schema_op *op)
{
    uint16_t types = 0;
    for (size_t i = 0; i < op->count; i++)
        types |= op->as.nodes[i]->types;
    return types;
}

/* The alternative of this type of value with the fewest failures; op->count when none is of it. */
static size_t
alternative_nearest(schema_run *run, const schema_op *op, const arvo_json *value)
{
    schema_collector *const collector = run->collector;
    size_t nearest = op->count;
    size_t fewest = SIZE_MAX;
    for (size_t i = 0; i < op->count && run->status == ARVO_OK; i++) {
        if (!schema__type_fits(op->as.nodes[i], value))
            continue;
        schema_collector score = { 0 };
        run->collector = &score;
        (void)arvo__schema_node_check(run, op->as.nodes[i], value);
        if (score.count < fewest) {
            fewest = score.count;
            nearest = i;
        }
    }
    run->collector = collector;
    return nearest;
}

bool
arvo__schema_alternatives_issue(
    schema_run *run, const schema_node *node, const schema_op *op, const arvo_json *value,
    const char *keyword)
{
    char types[96];
    if (!is_collecting(run))
        return false;
    if (run->collector->issues == NULL)
        return arvo__schema_issue(run, node, keyword, " ");
    const size_t nearest = alternative_nearest(run, op, value);
    if (run->status != ARVO_OK)
        return false;
    if (nearest == op->count)
        return arvo__schema_issue(
            run, node, keyword, "expected %s, got %s",
            types_text(alternatives_types(op), types, sizeof(types)),
            arvo__schema_show(run, value));
    if (op->count > 1)
        (void)arvo__schema_issue(
            run, node, keyword, "fits none of the %u alternatives; nearest is number %zu",
            op->count, nearest);
    (void)arvo__schema_node_check(run, op->as.nodes[nearest], value);
    return false;
}

/* ---- All of them ---------------------------------------------------------- */

arvo_status
arvo__schema_report_error(const schema_collector *collector, arvo_arena *arena, arvo_error *err)
{
    if (err == NULL)
        return ARVO_E_INVALID;
    const arvo_allocator memory = arvo__arena_allocator(arena);
    arvo_buf buf = message_buf(&memory, ARVO_BUF_BYTES_MAX_DEFAULT);
    for (size_t i = 0; i < collector->count && buf.len < ARVO_ERROR_TEXT_BYTES_MAX; i++) {
        const arvo_schema_issue *const issue = &collector->issues[i];
        arvo_str path = issue->path.len > 0 ? issue->path : ARVO_STR("(root)");
        const bool cut = path.len > PATH_BYTES_MAX;
        path.len = cut ? PATH_BYTES_MAX : path.len;
        arvo_buf_printf(
            &buf, "%s%.*s%s: %.*s", i > 0 ? "; " : "", ARVO_FMT(path), cut ? "..." : "",
            ARVO_FMT(issue->message));
    }
    if (collector->count == 0)
        arvo_buf_printf(&buf, "the value does not fit its schema");
    if (collector->more)
        arvo_buf_printf(&buf, "; and more");
    if (buf.status == ARVO_E_NOMEM)
        return arvo__nomem(err);
    return arvo__fail(err, ARVO_E_INVALID, "%.*s", ARVO_FMT(arvo_buf_str(&buf)));
}
