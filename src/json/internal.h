/* json/internal.h - the layout of a value, for the layers that read it often. */
#ifndef ARVO_SRC_JSON_INTERNAL_H
#define ARVO_SRC_JSON_INTERNAL_H

#include <arvo/json.h>

#include "base/internal.h"

/* 16 bytes. Strings, items and members lie in the arena (or wherever a _ref
 * constructor pointed); a header may be copied freely, its contents are shared. */
struct arvo_json {
    uint8_t type;     /* arvo_json_type */
    uint8_t flags;    /* ARVO__JSON_* */
    uint8_t cap_log2; /* of a growing container; 0: not growable in place */
    uint8_t unused;
    uint32_t len; /* bytes of a string, items, members */
    union {
        bool boolean;
        int64_t integer;
        double number;
        const char *string;
        struct arvo_json *items;
        struct arvo__member *members;
    } as;
};

struct arvo__member {
    const char *key;
    uint32_t key_len;
    uint32_t key_plain; /* 1: needs no escape when written */
    struct arvo_json value;
};

#define ARVO__JSON_INDEXED 1u /* an object with a hash index before its members (json/object.c) */
#define ARVO__JSON_PLAIN   2u /* a string that needs no escape when written */

/* Whether a JSON string of this text needs no escape. */
bool arvo__json_str_is_plain(const char *text, size_t len);

/* As arvo_json_write(), of a value that will lie `depth` levels deep in a larger text: what would
 * then be too deep to be read is not written. */
void arvo__json_write_inside(const arvo_json *value, unsigned depth, arvo_buf *out);

#endif
