/* What one event costs a statechart, with XState 5 in the same run where node and its package are
 * there (make bench-statechart installs it).
 *
 * Live: the snapshot stays in memory, as in an actor that is never stopped. Bytes: a stored
 * snapshot and an event in, the next stored snapshot out, which is what an orchestrator does. All
 * figures are CPU time, medians of five. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arvo/machine.h>

#include "arvo_config.h"
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

/* ---- One event ---- */

typedef struct bench {
    arvo_machine *machine;
    arvo_arena *arenas[2];
    char state[16384];
    size_t state_len;
    const arvo_json *event;
    arvo_arena *event_arena;
} bench;

static void
give_up(const char *what)
{
    (void)fprintf(stderr, "bench_statechart: %s\n", what);
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

#define LIVE_STEPS 64u /* then the run goes on from bytes, so that the arena ends */

static void
live(void *self, size_t rounds)
{
    bench *b = self;
    arvo_machine_output out = { 0 };
    for (size_t i = 0; i < rounds; i++) {
        const arvo_machine_output before = out;
        arvo_machine_input input = { .event = b->event,
                                     .in_memory = (i + 1) % LIVE_STEPS != 0 && i + 1 < rounds };
        if (i % LIVE_STEPS == 0) {
            arvo_arena_reset(b->arenas[0]);
            input.state = (arvo_str){ b->state, b->state_len };
        } else {
            input.previous = &before;
        }
        if (arvo_machine_execute(b->machine, &input, b->arenas[0], &out, NULL) != ARVO_OK)
            give_up("a step failed");
        if (!input.in_memory) {
            memcpy(b->state, out.state.ptr, out.state.len);
            b->state_len = out.state.len;
        }
    }
    arvo_arena_reset(b->arenas[0]);
}

static void
print_against(double ns, double peer, double wanted)
{
    printf(" %8.0f ns", ns);
    if (peer > 0)
        printf(" %8.0f ns %6.1fx (of %.0fx)", peer, peer / ns, wanted);
    else
        printf(" %11s %14s", "-", "-");
}

static void
measure(const char *name, const char *chart, arvo_str text, const char *event)
{
    bench b = { 0 };
    bench_open(&b, text, event);
    const double live_ns = bench_median_cpu_ns(live, &b, bench_rounds_for(live, &b, 100));
    const double bytes_ns =
        bench_median_cpu_ns(through_bytes, &b, bench_rounds_for(through_bytes, &b, 100));
    printf("%-26s", name);
    print_against(live_ns, bench_peer_ns(chart, "live"), 25);
    print_against(bytes_ns, bench_peer_ns(chart, "bytes"), 40);
    printf("\n");
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
    char chart[32];
    (void)snprintf(name, sizeof(name), "ring of %u, 10 deep", count);
    (void)snprintf(chart, sizeof(chart), "ring%u", count);
    measure(name, chart, arvo_buf_str(&text), "{\"type\":\"next\"}");
    arvo_buf_fini(&text);
}

/* The toggle with `bytes` of context that no step touches. */
static void
measure_context(unsigned bytes)
{
    arvo_buf text = ARVO_BUF_INIT((size_t)1 << 24);
    arvo_buf_append_str(&text, arvo_str_from(toggle_text));
    text.len--; /* its last brace */
    arvo_buf_append_str(&text, ARVO_STR(",\"context\":{\"items\":["));
    for (unsigned i = 0; i * 40 < bytes; i++)
        arvo_buf_printf(
            &text, "%s{\"sku\":\"BK-%04u\",\"quantity\":%u,\"paid\":true}", i > 0 ? "," : "", i,
            i % 10);
    arvo_buf_append_str(&text, ARVO_STR("]}}"));
    char name[64];
    (void)snprintf(name, sizeof(name), "toggle, %u B of context", bytes);
    measure(name, "", arvo_buf_str(&text), "{\"type\":\"flip\"}");
    arvo_buf_fini(&text);
}

/* ---- Ready to run ---- */

#define EXPRESSIONS 40u

/* A machine of 40 expressions, from its text to its first step. */
static void
ready(void *self, size_t rounds)
{
    const arvo_str *const text = self;
    for (size_t i = 0; i < rounds; i++) {
        arvo_machine *machine = NULL;
        arvo_machine_output out;
        arvo_error err = { 0 };
        arvo_arena *const arena = arvo_arena_new(NULL);
        if (arena == NULL || arvo_machine_create_text(NULL, *text, &machine, &err) != ARVO_OK ||
            arvo_machine_execute(machine, &(arvo_machine_input){ 0 }, arena, &out, &err) != ARVO_OK)
            give_up(err.text);
        arvo_machine_unref(machine);
        arvo_arena_free(arena);
    }
}

static void
measure_ready(const char *what, const char *expression, double wanted_ms)
{
    arvo_buf text = ARVO_BUF_INIT((size_t)1 << 20);
    arvo_buf_append_str(&text, ARVO_STR("{\"kind\":\"machine\",\"id\":\"m\",\"context\":{"));
    for (unsigned i = 0; i < EXPRESSIONS; i++) {
        arvo_buf_printf(&text, "%s\"k%u\":\"${ ", i > 0 ? "," : "", i);
        arvo_buf_printf(&text, expression, i);
        arvo_buf_append_str(&text, ARVO_STR(" }\""));
    }
    arvo_buf_append_str(&text, ARVO_STR("}}"));
    arvo_str bytes = arvo_buf_str(&text);
    /* The clock, not CPU time: jq compiles in a process of its own. */
    const double ms = bench_median_ns(ready, &bytes, 3) / 1e6;
    printf("%u expressions, %-20s %8.3f ms (of %.0f ms)\n", EXPRESSIONS, what, ms, wanted_ms);
    arvo_buf_fini(&text);
}

int
main(void)
{
    bench_print_machine();
    bench_peer_run("XState", BENCH_PEER, "bench-statechart");
    printf("%-26s %-39s %-39s\n", "one event", "    live      XState 5", "    bytes     XState 5");
    measure("toggle", "toggle", arvo_str_from(toggle_text), "{\"type\":\"flip\"}");
    measure("light: 2 regions, guards", "light", arvo_str_from(light_text), "{\"type\":\"tick\"}");
    measure_size(15);
    measure_size(150);
    measure_size(1500);
    measure_context(1000);
    measure_context(4000);
    printf("\nfrom text to the first step\n");
    measure_ready("paths, comparisons", ".input.data.k%u == 1", 2);
#ifdef ARVO_HAVE_JQ
    measure_ready("in jq", "[.input.data? | .[]?] | length + %u", 40);
#endif
    return 0;
}
