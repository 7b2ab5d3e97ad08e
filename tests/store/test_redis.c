/* The Redis store: the conformance suite, and what a server has to be and to say. */

#include "redis_fixture.h"

#include "log_fixture.h"

#ifdef ARVO_HAVE_REDIS

#define STEPS 5

static void
do_steps(arvo_memory *memory, arvo_str subject, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t revision = 0;
        arvo_error err = { 0 };
        if (step(memory, subject, &revision, &err) != ARVO_OK)
            fail_msg("%s", err.text);
    }
}

/* ---- URLs -------------------------------------------------------------- */

static void
test_redis__urls_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        arvo_status status;
        const char *words;
    } cases[] = {
        { "redis:", ARVO_E_INVALID, "redis://" },
        { "redis:here", ARVO_E_INVALID, "redis://" },
        { "redis://h:0", ARVO_E_INVALID, "port" },
        { "redis://h:65536", ARVO_E_INVALID, "port" },
        { "redis://h:port", ARVO_E_INVALID, "port" },
        { "redis://h/zero", ARVO_E_INVALID, "database" },
        { "redis://[::1", ARVO_E_INVALID, "IPv6" },
        { "redis://guessed@h", ARVO_E_INVALID, "user without a password" },
        { "redis://u:guessed%4@h", ARVO_E_INVALID, "%25" },
        { "redis://u:guessed%00@h", ARVO_E_INVALID, "%25" },
        { "redis://:guessed@h?color=red", ARVO_E_INVALID, "unknown parameter \"color\"" },
        { "redis://:guessed@h?name=a b", ARVO_E_INVALID, "letters" },
        { "redis://:guessed@h?name=", ARVO_E_INVALID, "letters" },
        { "redis://:guessed@h?durability=much", ARVO_E_INVALID, "always or everysec" },
        { "redis://:guessed@h?waitaof=2,1", ARVO_E_INVALID, "1,N" },
        { "redis://:guessed@h?waitaof=1", ARVO_E_INVALID, "1,N" },
        { "redis://:guessed@h?timeout=1", ARVO_E_INVALID, "50 to 600000" },
        { "redis+unix:/tmp/x", ARVO_E_INVALID, "redis+unix:///" },
        { "redis+unix://host/../x", ARVO_E_INVALID, "absolute" },
        { "redis+unix:///nowhere/x.sock", ARVO_E_IO, "cannot be reached" },
        { "redis://:guessed@127.0.0.1:1", ARVO_E_IO, "cannot be reached" },
        { "rediss://:guessed@h", ARVO_E_UNSUPPORTED, "TLS" },
        { "redisx://:guessed@h", ARVO_E_INVALID, "begins with \"redisx\"" },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++)
        assert_refused(cases[i].url, cases[i].status, cases[i].words);
}

static void
test_redis__passwords_are_refused_without_being_shown(void **state)
{
    (void)state;
    char url[URL_BYTES];
    (void)snprintf(url, sizeof(url), "redis://:guessed@127.0.0.1:%s", getenv("ARVO_REDIS_PORT"));
    assert_refused(url, ARVO_E_IO, "does not know this user and password");
    (void)snprintf(url, sizeof(url), "redis://127.0.0.1:%s", getenv("ARVO_REDIS_PORT"));
    assert_refused(url, ARVO_E_IO, "wants a password");
    assert_refused(store_url("/99"), ARVO_E_IO, "DB index is out of range");
}

static void
test_redis__socket_user_and_database_are_reached(void **state)
{
    (void)state;
    arvo_memory *memory = NULL;
    arvo_error err = { 0 };
    char url[URL_BYTES];
    (void)snprintf(url, sizeof(url), "%s?db=3", getenv("ARVO_REDIS_UNIX_URL"));
    if (arvo_memory_open(url, &memory, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    do_steps(memory, SUBJECT, 1);
    arvo_memory_close(memory);
    memory = open_or_fail("/3");
    assert_int_equal(revision_of(memory, SUBJECT), 1);
    arvo_memory_close(memory);
    memory = open_or_fail("/4");
    assert_int_equal(revision_of(memory, SUBJECT), 0);
    arvo_memory_close(memory);
    memory = open_or_fail("/3?name=other"); /* a store of its own in the same database */
    assert_int_equal(revision_of(memory, SUBJECT), 0);
    arvo_memory_close(memory);
}

/* ---- What a server has to be ------------------------------------------- */

static void
test_redis__weaker_durability_has_to_be_accepted(void **state)
{
    (void)state;
    static const char *const none[] = { "", "?durability=everysec" };
    (void)server_say("CONFIG SET appendfsync everysec");
    assert_refused(store_url(""), ARVO_E_UNSUPPORTED, "appendfsync always");
    arvo_memory_close(open_or_fail("?durability=everysec"));
    (void)server_say("CONFIG SET appendfsync no");
    for (size_t i = 0; i < ARVO_COUNT_OF(none); i++)
        assert_refused(store_url(none[i]), ARVO_E_UNSUPPORTED, "durability=none");
    arvo_memory_close(open_or_fail("?durability=none"));
    (void)server_say("CONFIG SET appendfsync always");
    (void)server_say("CONFIG SET appendonly no");
    for (size_t i = 0; i < ARVO_COUNT_OF(none); i++)
        assert_refused(store_url(none[i]), ARVO_E_UNSUPPORTED, "appendonly yes");
    arvo_memory_close(open_or_fail("?durability=none"));
    (void)server_say("CONFIG SET appendonly yes");
    arvo_memory_close(open_or_fail(""));
}

static void
test_redis__eviction_is_refused_whatever_is_accepted(void **state)
{
    (void)state;
    (void)server_say("CONFIG SET maxmemory-policy allkeys-lru");
    assert_refused(store_url("?durability=none"), ARVO_E_UNSUPPORTED, "noeviction");
    (void)server_say("CONFIG SET maxmemory-policy noeviction");
    arvo_memory_close(open_or_fail(""));
}

static void
test_redis__what_may_not_be_read_is_not_claimed(void **state)
{
    (void)state;
    char url[URL_BYTES];
    (void)server_say("ACL SETUSER plain on >guessed ~* &* +@all -config");
    (void)snprintf(
        url, sizeof(url), "redis://plain:guessed@127.0.0.1:%s", getenv("ARVO_REDIS_PORT"));
    assert_refused(url, ARVO_E_UNSUPPORTED, "durability=unchecked");
    (void)snprintf(
        url, sizeof(url), "redis://plain:guessed@127.0.0.1:%s?durability=unchecked",
        getenv("ARVO_REDIS_PORT"));
    arvo_memory *memory = NULL;
    arvo_error err = { 0 };
    assert_int_equal(arvo_memory_open(url, &memory, &err), ARVO_OK);
    arvo_memory_close(memory);
    (void)server_say("ACL SETUSER plain -eval -evalsha");
    assert_refused(url, ARVO_E_IO, "may not do that");
    (void)server_say("ACL DELUSER plain");
}

static void
test_redis__foreign_and_newer_data_is_left_alone(void **state)
{
    (void)state;
    (void)server_say("SET {arvo}:meta letter");
    assert_refused(store_url(""), ARVO_E_CORRUPT, "another program");
    (void)server_say("DEL {arvo}:meta");
    arvo_memory_close(open_or_fail(""));
    (void)server_say("HSET {arvo}:meta version 2");
    assert_refused(store_url(""), ARVO_E_VERSION, "newer Arvo");
}

static void
test_redis__replica_is_refused_and_named(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("?timeout=200");
    do_steps(memory, SUBJECT, 1);
    (void)server_say("REPLICAOF 127.0.0.1 1");
    assert_refused(store_url(""), ARVO_E_IO, "primary");
    uint64_t revision = 0;
    arvo_error err = { 0 };
    const arvo_status st = step(memory, SUBJECT, &revision, &err);
    (void)server_say("REPLICAOF NO ONE");
    assert_int_equal(st, ARVO_E_IO);
    assert_non_null(strstr(err.text, "replica"));
    do_steps(memory, SUBJECT, 1);
    assert_int_equal(revision_of(memory, SUBJECT), 2);
    arvo_memory_close(memory);
}

static void
test_redis__full_memory_changes_nothing(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("");
    do_steps(memory, SUBJECT, 1);
    arvo_lease lease;
    bool is_acquired = false;
    arvo_error err = { 0 };
    assert_int_equal(take(memory, SUBJECT, 0, &is_acquired, &lease, &err), ARVO_OK);
    (void)server_say("CONFIG SET maxmemory 1");
    const arvo_record record = store_record(SUBJECT);
    const arvo_commit commit = { .subject = SUBJECT,
                                 .lease = &lease,
                                 .release = true,
                                 .record = &record,
                                 .previous_revision = 1 };
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    const arvo_status st = ops->commit(arvo_memory_self(memory), &commit, 1, &err);
    (void)server_say("CONFIG SET maxmemory 0");
    assert_int_equal(st, ARVO_E_IO);
    assert_non_null(strstr(err.text, "maxmemory"));
    assert_int_equal(revision_of(memory, SUBJECT), 1);
    assert_int_equal(ops->commit(arvo_memory_self(memory), &commit, 1, &err), ARVO_OK);
    arvo_memory_close(memory);
}

static void
test_redis__too_few_replicas_are_told(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("?wait=1&timeout=300");
    uint64_t revision = 0;
    arvo_error err = { 0 };
    assert_int_equal(step(memory, SUBJECT, &revision, &err), ARVO_E_TIMEOUT);
    assert_non_null(strstr(err.text, "0 of 1 replicas"));
    assert_int_equal(revision_of(memory, SUBJECT), 1); /* written, and said so */
    arvo_memory_close(memory);
    assert_refused(store_url("?waitaof=1,0"), ARVO_E_UNSUPPORTED, "Redis 7.2");
}

/* ---- What is stored ---------------------------------------------------- */

static void
test_redis__everything_is_there_after_reopening(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("");
    do_steps(memory, SUBJECT, 3);
    arvo_memory_close(memory);
    assert_int_equal(server_say("HGET {arvo}:meta version"), REDIS_SCHEMA_VERSION);
    assert_int_equal(server_say("HGET {arvo}:meta fence"), 3);
    assert_int_equal(server_say("XLEN {arvo}:event"), 6); /* each event once */
    assert_int_equal(server_say("ZCARD {arvo}:outbox"), 3);
    assert_int_equal(server_say("HLEN {arvo}:definition"), 1);
    assert_int_equal(server_say("HLEN {arvo}:lease"), 0);
    assert_int_equal(server_say("HGET {arvo}:rec:1 revision"), 3);
    assert_int_equal(server_say("ZCARD {arvo}:status:active"), 1);
    memory = open_or_fail("");
    assert_int_equal(revision_of(memory, SUBJECT), 3);
    arvo_memory_close(memory);
}

/* A null that was a value before has to go. */
static void
test_redis__nulls_replace_values(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("");
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    void *self = arvo_memory_self(memory);
    arvo_arena *arena = arvo_arena_new(NULL);
    arvo_record record = store_record(SUBJECT), got = { 0 };
    record.last_error = ARVO_STR("{\"errorName\":\"x\"}");
    arvo_lease lease;
    bool flag = false;
    assert_int_equal(take(memory, SUBJECT, 0, &flag, &lease, NULL), ARVO_OK);
    assert_int_equal(ops->write(self, SUBJECT, &record, NULL, &lease, NULL), ARVO_OK);
    assert_int_equal(ops->read(self, SUBJECT, arena, &flag, &got, NULL), ARVO_OK);
    record.last_error = record.value = record.parent_subject = ARVO_STR_NONE;
    assert_int_equal(ops->write(self, SUBJECT, &record, &got, &lease, NULL), ARVO_OK);
    assert_int_equal(ops->read(self, SUBJECT, arena, &flag, &got, NULL), ARVO_OK);
    store_assert_record_equal(&got, &record);
    arvo_arena_free(arena);
    arvo_memory_close(memory);
}

/* ---- Leases ------------------------------------------------------------ */

static void
test_redis__leases_end_by_the_servers_clock(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail(""), *other = open_or_fail("");
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    void *self = arvo_memory_self(memory);
    arvo_lease lease, next;
    bool is_acquired = false;
    arvo_error err = { 0 };
    const arvo_record record = store_record(SUBJECT);
    assert_int_equal(ops->lock(self, SUBJECT, 60, 0, &is_acquired, &lease, &err), ARVO_OK);
    assert_true(is_acquired);
    assert_int_equal(ops->renew(self, SUBJECT, &lease, 120, &err), ARVO_OK);
    assert_int_equal(take(other, SUBJECT, 0, &is_acquired, &next, &err), ARVO_OK);
    assert_false(is_acquired);
    assert_int_equal(take(other, SUBJECT, 10000, &is_acquired, &next, &err), ARVO_OK);
    assert_true(is_acquired); /* waited for the end of it */
    assert_true(next.fence > lease.fence);
    assert_int_equal(ops->write(self, SUBJECT, &record, NULL, &lease, &err), ARVO_E_STALE);
    assert_int_equal(ops->renew(self, SUBJECT, &lease, 1000, &err), ARVO_E_STALE);
    assert_int_equal(ops->unlock(self, SUBJECT, &lease, &err), ARVO_OK);
    assert_int_equal(take(memory, SUBJECT, 0, &is_acquired, &lease, &err), ARVO_OK);
    assert_false(is_acquired); /* the unlock took nothing from the new owner */
    arvo_memory_close(memory);
    arvo_memory_close(other);
}

/* Locks are not in the append-only file: what they were is forgotten, and refused. */
static void
test_redis__lease_of_before_a_restart_cannot_write(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("");
    do_steps(memory, SUBJECT, 2);
    arvo_lease lease, next;
    bool is_acquired = false;
    arvo_error err = { 0 };
    assert_int_equal(take(memory, SUBJECT, 0, &is_acquired, &lease, &err), ARVO_OK);
    server_do("crash");
    server_do("start");
    const arvo_record record = store_record(SUBJECT);
    const arvo_commit commit = {
        .subject = SUBJECT, .lease = &lease, .record = &record, .previous_revision = 2
    };
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    void *self = arvo_memory_self(memory);
    assert_int_equal(ops->commit(self, &commit, 1, &err), ARVO_E_STALE);
    assert_int_equal(ops->unlock(self, SUBJECT, &lease, &err), ARVO_OK);
    assert_int_equal(take(memory, SUBJECT, 0, &is_acquired, &next, &err), ARVO_OK);
    assert_true(is_acquired);
    assert_true(next.fence > 2); /* than every fence that something was written under */
    arvo_memory_close(memory);
}

struct contender {
    arvo_memory *memory;
    const char *name;
    char *order; /* names, as they got the lease */
    pthread_t thread;
};

static void *
contend(void *arg)
{
    struct contender *me = arg;
    arvo_lease lease;
    bool is_acquired = false;
    if (take(me->memory, SUBJECT, 60000, &is_acquired, &lease, NULL) != ARVO_OK || !is_acquired)
        return NULL;
    me->order[strlen(me->order)] = me->name[0]; /* the lease guards it */
    (void)arvo_memory_ops_of(me->memory)
        ->unlock(arvo_memory_self(me->memory), SUBJECT, &lease, NULL);
    return me;
}

static void
wait_for_line(long long count)
{
    for (int i = 0; i < 2000 && server_say("ZCARD {arvo}:line:subject") < count; i++)
        (void)usleep(1000);
    assert_int_equal(server_say("ZCARD {arvo}:line:subject"), count);
}

static void *
take_however_long(void *arg)
{
    struct contender *me = arg;
    arvo_lease lease;
    bool is_acquired = false;
    return take(me->memory, SUBJECT, INT64_MAX, &is_acquired, &lease, NULL) == ARVO_OK &&
                   is_acquired
               ? me
               : NULL;
}

static void
test_redis__longest_wait_for_another_process_is_a_wait(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail(""), *other = open_or_fail("");
    struct contender waiting = { .memory = memory };
    arvo_lease lease;
    bool is_acquired = false;
    void *got = NULL;
    assert_int_equal(take(other, SUBJECT, 0, &is_acquired, &lease, NULL), ARVO_OK);
    assert_int_equal(pthread_create(&waiting.thread, NULL, take_however_long, &waiting), 0);
    wait_for_line(1);
    const arvo_memory_ops *ops = arvo_memory_ops_of(other);
    assert_int_equal(ops->unlock(arvo_memory_self(other), SUBJECT, &lease, NULL), ARVO_OK);
    (void)pthread_join(waiting.thread, &got);
    assert_ptr_equal(got, &waiting);
    arvo_memory_close(other);
    arvo_memory_close(memory);
}

/* Stores as of different processes get the lease in the order in which they asked. */
static void
test_redis__waiters_of_all_processes_stand_in_one_line(void **state)
{
    (void)state;
    enum { CONTENDERS = 4 };
    static const char *const names[CONTENDERS] = { "a", "b", "c", "d" };
    struct contender contenders[CONTENDERS];
    char order[16] = "";
    arvo_memory *memory = open_or_fail(""), *newcomer = open_or_fail("");
    arvo_lease lease;
    bool is_acquired = false;
    assert_int_equal(take(memory, SUBJECT, 0, &is_acquired, &lease, NULL), ARVO_OK);
    for (size_t i = 0; i < CONTENDERS; i++) {
        contenders[i] =
            (struct contender){ .memory = open_or_fail(""), .name = names[i], .order = order };
        assert_int_equal(pthread_create(&contenders[i].thread, NULL, contend, &contenders[i]), 0);
        wait_for_line((long long)i + 1);
    }
    (void)arvo_memory_ops_of(memory)->unlock(arvo_memory_self(memory), SUBJECT, &lease, NULL);
    for (size_t i = 0; i < CONTENDERS; i++) {
        void *got = NULL;
        (void)pthread_join(contenders[i].thread, &got);
        assert_non_null(got);
        arvo_memory_close(contenders[i].memory);
    }
    assert_string_equal(order, "abcd");
    assert_int_equal(take(newcomer, SUBJECT, 0, &is_acquired, &lease, NULL), ARVO_OK);
    assert_true(is_acquired); /* nothing is left of the line */
    arvo_memory_close(newcomer);
    arvo_memory_close(memory);
}

/* Who died in line holds nobody up for long, and who was there before a newcomer keeps its place.
 */
static void
test_redis__dead_waiter_is_taken_out_of_the_line(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("");
    arvo_lease lease;
    bool is_acquired = false;
    (void)server_say("ZADD {arvo}:line:subject 1 0123456789abcdef.1");
    (void)server_say("HSET {arvo}:seen:subject 0123456789abcdef.1 1000");
    assert_int_equal(take(memory, SUBJECT, 0, &is_acquired, &lease, NULL), ARVO_OK);
    assert_true(is_acquired);
    assert_int_equal(server_say("ZCARD {arvo}:line:subject"), 0);
    arvo_memory_close(memory);
}

static void *
wait_for_outbox(void *arg)
{
    arvo_memory *memory = arg;
    const arvo_status st =
        arvo_memory_ops_of(memory)->outbox_wait(arvo_memory_self(memory), 3600000, NULL);
    return st == ARVO_OK ? memory : NULL;
}

static void
test_redis__interrupt_ends_every_wait(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail(""), *other = open_or_fail("");
    char order[16] = "";
    arvo_lease lease;
    bool is_acquired = false;
    assert_int_equal(take(other, SUBJECT, 0, &is_acquired, &lease, NULL), ARVO_OK);
    struct contender first = { .memory = memory, .name = "x", .order = order }, second = first;
    pthread_t third;
    assert_int_equal(pthread_create(&first.thread, NULL, contend, &first), 0);
    wait_for_line(1);
    assert_int_equal(pthread_create(&second.thread, NULL, contend, &second), 0);
    assert_int_equal(pthread_create(&third, NULL, wait_for_outbox, memory), 0);
    (void)usleep(20000); /* they wait by then, as a rule: one at the gate */
    arvo_memory_ops_of(memory)->interrupt(arvo_memory_self(memory), true);
    void *got[3] = { memory, memory, NULL };
    (void)pthread_join(first.thread, &got[0]);
    (void)pthread_join(second.thread, &got[1]);
    (void)pthread_join(third, &got[2]);
    assert_null(got[0]);
    assert_null(got[1]);
    assert_non_null(got[2]);
    assert_int_equal(server_say("ZCARD {arvo}:line:subject"), 0);
    arvo_memory_ops_of(memory)->interrupt(arvo_memory_self(memory), false);
    arvo_memory_close(other);
    arvo_memory_close(memory);
}

/* ---- Copying ----------------------------------------------------------- */

struct copy {
    arvo_memory *busy; /* does steps while it is read; NULL: not */
    arvo_buf text;     /* what was read */
    size_t rows, stop_at;
};

static bool
copy_row(void *user, const arvo_row *row)
{
    struct copy *copy = user;
    arvo_buf_printf(
        &copy->text, "%d %.*s %.*s r%llu f%llu s%lld %.*s a%u d%lld c%lld\n", (int)row->kind,
        ARVO_FMT(row->hash), ARVO_FMT(row->record.subject),
        (unsigned long long)row->record.revision, (unsigned long long)row->record.fence,
        (long long)row->row.event.seq, ARVO_FMT(row->row.event.id), row->row.attempts,
        (long long)row->row.due_ms, (long long)row->cause);
    if (copy->busy != NULL)
        do_steps(copy->busy, row->kind == ARVO_ROW_EVENT ? ARVO_STR("new") : SUBJECT, 1);
    return ++copy->rows != copy->stop_at;
}

static void
copy_read(arvo_memory *memory, struct copy *copy)
{
    arvo_error err = { 0 };
    copy->text = ARVO_BUF_INIT((size_t)1024 * 1024);
    if (arvo_memory_ops_of(memory)->dump(arvo_memory_self(memory), copy_row, copy, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    arvo_buf_append_char(&copy->text, '\0');
}

static void
test_redis__copy_is_of_one_moment_while_work_goes_on(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("");
    do_steps(memory, SUBJECT, STEPS);
    do_steps(memory, ARVO_STR("second"), STEPS);
    struct copy quiet = { 0 }, busy = { .busy = memory };
    copy_read(memory, &quiet);
    copy_read(memory, &busy);
    assert_string_equal(quiet.text.ptr, busy.text.ptr);
    assert_true(revision_of(memory, SUBJECT) > STEPS); /* it did go on */
    assert_int_equal(server_say("EXISTS {arvo}:old {arvo}:old:1 {arvo}:copy:outbox"), 0);
    arvo_buf_fini(&quiet.text);
    arvo_buf_fini(&busy.text);
    arvo_memory_close(memory);
}

static bool
purge_beside(void *user, const arvo_row *row)
{
    (void)row;
    arvo_memory *memory = user;
    const arvo_purge purge = { .status = ARVO_STR("active"), .before_ms = INT64_MAX / 2 };
    arvo_purged purged = { 0 };
    arvo_error err = { 0 };
    const arvo_status st =
        arvo_memory_ops_of(memory)->purge(arvo_memory_self(memory), &purge, &purged, &err);
    assert_int_equal(st, ARVO_E_LOCK_DENIED);
    assert_non_null(strstr(err.text, "copied"));
    const arvo_status second =
        arvo_memory_ops_of(memory)->dump(arvo_memory_self(memory), purge_beside, memory, &err);
    assert_int_equal(second, ARVO_E_LOCK_DENIED);
    return false;
}

static bool
done_row(void *user, const arvo_stored_event *event)
{
    arvo_memory *memory = user;
    return arvo_memory_ops_of(memory)->outbox_done(arvo_memory_self(memory), event->seq, NULL) ==
           ARVO_OK;
}

static void
test_redis__nothing_is_purged_while_a_copy_is_made(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("");
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    void *self = arvo_memory_self(memory);
    const arvo_purge purge = { .status = ARVO_STR("active"), .before_ms = INT64_MAX / 2 };
    arvo_purged purged = { 0 };
    do_steps(memory, SUBJECT, 2);
    assert_int_equal(ops->purge(self, &purge, &purged, NULL), ARVO_OK);
    assert_int_equal(purged.instances, 0); /* its events wait */
    assert_int_equal(ops->outbox_list(self, 0, 0, done_row, memory, NULL), ARVO_OK);
    assert_int_equal(ops->dump(self, purge_beside, memory, NULL), ARVO_OK);
    assert_int_equal(ops->purge(self, &purge, &purged, NULL), ARVO_OK);
    assert_int_equal(purged.instances, 1);
    assert_int_equal(purged.events, 4);
    assert_int_equal(server_say("XLEN {arvo}:event"), 0);
    assert_int_equal(server_say("EXISTS {arvo}:rec:1 {arvo}:hist:1 {arvo}:inbox:1"), 0);
    assert_int_equal(server_say("HLEN {arvo}:id"), 0);
    arvo_memory_close(memory);
}

/* Rows of a copy, one by one, and then what is told. */
struct loading {
    size_t count, at;
    arvo_status end;
    bool has_store;
    arvo_row row;
};

static arvo_status
load_next(void *user, const arvo_row **out_row, arvo_error *err)
{
    struct loading *l = user;
    static char subject[32];
    *out_row = NULL;
    if (l->at == l->count)
        return l->end == ARVO_OK ? ARVO_OK : arvo_error_set(err, l->end, 0, "told to fail");
    (void)snprintf(subject, sizeof(subject), "loaded-%zu", l->at++);
    if (l->at == 1 && !l->has_store) { /* first of all the store's row */
        l->has_store = true;
        l->at = 0;
        l->row = (arvo_row){ .kind = ARVO_ROW_STORE, .newest_fence = 2000 };
        *out_row = &l->row;
        return ARVO_OK;
    }
    l->row = (arvo_row){ .kind = ARVO_ROW_RECORD, .record = store_record(arvo_str_from(subject)) };
    l->row.record.revision = 7;
    l->row.record.fence = 40 + l->at;
    *out_row = &l->row;
    return ARVO_OK;
}

static void
test_redis__load_is_whole_or_not_at_all(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail(""), *other = open_or_fail("");
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    void *self = arvo_memory_self(memory);
    arvo_error err = { 0 };
    struct loading failing = { .count = 1500, .end = ARVO_E_CORRUPT };
    assert_int_equal(ops->load(self, load_next, &failing, &err), ARVO_E_CORRUPT);
    assert_int_equal(server_say("DBSIZE"), 1); /* meta */
    struct loading whole = { .count = 1500 };
    assert_int_equal(ops->load(self, load_next, &whole, &err), ARVO_OK);
    assert_int_equal(revision_of(other, ARVO_STR("loaded-1499")), 7);
    arvo_lease lease;
    bool is_acquired = false;
    assert_int_equal(take(other, ARVO_STR("loaded-3"), 0, &is_acquired, &lease, &err), ARVO_OK);
    assert_true(lease.fence > 2000);
    struct loading again = { .count = 1 };
    assert_int_equal(ops->load(self, load_next, &again, &err), ARVO_E_EXISTS);
    arvo_memory_close(other);
    arvo_memory_close(memory);
}

static void
test_redis__interrupted_load_opens_only_to_be_repeated(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("");
    do_steps(memory, SUBJECT, 1);
    (void)server_say("HSET {arvo}:meta loading 00ff"); /* as a load that was killed leaves it */
    uint64_t revision = 0;
    arvo_error err = { 0 };
    assert_int_equal(step(memory, SUBJECT, &revision, &err), ARVO_E_LOCK_DENIED);
    arvo_memory_close(memory);
    assert_refused(store_url(""), ARVO_E_CORRUPT, "load=again");
    memory = open_or_fail("?load=again");
    assert_int_equal(revision_of(memory, SUBJECT), 0);
    struct loading whole = { .count = 3 };
    assert_int_equal(
        arvo_memory_ops_of(memory)->load(arvo_memory_self(memory), load_next, &whole, &err),
        ARVO_OK);
    arvo_memory_close(memory);
    memory = open_or_fail("?load=again"); /* no mark: nothing is wiped */
    assert_int_equal(revision_of(memory, ARVO_STR("loaded-2")), 7);
    arvo_memory_close(memory);
}

/* ---- Lost connections -------------------------------------------------- */

static void
test_redis__lost_connections_are_logged_once(void **state)
{
    (void)state;
    store_log log;
    arvo_memory *memory = store_log_open(&log, store_url("?connections=1"));
    do_steps(memory, SUBJECT, 1);
    assert_int_equal(log.infos + log.warnings + log.others, 0);
    (void)server_say("CLIENT KILL TYPE normal SKIPME yes");
    do_steps(memory, SUBJECT, 1);
    assert_int_equal(log.warnings, 1);
    assert_non_null(strstr(log.warning, "the server is reached no more, and tried again: "));
    assert_non_null(strstr(log.warning, "the connection broke"));
    assert_int_equal(log.infos, 1);
    assert_non_null(strstr(log.info, ": the server is reached again"));
    arvo_memory_close(memory);
    assert_int_equal(log.others, 0);
}

/* ---- Damage ------------------------------------------------------------ */

struct findings {
    size_t count;
    char text[2048];
};

static bool
find_one(void *user, arvo_str where, arvo_str what)
{
    struct findings *f = user;
    const size_t at = strlen(f->text);
    (void)snprintf(
        f->text + at, sizeof(f->text) - at, "%.*s: %.*s\n", ARVO_FMT(where), ARVO_FMT(what));
    f->count++;
    return true;
}

static void
test_redis__damage_is_found_and_does_no_harm(void **state)
{
    (void)state;
    static const struct {
        const char *command, *words;
        bool is_read; /* a read of it fails */
    } cases[] = {
        { "HDEL {arvo}:rec:1 orchestrator", "lacks orchestrator", true },
        { "HDEL {arvo}:rec:1 revision", "lacks revision", true },
        { "ZREM {arvo}:all 1", "not in the list of all", false },
        { "ZREM {arvo}:status:active 1", "not in the list of its status", false },
        { "XDEL {arvo}:event 1-0", "event 1 of its history", false },
        { "XDEL {arvo}:event 2-0", "no such event", false },
        { "ZREM {arvo}:due 1", "nobody would claim", false },
        { "DEL {arvo}:queue:1", "not in the queue", false },
        { "DEL {arvo}:outbox", "not in the outbox", false },
        { "HDEL {arvo}:subject 1", "subject is unknown", false },
        { "HSET {arvo}:id subject 9", "another id", false },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        (void)setup_empty(NULL);
        arvo_memory *memory = open_or_fail("");
        const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
        void *self = arvo_memory_self(memory);
        do_steps(memory, SUBJECT, 2);
        struct findings none = { 0 }, some = { 0 };
        arvo_error err = { 0 };
        assert_int_equal(ops->check(self, find_one, &none, &err), ARVO_OK);
        assert_string_equal(none.text, "");
        (void)server_say(cases[i].command);
        assert_int_equal(ops->check(self, find_one, &some, &err), ARVO_OK);
        if (strstr(some.text, cases[i].words) == NULL)
            fail_msg("\"%s\" lacks \"%s\"", some.text, cases[i].words);
        arvo_arena *arena = arvo_arena_new(NULL);
        arvo_record record;
        bool is_found = false;
        const arvo_status st = ops->read(self, SUBJECT, arena, &is_found, &record, &err);
        assert_int_equal(st, cases[i].is_read ? ARVO_E_CORRUPT : ARVO_OK);
        arvo_arena_free(arena);
        arvo_memory_close(memory);
    }
}

static void
test_redis__emptied_server_is_noticed(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("");
    do_steps(memory, SUBJECT, 1);
    (void)server_say("FLUSHALL");
    uint64_t revision = 0;
    arvo_error err = { 0 };
    assert_int_equal(step(memory, SUBJECT, &revision, &err), ARVO_E_CORRUPT);
    assert_non_null(strstr(err.text, "gone"));
    arvo_memory_close(memory);
}

/* ---- Conformance ------------------------------------------------------- */

static arvo_status
open_fresh(void *user, const arvo_platform *platform, arvo_memory **out, arvo_error *err)
{
    (void)setup_empty(NULL);
    return arvo_memory_open_with(user, platform, out, err);
}

#define CASE(name) cmocka_unit_test_setup(test_redis__##name, setup_empty)

int
main(void)
{
    if (getenv("ARVO_REDIS_URL") == NULL) {
        printf("there is no server: run this under tests/servers/run.py redis: skipped\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        CASE(urls_are_checked),
        CASE(passwords_are_refused_without_being_shown),
        CASE(socket_user_and_database_are_reached),
        CASE(weaker_durability_has_to_be_accepted),
        CASE(eviction_is_refused_whatever_is_accepted),
        CASE(what_may_not_be_read_is_not_claimed),
        CASE(foreign_and_newer_data_is_left_alone),
        CASE(replica_is_refused_and_named),
        CASE(full_memory_changes_nothing),
        CASE(too_few_replicas_are_told),
        CASE(everything_is_there_after_reopening),
        CASE(nulls_replace_values),
        CASE(leases_end_by_the_servers_clock),
        CASE(longest_wait_for_another_process_is_a_wait),
        CASE(lease_of_before_a_restart_cannot_write),
        CASE(waiters_of_all_processes_stand_in_one_line),
        CASE(dead_waiter_is_taken_out_of_the_line),
        CASE(interrupt_ends_every_wait),
        CASE(copy_is_of_one_moment_while_work_goes_on),
        CASE(nothing_is_purged_while_a_copy_is_made),
        CASE(load_is_whole_or_not_at_all),
        CASE(interrupted_load_opens_only_to_be_repeated),
        CASE(lost_connections_are_logged_once),
        CASE(damage_is_found_and_does_no_harm),
        CASE(emptied_server_is_noticed),
    };
    int failed = cmocka_run_group_tests_name("redis", tests, NULL, NULL);
    failed += store_conformance_run(&(store_factory){ .name = "redis",
                                                      .open = open_fresh,
                                                      .user = getenv("ARVO_REDIS_URL"),
                                                      .ignores_clock = true,
                                                      .many = 300 });
    return failed;
}

#else

int
main(void)
{
    printf("built without Redis: skipped\n");
    return 77;
}

#endif
