/* Patterns to automata: recursive descent, then Thompson's construction from the end to the start.
 */

#include "contract/solve_regex.h"

typedef enum tree_kind {
    TREE_EMPTY,
    TREE_CHAR,
    TREE_BEGIN,
    TREE_END,
    TREE_BOTH,   /* a, then b */
    TREE_EITHER, /* a or b */
    TREE_REPEAT  /* a, min to max times */
} tree_kind;

typedef struct tree {
    tree_kind kind;
    const struct tree *a, *b;
    size_t min, max;
    regex_range *ranges;
    size_t range_count, range_room;
} tree;

typedef struct reader {
    solver *s;
    const char *at, *end;
    size_t depth;
    size_t room; /* for nodes */
    bool failed;
    regex_automaton *out;
} reader;

static const regex_range digits[] = { { '0', '9' } };
static const regex_range words[] = { { '0', '9' }, { 'A', 'Z' }, { '_', '_' }, { 'a', 'z' } };
static const regex_range spaces[] = { { 9, 13 },          { 32, 32 },         { 0xa0, 0xa0 },
                                      { 0x1680, 0x1680 }, { 0x2000, 0x200a }, { 0x2028, 0x2029 },
                                      { 0x202f, 0x202f }, { 0x205f, 0x205f }, { 0x3000, 0x3000 },
                                      { 0xfeff, 0xfeff } };
static const regex_range line_ends[] = { { '\n', '\n' }, { '\r', '\r' }, { 0x2028, 0x2029 } };

static const tree *read_either(reader *r);

/* ---- Trees ---------------------------------------------------------------------- */

static tree *
tree_new(reader *r, tree_kind kind)
{
    tree *const node = arvo__solve_alloc(r->s, sizeof(*node));
    if (node == NULL) {
        r->failed = true;
        return NULL;
    }
    *node = (tree){ .kind = kind };
    return node;
}

static const tree *
tree_two(reader *r, tree_kind kind, const tree *a, const tree *b)
{
    tree *const node = tree_new(r, kind);
    if (node != NULL) {
        node->a = a;
        node->b = b;
    }
    return node;
}

static tree *
class_new(reader *r)
{
    return tree_new(r, TREE_CHAR);
}

static bool
class_grow(reader *r, tree *node)
{
    if (node->range_count < node->range_room)
        return true;
    const size_t room = node->range_room > 0 ? 2 * node->range_room : 1;
    regex_range *const ranges =
        room <= REGEX_RANGES_MAX ? arvo__solve_alloc(r->s, room * sizeof(*ranges)) : NULL;
    if (ranges == NULL)
        return false;
    if (node->range_count > 0)
        memcpy(ranges, node->ranges, node->range_count * sizeof(*ranges));
    node->ranges = ranges;
    node->range_room = room;
    return true;
}

static void
class_add(reader *r, tree *node, uint32_t first, uint32_t last)
{
    if (node == NULL || first > last || !class_grow(r, node))
        r->failed = true;
    else
        node->ranges[node->range_count++] = (regex_range){ first, last };
}

/* The complement of sorted ranges that do not overlap. */
static void
class_add_inverse(reader *r, tree *node, const regex_range *ranges, size_t count)
{
    uint32_t first = 0;
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].first > first)
            class_add(r, node, first, ranges[i].first - 1);
        first = ranges[i].last + 1;
    }
    if (first <= CODE_POINT_MAX)
        class_add(r, node, first, CODE_POINT_MAX);
}

static void
class_sort(tree *node)
{
    for (size_t i = 1; i < node->range_count; i++)
        for (size_t k = i; k > 0 && node->ranges[k].first < node->ranges[k - 1].first; k--) {
            const regex_range swap = node->ranges[k];
            node->ranges[k] = node->ranges[k - 1];
            node->ranges[k - 1] = swap;
        }
}

static tree *
class_invert(reader *r, tree *node)
{
    tree *const out = class_new(r);
    if (out == NULL || node == NULL)
        return NULL;
    class_sort(node);
    size_t count = 0; /* merged in place */
    for (size_t i = 0; i < node->range_count; i++) {
        if (count > 0 && node->ranges[i].first <= node->ranges[count - 1].last + 1) {
            if (node->ranges[i].last > node->ranges[count - 1].last)
                node->ranges[count - 1].last = node->ranges[i].last;
        } else {
            node->ranges[count++] = node->ranges[i];
        }
    }
    class_add_inverse(r, out, node->ranges, count);
    return out;
}

/* ---- Characters ------------------------------------------------------------------- */

static bool
at_char(const reader *r, char c)
{
    return r->at < r->end && *r->at == c;
}

static bool
take(reader *r, char c)
{
    if (!at_char(r, c))
        return false;
    r->at++;
    return true;
}

static uint32_t
take_code_point(reader *r)
{
    const size_t len = arvo__utf8_sequence(r->at, (size_t)(r->end - r->at));
    if (len == 0) {
        r->failed = true;
        return 0;
    }
    const uint32_t code = arvo__utf8_decode(r->at, len);
    r->at += len;
    return code;
}

static uint32_t
take_hex(reader *r, size_t min, size_t max)
{
    uint32_t code = 0;
    size_t count = 0;
    for (; count < max && r->at < r->end; count++, r->at++) {
        const int value = arvo__hex_value(*r->at);
        if (value < 0)
            break;
        code = code * 16 + (uint32_t)value;
    }
    r->failed = r->failed || count < min;
    return code;
}

static uint32_t
take_unicode(reader *r)
{
    if (take(r, '{')) {
        const uint32_t code = take_hex(r, 1, 6);
        r->failed = r->failed || !take(r, '}') || code > CODE_POINT_MAX;
        return code;
    }
    const uint32_t code = take_hex(r, 4, 4);
    r->failed = r->failed || (code >= 0xd800 && code <= 0xdfff); /* pairs of halves: not here */
    return code;
}

/* Behind a backslash: one character, or a class (then true, added to `node`). */
static bool
take_escape(reader *r, tree *node, uint32_t *code)
{
    static const char letters[] = "tnvfr", values[] = "\t\n\v\f\r";
    const char c = r->at < r->end ? *r->at++ : '\0';
    const char *const letter = c != '\0' ? strchr(letters, c) : NULL;
    if (c == 'd' || c == 'w' || c == 's') {
        const regex_range *const from = c == 'd' ? digits : c == 'w' ? words : spaces;
        const size_t count = c == 'd'   ? ARVO_COUNT_OF(digits)
                             : c == 'w' ? ARVO_COUNT_OF(words)
                                        : ARVO_COUNT_OF(spaces);
        for (size_t i = 0; i < count; i++)
            class_add(r, node, from[i].first, from[i].last);
        return true;
    }
    if (c == 'D')
        class_add_inverse(r, node, digits, ARVO_COUNT_OF(digits));
    else if (c == 'W')
        class_add_inverse(r, node, words, ARVO_COUNT_OF(words));
    else if (c == 'S')
        class_add_inverse(r, node, spaces, ARVO_COUNT_OF(spaces));
    if (c == 'D' || c == 'W' || c == 'S')
        return true;
    if (letter != NULL)
        *code = (uint32_t)(unsigned char)values[letter - letters];
    else if (c == 'x')
        *code = take_hex(r, 2, 2);
    else if (c == 'u')
        *code = take_unicode(r);
    else if (c != '\0' && strchr("^$\\.*+?()[]{}|/-", c) != NULL)
        *code = (uint32_t)(unsigned char)c;
    else
        r->failed = true; /* \b, \p, \1, \k, or no escape at all */
    return false;
}

static const tree *
read_class(reader *r)
{
    tree *const node = class_new(r);
    const bool inverted = take(r, '^');
    while (!r->failed && !at_char(r, ']')) {
        uint32_t first = 0, last;
        if (r->at >= r->end) {
            r->failed = true;
            break;
        }
        if (take(r, '\\')) {
            if (take_escape(r, node, &first))
                continue;
        } else {
            first = take_code_point(r);
        }
        last = first;
        if (at_char(r, '-') && r->at + 1 < r->end && r->at[1] != ']') {
            r->at++;
            if (!take(r, '\\'))
                last = take_code_point(r);
            else if (take_escape(r, node, &last))
                r->failed = true; /* a range up to a class */
        }
        class_add(r, node, first, last);
    }
    r->failed = r->failed || !take(r, ']');
    if (r->failed)
        return NULL;
    return inverted ? class_invert(r, node) : node;
}

/* ---- Grammar -------------------------------------------------------------------------- */

static const tree *
read_group(reader *r)
{
    if (take(r, '?')) {
        if (take(r, '<')) { /* a name; not look-behind */
            r->failed = r->failed || at_char(r, '=') || at_char(r, '!');
            while (r->at < r->end && *r->at != '>')
                r->at++;
            r->failed = r->failed || !take(r, '>');
        } else if (!take(r, ':')) {
            r->failed = true;
        }
    }
    if (r->failed || r->depth >= REGEX_NEST_MAX) {
        r->failed = true;
        return NULL;
    }
    r->depth++;
    const tree *const inside = read_either(r);
    r->depth--;
    r->failed = r->failed || !take(r, ')');
    return inside;
}

static const tree *
read_atom(reader *r)
{
    if (take(r, '('))
        return read_group(r);
    if (take(r, '['))
        return read_class(r);
    if (take(r, '^'))
        return tree_new(r, TREE_BEGIN);
    if (take(r, '$'))
        return tree_new(r, TREE_END);
    if (at_char(r, '*') || at_char(r, '+') || at_char(r, '?') || at_char(r, '{')) {
        r->failed = true;
        return NULL;
    }
    tree *const node = class_new(r);
    uint32_t code = 0;
    if (take(r, '.')) {
        class_add_inverse(r, node, line_ends, ARVO_COUNT_OF(line_ends));
        return node;
    }
    if (!take(r, '\\'))
        code = take_code_point(r);
    else if (take_escape(r, node, &code))
        return node;
    class_add(r, node, code, code);
    return node;
}

static size_t
take_number(reader *r, size_t otherwise)
{
    if (r->at >= r->end || *r->at < '0' || *r->at > '9')
        return otherwise;
    size_t number = 0;
    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++)
        number = number < 100000 ? number * 10 + (size_t)(*r->at - '0') : number;
    return number;
}

static const tree *
read_repeat(reader *r)
{
    const tree *const atom = read_atom(r);
    size_t min = 1, max = 1;
    if (take(r, '*')) {
        min = 0;
        max = SIZE_MAX;
    } else if (take(r, '+')) {
        max = SIZE_MAX;
    } else if (take(r, '?')) {
        min = 0;
    } else if (take(r, '{')) {
        min = take_number(r, SIZE_MAX);
        max = take(r, ',') ? take_number(r, SIZE_MAX) : min;
        r->failed = r->failed || min == SIZE_MAX || !take(r, '}') || max < min;
    } else {
        return atom;
    }
    (void)take(r, '?'); /* lazy or not, the same strings match */
    tree *const node = tree_new(r, TREE_REPEAT);
    if (node == NULL || r->failed)
        return NULL;
    node->a = atom;
    node->min = min;
    node->max = max;
    return node;
}

static const tree *
read_both(reader *r)
{
    const tree *all = tree_new(r, TREE_EMPTY);
    while (!r->failed && r->at < r->end && !at_char(r, '|') && !at_char(r, ')'))
        all = tree_two(r, TREE_BOTH, all, read_repeat(r));
    return all;
}

static const tree *
read_either(reader *r)
{
    const tree *all = read_both(r);
    while (!r->failed && take(r, '|'))
        all = tree_two(r, TREE_EITHER, all, read_both(r));
    return all;
}

static const tree *
read_literal(reader *r)
{
    const tree *all = tree_new(r, TREE_BEGIN);
    while (!r->failed && r->at < r->end) {
        tree *const node = class_new(r);
        const uint32_t code = take_code_point(r);
        class_add(r, node, code, code);
        all = tree_two(r, TREE_BOTH, all, node);
    }
    return tree_two(r, TREE_BOTH, all, tree_new(r, TREE_END));
}

/* ---- Automata ----------------------------------------------------------------------------- */

static uint32_t
node_add(reader *r, regex_kind kind, uint32_t next, uint32_t other)
{
    regex_automaton *const out = r->out;
    if (out->count == r->room) {
        r->failed = true;
        return 0;
    }
    out->nodes[out->count] = (regex_node){ .kind = kind, .next = next, .other = other };
    return out->count++;
}

static uint32_t build(reader *r, const tree *node, uint32_t next);

static uint32_t
build_repeat(reader *r, const tree *node, uint32_t next)
{
    if (node->max == SIZE_MAX) {
        const uint32_t loop = node_add(r, REGEX_SPLIT, 0, next);
        const uint32_t again = build(r, node->a, loop);
        if (!r->failed)
            r->out->nodes[loop].next = again;
        next = loop;
    } else {
        for (size_t i = node->min; i < node->max && !r->failed; i++)
            next = node_add(r, REGEX_SPLIT, build(r, node->a, next), next);
    }
    for (size_t i = 0; i < node->min && !r->failed; i++)
        next = build(r, node->a, next);
    return next;
}

/* The node at which `node`, followed by `next`, begins. */
static uint32_t
build(reader *r, const tree *node, uint32_t next)
{
    if (r->failed || node == NULL || r->depth > 4 * REGEX_NODES_MAX) {
        r->failed = true;
        return 0;
    }
    r->depth++;
    uint32_t at = next;
    if (node->kind == TREE_BOTH) {
        at = build(r, node->a, build(r, node->b, next));
    } else if (node->kind == TREE_EITHER) {
        const uint32_t a = build(r, node->a, next);
        at = node_add(r, REGEX_SPLIT, a, build(r, node->b, next));
    } else if (node->kind == TREE_REPEAT) {
        at = build_repeat(r, node, next);
    } else if (node->kind == TREE_BEGIN || node->kind == TREE_END) {
        at = node_add(r, node->kind == TREE_BEGIN ? REGEX_BEGIN : REGEX_END, next, 0);
    } else if (node->kind == TREE_CHAR) {
        at = node_add(r, REGEX_CHAR, next, 0);
        r->out->nodes[at].ranges = node->ranges;
        r->out->nodes[at].range_count = node->range_count;
    }
    r->depth--;
    return at;
}

solve_truth
arvo__regex_read(solver *s, const solve_patterns *pattern, regex_automaton *out)
{
    reader r = { .s = s, .at = pattern->pattern.ptr, .out = out };
    r.end = r.at + pattern->pattern.len;
    *out = (regex_automaton){ .negated = pattern->negated };
    r.room = pattern->literal && pattern->pattern.len < 1000 ? pattern->pattern.len + 3
                                                             : REGEX_NODES_MAX;
    out->nodes = arvo__solve_alloc(s, r.room * sizeof(*out->nodes));
    if (out->nodes == NULL || pattern->pattern.len > 2000)
        return SOLVE_MAYBE;
    const tree *const root = pattern->literal ? read_literal(&r) : read_either(&r);
    if (r.failed || r.at != r.end)
        return SOLVE_MAYBE;
    out->start = build(&r, root, node_add(&r, REGEX_MATCH, 0, 0));
    out->words = (out->count + 63) / 64;
    return r.failed ? SOLVE_MAYBE : SOLVE_YES;
}
