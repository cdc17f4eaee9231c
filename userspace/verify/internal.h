/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share; nobody else includes it but its tests. */
#ifndef KM_VERIFY_INTERNAL_H
#define KM_VERIFY_INTERNAL_H

#include "verify/verify.h"

/* One for each repair that can be open: two rules on each service a host can follow. */
#define KM_LOOKS_MAX 4096
/* Verdicts of one tick of a full host; what finds no room is settled at the next one. */
#define KM_VERDICTS_QUEUED_MAX 1024
/* A service that nobody asks about any more is given up so long after its time. */
#define KM_LOOK_GRACE_NS (30 * KM_NS_PER_S)

/* One repair that is being looked at. */
struct km_look {
	uint64_t decision_id;
	uint64_t incident_id;
	uint64_t service_id;
	uint64_t rule_key;
	uint64_t acted_ns; /* when it was decided: what ends from then on did so in spite of it */
	uint64_t since_ns; /* of the outcome */
	uint64_t deadline_ns;
	double level_before;
	uint32_t kind;     /* of the forecast that spoke, KM_FORECAST_KIND_MAX: none */
	uint32_t resource; /* of it, or the one asked about; KM_RESOURCE_MAX: none */
	char service[KM_NAME_MAX];
	char rule[KM_NAME_MAX];
	char endpoint[KM_ENDPOINT_NAME_MAX]; /* "": none was acted on */
	uint32_t over;                       /* 1: it was failed over */
	uint32_t pad;
};

/* condition.c: what a rule may ask, one row each. */
struct km_verify_asked {
	const struct km_look *look;
	const struct km_verify_spec *spec;
	const struct km_verify_input *in;
};

struct km_condition {
	const char *name;
	bool (*asked)(const struct km_verify_spec *spec);
	enum km_truth (*holds)(const struct km_verify_asked *a);
};

#define KM_VERIFY_CONDITIONS 6
extern const struct km_condition km_verify_conditions[KM_VERIFY_CONDITIONS];

/* It ended since the act was decided, perhaps before its outcome was known, and nobody had asked
 * for it. */
bool km_verify_ended(const struct km_look *l, const struct km_service *s);
/* What was done to its endpoint is not so any more: it ended with kmend, or was taken back. */
bool km_verify_undone(const struct km_look *l, const struct km_verify_input *in);
/* The level of R as it was measured since the outcome; NULL: not. */
const struct km_features *km_verify_features(const struct km_look *l,
                                             const struct km_verify_input *in, uint32_t r);

struct km_verify {
	struct km_table *looks;
	struct km_verdict *queue; /* KM_VERDICTS_QUEUED_MAX, a ring */
	uint32_t head;
	uint32_t queued;
};

#endif
