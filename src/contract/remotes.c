/* Folders of schema documents that stand for URLs. */

#include "contract/remotes.h"
#include "contract/schema.h"

typedef struct remotes_folder {
    arvo_str folder;
    arvo_str url; /* without a slash at the end */
    dev_t device; /* which folder it is, by whatever name */
    ino_t inode;
    struct remotes_folder *next;
} remotes_folder;

struct arvo_schema_remotes {
    arvo_arena *arena; /* holds this struct and all documents */
    remotes_folder *folders;
    arvo__map documents; /* file name -> arvo_json */
};

arvo_schema_remotes *
arvo_schema_remotes_new(const arvo_allocator *allocator)
{
    arvo_arena *const arena = arvo_arena_new(&(arvo_arena_opts){ .allocator = allocator });
    if (arena == NULL)
        return NULL;
    arvo_schema_remotes *const remotes = arvo_arena_calloc(arena, 1, sizeof(*remotes));
    if (remotes == NULL) {
        arvo_arena_free(arena);
        return NULL;
    }
    remotes->arena = arena;
    remotes->documents.allocator = allocator;
    return remotes;
}

void
arvo_schema_remotes_free(arvo_schema_remotes *remotes)
{
    if (remotes == NULL)
        return;
    arvo__map_fini(&remotes->documents);
    arvo_arena_free(remotes->arena);
}

static arvo_str
without_slash(arvo_str text)
{
    while (text.len > 1 && text.ptr[text.len - 1] == '/')
        text.len--;
    return text;
}

arvo_status
arvo_schema_remotes_map(
    arvo_schema_remotes *remotes, arvo_str folder, arvo_str url, arvo_error *err)
{
    ARVO_ASSERT(remotes != NULL);
    const arvo__uri parts = arvo__uri_split(url);
    if (parts.scheme.ptr == NULL || parts.query.ptr != NULL || parts.fragment.ptr != NULL)
        return arvo__fail(
            err, ARVO_E_INVALID, "\"%.*s\" must be an absolute URL without query and fragment",
            ARVO_FMT(url));
    const arvo_arena_mark mark = arvo_arena_mark_get(remotes->arena);
    remotes_folder *const made = arvo_arena_calloc(remotes->arena, 1, sizeof(*made));
    const arvo_str own_folder = arvo_arena_str_dup(remotes->arena, without_slash(folder));
    const arvo_str own_url = arvo_arena_str_dup(remotes->arena, without_slash(url));
    if (made == NULL || own_folder.ptr == NULL || own_url.ptr == NULL) {
        arvo_arena_rewind(remotes->arena, mark);
        return arvo__nomem(err);
    }
    struct stat info;
    if (stat(own_folder.ptr, &info) != 0 || !S_ISDIR(info.st_mode)) {
        arvo_arena_rewind(remotes->arena, mark);
        return arvo__fail(err, ARVO_E_IO, "%.*s: no such folder", ARVO_FMT(folder));
    }
    *made = (remotes_folder){ .folder = own_folder,
                              .url = own_url,
                              .device = info.st_dev,
                              .inode = info.st_ino,
                              .next = remotes->folders };
    remotes->folders = made;
    return ARVO_OK;
}

bool
arvo__schema_remotes_has(const arvo_schema_remotes *remotes, const struct stat *info)
{
    const remotes_folder *f = remotes != NULL ? remotes->folders : NULL;
    while (f != NULL && (f->device != info->st_dev || f->inode != info->st_ino))
        f = f->next;
    return f != NULL;
}

static const remotes_folder *
folder_find(const arvo_schema_remotes *remotes, arvo_str uri)
{
    const remotes_folder *best = NULL;
    for (const remotes_folder *f = remotes->folders; f != NULL; f = f->next)
        if (arvo_str_starts(uri, f->url) && uri.len > f->url.len && uri.ptr[f->url.len] == '/' &&
            (best == NULL || f->url.len > best->url.len))
            best = f;
    return best;
}

/* The path behind the URL as a file name, %XX resolved; false: it would leave the folder. */
static bool
path_append(arvo_buf *out, arvo_str path)
{
    size_t start = out->len;
    for (size_t i = 0; i <= path.len; i++) {
        char c = i < path.len ? path.ptr[i] : '/';
        if (c == '/') {
            const arvo_str segment = { out->ptr + start, out->len - start };
            if (arvo_str_is(segment, "..") || arvo_str_is(segment, "."))
                return false;
            if (i < path.len)
                arvo_buf_append_char(out, '/');
            start = out->len;
            continue;
        }
        const int byte = i < path.len ? arvo__percent_byte(path.ptr + i, path.len - i) : -1;
        if (byte >= 0) {
            c = (char)byte;
            i += 2;
        }
        if (c == '/' || c == '\0')
            return false;
        arvo_buf_append_char(out, c);
    }
    return out->status == ARVO_OK;
}

arvo_status
arvo_schema_remotes_find(void *self, arvo_str uri, const arvo_json **out, arvo_error *err)
{
    arvo_schema_remotes *const remotes = self;
    const remotes_folder *const folder = folder_find(remotes, uri);
    if (folder == NULL)
        return ARVO_E_NOT_FOUND;
    const arvo_allocator memory = arvo__arena_allocator(remotes->arena);
    arvo_buf name = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    name.allocator = &memory;
    arvo_buf_append_str(&name, folder->folder);
    arvo_buf_append_char(&name, '/');
    const arvo_str rest = { uri.ptr + folder->url.len + 1, uri.len - folder->url.len - 1 };
    const bool inside = name.status == ARVO_OK && path_append(&name, rest);
    arvo_buf_append_char(&name, '\0');
    if (name.status != ARVO_OK)
        return arvo__nomem(err);
    if (!inside)
        return ARVO_E_NOT_FOUND;
    const arvo_str key = { name.ptr, name.len - 1 };
    *out = arvo__map_find(&remotes->documents, key);
    if (*out != NULL)
        return ARVO_OK;
    struct stat info;
    if (stat(name.ptr, &info) != 0)
        return ARVO_E_NOT_FOUND;
    arvo_document_list documents = { 0 };
    const arvo_status st = arvo_document_load(name.ptr, remotes->arena, &documents, err);
    if (st != ARVO_OK)
        return st == ARVO_E_NOT_FOUND ? ARVO_E_IO : st;
    if (documents.count != 1)
        return arvo__fail(err, ARVO_E_INVALID, "%s: must be one document", name.ptr);
    if (!arvo__map_set(&remotes->documents, key, (void *)(uintptr_t)documents.items[0].root))
        return arvo__nomem(err);
    *out = documents.items[0].root;
    return ARVO_OK;
}
