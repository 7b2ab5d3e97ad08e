/* The log: levels, areas, filters, and records on their way to the listener. */

#include "telemetry/log_internal.h"

#include <strings.h>

/* ---- Names ------------------------------------------------------------------------ */

static const char *const log_areas[ARVO_LOG_AREA_COUNT] = {
#define LOG_AREA_NAME(name, text) [ARVO_LOG_AREA_##name] = (text),
    ARVO_LOG_AREA_LIST(LOG_AREA_NAME)
#undef LOG_AREA_NAME
};

static const char *const log_levels[ARVO_LOG_OFF + 1] = {
    [ARVO_LOG_DEBUG] = "debug", [ARVO_LOG_INFO] = "info",         [ARVO_LOG_WARNING] = "warning",
    [ARVO_LOG_ERROR] = "error", [ARVO_LOG_CRITICAL] = "critical", [ARVO_LOG_OFF] = "off",
};

const char *
arvo_log_area_name(arvo_log_area area)
{
    return (unsigned)area < ARVO_LOG_AREA_COUNT ? log_areas[area] : "unknown";
}

const char *
arvo_log_level_name(arvo_severity level)
{
    return (unsigned)level <= ARVO_LOG_OFF ? log_levels[level] : "unknown";
}

/* ---- Filters ---------------------------------------------------------------------- */

/* Which of `names` a word is, in either case; `count`: none. */
static size_t
log_find(arvo_str word, const char *const *names, size_t count)
{
    size_t i = 0;
    while (i < count &&
           (strlen(names[i]) != word.len || strncasecmp(names[i], word.ptr, word.len) != 0))
        i++;
    return i;
}

static arvo_status
log_unknown(
    const char *what, arvo_str word, const char *const *names, size_t count, arvo_error *err)
{
    char known[256];
    arvo_buf list = { .ptr = known, .cap = sizeof(known), .bytes_max = sizeof(known) };
    for (size_t i = 0; i < count; i++)
        arvo_buf_printf(&list, "%s%s", i > 0 ? ", " : "", names[i]);
    return arvo__fail(
        err, ARVO_E_INVALID, "unknown %s \"%.*s\"; known: %.*s", what,
        word.len < 40 ? (int)word.len : 40, word.ptr != NULL ? word.ptr : "",
        ARVO_FMT(arvo_buf_str(&list)));
}

static arvo_status
log_read_level(arvo_str word, uint8_t *out, arvo_error *err)
{
    if (word.len == 4 && strncasecmp(word.ptr, "warn", 4) == 0)
        word = ARVO_STR("warning");
    const size_t level = log_find(word, log_levels, ARVO_COUNT_OF(log_levels));
    if (level == ARVO_COUNT_OF(log_levels))
        return log_unknown("level", word, log_levels, ARVO_COUNT_OF(log_levels), err);
    *out = (uint8_t)level;
    return ARVO_OK;
}

/* LEVEL, or AREA=LEVEL. The first kind is applied by the first pass, the second by the second: what
 * is said of one area counts, wherever it stands. */
static arvo_status
log_read_part(arvo_str part, bool is_first_pass, arvo_log_filter *filter, arvo_error *err)
{
    const char *equals = part.len > 0 ? memchr(part.ptr, '=', part.len) : NULL;
    if ((equals == NULL) != is_first_pass)
        return ARVO_OK;
    uint8_t level;
    if (equals == NULL) {
        const arvo_status st = log_read_level(part, &level, err);
        if (st == ARVO_OK)
            memset(filter->least, level, sizeof(filter->least));
        return st;
    }
    const size_t at = (size_t)(equals - part.ptr);
    const arvo_str name = arvo__trim_blanks((arvo_str){ part.ptr, at });
    const size_t area = log_find(name, log_areas, ARVO_COUNT_OF(log_areas));
    if (area == ARVO_COUNT_OF(log_areas))
        return log_unknown("area", name, log_areas, ARVO_COUNT_OF(log_areas), err);
    return log_read_level(
        arvo__trim_blanks((arvo_str){ equals + 1, part.len - at - 1 }), &filter->least[area], err);
}

static arvo_status
log_read_parts(arvo_str text, bool is_first_pass, arvo_log_filter *filter, arvo_error *err)
{
    arvo_status st = ARVO_OK;
    for (size_t at = 0; st == ARVO_OK && at < text.len;) {
        const char *comma = memchr(text.ptr + at, ',', text.len - at);
        const size_t end = comma != NULL ? (size_t)(comma - text.ptr) : text.len;
        const arvo_str part = arvo__trim_blanks((arvo_str){ text.ptr + at, end - at });
        if (part.len > 0)
            st = log_read_part(part, is_first_pass, filter, err);
        at = end + 1;
    }
    return st;
}

arvo_status
arvo_log_filter_parse(arvo_str text, arvo_log_filter *filter, arvo_error *err)
{
    ARVO_ASSERT(filter != NULL);
    if (text.len > ARVO_LOG_FILTER_BYTES_MAX)
        return arvo__fail(
            err, ARVO_E_TOO_BIG, "%zu bytes of levels, %zu at most", text.len,
            ARVO_LOG_FILTER_BYTES_MAX);
    arvo_log_filter read = *filter;
    arvo_status st = log_read_parts(text, true, &read, err);
    if (st == ARVO_OK)
        st = log_read_parts(text, false, &read, err);
    if (st == ARVO_OK)
        *filter = read;
    return st;
}

/* ---- Records ---------------------------------------------------------------------- */

arvo_status
arvo_log_check(const arvo_log *log, arvo_error *err)
{
    if (log == NULL)
        return ARVO_OK;
    if (log->version != ARVO_LOG_OPS_VERSION)
        return arvo__fail(
            err, ARVO_E_VERSION, "log: table version %u, this library knows version %u",
            log->version, ARVO_LOG_OPS_VERSION);
    if (log->write == NULL)
        return arvo__fail(err, ARVO_E_INVALID, "log: the table has no function write");
    return ARVO_OK;
}

static bool
log_is_url_char(char c)
{
    return (unsigned char)c > ' ' && c != '"' && c != '\'' && c != '`' && c != '<' && c != '>';
}

static bool
log_is_scheme_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '-' || c == '.';
}

/* Copy a line, the URLs in it as they may be shown. `out` has room for what an error holds, and is
 * ended by NUL. */
static arvo_str
log_mask(arvo_str text, char *out)
{
    arvo_buf shown = { .ptr = out,
                       .cap = ARVO_ERROR_TEXT_BYTES_MAX,
                       .bytes_max = ARVO_ERROR_TEXT_BYTES_MAX - 1 };
    size_t done = 0;
    const char *at = text.ptr;
    while (at != NULL && (at = memmem(at, text.len - (size_t)(at - text.ptr), "://", 3)) != NULL) {
        size_t begin = (size_t)(at - text.ptr);
        size_t end = begin;
        while (begin > done && log_is_scheme_char(text.ptr[begin - 1]))
            begin--;
        while (end < text.len && log_is_url_char(text.ptr[end]))
            end++;
        arvo_buf_append(&shown, text.ptr + done, begin - done);
        arvo__url_show((arvo_str){ text.ptr + begin, end - begin }, &shown);
        done = end;
        at = text.ptr + end;
    }
    if (done < text.len)
        arvo_buf_append(&shown, text.ptr + done, text.len - done);
    return arvo_buf_str(&shown);
}

void
arvo__log_hand_over(
    const arvo_platform *platform, const arvo_log_record *given, const arvo_error *message)
{
    const arvo_log *log = platform->log;
    char message_shown[ARVO_ERROR_TEXT_BYTES_MAX], detail_shown[ARVO_ERROR_TEXT_BYTES_MAX];
    arvo_log_record record = *given;
    record.time_ms = platform->time_ms(platform->self);
    record.message = log_mask(arvo_str_from(message->text), message_shown);
    record.detail = ARVO_STR_NONE;
    if (log->filter.with_data && given->detail.ptr != NULL) {
        arvo_error detail;
        (void)arvo__fail(&detail, ARVO_OK, "%.*s", ARVO_FMT(given->detail));
        record.detail = log_mask(arvo_str_from(detail.text), detail_shown);
    }
    log->write(log->self, &record);
}

bool
arvo__log_may_quote(arvo_status status)
{
    switch (status) {
    case ARVO_E_NOMEM:
    case ARVO_E_UNSUPPORTED:
    case ARVO_E_IO:
    case ARVO_E_STALE:
    case ARVO_E_TIMEOUT:
    case ARVO_E_CORRUPT:
    case ARVO_E_VERSION:
    case ARVO_E_FULL:
    case ARVO_E_SUBJECT:
    case ARVO_E_LOCK_FAILED:
    case ARVO_E_LOCK_DENIED:
    case ARVO_E_READ_FAILED:
    case ARVO_E_WRITE_FAILED:
        return false;
    default:
        return true;
    }
}
