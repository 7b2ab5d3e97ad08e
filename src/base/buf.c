/* Byte buffers that grow up to a named maximum; failure is sticky. */

#include "base/internal.h"

#include <stdarg.h>
#include <stdio.h>

#define BUF_BYTES_MIN ((size_t)256)

static bool
buf_grow(arvo_buf *buf, size_t need)
{
    size_t cap = buf->cap != 0 ? buf->cap : BUF_BYTES_MIN;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    if (cap > buf->bytes_max)
        cap = buf->bytes_max; /* need <= bytes_max: the caller checked */

    char *ptr = arvo__alloc(buf->allocator, cap);
    if (ptr == NULL) {
        buf->status = ARVO_E_NOMEM;
        return false;
    }
    if (buf->len > 0)
        memcpy(ptr, buf->ptr, buf->len);
    arvo__free(buf->allocator, buf->ptr, buf->cap);
    buf->ptr = ptr;
    buf->cap = cap;
    return true;
}

char *
arvo_buf_reserve(arvo_buf *buf, size_t len)
{
    ARVO_ASSERT(buf != NULL);
    if (ARVO_UNLIKELY(buf->status != ARVO_OK))
        return NULL;
    if (ARVO_UNLIKELY(buf->ptr == NULL || len > buf->cap - buf->len)) {
        if (len > buf->bytes_max || buf->len > buf->bytes_max - len) {
            buf->status = ARVO_E_TOO_BIG;
            return NULL;
        }
        if (!buf_grow(buf, buf->len + len))
            return NULL;
    }
    return buf->ptr + buf->len;
}

void
arvo_buf_append(arvo_buf *buf, const void *bytes, size_t len)
{
    if (len == 0)
        return;
    char *dst = arvo_buf_reserve(buf, len);
    if (dst == NULL)
        return;
    memcpy(dst, bytes, len);
    buf->len += len;
}

void
arvo_buf_append_str(arvo_buf *buf, arvo_str str)
{
    arvo_buf_append(buf, str.ptr, str.len);
}

void
arvo_buf_append_char(arvo_buf *buf, char c)
{
    char *dst = arvo_buf_reserve(buf, 1);
    if (dst == NULL)
        return;
    *dst = c;
    buf->len++;
}

void
arvo_buf_printf(arvo_buf *buf, const char *format, ...)
{
    /* Not printed in place: the NUL that vsnprintf() adds might be the one byte too many. */
    char small[256];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int len = vsnprintf(small, sizeof(small), format, args);
    va_end(args);

    if (len >= 0 && (size_t)len < sizeof(small)) {
        arvo_buf_append(buf, small, (size_t)len);
    } else if (len >= 0 && arvo_buf_reserve(buf, (size_t)len) != NULL) {
        char *text = arvo__alloc(buf->allocator, (size_t)len + 1);
        if (text != NULL && vsnprintf(text, (size_t)len + 1, format, again) == len)
            arvo_buf_append(buf, text, (size_t)len);
        else
            buf->status = ARVO_E_NOMEM;
        arvo__free(buf->allocator, text, (size_t)len + 1);
    }
    va_end(again);
}

void
arvo_buf_reset(arvo_buf *buf)
{
    ARVO_ASSERT(buf != NULL);
    buf->len = 0;
    buf->status = ARVO_OK;
}

void
arvo_buf_fini(arvo_buf *buf)
{
    ARVO_ASSERT(buf != NULL);
    arvo__free(buf->allocator, buf->ptr, buf->cap);
    buf->ptr = NULL;
    buf->len = 0;
    buf->cap = 0;
    buf->status = ARVO_OK;
}
