/* SPDX-License-Identifier: Apache-2.0 */
/* The command against a daemon that may be anything: exit codes, rendering, and what a broken
 * daemon cannot do to a terminal. */
#include "fake.h"

static const char status_body[] =
	"{\"version\":1,\"mode\":\"full\",\"up_s\":3723,\"services\":{\"up\":3,\"down\":1,"
	"\"unknown\":0},\"policy\":{\"paused\":false,\"verbs\":[\"restart\",\"notify\"]},"
	"\"history_trouble\":null}";

static void an_answer_is_rendered_for_people(void **state)
{
	struct fake *f = *state;
	struct run r;

	add_frame(f, KM_FRAME_END, status_body);
	run(f, &r, WORDS("status"));
	assert_int_equal(r.code, 0);
	assert_non_null(strstr(r.out, "mode "));
	assert_non_null(strstr(r.out, "1h02m"));
	assert_non_null(strstr(r.out, "restart, notify"));
	assert_null(strstr(r.out, "history "));
	assert_string_equal(
		f->request,
		"{\"version\":1,\"object\":\"status\",\"command\":\"show\",\"args\":{}}");
	run_free(&r);
}

static void compact_json_is_the_daemons_own(void **state)
{
	struct fake *f = *state;
	struct run r;

	add_frame(f, KM_FRAME_END, status_body);
	run(f, &r, WORDS("-j", "status"));
	assert_int_equal(r.code, 0);
	assert_int_equal(strlen(r.out), strlen(status_body) + 1);
	assert_memory_equal(r.out, status_body, strlen(status_body));
	run_free(&r);
}

static void pretty_json_is_the_same_on_more_lines(void **state)
{
	struct fake *f = *state;
	struct run r;

	add_frame(f, KM_FRAME_END, "{\"version\":1,\"mode\":\"full\"}");
	run(f, &r, WORDS("status", "-p"));
	assert_int_equal(r.code, 0);
	assert_non_null(strstr(r.out, "\n"));
	assert_non_null(strstr(r.out, "\"mode\": \"full\""));
	run_free(&r);
}

static void a_table_lines_up_and_a_name_cannot_drive_the_terminal(void **state)
{
	struct fake *f = *state;
	struct run r;

	add_frame(f, KM_FRAME_END,
	          "{\"version\":1,\"services\":[{\"name\":\"web\\u001b[31m\\nforged line\","
	          "\"state\":\"up\",\"for_s\":5,\"processes\":2,\"memory\":{\"level\":1048576,"
	          "\"limit\":67108864,\"unit\":\"bytes\"},\"descriptors\":{\"level\":12,"
	          "\"limit\":null,\"unit\":\"count\"},\"threads\":null,\"quarantined\":true,"
	          "\"forecast\":{\"kind\":\"exhaustion\",\"resource\":\"memory\",\"eta_s\":190,"
	          "\"eta_lo_s\":170,\"eta_hi_s\":220}}],\"more\":7}");
	run(f, &r, WORDS("service", "list", "--limit", "1", "--offset=2"));
	assert_int_equal(r.code, 0);
	assert_null(strchr(r.out, 0x1b));
	assert_null(strstr(r.out, "\nforged"));
	assert_non_null(strstr(r.out, "1.0 MiB/64.0 MiB"));
	assert_non_null(strstr(r.out, "memory in 3m10s (2m50s to 3m40s)"));
	assert_non_null(strstr(r.out, "... and 7 more"));
	assert_non_null(strstr(f->request, "\"args\":{\"limit\":1,\"offset\":2}"));
	run_free(&r);
}

static void an_empty_list_says_so(void **state)
{
	struct fake *f = *state;
	struct run r;

	add_frame(f, KM_FRAME_END, "{\"version\":1,\"forecasts\":[]}");
	run(f, &r, WORDS("forecast", "list", "--all"));
	assert_int_equal(r.code, 0);
	assert_string_equal(r.out, "no failure is forecast\n");
	assert_non_null(strstr(f->request, "\"args\":{\"all\":true}"));
	run_free(&r);
}

/* Every command of the tables renders what its daemon may say, with members missing or of odd
 * types, without an escape and without falling over. */
static void odd_answers_are_rendered_without_harm(void **state)
{
	static char *const commands[][4] = {
		{ "status" },
		{ "service", "list" },
		{ "service", "show", "x" },
		{ "signal", "list" },
		{ "forecast", "list" },
		{ "forecast", "show", "x" },
		{ "forecast", "explain", "x" },
		{ "rule", "list" },
		{ "rule", "show", "x" },
		{ "action", "list" },
		{ "action", "show", "1" },
		{ "action", "approve", "1" },
		{ "action", "deny", "1" },
		{ "incident", "list" },
		{ "incident", "show", "1" },
		{ "incident", "explain", "1" },
		{ "bpf", "list" },
		{ "audit", "list" },
	};
	static const char odd[] =
		"{\"version\":1,\"looks\":[1,{\"samples\":[1,[2],[3,4],[5,{}]],\"forecast\":"
		"{\"eta_s\":1e300,\"limit\":{}}},{\"samples\":{}}],"
		"\"services\":[1,null,{\"name\":{}}],\"service\":[],\"signals\":{},"
		"\"forecasts\":[{\"eta_s\":1e300,\"p\":-5,\"service\":\"\\u009b\"}],\"rules\":[[]],"
		"\"rule\":{\"when\":[{\"depth\":1e9,\"op\":7}],\"plan\":\"x\"},\"actions\":[{}],"
		"\"waiting\":[[[]]],\"incident\":{\"chain\":[{\"what\":\"decision\"},{\"what\":3},"
		"{\"what\":\"forecast\",\"data\":5},{\"what\":\"outcome\",\"realtime_ms\":-1e300},"
		"{\"what\":\"verdict\",\"data\":{\"kind\":\"\\u001b\"}},{\"what\":\"evidence\"}]},"
		"\"incidents\":null,\"objects\":[{\"run_time_ns\":1e300}],\"audit\":[{\"what\":"
		"\"\\u001b\"}],"
		"\"more\":1e300,\"mode\":\"\\u001b]0;x\\u0007\",\"up_s\":-1e300}";

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(commands); i++) {
		void *own = NULL;
		struct fake *f;
		struct run r;

		setup(&own);
		f = own;
		add_frame(f, KM_FRAME_END, odd);
		run(f, &r, commands[i]);
		if (r.code != 0)
			fail_msg("%s %s: exit %d: %s", commands[i][0],
			         commands[i][1] ? commands[i][1] : "", r.code, r.err);
		assert_null(strchr(r.out, 0x1b));
		assert_null(strstr(r.out, "\xc2\x9b"));
		run_free(&r);
		teardown(&own);
	}
}

static void a_denial_is_exit_1_with_the_remedy(void **state)
{
	struct fake *f = *state;
	struct run r;

	add_frame(f, KM_FRAME_ERROR,
	          "{\"version\":1,\"error\":\"user 7 is not in the group kmend\",\"remedy\":"
	          "\"join it\",\"code\":\"denied\"}");
	run(f, &r, WORDS("action", "approve", "7"));
	assert_int_equal(r.code, 1);
	assert_string_equal(r.out, "");
	assert_non_null(strstr(r.err, "user 7 is not in the group kmend\n"));
	assert_non_null(strstr(r.err, "join it"));
	run_free(&r);
}

static void an_error_is_json_for_scripts(void **state)
{
	struct fake *f = *state;
	struct run r;

	add_frame(f, KM_FRAME_ERROR,
	          "{\"version\":1,\"error\":\"no\",\"remedy\":null,\"code\":\"failed\"}");
	run(f, &r, WORDS("-j", "status"));
	assert_int_equal(r.code, 1);
	assert_string_equal(r.out, "{\"version\":1,\"error\":\"no\",\"remedy\":null,"
	                           "\"code\":\"failed\"}\n");
	assert_string_equal(r.err, "");
	run_free(&r);
}

static void no_daemon_is_exit_3_and_says_where_it_looked(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, WORDS("kmend", "--socket", "/nonexistent/kmend.sock", "status"));
	run_end(&r);
	assert_int_equal(r.code, 3);
	assert_non_null(strstr(r.err, "/nonexistent/kmend.sock"));
	assert_non_null(strstr(r.err, "start it"));
	run_free(&r);
	run_begin(&r, WORDS("kmend", "-j", "--socket", "/nonexistent/kmend.sock", "status"));
	run_end(&r);
	assert_int_equal(r.code, 3);
	assert_non_null(strstr(r.out, "\"code\":\"unreachable\""));
	run_free(&r);
}

static void a_daemon_that_left_its_socket_behind_is_exit_3(void **state)
{
	struct fake *f = *state;
	struct run r;

	close(f->listen_fd);
	run_begin(&r, WORDS("kmend", "--socket", f->path, "status"));
	run_end(&r);
	assert_int_equal(r.code, 3);
	run_free(&r);
	f->listen_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void a_daemon_that_is_stopped_is_exit_3_within_its_time(void **state)
{
	struct fake *f = *state;
	struct timespec a, b;
	struct run r;

	clock_gettime(CLOCK_MONOTONIC, &a);
	run_begin(&r, WORDS("kmend", "--socket", f->path, "status"));
	run_end(&r); /* nobody accepts: the backlog takes the request */
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_int_equal(r.code, 3);
	assert_non_null(strstr(r.err, "does not answer"));
	assert_in_range(b.tv_sec - a.tv_sec, 4, 20);
	run_free(&r);
}

static void an_answer_that_is_cut_off_anywhere_is_exit_3(void **state)
{
	static const size_t cuts[] = { 0, 1, 7, 8, 9, 8 + sizeof(status_body) - 2 };

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(cuts); i++) {
		void *own = NULL;
		struct fake *f;
		struct run r;

		setup(&own);
		f = own;
		add_frame(f, KM_FRAME_END, status_body);
		f->len = cuts[i];
		run(f, &r, WORDS("status"));
		assert_int_equal(r.code, 3);
		assert_string_equal(r.out, "");
		assert_non_null(strstr(r.err, "hung up"));
		run_free(&r);
		teardown(&own);
	}
}

static void nonsense_from_the_daemon_is_exit_1_and_not_printed(void **state)
{
	static const struct {
		struct km_frame_hdr hdr;
		const char *body;
	} bad[] = {
		{ { 12, KM_FRAME_END }, "\x1b[2Jgotcha!!!" },
		{ { 11, KM_FRAME_END }, "{\"version\"}" },
		{ { 13, KM_FRAME_END }, "{\"version\":2}" },
		{ { 2, KM_FRAME_END }, "[]" },
		{ { 13, KM_FRAME_DATA }, "{\"version\":1}" },
		{ { 13, KM_FRAME_REQUEST }, "{\"version\":1}" },
		{ { 13, 99 }, "{\"version\":1}" },
		{ { UINT32_MAX, KM_FRAME_END }, "{\"version\":1}" },
		{ { KM_CONTROL_BODY_MAX + 1, KM_FRAME_END }, "{\"version\":1}" },
	};

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(bad); i++) {
		void *own = NULL;
		struct fake *f;
		struct run r;

		setup(&own);
		f = own;
		add_bytes(f, &bad[i].hdr, sizeof(bad[i].hdr));
		add_bytes(f, bad[i].body, strlen(bad[i].body));
		run(f, &r, WORDS("status"));
		if (r.code != 1)
			fail_msg("case %zu: exit %d: %s", i, r.code, r.err);
		assert_string_equal(r.out, "");
		assert_null(strchr(r.err, 0x1b));
		run_free(&r);
		teardown(&own);
	}
}

static void wrong_usage_is_exit_2_with_the_usage(void **state)
{
	static char *const bad[][6] = {
		{ "kmend" },
		{ "kmend", "servce" },
		{ "kmend", "service" },
		{ "kmend", "service", "lst" },
		{ "kmend", "service", "show" },
		{ "kmend", "service", "show", "a", "b" },
		{ "kmend", "service", "list", "--limit" },
		{ "kmend", "service", "list", "--limit", "-1" },
		{ "kmend", "service", "list", "--limit=x" },
		{ "kmend", "service", "list", "--limt=1" },
		{ "kmend", "forecast", "list", "--all=1" },
		{ "kmend", "forecast", "list", "--all", "--all" },
		{ "kmend", "action", "show", "99999999999999999999" },
		{ "kmend", "action", "show", "" },
		{ "kmend", "rule", "check" },
		{ "kmend", "status", "extra" },
		{ "kmend", "trace", "record" },
		{ "kmend", "status", "--socket" },
	};

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(bad); i++) {
		struct run r;

		run_begin(&r, bad[i]);
		run_end(&r);
		if (r.code != 2)
			fail_msg("case %zu: exit %d: %s", i, r.code, r.err);
		assert_string_equal(r.out, "");
		assert_true(strstr(r.err, "usage: kmend ") || strstr(r.err, "see: kmend "));
		run_free(&r);
	}
}

static void a_near_miss_is_named(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, WORDS("kmend", "servce", "list"));
	run_end(&r);
	assert_non_null(strstr(r.err, "did you mean service?"));
	run_free(&r);
	run_begin(&r, WORDS("kmend", "service", "lst"));
	run_end(&r);
	assert_non_null(strstr(r.err, "did you mean list?"));
	run_free(&r);
}

static void a_word_that_looks_like_an_option_goes_behind_two_dashes(void **state)
{
	struct fake *f = *state;
	struct run r;

	add_frame(f, KM_FRAME_END, "{\"version\":1,\"service\":{}}");
	run(f, &r, WORDS("service", "show", "--", "--odd"));
	assert_int_equal(r.code, 0);
	assert_non_null(strstr(f->request, "\"args\":{\"name\":\"--odd\"}"));
	run_free(&r);
}

static void the_chain_of_an_incident_reads_from_evidence_to_verdict(void **state)
{
	struct fake *f = *state;
	const char *at;
	struct run r;

	add_frame(
		f, KM_FRAME_END,
		"{\"version\":1,\"incident\":{\"id\":12,\"service\":\"web\",\"chain\":["
		"{\"what\":\"evidence\",\"realtime_ms\":1700000000000,\"data\":{\"type\":"
		"\"signal\","
		"\"sender_comm\":\"bash\"}},"
		"{\"what\":\"forecast\",\"realtime_ms\":1700000001000,\"data\":{\"kind\":"
		"\"exhaustion\",\"resource\":\"memory\",\"eta_s\":60,\"eta_lo_s\":50,\"eta_hi_s\":"
		"70,"
		"\"p\":0.95}},"
		"{\"what\":\"decision\",\"realtime_ms\":1700000002000,\"data\":{\"id\":3,\"rule\":"
		"\"leak\",\"line\":14,\"answer\":\"act\",\"verb\":\"restart\",\"passed\":[\"mode\","
		"\"pause\"],\"failed\":[],\"reason\":\"forecast of memory\"}},"
		"{\"what\":\"outcome\",\"realtime_ms\":1700000003000,\"verb\":\"restart\","
		"\"state\":"
		"\"done\",\"error\":0,\"tgid\":77,\"detail\":\"up\"},"
		"{\"what\":\"verdict\",\"realtime_ms\":1700000004000,\"data\":{\"verdict\":"
		"\"helped\",\"reason\":\"up for 10s\"}}]}}");
	run(f, &r, WORDS("incident", "explain", "12"));
	assert_int_equal(r.code, 0);
	assert_non_null(at = strstr(r.out, "incident 12: web"));
	assert_non_null(at = strstr(at, "evidence type=signal sender_comm=bash"));
	assert_non_null(at = strstr(at, "forecast memory in 1m"));
	assert_non_null(at = strstr(at, "95 %"));
	assert_non_null(at = strstr(at, "decision 3: act restart: forecast of memory"));
	assert_non_null(at = strstr(at, "line that spoke"));
	assert_non_null(at = strstr(at, "mode, pause"));
	assert_non_null(at = strstr(at, "outcome restart: done"));
	assert_non_null(at = strstr(at, "verdict helped"));
	assert_non_null(strstr(at, "up for 10s"));
	run_free(&r);
}

static void the_proof_of_a_journal_that_is_not_there_fails(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, WORDS("kmend", "action", "verify", "--state", "/nonexistent"));
	run_end(&r);
	assert_int_equal(r.code, 1);
	assert_non_null(strstr(r.err, "/nonexistent/journal"));
	run_free(&r);
}

static void the_doctor_needs_no_daemon(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, WORDS("kmend", "--socket", "/nonexistent/kmend.sock", "doctor"));
	run_end(&r);
	assert_int_equal(r.code, 0);
	assert_non_null(strstr(r.out, "kmendd"));
	assert_non_null(strstr(r.out, "does not answer at /nonexistent/kmend.sock"));
	run_free(&r);
}

static void a_result_that_cannot_be_written_is_not_done(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, WORDS("sh", "-c", "exec \"$0\" help >/dev/full",
	                    (char *)run_program((char[PATH_MAX]){ 0 })));
	run_end(&r);
	assert_int_equal(r.code, 1);
	run_free(&r);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_answer_is_rendered_for_people),
		T(compact_json_is_the_daemons_own),
		T(pretty_json_is_the_same_on_more_lines),
		T(a_table_lines_up_and_a_name_cannot_drive_the_terminal),
		T(an_empty_list_says_so),
		cmocka_unit_test(odd_answers_are_rendered_without_harm),
		T(a_denial_is_exit_1_with_the_remedy),
		T(an_error_is_json_for_scripts),
		cmocka_unit_test(no_daemon_is_exit_3_and_says_where_it_looked),
		T(a_daemon_that_left_its_socket_behind_is_exit_3),
		T(a_daemon_that_is_stopped_is_exit_3_within_its_time),
		cmocka_unit_test(an_answer_that_is_cut_off_anywhere_is_exit_3),
		cmocka_unit_test(nonsense_from_the_daemon_is_exit_1_and_not_printed),
		cmocka_unit_test(wrong_usage_is_exit_2_with_the_usage),
		cmocka_unit_test(a_near_miss_is_named),
		T(a_word_that_looks_like_an_option_goes_behind_two_dashes),
		T(the_chain_of_an_incident_reads_from_evidence_to_verdict),
		cmocka_unit_test(the_proof_of_a_journal_that_is_not_there_fails),
		cmocka_unit_test(the_doctor_needs_no_daemon),
		cmocka_unit_test(a_result_that_cannot_be_written_is_not_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
