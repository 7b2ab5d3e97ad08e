/* machine/expr_internal.h - the parts of the expression engine (expr_*.c).
 *
 *   text --lex--> tokens --parse--> node tree     run by expr_native.c
 *                   |
 *                   +--check--> what is refused, which names are read; then
 *                               expr_jq.c has the program run by libjq
 */
#ifndef ARVO_SRC_MACHINE_EXPR_INTERNAL_H
#define ARVO_SRC_MACHINE_EXPR_INTERNAL_H

#include "machine/expr.h"

#define EXPR_TEXT_BYTES_MAX ((size_t)64 * 1024) /* of one program */
#define EXPR_NEST_MAX       200u                /* brackets within brackets */
#define EXPR_NATIVE_NEST    60u                 /* deeper programs run in jq */
#define EXPR_VARS_MAX       16u                 /* `as $x` at one time, natively */
#define EXPR_STEPS_MAX      ((uint64_t)5000000) /* natively; about as long as the time bound */

/* ---- Tokens --------------------------------------------------------------- */

typedef enum expr_token_kind {
    EXPR_T_END = 0,
    EXPR_T_FIELD,        /* .name; text is the name */
    EXPR_T_IDENT,        /* names and keywords, `a::b` too */
    EXPR_T_NUMBER,       /* */
    EXPR_T_FORMAT,       /* @name */
    EXPR_T_QUOTE_OPEN,   /* a string begins */
    EXPR_T_TEXT,         /* a raw piece of a string, escapes not yet decoded */
    EXPR_T_INTERP_OPEN,  /* \( */
    EXPR_T_INTERP_CLOSE, /* its ) */
    EXPR_T_QUOTE_CLOSE,
    EXPR_T_OP /* everything else; op says which */
} expr_token_kind;

/* Operators of two or three characters; the others are their character. */
enum {
    EXPR_OP_EQ = 256,
    EXPR_OP_NE,
    EXPR_OP_LE,
    EXPR_OP_GE,
    EXPR_OP_ALT,            /* // */
    EXPR_OP_ASSIGN,         /* |= += -= *= /= %= //= */
    EXPR_OP_RECURSE,        /* .. */
    EXPR_OP_ALT_DESTRUCTURE /* ?// */
};

typedef struct expr_token {
    expr_token_kind kind;
    int op;
    size_t offset; /* in the program */
    arvo_str text;
} expr_token;

typedef struct expr_tokens {
    const expr_token *items; /* ends with EXPR_T_END */
    size_t count;            /* without it */
} expr_tokens;

/* ARVO_E_INVALID (what jq would not accept either; err->offset), ARVO_E_NOMEM. */
arvo_status arvo__expr_lex(arvo_str program, arvo_arena *arena, expr_tokens *out, arvo_error *err);

/* ---- What a program reads and may not use --------------------------------- */

/* The members of the scope, in the order of expr_scope_names. */
enum { EXPR_CONTEXT, EXPR_EVENT, EXPR_INPUT, EXPR_PARAMS, EXPR_SCOPE_COUNT };
#define EXPR_READS_ALL 15u

extern const arvo_str arvo__expr_scope_names[EXPR_SCOPE_COUNT];

/* Index of the name, or EXPR_SCOPE_COUNT. */
unsigned arvo__expr_scope_find(arvo_str name);

/* Refuse what reaches outside the scope, and unknown top-level names. *out_reads: which members it
 * may read, as bits; more than it does when that cannot be told. ARVO_E_INVALID. */
arvo_status arvo__expr_check(const expr_tokens *tokens, unsigned *out_reads, arvo_error *err);

/* ---- Native programs -------------------------------------------------------- */

typedef enum expr_kind {
    EXPR_IDENTITY,
    EXPR_SCOPE,    /* .context and the like on the scope itself; slot */
    EXPR_FIELD,    /* a . text */
    EXPR_INDEX,    /* a [ b ] */
    EXPR_SLICE,    /* a [ b : c ]; b, c may be NULL */
    EXPR_LITERAL,  /* value */
    EXPR_VARIABLE, /* slot */
    EXPR_BIND,     /* a as $slot | b */
    EXPR_FORMAT,   /* items: the parts of a string */
    EXPR_NEGATE,   /* -a */
    EXPR_BINARY,   /* a op b */
    EXPR_AND,
    EXPR_OR,
    EXPR_ALTERNATIVE, /* a // b */
    EXPR_PIPE,        /* a | b */
    EXPR_IF,          /* if a then b else c */
    EXPR_ARRAY,       /* items, each of at most one output, or .[] of one (iterates) */
    EXPR_OBJECT,      /* items: key, value, key, value */
    EXPR_CALL         /* function op; a: its argument */
} expr_kind;

typedef enum expr_function {
    EXPR_F_ADD,
    EXPR_F_ALL,
    EXPR_F_ANY,
    EXPR_F_ASCII_DOWNCASE,
    EXPR_F_ASCII_UPCASE,
    EXPR_F_CEIL,
    EXPR_F_EMPTY,
    EXPR_F_ENDSWITH,
    EXPR_F_ERROR,
    EXPR_F_FLOOR,
    EXPR_F_HAS,
    EXPR_F_KEYS,
    EXPR_F_LENGTH,
    EXPR_F_LTRIMSTR,
    EXPR_F_MAP,
    EXPR_F_NOT,
    EXPR_F_ROUND,
    EXPR_F_RTRIMSTR,
    EXPR_F_SELECT,
    EXPR_F_SQRT,
    EXPR_F_STARTSWITH,
    EXPR_F_TOJSON,
    EXPR_F_TONUMBER,
    EXPR_F_TOSTRING,
    EXPR_F_TYPE
} expr_function;

typedef struct expr_node {
    uint8_t kind;
    uint8_t slot;
    bool optional; /* `?` after a path step */
    int op;        /* operator character or EXPR_OP_*; expr_function */
    uint32_t count;
    const struct expr_node *a, *b, *c;
    const struct expr_node *const *items;
    arvo_str text;
    const arvo_json *value;
} expr_node;

typedef struct expr_native {
    const expr_node *root;
    unsigned reads;
    bool grows; /* may build a value much larger, or deeper, than the program and its input */
} expr_native;

/* ARVO_OK, ARVO_E_UNSUPPORTED (not of the native subset, or wrong: jq will tell), ARVO_E_NOMEM. */
arvo_status
arvo__expr_parse(arvo_str program, const expr_tokens *tokens, arvo_arena *arena, expr_native *out);

/* *out NULL: no output. ARVO_OK, ARVO_E_EXECUTION, ARVO_E_NOMEM. */
arvo_status arvo__expr_native_eval(
    const expr_native *native, const arvo_scope *scope, const arvo_json **out, arvo_error *err);

/* ---- Shared by the native evaluator's files ---------------------------------- */

typedef enum expr_state { EXPR_RUNNING, EXPR_FAILED, EXPR_OUT_OF_MEMORY } expr_state;

typedef struct expr_run {
    const arvo_scope *scope;
    arvo_arena *arena;
    const arvo_json *whole; /* the scope as one object; built when asked for */
    uint64_t steps_left;
    size_t bytes_left; /* of what it may build */
    expr_state state;
    bool not_finite; /* a NaN or an infinity was made */
    arvo_error *err;
    const arvo_json *vars[EXPR_VARS_MAX];
} expr_run;

/* All return NULL after run->state was set; so may their callers. */
const arvo_json *arvo__expr_fail(expr_run *run, const char *format, ...) ARVO_PRINTF(2, 3);
const arvo_json *arvo__expr_nomem(expr_run *run);
/* "number (5)": for messages; in `text`. */
const char *arvo__expr_show(const arvo_json *value, char *text, size_t size);
const char *arvo__expr_type(const arvo_json *value); /* jq's name of its type */
void *arvo__expr_alloc(expr_run *run, size_t size);
bool arvo__expr_spend(expr_run *run, uint64_t steps);
const arvo_json *arvo__expr_number(expr_run *run, double number);
const arvo_json *arvo__expr_string(expr_run *run, const char *bytes, size_t len); /* not copied */
/* An array whose `count` items the caller fills in. */
arvo_json *arvo__expr_array(expr_run *run, size_t count);

static inline double
arvo__expr_double(const arvo_json *value)
{
    return value->type == ARVO_JSON_INT ? (double)value->as.integer : value->as.number;
}

/* jq's kind order: null < false < true < numbers < strings < arrays < objects. */
unsigned arvo__expr_rank(const arvo_json *value);
int arvo__expr_compare(expr_run *run, const arvo_json *a, const arvo_json *b, unsigned depth);
bool arvo__expr_equal(expr_run *run, const arvo_json *a, const arvo_json *b, unsigned depth);
const arvo_json *
arvo__expr_binary(expr_run *run, int op, const arvo_json *left, const arvo_json *right);
const arvo_json *
arvo__expr_index(expr_run *run, const arvo_json *value, const arvo_json *key, bool optional);
/* from, to: NULL when not given. */
const arvo_json *arvo__expr_slice(
    expr_run *run, const arvo_json *value, const arvo_json *from, const arvo_json *to,
    bool optional);
/* Functions of the input and at most one evaluated argument. */
const arvo_json *arvo__expr_call(
    expr_run *run, expr_function function, const arvo_json *input, const arvo_json *arg);
const arvo_json *arvo__expr_tostring(expr_run *run, const arvo_json *value);
const arvo_json *arvo__expr_tojson(expr_run *run, const arvo_json *value);
const arvo_json *arvo__expr_tonumber(expr_run *run, const arvo_json *value);
/* Sorted by bytes; arena. NULL: out of memory, or none. */
const arvo_str *arvo__expr_keys(expr_run *run, const arvo_json *object);

/* ---- jq ------------------------------------------------------------------------
 *
 * libjq 1.6 cannot be bounded from inside a process: its C functions run for as long as the value
 * is large (a value of shares of itself is exponentially so), an allocation that fails aborts,
 * `1e19 % -1` and `.[nan:1]` kill, deep values overflow the stack when freed. So it runs outside:
 * a *keeper* process, forked when a set is finished, compiles the set's programs once; it forks a
 * *worker* for each evaluator that comes to need jq; a worker has bounds of CPU time and memory set
 * by the kernel, and when it dies of a program, that program has failed, and nothing else has. */

typedef struct expr_jq expr_jq;               /* the programs of one set, and their keeper */
typedef struct expr_jq_worker expr_jq_worker; /* one evaluator's end of a worker */

typedef struct expr_jq_program {
    arvo_str text;
    unsigned reads;
} expr_jq_program;

#define EXPR_JQ_PROCESS_BYTES                                                                      \
    ((size_t)256 * 1024 * 1024)   /* a worker's, beyond what it starts with */
#define EXPR_JQ_COMPILE_MS 10000u /* CPU time for all programs of a set */
#define EXPR_JQ_WAIT_MS    30000u /* until a process that does not answer is given up */

/* Compile all programs (borrowed until arvo__expr_jq_free). *out_culprit: the one that is wrong,
 * with ARVO_E_INVALID. ARVO_OK, ARVO_E_INVALID, ARVO_E_EXECUTION (no process), ARVO_E_NOMEM. */
arvo_status arvo__expr_jq_new(
    const arvo_allocator *allocator, const expr_jq_program *programs, size_t count, expr_jq **out,
    size_t *out_culprit, arvo_error *err);
void arvo__expr_jq_free(expr_jq *jq);

expr_jq_worker *arvo__expr_jq_worker_new(const arvo_allocator *allocator); /* starts nothing yet */
void arvo__expr_jq_worker_free(expr_jq_worker *worker);

/* *out NULL: no output. ARVO_OK, ARVO_E_EXECUTION, ARVO_E_NOMEM. */
arvo_status arvo__expr_jq_eval(
    expr_jq *jq, expr_jq_worker *worker, size_t program, const arvo_scope *scope,
    const arvo_json **out, arvo_error *err);

/* Between the processes: a header, then `len` bytes. */
typedef struct expr_jq_message {
    uint32_t what; /* request: the program; reply: EXPR_JQ_* */
    uint32_t len;
} expr_jq_message;

enum {
    EXPR_JQ_VALUE = 1, /* JSON */
    EXPR_JQ_NO_VALUE,
    EXPR_JQ_FAILED, /* jq's message */
    EXPR_JQ_TOO_LARGE,
    EXPR_JQ_OUT_OF_TIME, /* the last four: the sender's last word */
    EXPR_JQ_OUT_OF_MEMORY,
    EXPR_JQ_CRASHED,
    EXPR_JQ_ABSENT,
    EXPR_JQ_COMPILED,  /* the keeper's greeting */
    EXPR_JQ_WRONG_BASE /* + index of the program; jq's message */
};

/* Whole or not at all; false: the other side is gone. */
bool arvo__expr_jq_send(int fd, const void *bytes, size_t len);
bool arvo__expr_jq_receive(int fd, void *bytes, size_t len);

/* The keeper's life: never returns. `control`: its socket. */
_Noreturn void arvo__expr_jq_keeper(int control, const expr_jq_program *programs, size_t count);

/* ---- For tests and benches: every program to jq, whatever it is ---------------- */

void arvo__expr_set_force_jq(arvo__expr_set *set);
size_t arvo__expr_set_jq_count(const arvo__expr_set *set); /* programs that jq runs */

#endif
