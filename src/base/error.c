/* Status names, the caller-owned error, and the assertion that stops a bug. */

#include "base/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *
arvo_version(void)
{
    return ARVO_VERSION_STRING;
}

const char *
arvo_status_name(arvo_status status)
{
    switch (status) {
#define STATUS_CASE(name, code, text)                                                              \
    case ARVO_##name:                                                                              \
        return #name;
        ARVO_STATUS_LIST(STATUS_CASE)
#undef STATUS_CASE
    }
    return "E_UNKNOWN";
}

const char *
arvo_status_text(arvo_status status)
{
    switch (status) {
#define STATUS_CASE(name, code, text)                                                              \
    case ARVO_##name:                                                                              \
        return text;
        ARVO_STATUS_LIST(STATUS_CASE)
#undef STATUS_CASE
    }
    return "unknown status";
}

_Noreturn void
arvo__assert_failed(const char *condition, const char *file, int line)
{
    /* The one place in the library that prints: the process is about to stop. */
    fprintf(stderr, "arvo: assertion failed: %s (%s:%d)\n", condition, file, line);
    abort();
}

/* Messages quote outside text, which may hold anything: what would break the one-line rule, drive a
 * terminal or be no UTF-8 is shown as \xHH. Cut where there is no more room, between characters. */
static void
error_store(arvo_error *err, const char *text, size_t len)
{
    const size_t cap = sizeof(err->text) - 1;
    size_t out = 0;

    for (size_t i = 0; i < len;) {
        const size_t shown = arvo__printable(text + i, len - i);
        if (out + (shown > 0 ? shown : 4) > cap)
            break;
        if (shown > 0) {
            memcpy(err->text + out, text + i, shown);
            out += shown;
            i += shown;
        } else {
            memcpy(err->text + out, "\\x", 2);
            arvo__hex(text + i, 1, err->text + out + 2);
            out += 4;
            i++;
        }
    }
    err->text[out] = '\0';
}

/* Length of a text that vsnprintf() cut to `cap` bytes: without a character's first half. */
static size_t
error_cut(const char *text, int wanted, size_t cap)
{
    if (wanted < 0)
        return 0;
    if ((size_t)wanted < cap)
        return (size_t)wanted;
    size_t len = cap - 1;
    size_t back = 1;
    while (back < 4 && back < len && ((unsigned char)text[len - back] & 0xc0) == 0x80)
        back++;
    return arvo__utf8_sequence(text + len - back, back) == back ? len : len - back;
}

arvo_status
arvo_error_set(arvo_error *err, arvo_status status, size_t offset, const char *format, ...)
{
    if (err == NULL)
        return status;

    char text[ARVO_ERROR_TEXT_BYTES_MAX];
    va_list args;
    va_start(args, format);
    const int wanted = vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    err->status = status;
    err->offset = offset;
    err->line = 0;
    err->column = 0;
    error_store(err, text, error_cut(text, wanted, sizeof(text)));
    return status;
}

void
arvo_error_prefix(arvo_error *err, const char *format, ...)
{
    if (err == NULL)
        return;

    char text[2 * ARVO_ERROR_TEXT_BYTES_MAX + 2]; /* prefix, ": ", what was there */
    va_list args;
    va_start(args, format);
    const int wanted = vsnprintf(text, ARVO_ERROR_TEXT_BYTES_MAX, format, args);
    va_end(args);
    if (wanted < 0)
        return;

    size_t used = error_cut(text, wanted, ARVO_ERROR_TEXT_BYTES_MAX);
    const size_t rest = strlen(err->text);
    memcpy(text + used, ": ", 2);
    memcpy(text + used + 2, err->text, rest);
    error_store(err, text, used + 2 + rest);
}

arvo_status
arvo__nomem(arvo_error *err)
{
    return arvo__fail(err, ARVO_E_NOMEM, "out of memory");
}

arvo_status
arvo__buf_status(const arvo_buf *buf, const char *what, arvo_error *err)
{
    if (buf->status == ARVO_E_TOO_BIG)
        return arvo__fail(
            err, ARVO_E_TOO_BIG, "%s: larger than the limit of %zu bytes", what, buf->bytes_max);
    if (buf->status != ARVO_OK)
        return arvo__nomem(err);
    return ARVO_OK;
}
