/* The operating system's clocks and random source, behind arvo_platform; its threads. */

#include <arvo/platform.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/internal.h"

/* A system call costs more than the bytes it brings, so each thread draws a block and hands out
 * slices. Larger requests go to the system directly. */
#define RANDOM_BLOCK_BYTES ((size_t)4096)
#define RANDOM_SLICE_MAX   ((size_t)256)

struct random_block {
    uint32_t generation; /* of the process that drew it; 0: never drawn */
    uint32_t left;       /* unused bytes, at the end of the block */
    unsigned char bytes[RANDOM_BLOCK_BYTES];
};

/* A child of fork() inherits its parent's blocks and must not hand out the same bytes: it counts as
 * a new generation, and a block of another generation is empty. */
static _Atomic uint32_t random_generation;
static pthread_once_t random_once = PTHREAD_ONCE_INIT;
static _Thread_local struct random_block random_block;

static void
random_after_fork(void)
{
    atomic_fetch_add_explicit(&random_generation, 1, memory_order_relaxed);
}

static void
random_setup(void)
{
    /* Generation 0 stays when the handler cannot be installed; then no block is used. */
    if (pthread_atfork(NULL, NULL, random_after_fork) == 0)
        atomic_store(&random_generation, 1);
}

static bool
random_draw(void *bytes, size_t len)
{
    unsigned char *p = bytes;
    while (len > 0) {
        const ssize_t got = getrandom(p, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        p += got;
        len -= (size_t)got;
    }
    return true;
}

static bool
random_refill(struct random_block *block)
{
    (void)pthread_once(&random_once, random_setup);
    const uint32_t generation = atomic_load_explicit(&random_generation, memory_order_relaxed);
    block->left = 0;
    if (generation == 0 || !random_draw(block->bytes, sizeof(block->bytes)))
        return false;
    block->generation = generation;
    block->left = (uint32_t)sizeof(block->bytes);
    return true;
}

static bool
system_random(void *self, void *bytes, size_t len)
{
    (void)self;
    struct random_block *block = &random_block;
    if (ARVO_UNLIKELY(len > RANDOM_SLICE_MAX))
        return random_draw(bytes, len);

    if (ARVO_UNLIKELY(
            len > block->left ||
            block->generation != atomic_load_explicit(&random_generation, memory_order_relaxed))) {
        if (!random_refill(block))
            return random_draw(bytes, len);
    }
    unsigned char *slice = block->bytes + (sizeof(block->bytes) - block->left);
    if (len > 0) {
        memcpy(bytes, slice, len);
        memset(slice, 0, len); /* what was handed out must not be found here later */
    }
    block->left -= (uint32_t)len;
    return true;
}

static int64_t
system_time_ms(void *self)
{
    (void)self;
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return 0;
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t
system_monotonic_ns(void *self)
{
    (void)self;
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        return 0;
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

const arvo_platform *
arvo_platform_system(void)
{
    static const arvo_platform system = {
        .version = ARVO_PLATFORM_OPS_VERSION,
        .time_ms = system_time_ms,
        .monotonic_ns = system_monotonic_ns,
        .random = system_random,
        .self = NULL,
    };
    return &system;
}

/* ---- Threads -------------------------------------------------------------------- */

bool
arvo__without_signals(bool (*run)(void *arg), void *arg)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return false;
    const bool done = run(arg);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return done;
}

struct thread_to_start {
    pthread_t *out;
    void *(*run)(void *arg);
    void *arg;
};

static bool
thread_create(void *user)
{
    const struct thread_to_start *thread = user;
    return pthread_create(thread->out, NULL, thread->run, thread->arg) == 0;
}

bool
arvo__thread_start(pthread_t *out, void *(*run)(void *arg), void *arg)
{
    struct thread_to_start thread = { out, run, arg };
    return arvo__without_signals(thread_create, &thread);
}

int64_t
arvo__real_ms(void)
{
    struct timespec now = { 0 };
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
arvo__real_ms_after(int64_t ms)
{
    const int64_t now = arvo__real_ms();
    return ms < INT64_MAX - now ? now + ms : INT64_MAX;
}

bool
arvo__cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr) != 0)
        return false;
    const bool done = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
                      pthread_cond_init(cond, &attr) == 0;
    (void)pthread_condattr_destroy(&attr);
    return done;
}

void
arvo__cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t real_ms)
{
    const struct timespec until = { .tv_sec = (time_t)(real_ms / 1000),
                                    .tv_nsec = (long)(real_ms % 1000) * 1000000 };
    (void)pthread_cond_timedwait(cond, mutex, &until);
}
