/* SPDX-License-Identifier: Apache-2.0 */
/* Damage, full disks, missing directories: history is lost, the daemon is not. */
#include "place.h"

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

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
