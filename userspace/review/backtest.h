/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded history through other rules: what they would have decided.
 *
 * The recorded host goes its recorded way whatever is decided here. Where the live run did the same
 * at the same time, its outcome is taken; any other act counts as done a second later and changes
 * nothing, so that what is verified is how the host fared without it. So the same rules lead to the
 * same decisions, byte for byte. */
#ifndef KM_BACKTEST_H
#define KM_BACKTEST_H

#include "pipeline/pipeline.h"
#include "pipeline/texts.h"

struct km_backtest;

struct km_backtest_opts {
	const struct km_texts *texts; /* rules, perhaps a policy: stand in for the recorded ones */
	bool as_written;              /* each rule in its mode; else all of them as if in auto */
	/* Hears each output; its negative return ends the feed and is returned. */
	int (*said)(void *userdata, const struct km_output *o);
	void *userdata;
};

/* -EBADMSG with *ERR: the rules or the policy do not compile. */
int km_backtest_new(const struct km_backtest_opts *opts, struct km_error *err,
                    struct km_backtest **ret);
struct km_backtest *km_backtest_free(struct km_backtest *b);
KM_DEFINE_FREEP(struct km_backtest, km_backtest_free)

/* Next record of the history, KM_RAW_SAID included. 0; what OPTS->said returned; -ENOMEM. Records
 * that the pipeline refuses are counted. */
int km_backtest_feed(struct km_backtest *b, const void *raw, size_t len);
struct km_pipeline *km_backtest_pipeline(const struct km_backtest *b);
uint64_t km_backtest_refused(const struct km_backtest *b);

#endif
