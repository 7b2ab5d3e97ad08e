/* sim/internal.h - the parts of the simulation.
 *
 *   world.c     virtual time, the fibres, what a run is
 *   process.c   a simulated process: orchestrators and brokers, from start to crash
 *   port.c      a process's way to the store: faults, and the model told of every effect
 *   model.c     what the store must hold, and the numbered invariants
 *   care.c      copies and purges while others work
 *   network.c   events from outside, and services outside
 *   verdict.c   what must hold in the end
 *   built_in.c  the built-in app
 *   workload.c  how an app's workflows are started
 *   disk.c      files of the SQLite store, in memory, with what was not synced
 *   minimise.c  a smaller run that breaks the same rule
 *
 * Everything lives in the run's arena until the run is over.
 */
#ifndef ARVO_SRC_SIM_INTERNAL_H
#define ARVO_SRC_SIM_INTERNAL_H

#include <arvo/sim.h>

#include "machine/expr.h"
#include "memory/internal.h"
#include "orchestrator/internal.h"

#define SIM_EPOCH_MS     INT64_C(1767225600000) /* 2026-01-01: where virtual time begins */
#define SIM_WORKERS_MAX  2u                     /* threads of one process */
#define SIM_FIBRES_MAX   (ARVO_SIM_PROCESSES_MAX * SIM_WORKERS_MAX)
#define SIM_STACK_BYTES  ((size_t)512 * 1024)
#define SIM_MS           INT64_C(1000) /* microseconds */
#define SIM_FOREVER      INT64_MAX
#define SIM_MACHINES_MAX 200u

typedef struct sim_world sim_world;

/* Random numbers are a function of seed, stream and position, so that leaving out one draw does not
 * change the others. */
typedef enum sim_stream {
    SIM_STREAM_SHAPE, /* of the run: processes, workflows, which faults, how often */
    SIM_STREAM_FAULT,
    SIM_STREAM_FAULT_DETAIL,
    SIM_STREAM_LATENCY,
    SIM_STREAM_NETWORK,
    SIM_STREAM_WORK,
    SIM_STREAM_RANDOM, /* what the platform gives */
    SIM_STREAM_DISK
} sim_stream;

uint64_t arvo__sim_random(const sim_world *world, sim_stream stream, uint64_t position);
/* 0 .. limit - 1; limit > 0 */
uint64_t
arvo__sim_below(const sim_world *world, sim_stream stream, uint64_t position, uint64_t limit);

/* ---- Fibres (fibre.c) ------------------------------------------------------ */

typedef struct sim_fibre sim_fibre;

/* NULL: out of memory. `run` returns when the fibre ends. */
sim_fibre *arvo__sim_fibre_new(void (*run)(void *user), void *user);
void arvo__sim_fibre_free(sim_fibre *fibre);  /* one that has ended, or never ran */
void arvo__sim_fibre_enter(sim_fibre *fibre); /* from outside: until it leaves or ends */
void arvo__sim_fibre_leave(sim_fibre *fibre); /* from inside */
bool arvo__sim_fibre_has_ended(const sim_fibre *fibre);

/* ---- The model (model.c) --------------------------------------------------- */

typedef enum sim_event_state {
    SIM_EVENT_CONSUMED,
    SIM_EVENT_WAITING,
    SIM_EVENT_GONE,
    SIM_EVENT_DEAD
} sim_event_state;

/* A row of the store's history, as the model has it. */
typedef struct sim_event {
    struct sim_event *next; /* of its subject */
    int64_t seq;            /* 0: not yet learnt from the store */
    sim_event_state state;
    struct sim_event *cause; /* the consumed event that made it */
    arvo_str subject, id, source, type, to, event_subject, domains, json;
    bool shown;      /* handed to whoever is outside */
    bool maybe_gone; /* the store failed while it was marked done */
    /* Of a consumed event: what came of it. */
    arvo_str status, value, state_json, last_error;
} sim_event;

typedef struct sim_subject {
    struct sim_subject *next;
    arvo_str subject;
    const char *name; /* for the story; NULL: not yet asked for */
    bool has_record;
    arvo_str orchestrator, version, status, value, state_json, last_error, input;
    uint64_t revision;
    uint64_t fence;         /* newest given out */
    uint64_t fence_written; /* newest under which something was written */
    struct {
        bool is_held;
        bool is_unknown; /* the store failed in the middle of taking it or giving it back */
        arvo_lease lease;
        struct sim_process *process; /* and which of its lives */
        uint32_t life;
    } lock;
    /* SQLite: a process lets its own workers wait for the leases that it took, lost ones too. */
    struct {
        int64_t expires_ms; /* 0: none */
        uint64_t fence;
        uint32_t life;
    } gates[ARVO_SIM_PROCESSES_MAX];
    sim_event *first, **end;
    /* A commit whose outcome nobody knows: the store may show it after a crash. */
    struct sim_maybe *maybe;
} sim_subject;

typedef struct sim_maybe {
    struct sim_maybe *next;
    arvo_commit commit; /* a copy */
} sim_maybe;

/* ---- Processes ------------------------------------------------------------- */

typedef struct sim_worker {
    struct sim_process *process;
    uint32_t index; /* of the fibre, in the world */
    sim_fibre *fibre;
    int64_t wake_us;
    arvo_broker *broker;
    arvo_arena *arena; /* of one execution */
    /* The lease this worker holds, as far as it knows. */
    sim_subject *holds;
    uint64_t holds_fence;
    bool may_hold; /* a fault kept it from giving the lease back */
    uint64_t draws;
    int64_t idle_us;
    bool is_busy; /* did something since the last look */
} sim_worker;

typedef struct sim_process {
    sim_world *world;
    uint32_t index; /* from 1 */
    uint32_t life;  /* grows with every start */
    bool is_dead;   /* until its workers have ended */
    bool is_up;
    uint32_t alive;   /* workers that have not ended */
    int64_t start_us; /* when it starts again */
    int64_t paused_until_us, cut_until_us;
    int64_t clock_ms; /* how far its clock is off */
    arvo_platform platform;
    uint64_t draws;
    arvo_memory *handle; /* of the store; the shared one, or this process's own */
    arvo_memory *below;  /* the handle, or what a test put over it */
    arvo_memory *memory; /* the port over it */
    arvo_orchestrator *orchestrators[SIM_MACHINES_MAX];
    size_t orchestrator_count;
    sim_worker workers[SIM_WORKERS_MAX];
    uint32_t worker_count;
} sim_process;

/* ---- The network (network.c) ------------------------------------------------ */

typedef enum sim_message_state {
    SIM_MESSAGE_HELD,
    SIM_MESSAGE_DUE,
    SIM_MESSAGE_TAKEN,
    SIM_MESSAGE_DONE
} sim_message_state;

typedef struct sim_message {
    struct sim_message *next;
    sim_message_state state;
    uint32_t number; /* from 1, for the story */
    const arvo_event *event;
    arvo_str json;
    int64_t due_us;
    struct sim_workflow *workflow; /* its start: held ones wait for its acknowledgement */
    bool is_start;
    bool is_copy;          /* nobody waits for an answer */
    bool needs_quiet;      /* held until the workflow waits for something */
    arvo_handler *service; /* for whom it is; NULL: any process */
    uint32_t attempts;
} sim_message;

typedef struct sim_workflow {
    struct sim_workflow *next;
    uint32_t number;
    arvo_str subject;
    bool is_started;
    uint32_t answers_given; /* of the app's events for running workflows */
} sim_workflow;

/* ---- A run ------------------------------------------------------------------ */

/* What is run: an app of the user's, or the built-in one. */
typedef struct sim_app {
    arvo_contracts *contracts;
    arvo_machine *machines[SIM_MACHINES_MAX];
    size_t machine_count;
    arvo_handler *services[SIM_MACHINES_MAX];
    size_t service_count;
    bool is_built_in;
    bool is_remote[SIM_MACHINES_MAX];                 /* services[i] is outside in this run */
    const arvo_platform *platforms[SIM_MACHINES_MAX]; /* what the services had before */
} sim_app;

struct sim_world {
    const arvo_sim_opts *opts;
    arvo_sim_report *report;
    arvo_arena *arena;
    arvo_arena *scratch; /* of one check */
    arvo_status status;  /* the run itself failed: out of memory, ... */
    arvo_error *err;

    sim_app app;
    uint32_t faults; /* drawn */
    uint32_t fault_permille;
    uint32_t points;     /* where a fault could strike: counted */
    uint32_t points_max; /* faults are over behind this */
    bool is_quiet;       /* faults are over */
    int64_t quiet_us;
    bool is_stopping; /* every fibre ends */

    int64_t now_us;
    int64_t store_clock_ms; /* how far the store's clock is off */
    arvo_platform store_platform;
    uint64_t store_draws;
    int64_t lease_ms, lock_wait_ms, claim_ms, patience_ms;
    bool has_keeper;  /* leases are renewed while an operation takes long */
    pthread_t thread; /* the only one in which anything happens */

    sim_process processes[ARVO_SIM_PROCESSES_MAX];
    uint32_t process_count;
    sim_worker *current;

    arvo_memory *shared; /* the memory: store */
    struct sim_disk *disk;
    char store_url[96]; /* sqlite: */
    char folder[64];
    arvo_memory *eye; /* through which the checks look; SQLite: its own connection */

    sim_subject *subjects, **subjects_end;
    arvo__map subject_of;
    sim_event **by_seq;
    size_t by_seq_cap;
    size_t waiting; /* events in the outbox */

    sim_message *messages, **messages_end;
    uint32_t message_count;
    sim_workflow *workflows, **workflows_end;
    arvo__map seen_requests; /* of services outside: key of the request -> times */
    uint64_t network_draws;
};

/* ---- world.c ---- */

/* The first broken rule ends the run. */
void arvo__sim_broken(sim_world *world, const char *rule, const char *format, ...)
    ARVO_PRINTF(3, 4);
void arvo__sim_fail(sim_world *world, arvo_status status, const arvo_error *why);
bool arvo__sim_is_over(const sim_world *world);
void arvo__sim_tell(sim_world *world, const char *format, ...) ARVO_PRINTF(2, 3);
/* From a fibre: go on after `us`. */
void arvo__sim_sleep(sim_worker *worker, int64_t us);
/* Whether a fault strikes here, of those in `possible` (bits); which, in *out. */
bool
arvo__sim_strikes(sim_world *world, uint32_t possible, arvo_sim_fault *out, uint32_t *out_point);
int64_t arvo__sim_store_now(const sim_world *world);
/* Short names for the story; in the arena. */
const char *arvo__sim_subject_name(sim_world *world, arvo_str subject);
const char *arvo__sim_who(const sim_world *world);

/* ---- process.c ---- */

bool arvo__sim_process_start(sim_process *process);
void arvo__sim_process_kill(sim_process *process, const char *why);
void arvo__sim_process_end(sim_process *process); /* its workers have ended */
arvo_status arvo__sim_orchestrators(
    sim_world *world, arvo_memory *memory, const arvo_platform *platform, arvo_orchestrator **out,
    size_t *out_count, arvo_error *err);

/* ---- port.c ---- */

arvo_memory *arvo__sim_port_new(sim_process *process, arvo_memory *below);
bool arvo__sim_point(void *world);

/* ---- model.c ---- */

sim_subject *
arvo__sim_subject(sim_world *world, arvo_str subject); /* made when new; NULL: no memory */
sim_event *arvo__sim_produced_find(const sim_world *world, arvo_str source, arvo_str id);
sim_event *arvo__sim_event_of_seq(sim_world *world, int64_t seq);
sim_event *arvo__sim_consumed_find(const sim_subject *subject, arvo_str source, arvo_str id);
bool arvo__sim_lock_is_held(const sim_world *world, const sim_subject *subject);
void arvo__sim_granted(sim_world *world, sim_subject *subject, const arvo_lease *lease);
void arvo__sim_denied(sim_world *world, sim_subject *subject);
void arvo__sim_released(sim_world *world, sim_subject *subject, const arvo_lease *lease);
void arvo__sim_renewed(sim_world *world, sim_subject *subject, const arvo_lease *lease);
/* A commit came back with `status`; told before anything else runs. */
void arvo__sim_committed(sim_world *world, const arvo_commit *commit, arvo_status status);
/* Its effect is not known: the process died in the middle of it, or the disk failed. */
void arvo__sim_maybe_committed(sim_world *world, const arvo_commit *commit);
/* `commit`: with which it was marked done; NULL: by itself. */
void arvo__sim_outbox_gone(sim_world *world, int64_t seq, const arvo_commit *commit);
void arvo__sim_outbox_dead(sim_world *world, int64_t seq);
bool arvo__sim_is_default(const sim_event *event);
/* The service of the app that serves this address; -1: none. */
int arvo__sim_service_of(const sim_world *world, arvo_str address);
bool arvo__sim_is_orchestrator(const sim_world *world, arvo_str address);
/* The power was off: what was not written may be forgotten. */
void arvo__sim_forget_leases(sim_world *world);
/* The store as the checks see it; NULL: it cannot be opened, the run has failed. */
arvo_memory *arvo__sim_eye(sim_world *world);
/* The whole store against the model. */
void arvo__sim_compare(sim_world *world);
void arvo__sim_compare_subject(sim_world *world, sim_subject *subject);
void arvo__sim_reconcile(sim_world *world);

/* ---- network.c ---- */

sim_message *
arvo__sim_send(sim_world *world, const arvo_event *event, arvo_handler *service, int64_t delay_us);
sim_message *arvo__sim_take(sim_worker *worker); /* due, for a process; NULL: none */
void arvo__sim_answer(sim_worker *worker, sim_message *message, arvo_status status);
/* Events that nobody in the store serves go to the services outside. */
void arvo__sim_show(sim_world *world, const arvo_event *event);
int64_t arvo__sim_network_next(const sim_world *world); /* when a service has something to do */
void arvo__sim_network_run(sim_world *world);           /* what is due at the services */
void arvo__sim_release_held(sim_world *world);
bool arvo__sim_network_is_empty(const sim_world *world);

/* ---- built_in.c: JSON with ' for ", each list ended by NULL ---- */

extern const char *const arvo__sim_contracts[];
extern const char *const arvo__sim_machines[];
extern const char *const arvo__sim_mocks[];

/* ---- workload.c ---- */

arvo_status arvo__sim_app_open(sim_world *world, arvo_error *err);
void arvo__sim_app_close(sim_world *world);
arvo_status arvo__sim_workload(sim_world *world, uint32_t workflows, arvo_error *err);

/* ---- verdict.c ---- */

/* Nothing moves any more, and everything has ended. */
bool arvo__sim_is_drained(sim_world *world);
void arvo__sim_verdict(sim_world *world);

/* ---- care.c ---- */

/* Copy the store, and ask what purge would take, while others work. */
void arvo__sim_care(sim_worker *worker);
void arvo__sim_purge_all(sim_world *world);

/* ---- disk.c (SQLite) ---- */

struct sim_disk *arvo__sim_disk_new(sim_world *world, arvo_error *err); /* NULL: see err */
void arvo__sim_disk_free(struct sim_disk *disk);
/* Files opened from now on belong to this process (0: to nobody who dies). */
void arvo__sim_disk_owner(struct sim_disk *disk, uint32_t owner);
/* The process's files can do nothing any more; its locks are gone. */
void arvo__sim_disk_kill(struct sim_disk *disk, uint32_t owner);
/* Between these, what a dead process does to shared memory while it is closed is undone. */
void arvo__sim_disk_ghost(struct sim_disk *disk, bool begins);
void arvo__sim_disk_power_off(struct sim_disk *disk);
/* One of the next `range` operations of this owner's files fails (or kills); 0: none will. */
void
arvo__sim_disk_arm(struct sim_disk *disk, uint32_t owner, uint32_t after, bool kills, bool full);
bool arvo__sim_disk_fired(struct sim_disk *disk, bool *out_killed);

#endif
