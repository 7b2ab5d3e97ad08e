/* Stored records. Laws: what parses is written and parsed again as the same
 * record; a store gives back what it was given; a failed parse leaves the arena
 * as it was. Behind a byte 0 the input is a script instead: locks, commits and
 * jumps of the clock on one store, held against a model of what has to come.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arvo/memory.h>

#define SUBJECTS 4
#define LEASES   4
#define TTL_MS   100

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

static bool
str_same(arvo_str a, arvo_str b)
{
    return (a.ptr == NULL) == (b.ptr == NULL) && arvo_str_equal(a, b);
}

static void
check_same(const arvo_record *a, const arvo_record *b)
{
    CHECK(str_same(a->subject, b->subject) && str_same(a->parent_subject, b->parent_subject));
    CHECK(str_same(a->orchestrator, b->orchestrator) && str_same(a->version, b->version));
    CHECK(str_same(a->status, b->status) && str_same(a->value, b->value));
    CHECK(str_same(a->state, b->state) && str_same(a->last_error, b->last_error));
    CHECK(str_same(a->input, b->input) && str_same(a->definition, b->definition));
}

/* ---- One record -------------------------------------------------------- */

static void
store_and_read(const arvo_record *record, arvo_arena *arena)
{
    arvo_memory *memory = NULL;
    CHECK(arvo_memory_open("memory:?inbox_bytes=0", &memory, NULL) == ARVO_OK);
    const arvo_memory_ops *const ops = arvo_memory_ops_of(memory);
    void *const self = arvo_memory_self(memory);
    arvo_lease lease;
    arvo_record got;
    bool flag = false;
    arvo_status st = ops->lock(self, record->subject, 0, 0, &flag, &lease, NULL);
    CHECK(st == (record->subject.len == 0 ? ARVO_E_INVALID : ARVO_OK));
    if (st == ARVO_OK) {
        st = ops->write(self, record->subject, record, NULL, &lease, NULL);
        CHECK(st == ARVO_OK || st == ARVO_E_INVALID);
    }
    if (st == ARVO_OK) {
        CHECK(ops->read(self, record->subject, arena, &flag, &got, NULL) == ARVO_OK && flag);
        check_same(&got, record);
        CHECK(got.revision == 1);
    }
    arvo_memory_close(memory);
}

static void
fuzz_parse(arvo_str text, arvo_arena *arena)
{
    arvo_record record, again;
    arvo_error err = { 0 };
    const size_t used = arvo_arena_used(arena);
    if (arvo_record_parse(text, arena, &record, &err) != ARVO_OK) {
        CHECK(err.status == ARVO_E_CORRUPT && err.text[0] != '\0');
        CHECK(arvo_arena_used(arena) == used);
        return;
    }
    arvo_buf out = ARVO_BUF_INIT(ARVO_RECORD_BYTES_MAX);
    arvo_record_write(&record, &out);
    CHECK(out.status == ARVO_OK);
    CHECK(arvo_record_parse(arvo_buf_str(&out), arena, &again, NULL) == ARVO_OK);
    check_same(&record, &again);
    CHECK(record.revision == again.revision && record.fence == again.fence);
    CHECK(record.created_ms == again.created_ms && record.updated_ms == again.updated_ms);
    arvo_buf_fini(&out);
    store_and_read(&record, arena);
}

/* ---- A script ---------------------------------------------------------- */

struct model {
    uint64_t revision;
    uint64_t fence;     /* of the newest lease */
    int64_t expires_ms; /* of the holder; 0: nobody holds it */
    bool consumed[256]; /* ids, all of them within the inbox */
    size_t consumed_count;
    size_t outbox;
};

struct script {
    int64_t now_ms;
    arvo_platform platform;
    const arvo_memory_ops *ops;
    void *self;
    arvo_arena *arena;
    struct model models[SUBJECTS];
    arvo_lease leases[SUBJECTS][LEASES]; /* the newest ones, good or lost */
    size_t lease_count[SUBJECTS];
    char state[4096];
};

static int64_t
script_time_ms(void *self)
{
    return ((struct script *)self)->now_ms;
}

static bool
script_random(void *self, void *bytes, size_t len)
{
    (void)self;
    memset(bytes, 7, len);
    return true;
}

static arvo_str
subject_of(size_t i)
{
    static const char *const names[SUBJECTS] = { "a", "bb", "ccc", "dddddddddddddddddddd" };
    return arvo_str_from(names[i]);
}

static void
script_lock(struct script *s, size_t i)
{
    struct model *const m = &s->models[i];
    arvo_lease lease = { 0 };
    bool got = false;
    CHECK(s->ops->lock(s->self, subject_of(i), TTL_MS, 0, &got, &lease, NULL) == ARVO_OK);
    CHECK(got == (m->expires_ms <= s->now_ms));
    if (!got)
        return;
    CHECK(lease.fence > m->fence && lease.expires_ms == s->now_ms + TTL_MS);
    m->fence = lease.fence;
    m->expires_ms = lease.expires_ms;
    s->leases[i][s->lease_count[i]++ % LEASES] = lease;
}

static void
script_unlock(struct script *s, size_t i, size_t which)
{
    if (s->lease_count[i] == 0)
        return;
    const arvo_lease *const lease = &s->leases[i][which % LEASES];
    CHECK(s->ops->unlock(s->self, subject_of(i), lease, NULL) == ARVO_OK);
    if (lease->fence == s->models[i].fence)
        s->models[i].expires_ms = 0;
}

static bool
count_row(void *user, const arvo_stored_event *event)
{
    (void)event;
    (*(size_t *)user)++;
    return true;
}

static void
script_commit(struct script *s, size_t i, uint8_t what, uint8_t id, uint8_t size)
{
    struct model *const m = &s->models[i];
    char id_text[2] = { (char)(id | 1), 'x' };
    const arvo_record record = { .subject = subject_of(i),
                                 .orchestrator = ARVO_STR("o"),
                                 .version = ARVO_STR("1.0.0"),
                                 .status = ARVO_STR("active"),
                                 .state = { s->state, (size_t)size * 16 } };
    const arvo_stored_event event = { .id = { id_text, 2 },
                                      .source = ARVO_STR("s"),
                                      .type = ARVO_STR("t"),
                                      .domains = ARVO_STR("[]"),
                                      .json = { s->state, (size_t)size } };
    const arvo_stored_event events[] = { event, event, event };
    const arvo_lease *const lease = &s->leases[i][what % LEASES];
    const uint64_t wrong = (what & 64) != 0;
    const bool has_event = (what & 16) == 0;
    const arvo_commit commit = { .subject = record.subject,
                                 .lease = lease,
                                 .release = (what & 32) != 0,
                                 .record = &record,
                                 .previous_revision = m->revision + wrong,
                                 .consumed = has_event ? &event : NULL,
                                 .produced = events,
                                 .produced_count = (what >> 2) % 4 };
    if (s->lease_count[i] == 0 || (has_event && m->consumed_count == 16 && !m->consumed[id | 1]))
        return;
    arvo_status expected = ARVO_OK;
    if (lease->fence != m->fence || m->expires_ms <= s->now_ms)
        expected = ARVO_E_STALE;
    else if (has_event && m->consumed[id | 1])
        expected = ARVO_E_EXISTS;
    else if (wrong)
        expected = ARVO_E_STALE;
    CHECK(s->ops->commit(s->self, &commit, 1, NULL) == expected);
    if (expected != ARVO_OK)
        return;
    m->revision++;
    m->outbox += commit.produced_count;
    if (commit.release)
        m->expires_ms = 0;
    if (has_event) {
        m->consumed[id | 1] = true;
        m->consumed_count++;
        size_t rows = 0;
        bool found = false;
        CHECK(
            s->ops->inbox_find(
                s->self, record.subject, event.source, event.id, &found, count_row, &rows, NULL) ==
            ARVO_OK);
        CHECK(found && rows == commit.produced_count);
    }
    arvo_record got;
    bool found = false;
    CHECK(s->ops->read(s->self, record.subject, s->arena, &found, &got, NULL) == ARVO_OK);
    CHECK(found && got.revision == m->revision && got.fence == m->fence);
    check_same(&got, &record);
    arvo_arena_reset(s->arena);
}

static void
fuzz_script(const uint8_t *data, size_t size, arvo_arena *arena)
{
    static const arvo_platform platform = { .version = ARVO_PLATFORM_OPS_VERSION,
                                            .time_ms = script_time_ms,
                                            .monotonic_ns = script_time_ms,
                                            .random = script_random };
    struct script *const s = calloc(1, sizeof(*s));
    arvo_memory *memory = NULL;
    CHECK(s != NULL);
    s->now_ms = 1000;
    s->platform = platform;
    s->platform.self = s;
    s->arena = arena;
    memset(s->state, 's', sizeof(s->state));
    CHECK(arvo_memory_open_with("memory:?history=on", &s->platform, &memory, NULL) == ARVO_OK);
    s->ops = arvo_memory_ops_of(memory);
    s->self = arvo_memory_self(memory);
    size_t rows = 0, produced = 0;
    CHECK(s->ops->outbox_list(s->self, 0, 0, count_row, &rows, NULL) == ARVO_OK && rows == 0);

    for (size_t at = 0; at + 4 <= size && at < 4096; at += 4) {
        const size_t i = data[at] / 4 % SUBJECTS;
        switch (data[at] % 4) {
        case 0:
            script_lock(s, i);
            break;
        case 1:
            script_unlock(s, i, data[at + 1]);
            break;
        case 2:
            script_commit(s, i, data[at + 1], data[at + 2], data[at + 3]);
            break;
        default:
            s->now_ms += data[at + 1] % 64;
            break;
        }
    }
    for (size_t i = 0; i < SUBJECTS; i++)
        produced += s->models[i].outbox;
    CHECK(s->ops->outbox_list(s->self, 0, SIZE_MAX, count_row, &rows, NULL) == ARVO_OK);
    CHECK(rows == produced);
    arvo_memory_close(memory);
    free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arvo_arena *const arena = arvo_arena_new(NULL);
    CHECK(arena != NULL);
    if (size > 0 && data[0] == 0)
        fuzz_script(data + 1, size - 1, arena);
    else
        fuzz_parse((arvo_str){ (const char *)data, size }, arena);
    arvo_arena_free(arena);
    return 0;
}
