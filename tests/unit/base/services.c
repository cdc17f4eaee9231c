// SPDX-License-Identifier: Apache-2.0
/* Services in several texts: what they say of one another, and of what they are. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/config.h"

#define TEXTS_MAX 4

/* Texts end with NULL; the first one is the configuration file, the others are of services.d. */
static int compile_all(const char *const *text, struct km_error *err, struct km_config **ret)
{
	static const char *const files[TEXTS_MAX] = { "kmend.json", "services.d/a.json",
		                                      "services.d/b.json", "services.d/c.json" };
	struct km_config_text texts[TEXTS_MAX];
	size_t n;

	for (n = 0; text[n]; n++)
		texts[n] = (struct km_config_text){ files[n], text[n], strlen(text[n]), n > 0 };
	return km_config_compile_texts(texts, n, err, ret);
}

#define S(list)   "{\"version\":1,\"services\":[" list "]}"
#define A(n, etc) "{\"name\":\"" n "\",\"cgroup\":\"/" n "\"" etc "}"

static struct km_config *compile(const char *one, const char *two)
{
	const char *const text[] = { one, two, NULL };
	struct km_config *c = NULL;
	struct km_error err;

	if (compile_all(text, &err, &c) < 0)
		fail_msg("%s:%u:%u: %s", err.file, err.line, err.column, err.what);
	return c;
}

static void services_of_all_files_are_one_set(void **state)
{
	km_autofree(km_config_freep) struct km_config *c =
		compile("{\"version\":1,\"settings\":{\"horizon\":\"2h\"}}",
	                S(A("web", ",\"needs\":[\"db\"],\"group\":\"g\"") "," A("db", "") "," A(
				"web2", ",\"group\":\"g\"")));

	(void)state;
	assert_int_equal(c->service_count, 3);
	assert_true(c->settings.horizon_ns == 7200 * KM_NS_PER_S);
	assert_int_equal(km_config_service(c, "web")->instances, 2);
	assert_int_equal(km_config_service(c, "web")->need_count, 1);
}

static void labels_are_kept_as_written(void **state)
{
	km_autofree(km_config_freep) struct km_config *c =
		compile(S(A("a", ",\"labels\":{\"tier\":\"front\",\"team/owner\":\"a.b\"}")), NULL);
	const struct km_service_def *d = km_config_service(c, "a");

	(void)state;
	assert_int_equal(d->label_count, 2);
	assert_string_equal(km_config_label(d, "tier"), "front");
	assert_string_equal(km_config_label(d, "team/owner"), "a.b");
	assert_null(km_config_label(d, "Tier"));
}

static void a_found_service_is_adopted_by_one_line(void **state)
{
	km_autofree(km_config_freep) struct km_config *c =
		compile(S("{\"unit\":\"nginx.service\"},{\"container\":\"0123456789abcdef\"}"),
	                NULL);

	(void)state;
	assert_string_equal(km_config_service(c, "nginx.service")->match, "nginx.service");
	assert_string_equal(km_config_service(c, "0123456789ab")->match, "0123456789abcdef");
}

static void instances_are_numbered_services_of_one_group(void **state)
{
	km_autofree(km_config_freep) struct km_config *c = compile(
		S("{\"name\":\"w\",\"command\":[\"/x\",\"--port=80%i\",\"%i%i\"],"
	          "\"directory\":\"/srv/%i\",\"instances\":12,\"stop_signal\":\"SIGQUIT\"}"),
		NULL);
	const struct km_service_def *d = km_config_service(c, "w@11");

	(void)state;
	assert_int_equal(c->service_count, 12);
	assert_null(km_config_service(c, "w"));
	assert_string_equal(d->argv[1], "--port=8011");
	assert_string_equal(d->argv[2], "1111");
	assert_string_equal(d->directory, "/srv/11");
	assert_string_equal(d->group, "w");
	assert_int_equal(d->instances, 12);
	assert_int_equal(d->stop_signal, SIGQUIT);
}

static void health_checks_are_read_with_their_defaults(void **state)
{
	km_autofree(km_config_freep) struct km_config *c =
		compile(S("{\"name\":\"w\",\"unit\":\"w@%i.service\",\"instances\":2,\"health\":["
	                  "{\"tcp\":\"127.0.0.1:808%i\",\"every\":\"500ms\"},"
	                  "{\"http\":\"https://w%i.example:8443/x\",\"address\":\"[::1]:844%i\","
	                  "\"certificate\":\"any\",\"name\":\"page\"}]}"),
	                NULL);
	const struct km_service_def *d = km_config_service(c, "w@2");

	(void)state;
	assert_string_equal(d->match, "w@2.service");
	assert_int_equal(d->check_count, 2);
	assert_string_equal(d->checks[0].name, "tcp");
	assert_string_equal(d->checks[0].target, "127.0.0.1:8082");
	assert_true(d->checks[0].timeout_ns == 500 * KM_NS_PER_MS);
	assert_int_equal(d->checks[0].rise, 2);
	assert_int_equal(d->checks[0].fall, 3);
	assert_string_equal(d->checks[1].name, "page");
	assert_string_equal(d->checks[1].target, "https://w2.example:8443/x");
	assert_string_equal(d->checks[1].address, "[::1]:8442");
	assert_true(d->checks[1].any_certificate);
	assert_true(d->checks[1].every_ns == 10 * KM_NS_PER_S);
}

static void ranks_rise_along_needs(void **state)
{
	km_autofree(km_config_freep) struct km_config *c =
		compile(S(A("web", ",\"needs\":[\"app\",\"db\"]") "," A("app",
	                                                                ",\"needs\":[\"db\"]")),
	                S(A("db", "") "," A("alone", "")));
	const struct km_service_def *web = km_config_service(c, "web");
	struct km_service_set set;
	size_t n = 0;

	(void)state;
	assert_int_equal(web->rank, 2);
	assert_int_equal(km_config_service(c, "app")->rank, 1);
	assert_int_equal(km_config_service(c, "db")->rank, 0);
	km_config_needed(c, web, &set);
	for (size_t i = 0; i < c->service_count; i++)
		n += km_service_set_has(&set, i);
	assert_int_equal(n, 2);
	assert_true(km_service_set_has(&set, (size_t)(km_config_service(c, "db") - c->services)));
	km_config_needed(c, km_config_service(c, "db"), &set);
	for (size_t i = 0; i < c->service_count; i++)
		assert_false(km_service_set_has(&set, i));
}

/* Diamond below diamond: each service is looked at once, however many ways lead to it. */
static void many_ways_to_one_service_cost_no_more_than_one(void **state)
{
	km_autofree(km_config_freep) struct km_config *c = NULL;
	km_autofree(km_buf_freep) struct km_buf *b = NULL;
	struct km_service_set set;
	struct km_error err;

	(void)state;
	assert_int_equal(km_buf_new(KM_CONFIG_BYTES_MAX, &b), 0);
	km_buf_addf(b, "{\"version\":1,\"services\":[" A("a0", "") "," A("b0", ""));
	for (int i = 1; i < KM_SERVICES_MAX / 2; i++)
		km_buf_addf(b,
		            ",{\"name\":\"a%d\",\"cgroup\":\"/a%d\",\"needs\":[\"a%d\",\"b%d\"]},"
		            "{\"name\":\"b%d\",\"cgroup\":\"/b%d\",\"needs\":[\"a%d\",\"b%d\"]}",
		            i, i, i - 1, i - 1, i, i, i - 1, i - 1);
	km_buf_addf(b, "]}");
	assert_int_equal(km_config_compile(b->data, b->len, "c.json", &err, &c), 0);
	assert_int_equal(km_config_service(c, "a1023")->rank, KM_SERVICES_MAX / 2 - 1);
	km_config_needed(c, km_config_service(c, "a1023"), &set);
	assert_false(
		km_service_set_has(&set, (size_t)(km_config_service(c, "b1023") - c->services)));
	assert_true(km_service_set_has(&set, (size_t)(km_config_service(c, "b0") - c->services)));
}

static const struct {
	const char *text[TEXTS_MAX];
	const char *what, *file;
} bad[] = {
	{ { S(A("a", "")), S(A("a", "")) },
	  "there twice, first in kmend.json:1",
	  "services.d/a.json" },
	{ { S(A("a", "")), S("{\"name\":\"b\",\"cgroup\":\"/a\"}") },
	  "the same cgroup as service \"a\" in kmend.json:1",
	  "services.d/a.json" },
	{ { S(""), S(A("a", "")), S(A("a", "")) },
	  "first in services.d/a.json:1",
	  "services.d/b.json" },
	{ { S(""), "{\"version\":1,\"settings\":{}}" },
	  "settings do not stand in services.d",
	  "services.d/a.json" },
	{ { S(""), "{\"services\":[]}" }, "\"version\" is missing", "services.d/a.json" },
	{ { S(A("a", ",\"needs\":[\"b\"]")) },
	  "\"a\" needs \"b\", which no text defines",
	  "kmend.json" },
	{ { S(A("a", ",\"needs\":[\"a\"]")) }, "a cycle of needs: a -> a", "kmend.json" },
	{ { S(A("a", ",\"needs\":[\"b\"]")), S(A("b", ",\"needs\":[\"c\"]")),
	    S(A("c", ",\"needs\":[\"b\"]")) },
	  "a cycle of needs: b -> c -> b",
	  "services.d/b.json" },
	{ { S(A("a", ",\"needs\":[]")) }, "must have 1 to 32 strings", "kmend.json" },
	{ { S(A("a", ",\"needs\":[1]")) }, "a service's name must be a string", "kmend.json" },
	{ { S(A("a", ",\"labels\":{\"a b\":\"c\"}")) }, "the label's name may have", "kmend.json" },
	{ { S(A("a", ",\"labels\":{\"a\":\"\"}")) },
	  "the label's value must not be empty",
	  "kmend.json" },
	{ { S(A("a", ",\"labels\":{\"a\":1}")) }, "value must be a string", "kmend.json" },
	{ { S(A("a", ",\"instances\":65")) }, "from 1 to 64", "kmend.json" },
	{ { S(A("a", ",\"instances\":2")) }, "the same cgroup as service \"a@1\"", "kmend.json" },
	{ { S(A("a", ",\"health\":[{\"tcp\":\"localhost:80\"}]")) },
	  "must be like 127.0.0.1:80",
	  "kmend.json" },
	{ { S(A("a", ",\"health\":[{\"tcp\":\"127.0.0.1:0\"}]")) },
	  "must be like 127.0.0.1:80",
	  "kmend.json" },
	{ { S(A("a", ",\"health\":[{\"tcp\":\"[::1]:65536\"}]")) },
	  "must be like 127.0.0.1:80",
	  "kmend.json" },
	{ { S(A("a", ",\"health\":[{\"unix\":\"127.0.0.1:80\"}]")) },
	  "must be an absolute path",
	  "kmend.json" },
	{ { S(A("a", ",\"health\":[{\"every\":\"1s\"}]")) },
	  "nothing says what is checked",
	  "kmend.json" },
	{ { S(A("a", ",\"health\":[{\"tcp\":\"127.0.0.1:1\",\"redis\":\"127.0.0.1:1\"}]")) },
	  "both \"tcp\" and \"redis\" in one check",
	  "kmend.json" },
	{ { S(A("a", ",\"health\":[{\"tcp\":\"127.0.0.1:1\",\"status\":200}]")) },
	  "\"status\" applies only to \"http\"",
	  "kmend.json" },
	{ { S(A("a", ",\"health\":[{\"http\":\"http://web.example/\"}]")) },
	  "no resolver is asked",
	  "kmend.json" },
	{ { S(A("a", ",\"health\":[{\"http\":\"http://user@127.0.0.1/\"}]")) },
	  "must be like http://127.0.0.1:8080/path",
	  "kmend.json" },
	{ { S(A("a", ",\"health\":[{\"http\":\"ftp://127.0.0.1/\"}]")) },
	  "must be like http://127.0.0.1:8080/path",
	  "kmend.json" },
	{ { S(A("a", ",\"health\":[{\"http\":\"http://127.0.0.1/\",\"body\":\"(\"}]")) },
	  "no valid pattern, at character 1",
	  "kmend.json" },
	{ { S(A("a", ",\"health\":[{\"dns\":\"127.0.0.1:53\"}]")) },
	  "\"dns\" needs \"query\"",
	  "kmend.json" },
	{ { S(A("a", ",\"health\":[{\"dns\":\"127.0.0.1:53\",\"query\":\"a..b\"}]")) },
	  "without a dot at its end",
	  "kmend.json" },
	{ { S(A("a", ",\"health\":[{\"udp\":\"127.0.0.1:53\"}]")) },
	  "\"udp\" needs \"send\"",
	  "kmend.json" },
	{ { S(A("a", ",\"health\":[{\"file\":\"/x\"}]")) },
	  "\"file\" needs \"within\"",
	  "kmend.json" },
	{ { S(A("a", ",\"health\":[{\"watchdog\":\"5s\"}]")) },
	  "applies only to a \"command\"",
	  "kmend.json" },
	{ { S(A("a",
	        ",\"health\":[{\"tcp\":\"127.0.0.1:1\",\"every\":\"1s\",\"timeout\":\"2s\"}]")) },
	  "\"timeout\" is longer than \"every\"",
	  "kmend.json" },
	{ { S(A("a", ",\"health\":[{\"tcp\":\"127.0.0.1:1\"},{\"tcp\":\"127.0.0.1:2\"}]")) },
	  "two checks of the service are called \"tcp\"",
	  "kmend.json" },
	{ { S(A("a", ",\"health\":[{\"exec\":[\"x\"]}]")) },
	  "the program must be an absolute path",
	  "kmend.json" },
	{ { S("{\"name\":\"a\",\"command\":[\"/x\"],\"stop_signal\":\"SIGSEGV\"}") },
	  "SIGSEGV",
	  "kmend.json" },
};

static void what_is_wrong_is_refused_in_its_file(void **state)
{
	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(bad); i++) {
		struct km_config *c = NULL;
		struct km_error err = { .what = "" };

		if (compile_all(bad[i].text, &err, &c) != -EBADMSG)
			fail_msg("%s passed", bad[i].text[0]);
		if (!strstr(err.what, bad[i].what) || strcmp(err.file, bad[i].file) ||
		    err.line != 1)
			fail_msg("%s: %s:%u: %s", bad[i].text[0], err.file, err.line, err.what);
		assert_null(c);
	}
}

static int compile_labels(size_t count, size_t len)
{
	km_autofree(km_config_freep) struct km_config *c = NULL;
	km_autofree(km_buf_freep) struct km_buf *b = NULL;
	struct km_error err;

	assert_int_equal(km_buf_new(KM_CONFIG_BYTES_MAX, &b), 0);
	km_buf_addf(b,
	            "{\"version\":1,\"services\":[{\"name\":\"a\",\"cgroup\":\"/a\",\"labels\":{");
	for (size_t i = 0; i < count; i++)
		km_buf_addf(b, "%s\"l%zu\":\"%0*d\"", i ? "," : "", i, (int)len, 0);
	km_buf_addf(b, "}}]}");
	return km_config_compile(b->data, b->len, "c.json", &err, &c);
}

static void labels_are_bounded(void **state)
{
	(void)state;
	assert_int_equal(compile_labels(KM_LABELS_MAX, 1), 0);
	assert_int_equal(compile_labels(KM_LABELS_MAX + 1, 1), -EBADMSG);
	assert_int_equal(compile_labels(1, KM_LABEL_MAX - 1), 0);
	assert_int_equal(compile_labels(1, KM_LABEL_MAX), -EBADMSG);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(services_of_all_files_are_one_set),
		cmocka_unit_test(labels_are_kept_as_written),
		cmocka_unit_test(a_found_service_is_adopted_by_one_line),
		cmocka_unit_test(instances_are_numbered_services_of_one_group),
		cmocka_unit_test(health_checks_are_read_with_their_defaults),
		cmocka_unit_test(ranks_rise_along_needs),
		cmocka_unit_test(many_ways_to_one_service_cost_no_more_than_one),
		cmocka_unit_test(what_is_wrong_is_refused_in_its_file),
		cmocka_unit_test(labels_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
