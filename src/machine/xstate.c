/* XState configurations: the walk that import and export share. */

#include "machine/xstate.h"

#include <stdarg.h>
#include <stdio.h>

#define POINTER_BYTES_MAX ((size_t)64 * 1024)

const xstate_action arvo__xstate_actions[] = {
    { "assign", "xstate.assign", "assignment" },
    { "raise", "xstate.raise", "event" },
    { "emit", "xstate.emit", "event" },
    { "log", "xstate.log", "value" },
    { "enqueueActions", "xstate.enqueueActions", "actions" },
    { NULL, NULL, NULL },
};

const char *const arvo__xstate_own_keys[] = { "contracts", "executionunits", "guards", "actions",
                                              NULL };

/* ---- Places ---- */

size_t
arvo__xstate_enter(xstate_walk *w, arvo_str key)
{
    const size_t mark = w->pointer.len;
    w->pointer.bytes_max = POINTER_BYTES_MAX;
    arvo_json_pointer_push(&w->pointer, key);
    return mark;
}

size_t
arvo__xstate_enter_item(xstate_walk *w, size_t i)
{
    const size_t mark = w->pointer.len;
    w->pointer.bytes_max = POINTER_BYTES_MAX;
    arvo_buf_printf(&w->pointer, "/%zu", i);
    return mark;
}

void
arvo__xstate_leave(xstate_walk *w, size_t mark)
{
    w->pointer.len = mark;
}

bool
arvo__xstate_descend(xstate_walk *w)
{
    if (w->depth >= XSTATE_DEPTH_MAX) {
        w->is_too_deep = true;
        return false;
    }
    w->depth++;
    return true;
}

/* ---- Notes ---- */

static void
note_add(xstate_walk *w, bool is_error, arvo_str text)
{
    w->error_count += is_error;
    if (w->note_count == ARVO_XSTATE_NOTES_MAX) {
        w->left_off++;
        return;
    }
    arvo_xstate_note *const notes =
        arvo__arena_grow(w->arena, w->notes, w->note_count, &w->note_cap, sizeof(*notes));
    if (notes == NULL)
        return;
    w->notes = notes;
    notes[w->note_count++] =
        (arvo_xstate_note){ arvo_arena_str_dup(w->arena, arvo_buf_str(&w->pointer)), text,
                            is_error };
}

static void
note_format(xstate_walk *w, bool is_error, const char *format, va_list arguments)
{
    /* As an error's text: one line, bounded, what cannot be shown escaped. */
    char text[ARVO_ERROR_TEXT_BYTES_MAX];
    arvo_error line = { 0 };
    (void)vsnprintf(text, sizeof(text), format, arguments);
    (void)arvo__fail(&line, ARVO_E_INVALID, "%s", text);
    note_add(w, is_error, arvo_arena_str_dup(w->arena, arvo_str_from(line.text)));
}

void
arvo__xstate_error(xstate_walk *w, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    note_format(w, true, format, arguments);
    va_end(arguments);
}

void
arvo__xstate_note(xstate_walk *w, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    note_format(w, false, format, arguments);
    va_end(arguments);
}

/* ---- Converting ---- */

const arvo_json *
arvo__xstate_each(xstate_walk *w, const arvo_json *value, xstate_convert_fn convert)
{
    if (arvo_json_type_of(value) != ARVO_JSON_ARRAY)
        return convert(w, value);
    arvo_json *const list = arvo_json_array_new(w->arena);
    for (size_t i = 0; i < arvo_json_count(value); i++) {
        const size_t mark = arvo__xstate_enter_item(w, i);
        arvo_json_push(w->arena, list, convert(w, arvo_json_at(value, i)));
        arvo__xstate_leave(w, mark);
    }
    return list;
}

const arvo_json *
arvo__xstate_members(xstate_walk *w, const arvo_json *value, xstate_convert_fn convert)
{
    if (arvo_json_type_of(value) != ARVO_JSON_OBJECT) {
        arvo__xstate_error(w, "must be an object");
        return value;
    }
    arvo_json *const object = arvo_json_object_new(w->arena);
    for (size_t i = 0; i < arvo_json_count(value); i++) {
        const size_t mark = arvo__xstate_enter(w, arvo_json_key_at(value, i));
        arvo_json_set(
            w->arena, object, arvo_json_key_at(value, i), convert(w, arvo_json_at(value, i)));
        arvo__xstate_leave(w, mark);
    }
    return object;
}

const arvo_json *
arvo__xstate_member(
    xstate_walk *w, const arvo_json *object, const char *key, xstate_convert_fn convert)
{
    const size_t mark = arvo__xstate_enter(w, arvo_str_from(key));
    const arvo_json *const value = convert(w, arvo_json_get(object, key));
    arvo__xstate_leave(w, mark);
    return value;
}

const arvo_json *
arvo__xstate_typed(xstate_walk *w, const char *type, const char *param, const arvo_json *value)
{
    arvo_json *const params = arvo_json_object_new(w->arena);
    arvo_json *const object = arvo_json_object_new(w->arena);
    xstate_set(w, params, param, value);
    xstate_set(w, object, "type", arvo_json_string_ref(w->arena, arvo_str_from(type)));
    xstate_set(w, object, "params", params);
    return object;
}

/* ---- The end ---- */

arvo_status
arvo__xstate_finish(
    xstate_walk *w, const arvo_json *result, const arvo_json **out, arvo_xstate_report *report,
    arvo_error *err)
{
    const bool is_pointer_lost = w->pointer.status == ARVO_E_TOO_BIG;
    const bool is_nomem = arvo_arena_failed(w->arena) || w->pointer.status == ARVO_E_NOMEM;
    arvo_buf_fini(&w->pointer);
    arvo__map_fini(&w->names);
    if (is_nomem || (result == NULL && !w->is_too_deep && w->error_count == 0))
        return arvo__nomem(err);
    if (w->is_too_deep || is_pointer_lost)
        return arvo__fail(
            err, ARVO_E_TOO_BIG, "nested deeper than %u, or in names longer than %zu bytes",
            XSTATE_DEPTH_MAX, POINTER_BYTES_MAX);
    *report = (arvo_xstate_report){ .notes = w->notes,
                                    .note_count = w->note_count,
                                    .error_count = w->error_count,
                                    .left_off = w->left_off };
    if (w->error_count > 0) {
        const arvo_xstate_note *first = w->notes;
        while (!first->is_error && first + 1 < w->notes + w->note_count)
            first++;
        return arvo__fail(
            err, ARVO_E_UNSUPPORTED, "%.*s: %.*s", ARVO_FMT(first->pointer), ARVO_FMT(first->text));
    }
    *out = result;
    return ARVO_OK;
}
