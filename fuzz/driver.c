/* Replays a corpus through a fuzz target without libFuzzer: driver FILE|DIR... */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t replayed;

static int
replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return -1;
    }
    if (fseek(file, 0, SEEK_END) != 0) {
        perror(path);
        fclose(file);
        return -1;
    }
    const long size = ftell(file);
    rewind(file);
    /* Exactly as large as the input, so that the sanitizer sees a read past its end. */
    uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
    if (size < 0 || data == NULL || fread(data, 1, (size_t)size, file) != (size_t)size) {
        fprintf(stderr, "%s: cannot be read\n", path);
        free(data);
        fclose(file);
        return -1;
    }
    fclose(file);
    (void)LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
    replayed++;
    return 0;
}

static int
replay(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        perror(path);
        return -1;
    }
    if (!S_ISDIR(info.st_mode))
        return replay_file(path);

    DIR *dir = opendir(path);
    if (dir == NULL) {
        perror(path);
        return -1;
    }
    int result = 0;
    for (const struct dirent *entry = readdir(dir); entry != NULL && result == 0;
         entry = readdir(dir)) {
        if (entry->d_name[0] == '.')
            continue;
        char child[4096];
        const int len = snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
        result = len < (int)sizeof(child) ? replay(child) : -1;
    }
    closedir(dir);
    return result;
}

int
main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (replay(argv[i]) != 0)
            return 1;
    printf("%zu inputs replayed\n", replayed);
    return replayed > 0 ? 0 : 1;
}
