/* The SQLite store: the conformance suite, and what only a file can suffer: a full disk, a
 * read-only folder, foreign, damaged and newer files. */

#include "sqlite_fixture.h"

#include "log_fixture.h"

#ifdef ARVO_HAVE_SQLITE

/* ---- What is in the file ----------------------------------------------- */

static void
test_sqlite__everything_is_there_after_reopening(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("");
    uint64_t revision = 0;
    arvo_error err = { 0 };
    for (int i = 0; i < 3; i++)
        assert_int_equal(step(memory, &revision, &err), ARVO_OK);
    arvo_memory_close(memory);

    assert_int_equal(file_number("PRAGMA user_version"), SQL_SCHEMA_VERSION);
    assert_int_equal(file_number("PRAGMA application_id"), SQL_APPLICATION_ID);
    assert_int_equal(file_number("SELECT count(*) FROM event"), 6); /* each event once */
    assert_int_equal(file_number("SELECT count(*) FROM outbox"), 3);
    assert_int_equal(file_number("SELECT count(*) FROM definition"), 1);
    assert_true(file_number("SELECT newest_fence FROM store") >= 3);
    assert_int_equal(file_number("SELECT revision FROM record WHERE subject = 'subject'"), 3);
    /* JSON that SQL can ask. */
    assert_int_equal(file_number("SELECT state ->> '$.context.n' FROM record"), 1);
    assert_int_equal(
        file_number(
            "SELECT count(*) FROM event p JOIN event c ON p.cause = c.seq WHERE c.id = 'e-2'"),
        1);

    memory = open_or_fail("?mode=ro");
    assert_int_equal(revision_of(memory), 3);
    arvo_memory_close(memory);
}

static void
test_sqlite__fence_goes_on_after_reopening(void **state)
{
    (void)state;
    uint64_t newest = 0;
    for (int i = 0; i < 5; i++) {
        arvo_memory *memory = open_or_fail("?sync=normal");
        arvo_lease lease;
        bool is_acquired = false;
        assert_int_equal(take(memory, 0, &is_acquired, &lease, NULL), ARVO_OK);
        assert_true(is_acquired); /* the lease of a closed store is nobody's */
        assert_true(lease.fence > newest);
        newest = lease.fence;
        arvo_memory_close(memory);
    }
}

static void
test_sqlite__read_only_refuses_to_write(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("");
    uint64_t revision = 0;
    arvo_error err = { 0 };
    assert_int_equal(step(memory, &revision, &err), ARVO_OK);
    arvo_memory_close(memory);

    memory = open_or_fail("?mode=ro");
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    void *self = arvo_memory_self(memory);
    arvo_lease lease = { 0 };
    bool is_acquired = false;
    const arvo_record record = store_record(SUBJECT);
    const arvo_stored_event event = store_event("x");
    const arvo_commit commit = { .subject = SUBJECT, .produced = &event, .produced_count = 1 };
    assert_int_equal(take(memory, 0, &is_acquired, &lease, &err), ARVO_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "mode=ro"));
    assert_int_equal(ops->unlock(self, SUBJECT, &lease, &err), ARVO_E_UNSUPPORTED);
    assert_int_equal(ops->write(self, SUBJECT, &record, NULL, &lease, &err), ARVO_E_UNSUPPORTED);
    assert_int_equal(ops->commit(self, &commit, 1, &err), ARVO_E_UNSUPPORTED);
    assert_int_equal(ops->outbox_done(self, 2, &err), ARVO_E_UNSUPPORTED);
    arvo_memory_close(memory);
    assert_int_equal(file_number("SELECT count(*) FROM outbox"), 1);
}

/* ---- Files that are no stores ------------------------------------------ */

static void
test_sqlite__foreign_files_are_refused_and_left_alone(void **state)
{
    (void)state;
    static const char text[] = "This is a letter to my bank, not a database. It is long enough to "
                               "fill the header of one, though, which has a hundred bytes.\n";
    file_put(text, sizeof(text) - 1);
    assert_refused("", ARVO_E_CORRUPT, "not an SQLite database");
    struct stat info;
    assert_int_equal(stat(file_path(), &info), 0);
    assert_int_equal(info.st_size, sizeof(text) - 1);
    file_put("short", 5);
    assert_refused("", ARVO_E_CORRUPT, "not an SQLite database");

    remove_files();
    file_sql("CREATE TABLE customers (name TEXT); PRAGMA user_version=7");
    assert_refused("", ARVO_E_CORRUPT, "another program");
    assert_refused("?mode=ro", ARVO_E_CORRUPT, "another program");
    assert_int_equal(file_number("PRAGMA user_version"), 7);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(file_path(), &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "INSERT INTO customers VALUES ('a')", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void
test_sqlite__newer_schema_is_refused(void **state)
{
    (void)state;
    arvo_memory_close(open_or_fail(""));
    file_sql("PRAGMA user_version=3");
    assert_refused("", ARVO_E_VERSION, "newer Arvo");
    assert_refused("?mode=ro", ARVO_E_VERSION, "newer Arvo");
}

static void
test_sqlite__half_a_store_is_refused(void **state)
{
    (void)state;
    arvo_memory_close(open_or_fail(""));
    file_sql("DROP TABLE outbox");
    assert_refused("", ARVO_E_CORRUPT, "not a whole Arvo store");
}

static void
test_sqlite__damaged_pages_are_reported(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("");
    uint64_t revision = 0;
    arvo_error err = { 0 };
    for (int i = 0; i < 50; i++)
        assert_int_equal(step(memory, &revision, &err), ARVO_OK);
    arvo_memory_close(memory);

    struct stat info;
    assert_int_equal(stat(file_path(), &info), 0);
    FILE *file = fopen(file_path(), "r+b");
    assert_non_null(file);
    for (long at = 4096; at < (long)info.st_size; at++) {
        assert_int_equal(fseek(file, at, SEEK_SET), 0);
        assert_int_equal(fputc((int)(at * 37 % 251), file) < 0, 0);
    }
    fclose(file);

    memory = NULL;
    arvo_status st = arvo_memory_open(file_url(""), &memory, &err);
    if (st == ARVO_OK) {
        st = step(memory, &revision, &err);
        arvo_memory_close(memory);
    }
    assert_int_equal(st, ARVO_E_CORRUPT);
    assert_non_null(strstr(err.text, "t.db"));
    assert_non_null(strstr(err.text, "damaged"));
}

static bool
ignore_event(void *user, const arvo_stored_event *event)
{
    (void)user, (void)event;
    return true;
}

static bool
ignore_record(void *user, const arvo_record *record)
{
    (void)user, (void)record;
    return true;
}

/* A file whose tables take anything: nulls, blobs and numbers where texts belong. */
static void
test_sqlite__hostile_rows_do_no_harm(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "UPDATE instance SET orchestrator = NULL",
        "UPDATE instance SET status = NULL",
        "UPDATE instance SET revision = 0",
        "UPDATE instance SET state = x'00ff00ff', value = 5, input = 1.5",
        "UPDATE instance SET revision = 'many', fence = x'41'",
        "UPDATE event SET event = NULL",
        "UPDATE event SET source = 7, id = x'', domains = NULL",
        "UPDATE event SET direction = 'sideways', cause = -1, subject_id = 99",
        "UPDATE outbox SET seq = seq + 1000",
        "UPDATE subject SET subject = x'00'",
        "UPDATE subject SET hash = 'none'",
        "UPDATE store SET newest_fence = 'many', hash_seed = NULL",
        "DELETE FROM store",
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(rows); i++) {
        arvo_memory *memory = open_or_fail("");
        uint64_t revision = 0;
        arvo_error err = { 0 };
        assert_int_equal(step(memory, &revision, &err), ARVO_OK);
        arvo_memory_close(memory);
        file_sql("PRAGMA writable_schema=ON;"
                 "UPDATE sqlite_master SET sql = replace(replace(replace(sql, ' STRICT', ''), "
                 "' NOT NULL', ''), ') ,', ')') WHERE type = 'table' AND name NOT LIKE 'sqlite%';");
        file_sql(rows[i]);

        memory = NULL;
        const arvo_status opened = arvo_memory_open(file_url(""), &memory, &err);
        assert_int_equal(opened, i == 12 ? ARVO_E_CORRUPT : ARVO_OK);
        if (opened == ARVO_OK) {
            const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
            void *self = arvo_memory_self(memory);
            arvo_arena *arena = arvo_arena_new(NULL);
            arvo_record record;
            const arvo_record_query all = { 0 };
            arvo_lease lease;
            bool flag = false;
            arvo_status st[] = {
                ops->read(self, SUBJECT, arena, &flag, &record, &err),
                ops->list(self, &all, ignore_record, NULL, &err),
                ops->history(self, SUBJECT, ignore_event, NULL, &err),
                ops->outbox_list(self, 0, 0, ignore_event, NULL, &err),
                ops->inbox_find(
                    self, SUBJECT, ARVO_STR("com.test"), ARVO_STR("e-1"), &flag, ignore_event, NULL,
                    &err),
                ops->lock(self, ARVO_STR("other"), 1000, 0, &flag, &lease, &err),
            };
            for (size_t k = 0; k < ARVO_COUNT_OF(st); k++)
                assert_true(st[k] == ARVO_OK || st[k] == ARVO_E_CORRUPT);
            if (i < 3)
                assert_int_equal(st[0], ARVO_E_CORRUPT);
            if (i == 5)
                assert_int_equal(st[3], ARVO_E_CORRUPT);
            arvo_arena_free(arena);
            arvo_memory_close(memory);
        }
        remove_files();
    }
}

static void
test_sqlite__useless_paths_are_named(void **state)
{
    (void)state;
    assert_refused("?mode=ro", ARVO_E_IO, "no such file");
    file_put("", 0);
    assert_refused("?mode=ro", ARVO_E_CORRUPT, "empty");
    arvo_memory_close(open_or_fail("")); /* but an empty file may become a store */

    arvo_memory *memory = NULL;
    arvo_error err = { 0 };
    char url[PATH_BYTES + 64];
    (void)snprintf(url, sizeof(url), "sqlite:%s/nowhere/t.db", folder);
    assert_int_equal(arvo_memory_open(url, &memory, &err), ARVO_E_IO);
    assert_non_null(strstr(err.text, "nowhere"));
    assert_non_null(strstr(err.text, "create it"));
    (void)snprintf(url, sizeof(url), "sqlite:%s", folder);
    assert_int_equal(arvo_memory_open(url, &memory, &err), ARVO_E_IO);
    assert_non_null(strstr(err.text, "folder"));
}

/* Root may write anywhere, so a child becomes somebody else first. */
static void
test_sqlite__read_only_folder_is_named(void **state)
{
    (void)state;
    arvo_memory_close(open_or_fail(""));
    assert_int_equal(chmod(folder, 0555), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (geteuid() == 0 && setuid(NOBODY) != 0)
            _exit(9);
        arvo_memory *memory = NULL;
        arvo_error err = { 0 };
        if (arvo_memory_open(file_url(""), &memory, &err) != ARVO_E_IO)
            _exit(1);
        _exit(strstr(err.text, "not writable") != NULL ? 0 : 2);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 9) {
        print_message("cannot become another user: skipped\n");
        skip();
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- Full disk --------------------------------------------------------- */

static void
assert_full_then_well(arvo_memory *memory)
{
    uint64_t revision = 0, last = 0;
    arvo_error err = { 0 };
    arvo_status st = ARVO_OK;
    for (int i = 0; i < 5000 && st == ARVO_OK; i++) {
        last = revision;
        st = step(memory, &revision, &err);
    }
    assert_int_equal(st, ARVO_E_IO);
    assert_non_null(strstr(err.text, "disk is full"));
    assert_non_null(strstr(err.text, "nothing was written"));
    (void)last;
    assert_int_equal(revision_of(memory), revision); /* what was acknowledged, and no more */
}

static void
test_sqlite__full_file_loses_nothing(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("?pages=40");
    assert_full_then_well(memory);
    const uint64_t revision = revision_of(memory);
    arvo_memory_close(memory);
    memory = open_or_fail(""); /* room again */
    uint64_t next = 0;
    arvo_error err = { 0 };
    assert_int_equal(step(memory, &next, &err), ARVO_OK);
    assert_int_equal(next, revision + 1);
    arvo_memory_close(memory);
    assert_int_equal(file_number("SELECT count(*) FROM event"), (int64_t)(2 * next));
}

/* The same from the operating system: no file may grow past the limit. */
static void
test_sqlite__full_disk_loses_nothing(void **state)
{
    (void)state;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGXFSZ, SIG_IGN);
        arvo_memory *memory = open_or_fail("");
        const struct rlimit limit = { .rlim_cur = 300 * 1024, .rlim_max = RLIM_INFINITY };
        if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
            _exit(9);
        arvo_error err = { 0 };
        arvo_status st = ARVO_OK;
        uint64_t revision = 0;
        for (int i = 0; i < 5000 && st == ARVO_OK; i++)
            st = step(memory, &revision, &err);
        if (st != ARVO_E_IO || strstr(err.text, "disk is full") == NULL) {
            fprintf(stderr, "%s: %s\n", arvo_status_name(st), err.text);
            _exit(1);
        }
        if (revision_of(memory) != revision)
            _exit(2);
        _exit(0); /* as it stands, without a close */
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    arvo_memory *memory = open_or_fail("");
    uint64_t revision = 0;
    assert_int_equal(step(memory, &revision, NULL), ARVO_OK);
    arvo_memory_close(memory);
    assert_int_equal(file_number("SELECT count(*) FROM event"), (int64_t)(2 * revision));
}

/* ---- Schema ------------------------------------------------------------ */

static int
append_row(void *user, int count, char **values, char **names)
{
    (void)names;
    arvo_buf *out = user;
    for (int i = 0; i < count; i++)
        arvo_buf_printf(out, "%s|", values[i] != NULL ? values[i] : "null");
    arvo_buf_append_char(out, '\n');
    return 0;
}

/* Tables, columns, types, keys and indexes as text. */
static void
describe(sqlite3 *db, arvo_buf *out)
{
    static const char sql[] =
        "SELECT m.type, m.name, c.name, c.type, c.\"notnull\", c.pk FROM sqlite_master m "
        "JOIN pragma_table_xinfo(m.name) c WHERE m.type IN ('table', 'view') "
        "AND m.name NOT LIKE 'sqlite%' ORDER BY m.name, c.cid;"
        "SELECT m.name, x.\"unique\", c.name FROM sqlite_master m "
        "JOIN pragma_index_list(m.name) x JOIN pragma_index_info(x.name) c "
        "WHERE m.type = 'table' ORDER BY m.name, x.name, c.seqno;"
        "SELECT name, strict, wr FROM pragma_table_list WHERE schema = 'main' ORDER BY name";
    assert_int_equal(sqlite3_exec(db, sql, append_row, out, NULL), SQLITE_OK);
    arvo_buf_append_char(out, '\0');
    assert_int_equal(out->status, ARVO_OK);
}

static void
describe_file(arvo_buf *out)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(file_path(), &db), SQLITE_OK);
    describe(db, out);
    sqlite3_close(db);
}

/* ---- Migration --------------------------------------------------------- */

static void
test_sqlite__migration_goes_step_by_step_or_not_at_all(void **state)
{
    (void)state;
    static const struct sqlite_migration steps[] = {
        { 2, 3, "ALTER TABLE instance ADD COLUMN extra TEXT" },
        { 3, 4, "CREATE TABLE more (x INTEGER) STRICT; INSERT INTO more VALUES (5)" },
        { 4, 5, "THIS IS NOT SQL" },
        { 0, 0, NULL },
    };
    arvo_memory *memory = open_or_fail("");
    uint64_t revision = 0;
    arvo_error err = { 0 };
    assert_int_equal(step(memory, &revision, &err), ARVO_OK);
    arvo_memory_close(memory);

    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(file_path(), &db), SQLITE_OK);
    assert_int_equal(arvo__sqlite_migrate(db, "t.db", steps, 5, &err), ARVO_E_IO);
    assert_non_null(strstr(err.text, "version 4"));
    assert_int_equal(file_number("PRAGMA user_version"), 2); /* nothing was changed */
    assert_int_equal(file_number("SELECT count(*) FROM sqlite_master WHERE name = 'more'"), 0);
    assert_int_equal(arvo__sqlite_migrate(db, "t.db", steps, 4, &err), ARVO_OK);
    assert_int_equal(arvo__sqlite_migrate(db, "t.db", steps, 4, &err), ARVO_OK); /* no more to do */
    assert_int_equal(arvo__sqlite_migrate(db, "t.db", &steps[2], 9, &err), ARVO_E_IO);
    assert_int_equal(arvo__sqlite_migrate(db, "t.db", &steps[3], 9, &err), ARVO_E_VERSION);
    sqlite3_close(db);
    assert_int_equal(file_number("PRAGMA user_version"), 4);
    assert_int_equal(file_number("SELECT x FROM more"), 5);
    assert_int_equal(file_number("SELECT revision FROM record"), 1);
    assert_refused("", ARVO_E_VERSION, "newer Arvo");
}

/* As the first version made it; never changed. */
static const char schema_v1[] =
    "CREATE TABLE subject ("
    " id INTEGER PRIMARY KEY,"
    " subject TEXT NOT NULL UNIQUE"
    ") STRICT;"
    "CREATE TABLE instance ("
    " id INTEGER PRIMARY KEY REFERENCES subject (id),"
    " revision INTEGER NOT NULL,"
    " fence INTEGER NOT NULL,"
    " created_ms INTEGER NOT NULL,"
    " updated_ms INTEGER NOT NULL,"
    " status TEXT NOT NULL,"
    " orchestrator TEXT NOT NULL,"
    " version TEXT NOT NULL,"
    " definition TEXT,"
    " parent_subject TEXT,"
    " value TEXT,"
    " last_error TEXT,"
    " input TEXT,"
    " state TEXT"
    ") STRICT;"
    "CREATE INDEX instance_status ON instance (status);"
    "CREATE TABLE definition ("
    " hash TEXT NOT NULL PRIMARY KEY,"
    " document TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE event ("
    " seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    " subject_id INTEGER NOT NULL REFERENCES subject (id),"
    " direction INTEGER NOT NULL,"
    " cause INTEGER NOT NULL,"
    " time_ms INTEGER NOT NULL,"
    " id TEXT NOT NULL,"
    " source TEXT NOT NULL,"
    " type TEXT NOT NULL,"
    " domains TEXT NOT NULL,"
    " event TEXT NOT NULL"
    ") STRICT;"
    "CREATE INDEX event_subject ON event (subject_id, direction, source, id);"
    "CREATE TABLE outbox ("
    " seq INTEGER PRIMARY KEY REFERENCES event (seq)"
    ") STRICT;"
    "CREATE TABLE fence (newest INTEGER NOT NULL) STRICT;"
    "INSERT INTO fence (newest) VALUES (0);"
    "CREATE TABLE lease ("
    " subject TEXT NOT NULL PRIMARY KEY,"
    " fence INTEGER NOT NULL,"
    " token BLOB NOT NULL,"
    " expires_ms INTEGER NOT NULL,"
    " owner INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE VIEW record AS"
    " SELECT s.subject, i.parent_subject, i.orchestrator, i.version, i.status, i.value, i.state,"
    " i.last_error, i.input, i.definition, i.revision, i.fence, i.created_ms, i.updated_ms"
    " FROM instance i JOIN subject s ON s.id = i.id;";

struct claimed {
    int64_t seqs[4];
    size_t count;
};

static bool
note_claimed(void *user, const arvo_outbox_row *row)
{
    struct claimed *claimed = user;
    assert_true(claimed->count < ARVO_COUNT_OF(claimed->seqs));
    claimed->seqs[claimed->count++] = row->event.seq;
    return true;
}

/* A file of the first version, with two workflows in it, goes on where it stood. */
static void
test_sqlite__first_schema_is_brought_up_to_date(void **state)
{
    (void)state;
    file_sql(schema_v1);
    file_sql(
        "PRAGMA application_id=1098020463; PRAGMA user_version=1; PRAGMA journal_mode=WAL;"
        "UPDATE fence SET newest = 70;"
        "INSERT INTO subject VALUES (3, 'subject'), (9, 'other');"
        "INSERT INTO instance VALUES (3, 4, 69, 1000, 2000, 'active', 'arvo.orc.order', '1.0.0',"
        " 'h', NULL, '\"charge\"', NULL, NULL, '{}');"
        "INSERT INTO definition VALUES ('h', '{}');"
        "INSERT INTO event VALUES (11, 3, 0, 0, 1500, 'e-4', 'com.test', 't', '[]', '{}');"
        "INSERT INTO event VALUES (12, 3, 1, 11, 1500, 'x', 'com.test', 't', '[]', '{}');"
        "INSERT INTO event VALUES (13, 3, 1, 11, 1500, 'y', 'com.test', 't', '[]', '{}');"
        "INSERT INTO event VALUES (14, 9, 1, 0, 1500, 'z', 'com.test', 't', '[]', '{}');"
        "INSERT INTO outbox VALUES (12), (13), (14);"
        "INSERT INTO lease VALUES ('subject', 70, x'00', 9000000000000, 0)");
    assert_refused("?mode=ro", ARVO_E_VERSION, "up to date");
    store_log log;
    arvo_memory *memory = store_log_open(&log, file_url(""));
    char says[64];
    (void)snprintf(says, sizeof(says), ": schema version 1 became %d", SQL_SCHEMA_VERSION);
    assert_int_equal(log.infos, 1);
    assert_int_equal(log.warnings + log.others, 0);
    assert_non_null(strstr(log.info, says));
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    arvo_error err = { 0 };
    uint64_t revision = 0;
    bool is_found = false;
    assert_int_equal(revision_of(memory), 4);
    assert_int_equal(
        ops->inbox_find(
            arvo_memory_self(memory), SUBJECT, ARVO_STR("com.test"), ARVO_STR("e-4"), &is_found,
            NULL, NULL, &err),
        ARVO_OK);
    assert_true(is_found);
    struct claimed claimed = { 0 };
    const arvo_claim claim = { .token = "ann" };
    assert_int_equal(
        ops->outbox_claim(arvo_memory_self(memory), &claim, note_claimed, &claimed, &err), ARVO_OK);
    assert_int_equal(claimed.count, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(claimed.seqs[i], 12 + i);
    assert_int_equal(file_number("SELECT count(*) FROM outbox WHERE head_ms > 0"), 2);
    arvo_lease lease;
    bool is_acquired = false;
    assert_int_equal(take(memory, 0, &is_acquired, &lease, &err), ARVO_OK);
    assert_true(lease.fence > 70);
    assert_int_equal(ops->unlock(arvo_memory_self(memory), SUBJECT, &lease, &err), ARVO_OK);
    assert_int_equal(step(memory, &revision, &err), ARVO_OK);
    assert_int_equal(revision, 5);
    arvo_memory_close(memory);
    assert_int_equal(file_number("PRAGMA user_version"), SQL_SCHEMA_VERSION);
    assert_int_equal(file_number("SELECT count(*) FROM subject"), 2);
    assert_int_equal(file_number("SELECT seq FROM outbox ORDER BY seq LIMIT 1"), 12);
    assert_int_equal(file_number("SELECT min(seq) FROM event WHERE seq > 14"), 15);

    /* It is the same as one made today. */
    arvo_buf migrated = ARVO_BUF_INIT(65536), fresh = ARVO_BUF_INIT(65536);
    describe_file(&migrated);
    remove_files();
    arvo_memory_close(open_or_fail(""));
    describe_file(&fresh);
    assert_string_equal(migrated.ptr, fresh.ptr);
    arvo_buf_fini(&migrated);
    arvo_buf_fini(&fresh);
}

/* ---- What statements cost -------------------------------------------------- */

static const struct {
    const char *name, *sql;
} statements[] = {
#define STATEMENT_TEXT(name, sql) { #name, sql },
    SQL_STATEMENTS(STATEMENT_TEXT)
#undef STATEMENT_TEXT
};

/* Whatever waits: what is done per commit, claim or delivery goes by an index, and sorts nothing.
 */
static void
test_sqlite__deliveries_go_by_indexes(void **state)
{
    (void)state;
    arvo_memory_close(open_or_fail(""));
    sqlite3 *db = NULL;
    size_t seen = 0;
    assert_int_equal(sqlite3_open(file_path(), &db), SQLITE_OK);
    for (size_t i = 0; i < ARVO_COUNT_OF(statements); i++) {
        const char *name = statements[i].name;
        if (strncmp(name, "OUTBOX_", 7) != 0 && strncmp(name, "DEAD_", 5) != 0 &&
            strcmp(name, "PURGE_STILL") != 0 && strcmp(name, "PURGE_EVENTS") != 0)
            continue;
        seen++;
        char sql[2048];
        sqlite3_stmt *stmt = NULL;
        (void)snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", statements[i].sql);
        if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
            fail_msg("%s: %s", name, sqlite3_errmsg(db));
        while (sqlite3_step(stmt) == SQLITE_ROW) {
            const char *detail = (const char *)sqlite3_column_text(stmt, 3);
            /* In the order in which they are listed. */
            const bool is_listing =
                strcmp(name, "OUTBOX_LIST") == 0 || strcmp(name, "DEAD_LIST") == 0;
            if ((strncmp(detail, "SCAN", 4) == 0 && !is_listing &&
                 strstr(detail, "outbox_head") == NULL) ||
                strstr(detail, "TEMP B-TREE") != NULL)
                fail_msg("%s: %s", name, detail);
        }
        sqlite3_finalize(stmt);
    }
    assert_true(seen >= 20);
    sqlite3_close(db);
}

/* 200,000 rows behind one that is not due, and a thousand subjects that sleep: to claim the one
 * that is ready reads a few pages. */
static void
test_sqlite__claim_reads_no_more_than_it_takes(void **state)
{
    (void)state;
    arvo_memory_close(open_or_fail(""));
    file_sql(
        "PRAGMA synchronous=OFF; BEGIN;"
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
        " INSERT INTO subject (id, hash, subject) SELECT i, i, 's' || i FROM n;"
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)"
        " INSERT INTO event SELECT i, CASE WHEN i <= 1000 THEN i ELSE 1 END, 1, 0, 0, i, 's', 't',"
        " '[]', '{}' FROM n;"
        "INSERT INTO outbox (seq, subject_id, head_ms, due_ms)"
        " SELECT seq, subject_id, CASE WHEN seq < 1000 THEN 9e15 WHEN seq = 1000 THEN 0 END,"
        " CASE WHEN seq < 1000 THEN 9e15 ELSE 0 END FROM event; COMMIT");
    arvo_memory *memory = open_or_fail("");
    struct sqlite_store *store = arvo_memory_self(memory);
    struct claimed claimed = { 0 };
    const arvo_claim claim = { .token = "ann" };
    int before = 0, after = 0, high = 0;
    assert_int_equal(
        sqlite3_db_status(store->writer.conn.db, SQLITE_DBSTATUS_CACHE_MISS, &before, &high, 0),
        SQLITE_OK);
    assert_int_equal(
        arvo_memory_ops_of(memory)->outbox_claim(store, &claim, note_claimed, &claimed, NULL),
        ARVO_OK);
    assert_int_equal(
        sqlite3_db_status(store->writer.conn.db, SQLITE_DBSTATUS_CACHE_MISS, &after, &high, 0),
        SQLITE_OK);
    assert_int_equal(claimed.count, 1);
    assert_int_equal(claimed.seqs[0], 1000);
    assert_true(after - before <= 30);
    arvo_memory_close(memory);
}

/* ---- The documentation -------------------------------------------------- */

/* The n-th sql block of docs/store-format.md, to be freed; NULL when the source is not there. */
static char *
documented_sql(int n)
{
    const char *root = getenv("ARVO_SOURCE_ROOT");
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof(path), "%s/docs/store-format.md", root != NULL ? root : ".");
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    static char text[64 * 1024];
    const size_t len = fread(text, 1, sizeof(text) - 1, file);
    text[len] = '\0';
    (void)fclose(file);
    char *at = text;
    for (int i = 0; i <= n && at != NULL; i++) {
        at = strstr(at, "```sql\n");
        at = at != NULL ? at + 7 : NULL;
    }
    if (at == NULL)
        return NULL;
    char *const end = strstr(at, "```");
    assert_non_null(end);
    *end = '\0';
    return strdup(at);
}

static void
test_sqlite__schema_is_as_documented(void **state)
{
    (void)state;
    char *schema = documented_sql(0), *questions = documented_sql(1);
    if (schema == NULL || questions == NULL) {
        print_message("docs/store-format.md is not here: skipped\n");
        free(schema);
        skip();
    }
    arvo_buf expected = ARVO_BUF_INIT(65536), got = ARVO_BUF_INIT(65536);
    sqlite3 *db = NULL;
    char *message = NULL;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    if (sqlite3_exec(db, schema, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("the documented schema: %s", message);
    describe(db, &expected);
    sqlite3_close(db);

    arvo_memory *memory = open_or_fail("");
    uint64_t revision = 0;
    assert_int_equal(step(memory, &revision, NULL), ARVO_OK);
    arvo_memory_close(memory);
    assert_int_equal(sqlite3_open(file_path(), &db), SQLITE_OK);
    describe(db, &got);
    assert_string_equal(got.ptr, expected.ptr);
    if (sqlite3_exec(db, questions, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("the documented questions: %s", message);
    sqlite3_close(db);
    arvo_buf_fini(&expected);
    arvo_buf_fini(&got);
    free(schema);
    free(questions);
}

int
main(void)
{
#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(test_sqlite__##name, setup_folder, teardown_folder)
    const struct CMUnitTest tests[] = {
        CASE(everything_is_there_after_reopening),
        CASE(fence_goes_on_after_reopening),
        CASE(read_only_refuses_to_write),
        CASE(foreign_files_are_refused_and_left_alone),
        CASE(newer_schema_is_refused),
        CASE(half_a_store_is_refused),
        CASE(damaged_pages_are_reported),
        CASE(hostile_rows_do_no_harm),
        CASE(useless_paths_are_named),
        CASE(read_only_folder_is_named),
        CASE(full_file_loses_nothing),
        CASE(full_disk_loses_nothing),
        CASE(migration_goes_step_by_step_or_not_at_all),
        CASE(first_schema_is_brought_up_to_date),
        CASE(deliveries_go_by_indexes),
        CASE(claim_reads_no_more_than_it_takes),
        CASE(schema_is_as_documented),
    };
    static char normal[] = "?sync=normal", full[] = "";
    int failed = store_conformance_run(&(store_factory){ .name = "sqlite",
                                                         .open = open_fresh,
                                                         .discard = discard_fresh,
                                                         .user = full,
                                                         .many = 200 });
    failed += store_conformance_run(&(store_factory){ .name = "sqlite sync=normal",
                                                      .open = open_fresh,
                                                      .discard = discard_fresh,
                                                      .user = normal,
                                                      .many = 1000 });
    failed += cmocka_run_group_tests_name("sqlite only", tests, NULL, NULL);
    return failed != 0;
}

#else

int
main(void)
{
    printf("built without SQLite: skipped\n");
    return 77;
}

#endif
