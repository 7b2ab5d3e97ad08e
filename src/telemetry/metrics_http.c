/* The metrics over HTTP, through libmicrohttpd, which is opened when it is first needed: it bounds
 * connections, requests and pauses, and answers by itself what is not HTTP. */

#include "telemetry/metrics_internal.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <unistd.h>

#define TEXT_BYTES_MAX ((size_t)16 * 1024 * 1024) /* of one answer */
#define URL_BYTES_MAX  80u
#define TYPE_PLAIN     "text/plain; charset=utf-8"

/* libmicrohttpd's functions, from its library. */
static struct {
    struct MHD_Daemon *(*start)(
        unsigned flags, uint16_t port, MHD_AcceptPolicyCallback apc, void *apc_user,
        MHD_AccessHandlerCallback handler, void *handler_user, ...);
    void (*stop)(struct MHD_Daemon *daemon);
    const char *(*header)(
        struct MHD_Connection *connection, enum MHD_ValueKind kind, const char *name);
    struct MHD_Response *(*response_new)(
        size_t size, void *bytes, enum MHD_ResponseMemoryMode mode);
    enum MHD_Result (*response_header)(
        struct MHD_Response *response, const char *name, const char *value);
    enum MHD_Result (*queue)(
        struct MHD_Connection *connection, unsigned code, struct MHD_Response *response);
    void (*response_free)(struct MHD_Response *response);
} lib;

struct arvo_metrics_server {
    const arvo_allocator *allocator;
    arvo_allocator allocator_copy;
    const arvo_metrics *metrics;
    bool (*is_healthy)(void *user, arvo_error *why);
    void *user;
    struct MHD_Daemon *daemon;
    int fd;        /* the daemon's, once there is one */
    arvo_buf text; /* the thread's own */
    char url[URL_BYTES_MAX];
};

/* ---- Answers -------------------------------------------------------------------------------- */

static enum MHD_Result
answer(struct MHD_Connection *connection, unsigned code, const char *type, arvo_str body)
{
    struct MHD_Response *response =
        lib.response_new(body.len, (void *)(uintptr_t)body.ptr, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO; /* out of memory: the connection is closed */
    bool ok = lib.response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES;
    if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
        ok = ok && lib.response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") == MHD_YES;
    const enum MHD_Result result = ok ? lib.queue(connection, code, response) : MHD_NO;
    lib.response_free(response);
    return result;
}

static enum MHD_Result
answer_metrics(arvo_metrics_server *server, struct MHD_Connection *connection)
{
    const arvo_metrics_format format =
        arvo__metrics_format_of(lib.header(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT));
    arvo_buf_reset(&server->text);
    arvo_metrics_write(server->metrics, format, &server->text);
    if (server->text.status != ARVO_OK)
        return answer(
            connection, MHD_HTTP_INTERNAL_SERVER_ERROR, TYPE_PLAIN,
            ARVO_STR("the metrics are too large, or memory is out\n"));
    return answer(
        connection, MHD_HTTP_OK,
        format == ARVO_METRICS_OPENMETRICS
            ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
            : "text/plain; version=0.0.4; charset=utf-8",
        arvo_buf_str(&server->text));
}

static enum MHD_Result
answer_health(const arvo_metrics_server *server, struct MHD_Connection *connection)
{
    arvo_error why = { 0 };
    if (server->is_healthy == NULL || server->is_healthy(server->user, &why))
        return answer(connection, MHD_HTTP_OK, TYPE_PLAIN, ARVO_STR("ok\n"));
    char line[ARVO_ERROR_TEXT_BYTES_MAX + 1];
    const int len = snprintf(line, sizeof(line), "%s\n", why.text);
    return answer(
        connection, MHD_HTTP_SERVICE_UNAVAILABLE, TYPE_PLAIN,
        (arvo_str){ line, len > 0 ? (size_t)len : 0 });
}

/* Called first when the head is there, and again behind each piece of a body, which is not read:
 * an answer is due in the call that brings nothing more. */
static enum MHD_Result
serve(
    void *user, struct MHD_Connection *connection, const char *path, const char *method,
    const char *version, const char *body, size_t *body_len, void **request)
{
    static char is_known;
    arvo_metrics_server *server = user;
    (void)version;
    (void)body;
    if (*request == NULL || *body_len > 0) {
        *request = &is_known;
        *body_len = 0;
        return MHD_YES;
    }
    const bool is_metrics = strcmp(path, "/metrics") == 0;
    if (!is_metrics && strcmp(path, "/healthz") != 0)
        return answer(
            connection, MHD_HTTP_NOT_FOUND, TYPE_PLAIN,
            ARVO_STR("there is /metrics, and /healthz\n"));
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return answer(
            connection, MHD_HTTP_METHOD_NOT_ALLOWED, TYPE_PLAIN, ARVO_STR("GET and HEAD only\n"));
    return is_metrics ? answer_metrics(server, connection) : answer_health(server, connection);
}

/* ---- Life ----------------------------------------------------------------------------------- */

static pthread_once_t lib_once = PTHREAD_ONCE_INIT;
static bool lib_is_there;

static void
lib_open(void)
{
    const arvo__symbol symbols[] = {
        { "MHD_start_daemon", &lib.start },
        { "MHD_stop_daemon", &lib.stop },
        { "MHD_lookup_connection_value", &lib.header },
        { "MHD_create_response_from_buffer", &lib.response_new },
        { "MHD_add_response_header", &lib.response_header },
        { "MHD_queue_response", &lib.queue },
        { "MHD_destroy_response", &lib.response_free },
    };
    lib_is_there = arvo__library_open(ARVO_MICROHTTPD_LIBRARY, symbols, ARVO_COUNT_OF(symbols));
}

/* A socket that listens; -1: not so, errno says why. *address gets the port that it has. */
static int
listen_on(metrics_address *address)
{
    const int yes = 1;
    const int fd = socket(address->as.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    socklen_t len = sizeof(address->as);
    if (bind(fd, &address->as.any, address->len) == 0 &&
        listen(fd, (int)ARVO_METRICS_CONNECTIONS_MAX) == 0 &&
        getsockname(fd, &address->as.any, &len) == 0)
        return fd;
    const int why = errno;
    (void)close(fd);
    errno = why;
    return -1;
}

static bool
server_start(void *user)
{
    arvo_metrics_server *server = user;
    server->daemon = lib.start(
        MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, serve, server,
        MHD_OPTION_LISTEN_SOCKET, server->fd, MHD_OPTION_CONNECTION_LIMIT,
        ARVO_METRICS_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, ARVO_METRICS_IDLE_S_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, ARVO_METRICS_REQUEST_BYTES_MAX, MHD_OPTION_END);
    return server->daemon != NULL;
}

static arvo_status
server_open(arvo_metrics_server *server, const arvo_metrics_server_opts *opts, arvo_error *err)
{
    metrics_address address;
    (void)pthread_once(&lib_once, lib_open);
    if (!lib_is_there)
        return arvo__fail(
            err, ARVO_E_UNSUPPORTED,
            "metrics: the library %s is not there: install it (libmicrohttpd12)",
            ARVO_MICROHTTPD_LIBRARY);
    if (!arvo__metrics_address_read(opts->address, &address))
        return arvo__fail(
            err, ARVO_E_INVALID,
            "metrics: %.100s is no address to listen on: give HOST:PORT, for example "
            "127.0.0.1:9464",
            opts->address);
    server->fd = listen_on(&address);
    if (server->fd < 0)
        return arvo__fail(
            err, ARVO_E_IO, "metrics: %.100s: cannot be listened on: %s", opts->address,
            strerror(errno));
    (void)arvo__metrics_address_format(&address, server->url, sizeof(server->url));
    if (arvo__without_signals(server_start, server))
        return ARVO_OK;
    (void)close(server->fd);
    return arvo__fail(err, ARVO_E_IO, "metrics: %.100s: cannot be served", opts->address);
}

arvo_status
arvo_metrics_serve(const arvo_metrics_server_opts *opts, arvo_metrics_server **out, arvo_error *err)
{
    ARVO_ASSERT(opts != NULL && opts->metrics != NULL && opts->address != NULL && out != NULL);
    arvo_metrics_server *server = arvo__calloc(opts->allocator, 1, sizeof(*server));
    if (server == NULL)
        return arvo__nomem(err);
    if (opts->allocator != NULL) {
        server->allocator_copy = *opts->allocator;
        server->allocator = &server->allocator_copy;
    }
    server->metrics = opts->metrics;
    server->is_healthy = opts->is_healthy;
    server->user = opts->user;
    server->text = ARVO_BUF_INIT(TEXT_BYTES_MAX);
    server->text.allocator = server->allocator;
    const arvo_status st = server_open(server, opts, err);
    if (st == ARVO_OK)
        *out = server;
    else
        arvo_metrics_server_close(server);
    return st;
}

const char *
arvo_metrics_server_url(const arvo_metrics_server *server)
{
    return server->url;
}

void
arvo_metrics_server_close(arvo_metrics_server *server)
{
    if (server == NULL)
        return;
    if (server->daemon != NULL)
        lib.stop(server->daemon); /* closes the socket, too */
    arvo_buf_fini(&server->text);
    const arvo_allocator copy = server->allocator_copy;
    arvo__free(server->allocator != NULL ? &copy : NULL, server, sizeof(*server));
}
