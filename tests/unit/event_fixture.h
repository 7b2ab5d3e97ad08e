/* A sound event and a world that stands still: what the tests of events share. */
#ifndef ARVO_TESTS_EVENT_FIXTURE_H
#define ARVO_TESTS_EVENT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <arvo/event.h>

#include "event/internal.h"

/* The members of an event that must be there. */
#define REQUIRED                                                                                   \
    "\"id\":\"e1\",\"source\":\"com.src.a\",\"specversion\":\"1.0\",\"type\":\"a.b.c\","           \
    "\"subject\":\"s\",\"datacontenttype\":\"application/json\",\"time\":"                         \
    "\"2024-01-01T00:00:00Z\""

static arvo_arena *arena;

static inline int
setup(void **state)
{
    (void)state;
    arena = arvo_arena_new(NULL);
    return arena != NULL ? 0 : -1;
}

static inline int
teardown(void **state)
{
    (void)state;
    arvo_arena_free(arena);
    return 0;
}

/* A world that stands still: every random byte is `byte`, unless the source is broken. */
struct still {
    bool broken;
    unsigned char byte;
};

static inline bool
still_random(void *self, void *bytes, size_t len)
{
    const struct still *still = self;
    memset(bytes, still->byte, len);
    return !still->broken;
}

static inline int64_t
still_time(void *self)
{
    (void)self;
    return 1704067200123; /* 2024-01-01T00:00:00.123Z */
}

static struct still still = { false, 0xab };
static const arvo_platform platform = {
    .version = ARVO_PLATFORM_OPS_VERSION,
    .time_ms = still_time,
    .monotonic_ns = still_time,
    .random = still_random,
    .self = &still,
};

static inline const arvo_json *
json(const char *text)
{
    const arvo_json *value = NULL;
    arvo_error err = { 0 };
    if (arvo_json_parse(arvo_str_from(text), arena, &value, &err) != ARVO_OK)
        fail_msg("%s: %s", text, err.text);
    return value;
}

/* The smallest event that is valid. */
static inline arvo_event
sound(void)
{
    return (arvo_event){
        .id = ARVO_STR("e1"),
        .source = ARVO_STR("com.src.a"),
        .specversion = ARVO_STR("1.0"),
        .type = ARVO_STR("a.b.c"),
        .subject = ARVO_STR("s"),
        .datacontenttype = ARVO_STR(ARVO_EVENT_CONTENT_TYPE),
        .data = json("{}"),
        .time = ARVO_STR("2024-01-01T00:00:00Z"),
        .to = ARVO_STR("a.b.c"),
    };
}

static inline const char *
written(const arvo_event *event)
{
    arvo_buf buf = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_event_write(event, &buf);
    assert_int_equal(buf.status, ARVO_OK);
    const arvo_str copy = arvo_arena_str_dup(arena, arvo_buf_str(&buf));
    arvo_buf_fini(&buf);
    return copy.ptr;
}

static inline void
expect_sound(const arvo_event *event)
{
    arvo_error err = { 0 };
    if (arvo_event_validate(event, &err) != ARVO_OK)
        fail_msg("%s", err.text);
}

/* The error line holds `text`. */
static inline void
expect_broken(const arvo_event *event, const char *text)
{
    arvo_error err = { 0 };
    assert_int_equal(arvo_event_validate(event, &err), ARVO_E_INVALID);
    assert_int_equal(err.status, ARVO_E_INVALID);
    assert_null(strchr(err.text, '\n'));
    if (strstr(err.text, text) == NULL)
        fail_msg("expected '%s' in: %s", text, err.text);
    assert_int_equal(arvo_event_validate(event, NULL), ARVO_E_INVALID);
}

#endif
