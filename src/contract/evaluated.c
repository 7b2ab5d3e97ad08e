/* Which members and items of a value have been evaluated, for unevaluatedProperties and
 * unevaluatedItems. Up to 64 fit into the marks themselves; for more there are blocks, which are
 * used again, so a run keeps no more of them than marks that are open at once. */

#include "contract/schema.h"

#define FEW_MAX 64u

typedef struct schema_block {
    struct schema_block *next;
    size_t words;
    uint64_t bits[];
} schema_block;

static schema_block *
block_take(schema_run *run, size_t words)
{
    for (schema_block **at = &run->spare_blocks; *at != NULL; at = &(*at)->next) {
        schema_block *const block = *at;
        if (!schema__spend(run, 1))
            return NULL;
        if (block->words < words)
            continue;
        *at = block->next;
        memset(block->bits, 0, words * sizeof(uint64_t));
        return block;
    }
    schema_block *const block =
        arvo_arena_calloc(run->arena, 1, sizeof(*block) + words * sizeof(uint64_t));
    if (block == NULL)
        (void)arvo__schema_stop(run, ARVO_E_NOMEM);
    else
        block->words = words;
    return block;
}

bool
arvo__marks_begin(schema_run *run, schema_marks *marks, const arvo_json *value)
{
    *marks = (schema_marks){ .value = value };
    if (value->len <= FEW_MAX)
        return true;
    const size_t words = ((size_t)value->len + 63) / 64;
    if (!schema__spend(run, words))
        return false;
    marks->block = block_take(run, words);
    if (marks->block == NULL)
        return false;
    marks->bits = marks->block->bits;
    return true;
}

void
arvo__marks_end(schema_run *run, schema_marks *marks)
{
    if (marks->block == NULL)
        return;
    marks->block->next = run->spare_blocks;
    run->spare_blocks = marks->block;
}

void
arvo__mark_first(schema_marks *marks, size_t count)
{
    uint64_t *const bits = marks->bits != NULL ? marks->bits : &marks->few;
    const size_t whole = count / 64;
    memset(bits, 0xff, whole * sizeof(*bits));
    if (count % 64 != 0)
        bits[whole] |= (UINT64_C(1) << count % 64) - 1;
}

void
arvo__marks_merge(schema_marks *into, const schema_marks *from)
{
    if (into->bits == NULL) {
        into->few |= from->few;
        return;
    }
    const size_t words = ((size_t)into->value->len + 63) / 64;
    for (size_t i = 0; i < words; i++)
        into->bits[i] |= from->bits[i];
}
