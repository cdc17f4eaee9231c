/* SPDX-License-Identifier: Apache-2.0 */
/* What is seen while a test runs, held against what it expects; nothing outside this folder
 * includes it. */
#ifndef KM_TEST_WATCH_H
#define KM_TEST_WATCH_H

#include "pipeline/pipeline.h"
#include "review/test.h"

/* Of one expectation: how often it was looked at, and met. */
struct km_test_seen {
	uint64_t looks, hits;
	uint64_t hit_ns;   /* of the last */
	unsigned int line; /* that decided, at the last look */
	char instead[256]; /* the first that came close */
};

struct km_test_watch {
	const struct km_rule *rule;
	const struct km_test *test;
	struct km_coverage *cover;
	const struct km_pipeline *pipeline;
	uint64_t begin_ns; /* boot time of the test's time 0 */
	struct km_test_seen seen[KM_TEST_EXPECT_MAX];
};

/* From now on what the rules of P say is heard. */
void km_test_watch_begin(struct km_test_watch *w, const struct km_rule *rule,
                         const struct km_test *t, struct km_coverage *cover, struct km_pipeline *p);
void km_test_watch_output(struct km_test_watch *w, const struct km_output *o);
void km_test_watch_tick(struct km_test_watch *w, const struct km_pipeline *p);
/* The first expectation that does not hold, or passed. */
void km_test_watch_end(const struct km_test_watch *w, struct km_test_result *ret);

/* test_trace.c: T over its trace; what is seen is in *WATCH. Negative errno: it cannot be read, or
 * the rule be put in force. */
int km_test_play_trace(const struct km_test_rule *rule, const struct km_test *t,
                       struct km_coverage *cover, struct km_test_watch *watch);

#endif
