/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration, policy and rules as they arrive: in pieces, then put in force as one set. */
#ifndef KM_TEXTS_H
#define KM_TEXTS_H

#include "match/modes.h"

/* All texts of a set together: 8,192 rules of 4 KiB. One configuration, one policy,
 * one file of modes. */
#define KM_TEXTS_BYTES_MAX (32 * 1024 * 1024)
#define KM_TEXTS_MAX       (KM_RULES_MAX + KM_SERVICE_FILES_MAX + 3)

struct km_text {
	enum km_text_kind kind;
	char file[KM_NAME_MAX];
	size_t len, total;
	char *bytes; /* owned */
};

struct km_texts {
	struct km_text *text; /* owned */
	size_t count;
	size_t bytes;
};

void km_texts_clear(struct km_texts *t);
/* -EBADMSG: a piece out of order; -E2BIG; -ENOMEM: T is cleared, the set must be sent again. */
int km_texts_add(struct km_texts *t, const struct km_raw_text *piece);

/* A whole text at once. */
int km_texts_put(struct km_texts *t, enum km_text_kind kind, const char *file, const char *bytes,
                 size_t len);

/* What a whole set compiles to; owned. */
struct km_set {
	struct km_config *config;
	struct km_policy *policy;
	struct km_rules *rules;
};

void km_set_clear(struct km_set *s);
/* -EBADMSG with *ERR: *RET is untouched. A missing configuration or policy means the defaults. */
int km_texts_compile(const struct km_texts *t, struct km_error *err, struct km_set *ret);

/* The set as raw records of time T_NS, COMMIT last. */
int km_texts_save(const struct km_texts *t, uint64_t t_ns,
                  int (*cb)(void *userdata, const void *raw, size_t len), void *userdata);

/* One text cut into pieces, without COMMIT: for whoever sends a set. */
struct km_text_source {
	enum km_text_kind kind;
	const char *file;
	const char *bytes;
	size_t len;
};
int km_text_send(const struct km_text_source *s, uint64_t t_ns,
                 int (*cb)(void *userdata, const void *raw, size_t len), void *userdata);

#endif
