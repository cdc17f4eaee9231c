// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/config.h"

static struct km_config *compile(const char *text)
{
	struct km_config *c = NULL;
	struct km_error err;

	if (km_config_compile(text, strlen(text), "c.json", &err, &c) < 0)
		fail_msg("%s: %u:%u: %s", text, err.line, err.column, err.what);
	return c;
}

static void no_text_is_the_defaults(void **state)
{
	km_autofree(km_config_freep) struct km_config *c = NULL;
	struct km_error err;

	(void)state;
	assert_int_equal(km_config_compile(NULL, 0, "", &err, &c), 0);
	assert_int_equal(c->service_count, 0);
	assert_true(c->settings.sample_period_ns == KM_NS_PER_S);
	assert_true(c->settings.horizon_ns == 86400 * KM_NS_PER_S);
	assert_int_equal(c->settings.history_days, 14);
	assert_int_equal(c->settings.recording_bytes, 256 << 20);
	assert_int_equal(c->settings.socket_mode, 0660);
	assert_string_equal(c->settings.socket_group, "kmend");
	assert_null(km_config_service(c, "any"));
	assert_null(km_config_free(NULL));
}

static void the_shortest_text_is_the_defaults_too(void **state)
{
	km_autofree(km_config_freep) struct km_config *c =
		compile("{\"version\":1,\"settings\":{},\"services\":[]}");

	(void)state;
	assert_int_equal(c->service_count, 0);
	assert_int_equal(c->settings.history_days, 14);
}

static void settings_are_read(void **state)
{
	km_autofree(km_config_freep) struct km_config *c = compile(
		"{\"version\":1,\"settings\":{\"sample_period\":\"100ms\",\"horizon\":\"2h\","
		"\"history\":\"48h\",\"recording\":\"0B\",\"socket_group\":\"adm\"}}");

	(void)state;
	assert_true(c->settings.sample_period_ns == 100 * KM_NS_PER_MS);
	assert_true(c->settings.horizon_ns == 7200 * KM_NS_PER_S);
	assert_int_equal(c->settings.history_days, 2);
	assert_int_equal(c->settings.recording_bytes, 0);
	assert_string_equal(c->settings.socket_group, "adm");
}

static const char every_way[] =
	"{\"version\":1,\"services\":["
	"{\"name\":\"web\",\"unit\":\"nginx@a\\\\x2db.service\"},"
	"{\"name\":\"pod\",\"cgroup\":\"/kubepods/x\"},"
	"{\"name\":\"box\",\"container\":\"0123456789ab\"},"
	"{\"name\":\"exe\",\"executable\":\"/usr/sbin/z\"},"
	"{\"name\":\"pid\",\"pidfile\":\"/run/p.pid\"},"
	"{\"name\":\"cmd\",\"command\":[\"/usr/bin/prog\",\"an arg\",\"\"],\"user\":\"www-data\","
	"\"directory\":\"/srv\",\"limits\":{\"memory\":\"64MiB\",\"pids\":64,\"nofile\":256},"
	"\"stop_timeout\":\"3s\",\"autostart\":false},"
	"{\"name\":\"bare\",\"command\":[\"/bin/true\"]}]}";

static void every_way_to_find_a_service_is_read(void **state)
{
	static const struct {
		const char *name;
		enum km_service_kind kind;
		const char *match;
	} expected[] = {
		{ "web", KM_BY_UNIT, "nginx@a\\x2db.service" },
		{ "pod", KM_BY_CGROUP, "/kubepods/x" },
		{ "box", KM_BY_CONTAINER, "0123456789ab" },
		{ "exe", KM_BY_EXECUTABLE, "/usr/sbin/z" },
		{ "pid", KM_BY_PIDFILE, "/run/p.pid" },
		{ "cmd", KM_BY_COMMAND, "" },
	};
	km_autofree(km_config_freep) struct km_config *c = compile(every_way);
	size_t i;

	(void)state;
	assert_int_equal(c->service_count, 7);
	for (i = 0; i < KM_ARRAY_SIZE(expected); i++) {
		const struct km_service_def *d = km_config_service(c, expected[i].name);

		assert_non_null(d);
		assert_int_equal(d->kind, expected[i].kind);
		assert_string_equal(d->match, expected[i].match);
		assert_int_equal(d->argv != NULL, d->kind == KM_BY_COMMAND);
		assert_int_equal(d->instances, 1);
	}
	for (i = 1; i < c->service_count; i++)
		assert_true(strcmp(c->services[i - 1].name, c->services[i].name) < 0);
}

static void a_command_has_its_settings_or_their_defaults(void **state)
{
	km_autofree(km_config_freep) struct km_config *c = compile(every_way);
	const struct km_service_def *d = km_config_service(c, "cmd");

	(void)state;
	assert_string_equal(d->argv[0], "/usr/bin/prog");
	assert_string_equal(d->argv[1], "an arg");
	assert_string_equal(d->argv[2], "");
	assert_null(d->argv[3]);
	assert_string_equal(d->user, "www-data");
	assert_string_equal(d->directory, "/srv");
	assert_int_equal(d->limits.memory_bytes, 64 << 20);
	assert_int_equal(d->limits.pids, 64);
	assert_int_equal(d->limits.nofile, 256);
	assert_true(d->stop_timeout_ns == 3 * KM_NS_PER_S);
	assert_false(d->autostart);
	d = km_config_service(c, "bare");
	assert_string_equal(d->user, "");
	assert_string_equal(d->directory, "/");
	assert_true(d->limits.memory_bytes == KM_UNKNOWN && d->limits.pids == KM_UNKNOWN &&
	            d->limits.nofile == KM_UNKNOWN);
	assert_true(d->stop_timeout_ns == 10 * KM_NS_PER_S);
	assert_true(d->autostart);
}

static void instances_of_a_group_are_counted(void **state)
{
	km_autofree(km_config_freep) struct km_config *c =
		compile("{\"version\":1,\"services\":["
	                "{\"name\":\"c\",\"cgroup\":\"/c\",\"group\":\"w\"},"
	                "{\"name\":\"b\",\"cgroup\":\"/b\",\"group\":\"v\"},"
	                "{\"name\":\"a\",\"cgroup\":\"/a\",\"group\":\"w\"},"
	                "{\"name\":\"d\",\"cgroup\":\"/d\"},{\"name\":\"e\",\"cgroup\":\"/e\"}]}");

	(void)state;
	assert_int_equal(km_config_service(c, "a")->instances, 2);
	assert_int_equal(km_config_service(c, "c")->instances, 2);
	assert_int_equal(km_config_service(c, "b")->instances, 1);
	assert_int_equal(km_config_service(c, "d")->instances, 1);
	assert_int_equal(km_config_service(c, "e")->instances, 1);
	assert_string_equal(km_config_service(c, "a")->group, "w");
}

#define S(body) "{\"version\":1,\"services\":[{" body "}]}"
#define C(body) S("\"name\":\"a\",\"command\":[\"/x\"]," body)

/* In text that is one line the column alone tells the place; 0: any. */
static const struct {
	const char *text, *what;
	unsigned int column;
} bad[] = {
	{ "[]", "an object is expected", 1 },
	{ "{}", "\"version\" is missing", 1 },
	{ "{\"version\":2}", "version is not known", 2 },
	{ "{\"version\":1,\"service\":[]}", "unknown key \"service\"", 14 },
	{ "{\"version\":1,\"services\":{}}", "must be an array", 14 },
	{ "{\"version\":1,\"services\":[1]}", "an object is expected", 26 },
	{ "{\"version\":1,\"settings\":{\"sample_period\":\"99ms\"}}", "from 100ms to 1m00s", 26 },
	{ "{\"version\":1,\"settings\":{\"sample_period\":\"61s\"}}", "from 100ms to 1m00s", 26 },
	{ "{\"version\":1,\"settings\":{\"horizon\":\"59s\"}}", "from 1m00s to 30d00h", 26 },
	{ "{\"version\":1,\"settings\":{\"history\":\"25h\"}}", "whole days", 26 },
	{ "{\"version\":1,\"settings\":{\"history\":\"366d\"}}", "from 1d00h to 365d00h", 26 },
	{ "{\"version\":1,\"settings\":{\"socket_group\":\"a b\"}}", "letters, digits", 26 },
	{ S("\"executable\":\"/a\""), "\"name\" is missing", 26 },
	{ S("\"name\":\"a\""), "nothing says how", 26 },
	{ S("\"name\":\"a\",\"unit\":\"a.service\",\"cgroup\":\"/a\""),
	  "both \"unit\" and \"cgroup\"", 57 },
	{ S("\"name\":\"\",\"cgroup\":\"/a\""), "must not be empty", 27 },
	{ S("\"name\":\"a/b\",\"cgroup\":\"/a\""), "letters, digits", 27 },
	{ S("\"name\":\"a b\",\"cgroup\":\"/a\""), "letters, digits", 27 },
	{ S("\"name\":\"a\\u001b\",\"cgroup\":\"/a\""), "letters, digits", 27 },
	{ S("\"name\":\"\xc3\xa9\",\"cgroup\":\"/a\""), "letters, digits", 27 },
	{ S("\"name\":\"..\",\"cgroup\":\"/a\""), "must not begin", 27 },
	{ S("\"name\":\"-a\",\"cgroup\":\"/a\""), "must not begin", 27 },
	{ S("\"name\":\"a\",\"unit\":\"nginx\""), "whole unit name", 38 },
	{ S("\"name\":\"a\",\"unit\":\".service\""), "whole unit name", 38 },
	{ S("\"name\":\"a\",\"unit\":\"a.target\""), "whole unit name", 38 },
	{ S("\"name\":\"a\",\"unit\":\"a/b.service\""), "not a unit name", 38 },
	{ S("\"name\":\"a\",\"cgroup\":\"a\""), "an absolute path", 38 },
	{ S("\"name\":\"a\",\"cgroup\":\"/\""), "must not be /", 38 },
	{ S("\"name\":\"a\",\"cgroup\":\"/a/\""), "without //", 38 },
	{ S("\"name\":\"a\",\"cgroup\":\"/a//b\""), "without //", 38 },
	{ S("\"name\":\"a\",\"cgroup\":\"/a/../b\""), "without //", 38 },
	{ S("\"name\":\"a\",\"cgroup\":\"/a/.\""), "without //", 38 },
	{ S("\"name\":\"a\",\"cgroup\":\"/..\""), "without //", 38 },
	{ S("\"name\":\"a\",\"cgroup\":\"//\""), "without //", 38 },
	{ S("\"name\":\"a\",\"cgroup\":\"/a\\n\""), "control characters", 38 },
	{ S("\"name\":\"a\",\"executable\":\"sh\""), "an absolute path", 38 },
	{ S("\"name\":\"a\",\"pidfile\":\"\""), "an absolute path", 38 },
	{ S("\"name\":\"a\",\"container\":\"0123456789a\""), "12 to 64 hex", 38 },
	{ S("\"name\":\"a\",\"container\":\"0123456789AB\""), "12 to 64 hex", 38 },
	{ S("\"name\":\"a\",\"command\":\"/x\""), "must be an array", 38 },
	{ S("\"name\":\"a\",\"command\":[]"), "1 to 64 strings", 38 },
	{ S("\"name\":\"a\",\"command\":[\"/x\",1]"), "must be a string", 54 },
	{ S("\"name\":\"a\",\"command\":[\"x\"]"), "the program must be an absolute", 49 },
	{ S("\"name\":\"a\",\"command\":[\"/bin/../x\"]"), "the program must be written", 49 },
	{ S("\"name\":\"a\",\"cgroup\":\"/a\",\"user\":\"x\""), "applies only to a \"command\"",
	  52 },
	{ S("\"name\":\"a\",\"cgroup\":\"/a\",\"directory\":\"/\""), "applies only to", 52 },
	{ S("\"name\":\"a\",\"cgroup\":\"/a\",\"limits\":{}"), "applies only to", 52 },
	{ S("\"name\":\"a\",\"cgroup\":\"/a\",\"stop_timeout\":\"1s\""), "applies only to", 52 },
	{ S("\"name\":\"a\",\"cgroup\":\"/a\",\"autostart\":true"), "applies only to", 52 },
	{ S("\"name\":\"a\",\"cgroup\":\"/a\",\"stop_signal\":\"SIGINT\""), "applies only to", 52 },
	{ C("\"user\":\"\""), "a user's name", 0 },
	{ C("\"user\":\"a:b\""), "a user's name", 0 },
	{ C("\"directory\":\"tmp\""), "an absolute path", 0 },
	{ C("\"stop_timeout\":\"99ms\""), "from 100ms to 15m00s", 0 },
	{ C("\"stop_timeout\":\"16m\""), "from 100ms to 15m00s", 0 },
	{ C("\"limits\":{\"memory\":\"1023KiB\"}"), "at least 1.0 MiB", 0 },
	{ C("\"limits\":{\"pids\":0}"), "from 1 to", 0 },
	{ C("\"limits\":{\"nofile\":7}"), "from 8 to", 0 },
	{ C("\"limits\":{\"cpu\":1}"), "unknown key", 0 },
	{ C("\"group\":\"\""), "must not be empty", 0 },
	{ S("\"name\":\"a\",\"cgroup\":\"/a\"},{\"name\":\"a\",\"cgroup\":\"/b\""),
	  "is there twice, first in line 1", 53 },
	{ S("\"name\":\"a\",\"cgroup\":\"/a\"},{\"name\":\"b\",\"cgroup\":\"/a\""),
	  "the same cgroup as service \"a\"", 53 },
};

static void what_is_wrong_is_refused_at_its_place(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < KM_ARRAY_SIZE(bad); i++) {
		struct km_config *c = NULL;
		struct km_error err = { .what = "" };

		if (km_config_compile(bad[i].text, strlen(bad[i].text), "c.json", &err, &c) !=
		    -EBADMSG)
			fail_msg("%s passed", bad[i].text);
		if (!strstr(err.what, bad[i].what) || err.line != 1 ||
		    (bad[i].column && err.column != bad[i].column))
			fail_msg("%s: %u:%u: %s", bad[i].text, err.line, err.column, err.what);
		assert_null(c);
		assert_string_equal(err.file, "c.json");
	}
}

static int compile_many(size_t count, struct km_error *err)
{
	km_autofree(km_config_freep) struct km_config *c = NULL;
	km_autofree(km_buf_freep) struct km_buf *b = NULL;
	size_t i;
	int r;

	assert_int_equal(km_buf_new(KM_CONFIG_BYTES_MAX, &b), 0);
	km_buf_addf(b, "{\"version\":1,\"services\":[");
	for (i = 0; i < count; i++)
		km_buf_addf(b, "%s{\"name\":\"s%zu\",\"cgroup\":\"/%zu\",\"group\":\"g\"}",
		            i ? ",\n" : "", i, i);
	km_buf_addf(b, "]}");
	assert_int_equal(km_buf_error(b), 0);
	r = km_config_compile(b->data, b->len, "c.json", err, &c);
	if (r == 0)
		assert_int_equal(km_config_service(c, "s7")->instances, count);
	return r;
}

static void the_largest_number_of_services_passes_and_one_more_does_not(void **state)
{
	struct km_error err;

	(void)state;
	assert_int_equal(compile_many(KM_SERVICES_MAX, &err), 0);
	assert_int_equal(compile_many(KM_SERVICES_MAX + 1, &err), -EBADMSG);
	assert_string_equal(err.what, "more than 2048 services");
	assert_int_equal(err.line, KM_SERVICES_MAX + 1);
}

static int compile_arguments(size_t count, size_t len, struct km_error *err)
{
	km_autofree(km_config_freep) struct km_config *c = NULL;
	km_autofree(km_buf_freep) struct km_buf *b = NULL;
	size_t i;

	assert_int_equal(km_buf_new(KM_CONFIG_BYTES_MAX, &b), 0);
	km_buf_addf(b, "{\"version\":1,\"services\":[{\"name\":\"a\",\"command\":[\"/x\"");
	for (i = 1; i < count; i++)
		km_buf_addf(b, ",\"%0*d\"", (int)len, 0);
	km_buf_addf(b, "]}]}");
	return km_config_compile(b->data, b->len, "c.json", err, &c);
}

static void commands_are_bounded(void **state)
{
	struct km_error err;

	(void)state;
	assert_int_equal(compile_arguments(KM_ARGV_MAX, 1, &err), 0);
	assert_int_equal(compile_arguments(KM_ARGV_MAX + 1, 1, &err), -EBADMSG);
	assert_int_equal(compile_arguments(2, KM_ARG_MAX - 1, &err), 0);
	assert_int_equal(compile_arguments(2, KM_ARG_MAX, &err), -EBADMSG);
}

static int compile_name(size_t name_len, size_t path_len, struct km_error *err)
{
	km_autofree(km_config_freep) struct km_config *c = NULL;
	km_autofree(km_buf_freep) struct km_buf *b = NULL;

	assert_int_equal(km_buf_new(KM_CONFIG_BYTES_MAX, &b), 0);
	km_buf_addf(b, "{\"version\":1,\"services\":[{\"name\":\"%0*d\",\"cgroup\":\"/%0*d\"}]}",
	            (int)name_len, 0, (int)path_len - 1, 0);
	return km_config_compile(b->data, b->len, "c.json", err, &c);
}

static void names_and_paths_are_bounded(void **state)
{
	struct km_error err;

	(void)state;
	assert_int_equal(compile_name(KM_NAME_MAX - 1, 5, &err), 0);
	assert_int_equal(compile_name(KM_NAME_MAX, 5, &err), -EBADMSG);
	assert_string_equal(err.what, "\"name\" is longer than 255 bytes");
	assert_int_equal(compile_name(5, KM_PATH_MAX - 1, &err), 0);
	assert_int_equal(compile_name(5, KM_PATH_MAX, &err), -EBADMSG);
}

static void a_name_that_is_too_long_is_not_found(void **state)
{
	km_autofree(km_config_freep) struct km_config *c = compile(every_way);
	char longer[KM_NAME_MAX + 1];

	(void)state;
	memset(longer, 'a', KM_NAME_MAX);
	longer[KM_NAME_MAX] = '\0';
	assert_null(km_config_service(c, longer));
	assert_null(km_config_service(c, ""));
	assert_null(km_config_service(c, "WEB"));
}

static void every_kind_has_a_name(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < KM_SERVICE_KIND_MAX; i++)
		assert_non_null(km_service_kind_names[i]);
	assert_null(km_service_kind_names[KM_SERVICE_KIND_MAX]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_text_is_the_defaults),
		cmocka_unit_test(the_shortest_text_is_the_defaults_too),
		cmocka_unit_test(settings_are_read),
		cmocka_unit_test(every_way_to_find_a_service_is_read),
		cmocka_unit_test(a_command_has_its_settings_or_their_defaults),
		cmocka_unit_test(instances_of_a_group_are_counted),
		cmocka_unit_test(what_is_wrong_is_refused_at_its_place),
		cmocka_unit_test(the_largest_number_of_services_passes_and_one_more_does_not),
		cmocka_unit_test(commands_are_bounded),
		cmocka_unit_test(names_and_paths_are_bounded),
		cmocka_unit_test(a_name_that_is_too_long_is_not_found),
		cmocka_unit_test(every_kind_has_a_name),
	};

	return cmocka_run_group_tests_name("base/config", tests, NULL, NULL);
}
