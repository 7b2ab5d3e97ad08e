/* YAML documents as JSON values: the YAML 1.2 core schema over libyaml's events.
 *
 * libyaml knows YAML 1.1's syntax but resolves no plain scalar, so the core
 * schema is applied here. An alias shares the value of its anchor; what bounds
 * an alias bomb is the number of nodes counted as if every alias were copied,
 * and the depth likewise, for whoever walks the value later. */

#include "json/document_internal.h"

#ifndef ARVO_HAVE_YAML

arvo_status
arvo__yaml_parse(
    arvo_str file, arvo_str text, arvo_arena *arena, arvo_document_list *out, arvo_error *err)
{
    (void)arena;
    (void)out;
    return arvo__text_error(
        file, text, 0, err, ARVO_E_UNSUPPORTED,
        "YAML is not supported: this library was built without libyaml; use JSON");
}

uint32_t
arvo__yaml_line(arvo_str text, size_t document_index, arvo_str pointer)
{
    (void)text;
    (void)document_index;
    (void)pointer;
    return 0;
}

#else

#include <stdio.h>
#include <string.h>

#include <yaml.h>

#define CORE_TAG_PREFIX        "tag:yaml.org,2002:"
#define NUMBER_TEXT_BYTES_MAX  ((size_t)1024)
#define SCALAR_SHOWN_BYTES_MAX 60

typedef struct yaml_reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the present one, when has_event */
    bool has_event;
    arvo_str file;
    arvo_str text; /* without its byte order mark */
    arvo_arena *arena;
    arvo_error *err;
    arvo__map anchors; /* name -> yaml_anchor, of the present document */
    size_t nodes;      /* of the file, aliases followed */
} yaml_reader;

/* A value, its number of nodes and its height (a scalar's is 0). */
typedef struct yaml_value {
    const arvo_json *json;
    size_t nodes;
    unsigned height;
} yaml_value;

typedef struct yaml_anchor {
    yaml_value value;
    bool complete; /* false while its own node is being read: an alias to it is a cycle */
} yaml_anchor;

/* ---- Positions and errors ------------------------------------------------- */

/* Byte offset of a mark; libyaml counts code points. For errors only: it reads from the start. */
static size_t
yaml_mark_offset(const yaml_reader *reader, const yaml_mark_t *mark)
{
    const arvo_str text = reader->text;
    size_t i = 0;
    for (size_t chars = mark->index; chars > 0 && i < text.len; chars--) {
        i++;
        while (i < text.len && ((unsigned char)text.ptr[i] & 0xC0u) == 0x80u)
            i++;
    }
    return i;
}

#define YAML_FAIL(reader, mark, status, ...)                                                       \
    arvo__text_error(                                                                              \
        (reader)->file, (reader)->text, yaml_mark_offset((reader), (mark)), (reader)->err,         \
        (status), __VA_ARGS__)

static arvo_status
yaml_parser_failed(yaml_reader *reader)
{
    const yaml_parser_t *const parser = &reader->parser;
    const char *const problem = parser->problem != NULL ? parser->problem : "not YAML";
    switch (parser->error) {
    case YAML_MEMORY_ERROR:
        return arvo__nomem(reader->err);
    case YAML_READER_ERROR:
        return arvo__text_error(
            reader->file, reader->text, parser->problem_offset, reader->err, ARVO_E_MALFORMED, "%s",
            problem);
    default:
        if (parser->context == NULL)
            return YAML_FAIL(reader, &parser->problem_mark, ARVO_E_MALFORMED, "%s", problem);
        return YAML_FAIL(
            reader, &parser->problem_mark, ARVO_E_MALFORMED, "%s (%s that began on line %zu)",
            problem, parser->context, parser->context_mark.line + 1);
    }
}

/* ---- Events --------------------------------------------------------------- */

static arvo_status
yaml_reader_init(yaml_reader *reader, arvo_str text)
{
    if (yaml_parser_initialize(&reader->parser) == 0)
        return arvo__nomem(reader->err);
    if (arvo_str_starts(text, ARVO_STR("\xEF\xBB\xBF"))) {
        text.ptr += 3;
        text.len -= 3;
    }
    reader->text = text;
    yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader->parser, (const unsigned char *)text.ptr, text.len);
    return ARVO_OK;
}

static void
yaml_reader_fini(yaml_reader *reader)
{
    if (reader->has_event)
        yaml_event_delete(&reader->event);
    yaml_parser_delete(&reader->parser);
    arvo__map_fini(&reader->anchors);
}

static arvo_status
yaml_next(yaml_reader *reader)
{
    if (reader->has_event)
        yaml_event_delete(&reader->event);
    reader->has_event = false;
    if (yaml_parser_parse(&reader->parser, &reader->event) == 0)
        return yaml_parser_failed(reader);
    reader->has_event = true;
    return ARVO_OK;
}

/* The root of a document that says nothing: `---` with only comments behind it. */
static bool
yaml_event_is_empty(const yaml_event_t *event)
{
    return event->type == YAML_SCALAR_EVENT && event->data.scalar.length == 0 &&
           event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && event->data.scalar.tag == NULL &&
           event->data.scalar.anchor == NULL;
}

/* ---- Scalars (YAML 1.2, 10.3.2) ------------------------------------------- */

typedef enum yaml_kind {
    YAML_IS_STR,
    YAML_IS_NULL,
    YAML_IS_BOOL,
    YAML_IS_INT,
    YAML_IS_FLOAT
} yaml_kind;

static bool
str_is_any(arvo_str text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (arvo_str_is(text, *words))
            return true;
    return false;
}

static const char *const null_words[] = { "", "~", "null", "Null", "NULL", NULL };
static const char *const true_words[] = { "true", "True", "TRUE", NULL };
static const char *const false_words[] = { "false", "False", "FALSE", NULL };
static const char *const no_number_words[] = { ".inf",  ".Inf",  ".INF",  "-.inf", "-.Inf",
                                               "-.INF", "+.inf", "+.Inf", "+.INF", ".nan",
                                               ".NaN",  ".NAN",  NULL };

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t
digits_skip(arvo_str text, size_t from)
{
    while (from < text.len && is_digit(text.ptr[from]))
        from++;
    return from;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static yaml_kind
decimal_kind(arvo_str text)
{
    size_t i = text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+') ? 1 : 0;
    const size_t whole = i;
    i = digits_skip(text, i);
    const bool has_whole = i > whole;
    if (has_whole && i == text.len)
        return YAML_IS_INT;
    if (i < text.len && text.ptr[i] == '.') {
        const size_t fraction = ++i;
        i = digits_skip(text, i);
        if (!has_whole && i == fraction)
            return YAML_IS_STR;
    } else if (!has_whole) {
        return YAML_IS_STR;
    }
    if (i < text.len && (text.ptr[i] == 'e' || text.ptr[i] == 'E')) {
        i++;
        if (i < text.len && (text.ptr[i] == '-' || text.ptr[i] == '+'))
            i++;
        const size_t exponent = i;
        i = digits_skip(text, i);
        if (i == exponent)
            return YAML_IS_STR;
    }
    return i == text.len ? YAML_IS_FLOAT : YAML_IS_STR;
}

/* 16 for 0x..., 8 for 0o..., else 0. */
static unsigned
integer_base(arvo_str text)
{
    if (text.len < 3 || text.ptr[0] != '0' || (text.ptr[1] != 'x' && text.ptr[1] != 'o'))
        return 0;
    for (size_t i = 2; i < text.len; i++) {
        const char c = text.ptr[i];
        const bool ok = text.ptr[1] == 'o'
                            ? c >= '0' && c <= '7'
                            : is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (!ok)
            return 0;
    }
    return text.ptr[1] == 'x' ? 16 : 8;
}

static yaml_kind
plain_kind(arvo_str text)
{
    if (str_is_any(text, null_words))
        return YAML_IS_NULL;
    if (str_is_any(text, true_words) || str_is_any(text, false_words))
        return YAML_IS_BOOL;
    if (str_is_any(text, no_number_words))
        return YAML_IS_FLOAT;
    if (integer_base(text) != 0)
        return YAML_IS_INT;
    return decimal_kind(text);
}

static arvo_status
based_integer(yaml_reader *reader, arvo_str text, unsigned base, const arvo_json **out)
{
    uint64_t value = 0;
    for (size_t i = 2; i < text.len; i++) {
        const char c = text.ptr[i];
        const unsigned digit = is_digit(c) ? (unsigned)(c - '0') : ((unsigned)c | 0x20u) - 'a' + 10;
        if (value > ((uint64_t)INT64_MAX - digit) / base)
            return YAML_FAIL(
                reader, &reader->event.start_mark, ARVO_E_MALFORMED,
                "%.*s does not fit 64 bits; quote it to make it a string",
                (int)(text.len < SCALAR_SHOWN_BYTES_MAX ? text.len : SCALAR_SHOWN_BYTES_MAX),
                text.ptr);
        value = value * base + digit;
    }
    *out = arvo_json_int(reader->arena, (int64_t)value);
    return *out != NULL ? ARVO_OK : arvo__nomem(reader->err);
}

/* As JSON writes it: no plus, no leading zeros, digits on both sides of a point. */
static size_t
decimal_to_json(arvo_str text, char *out)
{
    size_t len = 0;
    size_t i = 0;
    if (text.ptr[0] == '-')
        out[len++] = '-';
    if (text.ptr[0] == '-' || text.ptr[0] == '+')
        i++;
    while (i + 1 < text.len && text.ptr[i] == '0' && is_digit(text.ptr[i + 1]))
        i++;
    if (text.ptr[i] == '.')
        out[len++] = '0';
    for (; i < text.len; i++) {
        const bool bare_point =
            text.ptr[i] == '.' && (i + 1 == text.len || !is_digit(text.ptr[i + 1]));
        if (!bare_point)
            out[len++] = text.ptr[i];
    }
    return len;
}

static arvo_status
decimal_number(yaml_reader *reader, arvo_str text, const arvo_json **out)
{
    char json[NUMBER_TEXT_BYTES_MAX + 2];
    const yaml_mark_t *const mark = &reader->event.start_mark;
    if (str_is_any(text, no_number_words))
        return YAML_FAIL(reader, mark, ARVO_E_MALFORMED, "%.*s has no JSON form", ARVO_FMT(text));
    if (text.len > NUMBER_TEXT_BYTES_MAX)
        return YAML_FAIL(
            reader, mark, ARVO_E_TOO_BIG, "a number of more than %zu digits",
            NUMBER_TEXT_BYTES_MAX);
    const size_t len = decimal_to_json(text, json);
    const arvo_status st = arvo_json_parse((arvo_str){ json, len }, reader->arena, out, NULL);
    if (st == ARVO_E_NOMEM)
        return arvo__nomem(reader->err);
    if (st != ARVO_OK)
        return YAML_FAIL(
            reader, mark, ARVO_E_MALFORMED, "%.*s is not a number that a double can hold",
            (int)(text.len < SCALAR_SHOWN_BYTES_MAX ? text.len : SCALAR_SHOWN_BYTES_MAX), text.ptr);
    return ARVO_OK;
}

static arvo_status
tag_unknown(yaml_reader *reader, const char *tag)
{
    return YAML_FAIL(
        reader, &reader->event.start_mark, ARVO_E_MALFORMED,
        "the tag %.*s is not one of the core schema; leave it out", SCALAR_SHOWN_BYTES_MAX, tag);
}

static arvo_status
tagged_kind(yaml_reader *reader, arvo_str text, yaml_kind *out)
{
    static const struct {
        const char *name;
        yaml_kind kind;
    } tags[] = { { "str", YAML_IS_STR },
                 { "null", YAML_IS_NULL },
                 { "bool", YAML_IS_BOOL },
                 { "int", YAML_IS_INT },
                 { "float", YAML_IS_FLOAT } };
    const char *const tag = (const char *)reader->event.data.scalar.tag;
    const size_t prefix = sizeof(CORE_TAG_PREFIX) - 1;
    if (strcmp(tag, "!") == 0) { /* the non-specific tag: as it is, a string */
        *out = YAML_IS_STR;
        return ARVO_OK;
    }
    if (strncmp(tag, CORE_TAG_PREFIX, prefix) != 0)
        return tag_unknown(reader, tag);
    for (size_t i = 0; i < ARVO_COUNT_OF(tags); i++) {
        if (strcmp(tag + prefix, tags[i].name) != 0)
            continue;
        const yaml_kind seen = plain_kind(text);
        const bool fits = tags[i].kind == YAML_IS_STR || seen == tags[i].kind ||
                          (tags[i].kind == YAML_IS_FLOAT && seen == YAML_IS_INT);
        if (!fits)
            return YAML_FAIL(
                reader, &reader->event.start_mark, ARVO_E_MALFORMED, "the value is not a !!%s",
                tags[i].name);
        *out = tags[i].kind == YAML_IS_STR ? YAML_IS_STR : seen;
        return ARVO_OK;
    }
    return tag_unknown(reader, tag);
}

static arvo_status
scalar_kind(yaml_reader *reader, arvo_str text, yaml_kind *out)
{
    if (reader->event.data.scalar.tag != NULL)
        return tagged_kind(reader, text, out);
    *out = YAML_IS_STR;
    if (reader->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        *out = plain_kind(text);
    return ARVO_OK;
}

static arvo_status
yaml_scalar(yaml_reader *reader, yaml_value *out)
{
    const arvo_str text = { (const char *)reader->event.data.scalar.value,
                            reader->event.data.scalar.length };
    yaml_kind kind = YAML_IS_STR;
    arvo_status st = scalar_kind(reader, text, &kind);
    if (st != ARVO_OK)
        return st;

    const arvo_json *json = NULL;
    switch (kind) {
    case YAML_IS_NULL:
        json = arvo_json_null();
        break;
    case YAML_IS_BOOL:
        json = arvo_json_bool(str_is_any(text, true_words));
        break;
    case YAML_IS_INT:
    case YAML_IS_FLOAT:
        st = integer_base(text) != 0 ? based_integer(reader, text, integer_base(text), &json)
                                     : decimal_number(reader, text, &json);
        break;
    case YAML_IS_STR:
        json = arvo_json_string(reader->arena, text);
        st = json != NULL ? ARVO_OK : arvo__nomem(reader->err);
        break;
    }
    *out = (yaml_value){ .json = json, .nodes = 1 };
    return st;
}

/* ---- Nodes ---------------------------------------------------------------- */

static arvo_status yaml_node(yaml_reader *reader, unsigned depth, yaml_value *out);

static arvo_status
yaml_count(yaml_reader *reader, size_t nodes)
{
    if (nodes > ARVO_DOCUMENT_NODES_MAX - reader->nodes)
        return YAML_FAIL(
            reader, &reader->event.start_mark, ARVO_E_TOO_BIG,
            "more than %zu values, counting aliases as copies", ARVO_DOCUMENT_NODES_MAX);
    reader->nodes += nodes;
    return ARVO_OK;
}

static arvo_status
yaml_too_deep(yaml_reader *reader)
{
    return YAML_FAIL(
        reader, &reader->event.start_mark, ARVO_E_TOO_BIG, "nested deeper than %u",
        ARVO_JSON_DEPTH_MAX);
}

static arvo_status
yaml_alias(yaml_reader *reader, unsigned depth, yaml_value *out)
{
    const arvo_str name = arvo_str_from((const char *)reader->event.data.alias.anchor);
    const yaml_anchor *const anchor = arvo__map_find(&reader->anchors, name);
    if (anchor == NULL)
        return YAML_FAIL(
            reader, &reader->event.start_mark, ARVO_E_MALFORMED,
            "no anchor &%.*s before this alias", ARVO_FMT(name));
    if (!anchor->complete)
        return YAML_FAIL(
            reader, &reader->event.start_mark, ARVO_E_MALFORMED,
            "the alias *%.*s lies inside what it stands for", ARVO_FMT(name));
    if (depth + anchor->value.height > ARVO_JSON_DEPTH_MAX)
        return yaml_too_deep(reader);
    *out = anchor->value;
    return yaml_count(reader, anchor->value.nodes);
}

/* A new anchor of this name; a later one of the same name replaces it, as YAML says. */
static arvo_status
yaml_anchor_open(yaml_reader *reader, const yaml_char_t *name, yaml_anchor **out)
{
    if (name == NULL)
        return ARVO_OK;
    yaml_anchor *const anchor = arvo_arena_calloc(reader->arena, 1, sizeof(*anchor));
    const arvo_str key = arvo_arena_str_dup(reader->arena, arvo_str_from((const char *)name));
    if (anchor == NULL || key.ptr == NULL || !arvo__map_set(&reader->anchors, key, anchor))
        return arvo__nomem(reader->err);
    *out = anchor;
    return ARVO_OK;
}

static arvo_status
collection_tag_check(yaml_reader *reader, const yaml_char_t *tag, const char *expected)
{
    if (tag == NULL || strcmp((const char *)tag, expected) == 0 ||
        strcmp((const char *)tag, "!") == 0)
        return ARVO_OK;
    return tag_unknown(reader, (const char *)tag);
}

static void
yaml_value_add(yaml_value *parent, const yaml_value *child)
{
    parent->nodes += child->nodes;
    if (child->height + 1 > parent->height)
        parent->height = child->height + 1;
}

static arvo_status
yaml_sequence(yaml_reader *reader, unsigned depth, yaml_value *out)
{
    arvo_json *const array = arvo_json_array_new(reader->arena);
    yaml_value value = { .json = array, .nodes = 1, .height = 1 };
    for (;;) {
        yaml_value item = { 0 };
        arvo_status st = yaml_next(reader);
        if (st == ARVO_OK && reader->event.type == YAML_SEQUENCE_END_EVENT)
            break;
        if (st == ARVO_OK)
            st = yaml_node(reader, depth + 1, &item);
        if (st != ARVO_OK)
            return st;
        arvo_json_push(reader->arena, array, item.json);
        yaml_value_add(&value, &item);
    }
    *out = value;
    return arvo_arena_failed(reader->arena) ? arvo__nomem(reader->err) : ARVO_OK;
}

static arvo_status
yaml_key(yaml_reader *reader, arvo_str *out)
{
    const yaml_event_t *const event = &reader->event;
    if (event->type == YAML_SCALAR_EVENT && event->data.scalar.length == 2 &&
        event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
        memcmp(event->data.scalar.value, "<<", 2) == 0)
        return YAML_FAIL(
            reader, &event->start_mark, ARVO_E_MALFORMED,
            "merge keys (<<) are not supported; write the keys out");
    if (event->type == YAML_SEQUENCE_START_EVENT || event->type == YAML_MAPPING_START_EVENT)
        return YAML_FAIL(reader, &event->start_mark, ARVO_E_MALFORMED, "a key must be a string");
    const yaml_mark_t mark = event->start_mark;
    yaml_value key = { 0 };
    const arvo_status st = yaml_node(reader, 0, &key);
    if (st != ARVO_OK)
        return st;
    if (arvo_json_type_of(key.json) != ARVO_JSON_STRING)
        return YAML_FAIL(reader, &mark, ARVO_E_MALFORMED, "a key must be a string; quote it");
    *out = arvo_json_str(key.json);
    return ARVO_OK;
}

static arvo_status
yaml_mapping(yaml_reader *reader, unsigned depth, yaml_value *out)
{
    arvo_json *const object = arvo_json_object_new(reader->arena);
    yaml_value value = { .json = object, .nodes = 1, .height = 1 };
    for (size_t count = 0;; count++) {
        arvo_status st = yaml_next(reader);
        if (st == ARVO_OK && reader->event.type == YAML_MAPPING_END_EVENT)
            break;
        arvo_str key = ARVO_STR_NONE;
        yaml_value member = { 0 };
        const yaml_mark_t mark = reader->event.start_mark;
        if (st == ARVO_OK)
            st = yaml_key(reader, &key);
        if (st == ARVO_OK)
            st = yaml_next(reader);
        if (st == ARVO_OK)
            st = yaml_node(reader, depth + 1, &member);
        if (st != ARVO_OK)
            return st;
        arvo_json_set_ref(reader->arena, object, key, member.json);
        if (arvo_arena_failed(reader->arena))
            return arvo__nomem(reader->err);
        if (arvo_json_count(object) != count + 1)
            return YAML_FAIL(
                reader, &mark, ARVO_E_MALFORMED, "the key \"%.*s\" is given twice",
                (int)(key.len < SCALAR_SHOWN_BYTES_MAX ? key.len : SCALAR_SHOWN_BYTES_MAX),
                key.ptr);
        yaml_value_add(&value, &member);
    }
    *out = value;
    return arvo_arena_failed(reader->arena) ? arvo__nomem(reader->err) : ARVO_OK;
}

/* The node whose first event is the present one. Leaves its last event present. */
static arvo_status
yaml_node(yaml_reader *reader, unsigned depth, yaml_value *out)
{
    const yaml_event_t *const event = &reader->event;
    yaml_anchor *anchor = NULL;
    arvo_status st = ARVO_OK;
    if (event->type == YAML_ALIAS_EVENT)
        return yaml_alias(reader, depth, out);
    st = yaml_count(reader, 1);
    if (st != ARVO_OK)
        return st;
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        st = yaml_anchor_open(reader, event->data.scalar.anchor, &anchor);
        if (st == ARVO_OK)
            st = yaml_scalar(reader, out);
        break;
    case YAML_SEQUENCE_START_EVENT:
        if (depth >= ARVO_JSON_DEPTH_MAX)
            return yaml_too_deep(reader);
        st = collection_tag_check(reader, event->data.sequence_start.tag, YAML_SEQ_TAG);
        if (st == ARVO_OK)
            st = yaml_anchor_open(reader, event->data.sequence_start.anchor, &anchor);
        if (st == ARVO_OK)
            st = yaml_sequence(reader, depth, out);
        break;
    default: /* YAML_MAPPING_START_EVENT: the grammar allows nothing else here */
        if (depth >= ARVO_JSON_DEPTH_MAX)
            return yaml_too_deep(reader);
        st = collection_tag_check(reader, event->data.mapping_start.tag, YAML_MAP_TAG);
        if (st == ARVO_OK)
            st = yaml_anchor_open(reader, event->data.mapping_start.anchor, &anchor);
        if (st == ARVO_OK)
            st = yaml_mapping(reader, depth, out);
        break;
    }
    if (st == ARVO_OK && anchor != NULL)
        *anchor = (yaml_anchor){ .value = *out, .complete = true };
    return st;
}

/* ---- Streams -------------------------------------------------------------- */

/* A list that grows in the arena. */
typedef struct yaml_documents {
    arvo_document *items;
    size_t count;
    size_t cap;
} yaml_documents;

static arvo_status
documents_push(yaml_reader *reader, yaml_documents *list, const arvo_document *document)
{
    if (list->count == ARVO_DOCUMENTS_PER_FILE_MAX)
        return YAML_FAIL(
            reader, &reader->event.start_mark, ARVO_E_TOO_BIG, "more than %zu documents",
            ARVO_DOCUMENTS_PER_FILE_MAX);
    if (list->count == list->cap) {
        const size_t cap = list->cap > 0 ? 2 * list->cap : 4;
        arvo_document *const items = arvo__arena_alloc(reader->arena, cap * sizeof(*items));
        if (items == NULL)
            return arvo__nomem(reader->err);
        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof(*items));
        list->items = items;
        list->cap = cap;
    }
    list->items[list->count++] = *document;
    return ARVO_OK;
}

/* Anchors name nodes of their own document only. */
static void
anchors_reset(yaml_reader *reader)
{
    const arvo_arena *const arena = reader->arena;
    arvo__map_fini(&reader->anchors);
    reader->anchors = (arvo__map){ .allocator = arena->has_allocator ? &arena->allocator : NULL };
}

/* The document whose YAML_DOCUMENT_START_EVENT is present. */
static arvo_status
yaml_document(yaml_reader *reader, yaml_documents *list)
{
    arvo_status st = yaml_next(reader);
    if (st != ARVO_OK)
        return st;
    const bool is_empty = yaml_event_is_empty(&reader->event);
    arvo_document document = { .file = reader->file,
                               .text = reader->text,
                               .is_yaml = true,
                               .index = list->count,
                               .first_line = (uint32_t)reader->event.start_mark.line + 1 };
    yaml_value root = { 0 };
    anchors_reset(reader);
    st = yaml_node(reader, 0, &root);
    if (st == ARVO_OK && !is_empty) {
        document.root = root.json;
        st = documents_push(reader, list, &document);
    }
    return st == ARVO_OK ? yaml_next(reader) : st; /* YAML_DOCUMENT_END_EVENT */
}

arvo_status
arvo__yaml_parse(
    arvo_str file, arvo_str text, arvo_arena *arena, arvo_document_list *out, arvo_error *err)
{
    yaml_reader reader = { .file = file, .arena = arena, .err = err };
    yaml_documents list = { 0 };
    arvo_status st = yaml_reader_init(&reader, text);
    if (st != ARVO_OK)
        return st;
    do {
        st = yaml_next(&reader);
        if (st == ARVO_OK && reader.event.type == YAML_DOCUMENT_START_EVENT)
            st = yaml_document(&reader, &list);
    } while (st == ARVO_OK && reader.event.type != YAML_STREAM_END_EVENT);
    yaml_reader_fini(&reader);
    if (st == ARVO_OK)
        *out = (arvo_document_list){ list.items, list.count };
    return st;
}

/* ---- Places --------------------------------------------------------------- */

/* Move from a node's first event to its last. */
static arvo_status
yaml_skip(yaml_reader *reader)
{
    size_t depth = 0;
    for (;;) {
        switch (reader->event.type) {
        case YAML_SEQUENCE_START_EVENT:
        case YAML_MAPPING_START_EVENT:
            depth++;
            break;
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT:
            depth--;
            break;
        default:
            break;
        }
        if (depth == 0)
            return ARVO_OK;
        const arvo_status st = yaml_next(reader);
        if (st != ARVO_OK)
            return st;
    }
}

static bool
token_is_index(arvo_str token, size_t i)
{
    char digits[24];
    const int len = snprintf(digits, sizeof(digits), "%zu", i);
    return token.len == (size_t)len && memcmp(token.ptr, digits, token.len) == 0;
}

/* Whether the present event, a key, is the one that `token` names. */
static bool
key_matches(const yaml_event_t *event, arvo_str token)
{
    if (event->type != YAML_SCALAR_EVENT)
        return false;
    const arvo_str key = { (const char *)event->data.scalar.value, event->data.scalar.length };
    return arvo__pointer_token_is(token, key);
}

/* Go to the first event of the child that `token` names; false when there is none. A member is
 * where its key is: its value may begin a line later. */
static bool
yaml_child(yaml_reader *reader, arvo_str token, uint32_t *line)
{
    const bool is_mapping = reader->event.type == YAML_MAPPING_START_EVENT;
    if (!is_mapping && reader->event.type != YAML_SEQUENCE_START_EVENT)
        return false;
    for (size_t i = 0; yaml_next(reader) == ARVO_OK; i++) {
        if (reader->event.type == YAML_MAPPING_END_EVENT ||
            reader->event.type == YAML_SEQUENCE_END_EVENT)
            return false;
        const uint32_t here = (uint32_t)reader->event.start_mark.line + 1;
        const bool found =
            is_mapping ? key_matches(&reader->event, token) : token_is_index(token, i);
        if (is_mapping && (yaml_skip(reader) != ARVO_OK || yaml_next(reader) != ARVO_OK))
            return false;
        if (found) {
            *line = here;
            return true;
        }
        if (yaml_skip(reader) != ARVO_OK)
            return false;
    }
    return false;
}

/* Go to the root of a document; false when there is none. */
static bool
yaml_seek(yaml_reader *reader, size_t document_index)
{
    size_t seen = 0;
    while (yaml_next(reader) == ARVO_OK && reader->event.type != YAML_STREAM_END_EVENT) {
        if (reader->event.type != YAML_DOCUMENT_START_EVENT)
            continue;
        if (yaml_next(reader) != ARVO_OK)
            return false;
        if (!yaml_event_is_empty(&reader->event) && seen++ == document_index)
            return true;
        if (yaml_skip(reader) != ARVO_OK)
            return false;
    }
    return false;
}

uint32_t
arvo__yaml_line(arvo_str text, size_t document_index, arvo_str pointer)
{
    yaml_reader reader = { 0 };
    uint32_t line = 0;
    if (yaml_reader_init(&reader, text) != ARVO_OK)
        return 0;
    if (yaml_seek(&reader, document_index)) {
        line = (uint32_t)reader.event.start_mark.line + 1;
        arvo_str token = ARVO_STR_NONE;
        while (arvo__pointer_next(&pointer, &token) && yaml_child(&reader, token, &line))
            continue;
    }
    yaml_reader_fini(&reader);
    return line;
}

#endif
