// SPDX-License-Identifier: Apache-2.0
/* Warnings that need more than one rule's text: each with what earns it and what just does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "review/lookout.h"

#define ABOVE(share, more) "{\"level\":{\"resource\":\"memory\",\"above\":\"" share "\"" more "}}"
#define WEB                "{\"services\":[\"web\"]}"

static struct km_rule *rule(const char *id, const char *scope, const char *when, const char *more)
{
	struct km_rule *ret = NULL;
	struct km_error err;
	char *text = NULL, file[64];

	snprintf(file, sizeof(file), "x/%s.json", id);
	assert_true(asprintf(&text,
	                     "{\"version\":1,\"id\":\"%s\",\"summary\":\"s\",\"why\":\"w\","
	                     "\"owner\":\"o\",\"scope\":%s,\"when\":%s,\"verify\":{\"within\":"
	                     "\"1m\",\"that\":{\"up\":true}},%s}",
	                     id, scope, when, more) > 0);
	if (km_rule_compile(text, strlen(text), file, &err, &ret) < 0)
		fail_msg("%s: %s", text, err.what);
	free(text);
	return ret;
}

#define EXPERIMENTAL "\"maturity\":\"experimental\",\"plan\":[{\"do\":\"restart\"}]"

struct heard {
	unsigned int count;
	char file[64], what[256];
};

static void hear(void *userdata, const struct km_error *e)
{
	struct heard *h = userdata;

	h->count++;
	assert_true(e->line > 0 && e->remedy[0]);
	km_copy(h->file, sizeof(h->file), e->file);
	km_copy(h->what, sizeof(h->what), e->what);
}

/* Which of the two rules is told to be shadowed: "" for none. */
static void shadowed(struct km_rule *a, struct km_rule *b, const char *expected)
{
	struct km_rule *both[] = { a, b };
	struct heard h = { 0 };

	km_lookout_shadowed(both, 2, hear, &h);
	assert_int_equal(h.count, *expected ? 1 : 0);
	assert_string_equal(h.file, expected);
	km_rule_free(a);
	km_rule_free(b);
}

static void a_rule_behind_another_one_is_told(void **state)
{
	(void)state;
	/* the same twice: the second one */
	shadowed(rule("a", WEB, ABOVE("90%", ""), EXPERIMENTAL),
	         rule("b", WEB, ABOVE("90%", ""), EXPERIMENTAL), "x/b.json");
	/* what needs more comes later */
	shadowed(rule("a", WEB, ABOVE("95%", ""), EXPERIMENTAL),
	         rule("b", WEB, ABOVE("90%", ""), EXPERIMENTAL), "x/a.json");
	shadowed(rule("a", WEB, ABOVE("90%", ",\"for\":\"1m\""), EXPERIMENTAL),
	         rule("b", "{\"all\":true}", ABOVE("90%", ""), EXPERIMENTAL), "x/a.json");
}

static void rules_that_differ_stand_beside_each_other(void **state)
{
	(void)state;
	/* each speaks where the other does not */
	shadowed(rule("a", WEB, ABOVE("95%", ""), EXPERIMENTAL),
	         rule("b", WEB, ABOVE("90%", ",\"for\":\"1m\""), EXPERIMENTAL), "");
	shadowed(rule("a", WEB, ABOVE("90%", ""), EXPERIMENTAL),
	         rule("b", "{\"services\":[\"db\"]}", ABOVE("90%", ""), EXPERIMENTAL), "");
	/* only the narrower one may act by itself */
	shadowed(rule("a", WEB, ABOVE("95%", ""), EXPERIMENTAL ",\"guard\":{\"mode\":\"auto\"}"),
	         rule("b", WEB, ABOVE("90%", ""), EXPERIMENTAL), "");
	/* telling and acting */
	shadowed(rule("a", WEB, ABOVE("90%", ""), EXPERIMENTAL),
	         rule("b", WEB, ABOVE("90%", ""),
	              "\"maturity\":\"experimental\",\"plan\":[{\"do\":\"notify\"}]"),
	         "");
	/* the wider one is silenced at times */
	shadowed(rule("a", WEB, ABOVE("95%", ""), EXPERIMENTAL),
	         rule("b", WEB, ABOVE("90%", ""),
	              EXPERIMENTAL ",\"unless\":{\"state\":{\"is\":\"down\"}}"),
	         "");
}

static void looked_at(struct km_rule *r, const char *file, uint64_t now_s,
                      const struct km_host_services *host, const char *expected)
{
	struct heard h = { 0 };

	km_lookout_rule(r, file, now_s, host, hear, &h);
	assert_int_equal(h.count, expected ? 1 : 0);
	if (expected && !strstr(h.what, expected))
		fail_msg("said: %s", h.what);
	km_rule_free(r);
}

static void an_expired_rule_is_told_from_its_day_on(void **state)
{
	const char *more = EXPERIMENTAL ",\"expires\":\"2027-01-31\"";
	uint64_t day_s = 1801353600; /* 2027-01-31 00:00 UTC */

	(void)state;
	looked_at(rule("a", WEB, ABOVE("90%", ""), more), "x/a.json", day_s, NULL, "expired");
	looked_at(rule("a", WEB, ABOVE("90%", ""), more), "x/a.json", day_s - 1, NULL, NULL);
}

static void who_may_act_or_is_stable_needs_a_test(void **state)
{
	char name[] = "/tmp/kmend-lookout.XXXXXX", file[64], test[64];
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(name));
	snprintf(file, sizeof(file), "%s/a.json", name);
	snprintf(test, sizeof(test), "%s/a.test.json", name);
	looked_at(rule("a", WEB, ABOVE("90%", ""), EXPERIMENTAL), file, 1, NULL, NULL);
	looked_at(rule("a", WEB, ABOVE("90%", ""),
	               EXPERIMENTAL ",\"guard\":{\"mode\":\"approve\"}"),
	          file, 1, NULL, "may act and has no test");
	looked_at(rule("a", WEB, ABOVE("90%", ""),
	               "\"maturity\":\"stable\",\"plan\":[{\"do\":\"restart\"}]"),
	          file, 1, NULL, "stable rule without a test");
	f = fopen(test, "we");
	assert_non_null(f);
	fclose(f);
	looked_at(rule("a", WEB, ABOVE("90%", ""),
	               "\"maturity\":\"stable\",\"plan\":[{\"do\":\"restart\"}]"),
	          file, 1, NULL, NULL);
	unlink(test);
	rmdir(name);
}

static void a_scope_is_held_against_the_host(void **state)
{
	char *names[] = { "web", "web-2", "web-3", NULL };
	const struct km_host_services three = { names, 3 }, two = { names, 2 }, none = { 0 };

	(void)state;
	looked_at(rule("a", "{\"services\":[\"db-*\"]}", ABOVE("90%", ""), EXPERIMENTAL), "x", 1,
	          &three, "no service of this host");
	looked_at(rule("a", "{\"services\":[\"web-*\"]}", ABOVE("90%", ""), EXPERIMENTAL), "x", 1,
	          &three, NULL);
	looked_at(rule("a", "{\"services\":[\"web*\"]}", ABOVE("90%", ""), EXPERIMENTAL), "x", 1,
	          &three, "every service of this host");
	looked_at(rule("a", "{\"services\":[\"web*\"]}", ABOVE("90%", ""), EXPERIMENTAL), "x", 1,
	          &two, NULL);
	looked_at(rule("a", "{\"all\":true}", ABOVE("90%", ""), EXPERIMENTAL), "x", 1, &three,
	          NULL);
	looked_at(rule("a", "{\"services\":[\"db-*\"]}", ABOVE("90%", ""), EXPERIMENTAL), "x", 1,
	          &none, NULL);
}

static const char policy_text[] =
	"{\"version\":1,\"verbs\":[\"notify\",\"rotate\",\"truncate\",\"run\"],"
	"\"services\":[\"web\"],\"files\":[{\"name\":\"logs\",\"root\":\"/var/log/web\","
	"\"patterns\":[\"*.log\"],\"may\":[\"rotate\"]}],"
	"\"commands\":[{\"name\":\"drop\",\"argv\":[\"/bin/true\"]}]}";

/* What is said of a rule with this plan, in this mode. */
static struct heard held_against_the_policy(const char *plan, const char *mode)
{
	struct km_policy *policy = NULL;
	struct heard h = { 0 };
	struct km_error err;
	struct km_rule *r;
	char more[512];

	if (km_policy_compile(policy_text, strlen(policy_text), "p", &err, &policy) < 0)
		fail_msg("line %u: %s", err.line, err.what);
	snprintf(more, sizeof(more),
	         "\"maturity\":\"experimental\",\"plan\":[%s],\"guard\":{\"mode\":\"%s\"}", plan,
	         mode);
	r = rule("a", WEB, ABOVE("50%", ""), more);
	km_lookout_policy(r, "x/a.json", policy, hear, &h);
	km_rule_free(r);
	km_policy_free(policy);
	return h;
}

static void a_step_names_what_the_policy_has(void **state)
{
	struct heard h;

	(void)state;
	h = held_against_the_policy("{\"do\":\"rotate\",\"files\":\"logs\"},"
	                            "{\"do\":\"run\",\"command\":\"drop\"}",
	                            "auto");
	assert_int_equal(h.count, 0);
	h = held_against_the_policy("{\"do\":\"rotate\",\"files\":\"lgos\"}", "suggest");
	assert_int_equal(h.count, 1);
	assert_string_equal(h.what, "the policy has no such files: \"lgos\"");
	h = held_against_the_policy("{\"do\":\"run\",\"command\":\"rm\"}", "suggest");
	assert_string_equal(h.what, "the policy has no such command: \"rm\"");
	h = held_against_the_policy("{\"do\":\"truncate\",\"files\":\"logs\"}", "suggest");
	assert_string_equal(h.what, "the policy has files that this must not be done to: \"logs\"");
}

static void a_rule_that_may_act_has_verbs_that_the_policy_has(void **state)
{
	struct heard h;

	(void)state;
	h = held_against_the_policy("{\"do\":\"restart\"}", "suggest");
	assert_int_equal(h.count, 0);
	h = held_against_the_policy("{\"do\":\"notify\"},{\"do\":\"restart\"}", "approve");
	assert_int_equal(h.count, 1);
	assert_string_equal(h.what, "this rule may act, and the policy forbids \"restart\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_behind_another_one_is_told),
		cmocka_unit_test(rules_that_differ_stand_beside_each_other),
		cmocka_unit_test(an_expired_rule_is_told_from_its_day_on),
		cmocka_unit_test(who_may_act_or_is_stable_needs_a_test),
		cmocka_unit_test(a_scope_is_held_against_the_host),
		cmocka_unit_test(a_step_names_what_the_policy_has),
		cmocka_unit_test(a_rule_that_may_act_has_verbs_that_the_policy_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
