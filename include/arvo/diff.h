/* arvo/diff.h - may a set of contracts take the place of another?
 *
 * A released version of a contract is a promise in two directions. Whoever sends to the service
 * must still be able to send what it sent: every value that OLD accepts must be accepted by NEW.
 * Whoever listens to it must be able to read what comes: every value that NEW emits must be one
 * that OLD could emit. So accepts may loosen and emits may tighten; the other way round breaks
 * somebody, and belongs in a new version.
 *
 * Compatible is said only when it is proven, breaking only with a value that shows it: accepted by
 * one side and refused by the other, as arvo_schema_normalise() has it. All else is unknown.
 *
 * Threads: no global state; an arena serves one thread at a time.
 */
#ifndef ARVO_DIFF_H
#define ARVO_DIFF_H

#include <arvo/example.h>

ARVO_BEGIN_DECLS

typedef enum arvo_diff_part {
    ARVO_DIFF_VERSION = 0, /* a whole version, added or removed; a contract is all its versions */
    ARVO_DIFF_ACCEPTS,
    ARVO_DIFF_EMITS
} arvo_diff_part;

typedef enum arvo_diff_change {
    ARVO_DIFF_SAME = 0, /* the same values */
    ARVO_DIFF_ADDED,
    ARVO_DIFF_REMOVED,
    ARVO_DIFF_LOOSENED,  /* more values */
    ARVO_DIFF_TIGHTENED, /* fewer values */
    ARVO_DIFF_CHANGED    /* some more, some fewer; or which of these is not known */
} arvo_diff_change;

typedef enum arvo_diff_verdict {
    ARVO_DIFF_COMPATIBLE = 0,
    ARVO_DIFF_BREAKING,
    ARVO_DIFF_UNKNOWN
} arvo_diff_verdict;

/* The names of the above in lower case: "accepts", "loosened", "breaking". Static. */
ARVO_API const char *arvo_diff_part_name(arvo_diff_part part);
ARVO_API const char *arvo_diff_change_name(arvo_diff_change change);
ARVO_API const char *arvo_diff_verdict_name(arvo_diff_verdict verdict);

/* One thing that was compared. Strings live as long as the two sets and the arena. */
typedef struct arvo_diff_entry {
    arvo_str uri;
    arvo_str version;
    arvo_diff_part part;
    arvo_str type; /* of the event; none: an added version */
    arvo_diff_change change;
    arvo_diff_verdict verdict;
    /* Data that one side accepts and the other refuses; NULL: there is none, or none was found.
     * With ARVO_DIFF_BREAKING it is always there. */
    const arvo_json *witness;
    bool witness_is_new; /* NEW accepts it (and OLD does not) */
    arvo_str why;        /* one sentence: what it means, or what the refusing side says */
} arvo_diff_entry;

typedef struct arvo_diff {
    const arvo_diff_entry *entries; /* arena; in the order of OLD, then what is only in NEW */
    size_t count;
    size_t breaking, unknown, compatible, same;
} arvo_diff;

/**
 * Compare two sets of contracts: every contract (by URI), version, event and direction.
 * @return ARVO_OK whatever the verdicts are; ARVO_E_NOMEM.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_contracts_diff(
    const arvo_contracts *old_contracts, const arvo_contracts *new_contracts, arvo_arena *arena,
    arvo_diff *out, arvo_error *err);

ARVO_END_DECLS

#endif
