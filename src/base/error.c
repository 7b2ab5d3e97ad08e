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

/* Messages quote outside text, which may hold anything: control bytes would break the one-line rule
 * or drive a terminal, so each becomes \xHH. Returns where the cut text ends, never inside a code
 * point. */
static void
error_store(arvo_error *err, const char *text)
{
    static const char digits[] = "0123456789abcdef";
    const size_t cap = sizeof(err->text) - 1;
    size_t out = 0;

    for (size_t i = 0; text[i] != '\0'; i++) {
        const unsigned char c = (unsigned char)text[i];
        const size_t need = c < 0x20 || c == 0x7f ? 4 : 1;
        if (out + need > cap) {
            while (out > 0 && ((unsigned char)err->text[out - 1] & 0xc0) == 0x80)
                out--;
            if (out > 0 && (unsigned char)err->text[out - 1] >= 0xc0)
                out--;
            break;
        }
        if (need == 1) {
            err->text[out++] = (char)c;
        } else {
            err->text[out++] = '\\';
            err->text[out++] = 'x';
            err->text[out++] = digits[c >> 4];
            err->text[out++] = digits[c & 15];
        }
    }
    err->text[out] = '\0';
}

arvo_status
arvo_error_set(arvo_error *err, arvo_status status, size_t offset, const char *format, ...)
{
    if (err == NULL)
        return status;

    char text[ARVO_ERROR_TEXT_BYTES_MAX];
    va_list args;
    va_start(args, format);
    if (vsnprintf(text, sizeof(text), format, args) < 0)
        text[0] = '\0';
    va_end(args);

    err->status = status;
    err->offset = offset;
    err->line = 0;
    err->column = 0;
    error_store(err, text);
    return status;
}

void
arvo_error_prefix(arvo_error *err, const char *format, ...)
{
    if (err == NULL)
        return;

    char text[2 * ARVO_ERROR_TEXT_BYTES_MAX];
    va_list args;
    va_start(args, format);
    const int len = vsnprintf(text, ARVO_ERROR_TEXT_BYTES_MAX, format, args);
    va_end(args);
    if (len < 0)
        return;

    const size_t used = strlen(text);
    (void)snprintf(text + used, sizeof(text) - used, ": %s", err->text);
    error_store(err, text);
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
