/* contract/set.h - how contracts lie in memory. */
#ifndef ARVO_SRC_CONTRACT_SET_H
#define ARVO_SRC_CONTRACT_SET_H

#include <stdatomic.h>

#include <arvo/contract.h>

#include "base/internal.h"

typedef struct contract_schema {
    arvo_schema *schema;
    struct contract_schema *next;
} contract_schema;

struct arvo_contract {
    arvo_str uri;
    arvo_str type;
    arvo_str description;
    arvo_str domain;
    const arvo_json *metadata;
    bool is_orchestrator;
    arvo_additional additional;
    arvo_contract_version *versions;
    size_t version_count;
    uint32_t *version_slots; /* by name: open addressing, version number + 1 */
    size_t version_mask;
    const arvo_contract_version *latest;
    const arvo_contract_version *oldest;
    contract_schema *schemas; /* all it owns */
};

/* The slot of a version, or the free one where it belongs. */
uint32_t *arvo__contract_version_slot(const arvo_contract *contract, arvo_str version);

struct arvo_contracts {
    atomic_size_t refs;
    const arvo_allocator *allocator;
    arvo_arena *arena; /* contracts and all they say */
    arvo_contract **items;
    size_t count;
    size_t cap;
    /* Open addressing, item number + 1, SLOTS_PER_ITEM * cap of each. Not arvo__map: room is made
     * before an item comes in, so that adding is all or nothing. */
    uint32_t *by_uri;
    uint32_t *by_type;
    arvo_schema *system_error;
    const arvo_json *system_error_json;
    arvo_schema_find_fn find; /* documents that schemas refer to; NULL: there are none */
    void *find_self;
};

/* Read a contract document into the set's arena. The contract is not in the set yet; after a
 * failure nothing is left of it but arena bytes. */
arvo_status arvo__contract_read(
    arvo_contracts *contracts, const arvo_document *document, arvo_contract **out, arvo_error *err);

void arvo__contract_fini(arvo_contract *contract);

#endif
