/* io_faults.c - a library for LD_PRELOAD under which the disk fails now and then.
 *
 * Writes, truncations and syncs of files whose path holds ARVO_IO_FAULTS_PATH
 * fail with EIO, or with ENOSPC, once in ARVO_IO_FAULTS_ONE_IN calls on
 * average; a failed write may have written a part. The dice are thrown from
 * ARVO_IO_FAULTS_SEED and the process id. Nothing fails when
 * ARVO_IO_FAULTS_ONE_IN is not set.
 */

#undef _FILE_OFFSET_BITS /* pwrite and pwrite64 are two functions here */

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define FILES_MAX 1024

static atomic_uint_fast64_t dice;
static atomic_int watched[FILES_MAX]; /* 0: not looked at, 1: fails, -1: does not */

static uint64_t
number_of(const char *name)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : 0;
}

/* splitmix64: a fixed odd step and a mix of it, so threads need no lock. */
static uint64_t
roll(void)
{
    uint64_t x = atomic_fetch_add(&dice, 0x9e3779b97f4a7c15u) + 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

__attribute__((constructor)) static void
faults_begin(void)
{
    atomic_store(&dice, number_of("ARVO_IO_FAULTS_SEED") * 1000003u + (uint64_t)getpid());
}

static bool
file_is_watched(int fd)
{
    char link[64], path[PATH_MAX];
    const char *part = getenv("ARVO_IO_FAULTS_PATH");
    if (part == NULL || fd < 0)
        return false;
    if (fd < FILES_MAX && atomic_load(&watched[fd]) != 0)
        return atomic_load(&watched[fd]) > 0;
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    const ssize_t len = readlink(link, path, sizeof(path) - 1);
    if (len <= 0)
        return false;
    path[len] = '\0';
    const bool is_watched = strstr(path, part) != NULL;
    if (fd < FILES_MAX)
        atomic_store(&watched[fd], is_watched ? 1 : -1);
    return is_watched;
}

/* 0, or the errno to fail with. */
static int
fault(int fd)
{
    const uint64_t one_in = number_of("ARVO_IO_FAULTS_ONE_IN");
    if (one_in == 0 || !file_is_watched(fd))
        return 0;
    const uint64_t thrown = roll();
    if (thrown % one_in != 0)
        return 0;
    return (thrown >> 32) % 2 == 0 ? EIO : ENOSPC;
}

static void *
next(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);
    if (function == NULL)
        abort();
    return function;
}

/* A part of what was to be written, then the failure. */
#define WRITE_OR_FAIL(type, name, call_part, call_all)                                             \
    do {                                                                                           \
        static type real;                                                                          \
        if (real == NULL)                                                                          \
            *(void **)&real = next(name);                                                          \
        const int code = fault(fd);                                                                \
        if (code == 0)                                                                             \
            return call_all;                                                                       \
        if (count > 1 && roll() % 2 == 0) {                                                        \
            const size_t part = (size_t)(roll() % count);                                          \
            if (part > 0)                                                                          \
                (void)!call_part;                                                                  \
        }                                                                                          \
        errno = code;                                                                              \
        return -1;                                                                                 \
    } while (0)

#pragma GCC visibility push(default)

typedef ssize_t (*pwrite_fn)(int, const void *, size_t, off_t);
typedef ssize_t (*write_fn)(int, const void *, size_t);
typedef int (*sync_fn)(int);
typedef int (*truncate_fn)(int, off_t);

ssize_t
pwrite64(int fd, const void *bytes, size_t count, off_t at)
{
    WRITE_OR_FAIL(pwrite_fn, "pwrite64", real(fd, bytes, part, at), real(fd, bytes, count, at));
}

ssize_t
pwrite(int fd, const void *bytes, size_t count, off_t at)
{
    WRITE_OR_FAIL(pwrite_fn, "pwrite", real(fd, bytes, part, at), real(fd, bytes, count, at));
}

ssize_t
write(int fd, const void *bytes, size_t count)
{
    WRITE_OR_FAIL(write_fn, "write", real(fd, bytes, part), real(fd, bytes, count));
}

static int
sync_or_fail(const char *name, int fd)
{
    const int code = fault(fd);
    if (code != 0) {
        errno = code;
        return -1;
    }
    sync_fn real;
    *(void **)&real = next(name);
    return real(fd);
}

int
fsync(int fd)
{
    return sync_or_fail("fsync", fd);
}

int
fdatasync(int fd)
{
    return sync_or_fail("fdatasync", fd);
}

int
ftruncate64(int fd, off_t length)
{
    const int code = fault(fd);
    if (code != 0) {
        errno = code;
        return -1;
    }
    truncate_fn real;
    *(void **)&real = next("ftruncate64");
    return real(fd, length);
}

int
close(int fd)
{
    if (fd >= 0 && fd < FILES_MAX)
        atomic_store(&watched[fd], 0); /* the number may be another file's next */
    sync_fn real;
    *(void **)&real = next("close");
    return real(fd);
}
