/* Subjects: checked, read, written, made. */

#include <arvo/subject.h>

#include <stddef.h>

#include <arvo/event.h>

#include "subject/internal.h"

#define SUBJECT_CACHED_BYTES_MAX ((size_t)8 * 1024) /* a decoded subject larger is not cached */
#define SUBJECT_VALUE_BYTES_MAX  ((size_t)60)       /* of a value that is quoted */

/* ---- Rules (spec 2.3) ------------------------------------------------------------------- */

static bool
subject_id_is_valid(arvo_str id)
{
    return id.len > 0 && memchr(id.ptr, ';', id.len) == NULL && arvo__utf8_is_valid(id);
}

static const struct subject_field {
    const char *object, *key;
    size_t offset; /* of an arvo_str in arvo_subject */
    bool (*is_valid)(arvo_str);
    const char *rule; /* completes "<object>.<key> must be ..." */
} subject_fields[] = {
    { "orchestrator", "name", offsetof(arvo_subject, orchestrator_name), arvo_event_type_is_valid,
      "three or more dotted parts of a-z, 0-9" },
    { "orchestrator", "version", offsetof(arvo_subject, orchestrator_version),
      arvo_version_is_valid, "MAJOR.MINOR.PATCH" },
    { "execution", "id", offsetof(arvo_subject, execution_id), subject_id_is_valid,
      "non-empty text without ';'" },
    { "execution", "initiator", offsetof(arvo_subject, initiator), arvo_event_type_is_valid,
      "three or more dotted parts of a-z, 0-9" },
    { "execution", "domain", offsetof(arvo_subject, domain), arvo_domain_is_valid,
      "null or a-z, 0-9 and dots, not \"all\"" },
};

static bool
subject_field_is_nullable(const struct subject_field *field)
{
    return field->offset == offsetof(arvo_subject, domain);
}

static arvo_str
subject_field_value(const arvo_subject *subject, const struct subject_field *field)
{
    arvo_str value;
    memcpy(&value, (const char *)subject + field->offset, sizeof(value));
    return value;
}

static arvo_status
subject_check_meta(const arvo_json *meta, arvo_arena *arena, arvo_error *err)
{
    if (arvo_json_type_of(meta) != ARVO_JSON_OBJECT)
        return arvo__fail(
            err, ARVO_E_INVALID, "subject: meta must be an object of strings, not %s",
            arvo_json_type_name(arvo_json_type_of(meta)));
    for (size_t i = 0; i < arvo_json_count(meta); i++) {
        const arvo_json_type type = arvo_json_type_of(arvo_json_at(meta, i));
        if (type != ARVO_JSON_STRING)
            return arvo__fail(
                err, ARVO_E_INVALID, "subject: meta %.*s must be a string, not %s",
                ARVO_FMT(arvo__quote(arena, arvo_json_key_at(meta, i), SUBJECT_VALUE_BYTES_MAX)),
                arvo_json_type_name(type));
    }
    return ARVO_OK;
}

/* `arena` is for the message. */
static arvo_status
subject_check(const arvo_subject *subject, arvo_arena *arena, arvo_error *err)
{
    for (size_t i = 0; i < ARVO_COUNT_OF(subject_fields); i++) {
        const struct subject_field *field = &subject_fields[i];
        const arvo_str value = subject_field_value(subject, field);
        if (value.ptr == NULL && subject_field_is_nullable(field))
            continue;
        if (value.ptr == NULL)
            return arvo__fail(
                err, ARVO_E_INVALID, "subject: %s.%s is missing, it must be %s", field->object,
                field->key, field->rule);
        if (!field->is_valid(value))
            return arvo__fail(
                err, ARVO_E_INVALID, "subject: %s.%s must be %s, not %.*s", field->object,
                field->key, field->rule,
                ARVO_FMT(arvo__quote(arena, value, SUBJECT_VALUE_BYTES_MAX)));
    }
    return arvo_json_is_nullish(subject->meta) ? ARVO_OK
                                               : subject_check_meta(subject->meta, arena, err);
}

/* ---- Decoding ------------------------------------------------------------------------------ */

static arvo_status
subject_from_json(const arvo_json *root, arvo_arena *arena, arvo_subject *out, arvo_error *err)
{
    if (arvo_json_type_of(root) != ARVO_JSON_OBJECT)
        return arvo__fail(
            err, ARVO_E_INVALID, "subject: must hold an object, not %s",
            arvo_json_type_name(arvo_json_type_of(root)));

    arvo_subject subject = { .meta = arvo_json_get(root, "meta"), .json = root };
    for (size_t i = 0; i < ARVO_COUNT_OF(subject_fields); i++) {
        const struct subject_field *field = &subject_fields[i];
        const arvo_json *value = arvo_json_get(arvo_json_get(root, field->object), field->key);
        const arvo_json_type type = arvo_json_type_of(value);
        if (type != ARVO_JSON_STRING &&
            !(subject_field_is_nullable(field) && arvo_json_is_nullish(value)))
            return arvo__fail(
                err, ARVO_E_INVALID, "subject: %s.%s must be %s, not %s", field->object, field->key,
                field->rule, arvo_json_type_name(type));
        const arvo_str text = arvo_json_str(value);
        memcpy((char *)&subject + field->offset, &text, sizeof(text));
    }
    /* Absent is no default here: a document must have it. */
    arvo_status st = subject_check_meta(subject.meta, arena, err);
    if (st == ARVO_OK)
        st = subject_check(&subject, arena, err);
    if (st == ARVO_OK)
        *out = subject;
    return st;
}

static arvo_status
subject_decode_with(
    arvo_subject_codec *codec, arvo_str text, arvo_arena *arena, arvo_subject *out, arvo_error *err)
{
    arvo_str json;
    arvo_status st = arvo__subject_unpack(codec, text, arena, &json, err);
    if (st != ARVO_OK)
        return st;

    const arvo_json *root = NULL;
    st = arvo_json_parse(json, arena, &root, err);
    if (st != ARVO_OK) {
        arvo_error_prefix(err, "subject");
        return st;
    }
    return subject_from_json(root, arena, out, err);
}

static arvo_status
subject_decode_cached(
    arvo_subject_codec *codec, arvo_str text, arvo_arena *arena, arvo_subject *out, arvo_error *err)
{
    const uint64_t hash = arvo__hash_keyed(text.ptr, text.len);
    const arvo_subject *cached = arvo__subject_cache_find(&codec->cache, text, hash);
    if (ARVO_LIKELY(cached != NULL)) {
        *out = *cached;
        return ARVO_OK;
    }

    const arvo_arena_mark mark = arvo_arena_mark_get(arena);
    const size_t used = arvo_arena_used(arena);
    arvo_subject subject;
    const arvo_status st = subject_decode_with(codec, text, arena, &subject, err);
    if (st != ARVO_OK) {
        arvo_arena_rewind(arena, mark);
        return st;
    }
    if (arvo_arena_used(arena) - used + text.len <= SUBJECT_CACHED_BYTES_MAX)
        cached = arvo__subject_cache_add(&codec->cache, text, hash, &subject);
    if (cached != NULL) {
        subject = *cached;
        arvo_arena_rewind(arena, mark);
    }
    *out = subject;
    return ARVO_OK;
}

arvo_subject_codec *
arvo_subject_codec_new(const arvo_subject_codec_opts *opts)
{
    static const arvo_subject_codec_opts defaults = { 0 };
    if (opts == NULL)
        opts = &defaults;
    const uint32_t entries =
        opts->cache_entries != 0 ? opts->cache_entries : ARVO_SUBJECT_CACHE_ENTRIES_DEFAULT;

    arvo_subject_codec *codec = arvo__alloc(opts->allocator, sizeof(*codec));
    if (codec == NULL)
        return NULL;
    if (!arvo__subject_codec_init(codec, opts->allocator, opts->lenient)) {
        arvo__free(opts->allocator, codec, sizeof(*codec));
        return NULL;
    }
    codec->has_cache = arvo__subject_cache_init(&codec->cache, entries, codec->allocator);
    if (!codec->has_cache) {
        arvo_subject_codec_free(codec);
        return NULL;
    }
    return codec;
}

void
arvo_subject_codec_free(arvo_subject_codec *codec)
{
    if (codec == NULL)
        return;
    arvo__subject_codec_fini(codec);
    const arvo_allocator copy = codec->allocator_copy;
    arvo__free(codec->allocator != NULL ? &copy : NULL, codec, sizeof(*codec));
}

arvo_status
arvo_subject_decode(
    arvo_subject_codec *codec, arvo_str text, arvo_arena *arena, arvo_subject *out, arvo_error *err)
{
    ARVO_ASSERT(arena != NULL && out != NULL);
    if (codec != NULL)
        return subject_decode_cached(codec, text, arena, out, err);

    arvo_subject_codec once;
    if (!arvo__subject_codec_init(&once, NULL, false))
        return arvo__nomem(err);
    const arvo_arena_mark mark = arvo_arena_mark_get(arena);
    const arvo_status st = subject_decode_with(&once, text, arena, out, err);
    if (st != ARVO_OK)
        arvo_arena_rewind(arena, mark);
    arvo__subject_codec_fini(&once);
    return st;
}

void
arvo__subject_codec_remember(arvo_subject_codec *codec, arvo_str text, arvo_arena *scratch)
{
    const arvo_arena_mark mark = arvo_arena_mark_get(scratch);
    const size_t used = arvo_arena_used(scratch);
    const arvo_json *root = NULL;
    arvo_subject subject;
    if (codec->encoded_len > 0 &&
        arvo_json_parse((arvo_str){ codec->json, codec->encoded_len }, scratch, &root, NULL) ==
            ARVO_OK &&
        subject_from_json(root, scratch, &subject, NULL) == ARVO_OK &&
        arvo_arena_used(scratch) - used + text.len <= SUBJECT_CACHED_BYTES_MAX)
        (void)arvo__subject_cache_add(
            &codec->cache, text, arvo__hash_keyed(text.ptr, text.len), &subject);
    arvo_arena_rewind(scratch, mark);
}

/* ---- Encoding ------------------------------------------------------------------------------- */

/* Key order of spec 2.1, with execution.domain (v3). */
static void
subject_write(const arvo_subject *subject, arvo_buf *out)
{
    arvo_buf_append_str(out, ARVO_STR("{\"orchestrator\":{\"name\":"));
    arvo_json_write_str(subject->orchestrator_name, out);
    arvo_buf_append_str(out, ARVO_STR(",\"version\":"));
    arvo_json_write_str(subject->orchestrator_version, out);
    arvo_buf_append_str(out, ARVO_STR("},\"execution\":{\"id\":"));
    arvo_json_write_str(subject->execution_id, out);
    arvo_buf_append_str(out, ARVO_STR(",\"initiator\":"));
    arvo_json_write_str(subject->initiator, out);
    arvo_buf_append_str(out, ARVO_STR(",\"domain\":"));
    if (subject->domain.ptr != NULL)
        arvo_json_write_str(subject->domain, out);
    else
        arvo_buf_append_str(out, ARVO_STR("null"));
    arvo_buf_append_str(out, ARVO_STR("},\"meta\":"));
    if (!arvo_json_is_nullish(subject->meta))
        arvo_json_write(subject->meta, out);
    else
        arvo_buf_append_str(out, ARVO_STR("{}"));
    arvo_buf_append_char(out, '}');
}

static arvo_status
subject_encode_with(
    arvo_subject_codec *codec, const arvo_subject *subject, arvo_arena *arena, arvo_str *out,
    arvo_error *err)
{
    /* The codec's own memory, all of it, so the buffer never grows and owns nothing. */
    arvo_buf json = ARVO_BUF_INIT(ARVO_SUBJECT_JSON_BYTES_MAX);
    json.ptr = codec->json;
    json.cap = ARVO_SUBJECT_JSON_BYTES_MAX;
    subject_write(subject, &json);
    codec->encoded_len = 0;
    arvo_status st = arvo__buf_status(&json, "subject", err);
    if (st == ARVO_OK)
        st = arvo__subject_pack(codec, arvo_buf_str(&json), arena, out, err);
    if (st == ARVO_OK)
        codec->encoded_len = json.len;
    return st;
}

arvo_status
arvo_subject_encode(
    arvo_subject_codec *codec, const arvo_subject *subject, arvo_arena *arena, arvo_str *out,
    arvo_error *err)
{
    ARVO_ASSERT(subject != NULL && arena != NULL && out != NULL);
    const arvo_arena_mark mark = arvo_arena_mark_get(arena);
    arvo_status st = subject_check(subject, arena, err);
    if (st != ARVO_OK) {
        arvo_arena_rewind(arena, mark);
        return st;
    }
    if (codec != NULL)
        return subject_encode_with(codec, subject, arena, out, err);

    arvo_subject_codec once;
    if (!arvo__subject_codec_init(&once, NULL, false))
        return arvo__nomem(err);
    st = subject_encode_with(&once, subject, arena, out, err);
    arvo__subject_codec_fini(&once);
    return st;
}

/* ---- Making -----------------------------------------------------------------------------------
 */

/* What new and child have in common: version, id and the encoding. */
static arvo_status
subject_make(
    arvo_subject_codec *codec, arvo_subject *subject, const arvo_subject_new_opts *opts,
    const arvo_platform *platform, arvo_arena *arena, arvo_str *out, arvo_error *err)
{
    char id[ARVO_UUID_BYTES];
    subject->orchestrator_name = opts->name;
    subject->orchestrator_version =
        opts->version.ptr != NULL ? opts->version : ARVO_STR(ARVO_VERSION_WILDCARD);
    subject->execution_id = opts->execution_id;
    if (subject->execution_id.ptr == NULL) {
        if (!arvo_uuid_new(platform, id))
            return arvo__fail(
                err, ARVO_E_IO, "subject: the random source failed, no id can be made");
        subject->execution_id = (arvo_str){ id, sizeof(id) };
    }
    return arvo_subject_encode(codec, subject, arena, out, err);
}

arvo_status
arvo_subject_new(
    arvo_subject_codec *codec, const arvo_subject_new_opts *opts, const arvo_platform *platform,
    arvo_arena *arena, arvo_str *out, arvo_error *err)
{
    ARVO_ASSERT(opts != NULL && platform != NULL && arena != NULL && out != NULL);
    arvo_subject subject = {
        .initiator = opts->initiator,
        .domain = opts->domain,
        .meta = opts->meta,
    };
    return subject_make(codec, &subject, opts, platform, arena, out, err);
}

/* The parent's meta with `over` laid over it: its keys first, each at its place. */
static const arvo_json *
subject_meta_over(const arvo_json *meta, const arvo_json *over, arvo_arena *arena)
{
    if (arvo_json_count(over) == 0)
        return meta;
    arvo_json *both = arvo_json_clone(arena, meta);
    for (size_t i = 0; i < arvo_json_count(over); i++)
        arvo_json_set_ref(arena, both, arvo_json_key_at(over, i), arvo_json_at(over, i));
    return arvo_arena_failed(arena) ? NULL : both;
}

/* What is being executed is in the cache as a rule. A parent that is not is not put there either:
 * the caller may hold a subject that is. */
static arvo_status
subject_decode_parent(
    arvo_subject_codec *codec, arvo_str text, arvo_arena *arena, arvo_subject *out, arvo_error *err)
{
    if (codec == NULL)
        return arvo_subject_decode(NULL, text, arena, out, err);
    const arvo_subject *cached =
        arvo__subject_cache_find(&codec->cache, text, arvo__hash_keyed(text.ptr, text.len));
    if (cached == NULL)
        return subject_decode_with(codec, text, arena, out, err);
    *out = *cached;
    return ARVO_OK;
}

arvo_status
arvo_subject_child(
    arvo_subject_codec *codec, arvo_str parent, const arvo_subject_new_opts *opts,
    const arvo_platform *platform, arvo_arena *arena, arvo_str *out, arvo_error *err)
{
    ARVO_ASSERT(opts != NULL && platform != NULL && arena != NULL && out != NULL);
    const arvo_arena_mark mark = arvo_arena_mark_get(arena);
    arvo_subject from;
    arvo_status st = subject_decode_parent(codec, parent, arena, &from, err);
    if (st != ARVO_OK) {
        arvo_arena_rewind(arena, mark);
        arvo_error_prefix(err, "parent");
        return st;
    }

    if (!arvo_json_is_nullish(opts->meta))
        st = subject_check_meta(opts->meta, arena, err);
    arvo_subject subject = {
        .initiator = from.orchestrator_name,
        .domain = opts->domain.ptr != NULL ? opts->domain : from.domain,
        .meta = subject_meta_over(from.meta, opts->meta, arena),
    };
    if (st == ARVO_OK && subject.meta == NULL)
        st = arvo__nomem(err);
    if (st == ARVO_OK)
        st = subject_make(codec, &subject, opts, platform, arena, out, err);
    if (st != ARVO_OK)
        arvo_arena_rewind(arena, mark);
    return st;
}
