/* Built without libmicrohttpd: nothing is served, and asking for it says so. */

#include "telemetry/metrics_internal.h"

arvo_status
arvo_metrics_serve(const arvo_metrics_server_opts *opts, arvo_metrics_server **out, arvo_error *err)
{
    (void)opts;
    (void)out;
    return arvo__fail(
        err, ARVO_E_UNSUPPORTED,
        "metrics: this build serves none over HTTP: build it with libmicrohttpd");
}

const char *
arvo_metrics_server_url(const arvo_metrics_server *server)
{
    (void)server;
    return "";
}

void
arvo_metrics_server_close(arvo_metrics_server *server)
{
    (void)server;
}
