/* What a receiver of telemetry may answer: any bytes, as protobuf and as JSON. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "telemetry/otlp_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arvo_arena *arena = arvo_arena_new(&(arvo_arena_opts){ .chunk_bytes = 1024 });
    char *copy = malloc(size + (size == 0)); /* its end is the end */
    if (arena == NULL || copy == NULL)
        abort();
    if (size > 0)
        memcpy(copy, data, size);
    const otlp_signal *signal = &arvo__otlp_signals[ARVO_OTLP_TRACES];
    for (int json = 0; json < 2; json++) {
        int64_t rejected;
        arvo_str message;
        const arvo_str body = { copy, size };
        if (!arvo__otlp_read_response(signal, body, json != 0, arena, &rejected, &message))
            continue;
        /* What it says lies within what came, unless it was decoded from JSON. */
        if (json == 0 && message.ptr != NULL &&
            (message.ptr < copy || message.len > size - (size_t)(message.ptr - copy)))
            abort();
    }
    free(copy);
    arvo_arena_free(arena);
    return 0;
}
