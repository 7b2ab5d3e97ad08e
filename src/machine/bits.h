/* machine/bits.h - sets of state numbers whose cost grows with what is in them, not with the chart.
 *
 * The first word says which groups of four words (256 states) hold anything;
 * the words of a group are not even written before it does. So clearing a set
 * is one store, and walking it skips what is empty, in a chart of 15 states as
 * in one of 10,000.
 */
#ifndef ARVO_SRC_MACHINE_BITS_H
#define ARVO_SRC_MACHINE_BITS_H

#include "base/internal.h"

#define BITS_NONE        UINT32_MAX
#define BITS_GROUP_WORDS 4u
#define BITS_GROUP_SHIFT 8u                        /* states of a group, as a power of two */
#define BITS_MEMBERS_MAX (64u << BITS_GROUP_SHIFT) /* groups that the first word can name */

/* uint64_t that a set of numbers below `count` takes. */
static inline uint32_t
bits_words(uint32_t count)
{
    return 1u + BITS_GROUP_WORDS * ((count + (1u << BITS_GROUP_SHIFT) - 1u) >> BITS_GROUP_SHIFT);
}

static inline bool
bits_has_group(const uint64_t *bits, uint32_t group)
{
    return (bits[0] >> group) & 1u;
}

/* A word of a group that is there. */
static inline uint64_t *
bits_word(uint64_t *bits, uint32_t w)
{
    return &bits[1u + w];
}

static inline bool
bits_has(const uint64_t *bits, uint32_t i)
{
    return bits_has_group(bits, i >> BITS_GROUP_SHIFT) && ((bits[1u + (i >> 6)] >> (i & 63u)) & 1u);
}

static inline void
bits_group_add(uint64_t *bits, uint32_t group)
{
    if (bits_has_group(bits, group))
        return;
    bits[0] |= UINT64_C(1) << group;
    for (uint32_t w = 0; w < BITS_GROUP_WORDS; w++)
        *bits_word(bits, group * BITS_GROUP_WORDS + w) = 0;
}

static inline void
bits_add(uint64_t *bits, uint32_t i)
{
    bits_group_add(bits, i >> BITS_GROUP_SHIFT);
    *bits_word(bits, i >> 6) |= UINT64_C(1) << (i & 63u);
}

static inline void
bits_remove(uint64_t *bits, uint32_t i)
{
    if (bits_has_group(bits, i >> BITS_GROUP_SHIFT))
        *bits_word(bits, i >> 6) &= ~(UINT64_C(1) << (i & 63u));
}

/* Also how a new set begins: its memory may hold anything. */
static inline void
bits_clear(uint64_t *bits)
{
    bits[0] = 0;
}

static inline void
bits_copy(uint64_t *to, const uint64_t *from)
{
    to[0] = from[0];
    for (uint64_t groups = from[0]; groups != 0; groups &= groups - 1) {
        const uint32_t w = 1u + (uint32_t)__builtin_ctzll(groups) * BITS_GROUP_WORDS;
        memcpy(to + w, from + w, BITS_GROUP_WORDS * sizeof(*to));
    }
}

static inline bool
bits_equal(const uint64_t *a, const uint64_t *b)
{
    for (uint64_t groups = a[0] | b[0]; groups != 0; groups &= groups - 1) {
        const uint32_t group = (uint32_t)__builtin_ctzll(groups);
        for (uint32_t w = 1u + group * BITS_GROUP_WORDS, k = 0; k < BITS_GROUP_WORDS; w++, k++)
            if ((bits_has_group(a, group) ? a[w] : 0) != (bits_has_group(b, group) ? b[w] : 0))
                return false;
    }
    return true;
}

static inline uint32_t
bits_count(const uint64_t *bits)
{
    uint32_t count = 0;
    for (uint64_t groups = bits[0]; groups != 0; groups &= groups - 1) {
        const uint32_t w = 1u + (uint32_t)__builtin_ctzll(groups) * BITS_GROUP_WORDS;
        for (uint32_t k = 0; k < BITS_GROUP_WORDS; k++)
            count += (uint32_t)__builtin_popcountll(bits[w + k]);
    }
    return count;
}

/* The bits of word `w` that lie in [from, to); the word must touch the range. */
static inline uint64_t
bits_range_mask(uint32_t w, uint32_t from, uint32_t to)
{
    uint64_t mask = UINT64_MAX;
    if (w == from >> 6)
        mask &= UINT64_MAX << (from & 63u);
    if (w == (to - 1) >> 6)
        mask &= UINT64_MAX >> (63u - ((to - 1) & 63u));
    return mask;
}

/* The smallest member in [from, to); BITS_NONE: none. */
static inline uint32_t
bits_next(const uint64_t *bits, uint32_t from, uint32_t to)
{
    uint32_t w = from >> 6;
    while (from < to && w <= (to - 1) >> 6) {
        const uint32_t group = w / BITS_GROUP_WORDS;
        if (!bits_has_group(bits, group)) {
            const uint64_t behind = bits[0] & (UINT64_MAX << group);
            if (behind == 0)
                return BITS_NONE;
            w = (uint32_t)__builtin_ctzll(behind) * BITS_GROUP_WORDS;
            continue;
        }
        const uint64_t word = bits[1u + w] & bits_range_mask(w, from, to);
        if (word != 0)
            return w * 64u + (uint32_t)__builtin_ctzll(word);
        w++;
    }
    return BITS_NONE;
}

/* The largest member in [from, to); BITS_NONE: none. */
static inline uint32_t
bits_last(const uint64_t *bits, uint32_t from, uint32_t to)
{
    if (from >= to)
        return BITS_NONE;
    for (uint32_t w = (to - 1) >> 6;; w--) {
        const uint32_t group = w / BITS_GROUP_WORDS;
        if (!bits_has_group(bits, group)) {
            const uint64_t before = bits[0] & ~(UINT64_MAX << group);
            if (before == 0)
                return BITS_NONE;
            w = (63u - (uint32_t)__builtin_clzll(before)) * BITS_GROUP_WORDS + BITS_GROUP_WORDS - 1;
            if (w < from >> 6)
                return BITS_NONE;
        }
        const uint64_t word = bits[1u + w] & bits_range_mask(w, from, to);
        if (word != 0)
            return w * 64u + 63u - (uint32_t)__builtin_clzll(word);
        if (w == from >> 6)
            return BITS_NONE;
    }
}

static inline bool
bits_any_in(const uint64_t *bits, uint32_t from, uint32_t to)
{
    return bits_next(bits, from, to) != BITS_NONE;
}

/* Add the members of `other` in [from, to). */
static inline void
bits_add_in(uint64_t *bits, const uint64_t *other, uint32_t from, uint32_t to)
{
    for (uint32_t w = from >> 6; from < to && w <= (to - 1) >> 6; w++) {
        const uint32_t group = w / BITS_GROUP_WORDS;
        if (!bits_has_group(other, group)) {
            w |= BITS_GROUP_WORDS - 1;
            continue;
        }
        bits_group_add(bits, group);
        *bits_word(bits, w) |= other[1u + w] & bits_range_mask(w, from, to);
    }
}

#endif
