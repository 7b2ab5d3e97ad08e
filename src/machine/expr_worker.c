/* The other side of expr_jq.c: what runs in the keeper and in its workers. Edge module: libjq.
 *
 *   keeper   compiles, greets, then forks a worker for each socket it is sent
 *   worker   program number + scope -> value, until its socket closes or a bound stops it
 *
 * Either ends when the process at the other end of its socket does. Nothing here returns into the
 * code of the process that was forked, and nothing prints: an error is a message. */

#include "machine/expr_internal.h"

#ifdef ARVO_HAVE_JQ

#include <errno.h>
#include <fcntl.h>
#include <jq.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define MESSAGE_BYTES_MAX 500u
#define SOCKET_FD         ARVO__CHILD_FD

/* Of a process of its own, so a global is right: the handlers below need it. */
static int reply_fd = -1;

/* ---- The library -------------------------------------------------------------------- */

/* Most sets of expressions need no jq: it is opened here, not linked. */
#define JQ_FUNCTIONS(X)                                                                            \
    X(jq_init)                                                                                     \
    X(jq_compile)                                                                                  \
    X(jq_start)                                                                                    \
    X(jq_next)                                                                                     \
    X(jq_set_error_cb)                                                                             \
    X(jq_set_debug_cb)                                                                             \
    X(jq_teardown)                                                                                 \
    X(jv_copy)                                                                                     \
    X(jv_free)                                                                                     \
    X(jv_get_kind)                                                                                 \
    X(jv_dump_string)                                                                              \
    X(jv_invalid_get_msg)                                                                          \
    X(jv_invalid_has_msg)                                                                          \
    X(jv_nomem_handler)                                                                            \
    X(jv_null)                                                                                     \
    X(jv_number)                                                                                   \
    X(jv_parse_sized)                                                                              \
    X(jv_string_length_bytes)                                                                      \
    X(jv_string_slice)                                                                             \
    X(jv_string_value)                                                                             \
    X(jv_array_sized)                                                                              \
    X(jv_array_append)

#define JQ_SLOT(name)   __typeof__(name) *name;
#define JQ_SYMBOL(name) { #name, &libjq.name },

static struct {
    JQ_FUNCTIONS(JQ_SLOT)
} libjq;

static bool
libjq_open(void)
{
    const arvo__symbol symbols[] = { JQ_FUNCTIONS(JQ_SYMBOL) };
    return arvo__library_open(ARVO_JQ_LIBRARY, symbols, ARVO_COUNT_OF(symbols));
}

/* jq.h's own, inline, would want the library linked. */
static bool
is_valid(jv value)
{
    return libjq.jv_get_kind(value) != JV_KIND_INVALID;
}

static jv
pair(jv first, jv second)
{
    return libjq.jv_array_append(libjq.jv_array_append(libjq.jv_array_sized(2), first), second);
}

/* ---- Bounds ---------------------------------------------------------------------- */

_Noreturn static void
last_word(uint32_t what)
{
    const expr_jq_message message = { .what = what };
    (void)arvo__expr_jq_send(reply_fd, &message, sizeof(message));
    _exit(1);
}

static void
on_signal(int number)
{
    last_word(number == SIGPROF ? EXPR_JQ_OUT_OF_TIME : EXPR_JQ_CRASHED);
}

static void
on_no_memory(void *data)
{
    (void)data;
    last_word(EXPR_JQ_OUT_OF_MEMORY);
}

/* CPU time from now on; 0: no bound. */
static void
bound_time(unsigned ms)
{
    const struct itimerval timer = { .it_value = { .tv_sec = ms / 1000,
                                                   .tv_usec = (long)(ms % 1000) * 1000 } };
    (void)setitimer(ITIMER_PROF, &timer, NULL);
}

/* Bytes of data that the process has, from "size resident shared text lib data dirty" in pages. */
static size_t
data_bytes(void)
{
    char text[256];
    const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    const ssize_t len = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    if (fd >= 0)
        (void)close(fd);
    if (len <= 0)
        return 0;
    text[len] = '\0';
    char *at = text;
    unsigned long pages = 0;
    for (int field = 0; field < 6; field++)
        pages = strtoul(at, &at, 10);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void
bound_memory(void)
{
    const struct rlimit limit = { .rlim_cur = data_bytes() + EXPR_JQ_PROCESS_BYTES,
                                  .rlim_max = RLIM_INFINITY };
    (void)setrlimit(RLIMIT_DATA, &limit);
}

/* ---- A new process ---------------------------------------------------------------- */

/* A stack overflow is a crash like another, but its handler needs a stack. */
static void
catch_signals(void)
{
    static char stack[64 * 1024];
    static const int deadly[] = { SIGPROF, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
    const stack_t other = { .ss_sp = stack, .ss_size = sizeof(stack) };
    (void)sigaltstack(&other, NULL);

    const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };
    for (size_t i = 0; i < ARVO_COUNT_OF(deadly); i++)
        (void)sigaction(deadly[i], &action, NULL);
}

/* Nothing of its owner's but the socket: no terminal either. */
static void
stand_alone(int fd)
{
    /* It ends with its owner, who may need it while shutting down; not before. */
    static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD };
    (void)setsid();
    (void)prctl(PR_SET_NAME, "arvo-jq");
    arvo__child_stand_alone(fd, ignored, ARVO_COUNT_OF(ignored));
    reply_fd = SOCKET_FD;
    catch_signals();
}

/* ---- Compiling ----------------------------------------------------------------------- */

/* jq's first message about a program, without what is about its command line. */
typedef struct complaint {
    char text[MESSAGE_BYTES_MAX];
    bool given;
} complaint;

static void
on_complaint(void *data, jv message)
{
    complaint *c = data;
    if (!c->given && libjq.jv_get_kind(message) == JV_KIND_STRING) {
        const char *text = libjq.jv_string_value(message);
        static const char prefix[] = "jq: error: ";
        if (strncmp(text, prefix, sizeof(prefix) - 1) == 0)
            text += sizeof(prefix) - 1;
        size_t len = strcspn(text, "\n");
        static const char *const tails[] = { " (Unix shell quoting issues?)", " at <top-level>" };
        for (size_t i = 0; i < ARVO_COUNT_OF(tails); i++) {
            const char *tail = strstr(text, tails[i]);
            if (tail != NULL && (size_t)(tail - text) < len)
                len = (size_t)(tail - text);
        }
        len = len < sizeof(c->text) ? len : sizeof(c->text) - 1;
        memcpy(c->text, text, len);
        c->text[len] = '\0';
        c->given = true;
    }
    libjq.jv_free(message);
}

static void
ignore_message(void *data, jv message)
{
    (void)data;
    libjq.jv_free(message);
}

static jq_state *
compile(const char *text, complaint *c)
{
    jq_state *jq = libjq.jq_init();
    if (jq == NULL)
        last_word(EXPR_JQ_OUT_OF_MEMORY);
    libjq.jv_nomem_handler(on_no_memory, NULL);
    libjq.jq_set_error_cb(jq, on_complaint, c);
    libjq.jq_set_debug_cb(jq, ignore_message, NULL);
    if (!libjq.jq_compile(jq, text))
        libjq.jq_teardown(&jq);
    return jq;
}

/* Halves the programs until one is left: jq has no switch. */
static void
write_dispatch(arvo_buf *out, size_t from, size_t to)
{
    if (to - from == 1) {
        arvo_buf_printf(out, "_arvo%zu", from);
        return;
    }
    const size_t middle = from + (to - from) / 2;
    arvo_buf_printf(out, "if $i < %zu then ", middle);
    write_dispatch(out, from, middle);
    arvo_buf_printf(out, " else ");
    write_dispatch(out, middle, to);
    arvo_buf_printf(out, " end");
}

/* Each program is a function, so that it sees no names but its own and jq's. The line end closes
 * a comment; brackets inside are balanced, for arvo__expr_lex() has seen them. */
static void
write_all(arvo_buf *out, const expr_jq_program *programs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        arvo_buf_printf(out, "def _arvo%zu: (%.*s\n);\n", i, ARVO_FMT(programs[i].text));
    arvo_buf_printf(out, ".[0] as $i | .[1] | ");
    write_dispatch(out, 0, count);
    arvo_buf_append_char(out, '\0');
}

/* Whether it compiles alone. */
static bool
compiles(const expr_jq_program *program, bool in_brackets, complaint *c)
{
    arvo_buf text = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    if (in_brackets)
        arvo_buf_append_str(&text, ARVO_STR("("));
    arvo_buf_append_str(&text, program->text);
    if (in_brackets)
        arvo_buf_append_str(&text, ARVO_STR("\n)"));
    arvo_buf_append_char(&text, '\0');
    if (text.status != ARVO_OK)
        last_word(EXPR_JQ_OUT_OF_MEMORY);
    jq_state *jq = compile(text.ptr, c);
    const bool good = jq != NULL;
    libjq.jq_teardown(&jq);
    arvo_buf_fini(&text);
    return good;
}

/* As written, for the message; then in brackets, as it is used: `def f: 1;` is a program to jq, and
 * no expression. `count` when each is right alone. */
_Noreturn static void
name_culprit(const expr_jq_program *programs, size_t count)
{
    complaint c = { .given = false };
    size_t i = 0;
    while (i < count && compiles(&programs[i], false, &c) && compiles(&programs[i], true, &c))
        i++;
    const expr_jq_message message = { .what = EXPR_JQ_WRONG_BASE + (uint32_t)i,
                                      .len = (uint32_t)strlen(c.text) };
    (void)arvo__expr_jq_send(reply_fd, &message, sizeof(message));
    (void)arvo__expr_jq_send(reply_fd, c.text, message.len);
    _exit(0);
}

/* ---- Evaluating ----------------------------------------------------------------------- */

static void
reply(uint32_t what, jv payload)
{
    expr_jq_message message = { .what = what };
    const bool text = libjq.jv_get_kind(payload) == JV_KIND_STRING;
    message.len = text ? (uint32_t)libjq.jv_string_length_bytes(libjq.jv_copy(payload)) : 0;
    bound_time(0); /* what is sent now is sent whole */
    bool sent = arvo__expr_jq_send(reply_fd, &message, sizeof(message));
    if (sent && message.len > 0)
        sent = arvo__expr_jq_send(reply_fd, libjq.jv_string_value(payload), message.len);
    libjq.jv_free(payload);
    if (!sent)
        _exit(0);
}

static jv
error_text(jv error)
{
    jv message = libjq.jv_invalid_get_msg(error);
    if (libjq.jv_get_kind(message) != JV_KIND_STRING)
        message = libjq.jv_dump_string(message, 0);
    if (libjq.jv_string_length_bytes(libjq.jv_copy(message)) > (int)MESSAGE_BYTES_MAX)
        message = libjq.jv_string_slice(message, 0, (int)MESSAGE_BYTES_MAX / 4);
    return message;
}

static void
evaluate(jq_state *jq, uint32_t program, const char *scope, size_t len)
{
    bound_time(ARVO_EXPRESSION_TIME_MS_MAX);
    jv input = libjq.jv_parse_sized(scope, (int)len);
    if (!is_valid(input)) {
        reply(EXPR_JQ_FAILED, error_text(input));
        return;
    }
    libjq.jq_start(jq, pair(libjq.jv_number(program), input), 0);
    jv value = libjq.jq_next(jq);
    if (!is_valid(value)) {
        const bool failed = libjq.jv_invalid_has_msg(libjq.jv_copy(value)) != 0;
        if (failed) {
            reply(EXPR_JQ_FAILED, error_text(value));
        } else {
            libjq.jv_free(value);
            reply(EXPR_JQ_NO_VALUE, libjq.jv_null());
        }
        return;
    }
    jv text = libjq.jv_dump_string(value, 0);
    if ((size_t)libjq.jv_string_length_bytes(libjq.jv_copy(text)) > ARVO_EXPRESSION_BYTES_MAX) {
        libjq.jv_free(text);
        reply(EXPR_JQ_TOO_LARGE, libjq.jv_null());
        return;
    }
    reply(EXPR_JQ_VALUE, text);
}

_Noreturn static void
work(jq_state *jq)
{
    arvo_buf scope = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    bound_memory();
    for (;;) {
        expr_jq_message message;
        if (!arvo__expr_jq_receive(reply_fd, &message, sizeof(message)))
            _exit(0);
        arvo_buf_reset(&scope);
        char *text = arvo_buf_reserve(&scope, (size_t)message.len + 1);
        if (text == NULL || message.len > INT_MAX)
            last_word(EXPR_JQ_OUT_OF_MEMORY);
        if (!arvo__expr_jq_receive(reply_fd, text, message.len))
            _exit(0);
        evaluate(jq, message.what, text, message.len);
    }
}

/* ---- The keeper -------------------------------------------------------------------------- */

/* The socket for the next worker; -1: the owner is gone. */
static int
receive_socket(int control)
{
    char byte;
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } extra;
    struct iovec data = { .iov_base = &byte, .iov_len = 1 };
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &extra, .msg_controllen = sizeof(extra)
    };
    ssize_t got;
    do
        got = recvmsg(control, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    const struct cmsghdr *header = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header == NULL || header->cmsg_type != SCM_RIGHTS)
        return -1;
    int fd = -1;
    memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    return fd;
}

_Noreturn void
arvo__expr_jq_keeper(int control, const expr_jq_program *programs, size_t count)
{
    stand_alone(control);
    bound_time(EXPR_JQ_COMPILE_MS);
    if (!libjq_open())
        last_word(EXPR_JQ_ABSENT);
    arvo_buf text = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    write_all(&text, programs, count);
    if (text.status != ARVO_OK)
        last_word(EXPR_JQ_OUT_OF_MEMORY);
    complaint c = { .given = false };
    jq_state *jq = compile(text.ptr, &c);
    if (jq == NULL)
        name_culprit(programs, count);
    arvo_buf_fini(&text);
    bound_time(0);

    const expr_jq_message greeting = { .what = EXPR_JQ_COMPILED };
    if (!arvo__expr_jq_send(SOCKET_FD, &greeting, sizeof(greeting)))
        _exit(0);
    for (;;) {
        const int fd = receive_socket(SOCKET_FD);
        if (fd < 0)
            _exit(0);
        const pid_t pid = fork();
        if (pid == 0) {
            (void)dup2(fd, SOCKET_FD);
            (void)close_range(SOCKET_FD + 1, ~0u, 0);
            work(jq);
        }
        (void)close(fd);
    }
}

#else

extern int arvo__expr_worker_unused_; /* without jq there is nothing to run */

#endif
