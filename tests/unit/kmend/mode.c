// SPDX-License-Identifier: Apache-2.0
/* kmend rule promote and demote: one step, tested, recorded; refused else and nothing written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "match/modes.h"
#include "run.h"

#define TRACE "tests/fixtures/traces/demo.trace"

static const char rule[] =
	"{\"version\":1,\"id\":\"r\",\"summary\":\"s\",\"why\":\"w\",\"owner\":\"o\","
	"\"maturity\":\"experimental\",\"scope\":{\"services\":[\"web\"]},\"when\":{\"event\":{"
	"\"is\":"
	"\"ended\"}},\"plan\":[{\"do\":\"start\"}],\"verify\":{\"within\":\"5s\",\"that\":{\"up\":"
	"true}},"
	"\"guard\":{\"mode\":\"suggest\"}}";
static const char good_test[] =
	"{\"version\":1,\"tests\":[{\"name\":\"t\",\"events\":[{\"at\":\"5s\",\"is\":\"ended\"}],"
	"\"expect\":[{\"at\":\"5s\",\"speaks\":true}]}]}";
static const char bad_test[] =
	"{\"version\":1,\"tests\":[{\"name\":\"t\",\"events\":[{\"at\":\"5s\",\"is\":\"ended\"}],"
	"\"expect\":[{\"at\":\"5s\",\"speaks\":false}]}]}";

struct place {
	char dir[64];
};

static void put(const struct place *p, const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static int begin(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	char path[128];

	assert_non_null(p);
	strcpy(p->dir, "/tmp/kmend-mode.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(path, sizeof(path), "%s/x", p->dir);
	assert_int_equal(mkdir(path, 0755), 0);
	put(p, "x/r.json", rule);
	put(p, "x/r.test.json", good_test);
	*state = p;
	return 0;
}

static int end(void **state)
{
	struct place *p = *state;
	static const char *const names[] = { "x/r.json", "x/r.test.json", "x", "policy/modes.json",
		                             "policy" };
	char path[128];

	for (size_t i = 0; i < KM_ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", p->dir, names[i]);
		remove(path);
	}
	remove(p->dir);
	free(p);
	return 0;
}

/* The command's exit code; what it said holds SAYS. */
static int promote(struct place *p, char *mode, const char *says)
{
	struct run r;
	int code;

	run_begin(&r, (char *[]){ "kmend", "rule", "promote", "r", mode, "--why", "because",
	                          "--rules", p->dir, "--trace", TRACE, NULL });
	run_end(&r);
	if (says && !strstr(r.out, says) && !strstr(r.err, says))
		fail_msg("%s%s", r.out, r.err);
	code = r.code;
	run_free(&r);
	return code;
}

static int demote(struct place *p, char *mode, const char *says)
{
	struct run r;
	int code;

	run_begin(&r, (char *[]){ "kmend", "rule", "demote", "r", mode, "--why", "it was wrong",
	                          "--rules", p->dir, NULL });
	run_end(&r);
	if (says && !strstr(r.out, says) && !strstr(r.err, says))
		fail_msg("%s%s", r.out, r.err);
	code = r.code;
	run_free(&r);
	return code;
}

/* The entry that is written down, or false. */
static bool entry(const struct place *p, struct km_mode_entry *ret)
{
	struct km_modes *m = NULL;
	struct km_error err;
	char path[128], text[4096];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", p->dir, KM_MODES_FILE);
	f = fopen(path, "re");
	if (!f)
		return false;
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	assert_int_equal(km_modes_compile(text, n, path, &err, &m), 0);
	assert_int_equal(m->count, 1);
	*ret = m->entry[0];
	km_modes_free(m);
	return true;
}

static void a_tested_rule_goes_up_and_down_one_step_at_a_time(void **state)
{
	struct km_mode_entry e;
	struct km_rule *r = NULL;
	struct km_error err;

	assert_int_equal(promote(*state, "auto", "one step"), 1);
	assert_false(entry(*state, &e));
	assert_int_equal(promote(*state, "approve", "mode approve"), 0);
	assert_true(entry(*state, &e));
	assert_int_equal(e.mode, KM_APPROVE);
	assert_string_equal(e.why, "because");
	assert_true(e.by[0] && e.at_s > 1700000000);
	assert_int_equal(km_rule_compile(rule, strlen(rule), "x/r.json", &err, &r), 0);
	assert_memory_equal(e.digest, r->digest, sizeof(e.digest));
	km_rule_free(r);
	assert_int_equal(promote(*state, "auto", NULL), 0);
	assert_int_equal(promote(*state, "auto", "no step up"), 1);
	assert_int_equal(demote(*state, "suggest", "one step"), 1);
	assert_int_equal(demote(*state, "approve", NULL), 0);
	assert_true(entry(*state, &e));
	assert_int_equal(e.mode, KM_APPROVE);
	assert_string_equal(e.why, "it was wrong");
}

static void without_tests_that_pass_nothing_is_promoted(void **state)
{
	struct place *p = *state;
	struct km_mode_entry e;
	char path[128];

	put(p, "x/r.test.json", bad_test);
	assert_int_equal(promote(p, "approve", "do not pass"), 1);
	snprintf(path, sizeof(path), "%s/x/r.test.json", p->dir);
	unlink(path);
	assert_int_equal(promote(p, "approve", "no tests"), 1);
	assert_false(entry(p, &e));
	/* down is always possible */
	assert_int_equal(demote(p, "observe", NULL), 0);
	assert_true(entry(p, &e));
	assert_int_equal(e.mode, KM_OBSERVE);
}

static void without_a_back_test_nothing_is_promoted(void **state)
{
	struct place *p = *state;
	struct km_mode_entry e;
	struct run r;

	run_begin(&r, (char *[]){ "kmend", "rule", "promote", "r", "approve", "--why", "because",
	                          "--rules", p->dir, NULL });
	run_end(&r);
	assert_int_equal(r.code, 2);
	assert_non_null(strstr(r.err, "back-test"));
	run_free(&r);
	assert_false(entry(p, &e));
}

static void a_rule_that_was_edited_begins_from_its_own_mode(void **state)
{
	struct place *p = *state;
	char edited[1024];

	assert_int_equal(promote(p, "approve", NULL), 0);
	snprintf(edited, sizeof(edited), " %s", rule);
	put(p, "x/r.json", edited);
	/* from suggest again: auto would be two steps */
	assert_int_equal(promote(p, "auto", "one step"), 1);
	assert_int_equal(promote(p, "approve", NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_tested_rule_goes_up_and_down_one_step_at_a_time),
		TEST(without_tests_that_pass_nothing_is_promoted),
		TEST(without_a_back_test_nothing_is_promoted),
		TEST(a_rule_that_was_edited_begins_from_its_own_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
