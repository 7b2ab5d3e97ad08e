/* Whole stores: out as lines, in from lines, and from one into another.
 *
 * dump pushes rows and load pulls them; a copy puts a thread and two chunks of
 * rows in between:
 *
 *     dump --fill--> [chunk] [chunk] --drain--> load
 */

#include <arvo/transfer.h>

#include <pthread.h>
#include <string.h>

#include <arvo/json.h>

#include "memory/internal.h"

#define COPY_CHUNK_ROWS  256u
#define COPY_CHUNK_BYTES ((size_t)4 * 1024 * 1024) /* but always one row */
#define COPY_ARENA_MAX   (SIZE_MAX / 2)
#define HEADER           "{\"arvo\":\"store\",\"format\":1}"

static arvo_status
transfer_need(const arvo_memory_ops *ops, arvo_error *err)
{
    if (ops->dump != NULL)
        return ARVO_OK;
    return arvo__fail(
        err, ARVO_E_UNSUPPORTED, "the store \"%s\" cannot be read or filled as a whole", ops->name);
}

/* ---- Digest of a store ------------------------------------------------------ */

static bool
digest_row(void *user, const arvo_row *row)
{
    arvo_digest_add(user, row);
    return true;
}

arvo_status
arvo_store_digest(arvo_memory *memory, arvo_digest *out, arvo_error *err)
{
    ARVO_ASSERT(memory != NULL);
    ARVO_ASSERT(out != NULL);
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    arvo_digest digest = { 0 };
    arvo_status st = transfer_need(ops, err);
    if (st == ARVO_OK)
        st = ops->dump(arvo_memory_self(memory), digest_row, &digest, err);
    if (st == ARVO_OK)
        *out = digest;
    return st;
}

/* ---- Export -------------------------------------------------------------------- */

struct export
{
    arvo_line_fn each;
    void *user;
    arvo_buf line;
    arvo_digest digest;
    arvo_status status;
    arvo_error failure;
};

static bool
export_row(void *user, const arvo_row *row)
{
    struct export *export = user;
    arvo_buf_reset(&export->line);
    export->status = arvo_row_write(row, &export->line, &export->failure);
    if (export->status == ARVO_OK)
        export->status = export->each(export->user, arvo_buf_str(&export->line), &export->failure);
    arvo_digest_add(&export->digest, row);
    return export->status == ARVO_OK;
}

static arvo_status
export_end(struct export *export)
{
    char hex[ARVO_DIGEST_BYTES];
    arvo_digest_format(&export->digest, hex);
    arvo_buf_reset(&export->line);
    arvo_buf_printf(
        &export->line, "{\"rows\":%llu,\"digest\":\"%.*s\"}",
        (unsigned long long)export->digest.rows, (int)sizeof(hex), hex);
    const arvo_status st = arvo__buf_status(&export->line, "the last line", &export->failure);
    return st == ARVO_OK ? export->each(export->user, arvo_buf_str(&export->line), &export->failure)
                         : st;
}

arvo_status
arvo_store_export(
    arvo_memory *memory, arvo_line_fn each, void *user, arvo_digest *out_digest, arvo_error *err)
{
    ARVO_ASSERT(memory != NULL);
    ARVO_ASSERT(each != NULL);
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    arvo_status st = transfer_need(ops, err);
    if (st != ARVO_OK)
        return st;
    struct export export = { .each = each,
                             .user = user,
                             .line = ARVO_BUF_INIT(ARVO_TRANSFER_LINE_MAX) };
    export.status = each(user, ARVO_STR(HEADER), &export.failure);
    if (export.status == ARVO_OK)
        st = ops->dump(arvo_memory_self(memory), export_row, &export, err);
    if (st == ARVO_OK && export.status == ARVO_OK)
        export.status = export_end(&export);
    arvo_buf_fini(&export.line);
    if (st == ARVO_OK && export.status != ARVO_OK) {
        st = export.status;
        if (err != NULL)
            *err = export.failure;
    }
    if (st == ARVO_OK && out_digest != NULL)
        *out_digest = export.digest;
    return st;
}

/* ---- Import -------------------------------------------------------------------- */

struct import {
    arvo_line_next next;
    void *user;
    arvo_arena *arena;
    arvo_row row;
    uint64_t lines;
    arvo_digest digest;
};

static arvo_status
import_early(const struct import *import, arvo_error *err)
{
    return arvo__fail(
        err, ARVO_E_CORRUPT,
        "import: the stream ends behind line %llu without the line with the digest: it was cut off",
        (unsigned long long)import->lines);
}

static arvo_status
import_line(struct import *import, arvo_str *out, arvo_error *err)
{
    *out = ARVO_STR_NONE;
    const arvo_status st = import->next(import->user, out, err);
    if (st == ARVO_OK && out->ptr != NULL)
        import->lines++;
    return st;
}

static arvo_status
import_header(struct import *import, arvo_error *err)
{
    arvo_str line;
    const arvo_status st = import_line(import, &line, err);
    if (st != ARVO_OK)
        return st;
    const arvo_json *root = NULL;
    if (line.ptr != NULL && arvo_json_parse(line, import->arena, &root, NULL) != ARVO_OK)
        root = NULL;
    if (!arvo_str_is(arvo_json_str(arvo_json_get(root, "arvo")), "store"))
        return arvo__fail(
            err, ARVO_E_INVALID,
            "import: line 1: this is not what arvo_store_export() writes: "
            "the first line must be " HEADER);
    if (arvo_json_int_or(arvo_json_get(root, "format"), 0) != ARVO_TRANSFER_FORMAT)
        return arvo__fail(
            err, ARVO_E_VERSION, "import: line 1: format %lld is not known: use a newer Arvo",
            (long long)arvo_json_int_or(arvo_json_get(root, "format"), 0));
    return ARVO_OK;
}

/* The last line: rows and digest are those that came, and nothing comes behind. */
static arvo_status
import_end(struct import *import, const arvo_json *root, arvo_error *err)
{
    char hex[ARVO_DIGEST_BYTES];
    arvo_digest_format(&import->digest, hex);
    if (arvo_json_int_or(arvo_json_get(root, "rows"), -1) != (int64_t)import->digest.rows ||
        !arvo_str_equal(
            arvo_json_str(arvo_json_get(root, "digest")), (arvo_str){ hex, sizeof(hex) }))
        return arvo__fail(
            err, ARVO_E_CORRUPT,
            "import: line %llu: the lines do not have this digest; they have %llu rows and %.*s",
            (unsigned long long)import->lines, (unsigned long long)import->digest.rows,
            (int)sizeof(hex), hex);
    arvo_str line;
    const arvo_status st = import_line(import, &line, err);
    if (st == ARVO_OK && line.ptr != NULL)
        return arvo__fail(
            err, ARVO_E_CORRUPT, "import: line %llu: there is more behind the line with the digest",
            (unsigned long long)import->lines);
    return st;
}

static arvo_status
import_row(void *user, const arvo_row **out_row, arvo_error *err)
{
    struct import *import = user;
    arvo_str line;
    arvo_arena_reset(import->arena);
    arvo_status st = import_line(import, &line, err);
    if (st != ARVO_OK)
        return st;
    if (line.ptr == NULL)
        return import_early(import, err);
    /* Only the last line begins so. */
    if (arvo_str_starts(line, ARVO_STR("{\"rows\":"))) {
        const arvo_json *root = NULL;
        st = arvo_json_parse(line, import->arena, &root, err);
        *out_row = NULL;
        return st == ARVO_OK ? import_end(import, root, err) : st;
    }
    st = arvo_row_parse(line, import->arena, &import->row, err);
    if (st != ARVO_OK) {
        arvo_error_prefix(err, "import: line %llu", (unsigned long long)import->lines);
        return st;
    }
    arvo_digest_add(&import->digest, &import->row);
    *out_row = &import->row;
    return ARVO_OK;
}

arvo_status
arvo_store_import(
    arvo_memory *memory, arvo_line_next next, void *user, arvo_digest *out_digest, arvo_error *err)
{
    ARVO_ASSERT(memory != NULL);
    ARVO_ASSERT(next != NULL);
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    arvo_status st = transfer_need(ops, err);
    if (st != ARVO_OK)
        return st;
    struct import import = { .next = next, .user = user };
    import.arena = arvo_arena_new(&(arvo_arena_opts){ .bytes_max = COPY_ARENA_MAX });
    if (import.arena == NULL)
        return arvo__nomem(err);
    st = import_header(&import, err);
    if (st == ARVO_OK)
        st = ops->load(arvo_memory_self(memory), import_row, &import, err);
    arvo_arena_free(import.arena);
    if (st == ARVO_OK && out_digest != NULL)
        *out_digest = import.digest;
    return st;
}

/* ---- Copy ---------------------------------------------------------------------- */

struct copy_chunk {
    arvo_arena *arena;
    arvo_row rows[COPY_CHUNK_ROWS];
    size_t count, bytes;
};

struct copy {
    const arvo_memory_ops *from;
    void *from_self;
    arvo_progress_fn progress;
    void *user;
    arvo_digest digest;

    struct copy_chunk chunks[2];
    size_t filling;  /* the reader's */
    size_t draining; /* the writer's; what it is at lies in `at` */
    size_t at;
    uint64_t rows; /* that were drained, this chunk's with them */

    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t changed;
    bool is_full[2];
    bool is_read;     /* the dump is through, with `status` */
    bool is_given_up; /* the load is through */
    arvo_status status;
    arvo_error failure;
};

/* false: out of memory. */
static bool
copy_row_dup(struct copy_chunk *chunk, const arvo_row *row)
{
    arvo_row *copy = &chunk->rows[chunk->count];
    *copy = *row;
    for (const arvo__row_field *field = arvo__row_fields(row->kind); field->key != NULL; field++) {
        if (field->type != ARVO__ROW_TEXT && field->type != ARVO__ROW_JSON)
            continue;
        arvo_str *text = (arvo_str *)(void *)((char *)copy + field->offset);
        if (text->ptr == NULL)
            continue;
        chunk->bytes += text->len;
        *text = arvo_arena_str_dup(chunk->arena, *text);
        if (text->ptr == NULL)
            return false;
    }
    chunk->count++;
    return true;
}

/* Hand the chunk over and go on with the other, once it is free. false: nobody wants more. */
static bool
copy_hand_over(struct copy *copy)
{
    (void)pthread_mutex_lock(&copy->mutex);
    copy->is_full[copy->filling] = true;
    (void)pthread_cond_broadcast(&copy->changed);
    copy->filling = 1 - copy->filling;
    while (copy->is_full[copy->filling] && !copy->is_given_up)
        (void)pthread_cond_wait(&copy->changed, &copy->mutex);
    const bool go_on = !copy->is_given_up;
    (void)pthread_mutex_unlock(&copy->mutex);
    return go_on;
}

static bool
copy_fill(void *user, const arvo_row *row)
{
    struct copy *copy = user;
    struct copy_chunk *chunk = &copy->chunks[copy->filling];
    arvo_digest_add(&copy->digest, row);
    if (!copy_row_dup(chunk, row)) {
        copy->status = arvo__nomem(&copy->failure);
        return false;
    }
    if (chunk->count < COPY_CHUNK_ROWS && chunk->bytes < COPY_CHUNK_BYTES)
        return true;
    return copy_hand_over(copy);
}

static void *
copy_read(void *arg)
{
    struct copy *copy = arg;
    arvo_error failure = { 0 };
    const arvo_status st = copy->from->dump(copy->from_self, copy_fill, copy, &failure);
    if (copy->chunks[copy->filling].count > 0 && st == ARVO_OK && copy->status == ARVO_OK)
        (void)copy_hand_over(copy);
    (void)pthread_mutex_lock(&copy->mutex);
    if (st != ARVO_OK && copy->status == ARVO_OK) {
        copy->status = st;
        copy->failure = failure;
    }
    copy->is_read = true;
    (void)pthread_cond_broadcast(&copy->changed);
    (void)pthread_mutex_unlock(&copy->mutex);
    return NULL;
}

/* Wait for the next chunk. false: there is none any more. */
static bool
copy_chunk_wait(struct copy *copy)
{
    (void)pthread_mutex_lock(&copy->mutex);
    while (!copy->is_full[copy->draining] && !copy->is_read)
        (void)pthread_cond_wait(&copy->changed, &copy->mutex);
    const bool is_there = copy->is_full[copy->draining];
    (void)pthread_mutex_unlock(&copy->mutex);
    return is_there;
}

static void
copy_chunk_free(struct copy *copy)
{
    struct copy_chunk *chunk = &copy->chunks[copy->draining];
    arvo_arena_reset(chunk->arena);
    chunk->count = chunk->bytes = 0;
    (void)pthread_mutex_lock(&copy->mutex);
    copy->is_full[copy->draining] = false;
    (void)pthread_cond_broadcast(&copy->changed);
    (void)pthread_mutex_unlock(&copy->mutex);
    copy->draining = 1 - copy->draining;
    copy->at = 0;
}

static arvo_status
copy_drain(void *user, const arvo_row **out_row, arvo_error *err)
{
    struct copy *copy = user;
    struct copy_chunk *chunk = &copy->chunks[copy->draining];
    *out_row = NULL;
    if (copy->at > 0 && copy->at == chunk->count) {
        copy_chunk_free(copy);
        chunk = &copy->chunks[copy->draining];
    }
    if (copy->at == 0) {
        if (!copy_chunk_wait(copy)) {
            if (copy->status != ARVO_OK && err != NULL)
                *err = copy->failure;
            return copy->status;
        }
        copy->rows += chunk->count;
        if (copy->progress != NULL && !copy->progress(copy->user, copy->rows))
            return arvo__fail(err, ARVO_E_TIMEOUT, "copy: given up; nothing was written");
    }
    *out_row = &chunk->rows[copy->at++];
    return ARVO_OK;
}

static arvo_status
copy_run(struct copy *copy, arvo_memory *to, arvo_error *err)
{
    pthread_t reader;
    if (!arvo__thread_start(&reader, copy_read, copy))
        return arvo__fail(err, ARVO_E_IO, "copy: no thread could be made");
    const arvo_status st =
        arvo_memory_ops_of(to)->load(arvo_memory_self(to), copy_drain, copy, err);
    (void)pthread_mutex_lock(&copy->mutex);
    copy->is_given_up = true;
    (void)pthread_cond_broadcast(&copy->changed);
    (void)pthread_mutex_unlock(&copy->mutex);
    (void)pthread_join(reader, NULL);
    return st;
}

static arvo_status
copy_verify(arvo_memory *to, const arvo_digest *written, arvo_error *err)
{
    arvo_digest read_back;
    const arvo_status st = arvo_store_digest(to, &read_back, err);
    if (st != ARVO_OK || arvo_digest_equal(&read_back, written))
        return st;
    return arvo__fail(
        err, ARVO_E_CORRUPT,
        "copy: what is read back is not what was written (%llu rows, not %llu, or other bytes): do "
        "not use it",
        (unsigned long long)read_back.rows, (unsigned long long)written->rows);
}

arvo_status
arvo_store_copy(
    arvo_memory *from, arvo_memory *to, arvo_progress_fn progress, void *user,
    arvo_digest *out_digest, arvo_error *err)
{
    ARVO_ASSERT(from != NULL);
    ARVO_ASSERT(to != NULL);
    arvo_status st = transfer_need(arvo_memory_ops_of(from), err);
    if (st == ARVO_OK)
        st = transfer_need(arvo_memory_ops_of(to), err);
    if (st != ARVO_OK)
        return st;
    struct copy *copy = arvo__calloc(NULL, 1, sizeof(*copy));
    if (copy == NULL)
        return arvo__nomem(err);
    copy->from = arvo_memory_ops_of(from);
    copy->from_self = arvo_memory_self(from);
    copy->progress = progress;
    copy->user = user;
    const arvo_arena_opts opts = { .bytes_max = COPY_ARENA_MAX };
    copy->chunks[0].arena = arvo_arena_new(&opts);
    copy->chunks[1].arena = arvo_arena_new(&opts);
    (void)pthread_mutex_init(&copy->mutex, NULL);
    (void)pthread_cond_init(&copy->changed, NULL);
    if (copy->chunks[0].arena == NULL || copy->chunks[1].arena == NULL)
        st = arvo__nomem(err);
    if (st == ARVO_OK)
        st = copy_run(copy, to, err);
    if (st == ARVO_OK)
        st = copy_verify(to, &copy->digest, err);
    if (st == ARVO_OK && out_digest != NULL)
        *out_digest = copy->digest;
    (void)pthread_cond_destroy(&copy->changed);
    (void)pthread_mutex_destroy(&copy->mutex);
    arvo_arena_free(copy->chunks[0].arena);
    arvo_arena_free(copy->chunks[1].arena);
    arvo__free(NULL, copy, sizeof(*copy));
    return st;
}
