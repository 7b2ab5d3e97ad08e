/* Instances of the in-process store: their blocks, and the table that finds them.
 *
 * Open addressing with linear probing over 32-bit tags, so a lookup reads one
 * run of tags and, as a rule, one block; growing reads tags only.
 */

#include <string.h>

#include "memory/simple.h"

#define TABLE_CAP_MIN  ((size_t)256)
#define PREFETCH_LINES 8u /* the fixed fields and a usual subject */

/* ---- Blocks ------------------------------------------------------------ */

size_t
arvo__simple_instance_text_bytes(const struct simple_instance *instance)
{
    size_t bytes = 0;
    for (size_t i = 0; i < ARVO__RECORD_STRINGS; i++)
        bytes += instance->len[i] != SIMPLE_LEN_NONE ? instance->len[i] : 0;
    return bytes;
}

size_t
arvo__simple_instance_bytes(size_t text_bytes, size_t inbox_count)
{
    const size_t bytes = offsetof(struct simple_instance, text) + text_bytes;
    return ((bytes + 7u) & ~(size_t)7u) + inbox_count * sizeof(struct simple_inbox_key);
}

arvo_str
arvo__simple_instance_string(const struct simple_instance *instance, size_t index)
{
    if (instance->len[index] == SIMPLE_LEN_NONE)
        return ARVO_STR_NONE;
    size_t at = 0;
    for (size_t i = 0; i < index; i++)
        at += instance->len[i] != SIMPLE_LEN_NONE ? instance->len[i] : 0;
    return (arvo_str){ instance->text + at, instance->len[index] };
}

arvo_str
arvo__simple_instance_subject(const struct simple_instance *instance)
{
    return (arvo_str){ instance->text, instance->len[0] };
}

void
arvo__simple_instance_init(struct simple_instance *block, arvo_str subject, uint64_t hash)
{
    const uint8_t size_class = block->size_class;
    *block = (struct simple_instance){ .hash = hash };
    for (size_t i = 1; i < ARVO__RECORD_STRINGS; i++)
        block->len[i] = SIMPLE_LEN_NONE;
    block->size_class = size_class;
    block->len[0] = (uint32_t)subject.len;
    memcpy(block->text, subject.ptr, subject.len);
}

void
arvo__simple_instance_move(
    struct simple_instance *block, const struct simple_instance *old, size_t text_bytes)
{
    const uint8_t size_class = block->size_class;
    memcpy(block, old, offsetof(struct simple_instance, text) + text_bytes);
    block->size_class = size_class;
    for (size_t i = 0; i < old->inbox_count; i++)
        *arvo__simple_inbox_at(block, i) = *arvo__simple_inbox_at(old, i);
}

/* The subject, the first string, is there already and stays. */
void
arvo__simple_instance_put(struct simple_instance *instance, const arvo_record *record)
{
    char *at = instance->text + instance->len[0];
    for (size_t i = 1; i < ARVO__RECORD_STRINGS; i++) {
        const arvo_str *text = arvo__record_string_const(record, i);
        instance->len[i] = text->ptr != NULL ? (uint32_t)text->len : SIMPLE_LEN_NONE;
        if (text->len > 0) {
            memcpy(at, text->ptr, text->len);
            at += text->len;
        }
    }
}

bool
arvo__simple_instance_get(
    const struct simple_instance *instance, arvo_arena *arena, arvo_record *out)
{
    const size_t bytes = arvo__simple_instance_text_bytes(instance);
    char *at = arvo__arena_alloc(arena, bytes);
    if (at == NULL)
        return false;
    memcpy(at, instance->text, bytes);
    for (size_t i = 0; i < ARVO__RECORD_STRINGS; i++) {
        const uint32_t len = instance->len[i];
        if (len == SIMPLE_LEN_NONE) {
            *arvo__record_string(out, i) = ARVO_STR_NONE;
        } else {
            *arvo__record_string(out, i) = (arvo_str){ at, len };
            at += len;
        }
    }
    out->revision = instance->revision;
    out->fence = instance->fence;
    out->created_ms = instance->created_ms;
    out->updated_ms = instance->updated_ms;
    return true;
}

/* ---- Table ------------------------------------------------------------- */

/* The shard took the low bits of the hash; the tag is made of the high ones. */
static uint32_t
table_tag(uint64_t hash)
{
    const uint32_t tag = (uint32_t)(hash >> 32);
    return tag != 0 ? tag : 1u;
}

struct simple_instance **
arvo__simple_table_find(const struct simple_table *table, arvo_str subject, uint64_t hash)
{
    if (table->cap == 0)
        return NULL;
    const size_t mask = table->cap - 1;
    const uint32_t tag = table_tag(hash);
    for (size_t i = tag & mask; table->tags[i] != 0; i = (i + 1) & mask) {
        if (table->tags[i] != tag)
            continue;
        const struct simple_instance *instance = table->slots[i];
        if (instance->hash == hash && instance->len[0] == subject.len &&
            memcmp(instance->text, subject.ptr, subject.len) == 0)
            return &table->slots[i];
    }
    return NULL;
}

void
arvo__simple_table_prefetch(const struct simple_table *table, uint64_t hash)
{
    if (table->cap == 0)
        return;
    const size_t i = table_tag(hash) & (table->cap - 1);
    __builtin_prefetch(&table->tags[i]);
    __builtin_prefetch(&table->slots[i]);
}

void
arvo__simple_instance_prefetch(const struct simple_table *table, uint64_t hash)
{
    if (table->cap == 0)
        return;
    const size_t mask = table->cap - 1;
    const uint32_t tag = table_tag(hash);
    size_t i = tag & mask;
    while (table->tags[i] != 0 && table->tags[i] != tag)
        i = (i + 1) & mask;
    if (table->tags[i] == 0)
        return;
    const char *block = (const char *)table->slots[i];
    for (size_t line = 0; line < PREFETCH_LINES; line++)
        __builtin_prefetch(block + line * 64);
}

struct simple_instance *
arvo__simple_table_find_ordinal(const struct simple_table *table, uint64_t hash, uint64_t ordinal)
{
    if (table->cap == 0)
        return NULL;
    const size_t mask = table->cap - 1;
    const uint32_t tag = table_tag(hash);
    for (size_t i = tag & mask; table->tags[i] != 0; i = (i + 1) & mask) {
        if (table->tags[i] == tag && table->slots[i]->hash == hash &&
            table->slots[i]->ordinal == ordinal)
            return table->slots[i];
    }
    return NULL;
}

static void
table_insert(struct simple_table *table, uint32_t tag, struct simple_instance *instance)
{
    const size_t mask = table->cap - 1;
    size_t i = tag & mask;
    while (table->tags[i] != 0)
        i = (i + 1) & mask;
    table->tags[i] = tag;
    table->slots[i] = instance;
}

bool
arvo__simple_table_reserve(struct simple_table *table, size_t more, const arvo_allocator *allocator)
{
    if (table->count + more <= table->cap / 4 * 3)
        return true;
    struct simple_table grown = { .cap = table->cap != 0 ? table->cap * 2 : TABLE_CAP_MIN };
    while (table->count + more > grown.cap / 4 * 3)
        grown.cap *= 2;
    grown.tags = arvo__calloc(allocator, grown.cap, sizeof(grown.tags[0]));
    grown.slots = arvo__alloc(allocator, grown.cap * sizeof(grown.slots[0]));
    if (grown.tags == NULL || grown.slots == NULL) {
        arvo__simple_table_fini(&grown, allocator);
        return false;
    }
    for (size_t i = 0; i < table->cap; i++) {
        if (table->tags[i] != 0)
            table_insert(&grown, table->tags[i], table->slots[i]);
    }
    grown.count = table->count;
    arvo__simple_table_fini(table, allocator);
    *table = grown;
    return true;
}

void
arvo__simple_table_add(struct simple_table *table, struct simple_instance *instance)
{
    table_insert(table, table_tag(instance->hash), instance);
    table->count++;
}

/* Those behind the gap that hash to it or before it move up, so that no probe ends too early. */
void
arvo__simple_table_remove(struct simple_table *table, struct simple_instance **slot)
{
    const size_t mask = table->cap - 1;
    size_t gap = (size_t)(slot - table->slots);
    for (size_t i = (gap + 1) & mask; table->tags[i] != 0; i = (i + 1) & mask) {
        const size_t home = table->tags[i] & mask;
        if (((i - home) & mask) < ((i - gap) & mask))
            continue;
        table->tags[gap] = table->tags[i];
        table->slots[gap] = table->slots[i];
        gap = i;
    }
    table->tags[gap] = 0;
    table->count--;
}

void
arvo__simple_table_fini(struct simple_table *table, const arvo_allocator *allocator)
{
    if (table->tags != NULL)
        arvo__free(allocator, table->tags, table->cap * sizeof(table->tags[0]));
    if (table->slots != NULL)
        arvo__free(allocator, table->slots, table->cap * sizeof(table->slots[0]));
    *table = (struct simple_table){ 0 };
}
