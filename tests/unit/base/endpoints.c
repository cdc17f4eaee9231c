// SPDX-License-Identifier: Apache-2.0
/* Endpoints of a service in the configuration, and the checks that look at their places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/config.h"
#include "base/peer.h"

static int compile(const char *health, const char *endpoints, struct km_error *err,
                   struct km_config **ret)
{
	char text[8192];

	snprintf(text, sizeof(text),
	         "{\"version\":1,\"services\":[{\"name\":\"web\",\"cgroup\":\"/"
	         "web\",\"health\":[%s],"
	         "\"endpoints\":[%s]}]}",
	         health, endpoints);
	return km_config_compile(text, strlen(text), "kmend.json", err, ret);
}

static const struct km_service_def *good(const char *health, const char *endpoints,
                                         struct km_config **ret)
{
	struct km_error err;

	if (compile(health, endpoints, &err, ret) < 0)
		fail_msg("%s", err.what);
	return &(*ret)->services[0];
}

#define DB(more)                                          \
	"{\"name\":\"db\",\"primary\":\"10.0.0.5:5432\"," \
	"\"standbys\":[\"10.0.0.6:5432\",\"10.0.0.7:5433\"]" more "}"

static void places_are_the_primary_and_its_standbys_in_order(void **state)
{
	km_autofree(km_config_freep) struct km_config *c = NULL;
	const struct km_service_def *d = good("", DB(""), &c);
	const struct km_endpoint *e = km_config_endpoint(d, "db");
	char text[KM_PEER_TEXT];

	(void)state;
	assert_int_equal(d->endpoint_count, 1);
	assert_null(km_config_endpoint(d, "cache"));
	assert_int_equal(e->places, 3);
	km_peer_text(&e->place[2].address, text);
	assert_string_equal(text, "10.0.0.7:5433");
	assert_string_equal(e->place[0].check, "");
}

/* One definition is enough: the standbys are looked at in the same way. */
static void a_check_of_the_primary_is_made_for_each_standby(void **state)
{
	km_autofree(km_config_freep) struct km_config *c = NULL;
	const struct km_service_def *d = good("{\"name\":\"up\",\"tcp\":\"127.0.0.1:80\"},"
	                                      "{\"name\":\"pg\",\"postgres\":\"10.0.0.5:5432\","
	                                      "\"every\":\"200ms\",\"timeout\":\"100ms\"}",
	                                      DB(",\"check\":\"pg\""), &c);
	const struct km_endpoint *e = &d->endpoints[0];

	(void)state;
	assert_int_equal(d->check_count, 4);
	assert_string_equal(e->place[0].check, "pg");
	assert_string_equal(e->place[1].check, "pg#1");
	assert_string_equal(e->place[2].check, "pg#2");
	assert_string_equal(d->checks[3].name, "pg#2");
	assert_string_equal(d->checks[3].target, "10.0.0.7:5433");
	assert_int_equal(d->checks[3].every_ns, 200 * KM_NS_PER_MS);
	assert_false(d->checks[0].aside);
	assert_true(d->checks[1].aside && d->checks[2].aside && d->checks[3].aside);
	assert_true(km_service_is_checked(d));
}

static void an_http_check_keeps_its_url_and_goes_to_the_standby(void **state)
{
	km_autofree(km_config_freep) struct km_config *c = NULL;
	const struct km_service_def *d =
		good("{\"name\":\"h\",\"http\":\"http://api.example/ok\",\"body\":\"yes\","
	             "\"address\":\"10.0.0.5:5432\"}",
	             DB(",\"check\":\"h\""), &c);

	(void)state;
	assert_int_equal(d->check_count, 3);
	assert_string_equal(d->checks[1].target, "http://api.example/ok");
	assert_string_equal(d->checks[1].address, "10.0.0.6:5432");
	assert_string_equal(d->checks[1].body, "yes");
	assert_false(km_service_is_checked(d));
}

/* Whom it talks to is not the primary's address: nobody knows whom to ask instead. */
static void a_check_of_something_else_is_the_primarys_alone(void **state)
{
	km_autofree(km_config_freep) struct km_config *c = NULL;
	const struct km_service_def *d =
		good("{\"name\":\"t\",\"tcp\":\"10.0.0.5:8008\"}", DB(",\"check\":\"t\""), &c);

	(void)state;
	assert_int_equal(d->check_count, 1);
	assert_string_equal(d->endpoints[0].place[1].check, "");
}

static void what_cannot_work_is_refused_with_its_remedy(void **state)
{
	static const struct {
		const char *health, *endpoints, *what;
	} bad[] = {
		{ "", "{\"name\":\"db\",\"primary\":\"db:5432\",\"standbys\":[\"10.0.0.6:1\"]}",
		  "no address" },
		{ "", "{\"name\":\"db\",\"primary\":\"10.0.0.5:1\",\"standbys\":[\"[::1]:1\"]}",
		  "kind" },
		{ "", "{\"name\":\"db\",\"primary\":\"10.0.0.5:1\",\"standbys\":[\"10.0.0.5:1\"]}",
		  "already" },
		{ "",
		  "{\"name\":\"db\",\"primary\":\"10.0.0.5:1\",\"standbys\":[\"10.0.0.6:1\","
		  "\"10.0.0.6:1\"]}",
		  "already" },
		{ "", "{\"name\":\"db\",\"primary\":\"10.0.0.5:1\",\"standbys\":[]}", "standbys" },
		{ "", "{\"name\":\"a/b\",\"primary\":\"10.0.0.5:1\",\"standbys\":[\"10.0.0.6:1\"]}",
		  "letters" },
		{ "", DB("") "," DB(""), "two endpoints are called" },
		{ "",
		  DB("") ",{\"name\":\"x\",\"primary\":\"10.0.0.5:5432\","
		         "\"standbys\":[\"10.0.0.6:1\"]}",
		  "same primary" },
		{ "", DB(",\"check\":\"pg\""), "no check" },
		{ "{\"name\":\"pg\",\"tcp\":\"10.0.0.5:5432\"}",
		  DB(",\"check\":\"pg\"") ",{\"name\":\"x\",\"primary\":\"10.0.0.9:1\","
		                          "\"standbys\":[\"10.0.0.6:1\"],\"check\":\"pg\"}",
		  "another endpoint" },
		{ "", "", "endpoints" },
	};

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(bad); i++) {
		struct km_config *c = NULL;
		struct km_error err = { 0 };

		assert_int_equal(compile(bad[i].health, bad[i].endpoints, &err, &c), -EBADMSG);
		if (!strstr(err.what, bad[i].what))
			fail_msg("%zu: %s", i, err.what);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_are_the_primary_and_its_standbys_in_order),
		cmocka_unit_test(a_check_of_the_primary_is_made_for_each_standby),
		cmocka_unit_test(an_http_check_keeps_its_url_and_goes_to_the_standby),
		cmocka_unit_test(a_check_of_something_else_is_the_primarys_alone),
		cmocka_unit_test(what_cannot_work_is_refused_with_its_remedy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
