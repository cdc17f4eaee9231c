// SPDX-License-Identifier: Apache-2.0
/* Every file of tests/fixtures/rules/bad is refused at the right line for the right reason. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support.h"

/* File, line of the error, a piece of the reason. */
static const struct {
	const char *name;
	unsigned int line;
	const char *reason;
} bad[] = {
	{ "empty", 1, "the text ends" },
	{ "blank", 3, "the text ends" },
	{ "cut-off", 15, "the text ends where" },
	{ "trailing-text", 43, "the end of the text" },
	{ "trailing-comma", 41, "nothing behind" },
	{ "comment", 6, "a key in quotes" },
	{ "single-quotes", 6, "a value is expected" },
	{ "duplicate-key", 7, "owner" },
	{ "duplicate-key-below", 27, "first in line 26" },
	{ "nul", 6, "U+0000" },
	{ "bad-utf8", 6, "UTF-8" },
	{ "lone-surrogate", 6, "lone surrogate" },
	{ "control-character", 6, "control byte" },
	{ "array-at-top", 1, "object" },
	{ "string-at-top", 1, "object" },
	{ "too-deep", 18, "deeper than 32" },
	{ "number-overflow", 37, "out of range" },
	{ "unknown-key", 7, "expiry" },
	{ "misspelt-key", 34, "gaurd" },
	{ "key-with-other-case", 6, "Owner" },
	{ "no-version", 1, "version" },
	{ "no-id", 1, "id" },
	{ "no-summary", 1, "summary" },
	{ "no-why", 1, "why" },
	{ "no-owner", 1, "owner" },
	{ "no-maturity", 1, "maturity" },
	{ "no-scope", 1, "scope" },
	{ "no-when", 1, "when" },
	{ "no-plan", 1, "plan" },
	{ "no-verify", 1, "verify" },
	{ "version-2", 2, "version" },
	{ "version-string", 2, "version" },
	{ "id-upper-case", 3, "lower case" },
	{ "id-empty", 3, "an id" },
	{ "id-space", 3, "an id" },
	{ "id-path", 3, "an id" },
	{ "id-two-dashes", 3, "an id" },
	{ "id-ends-in-dash", 3, "an id" },
	{ "id-digit-first", 3, "an id" },
	{ "id-too-long", 3, "longer than 255" },
	{ "id-number", 3, "string" },
	{ "summary-empty", 4, "\"summary\" is empty" },
	{ "summary-too-long", 4, "longer than 511" },
	{ "why-blank", 5, "is empty" },
	{ "owner-empty", 6, "is empty" },
	{ "owner-null", 6, "string" },
	{ "maturity-unknown", 7, "tested" },
	{ "references-empty", 8, "no reference" },
	{ "references-string", 8, "array" },
	{ "references-number", 8, "each reference must be a string" },
	{ "references-too-many", 8, "at most 16" },
	{ "scope-empty", 9, "scope is empty" },
	{ "scope-no-services", 9, "no service" },
	{ "scope-empty-name", 11, "a service is empty" },
	{ "scope-star", 9, "means all" },
	{ "scope-stars", 11, "means all" },
	{ "scope-both", 9, "both" },
	{ "scope-all-false", 9, "scope is empty" },
	{ "scope-all-string", 9, "true or false" },
	{ "scope-twice", 9, "twice" },
	{ "scope-number", 9, "must be a string" },
	{ "scope-string", 9, "object" },
	{ "scope-unknown", 9, "units" },
	{ "scope-too-many", 9, "at most 64" },
	{ "scope-long-name", 9, "longer than 255" },
	{ "condition-empty", 14, "condition is empty" },
	{ "condition-string", 14, "condition is an object" },
	{ "condition-two", 14, "says one thing" },
	{ "condition-unknown", 14, "metric" },
	{ "condition-null", 14, "object" },
	{ "any-empty", 14, "is empty" },
	{ "all-empty", 14, "is empty" },
	{ "all-object", 14, "array" },
	{ "not-array", 14, "object" },
	{ "not-empty", 14, "condition is empty" },
	{ "all-two-events", 14, "never speak" },
	{ "all-up-and-down", 14, "never speak" },
	{ "forecast-no-kind", 12, "kind" },
	{ "forecast-unknown-kind", 12, "meltdown" },
	{ "forecast-no-resource", 12, "needs" },
	{ "forecast-no-within", 12, "needs" },
	{ "forecast-no-probability", 12, "probability" },
	{ "forecast-unknown-resource", 12, "luck" },
	{ "forecast-probability-0", 12, "probability of 0" },
	{ "forecast-probability-50", 12, "probability" },
	{ "forecast-probability-unit", 12, "probability" },
	{ "forecast-within-bare", 12, "within" },
	{ "forecast-within-unit", 12, "within" },
	{ "forecast-within-0", 12, "within" },
	{ "forecast-within-31d", 12, "within" },
	{ "forecast-loop-resource", 12, "only an exhaustion" },
	{ "event-none", 13, "none" },
	{ "event-unknown", 13, "crashed" },
	{ "event-no-is", 13, "is" },
	{ "event-unknown-how", 13, "badly" },
	{ "event-how-of-start", 13, "only the event" },
	{ "event-count-0", 13, "count" },
	{ "event-count-17", 13, "count" },
	{ "event-count-half", 13, "count" },
	{ "event-count-string", 13, "count" },
	{ "event-count-alone", 13, "needs" },
	{ "event-within-alone", 13, "one event has no" },
	{ "event-for", 13, "unknown key" },
	{ "state-unknown", 14, "unknown" },
	{ "state-empty", 14, "is" },
	{ "state-for-negative", 14, "for" },
	{ "state-for-0", 14, "for" },
	{ "level-no-resource", 15, "resource" },
	{ "level-no-above", 15, "above" },
	{ "level-above-0", 15, "above 0 %" },
	{ "level-above-100", 15, "no level is above" },
	{ "level-above-bytes", 15, "share" },
	{ "level-below", 15, "below" },
	{ "unless-empty", 18, "condition is empty" },
	{ "unless-null", 18, "object" },
	{ "plan-empty", 19, "plan is empty" },
	{ "plan-object", 19, "array" },
	{ "step-string", 21, "step is an object" },
	{ "step-empty", 21, "do" },
	{ "step-unknown", 21, "reboot" },
	{ "step-none", 21, "none" },
	{ "step-shell", 21, "command" },
	{ "step-signal-missing", 20, "needs" },
	{ "step-signal-unknown", 20, "no signal of this name" },
	{ "step-signal-stop", 20, "no signal of this name" },
	{ "step-signal-number", 20, "string" },
	{ "step-signal-of-restart", 21, "takes no" },
	{ "step-limit-missing", 20, "needs" },
	{ "step-limit-0", 20, "limit" },
	{ "step-limit-huge", 20, "limit" },
	{ "step-limit-of-restart", 21, "takes no" },
	{ "step-timeout-0", 21, "timeout" },
	{ "step-timeout-11m", 21, "timeout" },
	{ "step-twice", 21, "the same step" },
	{ "step-after-stop", 21, "never reached" },
	{ "too-many-steps", 28, "more than 8" },
	{ "verify-empty", 23, "no \"that\"" },
	{ "verify-no-within", 23, "no \"within\"" },
	{ "verify-no-that", 23, "no \"that\"" },
	{ "verify-nothing", 23, "nothing is asked" },
	{ "verify-both", 23, "has no condition" },
	{ "verify-not-measured-false", 23, "can only be asked for" },
	{ "verify-within-25h", 23, "within" },
	{ "verify-within-number", 23, "within" },
	{ "verify-up-false", 26, "can only be asked for" },
	{ "verify-up-number", 26, "true or false" },
	{ "verify-up-for-longer", 27, "longer than" },
	{ "verify-below-empty", 30, "resource" },
	{ "verify-below-0", 30, "below 0 %" },
	{ "verify-unknown", 29, "healthy" },
	{ "verify-forecast-gone-without", 28, "no forecast" },
	{ "verify-up-after-stop", 25, "is not up" },
	{ "otherwise-unknown", 33, "panic" },
	{ "otherwise-null", 33, "string" },
	{ "guard-unknown", 38, "max_unhealthy" },
	{ "guard-mode", 35, "always" },
	{ "guard-cooldown-unit", 36, "cooldown" },
	{ "guard-cooldown-31d", 36, "cooldown" },
	{ "guard-budget-number", 37, "object" },
	{ "guard-budget-no-per", 37, "per" },
	{ "guard-budget-0", 37, "count" },
	{ "guard-budget-65", 37, "count" },
	{ "guard-min-healthy-minus", 38, "min_healthy" },
	{ "guard-backoff-no-max", 39, "max" },
	{ "guard-backoff-base-0", 39, "base" },
	{ "guard-backoff-shrinks", 39, "shorter than" },
	{ "guard-backoff-25h", 39, "max" },
	{ "guard-approval-0", 40, "approval" },
	{ "guard-approval-8d", 40, "approval" },
};

static int check(size_t i)
{
	struct km_rule *r = NULL;
	struct km_error err = { 0 };
	char path[KM_PATH_MAX], line[1024];
	size_t len;
	char *text;
	int ret;

	snprintf(path, sizeof(path), "tests/fixtures/rules/bad/%s.json", bad[i].name);
	text = slurp(path, &len);
	ret = km_rule_compile(text, len, path, &err, &r);
	free(text);
	km_rule_free(r);
	if (ret == -EBADMSG && err.line == bad[i].line && err.column > 0 && err.what[0] &&
	    strstr(err.what, bad[i].reason) && !strcmp(err.file, path))
		return 0;
	print_error("line %u, \"%s\" expected: %s\n", bad[i].line, bad[i].reason,
	            ret < 0 ? km_error_format(&err, line, sizeof(line)) : path);
	return 1;
}

static void each_is_refused_at_its_line_for_its_reason(void **state)
{
	int wrong = 0;

	(void)state;
	assert_true(KM_ARRAY_SIZE(bad) >= 80);
	for (size_t i = 0; i < KM_ARRAY_SIZE(bad); i++)
		wrong += check(i);
	assert_int_equal(wrong, 0);
}

/* A fixture that nobody looks at would be a test that cannot fail. */
static void every_file_of_the_folder_is_in_the_table(void **state)
{
	char path[KM_PATH_MAX];
	struct dirent *entry;
	size_t files = 0;
	DIR *dir;

	(void)state;
	snprintf(path, sizeof(path), "%s/tests/fixtures/rules/bad", tree());
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		files += strstr(entry->d_name, ".json") != NULL;
	closedir(dir);
	assert_int_equal(files, KM_ARRAY_SIZE(bad));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_refused_at_its_line_for_its_reason),
		cmocka_unit_test(every_file_of_the_folder_is_in_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
