/* Contract documents: our two kinds, and what arvo-core's toJsonSchema() prints.
 *
 * The rules of spec 3.2.2 and 3.4.2; departures (DESIGN 6): the reserved prefix
 * is "arvo.orc." with its dot. */

#include <stdio.h>

#include <arvo/uri.h>

#include "contract/schema.h"
#include "contract/set.h"

#define PARENT_SUBJECT "parentSubject$$"

typedef struct contract_reader {
    arvo_contracts *set;
    arvo_arena *arena; /* the set's */
    const arvo_document *document;
    const arvo_json *root; /* the arena's copy of the document's */
    arvo_contract *contract;
    arvo_additional additional;
    arvo_error *err;
} contract_reader;

/* ---- Helpers -------------------------------------------------------------- */

/* A pointer under which something is read: "/versions/1.0.0" + "/accepts". */
static arvo_str
pointer_join(const contract_reader *reader, arvo_str parent, arvo_str token)
{
    const arvo_allocator memory = arvo__arena_allocator(reader->arena);
    arvo_buf buf = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    buf.allocator = &memory;
    arvo_buf_append_str(&buf, parent);
    arvo_json_pointer_push(&buf, token);
    return arvo_buf_str(&buf);
}

static arvo_str
pointer_item(const contract_reader *reader, arvo_str parent, size_t i)
{
    char number[24];
    const int len = snprintf(number, sizeof(number), "%zu", i);
    return pointer_join(reader, parent, (arvo_str){ number, (size_t)len });
}

#define READ_FAIL(reader, pointer, ...)                                                            \
    arvo_document_error((reader)->document, (pointer), (reader)->err, ARVO_E_INVALID, __VA_ARGS__)

static arvo_status
keys_check(
    const contract_reader *reader, const arvo_json *object, arvo_str pointer,
    const char *const *allowed)
{
    arvo_str words[16];
    size_t count = 0;
    for (; allowed[count] != NULL && count < ARVO_COUNT_OF(words); count++)
        words[count] = arvo_str_from(allowed[count]);
    for (size_t i = 0; i < arvo_json_count(object); i++) {
        const arvo_str key = arvo_json_key_at(object, i);
        size_t k = 0;
        while (k < count && !arvo_str_equal(words[k], key))
            k++;
        if (k < count)
            continue;
        const arvo_str close = arvo__closest(key, words, count);
        const arvo_str place = pointer_join(reader, pointer, key);
        if (close.ptr != NULL)
            return READ_FAIL(reader, place, "unknown key; did you mean \"%.*s\"?", ARVO_FMT(close));
        return READ_FAIL(reader, place, "unknown key");
    }
    return ARVO_OK;
}

/* A required string. */
static arvo_status
string_read(
    const contract_reader *reader, const arvo_json *object, const char *key, arvo_str pointer,
    arvo_str *out)
{
    const arvo_json *const value = arvo_json_get(object, key);
    if (value == NULL)
        return READ_FAIL(reader, pointer, "\"%s\" is missing", key);
    if (arvo_json_type_of(value) != ARVO_JSON_STRING)
        return READ_FAIL(
            reader, pointer_join(reader, pointer, arvo_str_from(key)), "must be a string");
    *out = arvo_json_str(value);
    return ARVO_OK;
}

/* A string, null, or nothing. */
static arvo_status
string_read_optional(const contract_reader *reader, const char *key, arvo_str *out)
{
    const arvo_json *const value = arvo_json_get(reader->root, key);
    if (!arvo_json_is_nullish(value) && arvo_json_type_of(value) != ARVO_JSON_STRING)
        return READ_FAIL(
            reader, pointer_join(reader, ARVO_STR(""), arvo_str_from(key)),
            "must be a string or null");
    *out = arvo_json_str(value);
    return ARVO_OK;
}

/* ---- What all kinds have -------------------------------------------------- */

static arvo_status
uri_read(contract_reader *reader)
{
    arvo_contract *const contract = reader->contract;
    const arvo_status st = string_read(reader, reader->root, "uri", ARVO_STR(""), &contract->uri);
    if (st != ARVO_OK)
        return st;
    if (contract->uri.len == 0 || !arvo_uri_is_valid(contract->uri))
        return READ_FAIL(
            reader, ARVO_STR("/uri"),
            "\"%.*s\" is not a URI; percent-encode what a URI cannot hold",
            ARVO_FMT(contract->uri));
    return ARVO_OK;
}

static arvo_status
head_read(contract_reader *reader)
{
    arvo_contract *const contract = reader->contract;
    arvo_status st = string_read_optional(reader, "description", &contract->description);
    if (st == ARVO_OK)
        st = string_read_optional(reader, "domain", &contract->domain);
    if (st != ARVO_OK)
        return st;
    if (contract->domain.ptr != NULL && !arvo_domain_is_valid(contract->domain))
        return READ_FAIL(
            reader, ARVO_STR("/domain"),
            "\"%.*s\" is not a domain: use a-z, 0-9 and dots, and not \"all\"",
            ARVO_FMT(contract->domain));
    const arvo_json *const metadata = arvo_json_get(reader->root, "metadata");
    if (!arvo_json_is_nullish(metadata) && arvo_json_type_of(metadata) != ARVO_JSON_OBJECT)
        return READ_FAIL(reader, ARVO_STR("/metadata"), "must be an object");
    contract->metadata =
        arvo_json_is_nullish(metadata) ? arvo_json_object_new(reader->arena) : metadata;
    return contract->metadata != NULL ? ARVO_OK : arvo__nomem(reader->err);
}

static arvo_status
type_check(
    const contract_reader *reader, arvo_str type, arvo_str pointer, const char *role,
    bool may_be_reserved)
{
    if (!may_be_reserved && arvo_str_starts(type, ARVO_STR(ARVO_RESERVED_PREFIX)))
        return READ_FAIL(
            reader, pointer,
            "in contract (uri=%.*s), the '%s' event (type=%.*s) must not start with '%s': that is "
            "reserved for Arvo orchestrators",
            ARVO_FMT(reader->contract->uri), role, ARVO_FMT(type), ARVO_RESERVED_PREFIX);
    if (!arvo_event_type_is_valid(type))
        return READ_FAIL(
            reader, pointer,
            "\"%.*s\" is not an event type: three or more parts of a-z and 0-9, with dots between "
            "(com.example.create)",
            ARVO_FMT(type));
    return ARVO_OK;
}

static arvo_status
version_check(const contract_reader *reader, arvo_str version, arvo_str pointer)
{
    if (!arvo_version_is_valid(version))
        return READ_FAIL(
            reader, pointer, "\"%.*s\" is not a version: three numbers with dots between (1.0.0)",
            ARVO_FMT(version));
    if (arvo_str_is(version, ARVO_VERSION_WILDCARD))
        return READ_FAIL(
            reader, pointer, "for contract (uri=%.*s), the version cannot be '%s': it is reserved",
            ARVO_FMT(reader->contract->uri), ARVO_VERSION_WILDCARD);
    return ARVO_OK;
}

/* With the documents that it refers to inside it. It stays as it is where that would be no schema:
 * a reference under a word that is no keyword is followed by nobody, and may lead to anything.
 * NULL: out of memory. */
static const arvo_json *
schema_whole(const contract_reader *reader, const arvo_json *schema, const arvo_schema_opts *opts)
{
    const arvo_json *const whole =
        arvo__schema_bundle(schema, opts->find, opts->find_self, reader->arena);
    if (whole == NULL || whole == schema)
        return whole;
    arvo_schema *compiled = NULL;
    const arvo_status st = arvo_schema_compile(whole, opts, &compiled, NULL);
    arvo_schema_free(compiled);
    return st == ARVO_OK ? whole : st == ARVO_E_NOMEM ? NULL : schema;
}

static arvo_status
rule_compile(
    contract_reader *reader, arvo_str type, const arvo_json *schema, arvo_str pointer,
    arvo_event_rule *out)
{
    const arvo_schema_opts opts = { .allocator = reader->set->allocator,
                                    .additional = reader->additional,
                                    .document = reader->document,
                                    .pointer = pointer,
                                    .find = reader->set->find,
                                    .find_self = reader->set->find_self };
    contract_schema *const owned = arvo__arena_alloc(reader->arena, sizeof(*owned));
    if (owned == NULL)
        return arvo__nomem(reader->err);
    const arvo_status st = arvo_schema_compile(schema, &opts, &owned->schema, reader->err);
    if (st != ARVO_OK)
        return st;
    owned->next = reader->contract->schemas;
    reader->contract->schemas = owned;
    const arvo_json *const whole = schema_whole(reader, schema, &opts);
    *out = (arvo_event_rule){ .type = type, .schema = owned->schema, .schema_json = whole };
    return whole != NULL ? ARVO_OK : arvo__nomem(reader->err);
}

static arvo_status
string_make(const contract_reader *reader, arvo_str text, arvo_str *out)
{
    if (text.ptr == NULL)
        return arvo__nomem(reader->err);
    *out = text;
    return ARVO_OK;
}

/* What follows from uri, type and version. */
static arvo_status
version_derive(contract_reader *reader, arvo_contract_version *version)
{
    const arvo_contract *const contract = reader->contract;
    version->contract = contract;
    version->uri = contract->uri;
    version->is_orchestrator = contract->is_orchestrator;
    version->system_error.schema = reader->set->system_error;
    version->system_error.schema_json = reader->set->system_error_json;
    arvo_status st = string_make(
        reader,
        arvo_arena_printf(
            reader->arena, "%.*s/%.*s", ARVO_FMT(contract->uri), ARVO_FMT(version->version)),
        &version->dataschema);
    if (st == ARVO_OK)
        st = string_make(
            reader, arvo_arena_printf(reader->arena, "sys.%.*s.error", ARVO_FMT(contract->type)),
            &version->system_error.type);
    if (st == ARVO_OK)
        st = string_make(
            reader,
            arvo_arena_printf(
                reader->arena, "%.*s/%s", ARVO_FMT(contract->uri), ARVO_VERSION_WILDCARD),
            &version->system_error_dataschema);
    return st;
}

/* Room for the versions; there must be one. */
static arvo_status
versions_reserve(contract_reader *reader, size_t count)
{
    arvo_contract *const contract = reader->contract;
    if (count == 0)
        return READ_FAIL(
            reader, ARVO_STR("/versions"),
            "an ArvoContract (uri=%.*s) must have at least one version", ARVO_FMT(contract->uri));
    if (count > ARVO_CONTRACT_VERSIONS_MAX)
        return arvo_document_error(
            reader->document, ARVO_STR("/versions"), reader->err, ARVO_E_TOO_BIG,
            "more than %u versions", ARVO_CONTRACT_VERSIONS_MAX);
    size_t slots = 4;
    while (slots < 2 * count)
        slots *= 2;
    contract->versions = arvo_arena_calloc(reader->arena, count, sizeof(*contract->versions));
    contract->version_slots = arvo_arena_calloc(reader->arena, slots, sizeof(uint32_t));
    contract->version_mask = slots - 1;
    return contract->versions != NULL && contract->version_slots != NULL ? ARVO_OK
                                                                         : arvo__nomem(reader->err);
}

static void
version_ready(arvo_contract *contract)
{
    const arvo_contract_version *const version = &contract->versions[contract->version_count++];
    *arvo__contract_version_slot(contract, version->version) = (uint32_t)contract->version_count;
    if (contract->latest == NULL ||
        arvo_version_compare(version->version, contract->latest->version) > 0)
        contract->latest = version;
    if (contract->oldest == NULL ||
        arvo_version_compare(version->version, contract->oldest->version) < 0)
        contract->oldest = version;
}

static arvo_status
emits_reserve(contract_reader *reader, size_t count, arvo_str pointer, arvo_event_rule **out)
{
    if (count > ARVO_CONTRACT_EMITS_MAX)
        return arvo_document_error(
            reader->document, pointer, reader->err, ARVO_E_TOO_BIG, "more than %u event types",
            ARVO_CONTRACT_EMITS_MAX);
    *out = arvo_arena_calloc(reader->arena, count + 1, sizeof(**out));
    return *out != NULL ? ARVO_OK : arvo__nomem(reader->err);
}

/* ---- kind: contract ------------------------------------------------------- */

static arvo_status
emits_read(
    contract_reader *reader, const arvo_json *emits, arvo_str pointer,
    arvo_contract_version *version)
{
    if (emits != NULL && arvo_json_type_of(emits) != ARVO_JSON_OBJECT)
        return READ_FAIL(reader, pointer, "must be an object: event type -> schema");
    const size_t count = arvo_json_count(emits);
    arvo_event_rule *rules = NULL;
    arvo_status st = emits_reserve(reader, count, pointer, &rules);
    if (st != ARVO_OK)
        return st;
    for (size_t i = 0; i < count; i++) {
        const arvo_str type = arvo_json_key_at(emits, i);
        const arvo_str place = pointer_join(reader, pointer, type);
        st = type_check(reader, type, place, "emits", false);
        if (st == ARVO_OK)
            st = rule_compile(reader, type, arvo_json_at(emits, i), place, &rules[i]);
        if (st != ARVO_OK)
            return st;
    }
    version->emits = rules;
    version->emit_count = count;
    return ARVO_OK;
}

static arvo_status
service_version_read(
    contract_reader *reader, const arvo_json *body, arvo_str pointer,
    arvo_contract_version *version)
{
    static const char *const keys[] = { "accepts", "emits", NULL };
    arvo_status st = keys_check(reader, body, pointer, keys);
    if (st != ARVO_OK)
        return st;
    const arvo_json *const accepts = arvo_json_get(body, "accepts");
    if (accepts == NULL)
        return READ_FAIL(reader, pointer, "\"accepts\" is missing: the schema of the event's data");
    st = rule_compile(
        reader, reader->contract->type, accepts, pointer_join(reader, pointer, ARVO_STR("accepts")),
        &version->accepts);
    if (st != ARVO_OK)
        return st;
    return emits_read(
        reader, arvo_json_get(body, "emits"), pointer_join(reader, pointer, ARVO_STR("emits")),
        version);
}

typedef arvo_status (*version_read_fn)(
    contract_reader *reader, const arvo_json *body, arvo_str pointer,
    arvo_contract_version *version);

static arvo_status
versions_read(contract_reader *reader, version_read_fn read)
{
    const arvo_json *const versions = arvo_json_get(reader->root, "versions");
    if (versions == NULL)
        return READ_FAIL(reader, ARVO_STR(""), "\"versions\" is missing");
    if (arvo_json_type_of(versions) != ARVO_JSON_OBJECT)
        return READ_FAIL(reader, ARVO_STR("/versions"), "must be an object: version -> schemas");
    const size_t count = arvo_json_count(versions);
    arvo_status st = versions_reserve(reader, count);
    for (size_t i = 0; i < count && st == ARVO_OK; i++) {
        const arvo_json *const body = arvo_json_at(versions, i);
        arvo_contract_version *const version = &reader->contract->versions[i];
        version->version = arvo_json_key_at(versions, i);
        const arvo_str pointer = pointer_join(reader, ARVO_STR("/versions"), version->version);
        st = version_check(reader, version->version, pointer);
        if (st == ARVO_OK && arvo_json_type_of(body) != ARVO_JSON_OBJECT)
            st = READ_FAIL(reader, pointer, "must be an object");
        if (st == ARVO_OK)
            st = version_derive(reader, version);
        if (st == ARVO_OK)
            st = read(reader, body, pointer, version);
        if (st == ARVO_OK)
            version_ready(reader->contract);
    }
    return st;
}

static arvo_status
service_read(contract_reader *reader)
{
    static const char *const keys[] = { "kind",        "uri",      "type",   "versions",
                                        "description", "metadata", "domain", NULL };
    arvo_contract *const contract = reader->contract;
    arvo_status st = keys_check(reader, reader->root, ARVO_STR(""), keys);
    if (st == ARVO_OK)
        st = uri_read(reader);
    if (st == ARVO_OK)
        st = string_read(reader, reader->root, "type", ARVO_STR(""), &contract->type);
    if (st == ARVO_OK)
        st = type_check(reader, contract->type, ARVO_STR("/type"), "accepts", false);
    if (st == ARVO_OK)
        st = head_read(reader);
    return st == ARVO_OK ? versions_read(reader, service_version_read) : st;
}

/* ---- kind: orchestrator-contract ------------------------------------------ */

/* `{type: [string, null], minLength: 1}` */
static const arvo_json *
parent_subject_schema(arvo_arena *arena)
{
    arvo_json *const types = arvo_json_array_new(arena);
    arvo_json_push(arena, types, arvo_json_string_ref(arena, ARVO_STR("string")));
    arvo_json_push(arena, types, arvo_json_string_ref(arena, ARVO_STR("null")));
    arvo_json *const schema = arvo_json_object_new(arena);
    arvo_json_set_ref(arena, schema, ARVO_STR("type"), types);
    arvo_json_set_ref(arena, schema, ARVO_STR("minLength"), arvo_json_int(arena, 1));
    return schema;
}

/* parentSubject$$ before all others; an own declaration takes that place. */
static const arvo_json *
init_properties(arvo_arena *arena, const arvo_json *declared)
{
    const arvo_json *const own = arvo_json_get(declared, PARENT_SUBJECT);
    arvo_json *const properties = arvo_json_object_new(arena);
    arvo_json_set_ref(
        arena, properties, ARVO_STR(PARENT_SUBJECT),
        own != NULL ? own : parent_subject_schema(arena));
    for (size_t i = 0; i < arvo_json_count(declared); i++)
        arvo_json_set_ref(
            arena, properties, arvo_json_key_at(declared, i), arvo_json_at(declared, i));
    return properties;
}

static const arvo_json *
init_required(arvo_arena *arena, const arvo_json *init)
{
    arvo_json *const required = arvo_json_array_new(arena);
    const arvo_json *const declared = arvo_json_get(init, "required");
    arvo_json_push(arena, required, arvo_json_string_ref(arena, ARVO_STR(PARENT_SUBJECT)));
    for (size_t i = 0; i < arvo_json_count(declared); i++)
        arvo_json_push(arena, required, arvo_json_at(declared, i));
    return required;
}

/* Whether anything but `properties` may say which keys an object has. */
static bool
declares_keys_elsewhere(const arvo_json *schema)
{
    static const char *const words[] = {
        "additionalProperties", "patternProperties", "$ref", "allOf", "anyOf", "oneOf", "if",
        "dependentSchemas",     "dependencies"
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(words); i++)
        if (arvo_json_get(schema, words[i]) != NULL)
            return true;
    return false;
}

/* draft-07 ignores what stands beside a $ref, so there it moves into an allOf of its own. */
static arvo_json *
init_without_ref(arvo_arena *arena, const arvo_json *init)
{
    const arvo_json *const ref = arvo_json_get(init, "$ref");
    const arvo_str draft = arvo_json_str(arvo_json_get(init, "$schema"));
    if (ref == NULL || !arvo_str_starts(draft, ARVO_STR("http://json-schema.org/draft-07/")))
        return arvo_json_clone(arena, init);
    arvo_json *const branch = arvo_json_object_new(arena);
    arvo_json *const branches = arvo_json_array_new(arena);
    arvo_json *const out = arvo_json_object_new(arena);
    arvo_json_set_ref(arena, branch, ARVO_STR("$ref"), ref);
    arvo_json_push(arena, branches, branch);
    for (size_t i = 0; i < arvo_json_count(init); i++) {
        const arvo_str key = arvo_json_key_at(init, i);
        const bool kept = arvo_str_is(key, "$schema") || arvo_str_is(key, "$id") ||
                          arvo_str_is(key, "definitions") || arvo_str_is(key, "$defs");
        if (kept)
            arvo_json_set_ref(arena, out, key, arvo_json_at(init, i));
    }
    arvo_json_set_ref(
        arena, out, ARVO_STR("type"), arvo_json_string_ref(arena, ARVO_STR("object")));
    arvo_json_set_ref(arena, out, ARVO_STR("allOf"), branches);
    return out;
}

/* The accepted schema: init and parentSubject$$ (spec 3.4.4). NULL: out of memory. */
static const arvo_json *
init_extend(arvo_arena *arena, const arvo_json *init)
{
    arvo_json *const out = init_without_ref(arena, init);
    const arvo_json *const declared = arvo_json_get(out, "properties");
    const bool has_own = arvo_json_get(declared, PARENT_SUBJECT) != NULL;
    /* An init that declares no key says nothing about keys; one added key must not change that. */
    const bool says_nothing = declared == NULL && !declares_keys_elsewhere(out);
    const arvo_json *const required = has_own ? NULL : init_required(arena, out);
    arvo_json_set_ref(arena, out, ARVO_STR("properties"), init_properties(arena, declared));
    if (required != NULL)
        arvo_json_set_ref(arena, out, ARVO_STR("required"), required);
    if (says_nothing)
        arvo_json_set_ref(arena, out, ARVO_STR("additionalProperties"), arvo_json_bool(true));
    return arvo_arena_failed(arena) ? NULL : out;
}

/* Without a `type` it is a schema of objects too: an event's data is nothing else. */
static arvo_status
object_schema_check(
    const contract_reader *reader, const arvo_json *schema, arvo_str parent, const char *key)
{
    if (schema == NULL)
        return READ_FAIL(reader, parent, "\"%s\" is missing: a schema of type object", key);
    const arvo_json *const type = arvo_json_get(schema, "type");
    if (arvo_json_type_of(schema) != ARVO_JSON_OBJECT ||
        (type != NULL && !arvo_str_is(arvo_json_str(type), "object")))
        return READ_FAIL(
            reader, pointer_join(reader, parent, arvo_str_from(key)),
            "must be a schema with type: object");
    return ARVO_OK;
}

static arvo_status
orchestrator_version_read(
    contract_reader *reader, const arvo_json *body, arvo_str pointer,
    arvo_contract_version *version)
{
    static const char *const keys[] = { "init", "complete", NULL };
    const arvo_json *const init = arvo_json_get(body, "init");
    const arvo_json *const complete = arvo_json_get(body, "complete");
    arvo_status st = keys_check(reader, body, pointer, keys);
    if (st == ARVO_OK)
        st = object_schema_check(reader, init, pointer, "init");
    if (st == ARVO_OK)
        st = object_schema_check(reader, complete, pointer, "complete");
    if (st != ARVO_OK)
        return st;
    const arvo_json *const accepts = init_extend(reader->arena, init);
    arvo_event_rule *const emits = arvo_arena_calloc(reader->arena, 1, sizeof(*emits));
    const arvo_str done =
        arvo_arena_printf(reader->arena, "%.*s.done", ARVO_FMT(reader->contract->type));
    if (accepts == NULL || emits == NULL || done.ptr == NULL)
        return arvo__nomem(reader->err);
    st = rule_compile(
        reader, reader->contract->type, accepts, pointer_join(reader, pointer, ARVO_STR("init")),
        &version->accepts);
    if (st == ARVO_OK)
        st = rule_compile(
            reader, done, complete, pointer_join(reader, pointer, ARVO_STR("complete")), emits);
    version->emits = emits;
    version->emit_count = 1;
    return st;
}

/* Spec 3.4.5. */
static arvo_status
orchestrator_metadata(contract_reader *reader, arvo_str name)
{
    arvo_arena *const arena = reader->arena;
    arvo_contract *const contract = reader->contract;
    arvo_json *const metadata = arvo_json_clone(arena, contract->metadata);
    const arvo_str done = arvo_arena_printf(arena, "%.*s.done", ARVO_FMT(contract->type));
    arvo_json_set_ref(
        arena, metadata, ARVO_STR("contractType"),
        arvo_json_string_ref(arena, ARVO_STR("ArvoOrchestratorContract")));
    arvo_json_set_ref(arena, metadata, ARVO_STR("rootType"), arvo_json_string(arena, name));
    arvo_json_set_ref(
        arena, metadata, ARVO_STR("completeEventType"), arvo_json_string(arena, done));
    arvo_json_set_ref(
        arena, metadata, ARVO_STR("initEventType"), arvo_json_string(arena, contract->type));
    contract->metadata = metadata;
    return arvo_arena_failed(arena) ? arvo__nomem(reader->err) : ARVO_OK;
}

static bool
name_is_valid(arvo_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        const char c = name.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '.')
            return false;
    }
    return name.len > 0;
}

static arvo_status
orchestrator_name_read(contract_reader *reader, arvo_str *out)
{
    arvo_status st = string_read(reader, reader->root, "name", ARVO_STR(""), out);
    if (st != ARVO_OK)
        return st;
    if (!name_is_valid(*out))
        return READ_FAIL(
            reader, ARVO_STR("/name"),
            "invalid 'name' = '%.*s': it must only contain a-z, 0-9 and dots, as in "
            "test.orchestrator",
            ARVO_FMT(*out));
    st = string_make(
        reader, arvo_arena_printf(reader->arena, ARVO_RESERVED_PREFIX "%.*s", ARVO_FMT(*out)),
        &reader->contract->type);
    if (st == ARVO_OK)
        st = type_check(reader, reader->contract->type, ARVO_STR("/name"), "accepts", true);
    return st;
}

static arvo_status
orchestrator_read(contract_reader *reader)
{
    static const char *const keys[] = { "kind",        "uri",      "name",   "versions",
                                        "description", "metadata", "domain", NULL };
    arvo_str name = ARVO_STR_NONE;
    reader->contract->is_orchestrator = true;
    arvo_status st = keys_check(reader, reader->root, ARVO_STR(""), keys);
    if (st == ARVO_OK)
        st = uri_read(reader);
    if (st == ARVO_OK)
        st = orchestrator_name_read(reader, &name);
    if (st == ARVO_OK)
        st = head_read(reader);
    if (st == ARVO_OK)
        st = orchestrator_metadata(reader, name);
    return st == ARVO_OK ? versions_read(reader, orchestrator_version_read) : st;
}

/* ---- arvo-core's exported form (spec 3.7) --------------------------------- */

/* {type, schema} */
static arvo_status
exported_rule_read(
    contract_reader *reader, const arvo_json *rule, arvo_str pointer, const char *role,
    arvo_event_rule *out)
{
    arvo_str type = ARVO_STR_NONE;
    const arvo_json *const schema = arvo_json_get(rule, "schema");
    arvo_status st = string_read(reader, rule, "type", pointer, &type);
    if (st == ARVO_OK)
        st = type_check(
            reader, type, pointer_join(reader, pointer, ARVO_STR("type")), role,
            reader->contract->is_orchestrator);
    if (st == ARVO_OK && schema == NULL)
        st = READ_FAIL(reader, pointer, "\"schema\" is missing");
    if (st != ARVO_OK)
        return st;
    return rule_compile(
        reader, type, schema, pointer_join(reader, pointer, ARVO_STR("schema")), out);
}

static arvo_status
exported_emits_read(
    contract_reader *reader, const arvo_json *emits, arvo_str pointer,
    arvo_contract_version *version)
{
    if (arvo_json_type_of(emits) != ARVO_JSON_ARRAY)
        return READ_FAIL(reader, pointer, "must be an array of {type, schema}");
    const size_t count = arvo_json_count(emits);
    if (reader->contract->is_orchestrator && count != 1)
        return READ_FAIL(reader, pointer, "an orchestrator emits its completion and no other");
    arvo_event_rule *rules = NULL;
    arvo_status st = emits_reserve(reader, count, pointer, &rules);
    if (st != ARVO_OK)
        return st;
    version->emits = rules;
    for (size_t i = 0; i < count; i++) {
        const arvo_str place = pointer_item(reader, pointer, i);
        st = exported_rule_read(reader, arvo_json_at(emits, i), place, "emits", &rules[i]);
        if (st != ARVO_OK)
            return st;
        if (arvo_contract_version_emit_find(version, rules[i].type) != NULL)
            return READ_FAIL(reader, place, "\"%.*s\" is given twice", ARVO_FMT(rules[i].type));
        version->emit_count = i + 1;
    }
    return ARVO_OK;
}

static arvo_status
exported_version_read(
    contract_reader *reader, const arvo_json *body, arvo_str pointer,
    arvo_contract_version *version)
{
    arvo_contract *const contract = reader->contract;
    arvo_status st = string_read(reader, body, "version", pointer, &version->version);
    if (st == ARVO_OK)
        st = version_check(
            reader, version->version, pointer_join(reader, pointer, ARVO_STR("version")));
    const arvo_str place = pointer_join(reader, pointer, ARVO_STR("accepts"));
    if (st == ARVO_OK)
        st = exported_rule_read(
            reader, arvo_json_get(body, "accepts"), place, "accepts", &version->accepts);
    if (st != ARVO_OK)
        return st;
    if (contract->type.ptr == NULL)
        contract->type = version->accepts.type;
    if (!arvo_str_equal(contract->type, version->accepts.type))
        return READ_FAIL(
            reader, pointer_join(reader, place, ARVO_STR("type")),
            "every version must accept the same type, \"%.*s\"", ARVO_FMT(contract->type));
    if (arvo_contract_version_find(contract, version->version) != NULL)
        return READ_FAIL(
            reader, pointer, "version %.*s is given twice", ARVO_FMT(version->version));
    st = version_derive(reader, version);
    if (st != ARVO_OK)
        return st;
    return exported_emits_read(
        reader, arvo_json_get(body, "emits"), pointer_join(reader, pointer, ARVO_STR("emits")),
        version);
}

static arvo_status
exported_read(contract_reader *reader)
{
    const arvo_json *const versions = arvo_json_get(reader->root, "versions");
    const bool is_versioned = versions == NULL; /* one version, itself the document */
    const arvo_str kind =
        arvo_json_str(arvo_json_get(arvo_json_get(reader->root, "metadata"), "contractType"));
    reader->additional = ARVO_ADDITIONAL_ZOD;
    reader->contract->additional = ARVO_ADDITIONAL_ZOD;
    reader->contract->is_orchestrator = arvo_str_is(kind, "ArvoOrchestratorContract");
    arvo_status st = uri_read(reader);
    if (st == ARVO_OK)
        st = head_read(reader);
    const size_t count = is_versioned ? 1 : arvo_json_count(versions);
    if (st == ARVO_OK)
        st = versions_reserve(reader, count);
    for (size_t i = 0; i < count && st == ARVO_OK; i++) {
        const arvo_json *const body = is_versioned ? reader->root : arvo_json_at(versions, i);
        const arvo_str pointer =
            is_versioned ? ARVO_STR("") : pointer_item(reader, ARVO_STR("/versions"), i);
        st = exported_version_read(reader, body, pointer, &reader->contract->versions[i]);
        if (st == ARVO_OK)
            version_ready(reader->contract);
    }
    return st;
}

/* ---- Which of them it is -------------------------------------------------- */

static bool
is_exported(const arvo_json *root)
{
    if (arvo_json_get(root, "kind") != NULL || arvo_json_get(root, "uri") == NULL)
        return false;
    return arvo_json_type_of(arvo_json_get(root, "versions")) == ARVO_JSON_ARRAY ||
           (arvo_json_get(root, "version") != NULL && arvo_json_get(root, "accepts") != NULL);
}

static arvo_status
kind_read(contract_reader *reader)
{
    const arvo_json *const kind = arvo_json_get(reader->root, "kind");
    if (arvo_json_type_of(reader->root) != ARVO_JSON_OBJECT)
        return READ_FAIL(reader, ARVO_STR(""), "a contract must be an object");
    if (is_exported(reader->root))
        return exported_read(reader);
    if (arvo_str_is(arvo_json_str(kind), "contract"))
        return service_read(reader);
    if (arvo_str_is(arvo_json_str(kind), "orchestrator-contract"))
        return orchestrator_read(reader);
    return READ_FAIL(
        reader, kind != NULL ? ARVO_STR("/kind") : ARVO_STR(""),
        "%s; a contract's kind is \"contract\" or \"orchestrator-contract\"",
        kind != NULL ? "not the kind of a contract" : "\"kind\" is missing");
}

arvo_status
arvo__contract_read(
    arvo_contracts *contracts, const arvo_document *document, arvo_contract **out, arvo_error *err)
{
    contract_reader reader = {
        .set = contracts, .arena = contracts->arena, .document = document, .err = err
    };
    reader.root = arvo_json_copy(reader.arena, document->root);
    reader.contract = arvo_arena_calloc(reader.arena, 1, sizeof(*reader.contract));
    if (reader.root == NULL || reader.contract == NULL)
        return arvo__nomem(err);
    const arvo_status st = kind_read(&reader);
    if (st == ARVO_OK)
        *out = reader.contract;
    else
        arvo__contract_fini(reader.contract);
    return st;
}
