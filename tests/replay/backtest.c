/* SPDX-License-Identifier: Apache-2.0 */
/* A back-test with the rules of the recording: each word of the live run again. With other rules
 * the host goes its recorded way. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/fs.h"
#include "record/trace.h"
#include "review/backtest.h"

#define TRACES "tests/fixtures/traces"

struct run {
	struct km_texts texts; /* the trace's policy and rules */
	struct km_buf *mine, *live;
	unsigned int acts, ends, starts;
	bool only_count;
};

static struct km_trace_reader *open_trace(int dir, const char *name, int *fd)
{
	struct km_trace_reader *r = NULL;

	*fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	assert_true(*fd >= 0);
	assert_int_equal(km_trace_reader_new(*fd, &r), 0);
	return r;
}

/* The set that the trace begins with. */
static void read_texts(int dir, const char *name, struct km_texts *ret)
{
	km_autoclose int fd = -1;
	km_autofree(km_trace_reader_freep) struct km_trace_reader *r = open_trace(dir, name, &fd);
	const void *raw;

	while (km_trace_next(r, &raw) > 0) {
		const struct km_raw_text *t = raw;

		if (t->hdr.type != KM_RAW_TEXT)
			continue;
		if (t->kind == KM_TEXT_COMMIT)
			return;
		if (t->kind != KM_TEXT_CONFIG && t->kind != KM_TEXT_SERVICES)
			assert_int_equal(km_texts_add(ret, t), 0);
	}
	fail_msg("%s has no rules", name);
}

static int said(void *userdata, const struct km_output *o)
{
	struct run *run = userdata;
	struct km_json_writer w;

	/* Not the first start of a command, which its definition asks for. */
	run->acts += o->kind == KM_OUT_DECISION && o->decision->answer == KM_ANSWER_ACT &&
	             o->decision->rule_key;
	run->ends += o->kind == KM_OUT_EVENT && o->event == KM_EV_ENDED;
	run->starts += o->kind == KM_OUT_EVENT && o->event == KM_EV_STARTED;
	if (run->only_count)
		return 0;
	km_jw_init(&w, run->mine, false);
	km_output_write(o, &w);
	km_buf_add(run->mine, "\n", 1);
	return km_buf_error(run->mine);
}

static void play(int dir, const char *name, struct run *run, bool as_written)
{
	km_autoclose int fd = -1;
	km_autofree(km_trace_reader_freep) struct km_trace_reader *r = open_trace(dir, name, &fd);
	km_autofree(km_backtest_freep) struct km_backtest *b = NULL;
	const struct km_backtest_opts opts = {
		.texts = &run->texts, .as_written = as_written, .said = said, .userdata = run
	};
	struct km_error err = { 0 };
	const void *raw;
	ssize_t n;

	if (km_backtest_new(&opts, &err, &b) < 0)
		fail_msg("%s", err.what);
	while ((n = km_trace_next(r, &raw)) > 0) {
		const struct km_raw_said *s = raw;

		assert_int_equal(km_backtest_feed(b, raw, (size_t)n), 0);
		if (s->hdr.type == KM_RAW_SAID && !run->only_count) {
			km_buf_add(run->live, s->text, s->len);
			km_buf_add(run->live, "\n", 1);
		}
	}
	assert_int_equal(n, 0);
}

static void each_trace(void (*check)(int dir, const char *name))
{
	km_autofree(km_fs_free_namesp) char **names = NULL;
	km_autoclose int dir = open(TRACES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(dir >= 0);
	assert_int_equal(km_fs_list(dir, ".trace", 1000, &names), 0);
	assert_non_null(names[0]);
	for (size_t i = 0; names[i]; i++)
		check(dir, names[i]);
}

static void check_same(int dir, const char *name)
{
	struct run run = { 0 };

	read_texts(dir, name, &run.texts);
	assert_int_equal(km_buf_new(64 << 20, &run.mine), 0);
	assert_int_equal(km_buf_new(64 << 20, &run.live), 0);
	play(dir, name, &run, true);
	assert_true(run.live->len > 0);
	assert_string_equal(km_buf_text(run.mine), km_buf_text(run.live));
	km_buf_free(run.mine);
	km_buf_free(run.live);
	km_texts_clear(&run.texts);
}

static void a_back_test_with_the_recorded_rules_says_what_the_live_run_said(void **state)
{
	(void)state;
	each_trace(check_same);
}

/* Without a rule nothing acts, and services end and start as they did. */
static void check_other(int dir, const char *name)
{
	struct run own = { .only_count = true }, none = { .only_count = true };

	read_texts(dir, name, &own.texts);
	play(dir, name, &own, true);
	play(dir, name, &none, true);
	assert_true(own.acts > 0);
	assert_int_equal(none.acts, 0);
	assert_int_equal(none.ends, own.ends);
	assert_int_equal(none.starts, own.starts);
	km_texts_clear(&own.texts);
}

static void the_recorded_host_goes_its_way_whatever_is_decided(void **state)
{
	(void)state;
	each_trace(check_other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_back_test_with_the_recorded_rules_says_what_the_live_run_said),
		cmocka_unit_test(the_recorded_host_goes_its_way_whatever_is_decided),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
