/* SPDX-License-Identifier: Apache-2.0 */
/* kmend replay and kmend trace info: a recorded stream through the phases that decide. Nothing of
 * the host is touched; what the live daemon said stands in the trace and is compared. */
#include "replay.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/text.h"
#include "daemon/setup.h"
#include "pipeline/pipeline.h"
#include "pipeline/texts.h"
#include "record/trace.h"
#include "replay_csv.h"

/* One output as text; the daemon's own bound on a record holds here too. */
#define LINE_MAX_BYTES (256 * 1024)

struct replay {
	struct km_cli *cli;
	struct km_pipeline *pipeline;
	struct km_trace_reader *reader;
	struct km_texts other;  /* rules given with --rules */
	bool replaced;          /* the trace's own rules are not used */
	struct km_buf *line;    /* scratch: one output */
	struct km_buf *pending; /* outputs not yet compared, each with its NUL */
	uint64_t stop_at;       /* decision, 0: to the end */
	bool print, reached;
	uint64_t outputs, compared, different, bad;
	char first_difference[512];
};

static void replay_clear(struct replay *r)
{
	km_pipeline_free(r->pipeline);
	km_trace_reader_free(r->reader);
	km_texts_clear(&r->other);
	km_buf_free(r->line);
	km_buf_free(r->pending);
}

static int replay_begin(struct replay *r, int fd)
{
	int k = km_trace_reader_new(fd, &r->reader);

	if (k == 0)
		k = km_pipeline_new(&r->pipeline);
	if (k == 0)
		k = km_buf_new(LINE_MAX_BYTES, &r->line);
	return k < 0 ? k : km_buf_new(64 * LINE_MAX_BYTES, &r->pending);
}

static void print_plain(struct replay *r, const struct km_output *o)
{
	char line[1024] = "", name[2 * KM_NAME_MAX] = "-", safe[2048];
	double t = (double)o->t_ns / (double)KM_NS_PER_S;

	if (o->service)
		km_copy(name, sizeof(name), o->service->name);
	if (o->kind == KM_OUT_DECISION) {
		km_copy(name, sizeof(name), o->decision->service);
		snprintf(line, sizeof(line), "decision %llu: %s %s: %s",
		         (unsigned long long)o->decision->id, km_answer_names[o->decision->answer],
		         km_verb_names[o->decision->verb], o->decision->reason);
	} else if (o->kind == KM_OUT_VERDICT) {
		snprintf(line, sizeof(line), "verdict on %llu: %s: %s",
		         (unsigned long long)o->verdict->decision_id,
		         km_verdict_names[o->verdict->kind], o->verdict->reason);
	} else if (o->kind == KM_OUT_FORECAST) {
		const struct km_forecast *f = o->forecast;

		snprintf(line, sizeof(line), "forecast: %s%s%s: %s",
		         km_forecast_kind_names[f->kind],
		         f->resource < KM_RESOURCE_MAX ? " of " : "",
		         f->resource < KM_RESOURCE_MAX ? km_resource_names[f->resource] : "",
		         f->why ? km_no_forecast_names[f->why] : "in force");
		if (!f->why && f->eta_hi_s > 0)
			snprintf(line + strlen(line), sizeof(line) - strlen(line),
			         ", in %.0f s (%.0f to %.0f)", f->eta_s, f->eta_lo_s, f->eta_hi_s);
		if (!f->why)
			snprintf(line + strlen(line), sizeof(line) - strlen(line), ", p %.2f",
			         f->p);
	} else {
		snprintf(line, sizeof(line), "event: %s", km_event_names[o->event]);
	}
	fprintf(r->cli->out, "%14.3f  %-24s  %s\n", t, km_text_escape(name, safe, 128),
	        km_text_escape(line, safe + 128, sizeof(safe) - 128));
}

static int take_outputs(struct replay *r)
{
	const struct km_output *o;

	while ((o = km_pipeline_next(r->pipeline))) {
		struct km_json_writer w;

		km_buf_reset(r->line);
		km_jw_init(&w, r->line, false);
		km_output_write(o, &w);
		if (km_buf_error(r->line) < 0)
			return km_buf_error(r->line);
		km_buf_add(r->pending, km_buf_text(r->line), r->line->len + 1);
		r->outputs++;
		if (r->print && r->cli->format != KM_PLAIN)
			fprintf(r->cli->out, "%s\n", km_buf_text(r->line));
		else if (r->print)
			print_plain(r, o);
		r->reached |= o->kind == KM_OUT_DECISION && o->decision->id == r->stop_at;
	}
	return km_buf_error(r->pending);
}

/* What the live run said next against what came out here. */
static void compare(struct replay *r, const struct km_raw_said *said)
{
	const char *mine = r->pending->len ? r->pending->data : "";
	size_t len = strlen(mine);

	if (said->hdr.size < sizeof(*said) || said->len > said->hdr.size - sizeof(*said))
		return;
	r->compared++;
	if (len != said->len || memcmp(mine, said->text, len) != 0) {
		if (!r->different++)
			snprintf(r->first_difference, sizeof(r->first_difference), "live: %.*s",
			         (int)(said->len < 400 ? said->len : 400), said->text);
	}
	if (r->pending->len)
		km_buf_eat(r->pending, len + 1);
}

static int feed_cb(void *userdata, const void *raw, size_t len)
{
	struct replay *r = userdata;
	int k = km_pipeline_feed(r->pipeline, raw, len);

	if (k == -EBADMSG || k == -ENOTSUP) {
		r->bad++;
		k = 0;
	}
	return k < 0 ? k : take_outputs(r);
}

/* The other rules stand in for the trace's own, which are left out; configuration stays. */
static int on_text(struct replay *r, const struct km_raw_text *t)
{
	if (!r->replaced || t->kind == KM_TEXT_CONFIG || t->kind == KM_TEXT_SERVICES)
		return feed_cb(r, t, t->hdr.size);
	if (t->kind == KM_TEXT_COMMIT)
		return km_texts_save(&r->other, t->hdr.ktime_ns, feed_cb, r);
	return 0;
}

static int run(struct replay *r)
{
	const void *raw;
	ssize_t n;
	int k = 0;

	while (k == 0 && (n = km_trace_next(r->reader, &raw)) != 0) {
		const struct kmend_hdr *hdr = raw;

		if (n < 0)
			return (int)n;
		if (hdr->type == KM_RAW_SAID) {
			compare(r, raw);
			if (r->reached && !r->pending->len)
				break;
		} else if (hdr->type == KM_RAW_TEXT && hdr->size > sizeof(struct km_raw_text)) {
			k = on_text(r, raw);
		} else {
			k = feed_cb(r, raw, (size_t)n);
		}
	}
	return k;
}

static int read_rules(struct replay *r, const char *dir)
{
	struct km_daemon_opts opts = { .rules = dir };
	km_autofree(km_set_clear) struct km_set set = { 0 };
	struct km_error err;
	char line[2048];
	int k = km_setup_read_texts(&opts, &r->other, &err);

	if (k == 0)
		k = km_texts_compile(&r->other, &err, &set);
	if (k < 0)
		return km_say(r->cli, KM_EXIT_FAILED, NULL, "%s",
		              km_error_format(&err, line, sizeof(line)));
	r->replaced = true;
	return 0;
}

static void sum_up(struct replay *r, const struct km_trace_stats *s)
{
	fprintf(r->cli->err,
	        "%llu records, %llu outputs; the live run said %llu, %llu of them differ%s%s\n",
	        (unsigned long long)s->records, (unsigned long long)r->outputs,
	        (unsigned long long)r->compared, (unsigned long long)r->different,
	        r->different ? "; first: " : "", r->first_difference);
	if (s->cut_at)
		fprintf(r->cli->err, "the trace ends at byte %llu: %s\n",
		        (unsigned long long)s->cut_at, s->what);
}

int km_cmd_replay(struct km_cli *cli, int argc, char **argv)
{
	struct km_word words[] = {
		{ .name = "file", .required = true },
		{ .name = "--rules" },
		{ 0 },
	};
	km_autofree(replay_clear) struct replay r = { .cli = cli, .print = true };
	km_autoclose int fd = -1;
	struct km_trace_stats stats;
	int k = km_word_given(argv, "--csv") ? -1 : km_words(cli, argc, argv, words);

	if (k < 0)
		return km_cmd_replay_csv(cli, argc, argv);
	if (k)
		return k;
	fd = open(km_word(words, "file"), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return km_say(cli, KM_EXIT_FAILED, NULL, "cannot open %s: %s",
		              km_word(words, "file"), strerror(errno));
	if (km_word(words, "--rules") && (k = read_rules(&r, km_word(words, "--rules"))))
		return k;
	k = replay_begin(&r, fd);
	if (k < 0)
		return km_say(cli, KM_EXIT_FAILED, "make one with kmend trace record FILE",
		              "%s cannot be replayed: %s", km_word(words, "file"),
		              k == -EBADMSG ? "not a trace of this version" : strerror(-k));
	k = run(&r);
	if (k < 0)
		return km_say(cli, KM_EXIT_FAILED, NULL, "the replay stopped: %s", strerror(-k));
	km_trace_stats(r.reader, &stats);
	sum_up(&r, &stats);
	return r.different && !r.replaced ? KM_EXIT_FAILED : KM_EXIT_DONE;
}

int km_replay_fd(struct km_cli *cli, int fd, uint64_t decision_id, bool *ret_same)
{
	km_autofree(replay_clear) struct replay r = { .cli = cli, .stop_at = decision_id };
	int k = replay_begin(&r, fd);

	if (k == 0)
		k = run(&r);
	if (k < 0)
		return k;
	if (!r.reached)
		return -ENOENT;
	*ret_same = r.compared > 0 && !r.different;
	return 0;
}
