/* The address of a Redis server in a store URL:
 *
 *   redis://[user[:password]@]host[:port][/db][?parameters]
 *   redis+unix://[user[:password]@]/path/of/socket[?parameters]
 *
 * User and password may have %XX in them. A host in brackets is an IPv6 address.
 */

#include "arvo_config.h"

#ifdef ARVO_HAVE_REDIS

#include <string.h>

#include "memory/redis.h"

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Into `out`, with a NUL. false: too long, or a wrong %XX, or a NUL. */
static bool
url_unescape(arvo_str text, char *out, size_t size)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            const int high = i + 2 < text.len ? hex_digit(text.ptr[i + 1]) : -1;
            const int low = high >= 0 ? hex_digit(text.ptr[i + 2]) : -1;
            if (low < 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0' || len + 1 >= size)
            return false;
        out[len++] = c;
    }
    out[len] = '\0';
    return true;
}

static bool
url_number(arvo_str text, int64_t max, int64_t *out)
{
    int64_t number = 0;
    if (text.len == 0 || text.len > 9)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        number = number * 10 + (text.ptr[i] - '0');
    }
    *out = number;
    return number <= max;
}

/* What is left of the first `at`, which is taken off *rest; none: there is none, nothing is. */
static arvo_str
url_take(arvo_str *rest, char at)
{
    const char *found = rest->len > 0 ? memchr(rest->ptr, at, rest->len) : NULL;
    if (found == NULL)
        return ARVO_STR_NONE;
    const arvo_str head = { rest->ptr, (size_t)(found - rest->ptr) };
    *rest = (arvo_str){ found + 1, rest->len - head.len - 1 };
    return head;
}

static arvo_status
url_user(arvo_str userinfo, struct redis_address *out, arvo_error *err)
{
    arvo_str password = userinfo;
    arvo_str user = url_take(&password, ':');
    if (user.ptr == NULL) {
        user = userinfo;
        password = ARVO_STR("");
    }
    if (!url_unescape(user, out->user, sizeof(out->user)) ||
        !url_unescape(password, out->password, sizeof(out->password)))
        return arvo__fail(
            err, ARVO_E_INVALID,
            "store URL: the user or password is too long or has a %% that two hexadecimal digits "
            "do not follow (write %% as %%25)");
    if (out->password[0] == '\0' && out->user[0] != '\0')
        return arvo__fail(
            err, ARVO_E_INVALID,
            "store URL: a user without a password; say redis://user:password@host, or "
            "redis://:password@host for the default user");
    return ARVO_OK;
}

static arvo_status
url_host(arvo_str host, struct redis_address *out, arvo_error *err)
{
    arvo_str port = ARVO_STR_NONE;
    if (host.len > 0 && host.ptr[0] == '[') {
        port = (arvo_str){ host.ptr + 1, host.len - 1 };
        host = url_take(&port, ']');
        if (host.ptr == NULL || (port.len > 0 && port.ptr[0] != ':'))
            return arvo__fail(
                err, ARVO_E_INVALID, "store URL: an IPv6 address is written [address]:port");
        port = port.len > 0 ? (arvo_str){ port.ptr + 1, port.len - 1 } : ARVO_STR_NONE;
    } else {
        arvo_str rest = host;
        const arvo_str head = url_take(&rest, ':');
        if (head.ptr != NULL) {
            host = head;
            port = rest;
        }
    }
    int64_t number = REDIS_PORT_DEFAULT;
    if (port.ptr != NULL && (!url_number(port, 65535, &number) || number == 0))
        return arvo__fail(
            err, ARVO_E_INVALID, "store URL: the port must be a number from 1 to 65535");
    if (host.len == 0)
        host = ARVO_STR("127.0.0.1");
    if (!url_unescape(host, out->host, sizeof(out->host)))
        return arvo__fail(err, ARVO_E_INVALID, "store URL: the host is too long");
    out->port = (int)number;
    return ARVO_OK;
}

/* The last `@` ends the user: a password may have one. */
static arvo_str
url_userinfo(arvo_str *rest)
{
    const char *found = rest->len > 0 ? memrchr(rest->ptr, '@', rest->len) : NULL;
    if (found == NULL)
        return ARVO_STR_NONE;
    const arvo_str head = { rest->ptr, (size_t)(found - rest->ptr) };
    *rest = (arvo_str){ found + 1, rest->len - head.len - 1 };
    return head;
}

static arvo_status
url_tcp(arvo_str rest, struct redis_address *out, arvo_error *err)
{
    arvo_str path = rest;
    arvo_str authority = url_take(&path, '/');
    if (authority.ptr == NULL) {
        authority = rest;
        path = ARVO_STR("");
    }
    const arvo_str userinfo = url_userinfo(&authority);
    arvo_status st = userinfo.ptr != NULL ? url_user(userinfo, out, err) : ARVO_OK;
    if (st == ARVO_OK)
        st = url_host(authority, out, err);
    if (st == ARVO_OK && path.len > 0 && !url_number(path, 1000000, &out->db))
        st = arvo__fail(
            err, ARVO_E_INVALID,
            "store URL: behind the host may stand the number of a database, as in "
            "redis://host:6379/2");
    return st;
}

static arvo_status
url_unix(arvo_str rest, struct redis_address *out, arvo_error *err)
{
    const arvo_str userinfo = url_userinfo(&rest);
    const arvo_status st = userinfo.ptr != NULL ? url_user(userinfo, out, err) : ARVO_OK;
    if (st != ARVO_OK)
        return st;
    if (rest.len == 0 || rest.ptr[0] != '/' || !url_unescape(rest, out->host, sizeof(out->host)))
        return arvo__fail(
            err, ARVO_E_INVALID,
            "store URL: say redis+unix:///path/of/the/socket (an absolute path of at most %zu "
            "bytes)",
            sizeof(out->host) - 1);
    out->is_unix = true;
    return ARVO_OK;
}

arvo_status
arvo__redis_url_parse(
    arvo_str rest, bool is_unix, struct redis_address *out, arvo_str *out_query, arvo_error *err)
{
    arvo_str query = rest;
    const arvo_str head = url_take(&query, '?');
    *out_query = ARVO_STR_NONE;
    if (head.ptr != NULL) {
        rest = head;
        *out_query = query;
    }
    if (!arvo_str_starts(rest, ARVO_STR("//")))
        return arvo__fail(
            err, ARVO_E_INVALID, "store URL: %s",
            is_unix ? "say redis+unix:///path/of/the/socket"
                    : "say redis://[user:password@]host[:port][/db]");
    rest = (arvo_str){ rest.ptr + 2, rest.len - 2 };
    return is_unix ? url_unix(rest, out, err) : url_tcp(rest, out, err);
}

#endif
