/* What a program may not use, and which members of the scope it may read; from its tokens, so that
 * it serves native and jq programs alike. Where the tokens alone cannot tell, it allows, and takes
 * every member as read. */

#include "machine/expr_internal.h"

const arvo_str arvo__expr_scope_names[EXPR_SCOPE_COUNT] = {
    { "context", 7 }, { "event", 5 }, { "input", 5 }, { "params", 6 }
};

unsigned
arvo__expr_scope_find(arvo_str name)
{
    unsigned i = 0;
    while (i < EXPR_SCOPE_COUNT && !arvo_str_equal(arvo__expr_scope_names[i], name))
        i++;
    return i;
}

#define SAYS_INPUT   "use .input for the start event and .event for the present one"
#define SAYS_OUTSIDE "an expression sees only its scope: put the value into the event or context"
#define SAYS_NO_IO   "an expression computes a value and does nothing else: use a log action"
#define SAYS_TIME    "put the time into the event: a step that is repeated must give the same result"
#define SAYS_HALT    "use error(\"...\") to fail, or empty for no value"
#define SAYS_MODULE  "write the definition into the expression"

static const struct refused {
    const char *name;
    const char *advice;
} refused_names[] = {
    { "input", SAYS_INPUT },
    { "inputs", SAYS_INPUT },
    { "input_filename", SAYS_OUTSIDE },
    { "input_line_number", SAYS_OUTSIDE },
    { "env", SAYS_OUTSIDE },
    { "get_search_list", SAYS_OUTSIDE },
    { "get_prog_origin", SAYS_OUTSIDE },
    { "get_jq_origin", SAYS_OUTSIDE },
    { "debug", SAYS_NO_IO },
    { "stderr", SAYS_NO_IO },
    { "halt", SAYS_HALT },
    { "halt_error", SAYS_HALT },
    { "now", SAYS_TIME },
    { "localtime", SAYS_TIME },
    { "strflocaltime", SAYS_TIME },
    { "import", SAYS_MODULE },
    { "include", SAYS_MODULE },
    { "module", SAYS_MODULE },
    { "modulemeta", SAYS_MODULE },
};

/* What `.` is: after a pipe a part of the scope at most; in a call's arguments perhaps the scope.
 */
typedef enum dot { DOT_IS_PART, DOT_IS_UNKNOWN, DOT_IS_SCOPE } dot;

/* One per open bracket. */
typedef struct level {
    int bracket;   /* '(', '[', '{', 'f' for a call's parentheses, 'i' for \(, 't' for `if` */
    dot began;     /* at its beginning */
    dot is;        /* here */
    bool binding;  /* `as` or `label` was seen: the next `|` keeps `.` */
    bool reducing; /* `reduce` or `foreach` was seen: the next `as` is theirs */
} level;

typedef struct checker {
    const expr_token *items;
    size_t count, i;
    level levels[2 * EXPR_NEST_MAX];
    size_t depth; /* index of the innermost */
    bool lost;    /* a `def`: nothing is known of `.` from here on */
    unsigned reads;
    arvo_error *err;
} checker;

static bool
token_is_op(const expr_token *token, int op)
{
    return token->kind == EXPR_T_OP && token->op == op;
}

static const expr_token *
previous(const checker *c)
{
    static const expr_token none = { .kind = EXPR_T_END };
    return c->i > 0 ? &c->items[c->i - 1] : &none;
}

/* Whether the token before ends a term, so that what follows is a step of its path. */
static bool
after_term(const checker *c)
{
    static const char *const openers[] = { "if", "then", "elif",  "else",   "and",    "or",
                                           "as", "try",  "catch", "reduce", "foreach" };
    const expr_token *before = previous(c);
    switch (before->kind) {
    case EXPR_T_FIELD:
    case EXPR_T_NUMBER:
    case EXPR_T_FORMAT:
    case EXPR_T_QUOTE_CLOSE:
        return true;
    case EXPR_T_IDENT:
        for (size_t i = 0; i < ARVO_COUNT_OF(openers); i++)
            if (arvo_str_is(before->text, openers[i]))
                return false;
        return true;
    case EXPR_T_OP:
        return strchr(")]}?.", before->op < 128 ? before->op : 1) != NULL ||
               before->op == EXPR_OP_RECURSE;
    default:
        return false;
    }
}

/* An object's key position: after `{`, or after `,` right inside braces. */
static bool
at_key(const checker *c)
{
    const expr_token *before = previous(c);
    return c->levels[c->depth].bracket == '{' &&
           (token_is_op(before, '{') || token_is_op(before, ','));
}

static dot
dot_here(const checker *c)
{
    return c->lost ? DOT_IS_UNKNOWN : c->levels[c->depth].is;
}

/* `.` is used as a whole here. */
static void
note_whole(checker *c)
{
    if (dot_here(c) != DOT_IS_PART)
        c->reads = EXPR_READS_ALL;
}

static arvo_status
open_level(checker *c, int bracket, dot is)
{
    if (c->depth + 1 == ARVO_COUNT_OF(c->levels))
        return arvo_error_set(
            c->err, ARVO_E_INVALID, c->items[c->i].offset, "nested too deeply: use fewer brackets");
    c->levels[++c->depth] = (level){ .bracket = bracket, .began = is, .is = is };
    return ARVO_OK;
}

static void
close_level(checker *c, int bracket)
{
    if (c->depth > 0 && (bracket == 0 || c->levels[c->depth].bracket == bracket))
        c->depth--;
}

static arvo_status
check_refused(checker *c, const expr_token *token)
{
    if (token_is_op(previous(c), '$')) {
        if (arvo_str_is(token->text, "ENV") || arvo_str_is(token->text, "__prog_args"))
            return arvo_error_set(
                c->err, ARVO_E_INVALID, token->offset, "$%.*s is not allowed: %s",
                ARVO_FMT(token->text), SAYS_OUTSIDE);
        return ARVO_OK;
    }
    for (size_t i = 0; i < ARVO_COUNT_OF(refused_names); i++)
        if (arvo_str_is(token->text, refused_names[i].name))
            return arvo_error_set(
                c->err, ARVO_E_INVALID, token->offset, "`%s` is not allowed: %s",
                refused_names[i].name, refused_names[i].advice);
    return ARVO_OK;
}

/* ---- Top-level names ------------------------------------------------------- */

static size_t
smallest(size_t a, size_t b, size_t c)
{
    const size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Levenshtein; names are short, others count as far away. */
static size_t
edit_distance(arvo_str a, arvo_str b)
{
    size_t row[16];
    if (a.len > 24 || b.len + 1 > ARVO_COUNT_OF(row))
        return 99;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            const size_t above = row[j];
            const size_t change = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);
            row[j] = smallest(above + 1, row[j - 1] + 1, change);
            diagonal = above;
        }
    }
    return row[b.len];
}

static arvo_status
check_member(checker *c, arvo_str name, size_t offset)
{
    const unsigned slot = arvo__expr_scope_find(name);
    if (slot < EXPR_SCOPE_COUNT) {
        c->reads |= 1u << slot;
        return ARVO_OK;
    }
    unsigned nearest = 0;
    for (unsigned i = 1; i < EXPR_SCOPE_COUNT; i++)
        if (edit_distance(name, arvo__expr_scope_names[i]) <
            edit_distance(name, arvo__expr_scope_names[nearest]))
            nearest = i;
    const arvo_str likely = arvo__expr_scope_names[nearest];
    if (edit_distance(name, likely) <= 2)
        return arvo_error_set(
            c->err, ARVO_E_INVALID, offset,
            ".%.*s is unknown: did you mean .%.*s? There are .context, .event, .input and .params",
            ARVO_FMT(name), ARVO_FMT(likely));
    return arvo_error_set(
        c->err, ARVO_E_INVALID, offset,
        ".%.*s is unknown: write .context.%.*s, say; there are .context, .event, .input and "
        ".params",
        ARVO_FMT(name), ARVO_FMT(name));
}

/* The name when the tokens from `at` are a string without escapes, the whole key. */
static bool
plain_string(const expr_token *at, arvo_str *out)
{
    if (at[0].kind != EXPR_T_QUOTE_OPEN || at[1].kind != EXPR_T_TEXT ||
        at[2].kind != EXPR_T_QUOTE_CLOSE || memchr(at[1].text.ptr, '\\', at[1].text.len) != NULL)
        return false;
    *out = at[1].text;
    return true;
}

/* A path that begins with `.name`. */
static arvo_status
check_name(checker *c, arvo_str name, size_t offset)
{
    if (dot_here(c) == DOT_IS_SCOPE)
        return check_member(c, name, offset);
    const unsigned slot = arvo__expr_scope_find(name);
    if (dot_here(c) == DOT_IS_UNKNOWN && slot < EXPR_SCOPE_COUNT)
        c->reads |= 1u << slot;
    return ARVO_OK;
}

/* `.` that begins a term. */
static arvo_status
check_dot(checker *c)
{
    const expr_token *next = &c->items[c->i + 1];
    arvo_str name;
    if (plain_string(next, &name) ||
        (token_is_op(next, '[') && plain_string(next + 1, &name) && token_is_op(next + 4, ']')))
        return check_name(c, name, next->offset);
    if (next->kind == EXPR_T_FIELD)
        return check_name(c, next->text, next->offset);
    note_whole(c);
    return ARVO_OK;
}

/* A word in key position stands for .word when no value follows. */
static arvo_status
check_key(checker *c, const expr_token *token)
{
    return token_is_op(&c->items[c->i + 1], ':') ? ARVO_OK
                                                 : check_name(c, token->text, token->offset);
}

/* ---- The walk --------------------------------------------------------------- */

static bool
is_any(arvo_str word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (arvo_str_is(word, words[i]))
            return true;
    return false;
}

static arvo_status
check_word(checker *c, const expr_token *token)
{
    static const char *const branches[] = { "then", "elif", "else" };
    static const char *const silent[] = { "true", "false", "null", "empty",
                                          "and",  "or",    "try",  "catch" };
    if (at_key(c))
        return check_key(c, token);
    const arvo_status st = check_refused(c, token);
    if (st != ARVO_OK || token_is_op(previous(c), '$'))
        return st;
    level *here = &c->levels[c->depth];
    if (arvo_str_is(token->text, "if"))
        return open_level(c, 't', here->is);
    if (is_any(token->text, branches, ARVO_COUNT_OF(branches))) {
        here->is = here->began;
        here->binding = false;
    } else if (arvo_str_is(token->text, "end")) {
        close_level(c, 't');
    } else if (arvo_str_is(token->text, "reduce") || arvo_str_is(token->text, "foreach")) {
        here->reducing = true;
    } else if (arvo_str_is(token->text, "label")) {
        here->binding = true;
    } else if (arvo_str_is(token->text, "as")) {
        here->binding = !here->reducing;
        here->reducing = false;
    } else if (arvo_str_is(token->text, "def")) {
        c->lost = true;
        c->reads = EXPR_READS_ALL;
    } else if (!is_any(token->text, silent, ARVO_COUNT_OF(silent))) {
        note_whole(c); /* a function's input is `.` */
    }
    return ARVO_OK;
}

static arvo_status
check_open(checker *c, int bracket)
{
    /* f(...), and the body of `reduce x as $y (...)`: `.` may be anything that it can reach. */
    const bool call = bracket == '(' && after_term(c);
    const dot is = dot_here(c);
    return open_level(c, call ? 'f' : bracket, call && is == DOT_IS_SCOPE ? DOT_IS_UNKNOWN : is);
}

static arvo_status
check_op(checker *c, const expr_token *token)
{
    level *here = &c->levels[c->depth];
    switch (token->op) {
    case '(':
    case '[':
    case '{':
        return check_open(c, token->op);
    case ')':
    case ']':
    case '}':
        while (c->depth > 0 && here->bracket == 't') /* an `if` without its end: jq will tell */
            here = &c->levels[--c->depth];
        close_level(c, 0);
        return ARVO_OK;
    case '|':
        if (!here->binding)
            here->is = DOT_IS_PART;
        here->binding = false;
        return ARVO_OK;
    case ',':
    case ';':
        if (here->bracket == '{' || here->bracket == 'f')
            here->is = here->began;
        return ARVO_OK;
    case '.':
        return after_term(c) && !token_is_op(previous(c), '.') ? ARVO_OK : check_dot(c);
    case '=': /* an assignment's value is all of `.` */
    case EXPR_OP_ASSIGN:
    case EXPR_OP_RECURSE:
        note_whole(c);
        return ARVO_OK;
    default:
        return ARVO_OK;
    }
}

static arvo_status
check_token(checker *c)
{
    const expr_token *token = &c->items[c->i];
    switch (token->kind) {
    case EXPR_T_FIELD:
        return after_term(c) ? ARVO_OK : check_name(c, token->text, token->offset);
    case EXPR_T_IDENT:
        return check_word(c, token);
    case EXPR_T_FORMAT:
        if (token[1].kind != EXPR_T_QUOTE_OPEN)
            note_whole(c);
        return ARVO_OK;
    case EXPR_T_INTERP_OPEN:
        return open_level(c, 'i', dot_here(c));
    case EXPR_T_INTERP_CLOSE:
        while (c->depth > 0 && c->levels[c->depth].bracket == 't')
            c->depth--;
        close_level(c, 'i');
        return ARVO_OK;
    case EXPR_T_OP:
        return check_op(c, token);
    default:
        return ARVO_OK;
    }
}

arvo_status
arvo__expr_check(const expr_tokens *tokens, unsigned *out_reads, arvo_error *err)
{
    checker c = { .items = tokens->items, .count = tokens->count, .err = err };
    c.levels[0] = (level){ .began = DOT_IS_SCOPE, .is = DOT_IS_SCOPE };
    for (; c.i < c.count; c.i++) {
        const arvo_status st = check_token(&c);
        if (st != ARVO_OK)
            return st;
    }
    *out_reads = c.reads;
    return ARVO_OK;
}
