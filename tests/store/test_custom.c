/* The example of a user's own store, run through the conformance suite. */

#define CUSTOM_STORE_NO_MAIN
#include "../../examples/custom_store.c"

#include "conformance.h"

static arvo_status
open_custom(void *user, const arvo_platform *platform, arvo_memory **out, arvo_error *err)
{
    (void)user;
    return my_store_new(platform, out, err);
}

int
main(void)
{
    return store_conformance_run(&(store_factory){
        .name = "custom", .open = open_custom, .has_no_line = true, .many = 200 });
}
