/* Contract sets, and what can be asked of a contract. Documents are read in contract_read.c. */

#include "contract/set.h"

#define SLOTS_PER_ITEM 2u
#define ITEMS_MIN      8u /* a power of two, as all capacities are */

/* ---- Versions ------------------------------------------------------------- */

const arvo_event_rule *
arvo_contract_version_emit_find(const arvo_contract_version *version, arvo_str type)
{
    ARVO_ASSERT(version != NULL);
    for (size_t i = 0; i < version->emit_count; i++)
        if (arvo_str_equal(version->emits[i].type, type))
            return &version->emits[i];
    return arvo_str_equal(version->system_error.type, type) ? &version->system_error : NULL;
}

uint32_t *
arvo__contract_version_slot(const arvo_contract *contract, arvo_str version)
{
    size_t slot = (size_t)arvo__hash(version.ptr, version.len, 0);
    for (;; slot++) {
        uint32_t *const number = &contract->version_slots[slot & contract->version_mask];
        if (*number == 0 || arvo_str_equal(contract->versions[*number - 1].version, version))
            return number;
    }
}

const arvo_contract_version *
arvo_contract_version_find(const arvo_contract *contract, arvo_str version)
{
    ARVO_ASSERT(contract != NULL);
    if (arvo_str_is(version, "latest") || arvo_str_is(version, "any"))
        return contract->latest;
    if (arvo_str_is(version, "oldest"))
        return contract->oldest;
    const uint32_t number = *arvo__contract_version_slot(contract, version);
    return number > 0 ? &contract->versions[number - 1] : NULL;
}

/* ---- Contracts ------------------------------------------------------------ */

arvo_str
arvo_contract_uri(const arvo_contract *contract)
{
    return contract->uri;
}

arvo_str
arvo_contract_type(const arvo_contract *contract)
{
    return contract->type;
}

arvo_str
arvo_contract_description(const arvo_contract *contract)
{
    return contract->description;
}

arvo_str
arvo_contract_domain(const arvo_contract *contract)
{
    return contract->domain;
}

bool
arvo_contract_is_orchestrator(const arvo_contract *contract)
{
    return contract->is_orchestrator;
}

arvo_additional
arvo_contract_additional(const arvo_contract *contract)
{
    return contract->additional;
}

const arvo_json *
arvo_contract_metadata(const arvo_contract *contract)
{
    return contract->metadata;
}

size_t
arvo_contract_version_count(const arvo_contract *contract)
{
    return contract->version_count;
}

const arvo_contract_version *
arvo_contract_version_at(const arvo_contract *contract, size_t i)
{
    return i < contract->version_count ? &contract->versions[i] : NULL;
}

void
arvo__contract_fini(arvo_contract *contract)
{
    for (const contract_schema *owned = contract->schemas; owned != NULL; owned = owned->next)
        arvo_schema_free(owned->schema);
    contract->schemas = NULL;
}

/* ---- Sets ----------------------------------------------------------------- */

/* Spec 3.3.2: what every sys.*.error carries. */
static const char system_error_text[] =
    "{\"type\":\"object\",\"properties\":{\"errorName\":{\"type\":\"string\"},\"errorMessage\":"
    "{\"type\":\"string\"},\"errorStack\":{\"type\":[\"string\",\"null\"]}},\"required\":"
    "[\"errorName\",\"errorMessage\",\"errorStack\"]}";

static bool
contracts_prepare(arvo_contracts *contracts)
{
    contracts->arena = arvo_arena_new(
        &(arvo_arena_opts){ .allocator = contracts->allocator, .chunk_bytes = 16 * 1024 });
    if (contracts->arena == NULL)
        return false;
    const arvo_schema_opts opts = { .allocator = contracts->allocator };
    return arvo_json_parse(
               (arvo_str){ system_error_text, sizeof(system_error_text) - 1 }, contracts->arena,
               &contracts->system_error_json, NULL) == ARVO_OK &&
           arvo_schema_compile(
               contracts->system_error_json, &opts, &contracts->system_error, NULL) == ARVO_OK;
}

static void
index_free(
    const arvo_contracts *contracts, arvo_contract **items, uint32_t *by_uri, uint32_t *by_type,
    size_t cap)
{
    const arvo_allocator *const allocator = contracts->allocator;
    const size_t slots_bytes = SLOTS_PER_ITEM * cap * sizeof(uint32_t);
    arvo__free(allocator, items, cap * sizeof(*items));
    arvo__free(allocator, by_uri, slots_bytes);
    arvo__free(allocator, by_type, slots_bytes);
}

static void
contracts_free(arvo_contracts *contracts)
{
    const arvo_allocator *const allocator = contracts->allocator;
    for (size_t i = 0; i < contracts->count; i++)
        arvo__contract_fini(contracts->items[i]);
    index_free(contracts, contracts->items, contracts->by_uri, contracts->by_type, contracts->cap);
    arvo_schema_free(contracts->system_error);
    arvo_arena_free(contracts->arena);
    arvo__free(allocator, contracts, sizeof(*contracts));
}

arvo_contracts *
arvo_contracts_new(const arvo_allocator *allocator)
{
    arvo_contracts *const contracts = arvo__calloc(allocator, 1, sizeof(*contracts));
    if (contracts == NULL)
        return NULL;
    atomic_init(&contracts->refs, 1);
    contracts->allocator = allocator;
    if (!contracts_prepare(contracts)) {
        contracts_free(contracts);
        return NULL;
    }
    return contracts;
}

arvo_contracts *
arvo_contracts_ref(arvo_contracts *contracts)
{
    ARVO_ASSERT(contracts != NULL);
    atomic_fetch_add_explicit(&contracts->refs, 1, memory_order_relaxed);
    return contracts;
}

void
arvo_contracts_unref(arvo_contracts *contracts)
{
    if (contracts == NULL)
        return;
    if (atomic_fetch_sub_explicit(&contracts->refs, 1, memory_order_acq_rel) == 1)
        contracts_free(contracts);
}

/* The slot of a name: its own, or the free one where it would go. */
static uint32_t *
slot_find(
    const arvo_contracts *contracts, uint32_t *slots, arvo_str name,
    arvo_str (*name_of)(const arvo_contract *))
{
    const size_t mask = SLOTS_PER_ITEM * contracts->cap - 1;
    size_t slot = (size_t)arvo__hash_keyed(name.ptr, name.len) & mask;
    while (slots[slot] != 0 && !arvo_str_equal(name_of(contracts->items[slots[slot] - 1]), name))
        slot = (slot + 1) & mask;
    return &slots[slot];
}

static const arvo_contract *
contract_find(
    const arvo_contracts *contracts, uint32_t *slots, arvo_str name,
    arvo_str (*name_of)(const arvo_contract *))
{
    if (contracts->cap == 0)
        return NULL;
    const uint32_t found = *slot_find(contracts, slots, name, name_of);
    return found != 0 ? contracts->items[found - 1] : NULL;
}

static void
index_item(arvo_contracts *contracts, size_t i)
{
    const arvo_contract *const item = contracts->items[i];
    *slot_find(contracts, contracts->by_uri, item->uri, arvo_contract_uri) = (uint32_t)i + 1;
    *slot_find(contracts, contracts->by_type, item->type, arvo_contract_type) = (uint32_t)i + 1;
}

/* Room for one more. */
static bool
items_reserve(arvo_contracts *contracts)
{
    if (contracts->count < contracts->cap)
        return true;
    const size_t cap = contracts->cap > 0 ? 2 * contracts->cap : ITEMS_MIN;
    arvo_contract **const items = arvo__calloc(contracts->allocator, cap, sizeof(*items));
    uint32_t *const by_uri =
        arvo__calloc(contracts->allocator, SLOTS_PER_ITEM * cap, sizeof(*by_uri));
    uint32_t *const by_type =
        arvo__calloc(contracts->allocator, SLOTS_PER_ITEM * cap, sizeof(*by_type));
    if (items == NULL || by_uri == NULL || by_type == NULL) {
        index_free(contracts, items, by_uri, by_type, cap);
        return false;
    }
    for (size_t i = 0; i < contracts->count; i++)
        items[i] = contracts->items[i];
    index_free(contracts, contracts->items, contracts->by_uri, contracts->by_type, contracts->cap);
    contracts->items = items;
    contracts->by_uri = by_uri;
    contracts->by_type = by_type;
    contracts->cap = cap;
    for (size_t i = 0; i < contracts->count; i++)
        index_item(contracts, i);
    return true;
}

static arvo_status
contracts_insert(
    arvo_contracts *contracts, const arvo_document *document, arvo_contract *contract,
    arvo_error *err)
{
    if (arvo_contracts_find(contracts, contract->uri) != NULL)
        return arvo_document_error(
            document, ARVO_STR("/uri"), err, ARVO_E_EXISTS,
            "there is a contract with the uri \"%.*s\" already", ARVO_FMT(contract->uri));
    const arvo_contract *const other = arvo_contracts_find_type(contracts, contract->type);
    if (other != NULL)
        return arvo_document_error(
            document, ARVO_STR("/type"), err, ARVO_E_EXISTS,
            "the contract \"%.*s\" accepts \"%.*s\" already", ARVO_FMT(other->uri),
            ARVO_FMT(contract->type));
    if (!items_reserve(contracts))
        return arvo__nomem(err);
    contracts->items[contracts->count] = contract;
    index_item(contracts, contracts->count++);
    return ARVO_OK;
}

void
arvo_contracts_find_from(arvo_contracts *contracts, arvo_schema_find_fn find, void *find_self)
{
    ARVO_ASSERT(contracts != NULL);
    contracts->find = find;
    contracts->find_self = find_self;
}

arvo_status
arvo_contracts_add(
    arvo_contracts *contracts, const arvo_document *document, const arvo_contract **out,
    arvo_error *err)
{
    ARVO_ASSERT(contracts != NULL);
    ARVO_ASSERT(document != NULL);

    const arvo_arena_mark mark = arvo_arena_mark_get(contracts->arena);
    arvo_contract *contract = NULL;
    arvo_status st = arvo__contract_read(contracts, document, &contract, err);
    if (st == ARVO_OK)
        st = contracts_insert(contracts, document, contract, err);
    if (st == ARVO_OK && out != NULL)
        *out = contract;
    if (st != ARVO_OK) {
        if (contract != NULL)
            arvo__contract_fini(contract);
        arvo_arena_rewind(contracts->arena, mark);
    }
    return st;
}

arvo_status
arvo_contracts_add_text(
    arvo_contracts *contracts, arvo_str json, const arvo_contract **out, arvo_error *err)
{
    ARVO_ASSERT(contracts != NULL);

    arvo_arena *const arena =
        arvo_arena_new(&(arvo_arena_opts){ .allocator = contracts->allocator });
    if (arena == NULL)
        return arvo__nomem(err);
    arvo_document document = { .text = json, .first_line = 1 };
    arvo_status st = arvo_json_parse(json, arena, &document.root, err);
    if (st == ARVO_OK)
        st = arvo_contracts_add(contracts, &document, out, err);
    arvo_arena_free(arena);
    return st;
}

size_t
arvo_contracts_count(const arvo_contracts *contracts)
{
    return contracts->count;
}

const arvo_contract *
arvo_contracts_at(const arvo_contracts *contracts, size_t i)
{
    return i < contracts->count ? contracts->items[i] : NULL;
}

const arvo_contract *
arvo_contracts_find(const arvo_contracts *contracts, arvo_str uri)
{
    return contract_find(contracts, contracts->by_uri, uri, arvo_contract_uri);
}

const arvo_contract *
arvo_contracts_find_type(const arvo_contracts *contracts, arvo_str type)
{
    return contract_find(contracts, contracts->by_type, type, arvo_contract_type);
}
