/* SPDX-License-Identifier: Apache-2.0 */
/* Phase 9: did it help? Opened by a DONE outcome, settled by later signals or its time. */
#ifndef KM_VERIFY_H
#define KM_VERIFY_H

#include "decide/decide.h"

struct km_verdict {
	uint64_t decision_id;
	uint64_t incident_id;
	uint64_t service_id;
	uint64_t rule_key;
	uint64_t t_ns;
	uint64_t took_ns; /* since the outcome */
	enum km_verdict_kind kind;
	uint32_t pad;
	double level_before, level_after; /* of the forecast's resource; < 0: not measured */
	char service[KM_NAME_MAX];
	char rule[KM_NAME_MAX];
	char reason[KM_NAME_MAX]; /* which condition held or did not */
};

/* One JSON object. */
void km_verdict_write(const struct km_verdict *v, struct km_json_writer *w);

struct km_verify;

int km_verify_new(struct km_verify **ret);
struct km_verify *km_verify_free(struct km_verify *v);
KM_DEFINE_FREEP(struct km_verify, km_verify_free)

/* D (answer ACT) was done at O: begins to look. LEVEL_BEFORE < 0: not measured. RULE may be NULL
 * (definition): then "up" is what is asked. Without room it is settled at once: not measured. */
int km_verify_begin(struct km_verify *v, const struct km_decision *d,
                    const struct km_raw_outcome *o, const struct km_rule *rule,
                    double level_before);

struct km_verify_input {
	uint64_t now_ns;
	const struct km_service *service;
	const struct km_features *features[KM_RESOURCE_MAX];
	const struct km_predict *predict;
	const struct km_attribute *attribute; /* of endpoints; may be NULL */
	enum km_event event;
};

/* At each event of the service and each tick. */
int km_verify_service(struct km_verify *v, const struct km_rules *rules,
                      const struct km_verify_input *in);
/* Next settled verdict, NULL: none; valid until the next call. */
const struct km_verdict *km_verify_next(struct km_verify *v);

size_t km_verify_tables(struct km_verify *v, struct km_table **ret, size_t max);

#endif
