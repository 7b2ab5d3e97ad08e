/* arvo/contract.h - what events may say: JSON Schemas, contracts, versions, event factories.
 *
 * Source: spec 3, 4; documents: DESIGN 5, docs/documents.md.
 *
 * Threads: schemas and contracts are immutable after creation and may be used
 *          by any number of threads; building a contract set is for one thread.
 */
#ifndef ARVO_CONTRACT_H
#define ARVO_CONTRACT_H

#include <arvo/document.h>
#include <arvo/event.h>
#include <arvo/subject.h>

ARVO_BEGIN_DECLS

/* ---- Schemas -------------------------------------------------------------- */

/* A compiled JSON Schema, draft 2020-12 or draft-07: every keyword of both. */
typedef struct arvo_schema arvo_schema;

#define ARVO_SCHEMA_DEPTH_MAX     128u     /* of the schema and of $ref recursion over one value */
#define ARVO_SCHEMA_STEPS_MAX     4000000u /* per check; stops combinatorial schemas */
#define ARVO_SCHEMA_ISSUES_MAX    16u      /* reported per check */
#define ARVO_SCHEMA_WARNINGS_MAX  16u      /* kept per schema */
#define ARVO_SCHEMA_DOCUMENTS_MAX 1000u    /* that one schema refers to */

typedef enum arvo_additional {
    ARVO_ADDITIONAL_JSON_SCHEMA = 0, /* false refuses, as JSON Schema says */
    ARVO_ADDITIONAL_ZOD              /* false strips: arvo-core's exported form */
} arvo_additional;

typedef enum arvo_schema_draft { ARVO_SCHEMA_2020_12 = 0, ARVO_SCHEMA_DRAFT_7 } arvo_schema_draft;

/**
 * Gives the schema document that has a URI. Never called for what lies inside the schema itself or
 * for the metaschemas of both drafts, which are built in.
 * @param uri  Absolute, without a fragment. Borrowed for the call.
 * @param out  Must live until the compilation returns.
 * @return ARVO_OK, ARVO_E_NOT_FOUND (no such document here; err is not looked at), or any other
 *         failure, which the compilation passes on.
 */
typedef arvo_status (*arvo_schema_find_fn)(
    void *self, arvo_str uri, const arvo_json **out, arvo_error *err);

typedef struct arvo_schema_opts {
    const arvo_allocator *allocator; /* NULL: malloc */
    arvo_additional additional;
    const arvo_document *document; /* nullable: for file:line in errors; borrowed for the call */
    arvo_str pointer;              /* of the schema inside the document */
    arvo_schema_draft draft;       /* of a schema without $schema */
    bool formats;             /* `format` refuses; else it is a remark, as the standard has it */
    arvo_schema_find_fn find; /* other documents; NULL: there are none. Nothing is fetched */
    void *find_self;
} arvo_schema_opts;

/**
 * Compile a schema. A keyword that its draft does not know is ignored, as the standard says, with
 * a warning (arvo_schema_warning_at()); one whose name begins with "x-" without.
 * @param schema  Object or boolean. Borrowed for the call.
 * @param opts    Nullable.
 * @param out     Owned (arvo_schema_free()).
 * @return ARVO_OK, ARVO_E_INVALID (not a schema: says where and why), ARVO_E_NOT_FOUND (a reference
 *         to a document that is not there), ARVO_E_UNSUPPORTED (another draft), ARVO_E_TOO_BIG,
 *         ARVO_E_NOMEM.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_schema_compile(
    const arvo_json *schema, const arvo_schema_opts *opts, arvo_schema **out, arvo_error *err);
ARVO_API void arvo_schema_free(arvo_schema *schema);

/** What is probably a mistake though no error: keywords that are not known. At most
 * ARVO_SCHEMA_WARNINGS_MAX. */
ARVO_API size_t arvo_schema_warning_count(const arvo_schema *schema);
/** "file:line: pointer: text", or "pointer: text" without a document; lives as long as the schema.
 */
ARVO_API arvo_str arvo_schema_warning_at(const arvo_schema *schema, size_t i);

/* Folders of schema documents, each standing for the URIs below one URL: the URI URL/a/b.json is
 * the file DIR/a/b.json. For one thread. */
typedef struct arvo_schema_remotes arvo_schema_remotes;

/** Owned (arvo_schema_remotes_free()), empty; NULL when out of memory. */
ARVO_API ARVO_NODISCARD arvo_schema_remotes *
arvo_schema_remotes_new(const arvo_allocator *allocator);
ARVO_API void arvo_schema_remotes_free(arvo_schema_remotes *remotes);

/**
 * Map a folder. Of several URLs that fit, the longest counts. Both are copied.
 * @return ARVO_OK, ARVO_E_INVALID (no absolute URL, or with a query or a fragment), ARVO_E_IO (no
 *         such folder), ARVO_E_NOMEM. After a failure the mappings are as before.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_schema_remotes_map(
    arvo_schema_remotes *remotes, arvo_str folder, arvo_str url, arvo_error *err);

/** An arvo_schema_find_fn whose `self` is an arvo_schema_remotes. Documents are read once and live
 * as long as `remotes`. As arvo_document_load(), and ARVO_E_NOT_FOUND. */
ARVO_API ARVO_NODISCARD arvo_status
arvo_schema_remotes_find(void *self, arvo_str uri, const arvo_json **out, arvo_error *err);

typedef struct arvo_schema_issue {
    arvo_str path;     /* JSON pointer into the value */
    arvo_str keyword;  /* "required", "type", ... */
    arvo_str message;  /* what was expected, what came */
    arvo_str schema;   /* JSON pointer into the schema; in another document "URI#pointer" */
    arvo_str location; /* the way to it, through each $ref: the standard's keywordLocation */
    arvo_str absolute; /* its absoluteKeywordLocation; none in a schema without $id */
} arvo_schema_issue;

typedef struct arvo_schema_report {
    const arvo_schema_issue *issues; /* arena */
    size_t count;
    bool more; /* some were left out */
} arvo_schema_report;

/**
 * Accept or refuse a value; nothing is changed. No malloc.
 * @param arena   Scratch and the report's home.
 * @param report  Nullable; written in any case (count 0 when valid).
 * @param err     Nullable; on refusal: all issues in one line, "path: message; ...".
 * @return ARVO_OK, ARVO_E_INVALID (refused), ARVO_E_TOO_BIG (a bound above), ARVO_E_NOMEM.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_schema_check(
    const arvo_schema *schema, const arvo_json *value, arvo_arena *arena,
    arvo_schema_report *report, arvo_error *err);

typedef enum arvo_schema_output {
    ARVO_SCHEMA_OUTPUT_FLAG = 0, /* {"valid"} */
    ARVO_SCHEMA_OUTPUT_BASIC,    /* {"valid", "errors": [unit]} */
    ARVO_SCHEMA_OUTPUT_DETAILED  /* a unit whose errors are units in turn */
} arvo_schema_output;

/**
 * A report in one of the standard's output formats (2020-12 core, section 12). A unit is {"valid",
 * "keywordLocation", "absoluteKeywordLocation" (where there is one), "instanceLocation", "error" or
 * "errors"}; a valid value is {"valid": true} in all of them.
 * @param report  Of arvo_schema_check(), whose arena still holds it.
 * @return arena; shares texts with the report. NULL: out of memory.
 */
ARVO_API const arvo_json *arvo_schema_report_json(
    const arvo_schema_report *report, arvo_schema_output output, arvo_arena *arena);

/**
 * Check and normalise as zod's parse does (spec 3.8, DESIGN 5): defaults filled in, undeclared keys
 * dropped where additionalProperties and unevaluatedProperties are absent, keys in declaration
 * order, recursively. What only an unevaluated... schema looks at stays as it is.
 * A key that is required and has a default may be absent. No malloc once the arena has grown.
 * @param out  The normalised value; the input itself when nothing changes. Shares parts with the
 *             input and, where defaults were filled in, with the schema.
 * @return as arvo_schema_check(); `out` is untouched on failure.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_schema_normalise(
    const arvo_schema *schema, const arvo_json *value, arvo_arena *arena, const arvo_json **out,
    arvo_error *err);

/**
 * What arvo_schema_normalise() has against a value, as a report: unlike arvo_schema_check() it does
 * not miss a required key that has a default.
 * @return as arvo_schema_check().
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_schema_explain(
    const arvo_schema *schema, const arvo_json *value, arvo_arena *arena,
    arvo_schema_report *report, arvo_error *err);

/* ---- Contracts ------------------------------------------------------------ */

#define ARVO_CONTRACT_VERSIONS_MAX 10000u
#define ARVO_CONTRACT_EMITS_MAX    10000u /* per version */

/* One event type with the schema of its data. */
typedef struct arvo_event_rule {
    arvo_str type;
    const arvo_schema *schema;
    /* As the document has it. One that refers to other documents has them inside, under $defs by
     * their URIs, and its references lead there; unless those use $anchor, an $id inside,
     * $dynamicRef or another draft: then its references still lead out. */
    const arvo_json *schema_json;
} arvo_event_rule;

typedef struct arvo_contract arvo_contract;

/* One version of a contract. All of it lives as long as its contract set. */
typedef struct arvo_contract_version {
    const arvo_contract *contract;
    arvo_str uri;
    arvo_str version;
    arvo_str dataschema; /* uri/version */
    bool is_orchestrator;
    arvo_event_rule accepts;
    const arvo_event_rule *emits; /* declaration order; an orchestrator's: its completion */
    size_t emit_count;
    arvo_event_rule system_error;     /* sys.{type}.error */
    arvo_str system_error_dataschema; /* uri/0.0.0 */
} arvo_contract_version;

/** The rule of an emitted type or of the system error; NULL when the version has none such. */
ARVO_API const arvo_event_rule *
arvo_contract_version_emit_find(const arvo_contract_version *version, arvo_str type);

ARVO_API arvo_str arvo_contract_uri(const arvo_contract *contract);
ARVO_API arvo_str arvo_contract_type(const arvo_contract *contract);        /* what it accepts */
ARVO_API arvo_str arvo_contract_description(const arvo_contract *contract); /* none: null */
ARVO_API arvo_str arvo_contract_domain(const arvo_contract *contract);      /* v3; none: null */
ARVO_API bool arvo_contract_is_orchestrator(const arvo_contract *contract);
/** How its schemas read additionalProperties: false. */
ARVO_API arvo_additional arvo_contract_additional(const arvo_contract *contract);
ARVO_API const arvo_json *arvo_contract_metadata(const arvo_contract *contract); /* an object */
ARVO_API size_t arvo_contract_version_count(const arvo_contract *contract);
/** i-th version in declaration order. */
ARVO_API const arvo_contract_version *
arvo_contract_version_at(const arvo_contract *contract, size_t i);
/** A declared version, or "latest", "any", "oldest" (spec 3.1.3); NULL when there is none such. */
ARVO_API const arvo_contract_version *
arvo_contract_version_find(const arvo_contract *contract, arvo_str version);

/* A set of contracts, by URI. Reference counted. */
typedef struct arvo_contracts arvo_contracts;

/** A new, empty set, owned (arvo_contracts_unref()); NULL when out of memory. */
ARVO_API ARVO_NODISCARD arvo_contracts *arvo_contracts_new(const arvo_allocator *allocator);
ARVO_API arvo_contracts *arvo_contracts_ref(arvo_contracts *contracts);
ARVO_API void arvo_contracts_unref(arvo_contracts *contracts);

/**
 * Where the schemas of contracts that are added from now on find other documents; as in
 * arvo_schema_opts. What is found is copied into the set.
 * @param find       NULL: there are none, as in a new set.
 * @param find_self  Borrowed until the last call of arvo_contracts_add().
 */
ARVO_API void
arvo_contracts_find_from(arvo_contracts *contracts, arvo_schema_find_fn find, void *find_self);

/**
 * Add a contract document: kind contract, kind orchestrator-contract, or what arvo-core's
 * toJsonSchema() prints. Copied.
 * @return ARVO_OK, ARVO_E_INVALID, ARVO_E_UNSUPPORTED, ARVO_E_EXISTS (the URI, or the accepted
 * type), ARVO_E_NOT_FOUND (a schema refers to a document that is not there), ARVO_E_TOO_BIG,
 * ARVO_E_NOMEM, or as `find` of arvo_contracts_find_from() fails. After a failure the set is as
 * before.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_contracts_add(
    arvo_contracts *contracts, const arvo_document *document, const arvo_contract **out,
    arvo_error *err);

/** The same for a JSON text in memory, for programs without files. */
ARVO_API ARVO_NODISCARD arvo_status arvo_contracts_add_text(
    arvo_contracts *contracts, arvo_str json, const arvo_contract **out, arvo_error *err);

ARVO_API size_t arvo_contracts_count(const arvo_contracts *contracts);
ARVO_API const arvo_contract *arvo_contracts_at(const arvo_contracts *contracts, size_t i);
ARVO_API const arvo_contract *arvo_contracts_find(const arvo_contracts *contracts, arvo_str uri);
/** The contract that accepts an event type; NULL when none does. */
ARVO_API const arvo_contract *
arvo_contracts_find_type(const arvo_contracts *contracts, arvo_str type);

/* ---- Event factories (spec 4) --------------------------------------------- */

/* What a caller may say of an event from a factory; the rest comes from the
 * contract. A subject that is none is made as spec 4 says. */
typedef struct arvo_factory {
    const arvo_contract_version *version;
    const arvo_platform *platform;
    arvo_subject_codec *codec; /* nullable */
    arvo_arena *arena;         /* receives the events */
} arvo_factory;

/** An event that the contract accepts: data checked and normalised. */
ARVO_API ARVO_NODISCARD arvo_status arvo_factory_accepts(
    const arvo_factory *factory, const arvo_event *fields, arvo_event *out, arvo_error *err);

/** An event of one of the emitted types, which `fields->type` names. */
ARVO_API ARVO_NODISCARD arvo_status arvo_factory_emits(
    const arvo_factory *factory, const arvo_event *fields, arvo_event *out, arvo_error *err);

/** sys.{type}.error with data {errorName, errorMessage, errorStack}; a stack that is none is null.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_factory_system_error(
    const arvo_factory *factory, const arvo_event *fields, arvo_str name, arvo_str message,
    arvo_str stack, arvo_event *out, arvo_error *err);

/** The start event of an orchestrator contract; a child's when data.parentSubject$$ is given. */
ARVO_API ARVO_NODISCARD arvo_status arvo_factory_init(
    const arvo_factory *factory, const arvo_event *fields, arvo_event *out, arvo_error *err);

/** The completion event of an orchestrator contract. */
ARVO_API ARVO_NODISCARD arvo_status arvo_factory_complete(
    const arvo_factory *factory, const arvo_event *fields, arvo_event *out, arvo_error *err);

ARVO_END_DECLS

#endif
