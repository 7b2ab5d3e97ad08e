/* Diagrams: guards, actions and transitions in a few words, and words in rows. */

#include "machine/diagram.h"

#define ELLIPSIS "\xe2\x80\xa6"
#define TO       " \xe2\x86\x92 "

/* Texts are built in a bounded buffer: what does not fit is cut, which is no failure. */
static bool
text_is_full(const arvo_buf *text)
{
    return text->len > DIAGRAM_TEXT_BYTES_MAX || text->status != ARVO_OK;
}

static arvo_buf
text_begin(const diagram *d)
{
    arvo_buf text = ARVO_BUF_INIT(ARVO_DIAGRAM_BYTES_MAX);
    text.allocator = d->machine->allocator;
    return text;
}

static arvo_str
text_finish(const diagram *d, arvo_buf *text)
{
    size_t len = text->len;
    if (len > DIAGRAM_TEXT_BYTES_MAX) {
        len = DIAGRAM_TEXT_BYTES_MAX;
        while (len > 0 && ((unsigned char)text->ptr[len] & 0xc0u) == 0x80u)
            len--;
    }
    const arvo_str result = arvo_arena_printf(
        d->arena, "%.*s%s", (int)len, len > 0 ? text->ptr : "", len < text->len ? ELLIPSIS : "");
    if (text->status != ARVO_OK)
        d->arena->failed = true; /* asked once, at the end */
    arvo_buf_fini(text);
    return result.ptr != NULL ? result : ARVO_STR("");
}

static void
put(arvo_buf *text, const char *literal)
{
    if (!text_is_full(text))
        arvo_buf_append_str(text, arvo_str_from(literal));
}

static bool
is_blank(char c)
{
    return (unsigned char)c <= ' ' || c == 0x7f;
}

static arvo_str
trimmed(arvo_str str)
{
    while (str.len > 0 && is_blank(str.ptr[0]))
        str = (arvo_str){ str.ptr + 1, str.len - 1 };
    while (str.len > 0 && is_blank(str.ptr[str.len - 1]))
        str.len--;
    return str;
}

/* Runs of white space and control characters as one space; of an expression what stands inside. */
static void
put_string(arvo_buf *text, arvo_str str)
{
    str = trimmed(str);
    if (arvo__expr_is(str))
        str = trimmed((arvo_str){ str.ptr + 2, str.len - 3 });
    bool was_blank = false;
    for (size_t i = 0; i < str.len && !text_is_full(text); i++) {
        if (!is_blank(str.ptr[i]))
            arvo_buf_append_char(text, str.ptr[i]);
        else if (!was_blank)
            arvo_buf_append_char(text, ' ');
        was_blank = is_blank(str.ptr[i]);
    }
}

/* A value as people read it: strings without quotes, the rest as JSON. */
static void
put_value(arvo_buf *text, const arvo_json *value)
{
    if (arvo_json_type_of(value) == ARVO_JSON_STRING)
        put_string(text, arvo_json_str(value));
    else if (value != NULL && !text_is_full(text))
        arvo_json_write(value, text);
}

/* ---- Guards ---- */

static void put_guard(arvo_buf *text, const arvo_json *guard, bool is_inner);

static void
put_guards(arvo_buf *text, const arvo_json *guards, const char *between, bool is_inner)
{
    put(text, is_inner ? "(" : "");
    for (size_t i = 0; i < arvo_json_count(guards) && !text_is_full(text); i++) {
        put(text, i > 0 ? between : "");
        put_guard(text, arvo_json_at(guards, i), true);
    }
    put(text, is_inner ? ")" : "");
}

/* The depth of guards is bounded when the machine is compiled. */
static void
put_guard(arvo_buf *text, const arvo_json *guard, bool is_inner)
{
    const arvo_str type = arvo_json_str(arvo_json_get(guard, "type"));
    const arvo_json *const params = arvo_json_get(guard, "params");
    if (arvo_json_type_of(guard) != ARVO_JSON_OBJECT) {
        put_value(text, guard);
    } else if (arvo_str_is(type, "and") || arvo_str_is(type, "or")) {
        put_guards(
            text, arvo_json_get(guard, "guards"), arvo_str_is(type, "and") ? " and " : " or ",
            is_inner);
    } else if (arvo_str_is(type, "not")) {
        put(text, "not ");
        put_guard(text, arvo_json_get(guard, "guard"), true);
    } else if (arvo_str_is(type, "stateIn")) {
        put(text, "in ");
        put_value(text, arvo_json_get(params, "state"));
    } else {
        put_string(text, type);
        put(text, params != NULL ? " " : "");
        put_value(text, params);
    }
}

arvo_str
arvo__diagram_guard_text(const diagram *d, const arvo_json *guard)
{
    arvo_buf text = text_begin(d);
    put_guard(&text, guard, false);
    return text_finish(d, &text);
}

/* ---- Actions ---- */

/* How the document calls the service that accepts `type`; else its URI; none: no service does. */
static arvo_str
service_name(const diagram *d, arvo_str type)
{
    const arvo_contract_version *const service =
        type.ptr != NULL ? arvo_machine_service_find(d->machine, type) : NULL;
    if (service == NULL)
        return ARVO_STR_NONE;
    const arvo_str uri = arvo_contract_uri(service->contract);
    const arvo_json *const contracts = arvo_json_get(d->root, "contracts");
    const arvo_json *const services = arvo_json_get(contracts, "services");
    for (size_t i = 0; i < arvo_json_count(services); i++) {
        const arvo_json *const entry = arvo_json_at(services, i);
        const arvo_json *const named = arvo_json_get(entry, "uri");
        if (arvo_str_equal(arvo_json_str(named != NULL ? named : entry), uri))
            return arvo_json_key_at(services, i);
    }
    return uri;
}

static void
put_emission(const diagram *d, arvo_buf *text, const arvo_json *params)
{
    const arvo_json *const type = arvo_json_get(params, "type");
    const arvo_json *const domains = arvo_json_get(params, "domains");
    const arvo_str service = service_name(d, arvo_json_str(type));
    put(text, "emit ");
    put_value(text, type != NULL ? type : params);
    if (service.ptr != NULL) {
        put(text, TO);
        put_string(text, service);
    }
    for (size_t i = 0; i < arvo_json_count(domains) && !text_is_full(text); i++) {
        put(text, i == 0 ? " (" : ", ");
        put_value(text, arvo_json_at(domains, i));
    }
    put(text, arvo_json_count(domains) > 0 ? ")" : "");
}

static void
put_assign(arvo_buf *text, const arvo_json *params)
{
    put(text, "assign ");
    if (arvo_json_type_of(params) != ARVO_JSON_OBJECT)
        put_value(text, params);
    for (size_t i = 0; i < arvo_json_count(params) && !text_is_full(text); i++) {
        put(text, i > 0 ? ", " : "");
        put_string(text, arvo_json_key_at(params, i));
    }
}

static void put_actions(const diagram *d, arvo_buf *text, const arvo_json *actions);

static void
put_branches(const diagram *d, arvo_buf *text, const arvo_json *branches)
{
    for (size_t i = 0; i < arvo_json_count(branches) && !text_is_full(text); i++) {
        const arvo_json *const branch = arvo_json_at(branches, i);
        const arvo_json *const guard = arvo_json_get(branch, "guard");
        put(text, i > 0 ? "; " : "");
        if (guard != NULL) {
            put(text, "if [");
            put_guard(text, guard, false);
            put(text, "] ");
        }
        put_actions(d, text, arvo_json_get(branch, "actions"));
    }
}

static bool
is_emit(arvo_str type)
{
    return arvo_str_is(type, "emit") || arvo_str_is(type, "enqueueArvoEvent");
}

/* A named action says what it emits: who is called matters more than how the document names it.
 * One level deep, so that entries which use each other are not gone through again and again. */
static void
put_named(const diagram *d, arvo_buf *text, arvo_str name, const arvo_json *params)
{
    const arvo_json *const entry = arvo_json_get_str(arvo_json_get(d->root, "actions"), name);
    const bool is_list = arvo_json_type_of(entry) == ARVO_JSON_ARRAY;
    const size_t count = is_list ? arvo_json_count(entry) : 1;
    put_string(text, name);
    put(text, params != NULL ? " " : "");
    put_value(text, params);
    for (size_t i = 0; i < count && entry != NULL && !text_is_full(text); i++) {
        const arvo_json *const action = is_list ? arvo_json_at(entry, i) : entry;
        if (!is_emit(arvo_json_str(arvo_json_get(action, "type"))))
            continue;
        put(text, ": ");
        put_emission(d, text, arvo_json_get(action, "params"));
    }
}

static void
put_action(const diagram *d, arvo_buf *text, const arvo_json *action)
{
    const bool is_object = arvo_json_type_of(action) == ARVO_JSON_OBJECT;
    const arvo_str type = arvo_json_str(is_object ? arvo_json_get(action, "type") : action);
    const arvo_json *const params = arvo_json_get(action, "params");
    if (arvo_str_is(type, "assign")) {
        put_assign(text, params);
    } else if (is_emit(type)) {
        put_emission(d, text, params);
    } else if (arvo_str_is(type, "raise")) {
        const arvo_json *const event = arvo_json_get(params, "type");
        put(text, "raise ");
        put_value(text, event != NULL ? event : params);
    } else if (arvo_str_is(type, "log")) {
        put(text, "log");
    } else if (arvo_str_is(type, "enqueueActions")) {
        put_branches(d, text, params);
    } else {
        put_named(d, text, type, params);
    }
}

static void
put_actions(const diagram *d, arvo_buf *text, const arvo_json *actions)
{
    const bool is_list = arvo_json_type_of(actions) == ARVO_JSON_ARRAY;
    const size_t count = is_list ? arvo_json_count(actions) : actions != NULL ? 1 : 0;
    for (size_t i = 0; i < count && !text_is_full(text); i++) {
        put(text, i > 0 ? "; " : "");
        put_action(d, text, is_list ? arvo_json_at(actions, i) : actions);
    }
}

arvo_str
arvo__diagram_actions_text(const diagram *d, const arvo_json *actions)
{
    arvo_buf text = text_begin(d);
    put_actions(d, &text, actions);
    return text_finish(d, &text);
}

/* ---- Transitions ---- */

arvo_str
arvo__diagram_transition_text(
    const diagram *d, arvo_str event, const arvo_json *json, arvo_str target)
{
    arvo_buf text = text_begin(d);
    const arvo_json *const guard = arvo_json_get(json, "guard");
    const arvo_json *const actions = arvo_json_get(json, "actions");
    const bool has_actions = actions != NULL && (arvo_json_type_of(actions) != ARVO_JSON_ARRAY ||
                                                 arvo_json_count(actions) > 0);
    put_string(&text, event);
    if (guard != NULL) {
        put(&text, " [");
        put_guard(&text, guard, false);
        put(&text, "]");
    }
    if (target.ptr != NULL) {
        put(&text, TO);
        put_string(&text, target);
    }
    if (has_actions) {
        put(&text, text.len > 0 ? " / " : "/ ");
        put_actions(d, &text, actions);
    }
    return text_finish(d, &text);
}

/* ---- Rows ---- */

/* A good place to break behind: a space, or the end of a part of a name. */
static bool
is_break(arvo_str text, size_t at)
{
    const char c = text.ptr[at];
    return c == ' ' || ((c == '.' || c == ',' || c == '/' || c == '_' || c == '-') && at > 0 &&
                        at + 1 < text.len && text.ptr[at + 1] != ' ');
}

/* A better one: before the actions, the guard or the receiver. */
static bool
is_strong_break(arvo_str text, size_t at)
{
    static const char *const marks[] = { " / ", " [", TO };
    for (size_t i = 0; i < ARVO_COUNT_OF(marks); i++)
        if (arvo_str_starts((arvo_str){ text.ptr + at, text.len - at }, arvo_str_from(marks[i])))
            return true;
    return false;
}

/* Bytes of the row that begins `text`: as many as fit, up to the last good place. */
static size_t
row_len(arvo_str text, uint32_t columns)
{
    size_t len = 0;
    size_t good = 0;
    size_t strong = 0;
    uint32_t count = 0;
    while (len < text.len && count < columns) {
        const size_t bytes = arvo__utf8_sequence(text.ptr + len, text.len - len);
        if (is_break(text, len) && count >= columns / 3)
            good = len + 1;
        if (is_strong_break(text, len) && count >= columns / 3)
            strong = len;
        len += bytes > 0 ? bytes : 1;
        count++;
    }
    if (len >= text.len)
        return text.len;
    if (strong != 0)
        return strong;
    return text.ptr[len] == ' ' || good == 0 ? len : good;
}

bool
arvo__diagram_row(diagram_rows *rows, arvo_str *row)
{
    rows->rest = trimmed(rows->rest);
    if (rows->rest.len == 0 || rows->rows_left == 0)
        return false;
    rows->rows_left--;
    const size_t len = row_len(rows->rest, rows->columns);
    rows->is_cut = rows->rows_left == 0 && len < rows->rest.len;
    *row = trimmed((arvo_str){ rows->rest.ptr, len });
    rows->rest = (arvo_str){ rows->rest.ptr + len, rows->rest.len - len };
    return true;
}
