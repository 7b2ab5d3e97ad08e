/* Expression sets: templates compiled, checked and evaluated; a pool of evaluators. */

#include "machine/expr.h"

#include <pthread.h>

#include "machine/expr_internal.h"

#define QUOTE_BYTES_MAX 100u /* of an expression in a message */

/* One `${ ... }`. In the set's arena. */
typedef struct expression {
    struct expression *next_jq; /* those that jq runs, in a list until the set is finished */
    arvo_str text;              /* between the braces */
    arvo_str label;             /* for messages: where it is, what it says */
    const arvo_document *document;
    arvo_str pointer;
    expr_native native; /* root NULL: jq runs it */
    unsigned reads;
    size_t program; /* of jq's */
} expression;

typedef enum template_kind {
    TEMPLATE_CONSTANT,
    TEMPLATE_EXPRESSION,
    TEMPLATE_ARRAY,
    TEMPLATE_OBJECT
} template_kind;

struct arvo__template {
    template_kind kind;
    unsigned reads;
    const arvo_json *value;          /* constant */
    const expression *expr;          /* expression */
    const arvo__template *const *at; /* items, or members' values */
    const arvo_str *keys;            /* object */
    uint32_t count;
};

struct arvo__evaluator {
    struct arvo__evaluator *next;
    expr_jq_worker *worker;
};

/* Apart from the set, because it changes while the set is constant. */
typedef struct pool {
    pthread_mutex_t lock;
    arvo__evaluator *idle;
} pool;

struct arvo__expr_set {
    arvo_allocator allocator_copy;
    const arvo_allocator *allocator; /* NULL: malloc */
    arvo_arena *arena;
    expression *first_jq, *last_jq;
    size_t jq_count;
    expr_jq *jq; /* once finished, when any expression needs it */
    pool *pool;
    bool force_jq;
    bool finished;
};

/* ---- Life ------------------------------------------------------------------------ */

arvo__expr_set *
arvo__expr_set_new(const arvo_allocator *allocator)
{
    arvo__expr_set *set = arvo__calloc(allocator, 1, sizeof(*set));
    if (set == NULL)
        return NULL;
    if (allocator != NULL) {
        set->allocator_copy = *allocator;
        set->allocator = &set->allocator_copy;
    }
    set->arena =
        arvo_arena_new(&(arvo_arena_opts){ .allocator = set->allocator, .chunk_bytes = 4096 });
    set->pool = arvo__calloc(allocator, 1, sizeof(*set->pool));
    if (set->pool != NULL)
        (void)pthread_mutex_init(&set->pool->lock, NULL);
    if (set->arena == NULL || set->pool == NULL) {
        arvo__expr_set_free(set);
        return NULL;
    }
    return set;
}

static void
evaluator_free(const arvo_allocator *allocator, arvo__evaluator *evaluator)
{
    if (evaluator == NULL)
        return;
    arvo__expr_jq_worker_free(evaluator->worker);
    arvo__free(allocator, evaluator, sizeof(*evaluator));
}

void
arvo__expr_set_free(arvo__expr_set *set)
{
    if (set == NULL)
        return;
    if (set->pool != NULL) {
        for (arvo__evaluator *at = set->pool->idle, *next; at != NULL; at = next) {
            next = at->next;
            evaluator_free(set->allocator, at);
        }
        (void)pthread_mutex_destroy(&set->pool->lock);
        arvo__free(set->allocator, set->pool, sizeof(*set->pool));
    }
    arvo__expr_jq_free(set->jq);
    arvo_arena_free(set->arena);
    const arvo_allocator copy = set->allocator_copy;
    arvo__free(set->allocator != NULL ? &copy : NULL, set, sizeof(*set));
}

void
arvo__expr_set_force_jq(arvo__expr_set *set)
{
    set->force_jq = true;
}

size_t
arvo__expr_set_jq_count(const arvo__expr_set *set)
{
    return set->jq_count;
}

/* ---- Compiling one expression ------------------------------------------------------ */

bool
arvo__expr_is(arvo_str text)
{
    return text.len >= 3 && memcmp(text.ptr, "${", 2) == 0 && text.ptr[text.len - 1] == '}';
}

/* ARVO_OK with native.root NULL: jq's. `err` says what is wrong, not where. */
static arvo_status
expression_parse(arvo__expr_set *set, expression *expr, arvo_error *err)
{
    if (memchr(expr->text.ptr, '\0', expr->text.len) != NULL)
        return arvo__fail(err, ARVO_E_INVALID, "a NUL character is not allowed in it");

    /* Tokens are needed only here; they die with an arena of their own. */
    arvo_arena *scratch =
        arvo_arena_new(&(arvo_arena_opts){ .allocator = set->allocator, .chunk_bytes = 8192 });
    if (scratch == NULL)
        return arvo__nomem(err);
    expr_tokens tokens;
    arvo_status st = arvo__expr_lex(expr->text, scratch, &tokens, err);
    if (st == ARVO_OK)
        st = arvo__expr_check(&tokens, &expr->reads, err);
    if (st == ARVO_OK && !set->force_jq) {
        st = arvo__expr_parse(expr->text, &tokens, set->arena, &expr->native);
        if (st == ARVO_E_UNSUPPORTED) /* of the native subset, that is */
            st = ARVO_OK;
        else if (st == ARVO_OK)
            expr->reads = expr->native.reads;
        else
            arvo__nomem(err);
    }
    arvo_arena_free(scratch);
    return st;
}

static arvo_status
expression_compile(
    arvo__expr_set *set, const arvo_json *value, const arvo_document *document, arvo_str pointer,
    expression **out, arvo_error *err)
{
    arvo_arena *arena = set->arena;
    expression *expr = arvo_arena_calloc(arena, 1, sizeof(*expr));
    if (expr == NULL)
        return arvo__nomem(err);
    const arvo_str whole = arvo_arena_str_dup(arena, arvo_json_str(value));
    arvo_str quoted = arvo__quote(arena, whole, QUOTE_BYTES_MAX);
    if (quoted.len >= 2) /* `${` and `}` are quotes enough */
        quoted = (arvo_str){ quoted.ptr + 1, quoted.len - 2 };
    expr->pointer = arvo_arena_str_dup(arena, pointer);
    expr->document = document;
    expr->label = arvo_arena_printf(arena, "%.*s: %.*s", ARVO_FMT(pointer), ARVO_FMT(quoted));
    if (arvo_arena_failed(arena))
        return arvo__nomem(err);
    expr->text = (arvo_str){ whole.ptr + 2, whole.len - 3 };

    arvo_error why;
    const arvo_status st = expression_parse(set, expr, &why);
    if (st == ARVO_E_NOMEM)
        return arvo__nomem(err);
    if (st != ARVO_OK)
        return arvo_document_error(
            document, pointer, err, st, "%.*s: %s", ARVO_FMT(quoted), why.text);
    if (expr->native.root == NULL) {
#ifndef ARVO_HAVE_JQ
        return arvo_document_error(
            document, pointer, err, ARVO_E_UNSUPPORTED,
            "%.*s needs jq, and this library was built without it", ARVO_FMT(quoted));
#endif
        expr->program = set->jq_count++;
        if (set->last_jq != NULL)
            set->last_jq->next_jq = expr;
        else
            set->first_jq = expr;
        set->last_jq = expr;
    }
    *out = expr;
    return ARVO_OK;
}

/* ---- Compiling templates -------------------------------------------------------------- */

typedef struct compiler {
    arvo__expr_set *set;
    const arvo_document *document;
    arvo_buf pointer; /* of the value at hand */
    arvo_error *err;
} compiler;

static arvo_status template_compile(compiler *c, const arvo_json *value, arvo__template *out);

static bool
holds_expression(const arvo_json *value)
{
    if (value->type == ARVO_JSON_STRING)
        return arvo__expr_is(arvo_json_str(value));
    for (size_t i = 0; i < arvo_json_count(value); i++)
        if (holds_expression(arvo_json_at(value, i)))
            return true;
    return false;
}

static void
push_step(compiler *c, const arvo_json *value, uint32_t i)
{
    if (value->type == ARVO_JSON_OBJECT)
        arvo_json_pointer_push(&c->pointer, arvo_json_key_at(value, i));
    else
        arvo_buf_printf(&c->pointer, "/%u", i);
}

/* An array or object with an expression somewhere in it. */
static arvo_status
container_compile(compiler *c, const arvo_json *value, arvo__template *out)
{
    arvo_arena *arena = c->set->arena;
    const uint32_t count = (uint32_t)arvo_json_count(value);
    arvo__template *children = arvo_arena_calloc(arena, count, sizeof(*children));
    const arvo__template **at = arvo_arena_calloc(arena, count, sizeof(*at));
    arvo_str *keys = arvo_arena_calloc(arena, count, sizeof(*keys));
    if (children == NULL || at == NULL || keys == NULL)
        return arvo__nomem(c->err);

    const size_t pointer_len = c->pointer.len;
    for (uint32_t i = 0; i < count; i++) {
        push_step(c, value, i);
        if (c->pointer.status != ARVO_OK)
            return arvo__nomem(c->err);
        const arvo_status st = template_compile(c, arvo_json_at(value, i), &children[i]);
        if (st != ARVO_OK)
            return st;
        c->pointer.len = pointer_len;
        at[i] = &children[i];
        out->reads |= children[i].reads;
        if (value->type == ARVO_JSON_OBJECT) {
            keys[i] = arvo_arena_str_dup(arena, arvo_json_key_at(value, i));
            if (keys[i].ptr == NULL)
                return arvo__nomem(c->err);
        }
    }
    out->kind = value->type == ARVO_JSON_OBJECT ? TEMPLATE_OBJECT : TEMPLATE_ARRAY;
    out->at = at;
    out->keys = keys;
    out->count = count;
    return ARVO_OK;
}

static arvo_status
template_compile(compiler *c, const arvo_json *value, arvo__template *out)
{
    if (arvo__expr_is(arvo_json_str(value))) {
        expression *expr = NULL;
        const arvo_status st = expression_compile(
            c->set, value, c->document, arvo_buf_str(&c->pointer), &expr, c->err);
        if (st != ARVO_OK)
            return st;
        *out = (arvo__template){ .kind = TEMPLATE_EXPRESSION, .expr = expr, .reads = expr->reads };
        return ARVO_OK;
    }
    if (holds_expression(value))
        return container_compile(c, value, out);
    out->kind = TEMPLATE_CONSTANT;
    out->value = arvo_json_copy(c->set->arena, value);
    return out->value != NULL ? ARVO_OK : arvo__nomem(c->err);
}

arvo_status
arvo__template_compile(
    arvo__expr_set *set, const arvo_json *value, const arvo_document *document, arvo_str pointer,
    const arvo__template **out, arvo_error *err)
{
    ARVO_ASSERT(set != NULL && !set->finished && value != NULL && out != NULL);
    arvo__template *tmpl = arvo_arena_calloc(set->arena, 1, sizeof(*tmpl));
    if (tmpl == NULL)
        return arvo__nomem(err);
    compiler c = { .set = set,
                   .document = document,
                   .pointer = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT),
                   .err = err };
    c.pointer.allocator = set->allocator;
    arvo_buf_append_str(&c.pointer, pointer);
    const arvo_status st =
        c.pointer.status == ARVO_OK ? template_compile(&c, value, tmpl) : arvo__nomem(err);
    arvo_buf_fini(&c.pointer);
    if (st == ARVO_OK)
        *out = tmpl;
    return st;
}

bool
arvo__template_is_constant(const arvo__template *tmpl, const arvo_json **out_value)
{
    if (tmpl->kind != TEMPLATE_CONSTANT)
        return false;
    if (out_value != NULL)
        *out_value = tmpl->value;
    return true;
}

bool
arvo__template_reads_input(const arvo__template *tmpl)
{
    return (tmpl->reads & (1u << EXPR_INPUT)) != 0;
}

bool
arvo__template_is_expression(const arvo__template *tmpl)
{
    return tmpl->kind == TEMPLATE_EXPRESSION;
}

/* ---- Finishing -------------------------------------------------------------------------- */

static arvo_status
report_culprit(const arvo__expr_set *set, size_t culprit, const arvo_error *why, arvo_error *err)
{
    const expression *expr = set->first_jq;
    while (expr != NULL && expr->program != culprit)
        expr = expr->next_jq;
    if (expr == NULL)
        return arvo__fail(err, why->status, "%s", why->text);
    return arvo_document_error(
        expr->document, expr->pointer, err, why->status, "%.*s: %s",
        (int)(expr->label.len - expr->pointer.len - 2), expr->label.ptr + expr->pointer.len + 2,
        why->text);
}

arvo_status
arvo__expr_set_finish(arvo__expr_set *set, arvo_error *err)
{
    ARVO_ASSERT(set != NULL && !set->finished);
    if (set->jq_count > 0) {
        expr_jq_program *programs = arvo_arena_calloc(set->arena, set->jq_count, sizeof(*programs));
        if (programs == NULL)
            return arvo__nomem(err);
        for (const expression *expr = set->first_jq; expr != NULL; expr = expr->next_jq)
            programs[expr->program] = (expr_jq_program){ expr->text, expr->reads };
        arvo_error why;
        size_t culprit = set->jq_count;
        const arvo_status st =
            arvo__expr_jq_new(set->allocator, programs, set->jq_count, &set->jq, &culprit, &why);
        if (st == ARVO_E_NOMEM)
            return arvo__nomem(err);
        if (st != ARVO_OK)
            return report_culprit(set, culprit, &why, err);
    }
    set->finished = true;
    return ARVO_OK;
}

/* ---- Evaluators --------------------------------------------------------------------------- */

arvo__evaluator *
arvo__evaluator_take(const arvo__expr_set *set)
{
    pool *p = set->pool;
    (void)pthread_mutex_lock(&p->lock);
    arvo__evaluator *evaluator = p->idle;
    if (evaluator != NULL)
        p->idle = evaluator->next;
    (void)pthread_mutex_unlock(&p->lock);
    if (evaluator != NULL)
        return evaluator;
    return arvo__calloc(set->allocator, 1, sizeof(*evaluator));
}

void
arvo__evaluator_give(const arvo__expr_set *set, arvo__evaluator *evaluator)
{
    if (evaluator == NULL)
        return;
    pool *p = set->pool;
    (void)pthread_mutex_lock(&p->lock);
    evaluator->next = p->idle;
    p->idle = evaluator;
    (void)pthread_mutex_unlock(&p->lock);
}

/* ---- Evaluation ----------------------------------------------------------------------------- */

static arvo_status
jq_eval(
    const expression *expr, const arvo__expr_set *set, arvo__evaluator *evaluator,
    const arvo_scope *scope, const arvo_json **out, arvo_error *err)
{
    ARVO_ASSERT(set->finished);
    if (evaluator->worker == NULL) {
        evaluator->worker = arvo__expr_jq_worker_new(set->allocator);
        if (evaluator->worker == NULL)
            return arvo__nomem(err);
    }
    return arvo__expr_jq_eval(set->jq, evaluator->worker, expr->program, scope, out, err);
}

static arvo_status
expression_eval(
    const expression *expr, const arvo__expr_set *set, arvo__evaluator *evaluator,
    const arvo_scope *scope, const arvo_json **out, arvo_error *err)
{
    const arvo_json *value = NULL;
    arvo_status st;
    if (expr->native.root != NULL) {
        st = arvo__expr_native_eval(&expr->native, scope, &value, err);
    } else if (evaluator != NULL) {
        st = jq_eval(expr, set, evaluator, scope, &value, err);
    } else {
        evaluator = arvo__evaluator_take(set);
        if (evaluator == NULL)
            return arvo__nomem(err);
        st = jq_eval(expr, set, evaluator, scope, &value, err);
        arvo__evaluator_give(set, evaluator);
    }
    if (st == ARVO_OK)
        *out = value != NULL ? value : arvo_json_null();
    else if (st == ARVO_E_EXECUTION)
        arvo_error_prefix(err, "%.*s", ARVO_FMT(expr->label));
    return st;
}

static arvo_status
container_eval(
    const arvo__template *tmpl, const arvo__expr_set *set, arvo__evaluator *evaluator,
    const arvo_scope *scope, const arvo_json **out, arvo_error *err)
{
    const bool object = tmpl->kind == TEMPLATE_OBJECT;
    arvo_json *value =
        object ? arvo_json_object_new(scope->arena) : arvo_json_array_new(scope->arena);
    for (uint32_t i = 0; i < tmpl->count; i++) {
        const arvo_json *child = NULL;
        const arvo_status st = arvo__template_eval(tmpl->at[i], set, evaluator, scope, &child, err);
        if (st != ARVO_OK)
            return st;
        if (object)
            arvo_json_set_ref(scope->arena, value, tmpl->keys[i], child);
        else
            arvo_json_push(scope->arena, value, child);
    }
    if (value == NULL || arvo_arena_failed(scope->arena))
        return arvo__nomem(err);
    *out = value;
    return ARVO_OK;
}

arvo_status
arvo__template_eval(
    const arvo__template *tmpl, const arvo__expr_set *set, arvo__evaluator *evaluator,
    const arvo_scope *scope, const arvo_json **out, arvo_error *err)
{
    switch (tmpl->kind) {
    case TEMPLATE_CONSTANT:
        *out = tmpl->value;
        return ARVO_OK;
    case TEMPLATE_EXPRESSION:
        return expression_eval(tmpl->expr, set, evaluator, scope, out, err);
    default:
        return container_eval(tmpl, set, evaluator, scope, out, err);
    }
}
