/* SPDX-License-Identifier: Apache-2.0 */
/* The one JSON reader: a strict check (RFC 8259, and below) before cJSON sees the text.
 *
 * Refused with line, column and reason: more than KM_JSON_BYTES_MAX bytes, depth over
 * KM_JSON_DEPTH_MAX, trailing text, duplicate keys, bad UTF-8, \u0000, lone surrogates, numbers
 * that are not finite or not exact as a double where written as an integer (over 2^53). */
#ifndef KM_JSON_H
#define KM_JSON_H

#include <cjson/cJSON.h>

#include "base/base.h"
#include "base/buf.h"

#define KM_JSON_BYTES_MAX (1024 * 1024)
#define KM_JSON_DEPTH_MAX 32
#define KM_JSON_NODES_MAX 262144
/* Characters of one number: cJSON 1.7.15 cuts longer ones. */
#define KM_JSON_NUMBER_MAX 63

/* Where and why; "file:line:column: what (remedy)" comes from km_error_format(). */
struct km_error {
	char file[KM_PATH_MAX];
	unsigned int line;
	unsigned int column;
	char what[256];   /* what is wrong, in one clause */
	char remedy[256]; /* what to do, empty if nothing can be said */
};

/* "file:line:column: what; remedy" into OUT, escaped for a terminal. Returns OUT. */
const char *km_error_format(const struct km_error *e, char *out, size_t size);

struct km_json; /* a parsed document with the position of each node */

/* FILE is only a name for messages. 0; -EBADMSG with *ERR filled in; -ENOMEM. */
int km_json_parse(const char *text, size_t len, const char *file, struct km_error *err,
                  struct km_json **ret);
struct km_json *km_json_free(struct km_json *doc);
KM_DEFINE_FREEP(struct km_json, km_json_free)

const cJSON *km_json_root(const struct km_json *doc);
/* Fills ERR with the position of NODE (a member's position is that of its key) and the printf-like
 * WHAT; REMEDY may be NULL. Always returns -EBADMSG. */
int km_json_fail(const struct km_json *doc, const cJSON *node, struct km_error *err,
                 const char *remedy, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* Line of NODE, 0 if it is not of DOC. */
unsigned int km_json_line(const struct km_json *doc, const cJSON *node);

/* Typed readers of a member: one table for each object. Any key of OBJ that no row names is an
 * error (the remedy names the nearest known key); a required row that is missing is an error. */
enum km_json_kind {
	KM_JSON_STRING,   /* char[size] at offset; too long is an error */
	KM_JSON_BOOL,     /* bool */
	KM_JSON_COUNT,    /* uint64_t: an integer from min to max */
	KM_JSON_DURATION, /* uint64_t ns: a string with a unit: "250ms", "30s", "5m", "2h", "1d" */
	KM_JSON_BYTES,    /* uint64_t: "512B", "64KiB", "512MiB", "2GiB"; no bare number */
	KM_JSON_SHARE,    /* double 0..1: "5%", or a number 0 to 1 */
	KM_JSON_ENUM,     /* int: index of the string in names[] (NULL-terminated) */
	KM_JSON_NODE,     /* const cJSON *: any value, the caller goes on */
	KM_JSON_OBJECT,   /* const cJSON *: must be an object */
	KM_JSON_ARRAY,    /* const cJSON *: must be an array */
};

struct km_json_field {
	const char *key;
	enum km_json_kind kind;
	bool required;
	size_t offset;
	size_t size;              /* of the char array, KM_JSON_STRING only */
	uint64_t min, max;        /* KM_JSON_COUNT, _DURATION (ns), _BYTES; max 0: no maximum */
	const char *const *names; /* KM_JSON_ENUM */
};

/* Members of OBJ into the struct at BASE. FIELDS ends with a row whose key is NULL. Members that
 * are absent leave their place untouched. 0, or -EBADMSG with *ERR. */
int km_json_read(const struct km_json *doc, const cJSON *obj, const struct km_json_field *fields,
                 void *base, struct km_error *err);
/* One value by one row, where the key alone does not tell what it is. */
int km_json_read_one(const struct km_json *doc, const cJSON *node,
                     const struct km_json_field *field, void *base, struct km_error *err);
/* "one of: a, b, c" of NAMES into OUT, cut where its room ends. Returns OUT. */
const char *km_json_names(const char *const *names, char *out, size_t size);

/* "30s" and the like, whole string. 0 or -EINVAL. */
int km_parse_duration(const char *s, uint64_t *ret_ns);
int km_parse_bytes(const char *s, uint64_t *ret);
/* A number from 0 to 1, or a string like "12.5%". 0 or -EINVAL. */
int km_parse_share(const cJSON *node, double *ret);

/* The one JSON writer: streams into a buffer, escapes everything that could change structure or
 * drive a terminal (C0, DEL, C1, bidi controls, line separators), replaces invalid UTF-8 by U+FFFD,
 * never fails in the middle (the buffer's sticky error tells). Doubles are written with up to 9
 * significant digits, shortest form, the same on every machine; NaN and infinities become null. No
 * newline behind the last bracket. */
struct km_json_writer {
	struct km_buf *out;
	unsigned int depth;
	bool pretty;
	bool comma; /* the next value at this depth needs one before it */
	bool after_key;
};

void km_jw_init(struct km_json_writer *w, struct km_buf *out, bool pretty);
void km_jw_object(struct km_json_writer *w);
void km_jw_array(struct km_json_writer *w);
void km_jw_end_object(struct km_json_writer *w);
void km_jw_end_array(struct km_json_writer *w);
void km_jw_key(struct km_json_writer *w, const char *key);
void km_jw_string(struct km_json_writer *w, const char *s); /* NULL becomes null */
void km_jw_bytes(struct km_json_writer *w, const char *s, size_t len);
void km_jw_u64(struct km_json_writer *w, uint64_t v); /* over 2^53: as a string */
void km_jw_i64(struct km_json_writer *w, int64_t v);
void km_jw_double(struct km_json_writer *w, double v);
void km_jw_bool(struct km_json_writer *w, bool v);
void km_jw_null(struct km_json_writer *w);
/* key and value in one call */
void km_jw_kstring(struct km_json_writer *w, const char *key, const char *s);
void km_jw_ku64(struct km_json_writer *w, const char *key, uint64_t v);
void km_jw_ki64(struct km_json_writer *w, const char *key, int64_t v);
void km_jw_kdouble(struct km_json_writer *w, const char *key, double v);
void km_jw_kbool(struct km_json_writer *w, const char *key, bool v);
/* V as u64, or null if it is KM_UNKNOWN. */
void km_jw_kknown(struct km_json_writer *w, const char *key, uint64_t v);
/* A cJSON tree, as it stands. */
void km_jw_node(struct km_json_writer *w, const cJSON *node);

#endif
