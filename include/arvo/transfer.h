/* arvo/transfer.h - whole stores: JSON lines, digests, copies, and whether they make sense.
 *
 * All of it stands on arvo_memory_ops.dump and load, so it works between any
 * two stores that have them (ARVO_E_UNSUPPORTED otherwise), while others go on
 * working in the one that is read.
 *
 * A stream of lines:
 *
 *     {"arvo":"store","format":1}
 *     {"kind":"store","newestFence":9,"newestSeq":20}
 *     {"kind":"definition","hash":"…","document":{…}}
 *     {"kind":"record","subject":"…","parentSubject":null,"orchestrator":"…","version":"1.0.0",
 *      "status":"active","value":"…","state":{…},"lastError":null,"input":null,"definition":"…",
 *      "revision":1,"fence":9,"created":…,"updated":…}
 *     {"kind":"event","seq":20,"direction":"produced","cause":19,"time":…,"subject":"…","id":"…",
 *      "source":"…","type":"…","domains":["default"],"event":{…}}
 *     {"kind":"outbox","seq":20,"attempts":0,"due":0,"error":null}
 *     {"kind":"dead","seq":18,"attempts":5,"due":…,"error":"…"}
 *     {"rows":6,"digest":"…"}
 *
 * with a newline behind each and none within. Texts are kept to the byte: JSON
 * that this library would not write just so ("1.0", spaces) stands as a string
 * under its name with "Text" behind it ("eventText").
 *
 * Digest: 128 bits that are the same for the same rows, in whatever store they
 * are: the sum, modulo 2^64 each, of two hashes (arvo__hash of src/base/map.c
 * with the seeds 1 and 2) of each row's fields, in the order of the line, each
 * integer as 8 bytes (little-endian), each string as its length in such 8
 * bytes and its bytes (a null one: only the length 2^64 - 1), the kind first.
 * The row of kind "store" does not count, because stores may skip numbers. It
 * finds damage, not forgery.
 *
 * Threads: any; arvo_store_copy() uses one of its own to read.
 */
#ifndef ARVO_TRANSFER_H
#define ARVO_TRANSFER_H

#include <arvo/memory.h>

ARVO_BEGIN_DECLS

#define ARVO_TRANSFER_FORMAT   1
#define ARVO_TRANSFER_LINE_MAX ((size_t)192 * 1024 * 1024) /* a record with its texts escaped */
#define ARVO_DIGEST_BYTES      ((size_t)32)

/* ---- Digests ----------------------------------------------------------------- */

/* Begin with { 0 }. */
typedef struct arvo_digest {
    uint64_t sums[2];
    uint64_t rows; /* that were added, the store's own too */
} arvo_digest;

ARVO_API void arvo_digest_add(arvo_digest *digest, const arvo_row *row);
/** As ARVO_DIGEST_BYTES lower-case hexadecimal digits, no NUL. */
ARVO_API void arvo_digest_format(const arvo_digest *digest, char *out);
ARVO_API bool arvo_digest_equal(const arvo_digest *a, const arvo_digest *b);

/** The digest of what a store holds at one moment. */
ARVO_API ARVO_NODISCARD arvo_status
arvo_store_digest(arvo_memory *memory, arvo_digest *out, arvo_error *err);

/* ---- Lines --------------------------------------------------------------------- */

/**
 * Append a row as one line, without the newline.
 * @return ARVO_OK, ARVO_E_INVALID (a string is not UTF-8), ARVO_E_TOO_BIG, ARVO_E_NOMEM. After a
 * failure `out` is of no use.
 */
ARVO_API ARVO_NODISCARD arvo_status
arvo_row_write(const arvo_row *row, arvo_buf *out, arvo_error *err);

/**
 * Read such a line.
 * @param out  Strings in the arena.
 * @return ARVO_OK, ARVO_E_INVALID (not such a line), ARVO_E_NOMEM.
 */
ARVO_API ARVO_NODISCARD arvo_status
arvo_row_parse(arvo_str line, arvo_arena *arena, arvo_row *out, arvo_error *err);

/* ---- Whole stores ---------------------------------------------------------------- */

/* Called now and then; `rows` so far. false: give up (the call
 * gives ARVO_E_TIMEOUT). */
typedef bool (*arvo_progress_fn)(void *user, uint64_t rows);

/* A line without its newline, borrowed for the call. Any status but ARVO_OK ends the export. */
typedef arvo_status (*arvo_line_fn)(void *user, arvo_str line, arvo_error *err);
/* The next line, borrowed until the next call; *out_line none at the end. */
typedef arvo_status (*arvo_line_next)(void *user, arvo_str *out_line, arvo_error *err);

/** Write a store as lines. @param out_digest  Nullable. */
ARVO_API ARVO_NODISCARD arvo_status arvo_store_export(
    arvo_memory *memory, arvo_line_fn each, void *user, arvo_digest *out_digest, arvo_error *err);

/**
 * Fill an empty store from lines: all of them or nothing.
 * @return as arvo_memory_ops.load; ARVO_E_INVALID for a line that is none (its number is named);
 * ARVO_E_CORRUPT when the stream ends early, does not match the digest in its last line, or goes on
 * behind it.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_store_import(
    arvo_memory *memory, arvo_line_next next, void *user, arvo_digest *out_digest, arvo_error *err);

/**
 * Copy one store into another, empty one, as of one moment, and read it back.
 * @param progress    Nullable; called from this thread or one of the store's, every 256 rows.
 * @param out_digest  Nullable; of what was copied.
 * @return as dump and load; ARVO_E_TIMEOUT (given up); ARVO_E_CORRUPT when what is read back is not
 * what was written (`to` holds it nevertheless). After any other failure `to` is empty.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_store_copy(
    arvo_memory *from, arvo_memory *to, arvo_progress_fn progress, void *user,
    arvo_digest *out_digest, arvo_error *err);

/* ---- Whether a store makes sense ---------------------------------------------------- */

/**
 * The store's own check, where it has one, and whether what it holds fits together. Findings begin
 * with the name of what is wrong:
 *
 *   definition-missing  a record's definition is not there
 *   record-twice        two records of one subject
 *   record-json         value, state, last error or input is not JSON
 *   record-status       the status is none of active, done, error
 *   record-state        the status of the state within says something else
 *   record-fence        its fence is above the newest of the store
 *   record-time         it was changed before it was made
 *   event-order         a seq that is not above the one before, or is above the newest
 *   event-json          not a JSON object, or its id, source or type are not those of the row
 *   event-cause         a consumed event has a cause; or the cause is not there, not consumed, or
 *                       of another subject
 *   inbox-twice         one event was consumed twice by one subject
 *   outbox-event        an outbox row or dead letter without its event, or whose event was consumed
 *   outbox-dead         an event that is both in the outbox and a dead letter
 *
 * and, which is not wrong in itself (the parent may have been purged, or live in another store):
 *
 *   note: parent-missing
 *
 * Takes memory for each event (24 bytes) and each record (its subject).
 * @return ARVO_OK, with or without findings; else what kept it from looking.
 */
ARVO_API ARVO_NODISCARD arvo_status
arvo_memory_check(arvo_memory *memory, arvo_finding_fn each, void *user, arvo_error *err);

ARVO_END_DECLS

#endif
