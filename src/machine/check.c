/* Checks: the list of findings. */

#include "machine/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT_BYTES_MAX 1024

static const arvo_check_rule rules[CHECK_RULE_COUNT] = {
#define CHECK_RULE_ROW(name, id, severity, summary, help)                                          \
    [CHECK_##name] = { id, ARVO_CHECK_##severity, summary, help },
    CHECK_RULES(CHECK_RULE_ROW)
#undef CHECK_RULE_ROW
};

const arvo_check_rule *
arvo_check_rules(size_t *out_count)
{
    ARVO_ASSERT(out_count != NULL);
    *out_count = CHECK_RULE_COUNT;
    return rules;
}

check_rule
arvo__check_rule_find(arvo_str id)
{
    check_rule rule = 0;
    while (rule < CHECK_RULE_COUNT && !arvo_str_is(id, rules[rule].id))
        rule++;
    return rule;
}

const char *
arvo_check_severity_name(arvo_check_severity severity)
{
    return severity == ARVO_CHECK_ERROR ? "error" : "warning";
}

/* ---- Life ---- */

arvo_check *
arvo_check_new(const arvo_allocator *allocator)
{
    arvo_check *const check = arvo__calloc(allocator, 1, sizeof(*check));
    if (check == NULL)
        return NULL;
    check->allocator = allocator;
    check->arena = arvo_arena_new(&(arvo_arena_opts){ .allocator = allocator });
    if (check->arena == NULL) {
        arvo_check_free(check);
        return NULL;
    }
    return check;
}

void
arvo_check_free(arvo_check *check)
{
    if (check == NULL)
        return;
    arvo_arena_free(check->arena);
    arvo__free(check->allocator, check->entries, check->cap * sizeof(*check->entries));
    arvo__free(check->allocator, check, sizeof(*check));
}

arvo_status
arvo__check_status(const arvo_check *check, arvo_error *err)
{
    return check->has_failed || arvo_arena_failed(check->arena) ? arvo__nomem(err) : ARVO_OK;
}

/* ---- Adding ---- */

static bool
room_for_one(arvo_check *check)
{
    if (check->count >= ARVO_CHECK_FINDINGS_MAX) {
        check->is_cut = true;
        return false;
    }
    if (check->count < check->cap)
        return true;
    const size_t cap = check->cap == 0 ? 16 : check->cap * 2;
    check_entry *const entries = arvo__alloc(check->allocator, cap * sizeof(*entries));
    if (entries == NULL) {
        check->has_failed = true;
        return false;
    }
    if (check->count > 0)
        memcpy(entries, check->entries, check->count * sizeof(*entries));
    arvo__free(check->allocator, check->entries, check->cap * sizeof(*entries));
    check->entries = entries;
    check->cap = cap;
    return true;
}

static bool
is_known(const arvo_check *check, const arvo_finding *finding)
{
    for (size_t i = 0; i < check->count; i++) {
        const arvo_finding *const other = &check->entries[i].finding;
        if (other->rule == finding->rule && other->line == finding->line &&
            arvo_str_equal(other->file, finding->file) &&
            arvo_str_equal(other->pointer, finding->pointer) &&
            (finding->rule != &rules[CHECK_UNHANDLED_REPLY] ||
             arvo_str_equal(other->state, finding->state)) &&
            arvo_str_equal(other->text, finding->text))
            return true;
    }
    return false;
}

static arvo_str
text_keep(arvo_check *check, arvo_str text)
{
    return text.ptr != NULL ? arvo_arena_str_dup(check->arena, text) : text;
}

static void
finding_add(
    arvo_check *check, check_rule rule, const check_place *place, uint32_t line, arvo_str text,
    arvo_str help)
{
    const arvo_finding finding = {
        .rule = &rules[rule],
        .file = place->document->file.len > 0 ? place->document->file : ARVO_STR_NONE,
        .line = line,
        .pointer = place->pointer,
        .machine = place->machine,
        .state = place->path,
        .text = text,
        .help = help.ptr != NULL ? help : arvo_str_from(rules[rule].help),
    };
    if (is_known(check, &finding) || !room_for_one(check))
        return;
    check_entry *const entry = &check->entries[check->count++];
    *entry = (check_entry){ .finding = finding, .state = place->state };
    entry->finding.file = text_keep(check, finding.file);
    entry->finding.pointer = text_keep(check, finding.pointer);
    entry->finding.machine = text_keep(check, finding.machine);
    entry->finding.state = text_keep(check, finding.state);
    entry->finding.text = text_keep(check, finding.text);
    entry->finding.help = text_keep(check, finding.help);
}

static uint32_t
place_line(arvo_check *check, const check_place *place)
{
    check->bytes_looked_through += place->document->text.len;
    return place->document->text.len > 0 ? arvo_document_line(place->document, place->pointer) : 0;
}

/* A line is found by going through the document, which takes long in a large one. */
static bool
may_look(arvo_check *check)
{
    if (check->bytes_looked_through <= ARVO_CHECK_LINES_BYTES_MAX &&
        check->count < ARVO_CHECK_FINDINGS_MAX)
        return true;
    check->is_cut = true;
    return false;
}

void
arvo__check_add(
    arvo_check *check, check_rule rule, const check_place *place, arvo_str help, const char *format,
    ...)
{
    char text[TEXT_BYTES_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    /* A text that was cut may end within a character. */
    arvo_str whole = arvo_str_from(text);
    whole.len = arvo__utf8_valid_prefix(whole);
    if (may_look(check))
        finding_add(check, rule, place, place_line(check, place), whole, help);
}

/* ---- Errors of those who read documents ---- */

/* Behind "file:line: ", which stands before what is said of a file's document. */
static arvo_str
error_said(const arvo_document *document, const arvo_error *err)
{
    arvo_str said = arvo_str_from(err->text);
    char line[32];
    const size_t len = (size_t)snprintf(line, sizeof(line), ":%u: ", err->line);
    if (document->file.len > 0 && arvo_str_starts(said, document->file)) {
        const arvo_str rest = { said.ptr + document->file.len, said.len - document->file.len };
        if (arvo_str_starts(rest, (arvo_str){ line, len }))
            said = (arvo_str){ rest.ptr + len, rest.len - len };
    }
    return said;
}

/* Whether the place, or the one that it is missing from, is in the document. */
static bool
is_place(const arvo_document *document, arvo_str pointer)
{
    if (arvo_json_pointer_get(document->root, pointer) != NULL)
        return true;
    while (pointer.len > 0 && pointer.ptr[pointer.len - 1] != '/')
        pointer.len--;
    return pointer.len > 0 &&
           arvo_json_pointer_get(document->root, (arvo_str){ pointer.ptr, pointer.len - 1 }) !=
               NULL;
}

arvo_str
arvo__check_error_pointer(const arvo_document *document, const arvo_error *err)
{
    const arvo_str said = error_said(document, err);
    if (said.len == 0 || said.ptr[0] != '/')
        return (arvo_str){ said.ptr, 0 };
    for (size_t i = 1; i + 1 < said.len; i++)
        if (said.ptr[i] == ':' && said.ptr[i + 1] == ' ' &&
            is_place(document, (arvo_str){ said.ptr, i }))
            return (arvo_str){ said.ptr, i };
    return (arvo_str){ said.ptr, 0 };
}

/* What is said behind the last `mark` that stands in no brackets and no code is what to do; none:
 * there is no such mark. */
static arvo_str
help_cut(arvo_str *said, char mark)
{
    size_t at = 0;
    int depth = 0;
    bool is_code = false;
    for (size_t i = 0; i + 1 < said->len; i++) {
        const char c = said->ptr[i];
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        is_code ^= c == '`';
        if (c == mark && said->ptr[i + 1] == ' ' && depth == 0 && !is_code)
            at = i;
    }
    if (at == 0)
        return ARVO_STR_NONE;
    const arvo_str help = { said->ptr + at + 2, said->len - at - 2 };
    said->len = at;
    return help;
}

void
arvo__check_add_error(
    arvo_check *check, check_rule rule, const check_place *place, const arvo_error *err)
{
    const arvo_str pointer = arvo__check_error_pointer(place->document, err);
    arvo_str said = error_said(place->document, err);
    if (pointer.len > 0) /* and ": " */
        said = (arvo_str){ said.ptr + pointer.len + 2, said.len - pointer.len - 2 };
    arvo_str help = help_cut(&said, ';');
    if (help.ptr == NULL && (rule == CHECK_INVALID_DOCUMENT || rule == CHECK_UNSUPPORTED ||
                             rule == CHECK_BAD_INITIAL || rule == CHECK_CIRCULAR_SERVICES))
        help = help_cut(&said, ':');
    check_place there = *place;
    if (pointer.len > 0)
        there.pointer = pointer;
    finding_add(
        check, rule, &there, err->line != 0 ? err->line : place_line(check, &there), said, help);
}

/* ---- Order ---- */

static int
text_order(arvo_str a, arvo_str b)
{
    const size_t len = a.len < b.len ? a.len : b.len;
    const int order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int
entry_order(const void *a, const void *b)
{
    const arvo_finding *const x = &((const check_entry *)a)->finding;
    const arvo_finding *const y = &((const check_entry *)b)->finding;
    int order = text_order(x->file, y->file);
    if (order == 0)
        order = (x->line > y->line) - (x->line < y->line);
    if (order == 0)
        order = (x->rule > y->rule) - (x->rule < y->rule);
    if (order == 0)
        order = text_order(x->pointer, y->pointer);
    return order != 0 ? order : text_order(x->text, y->text);
}

void
arvo__check_sort(arvo_check *check)
{
    if (check->count > 1)
        qsort(check->entries, check->count, sizeof(*check->entries), entry_order);
}

/* ---- Reading ---- */

size_t
arvo_check_count(const arvo_check *check)
{
    return check->count;
}

const arvo_finding *
arvo_check_at(const arvo_check *check, size_t i)
{
    return i < check->count ? &check->entries[i].finding : NULL;
}

bool
arvo_check_is_cut(const arvo_check *check)
{
    return check->is_cut;
}

static size_t
count_of(const arvo_check *check, arvo_check_severity severity, bool is_silenced)
{
    size_t count = 0;
    for (size_t i = 0; i < check->count; i++)
        count += check->entries[i].finding.rule->severity == severity &&
                 (check->entries[i].finding.reason.ptr != NULL) == is_silenced;
    return count;
}

size_t
arvo_check_errors(const arvo_check *check)
{
    return count_of(check, ARVO_CHECK_ERROR, false);
}

size_t
arvo_check_warnings(const arvo_check *check)
{
    return count_of(check, ARVO_CHECK_WARNING, false);
}

size_t
arvo_check_silenced(const arvo_check *check)
{
    return count_of(check, ARVO_CHECK_WARNING, true);
}
