/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <math.h>
#include <time.h>
#include <cmocka.h>

#include "base/buf.h"
#include "record/history_db.h"

#define DAY_NS  (86400 * KM_NS_PER_S)
#define WALL_NS (20000 * DAY_NS)

struct place {
	char dir[64];
	struct km_history *h;
	struct km_buf *out;
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	snprintf(p->dir, sizeof(p->dir), "/tmp/kmend-history-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	assert_int_equal(km_history_open(p->dir, &p->h), 0);
	assert_int_equal(km_buf_new(4 * 1024 * 1024, &p->out), 0);
	assert_int_equal(km_history_commit(p->h, 0, WALL_NS, 14), 0);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = { "",           "-wal",           "-shm",
		                             ".damaged-1", ".damaged-1-wal", ".damaged-1-shm",
		                             ".damaged-2", "-journal" };
	struct place *p = *state;
	char path[128];

	km_history_close(p->h);
	chmod(p->dir, 0700);
	for (size_t i = 0; i < KM_ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/history.db%s", p->dir, names[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(p->dir), 0);
	km_buf_free(p->out);
	free(p);
	return 0;
}

static void reopen(struct place *p)
{
	p->h = km_history_close(p->h);
	assert_int_equal(km_history_open(p->dir, &p->h), 0);
}

static void decide(struct place *p, uint64_t id, uint64_t incident, const char *service)
{
	struct km_decision d = { .id = id,
		                 .incident_id = incident,
		                 .t_ns = id * KM_NS_PER_S,
		                 .answer = KM_ANSWER_ACT,
		                 .verb = KM_RESTART };

	km_copy(d.service, sizeof(d.service), service);
	km_copy(d.rule, sizeof(d.rule), "memory-leak");
	km_copy(d.reason, sizeof(d.reason), "forecast");
	assert_int_equal(km_history_decision(p->h, &d, "{\"id\":1,\"x\":[1,2.5]}",
	                                     WALL_NS + d.t_ns),
	                 0);
}

static void outcome(struct place *p, uint64_t id)
{
	struct km_raw_outcome o = { .hdr = { .ktime_ns = id * KM_NS_PER_S + 1 },
		                    .intent_id = id,
		                    .state = KM_OUT_DONE,
		                    .verb = KM_RESTART,
		                    .tgid = 77,
		                    .service = "web",
		                    .detail = "restarted" };

	assert_int_equal(km_history_outcome(p->h, &o, WALL_NS + o.hdr.ktime_ns), 0);
}

static void verdict(struct place *p, uint64_t id, uint64_t incident)
{
	struct km_verdict v = { .decision_id = id,
		                .incident_id = incident,
		                .t_ns = id * KM_NS_PER_S + 2,
		                .kind = KM_HELPED,
		                .reason = "up for 10s" };

	assert_int_equal(km_history_verdict(p->h, &v, "{\"verdict\":\"helped\"}", WALL_NS + v.t_ns),
	                 0);
}

static void commit(struct place *p, uint64_t now_ns)
{
	assert_int_equal(km_history_commit(p->h, now_ns, WALL_NS + now_ns, 14), 0);
}

static const char *text_of(struct place *p,
                           int (*query)(struct km_history *, const struct km_history_filter *,
                                        struct km_json_writer *),
                           const struct km_history_filter *f)
{
	struct km_json_writer w;

	km_buf_reset(p->out);
	km_jw_init(&w, p->out, false);
	assert_int_equal(query(p->h, f, &w), 0);
	return km_buf_text(p->out);
}

static const char *chain_of(struct place *p, uint64_t incident)
{
	struct km_json_writer w;

	km_buf_reset(p->out);
	km_jw_init(&w, p->out, false);
	assert_int_equal(km_history_incident(p->h, incident, &w), 0);
	return km_buf_text(p->out);
}

static uint64_t samples_of(struct place *p, uint64_t service, uint64_t limit)
{
	struct km_error err;
	struct km_json *doc;
	struct km_json_writer w;
	uint64_t n;

	km_buf_reset(p->out);
	km_jw_init(&w, p->out, false);
	assert_int_equal(km_history_samples(p->h, service, KM_MEMORY, limit, &w), 0);
	assert_int_equal(km_json_parse(km_buf_text(p->out), p->out->len, "samples", &err, &doc), 0);
	n = (uint64_t)cJSON_GetArraySize(km_json_root(doc));
	km_json_free(doc);
	return n;
}

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

static void spoil(struct place *p, off_t from, off_t to)
{
	char path[128], junk[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/history.db", p->dir);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	memset(junk, 0xa5, sizeof(junk));
	for (off_t at = from; at < to; at += (off_t)sizeof(junk))
		assert_int_equal(pwrite(fd, junk, sizeof(junk), at), sizeof(junk));
	close(fd);
}

/* More than the page cache holds. */
static void fill(struct place *p)
{
	for (uint64_t i = 1; i <= 4000; i++)
		decide(p, i, i, "web");
	commit(p, KM_NS_PER_S);
	p->h = km_history_close(p->h);
}

static bool is_aside(struct place *p, int n)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/history.db.damaged-%d", p->dir, n);
	return access(path, F_OK) == 0;
}

static void a_file_that_is_no_database_is_set_aside_and_a_new_one_begun(void **state)
{
	const struct km_history_filter all = { 0 };
	struct place *p = *state;

	fill(p);
	spoil(p, 0, 8192);
	assert_int_equal(km_history_open(p->dir, &p->h), 0);
	assert_non_null(strstr(km_history_trouble(p->h), "set aside as history.db.damaged-1"));
	assert_true(is_aside(p, 1));
	decide(p, 7, 7, "web");
	commit(p, 2 * KM_NS_PER_S);
	assert_non_null(strstr(text_of(p, km_history_actions, &all), "\"id\":7"));
	reopen(p);
	assert_null(km_history_trouble(p->h));
}

static void a_spoiled_page_is_found_at_the_start(void **state)
{
	struct place *p = *state;

	fill(p);
	spoil(p, 4 * 4096, 20 * 4096);
	assert_int_equal(km_history_open(p->dir, &p->h), 0);
	assert_non_null(km_history_trouble(p->h));
	assert_true(is_aside(p, 1));
}

static void damage_that_shows_later_is_met_without_losing_what_comes_after(void **state)
{
	const struct km_history_filter all = { 0 };
	struct place *p = *state;

	fill(p);
	assert_int_equal(km_history_open(p->dir, &p->h), 0);
	spoil(p, 4096, 200 * 4096);
	text_of(p, km_history_actions,
	        &(struct km_history_filter){ .service = "web", .limit = 1000 });
	for (uint64_t i = 1000; i < 1100; i++)
		decide(p, i, i, "db");
	commit(p, 2 * KM_NS_PER_S);
	assert_true(is_aside(p, 1));
	assert_false(is_aside(p, 2));
	assert_non_null(km_history_trouble(p->h));
	assert_non_null(strstr(text_of(p, km_history_actions, &all), "\"id\":1099"));
}

static void a_later_version_of_the_file_is_set_aside_not_changed(void **state)
{
	struct place *p = *state;

	sqlite3_exec(p->h->db, "PRAGMA user_version=2", NULL, NULL, NULL);
	reopen(p);
	assert_true(is_aside(p, 1));
}

static void a_second_user_of_the_database_is_told_and_tries_again(void **state)
{
	struct place *p = *state;
	struct km_history *second;

	decide(p, 1, 1, "web");
	commit(p, KM_NS_PER_S);
	assert_int_equal(km_history_open(p->dir, &second), 0);
	assert_non_null(strstr(km_history_trouble(second), "another process has it open"));
	assert_int_equal(km_history_audit(second, "x", 0, 0, WALL_NS), 0);
	assert_int_equal(km_history_lost(second), 1);
	p->h = km_history_close(p->h);
	assert_int_equal(km_history_commit(second, KM_NS_PER_S, WALL_NS, 14), 0);
	assert_null(km_history_trouble(second));
	p->h = second;
}

static void a_directory_that_is_not_there_costs_history_not_the_daemon(void **state)
{
	struct km_json_writer w;
	struct place *p = *state;
	struct km_history *h;

	assert_int_equal(km_history_open("/nonexistent/kmend", &h), 0);
	assert_non_null(strstr(km_history_trouble(h), "make the state directory writable"));
	assert_int_equal(km_history_audit(h, "x", 0, 0, WALL_NS), 0);
	assert_int_equal(km_history_sample(h, 1, "web", KM_MEMORY, 1, 1, 1), 0);
	assert_int_equal(km_history_commit(h, 1, 1, 1), 0);
	assert_int_equal(km_history_lost(h), 1);
	km_jw_init(&w, p->out, false);
	assert_int_equal(km_history_audits(h, 10, &w), 0);
	assert_string_equal(km_buf_text(p->out), "[]");
	km_history_close(h);
}

static void a_directory_below_one_that_cannot_be_entered_is_used_all_the_same(void **state)
{
	char parent[64] = "/tmp/kmend-history-XXXXXX", dir[96], file[128];
	struct km_history *h;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(parent));
	snprintf(dir, sizeof(dir), "%s/engine", parent);
	assert_int_equal(mkdir(dir, 0700), 0);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	chmod(parent, 0); /* root may enter it nevertheless: then this shows only that it works */
	assert_int_equal(km_history_open_at(fd, &h), 0);
	close(fd);
	assert_null(km_history_trouble(h));
	km_history_audit(h, "x", 1, 2, WALL_NS);
	km_history_close(h);
	chmod(parent, 0700);
	snprintf(file, sizeof(file), "%s/history.db", dir);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(rmdir(parent), 0);
}

static void a_database_that_is_a_symlink_is_not_followed(void **state)
{
	struct place *p = *state;
	char path[128], target[128];

	p->h = km_history_close(p->h);
	snprintf(path, sizeof(path), "%s/history.db", p->dir);
	snprintf(target, sizeof(target), "%s/elsewhere", p->dir);
	unlink(path);
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(km_history_open(p->dir, &p->h), 0);
	assert_non_null(km_history_trouble(p->h));
	assert_int_equal(access(target, F_OK), -1);
}

static void without_a_history_nothing_is_kept_and_nothing_known(void **state)
{
	const struct km_history_filter all = { 0 };
	struct place *p = *state;
	struct km_history *own = p->h;
	struct km_json_writer w;

	p->h = NULL;
	decide(p, 1, 1, "web");
	outcome(p, 1);
	verdict(p, 1, 1);
	assert_int_equal(km_history_audit(NULL, "x", 0, 0, 0), 0);
	assert_int_equal(km_history_evidence(NULL, 1, 1, "{}"), 0);
	assert_int_equal(km_history_sample(NULL, 1, "web", KM_MEMORY, 1, 1, 1), 0);
	commit(p, 1);
	assert_int_equal(km_history_lost(NULL), 0);
	assert_non_null(km_history_trouble(NULL));
	assert_int_equal(km_history_last_id(NULL), 0);
	assert_string_equal(text_of(p, km_history_actions, &all), "[]");
	assert_string_equal(text_of(p, km_history_incidents, &all), "[]");
	assert_int_equal(samples_of(p, 1, 5), 0);
	km_jw_init(&w, p->out, false);
	assert_int_equal(km_history_incident(NULL, 1, &w), -ENOENT);
	p->h = own;
}

static void a_read_only_directory_is_trouble(void **state)
{
	struct place *p = *state;

	if (geteuid() == 0) {
		print_message("root writes everywhere: run as a plain user\n");
		skip();
	}
	p->h = km_history_close(p->h);
	chmod(p->dir, 0500);
	assert_int_equal(km_history_open(p->dir, &p->h), 0);
	assert_non_null(km_history_trouble(p->h));
}

static void a_full_database_counts_what_it_loses_and_goes_on(void **state)
{
	struct place *p = *state;
	uint64_t wrote = 0;

	sqlite3_exec(p->h->db, "PRAGMA max_page_count=40", NULL, NULL, NULL);
	while (!km_history_trouble(p->h) && wrote < 100000)
		decide(p, ++wrote, 1, "web");
	assert_non_null(strstr(km_history_trouble(p->h), "full"));
	assert_true(km_history_lost(p->h) >= 2 * wrote - 1);
	decide(p, 99, 0, "web");
	assert_true(km_history_lost(p->h) >= 2 * wrote);
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
		T(a_file_that_is_no_database_is_set_aside_and_a_new_one_begun),
		T(a_spoiled_page_is_found_at_the_start),
		T(damage_that_shows_later_is_met_without_losing_what_comes_after),
		T(a_later_version_of_the_file_is_set_aside_not_changed),
		T(a_second_user_of_the_database_is_told_and_tries_again),
		T(a_directory_that_is_not_there_costs_history_not_the_daemon),
		T(a_directory_below_one_that_cannot_be_entered_is_used_all_the_same),
		T(a_database_that_is_a_symlink_is_not_followed),
		T(without_a_history_nothing_is_kept_and_nothing_known),
		T(a_read_only_directory_is_trouble),
		T(a_full_database_counts_what_it_loses_and_goes_on),
		T(a_commit_does_not_hold_the_engine_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
