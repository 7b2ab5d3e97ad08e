/* arvo/uri.h - URIs as ECMAScript's encodeURI and decodeURI see them.
 *
 * Source: spec 1.2, 1.3. Pure functions; any thread.
 */
#ifndef ARVO_URI_H
#define ARVO_URI_H

#include <arvo/base.h>

ARVO_BEGIN_DECLS

/**
 * Append encodeURI(text) to `out`: `A-Z a-z 0-9 ; / ? : @ & = + $ , # - _ . ! ~ * ' ( )` unchanged,
 * every other byte as %XX in upper case.
 * @return ARVO_OK, ARVO_E_MALFORMED when `text` is not UTF-8 (out unchanged), or the buffer's
 *         failure.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_uri_encode(arvo_str text, arvo_buf *out, arvo_error *err);

/** Whether `text` equals encodeURI(decodeURI(text)); true for the empty string. */
ARVO_API bool arvo_uri_is_valid(arvo_str text);

/** Whether encodeURI would leave `text` as it is. */
ARVO_API bool arvo_uri_is_plain(arvo_str text);

ARVO_END_DECLS

#endif
