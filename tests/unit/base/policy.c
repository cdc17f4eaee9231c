// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/policy.h"

static struct km_policy *compile(const char *text)
{
	struct km_policy *p = NULL;
	struct km_error err;

	if (km_policy_compile(text, text ? strlen(text) : 0, "p.json", &err, &p) < 0)
		fail_msg("%s: %u:%u: %s", text, err.line, err.column, err.what);
	return p;
}

static const char open_wide[] = "{\"version\":1,\"verbs\":[\"start\",\"stop\",\"restart\","
				"\"signal\",\"raise_limit\"],\"services\":[\"*\"],"
				"\"protect\":[\"db-*\"]}";

static void without_a_policy_only_notify_is_allowed(void **state)
{
	km_autofree(km_policy_freep) struct km_policy *p = compile(NULL);
	km_autofree(km_policy_freep) struct km_policy *q = compile("{\"version\":1}");
	int verb;

	(void)state;
	for (verb = -1; verb <= KM_VERB_MAX; verb++) {
		assert_int_equal(km_policy_allows(p, verb, "web"), verb == KM_NOTIFY);
		assert_int_equal(km_policy_allows(q, verb, "web"), verb == KM_NOTIFY);
	}
	assert_int_equal(p->per_service.count, 5);
	assert_true(p->per_service.per_ns == 600 * KM_NS_PER_S);
	assert_int_equal(q->per_host.count, 20);
	assert_true(q->per_host.per_ns == 600 * KM_NS_PER_S);
	assert_null(km_policy_free(NULL));
}

static void the_shipped_policy_is_the_default(void **state)
{
	km_autofree(km_policy_freep) struct km_policy *shipped = NULL;
	km_autofree(km_policy_freep) struct km_policy *built_in = compile(NULL);
	char text[4096];
	struct km_error err;
	FILE *f = fopen("rules/policy/guardrails.json", "re");
	size_t len;

	(void)state;
	if (!f) {
		print_message("skipped: not run from the top of the source tree\n");
		skip();
	}
	len = fread(text, 1, sizeof(text), f);
	fclose(f);
	assert_int_equal(km_policy_compile(text, len, "g", &err, &shipped), 0);
	assert_memory_equal(shipped->verbs, built_in->verbs, sizeof(shipped->verbs));
	assert_memory_equal(&shipped->per_service, &built_in->per_service,
	                    sizeof(shipped->per_service));
	assert_memory_equal(&shipped->per_host, &built_in->per_host, sizeof(shipped->per_host));
	assert_null(shipped->services[0]);
	assert_false(shipped->pause);
}

static void only_what_is_listed_is_allowed(void **state)
{
	km_autofree(km_policy_freep) struct km_policy *p =
		compile("{\"version\":1,\"verbs\":[\"restart\"],\"services\":[\"demo-*\",\"web\"],"
	                "\"budget\":{\"service\":{\"count\":0,\"per\":\"1s\"},"
	                "\"host\":{\"count\":1000,\"per\":\"7d\"}}}");

	(void)state;
	assert_true(km_policy_allows(p, KM_RESTART, "demo-leak"));
	assert_true(km_policy_allows(p, KM_RESTART, "web"));
	assert_false(km_policy_allows(p, KM_RESTART, "web2"));
	assert_false(km_policy_allows(p, KM_RESTART, ""));
	assert_false(km_policy_allows(p, KM_STOP, "web"));
	assert_true(km_policy_allows(p, KM_NOTIFY, "web2"));
	assert_false(km_policy_allows(p, KM_VERB_NONE, "web"));
	assert_false(km_policy_allows(p, KM_VERB_MAX, "web"));
	assert_int_equal(p->per_service.count, 0);
	assert_int_equal(p->per_host.count, KM_POLICY_BUDGET_MAX);
}

static void the_kill_switch_stops_all_but_notify(void **state)
{
	km_autofree(km_policy_freep) struct km_policy *p = compile(
		"{\"version\":1,\"verbs\":[\"restart\"],\"services\":[\"*\"],\"pause\":true}");

	(void)state;
	assert_false(km_policy_allows(p, KM_RESTART, "web"));
	assert_true(km_policy_allows(p, KM_NOTIFY, "web"));
}

static void what_keeps_the_host_alive_is_never_touched(void **state)
{
	static const char *const names[] = {
		"init",
		"init.scope",
		"systemd",
		"systemd-journald.service",
		"systemd-logind.service",
		"systemd-udevd.service",
		"systemd-networkd",
		"kmend.service",
		"kmend",
		"kmendd",
		"ssh",
		"ssh.service",
		"sshd",
		"sshd.service",
		"ssh@1-2.service",
		"dbus",
		"dbus.service",
		"dbus-broker.service",
		"getty@tty1.service",
		"getty@tty1",
		"serial-getty@ttyS0.service",
		"console-getty.service",
		"user@1000.service",
		"session-1.scope",
		"polkit.service",
		"NetworkManager.service",
		"NetworkManager",
		"db-1",
		"db-main.service",
	};
	static const char *const free_names[] = { "nginx.service", "demo-kmend", "sshguard.service",
		                                  "dbus-app",      "mydb-1",     "getty",
		                                  "x.scope" };
	km_autofree(km_policy_freep) struct km_policy *p = compile(open_wide);
	size_t i;

	(void)state;
	for (i = 0; i < KM_ARRAY_SIZE(names); i++) {
		if (!km_policy_protects(p, names[i]) || km_policy_allows(p, KM_RESTART, names[i]))
			fail_msg("%s is not protected", names[i]);
		assert_true(km_policy_allows(p, KM_NOTIFY, names[i]));
	}
	for (i = 0; i < KM_ARRAY_SIZE(free_names); i++)
		if (km_policy_protects(p, free_names[i]) ||
		    !km_policy_allows(p, KM_RESTART, free_names[i]))
			fail_msg("%s is protected", free_names[i]);
}

static void a_harmless_name_does_not_open_what_is_protected(void **state)
{
	static const struct {
		const char *match;
		enum km_service_kind kind;
		bool allowed;
	} cases[] = {
		{ "nginx.service", KM_BY_UNIT, true },
		{ "ssh.service", KM_BY_UNIT, false },
		{ "db-1.service", KM_BY_UNIT, false },
		{ "/system.slice/nginx.service", KM_BY_CGROUP, true },
		{ "/system.slice/ssh.service", KM_BY_CGROUP, false },
		{ "/system.slice/ssh.service/sub", KM_BY_CGROUP, false },
		{ "/system.slice", KM_BY_CGROUP, false },
		{ "/user.slice/user-1.slice/user@1.service/app.slice/x", KM_BY_CGROUP, true },
		{ "/user.slice/user-1.slice/user@1.service", KM_BY_CGROUP, false },
		{ "/init.scope", KM_BY_CGROUP, false },
		{ "/usr/sbin/sshd", KM_BY_EXECUTABLE, false },
		{ "/usr/bin/dbus-daemon", KM_BY_EXECUTABLE, false },
		{ "/usr/sbin/nginx", KM_BY_EXECUTABLE, true },
		{ "/run/sshd.pid", KM_BY_PIDFILE, false },
		{ "/run/nginx.pid", KM_BY_PIDFILE, true },
		{ "0123456789ab", KM_BY_CONTAINER, true },
	};
	km_autofree(km_policy_freep) struct km_policy *p = compile(open_wide);
	struct km_service_def d = { .name = "web" };
	size_t i;

	(void)state;
	for (i = 0; i < KM_ARRAY_SIZE(cases); i++) {
		d.kind = cases[i].kind;
		km_copy(d.match, sizeof(d.match), cases[i].match);
		if (km_policy_allows_def(p, KM_RESTART, &d) != cases[i].allowed)
			fail_msg("%s", cases[i].match);
		assert_true(km_policy_allows_def(p, KM_NOTIFY, &d));
	}
	d.kind = KM_BY_COMMAND;
	d.argv = (char *[]){ "/usr/sbin/sshd", "-D", NULL };
	assert_false(km_policy_allows_def(p, KM_RESTART, &d));
	d.argv = (char *[]){ "/usr/sbin/demo", NULL };
	assert_true(km_policy_allows_def(p, KM_RESTART, &d));
	km_copy(d.name, sizeof(d.name), "ssh");
	assert_false(km_policy_allows_def(p, KM_RESTART, &d));
}

/* A name as short as what it is cut by is cut by nothing. */
static void what_is_left_of_a_name_is_the_name(void **state)
{
	km_autofree(km_policy_freep) struct km_policy *p =
		compile("{\"version\":1,\"verbs\":[\"restart\"],\"services\":[\"*\"],"
	                "\"protect\":[\".slice\",\".pid\"]}");
	struct km_service_def d = { .name = "web", .kind = KM_BY_CGROUP, .match = "/.slice/web" };

	(void)state;
	assert_false(km_policy_allows_def(p, KM_RESTART, &d));
	d.kind = KM_BY_PIDFILE;
	km_copy(d.match, sizeof(d.match), "/run/.pid");
	assert_false(km_policy_allows_def(p, KM_RESTART, &d));
	km_copy(d.match, sizeof(d.match), "/run/a.pid");
	assert_true(km_policy_allows_def(p, KM_RESTART, &d));
}

static void so_many_acts_are_done_at_a_time(void **state)
{
	km_autofree(km_policy_freep) struct km_policy *p = compile("{\"version\":1}");
	km_autofree(km_policy_freep) struct km_policy *q =
		compile("{\"version\":1,\"concurrent\":7}");

	(void)state;
	assert_int_equal(p->concurrent, 4);
	assert_int_equal(q->concurrent, 7);
}

static void signatures_are_required_where_a_key_is_named(void **state)
{
	km_autofree(km_policy_freep) struct km_policy *p =
		compile("{\"version\":1,\"signatures\":{\"key\":\"/k.pub\"}}");
	km_autofree(km_policy_freep) struct km_policy *q =
		compile("{\"version\":1,\"signatures\":{\"key\":\"/k.pub\",\"required\":false}}");
	km_autofree(km_policy_freep) struct km_policy *none = compile(NULL);

	(void)state;
	assert_string_equal(p->signature_key, "/k.pub");
	assert_true(p->signature_required);
	assert_false(q->signature_required);
	assert_string_equal(none->signature_key, "");
	assert_false(km_policy_protects(none, "web"));
}

static void what_is_wrong_is_refused_at_its_place(void **state)
{
	static const struct {
		const char *text, *what;
		unsigned int column;
	} bad[] = {
		{ "{}", "\"version\" is missing", 1 },
		{ "{\"version\":2}", "version is not known", 2 },
		{ "{\"version\":1,\"verb\":[]}", "unknown key", 14 },
		{ "{\"version\":1,\"verbs\":\"start\"}", "must be an array", 14 },
		{ "{\"version\":1,\"verbs\":[1]}", "must be a string", 23 },
		{ "{\"version\":1,\"verbs\":[\"none\"]}", "no verb \"none\"", 23 },
		{ "{\"version\":1,\"verbs\":[\"Start\"]}", "no verb", 23 },
		{ "{\"version\":1,\"services\":[1]}", "must be a string", 26 },
		{ "{\"version\":1,\"services\":[\"\"]}", "must not be empty", 26 },
		{ "{\"version\":1,\"services\":[\"a/*\"]}", "wildcards", 26 },
		{ "{\"version\":1,\"protect\":[\"[a]\"]}", "wildcards", 25 },
		{ "{\"version\":1,\"signatures\":{}}", "\"key\" is missing", 14 },
		{ "{\"version\":1,\"signatures\":{\"key\":\"k.pub\"}}", "absolute path", 28 },
		{ "{\"version\":1,\"pause\":1}", "true or false", 14 },
		{ "{\"version\":1,\"budget\":{\"rule\":{}}}", "unknown key", 24 },
		{ "{\"version\":1,\"budget\":{\"host\":{}}}", "\"count\" is missing", 24 },
		{ "{\"version\":1,\"budget\":{\"host\":{\"count\":1}}}", "\"per\" is missing", 24 },
		{ "{\"version\":1,\"budget\":{\"host\":{\"count\":1001,\"per\":\"1m\"}}}",
		  "from 0 to 1000", 32 },
		{ "{\"version\":1,\"budget\":{\"host\":{\"count\":1,\"per\":\"999ms\"}}}",
		  "from 1s to 7d00h", 42 },
		{ "{\"version\":1,\"budget\":{\"host\":{\"count\":1,\"per\":\"8d\"}}}",
		  "from 1s to 7d00h", 42 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < KM_ARRAY_SIZE(bad); i++) {
		struct km_error err = { .what = "" };
		struct km_policy *p = NULL;

		if (km_policy_compile(bad[i].text, strlen(bad[i].text), "p", &err, &p) != -EBADMSG)
			fail_msg("%s passed", bad[i].text);
		if (!strstr(err.what, bad[i].what) || err.column != bad[i].column)
			fail_msg("%s: %u: %s", bad[i].text, err.column, err.what);
		assert_null(p);
	}
}

static int compile_globs(size_t count, size_t len, struct km_error *err)
{
	km_autofree(km_policy_freep) struct km_policy *p = NULL;
	km_autofree(km_buf_freep) struct km_buf *b = NULL;
	size_t i;
	int r;

	assert_int_equal(km_buf_new(KM_JSON_BYTES_MAX, &b), 0);
	km_buf_addf(b, "{\"version\":1,\"services\":[");
	for (i = 0; i < count; i++)
		km_buf_addf(b, "%s\"%0*zu\"", i ? "," : "", (int)len, i);
	km_buf_addf(b, "]}");
	r = km_policy_compile(b->data, b->len, "p", err, &p);
	if (r == 0)
		assert_null(p->services[count]);
	return r;
}

static void lists_and_patterns_are_bounded(void **state)
{
	struct km_error err;

	(void)state;
	assert_int_equal(compile_globs(KM_POLICY_GLOBS_MAX, 1, &err), 0);
	assert_int_equal(compile_globs(KM_POLICY_GLOBS_MAX + 1, 1, &err), -EBADMSG);
	assert_string_equal(err.what, "more than 256 patterns");
	assert_int_equal(compile_globs(1, KM_NAME_MAX - 1, &err), 0);
	assert_int_equal(compile_globs(1, KM_NAME_MAX, &err), -EBADMSG);
}

static void every_verb_has_a_name(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < KM_VERB_MAX; i++)
		assert_non_null(km_verb_names[i]);
	assert_null(km_verb_names[KM_VERB_MAX]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_policy_only_notify_is_allowed),
		cmocka_unit_test(the_shipped_policy_is_the_default),
		cmocka_unit_test(only_what_is_listed_is_allowed),
		cmocka_unit_test(the_kill_switch_stops_all_but_notify),
		cmocka_unit_test(what_keeps_the_host_alive_is_never_touched),
		cmocka_unit_test(a_harmless_name_does_not_open_what_is_protected),
		cmocka_unit_test(what_is_left_of_a_name_is_the_name),
		cmocka_unit_test(so_many_acts_are_done_at_a_time),
		cmocka_unit_test(signatures_are_required_where_a_key_is_named),
		cmocka_unit_test(what_is_wrong_is_refused_at_its_place),
		cmocka_unit_test(lists_and_patterns_are_bounded),
		cmocka_unit_test(every_verb_has_a_name),
	};

	return cmocka_run_group_tests_name("base/policy", tests, NULL, NULL);
}
