/* arvo/subject.h - the string that names one orchestration execution.
 *
 * A subject is base64(zlib(JSON)). It is the CloudEvents `subject` of every
 * event in the execution and the key of that execution's state in the store.
 *
 * Source: spec 2. Departures: decoding accepts only canonical base64 and zlib
 * and is bounded (D32, D33), unless `lenient`; written with execution.domain
 * (v3), read with or without it.
 *
 * Threads: the functions are pure; an arvo_subject_codec serves one thread at a
 *          time; a decoded subject is immutable.
 */
#ifndef ARVO_SUBJECT_H
#define ARVO_SUBJECT_H

#include <arvo/json.h>
#include <arvo/platform.h>

ARVO_BEGIN_DECLS

#define ARVO_SUBJECT_TEXT_BYTES_MAX        ((size_t)16 * 1024) /* encoded form */
#define ARVO_SUBJECT_JSON_BYTES_MAX        ((size_t)64 * 1024) /* stops decompression bombs */
#define ARVO_SUBJECT_STORED_BYTES_MAX      ((size_t)512)       /* JSON above this is deflated */
#define ARVO_SUBJECT_CACHE_ENTRIES_DEFAULT 1024u

#define ARVO_VERSION_WILDCARD "0.0.0" /* the latest version registered */

typedef struct arvo_subject {
    arvo_str orchestrator_name;    /* an event type: three or more segments, no ';' */
    arvo_str orchestrator_version; /* "MAJOR.MINOR.PATCH" */
    arvo_str execution_id;         /* non-empty, no ';' */
    arvo_str initiator;            /* an event type, no ';' */
    arvo_str domain;               /* none: null */
    const arvo_json *meta;         /* object of strings; NULL: {} */
    const arvo_json *json;         /* the decoded document as it was; NULL in one you fill in */
} arvo_subject;

/* Holds the zlib streams and a bounded cache of decoded subjects, so that
 * decoding a subject seen before is a hash lookup. */
typedef struct arvo_subject_codec arvo_subject_codec;

typedef struct arvo_subject_codec_opts {
    const arvo_allocator *allocator; /* NULL: malloc */
    uint32_t cache_entries;          /* 0: ARVO_SUBJECT_CACHE_ENTRIES_DEFAULT; 8 or more */
    bool lenient;                    /* accept what pako and atob accept (spec 2.9) */
} arvo_subject_codec_opts;

/** Owned (arvo_subject_codec_free()); NULL when out of memory. `opts` may be NULL. */
ARVO_API ARVO_NODISCARD arvo_subject_codec *
arvo_subject_codec_new(const arvo_subject_codec_opts *opts);
ARVO_API void arvo_subject_codec_free(arvo_subject_codec *codec);

/**
 * Decode the subject carried by an event.
 *
 * @param codec  Nullable: then nothing is cached.
 * @param text   Borrowed for the call.
 * @param arena  Receives every byte that *out refers to, unless `codec` is given: then *out may
 *               also borrow from the codec, until that has decoded seven others. Encoding, new and
 *               child leave it alone.
 * @param out    Written on success only.
 * @return ARVO_OK, ARVO_E_TOO_BIG, ARVO_E_MALFORMED (not base64, zlib or JSON), ARVO_E_INVALID
 *         (breaks spec 2.3), ARVO_E_NOMEM.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_subject_decode(
    arvo_subject_codec *codec, arvo_str text, arvo_arena *arena, arvo_subject *out,
    arvo_error *err);

/**
 * Encode: validated, written with the key order of spec 2.1, packed.
 *
 * Law: decode(encode(s)) equals s. Not so the bytes: encoders pack one value differently (this one
 * stores short JSON in its zlib stream as it is), so never compare encoded subjects.
 *
 * @param codec  Nullable: reuses its deflate stream when given.
 * @param out    arena.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_subject_encode(
    arvo_subject_codec *codec, const arvo_subject *subject, arvo_arena *arena, arvo_str *out,
    arvo_error *err);

typedef struct arvo_subject_new_opts {
    arvo_str name;         /* required */
    arvo_str version;      /* none: "0.0.0" */
    arvo_str initiator;    /* required for new; ignored for child (the parent's orchestrator) */
    arvo_str execution_id; /* none: a random UUID */
    arvo_str domain;       /* none: null, or for a child the parent's */
    const arvo_json *meta; /* object of strings; for a child laid over the parent's; NULL: {} */
} arvo_subject_new_opts;

/** The subject of a new execution (spec 2.5). Also ARVO_E_IO when the random source failed. */
ARVO_API ARVO_NODISCARD arvo_status arvo_subject_new(
    arvo_subject_codec *codec, const arvo_subject_new_opts *opts, const arvo_platform *platform,
    arvo_arena *arena, arvo_str *out, arvo_error *err);

/** The subject of an execution started by another one (spec 2.6, `from`). */
ARVO_API ARVO_NODISCARD arvo_status arvo_subject_child(
    arvo_subject_codec *codec, arvo_str parent, const arvo_subject_new_opts *opts,
    const arvo_platform *platform, arvo_arena *arena, arvo_str *out, arvo_error *err);

ARVO_END_DECLS

#endif
