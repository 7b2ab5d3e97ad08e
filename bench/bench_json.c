/* JSON: parse and write one ArvoEvent of 1 KB, beside the C libraries that Debian ships.
 *
 *     bench_json
 *
 * Prints nanoseconds per event and each peer's multiple of ours; then the
 * mallocs per parse once warm, which are to be none. Every library reads the
 * same bytes and writes its own value to compact text.
 */

#include <arvo/json.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define PARSE_TARGET_NS 1500.0
#define WRITE_TARGET_NS 1000.0

static const char event_text[] =
    "{\"id\":\"550e8400-e29b-41d4-a716-446655440000\",\"source\":\"arvo.orc.order\","
    "\"specversion\":\"1.0\",\"type\":\"com.payment.charge\",\"subject\":"
    "\"eJw1j8EKwjAQRH9F9txKDB7Em6gHD4KgX7AmUwnabEg2Qin9d1PF4/CGmZ2RhHyAauPQ05YGHvi0yRySsIKk"
    "YkjsOWjG0yCmQ1sYK1lLlYJnq1g5R7ZoGxTS9xUvDpWSKqlYGQdOWYtFJHLJPcv6G2oMOv8vSPyF6rRRf8E7"
    "h1LzpY7FhPR0F5UuPTzB9pOu4hAcwsX1zvDq1X6vYzrS6XDn8bXyK2fPHPDl9Ubz5AF9yGL2\","
    "\"datacontenttype\":\"application/cloudevents+json;charset=UTF-8;profile=arvo\","
    "\"dataschema\":\"#/services/payment/1.0.0\",\"data\":{\"orderId\":\"ord-20391\","
    "\"amount\":129.95,\"currency\":\"EUR\",\"customer\":{\"id\":\"c-81\",\"name\":\"Ada "
    "Lovelace\"},"
    "\"items\":[{\"sku\":\"A-1\",\"quantity\":2},{\"sku\":\"B-7\",\"quantity\":1}],\"gift\":false,"
    "\"note\":\"Please ring twice; leave it with the neighbour otherwise.\"},"
    "\"time\":\"2026-11-24T10:00:00.000+00:00\",\"to\":\"com.payment.charge\","
    "\"accesscontrol\":null,\"redirectto\":null,\"executionunits\":1,"
    "\"traceparent\":\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\","
    "\"tracestate\":null,\"parentid\":\"1f0e6a1c-3a9b-4f4e-9d6d-0a2b7c9d8e11\",\"domain\":null}";

#define EVENT ((arvo_str){ event_text, sizeof(event_text) - 1 })

static void
require(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "bench_json: %s failed\n", what);
        exit(1);
    }
}

/* ---- Arvo ------------------------------------------------------------------- */

struct ours {
    arvo_arena *arena;
    const arvo_json *value;
    arvo_buf text;
    size_t mallocs;
};

static void *
counting_alloc(void *self, size_t size)
{
    ++*(size_t *)self;
    return malloc(size);
}

static void
counting_free(void *self, void *ptr, size_t size)
{
    (void)self;
    (void)size;
    free(ptr);
}

static void
ours_parse(void *self, size_t rounds)
{
    struct ours *ours = self;
    for (size_t i = 0; i < rounds; i++) {
        arvo_arena_reset(ours->arena);
        require(arvo_json_parse(EVENT, ours->arena, &ours->value, NULL) == ARVO_OK, "parse");
    }
}

static void
ours_write(void *self, size_t rounds)
{
    struct ours *ours = self;
    for (size_t i = 0; i < rounds; i++) {
        arvo_buf_reset(&ours->text);
        arvo_json_write(ours->value, &ours->text);
    }
    require(arvo_str_equal(arvo_buf_str(&ours->text), EVENT), "write");
}

/* ---- Peers -------------------------------------------------------------------
 *
 * Loaded rather than linked: jansson and json-c define functions of the same
 * names. A library that is not installed is left out. */

struct peer {
    const char *name, *library;
    const char *parse_name, *free_name, *write_name;
    void *parse_fn, *free_fn, *write_fn;
    bool text_is_ours; /* what write returns is ours to free */
    void *value;
};

/* ISO C has no conversion from void * to a function pointer; POSIX says the bytes are the same. */
#define PEER_FN(type, name, ptr)                                                                   \
    type name;                                                                                     \
    memcpy(&name, &(ptr), sizeof(name))

typedef void *peer_parse_fn(const char *text, size_t len, size_t flags, void *err);
typedef void peer_free_fn(void *value);
typedef char *peer_write_fn(void *value, size_t flags);

#define JANSSON_COMPACT 0x20 /* JSON_COMPACT; json-c reads 0 as JSON_C_TO_STRING_PLAIN */

static void *
peer_value(const struct peer *peer)
{
    /* json-c and cJSON take the text alone; further arguments are not looked at. */
    PEER_FN(peer_parse_fn *, parse, peer->parse_fn);
    void *value = parse(event_text, sizeof(event_text) - 1, 0, NULL);
    require(value != NULL, peer->name);
    return value;
}

static void
peer_parse(void *self, size_t rounds)
{
    const struct peer *peer = self;
    PEER_FN(peer_free_fn *, release, peer->free_fn);
    for (size_t i = 0; i < rounds; i++)
        release(peer_value(peer));
}

static void
peer_write(void *self, size_t rounds)
{
    const struct peer *peer = self;
    PEER_FN(peer_write_fn *, write, peer->write_fn);
    const size_t flags = strcmp(peer->name, "jansson") == 0 ? JANSSON_COMPACT : 0;
    for (size_t i = 0; i < rounds; i++) {
        char *text = write(peer->value, flags);
        require(text != NULL && strlen(text) > sizeof(event_text) / 2, peer->name);
        if (peer->text_is_ours)
            free(text);
    }
}

static bool
peer_load(struct peer *peer)
{
    void *library = dlopen(peer->library, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (library == NULL)
        return false;
    peer->parse_fn = dlsym(library, peer->parse_name);
    peer->free_fn = dlsym(library, peer->free_name);
    peer->write_fn = dlsym(library, peer->write_name);
    return peer->parse_fn != NULL && peer->free_fn != NULL && peer->write_fn != NULL;
}

/* ---- The table ------------------------------------------------------------------ */

struct row {
    double parse_ns, write_ns;
};

static struct row
measure(bench_fn *parse, void *parse_self, bench_fn *write, void *write_self)
{
    struct row row;
    row.parse_ns = bench_median_cpu_ns(parse, parse_self, bench_rounds_for(parse, parse_self, 100));
    row.write_ns = bench_median_cpu_ns(write, write_self, bench_rounds_for(write, write_self, 100));
    return row;
}

static void
print_row(const char *name, struct row row, struct row base)
{
    printf(
        "%-8s  parse %6.0f ns (%4.1fx)   write %6.0f ns (%4.1fx)\n", name, row.parse_ns,
        row.parse_ns / base.parse_ns, row.write_ns, row.write_ns / base.write_ns);
}

static void
measure_peers(struct row base)
{
    struct peer peers[] = {
        { .name = "jansson",
          .library = "libjansson.so.4",
          .parse_name = "json_loadb",
          .free_name = "json_delete",
          .write_name = "json_dumps",
          .text_is_ours = true },
        { .name = "json-c",
          .library = "libjson-c.so.5",
          .parse_name = "json_tokener_parse",
          .free_name = "json_object_put",
          .write_name = "json_object_to_json_string_ext" },
        { .name = "cJSON",
          .library = "libcjson.so.1",
          .parse_name = "cJSON_Parse",
          .free_name = "cJSON_Delete",
          .write_name = "cJSON_PrintUnformatted",
          .text_is_ours = true },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(peers); i++) {
        struct peer *peer = &peers[i];
        if (!peer_load(peer)) {
            printf("%-8s  not installed\n", peer->name);
            continue;
        }
        peer->value = peer_value(peer);
        print_row(peer->name, measure(peer_parse, peer, peer_write, peer), base);
        PEER_FN(peer_free_fn *, release, peer->free_fn);
        release(peer->value);
    }
}

int
main(void)
{
    struct ours ours = { .text = ARVO_BUF_INIT((size_t)1 << 20) };
    const arvo_allocator allocator = { counting_alloc, counting_free, &ours.mallocs };
    ours.arena = arvo_arena_new(&(arvo_arena_opts){ .allocator = &allocator });
    require(ours.arena != NULL, "arena");
    ours_parse(&ours, 1);

    bench_print_machine();
    printf("json: one event of %zu bytes, CPU time, medians of %d runs\n", EVENT.len, BENCH_RUNS);
    const size_t mallocs = ours.mallocs;
    const struct row base = measure(ours_parse, &ours, ours_write, &ours);
    print_row("arvo", base, base);
    measure_peers(base);
    printf("mallocs per parse, once warm: %zu\n", ours.mallocs - mallocs);
    printf(
        "targets: parse <= %.0f ns %s, write <= %.0f ns %s\n", PARSE_TARGET_NS,
        base.parse_ns <= PARSE_TARGET_NS ? "met" : "MISSED", WRITE_TARGET_NS,
        base.write_ns <= WRITE_TARGET_NS ? "met" : "MISSED");
    arvo_buf_fini(&ours.text);
    arvo_arena_free(ours.arena);
    return 0;
}
