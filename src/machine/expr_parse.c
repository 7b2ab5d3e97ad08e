/* Parses the native subset of jq: programs of at most one output, of operators whose jq 1.6 meaning
 * expr_native.c has exactly. Whatever it does not know, or finds wrong, is left to jq; so it may
 * refuse a program that jq accepts, and must never accept one that jq refuses or reads otherwise.
 *
 * jq's grammar (1.6), lowest precedence first: `|` right; `,` left; `//` right; assignments; `or`;
 * `and`; comparisons, which do not chain; `+ -`; `* / %`; prefix `-`, which takes a product. */

#include "machine/expr_internal.h"

#include <math.h>

typedef struct parser {
    const expr_token *at;
    arvo_arena *arena;
    unsigned depth;
    bool on_scope; /* `.` is the whole scope here */
    bool failed;   /* not native */
    bool grows;
    unsigned reads;
    unsigned pipes, builds;
    unsigned empties; /* nodes that may have no output */
    arvo_str vars[EXPR_VARS_MAX];
    unsigned var_count;
} parser;

enum { PREC_PIPE = 1, PREC_COMMA, PREC_ALT, PREC_OR, PREC_AND, PREC_COMPARE, PREC_ADD, PREC_MUL };

static const expr_node *parse_exp(parser *p, int min_prec);

static expr_node *
parse_bail(parser *p)
{
    p->failed = true;
    return NULL;
}

static bool
is_op(const parser *p, int op)
{
    return p->at->kind == EXPR_T_OP && p->at->op == op;
}

static bool
is_word(const parser *p, const char *word)
{
    return p->at->kind == EXPR_T_IDENT && arvo_str_is(p->at->text, word);
}

static bool
take_op(parser *p, int op)
{
    if (!is_op(p, op))
        return false;
    p->at++;
    return true;
}

static bool
take_word(parser *p, const char *word)
{
    if (!is_word(p, word))
        return false;
    p->at++;
    return true;
}

static expr_node *
node_new(parser *p, expr_kind kind, const expr_node *a, const expr_node *b)
{
    expr_node *node = arvo_arena_calloc(p->arena, 1, sizeof(*node));
    if (node == NULL)
        return parse_bail(p);
    node->kind = (uint8_t)kind;
    node->a = a;
    node->b = b;
    return node;
}

static const expr_node *
literal_new(parser *p, const arvo_json *value)
{
    expr_node *node = value != NULL ? node_new(p, EXPR_LITERAL, NULL, NULL) : parse_bail(p);
    if (node != NULL)
        node->value = value;
    return node;
}

/* ---- Lists of nodes while they grow ---------------------------------------- */

typedef struct node_list {
    const expr_node **items;
    uint32_t count;
    size_t cap;
} node_list;

static bool
list_push(parser *p, node_list *list, const expr_node *node)
{
    if (node == NULL)
        return false;
    const expr_node **const items =
        arvo__arena_grow(p->arena, list->items, list->count, &list->cap, sizeof(*items));
    if (items == NULL) {
        p->failed = true;
        return false;
    }
    list->items = items;
    items[list->count++] = node;
    return true;
}

static expr_node *
list_node(parser *p, expr_kind kind, const node_list *list)
{
    expr_node *node = node_new(p, kind, NULL, NULL);
    if (node != NULL) {
        node->items = list->items;
        node->count = list->count;
    }
    return node;
}

/* ---- Numbers ------------------------------------------------------------------ */

/* jq reads 007, 5. and .5 too, and every number as a double. */
static const expr_node *
parse_number(parser *p)
{
    const arvo_str text = p->at->text;
    char *json = arvo_arena_alloc(p->arena, text.len + 3);
    if (json == NULL)
        return parse_bail(p);
    size_t from = 0, len = 0;
    while (from + 1 < text.len && text.ptr[from] == '0' && text.ptr[from + 1] >= '0' &&
           text.ptr[from + 1] <= '9')
        from++;
    if (text.ptr[from] == '.')
        json[len++] = '0';
    for (; from < text.len; from++) {
        json[len++] = text.ptr[from];
        const bool more =
            from + 1 < text.len && text.ptr[from + 1] >= '0' && text.ptr[from + 1] <= '9';
        if (text.ptr[from] == '.' && !more)
            json[len++] = '0';
    }
    const arvo_json *value = NULL;
    if (arvo_json_parse((arvo_str){ json, len }, p->arena, &value, NULL) != ARVO_OK)
        return parse_bail(p);
    if (value->type == ARVO_JSON_INT && fabs((double)value->as.integer) > 0x1p53)
        value = arvo_json_number(p->arena, (double)value->as.integer);
    p->at++;
    return literal_new(p, value);
}

/* ---- Strings ------------------------------------------------------------------- */

static int32_t
hex_unit(const char *at, const char *end)
{
    return end - at >= 4 ? arvo__hex_number(at, 4) : -1;
}

/* The escape after a backslash. NULL: not one, or half of a surrogate pair. */
static const char *
escape_decode(const char *at, const char *end, char *out, size_t *len)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *simple = *at != '\0' ? strchr(from, *at) : NULL;
    if (simple != NULL) {
        out[(*len)++] = to[simple - from];
        return at + 1;
    }
    if (*at != 'u')
        return NULL;
    int32_t code = hex_unit(at + 1, end);
    at += 5;
    if (code < 0 || (code >= 0xDC00 && code <= 0xDFFF))
        return NULL;
    if (code >= 0xD800 && code <= 0xDBFF) {
        const int32_t low =
            end - at >= 6 && at[0] == '\\' && at[1] == 'u' ? hex_unit(at + 2, end) : -1;
        if (low < 0xDC00 || low > 0xDFFF)
            return NULL;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        at += 6;
    }
    *len += arvo__utf8_encode((uint32_t)code, out + *len);
    return at;
}

static const expr_node *
parse_text(parser *p)
{
    const char *at = p->at->text.ptr, *end = at + p->at->text.len;
    char *out = arvo_arena_alloc(p->arena, p->at->text.len + 1);
    size_t len = 0;
    if (out == NULL)
        return parse_bail(p);
    while (at < end) {
        if (*at != '\\') {
            out[len++] = *at++;
            continue;
        }
        at = at + 1 < end ? escape_decode(at + 1, end, out, &len) : NULL;
        if (at == NULL)
            return parse_bail(p);
    }
    p->at++;
    return literal_new(p, arvo_json_string_ref(p->arena, (arvo_str){ out, len }));
}

/* A literal when nothing is interpolated. */
static const expr_node *
parse_string(parser *p)
{
    node_list parts = { 0 };
    bool constant = true;
    p->at++; /* the quote */
    while (p->at->kind != EXPR_T_QUOTE_CLOSE) {
        const expr_node *part = NULL;
        if (p->at->kind == EXPR_T_TEXT) {
            part = parse_text(p);
        } else {
            p->at++; /* \( */
            constant = false;
            part = parse_exp(p, PREC_PIPE);
            if (part == NULL || p->at->kind != EXPR_T_INTERP_CLOSE)
                return parse_bail(p);
            p->at++;
        }
        if (!list_push(p, &parts, part))
            return NULL;
    }
    p->at++;
    if (constant)
        return parts.count == 1 ? parts.items[0]
                                : literal_new(p, arvo_json_string_ref(p->arena, ARVO_STR("")));
    p->builds++;
    return list_node(p, EXPR_FORMAT, &parts);
}

/* ---- Paths ------------------------------------------------------------------------ */

static bool
take_optional(parser *p)
{
    const bool optional = take_op(p, '?');
    p->empties += optional;
    return optional;
}

static const expr_node *
field_new(parser *p, const expr_node *base, arvo_str key)
{
    expr_node *node = node_new(p, EXPR_FIELD, base, NULL);
    if (node == NULL)
        return NULL;
    node->text = key;
    if (base->kind == EXPR_IDENTITY && p->on_scope) {
        const unsigned slot = arvo__expr_scope_find(key);
        if (slot == EXPR_SCOPE_COUNT)
            return parse_bail(p); /* arvo__expr_check() has refused it */
        node->kind = EXPR_SCOPE;
        node->slot = (uint8_t)slot;
        p->reads |= 1u << slot;
    }
    node->optional = take_optional(p);
    return node;
}

/* `.` used as a value, not as the start of a path to a member. */
static void
note_whole(parser *p, const expr_node *base)
{
    if (base->kind == EXPR_IDENTITY && p->on_scope)
        p->reads |= EXPR_READS_ALL;
}

static bool
is_string_literal(const expr_node *node)
{
    return node->kind == EXPR_LITERAL && node->value->type == ARVO_JSON_STRING;
}

/* After `[`, which is taken. */
static const expr_node *
parse_bracket(parser *p, const expr_node *base)
{
    const expr_node *from = NULL, *to = NULL;
    bool slice = false;
    if (is_op(p, ']'))
        return parse_bail(p); /* .[] */
    if (!is_op(p, ':')) {
        from = parse_exp(p, PREC_PIPE);
        if (from == NULL)
            return NULL;
    }
    if (take_op(p, ':')) {
        slice = true;
        if (!is_op(p, ']')) {
            to = parse_exp(p, PREC_PIPE);
            if (to == NULL)
                return NULL;
        }
        if (from == NULL && to == NULL)
            return parse_bail(p);
    }
    if (!take_op(p, ']'))
        return parse_bail(p);
    if (!slice && is_string_literal(from))
        return field_new(p, base, arvo_json_str(from->value));

    note_whole(p, base);
    expr_node *node = node_new(p, slice ? EXPR_SLICE : EXPR_INDEX, base, from);
    if (node != NULL) {
        node->c = to;
        node->optional = take_optional(p);
    }
    return node;
}

/* `."a"`: after the dot. */
static const expr_node *
parse_quoted_field(parser *p, const expr_node *base)
{
    const expr_node *key = parse_string(p);
    if (key == NULL)
        return NULL;
    if (is_string_literal(key))
        return field_new(p, base, arvo_json_str(key->value));
    note_whole(p, base);
    expr_node *node = node_new(p, EXPR_INDEX, base, key);
    if (node != NULL)
        node->optional = take_optional(p);
    return node;
}

static const expr_node *
parse_suffixes(parser *p, const expr_node *base)
{
    while (base != NULL && !p->failed) {
        if (p->at->kind == EXPR_T_FIELD) {
            const arvo_str key = p->at->text;
            p->at++;
            base = field_new(p, base, key);
        } else if (is_op(p, '.') && p->at[1].kind == EXPR_T_QUOTE_OPEN) {
            p->at++;
            base = parse_quoted_field(p, base);
        } else if (take_op(p, '[')) {
            base = parse_bracket(p, base);
        } else if (is_op(p, '?')) {
            return parse_bail(p); /* try in general: catches later errors too, in jq 1.6 */
        } else {
            return base;
        }
    }
    return base;
}

/* ---- Terms -------------------------------------------------------------------------- */

static const struct native_function {
    const char *name;
    expr_function function;
    int arity;
} native_functions[] = {
    { "add", EXPR_F_ADD, 0 },
    { "all", EXPR_F_ALL, 0 },
    { "all", EXPR_F_ALL, 1 },
    { "any", EXPR_F_ANY, 0 },
    { "any", EXPR_F_ANY, 1 },
    { "ascii_downcase", EXPR_F_ASCII_DOWNCASE, 0 },
    { "ascii_upcase", EXPR_F_ASCII_UPCASE, 0 },
    { "ceil", EXPR_F_CEIL, 0 },
    { "empty", EXPR_F_EMPTY, 0 },
    { "endswith", EXPR_F_ENDSWITH, 1 },
    { "error", EXPR_F_ERROR, 1 },
    { "floor", EXPR_F_FLOOR, 0 },
    { "has", EXPR_F_HAS, 1 },
    { "keys", EXPR_F_KEYS, 0 },
    { "length", EXPR_F_LENGTH, 0 },
    { "ltrimstr", EXPR_F_LTRIMSTR, 1 },
    { "map", EXPR_F_MAP, 1 },
    { "not", EXPR_F_NOT, 0 },
    { "round", EXPR_F_ROUND, 0 },
    { "rtrimstr", EXPR_F_RTRIMSTR, 1 },
    { "select", EXPR_F_SELECT, 1 },
    { "sqrt", EXPR_F_SQRT, 0 },
    { "startswith", EXPR_F_STARTSWITH, 1 },
    { "tojson", EXPR_F_TOJSON, 0 },
    { "tonumber", EXPR_F_TONUMBER, 0 },
    { "tostring", EXPR_F_TOSTRING, 0 },
    { "type", EXPR_F_TYPE, 0 },
};

static const struct native_function *
function_find(arvo_str name, int arity)
{
    for (size_t i = 0; i < ARVO_COUNT_OF(native_functions); i++)
        if (native_functions[i].arity == arity && arvo_str_is(name, native_functions[i].name))
            return &native_functions[i];
    return NULL;
}

static bool
runs_on_items(expr_function function)
{
    return function == EXPR_F_MAP || function == EXPR_F_ANY || function == EXPR_F_ALL;
}

static const expr_node *
parse_call(parser *p)
{
    const arvo_str name = p->at->text;
    const bool has_arg = p->at[1].kind == EXPR_T_OP && p->at[1].op == '(';
    const struct native_function *known = function_find(name, has_arg ? 1 : 0);
    if (known == NULL)
        return parse_bail(p);
    const expr_function function = known->function;
    p->at += has_arg ? 2 : 1;
    if (p->on_scope && function != EXPR_F_EMPTY && function != EXPR_F_ERROR)
        p->reads |= EXPR_READS_ALL; /* the function's input is the scope */

    const unsigned empties = p->empties;
    p->empties += function == EXPR_F_EMPTY || function == EXPR_F_SELECT || function == EXPR_F_ERROR;
    const expr_node *arg = NULL;
    if (has_arg) {
        const bool on_scope = p->on_scope;
        p->on_scope = on_scope && !runs_on_items(function);
        if (runs_on_items(function)) {
            p->pipes++;
            p->builds++;
        }
        arg = parse_exp(p, PREC_PIPE);
        p->on_scope = on_scope;
        if (arg == NULL || !take_op(p, ')'))
            return parse_bail(p);
        /* jq 1.6 loses errors behind an item without output in these. */
        if (p->empties > empties && (function == EXPR_F_ANY || function == EXPR_F_ALL))
            return parse_bail(p);
    }
    expr_node *node = node_new(p, EXPR_CALL, arg, NULL);
    if (node != NULL)
        node->op = (int)function;
    return node;
}

static const expr_node *
parse_word(parser *p)
{
    if (take_word(p, "true"))
        return literal_new(p, arvo_json_bool(true));
    if (take_word(p, "false"))
        return literal_new(p, arvo_json_bool(false));
    if (take_word(p, "null"))
        return literal_new(p, arvo_json_null());
    return parse_call(p); /* keywords are no functions, so they end there */
}

static const expr_node *
parse_array(parser *p)
{
    node_list items = { 0 };
    p->at++;
    p->builds++;
    if (!is_op(p, ']')) {
        do {
            if (!list_push(p, &items, parse_exp(p, PREC_ALT)))
                return NULL;
        } while (take_op(p, ','));
    }
    if (!take_op(p, ']'))
        return parse_bail(p); /* [a | b, c] too */
    return list_node(p, EXPR_ARRAY, &items);
}

static const expr_node *parse_term(parser *p);

/* What may stand as a member's value without parentheses: terms, `-` and pipes of them. */
static const expr_node *
parse_member_value(parser *p)
{
    if (p->depth >= EXPR_NATIVE_NEST)
        return parse_bail(p);
    p->depth++;
    const expr_node *value = NULL;
    if (take_op(p, '-')) {
        const expr_node *inner = parse_member_value(p);
        value = inner != NULL ? node_new(p, EXPR_NEGATE, inner, NULL) : NULL;
    } else {
        value = parse_term(p);
    }
    p->depth--;
    if (value != NULL && is_op(p, '|'))
        return parse_bail(p);
    return value;
}

/* `$name`: after the dollar. EXPR_VARS_MAX when there is none. */
static unsigned
variable_find(const parser *p, arvo_str name)
{
    for (unsigned i = p->var_count; i > 0; i--)
        if (arvo_str_equal(p->vars[i - 1], name))
            return i - 1;
    return EXPR_VARS_MAX;
}

static const expr_node *
parse_variable(parser *p)
{
    p->at++;
    const unsigned slot =
        p->at->kind == EXPR_T_IDENT ? variable_find(p, p->at->text) : EXPR_VARS_MAX;
    if (slot == EXPR_VARS_MAX)
        return parse_bail(p);
    p->at++;
    expr_node *node = node_new(p, EXPR_VARIABLE, NULL, NULL);
    if (node != NULL)
        node->slot = (uint8_t)slot;
    return node;
}

/* A key, and its value when it stands alone: {a}, {"a b"} mean {a: .a}. */
static const expr_node *
parse_member_key(parser *p, const expr_node **out_value)
{
    const expr_node *key = NULL;
    *out_value = NULL;
    if (p->at->kind == EXPR_T_IDENT) {
        key = literal_new(p, arvo_json_string_ref(p->arena, p->at->text));
        p->at++;
    } else if (p->at->kind == EXPR_T_QUOTE_OPEN) {
        key = parse_string(p);
    } else if (take_op(p, '(')) {
        key = parse_exp(p, PREC_PIPE);
        /* A constant that is no string is an error that jq finds at load. */
        if (key == NULL || (key->kind == EXPR_LITERAL && !is_string_literal(key)) ||
            !take_op(p, ')') || !is_op(p, ':'))
            return parse_bail(p);
    }
    if (key == NULL)
        return parse_bail(p);
    if (!is_op(p, ':')) {
        if (!is_string_literal(key) || (!is_op(p, ',') && !is_op(p, '}')))
            return parse_bail(p);
        const expr_node *base = node_new(p, EXPR_IDENTITY, NULL, NULL);
        *out_value = base != NULL ? field_new(p, base, arvo_json_str(key->value)) : NULL;
    }
    return key;
}

static bool
is_reserved(arvo_str word)
{
    static const char *const reserved[] = { "as",      "import", "include", "module", "def",
                                            "if",      "then",   "else",    "elif",   "reduce",
                                            "foreach", "end",    "and",     "or",     "not",
                                            "try",     "catch",  "label",   "__loc__" };
    for (size_t i = 0; i < ARVO_COUNT_OF(reserved); i++)
        if (arvo_str_is(word, reserved[i]))
            return true;
    return false;
}

static const expr_node *
parse_object(parser *p)
{
    node_list items = { 0 };
    p->at++;
    p->builds++;
    while (!is_op(p, '}')) {
        const bool bare_word = p->at->kind == EXPR_T_IDENT && is_reserved(p->at->text);
        const expr_node *value = NULL;
        const expr_node *key = parse_member_key(p, &value);
        if (key == NULL || (value != NULL && bare_word))
            return parse_bail(p);
        if (take_op(p, ':'))
            value = parse_member_value(p);
        if (!list_push(p, &items, key) || !list_push(p, &items, value))
            return NULL;
        if (take_op(p, ',') ? is_op(p, '}') : !is_op(p, '}'))
            return parse_bail(p);
    }
    p->at++;
    return list_node(p, EXPR_OBJECT, &items);
}

static const expr_node *
parse_dot(parser *p)
{
    const expr_node *dot = node_new(p, EXPR_IDENTITY, NULL, NULL);
    if (dot == NULL)
        return NULL;
    if (p->at->kind == EXPR_T_FIELD)
        return dot; /* the suffix takes it */
    if (p->at[1].kind == EXPR_T_QUOTE_OPEN) {
        p->at++;
        return parse_quoted_field(p, dot);
    }
    p->at++;
    return dot;
}

static const expr_node *
parse_term(parser *p)
{
    const expr_node *term = NULL;
    if (p->at->kind == EXPR_T_FIELD || is_op(p, '.')) {
        term = parse_dot(p);
    } else if (p->at->kind == EXPR_T_IDENT) {
        term = parse_word(p);
    } else if (p->at->kind == EXPR_T_NUMBER) {
        term = parse_number(p);
    } else if (p->at->kind == EXPR_T_QUOTE_OPEN) {
        term = parse_string(p);
    } else if (is_op(p, '[')) {
        term = parse_array(p);
    } else if (is_op(p, '{')) {
        term = parse_object(p);
    } else if (is_op(p, '$')) {
        term = parse_variable(p);
    } else if (take_op(p, '(')) {
        term = parse_exp(p, PREC_PIPE);
        if (!take_op(p, ')'))
            return parse_bail(p);
    } else {
        return parse_bail(p);
    }
    term = parse_suffixes(p, term);
    if (term != NULL)
        note_whole(p, term);
    return term;
}

/* ---- Expressions ---------------------------------------------------------------------- */

/* After `if` or `elif`. */
static const expr_node *
parse_if(parser *p)
{
    if (p->depth >= EXPR_NATIVE_NEST)
        return parse_bail(p);
    p->depth++;
    const expr_node *condition = parse_exp(p, PREC_PIPE);
    const expr_node *then = NULL, *otherwise = NULL;
    if (condition != NULL && take_word(p, "then"))
        then = parse_exp(p, PREC_PIPE);
    if (then != NULL && take_word(p, "elif"))
        otherwise = parse_if(p);
    else if (then != NULL && take_word(p, "else")) {
        otherwise = parse_exp(p, PREC_PIPE);
        if (!take_word(p, "end"))
            otherwise = NULL;
    }
    p->depth--;
    if (otherwise == NULL)
        return parse_bail(p);
    expr_node *node = node_new(p, EXPR_IF, condition, then);
    if (node != NULL)
        node->c = otherwise;
    return node;
}

/* `term as $name | body`: at `as`. The body sees the same `.` as the term. */
static const expr_node *
parse_bind(parser *p, const expr_node *source)
{
    p->at++;
    if (!take_op(p, '$') || p->at->kind != EXPR_T_IDENT || is_reserved(p->at->text) ||
        p->var_count == EXPR_VARS_MAX)
        return parse_bail(p);
    const unsigned slot = p->var_count++;
    p->vars[slot] = p->at->text;
    p->at++;
    p->pipes++;
    const expr_node *body = take_op(p, '|') ? parse_exp(p, PREC_PIPE) : parse_bail(p);
    p->var_count--;
    expr_node *node = body != NULL ? node_new(p, EXPR_BIND, source, body) : NULL;
    if (node != NULL)
        node->slot = (uint8_t)slot;
    return node;
}

static const expr_node *
parse_prefix(parser *p)
{
    if (take_op(p, '-')) {
        const expr_node *inner = parse_exp(p, PREC_MUL);
        return inner != NULL ? node_new(p, EXPR_NEGATE, inner, NULL) : NULL;
    }
    if (take_word(p, "if")) {
        const expr_node *node = parse_if(p);
        return is_op(p, '?') ? parse_bail(p) : node;
    }
    const expr_node *term = parse_term(p);
    return term != NULL && is_word(p, "as") ? parse_bind(p, term) : term;
}

static int
operator_prec(const parser *p, int *out_op)
{
    if (p->at->kind == EXPR_T_IDENT) {
        *out_op = 0;
        return is_word(p, "or") ? PREC_OR : is_word(p, "and") ? PREC_AND : 0;
    }
    if (p->at->kind != EXPR_T_OP)
        return 0;
    *out_op = p->at->op;
    switch (p->at->op) {
    case '|':
        return PREC_PIPE;
    case EXPR_OP_ALT:
        return PREC_ALT;
    case EXPR_OP_EQ:
    case EXPR_OP_NE:
    case '<':
    case '>':
    case EXPR_OP_LE:
    case EXPR_OP_GE:
        return PREC_COMPARE;
    case '+':
    case '-':
        return PREC_ADD;
    case '*':
    case '/':
    case '%':
        return PREC_MUL;
    default:
        return 0; /* `,` too: several outputs */
    }
}

static const expr_node *
parse_pipe(parser *p, const expr_node *left)
{
    const bool on_scope = p->on_scope;
    p->on_scope = on_scope && left->kind == EXPR_IDENTITY;
    p->pipes++;
    const expr_node *right = parse_exp(p, PREC_PIPE);
    p->on_scope = on_scope;
    return right != NULL ? node_new(p, EXPR_PIPE, left, right) : NULL;
}

static const expr_node *
binary_new(parser *p, int prec, int op, const expr_node *left, const expr_node *right)
{
    /* jq folds constants at load, and calls a quotient without end a syntax error there. */
    if (op == '/' && left->kind == EXPR_LITERAL && right->kind == EXPR_LITERAL &&
        arvo_json_is_number(right->value))
        return parse_bail(p);
    const expr_kind kind = prec == PREC_OR    ? EXPR_OR
                           : prec == PREC_AND ? EXPR_AND
                           : prec == PREC_ALT ? EXPR_ALTERNATIVE
                                              : EXPR_BINARY;
    expr_node *node = node_new(p, kind, left, right);
    if (node != NULL)
        node->op = op;
    if (op == '+' || op == '*')
        p->builds++;
    return node;
}

static const expr_node *
parse_operators(parser *p, int min_prec)
{
    const expr_node *left = parse_prefix(p);
    int compared = 0;
    for (;;) {
        int op = 0;
        const int prec = left != NULL && !p->failed ? operator_prec(p, &op) : 0;
        if (prec == 0 || prec < min_prec)
            return p->failed ? NULL : left;
        if (prec == PREC_COMPARE && compared++ > 0)
            return parse_bail(p); /* they do not chain */
        p->at++;
        if (prec == PREC_PIPE) {
            left = parse_pipe(p, left);
            continue;
        }
        /* `//` associates to the right; the others to the left. */
        const expr_node *right = parse_exp(p, prec == PREC_ALT ? PREC_ALT : prec + 1);
        left = right != NULL ? binary_new(p, prec, op, left, right) : NULL;
        if (prec != PREC_COMPARE)
            compared = prec < PREC_COMPARE ? 0 : compared;
    }
}

static const expr_node *
parse_exp(parser *p, int min_prec)
{
    if (p->failed || p->depth >= EXPR_NATIVE_NEST)
        return parse_bail(p);
    p->depth++;
    const expr_node *node = parse_operators(p, min_prec);
    p->depth--;
    return node;
}

arvo_status
arvo__expr_parse(arvo_str program, const expr_tokens *tokens, arvo_arena *arena, expr_native *out)
{
    (void)program;
    parser p = { .at = tokens->items, .arena = arena, .on_scope = true };
    const expr_node *root = parse_exp(&p, PREC_PIPE);
    if (arvo_arena_failed(arena))
        return ARVO_E_NOMEM;
    if (root == NULL || p.failed || p.at->kind != EXPR_T_END)
        return ARVO_E_UNSUPPORTED;
    *out = (expr_native){ .root = root, .reads = p.reads, .grows = p.builds > 0 && p.pipes > 0 };
    return ARVO_OK;
}
