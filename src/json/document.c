/* Documents: files of JSON or YAML, and where in them a value stands. */

#include <arvo/document.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json/document_internal.h"

#define POINTER_SHOWN_BYTES_MAX 200

/* ---- Positions ------------------------------------------------------------ */

void
arvo__text_position(arvo_str text, size_t offset, uint32_t *line, uint32_t *column)
{
    uint32_t lines = 1;
    size_t start = 0;
    const size_t end = offset < text.len ? offset : text.len;
    for (size_t i = 0; i < end; i++) {
        const bool is_break =
            text.ptr[i] == '\n' ||
            (text.ptr[i] == '\r' && (i + 1 == text.len || text.ptr[i + 1] != '\n'));
        if (is_break) {
            lines++;
            start = i + 1;
        }
    }
    *line = lines;
    *column = (uint32_t)(end - start + 1);
}

static void
error_place(arvo_error *err, arvo_str file, uint32_t line, uint32_t column)
{
    if (err == NULL)
        return;
    err->line = line;
    err->column = column;
    arvo_error_prefix(err, "%.*s:%u:%u", ARVO_FMT(file), line, column);
}

arvo_status
arvo__text_error(
    arvo_str file, arvo_str text, size_t offset, arvo_error *err, arvo_status status,
    const char *format, ...)
{
    if (err == NULL)
        return status;
    char message[ARVO_ERROR_TEXT_BYTES_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);

    uint32_t line = 0;
    uint32_t column = 0;
    arvo__text_position(text, offset, &line, &column);
    (void)arvo_error_set(err, status, offset, "%s", message);
    error_place(err, file, line, column);
    return status;
}

/* ---- JSON pointers -------------------------------------------------------- */

bool
arvo__pointer_next(arvo_str *pointer, arvo_str *token)
{
    if (pointer->len == 0 || pointer->ptr[0] != '/')
        return false;
    const char *const begin = pointer->ptr + 1;
    const char *const slash = memchr(begin, '/', pointer->len - 1);
    const char *const end = slash != NULL ? slash : pointer->ptr + pointer->len;
    *token = (arvo_str){ begin, (size_t)(end - begin) };
    *pointer = (arvo_str){ end, (size_t)(pointer->ptr + pointer->len - end) };
    return true;
}

bool
arvo__pointer_token_is(arvo_str token, arvo_str key)
{
    size_t at = 0;
    for (size_t i = 0; i < token.len; i++, at++) {
        char c = token.ptr[i];
        if (c == '~' && i + 1 < token.len && (token.ptr[i + 1] == '0' || token.ptr[i + 1] == '1'))
            c = token.ptr[++i] == '0' ? '~' : '/';
        if (at >= key.len || key.ptr[at] != c)
            return false;
    }
    return at == key.len;
}

/* ---- Parsing -------------------------------------------------------------- */

static bool
name_ends(arvo_str name, const char *suffix)
{
    const size_t len = strlen(suffix);
    return name.len >= len && memcmp(name.ptr + name.len - len, suffix, len) == 0;
}

static bool
file_is_yaml(arvo_str file, arvo_str text)
{
    if (name_ends(file, ".yaml") || name_ends(file, ".yml"))
        return true;
    if (name_ends(file, ".json"))
        return false;
    size_t i = 0;
    while (i < text.len && memchr(" \t\r\n", text.ptr[i], 4) != NULL)
        i++;
    return i == text.len || (text.ptr[i] != '{' && text.ptr[i] != '[');
}

/* The reader of JSON says "line L, column C: what"; here the file stands before them. */
static void
json_error_place(arvo_error *err, arvo_str file)
{
    if (err == NULL)
        return;
    char said[64];
    const uint32_t line = err->line > 0 ? err->line : 1;
    const uint32_t column = err->column > 0 ? err->column : 1;
    const int len = snprintf(said, sizeof(said), "line %u, column %u: ", line, column);
    if (strncmp(err->text, said, (size_t)len) == 0)
        memmove(err->text, err->text + len, strlen(err->text + len) + 1);
    error_place(err, file, line, column);
}

static arvo_status
json_document_parse(
    arvo_str file, arvo_str text, arvo_arena *arena, arvo_document_list *out, arvo_error *err)
{
    arvo_document *const document = arvo__arena_alloc(arena, sizeof(*document));
    if (document == NULL)
        return arvo__nomem(err);

    const arvo_json *root = NULL;
    const arvo_json_parse_opts opts = { .bytes_max = ARVO_DOCUMENT_BYTES_MAX };
    const arvo_status st = arvo_json_parse_opt(text, &opts, arena, &root, err);
    if (st != ARVO_OK) {
        json_error_place(err, file);
        return st;
    }

    uint32_t column = 0;
    *document = (arvo_document){ .root = root, .file = file, .text = text, .first_line = 1 };
    (void)arvo_json_locate(text, ARVO_STR(""), &document->first_line, &column);
    *out = (arvo_document_list){ document, 1 };
    return ARVO_OK;
}

/* As arvo_document_parse(), of strings that live in the arena. */
static arvo_status
document_parse_owned(
    arvo_str file, arvo_str text, arvo_arena *arena, arvo_document_list *out, arvo_error *err)
{
    const size_t valid = arvo__utf8_valid_prefix(text);
    if (valid < text.len)
        return arvo__text_error(
            file, text, valid, err, ARVO_E_MALFORMED, "not UTF-8 (byte 0x%02x)",
            (unsigned)(unsigned char)text.ptr[valid]);
    if (file_is_yaml(file, text))
        return arvo__yaml_parse(file, text, arena, out, err);
    return json_document_parse(file, text, arena, out, err);
}

static arvo_status
document_too_big(arvo_str file, arvo_error *err)
{
    return arvo__text_error(
        file, ARVO_STR(""), 0, err, ARVO_E_TOO_BIG, "larger than %zu bytes",
        ARVO_DOCUMENT_BYTES_MAX);
}

arvo_status
arvo_document_parse(
    arvo_str file, arvo_str text, arvo_arena *arena, arvo_document_list *out, arvo_error *err)
{
    ARVO_ASSERT(arena != NULL);
    ARVO_ASSERT(out != NULL);

    if (text.len > ARVO_DOCUMENT_BYTES_MAX)
        return document_too_big(file, err);

    const arvo_arena_mark mark = arvo_arena_mark_get(arena);
    arvo_status st;
    const arvo_str own_text = arvo_arena_str_dup(arena, text.ptr != NULL ? text : ARVO_STR(""));
    const arvo_str own_file = arvo_arena_str_dup(arena, file.ptr != NULL ? file : ARVO_STR(""));
    if (own_text.ptr == NULL || own_file.ptr == NULL)
        st = arvo__nomem(err);
    else
        st = document_parse_owned(own_file, own_text, arena, out, err);
    if (st != ARVO_OK)
        arvo_arena_rewind(arena, mark);
    return st;
}

/* ---- Reading a file ------------------------------------------------------- */

static arvo_status
file_failed(const char *path, const char *what, arvo_error *err)
{
    const int code = errno;
    char text[128] = "";
    /* The GNU strerror_r returns the text, which need not be in the buffer. */
    const char *const reason = strerror_r(code, text, sizeof(text));
    return arvo__fail(err, ARVO_E_IO, "%s: %s: %s", path, what, reason);
}

/* A pipe has no size to ask for, so grow until the end of the file. */
static arvo_status
file_read_all(int fd, const char *path, arvo_buf *out, arvo_error *err)
{
    for (;;) {
        char *const room = arvo_buf_reserve(out, 16 * 1024);
        if (room == NULL)
            return out->status == ARVO_E_TOO_BIG ? document_too_big(arvo_str_from(path), err)
                                                 : arvo__nomem(err);
        const ssize_t got = read(fd, room, 16 * 1024);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return file_failed(path, "cannot be read", err);
        if (got == 0)
            return ARVO_OK;
        out->len += (size_t)got;
    }
}

static arvo_status
file_open(const char *path, int *out_fd, arvo_error *err)
{
    if (strcmp(path, "-") == 0) {
        *out_fd = STDIN_FILENO;
        return ARVO_OK;
    }
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return file_failed(path, "cannot be opened", err);
    struct stat info;
    if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
        (void)close(fd);
        return arvo__fail(err, ARVO_E_IO, "%s: is a directory; name a file", path);
    }
    *out_fd = fd;
    return ARVO_OK;
}

arvo_status
arvo_document_load(const char *path, arvo_arena *arena, arvo_document_list *out, arvo_error *err)
{
    ARVO_ASSERT(path != NULL);
    ARVO_ASSERT(arena != NULL);
    ARVO_ASSERT(out != NULL);

    int fd = -1;
    arvo_status st = file_open(path, &fd, err);
    if (st != ARVO_OK)
        return st;

    /* One read's room past the limit, so that a file of exactly the limit fits. */
    arvo_buf text = ARVO_BUF_INIT(ARVO_DOCUMENT_BYTES_MAX + 16 * 1024);
    text.allocator = arena->has_allocator ? &arena->allocator : NULL;
    st = file_read_all(fd, path, &text, err);
    if (st == ARVO_OK)
        st = arvo_document_parse(arvo_str_from(path), arvo_buf_str(&text), arena, out, err);
    arvo_buf_fini(&text);
    if (fd != STDIN_FILENO)
        (void)close(fd);
    return st;
}

/* ---- Places in a document ------------------------------------------------- */

static uint32_t
json_line(const arvo_document *document, arvo_str pointer)
{
    for (;;) {
        uint32_t line = 0;
        uint32_t column = 0;
        if (arvo_json_locate(document->text, pointer, &line, &column))
            return line;
        const char *const slash = pointer.len > 0 ? memrchr(pointer.ptr, '/', pointer.len) : NULL;
        if (slash == NULL)
            return document->first_line;
        pointer.len = (size_t)(slash - pointer.ptr);
    }
}

uint32_t
arvo_document_line(const arvo_document *document, arvo_str pointer)
{
    ARVO_ASSERT(document != NULL);
    if (!document->is_yaml)
        return json_line(document, pointer);
    const uint32_t line = arvo__yaml_line(document->text, document->index, pointer);
    return line != 0 ? line : document->first_line;
}

arvo_status
arvo_document_error(
    const arvo_document *document, arvo_str pointer, arvo_error *err, arvo_status status,
    const char *format, ...)
{
    if (err == NULL)
        return status;
    char message[ARVO_ERROR_TEXT_BYTES_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    (void)arvo_error_set(err, status, ARVO_NO_OFFSET, "%s", message);

    if (pointer.len > 0 && pointer.len <= POINTER_SHOWN_BYTES_MAX)
        arvo_error_prefix(err, "%.*s", ARVO_FMT(pointer));
    else if (pointer.len > 0)
        arvo_error_prefix(err, "%.*s...", POINTER_SHOWN_BYTES_MAX, pointer.ptr);
    if (document != NULL && document->file.len > 0) {
        err->line = arvo_document_line(document, pointer);
        arvo_error_prefix(err, "%.*s:%u", ARVO_FMT(document->file), err->line);
    }
    return status;
}
