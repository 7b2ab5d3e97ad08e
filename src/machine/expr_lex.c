/* Splits a jq program into tokens, as jq 1.6 does. What is refused here, jq refuses too. */

#include "machine/expr_internal.h"

typedef struct lexer {
    arvo_str text;
    size_t pos;
    arvo_arena *arena;
    arvo_error *err;
    expr_token *items; /* room for text.len + 1: no token is empty but the end */
    size_t count;
    char stack[EXPR_NEST_MAX]; /* open brackets; 'i': \( ; '"': inside a string */
    size_t depth;
} lexer;

static arvo_status
lex_fail(lexer *lex, size_t offset, const char *what)
{
    return arvo_error_set(
        lex->err, ARVO_E_INVALID, offset, "%s at character %zu", what, offset + 1);
}

static void
lex_push(lexer *lex, expr_token_kind kind, int op, size_t offset, size_t text_at, size_t len)
{
    lex->items[lex->count++] = (expr_token){
        .kind = kind, .op = op, .offset = offset, .text = { lex->text.ptr + text_at, len }
    };
}

static bool
is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_name_part(char c)
{
    return is_name_start(c) || is_digit(c);
}

/* NUL at the end, and past it: no rule below matches NUL. */
static char
lex_at(const lexer *lex, size_t pos)
{
    return pos < lex->text.len ? lex->text.ptr[pos] : '\0';
}

static size_t
lex_name_end(const lexer *lex, size_t pos)
{
    while (is_name_part(lex_at(lex, pos)))
        pos++;
    return pos;
}

/* name or module::name */
static void
lex_ident(lexer *lex)
{
    const size_t start = lex->pos;
    size_t end = lex_name_end(lex, start);
    while (lex_at(lex, end) == ':' && lex_at(lex, end + 1) == ':' &&
           is_name_start(lex_at(lex, end + 2)))
        end = lex_name_end(lex, end + 2);
    lex_push(lex, EXPR_T_IDENT, 0, start, start, end - start);
    lex->pos = end;
}

static void
lex_number(lexer *lex)
{
    const size_t start = lex->pos;
    size_t end = start;
    while (is_digit(lex_at(lex, end)))
        end++;
    if (lex_at(lex, end) == '.')
        end++;
    while (is_digit(lex_at(lex, end)))
        end++;
    if (lex_at(lex, end) == 'e' || lex_at(lex, end) == 'E') {
        size_t digits = end + 1;
        if (lex_at(lex, digits) == '+' || lex_at(lex, digits) == '-')
            digits++;
        if (is_digit(lex_at(lex, digits))) {
            while (is_digit(lex_at(lex, digits)))
                digits++;
            end = digits;
        }
    }
    lex_push(lex, EXPR_T_NUMBER, 0, start, start, end - start);
    lex->pos = end;
}

static arvo_status
lex_open(lexer *lex, char bracket)
{
    if (lex->depth == EXPR_NEST_MAX)
        return lex_fail(lex, lex->pos, "nested too deeply");
    lex->stack[lex->depth++] = bracket;
    return ARVO_OK;
}

/* Inside a string: up to its quote or a \( . */
static arvo_status
lex_string(lexer *lex)
{
    const size_t start = lex->pos;
    size_t end = start;
    while (end < lex->text.len && lex->text.ptr[end] != '"' &&
           !(lex->text.ptr[end] == '\\' && lex_at(lex, end + 1) == '('))
        end += lex->text.ptr[end] == '\\' ? 2 : 1;
    if (end >= lex->text.len)
        return lex_fail(lex, start - 1, "a string without its closing quote, begun");
    if (end > start)
        lex_push(lex, EXPR_T_TEXT, 0, start, start, end - start);
    if (lex->text.ptr[end] == '"') {
        lex_push(lex, EXPR_T_QUOTE_CLOSE, 0, end, end, 1);
        lex->depth--;
        lex->pos = end + 1;
        return ARVO_OK;
    }
    lex_push(lex, EXPR_T_INTERP_OPEN, 0, end, end, 2);
    lex->pos = end + 2;
    return lex_open(lex, 'i');
}

static arvo_status
lex_close(lexer *lex, char c)
{
    const char open = lex->depth > 0 ? lex->stack[lex->depth - 1] : '\0';
    const bool fits = (c == ')' && (open == '(' || open == 'i')) || (c == ']' && open == '[') ||
                      (c == '}' && open == '{');
    if (!fits) {
        char what[] = "`?` closes nothing,";
        what[1] = c;
        return lex_fail(lex, lex->pos, what);
    }
    if (open == 'i')
        lex_push(lex, EXPR_T_INTERP_CLOSE, 0, lex->pos, lex->pos, 1);
    else
        lex_push(lex, EXPR_T_OP, c, lex->pos, lex->pos, 1);
    lex->depth--;
    lex->pos++;
    return ARVO_OK;
}

/* Longest first. */
static const struct lex_operator {
    const char *text;
    int op;
} lex_operators[] = {
    { "?//", EXPR_OP_ALT_DESTRUCTURE },
    { "//=", EXPR_OP_ASSIGN },
    { "//", EXPR_OP_ALT },
    { "==", EXPR_OP_EQ },
    { "!=", EXPR_OP_NE },
    { "<=", EXPR_OP_LE },
    { ">=", EXPR_OP_GE },
    { "|=", EXPR_OP_ASSIGN },
    { "+=", EXPR_OP_ASSIGN },
    { "-=", EXPR_OP_ASSIGN },
    { "*=", EXPR_OP_ASSIGN },
    { "/=", EXPR_OP_ASSIGN },
    { "%=", EXPR_OP_ASSIGN },
    { "..", EXPR_OP_RECURSE },
};

static arvo_status
lex_operator(lexer *lex)
{
    const arvo_str rest = { lex->text.ptr + lex->pos, lex->text.len - lex->pos };
    for (size_t i = 0; i < ARVO_COUNT_OF(lex_operators); i++) {
        const arvo_str text = arvo_str_from(lex_operators[i].text);
        if (arvo_str_starts(rest, text)) {
            lex_push(lex, EXPR_T_OP, lex_operators[i].op, lex->pos, lex->pos, text.len);
            lex->pos += text.len;
            return ARVO_OK;
        }
    }
    if (strchr(".?=;,:|+-*/%$<>", rest.ptr[0]) == NULL || rest.ptr[0] == '\0')
        return lex_fail(lex, lex->pos, "a character that means nothing here,");
    lex_push(lex, EXPR_T_OP, rest.ptr[0], lex->pos, lex->pos, 1);
    lex->pos++;
    return ARVO_OK;
}

static arvo_status
lex_token(lexer *lex)
{
    const char c = lex->text.ptr[lex->pos];
    const char next = lex_at(lex, lex->pos + 1);

    if (c == '"') {
        lex_push(lex, EXPR_T_QUOTE_OPEN, 0, lex->pos, lex->pos, 1);
        const arvo_status st = lex_open(lex, '"');
        lex->pos++;
        return st;
    }
    if (c == '(' || c == '[' || c == '{') {
        const arvo_status st = lex_open(lex, c);
        lex_push(lex, EXPR_T_OP, c, lex->pos, lex->pos, 1);
        lex->pos++;
        return st;
    }
    if (c == ')' || c == ']' || c == '}')
        return lex_close(lex, c);
    if (is_name_start(c)) {
        lex_ident(lex);
        return ARVO_OK;
    }
    if (is_digit(c) || (c == '.' && is_digit(next))) {
        lex_number(lex);
        return ARVO_OK;
    }
    if ((c == '.' && is_name_start(next)) || (c == '@' && is_name_part(next))) {
        const size_t end = lex_name_end(lex, lex->pos + 1);
        lex_push(
            lex, c == '.' ? EXPR_T_FIELD : EXPR_T_FORMAT, 0, lex->pos, lex->pos + 1,
            end - lex->pos - 1);
        lex->pos = end;
        return ARVO_OK;
    }
    return lex_operator(lex);
}

static void
lex_skip_space(lexer *lex)
{
    for (; lex->pos < lex->text.len; lex->pos++) {
        const char c = lex->text.ptr[lex->pos];
        if (c == '#') {
            while (lex->pos + 1 < lex->text.len && lex->text.ptr[lex->pos + 1] != '\n')
                lex->pos++;
        } else if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
            return;
        }
    }
}

arvo_status
arvo__expr_lex(arvo_str program, arvo_arena *arena, expr_tokens *out, arvo_error *err)
{
    lexer lex = { .text = program, .arena = arena, .err = err };
    if (program.len > EXPR_TEXT_BYTES_MAX)
        return arvo__fail(
            err, ARVO_E_INVALID, "longer than the %zu bytes an expression may have",
            EXPR_TEXT_BYTES_MAX);
    /* A quote may leave a text piece and its close behind one character. */
    lex.items = arvo_arena_calloc(arena, program.len + 2, sizeof(*lex.items));
    if (lex.items == NULL)
        return arvo__nomem(err);

    arvo_status st = ARVO_OK;
    for (;;) {
        const bool in_string = lex.depth > 0 && lex.stack[lex.depth - 1] == '"';
        if (!in_string)
            lex_skip_space(&lex);
        if (lex.pos >= program.len && !in_string)
            break;
        st = in_string ? lex_string(&lex) : lex_token(&lex);
        if (st != ARVO_OK)
            return st;
    }
    if (lex.depth > 0) {
        char what[] = "a `?` that is not closed before the end,";
        what[3] = lex.stack[lex.depth - 1] == 'i' ? '(' : lex.stack[lex.depth - 1];
        return lex_fail(&lex, program.len, what);
    }
    if (lex.count == 0)
        return arvo__fail(err, ARVO_E_INVALID, "empty: write a jq program between ${ and }");
    lex_push(&lex, EXPR_T_END, 0, program.len, program.len, 0);
    *out = (expr_tokens){ lex.items, lex.count - 1 };
    return ARVO_OK;
}
