/* The metaschemas of both drafts: what a schema's own keywords may be.
 *
 * One table says it for both; the documents are written from it when a schema
 * refers to them, which is seldom: the compiler checks schemas by itself. */

#include <stdio.h>

#include "contract/compile.h"

#define META_2020    "https://json-schema.org/draft/2020-12/"
#define META_DRAFT_7 "http://json-schema.org/draft-07/schema"

/* By the bit of compile.h. */
static const char *const vocabularies[] = {
    "core",      "applicator",        "unevaluated",      "validation",
    "meta-data", "format-annotation", "format-assertion", "content",
};

#define NO_VOCABULARY ((unsigned)-1)

/* What the value of a keyword is. */
typedef enum meta_shape {
    META_ANY,
    META_BOOL,
    META_STRING,
    META_STRINGS, /* without repetitions */
    META_LIST,    /* of any values */
    META_NUMBER,
    META_POSITIVE,
    META_COUNT,
    META_COUNT_1, /* a count that is 1 by default */
    META_FALSE,   /* a boolean, false by default */
    META_REGEX,
    META_URI,
    META_REFERENCE,
    META_ID,
    META_ANCHOR,
    META_VOCABULARY,
    META_TYPE,
    META_SCHEMA,
    META_SCHEMAS,      /* one or more */
    META_MAP,          /* of schemas */
    META_PATTERNS,     /* the same, keys are expressions */
    META_KEYS_MAP,     /* of lists of keys */
    META_DEPENDENCIES, /* of schemas and lists of keys */
    META_ITEMS         /* a schema or some of them */
} meta_shape;

typedef struct meta_keyword {
    const char *name;
    unsigned vocabulary; /* SCHEMA_VOCABULARY_*; 0: not of 2020-12 */
    bool is_draft_7;
    meta_shape shape;
    meta_shape draft_7; /* where it differs, else META_ANY */
} meta_keyword;

static const meta_keyword meta_keywords[] = {
    { "$id", CORE, true, META_ID, META_REFERENCE },
    { "$schema", CORE, true, META_URI, 0 },
    { "$ref", CORE, true, META_REFERENCE, 0 },
    { "$anchor", CORE, false, META_ANCHOR, 0 },
    { "$dynamicRef", CORE, false, META_REFERENCE, 0 },
    { "$dynamicAnchor", CORE, false, META_ANCHOR, 0 },
    { "$vocabulary", CORE, false, META_VOCABULARY, 0 },
    { "$comment", CORE, true, META_STRING, 0 },
    { "$defs", CORE, false, META_MAP, 0 },
    { "definitions", 0, true, META_MAP, 0 },
    { "prefixItems", APPLICATOR, false, META_SCHEMAS, 0 },
    { "items", APPLICATOR, true, META_SCHEMA, META_ITEMS },
    { "additionalItems", 0, true, META_SCHEMA, 0 },
    { "contains", APPLICATOR, true, META_SCHEMA, 0 },
    { "additionalProperties", APPLICATOR, true, META_SCHEMA, 0 },
    { "properties", APPLICATOR, true, META_MAP, 0 },
    { "patternProperties", APPLICATOR, true, META_PATTERNS, 0 },
    { "dependentSchemas", APPLICATOR, false, META_MAP, 0 },
    { "dependencies", 0, true, META_DEPENDENCIES, 0 },
    { "propertyNames", APPLICATOR, true, META_SCHEMA, 0 },
    { "if", APPLICATOR, true, META_SCHEMA, 0 },
    { "then", APPLICATOR, true, META_SCHEMA, 0 },
    { "else", APPLICATOR, true, META_SCHEMA, 0 },
    { "allOf", APPLICATOR, true, META_SCHEMAS, 0 },
    { "anyOf", APPLICATOR, true, META_SCHEMAS, 0 },
    { "oneOf", APPLICATOR, true, META_SCHEMAS, 0 },
    { "not", APPLICATOR, true, META_SCHEMA, 0 },
    { "unevaluatedItems", UNEVALUATED, false, META_SCHEMA, 0 },
    { "unevaluatedProperties", UNEVALUATED, false, META_SCHEMA, 0 },
    { "type", VALIDATION, true, META_TYPE, 0 },
    { "const", VALIDATION, true, META_ANY, 0 },
    { "enum", VALIDATION, true, META_LIST, 0 },
    { "multipleOf", VALIDATION, true, META_POSITIVE, 0 },
    { "maximum", VALIDATION, true, META_NUMBER, 0 },
    { "exclusiveMaximum", VALIDATION, true, META_NUMBER, 0 },
    { "minimum", VALIDATION, true, META_NUMBER, 0 },
    { "exclusiveMinimum", VALIDATION, true, META_NUMBER, 0 },
    { "maxLength", VALIDATION, true, META_COUNT, 0 },
    { "minLength", VALIDATION, true, META_COUNT, 0 },
    { "pattern", VALIDATION, true, META_REGEX, 0 },
    { "maxItems", VALIDATION, true, META_COUNT, 0 },
    { "minItems", VALIDATION, true, META_COUNT, 0 },
    { "uniqueItems", VALIDATION, true, META_FALSE, 0 },
    { "maxContains", VALIDATION, false, META_COUNT, 0 },
    { "minContains", VALIDATION, false, META_COUNT_1, 0 },
    { "maxProperties", VALIDATION, true, META_COUNT, 0 },
    { "minProperties", VALIDATION, true, META_COUNT, 0 },
    { "required", VALIDATION, true, META_STRINGS, 0 },
    { "dependentRequired", VALIDATION, false, META_KEYS_MAP, 0 },
    { "title", META_DATA, true, META_STRING, 0 },
    { "description", META_DATA, true, META_STRING, 0 },
    { "default", META_DATA, true, META_ANY, 0 },
    { "deprecated", META_DATA, false, META_FALSE, 0 },
    { "readOnly", META_DATA, true, META_FALSE, 0 },
    { "writeOnly", META_DATA, true, META_FALSE, 0 },
    { "examples", META_DATA, true, META_LIST, 0 },
    { "format", FORMATS, true, META_STRING, 0 },
    { "contentEncoding", CONTENT, true, META_STRING, 0 },
    { "contentMediaType", CONTENT, true, META_STRING, 0 },
    { "contentSchema", CONTENT, false, META_SCHEMA, 0 },
};

/* %S stands for "any schema", %D for where definitions are. */
static const char *const shapes[] = {
    [META_ANY] = "true",
    [META_BOOL] = "{\"type\":\"boolean\"}",
    [META_STRING] = "{\"type\":\"string\"}",
    [META_STRINGS] = "{\"$ref\":\"%D/stringArray\"}",
    [META_LIST] = "{\"type\":\"array\"}",
    [META_NUMBER] = "{\"type\":\"number\"}",
    [META_POSITIVE] = "{\"type\":\"number\",\"exclusiveMinimum\":0}",
    [META_COUNT] = "{\"$ref\":\"%D/nonNegativeInteger\"}",
    [META_COUNT_1] = "{\"$ref\":\"%D/nonNegativeInteger\",\"default\":1}",
    [META_FALSE] = "{\"type\":\"boolean\",\"default\":false}",
    [META_REGEX] = "{\"type\":\"string\",\"format\":\"regex\"}",
    [META_URI] = "{\"type\":\"string\",\"format\":\"uri\"}",
    [META_REFERENCE] = "{\"type\":\"string\",\"format\":\"uri-reference\"}",
    [META_ID] = "{\"type\":\"string\",\"format\":\"uri-reference\",\"pattern\":\"^[^#]*#?$\"}",
    [META_ANCHOR] = "{\"type\":\"string\",\"pattern\":\"^[A-Za-z_][-A-Za-z0-9._]*$\"}",
    [META_VOCABULARY] = "{\"type\":\"object\",\"propertyNames\":{\"type\":\"string\",\"format\":"
                        "\"uri\"},\"additionalProperties\":{\"type\":\"boolean\"}}",
    [META_TYPE] = "{\"anyOf\":[{\"$ref\":\"%D/simpleTypes\"},{\"type\":\"array\",\"items\":{"
                  "\"$ref\":\"%D/simpleTypes\"},\"minItems\":1,\"uniqueItems\":true}]}",
    [META_SCHEMA] = "%S",
    [META_SCHEMAS] = "{\"$ref\":\"%D/schemaArray\"}",
    [META_MAP] = "{\"type\":\"object\",\"additionalProperties\":%S}",
    [META_PATTERNS] = "{\"type\":\"object\",\"additionalProperties\":%S,\"propertyNames\":{"
                      "\"format\":\"regex\"}}",
    [META_KEYS_MAP] =
        "{\"type\":\"object\",\"additionalProperties\":{\"$ref\":\"%D/stringArray\"}}",
    [META_DEPENDENCIES] = "{\"type\":\"object\",\"additionalProperties\":{\"anyOf\":[%S,{\"$ref\":"
                          "\"%D/stringArray\"}]}}",
    [META_ITEMS] = "{\"anyOf\":[%S,{\"$ref\":\"%D/schemaArray\"}]}",
};

/* Named parts, which schemas in the world refer to. */
static const struct {
    const char *name;
    unsigned vocabulary;
    const char *text;
} definitions[] = {
    { "schemaArray", APPLICATOR, "{\"type\":\"array\",\"minItems\":1,\"items\":%S}" },
    { "nonNegativeInteger", VALIDATION, "{\"type\":\"integer\",\"minimum\":0}" },
    { "nonNegativeIntegerDefault0", VALIDATION,
      "{\"allOf\":[{\"$ref\":\"%D/nonNegativeInteger\"},{\"default\":0}]}" },
    { "simpleTypes", VALIDATION,
      "{\"enum\":[\"array\",\"boolean\",\"integer\",\"null\",\"number\",\"object\",\"string\"]}" },
    { "stringArray", VALIDATION,
      "{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"uniqueItems\":true,\"default\":[]}" },
};

/* Append a shape with its places filled in. */
static void
shape_write(arvo_buf *out, const char *shape, bool is_draft_7)
{
    for (const char *c = shape; *c != '\0'; c++) {
        if (*c != '%')
            arvo_buf_append_char(out, *c);
        else if (*++c == 'S')
            arvo_buf_printf(
                out, "%s", is_draft_7 ? "{\"$ref\":\"#\"}" : "{\"$dynamicRef\":\"#meta\"}");
        else
            arvo_buf_printf(out, "#/%s", is_draft_7 ? "definitions" : "$defs");
    }
}

/* The keywords and the named parts of a vocabulary; 0: all of draft-07. */
static void
body_write(arvo_buf *out, unsigned vocabulary)
{
    const bool is_draft_7 = vocabulary == 0;
    const char *comma = "";
    arvo_buf_printf(out, "\"type\":[\"object\",\"boolean\"],\"properties\":{");
    for (size_t i = 0; i < ARVO_COUNT_OF(meta_keywords); i++) {
        const meta_keyword *const keyword = &meta_keywords[i];
        if (is_draft_7 ? !keyword->is_draft_7 : (keyword->vocabulary & vocabulary) == 0)
            continue;
        const meta_shape shape =
            is_draft_7 && keyword->draft_7 != META_ANY ? keyword->draft_7 : keyword->shape;
        arvo_buf_printf(out, "%s\"%s\":", comma, keyword->name);
        shape_write(out, shapes[shape], is_draft_7);
        comma = ",";
    }
    comma = "";
    arvo_buf_printf(out, "},\"%s\":{", is_draft_7 ? "definitions" : "$defs");
    for (size_t i = 0; i < ARVO_COUNT_OF(definitions); i++) {
        if (!is_draft_7 && (definitions[i].vocabulary & vocabulary) == 0)
            continue;
        arvo_buf_printf(out, "%s\"%s\":", comma, definitions[i].name);
        shape_write(out, definitions[i].text, is_draft_7);
        comma = ",";
    }
    arvo_buf_printf(out, "}}");
}

static void
head_write(arvo_buf *out, const char *path)
{
    arvo_buf_printf(
        out,
        "{\"$schema\":\"" META_2020 "schema\",\"$id\":\"" META_2020
        "%s\",\"$dynamicAnchor\":\"meta\",",
        path);
}

/* All vocabularies but format-assertion, and what earlier drafts had. */
static void
schema_2020_write(arvo_buf *out)
{
    head_write(out, "schema");
    arvo_buf_printf(out, "\"$vocabulary\":{");
    for (size_t i = 0; i < ARVO_COUNT_OF(vocabularies); i++)
        if ((SCHEMA_VOCABULARIES_DEFAULT >> i & 1) != 0)
            arvo_buf_printf(
                out, "%s\"" META_2020 "vocab/%s\":true", i > 0 ? "," : "", vocabularies[i]);
    arvo_buf_printf(out, "},\"allOf\":[");
    for (size_t i = 0; i < ARVO_COUNT_OF(vocabularies); i++)
        if ((SCHEMA_VOCABULARIES_DEFAULT >> i & 1) != 0)
            arvo_buf_printf(out, "%s{\"$ref\":\"meta/%s\"}", i > 0 ? "," : "", vocabularies[i]);
    arvo_buf_printf(out, "],\"type\":[\"object\",\"boolean\"],\"properties\":{\"definitions\":");
    shape_write(out, shapes[META_MAP], false);
    arvo_buf_printf(
        out, ",\"dependencies\":{\"type\":\"object\",\"additionalProperties\":{\"anyOf\":[");
    shape_write(out, shapes[META_SCHEMA], false);
    arvo_buf_printf(out, ",{\"$ref\":\"meta/validation#/$defs/stringArray\"}]}}}}");
}

/* The vocabulary of ".../meta/NAME" or ".../vocab/NAME". */
static unsigned
vocabulary_named(arvo_str uri, arvo_str prefix)
{
    if (!arvo_str_starts(uri, prefix))
        return NO_VOCABULARY;
    const arvo_str name = { uri.ptr + prefix.len, uri.len - prefix.len };
    for (unsigned i = 0; i < ARVO_COUNT_OF(vocabularies); i++)
        if (arvo_str_is(name, vocabularies[i]))
            return i;
    return NO_VOCABULARY;
}

unsigned
arvo__vocabulary_find(arvo_str uri)
{
    const unsigned i = vocabulary_named(uri, ARVO_STR(META_2020 "vocab/"));
    return i != NO_VOCABULARY ? 1u << i : 0;
}

arvo_status
arvo__metaschema_find(arvo_str uri, arvo_arena *arena, const arvo_json **out, arvo_error *err)
{
    const unsigned vocabulary = vocabulary_named(uri, ARVO_STR(META_2020 "meta/"));
    const arvo_allocator memory = arvo__arena_allocator(arena);
    arvo_buf text = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    text.allocator = &memory;
    *out = NULL;
    if (arvo_str_is(uri, META_DRAFT_7)) {
        arvo_buf_printf(
            &text,
            "{\"$schema\":\"" META_DRAFT_7 "#\",\"$id\":\"" META_DRAFT_7 "#\",\"default\":true,");
        body_write(&text, 0);
    } else if (arvo_str_is(uri, META_2020 "schema")) {
        schema_2020_write(&text);
    } else if (vocabulary != NO_VOCABULARY) {
        char path[64];
        (void)snprintf(path, sizeof(path), "meta/%s", vocabularies[vocabulary]);
        head_write(&text, path);
        body_write(&text, 1u << vocabulary);
    } else {
        return ARVO_OK;
    }
    if (text.status != ARVO_OK)
        return arvo__nomem(err);
    return arvo_json_parse(arvo_buf_str(&text), arena, out, err);
}
