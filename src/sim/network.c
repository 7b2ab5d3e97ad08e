/* The world outside: whoever sends events and repeats them until they are acknowledged, and the
 * services that are not in the store. The network between may lose, double and delay.
 */

#include <stdio.h>

#include "sim/internal.h"

#define SEND_US_MAX    (400 * SIM_MS)
#define SERVICE_US_MAX (300 * SIM_MS)
#define DELAY_US_MAX   (60000 * SIM_MS)
#define REPEAT_US      (700 * SIM_MS)
#define HELD_US_MAX    (3000 * SIM_MS)

#define BIT(fault) (1u << ARVO_SIM_##fault)

static int64_t
network_draw(sim_world *world, uint64_t limit)
{
    return (int64_t)arvo__sim_below(world, SIM_STREAM_NETWORK, ++world->network_draws, limit);
}

/* ---- Sending ----------------------------------------------------------------------- */

static const arvo_event *
event_copy(sim_world *world, const arvo_event *event)
{
    arvo_buf text = ARVO_BUF_INIT(2 * ARVO_EVENT_BYTES_MAX);
    arvo_event *copy = arvo_arena_calloc(world->arena, 1, sizeof(*copy));
    arvo_event_write(event, &text);
    const arvo_str kept = arvo_arena_str_dup(world->arena, arvo_buf_str(&text));
    const bool is_whole = text.status == ARVO_OK && copy != NULL && kept.ptr != NULL;
    arvo_buf_fini(&text);
    if (!is_whole || arvo_event_parse(kept, world->arena, copy, NULL) != ARVO_OK) {
        arvo__sim_fail(world, ARVO_E_NOMEM, NULL);
        return NULL;
    }
    return copy;
}

sim_message *
arvo__sim_send(sim_world *world, const arvo_event *event, arvo_handler *service, int64_t delay_us)
{
    sim_message *message = arvo_arena_calloc(world->arena, 1, sizeof(*message));
    const arvo_event *copy = message != NULL ? event_copy(world, event) : NULL;
    if (copy == NULL)
        return NULL;
    *message = (sim_message){ .state = SIM_MESSAGE_DUE,
                              .number = ++world->message_count,
                              .event = copy,
                              .due_us = world->now_us + delay_us,
                              .service = service };
    *world->messages_end = message;
    world->messages_end = &message->next;
    return message;
}

static void
send_again(sim_world *world, const sim_message *message, int64_t delay_us)
{
    sim_message *copy = arvo__sim_send(world, message->event, message->service, delay_us);
    if (copy == NULL)
        return;
    copy->is_copy = true;
    copy->number = message->number;
}

/* Messages that are over leave the list. */
static void
forget_done(sim_world *world)
{
    sim_message **place = &world->messages;
    while (*place != NULL) {
        if ((*place)->state == SIM_MESSAGE_DONE)
            *place = (*place)->next;
        else
            place = &(*place)->next;
    }
    world->messages_end = place;
}

/* What may happen to a message on its way; false: it does not arrive now. */
static bool
message_arrives(sim_world *world, sim_message *message)
{
    arvo_sim_fault fault;
    uint32_t point;
    if (!arvo__sim_strikes(world, BIT(DUPLICATE) | BIT(DELAY) | BIT(LOSE), &fault, &point))
        return true;
    const char *const type_of = "event";
    if (fault == ARVO_SIM_DUPLICATE) {
        arvo__sim_tell(
            world, "FAULT %u: %s %.*s (id %.*s) will come a second time", point, type_of,
            ARVO_FMT(message->event->type), ARVO_FMT(message->event->id));
        send_again(world, message, network_draw(world, DELAY_US_MAX / 4));
        return true;
    }
    const bool is_lost = fault == ARVO_SIM_LOSE;
    const int64_t us = is_lost ? REPEAT_US : network_draw(world, DELAY_US_MAX);
    arvo__sim_tell(
        world, "FAULT %u: %s %.*s (id %.*s) is %s for %.3f s", point, type_of,
        ARVO_FMT(message->event->type), ARVO_FMT(message->event->id),
        is_lost ? "lost, and not sent again" : "held up", (double)us / 1e6);
    message->due_us = world->now_us + us;
    return false;
}

/* ---- To the processes ----------------------------------------------------------------- */

sim_message *
arvo__sim_take(sim_worker *worker)
{
    sim_world *world = worker->process->world;
    sim_message *first = NULL;
    for (sim_message *message = world->messages; message != NULL; message = message->next)
        if (message->state == SIM_MESSAGE_DUE && message->service == NULL &&
            message->due_us <= world->now_us && (first == NULL || message->due_us < first->due_us))
            first = message;
    if (first == NULL || !message_arrives(world, first))
        return NULL;
    first->state = SIM_MESSAGE_TAKEN;
    first->attempts++;
    arvo__sim_tell(
        world, "receives %.*s (id %.*s of %.*s) for %s", ARVO_FMT(first->event->type),
        ARVO_FMT(first->event->id), ARVO_FMT(first->event->source),
        arvo__sim_subject_name(world, first->event->subject));
    return first;
}

/* An acknowledged event has had its effect. */
static void
check_acknowledged(sim_world *world, const arvo_event *event)
{
    const sim_subject *subject = arvo__sim_subject(world, event->subject);
    if (!arvo__sim_is_orchestrator(world, event->to) || subject == NULL ||
        arvo__sim_consumed_find(subject, event->source, event->id) != NULL)
        return;
    if (subject->has_record && !arvo_str_is(subject->status, "active"))
        return; /* it came after the end */
    arvo__sim_broken(
        world, "I5", "%.*s (id %.*s of %.*s) was acknowledged, and %s has not consumed it",
        ARVO_FMT(event->type), ARVO_FMT(event->id), ARVO_FMT(event->source),
        arvo__sim_subject_name(world, event->subject));
}

static bool
answer_is_lost(sim_world *world)
{
    arvo_sim_fault fault;
    uint32_t point;
    if (!arvo__sim_strikes(world, BIT(LOSE), &fault, &point))
        return false;
    arvo__sim_tell(world, "FAULT %u: whoever sent it does not get the acknowledgement", point);
    return true;
}

void
arvo__sim_answer(sim_worker *worker, sim_message *message, arvo_status status)
{
    sim_world *world = worker->process->world;
    if (arvo__sim_is_over(world))
        return;
    const bool is_done = status == ARVO_OK && !worker->process->is_dead;
    if (is_done)
        check_acknowledged(world, message->event);
    if (message->is_copy || (is_done && !answer_is_lost(world))) {
        message->state = SIM_MESSAGE_DONE;
        if (message->is_start && message->workflow != NULL)
            message->workflow->is_started = true;
        return;
    }
    message->state = SIM_MESSAGE_DUE;
    const unsigned doubled = message->attempts < 5 ? message->attempts : 5;
    message->due_us = world->now_us + (REPEAT_US << doubled) / 2 + network_draw(world, REPEAT_US);
}

/* ---- To the services outside ------------------------------------------------------------ */

void
arvo__sim_show(sim_world *world, const arvo_event *event)
{
    sim_event *made = arvo__sim_produced_find(world, event->source, event->id);
    if (made != NULL)
        made->shown = true;
    const int service = arvo__sim_service_of(world, event->to);
    arvo__sim_tell(
        world, "hands %.*s (id %.*s) to %s", ARVO_FMT(event->type), ARVO_FMT(event->id),
        service >= 0 ? "the service outside" : "whoever is outside");
    if (service >= 0)
        (void)arvo__sim_send(
            world, event, world->app.services[service], network_draw(world, SEND_US_MAX));
}

/* The service answers as if it had not answered before: under another id. */
static void
reply_again(sim_world *world, const arvo_event *reply)
{
    char id[96];
    arvo_event other = *reply;
    const int length =
        snprintf(id, sizeof(id), "%.*s-again-%u", ARVO_FMT(reply->id), world->message_count);
    other.id = (arvo_str){ id, (size_t)length };
    const bool is_soon = network_draw(world, 2) == 0; /* while the workflow still looks */
    (void)arvo__sim_send(
        world, &other, NULL, network_draw(world, is_soon ? SERVICE_US_MAX : DELAY_US_MAX / 4));
}

static void
service_run(sim_world *world, const sim_message *message)
{
    arvo_event_list replies = { 0 };
    arvo_error why = { 0 };
    const arvo_arena_mark mark = arvo_arena_mark_get(world->scratch);
    const arvo_status st =
        arvo_handler_execute(message->service, message->event, world->scratch, &replies, &why);
    if (st == ARVO_E_NOMEM)
        arvo__sim_fail(world, st, &why);
    else if (st != ARVO_OK)
        arvo__sim_broken(
            world, "service", "%.*s cannot be answered: %s", ARVO_FMT(message->event->type),
            why.text);
    arvo_sim_fault fault;
    uint32_t point;
    const bool again = replies.count > 0 && arvo__sim_strikes(world, BIT(AGAIN), &fault, &point);
    for (size_t i = 0; i < replies.count && st == ARVO_OK; i++) {
        const arvo_event *reply = replies.items[i];
        arvo__sim_tell(
            world, "%.*s answers %.*s (id %.*s)", ARVO_FMT(arvo_handler_type(message->service)),
            ARVO_FMT(reply->type), ARVO_FMT(reply->id));
        if (!arvo__sim_is_orchestrator(world, reply->to))
            continue;
        (void)arvo__sim_send(world, reply, NULL, network_draw(world, SERVICE_US_MAX));
        if (again)
            reply_again(world, reply);
    }
    if (again)
        arvo__sim_tell(world, "FAULT %u: and a second time, under another id", point);
    arvo_arena_rewind(world->scratch, mark);
}

int64_t
arvo__sim_network_next(const sim_world *world)
{
    int64_t next = SIM_FOREVER;
    for (const sim_message *message = world->messages; message != NULL; message = message->next)
        if (message->state == SIM_MESSAGE_DUE && message->service != NULL && message->due_us < next)
            next = message->due_us;
    return next;
}

void
arvo__sim_network_run(sim_world *world)
{
    for (sim_message *message = world->messages; message != NULL; message = message->next) {
        if (message->state != SIM_MESSAGE_DUE || message->service == NULL ||
            message->due_us > world->now_us || !message_arrives(world, message))
            continue;
        message->state = SIM_MESSAGE_DONE;
        service_run(world, message);
    }
}

/* ---- What is sent later -------------------------------------------------------------------- */

bool
arvo__sim_network_is_empty(const sim_world *world)
{
    for (const sim_message *message = world->messages; message != NULL; message = message->next)
        if (message->state == SIM_MESSAGE_DUE || message->state == SIM_MESSAGE_TAKEN)
            return false;
    return true;
}

/* Whether it stands still, as everything does, until somebody outside says something. */
static bool
workflow_waits(sim_world *world, const sim_workflow *workflow)
{
    const sim_subject *subject = arvo__sim_subject(world, workflow->subject);
    return world->waiting == 0 && subject != NULL && subject->has_record &&
           arvo_str_is(subject->status, "active");
}

void
arvo__sim_release_held(sim_world *world)
{
    forget_done(world);
    const bool is_quiet = arvo__sim_network_is_empty(world);
    const sim_workflow *given = NULL; /* one answer at a time */
    for (sim_message *message = world->messages; message != NULL; message = message->next) {
        if (message->state != SIM_MESSAGE_HELD || !message->workflow->is_started ||
            (message->needs_quiet && (!is_quiet || message->workflow == given ||
                                      !workflow_waits(world, message->workflow))))
            continue;
        given = message->needs_quiet ? message->workflow : given;
        message->state = SIM_MESSAGE_DUE;
        message->due_us = world->now_us + network_draw(world, HELD_US_MAX);
    }
}
