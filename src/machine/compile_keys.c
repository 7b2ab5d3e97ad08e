/* Compiling machines: places in the document, known keys, errors with a suggestion. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "machine/compile.h"

#define SUGGEST_BYTES_MAX 48u /* longer names are not compared */

arvo_status
arvo__compile_fail(compiler *c, arvo_status status, const char *format, ...)
{
    char message[ARVO_ERROR_TEXT_BYTES_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    if (c->pointer.status != ARVO_OK)
        return arvo__nomem(c->err);
    if (c->diagnosis != NULL)
        c->diagnosis->pointer = arvo_arena_str_dup(c->diagnosis->arena, arvo_buf_str(&c->pointer));
    return arvo_document_error(
        c->document, arvo_buf_str(&c->pointer), c->err, status, "%s", message);
}

size_t
arvo__compile_enter(compiler *c, arvo_str key)
{
    const size_t mark = c->pointer.len;
    arvo_json_pointer_push(&c->pointer, key);
    return mark;
}

size_t
arvo__compile_enter_item(compiler *c, size_t i)
{
    const size_t mark = c->pointer.len;
    arvo_buf_printf(&c->pointer, "/%zu", i);
    return mark;
}

void
arvo__compile_leave(compiler *c, size_t mark)
{
    c->pointer.len = mark;
}

void *
arvo__compile_alloc(compiler *c, size_t count, size_t size)
{
    return arvo_arena_calloc(c->arena, count > 0 ? count : 1, size);
}

/* ---- Suggestions ---- */

/* Levenshtein distance of two short names. */
static size_t
distance(arvo_str a, arvo_str b)
{
    size_t row[SUGGEST_BYTES_MAX + 1];
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            const size_t above = row[j];
            const size_t change = corner + (a.ptr[i - 1] != b.ptr[j - 1]);
            size_t best = above < row[j - 1] ? above + 1 : row[j - 1] + 1;
            if (change < best)
                best = change;
            row[j] = best;
            corner = above;
        }
    }
    return row[b.len];
}

arvo_str
arvo__compile_suggest(compiler *c, arvo_str name, const arvo_str *names, size_t count)
{
    const arvo_str *best = NULL;
    size_t best_distance = name.len / 3 + 1; /* more than that is another word */
    for (size_t i = 0; i < count && name.len <= SUGGEST_BYTES_MAX; i++) {
        if (names[i].len > SUGGEST_BYTES_MAX)
            continue;
        const size_t d = distance(name, names[i]);
        if (d <= best_distance && (best == NULL || d < best_distance)) {
            best = &names[i];
            best_distance = d;
        }
    }
    if (best == NULL)
        return ARVO_STR("");
    const arvo_str text = arvo_arena_printf(c->arena, "; did you mean '%.*s'?", ARVO_FMT(*best));
    return text.ptr != NULL ? text : ARVO_STR("");
}

arvo_str
arvo__check_suggest(arvo_arena *arena, arvo_str name, const arvo_str *names, size_t count)
{
    compiler c = { .arena = arena };
    const arvo_str text = arvo__compile_suggest(&c, name, names, count);
    return text.len > 2 ? (arvo_str){ text.ptr + 2, text.len - 2 } : ARVO_STR_NONE;
}

/* ---- Keys ---- */

static const compile_key *
key_find(const compile_key *table, arvo_str key)
{
    while (table->name != NULL && !arvo_str_is(key, table->name))
        table++;
    return table->name != NULL ? table : NULL;
}

static arvo_status
key_refuse(compiler *c, const compile_key *table, arvo_str key, const char *what)
{
    arvo_str names[64];
    size_t count = 0;
    for (; table->name != NULL && count < ARVO_COUNT_OF(names); table++)
        if (table->advice == NULL)
            names[count++] = arvo_str_from(table->name);
    const arvo_str suggestion = arvo__compile_suggest(c, key, names, count);
    return arvo__compile_fail(
        c, ARVO_E_INVALID, "unknown key of %s%.*s", what, ARVO_FMT(suggestion));
}

arvo_status
arvo__compile_keys(compiler *c, const arvo_json *object, const compile_key *table, const char *what)
{
    for (size_t i = 0; i < arvo_json_count(object); i++) {
        const arvo_str key = arvo_json_key_at(object, i);
        const compile_key *const known = key_find(table, key);
        if (known != NULL && known->advice == NULL)
            continue;
        const size_t mark = arvo__compile_enter(c, key);
        const arvo_status st = known != NULL
                                   ? arvo__compile_fail(c, ARVO_E_UNSUPPORTED, "%s", known->advice)
                                   : key_refuse(c, table, key, what);
        arvo__compile_leave(c, mark);
        return st;
    }
    return ARVO_OK;
}

arvo_status
arvo__compile_str(compiler *c, const arvo_json *object, const char *key, arvo_str *out)
{
    const arvo_json *const value = arvo_json_get(object, key);
    if (value == NULL)
        return ARVO_OK;
    const arvo_str text = arvo_json_str(value);
    if (text.ptr == NULL || text.len == 0) {
        const size_t mark = arvo__compile_enter(c, arvo_str_from(key));
        const arvo_status st =
            arvo__compile_fail(c, ARVO_E_INVALID, "must be a string that is not empty");
        arvo__compile_leave(c, mark);
        return st;
    }
    *out = text;
    return ARVO_OK;
}

arvo_status
arvo__compile_template(compiler *c, const arvo_json *value, const arvo__template **out)
{
    if (c->pointer.status != ARVO_OK)
        return arvo__nomem(c->err);
    const arvo_status st = arvo__template_compile(
        c->machine->expressions, value, c->document, arvo_buf_str(&c->pointer), out, c->err);
    if (st != ARVO_OK)
        arvo__compile_rule(c, CHECK_BAD_EXPRESSION);
    if (st == ARVO_OK && arvo__template_reads_input(*out))
        c->reads_input = true;
    return st;
}
