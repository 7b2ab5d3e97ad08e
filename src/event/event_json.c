/* Events from and to JSON. */

#include <arvo/event.h>

#include "event/internal.h"
#include "json/internal.h"

/* ---- Reading ------------------------------------------------------------------------ */

/* Members that are no standard attribute. Bad ones are kept too: the check reports them. */
static bool
event_add_extension(
    arvo_event *event, struct arvo_json **extensions, const struct arvo__member *member,
    arvo_arena *arena)
{
    if (*extensions == NULL) {
        *extensions = arvo_json_object_new(arena);
        event->extensions = *extensions;
    }
    arvo_json_set_ref(
        arena, *extensions, (arvo_str){ member->key, member->key_len }, &member->value);
    return !arvo_arena_failed(arena);
}

arvo_status
arvo_event_from_json(const arvo_json *object, arvo_arena *arena, arvo_event *out, arvo_error *err)
{
    ARVO_ASSERT(arena != NULL && out != NULL);
    if (arvo_json_type_of(object) != ARVO_JSON_OBJECT)
        return arvo__fail(
            err, ARVO_E_INVALID, "event: must be an object, not %s",
            arvo_json_type_name(arvo_json_type_of(object)));

    arvo_event event = { 0 };
    struct arvo_json *extensions = NULL;
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < object->len; i++) {
        const struct arvo__member *member = &object->as.members[i];
        const struct arvo_json *value = &member->value;
        const unsigned field = arvo__event_field_of(member->key, member->key_len);

        if (field < ARVO__EVENT_STRING_COUNT) {
            if (value->type == ARVO_JSON_STRING)
                *arvo__event_string(&event, field) = (arvo_str){ value->as.string, value->len };
            else if (value->type != ARVO_JSON_NULL)
                wrong |= (uint32_t)1 << field;
        } else if (field == ARVO__EVENT_data) {
            event.data = value;
        } else if (field == ARVO__EVENT_executionunits) {
            event.executionunits = value->type != ARVO_JSON_NULL ? value : NULL;
        } else if (!event_add_extension(&event, &extensions, member, arena)) {
            return arvo__nomem(err);
        }
    }

    const arvo_status st = arvo__event_check(&event, ARVO__EVENT_TEXT_IS_UTF8, wrong, object, err);
    if (st == ARVO_OK)
        *out = event;
    return st;
}

arvo_status
arvo_event_parse(arvo_str text, arvo_arena *arena, arvo_event *out, arvo_error *err)
{
    ARVO_ASSERT(arena != NULL && out != NULL);
    const arvo_arena_mark mark = arvo_arena_mark_get(arena);
    const arvo_json *root = NULL;

    arvo_status st = arvo_json_parse_opt(
        text, &(arvo_json_parse_opts){ .bytes_max = ARVO_EVENT_BYTES_MAX }, arena, &root, err);
    if (st != ARVO_OK) {
        arvo_error_prefix(err, "event");
        return st;
    }
    st = arvo_event_from_json(root, arena, out, err);
    if (st != ARVO_OK)
        arvo_arena_rewind(arena, mark);
    return st;
}

/* ---- Writing ------------------------------------------------------------------------ */

/* Bytes are written straight into the buffer: room for all that is known in advance is reserved at
 * once. `rest` is how much of it is still to come, so that the room can be reserved again after
 * something of unknown length. `at` is NULL after a failure. */
struct event_writer {
    arvo_buf *out;
    char *at;
    size_t rest;
};

static void
event_writer_sync(struct event_writer *writer)
{
    if (writer->at != NULL)
        writer->out->len = (size_t)(writer->at - writer->out->ptr);
    writer->at = NULL;
}

static void
event_writer_resume(struct event_writer *writer)
{
    writer->at = arvo_buf_reserve(writer->out, writer->rest);
}

static inline void
event_write_literal(struct event_writer *writer, const char *text, size_t len)
{
    if (ARVO_UNLIKELY(writer->at == NULL))
        return;
    memcpy(writer->at, text, len);
    writer->at += len;
    writer->rest -= len;
}

#define EVENT_LITERAL(writer, text) event_write_literal((writer), (text), sizeof(text) - 1)

typedef unsigned char event_vector __attribute__((vector_size(16)));

/* Copy, and tell whether none of the bytes needs an escape (controls, quote, backslash). */
static inline bool
event_copy16(char *dst, const char *src)
{
    event_vector c;
    memcpy(&c, src, sizeof(c));
    memcpy(dst, &c, sizeof(c));
    const event_vector hit = (event_vector)(((c & 0xe0) == 0) | (c == '"') | (c == '\\'));
    uint64_t halves[2];
    memcpy(halves, &hit, sizeof(halves));
    return (halves[0] | halves[1]) == 0;
}

static inline bool
event_copy8(char *dst, const char *src)
{
    const uint64_t ones = 0x0101010101010101ULL;
    uint64_t word;
    memcpy(&word, src, sizeof(word));
    memcpy(dst, &word, sizeof(word));
    /* The high bit of a byte of (x - 1) & ~x says x == 0, or that a byte below it did. */
    const uint64_t quote = word ^ (ones * '"'), backslash = word ^ (ones * '\\');
    const uint64_t hit = ((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) |
                         ((backslash - ones) & ~backslash);
    return (hit & (ones * 0x80)) == 0;
}

/* The last step overlaps the one before it, so that no byte is taken by itself. */
static inline bool
event_copy_plain(char *dst, const char *src, size_t len)
{
    bool plain = true;
    if (len >= 16) {
        for (size_t i = 0; i + 16 < len; i += 16)
            plain &= event_copy16(dst + i, src + i);
        plain &= event_copy16(dst + len - 16, src + len - 16);
        return plain;
    }
    if (len >= 8) {
        plain &= event_copy8(dst, src);
        plain &= event_copy8(dst + len - 8, src + len - 8);
        return plain;
    }
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)src[i];
        dst[i] = (char)c;
        plain &= c >= 0x20 && c != '"' && c != '\\';
    }
    return plain;
}

static inline size_t
event_str_len(arvo_str str)
{
    return str.ptr != NULL ? str.len + 2 : 4;
}

static void
event_write_str(struct event_writer *writer, arvo_str str)
{
    if (str.ptr == NULL) {
        EVENT_LITERAL(writer, "null");
        return;
    }
    if (ARVO_UNLIKELY(writer->at == NULL))
        return;
    writer->rest -= str.len + 2;
    if (ARVO_LIKELY(event_copy_plain(writer->at + 1, str.ptr, str.len))) {
        writer->at[0] = '"';
        writer->at[str.len + 1] = '"';
        writer->at += str.len + 2;
        return;
    }
    event_writer_sync(writer);
    arvo_json_write_str(str, writer->out);
    event_writer_resume(writer);
}

static void
event_write_json(struct event_writer *writer, const arvo_json *value)
{
    if (value == NULL) {
        EVENT_LITERAL(writer, "null");
        return;
    }
    event_writer_sync(writer);
    arvo_json_write(value, writer->out);
    event_writer_resume(writer);
}

static void
event_write_extensions(struct event_writer *writer, const arvo_json *extensions)
{
    event_writer_sync(writer);
    for (size_t i = 0; i < arvo_json_count(extensions); i++) {
        arvo_buf_append_char(writer->out, ',');
        arvo_json_write_str(arvo_json_key_at(extensions, i), writer->out);
        arvo_buf_append_char(writer->out, ':');
        arvo_json_write(arvo_json_at(extensions, i), writer->out);
    }
    event_writer_resume(writer);
}

/* The text of an event apart from its values. In the order of spec 1.7.1; the extensions stand
 * before "to". */
#define EVENT_KEYS                                                                                 \
    "{\"id\":,\"source\":,\"specversion\":,\"type\":,\"subject\":,\"datacontenttype\":,"           \
    "\"dataschema\":,\"data\":,\"time\":,\"to\":,\"accesscontrol\":,\"redirectto\":,"              \
    "\"executionunits\":,\"traceparent\":,\"tracestate\":,\"parentid\":,\"domain\":}"

void
arvo_event_write(const arvo_event *event, arvo_buf *out)
{
    ARVO_ASSERT(event != NULL && out != NULL);
    struct event_writer writer = { .out = out, .rest = sizeof(EVENT_KEYS) - 1 };
#define EVENT_LENGTH(name) writer.rest += event_str_len(event->name);
    ARVO__EVENT_STRINGS(EVENT_LENGTH)
#undef EVENT_LENGTH
    if (event->data == NULL)
        writer.rest += 4;
    if (event->executionunits == NULL)
        writer.rest += 4;
    event_writer_resume(&writer);

    EVENT_LITERAL(&writer, "{\"id\":");
    event_write_str(&writer, event->id);
    EVENT_LITERAL(&writer, ",\"source\":");
    event_write_str(&writer, event->source);
    EVENT_LITERAL(&writer, ",\"specversion\":");
    event_write_str(&writer, event->specversion);
    EVENT_LITERAL(&writer, ",\"type\":");
    event_write_str(&writer, event->type);
    EVENT_LITERAL(&writer, ",\"subject\":");
    event_write_str(&writer, event->subject);
    EVENT_LITERAL(&writer, ",\"datacontenttype\":");
    event_write_str(&writer, event->datacontenttype);
    EVENT_LITERAL(&writer, ",\"dataschema\":");
    event_write_str(&writer, event->dataschema);
    EVENT_LITERAL(&writer, ",\"data\":");
    event_write_json(&writer, event->data);
    EVENT_LITERAL(&writer, ",\"time\":");
    event_write_str(&writer, event->time);
    if (event->extensions != NULL)
        event_write_extensions(&writer, event->extensions);
    EVENT_LITERAL(&writer, ",\"to\":");
    event_write_str(&writer, event->to);
    EVENT_LITERAL(&writer, ",\"accesscontrol\":");
    event_write_str(&writer, event->accesscontrol);
    EVENT_LITERAL(&writer, ",\"redirectto\":");
    event_write_str(&writer, event->redirectto);
    EVENT_LITERAL(&writer, ",\"executionunits\":");
    event_write_json(&writer, event->executionunits);
    EVENT_LITERAL(&writer, ",\"traceparent\":");
    event_write_str(&writer, event->traceparent);
    EVENT_LITERAL(&writer, ",\"tracestate\":");
    event_write_str(&writer, event->tracestate);
    EVENT_LITERAL(&writer, ",\"parentid\":");
    event_write_str(&writer, event->parentid);
    EVENT_LITERAL(&writer, ",\"domain\":");
    event_write_str(&writer, event->domain);
    EVENT_LITERAL(&writer, "}");
    event_writer_sync(&writer);
}

static void
event_set_str(arvo_arena *arena, arvo_json *object, const char *key, arvo_str value)
{
    const arvo_json *text =
        value.ptr != NULL ? arvo_json_string_ref(arena, value) : arvo_json_null();
    arvo_json_set_ref(arena, object, arvo_str_from(key), text);
}

const arvo_json *
arvo_event_to_json(const arvo_event *event, arvo_arena *arena)
{
    ARVO_ASSERT(event != NULL && arena != NULL);
    arvo_json *object = arvo_json_object_new(arena);
    event_set_str(arena, object, "id", event->id);
    event_set_str(arena, object, "source", event->source);
    event_set_str(arena, object, "specversion", event->specversion);
    event_set_str(arena, object, "type", event->type);
    event_set_str(arena, object, "subject", event->subject);
    event_set_str(arena, object, "datacontenttype", event->datacontenttype);
    event_set_str(arena, object, "dataschema", event->dataschema);
    arvo_json_set_ref(arena, object, ARVO_STR("data"), event->data);
    event_set_str(arena, object, "time", event->time);
    for (size_t i = 0; i < arvo_json_count(event->extensions); i++)
        arvo_json_set_ref(
            arena, object, arvo_json_key_at(event->extensions, i),
            arvo_json_at(event->extensions, i));
    event_set_str(arena, object, "to", event->to);
    event_set_str(arena, object, "accesscontrol", event->accesscontrol);
    event_set_str(arena, object, "redirectto", event->redirectto);
    arvo_json_set_ref(arena, object, ARVO_STR("executionunits"), event->executionunits);
    event_set_str(arena, object, "traceparent", event->traceparent);
    event_set_str(arena, object, "tracestate", event->tracestate);
    event_set_str(arena, object, "parentid", event->parentid);
    event_set_str(arena, object, "domain", event->domain);
    return arvo_arena_failed(arena) ? NULL : object;
}
