/* orchestrator/app.h - an app while it is put together, by those who load and those who check one.
 */
#ifndef ARVO_SRC_ORCHESTRATOR_APP_H
#define ARVO_SRC_ORCHESTRATOR_APP_H

#include <arvo/app.h>

#include "orchestrator/internal.h"

typedef enum app_kind { APP_CONTRACT, APP_MACHINE, APP_MOCK, APP_KIND_COUNT } app_kind;

struct arvo_app {
    arvo_arena *arena;
    arvo_contracts *contracts;
    arvo_schema_remotes *remotes;    /* while it is put together */
    const arvo_document **documents; /* growing, in the arena */
    size_t document_count;
    size_t document_cap;
    app_kind *kinds; /* of the documents */
    size_t file_count;
    arvo_machine **machines;
    size_t machine_count;
    arvo_handler **mocks;
    size_t mock_count;
};

/* An app whose documents are read and not yet looked at. ARVO_E_IO, ARVO_E_MALFORMED, ... */
arvo_status arvo__app_read(
    const char *const *paths, size_t path_count, const arvo_app_opts *opts, arvo_app **out,
    arvo_error *err);

/* Once its contracts are read. */
void arvo__app_forget_remotes(arvo_app *app);

/* Room for as many of each as there are documents; false: out of memory. */
bool arvo__app_make_room(arvo_app *app);

arvo_status arvo__app_kind_of(const arvo_document *document, app_kind *out, arvo_error *err);
arvo_machine_setup arvo__app_setup(const arvo_app *app, const arvo_app_opts *opts);

/* The machine is the app's from now on, whatever is returned. ARVO_E_EXISTS. */
arvo_status arvo__app_add_machine(
    arvo_app *app, const arvo_document *document, arvo_machine *machine, arvo_error *err);
arvo_status arvo__app_add_mock(arvo_app *app, const arvo_document *document, arvo_error *err);

#endif
