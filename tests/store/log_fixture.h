/* A log that counts what a store says, and keeps the last of it: what the tests of stores share. */
#ifndef ARVO_TESTS_STORE_LOG_FIXTURE_H
#define ARVO_TESTS_STORE_LOG_FIXTURE_H

#include <arvo/log.h>
#include <arvo/memory.h>

#include <pthread.h>
#include <stdio.h>

typedef struct store_log {
    pthread_mutex_t mutex;
    unsigned infos, warnings, others;
    char info[700], warning[700];
    arvo_log log;
    arvo_platform platform;
} store_log;

static inline void
store_log_write(void *self, const arvo_log_record *record)
{
    store_log *log = self;
    const bool is_info = record->level == ARVO_LOG_INFO;
    const bool is_warning = record->level == ARVO_LOG_WARNING;
    (void)pthread_mutex_lock(&log->mutex);
    if (record->area != ARVO_LOG_AREA_STORE || (!is_info && !is_warning)) {
        log->others++;
    } else {
        (is_info ? log->infos++ : log->warnings++);
        (void)snprintf(
            is_info ? log->info : log->warning, sizeof(log->info), "%.*s",
            ARVO_FMT(record->message));
    }
    (void)pthread_mutex_unlock(&log->mutex);
}

/* A store with it, which must outlive the store. */
static inline arvo_memory *
store_log_open(store_log *log, const char *url)
{
    arvo_memory *memory = NULL;
    arvo_error err = { 0 };
    *log = (store_log){ .mutex = PTHREAD_MUTEX_INITIALIZER };
    log->log = (arvo_log){ .version = ARVO_LOG_OPS_VERSION, .write = store_log_write, .self = log };
    log->platform = *arvo_platform_system();
    log->platform.log = &log->log;
    if (arvo_memory_open_with(url, &log->platform, &memory, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    return memory;
}

#endif
