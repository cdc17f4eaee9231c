// SPDX-License-Identifier: Apache-2.0
/* The condition "text": what a health check says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "world.h"

#define TEXT(matches, more) "{\"text\": {\"of\": \"health\", \"matches\": \"" matches "\"" more "}}"

struct host {
	struct world w;
	struct km_attribute *a;
	struct km_config config;
	struct km_service_def def;
	struct km_health_check check[2];
};

static void host_new(struct host *h)
{
	struct km_signal cgroup = { .type = KM_RAW_CGROUP, .t_ns = T0, .cgroup_id = 10 };
	struct km_subject s;

	memset(h, 0, sizeof(*h));
	world_new(&h->w);
	km_copy(h->check[0].name, sizeof(h->check[0].name), "port");
	km_copy(h->check[1].name, sizeof(h->check[1].name), "page");
	km_copy(h->def.name, sizeof(h->def.name), "web");
	km_copy(h->def.match, sizeof(h->def.match), "/web");
	h->def.kind = KM_BY_CGROUP;
	h->def.checks = h->check;
	h->def.check_count = 2;
	h->config.services = &h->def;
	h->config.service_count = 1;
	assert_int_equal(km_attribute_new(&h->a), 0);
	assert_int_equal(km_attribute_configure(h->a, &h->config, T0), 0);
	km_copy(cgroup.cgroup.path, sizeof(cgroup.cgroup.path), "/web");
	assert_int_equal(km_attribute_signal(h->a, &cgroup, &s), 0);
	h->w.in.attribute = h->a;
	h->w.in.def = &h->def;
	h->w.in.service = km_attribute_service_by_name(h->a, "web");
}

static void host_free(struct host *h)
{
	world_free(&h->w);
	km_attribute_free(h->a);
}

static void says(struct host *h, const char *check, const char *reason)
{
	struct km_signal s = { .type = KM_RAW_HEALTH, .t_ns = T0 };
	struct km_subject subject;

	s.health.health = KM_UNHEALTHY;
	s.health.believe_ns = 1000 * S;
	km_copy(s.health.service, sizeof(s.health.service), "web");
	km_copy(s.health.check, sizeof(s.health.check), check);
	km_copy(s.health.reason, sizeof(s.health.reason), reason);
	assert_int_equal(km_attribute_signal(h->a, &s, &subject), 0);
}

static enum km_truth asked(struct host *h, const char *when, uint64_t t_ns)
{
	struct km_rule *r = rule_with(NULL, when, NULL);
	enum km_truth t = ask(&h->w, r, t_ns);

	km_rule_free(r);
	return t;
}

static void any_check_that_says_it_is_enough_and_no_word_is_not_measured(void **state)
{
	struct host h;

	(void)state;
	host_new(&h);
	assert_int_equal(asked(&h, TEXT("refused", ""), T0), KM_NOT_MEASURED);
	says(&h, "port", "connection refused");
	assert_int_equal(asked(&h, TEXT("refused$", ""), T0), KM_TRUE);
	assert_int_equal(asked(&h, TEXT("^refused", ""), T0), KM_FALSE);
	assert_int_equal(asked(&h, TEXT("(?i)REFUSED", ""), T0), KM_TRUE);
	assert_int_equal(asked(&h, TEXT("time", ""), T0), KM_FALSE);
	says(&h, "page", "no answer in time");
	assert_int_equal(asked(&h, TEXT("time", ""), T0), KM_TRUE);
	assert_int_equal(asked(&h, TEXT("time", ", \"check\": \"page\""), T0), KM_TRUE);
	assert_int_equal(asked(&h, TEXT("time", ", \"check\": \"port\""), T0), KM_FALSE);
	assert_int_equal(asked(&h, TEXT("time", ", \"check\": \"other\""), T0), KM_NOT_MEASURED);
	h.w.in.def = NULL;
	assert_int_equal(asked(&h, TEXT("time", ""), T0), KM_NOT_MEASURED);
	host_free(&h);
}

static void a_pattern_that_never_ends_is_not_measured(void **state)
{
	struct host h;

	(void)state;
	host_new(&h);
	says(&h, "port", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab");
	assert_int_equal(asked(&h, TEXT("^(a+)+$", ""), T0), KM_NOT_MEASURED);
	assert_int_equal(asked(&h, TEXT("^a+b$", ""), T0), KM_TRUE);
	host_free(&h);
}

static void a_pattern_may_have_names_blanks_and_what_ascii_ends_with(void **state)
{
	struct host h;

	(void)state;
	host_new(&h);
	says(&h, "port", "code ~503");
	assert_int_equal(asked(&h, TEXT("(?<code>[0-9]+)", ""), T0), KM_TRUE);
	assert_int_equal(asked(&h, TEXT("code ~5", ""), T0), KM_TRUE);
	assert_int_equal(asked(&h, TEXT("(?<code>[a-z]{9})", ""), T0), KM_FALSE);
	host_free(&h);
}

static void count(void *userdata, const struct km_error *warning)
{
	*(unsigned int *)userdata += strstr(warning->what, "the rule never speaks") != NULL;
}

/* Warnings that "unless" holds whenever "when" does. */
static unsigned int never_speaks(const char *when, const char *unless)
{
	struct km_rule_text in = { .file = "x/r.json", .warn = count };
	unsigned int warnings = 0;
	struct km_rule *r = NULL;
	struct km_error err;
	char more[256], *text;

	snprintf(more, sizeof(more), ",\"unless\": %s", unless);
	text = rule_text(NULL, when, more);
	in.text = text;
	in.len = strlen(text);
	in.userdata = &warnings;
	assert_int_equal(km_rule_check(&in, &err, &r), 0);
	km_rule_free(r);
	free(text);
	return warnings;
}

static void two_are_the_same_by_pattern_and_check(void **state)
{
	(void)state;
	assert_int_equal(never_speaks(TEXT("a", ""), TEXT("a", "")), 1);
	assert_int_equal(never_speaks(TEXT("a", ", \"check\": \"p\""),
	                              TEXT("a", ", \"check\": \"p\"")),
	                 1);
	assert_int_equal(never_speaks(TEXT("a", ""), TEXT("b", "")), 0);
	assert_int_equal(never_speaks(TEXT("a", ", \"check\": \"p\""),
	                              TEXT("a", ", \"check\": \"q\"")),
	                 0);
}

static void it_must_be_said_without_a_break(void **state)
{
	struct km_rule *r = rule_with(NULL, TEXT("slow", ", \"for\": \"10s\""), NULL);
	struct host h;

	(void)state;
	host_new(&h);
	says(&h, "port", "too slow");
	assert_int_equal(ask(&h.w, r, T0), KM_FALSE);
	assert_int_equal(ask(&h.w, r, T0 + 9 * S), KM_FALSE);
	assert_int_equal(ask(&h.w, r, T0 + 10 * S), KM_TRUE);
	says(&h, "port", "well");
	assert_int_equal(ask(&h.w, r, T0 + 11 * S), KM_FALSE);
	says(&h, "port", "too slow");
	assert_int_equal(ask(&h.w, r, T0 + 12 * S), KM_FALSE);
	km_rule_free(r);
	host_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_check_that_says_it_is_enough_and_no_word_is_not_measured),
		cmocka_unit_test(a_pattern_that_never_ends_is_not_measured),
		cmocka_unit_test(a_pattern_may_have_names_blanks_and_what_ascii_ends_with),
		cmocka_unit_test(two_are_the_same_by_pattern_and_check),
		cmocka_unit_test(it_must_be_said_without_a_break),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
