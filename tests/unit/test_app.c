/* Apps from files and directories, and what is wrong with some. */

#include "orchestrator_fixture.h"

#include <arvo/app.h>

#include <sys/stat.h>
#include <unistd.h>

typedef struct folder {
    char path[200];
    char *files[8];
    size_t count;
} folder;

static void
folder_open(folder *dir)
{
    const char *tmp = getenv("TMPDIR");
    *dir = (folder){ 0 };
    (void)snprintf(dir->path, sizeof(dir->path), "%s/arvo-app-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir->path));
}

static const char *
folder_put(folder *dir, const char *name, const char *text)
{
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", dir->path, name) > 0);
    dir->files[dir->count++] = path;
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    return path;
}

static void
folder_close(folder *dir)
{
    for (size_t i = 0; i < dir->count; i++) {
        assert_int_equal(unlink(dir->files[i]), 0);
        free(dir->files[i]);
    }
    assert_int_equal(rmdir(dir->path), 0);
}

static const char app_yaml[] =
    "kind: machine\n"
    "id: tiny\n"
    "version: 1.0.0\n"
    "contracts: { self: '#/orc/tiny', services: { ask: '#/svc/ask' } }\n"
    "initial: asking\n"
    "states:\n"
    "  asking:\n"
    "    entry: { type: emit, params: { type: com.ask.it, data: {} } }\n"
    "    on: { evt.ask.it.done: done }\n"
    "  done: { type: final }\n"
    "---\n"
    "kind: mock\n"
    "type: com.ask.it\n"
    "replies: [ { type: evt.ask.it.done, data: {} } ]\n"
    "---\n"
    "kind: orchestrator-contract\n"
    "uri: '#/orc/tiny'\n"
    "name: tiny\n"
    "versions: { 1.0.0: { init: { type: object }, complete: { type: object } } }\n";

static const char service_json[] =
    "{\"kind\":\"contract\",\"uri\":\"#/svc/ask\",\"type\":\"com.ask.it\",\"versions\":{\"1.0.0\":"
    "{\"accepts\":{\"type\":\"object\"},\"emits\":{\"evt.ask.it.done\":{\"type\":\"object\"}}}}}";

static arvo_status
load(const char *path, arvo_app **out, arvo_error *err)
{
    return arvo_app_load(&path, 1, NULL, out, err);
}

static bool
count_done(void *user, const arvo_delivery *delivery)
{
    *(size_t *)user += arvo_str_is(delivery->event->type, "arvo.orc.tiny.done");
    return true;
}

/* The machine stands before the contracts it names, and everything beside what is no document. */
static void
test_app__a_folder_is_linked_and_runs(void **state)
{
    (void)state;
    folder dir;
    folder_open(&dir);
    folder_put(&dir, "app.yaml", app_yaml);
    folder_put(&dir, "service.json", service_json);
    folder_put(&dir, "README.txt", "{ this is not a document");
    folder_put(&dir, ".hidden.json", "{");

    arvo_error err;
    arvo_app *app = NULL;
    assert_ok(load(dir.path, &app, &err), err);
    assert_int_equal(arvo_app_machine_count(app), 1);
    assert_int_equal(arvo_app_mock_count(app), 1);
    assert_int_equal(arvo_contracts_count(arvo_app_contracts(app)), 2);
    assert_str_is(arvo_machine_source(arvo_app_machine_at(app, 0)), "arvo.orc.tiny");
    assert_str_is(arvo_handler_type(arvo_app_mock_at(app, 0)), "com.ask.it");
    assert_null(arvo_app_machine_at(app, 1));
    assert_null(arvo_app_mock_at(app, 1));

    size_t done = 0;
    arvo_memory *memory = NULL;
    arvo_app_runtime *runtime = NULL;
    arvo_arena *arena = arvo_arena_new(NULL);
    assert_ok(arvo_memory_open("memory:", &memory, &err), err);
    const arvo_app_runtime_opts opts = { .memory = memory, .on_event = count_done, .user = &done };
    assert_ok(arvo_app_start(app, &opts, &runtime, &err), err);
    assert_non_null(arvo_app_runtime_orchestrator(runtime, ARVO_STR("arvo.orc.tiny")));
    assert_null(arvo_app_runtime_orchestrator(runtime, ARVO_STR("arvo.orc.other")));

    const arvo_factory factory = { .version = arvo_machine_self(arvo_app_machine_at(app, 0)),
                                   .platform = arvo_platform_system(),
                                   .arena = arena };
    const arvo_event fields = { .source = ARVO_STR(CLIENT),
                                .data = support_json(arena, "{\"parentSubject$$\":null}") };
    arvo_event start;
    assert_ok(arvo_factory_init(&factory, &fields, &start, &err), err);
    assert_ok(arvo_broker_publish(arvo_app_runtime_broker(runtime), &start, &err), err);
    assert_int_equal(done, 1);

    arvo_app_stop(runtime);
    arvo_app_stop(NULL);
    arvo_memory_close(memory);
    arvo_arena_free(arena);
    arvo_app_free(app);
    folder_close(&dir);
}

static void
test_app__what_is_wrong_is_named_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *part;
    } cases[] = {
        { "list.json", "[1]", "object" },
        { "kind.yaml", "# one\nkind: machin\n", "kind.yaml:2: /kind" },
        { "nokind.yaml", "id: x\n", "kind" },
        { "broken.json", "{\"kind\":\n}", "broken.json:2:" },
        { "contract.yaml", "kind: contract\nuri: '#/a'\ntype: com.a.b\nversions: {}\n",
          "contract.yaml:4" },
        { "machine.yaml", "kind: machine\nid: m\ninitial: nowhere\nstates: { a: {} }\n",
          "machine.yaml:3" },
        { "missing.yaml",
          "kind: machine\nid: m\nversion: 1.0.0\ncontracts: { self: '#/none' }\ninitial: a\n"
          "states: { a: {} }\n",
          "#/none" },
        { "mock.yaml", "kind: mock\ntype: com.a.b\nreplies: 7\n", "mock.yaml:3: /replies" },
        { "twice.yaml",
          "kind: mock\ntype: com.a.b\nreplies: [ { type: evt.a.b, data: {} } ]\n---\n"
          "kind: mock\ntype: com.a.b\nreplies: [ { type: evt.a.b, data: {} } ]\n",
          "already" },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        folder dir;
        folder_open(&dir);
        const char *path = folder_put(&dir, cases[i].name, cases[i].text);
        arvo_error err = { 0 };
        arvo_app *app = NULL;
        assert_int_not_equal(load(path, &app, &err), ARVO_OK);
        assert_null(app);
        if (strstr(err.text, cases[i].part) == NULL)
            fail_msg("%s: \"%s\" does not say %s", cases[i].name, err.text, cases[i].part);
        assert_null(strchr(err.text, '\n'));
        folder_close(&dir);
    }
    arvo_error err;
    arvo_app *app = NULL;
    assert_int_equal(load("/nonexistent/app", &app, &err), ARVO_E_IO);
    arvo_app_free(NULL);
}

/* Opening a pipe that nobody writes to would wait for ever. */
static void
test_app__a_pipe_in_a_folder_is_refused(void **state)
{
    (void)state;
    folder dir;
    folder_open(&dir);
    folder_put(&dir, "service.json", service_json);
    const char *path = folder_put(&dir, "pipe.json", "");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    arvo_error err;
    arvo_app *app = NULL;
    assert_int_equal(load(dir.path, &app, &err), ARVO_E_IO);
    assert_null(app);
    assert_non_null(strstr(err.text, "pipe.json: it is no regular file"));
    folder_close(&dir);
}

/* One address has one owner. */
static void
test_app__a_mock_of_a_workflow_of_the_app_is_refused(void **state)
{
    (void)state;
    folder dir;
    folder_open(&dir);
    folder_put(&dir, "app.yaml", app_yaml);
    folder_put(&dir, "service.json", service_json);
    folder_put(
        &dir, "mock.yaml",
        "kind: mock\ntype: arvo.orc.tiny\nreplies: [ { type: arvo.orc.tiny.done, data: {} } ]\n");
    arvo_error err;
    arvo_app *app = NULL;
    arvo_memory *memory = NULL;
    arvo_app_runtime *runtime = NULL;
    assert_ok(load(dir.path, &app, &err), err);
    assert_ok(arvo_memory_open("memory:", &memory, &err), err);
    const arvo_app_runtime_opts opts = { .memory = memory };
    assert_int_equal(arvo_app_start(app, &opts, &runtime, &err), ARVO_E_EXISTS);
    assert_null(runtime);
    assert_non_null(strstr(err.text, "arvo.orc.tiny"));
    arvo_memory_close(memory);
    arvo_app_free(app);
    folder_close(&dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_app__a_folder_is_linked_and_runs),
        cmocka_unit_test(test_app__what_is_wrong_is_named_with_its_place),
        cmocka_unit_test(test_app__a_pipe_in_a_folder_is_refused),
        cmocka_unit_test(test_app__a_mock_of_a_workflow_of_the_app_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
