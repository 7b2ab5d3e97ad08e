/* Registering a store, and opening a built-in one by its URL. */

#include <arvo/log.h>
#include <arvo/memory.h>

#include <string.h>

#include "memory/internal.h"

#define MEMORY_DELIVERY_OPS 8u

struct arvo_memory {
    arvo_memory_ops ops;
    void *self;
    const arvo_allocator *allocator;
};

/* ---- Registration ------------------------------------------------------ */

/* What is optional alone, and what only together. */
static arvo_status
memory_pairs_check(const arvo_memory_ops *ops, arvo_error *err)
{
    if ((ops->commit != NULL) != (ops->inbox_find != NULL))
        return arvo__fail(
            err, ARVO_E_INVALID, "memory \"%s\": commit and inbox_find come together, or neither",
            ops->name);
    if ((ops->outbox_list != NULL) != (ops->outbox_done != NULL))
        return arvo__fail(
            err, ARVO_E_INVALID,
            "memory \"%s\": outbox_list and outbox_done come together, or neither", ops->name);
    const size_t delivery = (size_t)(ops->outbox_claim != NULL) + (ops->outbox_retry != NULL) +
                            (ops->outbox_dead != NULL) + (ops->outbox_release != NULL) +
                            (ops->outbox_wait != NULL) + (ops->dead_list != NULL) +
                            (ops->dead_retry != NULL) + (ops->dead_drop != NULL);
    if (delivery != 0 && (delivery != MEMORY_DELIVERY_OPS || ops->outbox_list == NULL))
        return arvo__fail(
            err, ARVO_E_INVALID,
            "memory \"%s\": outbox_claim, outbox_retry, outbox_dead, outbox_release, outbox_wait, "
            "dead_list, dead_retry and dead_drop come together, and with outbox_list",
            ops->name);
    if ((ops->dump != NULL) != (ops->load != NULL))
        return arvo__fail(
            err, ARVO_E_INVALID, "memory \"%s\": dump and load come together, or neither",
            ops->name);
    if (ops->lock_read != NULL && ops->inbox_find == NULL)
        return arvo__fail(
            err, ARVO_E_INVALID,
            "memory \"%s\": lock_read looks into the inbox, and inbox_find is missing", ops->name);
    if (ops->outbox_list != NULL && ops->commit == NULL)
        return arvo__fail(
            err, ARVO_E_INVALID, "memory \"%s\": an outbox is filled by commit, which is missing",
            ops->name);
    return ARVO_OK;
}

static arvo_status
memory_ops_check(const arvo_memory_ops *ops, arvo_error *err)
{
    const char *missing = NULL;

    if (ops->version != ARVO_MEMORY_OPS_VERSION)
        return arvo__fail(
            err, ARVO_E_INVALID,
            "memory: the table has version %u, this library speaks %u: set .version = "
            "ARVO_MEMORY_OPS_VERSION and compile again",
            (unsigned)ops->version, ARVO_MEMORY_OPS_VERSION);
    if (ops->name == NULL || ops->name[0] == '\0')
        missing = "name";
    else if (ops->read == NULL)
        missing = "read";
    else if (ops->write == NULL)
        missing = "write";
    else if (ops->lock == NULL)
        missing = "lock";
    else if (ops->unlock == NULL)
        missing = "unlock";
    if (missing != NULL)
        return arvo__fail(
            err, ARVO_E_INVALID, "memory: the table has no %s, which is required", missing);

    return memory_pairs_check(ops, err);
}

arvo_status
arvo__memory_new(
    const arvo_memory_ops *ops, void *self, const arvo_allocator *allocator, arvo_memory **out,
    arvo_error *err)
{
    ARVO_ASSERT(ops != NULL);
    ARVO_ASSERT(out != NULL);

    const arvo_status st = memory_ops_check(ops, err);
    if (st != ARVO_OK)
        return st;
    arvo_memory *memory = arvo__alloc(allocator, sizeof(*memory));
    if (memory == NULL)
        return arvo__nomem(err);
    *memory = (arvo_memory){ .ops = *ops, .self = self, .allocator = allocator };
    *out = memory;
    return ARVO_OK;
}

arvo_status
arvo_memory_new(const arvo_memory_ops *ops, void *self, arvo_memory **out, arvo_error *err)
{
    return arvo__memory_new(ops, self, NULL, out, err);
}

void
arvo_memory_close(arvo_memory *memory)
{
    if (memory == NULL)
        return;
    if (memory->ops.close != NULL)
        memory->ops.close(memory->self);
    arvo__free(memory->allocator, memory, sizeof(*memory));
}

const arvo_memory_ops *
arvo_memory_ops_of(const arvo_memory *memory)
{
    return &memory->ops;
}

void *
arvo_memory_self(const arvo_memory *memory)
{
    return memory->self;
}

const char *
arvo_memory_name(const arvo_memory *memory)
{
    return memory->ops.name;
}

/* ---- URLs -------------------------------------------------------------- */

static const struct memory_scheme {
    const char *name;
    arvo_status (*open)(
        arvo_str rest, const arvo_platform *platform, const arvo_allocator *allocator,
        arvo_memory **out, arvo_error *err);
} memory_schemes[] = {
    { "memory", arvo__memory_simple_open },     { "sqlite", arvo__memory_sqlite_open },
    { "postgres", arvo__memory_postgres_open }, { "postgresql", arvo__memory_postgres_open },
    { "redis", arvo__memory_redis_open },       { "redis+unix", arvo__memory_redis_unix_open },
    { "rediss", arvo__memory_rediss_open },
};

static void
params_name_all(arvo_buf *out, const arvo__memory_param *params, size_t count)
{
    for (size_t i = 0; i < count; i++)
        arvo_buf_printf(out, "%s%s", i > 0 ? ", " : "", params[i].name);
    arvo_buf_append_char(out, '\0');
}

static arvo_status
params_unknown(arvo_str name, const arvo__memory_param *params, size_t count, arvo_error *err)
{
    arvo_buf known = ARVO_BUF_INIT(1024);
    params_name_all(&known, params, count);
    (void)arvo__fail(
        err, ARVO_E_INVALID, "store URL: unknown parameter \"%.*s\"; known here: %s",
        ARVO_FMT(name), known.status == ARVO_OK ? known.ptr : "(out of memory)");
    arvo_buf_fini(&known);
    return ARVO_E_INVALID;
}

static arvo_status
param_read_choice(const arvo__memory_param *param, arvo_str value, arvo_error *err)
{
    for (int64_t i = 0; param->choices[i] != NULL; i++) {
        if (arvo_str_is(value, param->choices[i])) {
            *param->value = i;
            return ARVO_OK;
        }
    }
    arvo_buf known = ARVO_BUF_INIT(1024);
    for (size_t i = 0; param->choices[i] != NULL; i++)
        arvo_buf_printf(&known, "%s%s", i > 0 ? " or " : "", param->choices[i]);
    arvo_buf_append_char(&known, '\0');
    (void)arvo__fail(
        err, ARVO_E_INVALID, "store URL: %s is \"%.*s\"; it must be %s", param->name,
        ARVO_FMT(value), known.status == ARVO_OK ? known.ptr : "another word");
    arvo_buf_fini(&known);
    return ARVO_E_INVALID;
}

static arvo_status
param_read_number(const arvo__memory_param *param, arvo_str value, arvo_error *err)
{
    int64_t number = 0;
    bool is_good = value.len > 0 && value.len <= 18;
    for (size_t i = 0; is_good && i < value.len; i++) {
        is_good = value.ptr[i] >= '0' && value.ptr[i] <= '9';
        number = number * 10 + (value.ptr[i] - '0');
    }
    if (!is_good || number < param->min || number > param->max)
        return arvo__fail(
            err, ARVO_E_INVALID, "store URL: %s is \"%.*s\"; it must be a number from %lld to %lld",
            param->name, ARVO_FMT(value), (long long)param->min, (long long)param->max);
    *param->value = number;
    return ARVO_OK;
}

static arvo_str
str_cut(arvo_str *rest, char at)
{
    const char *found = rest->len > 0 ? memchr(rest->ptr, at, rest->len) : NULL;
    arvo_str head = *rest;
    if (found == NULL) {
        *rest = ARVO_STR_NONE;
        return head;
    }
    head.len = (size_t)(found - rest->ptr);
    *rest = (arvo_str){ found + 1, rest->len - head.len - 1 };
    return head;
}

arvo_status
arvo__memory_params_parse(
    arvo_str query, const arvo__memory_param *params, size_t count, arvo_error *err)
{
    while (query.ptr != NULL && query.len > 0) {
        arvo_str value = str_cut(&query, '&');
        const arvo_str name = str_cut(&value, '=');
        size_t i = 0;
        while (i < count && !arvo_str_is(name, params[i].name))
            i++;
        if (i == count)
            return params_unknown(name, params, count, err);
        arvo_status st = ARVO_OK;
        if (params[i].text != NULL)
            *params[i].text = value.ptr != NULL ? value : ARVO_STR("");
        else if (params[i].choices != NULL)
            st = param_read_choice(&params[i], value, err);
        else
            st = param_read_number(&params[i], value, err);
        if (st != ARVO_OK)
            return st;
    }
    return ARVO_OK;
}

void
arvo_memory_url_show(arvo_str url, arvo_buf *out)
{
    ARVO_ASSERT(out != NULL);
    arvo__url_show(url, out);
}

arvo_status
arvo__memory_open(
    const char *url, const arvo_platform *platform, const arvo_allocator *allocator,
    arvo_memory **out, arvo_error *err)
{
    ARVO_ASSERT(url != NULL);
    ARVO_ASSERT(out != NULL);

    if (platform == NULL)
        platform = arvo_platform_system();
    if (platform->version != ARVO_PLATFORM_OPS_VERSION || platform->time_ms == NULL ||
        platform->random == NULL)
        return arvo__fail(
            err, ARVO_E_INVALID, "memory: the platform table has another version, or holes");

    const arvo_status st = arvo_log_check(platform->log, err);
    if (st != ARVO_OK)
        return st;
    arvo_str rest = arvo_str_from(url);
    const arvo_str scheme = str_cut(&rest, ':');
    for (size_t i = 0; rest.ptr != NULL && i < ARVO_COUNT_OF(memory_schemes); i++) {
        if (arvo_str_is(scheme, memory_schemes[i].name))
            return memory_schemes[i].open(rest, platform, allocator, out, err);
    }
    return arvo__fail(
        err, ARVO_E_INVALID,
        "store URL: it begins with \"%.*s\"; it must begin with memory:, sqlite: (say sqlite:PATH "
        "for a file), postgres:, redis: or redis+unix:",
        scheme.len < 40 ? (int)scheme.len : 40, scheme.ptr); /* behind it may be a password */
}

arvo_status
arvo_memory_open_with(
    const char *url, const arvo_platform *platform, arvo_memory **out, arvo_error *err)
{
    return arvo__memory_open(url, platform, NULL, out, err);
}

arvo_status
arvo_memory_open(const char *url, arvo_memory **out, arvo_error *err)
{
    return arvo__memory_open(url, NULL, NULL, out, err);
}
