/* The disk under the SQLite store: an SQLite VFS whose files are in memory, of which it knows what
 * was synced.
 *
 *   written --sync--> synced         power off keeps what is synced, and of the rest any sectors
 *
 * A process that is killed can do nothing more to a file, and its locks are gone, as the kernel
 * does it; what SQLite does in its memory while it is closed (the index of the log is shared
 * memory) is undone.
 */

#include "arvo_config.h"

#include "sim/internal.h"

#ifdef ARVO_HAVE_SQLITE

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DISK_FILES_MAX   16u
#define DISK_REGIONS_MAX 64u
#define DISK_PATH_MAX    256
#define DISK_SECTOR      512

/* One write that is not synced. bytes NULL: the file was cut to `offset`. */
typedef struct disk_write {
    struct disk_write *next;
    int64_t offset;
    size_t len;
    char bytes[];
} disk_write;

typedef struct disk_image {
    char *bytes;
    size_t cap;
    int64_t size;
} disk_image;

typedef struct disk_file {
    char name[DISK_PATH_MAX]; /* "": a temporary one */
    bool exists;
    disk_image now, synced;
    disk_write *pending, **pending_end;
    char *regions[DISK_REGIONS_MAX];  /* of shared memory */
    char *snapshot[DISK_REGIONS_MAX]; /* what they held when a process died */
    int region_bytes;
    struct disk_handle *handles;
} disk_file;

typedef struct disk_handle {
    sqlite3_file base; /* first: SQLite's */
    struct disk_handle *next;
    struct sim_disk *disk;
    disk_file *file;
    uint32_t owner;
    bool is_dead;
    bool has_shm;
    int lock;
    unsigned shm_shared, shm_exclusive; /* bits */
} disk_handle;

struct sim_disk {
    sqlite3_vfs vfs;
    sqlite3_vfs *system;
    sim_world *world;
    disk_file files[DISK_FILES_MAX];
    uint32_t owner;
    uint64_t draws;
    bool is_failed; /* out of memory: the run fails */
    /* What is to strike. */
    uint32_t armed_owner, armed_after;
    bool is_armed, kills, is_full, has_fired, has_killed;
};

static uint64_t
disk_draw(struct sim_disk *disk, uint64_t limit)
{
    return arvo__sim_below(disk->world, SIM_STREAM_DISK, ++disk->draws, limit);
}

/* ---- Images ---------------------------------------------------------------------- */

static bool
image_reserve(disk_image *image, int64_t size)
{
    if ((uint64_t)size <= image->cap)
        return true;
    size_t cap = image->cap != 0 ? image->cap * 2 : (size_t)64 * 1024;
    while (cap < (size_t)size)
        cap *= 2;
    char *bytes = arvo__calloc(NULL, cap, 1);
    if (bytes == NULL)
        return false;
    if (image->size > 0)
        memcpy(bytes, image->bytes, (size_t)image->size);
    arvo__free(NULL, image->bytes, image->cap);
    image->bytes = bytes;
    image->cap = cap;
    return true;
}

static void
image_cut(disk_image *image, int64_t size)
{
    if (size >= image->size)
        return;
    memset(image->bytes + size, 0, (size_t)(image->size - size));
    image->size = size;
}

static bool
image_put(disk_image *image, int64_t offset, const char *bytes, size_t len)
{
    if (!image_reserve(image, offset + (int64_t)len))
        return false;
    memcpy(image->bytes + offset, bytes, len);
    if (image->size < offset + (int64_t)len)
        image->size = offset + (int64_t)len;
    return true;
}

static void
image_fini(disk_image *image)
{
    arvo__free(NULL, image->bytes, image->cap);
    *image = (disk_image){ 0 };
}

/* ---- Writes that are not synced ---------------------------------------------------- */

static bool
file_remember(disk_file *file, int64_t offset, const char *bytes, size_t len)
{
    disk_write *write = arvo__alloc(NULL, sizeof(*write) + len);
    if (write == NULL)
        return false;
    *write = (disk_write){ .offset = offset, .len = len };
    if (len > 0)
        memcpy(write->bytes, bytes, len);
    *file->pending_end = write;
    file->pending_end = &write->next;
    return true;
}

static void
write_free(disk_write *write)
{
    arvo__free(NULL, write, sizeof(*write) + write->len);
}

/* All of it, or of each write any sectors. */
static bool
file_settle(struct sim_disk *disk, disk_file *file, bool is_sync)
{
    bool done = true;
    for (disk_write *write = file->pending, *next; write != NULL; write = next) {
        next = write->next;
        if (write->len == 0 && (is_sync || disk_draw(disk, 2) == 0))
            image_cut(&file->synced, write->offset);
        const uint64_t fate = is_sync ? 0 : disk_draw(disk, 3); /* whole, none, torn */
        for (size_t at = 0; at < write->len; at += DISK_SECTOR) {
            const size_t len = write->len - at < DISK_SECTOR ? write->len - at : DISK_SECTOR;
            if (fate == 0 || (fate == 2 && disk_draw(disk, 2) == 0))
                done =
                    image_put(&file->synced, write->offset + (int64_t)at, write->bytes + at, len) &&
                    done;
        }
        write_free(write);
    }
    file->pending = NULL;
    file->pending_end = &file->pending;
    return done;
}

/* ---- What strikes --------------------------------------------------------------------- */

static void
disk_snapshot(disk_file *file)
{
    for (size_t i = 0; i < DISK_REGIONS_MAX && file->regions[i] != NULL; i++)
        if (file->snapshot[i] != NULL)
            memcpy(file->snapshot[i], file->regions[i], (size_t)file->region_bytes);
}

static void
disk_mark_dead(struct sim_disk *disk, uint32_t owner)
{
    for (size_t i = 0; i < DISK_FILES_MAX; i++)
        for (disk_handle *handle = disk->files[i].handles; handle != NULL; handle = handle->next)
            if (handle->owner == owner)
                handle->is_dead = true;
}

/* Before a write or a sync; the status with which it fails, or SQLITE_OK. */
static int
disk_strikes(disk_handle *handle, int status)
{
    struct sim_disk *disk = handle->disk;
    if (handle->is_dead)
        return SQLITE_IOERR;
    if (!disk->is_armed || handle->owner != disk->armed_owner)
        return SQLITE_OK;
    if (disk->armed_after > 1) {
        disk->armed_after--;
        return SQLITE_OK;
    }
    disk->has_fired = true;
    if (disk->is_full)
        return status == SQLITE_IOERR_WRITE ? SQLITE_FULL : SQLITE_OK; /* until it is disarmed */
    disk->is_armed = false;
    if (disk->kills) {
        disk->has_killed = true;
        for (size_t i = 0; i < DISK_FILES_MAX; i++)
            disk_snapshot(&disk->files[i]);
        disk_mark_dead(disk, handle->owner);
    }
    return status;
}

void
arvo__sim_disk_arm(struct sim_disk *disk, uint32_t owner, uint32_t after, bool kills, bool full)
{
    disk->is_armed = true;
    disk->armed_owner = owner;
    disk->armed_after = after;
    disk->kills = kills;
    disk->is_full = full;
    disk->has_fired = disk->has_killed = false;
}

static void
disk_undo_ghost(struct sim_disk *disk)
{
    for (size_t f = 0; f < DISK_FILES_MAX; f++) {
        disk_file *file = &disk->files[f];
        for (size_t i = 0; i < DISK_REGIONS_MAX && file->regions[i] != NULL; i++)
            if (file->snapshot[i] != NULL)
                memcpy(file->regions[i], file->snapshot[i], (size_t)file->region_bytes);
    }
}

bool
arvo__sim_disk_fired(struct sim_disk *disk, bool *out_killed)
{
    const bool has_fired = disk->has_fired;
    *out_killed = disk->has_killed;
    if (disk->has_killed)
        disk_undo_ghost(disk);
    disk->is_armed = disk->has_fired = disk->has_killed = false;
    if (disk->is_failed)
        arvo__sim_fail(disk->world, ARVO_E_NOMEM, NULL);
    return has_fired;
}

void
arvo__sim_disk_ghost(struct sim_disk *disk, bool begins)
{
    for (size_t i = 0; i < DISK_FILES_MAX && begins; i++)
        disk_snapshot(&disk->files[i]);
    if (!begins)
        disk_undo_ghost(disk);
}

/* ---- Files ------------------------------------------------------------------------------ */

static int
file_close(sqlite3_file *base)
{
    disk_handle *handle = (disk_handle *)(void *)base;
    disk_handle **place = &handle->file->handles;
    while (*place != handle)
        place = &(*place)->next;
    *place = handle->next;
    if (handle->file->name[0] == '\0')
        handle->file->exists = false;
    return SQLITE_OK;
}

static int
file_read(sqlite3_file *base, void *out, int amount, sqlite3_int64 offset)
{
    disk_handle *handle = (disk_handle *)(void *)base;
    const disk_image *image = &handle->file->now;
    if (handle->is_dead)
        return SQLITE_IOERR_READ;
    const int64_t left = image->size > offset ? image->size - offset : 0;
    const size_t len = left < amount ? (size_t)left : (size_t)amount;
    if (len > 0)
        memcpy(out, image->bytes + offset, len);
    if (len == (size_t)amount)
        return SQLITE_OK;
    memset((char *)out + len, 0, (size_t)amount - len);
    return SQLITE_IOERR_SHORT_READ;
}

static int
file_write(sqlite3_file *base, const void *bytes, int amount, sqlite3_int64 offset)
{
    disk_handle *handle = (disk_handle *)(void *)base;
    disk_file *file = handle->file;
    size_t len = (size_t)amount;
    const bool was_dead = handle->is_dead;
    const int status = disk_strikes(handle, SQLITE_IOERR_WRITE);
    if (was_dead || status == SQLITE_FULL)
        return status;
    if (status != SQLITE_OK) /* some of its first sectors are written all the same */
        len = (size_t)disk_draw(handle->disk, (uint64_t)amount / DISK_SECTOR + 1) * DISK_SECTOR;
    len = len > (size_t)amount ? (size_t)amount : len;
    if (len > 0 &&
        (!image_put(&file->now, offset, bytes, len) || !file_remember(file, offset, bytes, len))) {
        handle->disk->is_failed = true;
        return SQLITE_NOMEM;
    }
    return status;
}

static int
file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    disk_handle *handle = (disk_handle *)(void *)base;
    const int status = disk_strikes(handle, SQLITE_IOERR_TRUNCATE);
    if (status != SQLITE_OK)
        return status;
    image_cut(&handle->file->now, size);
    return file_remember(handle->file, size, NULL, 0) ? SQLITE_OK : SQLITE_NOMEM;
}

static int
file_sync(sqlite3_file *base, int flags)
{
    disk_handle *handle = (disk_handle *)(void *)base;
    (void)flags;
    const int status = disk_strikes(handle, SQLITE_IOERR_FSYNC);
    if (status != SQLITE_OK)
        return status;
    return file_settle(handle->disk, handle->file, true) ? SQLITE_OK : SQLITE_NOMEM;
}

static int
file_size(sqlite3_file *base, sqlite3_int64 *out)
{
    const disk_handle *handle = (disk_handle *)(void *)base;
    *out = handle->file->now.size;
    return handle->is_dead ? SQLITE_IOERR_FSTAT : SQLITE_OK;
}

/* ---- Locks ------------------------------------------------------------------------------- */

/* The strongest lock of anybody else who lives. */
static int
others_lock(const disk_handle *handle)
{
    int strongest = SQLITE_LOCK_NONE;
    for (const disk_handle *other = handle->file->handles; other != NULL; other = other->next)
        if (other != handle && !other->is_dead && other->lock > strongest)
            strongest = other->lock;
    return strongest;
}

static int
file_lock(sqlite3_file *base, int level)
{
    disk_handle *handle = (disk_handle *)(void *)base;
    if (handle->is_dead)
        return SQLITE_IOERR_LOCK;
    if (handle->lock >= level)
        return SQLITE_OK;
    const int others = others_lock(handle);
    const int limit = level == SQLITE_LOCK_SHARED     ? SQLITE_LOCK_RESERVED
                      : level == SQLITE_LOCK_RESERVED ? SQLITE_LOCK_SHARED
                                                      : SQLITE_LOCK_NONE;
    if (others > limit)
        return SQLITE_BUSY;
    handle->lock = level;
    return SQLITE_OK;
}

static int
file_unlock(sqlite3_file *base, int level)
{
    disk_handle *handle = (disk_handle *)(void *)base;
    if (handle->lock > level)
        handle->lock = level;
    return SQLITE_OK;
}

static int
file_check_reserved(sqlite3_file *base, int *out)
{
    const disk_handle *handle = (disk_handle *)(void *)base;
    *out = handle->lock >= SQLITE_LOCK_RESERVED || others_lock(handle) >= SQLITE_LOCK_RESERVED;
    return SQLITE_OK;
}

static int
file_control(sqlite3_file *base, int op, void *arg)
{
    (void)base, (void)op, (void)arg;
    return SQLITE_NOTFOUND;
}

static int
file_sector_size(sqlite3_file *base)
{
    (void)base;
    return DISK_SECTOR;
}

static int
file_characteristics(sqlite3_file *base)
{
    (void)base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE; /* as SQLite takes a real disk to be */
}

/* ---- Shared memory -------------------------------------------------------------------------- */

static bool
shm_is_used(const disk_file *file)
{
    for (const disk_handle *handle = file->handles; handle != NULL; handle = handle->next)
        if (handle->has_shm && !handle->is_dead)
            return true;
    return false;
}

static int
shm_map(sqlite3_file *base, int region, int bytes, int extend, void volatile **out)
{
    disk_handle *handle = (disk_handle *)(void *)base;
    disk_file *file = handle->file;
    *out = NULL;
    if (handle->is_dead || region >= (int)DISK_REGIONS_MAX)
        return SQLITE_IOERR_SHMMAP;
    if (!handle->has_shm && !shm_is_used(file))
        for (size_t i = 0; i < DISK_REGIONS_MAX && file->regions[i] != NULL; i++)
            memset(file->regions[i], 0, (size_t)bytes); /* nobody had it: it is new */
    handle->has_shm = true;
    file->region_bytes = bytes;
    if (file->regions[region] == NULL) {
        if (!extend)
            return SQLITE_OK;
        file->regions[region] = arvo__calloc(NULL, (size_t)bytes, 1);
        file->snapshot[region] = arvo__calloc(NULL, (size_t)bytes, 1);
        if (file->regions[region] == NULL || file->snapshot[region] == NULL)
            return SQLITE_NOMEM;
    }
    *out = file->regions[region];
    return SQLITE_OK;
}

static int
shm_lock(sqlite3_file *base, int offset, int count, int flags)
{
    disk_handle *handle = (disk_handle *)(void *)base;
    const unsigned bits = ((1u << count) - 1u) << offset;
    if (flags & SQLITE_SHM_UNLOCK) {
        handle->shm_shared &= ~bits;
        handle->shm_exclusive &= ~bits;
        return SQLITE_OK;
    }
    if (handle->is_dead)
        return SQLITE_IOERR_SHMLOCK;
    for (const disk_handle *other = handle->file->handles; other != NULL; other = other->next) {
        const unsigned taken = (flags & SQLITE_SHM_EXCLUSIVE)
                                   ? other->shm_shared | other->shm_exclusive
                                   : other->shm_exclusive;
        if (other != handle && !other->is_dead && (taken & bits) != 0)
            return SQLITE_BUSY;
    }
    if (flags & SQLITE_SHM_EXCLUSIVE)
        handle->shm_exclusive |= bits;
    else
        handle->shm_shared |= bits;
    return SQLITE_OK;
}

static void
shm_barrier(sqlite3_file *base)
{
    (void)base;
}

static int
shm_unmap(sqlite3_file *base, int is_delete)
{
    disk_handle *handle = (disk_handle *)(void *)base;
    (void)is_delete;
    handle->has_shm = false;
    handle->shm_shared = handle->shm_exclusive = 0;
    return SQLITE_OK;
}

static const sqlite3_io_methods disk_methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

/* ---- The file system ------------------------------------------------------------------------- */

static disk_file *
disk_find(struct sim_disk *disk, const char *name)
{
    for (size_t i = 0; i < DISK_FILES_MAX; i++)
        if (disk->files[i].exists && name != NULL && strcmp(disk->files[i].name, name) == 0)
            return &disk->files[i];
    return NULL;
}

static void
file_empty(disk_file *file)
{
    image_cut(&file->now, 0);
    image_cut(&file->synced, 0);
    for (disk_write *write = file->pending, *next; write != NULL; write = next) {
        next = write->next;
        write_free(write);
    }
    file->pending = NULL;
    file->pending_end = &file->pending;
}

static int
disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *out_flags)
{
    struct sim_disk *disk = vfs->pAppData;
    disk_handle *handle = (disk_handle *)(void *)base;
    memset(handle, 0, sizeof(*handle));
    disk_file *file = disk_find(disk, name);
    for (size_t i = 0; i < DISK_FILES_MAX && file == NULL; i++)
        if (!disk->files[i].exists && disk->files[i].handles == NULL) {
            file = &disk->files[i];
            if ((flags & SQLITE_OPEN_CREATE) == 0)
                return SQLITE_CANTOPEN;
            (void)snprintf(file->name, sizeof(file->name), "%s", name != NULL ? name : "");
            file->exists = true;
            file_empty(file);
        }
    if (file == NULL)
        return SQLITE_CANTOPEN;
    handle->disk = disk;
    handle->file = file;
    handle->owner = disk->owner;
    handle->next = file->handles;
    file->handles = handle;
    handle->base.pMethods = &disk_methods;
    if (out_flags != NULL)
        *out_flags = flags;
    return SQLITE_OK;
}

static int
disk_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    disk_file *file = disk_find(vfs->pAppData, name);
    (void)sync;
    if (file == NULL)
        return SQLITE_IOERR_DELETE_NOENT;
    for (const disk_handle *handle = file->handles; handle != NULL; handle = handle->next)
        if (handle->is_dead)
            return SQLITE_IOERR_DELETE; /* a ghost closes it */
    file->exists = false;
    file_empty(file);
    return SQLITE_OK;
}

static int
disk_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    const disk_file *file = disk_find(vfs->pAppData, name);
    *out = file != NULL && (flags != SQLITE_ACCESS_EXISTS || file->now.size > 0);
    return SQLITE_OK;
}

static int
disk_full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    (void)vfs;
    return snprintf(out, (size_t)size, "%s", name) < size ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int
disk_randomness(sqlite3_vfs *vfs, int size, char *out)
{
    struct sim_disk *disk = vfs->pAppData;
    for (int i = 0; i < size; i++)
        out[i] = (char)disk_draw(disk, 256);
    return size;
}

static int
disk_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return us; /* nobody else runs meanwhile */
}

static int
disk_time(sqlite3_vfs *vfs, double *out)
{
    const struct sim_disk *disk = vfs->pAppData;
    *out = 2440587.5 + (double)arvo__sim_store_now(disk->world) / 86400000.0;
    return SQLITE_OK;
}

static int
disk_last_error(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs, (void)size, (void)out;
    return 0;
}

/* ---- Life --------------------------------------------------------------------------------------
 */

/* A file of the system's, since it is mapped; nobody syncs it, so a machine that starts
 * again need not find it. */
static void
disk_unlink_leases(const struct sim_disk *disk)
{
    char path[DISK_PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/store-lease", disk->world->folder);
    (void)unlink(path);
}

struct sim_disk *
arvo__sim_disk_new(sim_world *world, arvo_error *err)
{
    struct sim_disk *disk = arvo__calloc(NULL, 1, sizeof(*disk));
    if (disk == NULL) {
        (void)arvo__nomem(err);
        return NULL;
    }
    (void)snprintf(world->folder, sizeof(world->folder), "/tmp/arvo-sim-XXXXXX");
    if (mkdtemp(world->folder) == NULL) {
        (void)arvo__fail(
            err, ARVO_E_IO, "%s: a temporary folder cannot be made there", world->folder);
        arvo__free(NULL, disk, sizeof(*disk));
        return NULL;
    }
    const char *params = world->opts->sqlite_params;
    (void)snprintf(
        world->store_url, sizeof(world->store_url), "sqlite:%s/store%s%s", world->folder,
        params != NULL ? "?" : "", params != NULL ? params : "");
    disk->world = world;
    for (size_t i = 0; i < DISK_FILES_MAX; i++)
        disk->files[i].pending_end = &disk->files[i].pending;
    disk->system = sqlite3_vfs_find(NULL);
    disk->vfs = (sqlite3_vfs){ .iVersion = 1,
                               .szOsFile = sizeof(disk_handle),
                               .mxPathname = DISK_PATH_MAX,
                               .zName = "arvo-sim",
                               .pAppData = disk,
                               .xOpen = disk_open,
                               .xDelete = disk_delete,
                               .xAccess = disk_access,
                               .xFullPathname = disk_full_pathname,
                               .xRandomness = disk_randomness,
                               .xSleep = disk_sleep,
                               .xCurrentTime = disk_time,
                               .xGetLastError = disk_last_error };
    (void)sqlite3_vfs_register(&disk->vfs, 1);
    return disk;
}

void
arvo__sim_disk_free(struct sim_disk *disk)
{
    if (disk == NULL)
        return;
    (void)sqlite3_vfs_unregister(&disk->vfs);
    (void)sqlite3_vfs_register(disk->system, 1);
    for (size_t i = 0; i < DISK_FILES_MAX; i++) {
        disk_file *file = &disk->files[i];
        file_empty(file);
        image_fini(&file->now);
        image_fini(&file->synced);
        for (size_t r = 0; r < DISK_REGIONS_MAX; r++) {
            arvo__free(NULL, file->regions[r], (size_t)file->region_bytes);
            arvo__free(NULL, file->snapshot[r], (size_t)file->region_bytes);
        }
    }
    disk_unlink_leases(disk);
    (void)rmdir(disk->world->folder);
    arvo__free(NULL, disk, sizeof(*disk));
}

void
arvo__sim_disk_owner(struct sim_disk *disk, uint32_t owner)
{
    disk->owner = owner;
}

void
arvo__sim_disk_kill(struct sim_disk *disk, uint32_t owner)
{
    disk_mark_dead(disk, owner);
}

void
arvo__sim_disk_power_off(struct sim_disk *disk)
{
    sim_world *world = disk->world;
    disk_mark_dead(disk, 0);
    arvo_memory_close(world->eye);
    world->eye = NULL;
    disk_unlink_leases(disk);
    for (size_t i = 0; i < DISK_FILES_MAX; i++) {
        disk_file *file = &disk->files[i];
        disk->is_failed = !file_settle(disk, file, false) || disk->is_failed;
        image_cut(&file->now, 0);
        if (file->synced.size > 0 &&
            !image_put(&file->now, 0, file->synced.bytes, (size_t)file->synced.size))
            disk->is_failed = true;
    }
    if (disk->is_failed)
        arvo__sim_fail(world, ARVO_E_NOMEM, NULL);
}

#else

struct sim_disk *
arvo__sim_disk_new(sim_world *world, arvo_error *err)
{
    (void)world;
    (void)arvo__fail(
        err, ARVO_E_UNSUPPORTED, "this Arvo was built without SQLite: simulate the memory store");
    return NULL;
}

void
arvo__sim_disk_free(struct sim_disk *disk)
{
    (void)disk;
}

void
arvo__sim_disk_owner(struct sim_disk *disk, uint32_t owner)
{
    (void)disk, (void)owner;
}

void
arvo__sim_disk_kill(struct sim_disk *disk, uint32_t owner)
{
    (void)disk, (void)owner;
}

void
arvo__sim_disk_ghost(struct sim_disk *disk, bool begins)
{
    (void)disk, (void)begins;
}

void
arvo__sim_disk_power_off(struct sim_disk *disk)
{
    (void)disk;
}

void
arvo__sim_disk_arm(struct sim_disk *disk, uint32_t owner, uint32_t after, bool kills, bool full)
{
    (void)disk, (void)owner, (void)after, (void)kills, (void)full;
}

bool
arvo__sim_disk_fired(struct sim_disk *disk, bool *out_killed)
{
    (void)disk, (void)out_killed;
    return false;
}

#endif

arvo_memory *
arvo__sim_eye(sim_world *world)
{
    arvo_error why = { 0 };
    if (world->disk == NULL)
        return world->eye;
    arvo__sim_disk_owner(world->disk, 0); /* a store opens files when it needs them */
    if (world->eye != NULL)
        return world->eye;
    if (arvo_memory_open_with(world->store_url, &world->store_platform, &world->eye, &why) !=
        ARVO_OK) {
        world->eye = NULL;
        arvo__sim_broken(world, "I4", "the store cannot be opened after a crash: %s", why.text);
    }
    return world->eye;
}
