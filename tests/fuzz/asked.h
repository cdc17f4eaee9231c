/* SPDX-License-Identifier: Apache-2.0 */
/* A rule that compiled, asked about a service at every event. */
#ifndef KM_FUZZ_ASKED_H
#define KM_FUZZ_ASKED_H

#include "match/match.h"

/* An incident is open at every other look. */
static inline bool open_now_and_then(const struct km_match_input *in, enum km_incident_whose whose)
{
	return (in->now_ns / KM_NS_PER_S + whose) & 1;
}

static inline void ask(const struct km_rule *rule)
{
	km_autofree(km_matcher_freep) struct km_matcher *m = NULL;
	km_autofree(km_measure_freep) struct km_measure *measure = NULL;
	struct km_features features[KM_RESOURCE_MAX] = { 0 };
	struct km_service service = { .id = 1, .name = "web-1", .state = KM_SERVICE_DOWN };
	struct km_match_input in = { .service = &service, .incident_open = open_now_and_then };
	struct km_match match;

	if (km_matcher_new(&m) < 0 || km_measure_new(&measure) < 0)
		return;
	in.measure = measure;
	for (int i = 0; i < KM_RESOURCE_MAX; i++) {
		features[i] = (struct km_features){ .measured = 1, .level = 95, .limit = 100 };
		in.features[i] = &features[i];
	}
	service.last = (struct km_ending){ .known = 1, .exit_code = 9, .signal = 9, .tgid = 5 };
	for (unsigned int i = 0; i < 4 * KM_EV_MAX; i++) {
		in.now_ns = (1000 + i) * KM_NS_PER_S;
		in.event = (enum km_event)(i % KM_EV_MAX);
		in.realtime_s = i * 86400ULL * 3650;
		/* a level on its way up and down again, for bounds that hold until another one */
		for (int r = 0; r < KM_RESOURCE_MAX; r++)
			features[r].level = 95 - 20 * (i % 5);
		service.last.sender_tgid = i;
		service.images = i % 3;
		service.deployed_ns = i % 3 == 2 ? in.now_ns - i * KM_NS_PER_S : 0;
		if (km_matcher_rule(m, rule, &in, &match) < 0 || match.rule != rule)
			abort();
		/* who speaks says where */
		if (match.spoke == KM_TRUE && !match.line)
			abort();
	}
}

static inline void count_lines(void *userdata, const struct km_error *warning)
{
	*(unsigned int *)userdata += warning->line;
}

/* Any text as a rule. */
static inline void check_and_ask(const char *text, size_t len)
{
	km_autofree(km_rule_freep) struct km_rule *rule = NULL;
	unsigned int lines = 0;
	const struct km_rule_text in = { .text = text,
		                         .len = len,
		                         .file = "fuzz/rule.json",
		                         .warn = count_lines,
		                         .userdata = &lines };
	struct km_error err = { 0 };
	int r = km_rule_check(&in, &err, &rule);

	if (r == -EBADMSG && (!err.what[0] || !err.line))
		abort();
	if (r >= 0)
		ask(rule);
}

#endif
