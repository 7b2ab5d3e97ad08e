/* encodeURI and validateURI on any bytes, against a plain reading of spec 1.2 and 1.3. */

#include <stdint.h>
#include <stdlib.h>

#include <arvo/uri.h>

#include "base/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_safe(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr(";/?:@&=+$,#-_.!~*'()", c) != NULL);
}

static int
hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* decodeURI, but for reserved characters, which stay escaped; false where that throws, or where
 * encodeURI would write the escape in another way. */
static bool
decode(arvo_str text, arvo_buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            if (text.len - i < 3 || hex(text.ptr[i + 1]) < 0 || hex(text.ptr[i + 2]) < 0)
                return false;
            c = (char)(hex(text.ptr[i + 1]) << 4 | hex(text.ptr[i + 2]));
            i += 2;
        } else if (!is_safe(c)) {
            return false;
        }
        arvo_buf_append_char(out, c);
    }
    return arvo__utf8_is_valid(arvo_buf_str(out));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const arvo_str text = { (const char *)data, size };
    arvo_buf encoded = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_buf decoded = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_error err = { .status = ARVO_OK };

    const arvo_status st = arvo_uri_encode(text, &encoded, &err);
    ARVO_ASSERT((st == ARVO_OK) == arvo__utf8_is_valid(text));
    if (st == ARVO_OK) {
        ARVO_ASSERT(arvo_uri_is_valid(arvo_buf_str(&encoded)));
        ARVO_ASSERT(arvo_uri_is_plain(text) == arvo_str_equal(text, arvo_buf_str(&encoded)));
        ARVO_ASSERT(decode(arvo_buf_str(&encoded), &decoded));
        ARVO_ASSERT(arvo_str_equal(text, arvo_buf_str(&decoded)));
    } else {
        ARVO_ASSERT(st == ARVO_E_MALFORMED && err.status == st && encoded.len == 0);
        ARVO_ASSERT(!arvo_uri_is_plain(text) && !arvo_uri_is_valid(text));
    }

    /* Valid is what encodeURI gives back when it is decoded first. */
    arvo_buf_reset(&encoded);
    arvo_buf_reset(&decoded);
    const bool valid = decode(text, &decoded) &&
                       arvo_uri_encode(arvo_buf_str(&decoded), &encoded, &err) == ARVO_OK &&
                       arvo_str_equal(text, arvo_buf_str(&encoded));
    ARVO_ASSERT(arvo_uri_is_valid(text) == valid);
    arvo_buf_fini(&decoded);
    arvo_buf_fini(&encoded);
    return 0;
}
