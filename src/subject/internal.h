/* subject/internal.h - the codec: packing, and the cache of decoded subjects. */
#ifndef ARVO_SRC_SUBJECT_INTERNAL_H
#define ARVO_SRC_SUBJECT_INTERNAL_H

#include <arvo/subject.h>
#include <zlib.h>

#include "base/internal.h"

/* ---- Cache (subject/cache.c) ---------------------------------------------------- */

#define ARVO__SUBJECT_WAYS 8u

/* A subject is looked for in one set only, chosen by its hash. Eight tags fill a cache line. */
struct arvo__subject_set {
    uint64_t tags[ARVO__SUBJECT_WAYS]; /* hash of the text, odd; 0: free */
    uint32_t used[ARVO__SUBJECT_WAYS]; /* the cache's clock at the last use */
};

/* Owns its text and its decoded form. The arena is kept when the entry is given to another subject,
 * so a full cache allocates no more. */
struct arvo__subject_entry {
    arvo_arena *arena;
    arvo_str text;
    arvo_subject subject;
};

typedef struct arvo__subject_cache {
    const arvo_allocator *allocator;
    struct arvo__subject_set *sets;
    struct arvo__subject_entry *entries; /* ARVO__SUBJECT_WAYS for each set */
    uint32_t set_count;
    uint32_t clock;
} arvo__subject_cache;

/* At most `entries` entries, or one set of them. false: out of memory. */
bool arvo__subject_cache_init(
    arvo__subject_cache *cache, uint32_t entries, const arvo_allocator *allocator);
void arvo__subject_cache_fini(arvo__subject_cache *cache);

/* Borrowed until the eighth add from now. NULL: not there. */
const arvo_subject *
arvo__subject_cache_find(arvo__subject_cache *cache, arvo_str text, uint64_t hash);

/* Copy in; the one unused for the longest time of its set goes. NULL: out of memory, nothing added.
 */
const arvo_subject *arvo__subject_cache_add(
    arvo__subject_cache *cache, arvo_str text, uint64_t hash, const arvo_subject *subject);

/* ---- Codec ------------------------------------------------------------------------ */

#define ARVO__SUBJECT_PACKED_BYTES_MAX (ARVO_SUBJECT_TEXT_BYTES_MAX / 4 * 3)

struct arvo_subject_codec {
    arvo_allocator allocator_copy;
    const arvo_allocator *allocator;
    bool lenient;
    bool has_cache;
    bool has_inflater;
    bool has_deflater; /* made when first needed: it is 260 KiB */
    z_stream inflater;
    z_stream deflater;
    unsigned char *packed; /* ARVO__SUBJECT_PACKED_BYTES_MAX */
    char *json;            /* ARVO_SUBJECT_JSON_BYTES_MAX + 1 */
    size_t encoded_len;    /* of what was encoded last and is still in `json`; else 0 */
    arvo__subject_cache cache;
};

/* Everything but the cache. false: out of memory, nothing to free. `codec` must not move. */
bool
arvo__subject_codec_init(arvo_subject_codec *codec, const arvo_allocator *allocator, bool lenient);
void arvo__subject_codec_fini(arvo_subject_codec *codec);

/* Put what `codec` encoded last, as `text`, into its cache, so that decoding it is a lookup. Counts
 * as a decode for those who borrow from the codec. Failing is fine: then it is decoded when it
 * comes.
 */
void arvo__subject_codec_remember(arvo_subject_codec *codec, arvo_str text, arvo_arena *scratch);

/* base64 and zlib undone. *out: in the codec until its next use, or (lenient) in the arena. */
arvo_status arvo__subject_unpack(
    arvo_subject_codec *codec, arvo_str text, arvo_arena *arena, arvo_str *out, arvo_error *err);

/* JSON text to its encoded form; arena. */
arvo_status arvo__subject_pack(
    arvo_subject_codec *codec, arvo_str json, arvo_arena *arena, arvo_str *out, arvo_error *err);

#endif
