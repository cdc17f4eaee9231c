// SPDX-License-Identifier: Apache-2.0
/* kmend rule diff OLD NEW --trace FILE... or --since TIME: what a change of rules changes in what
 * is done. */
#include "backtest.h"
#include "base/text.h"
#include "review/diff.h"

#define OUT_MAX (64 * 1024 * 1024)

struct comparing {
	struct km_cli *cli;
	struct km_past past;
	struct km_diff *diff;
	struct km_backtest *run[2];
	struct km_texts texts[2];
	struct km_backtest_opts opts[2];
	struct side {
		struct comparing *c;
		enum km_diff_side side;
	} side[2];
	uint64_t first_ns;
	struct km_json_writer w;
	bool json; /* else text */
};

static void km_comparing_clear(struct comparing *c)
{
	km_past_clear(&c->past);
	for (int i = 0; i < 2; i++) {
		km_backtest_free(c->run[i]);
		km_texts_clear(&c->texts[i]);
	}
	km_diff_free(c->diff);
}

static int said(void *userdata, const struct km_output *o)
{
	struct side *s = userdata;

	if (!s->c->first_ns)
		s->c->first_ns = o->t_ns;
	return km_diff_add(s->c->diff, s->side, o);
}

static int feed(struct comparing *c, const void *raw, size_t len, bool begins, struct km_error *err)
{
	int r = 0;

	for (int i = 0; i < 2 && r == 0; i++) {
		if (begins) {
			c->run[i] = km_backtest_free(c->run[i]);
			r = km_backtest_new(&c->opts[i], err, &c->run[i]);
		}
		if (r == 0)
			r = km_backtest_feed(c->run[i], raw, len);
	}
	return r;
}

static int play(struct comparing *c, struct km_error *err)
{
	const void *raw;
	bool begins;
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = km_past_next(&c->past, c->cli, err, &raw, &begins)) != 0)
		r = n < 0 ? (int)n : feed(c, raw, (size_t)n, begins, err);
	return r;
}

static void write_entry(struct comparing *c, const struct km_diff_entry *e)
{
	const struct km_diff_decision *x = e->old ? e->old : e->new;
	struct km_json_writer *w = &c->w;

	km_jw_object(w);
	km_jw_kstring(w, "change", km_diff_names[e->kind]);
	km_jw_kstring(w, "rule", km_diff_rule(c->diff, x));
	km_jw_kstring(w, "service", km_diff_service(c->diff, x));
	km_jw_kstring(w, "answer", km_answer_names[x->what.answer]);
	km_jw_kstring(w, "verb", km_verb_names[x->what.verb]);
	km_jw_ku64(w, "step", x->what.step);
	km_jw_kstring(w, "guard",
	              x->what.guard < KM_GUARD_MAX ? km_guard_names[x->what.guard] : NULL);
	if (e->old)
		km_jw_ku64(w, "old_t_ns", e->old->t_ns);
	if (e->new)
		km_jw_ku64(w, "new_t_ns", e->new->t_ns);
	km_jw_end_object(w);
}

static void print_entry(struct comparing *c, const struct km_diff_entry *e)
{
	const struct km_diff_decision *x = e->old ? e->old : e->new;
	uint64_t guard = x->what.guard;
	char at[32], to[48] = "", moved[32], name[4 * KM_NAME_MAX];

	if (e->old && e->new)
		snprintf(to, sizeof(to), " %s %s",
		         km_text_duration(e->new->t_ns > e->old->t_ns ? e->new->t_ns - e->old->t_ns
		                                                      : e->old->t_ns - e->new->t_ns,
		                          moved, sizeof(moved)),
		         e->new->t_ns > e->old->t_ns ? "later" : "earlier");
	fprintf(c->cli->out, "%-8s  %8s  %s on %s: %s %s, step %u%s%s%s\n", km_diff_names[e->kind],
	        km_text_duration(x->t_ns - c->first_ns, at, sizeof(at)), km_diff_rule(c->diff, x),
	        km_text_escape(km_diff_service(c->diff, x), name, sizeof(name)),
	        km_answer_names[x->what.answer], km_verb_names[x->what.verb], x->what.step + 1,
	        guard < KM_GUARD_MAX ? ", " : "", guard < KM_GUARD_MAX ? km_guard_names[guard] : "",
	        to);
}

static void entry(void *userdata, const struct km_diff_entry *e)
{
	struct comparing *c = userdata;

	if (c->json)
		write_entry(c, e);
	else
		print_entry(c, e);
}

static int tell(struct comparing *c)
{
	km_autofree(km_buf_freep) struct km_buf *out = NULL;
	uint64_t counts[KM_DIFF_KINDS];
	int r = km_buf_new(OUT_MAX, &out);

	if (r < 0)
		return r;
	if (c->cli->format == KM_PLAIN) {
		r = km_diff_end(c->diff, entry, c, counts);
		if (r == 0)
			fprintf(c->cli->out,
			        "%llu decisions are the same, %llu moved, %llu vanished, %llu "
			        "appeared\n",
			        (unsigned long long)counts[KM_DIFF_SAME],
			        (unsigned long long)counts[KM_DIFF_MOVED],
			        (unsigned long long)counts[KM_DIFF_VANISHED],
			        (unsigned long long)counts[KM_DIFF_APPEARED]);
		km_past_print(&c->past, c->cli);
		return r;
	}
	km_jw_init(&c->w, out, c->cli->format == KM_PRETTY);
	c->json = true;
	km_jw_object(&c->w);
	km_jw_ku64(&c->w, "version", 1);
	km_jw_key(&c->w, "changes");
	km_jw_array(&c->w);
	r = km_diff_end(c->diff, entry, c, counts);
	km_jw_end_array(&c->w);
	for (int i = 0; i < KM_DIFF_KINDS && r == 0; i++)
		km_jw_ku64(&c->w, km_diff_names[i], counts[i]);
	km_past_write(&c->past, &c->w);
	km_jw_end_object(&c->w);
	if (r == 0)
		r = km_buf_error(out);
	if (r == 0)
		fprintf(c->cli->out, "%s\n", km_buf_text(out));
	return r;
}

static int prepare(struct comparing *c, const struct km_word *words, struct km_error *err)
{
	static const char *const names[] = { "old", "new" };
	int r = km_diff_new(&c->diff);

	for (int i = 0; i < 2 && r == 0; i++) {
		c->side[i] = (struct side){ c, (enum km_diff_side)i };
		c->opts[i] = (struct km_backtest_opts){
			.texts = &c->texts[i],
			.as_written = km_word(words, "--as-written") != NULL,
			.said = said,
			.userdata = &c->side[i],
		};
		r = km_backtest_texts(km_word(words, names[i]), km_word(words, "--policy"), err,
		                      &c->texts[i]);
	}
	return r;
}

int km_rule_diff(struct km_cli *cli, int argc, char **argv)
{
	struct km_word words[] = {
		{ .name = "old", .required = true },
		{ .name = "new", .required = true },
		{ .name = "--policy" },
		{ .name = "--as-written", .kind = KM_WORD_FLAG },
		KM_PAST_WORDS,
		{ 0 },
	};
	km_autofree(km_comparing_clear) struct comparing c = { .cli = cli };
	struct km_error err = { 0 };
	char line[4 * sizeof(err)];
	int r = km_words(cli, km_past_take(argc, argv, &c.past), argv, words);

	if (r)
		return r;
	if (!km_past_is_said(&c.past, words))
		return km_say(cli, KM_EXIT_USAGE, "record one with kmend trace record FILE",
		              "over which history? --trace FILE..., or --since 7d");
	r = prepare(&c, words, &err);
	if (r == 0)
		r = km_past_open(&c.past, words, &err);
	if (r == 0)
		r = play(&c, &err);
	if (r == 0)
		r = tell(&c);
	if (r < 0)
		return km_say(cli, KM_EXIT_FAILED, NULL, "%s",
		              err.what[0] ? km_error_format(&err, line, sizeof(line))
		              : r == -E2BIG
		                      ? "more decisions than can be compared: take less history"
		                      : strerror(-r));
	return KM_EXIT_DONE;
}
