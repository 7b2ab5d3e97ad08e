/* Built without libcurl: nothing is exported, and asking for it says so. */

#include "telemetry/otlp_internal.h"

arvo_status
arvo__otlp_sender_new(
    const arvo_allocator *allocator, const otlp_target *target, otlp_sender **out, arvo_error *err)
{
    (void)allocator;
    (void)target;
    (void)out;
    return arvo__fail(
        err, ARVO_E_UNSUPPORTED,
        "OTLP: this build has no exporter: build it with libcurl, or unset the OTEL_ variables");
}

void
arvo__otlp_sender_free(otlp_sender *sender)
{
    (void)sender;
}

void
arvo__otlp_send(
    otlp_sender *sender, arvo_str body, otlp_should_stop_fn should_stop, void *user,
    otlp_answer *out)
{
    (void)sender;
    (void)body;
    (void)should_stop;
    (void)user;
    *out = (otlp_answer){ .outcome = OTLP_REFUSED };
}
