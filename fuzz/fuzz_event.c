/* Events from any bytes. Laws: a parsed event is valid, its text parses to the same text, the value
 * form writes the same text, and creating it again from its fields keeps what needs no encoding. */

#include <stdint.h>
#include <stdlib.h>

#include <arvo/event.h>
#include <arvo/uri.h>

#include "base/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_form(const arvo_event *event, arvo_arena *arena)
{
    arvo_error err;
    arvo_buf first = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_buf second = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    ARVO_ASSERT(arvo_event_validate(event, &err) == ARVO_OK);

    arvo_event_write(event, &first);
    ARVO_ASSERT(first.status == ARVO_OK);
    arvo_event again;
    ARVO_ASSERT(arvo_event_parse(arvo_buf_str(&first), arena, &again, &err) == ARVO_OK);
    arvo_event_write(&again, &second);
    ARVO_ASSERT(arvo_str_equal(arvo_buf_str(&first), arvo_buf_str(&second)));

    arvo_buf_reset(&second);
    arvo_json_write(arvo_event_to_json(event, arena), &second);
    ARVO_ASSERT(arvo_str_equal(arvo_buf_str(&first), arvo_buf_str(&second)));
    arvo_buf_fini(&second);
    arvo_buf_fini(&first);
}

static void
check_create(const arvo_event *event, arvo_arena *arena)
{
    arvo_event made;
    arvo_error err;
    const arvo_status st = arvo_event_create(event, arvo_platform_system(), arena, &made, &err);
    ARVO_ASSERT(st == ARVO_OK);
    ARVO_ASSERT(arvo_event_validate(&made, &err) == ARVO_OK);
    if (arvo_uri_is_plain(event->subject))
        ARVO_ASSERT(arvo_str_equal(event->subject, made.subject));
    ARVO_ASSERT(arvo_str_equal(event->id, made.id) && event->data == made.data);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arvo_arena *arena = arvo_arena_new(NULL);
    if (arena == NULL)
        return 0;
    arvo_event event;
    arvo_error err = { .status = ARVO_OK };
    const arvo_status st =
        arvo_event_parse((arvo_str){ (const char *)data, size }, arena, &event, &err);
    if (st == ARVO_OK) {
        check_form(&event, arena);
        check_create(&event, arena);
    } else {
        ARVO_ASSERT(err.status == st && err.text[0] != '\0');
        ARVO_ASSERT(strchr(err.text, '\n') == NULL);
    }
    arvo_arena_free(arena);
    return 0;
}
