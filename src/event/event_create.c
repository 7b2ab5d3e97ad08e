/* New events: defaults filled in, URIs encoded, text moved to the arena. */

#include <arvo/event.h>

#include <arvo/uri.h>

#include "event/internal.h"

/* The attributes that createArvoEvent passes through encodeURI (spec 1.1). */
#define EVENT_URI_FIELDS                                                                           \
    ((1u << ARVO__EVENT_source) | (1u << ARVO__EVENT_subject) | (1u << ARVO__EVENT_dataschema) |   \
     (1u << ARVO__EVENT_to) | (1u << ARVO__EVENT_redirectto) | (1u << ARVO__EVENT_parentid))

static arvo_str
event_none_when_empty(arvo_str str)
{
    return str.len > 0 ? str : ARVO_STR_NONE;
}

/* id and time are written to the arrays given. */
static bool
event_fill_in(arvo_event *event, const arvo_platform *platform, char *id, char *time)
{
    if (event->id.ptr == NULL) {
        if (!arvo_uuid_new(platform, id))
            return false;
        event->id = (arvo_str){ id, ARVO_UUID_BYTES };
    }
    if (event->time.ptr == NULL) {
        arvo_timestamp_format(platform->time_ms(platform->self), time);
        event->time = (arvo_str){ time, ARVO_TIMESTAMP_BYTES };
    }
    if (event->specversion.ptr == NULL)
        event->specversion = ARVO_STR(ARVO_EVENT_SPEC_VERSION);
    if (event->datacontenttype.ptr == NULL)
        event->datacontenttype = ARVO_STR(ARVO_EVENT_CONTENT_TYPE);
    event->dataschema = event_none_when_empty(event->dataschema);
    event->redirectto = event_none_when_empty(event->redirectto);
    event->parentid = event_none_when_empty(event->parentid);
    if (event->to.len == 0)
        event->to = event->type;
    return true;
}

/* Move every string into one block of the arena, encoded where that is due. Text that is not UTF-8
 * cannot be encoded: it is moved as it is, and its bit set in the result for the check to report.
 * false: out of memory. */
static bool
event_move_text(arvo_event *event, arvo_arena *arena, uint32_t *not_utf8)
{
    size_t lengths[ARVO__EVENT_STRING_COUNT];
    size_t total = 0;
    uint32_t encode = 0;
    for (unsigned i = 0; i < ARVO__EVENT_STRING_COUNT; i++) {
        const arvo_str text = *arvo__event_string(event, i);
        lengths[i] = text.len;
        if ((EVENT_URI_FIELDS & 1u << i) != 0 && !arvo_uri_is_plain(text)) {
            if (!arvo__utf8_is_valid(text)) {
                *not_utf8 |= 1u << i;
            } else {
                lengths[i] = arvo__uri_encoded_len(text);
                encode |= 1u << i;
            }
        }
        if (lengths[i] > SIZE_MAX - total)
            return false;
        total += lengths[i];
    }

    char *block = arvo__arena_alloc(arena, total);
    if (block == NULL)
        return false;
    for (unsigned i = 0; i < ARVO__EVENT_STRING_COUNT; i++) {
        arvo_str *text = arvo__event_string(event, i);
        if (text->ptr == NULL)
            continue;
        if ((encode & 1u << i) != 0)
            arvo__uri_encode_into(*text, block);
        else if (text->len > 0)
            memcpy(block, text->ptr, text->len);
        *text = (arvo_str){ block, lengths[i] };
        block += lengths[i];
    }
    return true;
}

arvo_status
arvo_event_create(
    const arvo_event *fields, const arvo_platform *platform, arvo_arena *arena, arvo_event *out,
    arvo_error *err)
{
    ARVO_ASSERT(fields != NULL && platform != NULL && arena != NULL && out != NULL);
    char id[ARVO_UUID_BYTES], time[ARVO_TIMESTAMP_BYTES];
    arvo_event event = *fields;
    if (!event_fill_in(&event, platform, id, time))
        return arvo__fail(err, ARVO_E_IO, "event: the random source failed, no id can be made");

    const arvo_arena_mark mark = arvo_arena_mark_get(arena);
    uint32_t not_utf8 = 0;
    if (!event_move_text(&event, arena, &not_utf8)) {
        arvo_arena_rewind(arena, mark);
        return arvo__nomem(err);
    }
    const unsigned known = (not_utf8 == 0 ? ARVO__EVENT_URIS_VALID : 0) |
                           (fields->to.len == 0 ? ARVO__EVENT_TO_IS_TYPE : 0);
    const arvo_status st = arvo__event_check(&event, known, 0, NULL, err);
    if (st == ARVO_OK)
        *out = event;
    else
        arvo_arena_rewind(arena, mark);
    return st;
}
