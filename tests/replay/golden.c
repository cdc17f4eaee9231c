/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded live runs, replayed: each word that the live daemon said must come out again. A trace
 * whose decisions have changed on purpose is recorded anew (CONTRIBUTING.md says how). */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/fs.h"
#include "pipeline/pipeline.h"
#include "record/trace.h"

#define TRACES "tests/fixtures/traces"

static struct km_buf *said_of(struct km_pipeline *p, struct km_buf *lines)
{
	const struct km_output *o;

	while ((o = km_pipeline_next(p))) {
		struct km_json_writer w;

		km_jw_init(&w, lines, false);
		km_output_write(o, &w);
		km_buf_add(lines, "\n", 1);
	}
	return lines;
}

static void check_trace(int dir, const char *name)
{
	km_autofree(km_trace_reader_freep) struct km_trace_reader *r = NULL;
	km_autofree(km_pipeline_freep) struct km_pipeline *p = NULL;
	km_autofree(km_buf_freep) struct km_buf *mine = NULL, *live = NULL;
	km_autoclose int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	const void *raw;
	ssize_t n;

	assert_true(fd >= 0);
	assert_int_equal(km_trace_reader_new(fd, &r), 0);
	assert_int_equal(km_pipeline_new(&p), 0);
	assert_int_equal(km_buf_new(64 << 20, &mine), 0);
	assert_int_equal(km_buf_new(64 << 20, &live), 0);
	while ((n = km_trace_next(r, &raw)) > 0) {
		const struct km_raw_said *said = raw;

		if (said->hdr.type == KM_RAW_SAID) {
			km_buf_add(live, said->text, said->len);
			km_buf_add(live, "\n", 1);
			continue;
		}
		km_pipeline_feed(p, raw, (size_t)n);
		said_of(p, mine);
	}
	assert_int_equal(n, 0);
	assert_true(live->len > 0);
	assert_string_equal(km_buf_text(mine), km_buf_text(live));
}

static void every_recorded_run_is_said_again_byte_for_byte(void **state)
{
	km_autofree(km_fs_free_namesp) char **names = NULL;
	km_autoclose int dir = open(TRACES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_true(dir >= 0);
	assert_int_equal(km_fs_list(dir, ".trace", 1000, &names), 0);
	assert_non_null(names[0]);
	for (size_t i = 0; names[i]; i++)
		check_trace(dir, names[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_recorded_run_is_said_again_byte_for_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
