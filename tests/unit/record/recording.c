// SPDX-License-Identifier: Apache-2.0
/* The rolling recording: whole where nothing failed, with gaps that are told where something did,
 * and never larger than it may be. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <cmocka.h>

#include "base/fs.h"
#include "record/recording.h"

#define ROOM (1024 * 1024)

struct place {
	char dir[64];
	int fd;
	struct km_recording *r;
	uint32_t seed;
};

static int begin(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	snprintf(p->dir, sizeof(p->dir), "/tmp/kmend-recording-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	p->fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	p->seed = 1;
	assert_int_equal(km_recording_open(p->fd, &p->r), 0);
	*state = p;
	return 0;
}

static char **files(const struct place *p)
{
	int fd = openat(p->fd, "recording", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char **names = NULL;

	assert_int_equal(km_fs_list(fd, NULL, 1000, &names), 0);
	close(fd);
	return names;
}

static size_t count_files(const struct place *p)
{
	char **names = files(p);
	size_t n = 0;

	while (names[n])
		n++;
	km_fs_free_names(names);
	return n;
}

static int end(void **state)
{
	struct place *p = *state;
	char **names = files(p), path[128];

	for (char **n = names; *n; n++) {
		snprintf(path, sizeof(path), "%s/recording/%s", p->dir, *n);
		unlink(path);
	}
	km_fs_free_names(names);
	km_recording_close(p->r);
	snprintf(path, sizeof(path), "%s/recording", p->dir);
	rmdir(path);
	close(p->fd);
	rmdir(p->dir);
	free(p);
	return 0;
}

/* Records that hardly pack; those of a checkpoint are of CPU 7. */
static struct km_raw_level *some(struct place *p, unsigned int n, uint32_t cpu)
{
	struct km_raw_level *l = calloc(n + 1, sizeof(*l));

	for (unsigned int i = 0; i < n; i++) {
		p->seed = p->seed * 1664525 + 1013904223;
		l[i] = (struct km_raw_level){
			.hdr = { .type = KM_RAW_LEVEL, .size = sizeof(*l), .cpu = cpu },
			.level = (uint64_t)p->seed << 32 | (p->seed ^ 0x5bd1e995),
			.limit = p->seed * 2654435761U,
		};
	}
	return l;
}

struct checkpoint {
	const struct km_raw_level *record;
	unsigned int count;
};

static int hand_out(const void *userdata, int (*take)(void *writer, const struct kmend_hdr *raw),
                    void *writer)
{
	const struct checkpoint *c = userdata;
	int r = 0;

	for (unsigned int i = 0; i < c->count && r == 0; i++)
		r = take(writer, &c->record[i].hdr);
	return r;
}

/* N records behind a checkpoint of so many. */
static int add(struct place *p, unsigned int n, unsigned int checkpoint, uint64_t room)
{
	struct km_raw_level *live = some(p, n, 0), *before = some(p, checkpoint, 7);
	const struct checkpoint c = { before, checkpoint };
	int r = km_recording_add(p->r,
	                         &(struct km_recorded){ live, n * sizeof(*live), hand_out, &c },
	                         room);

	free(live);
	free(before);
	return r;
}

/* Records of the trace NAME, of which *CHECKPOINT are of one. */
static unsigned int read_back(const struct place *p, const char *name, unsigned int *checkpoint)
{
	struct km_trace_reader *reader;
	struct km_trace_stats stats;
	unsigned int n = 0;
	char path[128];
	const void *raw;
	int fd;

	*checkpoint = 0;
	snprintf(path, sizeof(path), "%s/recording/%s", p->dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(km_trace_reader_new(fd, &reader), 0);
	for (; km_trace_next(reader, &raw) > 0; n++)
		*checkpoint += ((const struct kmend_hdr *)raw)->cpu == 7;
	km_trace_stats(reader, &stats);
	assert_int_equal(stats.cut_at, 0);
	km_trace_reader_free(reader);
	close(fd);
	return n;
}

static void what_is_added_follows_on_without_its_checkpoint(void **state)
{
	struct place *p = *state;
	unsigned int checkpoint;

	assert_int_equal(add(p, 90, 10, ROOM), 0);
	assert_int_equal(add(p, 30, 20, ROOM), 0);
	assert_int_equal(add(p, 0, 30, ROOM), 0);
	assert_int_equal(count_files(p), 1);
	assert_int_equal(read_back(p, "0000000000000002.trace", &checkpoint), 130);
	assert_int_equal(checkpoint, 10);
}

static void a_new_trace_begins_with_a_checkpoint_and_the_next_number(void **state)
{
	struct place *p = *state;
	unsigned int checkpoint;

	for (int i = 0; i < 3; i++)
		assert_int_equal(add(p, 4000, 10, ROOM), 0);
	assert_true(count_files(p) >= 2);
	read_back(p, "0000000000000003.trace", &checkpoint);
	assert_int_equal(checkpoint, 10);
}

static void it_never_takes_more_room_than_it_may(void **state)
{
	struct place *p = *state;
	char **names, path[128];
	uint64_t bytes = 0;
	struct stat st;

	for (int i = 0; i < 60; i++) {
		assert_int_equal(add(p, 2000, 10, ROOM), 0);
		bytes = 0;
		names = files(p);
		for (char **n = names; *n; n++) {
			snprintf(path, sizeof(path), "%s/recording/%s", p->dir, *n);
			assert_int_equal(stat(path, &st), 0);
			bytes += (uint64_t)st.st_size;
		}
		km_fs_free_names(names);
		assert_true(bytes <= ROOM);
	}
	assert_true(bytes > ROOM / 2);
}

static void another_start_is_a_gap_in_the_numbers(void **state)
{
	struct place *p = *state;
	unsigned int checkpoint;

	assert_int_equal(add(p, 100, 10, ROOM), 0);
	km_recording_close(p->r);
	assert_int_equal(km_recording_open(p->fd, &p->r), 0);
	assert_int_equal(add(p, 100, 10, ROOM), 0);
	assert_int_equal(read_back(p, "0000000000000004.trace", &checkpoint), 110);
	km_recording_gap(p->r);
	assert_int_equal(add(p, 100, 10, ROOM), 0);
	assert_int_equal(read_back(p, "0000000000000006.trace", &checkpoint), 110);
}

static void no_room_takes_all_away(void **state)
{
	struct place *p = *state;

	assert_int_equal(add(p, 100, 10, ROOM), 0);
	assert_int_equal(add(p, 100, 10, 0), 0);
	assert_int_equal(count_files(p), 0);
}

/* What the disk does not take is not there in part, and what comes next begins anew. */
static void what_cannot_be_written_is_a_gap(void **state)
{
	struct place *p = *state;
	struct rlimit was, small;
	unsigned int checkpoint;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(add(p, 100, 10, ROOM), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	small = was;
	small.rlim_cur = 8192;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_true(add(p, 2000, 10, ROOM) < 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(read_back(p, "0000000000000002.trace", &checkpoint), 110);
	assert_int_equal(add(p, 100, 10, ROOM), 0);
	assert_int_equal(read_back(p, "0000000000000004.trace", &checkpoint), 110);
	assert_int_equal(checkpoint, 10);
}

static void only_its_own_names_have_numbers(void **state)
{
	(void)state;
	assert_int_equal(km_recording_number("/x/0000000000000012.trace"), 12);
	assert_int_equal(km_recording_number("0000000000000012.trace"), 12);
	assert_int_equal(km_recording_number("12.trace"), 0);
	assert_int_equal(km_recording_number("0000000000000012.tra"), 0);
	assert_int_equal(km_recording_number("/x/1-2.trace"), 0);
	assert_int_equal(km_recording_number("demo.trace"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_added_follows_on_without_its_checkpoint,
		                                begin, end),
		cmocka_unit_test_setup_teardown(
			a_new_trace_begins_with_a_checkpoint_and_the_next_number, begin, end),
		cmocka_unit_test_setup_teardown(it_never_takes_more_room_than_it_may, begin, end),
		cmocka_unit_test_setup_teardown(another_start_is_a_gap_in_the_numbers, begin, end),
		cmocka_unit_test_setup_teardown(no_room_takes_all_away, begin, end),
		cmocka_unit_test_setup_teardown(what_cannot_be_written_is_a_gap, begin, end),
		cmocka_unit_test(only_its_own_names_have_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
