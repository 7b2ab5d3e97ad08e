/* One OTLP request over HTTP, through libcurl, which is opened when it is first needed: most
 * programs never do. */

#include "telemetry/otlp_internal.h"

#include <curl/curl.h>
#include <zlib.h>

#define POLL_MS 50 /* between two looks at whether to stop */

/* libcurl's functions, from its library. */
static struct {
    CURLcode (*global_init)(long flags);
    CURL *(*easy_init)(void);
    CURLcode (*easy_set)(CURL *curl, CURLoption option, ...);
    CURLcode (*easy_get)(CURL *curl, CURLINFO info, ...);
    const char *(*easy_strerror)(CURLcode code);
    void (*easy_cleanup)(CURL *curl);
    struct curl_slist *(*slist_append)(struct curl_slist *list, const char *line);
    void (*slist_free_all)(struct curl_slist *list);
    CURLM *(*multi_init)(void);
    CURLMcode (*multi_add)(CURLM *multi, CURL *curl);
    CURLMcode (*multi_remove)(CURLM *multi, CURL *curl);
    CURLMcode (*multi_perform)(CURLM *multi, int *running);
    CURLMcode (*multi_poll)(
        CURLM *multi, struct curl_waitfd *extra, unsigned count, int timeout_ms, int *ready);
    CURLMsg *(*multi_info)(CURLM *multi, int *left);
    CURLMcode (*multi_cleanup)(CURLM *multi);
} lib;

struct otlp_sender {
    const arvo_allocator *allocator;
    const otlp_target *target;
    CURL *curl;
    CURLM *multi;
    struct curl_slist *headers;
    arvo_buf packed;
    arvo_buf response;
    arvo_arena *arena; /* of one response */
};

/* ---- What comes back --------------------------------------------------------------------- */

static size_t
take_body(char *bytes, size_t size, size_t count, void *user)
{
    otlp_sender *sender = user;
    const size_t len = size * count;
    if (sender->response.len + len <= OTLP_RESPONSE_BYTES_MAX) /* the rest is read, and forgotten */
        arvo_buf_append(&sender->response, bytes, len);
    return len;
}

/* Retry-After: seconds (or a date, which libcurl reads itself). */
static int64_t
retry_after_ms(const otlp_sender *sender)
{
    curl_off_t seconds = 0;
    if (lib.easy_get(sender->curl, CURLINFO_RETRY_AFTER, &seconds) != CURLE_OK || seconds <= 0)
        return -1;
    return seconds < 3600 ? (int64_t)seconds * 1000 : 3600 * 1000;
}

static void
answer_fail(otlp_answer *out, otlp_outcome outcome, const otlp_sender *sender, const char *what)
{
    out->outcome = outcome;
    (void)arvo__fail(&out->why, ARVO_E_IO, "%s: %s", sender->target->url_shown, what);
}

/* The codes for which the OTLP specification allows the same request again. */
static bool
may_be_repeated(long code)
{
    return code == 429 || code == 502 || code == 503 || code == 504;
}

static void
answer_read(otlp_sender *sender, otlp_answer *out)
{
    long code = 0;
    char what[64];
    (void)lib.easy_get(sender->curl, CURLINFO_RESPONSE_CODE, &code);
    if (code < 200 || code >= 300) {
        (void)snprintf(what, sizeof(what), "it answered with status %ld", code);
        answer_fail(out, may_be_repeated(code) ? OTLP_REPEAT : OTLP_REFUSED, sender, what);
        out->retry_after_ms = retry_after_ms(sender);
        return;
    }
    out->outcome = OTLP_SENT; /* whatever else it says */
    const char *type = NULL;
    (void)lib.easy_get(sender->curl, CURLINFO_CONTENT_TYPE, &type);
    const bool json = type != NULL && strstr(type, "json") != NULL;
    arvo_str message;
    arvo_arena_reset(sender->arena);
    if (!arvo__otlp_read_response(
            sender->target->signal, arvo_buf_str(&sender->response), json, sender->arena,
            &out->rejected, &message))
        answer_fail(out, OTLP_SENT, sender, "its answer cannot be read, taken as a success");
    else if (out->rejected > 0 || message.len > 0)
        (void)arvo__fail(
            &out->why, ARVO_E_IO, "%s: it did not take %lld of the %s: %.*s",
            sender->target->url_shown, (long long)out->rejected, sender->target->signal->items,
            (int)(message.len < 200 ? message.len : 200), message.len > 0 ? message.ptr : "");
}

/* ---- The request ------------------------------------------------------------------------------
 */

/* false: out of memory. */
static bool
pack(otlp_sender *sender, arvo_str body)
{
    z_stream stream = { 0 };
    arvo_buf_reset(&sender->packed);
    if (deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    const size_t bound = deflateBound(&stream, body.len);
    char *out = arvo_buf_reserve(&sender->packed, bound);
    bool ok = out != NULL;
    if (ok) {
        stream.next_in = (Bytef *)(uintptr_t)body.ptr;
        stream.avail_in = (uInt)body.len;
        stream.next_out = (Bytef *)out;
        stream.avail_out = (uInt)bound;
        ok = deflate(&stream, Z_FINISH) == Z_STREAM_END;
        sender->packed.len = bound - stream.avail_out;
    }
    (void)deflateEnd(&stream);
    return ok;
}

/* Until it is over; CURLE_ABORTED_BY_CALLBACK: should_stop said so. */
static CURLcode
perform(otlp_sender *sender, otlp_should_stop_fn should_stop, void *user)
{
    CURLcode code = CURLE_FAILED_INIT;
    int running = 1, left;
    if (lib.multi_add(sender->multi, sender->curl) != CURLM_OK)
        return code;
    while (lib.multi_perform(sender->multi, &running) == CURLM_OK && running > 0) {
        if (should_stop(user))
            break;
        if (lib.multi_poll(sender->multi, NULL, 0, POLL_MS, NULL) != CURLM_OK)
            break;
    }
    if (running > 0)
        code = CURLE_ABORTED_BY_CALLBACK;
    for (const CURLMsg *done; (done = lib.multi_info(sender->multi, &left)) != NULL;)
        if (done->msg == CURLMSG_DONE)
            code = done->data.result;
    (void)lib.multi_remove(sender->multi, sender->curl);
    return code;
}

void
arvo__otlp_send(
    otlp_sender *sender, arvo_str body, otlp_should_stop_fn should_stop, void *user,
    otlp_answer *out)
{
    *out = (otlp_answer){ .retry_after_ms = -1 };
    if (sender->target->gzip) {
        if (!pack(sender, body)) {
            answer_fail(out, OTLP_REFUSED, sender, "out of memory");
            return;
        }
        body = arvo_buf_str(&sender->packed);
    }
    arvo_buf_reset(&sender->response);
    (void)lib.easy_set(sender->curl, CURLOPT_POSTFIELDS, body.ptr);
    (void)lib.easy_set(sender->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
    const CURLcode code = perform(sender, should_stop, user);
    if (code == CURLE_OK)
        answer_read(sender, out);
    else if (code == CURLE_ABORTED_BY_CALLBACK)
        answer_fail(out, OTLP_GIVEN_UP, sender, "it did not answer in time");
    else
        answer_fail(out, OTLP_REPEAT, sender, lib.easy_strerror(code));
}

/* ---- Life -------------------------------------------------------------------------------------
 */

static pthread_once_t lib_once = PTHREAD_ONCE_INIT;
static bool lib_is_there;

static void
lib_open(void)
{
    const arvo__symbol symbols[] = {
        { "curl_global_init", &lib.global_init },
        { "curl_easy_init", &lib.easy_init },
        { "curl_easy_setopt", &lib.easy_set },
        { "curl_easy_getinfo", &lib.easy_get },
        { "curl_easy_strerror", &lib.easy_strerror },
        { "curl_easy_cleanup", &lib.easy_cleanup },
        { "curl_slist_append", &lib.slist_append },
        { "curl_slist_free_all", &lib.slist_free_all },
        { "curl_multi_init", &lib.multi_init },
        { "curl_multi_add_handle", &lib.multi_add },
        { "curl_multi_remove_handle", &lib.multi_remove },
        { "curl_multi_perform", &lib.multi_perform },
        { "curl_multi_poll", &lib.multi_poll },
        { "curl_multi_info_read", &lib.multi_info },
        { "curl_multi_cleanup", &lib.multi_cleanup },
    };
    lib_is_there = arvo__library_open(ARVO_CURL_LIBRARY, symbols, ARVO_COUNT_OF(symbols)) &&
                   lib.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

static bool
add_header(otlp_sender *sender, const char *line)
{
    struct curl_slist *longer = lib.slist_append(sender->headers, line);
    if (longer != NULL)
        sender->headers = longer;
    return longer != NULL;
}

static bool
add_headers(otlp_sender *sender)
{
    const otlp_target *target = sender->target;
    bool ok = add_header(
        sender,
        target->json ? "Content-Type: application/json" : "Content-Type: application/x-protobuf");
    ok = ok && (!target->gzip || add_header(sender, "Content-Encoding: gzip"));
    ok = ok && add_header(sender, "Expect:"); /* no pause before the body */
    for (size_t i = 0; i < target->header_count && ok; i++) {
        const arvo_str line = arvo_arena_printf(
            sender->arena, "%.*s: %.*s", ARVO_FMT(target->headers[i].key),
            ARVO_FMT(target->headers[i].value));
        ok = line.ptr != NULL && add_header(sender, line.ptr);
    }
    return ok;
}

static void
set_up(otlp_sender *sender)
{
    const otlp_target *target = sender->target;
    CURL *curl = sender->curl;
    (void)lib.easy_set(curl, CURLOPT_URL, target->url);
    (void)lib.easy_set(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)lib.easy_set(curl, CURLOPT_POST, 1L);
    (void)lib.easy_set(curl, CURLOPT_HTTPHEADER, sender->headers);
    (void)lib.easy_set(curl, CURLOPT_USERAGENT, "OTel-OTLP-Exporter-Arvo/" ARVO_VERSION_STRING);
    (void)lib.easy_set(curl, CURLOPT_TIMEOUT_MS, (long)target->timeout_ms);
    (void)lib.easy_set(curl, CURLOPT_NOSIGNAL, 1L);
    (void)lib.easy_set(curl, CURLOPT_WRITEFUNCTION, take_body);
    (void)lib.easy_set(curl, CURLOPT_WRITEDATA, sender);
    if (target->certificate != NULL)
        (void)lib.easy_set(curl, CURLOPT_CAINFO, target->certificate);
}

arvo_status
arvo__otlp_sender_new(
    const arvo_allocator *allocator, const otlp_target *target, otlp_sender **out, arvo_error *err)
{
    (void)pthread_once(&lib_once, lib_open);
    if (!lib_is_there)
        return arvo__fail(
            err, ARVO_E_UNSUPPORTED,
            "OTLP: the library %s is not there: install it (libcurl4), or unset the OTEL_ "
            "variables",
            ARVO_CURL_LIBRARY);
    otlp_sender *sender = arvo__calloc(allocator, 1, sizeof(*sender));
    if (sender == NULL)
        return arvo__nomem(err);
    sender->allocator = allocator;
    sender->target = target;
    sender->packed = ARVO_BUF_INIT(OTLP_REQUEST_BYTES_MAX);
    sender->response = ARVO_BUF_INIT(OTLP_RESPONSE_BYTES_MAX);
    sender->packed.allocator = sender->response.allocator = allocator;
    sender->arena = arvo_arena_new(&(arvo_arena_opts){ .allocator = allocator });
    sender->curl = lib.easy_init();
    sender->multi = lib.multi_init();
    if (sender->arena == NULL || sender->curl == NULL || sender->multi == NULL ||
        !add_headers(sender)) {
        arvo__otlp_sender_free(sender);
        return arvo__nomem(err);
    }
    set_up(sender);
    *out = sender;
    return ARVO_OK;
}

void
arvo__otlp_sender_free(otlp_sender *sender)
{
    if (sender == NULL)
        return;
    if (sender->curl != NULL)
        lib.easy_cleanup(sender->curl);
    if (sender->multi != NULL)
        (void)lib.multi_cleanup(sender->multi);
    if (sender->headers != NULL)
        lib.slist_free_all(sender->headers);
    arvo_buf_fini(&sender->packed);
    arvo_buf_fini(&sender->response);
    arvo_arena_free(sender->arena);
    arvo__free(sender->allocator, sender, sizeof(*sender));
}
