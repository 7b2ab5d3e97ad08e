/* libpq, opened by the first store that needs it: it brings along TLS, Kerberos and LDAP, which
 * would cost every start of every program several milliseconds. */

#include "arvo_config.h"

#ifdef ARVO_HAVE_POSTGRES

#include "memory/postgres.h"

struct postgres_library arvo__pq;

static pthread_mutex_t library_mutex = PTHREAD_MUTEX_INITIALIZER;
static bool is_open;

arvo_status
arvo__postgres_library_open(arvo_error *err)
{
#define PQ_SYMBOL(name) { #name, &arvo__pq.name },
    static const arvo__symbol symbols[] = { PQ_FUNCTIONS(PQ_SYMBOL) };
#undef PQ_SYMBOL
    (void)pthread_mutex_lock(&library_mutex);
    if (!is_open)
        is_open = arvo__library_open(ARVO_PQ_LIBRARY, symbols, ARVO_COUNT_OF(symbols));
    const bool is_there = is_open;
    (void)pthread_mutex_unlock(&library_mutex);
    if (!is_there)
        return arvo__fail(
            err, ARVO_E_UNSUPPORTED,
            "a postgres: store needs " ARVO_PQ_LIBRARY
            ", which is not there: install it (Debian: libpq5)");
    return ARVO_OK;
}

#endif
