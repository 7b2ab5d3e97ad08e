/* Subjects from any bytes. The first byte chooses: bit 0 takes the rest as the text of a subject,
 * otherwise it is taken as the JSON inside and packed first; bit 1 reads leniently.
 *
 * Laws: decode(encode(s)) equals s; what strict reading accepts, lenient reading accepts as well,
 * alike; the cache answers as the first decode did. */

#include <stdint.h>
#include <stdlib.h>

#include "subject/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_equal(const arvo_subject *a, const arvo_subject *b)
{
    ARVO_ASSERT(arvo_str_equal(a->orchestrator_name, b->orchestrator_name));
    ARVO_ASSERT(arvo_str_equal(a->orchestrator_version, b->orchestrator_version));
    ARVO_ASSERT(arvo_str_equal(a->execution_id, b->execution_id));
    ARVO_ASSERT(arvo_str_equal(a->initiator, b->initiator));
    ARVO_ASSERT(arvo_str_equal(a->domain, b->domain));
    ARVO_ASSERT(arvo_json_equal(a->meta, b->meta));
}

static void
check_subject(arvo_subject_codec *codec, arvo_str text, bool lenient, arvo_arena *arena)
{
    arvo_subject first, second, again;
    arvo_str encoded;
    arvo_error err = { .status = ARVO_OK };
    const arvo_status st = arvo_subject_decode(codec, text, arena, &first, &err);
    if (st != ARVO_OK) {
        ARVO_ASSERT(err.status == st && err.text[0] != '\0' && strchr(err.text, '\n') == NULL);
        if (lenient)
            ARVO_ASSERT(arvo_subject_decode(NULL, text, arena, &first, &err) != ARVO_OK);
        return;
    }
    ARVO_ASSERT(arvo_subject_decode(codec, text, arena, &second, &err) == ARVO_OK);
    check_equal(&first, &second);
    ARVO_ASSERT(arvo_json_equal(first.json, second.json));

    const arvo_status packed = arvo_subject_encode(codec, &first, arena, &encoded, &err);
    if (packed == ARVO_E_TOO_BIG) /* "domain" added, or another compressor did better */
        return;
    ARVO_ASSERT(packed == ARVO_OK);
    ARVO_ASSERT(arvo_subject_decode(NULL, encoded, arena, &again, &err) == ARVO_OK);
    check_equal(&second, &again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const bool is_text = (data[0] & 1) != 0, lenient = (data[0] & 2) != 0;
    arvo_arena *arena = arvo_arena_new(NULL);
    arvo_subject_codec *codec = arvo_subject_codec_new(
        &(arvo_subject_codec_opts){ .lenient = lenient, .cache_entries = 4 });
    if (arena != NULL && codec != NULL) {
        arvo_str text = { (const char *)data + 1, size - 1 };
        const bool whole =
            is_text || (text.len <= ARVO_SUBJECT_JSON_BYTES_MAX &&
                        arvo__subject_pack(codec, text, arena, &text, NULL) == ARVO_OK);
        if (whole)
            check_subject(codec, text, lenient, arena);
    }
    arvo_subject_codec_free(codec);
    arvo_arena_free(arena);
    return 0;
}
