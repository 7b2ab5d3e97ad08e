/* Mocks: documents that stand in for services (DESIGN 5). */

#include "orchestrator/handler.h"

#include <stdio.h>

/* Reading a mock document: where we are, for errors and for templates. */
typedef struct mock_reader {
    arvo_handler *handler;
    const arvo_document *document;
    char pointer[96];
    arvo_error *err;
} mock_reader;

static arvo_status
mock_fail(const mock_reader *reader, const char *text)
{
    return arvo_document_error(
        reader->document, arvo_str_from(reader->pointer), reader->err, ARVO_E_INVALID, "%s", text);
}

static arvo_status
mock_keys(mock_reader *reader, const arvo_json *object, const char *const *known, const char *what)
{
    for (size_t i = 0; i < arvo_json_count(object); i++) {
        const arvo_str key = arvo_json_key_at(object, i);
        bool is_known = false;
        for (const char *const *name = known; *name != NULL; name++)
            is_known = is_known || arvo_str_is(key, *name);
        if (!is_known)
            return arvo_document_error(
                reader->document, arvo_str_from(reader->pointer), reader->err, ARVO_E_INVALID,
                "%s has no key \"%.*s\"", what, ARVO_FMT(key));
    }
    return ARVO_OK;
}

/* The template under `key`, NULL when there is none. */
static arvo_status
mock_template(
    mock_reader *reader, const arvo_json *object, const char *key, const arvo__template **out)
{
    const arvo_json *value = arvo_json_get(object, key);
    *out = NULL;
    if (value == NULL)
        return ARVO_OK;
    char pointer[128];
    (void)snprintf(pointer, sizeof(pointer), "%s/%s", reader->pointer, key);
    return arvo__template_compile(
        reader->handler->expressions, value, reader->document, arvo_str_from(pointer), out,
        reader->err);
}

static arvo_status
mock_read_error(mock_reader *reader, const arvo_json *error, arvo__mock_reply *reply)
{
    static const char *const keys[] = { "name", "message", NULL };
    const size_t len = strlen(reader->pointer);
    (void)snprintf(reader->pointer + len, sizeof(reader->pointer) - len, "/error");
    if (arvo_json_type_of(error) != ARVO_JSON_OBJECT)
        return mock_fail(reader, "must be an object with a message");
    arvo_status st = mock_keys(reader, error, keys, "an error");
    if (st == ARVO_OK)
        st = mock_template(reader, error, "name", &reply->error_name);
    if (st == ARVO_OK)
        st = mock_template(reader, error, "message", &reply->error_message);
    if (st == ARVO_OK && reply->error_message == NULL)
        st = mock_fail(reader, "an error needs a message");
    return st;
}

static arvo_status
mock_read_reply(mock_reader *reader, const arvo_json *json, arvo__mock_reply *reply)
{
    static const char *const keys[] = { "guard", "type", "data", "error", NULL };
    if (arvo_json_type_of(json) != ARVO_JSON_OBJECT)
        return mock_fail(reader, "a reply must be an object");
    arvo_status st = mock_keys(reader, json, keys, "a reply");
    if (st == ARVO_OK)
        st = mock_template(reader, json, "guard", &reply->guard);
    if (st == ARVO_OK)
        st = mock_template(reader, json, "type", &reply->type);
    if (st == ARVO_OK)
        st = mock_template(reader, json, "data", &reply->data);
    if (st != ARVO_OK)
        return st;

    const arvo_json *error = arvo_json_get(json, "error");
    if ((error != NULL) == (reply->type != NULL))
        return mock_fail(reader, "a reply has either a type (and data) or an error");
    if (error != NULL && reply->data != NULL)
        return mock_fail(reader, "a reply that is an error has no data");
    return error != NULL ? mock_read_error(reader, error, reply) : ARVO_OK;
}

static arvo_status
mock_read(mock_reader *reader, const arvo_json *root)
{
    static const char *const keys[] = { "kind", "type", "description", "replies", NULL };
    arvo_handler *handler = reader->handler;
    arvo_status st = mock_keys(reader, root, keys, "a mock");
    if (st != ARVO_OK)
        return st;

    const arvo_str type = arvo_json_str(arvo_json_get(root, "type"));
    (void)snprintf(reader->pointer, sizeof(reader->pointer), "/type");
    if (type.ptr == NULL || !arvo_event_type_is_valid(type))
        return mock_fail(
            reader, "must be the event type that the mock answers: three or more segments of "
                    "a-z and 0-9, joined by dots");
    handler->type = arvo_arena_str_dup(handler->arena, type);

    const arvo_json *replies = arvo_json_get(root, "replies");
    (void)snprintf(reader->pointer, sizeof(reader->pointer), "/replies");
    if (arvo_json_type_of(replies) != ARVO_JSON_ARRAY || arvo_json_count(replies) == 0)
        return mock_fail(reader, "must be a list of at least one reply");
    handler->reply_count = arvo_json_count(replies);
    handler->replies =
        arvo_arena_calloc(handler->arena, handler->reply_count, sizeof(*handler->replies));
    if (handler->replies == NULL || handler->type.ptr == NULL)
        return arvo__nomem(reader->err);
    for (size_t i = 0; i < handler->reply_count && st == ARVO_OK; i++) {
        (void)snprintf(reader->pointer, sizeof(reader->pointer), "/replies/%zu", i);
        st = mock_read_reply(reader, arvo_json_at(replies, i), &handler->replies[i]);
    }
    return st;
}

/* ---- Answering ----------------------------------------------------------------------- */

typedef struct mock_call {
    const arvo_handling *handling;
    const arvo_handler *mock;
    arvo_scope scope;
} mock_call;

/* The value of a template; NULL when the call has failed: answered, or out of memory. */
static const arvo_json *
mock_value(const mock_call *call, const arvo__template *tmpl)
{
    const arvo_json *value = NULL;
    arvo_error why = { 0 };
    const arvo_status st =
        arvo__template_eval(tmpl, call->mock->expressions, NULL, &call->scope, &value, &why);
    if (st == ARVO_OK)
        return value;
    if (st == ARVO_E_NOMEM)
        (void)arvo__handling_nomem(call->handling);
    else
        (void)arvo_handling_fail(call->handling, ARVO_STR("MockError"), arvo_str_from(why.text));
    return NULL;
}

static bool
mock_reply_error(const mock_call *call, const arvo__mock_reply *reply)
{
    const arvo_json *message = mock_value(call, reply->error_message);
    const arvo_json *name = reply->error_name != NULL ? mock_value(call, reply->error_name) : NULL;
    if (message == NULL || (name == NULL && reply->error_name != NULL))
        return false;
    if (arvo_json_str(message).ptr == NULL || (name != NULL && arvo_json_str(name).ptr == NULL))
        return arvo_handling_fail(
            call->handling, ARVO_STR("MockError"),
            ARVO_STR("the name and the message of an error must be strings"));
    return arvo_handling_fail(
        call->handling, arvo_json_str_or(name, ARVO_STR("Error")), arvo_json_str(message));
}

static bool
mock_reply(const mock_call *call, const arvo__mock_reply *reply)
{
    if (reply->error_message != NULL)
        return mock_reply_error(call, reply);
    const arvo_json *type = mock_value(call, reply->type);
    const arvo_json *data = reply->data != NULL ? mock_value(call, reply->data)
                                                : arvo_json_object_new(call->scope.arena);
    if (data == NULL && reply->data == NULL)
        return arvo__handling_nomem(call->handling);
    if (type == NULL || data == NULL)
        return false;
    const arvo_event fields = { .type = arvo_json_str(type), .data = data };
    if (fields.type.ptr == NULL)
        return arvo_handling_fail(
            call->handling, ARVO_STR("MockError"),
            ARVO_STR("the type of a reply must be a string"));
    arvo_handling_emit(call->handling, &fields);
    return true;
}

static bool
mock_handle(const arvo_handling *handling)
{
    mock_call call = { .handling = handling, .mock = handling->user };
    call.scope = (arvo_scope){ .event = arvo_event_to_json(handling->event, handling->arena),
                               .arena = handling->arena };
    if (call.scope.event == NULL)
        return arvo__handling_nomem(handling);

    for (size_t i = 0; i < call.mock->reply_count; i++) {
        const arvo__mock_reply *reply = &call.mock->replies[i];
        const arvo_json *holds = arvo_json_bool(true);
        if (reply->guard != NULL)
            holds = mock_value(&call, reply->guard);
        if (holds == NULL)
            return false;
        if (arvo__json_is_truthy(holds))
            return mock_reply(&call, reply);
    }
    return arvo_handling_fail(
        handling, ARVO_STR("MockError"), ARVO_STR("no reply of the mock has a guard that holds"));
}

arvo_status
arvo_handler_create_mock(
    arvo_contracts *contracts, const arvo_document *document, arvo_handler **out, arvo_error *err)
{
    ARVO_ASSERT(document != NULL && out != NULL);
    arvo_handler *handler = arvo__handler_new(NULL, contracts);
    if (handler == NULL)
        return arvo__nomem(err);
    handler->is_mock = true;
    handler->handle = mock_handle;
    handler->user = handler;
    handler->expressions = arvo__expr_set_new(NULL);

    mock_reader reader = { .handler = handler, .document = document, .err = err };
    arvo_status st = handler->expressions != NULL ? ARVO_OK : arvo__nomem(err);
    if (st == ARVO_OK && arvo_json_type_of(document->root) != ARVO_JSON_OBJECT)
        st = mock_fail(&reader, "a mock must be an object");
    if (st == ARVO_OK)
        st = mock_read(&reader, document->root);
    if (st == ARVO_OK)
        st = arvo__expr_set_finish(handler->expressions, err);
    if (st != ARVO_OK) {
        arvo_handler_free(handler);
        return st;
    }
    if (contracts != NULL)
        handler->contract = arvo_contracts_find_type(contracts, handler->type);
    *out = handler;
    return ARVO_OK;
}
