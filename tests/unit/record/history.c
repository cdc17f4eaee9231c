/* SPDX-License-Identifier: Apache-2.0 */
/* What is written comes back; what is old goes. */
#include "place.h"

static void what_was_decided_done_and_learnt_is_there_after_a_restart(void **state)
{
	const struct km_history_filter all = { 0 }, one = { .decision_id = 3 },
				       other = { .service = "db" };
	struct place *p = *state;
	const char *s;

	decide(p, 3, 1, "web");
	outcome(p, 3);
	verdict(p, 3, 1);
	commit(p, 10 * KM_NS_PER_S);
	reopen(p);
	assert_null(km_history_trouble(p->h));
	assert_int_equal(km_history_last_id(p->h), 3);
	s = text_of(p, km_history_actions, &all);
	assert_non_null(strstr(s, "\"id\":3,\"incident\":1,"));
	assert_non_null(strstr(s, "\"outcome\":{\"state\":\"done\""));
	assert_non_null(strstr(s, "\"verdict\":\"helped\""));
	assert_null(strstr(s, "\"decision\""));
	assert_non_null(strstr(text_of(p, km_history_actions, &one),
	                       "\"decision\":{\"id\":1,\"x\":[1,2.5]}"));
	assert_string_equal(text_of(p, km_history_actions, &other), "[]");
	s = text_of(p, km_history_incidents, &all);
	assert_non_null(strstr(s, "\"decisions\":1,\"acts\":1,\"answer\":\"act\""));
}

static const char *rules_of(struct place *p, const char *rule)
{
	struct km_json_writer w;

	km_buf_reset(p->out);
	km_jw_init(&w, p->out, false);
	assert_int_equal(km_history_rules(p->h, rule, &w), 0);
	return km_buf_text(p->out);
}

/* COUNT decisions with this answer from ID on, of which HELPED were followed by "helped". */
static void judged(struct place *p, const char *answer, int id, int count, int helped)
{
	char sql[1024];

	snprintf(sql, sizeof(sql),
	         "WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM c WHERE i<%d-1)"
	         " INSERT INTO decision(realtime_ns,t_ns,id,incident_id,service,rule,answer,verb,"
	         "reason,text) SELECT 1,1,%d+i,0,'web','lift','%s','restart','','{}' FROM c;"
	         "WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM c WHERE i<%d-1)"
	         " INSERT INTO verdict(realtime_ns,t_ns,decision_id,incident_id,kind,reason,text)"
	         " SELECT 2,2,%d+i,0,CASE WHEN i<%d THEN 'helped' ELSE 'did_not_help' END,'','{}'"
	         " FROM c",
	         count, id, answer, count, id, helped);
	assert_int_equal(sqlite3_exec(p->h->db, sql, NULL, NULL, NULL), SQLITE_OK);
}

/* The example of Newcombe (1998): 56 of 70 against 48 of 80. */
static void lift_is_against_what_was_left_alone(void **state)
{
	struct place *p = *state;
	const char *s;

	judged(p, "act", 1000, 70, 56);
	s = rules_of(p, "lift");
	assert_non_null(strstr(s, "\"alone_share\":null,\"lift\":null"));
	judged(p, "shadow", 2000, 4, 2);
	assert_non_null(strstr(rules_of(p, "lift"), "\"lift\":null"));
	judged(p, "shadow", 3000, 76, 46);
	s = rules_of(p, "lift");
	assert_non_null(strstr(s, "\"helped\":56,\"did_not_help\":14,"));
	assert_non_null(strstr(s, "\"alone_share\":{\"share\":0.6,"));
	assert_non_null(strstr(s, "\"low\":0.0524"));
	assert_non_null(strstr(s, "\"high\":0.333"));
}

static void decided_at(struct place *p, uint64_t realtime_ns, const char *rule,
                       enum km_answer answer)
{
	struct km_decision d = { .answer = answer, .verb = KM_START, .t_ns = 1 };

	km_copy(d.service, sizeof(d.service), "web");
	km_copy(d.rule, sizeof(d.rule), rule);
	assert_int_equal(km_history_decision(p->h, &d, "{}", realtime_ns), 0);
}

static const char *failures_of(struct place *p, const char *rule)
{
	struct km_json_writer w;

	km_buf_reset(p->out);
	km_jw_init(&w, p->out, false);
	assert_int_equal(km_history_failures(p->h, rule, &w), 0);
	return km_buf_text(p->out);
}

/* Down for 10 s where it acted after one, for 60 s where it only said so after two. */
static void downtime_is_told_with_and_without_an_act(void **state)
{
	struct place *p = *state;
	uint64_t t = WALL_NS;

	assert_string_equal(failures_of(p, NULL), "[]");
	for (int i = 0; i < 6; i++, t += 1000 * KM_NS_PER_S) {
		bool acts = i % 2;

		/* before the failure, and after it: of something else */
		decided_at(p, t - KM_NS_PER_S, "r", KM_ANSWER_SUGGEST);
		decided_at(p, t + (acts ? 1 : 2) * KM_NS_PER_S, "r",
		           acts ? KM_ANSWER_ACT : KM_ANSWER_SUGGEST);
		decided_at(p, t + 500 * KM_NS_PER_S, "r", KM_ANSWER_ACT);
		km_history_down(p->h, "web", t, t + (acts ? 10 : 60) * KM_NS_PER_S);
		if (i == 4)
			assert_non_null(
				strstr(failures_of(p, "r"),
			               "\"failures\":5,\"acted\":2,\"to_detect_ns\":1600000000,"
			               "\"down_acted_ns\":null,\"down_left_ns\":60000000000"));
	}
	assert_string_equal(failures_of(p, NULL),
	                    "[{\"rule\":\"r\",\"service\":\"web\",\"failures\":6,\"acted\":3,"
	                    "\"to_detect_ns\":1500000000,\"down_acted_ns\":10000000000,"
	                    "\"down_left_ns\":60000000000}]");
	assert_string_equal(failures_of(p, "s"), "[]");
}

static void what_became_of_a_rule_is_counted(void **state)
{
	struct place *p = *state;
	struct km_json_writer w;
	const char *s;

	assert_string_equal(rules_of(p, NULL), "[]");
	decide(p, 3, 1, "web");
	outcome(p, 3);
	verdict(p, 3, 1);
	decide(p, 4, 2, "web");
	commit(p, 10 * KM_NS_PER_S);
	s = rules_of(p, NULL);
	assert_non_null(strstr(s, "\"decisions\":2"));
	assert_non_null(strstr(s, "\"acted\":2"));
	assert_non_null(strstr(s, "\"helped\":1,\"did_not_help\":0,\"not_measured\":0"));
	/* one of one: Wilson's interval is from 0.2065 to 1 */
	assert_non_null(strstr(s, "\"share\":1,\"low\":0.2065"));
	assert_string_equal(rules_of(p, "no-such-rule"), "[]");
	/* a text that is no JSON, and one that is none of kmend's, have no guard */
	assert_int_equal(sqlite3_exec(p->h->db,
	                              "UPDATE decision SET answer='no', rule='r', text='{'", NULL,
	                              NULL, NULL),
	                 SQLITE_OK);
	assert_int_equal(sqlite3_exec(p->h->db,
	                              "UPDATE decision SET text='{\"decision\":{\"guard\":"
	                              "\"cooldown\"}}' WHERE id=4",
	                              NULL, NULL, NULL),
	                 SQLITE_OK);
	km_buf_reset(p->out);
	km_jw_init(&w, p->out, false);
	assert_int_equal(km_history_refusals(p->h, "r", &w), 0);
	s = km_buf_text(p->out);
	assert_non_null(strstr(s, "{\"guard\":\"cooldown\",\"count\":1}"));
	assert_non_null(strstr(s, "{\"guard\":null,\"count\":1}"));
	assert_null(km_history_trouble(p->h));
}

static void an_incident_is_told_in_the_order_in_which_it_happened(void **state)
{
	struct km_forecast f = { .service_id = 9, .t_ns = KM_NS_PER_S, .resource = KM_MEMORY };
	struct place *p = *state;
	const char *s, *at;

	commit(p, KM_NS_PER_S);
	assert_int_equal(km_history_forecast(p->h, &f, "web", WALL_NS + f.t_ns), 0);
	assert_int_equal(km_history_evidence(p->h, 1, 2 * KM_NS_PER_S, "{\"type\":\"oom\"}"), 0);
	decide(p, 3, 1, "web");
	outcome(p, 3);
	verdict(p, 3, 1);
	decide(p, 4, 2, "db");
	s = chain_of(p, 1);
	at = strstr(s, "\"what\":\"forecast\"");
	assert_non_null(at);
	assert_non_null(at = strstr(at, "\"what\":\"evidence\""));
	assert_non_null(at = strstr(at, "\"data\":{\"type\":\"oom\"}"));
	assert_non_null(at = strstr(at, "\"what\":\"decision\""));
	assert_non_null(at = strstr(at, "\"what\":\"outcome\""));
	assert_non_null(at = strstr(at, "\"what\":\"verdict\""));
	assert_null(strstr(s, "\"service\":\"db\""));
}

static void an_unknown_incident_is_said_and_writes_nothing(void **state)
{
	struct place *p = *state;
	struct km_json_writer w;

	km_jw_init(&w, p->out, false);
	assert_int_equal(km_history_incident(p->h, 42, &w), -ENOENT);
	assert_int_equal(p->out->len, 0);
}

static void a_second_decision_counts_in_its_incident(void **state)
{
	const struct km_history_filter one = { .incident_id = 1 };
	struct place *p = *state;

	decide(p, 3, 1, "web");
	decide(p, 4, 1, "web");
	assert_non_null(
		strstr(text_of(p, km_history_incidents, &one), "\"decisions\":2,\"acts\":2"));
}

static void stored_text_that_was_changed_on_disk_cannot_change_the_answer(void **state)
{
	const struct km_history_filter one = { .decision_id = 3 };
	struct place *p = *state;

	decide(p, 3, 1, "web");
	commit(p, KM_NS_PER_S);
	assert_int_equal(sqlite3_exec(p->h->db, "UPDATE decision SET text='{},\"root\":1'", NULL,
	                              NULL, NULL),
	                 SQLITE_OK);
	assert_non_null(
		strstr(text_of(p, km_history_actions, &one), "\"decision\":\"{},\\\"root\\\":1\""));
}

static void samples_come_back_exactly_and_cost_little(void **state)
{
	struct place *p = *state;
	char want[128];
	sqlite3_stmt *st;

	for (uint64_t i = 0; i < 1000; i++)
		assert_int_equal(km_history_sample(p->h, 9, "web", KM_MEMORY, i * KM_NS_PER_S,
		                                   (double)(50000000 + i * 4096), 1e9),
		                 0);
	commit(p, 1000 * KM_NS_PER_S);
	assert_int_equal(samples_of(p, 9, 1000), 1000);
	snprintf(want, sizeof(want), "[%llu,%llu]]",
	         (unsigned long long)((WALL_NS / KM_NS_PER_MS) + 999000), 50000000ULL + 999 * 4096);
	assert_non_null(strstr(km_buf_text(p->out), want));
	assert_int_equal(samples_of(p, 9, 7), 7);
	assert_non_null(strstr(km_buf_text(p->out), want));
	assert_int_equal(samples_of(p, 8, 10), 0);
	reopen(p);
	assert_int_equal(samples_of(p, 9, 1000), 1000);
	st = km_db_query(p->h, "SELECT sum(length(data)), count(*) FROM chunk", "");
	assert_true(km_db_row(p->h, st));
	assert_true(sqlite3_column_int(st, 0) < 5 * 1000);
	assert_true(sqlite3_column_int(st, 1) <= 1000 / 60 + 1);
	sqlite3_finalize(st);
}

static void noise_restarts_and_gaps_keep_every_sample(void **state)
{
	struct place *p = *state;
	uint64_t t = 0, x = 12345;

	for (int i = 0; i < 500; i++) {
		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		t += i % 50 ? 100 * KM_NS_PER_MS : 3600 * KM_NS_PER_S;
		assert_int_equal(km_history_sample(p->h, 9, "web", KM_MEMORY, t, (double)(x >> 12),
		                                   i < 250 ? -1 : 1e15),
		                 0);
	}
	assert_int_equal(samples_of(p, 9, 1000), 500);
}

static void a_sample_that_cannot_be_is_refused(void **state)
{
	struct place *p = *state;

	assert_int_equal(km_history_sample(p->h, 9, "web", KM_MEMORY, 5 * KM_NS_PER_S, 1, -1), 0);
	assert_int_equal(km_history_sample(p->h, 9, "web", KM_MEMORY, 4 * KM_NS_PER_S, 1, -1),
	                 -EINVAL);
	assert_int_equal(km_history_sample(p->h, 9, "web", KM_MEMORY, 6 * KM_NS_PER_S, NAN, -1),
	                 -EINVAL);
	assert_int_equal(km_history_sample(p->h, 9, "web", KM_MEMORY, 6 * KM_NS_PER_S, INFINITY,
	                                   -1),
	                 -EINVAL);
	assert_int_equal(samples_of(p, 9, 10), 1);
}

static void a_quiet_series_is_written_after_five_minutes(void **state)
{
	struct place *p = *state;
	sqlite3_stmt *st;

	km_history_sample(p->h, 9, "web", KM_MEMORY, KM_NS_PER_S, 1, -1);
	commit(p, 2 * KM_NS_PER_S);
	commit(p, 400 * KM_NS_PER_S);
	st = km_db_query(p->h, "SELECT count(*) FROM chunk", "");
	assert_true(km_db_row(p->h, st));
	assert_int_equal(sqlite3_column_int(st, 0), 1);
	sqlite3_finalize(st);
}

static void a_damaged_chunk_is_not_read_past_its_end(void **state)
{
	struct place *p = *state;

	for (uint64_t i = 0; i < 200; i++)
		km_history_sample(p->h, 9, "web", KM_MEMORY, i * KM_NS_PER_S, (double)i, -1);
	reopen(p);
	sqlite3_exec(p->h->db, "UPDATE chunk SET count=2000000000, data=x'ffffffffffffffffffffff'",
	             NULL, NULL, NULL);
	assert_int_equal(samples_of(p, 9, 1000), 0);
	sqlite3_exec(p->h->db, "UPDATE chunk SET count=100, data=x'ffffffffffffffffffff'", NULL,
	             NULL, NULL);
	assert_in_range(samples_of(p, 9, 1000), 1, 10);
}

static void old_rows_go_and_new_ones_stay(void **state)
{
	const struct km_history_filter all = { 0 };
	struct place *p = *state;

	decide(p, 1, 1, "old");
	commit(p, KM_NS_PER_S);
	assert_int_equal(km_history_commit(p->h, 2 * KM_NS_PER_S, WALL_NS + 13 * DAY_NS, 14), 0);
	assert_non_null(strstr(text_of(p, km_history_actions, &all), "\"old\""));
	assert_int_equal(km_history_commit(p->h, 100 * KM_NS_PER_S, WALL_NS + 15 * DAY_NS, 14), 0);
	assert_string_equal(text_of(p, km_history_actions, &all), "[]");
	assert_string_equal(text_of(p, km_history_incidents, &all), "[]");
}

static void a_flood_of_denials_leaves_a_bounded_trail(void **state)
{
	struct place *p = *state;
	struct km_json_writer w;

	for (int i = 0; i < 1000; i++)
		km_history_audit(p->h, "denied: \x1b[31m", 1000, 4711, WALL_NS);
	commit(p, KM_NS_PER_S);
	assert_int_equal(km_history_lost(p->h), 1000 - KM_HISTORY_AUDITS);
	km_history_audit(p->h, "later", 1000, 4711, WALL_NS);
	km_jw_init(&w, p->out, false);
	assert_int_equal(km_history_audits(p->h, 0, &w), 0);
	assert_non_null(
		strstr(km_buf_text(p->out), "\"what\":\"later\",\"uid\":1000,\"tgid\":4711"));
	assert_null(strchr(km_buf_text(p->out), 0x1b));
}

/* What one pass costs the engine: 100 services, three series each. No fsync is in
 * it but at a checkpoint; the bound is generous, the figure is printed. */
static void a_commit_does_not_hold_the_engine_up(void **state)
{
	struct place *p = *state;
	struct timespec a, b;
	double worst = 0, sum = 0;

	for (uint64_t t = 0; t < 200; t++) {
		double ms;

		clock_gettime(CLOCK_MONOTONIC, &a);
		for (uint64_t s = 1; s <= 100; s++)
			for (int r = 0; r < KM_RESOURCE_MAX; r++)
				km_history_sample(p->h, s, "web", r, t * KM_NS_PER_S,
				                  (double)(t * s * 4096), 1e9);
		commit(p, t * KM_NS_PER_S);
		clock_gettime(CLOCK_MONOTONIC, &b);
		ms = (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
		worst = ms > worst ? ms : worst;
		sum += ms;
	}
	print_message("a pass of 300 series: mean %.3f ms, worst %.3f ms\n", sum / 200, worst);
	assert_true(sum / 200 < 20);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_was_decided_done_and_learnt_is_there_after_a_restart),
		T(what_became_of_a_rule_is_counted),
		T(lift_is_against_what_was_left_alone),
		T(downtime_is_told_with_and_without_an_act),
		T(an_incident_is_told_in_the_order_in_which_it_happened),
		T(an_unknown_incident_is_said_and_writes_nothing),
		T(a_second_decision_counts_in_its_incident),
		T(stored_text_that_was_changed_on_disk_cannot_change_the_answer),
		T(samples_come_back_exactly_and_cost_little),
		T(noise_restarts_and_gaps_keep_every_sample),
		T(a_sample_that_cannot_be_is_refused),
		T(a_quiet_series_is_written_after_five_minutes),
		T(a_damaged_chunk_is_not_read_past_its_end),
		T(old_rows_go_and_new_ones_stay),
		T(a_flood_of_denials_leaves_a_bounded_trail),
		T(a_commit_does_not_hold_the_engine_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
