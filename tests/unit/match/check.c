// SPDX-License-Identifier: Apache-2.0
/* kmend rule check: warnings, errors, sums, in text and JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "folder.h"
/* The command's file is no part of the library that tests are linked with.
 * NOLINTNEXTLINE(bugprone-suspicious-include): there is no other way in */
#include "../../../tools/kmend/rule_check.c"

#define STATE_UP "{\"state\": {\"is\": \"up\"}}"

/* Runs the check in text form; what it said is the caller's. */
static char *run(char *const *paths, size_t n, int expected, struct km_rule_check_sum *sum)
{
	char *said = NULL;
	size_t len;
	FILE *f = open_memstream(&said, &len);

	assert_non_null(f);
	assert_int_equal(km_rule_check_paths(&(struct km_rule_check_in){ .paths = paths,
	                                                                 .count = n },
	                                     NULL, f, sum),
	                 expected);
	fclose(f);
	return said;
}

static char *run_folder(struct folder *f, int expected, struct km_rule_check_sum *sum)
{
	char *paths[] = { f->path };

	return run(paths, 1, expected, sum);
}

static void add_rule(struct folder *f, const char *name, const char *scope, const char *when,
                     const char *more)
{
	char *text = rule_text(scope, when, more);

	folder_add(f, name, text);
	free(text);
}

static void a_good_folder_has_no_findings(void **state)
{
	struct folder *f = *state;
	struct km_rule_check_sum sum;
	char *said;

	add_rule(f, "a/a.json", NULL, STATE_UP, NULL);
	said = run_folder(f, 0, &sum);
	assert_string_equal(said, "1 files, 1 rules, 0 errors, 0 warnings\n");
	free(said);
}

static void each_bad_file_is_an_error_with_its_place_and_the_rest_is_looked_at(void **state)
{
	struct folder *f = *state;
	struct km_rule_check_sum sum;
	char expected[KM_PATH_MAX + 128], *said;

	add_rule(f, "a/a.json", NULL, STATE_UP, NULL);
	add_rule(f, "a/b.json", NULL, "{\"stat\": {}}", NULL);
	folder_add(f, "a/c.json", "{");
	said = run_folder(f, -EBADMSG, &sum);
	snprintf(expected, sizeof(expected),
	         "%s/a/b.json:4:10: error: unknown key \"stat\"; did "
	         "you mean \"state\"?\n",
	         f->path);
	assert_non_null(strstr(said, expected));
	assert_int_equal(sum.files, 3);
	assert_int_equal(sum.rules, 1);
	assert_int_equal(sum.errors, 2);
	free(said);
}

static void two_files_with_one_id_are_an_error(void **state)
{
	struct folder *f = *state;
	struct km_rule_check_sum sum;
	char *said;

	add_rule(f, "a/a.json", NULL, STATE_UP, NULL);
	add_rule(f, "b/a.json", NULL, STATE_UP, NULL);
	said = run_folder(f, -EBADMSG, &sum);
	assert_non_null(strstr(said, "/b/a.json:1:1: error: the id \"test\" is also that of"));
	free(said);
}

static void a_file_a_class_or_all_may_be_named(void **state)
{
	struct folder *f = *state;
	struct km_rule_check_sum sum;
	char class_path[KM_PATH_MAX + 8], file[KM_PATH_MAX + 16];
	char *paths[] = { class_path, file };

	add_rule(f, "a/a.json", NULL, STATE_UP, NULL);
	folder_add(f, "b/b.json", "[]");
	snprintf(class_path, sizeof(class_path), "%s/a", f->path);
	snprintf(file, sizeof(file), "%s/b/b.json", f->path);
	free(run(paths, 1, 0, &sum));
	assert_int_equal(sum.files, 1);
	free(run(paths, 2, -EBADMSG, &sum));
	assert_int_equal(sum.files, 2);
	assert_int_equal(sum.errors, 1);
}

static void what_cannot_be_found_or_read_is_an_error(void **state)
{
	struct folder *f = *state;
	struct km_rule_check_sum sum;
	char *paths[] = { (char *)"/nowhere/rules", f->path, (char *)"/dev/null" };
	char *said = run(paths, 3, -EBADMSG, &sum);

	assert_non_null(strstr(said, "/nowhere/rules: error: cannot be read: No such file"));
	assert_non_null(strstr(said, "no rule is in this folder"));
	assert_int_equal(sum.errors, 3);
	free(said);
}

static void a_stray_rule_is_an_error(void **state)
{
	struct folder *f = *state;
	struct km_rule_check_sum sum;
	char *said;

	add_rule(f, "a/a.json", NULL, STATE_UP, NULL);
	add_rule(f, "b.json", NULL, STATE_UP, NULL);
	said = run_folder(f, -EBADMSG, &sum);
	assert_non_null(strstr(said, "outside a class folder"));
	free(said);
}

/* Said once, though it is so for both files. */
static void what_the_daemon_would_not_trust_is_a_warning(void **state)
{
	struct folder *f = *state;
	struct km_rule_check_sum sum;
	char *said;

	add_rule(f, "a/a.json", NULL, STATE_UP, NULL);
	folder_add(f, "a/b.json", "{}");
	assert_int_equal(fchmodat(f->fd, "a", 0777, 0), 0);
	said = run_folder(f, -EBADMSG, &sum);
	assert_non_null(strstr(said, "writable by group or others"));
	assert_int_equal(sum.warnings, 1);
	assert_int_equal(sum.rules, 1);
	assert_int_equal(sum.errors, 1);
	free(said);
}

static void a_linked_file_is_read_with_a_warning(void **state)
{
	struct folder *f = *state;
	struct km_rule_check_sum sum;
	char *said;

	add_rule(f, "a/a.txt", NULL, STATE_UP, NULL);
	assert_int_equal(symlinkat("a.txt", f->fd, "a/a.json"), 0);
	said = run_folder(f, 0, &sum);
	assert_non_null(strstr(said, "warning: "));
	assert_non_null(strstr(said, "symbolic link"));
	assert_int_equal(sum.rules, 1);
	free(said);
}

static void hostile_names_do_not_change_the_lines(void **state)
{
	struct folder *f = *state;
	struct km_rule_check_sum sum;
	char *said;

	folder_add(f, "a/\033[2J\nok.json", "{}");
	said = run_folder(f, -EBADMSG, &sum);
	assert_null(strchr(said, '\033'));
	assert_ptr_equal(strchr(strchr(said, '\n') + 1, '\n') + 1, said + strlen(said));
	free(said);
}

static void the_same_is_said_in_json(void **state)
{
	struct folder *f = *state;
	char *paths[] = { f->path };
	struct km_rule_check_sum sum;
	struct km_json_writer w;
	struct km_json *doc = NULL;
	struct km_buf *b = NULL;
	struct km_error err;
	const cJSON *root, *first;

	add_rule(f, "a/a.json", NULL, STATE_UP, NULL);
	folder_add(f, "a/b.json", "\n {\"version\": 2}");
	assert_int_equal(km_buf_new(KM_JSON_BYTES_MAX, &b), 0);
	km_jw_init(&w, b, true);
	km_jw_object(&w);
	assert_int_equal(km_rule_check_paths(&(struct km_rule_check_in){ .paths = paths,
	                                                                 .count = 1 },
	                                     &w, NULL, &sum),
	                 -EBADMSG);
	km_jw_end_object(&w);
	assert_int_equal(km_json_parse(km_buf_text(b), b->len, "out", &err, &doc), 0);
	root = km_json_root(doc);
	assert_int_equal(cJSON_GetObjectItem(root, "files")->valueint, 2);
	assert_int_equal(cJSON_GetObjectItem(root, "rules")->valueint, 1);
	assert_int_equal(cJSON_GetObjectItem(root, "errors")->valueint, 1);
	assert_int_equal(cJSON_GetObjectItem(root, "warnings")->valueint, 0);
	first = cJSON_GetObjectItem(root, "findings")->child;
	assert_string_equal(cJSON_GetObjectItem(first, "severity")->valuestring, "error");
	assert_int_equal(cJSON_GetObjectItem(first, "line")->valueint, 2);
	assert_null(first->next);
	km_json_free(doc);
	km_buf_free(b);
}

/* A rule with these parts has exactly the warning that has PIECE in it, at LINE; NULL: none. */
static void check_warning(struct folder *f, const char *text, const char *piece, unsigned int line)
{
	struct km_rule_check_sum sum;
	char place[32], *said;

	folder_add(f, "a/a.json", text);
	folder_add(f, "a/a.test.json", "{}");
	said = run_folder(f, 0, &sum);
	snprintf(place, sizeof(place), "a.json:%u:", line);
	if (sum.warnings != (piece ? 1 : 0) ||
	    (piece && (!strstr(said, piece) || !strstr(said, place))))
		fail_msg("%s at line %u expected: %s", piece, line, said);
	free(said);
}

#define RULE(scope, when, plan, verify, guard)                                                \
	"{\"version\": 1, \"id\": \"t\", \"summary\": \"s\", \"why\": \"w\",\n"               \
	"\"owner\": \"o\", \"maturity\": \"stable\",\n\"scope\": " scope ",\n\"when\": " when \
	",\n\"plan\": [{\"do\": " plan "}],\n\"verify\": " verify ",\n\"guard\": " guard "}"
#define ALL_SERVICES "{\"all\": true}"
#define WEB          "{\"services\": [\"web\"]}"
#define UP_IN_1M     "{\"within\": \"1m\", \"that\": {\"up\": true}}"
#define UNMEASURED   "{\"not_measured\": true}"
#define AUTO         "{\"mode\": \"auto\"}"
#define ABSENT       "{\"not\":\n{\"event\": {\"is\": \"ended\"}}}"

static void each_warning_has_its_place_and_its_opposite_none(void **state)
{
	static const struct {
		const char *text, *piece;
		unsigned int line;
	} cases[] = {
		{ RULE(ALL_SERVICES, STATE_UP, "\"restart\"", UP_IN_1M, AUTO), "every service", 3 },
		{ RULE(WEB, STATE_UP, "\"restart\"", UP_IN_1M, AUTO), NULL, 0 },
		{ RULE(ALL_SERVICES, STATE_UP, "\"notify\"", UP_IN_1M, AUTO), NULL, 0 },
		{ RULE(ALL_SERVICES, STATE_UP, "\"start\"", UP_IN_1M, AUTO), NULL, 0 },
		{ RULE(ALL_SERVICES, STATE_UP, "\"restart\"", UP_IN_1M, "{\"mode\": \"approve\"}"),
		  NULL, 0 },
		{ RULE(WEB, STATE_UP, "\"restart\"", UNMEASURED, AUTO), "nothing tells", 6 },
		{ RULE(WEB, STATE_UP, "\"notify\"", UNMEASURED, AUTO), NULL, 0 },
		{ RULE(WEB, STATE_UP, "\"start\"", UP_IN_1M, "{\n\"cooldown\": \"59s\"}"),
		  "cooldown is over", 8 },
		{ RULE(WEB, STATE_UP, "\"start\"", UP_IN_1M, "{\n\"cooldown\": \"60s\"}"), NULL,
		  0 },
		{ RULE(WEB, STATE_UP, "\"start\"", UP_IN_1M,
		       "{\"cooldown\": \"10m\",\n\"budget\": {\"count\": 7, \"per\": \"1h\"}}"),
		  "never trips", 8 },
		{ RULE(WEB, STATE_UP, "\"start\"", UP_IN_1M,
		       "{\"cooldown\": \"10m\",\n\"budget\": {\"count\": 5, \"per\": \"1h\"}}"),
		  NULL, 0 },
		{ RULE(WEB, ABSENT, "\"start\"", UP_IN_1M, AUTO), "almost", 5 },
		{ RULE(WEB, "{\"any\": [" STATE_UP ", " ABSENT "]}", "\"start\"", UP_IN_1M, AUTO),
		  "almost", 5 },
		{ RULE(WEB, "{\"not\": " ABSENT "}", "\"start\"", UP_IN_1M, AUTO), NULL, 0 },
	};

	for (size_t i = 0; i < KM_ARRAY_SIZE(cases); i++)
		check_warning(*state, cases[i].text, cases[i].piece, cases[i].line);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_new, folder_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_good_folder_has_no_findings),
		TEST(each_bad_file_is_an_error_with_its_place_and_the_rest_is_looked_at),
		TEST(two_files_with_one_id_are_an_error),
		TEST(a_file_a_class_or_all_may_be_named),
		TEST(what_cannot_be_found_or_read_is_an_error),
		TEST(a_stray_rule_is_an_error),
		TEST(what_the_daemon_would_not_trust_is_a_warning),
		TEST(a_linked_file_is_read_with_a_warning),
		TEST(hostile_names_do_not_change_the_lines),
		TEST(the_same_is_said_in_json),
		TEST(each_warning_has_its_place_and_its_opposite_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
