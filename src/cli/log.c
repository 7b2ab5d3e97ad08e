/* The log of the command: lines for people on a terminal, JSON lines for whoever collects them, or
 * journald's fields where standard error is its. Set by the ARVO_LOG variables. */

#include "cli.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LOG_RECORD_BYTES_MAX ((size_t)64 * 1024) /* also below what a datagram may have */
#define LOG_JOURNAL_SOCKET   "/run/systemd/journal/socket"

static struct {
    bool is_open;
    bool is_terminal;
    arvo_log_format format;
    int journal; /* a socket; -1: none */
    struct sockaddr_un journal_address;
    arvo_log log;
    arvo_platform platform;
} sink = { .journal = -1 };

/* What `arvo run` and the like say themselves is not said a second time. */
static const char *log_levels = "warning";

/* ---- Writing; by any thread ------------------------------------------------------------ */

static bool
log_send(const arvo_buf *fields)
{
    return sendto(
               sink.journal, fields->ptr, fields->len, MSG_NOSIGNAL,
               (const struct sockaddr *)&sink.journal_address,
               sizeof(sink.journal_address)) == (ssize_t)fields->len;
}

/* A record whose fields find no room goes without them. */
static void
log_format(const arvo_log_record *record, arvo_log_format format, arvo_buf *out)
{
    arvo_buf_reset(out);
    arvo_log_record_write(record, format, out);
    if (out->status == ARVO_OK)
        return;
    const arvo_log_record bare = { .level = record->level,
                                   .area = record->area,
                                   .time_ms = record->time_ms,
                                   .message = record->message };
    arvo_buf_reset(out);
    arvo_log_record_write(&bare, format, out);
}

static void
log_write(void *self, const arvo_log_record *record)
{
    (void)self;
    char bytes[LOG_RECORD_BYTES_MAX];
    arvo_buf out = { .ptr = bytes, .cap = sizeof(bytes), .bytes_max = sizeof(bytes) };
    log_format(record, sink.format, &out);
    if (sink.format == ARVO_LOG_JOURNAL) {
        if (log_send(&out))
            return;
        log_format(record, ARVO_LOG_JSON, &out); /* it has gone: what is read from us is left */
    }
    flockfile(stderr);
    if (sink.is_terminal) /* a line that shows progress may be there */
        (void)fwrite("\r\033[K", 1, 4, stderr);
    (void)fwrite(out.ptr, 1, out.len, stderr);
    funlockfile(stderr);
}

/* ---- Opening --------------------------------------------------------------------------- */

/* Whether standard error is what journald reads: then it named that file to us. */
static bool
log_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat info;
    if (stream == NULL || fstat(STDERR_FILENO, &info) != 0)
        return false;
    return strcmp(
               stream, cli_printf(
                           "%llu:%llu", (unsigned long long)info.st_dev,
                           (unsigned long long)info.st_ino)) == 0;
}

/* false: there is no such socket. */
static bool
log_open_journal(void)
{
    const char *path = getenv("ARVO_LOG_JOURNAL");
    struct sockaddr_un *address = &sink.journal_address;
    struct stat info;
    if (path == NULL || *path == '\0')
        path = LOG_JOURNAL_SOCKET;
    if (strlen(path) >= sizeof(address->sun_path) || stat(path, &info) != 0 ||
        !S_ISSOCK(info.st_mode))
        return false;
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, strlen(path) + 1);
    sink.journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return sink.journal >= 0;
}

static arvo_log_format
log_format_found(void)
{
    if (log_is_journal() && log_open_journal())
        return ARVO_LOG_JOURNAL;
    return !sink.is_terminal                  ? ARVO_LOG_JSON
           : cli_has_colour_on(STDERR_FILENO) ? ARVO_LOG_TEXT_COLOUR
                                              : ARVO_LOG_TEXT;
}

static arvo_log_format
log_format_wanted(void)
{
    const char *wanted = getenv("ARVO_LOG_FORMAT");
    if (wanted == NULL || *wanted == '\0')
        return log_format_found();
    if (strcmp(wanted, "text") == 0)
        return cli_has_colour_on(STDERR_FILENO) ? ARVO_LOG_TEXT_COLOUR : ARVO_LOG_TEXT;
    if (strcmp(wanted, "json") == 0)
        return ARVO_LOG_JSON;
    if (strcmp(wanted, "journal") != 0)
        cli_error("ARVO_LOG_FORMAT=%s: it must be text, json or journal", wanted);
    else if (log_open_journal())
        return ARVO_LOG_JOURNAL;
    else
        cli_error("ARVO_LOG_FORMAT=journal: journald is not there; see ARVO_LOG_JOURNAL");
    return log_format_found();
}

static bool
log_wants_data(void)
{
    const char *wanted = getenv("ARVO_LOG_DATA");
    if (wanted == NULL || *wanted == '\0' || strcmp(wanted, "0") == 0)
        return false;
    if (strcmp(wanted, "1") == 0)
        return true;
    cli_error("ARVO_LOG_DATA=%s: it must be 1 or 0; no data is logged", wanted);
    return false;
}

/* Whatever ARVO_LOG leaves open is as it is by itself in all areas: a warning. */
static void
log_read_levels(arvo_log_filter *filter)
{
    const char *wanted = getenv("ARVO_LOG");
    arvo_error err = { 0 };
    if (wanted != NULL) {
        memset(filter->least, ARVO_LOG_WARNING, sizeof(filter->least));
        if (arvo_log_filter_parse(arvo_str_from(wanted), filter, &err) == ARVO_OK)
            return;
        cli_error("ARVO_LOG: %s; %s is used", err.text, log_levels);
    }
    if (arvo_log_filter_parse(arvo_str_from(log_levels), filter, &err) != ARVO_OK)
        cli_error("the log: %s", err.text); /* our own mistake, and no reason to stop */
}

static void
log_open(void)
{
    sink.is_terminal = isatty(STDERR_FILENO) != 0;
    sink.format = log_format_wanted();
    sink.log = (arvo_log){ .version = ARVO_LOG_OPS_VERSION, .write = log_write };
    sink.log.filter.with_data = log_wants_data();
    log_read_levels(&sink.log.filter);
    sink.platform = *arvo_platform_system();
    sink.platform.log = &sink.log;
    sink.is_open = true;
}

void
cli_log_levels(const char *levels)
{
    log_levels = levels;
}

const arvo_platform *
cli_platform(void)
{
    if (!sink.is_open)
        log_open();
    return &sink.platform;
}
