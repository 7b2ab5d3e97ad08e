/* Which alternative of an anyOf, oneOf or if a part of the value took, so that normalising nested
 * ones does not check the innermost parts once per level. A hash table by (instruction, value). */

#include "contract/schema.h"

#define CHOICES_SLOTS_MIN 64u
/* Notes beyond these are not taken: what they would have said is worked out again. */
#define CHOICES_MAX ((size_t)1 << 18)

typedef struct schema_choice {
    const schema_op *op; /* NULL: free */
    const arvo_json *value;
    size_t chosen;
} schema_choice;

/* The slot of a note, or the free one where it belongs. There is always a free one. */
static schema_choice *
choice_slot(const schema_choices *choices, const schema_op *op, const arvo_json *value)
{
    const uint64_t mixed =
        ((uintptr_t)op ^ (uint64_t)(uintptr_t)value << 20) * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t slot = (size_t)(mixed >> 32);; slot++) {
        schema_choice *const choice = &choices->slots[slot & (choices->slot_count - 1)];
        if (choice->op == NULL || (choice->op == op && choice->value == value))
            return choice;
    }
}

static bool
choices_grow(schema_choices *choices, arvo_arena *arena)
{
    schema_choices larger = { .slot_count = choices->slot_count > 0 ? 2 * choices->slot_count
                                                                    : CHOICES_SLOTS_MIN,
                              .count = choices->count };
    larger.slots = arvo_arena_calloc(arena, larger.slot_count, sizeof(*larger.slots));
    if (larger.slots == NULL)
        return false;
    for (size_t i = 0; i < choices->slot_count; i++) {
        const schema_choice *const choice = &choices->slots[i];
        if (choice->op != NULL)
            *choice_slot(&larger, choice->op, choice->value) = *choice;
    }
    *choices = larger;
    return true;
}

bool
arvo__choice_note(schema_run *run, const schema_op *op, const arvo_json *value, size_t chosen)
{
    schema_choices *const choices = run->choices;
    if (2 * choices->count >= choices->slot_count) {
        if (choices->count >= CHOICES_MAX)
            return true;
        if (!choices_grow(choices, run->arena))
            return arvo__schema_stop(run, ARVO_E_NOMEM);
    }
    schema_choice *const choice = choice_slot(choices, op, value);
    choices->count += choice->op == NULL;
    *choice = (schema_choice){ .op = op, .value = value, .chosen = chosen };
    return true;
}

bool
arvo__choice_find(const schema_run *run, const schema_op *op, const arvo_json *value, size_t *out)
{
    if (run->choices == NULL || run->choices->count == 0)
        return false;
    const schema_choice *const choice = choice_slot(run->choices, op, value);
    *out = choice->chosen;
    return choice->op != NULL;
}
