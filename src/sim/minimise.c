/* A smaller run that breaks the same rule: a simpler seed, fewer processes and workflows, fewer
 * kinds of faults, then fewer faults, by delta debugging over the points at which they struck.
 */

#include <string.h>

#include "sim/internal.h"

#define SEEDS_TRIED 40u

typedef struct smaller {
    arvo_sim_opts opts; /* the smallest that fails so far */
    arvo_sim_report report;
    uint32_t keep[ARVO_SIM_KEEP_MAX];
    char rule[24];
    uint32_t runs;
    arvo_status status;
    arvo_error *err;
} smaller;

/* Whether `opts` breaks the same rule; then it is the smallest. */
static bool
smaller_try(smaller *s, const arvo_sim_opts *opts)
{
    arvo_sim_report report;
    if (s->status != ARVO_OK || s->runs >= ARVO_SIM_RUNS_MAX)
        return false;
    s->runs++;
    const arvo_status st = arvo_sim_run(opts, &report, s->err);
    if (st != ARVO_OK) {
        s->status = st;
        return false;
    }
    if (!report.failed || strcmp(report.rule, s->rule) != 0)
        return false;
    s->opts = *opts;
    s->report = report;
    /* What struck is all that is needed; `opts->keep` may have been more. */
    memcpy(s->keep, report.struck, report.struck_count * sizeof(s->keep[0]));
    s->opts.keep = s->keep;
    s->opts.keep_count = report.struck_count;
    return true;
}

/* Another seed may show the same in less: one workflow in one process, without faults if that will
 * do. */
static void
smaller_seed(smaller *s)
{
    const uint32_t faults[] = { 0, s->opts.faults };
    for (size_t level = 0; level < ARVO_COUNT_OF(faults); level++)
        for (uint64_t i = 0; i < SEEDS_TRIED; i++) {
            arvo_sim_opts opts = s->opts;
            opts.seed = s->opts.seed + i;
            opts.processes = 1;
            opts.workflows = 1;
            opts.faults = faults[level];
            opts.keep = NULL;
            if (smaller_try(s, &opts))
                return;
        }
}

static void
smaller_processes(smaller *s)
{
    for (uint32_t count = 1; count < s->report.processes; count++) {
        arvo_sim_opts opts = s->opts;
        opts.processes = count;
        opts.keep = NULL; /* other processes, other points */
        if (smaller_try(s, &opts))
            return;
    }
}

static void
smaller_workflows(smaller *s)
{
    for (uint32_t count = 1; count < s->report.workflows; count++) {
        arvo_sim_opts opts = s->opts;
        opts.workflows = count;
        opts.keep = NULL;
        if (smaller_try(s, &opts))
            return;
    }
}

static void
smaller_kinds(smaller *s)
{
    arvo_sim_opts opts = s->opts;
    opts.faults = 0;
    opts.keep = NULL;
    if (smaller_try(s, &opts))
        return;
    for (unsigned fault = 0; fault < ARVO_SIM_FAULT_COUNT; fault++) {
        opts = s->opts;
        opts.keep = NULL;
        if ((opts.faults & (1u << fault)) == 0)
            continue;
        opts.faults &= ~(1u << fault);
        (void)smaller_try(s, &opts);
    }
}

/* Without the points from `first` to `end`. */
static bool
smaller_without(smaller *s, size_t first, size_t end)
{
    uint32_t keep[ARVO_SIM_KEEP_MAX];
    size_t count = 0;
    for (size_t i = 0; i < s->opts.keep_count; i++)
        if (i < first || i >= end)
            keep[count++] = s->keep[i];
    arvo_sim_opts opts = s->opts;
    opts.keep = keep;
    opts.keep_count = count;
    return smaller_try(s, &opts);
}

/* Until none of what is left can be left out. */
static void
smaller_points(smaller *s)
{
    size_t before;
    do {
        before = s->opts.keep_count;
        for (size_t size = before; size > 0; size /= 2)
            for (size_t first = 0; first < s->opts.keep_count;)
                if (!smaller_without(s, first, first + size))
                    first += size;
    } while (s->opts.keep_count < before && s->opts.keep_count > 0);
    s->opts.faults = s->report.struck_faults; /* no other kind strikes in it */
}

arvo_status
arvo_sim_minimise(
    const arvo_sim_opts *opts, arvo_sim_opts *out, uint32_t *keep, arvo_sim_report *report,
    arvo_error *err)
{
    ARVO_ASSERT(opts != NULL && out != NULL && keep != NULL && report != NULL);
    smaller *s = arvo__calloc(NULL, 1, sizeof(*s));
    if (s == NULL)
        return arvo__nomem(err);
    s->err = err;
    s->opts = *opts;
    s->opts.line = NULL;
    s->status = arvo_sim_run(&s->opts, &s->report, err);
    if (s->status == ARVO_OK && s->report.failed) {
        memcpy(s->rule, s->report.rule, sizeof(s->rule));
        arvo_sim_opts fixed = s->opts; /* what was drawn is said from now on */
        fixed.store = s->report.store;
        fixed.processes = s->report.processes;
        fixed.workflows = s->report.workflows;
        fixed.faults = s->report.faults;
        fixed.all_faults = true;
        (void)smaller_try(s, &fixed);
        smaller_seed(s);
        smaller_processes(s);
        smaller_workflows(s);
        smaller_kinds(s);
        smaller_points(s);
    }
    const arvo_status st = s->status;
    if (st == ARVO_OK) {
        *report = s->report;
        *out = s->opts;
        memcpy(keep, s->keep, sizeof(s->keep));
        if (out->keep != NULL)
            out->keep = keep;
        out->line = opts->line;
    }
    arvo__free(NULL, s, sizeof(*s));
    return st;
}
