/* arvo/sim.h - orchestrators, brokers, stores, clocks, network and disk in one
 * thread on virtual time, with faults drawn from a seed (docs/simulation.md).
 *
 * What runs is the code that runs in production: the orchestrators, the broker
 * and the stores. Simulated are the processes (fibres, switched only at the
 * store's operations), time, the network between the store, the processes and
 * the world outside, and the disk. One seed gives one run, always the same.
 *
 * After every operation the invariants of docs/guarantees.md are checked
 * against a model of the store; when the faults are over, everything must come
 * to its end, and each workflow must be what a sequential run of its events
 * gives.
 *
 * Threads: a run uses one thread (a store may have others of its own). Runs
 *          on the SQLite store may not overlap in one program.
 */
#ifndef ARVO_SIM_H
#define ARVO_SIM_H

#include <arvo/app.h>

ARVO_BEGIN_DECLS

#define ARVO_SIM_PROCESSES_MAX 16u
#define ARVO_SIM_WORKFLOWS_MAX 200u
#define ARVO_SIM_KEEP_MAX      512u    /* faults of one run */
#define ARVO_SIM_STEPS_MAX     400000u /* operations of one run; more is a run that never ends */
#define ARVO_SIM_QUIET_MS      900000  /* virtual time to end everything once the faults are over */
#define ARVO_SIM_RUNS_MAX      600u    /* of one arvo_sim_minimise() */

/* X(name, word, what it does) */
#define ARVO_SIM_FAULTS(X)                                                                         \
    X(CRASH, "crash", "a process dies, before or after an operation took effect")                  \
    X(ANSWER, "answer", "an operation takes effect, and its answer is lost")                       \
    X(REFUSE, "refuse", "an operation of the store fails")                                         \
    X(FULL, "full", "the disk, or the outbox, is full")                                            \
    X(SLOW, "slow", "an operation takes seconds, or longer than a lease")                          \
    X(PAUSE, "pause", "a process stands still, as under SIGSTOP")                                  \
    X(PARTITION, "partition", "a process does not reach the store for a while")                    \
    X(CLOCK, "clock", "the clock of a process, or of the store, jumps")                            \
    X(POWER, "power", "all processes die at once; a disk forgets what was not synced")             \
    X(DISK, "disk", "a write or sync of the disk fails, or a process dies in the middle of one")   \
    X(PROBE, "probe", "a writer with a stale lease or revision, or for the second time")           \
    X(DUPLICATE, "duplicate", "an event from outside, or a request to a service, comes twice")     \
    X(DELAY, "delay", "an event from outside is overtaken by later ones")                          \
    X(LOSE, "lose", "an event from outside, or the answer to it, is lost, and sent again")         \
    X(AGAIN, "again", "a service answers a request that came twice twice, under another id")

typedef enum arvo_sim_fault {
#define ARVO_SIM_FAULT_ENUM(name, word, text) ARVO_SIM_##name,
    ARVO_SIM_FAULTS(ARVO_SIM_FAULT_ENUM)
#undef ARVO_SIM_FAULT_ENUM
        ARVO_SIM_FAULT_COUNT
} arvo_sim_fault;

#define ARVO_SIM_FAULTS_ALL ((1u << ARVO_SIM_FAULT_COUNT) - 1u)

/** "crash" and the like, and one line about it; static. NULL for a number that is no fault. */
ARVO_API const char *arvo_sim_fault_word(arvo_sim_fault fault);
ARVO_API const char *arvo_sim_fault_text(arvo_sim_fault fault);

typedef enum arvo_sim_store {
    ARVO_SIM_STORE_DRAWN = 0, /* by the seed, of those that were built */
    ARVO_SIM_STORE_MEMORY,    /* the memory: store, which processes share as if it were a server */
    ARVO_SIM_STORE_SQLITE     /* the sqlite: store on a simulated disk */
} arvo_sim_store;

/* What must hold of every workflow that has ended: an expression over its final `context`, its
 * start event `input`, and `params`: {status, value, output}. */
typedef struct arvo_sim_expectation {
    arvo_str machine;    /* id; none: every machine */
    arvo_str expression; /* without ${ } */
} arvo_sim_expectation;

typedef struct arvo_sim_opts {
    uint64_t seed;
    arvo_sim_store store;
    uint32_t processes; /* 0: drawn */
    uint32_t workflows; /* 0: drawn */
    uint32_t faults;    /* bits 1 << arvo_sim_fault; 0: none at all */
    bool all_faults;    /* of `faults` every one is possible; false: the seed draws some of them */
    /* Nullable: faults strike at these points only (numbers from arvo_sim_report.struck). */
    const uint32_t *keep;
    size_t keep_count;

    arvo_app *app;            /* NULL: the built-in one. Its mocks stand for the services. */
    const arvo_event *events; /* start events, taken in turn, each time with a new subject, and
                                 events for running workflows, given to each that waits; none:
                                 examples of the contracts of machines that no other one starts */
    size_t event_count;
    const arvo_sim_expectation *expectations;
    size_t expectation_count;

    void (*line)(void *user, arvo_str line); /* the story, line by line; NULL: not told */
    void *user;

    /* For tests of the simulation: what lies between the processes and the store. Gives a store
     * over `below`, which is closed after it by its owner; NULL: out of memory. `point` may be
     * called between two operations of `below`: others run meanwhile; false: the process died
     * there. */
    arvo_memory *(*wrap)(void *wrap_user, arvo_memory *below, bool (*point)(void *sim), void *sim);
    void *wrap_user;
    const char *sqlite_params; /* behind the URL's `?`; NULL: as it is by default */
} arvo_sim_opts;

typedef struct arvo_sim_report {
    bool failed;
    char rule[24];  /* "I5", "every workflow ends", "expectation", ... */
    char what[640]; /* one line */
    arvo_sim_store store;
    uint32_t processes, workflows, faults;    /* as drawn */
    uint32_t steps, commits, crashes, events; /* events: consumed by workflows */
    int64_t virtual_ms;
    uint32_t struck[ARVO_SIM_KEEP_MAX]; /* the points at which faults struck, in order */
    size_t struck_count;
    uint32_t struck_faults; /* which kinds they were */
} arvo_sim_report;

/**
 * One run.
 * @param report  Written whenever ARVO_OK is returned, found something or not.
 * @return ARVO_OK; ARVO_E_INVALID (an option, an expectation, an event that cannot be used; an app
 *         that has nothing to run), ARVO_E_UNSUPPORTED (a store that was not built), ARVO_E_IO (no
 *         temporary folder), ARVO_E_NOMEM.
 */
ARVO_API ARVO_NODISCARD arvo_status
arvo_sim_run(const arvo_sim_opts *opts, arvo_sim_report *report, arvo_error *err);

/**
 * Make a failing run smaller while it breaks the same rule: fewer processes, workflows, kinds of
 * faults, faults.
 * @param opts   Those of the failing run.
 * @param out    The smaller one; its `keep` points into *keep.
 * @param keep   Room for ARVO_SIM_KEEP_MAX points; the caller's.
 * @param report Of the smaller run.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_sim_minimise(
    const arvo_sim_opts *opts, arvo_sim_opts *out, uint32_t *keep, arvo_sim_report *report,
    arvo_error *err);

ARVO_END_DECLS

#endif
