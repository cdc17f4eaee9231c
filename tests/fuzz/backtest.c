/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a recorded history, through two sets of rules, a score and their difference. */
#include "record/trace.h"
#include "review/backtest.h"
#include "review/diff.h"
#include "review/score.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RULE(share)                                                                              \
	"{\"version\":1,\"id\":\"r\",\"summary\":\"s\",\"why\":\"w\",\"owner\":\"o\","           \
	"\"maturity\":\"experimental\",\"scope\":{\"all\":true},\"when\":{\"any\":[{\"event\":{" \
	"\"is\":\"ended\"}},{\"level\":{\"resource\":\"memory\",\"above\":\"" share "\"}}]},"    \
	"\"plan\":[{\"do\":\"restart\"}],\"verify\":{\"within\":\"5s\",\"that\":{\"up\":true}}}"

struct side {
	struct km_texts texts;
	struct km_backtest *run;
	struct km_diff *diff;
	enum km_diff_side which;
	struct km_score score;
};

static int said(void *userdata, const struct km_output *o)
{
	struct side *s = userdata;

	km_score_output(&s->score, o);
	return km_diff_add(s->diff, s->which, o);
}

static void begin(struct side *s, const char *rule, const struct km_rules *rules)
{
	const struct km_backtest_opts opts = { .texts = &s->texts, .said = said, .userdata = s };
	struct km_error err;

	if (km_texts_put(&s->texts, KM_TEXT_RULE, "x/r.json", rule, strlen(rule)) < 0 ||
	    km_backtest_new(&opts, &err, &s->run) < 0 || km_score_begin(&s->score, rules) < 0)
		abort();
}

static void end(struct side *s)
{
	km_score_end(&s->score, 0);
	if (s->score.foreseen + s->score.answered + s->score.missed != s->score.failures)
		abort();
	km_score_clear(&s->score);
	km_backtest_free(s->run);
	km_texts_clear(&s->texts);
}

static void play(struct km_trace_reader *reader, struct side side[2])
{
	const void *raw;
	ssize_t n;

	while ((n = km_trace_next(reader, &raw)) > 0)
		for (int i = 0; i < 2; i++)
			if (km_backtest_feed(side[i].run, raw, (size_t)n) < 0)
				return;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	km_autofree(km_trace_reader_freep) struct km_trace_reader *reader = NULL;
	km_autofree(km_diff_freep) struct km_diff *diff = NULL;
	struct km_rule *rule = NULL;
	struct km_rules *rules = NULL;
	struct side side[2] = { { .which = KM_DIFF_OLD }, { .which = KM_DIFF_NEW } };
	uint64_t counts[KM_DIFF_KINDS];
	struct km_error err;

	if (km_trace_reader_new_memory(data, size, &reader) < 0)
		return 0;
	if (km_rule_compile(RULE("90%"), strlen(RULE("90%")), "x/r.json", &err, &rule) < 0 ||
	    km_rules_new(&rule, 1, &err, &rules) < 0 || km_diff_new(&diff) < 0)
		abort();
	side[0].diff = side[1].diff = diff;
	begin(&side[0], RULE("90%"), rules);
	begin(&side[1], RULE("50%"), rules);
	play(reader, side);
	if (km_diff_end(diff, NULL, NULL, counts) == 0 && side[0].run == NULL)
		abort();
	end(&side[0]);
	end(&side[1]);
	km_rules_free(rules);
	return 0;
}
