/* Events and subjects: what one event costs before and after its execution.
 *
 *     bench_event
 *
 * Prints nanoseconds of CPU time per call (median of several runs), the rate, and the mallocs per
 * call once warm, which are to be none but for a subject decoded without a codec.
 */

#include <arvo/event.h>
#include <arvo/subject.h>
#include <arvo/uri.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define SUBJECT_COUNT     ((size_t)4096) /* decoded cold: more than the cache holds */
#define SUBJECT_HOT_COUNT ((size_t)256)
#define RUN_MS            60u

static void
require(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "bench_event: %s failed\n", what);
        exit(1);
    }
}

struct work {
    const arvo_platform *platform;
    arvo_arena *arena;
    arvo_arena_mark mark; /* behind what is kept */
    arvo_subject_codec *codec;
    arvo_subject_codec *small; /* eight entries: every decode is cold */
    arvo_event fields;         /* as a caller gives them */
    arvo_event event;
    arvo_str text;
    arvo_buf out;
    arvo_str subjects[SUBJECT_COUNT];
    arvo_subject subject;
    size_t next;
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
work_parse(void *self, size_t rounds)
{
    struct work *work = self;
    arvo_event event;
    for (size_t i = 0; i < rounds; i++) {
        require(
            arvo_event_parse(work->text, work->arena, &event, NULL) == ARVO_OK, "arvo_event_parse");
        arvo_arena_rewind(work->arena, work->mark);
    }
}

static void
work_validate(void *self, size_t rounds)
{
    struct work *work = self;
    for (size_t i = 0; i < rounds; i++)
        require(arvo_event_validate(&work->event, NULL) == ARVO_OK, "arvo_event_validate");
}

static void
work_write(void *self, size_t rounds)
{
    struct work *work = self;
    for (size_t i = 0; i < rounds; i++) {
        arvo_buf_reset(&work->out);
        arvo_event_write(&work->event, &work->out);
        require(work->out.len == work->text.len, "arvo_event_write");
    }
}

static void
work_parse_write(void *self, size_t rounds)
{
    struct work *work = self;
    arvo_event event;
    for (size_t i = 0; i < rounds; i++) {
        require(
            arvo_event_parse(work->text, work->arena, &event, NULL) == ARVO_OK, "arvo_event_parse");
        arvo_buf_reset(&work->out);
        arvo_event_write(&event, &work->out);
        require(work->out.len == work->text.len, "arvo_event_write");
        arvo_arena_rewind(work->arena, work->mark);
    }
}

static void
work_create(void *self, size_t rounds)
{
    struct work *work = self;
    arvo_event event;
    for (size_t i = 0; i < rounds; i++) {
        require(
            arvo_event_create(&work->fields, work->platform, work->arena, &event, NULL) == ARVO_OK,
            "arvo_event_create");
        arvo_arena_rewind(work->arena, work->mark);
    }
}

static void
work_uuid(void *self, size_t rounds)
{
    struct work *work = self;
    char out[ARVO_UUID_BYTES];
    for (size_t i = 0; i < rounds; i++)
        require(arvo_uuid_new(work->platform, out), "arvo_uuid_new");
}

static void
work_time(void *self, size_t rounds)
{
    struct work *work = self;
    char out[ARVO_TIMESTAMP_BYTES];
    for (size_t i = 0; i < rounds; i++)
        arvo_timestamp_format(work->platform->time_ms(work->platform->self), out);
    require(arvo_timestamp_is_valid((arvo_str){ out, sizeof(out) }), "arvo_timestamp_format");
}

static void
work_uri(void *self, size_t rounds)
{
    struct work *work = self;
    for (size_t i = 0; i < rounds; i++)
        require(arvo_uri_is_valid(work->subjects[i % SUBJECT_COUNT]), "arvo_uri_is_valid");
}

static void
decode(struct work *work, arvo_subject_codec *codec, arvo_str text)
{
    arvo_subject subject;
    require(
        arvo_subject_decode(codec, text, work->arena, &subject, NULL) == ARVO_OK,
        "arvo_subject_decode");
    arvo_arena_rewind(work->arena, work->mark);
}

static void
work_decode_one(void *self, size_t rounds)
{
    struct work *work = self;
    for (size_t i = 0; i < rounds; i++)
        decode(work, work->codec, work->subjects[0]);
}

static void
work_decode_hot(void *self, size_t rounds)
{
    struct work *work = self;
    for (size_t i = 0; i < rounds; i++)
        decode(work, work->codec, work->subjects[work->next++ % SUBJECT_HOT_COUNT]);
}

static void
work_decode_cold(void *self, size_t rounds)
{
    struct work *work = self;
    for (size_t i = 0; i < rounds; i++)
        decode(work, work->small, work->subjects[work->next++ % SUBJECT_COUNT]);
}

static void
work_decode_alone(void *self, size_t rounds)
{
    struct work *work = self;
    for (size_t i = 0; i < rounds; i++)
        decode(work, NULL, work->subjects[work->next++ % SUBJECT_COUNT]);
}

static void
work_encode(void *self, size_t rounds)
{
    struct work *work = self;
    arvo_str text;
    for (size_t i = 0; i < rounds; i++) {
        require(
            arvo_subject_encode(work->codec, &work->subject, work->arena, &text, NULL) == ARVO_OK,
            "arvo_subject_encode");
        arvo_arena_rewind(work->arena, work->mark);
    }
}

static void
measure(struct work *work, const char *name, bench_fn *fn)
{
    fn(work, SUBJECT_COUNT); /* warm: each subject was seen */
    const size_t rounds = bench_rounds_for(fn, work, RUN_MS);
    const size_t before = work->mallocs;
    const double ns = bench_median_cpu_ns(fn, work, rounds);
    printf("%-40s %9.1f ns %12.0f /s  %zu mallocs\n", name, ns, 1e9 / ns, work->mallocs - before);
}

static void
make(struct work *work, const arvo_allocator *allocator)
{
    static const char data[] =
        "{\"orderId\":\"ord-20391\",\"amount\":129.95,\"currency\":\"EUR\",\"customer\":{\"id\":"
        "\"c-81\",\"name\":\"Ada Lovelace\"},\"items\":[{\"sku\":\"A-1\",\"quantity\":2},{\"sku\":"
        "\"B-7\",\"quantity\":1}],\"gift\":false,\"note\":\"Please ring twice; leave it with the "
        "neighbour otherwise.\"}";
    work->platform = arvo_platform_system();
    work->arena = arvo_arena_new(&(arvo_arena_opts){ .allocator = allocator });
    work->codec = arvo_subject_codec_new(&(arvo_subject_codec_opts){ .allocator = allocator });
    work->small = arvo_subject_codec_new(
        &(arvo_subject_codec_opts){ .allocator = allocator, .cache_entries = 8 });
    work->out = ARVO_BUF_INIT(ARVO_EVENT_BYTES_MAX);
    work->out.allocator = allocator;
    require(work->arena != NULL && work->codec != NULL && work->small != NULL, "memory");

    for (size_t i = 0; i < SUBJECT_COUNT; i++)
        require(
            arvo_subject_new(
                work->codec,
                &(arvo_subject_new_opts){ .name = ARVO_STR("arvo.orc.order"),
                                          .version = ARVO_STR("1.0.0"),
                                          .initiator = ARVO_STR("com.shop.web") },
                work->platform, work->arena, &work->subjects[i], NULL) == ARVO_OK,
            "arvo_subject_new");
    require(
        arvo_subject_decode(NULL, work->subjects[0], work->arena, &work->subject, NULL) == ARVO_OK,
        "arvo_subject_decode");

    work->fields = (arvo_event){
        .source = ARVO_STR("arvo.orc.order"),
        .type = ARVO_STR("com.payment.charge"),
        .subject = work->subjects[0],
        .dataschema = ARVO_STR("#/services/payment/1.0.0"),
        .executionunits = arvo_json_int(work->arena, 1),
        .traceparent = ARVO_STR("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        .parentid = ARVO_STR("1f0e6a1c-3a9b-4f4e-9d6d-0a2b7c9d8e11"),
    };
    require(
        arvo_json_parse(arvo_str_from(data), work->arena, &work->fields.data, NULL) == ARVO_OK,
        "arvo_json_parse");
    require(
        arvo_event_create(&work->fields, work->platform, work->arena, &work->event, NULL) ==
            ARVO_OK,
        "arvo_event_create");
    arvo_event_write(&work->event, &work->out);
    work->text = arvo_arena_str_dup(work->arena, arvo_buf_str(&work->out));
    require(work->text.ptr != NULL, "memory");
    work->mark = arvo_arena_mark_get(work->arena);
}

int
main(void)
{
    static struct work work;
    const arvo_allocator allocator = { counting_alloc, counting_free, &work.mallocs };
    make(&work, &allocator);
    bench_print_machine();
    printf(
        "event of %zu bytes, subject of %zu; the cache holds %u\n", work.text.len,
        work.subjects[0].len, ARVO_SUBJECT_CACHE_ENTRIES_DEFAULT);

    measure(&work, "event: parse and check", work_parse);
    measure(&work, "event: check alone", work_validate);
    measure(&work, "event: write", work_write);
    measure(&work, "event: parse, check and write", work_parse_write);
    measure(&work, "event: create, new id and time", work_create);
    measure(&work, "uuid", work_uuid);
    measure(&work, "clock and timestamp", work_time);
    measure(&work, "uri: check a subject", work_uri);
    measure(&work, "subject: decode the one before again", work_decode_one);
    measure(&work, "subject: decode one of 256, cached", work_decode_hot);
    measure(&work, "subject: decode, not cached", work_decode_cold);
    measure(&work, "subject: decode, no codec", work_decode_alone);
    measure(&work, "subject: encode", work_encode);

    arvo_subject_codec_free(work.small);
    arvo_subject_codec_free(work.codec);
    arvo_buf_fini(&work.out);
    arvo_arena_free(work.arena);
    return 0;
}
