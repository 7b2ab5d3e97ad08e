/* Events from and to JSON. */

#include <arvo/event.h>

#include "event/internal.h"
#include "json/internal.h"
#include "json/object.h"

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

/* The strings, in the order of spec 1.7.1, fall into runs between the values that are JSON: "data"
 * comes after the first run, the extensions after the second, "executionunits" after the third. A
 * run is written straight into room reserved for all of it, on the bet that no byte needs an
 * escape; where one does, the run is written again the long way. */

#define EVENT_RUN_HEAD(X)                                                                          \
    X("{\"id\":", id)                                                                              \
    X(",\"source\":", source)                                                                      \
    X(",\"specversion\":", specversion)                                                            \
    X(",\"type\":", type)                                                                          \
    X(",\"subject\":", subject)                                                                    \
    X(",\"datacontenttype\":", datacontenttype)                                                    \
    X(",\"dataschema\":", dataschema)
#define EVENT_RUN_TIME(X) X(",\"time\":", time)
#define EVENT_RUN_ROUTE(X)                                                                         \
    X(",\"to\":", to)                                                                              \
    X(",\"accesscontrol\":", accesscontrol)                                                        \
    X(",\"redirectto\":", redirectto)
#define EVENT_RUN_TRACE(X)                                                                         \
    X(",\"traceparent\":", traceparent)                                                            \
    X(",\"tracestate\":", tracestate)                                                              \
    X(",\"parentid\":", parentid)                                                                  \
    X(",\"domain\":", domain)

typedef unsigned char event_vector __attribute__((vector_size(16)));

/* Copy 16 bytes; all ones in the result where one needs an escape (control, quote, backslash). */
static inline event_vector
event_copy16(char *dst, const char *src)
{
    event_vector c;
    memcpy(&c, src, sizeof(c));
    memcpy(dst, &c, sizeof(c));
    return (event_vector)(((c & 0xe0) == 0) | (c == '"') | (c == '\\'));
}

/* Copy 8 bytes; not zero when one needs an escape. */
static inline uint64_t
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
    return hit & (ones * 0x80);
}

/* Copy; whether no byte needs an escape. The last step overlaps the one before it. */
static bool
event_copy_plain(char *dst, const char *src, size_t len)
{
    if (len >= 16) {
        event_vector hit = event_copy16(dst + len - 16, src + len - 16);
        for (size_t i = 0; i + 16 < len; i += 16)
            hit |= event_copy16(dst + i, src + i);
        uint64_t halves[2];
        memcpy(halves, &hit, sizeof(halves));
        return (halves[0] | halves[1]) == 0;
    }
    if (len >= 8)
        return (event_copy8(dst, src) | event_copy8(dst + len - 8, src + len - 8)) == 0;
    bool plain = true;
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

/* Returns where the next one goes. */
static inline size_t
event_put(char *room, size_t at, const char *key, size_t key_len, arvo_str str, bool *plain)
{
    memcpy(room + at, key, key_len);
    at += key_len;
    if (str.ptr == NULL) {
        memcpy(room + at, "null", 4);
        return at + 4;
    }
    *plain &= event_copy_plain(room + at + 1, str.ptr, str.len);
    room[at] = '"';
    room[at + str.len + 1] = '"';
    return at + str.len + 2;
}

static void
event_put_escaped(const char *key, arvo_str str, arvo_buf *out)
{
    arvo_buf_append_str(out, arvo_str_from(key));
    if (str.ptr != NULL)
        arvo_json_write_str(str, out);
    else
        arvo_buf_append_str(out, ARVO_STR("null"));
}

#define EVENT_RUN_LENGTH(key, field) +(sizeof(key) - 1) + event_str_len(event->field)
#define EVENT_RUN_PUT(key, field)                                                                  \
    at = event_put(room, at, key, sizeof(key) - 1, event->field, &plain);
#define EVENT_RUN_ESCAPED(key, field) event_put_escaped(key, event->field, out);
#define EVENT_RUN_WRITER(name, RUN)                                                                \
    static void name(const arvo_event *event, arvo_buf *out)                                       \
    {                                                                                              \
        char *room = arvo_buf_reserve(out, 0 RUN(EVENT_RUN_LENGTH));                               \
        if (room == NULL)                                                                          \
            return;                                                                                \
        size_t at = 0;                                                                             \
        bool plain = true;                                                                         \
        RUN(EVENT_RUN_PUT)                                                                         \
        if (ARVO_LIKELY(plain)) {                                                                  \
            out->len += at;                                                                        \
            return;                                                                                \
        }                                                                                          \
        RUN(EVENT_RUN_ESCAPED)                                                                     \
    }

EVENT_RUN_WRITER(event_write_head, EVENT_RUN_HEAD)
EVENT_RUN_WRITER(event_write_time, EVENT_RUN_TIME)
EVENT_RUN_WRITER(event_write_route, EVENT_RUN_ROUTE)
EVENT_RUN_WRITER(event_write_trace, EVENT_RUN_TRACE)

static void
event_write_extensions(const arvo_json *extensions, arvo_buf *out)
{
    for (size_t i = 0; i < arvo_json_count(extensions); i++) {
        arvo_buf_append_char(out, ',');
        arvo_json_write_str(arvo_json_key_at(extensions, i), out);
        arvo_buf_append_char(out, ':');
        arvo_json_write(arvo_json_at(extensions, i), out);
    }
}

void
arvo_event_write(const arvo_event *event, arvo_buf *out)
{
    ARVO_ASSERT(event != NULL && out != NULL);
    event_write_head(event, out);
    arvo_buf_append_str(out, ARVO_STR(",\"data\":"));
    arvo_json_write(event->data, out);
    event_write_time(event, out);
    if (event->extensions != NULL)
        event_write_extensions(event->extensions, out);
    event_write_route(event, out);
    arvo_buf_append_str(out, ARVO_STR(",\"executionunits\":"));
    arvo_json_write(event->executionunits, out);
    event_write_trace(event, out);
    arvo_buf_append_char(out, '}');
}

/* Members one behind the other: the keys are known to differ, so none is looked for. */
typedef struct event_members {
    struct arvo__member *items;
    uint32_t count;
} event_members;

static inline struct arvo__member *
event_member(event_members *members, arvo_str key)
{
    struct arvo__member *member = &members->items[members->count++];
    *member = (struct arvo__member){ .key = key.ptr, .key_len = (uint32_t)key.len, .key_plain = 1 };
    member->value.type = ARVO_JSON_NULL;
    return member;
}

static inline void
event_member_str(event_members *members, arvo_str key, arvo_str text)
{
    struct arvo_json *value = &event_member(members, key)->value;
    if (text.ptr == NULL)
        return;
    value->type = ARVO_JSON_STRING;
    value->flags = arvo__json_str_is_plain(text.ptr, text.len) ? ARVO__JSON_PLAIN : 0;
    value->len = (uint32_t)text.len;
    value->as.string = text.ptr;
}

static inline void
event_member_json(event_members *members, arvo_str key, const arvo_json *given)
{
    struct arvo_json *value = &event_member(members, key)->value;
    if (given == NULL)
        return;
    *value = *given;
    value->cap_log2 = 0; /* shared: not to be grown through this copy */
}

/* An object over the members. One with many needs an index, which setting them makes. */
static const arvo_json *
event_object(arvo_arena *arena, arvo_json *object, const event_members *members)
{
    if (members->count <= ARVO__OBJECT_SCAN_MAX) {
        object->as.members = members->items;
        object->len = members->count;
        return object;
    }
    for (uint32_t i = 0; i < members->count; i++)
        arvo_json_set_ref(
            arena, object, (arvo_str){ members->items[i].key, members->items[i].key_len },
            &members->items[i].value);
    return arvo_arena_failed(arena) ? NULL : object;
}

const arvo_json *
arvo_event_to_json(const arvo_event *event, arvo_arena *arena)
{
    ARVO_ASSERT(event != NULL && arena != NULL);
    const size_t extensions = arvo_json_count(event->extensions);
    arvo_json *object = arvo_json_object_new(arena);
    event_members members = { arvo__arena_alloc(
        arena, (ARVO__EVENT_FIELD_COUNT + extensions) * sizeof(struct arvo__member)) };
    if (object == NULL || members.items == NULL)
        return NULL;
    event_member_str(&members, ARVO_STR("id"), event->id);
    event_member_str(&members, ARVO_STR("source"), event->source);
    event_member_str(&members, ARVO_STR("specversion"), event->specversion);
    event_member_str(&members, ARVO_STR("type"), event->type);
    event_member_str(&members, ARVO_STR("subject"), event->subject);
    event_member_str(&members, ARVO_STR("datacontenttype"), event->datacontenttype);
    event_member_str(&members, ARVO_STR("dataschema"), event->dataschema);
    event_member_json(&members, ARVO_STR("data"), event->data);
    event_member_str(&members, ARVO_STR("time"), event->time);
    for (size_t i = 0; i < extensions; i++) { /* no standard attribute's name */
        const arvo_str key = arvo_json_key_at(event->extensions, i);
        event_member_json(&members, key, arvo_json_at(event->extensions, i));
        members.items[members.count - 1].key_plain = arvo__json_str_is_plain(key.ptr, key.len);
    }
    event_member_str(&members, ARVO_STR("to"), event->to);
    event_member_str(&members, ARVO_STR("accesscontrol"), event->accesscontrol);
    event_member_str(&members, ARVO_STR("redirectto"), event->redirectto);
    event_member_json(&members, ARVO_STR("executionunits"), event->executionunits);
    event_member_str(&members, ARVO_STR("traceparent"), event->traceparent);
    event_member_str(&members, ARVO_STR("tracestate"), event->tracestate);
    event_member_str(&members, ARVO_STR("parentid"), event->parentid);
    event_member_str(&members, ARVO_STR("domain"), event->domain);
    return event_object(arena, object, &members);
}
