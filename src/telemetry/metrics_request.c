/* What a metrics server reads: the address to listen on, and the form that a client wants. */

#include "telemetry/metrics_internal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <strings.h>

#include "json/number.h"

/* ---- Addresses --------------------------------------------------------------------------- */

static bool
port_read(arvo_str text, uint16_t *out)
{
    uint32_t port = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || port > UINT16_MAX)
            return false;
        port = port * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    *out = (uint16_t)port;
    return text.len > 0 && port <= UINT16_MAX;
}

bool
arvo__metrics_address_read(const char *text, metrics_address *out)
{
    const char *colon = strrchr(text, ':');
    const char *port = colon != NULL ? colon + 1 : text;
    size_t host_len = colon != NULL ? (size_t)(colon - text) : 0;
    char host[INET6_ADDRSTRLEN];
    *out = (metrics_address){ .len = sizeof(out->as.v4) };
    uint16_t number;
    if (!port_read(arvo_str_from(port), &number))
        return false;
    const bool is_v6 = host_len >= 2 && text[0] == '[' && text[host_len - 1] == ']';
    text += is_v6;
    host_len -= is_v6 ? 2 : 0;
    if (host_len >= sizeof(host))
        return false;
    memcpy(host, text, host_len);
    host[host_len] = '\0';
    if (is_v6) {
        out->len = sizeof(out->as.v6);
        out->as.v6.sin6_family = AF_INET6;
        out->as.v6.sin6_port = htons(number);
        return inet_pton(AF_INET6, host, &out->as.v6.sin6_addr) == 1;
    }
    const bool is_local = host_len == 0 || strcmp(host, "localhost") == 0;
    out->as.v4.sin_family = AF_INET;
    out->as.v4.sin_port = htons(number);
    return inet_pton(AF_INET, is_local ? "127.0.0.1" : host, &out->as.v4.sin_addr) == 1;
}

size_t
arvo__metrics_address_format(const metrics_address *address, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "";
    const bool is_v6 = address->as.any.sa_family == AF_INET6;
    const void *ip =
        is_v6 ? (const void *)&address->as.v6.sin6_addr : (const void *)&address->as.v4.sin_addr;
    (void)inet_ntop(address->as.any.sa_family, ip, host, sizeof(host));
    const uint16_t port = ntohs(is_v6 ? address->as.v6.sin6_port : address->as.v4.sin_port);
    const int len = snprintf(
        out, size, "http://%s%s%s:%u", is_v6 ? "[" : "", host, is_v6 ? "]" : "", (unsigned)port);
    return len > 0 ? (size_t)len : 0;
}

/* ---- Accept ------------------------------------------------------------------------------------
 */

static bool
word_is(arvo_str text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.ptr, word, text.len) == 0;
}

/* The piece of *rest before a `sign`; *rest moves behind it. */
static arvo_str
piece_take(arvo_str *rest, char sign)
{
    const char *end = rest->len > 0 ? memchr(rest->ptr, sign, rest->len) : NULL;
    const size_t len = end != NULL ? (size_t)(end - rest->ptr) : rest->len;
    const arvo_str piece = { rest->ptr, len };
    const size_t skip = end != NULL ? len + 1 : len;
    *rest = (arvo_str){ rest->ptr + skip, rest->len - skip };
    return arvo__trim_blanks(piece);
}

/* Of the parameters of one media range: q, which is 1 when it is not said, and 0 when it cannot be
 * read. */
static double
quality_of(arvo_str parameters)
{
    while (parameters.len > 0) {
        arvo_str piece = piece_take(&parameters, ';');
        const arvo_str name = piece_take(&piece, '=');
        if (!word_is(name, "q"))
            continue;
        char text[8];
        if (piece.len == 0 || piece.len >= sizeof(text))
            return 0;
        memcpy(text, piece.ptr, piece.len);
        text[piece.len] = '\0';
        char *end = NULL;
        const double quality = arvo__number_strtod(text, &end);
        return *end == '\0' && quality >= 0 && quality <= 1 ? quality : 0;
    }
    return 1;
}

/* RFC 9110, 12.5.1, as far as two types need it: text is what there is when nothing is asked for,
 * and OpenMetrics has to be named. */
arvo_metrics_format
arvo__metrics_format_of(const char *accept)
{
    double open = 0, text = 0, any = 0;
    arvo_str rest = accept != NULL ? arvo_str_from(accept) : ARVO_STR("");
    while (rest.len > 0) {
        arvo_str range = piece_take(&rest, ',');
        const arvo_str type = piece_take(&range, ';');
        const double quality = quality_of(range);
        double *best = word_is(type, "application/openmetrics-text") ? &open
                       : word_is(type, "text/plain")                 ? &text
                                                                     : &any;
        if (best == &any && !word_is(type, "*/*") && !word_is(type, "text/*"))
            continue;
        if (quality > *best)
            *best = quality;
    }
    return open > 0 && open >= text && open >= any ? ARVO_METRICS_OPENMETRICS
                                                   : ARVO_METRICS_PROMETHEUS;
}
