// SPDX-License-Identifier: Apache-2.0
/* Each byte of a journal of 4 KiB flipped, and each of its truncations: opening it keeps the good
 * prefix, record for record, sets the rest aside and goes on. KMEND_LONG=1: all 8,193; else every
 * SAMPLE-th. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/journal.h"

#define FIRST   "journal-00000001"
#define RECORD  1024
#define RECORDS 4
#define BYTES   (RECORD * RECORDS)
#define SEGMENT (1024 * 1024)
#define SAMPLE  61

/* In place of libc's: thousands are made, and no power fails here. */
int fdatasync(int fd)
{
	(void)fd;
	return 0;
}

static char dir[] = "/dev/shm/kmend-journal.XXXXXX";
static int dir_fd;
static char good[BYTES];
static unsigned int seen, wrong;

/* Each byte counts, also between the members. */
static void on_record(void *userdata, const struct km_journal_record *r)
{
	const void *bytes = r;

	(void)userdata;
	wrong += seen >= RECORDS || memcmp(bytes, good + RECORD * seen, sizeof(*r)) != 0;
	seen++;
}

static void empty(void)
{
	DIR *d = fdopendir(openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			unlinkat(dir_fd, e->d_name, 0);
	closedir(d);
}

static void put(const char *bytes, off_t len, off_t size)
{
	int fd = openat(dir_fd, FIRST, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(pwrite(fd, bytes, (size_t)len, 0), len);
	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
}

/* Opened, written to and opened again: KEPT records are there, and then what is new. */
static void is_kept(unsigned int kept)
{
	struct km_journal_record r = { .kind = KM_J_INTENT, .intent_id = 99, .service = "new" };
	struct km_journal_report report;
	struct km_chain *journal = NULL;

	seen = wrong = 0;
	assert_int_equal(km_journal_open(dir_fd, on_record, NULL, &journal), 0);
	assert_int_equal(seen, kept);
	assert_int_equal(wrong, 0);
	assert_int_equal(km_journal_add(journal, &r), 0);
	km_chain_close(journal);
	assert_int_equal(km_journal_verify(dir_fd, NULL, NULL, &report), 0);
	assert_int_equal(report.records, kept + 2);
	empty();
}

static int begin(void **state)
{
	struct km_chain *journal = NULL;
	int fd;

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(km_journal_open(dir_fd, on_record, NULL, &journal), 0);
	for (uint64_t id = 1; id < RECORDS; id++) {
		struct km_journal_record r = { .kind = KM_J_INTENT,
			                       .intent_id = id,
			                       .service = "web" };

		assert_int_equal(km_journal_add(journal, &r), 0);
	}
	km_chain_close(journal);
	fd = openat(dir_fd, FIRST, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, good, BYTES, 0), BYTES);
	close(fd);
	empty();
	return 0;
}

static int end(void **state)
{
	(void)state;
	close(dir_fd);
	return rmdir(dir);
}

static off_t step(void)
{
	return getenv("KMEND_LONG") ? 1 : SAMPLE;
}

static void behind_every_flipped_byte_the_good_prefix_is_kept(void **state)
{
	char bad[BYTES];

	(void)state;
	for (off_t at = 0; at < BYTES; at += step()) {
		memcpy(bad, good, sizeof(bad));
		bad[at] = (char)(bad[at] ^ 1 << at % 8);
		put(bad, BYTES, SEGMENT);
		is_kept((unsigned int)(at / RECORD));
	}
}

static void of_every_truncation_the_good_prefix_is_kept(void **state)
{
	(void)state;
	for (off_t len = 0; len <= BYTES; len += step()) {
		put(good, len, len);
		is_kept((unsigned int)(len / RECORD));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(behind_every_flipped_byte_the_good_prefix_is_kept),
		cmocka_unit_test(of_every_truncation_the_good_prefix_is_kept),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
