/* What one step of a machine costs, as the orchestrator takes it: stored bytes and an event in,
 * stored bytes out. Also a live send, which keeps the snapshot in memory, and the cost by depth and
 * by size of the chart. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arvo/machine.h>

#include "bench.h"

static const char toggle_text[] =
    "{\"kind\":\"machine\",\"id\":\"toggle\",\"initial\":\"off\",\"states\":{"
    "\"off\":{\"on\":{\"flip\":\"on\"}},\"on\":{\"on\":{\"flip\":\"off\"}}}}";

/* Two regions and guards: a traffic light with a pedestrian's button. */
static const char light_text[] =
    "{\"kind\":\"machine\",\"id\":\"light\",\"context\":{\"cycles\":0,\"waiting\":false},"
    "\"type\":\"parallel\",\"states\":{"
    "\"cars\":{\"initial\":\"green\",\"states\":{"
    "\"green\":{\"on\":{\"tick\":{\"target\":\"yellow\",\"guard\":\"${ .context.cycles >= 0 }\"}}},"
    "\"yellow\":{\"on\":{\"tick\":\"red\"}},"
    "\"red\":{\"on\":{\"tick\":{\"target\":\"green\",\"actions\":{\"type\":\"assign\","
    "\"params\":{\"cycles\":\"${ .context.cycles + 1 }\"}}}}}}},"
    "\"people\":{\"initial\":\"wait\",\"states\":{"
    "\"wait\":{\"on\":{\"tick\":[{\"target\":\"walk\",\"guard\":{\"type\":\"stateIn\","
    "\"params\":{\"state\":\"cars.yellow\"}}}]}},"
    "\"walk\":{\"on\":{\"tick\":{\"target\":\"wait\",\"guard\":\"${ .context.waiting | not "
    "}\"}}}}}}}";

typedef struct bench {
    arvo_machine *machine;
    arvo_arena *arenas[2];
    char state[4096];
    size_t state_len;
    const arvo_json *event;
    arvo_arena *event_arena;
} bench;

static void
give_up(const char *what)
{
    (void)fprintf(stderr, "bench_machine: %s\n", what);
    exit(1);
}

static void
bench_open(bench *b, arvo_str text, const char *event)
{
    arvo_error err = { 0 };
    arvo_machine_output out = { 0 };
    if (arvo_machine_create_text(NULL, text, &b->machine, &err) != ARVO_OK)
        give_up(err.text);
    for (size_t i = 0; i < 2; i++)
        b->arenas[i] = arvo_arena_new(NULL);
    b->event_arena = arvo_arena_new(NULL);
    if (b->arenas[0] == NULL || b->arenas[1] == NULL || b->event_arena == NULL ||
        arvo_json_parse(arvo_str_from(event), b->event_arena, &b->event, &err) != ARVO_OK ||
        arvo_machine_execute(b->machine, &(arvo_machine_input){ 0 }, b->arenas[0], &out, &err) !=
            ARVO_OK ||
        out.state.len > sizeof(b->state))
        give_up(err.text);
    memcpy(b->state, out.state.ptr, out.state.len);
    b->state_len = out.state.len;
}

static void
bench_close(bench *b)
{
    arvo_arena_free(b->arenas[0]);
    arvo_arena_free(b->arenas[1]);
    arvo_arena_free(b->event_arena);
    arvo_machine_unref(b->machine);
}

static void
through_bytes(void *self, size_t rounds)
{
    bench *b = self;
    for (size_t i = 0; i < rounds; i++) {
        arvo_machine_output out;
        const arvo_machine_input input = { .state = { b->state, b->state_len }, .event = b->event };
        if (arvo_machine_execute(b->machine, &input, b->arenas[0], &out, NULL) != ARVO_OK)
            give_up("a step failed");
        memcpy(b->state, out.state.ptr, out.state.len);
        b->state_len = out.state.len;
        arvo_arena_reset(b->arenas[0]);
    }
}

/* A run in memory: now and then it goes on from bytes, so that the arena ends. */
static void
live(void *self, size_t rounds)
{
    bench *b = self;
    arvo_machine_output out = { 0 };
    for (size_t i = 0; i < rounds; i++) {
        arvo_machine_input input = { .event = b->event };
        const arvo_machine_output before = out;
        if (i % 64 == 0) {
            if (i > 0) {
                memcpy(b->state, out.state.ptr, out.state.len);
                b->state_len = out.state.len;
            }
            arvo_arena_reset(b->arenas[0]);
            input.state = (arvo_str){ b->state, b->state_len };
        } else {
            input.previous = &before;
        }
        if (arvo_machine_execute(b->machine, &input, b->arenas[0], &out, NULL) != ARVO_OK)
            give_up("a step failed");
    }
    arvo_arena_reset(b->arenas[0]);
}

static void
measure(const char *name, arvo_str text, const char *event)
{
    bench b = { 0 };
    bench_open(&b, text, event);
    const double bytes_ns =
        bench_median_cpu_ns(through_bytes, &b, bench_rounds_for(through_bytes, &b, 100));
    const double live_ns = bench_median_cpu_ns(live, &b, bench_rounds_for(live, &b, 100));
    printf(
        "%-28s %9.0f ns %11.0f/s %9.0f ns %11.0f/s\n", name, bytes_ns, 1e9 / bytes_ns, live_ns,
        1e9 / live_ns);
    bench_close(&b);
}

/* A ring of `count` states, ten levels of parents above it. */
static void
measure_size(unsigned count)
{
    arvo_buf text = ARVO_BUF_INIT((size_t)1 << 24);
    arvo_buf_append_str(&text, ARVO_STR("{\"kind\":\"machine\",\"id\":\"ring\""));
    for (unsigned i = 0; i < 9; i++)
        arvo_buf_append_str(
            &text, ARVO_STR(",\"initial\":\"in\",\"states\":{\"in\":{\"tags\":\"t\""));
    arvo_buf_append_str(&text, ARVO_STR(",\"initial\":\"s0\",\"states\":{"));
    for (unsigned i = 0; i < count; i++)
        arvo_buf_printf(
            &text, "%s\"s%u\":{\"on\":{\"next\":\"s%u\"}}", i > 0 ? "," : "", i, (i + 1) % count);
    for (unsigned i = 0; i < 10; i++)
        arvo_buf_append_str(&text, ARVO_STR("}}"));
    char name[64];
    (void)snprintf(name, sizeof(name), "ring of %u, 10 deep", count);
    measure(name, arvo_buf_str(&text), "{\"type\":\"next\"}");
    arvo_buf_fini(&text);
}

int
main(void)
{
    bench_print_machine();
    printf("%-28s %27s %27s\n", "one event", "bytes to bytes", "live");
    measure("toggle", arvo_str_from(toggle_text), "{\"type\":\"flip\"}");
    measure("light, 2 regions, guards", arvo_str_from(light_text), "{\"type\":\"tick\"}");
    measure_size(15);
    measure_size(150);
    measure_size(1500);
    return 0;
}
