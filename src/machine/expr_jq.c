/* Runs programs in libjq, in processes of their own (why: expr_internal.h). Edge module: this is
 * the side of the process that uses the library; expr_worker.c is the other. */

#include "machine/expr_internal.h"

#ifdef ARVO_HAVE_JQ

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

struct expr_jq {
    const arvo_allocator *allocator;
    const expr_jq_program *programs;
    size_t count;
    pthread_mutex_t lock; /* of the two below */
    int control;          /* to the keeper; -1: none */
    pid_t keeper;
};

struct expr_jq_worker {
    const arvo_allocator *allocator;
    int fd;       /* -1: not started, or lost */
    arvo_buf buf; /* a request, then its reply */
};

/* ---- Sockets ------------------------------------------------------------------- */

bool
arvo__expr_jq_send(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        const ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        at += sent;
        len -= (size_t)sent;
    }
    return true;
}

bool
arvo__expr_jq_receive(int fd, void *bytes, size_t len)
{
    char *at = bytes;
    while (len > 0) {
        const ssize_t got = recv(fd, at, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        len -= (size_t)got;
    }
    return true;
}

/* Ours first. Ours gives up a process that does not answer: a bound that no program should meet. */
static bool
socket_pair(int fds[2])
{
    const struct timeval wait = { .tv_sec = EXPR_JQ_WAIT_MS / 1000 };
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
        return false;
    (void)setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    (void)setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    return true;
}

static void
socket_close(int *fd)
{
    if (*fd < 0)
        return;
    /* The other side must see the end though a process forked meanwhile may hold a copy. */
    (void)shutdown(*fd, SHUT_RDWR);
    (void)close(*fd);
    *fd = -1;
}

/* ---- The keeper ------------------------------------------------------------------ */

static void
keeper_stop(expr_jq *jq)
{
    socket_close(&jq->control);
    if (jq->keeper > 0)
        while (waitpid(jq->keeper, NULL, 0) < 0 && errno == EINTR)
            continue;
    jq->keeper = 0;
}

static arvo_status
keeper_start(expr_jq *jq, arvo_error *err)
{
    int fds[2];
    if (!socket_pair(fds))
        return arvo__fail(err, ARVO_E_EXECUTION, "cannot make a socket for jq (errno %d)", errno);
    const pid_t pid = fork();
    if (pid == 0)
        arvo__expr_jq_keeper(fds[1], jq->programs, jq->count);
    const int reason = errno;
    (void)close(fds[1]);
    if (pid < 0) {
        (void)close(fds[0]);
        return arvo__fail(
            err, ARVO_E_EXECUTION, "cannot start a process for jq (errno %d)", reason);
    }
    jq->control = fds[0];
    jq->keeper = pid;
    return ARVO_OK;
}

/* What the keeper says of the programs. */
static arvo_status
keeper_greet(expr_jq *jq, size_t *out_culprit, arvo_error *err)
{
    expr_jq_message message;
    char text[512];
    if (!arvo__expr_jq_receive(jq->control, &message, sizeof(message)))
        return arvo__fail(err, ARVO_E_INVALID, "jq died of compiling the expressions");
    if (message.what == EXPR_JQ_COMPILED)
        return ARVO_OK;
    if (message.what == EXPR_JQ_ABSENT)
        return arvo__fail(
            err, ARVO_E_UNSUPPORTED,
            "jq is needed, but " ARVO_JQ_LIBRARY " is not there: install it (Debian: libjq1)");
    if (message.what < EXPR_JQ_WRONG_BASE)
        return arvo__fail(
            err, ARVO_E_INVALID, "jq ran out of %s compiling the expressions: make them simpler",
            message.what == EXPR_JQ_OUT_OF_TIME ? "time" : "memory");
    const size_t culprit = message.what - EXPR_JQ_WRONG_BASE;
    if (message.len >= sizeof(text) || !arvo__expr_jq_receive(jq->control, text, message.len))
        return arvo__fail(err, ARVO_E_INVALID, "jq died of compiling the expressions");
    if (culprit >= jq->count)
        return arvo__fail(err, ARVO_E_INVALID, "jq does not compile the expressions together");
    *out_culprit = culprit;
    return arvo__fail(err, ARVO_E_INVALID, "%.*s", (int)message.len, text);
}

arvo_status
arvo__expr_jq_new(
    const arvo_allocator *allocator, const expr_jq_program *programs, size_t count, expr_jq **out,
    size_t *out_culprit, arvo_error *err)
{
    expr_jq *jq = arvo__calloc(allocator, 1, sizeof(*jq));
    if (jq == NULL)
        return arvo__nomem(err);
    jq->allocator = allocator;
    jq->programs = programs;
    jq->count = count;
    jq->control = -1;
    (void)pthread_mutex_init(&jq->lock, NULL);

    arvo_status st = keeper_start(jq, err);
    if (st == ARVO_OK)
        st = keeper_greet(jq, out_culprit, err);
    if (st == ARVO_OK)
        *out = jq;
    else
        arvo__expr_jq_free(jq);
    return st;
}

void
arvo__expr_jq_free(expr_jq *jq)
{
    if (jq == NULL)
        return;
    keeper_stop(jq);
    (void)pthread_mutex_destroy(&jq->lock);
    arvo__free(jq->allocator, jq, sizeof(*jq));
}

/* ---- Workers ---------------------------------------------------------------------- */

expr_jq_worker *
arvo__expr_jq_worker_new(const arvo_allocator *allocator)
{
    expr_jq_worker *worker = arvo__calloc(allocator, 1, sizeof(*worker));
    if (worker == NULL)
        return NULL;
    worker->allocator = allocator;
    worker->fd = -1;
    worker->buf = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    worker->buf.allocator = allocator;
    return worker;
}

void
arvo__expr_jq_worker_free(expr_jq_worker *worker)
{
    if (worker == NULL)
        return;
    socket_close(&worker->fd);
    arvo_buf_fini(&worker->buf);
    arvo__free(worker->allocator, worker, sizeof(*worker));
}

static bool
send_socket(int control, int fd)
{
    char byte = 'w';
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } extra;
    memset(&extra, 0, sizeof(extra));
    struct iovec data = { .iov_base = &byte, .iov_len = 1 };
    const struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &extra, .msg_controllen = sizeof(extra)
    };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    ssize_t sent;
    do
        sent = sendmsg(control, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == 1;
}

/* A keeper that was killed from outside is replaced, once. */
static arvo_status
worker_start(expr_jq *jq, expr_jq_worker *worker, arvo_error *err)
{
    int fds[2];
    size_t culprit = 0;
    if (!socket_pair(fds))
        return arvo__fail(err, ARVO_E_EXECUTION, "cannot make a socket for jq (errno %d)", errno);
    (void)pthread_mutex_lock(&jq->lock);
    arvo_status st = ARVO_OK;
    if (!send_socket(jq->control, fds[1])) {
        keeper_stop(jq);
        st = keeper_start(jq, err);
        if (st == ARVO_OK)
            st = keeper_greet(jq, &culprit, err);
        if (st == ARVO_OK && !send_socket(jq->control, fds[1]))
            st = arvo__fail(err, ARVO_E_EXECUTION, "cannot start a process for jq");
    }
    (void)pthread_mutex_unlock(&jq->lock);
    (void)close(fds[1]);
    if (st != ARVO_OK) {
        (void)close(fds[0]);
        return ARVO_E_EXECUTION;
    }
    worker->fd = fds[0];
    return ARVO_OK;
}

/* ---- Evaluation ---------------------------------------------------------------------- */

static void
write_request(arvo_buf *buf, size_t program, unsigned reads, const arvo_scope *scope)
{
    const arvo_json *const members[EXPR_SCOPE_COUNT] = { scope->context, scope->event, scope->input,
                                                         scope->params };
    expr_jq_message message = { .what = (uint32_t)program };
    arvo_buf_reset(buf);
    arvo_buf_append(buf, &message, sizeof(message));
    char open = '{';
    for (unsigned i = 0; i < EXPR_SCOPE_COUNT; i++) {
        if ((reads & (1u << i)) == 0)
            continue;
        arvo_buf_append_char(buf, open);
        arvo_json_write_str(arvo__expr_scope_names[i], buf);
        arvo_buf_append_char(buf, ':');
        arvo_json_write(members[i], buf);
        open = ',';
    }
    arvo_buf_append_str(buf, open == '{' ? ARVO_STR("{}") : ARVO_STR("}"));
    if (buf->status != ARVO_OK)
        return;
    message.len = (uint32_t)(buf->len - sizeof(message));
    memcpy(buf->ptr, &message, sizeof(message));
}

static arvo_status
fail_of(uint32_t what, arvo_error *err)
{
    switch (what) {
    case EXPR_JQ_TOO_LARGE:
        return arvo__fail(
            err, ARVO_E_EXECUTION, "its value is larger than %zu bytes", ARVO_EXPRESSION_BYTES_MAX);
    case EXPR_JQ_OUT_OF_TIME:
        return arvo__fail(
            err, ARVO_E_EXECUTION, "stopped after %u ms of computing", ARVO_EXPRESSION_TIME_MS_MAX);
    case EXPR_JQ_OUT_OF_MEMORY:
        return arvo__fail(
            err, ARVO_E_EXECUTION, "stopped after using %zu bytes of memory",
            EXPR_JQ_PROCESS_BYTES);
    default:
        return arvo__fail(err, ARVO_E_EXECUTION, "jq died of it");
    }
}

/* The reply to a request that was sent. A worker that spoke its last word is gone. */
static arvo_status
read_reply(expr_jq_worker *worker, arvo_arena *arena, const arvo_json **out, arvo_error *err)
{
    expr_jq_message message = { .what = EXPR_JQ_CRASHED };
    const bool heard = arvo__expr_jq_receive(worker->fd, &message, sizeof(message));
    if (!heard || message.what >= EXPR_JQ_OUT_OF_TIME) {
        socket_close(&worker->fd);
        return fail_of(heard ? message.what : EXPR_JQ_CRASHED, err);
    }
    arvo_buf_reset(&worker->buf);
    char *text = arvo_buf_reserve(&worker->buf, (size_t)message.len + 1);
    if (text == NULL) {
        socket_close(&worker->fd); /* what it still sends would be taken for the next reply */
        return arvo__nomem(err);
    }
    if (!arvo__expr_jq_receive(worker->fd, text, message.len)) {
        socket_close(&worker->fd);
        return fail_of(EXPR_JQ_CRASHED, err);
    }
    if (message.what == EXPR_JQ_FAILED)
        return arvo__fail(err, ARVO_E_EXECUTION, "%.*s", (int)message.len, text);
    if (message.what == EXPR_JQ_NO_VALUE) {
        *out = NULL;
        return ARVO_OK;
    }
    if (message.what != EXPR_JQ_VALUE)
        return fail_of(message.what, err);
    const arvo_status st = arvo_json_parse((arvo_str){ text, message.len }, arena, out, err);
    if (st == ARVO_OK || st == ARVO_E_NOMEM)
        return st;
    arvo_error_prefix(err, "its value is no JSON that Arvo holds");
    return ARVO_E_EXECUTION;
}

arvo_status
arvo__expr_jq_eval(
    expr_jq *jq, expr_jq_worker *worker, size_t program, const arvo_scope *scope,
    const arvo_json **out, arvo_error *err)
{
    arvo_buf *buf = &worker->buf;
    write_request(buf, program, jq->programs[program].reads, scope);
    if (buf->status == ARVO_E_NOMEM)
        return arvo__nomem(err);
    if (buf->status != ARVO_OK)
        return arvo__fail(err, ARVO_E_EXECUTION, "what it reads is too large");

    /* An idle worker may have been killed from outside: then another gets the request. */
    for (int attempt = 0; attempt < 2; attempt++) {
        if (worker->fd < 0) {
            const arvo_status st = worker_start(jq, worker, err);
            if (st != ARVO_OK)
                return st;
        }
        if (arvo__expr_jq_send(worker->fd, buf->ptr, buf->len))
            return read_reply(worker, scope->arena, out, err);
        socket_close(&worker->fd);
    }
    return fail_of(EXPR_JQ_CRASHED, err);
}

#else

arvo_status
arvo__expr_jq_new(
    const arvo_allocator *allocator, const expr_jq_program *programs, size_t count, expr_jq **out,
    size_t *out_culprit, arvo_error *err)
{
    (void)allocator;
    (void)programs;
    (void)count;
    (void)out;
    *out_culprit = 0;
    return arvo__fail(
        err, ARVO_E_UNSUPPORTED, "needs jq, and this library was built without it (-Djq)");
}

void
arvo__expr_jq_free(expr_jq *jq)
{
    (void)jq;
}

expr_jq_worker *
arvo__expr_jq_worker_new(const arvo_allocator *allocator)
{
    (void)allocator;
    return NULL;
}

void
arvo__expr_jq_worker_free(expr_jq_worker *worker)
{
    (void)worker;
}

arvo_status
arvo__expr_jq_eval(
    expr_jq *jq, expr_jq_worker *worker, size_t program, const arvo_scope *scope,
    const arvo_json **out, arvo_error *err)
{
    (void)jq;
    (void)worker;
    (void)program;
    (void)scope;
    (void)out;
    return arvo__fail(err, ARVO_E_EXECUTION, "needs jq");
}

#endif
