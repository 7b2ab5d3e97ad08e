/* arvo/check.h - what is wrong with documents, and what probably is, found before anything runs.
 *
 * A check collects findings: errors, with which a document does not load or a workflow is sure to
 * fail, and warnings. Each names a rule (docs/machine-check.md lists them), a place and a remedy.
 * Precision comes first: a rule that cannot tell is silent.
 *
 * A warning is silenced in the document, with a reason: `allow: [{rule, reason}]` on a state (for
 * what is in it) or on the machine. It stays in the list, with its reason.
 *
 * arvo_app_check() (arvo/app.h) checks whole apps.
 *
 * Threads: a check serves one thread at a time.
 */
#ifndef ARVO_CHECK_H
#define ARVO_CHECK_H

#include <arvo/machine.h>

ARVO_BEGIN_DECLS

#define ARVO_CHECK_FINDINGS_MAX 1000u /* of one check; more are left out */
/* Of text gone through to find the lines of findings: in large documents fewer are kept. */
#define ARVO_CHECK_LINES_BYTES_MAX ((size_t)512 * 1024 * 1024)

typedef enum arvo_check_severity { ARVO_CHECK_WARNING = 0, ARVO_CHECK_ERROR } arvo_check_severity;

/** "warning", "error". Static. */
ARVO_API const char *arvo_check_severity_name(arvo_check_severity severity);

/* Static, with static texts. */
typedef struct arvo_check_rule {
    const char *id;
    arvo_check_severity severity;
    const char *summary; /* what it finds: "a state that nothing leads to" */
    const char *help;    /* what to do, in general */
} arvo_check_rule;

/* All strings belong to the check. */
typedef struct arvo_finding {
    const arvo_check_rule *rule;
    arvo_str file;    /* of the document; none: not from a file */
    uint32_t line;    /* 1-based; 0: unknown */
    arvo_str pointer; /* JSON pointer in the document */
    arvo_str machine; /* its id; none: not in a machine */
    arvo_str state;   /* path of the state from the root: "a.b"; none: not in a state */
    arvo_str text;    /* what is wrong */
    arvo_str help;    /* what to do */
    arvo_str reason;  /* why the document allows it: the finding is silenced; none: it is not */
} arvo_finding;

/** All rules, in the order of docs/machine-check.md. */
ARVO_API const arvo_check_rule *arvo_check_rules(size_t *out_count);

typedef struct arvo_check arvo_check;

/** A new check without findings, owned (arvo_check_free()); NULL when out of memory. */
ARVO_API ARVO_NODISCARD arvo_check *arvo_check_new(const arvo_allocator *allocator);
ARVO_API void arvo_check_free(arvo_check *check);

/** The findings: by file, line and rule after arvo_app_check(), else in the order of the calls. */
ARVO_API size_t arvo_check_count(const arvo_check *check);
/** Borrowed until the next finding is added; NULL outside. */
ARVO_API const arvo_finding *arvo_check_at(const arvo_check *check, size_t i);
/** Whether some findings were left out (the two bounds above). */
ARVO_API bool arvo_check_is_cut(const arvo_check *check);

/** How many there are of each; a silenced warning counts only as that. */
ARVO_API size_t arvo_check_errors(const arvo_check *check);
ARVO_API size_t arvo_check_warnings(const arvo_check *check);
ARVO_API size_t arvo_check_silenced(const arvo_check *check);

/**
 * Check one machine document: everything that arvo_machine_create() refuses (not just the first),
 * then what its chart, its expressions and the contracts in `setup` say.
 *
 * @param document  Must outlive the call only.
 * @param out       Nullable. The machine, owned (arvo_machine_unref()); NULL when it has errors
 *                  that arvo_machine_create() would refuse.
 * @return ARVO_OK whatever was found; ARVO_E_NOMEM.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_machine_check(
    const arvo_machine_setup *setup, const arvo_document *document, arvo_check *check,
    arvo_machine **out, arvo_error *err);

ARVO_END_DECLS

#endif
