/* Whole stores as lines, their digests and copies, and what arvo_memory_check() finds in a store
 * that was damaged on purpose. */

#include <arvo/transfer.h>

#include "conformance.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "arvo_config.h"

#define ROWS_MAX 16

/* ---- Rows ------------------------------------------------------------------ */

/* A small sound store, to be damaged row by row. */
struct rows {
    arvo_row rows[ROWS_MAX];
    size_t count;
    sigset_t dumped_with; /* signals that the thread that dumped them last does not get */
};

static const char event_json[] =
    "{\"id\":\"e\",\"source\":\"com.test\",\"type\":\"com.payment.charge\"}";

static arvo_row
event_row(int64_t seq, arvo_direction direction, int64_t cause, arvo_str subject)
{
    arvo_row row = { .kind = ARVO_ROW_EVENT, .cause = cause };
    row.row.event = store_event("e");
    row.row.event.json = arvo_str_from(event_json);
    row.row.event.seq = seq;
    row.row.event.direction = direction;
    row.row.event.subject = subject;
    row.row.event.time_ms = 1700000000000 + seq;
    return row;
}

static arvo_row
record_row(arvo_str subject)
{
    arvo_row row = { .kind = ARVO_ROW_RECORD, .record = store_record(subject) };
    row.record.parent_subject = ARVO_STR_NONE;
    row.record.revision = 1;
    row.record.fence = 7;
    row.record.created_ms = 5;
    row.record.updated_ms = 6;
    return row;
}

static void
rows_init(struct rows *rows)
{
    *rows = (struct rows){ .count = 9 };
    arvo_row *at = rows->rows;
    at[0] = (arvo_row){ .kind = ARVO_ROW_STORE, .newest_fence = 9, .newest_seq = 30 };
    at[1] = (arvo_row){ .kind = ARVO_ROW_DEFINITION,
                        .hash = ARVO_STR("0123456789abcdef"),
                        .document = ARVO_STR("{\"id\":\"m\"}") };
    at[2] = record_row(ARVO_STR("one"));
    at[3] = record_row(ARVO_STR("two"));
    at[4] = event_row(10, ARVO_CONSUMED, 0, ARVO_STR("one"));
    at[5] = event_row(11, ARVO_PRODUCED, 10, ARVO_STR("one"));
    at[6] = event_row(12, ARVO_PRODUCED, 10, ARVO_STR("one"));
    at[7] = (arvo_row){ .kind = ARVO_ROW_OUTBOX, .row = { .event.seq = 11 } };
    at[8] = (arvo_row){
        .kind = ARVO_ROW_DEAD,
        .row = { .event.seq = 12, .attempts = 5, .due_ms = 77, .error = ARVO_STR("said \"no\"") }
    };
}

static arvo_digest
digest_of(const arvo_row *row)
{
    arvo_digest digest = { 0 };
    arvo_digest_add(&digest, row);
    return digest;
}

/* Through its line and back: the same digest, which is over every byte of it. */
static void
assert_round_trip(const arvo_row *row)
{
    arvo_arena *arena = arvo_arena_new(NULL);
    arvo_buf line = ARVO_BUF_INIT(1 << 20);
    arvo_error err = { 0 };
    arvo_row back;
    assert_int_equal(arvo_row_write(row, &line, &err), ARVO_OK);
    assert_null(memchr(line.ptr, '\n', line.len));
    if (arvo_row_parse(arvo_buf_str(&line), arena, &back, &err) != ARVO_OK)
        fail_msg("%s: %.*s", err.text, (int)line.len, line.ptr);
    const arvo_digest before = digest_of(row), after = digest_of(&back);
    assert_true(arvo_digest_equal(&before, &after));
    arvo_buf_fini(&line);
    arvo_arena_free(arena);
}

static void
test_transfer__rows_survive_as_lines_to_the_byte(void **state)
{
    (void)state;
    struct rows rows;
    rows_init(&rows);
    for (size_t i = 0; i < rows.count; i++)
        assert_round_trip(&rows.rows[i]);
    static const char *const texts[] = { "1.0",      " {}", "null",        "{\"a\":1,\"a\":2}",
                                         "not JSON", "",    "\"\\u0041\"", "[1, 2]",
                                         "1e3",      "-0",  "\"\xc3\xa9\"" };
    for (size_t i = 0; i < ARVO_COUNT_OF(texts); i++) {
        arvo_row row = rows.rows[4];
        row.row.event.json = arvo_str_from(texts[i]);
        assert_round_trip(&row);
        row = rows.rows[2];
        row.record.state = arvo_str_from(texts[i]);
        row.record.value = ARVO_STR_NONE;
        assert_round_trip(&row);
    }
    arvo_row row = rows.rows[2];
    row.record.parent_subject = ARVO_STR("with\0nul \"\\\n");
    assert_round_trip(&row);
}

static void
test_transfer__text_that_is_not_utf8_has_no_line(void **state)
{
    (void)state;
    arvo_row row = record_row(ARVO_STR("\xff"));
    arvo_buf line = ARVO_BUF_INIT(4096);
    arvo_error err = { 0 };
    assert_int_equal(arvo_row_write(&row, &line, &err), ARVO_E_INVALID);
    assert_non_null(strstr(err.text, "subject"));
    arvo_buf_fini(&line);
}

static void
test_transfer__lines_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "[]",
        "{}",
        "{\"kind\":\"spell\"}",
        "{\"kind\":\"store\",\"newestFence\":1}",
        "{\"kind\":\"store\",\"newestFence\":1,\"newestSeq\":\"2\"}",
        "{\"kind\":\"store\",\"newestFence\":1,\"newestSeq\":2,\"more\":3}",
        "{\"kind\":\"outbox\",\"seq\":1,\"attempts\":-1,\"due\":0,\"error\":null}",
        "{\"kind\":\"outbox\",\"seq\":1,\"attempts\":4294967296,\"due\":0,\"error\":null}",
        "{\"kind\":\"outbox\",\"seq\":1.5,\"attempts\":0,\"due\":0,\"error\":null}",
        "{\"kind\":\"definition\",\"hash\":null,\"document\":{}}",
        "{\"kind\":\"definition\",\"hash\":\"h\",\"document\":null}",
        "{\"kind\":\"definition\",\"hash\":\"h\",\"document\":{},\"documentText\":\"{}\"}",
        "{\"kind\":\"definition\",\"hash\":\"h\",\"documentText\":{}}",
    };
    arvo_arena *arena = arvo_arena_new(NULL);
    for (size_t i = 0; i < ARVO_COUNT_OF(lines); i++) {
        arvo_row row;
        arvo_error err = { 0 };
        if (arvo_row_parse(arvo_str_from(lines[i]), arena, &row, &err) != ARVO_E_INVALID)
            fail_msg("%s is taken", lines[i]);
        assert_true(err.text[0] != '\0');
    }
    arvo_arena_free(arena);
}

/* ---- Digests --------------------------------------------------------------- */

static void
test_transfer__digest_sees_every_field_and_no_order(void **state)
{
    (void)state;
    struct rows rows;
    rows_init(&rows);
    arvo_digest forward = { 0 }, backward = { 0 };
    for (size_t i = 0; i < rows.count; i++) {
        arvo_digest_add(&forward, &rows.rows[i]);
        arvo_digest_add(&backward, &rows.rows[rows.count - 1 - i]);
    }
    assert_true(arvo_digest_equal(&forward, &backward));
    char hex[ARVO_DIGEST_BYTES];
    arvo_digest_format(&forward, hex);
    /* Written down: it must never change. */
    assert_memory_equal(hex, "1551cd592374e4e58bc5da7238f658c3", sizeof(hex));

    arvo_row changed[8];
    for (size_t i = 0; i < ARVO_COUNT_OF(changed); i++)
        changed[i] = rows.rows[2];
    changed[0].record.parent_subject = ARVO_STR(""); /* none and empty differ */
    changed[1].record.revision++;
    changed[2].record.subject = ARVO_STR("onf");
    changed[3].record.orchestrator = ARVO_STR("arvo.orc.order1"); /* the border between two moves */
    changed[3].record.version = ARVO_STR(".0.0");
    changed[4].record.fence++;
    changed[5].record.updated_ms++;
    changed[6].record.input = ARVO_STR_NONE;
    changed[7] = rows.rows[7];
    changed[7].kind = ARVO_ROW_DEAD;
    const arvo_digest record = digest_of(&rows.rows[2]), outbox = digest_of(&rows.rows[7]);
    for (size_t i = 0; i < ARVO_COUNT_OF(changed); i++) {
        const arvo_digest other = digest_of(&changed[i]);
        assert_false(arvo_digest_equal(&other, i == 7 ? &outbox : &record));
    }
    const arvo_digest numbers = digest_of(&rows.rows[0]), nothing = { .rows = 1 };
    assert_true(arvo_digest_equal(&numbers, &nothing)); /* the store's own row does not count */
}

/* ---- A store that dumps what it is told -------------------------------------- */

static arvo_status
told_dump(void *self, arvo_row_fn each, void *user, arvo_error *err)
{
    struct rows *rows = self;
    (void)err;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &rows->dumped_with);
    for (size_t i = 0; i < rows->count && each(user, &rows->rows[i]); i++) {
    }
    return ARVO_OK;
}

static arvo_status
told_load(void *self, arvo_row_next next, void *user, arvo_error *err)
{
    (void)self, (void)next, (void)user;
    return arvo_error_set(err, ARVO_E_UNSUPPORTED, 0, "never");
}

static arvo_memory *
told_open(struct rows *rows)
{
    arvo_memory *plain = NULL, *told = NULL;
    assert_int_equal(arvo_memory_open("memory:", &plain, NULL), ARVO_OK);
    const arvo_memory_ops *simple = arvo_memory_ops_of(plain);
    const arvo_memory_ops ops = { .version = ARVO_MEMORY_OPS_VERSION,
                                  .name = "told",
                                  .read = simple->read,
                                  .write = simple->write,
                                  .lock = simple->lock,
                                  .unlock = simple->unlock,
                                  .dump = told_dump,
                                  .load = told_load };
    assert_int_equal(arvo_memory_new(&ops, rows, &told, NULL), ARVO_OK);
    arvo_memory_close(plain);
    return told;
}

/* ---- Consistency ------------------------------------------------------------- */

struct found {
    char text[4096];
    size_t count;
};

static bool
note_finding(void *user, arvo_str where, arvo_str what)
{
    struct found *found = user;
    const size_t at = strlen(found->text);
    (void)snprintf(
        found->text + at, sizeof(found->text) - at, "%.*s: %.*s\n", ARVO_FMT(where),
        ARVO_FMT(what));
    found->count++;
    return true;
}

static struct found
check(struct rows *rows)
{
    struct found found = { 0 };
    arvo_error err = { 0 };
    arvo_memory *memory = told_open(rows);
    if (arvo_memory_check(memory, note_finding, &found, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    arvo_memory_close(memory);
    return found;
}

static void
test_transfer__sound_store_has_no_findings(void **state)
{
    (void)state;
    struct rows rows;
    rows_init(&rows);
    const struct found found = check(&rows);
    assert_string_equal(found.text, "");
}

struct damage {
    const char *finding; /* where and the name */
    size_t row;
    void (*apply)(arvo_row *row);
};

#define DAMAGE(name, statement)                                                                    \
    static void damage_##name(arvo_row *row)                                                       \
    {                                                                                              \
        statement;                                                                                 \
    }
DAMAGE(hash, row->hash = ARVO_STR("other"))
DAMAGE(subject, row->record.subject = ARVO_STR("one"))
DAMAGE(value, row->record.value = ARVO_STR("{"))
DAMAGE(state, row->record.state = ARVO_STR("nothing"))
DAMAGE(input, row->record.input = ARVO_STR("'x'"))
DAMAGE(error, row->record.last_error = ARVO_STR("oops"))
DAMAGE(status, row->record.status = ARVO_STR("asleep"))
DAMAGE(done, row->record.status = ARVO_STR("done"))
DAMAGE(fence, row->record.fence = 10)
DAMAGE(time, row->record.updated_ms = 4)
DAMAGE(parent, row->record.parent_subject = ARVO_STR("gone"))
DAMAGE(early, row->row.event.seq = 10)
DAMAGE(late, row->row.event.seq = 31)
DAMAGE(json, row->row.event.json = ARVO_STR("[]"))
DAMAGE(id, row->row.event.id = ARVO_STR("f"))
DAMAGE(source, row->row.event.source = ARVO_STR("f"))
DAMAGE(type, row->row.event.type = ARVO_STR("f"))
DAMAGE(cause, row->cause = 9)
DAMAGE(effect, row->cause = 3)
DAMAGE(produced, row->cause = 11)
DAMAGE(stranger, row->row.event.subject = ARVO_STR("two"))
DAMAGE(again, (row->row.event.direction = ARVO_CONSUMED, row->cause = 0))
DAMAGE(absent, row->row.event.seq = 29)
DAMAGE(consumed, row->row.event.seq = 10)
DAMAGE(both, row->row.event.seq = 11)

static void
test_transfer__each_damage_is_found_and_named(void **state)
{
    (void)state;
    static const struct damage damages[] = {
        { "one: definition-missing", 1, damage_hash },
        { "one: record-twice", 3, damage_subject },
        { "one: record-json: its value", 2, damage_value },
        { "one: record-json: its state", 2, damage_state },
        { "one: record-json: its input", 2, damage_input },
        { "one: record-json: its last error", 2, damage_error },
        { "one: record-status", 2, damage_status },
        { "one: record-state: it is done", 2, damage_done },
        { "two: record-fence", 3, damage_fence },
        { "two: record-time", 3, damage_time },
        { "two: note: parent-missing", 3, damage_parent },
        { "event 10: event-order", 5, damage_early },
        { "event 31: event-order", 6, damage_late },
        { "event 11: event-json: it is not", 5, damage_json },
        { "event 11: event-json: its id", 5, damage_id },
        { "event 11: event-json: its source", 5, damage_source },
        { "event 11: event-json: its type", 5, damage_type },
        { "event 11: event-cause: what made it is not there", 5, damage_cause },
        { "event 10: event-cause: it was consumed", 4, damage_effect },
        { "event 12: event-cause: what made it was not consumed", 6, damage_produced },
        { "event 12: event-cause: what made it is of another", 6, damage_stranger },
        { "event 12: inbox-twice", 6, damage_again },
        { "outbox row 29: outbox-event: its event is not there", 7, damage_absent },
        { "outbox row 10: outbox-event: its event was consumed", 7, damage_consumed },
        { "dead letter 29: outbox-event", 8, damage_absent },
        { "dead letter 11: outbox-dead", 8, damage_both },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(damages); i++) {
        struct rows rows;
        rows_init(&rows);
        damages[i].apply(&rows.rows[damages[i].row]);
        const struct found found = check(&rows);
        if (strstr(found.text, damages[i].finding) == NULL)
            fail_msg("not found: %s; but: %s", damages[i].finding, found.text);
        assert_true(found.count <= 3);
    }
}

/* ---- Copies ---------------------------------------------------------------------- */

static char folder[256];

static int
make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/arvo-transfer-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int
remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = { "a.db", "a.db-wal", "a.db-shm", "a.db-lease" };
    for (size_t i = 0; i < ARVO_COUNT_OF(names); i++) {
        char path[320];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    return rmdir(folder);
}

static arvo_memory *
open_store(const char *url)
{
    arvo_memory *memory = NULL;
    arvo_error err = { 0 };
    if (arvo_memory_open(url, &memory, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    return memory;
}

/* More rows than two chunks of a copy hold. */
static void
fill(arvo_memory *memory)
{
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    for (int i = 0; i < 700; i++) {
        char id[32], json[96];
        (void)snprintf(id, sizeof(id), "e%d", i);
        (void)snprintf(
            json, sizeof(json), "{\"id\":\"%s\",\"source\":\"com.test\",\"type\":\"t\"}", id);
        arvo_stored_event in = store_event(id), out = store_event(id);
        in.json = out.json = arvo_str_from(json);
        in.type = out.type = ARVO_STR("t");
        char name[32];
        (void)snprintf(name, sizeof(name), "subject-%d", i % 50);
        const arvo_commit commit = {
            .subject = arvo_str_from(name), .consumed = &in, .produced = &out, .produced_count = 1
        };
        assert_int_equal(ops->commit(arvo_memory_self(memory), &commit, 1, NULL), ARVO_OK);
    }
}

static bool
count_progress(void *user, uint64_t rows)
{
    uint64_t *last = user;
    assert_true(rows > *last);
    *last = rows;
    return true;
}

static bool
give_up(void *user, uint64_t rows)
{
    (void)user;
    return rows < 600;
}

static void
test_transfer__copies_between_stores_have_one_digest(void **state)
{
    (void)state;
    arvo_memory *from = open_store("memory:?history=on");
    arvo_digest first, second, third;
    arvo_error err = { 0 };
    fill(from);
    assert_int_equal(arvo_store_digest(from, &first, &err), ARVO_OK);
    assert_int_equal(first.rows, 1 + 1400);
#ifdef ARVO_HAVE_SQLITE
    char url[320];
    (void)snprintf(url, sizeof(url), "sqlite:%s/a.db", folder);
    arvo_memory *middle = open_store(url);
    uint64_t rows = 0;
    assert_int_equal(arvo_store_copy(from, middle, give_up, NULL, NULL, &err), ARVO_E_TIMEOUT);
    if (arvo_store_copy(from, middle, count_progress, &rows, &second, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    assert_int_equal(rows, first.rows);
    assert_true(arvo_digest_equal(&first, &second));
    assert_int_equal(arvo_store_copy(from, middle, NULL, NULL, NULL, &err), ARVO_E_EXISTS);
#else
    arvo_memory *middle = from;
    second = first;
#endif
    arvo_memory *to = open_store("memory:?history=on");
    assert_int_equal(arvo_store_copy(middle, to, NULL, NULL, &third, &err), ARVO_OK);
    assert_true(arvo_digest_equal(&first, &third));
    arvo_memory_close(to);
    if (middle != from)
        arvo_memory_close(middle);
    arvo_memory_close(from);
}

/* A signal is for the program's own threads, which know what to do with it. */
static void
test_transfer__thread_that_reads_a_copy_gets_no_signals(void **state)
{
    (void)state;
    struct rows rows;
    rows_init(&rows);
    arvo_memory *told = told_open(&rows), *to = open_store("memory:?history=on");
    arvo_error err = { 0 };
    if (arvo_store_copy(told, to, NULL, NULL, NULL, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    assert_int_equal(sigismember(&rows.dumped_with, SIGTERM), 1);
    assert_int_equal(sigismember(&rows.dumped_with, SIGUSR1), 1);
    arvo_memory_close(to);
    arvo_memory_close(told);
}

static void
test_transfer__stores_without_dump_are_named(void **state)
{
    (void)state;
    struct rows rows;
    rows_init(&rows);
    arvo_memory *told = told_open(&rows);
    arvo_memory *plain = open_store("memory:");
    arvo_digest digest;
    arvo_error err = { 0 };
    assert_int_equal(arvo_store_digest(plain, &digest, &err), ARVO_E_UNSUPPORTED);
    assert_int_equal(arvo_store_copy(told, told, NULL, NULL, NULL, &err), ARVO_E_UNSUPPORTED);
    assert_int_equal(arvo_store_copy(plain, told, NULL, NULL, NULL, &err), ARVO_E_UNSUPPORTED);
    arvo_memory_close(plain);
    arvo_memory_close(told);
}

/* ---- URLs ------------------------------------------------------------------------ */

static void
test_transfer__urls_are_shown_without_passwords(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "memory:", "memory:" },
        { "", "" },
        { "sqlite:a.db?sync=normal", "sqlite:a.db?sync=normal" },
        { "postgres://ann@host/db", "postgres://ann@host/db" },
        { "postgres://ann:pw@host:5432/db", "postgres://ann:***@host:5432/db" },
        { "postgres://ann:p@w:x@host/db?a=b", "postgres://ann:***@host/db?a=b" },
        { "redis://:pw@host", "redis://:***@host" },
        { "postgres://host/db?user=x&password=pw&a=b",
          "postgres://host/db?user=x&password=***&a=b" },
        { "redis://host?token=pw", "redis://host?token=***" },
        { "postgres://host:5432/a@b", "postgres://host:5432/a@b" },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        arvo_buf shown = ARVO_BUF_INIT(1024);
        arvo_memory_url_show(arvo_str_from(cases[i][0]), &shown);
        arvo_buf_append_char(&shown, '\0');
        assert_string_equal(shown.ptr, cases[i][1]);
        arvo_buf_fini(&shown);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transfer__rows_survive_as_lines_to_the_byte),
        cmocka_unit_test(test_transfer__text_that_is_not_utf8_has_no_line),
        cmocka_unit_test(test_transfer__lines_that_are_none_are_refused),
        cmocka_unit_test(test_transfer__digest_sees_every_field_and_no_order),
        cmocka_unit_test(test_transfer__sound_store_has_no_findings),
        cmocka_unit_test(test_transfer__each_damage_is_found_and_named),
        cmocka_unit_test_setup_teardown(
            test_transfer__copies_between_stores_have_one_digest, make_folder, remove_folder),
        cmocka_unit_test(test_transfer__thread_that_reads_a_copy_gets_no_signals),
        cmocka_unit_test(test_transfer__stores_without_dump_are_named),
        cmocka_unit_test(test_transfer__urls_are_shown_without_passwords),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
