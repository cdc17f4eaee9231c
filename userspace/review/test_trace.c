// SPDX-License-Identifier: Apache-2.0
/* A test over a recorded host: as a back-test, with an ear. Time 0 is the record's beginning. */
#include <fcntl.h>

#include "record/trace.h"
#include "review/backtest.h"
#include "review/test_watch.h"

struct play {
	struct km_test_watch *watch;
	struct km_backtest *backtest;
};

static int hear(void *userdata, const struct km_output *o)
{
	struct play *p = userdata;

	km_test_watch_output(p->watch, o);
	return 0;
}

static int feed(struct play *p, const struct kmend_hdr *hdr)
{
	int r;

	/* rows of a checkpoint are of before */
	if (!p->watch->begin_ns && hdr->type != KM_RAW_STATE)
		p->watch->begin_ns = hdr->ktime_ns;
	r = km_backtest_feed(p->backtest, hdr, hdr->size);
	if (r == 0 && hdr->type == KM_RAW_TICK)
		km_test_watch_tick(p->watch, km_backtest_pipeline(p->backtest));
	return r;
}

int km_test_play_trace(const struct km_test_rule *rule, const struct km_test *t,
                       struct km_coverage *cover, struct km_test_watch *watch)
{
	km_autofree(km_texts_clear) struct km_texts texts = { 0 };
	km_autofree(km_trace_reader_freep) struct km_trace_reader *reader = NULL;
	km_autofree(km_backtest_freep) struct km_backtest *b = NULL;
	km_autoclose int fd = open(t->trace, O_RDONLY | O_CLOEXEC);
	struct play p = { .watch = watch };
	const struct km_backtest_opts opts = {
		.texts = &texts, .as_written = t->mode < 0, .said = hear, .userdata = &p
	};
	struct km_error err = { 0 };
	const void *raw;
	ssize_t n = 0;
	int r = fd < 0 ? -errno : km_trace_reader_new(fd, &reader);

	if (r == 0)
		r = km_texts_put(&texts, KM_TEXT_RULE, rule->rule->file, rule->text,
		                 strlen(rule->text));
	if (r == 0)
		r = km_backtest_new(&opts, &err, &b);
	if (r < 0)
		return r;
	p.backtest = b;
	km_test_watch_begin(watch, rule->rule, t, cover, km_backtest_pipeline(b));
	watch->begin_ns = 0;
	while (r == 0 && (n = km_trace_next(reader, &raw)) > 0)
		r = feed(&p, raw);
	return r < 0 ? r : (int)n;
}
