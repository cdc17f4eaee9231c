// SPDX-License-Identifier: Apache-2.0
/* "files", "commands" and "maintenance" of a policy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/policy.h"

static const char *why(const char *members, struct km_policy **ret)
{
	static struct km_error err;
	char text[8192];
	int n = snprintf(text, sizeof(text), "{\"version\":1,%s}", members);

	*ret = NULL;
	memset(&err, 0, sizeof(err));
	return km_policy_compile(text, (size_t)n, "policy", &err, ret) < 0 ? err.what : NULL;
}

static void lists_are_found_by_their_names_with_their_defaults(void **state)
{
	struct km_policy *p;

	(void)state;
	assert_null(
		why("\"files\":[{\"name\":\"old\",\"root\":\"/var/tmp/x\",\"patterns\":[\"*.o\","
	            "\"sub/*\"],\"may\":[\"free_space\"]},{\"name\":\"log\",\"root\":\"/v/l\","
	            "\"patterns\":[\"a.log\"],\"may\":[\"rotate\",\"truncate\"],\"older\":\"2h\","
	            "\"count\":7,\"bytes\":\"1KiB\"}],"
	            "\"commands\":[{\"name\":\"c\",\"argv\":[\"/bin/true\",\"x\"],"
	            "\"user\":\"nobody\"}]",
	            &p));
	assert_null(km_policy_files(p, "none"));
	assert_null(km_policy_program(p, "old"));
	assert_int_equal(km_policy_files(p, "old")->older_ns, 86400 * KM_NS_PER_S);
	assert_int_equal(km_policy_files(p, "old")->count, 1000);
	assert_true(km_policy_files(p, "old")->may[KM_FREE_SPACE]);
	assert_false(km_policy_files(p, "old")->may[KM_ROTATE]);
	assert_string_equal(km_policy_files(p, "old")->patterns[1], "sub/*");
	assert_int_equal(km_policy_files(p, "log")->count, 7);
	assert_int_equal(km_policy_files(p, "log")->bytes, 1024);
	assert_true(km_policy_files(p, "log")->may[KM_TRUNCATE]);
	assert_string_equal(km_policy_program(p, "c")->argv[1], "x");
	assert_string_equal(km_policy_program(p, "c")->user, "nobody");
	km_policy_free(p);
}

static void at_times_of_maintenance_people_work_on_the_services_it_names(void **state)
{
	static const uint64_t monday = 4 * 86400; /* 1970-01-05 */
	struct km_policy *p;

	(void)state;
	assert_null(why("\"maintenance\":[{\"services\":[\"db-*\",\"web\"],\"window\":{\"days\":"
	                "[\"mon\"],\"from\":\"02:00\",\"to\":\"04:00\"}},{\"services\":[\"*\"],"
	                "\"window\":{\"from\":\"23:00\",\"to\":\"23:30\"}}]",
	                &p));
	assert_true(km_policy_maintains(p, "db-1", monday + 2 * 3600));
	assert_true(km_policy_maintains(p, "web", monday + 4 * 3600 - 1));
	assert_false(km_policy_maintains(p, "web", monday + 4 * 3600));
	assert_false(km_policy_maintains(p, "other", monday + 2 * 3600));
	assert_false(km_policy_maintains(p, "db-1", monday + 86400 + 2 * 3600));
	assert_true(km_policy_maintains(p, "other", monday + 86400 + 23 * 3600));
	km_policy_free(p);
	assert_null(why("\"maintenance\":[]", &p));
	assert_false(km_policy_maintains(p, "db-1", monday + 2 * 3600));
	km_policy_free(p);
}

#define FILES(member) \
	"\"files\":[{\"name\":\"a\",\"root\":\"/r\",\"patterns\":[\"*\"],\"may\":[]," member "}]"

static void what_cannot_be_reviewed_is_refused(void **state)
{
	static const struct {
		const char *members, *what;
	} bad[] = {
		{ "\"files\":{}", "array" },
		{ "\"files\":[1]", "an object" },
		{ "\"files\":[{\"name\":\"a\"}]", "missing" },
		{ FILES("\"older\":\"59s\""), "must be from" },
		{ FILES("\"count\":0"), "must be from" },
		{ FILES("\"count\":10001"), "must be from" },
		{ FILES("\"bytes\":\"0B\""), "must be from" },
		{ FILES("\"shell\":true"), "unknown key" },
		{ "\"files\":[{\"name\":\"../a\",\"root\":\"/r\",\"patterns\":[\"*\"],\"may\":[]}]",
		  "the name" },
		{ "\"files\":[{\"name\":\"a\",\"root\":\"/\",\"patterns\":[\"*\"],\"may\":[]}]",
		  "the root" },
		{ "\"files\":[{\"name\":\"a\",\"root\":\"r\",\"patterns\":[\"*\"],\"may\":[]}]",
		  "the root" },
		{ "\"files\":[{\"name\":\"a\",\"root\":\"/r/../"
		  "x\",\"patterns\":[\"*\"],\"may\":[]}]",
		  "the root" },
		{ "\"files\":[{\"name\":\"a\",\"root\":\"/r\",\"patterns\":[],\"may\":[]}]", "" },
		{ "\"files\":[{\"name\":\"a\",\"root\":\"/r\",\"patterns\":[\"../x\"],\"may\":[]}]",
		  "a pattern" },
		{ "\"files\":[{\"name\":\"a\",\"root\":\"/r\",\"patterns\":[\"/x\"],\"may\":[]}]",
		  "a pattern" },
		{ "\"files\":[{\"name\":\"a\",\"root\":\"/r\",\"patterns\":[\"*\"],"
		  "\"may\":[\"run\"]}]",
		  "cannot be done" },
		{ "\"files\":[{\"name\":\"a\",\"root\":\"/r\",\"patterns\":[\"*\"],\"may\":[]},"
		  "{\"name\":\"a\",\"root\":\"/s\",\"patterns\":[\"*\"],\"may\":[]}]",
		  "already" },
		{ "\"commands\":[{\"name\":\"a\",\"argv\":[\"true\"]}]", "the program" },
		{ "\"commands\":[{\"name\":\"a\",\"argv\":[]}]", "" },
		{ "\"commands\":[{\"name\":\"a\",\"argv\":[\"/bin/true\"],\"user\":\"a b\"}]",
		  "user" },
		{ "\"maintenance\":[{\"services\":[\"*\"]}]", "missing" },
		{ "\"maintenance\":[{\"services\":[],\"window\":{\"from\":\"02:00\","
		  "\"to\":\"03:00\"}}]",
		  "" },
		{ "\"maintenance\":[{\"services\":[\"*\"],\"window\":{\"from\":\"2:00\","
		  "\"to\":\"03:00\"}}]",
		  "no time of the day" },
		{ "\"commands\":[{\"name\":\"-a\",\"argv\":[\"/bin/true\"]}]", "the name" },
	};

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(bad); i++) {
		struct km_policy *p;
		const char *what = why(bad[i].members, &p);

		if (!what || !strstr(what, bad[i].what))
			fail_msg("%s: %s", bad[i].members, what ? what : "accepted");
	}
}

static void there_is_room_for_so_many_lists(void **state)
{
	char text[8192] = "";
	struct km_policy *p;
	size_t len = 0;

	(void)state;
	for (int i = 0; i <= KM_POLICY_LISTS_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		                        "%s{\"name\":\"n%d\",\"argv\":[\"/bin/true\"]}",
		                        i ? "," : "\"commands\":[", i);
	snprintf(text + len, sizeof(text) - len, "]");
	assert_string_equal(why(text, &p), "more than 64 of them");
	/* One less is not too many. */
	strcpy(strstr(text, ",{\"name\":\"n64\""), "]");
	assert_null(why(text, &p));
	assert_non_null(km_policy_program(p, "n63"));
	km_policy_free(p);
}

static void a_filesystem_is_acted_on_by_what_is_done_to_the_host_alone(void **state)
{
	struct km_policy *p;

	(void)state;
	assert_null(why("\"verbs\":[\"free_space\",\"restart\"],\"services\":[\"web\"]", &p));
	assert_true(km_policy_allows(p, KM_FREE_SPACE, "fs:/var"));
	assert_true(km_policy_allows(p, KM_FREE_SPACE, "host"));
	assert_true(km_policy_allows(p, KM_FREE_SPACE, "web"));
	assert_false(km_policy_allows(p, KM_FREE_SPACE, "mail"));
	assert_false(km_policy_allows(p, KM_RESTART, "fs:/var"));
	assert_false(km_policy_allows(p, KM_RUN, "fs:/var"));
	km_policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_found_by_their_names_with_their_defaults),
		cmocka_unit_test(at_times_of_maintenance_people_work_on_the_services_it_names),
		cmocka_unit_test(what_cannot_be_reviewed_is_refused),
		cmocka_unit_test(there_is_room_for_so_many_lists),
		cmocka_unit_test(a_filesystem_is_acted_on_by_what_is_done_to_the_host_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
