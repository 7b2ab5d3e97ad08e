/* machine_helpers.h - machines from text with single quotes, and runs of them. */
#ifndef ARVO_TESTS_UNIT_MACHINE_HELPERS_H
#define ARVO_TESTS_UNIT_MACHINE_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <arvo/machine.h>

static arvo_arena *arena;

static inline int
machine_group_setup(void **state)
{
    (void)state;
    arena = arvo_arena_new(NULL);
    return arena != NULL ? 0 : -1;
}

static inline int
machine_group_teardown(void **state)
{
    (void)state;
    arvo_arena_free(arena);
    return 0;
}

/* The text with every ' as ". */
static inline arvo_str
quoted(const char *text)
{
    const arvo_str copy = arvo_arena_str_dup(arena, arvo_str_from(text));
    char *writable = arvo_arena_alloc(arena, copy.len + 1);
    assert_non_null(writable);
    for (size_t i = 0; i < copy.len; i++)
        writable[i] = copy.ptr[i] == '\'' ? '"' : copy.ptr[i];
    writable[copy.len] = '\0';
    return (arvo_str){ writable, copy.len };
}

static inline const arvo_json *
json(const char *text)
{
    const arvo_json *value = NULL;
    arvo_error err = { 0 };
    if (arvo_json_parse(quoted(text), arena, &value, &err) != ARVO_OK)
        fail_msg("%s: %s", text, err.text);
    return value;
}

static inline const char *
text_of(const arvo_json *value)
{
    arvo_buf buf = ARVO_BUF_INIT(1000000);
    arvo_json_write(value, &buf);
    const arvo_str copy = arvo_arena_str_dup(arena, arvo_buf_str(&buf));
    arvo_buf_fini(&buf);
    assert_non_null(copy.ptr);
    return copy.ptr;
}

static inline arvo_machine *
machine_with(const arvo_machine_setup *setup, const char *text)
{
    arvo_machine *machine = NULL;
    arvo_error err = { 0 };
    if (arvo_machine_create_text(setup, quoted(text), &machine, &err) != ARVO_OK)
        fail_msg("%s: %s", text, err.text);
    return machine;
}

/* A machine without contracts: {'kind':'machine','id':'m', <rest>}. */
static inline arvo_machine *
machine_of(const char *rest)
{
    return machine_with(NULL, arvo_arena_printf(arena, "{'kind':'machine','id':'m',%s}", rest).ptr);
}

/* One step; the status must be `expected`. */
static inline arvo_machine_output
execute(const arvo_machine *machine, const arvo_machine_input *input, arvo_status expected)
{
    arvo_machine_output out = { 0 };
    arvo_error err = { 0 };
    const arvo_status st = arvo_machine_execute(machine, input, arena, &out, &err);
    if (st != expected)
        fail_msg(
            "status %s (%s), not %s", arvo_status_name(st), err.text, arvo_status_name(expected));
    return out;
}

static inline arvo_machine_output
start(const arvo_machine *machine)
{
    return execute(machine, &(arvo_machine_input){ 0 }, ARVO_OK);
}

/* Go on from stored bytes. */
static inline arvo_machine_output
send_to(const arvo_machine *machine, arvo_str state, const char *event)
{
    return execute(machine, &(arvo_machine_input){ .state = state, .event = json(event) }, ARVO_OK);
}

static inline void
assert_str(arvo_str text, const char *expected)
{
    if (!arvo_str_equal(text, arvo_str_from(expected)))
        fail_msg("'%.*s' is not '%s'", ARVO_FMT(text), expected);
}

static inline void
assert_value(const arvo_machine_output *out, const char *expected)
{
    assert_str(out->value, quoted(expected).ptr);
}

#endif
