/* SPDX-License-Identifier: Apache-2.0 */
/* What a back-test is worth: acts held against the failures that the history holds. */
#ifndef KM_SCORE_H
#define KM_SCORE_H

#include "pipeline/pipeline.h"

/* Of one back-test: a week with a failure of some service each ten seconds. More are counted. */
#define KM_SCORE_FAILURES_MAX 65536
#define KM_SCORE_ALARMS_MAX   262144

/* A service ended by a fault, and nobody had asked for it. */
struct km_failure {
	uint64_t service_id;
	uint64_t t_ns;
	uint64_t back_ns; /* up again; the end of the history if it never was */
	char service[KM_NAME_MAX];
	bool back;     /* it was */
	bool foreseen; /* a rule acted, or would have, before it */
	bool answered; /* ... or behind it, while it was down */
	uint64_t lead_ns;
	uint64_t saved_ns;
};

/* A rule that wanted to act on a service: once, until it was silent for ten minutes. */
struct km_alarm {
	uint32_t rule; /* index in the set */
	uint64_t service_id;
	uint64_t t_ns;
	uint64_t last_ns;
	bool acted;
	bool justified; /* a failure was near */
};

struct km_rule_score {
	uint64_t alarms, acted, justified;
	uint64_t needless; /* acted, and it recovered, or nothing would have happened */
	uint64_t blocked[KM_GUARD_MAX];
	uint64_t answers[KM_ANSWER_MAX];
	uint64_t verdicts[KM_VERDICT_MAX];
	uint64_t reach_ns; /* a failure that is later is not what it spoke of */
};

struct km_score {
	const struct km_rules *rules;
	struct km_rule_score *rule; /* owned, in the order of the set; and so the next two */
	struct km_failure *failure;
	struct km_alarm *alarm;
	size_t failures, alarms;
	uint64_t dropped;
	uint64_t first_ns, last_ns;
	/* after km_score_end() */
	uint64_t foreseen, answered, missed, justified;
	uint64_t lead_ns; /* median of those foreseen */
	uint64_t down_ns, saved_ns;
};

/* RULES outlive S. -ENOMEM. */
int km_score_begin(struct km_score *s, const struct km_rules *rules);
void km_score_clear(struct km_score *s);
int km_score_output(struct km_score *s, const struct km_output *o);
/* The history is over at NOW_NS. */
void km_score_end(struct km_score *s, uint64_t now_ns);

#endif
