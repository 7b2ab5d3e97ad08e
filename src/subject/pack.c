/* The outer form of a subject: base64 of a zlib stream of JSON.
 *
 * Written: up to ARVO_SUBJECT_STORED_BYTES_MAX bytes of JSON as they are, in a zlib stream of one
 * stored block (RFC 1950, RFC 1951 section 3.2.4); longer ones deflated. A usual subject loses a
 * quarter of its bytes to deflate, and takes 20 times as long to write and to read again.
 *
 * Strict (D32, D33): canonical base64, one zlib stream, nothing behind it, within the limits.
 * Lenient (spec 2.9): whatever atob-like decoding, pako and TextDecoder together let pass.
 */

#include "subject/internal.h"

/* zlib's default is 8; its 64 KiB hash table, cleared for every subject, costs more than packing
 * one. At 5 the table has 8 KiB, and what is packed is the same up to 2,000 symbols. */
#define SUBJECT_DEFLATE_MEM_LEVEL   5
#define SUBJECT_WINDOW_ZLIB         15
#define SUBJECT_WINDOW_ZLIB_OR_GZIP (15 + 32)

/* ---- zlib's memory ----------------------------------------------------------------- */

/* arvo_allocator wants the size back, zlib does not keep it: it goes in front. */
#define SUBJECT_BLOCK_FRONT ((size_t)16)

static void *
subject_zalloc(void *opaque, unsigned items, unsigned size)
{
    const arvo_subject_codec *codec = opaque;
    const size_t bytes = (size_t)items * size + SUBJECT_BLOCK_FRONT;
    char *block = arvo__alloc(codec->allocator, bytes);
    if (block == NULL)
        return NULL;
    memcpy(block, &bytes, sizeof(bytes));
    return block + SUBJECT_BLOCK_FRONT;
}

static void
subject_zfree(void *opaque, void *ptr)
{
    const arvo_subject_codec *codec = opaque;
    char *block = (char *)ptr - SUBJECT_BLOCK_FRONT;
    size_t bytes;
    memcpy(&bytes, block, sizeof(bytes));
    arvo__free(codec->allocator, block, bytes);
}

bool
arvo__subject_codec_init(arvo_subject_codec *codec, const arvo_allocator *allocator, bool lenient)
{
    *codec = (arvo_subject_codec){ .lenient = lenient };
    if (allocator != NULL) {
        codec->allocator_copy = *allocator;
        codec->allocator = &codec->allocator_copy;
    }
    codec->inflater =
        (z_stream){ .zalloc = subject_zalloc, .zfree = subject_zfree, .opaque = codec };
    codec->deflater = codec->inflater;
    codec->packed = arvo__alloc(codec->allocator, ARVO__SUBJECT_PACKED_BYTES_MAX);
    codec->json = arvo__alloc(codec->allocator, ARVO_SUBJECT_JSON_BYTES_MAX + 1);
    if (codec->packed != NULL && codec->json != NULL)
        codec->has_inflater = inflateInit2(
                                  &codec->inflater, lenient ? SUBJECT_WINDOW_ZLIB_OR_GZIP
                                                            : SUBJECT_WINDOW_ZLIB) == Z_OK;
    if (!codec->has_inflater)
        arvo__subject_codec_fini(codec);
    return codec->has_inflater;
}

void
arvo__subject_codec_fini(arvo_subject_codec *codec)
{
    if (codec->has_cache)
        arvo__subject_cache_fini(&codec->cache);
    if (codec->has_deflater)
        (void)deflateEnd(&codec->deflater);
    if (codec->has_inflater)
        (void)inflateEnd(&codec->inflater);
    arvo__free(codec->allocator, codec->json, ARVO_SUBJECT_JSON_BYTES_MAX + 1);
    arvo__free(codec->allocator, codec->packed, ARVO__SUBJECT_PACKED_BYTES_MAX);
    codec->json = NULL;
    codec->packed = NULL;
    codec->has_cache = codec->has_deflater = codec->has_inflater = false;
}

/* ---- base64, lenient ------------------------------------------------------------------ */

/* Spec 2.9a: both alphabets, other bytes skipped, the end at the first '=', padding optional, a
 * single digit left over dropped, spare bits ignored. */
static size_t
subject_base64_lenient(arvo_str text, unsigned char *out)
{
    size_t len = 0;
    uint32_t word = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < text.len && text.ptr[i] != '='; i++) {
        const char c = text.ptr[i];
        unsigned digit;
        if (c >= 'A' && c <= 'Z')
            digit = (unsigned)(c - 'A');
        else if (c >= 'a' && c <= 'z')
            digit = (unsigned)(c - 'a') + 26;
        else if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0') + 52;
        else if (c == '+' || c == '-')
            digit = 62;
        else if (c == '/' || c == '_')
            digit = 63;
        else
            continue;
        word = (word << 6 | digit) & 0xffffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[len++] = (unsigned char)(word >> bits);
        }
    }
    return len;
}

/* ---- Inflating -------------------------------------------------------------------------- */

static arvo_status
subject_inflate_failed(const z_stream *stream, int result, arvo_error *err)
{
    if (result == Z_MEM_ERROR)
        return arvo__nomem(err);
    if (stream->avail_out == 0)
        return arvo__fail(
            err, ARVO_E_TOO_BIG, "subject: unpacks to more than the limit of %zu bytes",
            ARVO_SUBJECT_JSON_BYTES_MAX);
    if (result == Z_NEED_DICT)
        return arvo__fail(
            err, ARVO_E_MALFORMED, "subject: its zlib stream wants a preset dictionary");
    if (result == Z_DATA_ERROR)
        return arvo__fail(
            err, ARVO_E_MALFORMED, "subject: not a zlib stream (%s)",
            stream->msg != NULL ? stream->msg : "damaged");
    return arvo__fail(err, ARVO_E_MALFORMED, "subject: its zlib stream is cut short");
}

/* Unpack `len` bytes of codec->packed to codec->json. */
static arvo_status
subject_inflate(arvo_subject_codec *codec, size_t len, size_t *out_len, arvo_error *err)
{
    z_stream *stream = &codec->inflater;
    stream->next_in = codec->packed;
    stream->avail_in = (unsigned)len;
    stream->next_out = (unsigned char *)codec->json;
    /* One byte more than allowed, to tell a text of the greatest length from a longer one. */
    stream->avail_out = (unsigned)ARVO_SUBJECT_JSON_BYTES_MAX + 1;

    do {
        if (inflateReset(stream) != Z_OK)
            return arvo__nomem(err);
        const int result = inflate(stream, Z_FINISH);
        if (result != Z_STREAM_END || stream->avail_out == 0)
            return subject_inflate_failed(stream, result, err);
        /* Spec 2.9b: a byte that is not zero begins another member, a zero ends it all. */
    } while (codec->lenient && stream->avail_in > 0 && stream->next_in[0] != 0);

    if (!codec->lenient && stream->avail_in > 0)
        return arvo__fail(
            err, ARVO_E_MALFORMED, "subject: %u bytes too many behind its zlib stream",
            stream->avail_in);
    *out_len = ARVO_SUBJECT_JSON_BYTES_MAX + 1 - stream->avail_out;
    return ARVO_OK;
}

/* ---- Text, lenient ------------------------------------------------------------------------ */

/* Bytes that stand for one U+FFFD: the longest beginning of a character that is cut, or one. */
static size_t
subject_broken_len(const unsigned char *p, size_t left)
{
    const unsigned char c = p[0];
    const size_t want = c >= 0xf0 && c <= 0xf4 ? 4 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xc2 ? 2 : 1;
    if (c > 0xf4 || want == 1 || left < 2)
        return 1;
    const unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    const unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 1;
    size_t len = 2;
    while (len < want - 1 && len < left && (p[len] & 0xc0) == 0x80)
        len++;
    return len;
}

/* Spec 2.9c: no byte order mark, U+FFFD for what is not UTF-8. */
static arvo_status
subject_text_lenient(arvo_str text, arvo_arena *arena, arvo_str *out, arvo_error *err)
{
    if (arvo_str_starts(text, ARVO_STR("\xef\xbb\xbf"))) {
        text.ptr += 3;
        text.len -= 3;
    }
    *out = text;
    if (arvo__utf8_is_valid(text))
        return ARVO_OK;

    char *fixed = arvo__arena_alloc(arena, 3 * text.len);
    if (fixed == NULL)
        return arvo__nomem(err);
    size_t len = 0;
    while (text.len > 0) {
        const size_t valid = arvo__utf8_valid_prefix(text);
        memcpy(fixed + len, text.ptr, valid);
        len += valid;
        text.ptr += valid;
        text.len -= valid;
        if (text.len > 0) {
            const size_t broken = subject_broken_len((const unsigned char *)text.ptr, text.len);
            memcpy(fixed + len, "\xef\xbf\xbd", 3);
            len += 3;
            text.ptr += broken;
            text.len -= broken;
        }
    }
    *out = (arvo_str){ fixed, len };
    return ARVO_OK;
}

/* ---- Both ways ------------------------------------------------------------------------------ */

arvo_status
arvo__subject_unpack(
    arvo_subject_codec *codec, arvo_str text, arvo_arena *arena, arvo_str *out, arvo_error *err)
{
    if (text.len > ARVO_SUBJECT_TEXT_BYTES_MAX)
        return arvo__fail(
            err, ARVO_E_TOO_BIG, "subject: %zu bytes long, the limit is %zu", text.len,
            ARVO_SUBJECT_TEXT_BYTES_MAX);

    size_t packed = 0;
    if (codec->lenient)
        packed = subject_base64_lenient(text, codec->packed);
    else if (!arvo__base64_decode(text, codec->packed, &packed))
        return arvo__fail(
            err, ARVO_E_MALFORMED,
            "subject: not base64 in canonical form (alphabet + and /, padded with =)");
    if (packed == 0)
        return arvo__fail(err, ARVO_E_MALFORMED, "subject: is empty");

    size_t len = 0;
    codec->encoded_len = 0; /* its place is taken */
    const arvo_status st = subject_inflate(codec, packed, &len, err);
    if (st != ARVO_OK)
        return st;
    *out = (arvo_str){ codec->json, len };
    return codec->lenient ? subject_text_lenient(*out, arena, out, err) : ARVO_OK;
}

/* Two bytes of zlib header (deflate, 32 KiB window, fastest), then "the last block, stored" with
 * its length and the complement of that, little-endian; behind the bytes their Adler-32,
 * big-endian. */
static size_t
subject_store(arvo_str json, unsigned char *out)
{
    const unsigned len = (unsigned)json.len;
    const unsigned char front[] = { 0x78,
                                    0x01,
                                    0x01,
                                    (unsigned char)len,
                                    (unsigned char)(len >> 8),
                                    (unsigned char)~len,
                                    (unsigned char)(~len >> 8) };
    const uLong sum = adler32(adler32(0, NULL, 0), (const unsigned char *)json.ptr, len);
    const unsigned char back[] = { (unsigned char)(sum >> 24), (unsigned char)(sum >> 16),
                                   (unsigned char)(sum >> 8), (unsigned char)sum };
    memcpy(out, front, sizeof(front));
    memcpy(out + sizeof(front), json.ptr, len);
    memcpy(out + sizeof(front) + len, back, sizeof(back));
    return sizeof(front) + len + sizeof(back);
}

static arvo_status
subject_deflate(arvo_subject_codec *codec, arvo_str json, size_t *out_len, arvo_error *err)
{
    z_stream *stream = &codec->deflater;
    if (codec->has_deflater) {
        if (deflateReset(stream) != Z_OK)
            return arvo__nomem(err);
    } else {
        if (deflateInit2(
                stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS, SUBJECT_DEFLATE_MEM_LEVEL,
                Z_DEFAULT_STRATEGY) != Z_OK)
            return arvo__nomem(err);
        codec->has_deflater = true;
    }

    /* zlib's interface forgets const; it only reads. */
    memcpy(&stream->next_in, &json.ptr, sizeof(stream->next_in));
    stream->avail_in = (unsigned)json.len;
    stream->next_out = codec->packed;
    stream->avail_out = (unsigned)ARVO__SUBJECT_PACKED_BYTES_MAX;
    if (deflate(stream, Z_FINISH) != Z_STREAM_END)
        return arvo__fail(
            err, ARVO_E_TOO_BIG, "subject: longer than the limit of %zu bytes when encoded",
            ARVO_SUBJECT_TEXT_BYTES_MAX);
    *out_len = ARVO__SUBJECT_PACKED_BYTES_MAX - stream->avail_out;
    return ARVO_OK;
}

arvo_status
arvo__subject_pack(
    arvo_subject_codec *codec, arvo_str json, arvo_arena *arena, arvo_str *out, arvo_error *err)
{
    size_t packed = 0;
    if (json.len <= ARVO_SUBJECT_STORED_BYTES_MAX) {
        packed = subject_store(json, codec->packed);
    } else {
        const arvo_status st = subject_deflate(codec, json, &packed, err);
        if (st != ARVO_OK)
            return st;
    }
    const size_t len = arvo__base64_encoded_len(packed);
    char *text = arvo__arena_alloc(arena, len);
    if (text == NULL)
        return arvo__nomem(err);
    arvo__base64_encode(codec->packed, packed, text);
    *out = (arvo_str){ text, len };
    return ARVO_OK;
}
