/* bench/durable_workflow.h - a workflow of three steps, many at once, through the orchestrator. */
#ifndef ARVO_BENCH_DURABLE_WORKFLOW_H
#define ARVO_BENCH_DURABLE_WORKFLOW_H

#include <arvo/memory.h>

/* `workflows` of them, `in_flight` at any time, each by a thread that waits for every answer: bytes
 * of the event in, result as bytes out. The events are made beforehand. Gives steps per second,
 * and the CPU time of one. */
double
durable_workflow_run(arvo_memory *memory, size_t in_flight, size_t workflows, double *out_cpu_us);

#endif
