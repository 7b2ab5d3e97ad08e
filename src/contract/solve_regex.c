/* A string that matches some patterns and not others: breadth first through the product of their
 * automata, so that the shortest comes out, and "none" when the product is exhausted. */

#include "contract/solve_regex.h"

#define PATTERNS_MAX 80u
#define ENTRIES_MAX  20000u
#define LETTERS_MAX  256u

typedef struct entry {
    const struct entry *before;
    struct entry *next; /* in the queue */
    uint32_t letter;
    uint32_t length;
    uint64_t *sets; /* of all automata, one behind the other */
} entry;

typedef struct product {
    solver *s;
    regex_automaton automata[PATTERNS_MAX];
    size_t count;
    size_t words;
    size_t min, max;
    uint32_t letters[LETTERS_MAX]; /* one of each kind that the automata tell apart */
    size_t letter_count;
    arvo__map seen;
    entry *first, **last;
    size_t entries;
    bool unknown;
} product;

/* ---- Letters ---------------------------------------------------------------------- */

/* The code point of [first, last] that people like best. false: only halves of pairs. */
static bool
letter_of(uint32_t first, uint32_t last, uint32_t *out)
{
    static const char liked[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_. ";
    for (size_t i = 0; i + 1 < sizeof(liked); i++) {
        const uint32_t c = (uint32_t)(unsigned char)liked[i];
        if (c >= first && c <= last) {
            *out = c;
            return true;
        }
    }
    *out = first < 0x20 && last >= 0x21 ? 0x21 : first;
    if (*out == 0x7f && last > 0x9f)
        *out = 0xa0;
    if (*out >= 0xd800 && *out <= 0xdfff)
        *out = 0xe000;
    return *out <= last;
}

static bool
bounds_add(uint32_t *bounds, size_t *count, uint32_t bound)
{
    size_t at = 0;
    while (at < *count && bounds[at] < bound)
        at++;
    if (at < *count && bounds[at] == bound)
        return true;
    if (*count == LETTERS_MAX)
        return false;
    memmove(bounds + at + 1, bounds + at, (*count - at) * sizeof(*bounds));
    bounds[at] = bound;
    (*count)++;
    return true;
}

static bool
letters_find(product *p)
{
    uint32_t bounds[LETTERS_MAX];
    size_t count = 0;
    bool fits = bounds_add(bounds, &count, 0) && bounds_add(bounds, &count, CODE_POINT_MAX + 1);
    for (size_t i = 0; i < p->count && fits; i++)
        for (uint32_t n = 0; n < p->automata[i].count && fits; n++) {
            const regex_node *const node = &p->automata[i].nodes[n];
            for (size_t k = 0; k < node->range_count && fits; k++)
                fits = bounds_add(bounds, &count, node->ranges[k].first) &&
                       bounds_add(bounds, &count, node->ranges[k].last + 1);
        }
    for (size_t i = 0; i + 1 < count && fits; i++) {
        uint32_t letter;
        if (letter_of(bounds[i], bounds[i + 1] - 1, &letter))
            p->letters[p->letter_count++] = letter;
    }
    /* Plain text first: a control character should come out only when nothing else can. */
    for (size_t i = 1; i < p->letter_count; i++)
        for (size_t k = i; k > 0 && p->letters[k] >= 'a' && p->letters[k] <= 'z' &&
                           !(p->letters[k - 1] >= 'a' && p->letters[k - 1] <= 'z');
             k--) {
            const uint32_t swap = p->letters[k];
            p->letters[k] = p->letters[k - 1];
            p->letters[k - 1] = swap;
        }
    return fits;
}

/* ---- Sets of nodes ------------------------------------------------------------------ */

static bool
set_has(const uint64_t *set, uint32_t node)
{
    return (set[node / 64] >> (node % 64) & 1) != 0;
}

static void
set_add(uint64_t *set, uint32_t node)
{
    set[node / 64] |= (uint64_t)1 << (node % 64);
}

/* Add a node and what can be reached from it without a letter. */
static void
close_over(const regex_automaton *a, uint32_t from, bool at_start, bool at_end, uint64_t *set)
{
    uint32_t stack[REGEX_NODES_MAX + 1];
    size_t depth = 0;
    stack[depth++] = from;
    while (depth > 0) {
        const uint32_t at = stack[--depth];
        const regex_node *const node = &a->nodes[at];
        if (set_has(set, at) || (node->kind == REGEX_BEGIN && !at_start))
            continue;
        set_add(set, at);
        const bool passes = node->kind == REGEX_SPLIT || node->kind == REGEX_BEGIN ||
                            (node->kind == REGEX_END && at_end);
        /* A node is put on the stack once for each way to it; two ways at most lead from each. */
        if (passes && depth < REGEX_NODES_MAX && !set_has(set, node->next))
            stack[depth++] = node->next;
        if (node->kind == REGEX_SPLIT && depth < REGEX_NODES_MAX && !set_has(set, node->other))
            stack[depth++] = node->other;
    }
}

/* Whether the automaton has matched when the text ends here. */
static bool
accepts(const regex_automaton *a, const uint64_t *set, bool at_start)
{
    uint64_t end[REGEX_NODES_MAX / 64 + 1] = { 0 };
    for (uint32_t n = 0; n < a->count; n++)
        if (set_has(set, n))
            close_over(a, n, at_start, true, end);
    return set_has(end, 0); /* REGEX_MATCH is the first node */
}

static bool
node_takes(const regex_node *node, uint32_t letter)
{
    for (size_t i = 0; i < node->range_count; i++)
        if (letter >= node->ranges[i].first && letter <= node->ranges[i].last)
            return true;
    return false;
}

/* One letter further. false: a pattern cannot match any more, or a negated one has. */
static bool
advance(const regex_automaton *a, const uint64_t *set, uint32_t letter, uint64_t *out)
{
    if (set_has(set, 0)) { /* matched already, whatever follows */
        set_add(out, 0);
        return !a->negated;
    }
    for (uint32_t n = 0; n < a->count; n++)
        if (set_has(set, n) && a->nodes[n].kind == REGEX_CHAR && node_takes(&a->nodes[n], letter))
            close_over(a, a->nodes[n].next, false, false, out);
    close_over(a, a->start, false, false, out); /* a match may begin anywhere */
    if (set_has(out, 0)) {
        memset(out, 0, a->words * sizeof(*out));
        set_add(out, 0);
        return !a->negated;
    }
    bool alive = a->negated;
    for (size_t i = 0; i < a->words && !alive; i++)
        alive = out[i] != 0;
    return alive;
}

/* ---- The walk --------------------------------------------------------------------------- */

static bool
product_accepts(product *p, const entry *at)
{
    const uint64_t *set = at->sets;
    if (at->length < p->min || at->length > p->max)
        return false;
    for (size_t i = 0; i < p->count; i++) {
        if (accepts(&p->automata[i], set, at->length == 0) == p->automata[i].negated)
            return false;
        set += p->automata[i].words;
    }
    return true;
}

/* Queue it unless the like of it has been: the same sets, as far as min_length the same length. */
static void
entry_queue(product *p, entry *item)
{
    const size_t bytes = p->words * sizeof(uint64_t);
    char *const key = arvo__solve_alloc(p->s, bytes + sizeof(size_t));
    if (key == NULL || p->entries == ENTRIES_MAX) {
        p->unknown = true;
        return;
    }
    const size_t length = item->length < p->min ? item->length : p->min;
    memcpy(key, item->sets, bytes);
    memcpy(key + bytes, &length, sizeof(length));
    const arvo_str name = { key, bytes + sizeof(length) };
    if (arvo__map_find(&p->seen, name) != NULL)
        return;
    if (!arvo__map_set(&p->seen, name, item)) {
        arvo__solve_memory(p->s);
        p->unknown = true;
        return;
    }
    p->entries++;
    item->next = NULL;
    *p->last = item;
    p->last = &item->next;
}

static entry *
entry_new(product *p, const entry *before, uint32_t letter)
{
    entry *const item = arvo__solve_alloc(p->s, sizeof(*item));
    uint64_t *const sets = arvo__solve_alloc(p->s, p->words * sizeof(*sets));
    if (item == NULL || sets == NULL) {
        p->unknown = true;
        return NULL;
    }
    memset(sets, 0, p->words * sizeof(*sets));
    *item = (entry){ .before = before, .letter = letter, .sets = sets };
    item->length = before != NULL ? before->length + 1 : 0;
    return item;
}

static void
entry_follow(product *p, const entry *at)
{
    for (size_t i = 0; i < p->letter_count && !p->unknown; i++) {
        entry *const item = entry_new(p, at, p->letters[i]);
        if (item == NULL || !arvo__solve_step(p->s, 1)) {
            p->unknown = true;
            return;
        }
        const uint64_t *from = at->sets;
        uint64_t *to = item->sets;
        bool alive = true;
        for (size_t k = 0; k < p->count && alive; k++) {
            alive = advance(&p->automata[k], from, p->letters[i], to);
            from += p->automata[k].words;
            to += p->automata[k].words;
        }
        if (alive)
            entry_queue(p, item);
    }
}

static bool
text_of(product *p, const entry *at, arvo_str *out)
{
    const size_t room = (size_t)at->length * 4;
    char *const text = arvo__solve_alloc(p->s, room + 1);
    if (text == NULL)
        return false;
    size_t end = room;
    text[end] = '\0';
    for (; at->before != NULL; at = at->before) {
        char bytes[4];
        const size_t len = arvo__utf8_encode(at->letter, bytes);
        end -= len;
        memcpy(text + end, bytes, len);
    }
    *out = (arvo_str){ text + end, room - end };
    return true;
}

static solve_answer
walk(product *p, arvo_str *out)
{
    for (entry *at = p->first; at != NULL; at = at->next) {
        if (product_accepts(p, at))
            return text_of(p, at, out) ? SOLVE_FOUND : SOLVE_UNKNOWN;
        if (at->length < p->max && at->length < SOLVE_STRING_MAX)
            entry_follow(p, at);
        else if (at->length < p->max)
            p->unknown = true;
        if (p->unknown)
            return SOLVE_UNKNOWN;
    }
    return SOLVE_NONE;
}

static void
product_start(product *p)
{
    p->last = &p->first;
    entry *const item = entry_new(p, NULL, 0);
    if (item == NULL)
        return;
    uint64_t *set = item->sets;
    for (size_t i = 0; i < p->count; i++) {
        close_over(&p->automata[i], p->automata[i].start, true, false, set);
        if (set_has(set, 0)) { /* matches before any letter */
            memset(set, 0, p->automata[i].words * sizeof(*set));
            set_add(set, 0);
        }
        set += p->automata[i].words;
    }
    entry_queue(p, item);
}

solve_answer
arvo__solve_regex(solver *s, const solve_patterns *patterns, size_t min, size_t max, arvo_str *out)
{
    product *const p = arvo__solve_alloc(s, sizeof(*p));
    if (p == NULL)
        return SOLVE_UNKNOWN;
    *p = (product){ .s = s, .min = min, .max = max };
    p->seen.allocator = s->allocator;
    for (; patterns != NULL; patterns = patterns->next) {
        if (p->count == PATTERNS_MAX ||
            arvo__regex_read(s, patterns, &p->automata[p->count]) != SOLVE_YES)
            return SOLVE_UNKNOWN;
        p->words += p->automata[p->count++].words;
    }
    if (p->words == 0)
        p->words = 1;
    if (!letters_find(p))
        return SOLVE_UNKNOWN;
    product_start(p);
    const solve_answer answer = p->unknown ? SOLVE_UNKNOWN : walk(p, out);
    arvo__map_fini(&p->seen);
    return answer;
}
