/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as the tests of a rule; those that can be read are run, long ones not to their end. */
#include "review/test.h"

/* Passes of one test that the fuzzer has time for. */
#define PASSES 300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char rule_text[] =
	"{\"version\":1,\"id\":\"r\",\"summary\":\"s\",\"why\":\"w\",\"owner\":\"o\","
	"\"maturity\":\"experimental\",\"scope\":{\"all\":true},\"when\":{\"any\":["
	"{\"event\":{\"is\":\"ended\",\"how\":\"failed\",\"count\":2,\"within\":\"1m\"}},"
	"{\"level\":{\"resource\":\"memory\",\"above\":\"90%\",\"for\":\"3s\"}},"
	"{\"forecast\":{\"kind\":\"exhaustion\",\"resource\":\"memory\",\"probability\":\"50%\","
	"\"within\":\"10m\"}}]},\"plan\":[{\"do\":\"restart\"},{\"do\":\"notify\"}],"
	"\"verify\":{\"within\":\"20s\",\"that\":{\"up\":true,\"up_for\":\"2s\"}},"
	"\"guard\":{\"mode\":\"auto\",\"cooldown\":\"30s\"}}";

static void run(const struct km_rule *rule, const struct km_tests *tests)
{
	const struct km_test_rule with = { rule, rule_text };
	struct km_coverage cover = { 0 };
	struct km_test_result result;

	for (size_t i = 0; i < tests->count; i++) {
		struct km_test *t = &tests->test[i];
		int r;

		if (t->until_ns / t->every_ns > PASSES)
			t->until_ns = PASSES * t->every_ns;
		r = km_test_run(&with, t, &cover, &result);
		/* who fails says why, and where */
		if (r != -ENOMEM && !result.passed && (!result.what[0] || !result.line))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	km_autofree(km_rule_freep) struct km_rule *rule = NULL;
	km_autofree(km_tests_freep) struct km_tests *tests = NULL;
	const struct km_rule_text in = { .text = (const char *)data,
		                         .len = size,
		                         .file = "fuzz/r.test.json" };
	struct km_error err = { 0 };
	int r;

	if (km_rule_compile(rule_text, sizeof(rule_text) - 1, "fuzz/r.json", &err, &rule) < 0)
		abort();
	r = km_tests_compile(rule, &in, &err, &tests);
	if (r == -EBADMSG && (!err.what[0] || !err.line))
		abort();
	if (r == 0)
		run(rule, tests);
	return 0;
}
