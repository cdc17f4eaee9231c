// SPDX-License-Identifier: Apache-2.0
/* kmend rule backtest RULES --trace FILE... or --since TIME: recorded history through rules,
 * guardrails and budgets. */
#include "backtest.h"

#include "base/fs.h"
#include "base/text.h"
#include "review/files.h"

/* Missed failures that are listed; more are counted. */
#define MISSED_MAX 20
#define OUT_MAX    (64 * 1024 * 1024)

static int add_file(struct km_texts *t, enum km_text_kind kind, const char *path,
                    struct km_error *err)
{
	km_autofree(km_buf_freep) struct km_buf *text = NULL;
	struct km_error doubt;
	int r = km_files_read(path, err, &doubt, &text);

	return r < 0 ? r : km_texts_put(t, kind, path, km_buf_text(text), text->len);
}

int km_backtest_texts(const char *path, const char *policy, struct km_error *err,
                      struct km_texts *ret)
{
	km_autofree(km_fs_free_namesp) char **names = NULL;
	int r = km_files_find(path, err, &names);

	if (r == 0 && policy)
		r = add_file(ret, KM_TEXT_POLICY, policy, err);
	for (size_t i = 0; r == 0 && names[i]; i++)
		r = add_file(ret, KM_TEXT_RULE, names[i], err);
	return r;
}

struct backtest {
	struct km_cli *cli;
	struct km_past past;
	struct km_backtest *run;
	struct km_score score;
	struct km_texts texts;
	struct km_set set;        /* what TEXTS compile to */
	struct km_buf *decisions; /* JSON lines, with --decisions */
	uint64_t records;
	bool list;
};

static void km_backtest_clear(struct backtest *b)
{
	km_past_clear(&b->past);
	km_backtest_free(b->run);
	km_score_clear(&b->score);
	km_texts_clear(&b->texts);
	km_set_clear(&b->set);
	km_buf_free(b->decisions);
}

static int said(void *userdata, const struct km_output *o)
{
	struct backtest *b = userdata;
	struct km_json_writer w;

	if (b->list) {
		km_buf_reset(b->decisions);
		km_jw_init(&w, b->decisions, false);
		km_output_write(o, &w);
		if (km_buf_error(b->decisions) < 0)
			return km_buf_error(b->decisions);
		fprintf(b->cli->out, "%s\n", km_buf_text(b->decisions));
	}
	return km_score_output(&b->score, o);
}

/* A host of its own for each file. */
static int begin(struct backtest *b, const struct km_backtest_opts *opts, struct km_error *err)
{
	b->run = km_backtest_free(b->run);
	return km_backtest_new(opts, err, &b->run);
}

static int play(struct backtest *b, const struct km_backtest_opts *opts, struct km_error *err)
{
	const void *raw;
	bool begins;
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = km_past_next(&b->past, b->cli, err, &raw, &begins)) != 0) {
		if (n < 0)
			return (int)n;
		if (begins)
			r = begin(b, opts, err);
		if (r == 0)
			r = km_backtest_feed(b->run, raw, (size_t)n);
		b->records++;
	}
	return r;
}

static double share(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : 0;
}

static void print_blocked(FILE *out, const struct km_rule_score *s)
{
	bool any = false;

	for (int g = 0; g < KM_GUARD_MAX; g++)
		if (s->blocked[g]) {
			fprintf(out, "%s%s %llu", any ? ", " : "  refused by: ", km_guard_names[g],
			        (unsigned long long)s->blocked[g]);
			any = true;
		}
	if (any)
		fputc('\n', out);
}

static void print_rule(FILE *out, const struct km_rule *rule, const struct km_rule_score *s)
{
	fprintf(out,
	        "%s\n  spoke %llu times, with a failure near %llu; would act %llu, needlessly %llu",
	        rule->id, (unsigned long long)s->alarms, (unsigned long long)s->justified,
	        (unsigned long long)s->acted, (unsigned long long)s->needless);
	fprintf(out, "; escalate %llu, quarantine %llu\n",
	        (unsigned long long)s->answers[KM_ANSWER_ESCALATE],
	        (unsigned long long)s->answers[KM_ANSWER_QUARANTINE]);
	print_blocked(out, s);
}

static void print_missed(struct backtest *b)
{
	uint64_t shown = 0;

	for (size_t i = 0; i < b->score.failures && shown < MISSED_MAX; i++) {
		const struct km_failure *f = &b->score.failure[i];
		char name[4 * KM_NAME_MAX], at[32];

		if (f->foreseen || f->answered)
			continue;
		shown++;
		fprintf(b->cli->out, "missed: %s at %s\n",
		        km_text_escape(f->service, name, sizeof(name)),
		        km_text_duration(f->t_ns - b->score.first_ns, at, sizeof(at)));
	}
}

static void print(struct backtest *b)
{
	const struct km_score *s = &b->score;
	char span[32], lead[32], down[32], saved[32];
	uint64_t alarms = 0, caught = s->foreseen + s->answered;

	for (size_t i = 0; i < s->rules->count; i++) {
		alarms += s->rule[i].alarms;
		if (s->rule[i].alarms)
			print_rule(b->cli->out, s->rules->rule[i], &s->rule[i]);
	}
	print_missed(b);
	fprintf(b->cli->out,
	        "%s of history; %zu failures: %llu foreseen, %llu answered, %llu missed\n",
	        km_text_duration(s->last_ns - s->first_ns, span, sizeof(span)), s->failures,
	        (unsigned long long)s->foreseen, (unsigned long long)s->answered,
	        (unsigned long long)s->missed);
	fprintf(b->cli->out,
	        "precision %.0f %%, recall %.0f %%, lead time %s (median), down %s, saved %s at "
	        "most\n",
	        100 * share(s->justified, alarms), 100 * share(caught, s->failures),
	        km_text_duration(s->lead_ns, lead, sizeof(lead)),
	        km_text_duration(s->down_ns, down, sizeof(down)),
	        km_text_duration(s->saved_ns, saved, sizeof(saved)));
	km_past_print(&b->past, b->cli);
}

static void write_counts(struct km_json_writer *w, const char *key, const uint64_t *n,
                         const char *const *names)
{
	km_jw_key(w, key);
	km_jw_object(w);
	for (int i = 0; names[i]; i++)
		if (n[i])
			km_jw_ku64(w, names[i], n[i]);
	km_jw_end_object(w);
}

static void write_rules(struct km_json_writer *w, const struct km_score *s)
{
	km_jw_key(w, "rules");
	km_jw_array(w);
	for (size_t i = 0; i < s->rules->count; i++) {
		const struct km_rule_score *r = &s->rule[i];

		km_jw_object(w);
		km_jw_kstring(w, "id", s->rules->rule[i]->id);
		km_jw_ku64(w, "spoke", r->alarms);
		km_jw_ku64(w, "near_failure", r->justified);
		km_jw_ku64(w, "acted", r->acted);
		km_jw_ku64(w, "needless", r->needless);
		write_counts(w, "refused", r->blocked, km_guard_names);
		write_counts(w, "answers", r->answers, km_answer_names);
		write_counts(w, "verdicts", r->verdicts, km_verdict_names);
		km_jw_end_object(w);
	}
	km_jw_end_array(w);
}

static void write_failures(struct km_json_writer *w, const struct km_score *s)
{
	km_jw_key(w, "failures");
	km_jw_array(w);
	for (size_t i = 0; i < s->failures; i++) {
		const struct km_failure *f = &s->failure[i];

		km_jw_object(w);
		km_jw_kstring(w, "service", f->service);
		km_jw_ku64(w, "t_ns", f->t_ns);
		km_jw_kbool(w, "foreseen", f->foreseen);
		km_jw_kbool(w, "answered", f->answered);
		km_jw_ku64(w, "lead_ns", f->lead_ns);
		km_jw_ku64(w, "down_ns", f->back_ns - f->t_ns);
		km_jw_ku64(w, "saved_ns", f->saved_ns);
		km_jw_end_object(w);
	}
	km_jw_end_array(w);
}

static int write_all(struct backtest *b)
{
	km_autofree(km_buf_freep) struct km_buf *out = NULL;
	const struct km_score *s = &b->score;
	struct km_json_writer w;
	uint64_t alarms = 0;
	int r = km_buf_new(OUT_MAX, &out);

	if (r < 0)
		return r;
	for (size_t i = 0; i < s->rules->count; i++)
		alarms += s->rule[i].alarms;
	km_jw_init(&w, out, b->cli->format == KM_PRETTY);
	km_jw_object(&w);
	km_jw_ku64(&w, "version", 1);
	km_jw_ku64(&w, "records", b->records);
	km_jw_ku64(&w, "span_ns", s->last_ns - s->first_ns);
	km_past_write(&b->past, &w);
	write_rules(&w, s);
	write_failures(&w, s);
	km_jw_kdouble(&w, "precision", share(s->justified, alarms));
	km_jw_kdouble(&w, "recall", share(s->foreseen + s->answered, s->failures));
	km_jw_ku64(&w, "missed", s->missed);
	km_jw_ku64(&w, "lead_ns", s->lead_ns);
	km_jw_ku64(&w, "down_ns", s->down_ns);
	km_jw_ku64(&w, "saved_ns", s->saved_ns);
	km_jw_ku64(&w, "not_kept", s->dropped);
	km_jw_end_object(&w);
	if (km_buf_error(out) < 0)
		return km_buf_error(out);
	fprintf(b->cli->out, "%s\n", km_buf_text(out));
	return 0;
}

static int run(struct backtest *b, bool as_written, struct km_error *err)
{
	struct km_backtest_opts opts = {
		.texts = &b->texts, .as_written = as_written, .said = said, .userdata = b
	};
	int r = km_score_begin(&b->score, b->set.rules);

	if (r == 0 && b->list)
		r = km_buf_new(KM_JSON_BYTES_MAX, &b->decisions);
	if (r == 0)
		r = play(b, &opts, err);
	if (r < 0)
		return r;
	km_score_end(&b->score, b->run ? km_pipeline_now_ns(km_backtest_pipeline(b->run)) : 0);
	return 0;
}

static int tell(struct backtest *b)
{
	int r = 0;

	if (b->list)
		return 0;
	if (b->cli->format == KM_PLAIN)
		print(b);
	else
		r = write_all(b);
	return r;
}

static int prepare(struct backtest *b, const struct km_word *words, struct km_error *err)
{
	int r = km_backtest_texts(km_word(words, "rules"), km_word(words, "--policy"), err,
	                          &b->texts);

	b->list = km_word(words, "--decisions") != NULL;
	return r == 0 ? km_texts_compile(&b->texts, err, &b->set) : r;
}

int km_backtest_sum(struct km_cli *cli, const char *rules, char *const *traces, size_t count,
                    struct km_error *err, struct km_backtest_sum *ret)
{
	km_autofree(km_backtest_clear) struct backtest b = { .cli = cli };
	int r = km_backtest_texts(rules, NULL, err, &b.texts);

	if (r == 0)
		r = km_texts_compile(&b.texts, err, &b.set);
	if (r == 0)
		r = km_source_new_traces(traces, count, &b.past.source);
	if (r == 0)
		r = run(&b, false, err);
	if (r < 0)
		return r;
	*ret = (struct km_backtest_sum){ .records = b.records };
	for (size_t i = 0; i < b.set.rules->count; i++) {
		ret->acted += b.score.rule[i].acted;
		ret->needless += b.score.rule[i].needless;
	}
	return 0;
}

int km_rule_backtest(struct km_cli *cli, int argc, char **argv)
{
	struct km_word words[] = {
		{ .name = "rules", .required = true },
		{ .name = "--policy" },
		{ .name = "--as-written", .kind = KM_WORD_FLAG },
		{ .name = "--decisions", .kind = KM_WORD_FLAG },
		KM_PAST_WORDS,
		{ 0 },
	};
	km_autofree(km_backtest_clear) struct backtest b = { .cli = cli };
	struct km_error err = { 0 };
	char line[4 * sizeof(err)];
	int r = km_words(cli, km_past_take(argc, argv, &b.past), argv, words);

	if (r)
		return r;
	if (!km_past_is_said(&b.past, words))
		return km_say(cli, KM_EXIT_USAGE, "record one with kmend trace record FILE",
		              "which history? --trace FILE..., or --since 7d");
	r = prepare(&b, words, &err);
	if (r == 0)
		r = km_past_open(&b.past, words, &err);
	if (r == 0)
		r = run(&b, km_word(words, "--as-written") != NULL, &err);
	if (r == 0)
		r = tell(&b);
	if (r < 0)
		return km_say(cli, KM_EXIT_FAILED, NULL, "%s",
		              err.what[0] ? km_error_format(&err, line, sizeof(line))
		                          : strerror(-r));
	return KM_EXIT_DONE;
}
