/* machine/bits.h - sets of state numbers. One word serves charts of up to 64 states. */
#ifndef ARVO_SRC_MACHINE_BITS_H
#define ARVO_SRC_MACHINE_BITS_H

#include "base/internal.h"

#define BITS_NONE UINT32_MAX

static inline uint32_t
bits_words(uint32_t count)
{
    return (count + 63u) / 64u;
}

static inline bool
bits_has(const uint64_t *bits, uint32_t i)
{
    return (bits[i >> 6] >> (i & 63u)) & 1u;
}

static inline void
bits_add(uint64_t *bits, uint32_t i)
{
    bits[i >> 6] |= UINT64_C(1) << (i & 63u);
}

static inline void
bits_remove(uint64_t *bits, uint32_t i)
{
    bits[i >> 6] &= ~(UINT64_C(1) << (i & 63u));
}

static inline void
bits_clear(uint64_t *bits, uint32_t words)
{
    for (uint32_t w = 0; w < words; w++)
        bits[w] = 0;
}

static inline void
bits_copy(uint64_t *to, const uint64_t *from, uint32_t words)
{
    for (uint32_t w = 0; w < words; w++)
        to[w] = from[w];
}

static inline bool
bits_equal(const uint64_t *a, const uint64_t *b, uint32_t words)
{
    uint64_t differing = 0;
    for (uint32_t w = 0; w < words; w++)
        differing |= a[w] ^ b[w];
    return differing == 0;
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

static inline bool
bits_any_in(const uint64_t *bits, uint32_t from, uint32_t to)
{
    if (from >= to)
        return false;
    for (uint32_t w = from >> 6; w <= (to - 1) >> 6; w++)
        if (bits[w] & bits_range_mask(w, from, to))
            return true;
    return false;
}

/* The smallest member in [from, to); BITS_NONE: none. */
static inline uint32_t
bits_next(const uint64_t *bits, uint32_t from, uint32_t to)
{
    if (from >= to)
        return BITS_NONE;
    for (uint32_t w = from >> 6; w <= (to - 1) >> 6; w++) {
        const uint64_t word = bits[w] & bits_range_mask(w, from, to);
        if (word != 0)
            return w * 64u + (uint32_t)__builtin_ctzll(word);
    }
    return BITS_NONE;
}

/* The largest member in [from, to); BITS_NONE: none. */
static inline uint32_t
bits_last(const uint64_t *bits, uint32_t from, uint32_t to)
{
    if (from >= to)
        return BITS_NONE;
    for (uint32_t w = ((to - 1) >> 6) + 1; w-- > from >> 6;) {
        const uint64_t word = bits[w] & bits_range_mask(w, from, to);
        if (word != 0)
            return w * 64u + 63u - (uint32_t)__builtin_clzll(word);
    }
    return BITS_NONE;
}

#endif
