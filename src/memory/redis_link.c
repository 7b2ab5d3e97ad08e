/* Connections to a Redis server, what it answers instead of an answer, and what
 * has to be true of it before workflows are trusted to it.
 */

#include "arvo_config.h"

#ifdef ARVO_HAVE_REDIS

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#include "memory/redis.h"

#include "redis_scripts.h"

#define VERSION_MIN_MAJOR 6
#define VERSION_MIN_MINOR 2 /* COPY, and ZRANGEBYSCORE on large sets without surprises */
#define WAIT_SLACK_MS     200

static const char *const script_texts[] = {
#define SCRIPT_TEXT(name, text) [REDIS_##name] = text,
    REDIS_SCRIPTS(SCRIPT_TEXT)
#undef SCRIPT_TEXT
};
_Static_assert(ARVO_COUNT_OF(script_texts) == REDIS_SCRIPT_COUNT, "redis.h lists every script");

/* ---- Time -------------------------------------------------------------- */

void
arvo__redis_sleep_ms(int64_t ms)
{
    const struct timespec pause = { .tv_sec = (time_t)(ms / 1000),
                                    .tv_nsec = (long)(ms % 1000) * 1000000 };
    (void)nanosleep(&pause, NULL);
}

/* ---- Sending ----------------------------------------------------------- */

/* hiredis would write() and be killed by SIGPIPE when the server is gone. */
bool
arvo__redis_send(redisContext *context, arvo_str bytes)
{
    size_t at = 0;
    while (at < bytes.len) {
        const ssize_t sent = send(context->fd, bytes.ptr + at, bytes.len - at, MSG_NOSIGNAL);
        if (sent > 0)
            at += (size_t)sent;
        else if (errno != EINTR)
            return false;
    }
    return true;
}

void
arvo__redis_command_append(arvo_buf *out, size_t argc, const arvo_str *argv)
{
    arvo_buf_printf(out, "*%zu\r\n", argc);
    for (size_t i = 0; i < argc; i++) {
        arvo_buf_printf(out, "$%zu\r\n", argv[i].len);
        arvo_buf_append_str(out, argv[i]);
        arvo_buf_append_str(out, ARVO_STR("\r\n"));
    }
}

redisReply *
arvo__redis_command(redisContext *context, size_t argc, const arvo_str *argv)
{
    arvo_buf out = ARVO_BUF_INIT((size_t)1024 * 1024);
    arvo__redis_command_append(&out, argc, argv);
    void *reply = NULL;
    if (out.status != ARVO_OK || !arvo__redis_send(context, arvo_buf_str(&out)) ||
        redisGetReply(context, &reply) != REDIS_OK)
        reply = NULL;
    arvo_buf_fini(&out);
    return reply;
}

/* ---- Refusals ---------------------------------------------------------- */

/* What a server says instead of an answer, by its first word. */
static const struct refusal {
    const char *word;
    arvo_status status;
    const char *text;
} refusals[] = {
    { "NOAUTH", ARVO_E_IO,
      "it wants a password: say redis://:password@host or user:password@host" },
    { "WRONGPASS", ARVO_E_IO, "it does not know this user and password" },
    { "NOPERM", ARVO_E_IO,
      "this user may not do that there: it needs EVAL, EVALSHA, SCRIPT LOAD, "
      "SUBSCRIBE, and the keys and channels of the store" },
    { "OOM", ARVO_E_IO, "its memory is full (maxmemory); nothing was written" },
    { "READONLY", ARVO_E_IO, "it is a replica, which cannot be written to: name the primary" },
    { "LOADING", ARVO_E_TIMEOUT, "it is still reading its data from disk: try again later" },
    { "BUSY", ARVO_E_TIMEOUT, "it is busy with a long script: try again later" },
    { "MASTERDOWN", ARVO_E_TIMEOUT, "it is a replica that has lost its primary" },
    { "NOREPLICAS", ARVO_E_IO, "it has too few replicas to be written to (min-replicas-to-write)" },
    { "MISCONF", ARVO_E_IO, "it cannot write to its own disk; nothing was written" },
    { "CLUSTERDOWN", ARVO_E_TIMEOUT, "its cluster is down" },
    { "TRYAGAIN", ARVO_E_TIMEOUT, "its cluster is being rearranged: try again later" },
    { "ASK", ARVO_E_TIMEOUT, "its cluster is being rearranged: try again later" },
    { "MOVED", ARVO_E_TIMEOUT, "its cluster keeps sending us elsewhere" },
    { "WRONGTYPE", ARVO_E_CORRUPT,
      "a key of the store has another type: another program uses the "
      "same name, or the data is damaged" },
};

static bool
reply_begins(const redisReply *reply, const char *word)
{
    const size_t len = strlen(word);
    return reply->len >= len && memcmp(reply->str, word, len) == 0 &&
           (reply->len == len || reply->str[len] == ' ');
}

arvo_status
arvo__redis_refused(
    const struct redis_store *store, const char *what, const redisReply *reply, arvo_error *err)
{
    for (size_t i = 0; i < ARVO_COUNT_OF(refusals); i++) {
        if (reply_begins(reply, refusals[i].word))
            return arvo__fail(
                err, refusals[i].status, "%s: %s: the server refuses: %s", store->label, what,
                refusals[i].text);
    }
    return arvo__fail(
        err, ARVO_E_IO, "%s: %s: the server says \"%.*s\"", store->label, what,
        (int)(reply->len < 200 ? reply->len : 200), reply->str);
}

static arvo_status
connect_fail(const struct redis_store *store, const redisContext *context, arvo_error *err)
{
    const bool is_late =
        context != NULL && context->err == REDIS_ERR_IO && (errno == EAGAIN || errno == ETIMEDOUT);
    if (context == NULL)
        return arvo__nomem(err);
    return arvo__fail(
        err, is_late ? ARVO_E_TIMEOUT : ARVO_E_IO, "%s: cannot be reached (%s)", store->label,
        context->errstr[0] != '\0' ? context->errstr : "the connection broke");
}

bool
arvo__redis_moved(struct redis_store *store, const redisReply *reply)
{
    if (!reply_begins(reply, "MOVED"))
        return false;
    const char *space = strrchr(reply->str, ' '), *colon = strrchr(reply->str, ':');
    int port = 0;
    if (space == NULL || colon == NULL || colon < space)
        return false;
    for (const char *at = colon + 1; *at >= '0' && *at <= '9' && port < 65536; at++)
        port = port * 10 + (*at - '0');
    const size_t len = (size_t)(colon - space) - 1;
    if (port <= 0 || port > 65535 || len >= sizeof(store->address.host))
        return false;
    (void)pthread_mutex_lock(&store->calls_mutex);
    if (len > 0) { /* else: the same host */
        memcpy(store->address.host, space + 1, len);
        store->address.host[len] = '\0';
    }
    store->address.port = port;
    store->address.is_unix = false;
    store->address_version++;
    (void)pthread_mutex_unlock(&store->calls_mutex);
    return true;
}

/* ---- Connecting -------------------------------------------------------- */

/* One command of which only success matters. */
static arvo_status
connect_say(
    struct redis_store *store, redisContext *context, size_t argc, const arvo_str *argv,
    arvo_error *err)
{
    redisReply *reply = arvo__redis_command(context, argc, argv);
    arvo_status st = ARVO_OK;
    if (reply == NULL)
        st = connect_fail(store, context, err);
    else if (reply->type == REDIS_REPLY_ERROR)
        st = arvo__redis_refused(store, "connect", reply, err);
    freeReplyObject(reply);
    return st;
}

static arvo_status
connect_introduce(
    struct redis_store *store, const struct redis_address *address, redisContext *context,
    arvo_error *err)
{
    arvo_status st = ARVO_OK;
    if (address->password[0] != '\0') {
        const arvo_str auth[] = { ARVO_STR("AUTH"), arvo_str_from(address->user),
                                  arvo_str_from(address->password) };
        const arvo_str short_auth[] = { auth[0], auth[2] };
        st = address->user[0] != '\0' ? connect_say(store, context, 3, auth, err)
                                      : connect_say(store, context, 2, short_auth, err);
    }
    if (st == ARVO_OK && address->db != 0) {
        char number[24];
        (void)snprintf(number, sizeof(number), "%lld", (long long)address->db);
        const arvo_str select[] = { ARVO_STR("SELECT"), arvo_str_from(number) };
        st = connect_say(store, context, 2, select, err);
    }
    return st;
}

static arvo_status
redis_connect(struct redis_store *store, redisContext **out, arvo_error *err)
{
    /* WAIT and WAITAOF look at their own time every 100 ms only. */
    const bool waits = store->wait_replicas + store->wait_local > 0;
    const int64_t ms = store->timeout_ms + (waits ? WAIT_SLACK_MS : 0);
    const struct timeval timeout = { .tv_sec = (time_t)(ms / 1000),
                                     .tv_usec = (suseconds_t)(ms % 1000) * 1000 };
    (void)pthread_mutex_lock(&store->calls_mutex);
    const struct redis_address address = store->address;
    (void)pthread_mutex_unlock(&store->calls_mutex);

    redisContext *context = address.is_unix
                                ? redisConnectUnixWithTimeout(address.host, timeout)
                                : redisConnectWithTimeout(address.host, address.port, timeout);
    arvo_status st = ARVO_OK;
    if (context == NULL || context->err != 0)
        st = connect_fail(store, context, err);
    if (st == ARVO_OK && redisSetTimeout(context, timeout) != REDIS_OK)
        st = connect_fail(store, context, err);
    if (st == ARVO_OK)
        st = connect_introduce(store, &address, context, err);
    if (st == ARVO_OK) {
        atomic_fetch_add(&store->connections, 1);
        *out = context;
    } else if (context != NULL) {
        redisFree(context);
    }
    return st;
}

arvo_status
arvo__redis_connect(struct redis_store *store, redisContext **out, arvo_error *err)
{
    arvo_error why;
    arvo__error_clear(&why);
    const arvo_status st = redis_connect(store, out, &why);
    if (st == ARVO_OK)
        arvo__reach_found(&store->reach, store->platform, store->label);
    else
        arvo__reach_lost(&store->reach, store->platform, &why);
    if (st != ARVO_OK && err != NULL)
        *err = why;
    return st;
}

/* ---- What the server is ------------------------------------------------ */

/* The value of a line "NAME:VALUE" of INFO. */
static arvo_str
info_value(const redisReply *info, const char *name)
{
    const size_t len = strlen(name);
    for (const char *line = info->str; line != NULL;) {
        const char *end = strstr(line, "\r\n");
        const size_t line_len = end != NULL ? (size_t)(end - line) : strlen(line);
        if (line_len > len && line[len] == ':' && memcmp(line, name, len) == 0)
            return (arvo_str){ line + len + 1, line_len - len - 1 };
        line = end != NULL ? end + 2 : NULL;
    }
    return ARVO_STR_NONE;
}

static unsigned
version_number(arvo_str text)
{
    unsigned numbers[2] = { 0, 0 };
    size_t i = 0, n = 0;
    for (; i < text.len && n < 2; i++) {
        if (text.ptr[i] == '.')
            n++;
        else if (text.ptr[i] >= '0' && text.ptr[i] <= '9' && numbers[n] < 10000)
            numbers[n] = numbers[n] * 10 + (unsigned)(text.ptr[i] - '0');
    }
    return numbers[0] * 100 + numbers[1];
}

static arvo_status
check_version(const struct redis_store *store, const redisReply *info, arvo_error *err)
{
    const arvo_str version = info_value(info, "redis_version");
    if (version_number(version) < VERSION_MIN_MAJOR * 100 + VERSION_MIN_MINOR)
        return arvo__fail(
            err, ARVO_E_VERSION, "%s: the server is Redis %.*s; Arvo needs %d.%d or newer",
            store->label, ARVO_FMT(version), VERSION_MIN_MAJOR, VERSION_MIN_MINOR);
    if (store->wait_local + store->wait_replicas > 0 && store->wait_local >= 0 &&
        store->wait_local > 0 && version_number(version) < 702)
        return arvo__fail(
            err, ARVO_E_UNSUPPORTED,
            "%s: waitaof= needs Redis 7.2, the server is %.*s; use durability=always, which waits "
            "for its disk too",
            store->label, ARVO_FMT(version));
    if (arvo_str_is(info_value(info, "role"), "slave"))
        return arvo__fail(
            err, ARVO_E_IO,
            "%s: the server is a replica, which cannot be written to: name the "
            "primary",
            store->label);
    return ARVO_OK;
}

/* appendfsync, or none when it may not be read. */
static arvo_str
config_fsync(redisContext *context, redisReply **out)
{
    const arvo_str get[] = { ARVO_STR("CONFIG"), ARVO_STR("GET"), ARVO_STR("appendfsync") };
    *out = arvo__redis_command(context, ARVO_COUNT_OF(get), get);
    if (*out == NULL || (*out)->type != REDIS_REPLY_ARRAY || (*out)->elements < 2 ||
        (*out)->element[1]->type != REDIS_REPLY_STRING)
        return ARVO_STR_NONE;
    return (arvo_str){ (*out)->element[1]->str, (*out)->element[1]->len };
}

static arvo_status
check_durability(
    const struct redis_store *store, const redisReply *info, arvo_str fsync, arvo_error *err)
{
    static const char *const wanted[] = { "always", "everysec" };
    if (store->durability >= REDIS_NONE)
        return ARVO_OK;
    const char *want = wanted[store->durability];
    if (!arvo_str_is(info_value(info, "aof_enabled"), "1"))
        return arvo__fail(
            err, ARVO_E_UNSUPPORTED,
            "%s: the server would lose workflows when it stops (appendonly no): set \"appendonly "
            "yes\" and \"appendfsync %s\" there, or accept that with durability=none",
            store->label, want);
    if (fsync.ptr == NULL)
        return arvo__fail(
            err, ARVO_E_UNSUPPORTED,
            "%s: the server does not say how it writes to disk (CONFIG is forbidden): when it is "
            "known to be enough, say durability=unchecked",
            store->label);
    if (arvo_str_is(fsync, "always") ||
        (store->durability == REDIS_EVERYSEC && arvo_str_is(fsync, "everysec")))
        return ARVO_OK;
    return arvo__fail(
        err, ARVO_E_UNSUPPORTED,
        "%s: the server acknowledges what is not on disk yet (appendfsync %.*s): set "
        "\"appendfsync %s\" there, or accept what a power cut then costs with durability=%s",
        store->label, ARVO_FMT(fsync), want, arvo_str_is(fsync, "everysec") ? "everysec" : "none");
}

static arvo_status
check_eviction(const struct redis_store *store, const redisReply *info, arvo_error *err)
{
    const arvo_str policy = info_value(info, "maxmemory_policy");
    if (policy.ptr == NULL || arvo_str_is(policy, "noeviction"))
        return ARVO_OK;
    return arvo__fail(
        err, ARVO_E_UNSUPPORTED,
        "%s: the server throws data away when its memory is full (maxmemory-policy %.*s): set "
        "\"maxmemory-policy noeviction\" there",
        store->label, ARVO_FMT(policy));
}

arvo_status
arvo__redis_check_server(struct redis_store *store, redisContext *context, arvo_error *err)
{
    const arvo_str ask[] = { ARVO_STR("INFO") };
    redisReply *config = NULL, *info = arvo__redis_command(context, 1, ask);
    arvo_status st = ARVO_OK;
    if (info == NULL)
        st = connect_fail(store, context, err);
    else if (info->type != REDIS_REPLY_STRING)
        st = arvo__redis_refused(store, "open", info, err);
    if (st == ARVO_OK)
        st = check_version(store, info, err);
    if (st == ARVO_OK)
        st = check_eviction(store, info, err);
    if (st == ARVO_OK)
        st = check_durability(store, info, config_fsync(context, &config), err);
    freeReplyObject(config);
    freeReplyObject(info);
    return st;
}

/* ---- Scripts ----------------------------------------------------------- */

const char *
arvo__redis_script_text(enum redis_script script)
{
    return script_texts[script];
}

arvo_status
arvo__redis_load_scripts(struct redis_store *store, redisContext *context, arvo_error *err)
{
    for (size_t i = 0; i < REDIS_SCRIPT_COUNT; i++) {
        const arvo_str load[] = { ARVO_STR("SCRIPT"), ARVO_STR("LOAD"),
                                  arvo_str_from(script_texts[i]) };
        redisReply *reply = arvo__redis_command(context, ARVO_COUNT_OF(load), load);
        arvo_status st = ARVO_OK;
        if (reply == NULL)
            st = connect_fail(store, context, err);
        else if (reply->type != REDIS_REPLY_STRING || reply->len != REDIS_SHA_BYTES)
            st = arvo__redis_refused(store, "open", reply, err);
        else
            memcpy(store->shas[i], reply->str, REDIS_SHA_BYTES);
        freeReplyObject(reply);
        if (st != ARVO_OK)
            return st;
    }
    return ARVO_OK;
}

#endif
