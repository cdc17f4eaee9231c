/* SPDX-License-Identifier: Apache-2.0 */
/* The difference in behaviour of two sets of rules over the same history: which decisions appear,
 * vanish or move. */
#ifndef KM_DIFF_H
#define KM_DIFF_H

#include "pipeline/pipeline.h"

/* Of each side; more are counted, and the answer is then no answer. */
#define KM_DIFF_MAX 262144
/* A decision that comes so much earlier or later is the same one, moved. */
#define KM_DIFF_MOVED_NS (600 * KM_NS_PER_S)

enum km_diff_side { KM_DIFF_OLD = 0, KM_DIFF_NEW = 1 };
enum km_diff_kind {
	KM_DIFF_SAME = 0,
	KM_DIFF_MOVED,
	KM_DIFF_VANISHED,
	KM_DIFF_APPEARED,
	KM_DIFF_KINDS
};

extern const char *const km_diff_names[KM_DIFF_KINDS + 1];

/* What makes two decisions the same but for their time. */
struct km_diff_what {
	uint64_t rule_key, service_id;
	uint32_t answer, verb, step, guard;
};

struct km_diff_decision {
	uint64_t t_ns;
	struct km_diff_what what;
	uint32_t name; /* index of the two names below */
	bool used;
};

struct km_diff_entry {
	enum km_diff_kind kind;
	const struct km_diff_decision *old, *new; /* NULL: VANISHED has no new, APPEARED no old */
};

struct km_diff;

int km_diff_new(struct km_diff **ret);
struct km_diff *km_diff_free(struct km_diff *d);
KM_DEFINE_FREEP(struct km_diff, km_diff_free)

/* Takes the decisions of rules; anything else is ignored. In the order of time on each side. */
int km_diff_add(struct km_diff *d, enum km_diff_side side, const struct km_output *o);
/* Calls CB for each entry but SAME, by time; *COUNTS by kind. -E2BIG: too many decisions. */
int km_diff_end(struct km_diff *d, void (*cb)(void *userdata, const struct km_diff_entry *e),
                void *userdata, uint64_t counts[KM_DIFF_KINDS]);
/* Names of a decision of the diff's. */
const char *km_diff_rule(const struct km_diff *d, const struct km_diff_decision *x);
const char *km_diff_service(const struct km_diff *d, const struct km_diff_decision *x);

#endif
