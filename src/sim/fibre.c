/* Fibres: stacks that are switched by hand (ucontext). */

#include <ucontext.h>

#include "sim/internal.h"

#ifdef ARVO__ARENA_GUARDED /* AddressSanitizer must know which stack is in use */
#include <sanitizer/common_interface_defs.h>
#endif

struct sim_fibre {
    ucontext_t inside, outside;
    void (*run)(void *user);
    void *user;
    char *stack;
    bool has_ended;
    void *fake_stack, *outside_fake_stack;
    const void *outside_bottom;
    size_t outside_size;
};

static void
fibre_arrived(sim_fibre *fibre)
{
#ifdef ARVO__ARENA_GUARDED
    __sanitizer_finish_switch_fiber(
        fibre->fake_stack, &fibre->outside_bottom, &fibre->outside_size);
#else
    (void)fibre;
#endif
}

static void
fibre_main(unsigned low, unsigned high)
{
    sim_fibre *fibre = (sim_fibre *)((uintptr_t)low | (uintptr_t)((uint64_t)high << 32));
    fibre_arrived(fibre);
    fibre->run(fibre->user);
    fibre->has_ended = true;
#ifdef ARVO__ARENA_GUARDED
    __sanitizer_start_switch_fiber(NULL, fibre->outside_bottom, fibre->outside_size);
#endif
    (void)swapcontext(&fibre->inside, &fibre->outside);
}

sim_fibre *
arvo__sim_fibre_new(void (*run)(void *user), void *user)
{
    sim_fibre *fibre = arvo__calloc(NULL, 1, sizeof(*fibre));
    if (fibre == NULL)
        return NULL;
    fibre->run = run;
    fibre->user = user;
    fibre->stack = arvo__alloc(NULL, SIM_STACK_BYTES);
    if (fibre->stack == NULL || getcontext(&fibre->inside) != 0) {
        arvo__sim_fibre_free(fibre);
        return NULL;
    }
    fibre->inside.uc_stack.ss_sp = fibre->stack;
    fibre->inside.uc_stack.ss_size = SIM_STACK_BYTES;
    fibre->inside.uc_link = NULL;
    const uintptr_t self = (uintptr_t)fibre; /* arguments of makecontext are ints */
    makecontext(
        &fibre->inside, (void (*)(void))(uintptr_t)fibre_main, 2, (unsigned)self,
        (unsigned)((uint64_t)self >> 32));
    return fibre;
}

void
arvo__sim_fibre_free(sim_fibre *fibre)
{
    if (fibre == NULL)
        return;
    arvo__free(NULL, fibre->stack, SIM_STACK_BYTES);
    arvo__free(NULL, fibre, sizeof(*fibre));
}

void
arvo__sim_fibre_enter(sim_fibre *fibre)
{
#ifdef ARVO__ARENA_GUARDED
    __sanitizer_start_switch_fiber(&fibre->outside_fake_stack, fibre->stack, SIM_STACK_BYTES);
#endif
    (void)swapcontext(&fibre->outside, &fibre->inside);
#ifdef ARVO__ARENA_GUARDED
    __sanitizer_finish_switch_fiber(fibre->outside_fake_stack, NULL, NULL);
#endif
}

void
arvo__sim_fibre_leave(sim_fibre *fibre)
{
#ifdef ARVO__ARENA_GUARDED
    __sanitizer_start_switch_fiber(&fibre->fake_stack, fibre->outside_bottom, fibre->outside_size);
#endif
    (void)swapcontext(&fibre->inside, &fibre->outside);
    fibre_arrived(fibre);
}

bool
arvo__sim_fibre_has_ended(const sim_fibre *fibre)
{
    return fibre->has_ended;
}
