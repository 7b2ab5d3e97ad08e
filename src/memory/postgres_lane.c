/* Group commit: what many threads want at once goes to the server as one call.
 *
 *   thread: put the operation in line --> done by somebody? --yes--> return
 *                  ^                          | no
 *                  |                 fewer than running_max at the server?
 *                  +--- sleep <--- no ---+--- yes: lead: take a group from the head of the line,
 *                                              run it, wake its threads and the next leader
 *
 * Nobody waits for company: alone, an operation goes at once; while groups are at the server, the
 * line grows, and the next group takes all of it. Of one subject (key) a group has one operation
 * at most; a second one stays in line, before all that come after it.
 */

#include "arvo_config.h"

#ifdef ARVO_HAVE_POSTGRES

#include "memory/postgres.h"

#define KEY_SLOTS 4096u /* power of two, much more than keys of a group */
#define KEYS_MAX  (KEY_SLOTS / 2)

/* The keys of a group so far. */
struct lane_keys {
    uint64_t slots[KEY_SLOTS];
    size_t count;
};

static bool
keys_have(const struct lane_keys *keys, uint64_t key)
{
    for (size_t at = key & (KEY_SLOTS - 1); keys->slots[at] != 0; at = (at + 1) & (KEY_SLOTS - 1)) {
        if (keys->slots[at] == key)
            return true;
    }
    return false;
}

static void
keys_add(struct lane_keys *keys, uint64_t key)
{
    if (keys->count >= KEYS_MAX || keys_have(keys, key))
        return;
    size_t at = key & (KEY_SLOTS - 1);
    while (keys->slots[at] != 0)
        at = (at + 1) & (KEY_SLOTS - 1);
    keys->slots[at] = key;
    keys->count++;
}

bool
arvo__pg_lane_init(
    struct postgres_lane *lane, int running_max,
    void (*run)(struct postgres_store *store, struct postgres_op **ops, size_t count))
{
    *lane = (struct postgres_lane){ .running_max = running_max, .run = run };
    return pthread_mutex_init(&lane->mutex, NULL) == 0;
}

static bool
op_fits(const struct postgres_op *op, const struct lane_keys *keys, size_t count, size_t bytes)
{
    if (count == 0)
        return true;
    if (count >= PG_GROUP_MAX || bytes + op->bytes > PG_GROUP_BYTES_MAX ||
        keys->count + op->key_count > KEYS_MAX)
        return false;
    for (size_t i = 0; i < op->key_count; i++) {
        if (keys_have(keys, op->keys[i]))
            return false;
    }
    return true;
}

/* Take a group out of the line. With the mutex held. */
static size_t
lane_pick(struct postgres_lane *lane, struct postgres_op *ops[PG_GROUP_MAX])
{
    struct lane_keys keys = { .count = 0 };
    size_t count = 0, bytes = 0;
    struct postgres_op **link = &lane->first, *last = NULL;
    while (*link != NULL) {
        struct postgres_op *op = *link;
        const bool fits = op_fits(op, &keys, count, bytes);
        /* One that stays keeps those of its subjects behind it. */
        for (size_t i = 0; i < op->key_count; i++)
            keys_add(&keys, op->keys[i]);
        if (fits) {
            *link = op->next;
            ops[count++] = op;
            bytes += op->bytes;
        } else {
            last = op;
            link = &op->next;
            if (count >= PG_GROUP_MAX || keys.count >= KEYS_MAX)
                break;
        }
    }
    while (*link != NULL) {
        last = *link;
        link = &last->next;
    }
    lane->last = last;
    return count;
}

/* With the mutex held, which it lets go of while the group is at the server. */
static void
lane_lead(struct postgres_store *store, struct postgres_lane *lane)
{
    struct postgres_op *ops[PG_GROUP_MAX];
    const size_t count = lane_pick(lane, ops);
    lane->running++;
    (void)pthread_mutex_unlock(&lane->mutex);
    lane->run(store, ops, count);
    (void)pthread_mutex_lock(&lane->mutex);
    lane->running--;
    if (lane->first != NULL)
        (void)pthread_cond_signal(&lane->first->cond);
    for (size_t i = 0; i < count; i++) {
        ops[i]->is_done = true;
        (void)pthread_cond_signal(&ops[i]->cond);
    }
}

void
arvo__pg_run_group(
    struct postgres_store *store, struct postgres_op **ops, size_t count, postgres_group_fn *group)
{
    arvo_error err = { 0 };
    const arvo_status st = group(store, ops, count, &err);
    if (st == ARVO_OK)
        return;
    const bool is_refused = st != ARVO_E_IO && st != ARVO_E_TIMEOUT && st != ARVO_E_NOMEM;
    for (size_t i = 0; i < count; i++) {
        if (count > 1 && is_refused)
            ops[i]->status = group(store, &ops[i], 1, ops[i]->err);
        else
            ops[i]->status = arvo__fail(ops[i]->err, st, "%s", err.text);
    }
}

arvo_status
arvo__pg_lane_do(
    struct postgres_store *store, struct postgres_lane *lane, struct postgres_op *op,
    arvo_error *err)
{
    op->next = NULL;
    op->is_done = false;
    op->status = ARVO_OK;
    op->err = err;
    if (pthread_cond_init(&op->cond, NULL) != 0)
        return arvo__nomem(err);
    (void)pthread_mutex_lock(&lane->mutex);
    if (lane->last != NULL)
        lane->last->next = op;
    else
        lane->first = op;
    lane->last = op;
    while (!op->is_done) {
        if (lane->first != NULL && lane->running < lane->running_max)
            lane_lead(store, lane);
        else
            (void)pthread_cond_wait(&op->cond, &lane->mutex);
    }
    (void)pthread_mutex_unlock(&lane->mutex);
    (void)pthread_cond_destroy(&op->cond);
    return op->status;
}

#endif
