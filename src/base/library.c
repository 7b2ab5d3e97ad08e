/* Libraries that are opened when they are first needed. */

#include "base/internal.h"

#include <dlfcn.h>

bool
arvo__library_open(const char *soname, const arvo__symbol *symbols, size_t count)
{
    void *const library = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        void *const function = dlsym(library, symbols[i].name);
        if (function == NULL)
            return false;
        memcpy(symbols[i].function, &function, sizeof(function)); /* ISO C has no cast for it */
    }
    return true;
}
