// SPDX-License-Identifier: Apache-2.0
/* The action journal on its chain: what is written comes back, what is damaged is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/journal.h"
#include "lib/spawn.h"

#define FIRST "journal-00000001"
#define SPARE "journal-00000002"

/* In place of libc's: syncs fail on demand, and cost nothing where thousands are made. */
static unsigned int sync_fails_at, sync_count;
static bool sync_is_free;

int fdatasync(int fd)
{
	if (++sync_count == sync_fails_at) {
		errno = EIO;
		return -1;
	}
	return sync_is_free ? 0 : (int)syscall(SYS_fdatasync, fd);
}

static char dir[64];
static int dir_fd;
static struct km_chain *journal;
static uint64_t seen, last_sequence, last_open_id;
static bool in_order;

static void on_record(void *userdata, const struct km_journal_record *r)
{
	(void)userdata;
	/* Who begins after a failed sync takes the number of the one that does not count. */
	in_order &= seen == 0 || r->sequence == last_sequence + (r->error != -EIO);
	last_sequence = r->sequence;
	if (r->kind == KM_J_OPEN)
		last_open_id = r->intent_id;
	seen++;
}

static int begin(void **state)
{
	(void)state;
	sync_fails_at = sync_count = 0;
	sync_is_free = true;
	snprintf(dir, sizeof(dir), "/tmp/kmend-journal.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return 0;
}

static int end(void **state)
{
	char *argv[] = { "rm", "-rf", dir, NULL };
	char text[64];

	(void)state;
	journal = km_chain_close(journal);
	close(dir_fd);
	return test_run(argv, text, sizeof(text), 5000);
}

static void reopen(void)
{
	seen = last_sequence = last_open_id = 0;
	in_order = true;
	journal = km_chain_close(journal);
	assert_int_equal(km_journal_open(dir_fd, on_record, NULL, &journal), 0);
	assert_true(in_order);
}

static int add(enum km_journal_kind kind, uint64_t id)
{
	struct km_journal_record r = { .kind = kind, .intent_id = id, .service = "web" };

	return km_journal_add(journal, &r);
}

/* N records of intents 1 to N behind the OPEN. */
static void fill(unsigned int n)
{
	reopen();
	for (unsigned int i = 1; i <= n; i++)
		assert_int_equal(add(KM_J_INTENT, i), 0);
}

static uint64_t good(void)
{
	struct km_journal_report report;

	assert_int_equal(km_journal_verify(dir_fd, NULL, NULL, &report), 0);
	assert_int_equal(report.bad_sequence, 0);
	assert_string_equal(report.what, "");
	return report.records;
}

static bool exists(const char *name)
{
	return faccessat(dir_fd, name, F_OK, 0) == 0;
}

static void an_empty_directory_becomes_a_journal(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(good(), 0);
	sync_is_free = false;
	reopen();
	assert_int_equal(seen, 0);
	assert_int_equal(good(), 1);
	assert_false(km_chain_degraded(journal));
	assert_int_equal(fstatat(dir_fd, SPARE, &st, 0), 0);
	assert_int_equal(st.st_size, 1024 * 1024);
	assert_int_equal(st.st_blocks * 512 >= st.st_size, 1);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void what_was_written_comes_back_in_order(void **state)
{
	(void)state;
	fill(3);
	reopen();
	assert_int_equal(seen, 4);
	assert_int_equal(last_sequence, 4);
	assert_int_equal(add(KM_J_OUTCOME, 3), 0);
	reopen();
	assert_int_equal(seen, 5);
	assert_int_equal(good(), 5);
}

static void every_flipped_byte_is_found(void **state)
{
	struct km_journal_report report;
	char byte, other;
	int fd;

	(void)state;
	fill(3);
	unlinkat(dir_fd, SPARE, 0);
	fd = openat(dir_fd, FIRST, O_RDWR | O_CLOEXEC);
	for (off_t at = 0; at < 4 * 1024; at++) {
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		other = (char)(byte ^ (1 << at % 8));
		assert_int_equal(pwrite(fd, &other, 1, at), 1);
		assert_int_equal(km_journal_verify(dir_fd, NULL, NULL, &report), -EBADMSG);
		assert_int_equal(report.records, at / 1024);
		assert_int_equal(report.bad_sequence, at / 1024 + 1);
		assert_string_equal(report.file, FIRST);
		assert_true(report.what[0]);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	assert_int_equal(good(), 4);
	close(fd);
}

static void every_truncation_is_found(void **state)
{
	struct km_journal_report report;
	char text[4096];
	int fd;

	(void)state;
	fill(3);
	unlinkat(dir_fd, SPARE, 0);
	fd = openat(dir_fd, FIRST, O_RDWR | O_CLOEXEC);
	assert_int_equal(pread(fd, text, sizeof(text), 0), sizeof(text));
	for (off_t len = 4096; len >= 0; len--) {
		assert_int_equal(ftruncate(fd, len), 0);
		assert_int_equal(km_journal_verify(dir_fd, NULL, NULL, &report), -EBADMSG);
		assert_int_equal(report.records, len / 1024);
	}
	close(fd);
}

/* Damage at AT: the records before it stay, the file is set aside, and it goes on. */
static void damage_is_survived(off_t at)
{
	struct km_journal_report report;
	unsigned int kept = at < 4096 ? (unsigned int)at / 1024 : 4;
	char byte, bad, aside[64];
	int fd;

	fill(3);
	journal = km_chain_close(journal);
	fd = openat(dir_fd, FIRST, O_RDWR | O_CLOEXEC);
	assert_int_equal(pread(fd, &bad, 1, at), 1);
	bad ^= 0x5a;
	assert_int_equal(pwrite(fd, &bad, 1, at), 1);
	close(fd);
	assert_int_equal(km_journal_verify(dir_fd, NULL, NULL, &report), -EBADMSG);
	reopen();
	assert_int_equal(seen, kept);
	assert_true(km_chain_degraded(journal));
	fd = openat(dir_fd, FIRST ".damaged", O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	assert_int_equal(byte, bad);
	close(fd);
	assert_int_equal(add(KM_J_INTENT, 99), 0);
	assert_int_equal(good(), kept + 2);
	reopen();
	assert_false(km_chain_degraded(journal));
	assert_int_equal(last_sequence, kept + 2);
	journal = km_chain_close(journal);
	for (int i = 1; i < 4; i++) {
		snprintf(aside, sizeof(aside), "journal-%08d", i);
		unlinkat(dir_fd, aside, 0);
	}
	unlinkat(dir_fd, FIRST ".damaged", 0);
	unlinkat(dir_fd, SPARE ".damaged", 0);
}

static void the_good_prefix_is_kept_and_the_rest_set_aside(void **state)
{
	(void)state;
	for (off_t at = 0; at < 4096; at += 331)
		damage_is_survived(at);
	damage_is_survived(4096);
	damage_is_survived(1024 * 1024 - 1);
}

static void a_directory_that_is_damaged_again_and_again_is_refused_in_the_end(void **state)
{
	struct km_chain *none = NULL;
	int r = 0, fd;

	(void)state;
	for (int i = 0; r == 0 && i < 12; i++) {
		fill(1);
		journal = km_chain_close(journal);
		unlinkat(dir_fd, SPARE, 0);
		fd = openat(dir_fd, FIRST, O_RDWR | O_CLOEXEC);
		assert_int_equal(pwrite(fd, "x", 1, 7), 1);
		close(fd);
		r = km_journal_open(dir_fd, NULL, NULL, &none);
		none = km_chain_close(none);
		if (r == 0 && exists(SPARE))
			unlinkat(dir_fd, SPARE, 0);
	}
	assert_int_equal(r, -EEXIST);
}

static void the_chain_goes_on_over_segments(void **state)
{
	struct km_journal_report report;

	(void)state;
	fill(2500);
	assert_int_equal(km_journal_verify(dir_fd, NULL, NULL, &report), 0);
	assert_int_equal(report.records, 2503);
	assert_int_equal(report.segments, 3);
	reopen();
	assert_int_equal(seen, 2503);
	assert_int_equal(last_open_id, 1023 + 1023);
	assert_int_equal(good(), 2503);
}

static void a_missing_or_exchanged_segment_is_found(void **state)
{
	struct km_journal_report report;

	(void)state;
	fill(2500);
	journal = km_chain_close(journal);
	assert_int_equal(renameat(dir_fd, SPARE, dir_fd, "kept"), 0);
	assert_int_equal(km_journal_verify(dir_fd, NULL, NULL, &report), -EBADMSG);
	assert_string_equal(report.file, "journal-00000003");
	assert_int_equal(renameat(dir_fd, FIRST, dir_fd, SPARE), 0);
	assert_int_equal(renameat(dir_fd, "kept", dir_fd, FIRST), 0);
	assert_int_equal(km_journal_verify(dir_fd, NULL, NULL, &report), -EBADMSG);
	assert_string_equal(report.file, FIRST);
}

static void the_oldest_segments_are_dropped_and_the_highest_intent_is_not_forgotten(void **state)
{
	(void)state;
	fill(1);
	for (unsigned int i = 0; i < 18 * 1024; i++)
		assert_int_equal(add(KM_J_REFUSED, 999999), 0);
	assert_false(exists(FIRST));
	assert_true(exists("journal-00000004"));
	reopen();
	assert_int_equal(last_open_id, 1);
	good();
}

static void a_failed_sync_leaves_the_segment(void **state)
{
	(void)state;
	fill(3);
	sync_fails_at = sync_count + 1;
	assert_int_equal(add(KM_J_INTENT, 4), -EIO);
	assert_true(km_chain_degraded(journal));
	assert_int_equal(add(KM_J_INTENT, 5), 0);
	good();
	reopen();
	assert_false(km_chain_degraded(journal));
	assert_int_equal(add(KM_J_OUTCOME, 5), 0);
	good();
}

static void two_failed_syncs_end_it(void **state)
{
	(void)state;
	fill(1);
	sync_fails_at = sync_count + 1;
	/* The record, then the new segment's OPEN. */
	assert_int_equal(add(KM_J_INTENT, 2), -EIO);
	sync_fails_at = sync_count + 1;
	assert_int_equal(add(KM_J_INTENT, 3), -EIO);
	sync_fails_at = 0;
	assert_int_equal(add(KM_J_INTENT, 4), 0);
	good();
}

static void a_full_disk_stops_nothing_until_the_prepared_room_is_used(void **state)
{
	struct rlimit small = { 512 * 1024, RLIM_INFINITY }, old;
	unsigned int room;

	(void)state;
	fill(1);
	getrlimit(RLIMIT_FSIZE, &old);
	signal(SIGXFSZ, SIG_IGN);
	small.rlim_max = old.rlim_max;
	/* Files of one segment cannot be made any more; those that are there can be written to. */
	unlinkat(dir_fd, SPARE, 0);
	journal = km_chain_close(journal);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	reopen();
	assert_true(km_chain_degraded(journal));
	room = km_chain_room(journal);
	assert_int_equal(room, 1024 - 2);
	for (unsigned int i = 0; i < 500; i++)
		assert_int_equal(add(KM_J_REFUSED, 1), 0);
	km_chain_prepare(journal);
	assert_int_equal(km_chain_room(journal), room - 500);
	setrlimit(RLIMIT_FSIZE, &old);
	for (unsigned int i = 0; i < 20; i++)
		assert_int_equal(add(KM_J_REFUSED, 1), 0);
	km_chain_prepare(journal);
	assert_false(km_chain_degraded(journal));
	good();
}

static void without_room_nothing_is_written(void **state)
{
	struct rlimit small = { 0, 0 }, old;

	(void)state;
	fill(1022);
	unlinkat(dir_fd, SPARE, 0);
	journal = km_chain_close(journal);
	getrlimit(RLIMIT_FSIZE, &old);
	signal(SIGXFSZ, SIG_IGN);
	small.rlim_max = old.rlim_max;
	small.rlim_cur = 1024 * 1024 - 1;
	setrlimit(RLIMIT_FSIZE, &small);
	reopen();
	assert_int_equal(km_chain_room(journal), 1);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(add(KM_J_REFUSED, 1), 0);
	small.rlim_cur = 1024 * 1024 - 1;
	setrlimit(RLIMIT_FSIZE, &small);
	assert_int_equal(km_chain_room(journal), 0);
	assert_int_equal(add(KM_J_REFUSED, 1), -ENOSPC);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(add(KM_J_REFUSED, 1), 0);
	good();
}

static void a_text_without_end_is_no_record(void **state)
{
	struct km_journal_report report;
	struct km_journal_record r = { .kind = KM_J_REFUSED };

	(void)state;
	fill(0);
	memset(r.service, 'a', sizeof(r.service));
	assert_int_equal(km_journal_add(journal, &r), 0);
	assert_int_equal(km_journal_verify(dir_fd, NULL, NULL, &report), -EBADMSG);
	assert_string_equal(report.what, "a text without end");
}

static void a_verify_hands_out_every_good_record(void **state)
{
	struct km_journal_report report;

	(void)state;
	fill(7);
	seen = 0;
	assert_int_equal(km_journal_verify(dir_fd, on_record, NULL, &report), 0);
	assert_int_equal(seen, 8);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_empty_directory_becomes_a_journal),
		TEST(what_was_written_comes_back_in_order),
		TEST(every_flipped_byte_is_found),
		TEST(every_truncation_is_found),
		TEST(the_good_prefix_is_kept_and_the_rest_set_aside),
		TEST(a_directory_that_is_damaged_again_and_again_is_refused_in_the_end),
		TEST(the_chain_goes_on_over_segments),
		TEST(a_missing_or_exchanged_segment_is_found),
		TEST(the_oldest_segments_are_dropped_and_the_highest_intent_is_not_forgotten),
		TEST(a_failed_sync_leaves_the_segment),
		TEST(two_failed_syncs_end_it),
		TEST(a_full_disk_stops_nothing_until_the_prepared_room_is_used),
		TEST(without_room_nothing_is_written),
		TEST(a_text_without_end_is_no_record),
		TEST(a_verify_hands_out_every_good_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
