// SPDX-License-Identifier: Apache-2.0
#include "review/backtest.h"

#include "base/text.h"

/* An act that the live run did not do counts as done so much later: a usual restart. */
#define ANSWER_NS KM_NS_PER_S
/* A recorded decision is the same as one made here if it was made so close to it. */
#define SAME_NS (5 * KM_NS_PER_S)
/* Decisions of either side whose end is still to come: two for each service, as in phase 7. */
#define OPEN_MAX 4096

/* A decision that awaits something: an outcome, an operator's answer. */
struct open {
	uint64_t id;          /* here */
	uint64_t recorded_id; /* of the live run's, 0: it has none */
	uint64_t t_ns;
	uint64_t service_id;
	uint64_t rule_key;
	enum km_verb verb;
	enum km_answer answer;
};

struct km_backtest {
	struct km_backtest_opts opts;
	struct km_texts texts; /* ours, as they are put in force */
	bool own_policy;
	struct km_pipeline *pipeline;
	struct open *open; /* OPEN_MAX, oldest first */
	size_t count;
	uint64_t now_ns, refused;
};

static bool is_open(enum km_answer answer)
{
	return answer == KM_ANSWER_ACT || answer == KM_ANSWER_ASK || answer == KM_ANSWER_QUARANTINE;
}

static void drop(struct km_backtest *b, size_t i)
{
	b->count--;
	memmove(&b->open[i], &b->open[i + 1], (b->count - i) * sizeof(b->open[0]));
}

static int take(struct km_backtest *b, const struct km_output *o)
{
	const struct km_decision *d = o->decision;

	if (o->kind == KM_OUT_DECISION && is_open(d->answer)) {
		if (b->count == OPEN_MAX)
			drop(b, 0);
		b->open[b->count++] = (struct open){
			.id = d->id,
			.t_ns = d->t_ns,
			.service_id = d->service_id,
			.rule_key = d->rule_key,
			.verb = d->verb,
			.answer = d->answer,
		};
	}
	return b->opts.said ? b->opts.said(b->opts.userdata, o) : 0;
}

static int feed(void *userdata, const void *raw, size_t len)
{
	struct km_backtest *b = userdata;
	const struct km_output *o;
	int r = km_pipeline_feed(b->pipeline, raw, len);

	b->refused += r == -EBADMSG || r == -ENOTSUP;
	if (r == -EBADMSG || r == -ENOTSUP)
		r = 0;
	while (r >= 0 && (o = km_pipeline_next(b->pipeline)))
		r = take(b, o);
	return r;
}

/* The name is nobody's: decisions and verification hear it, the host's state does not. */
static int say_done(struct km_backtest *b, const struct open *act)
{
	struct km_raw_outcome o = {
		.hdr = { .type = KM_RAW_OUTCOME,
		         .size = sizeof(o),
		         .ktime_ns = act->t_ns + ANSWER_NS },
		.intent_id = act->id,
		.state = KM_OUT_DONE,
		.verb = act->verb,
		.service = "(back-test)",
	};

	return feed(b, &o, sizeof(o));
}

/* Answers that come before T_NS. */
static int answer_until(struct km_backtest *b, uint64_t t_ns)
{
	int r = 0;

	for (size_t i = 0; i < b->count && r >= 0;) {
		struct open act = b->open[i];

		if (act.t_ns + ANSWER_NS >= t_ns)
			break;
		if (act.answer != KM_ANSWER_ACT || act.recorded_id) {
			i++;
			continue;
		}
		drop(b, i);
		r = say_done(b, &act);
	}
	return r;
}

static uint64_t number(const cJSON *d, const char *key)
{
	const cJSON *n = cJSON_GetObjectItemCaseSensitive(d, key);
	const char *s = cJSON_GetStringValue(n);

	if (s)
		return strtoull(s, NULL, 10);
	return cJSON_IsNumber(n) && n->valuedouble > 0 ? (uint64_t)n->valuedouble : 0;
}

static int named(const cJSON *d, const char *key, const char *const *names)
{
	const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(d, key));

	for (int i = 0; s && names[i]; i++)
		if (!strcmp(names[i], s))
			return i;
	return -1;
}

static const char *string(const cJSON *d, const char *key)
{
	const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(d, key));

	return s ? s : "";
}

/* The one here that is the live run's decision D: of the same rule, else of any. */
static struct open *same_as(struct km_backtest *b, const cJSON *d, uint64_t service_id)
{
	const char *rule = string(d, "rule");
	uint64_t key = strcmp(rule, "definition") != 0 ? km_hash(rule, strlen(rule)) : 0;
	int answer = named(d, "answer", km_answer_names), verb = named(d, "verb", km_verb_names);
	struct open *found = NULL;

	for (size_t i = 0; i < b->count; i++) {
		struct open *o = &b->open[i];

		if (o->recorded_id || (int)o->answer != answer || (int)o->verb != verb ||
		    o->service_id != service_id || b->now_ns - o->t_ns > SAME_NS)
			continue;
		if (!found || o->rule_key == key)
			found = o;
	}
	return found;
}

/* What the live run decided. What it ended, which nothing here did, ended because it was asked to.
 */
static void on_decision(struct km_backtest *b, const cJSON *d)
{
	int verb = named(d, "verb", km_verb_names), answer = named(d, "answer", km_answer_names);
	const struct km_service *s =
		km_attribute_service_by_name(km_pipeline_attribute(b->pipeline),
	                                     string(d, "service"));
	struct open *mine;

	if (!s || answer < 0 || !is_open((enum km_answer)answer))
		return;
	mine = same_as(b, d, s->id);
	if (mine)
		mine->recorded_id = number(d, "id");
	else if (answer == KM_ANSWER_ACT && (verb == KM_STOP || verb == KM_RESTART))
		km_pipeline_expect_end(b->pipeline, s->id, number(d, "timeout_ns"));
}

static int on_said(struct km_backtest *b, const struct km_raw_said *said)
{
	km_autofree(km_json_freep) struct km_json *doc = NULL;
	struct km_error err;
	const cJSON *d;
	int r;

	if (said->hdr.size < sizeof(*said) || said->len > said->hdr.size - sizeof(*said))
		return 0;
	r = km_json_parse(said->text, said->len, "said", &err, &doc);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	d = cJSON_GetObjectItemCaseSensitive(km_json_root(doc), "decision");
	if (d)
		on_decision(b, d);
	return 0;
}

static uint64_t id_here(struct km_backtest *b, uint64_t recorded_id, bool last)
{
	for (size_t i = 0; i < b->count; i++) {
		uint64_t id = b->open[i].id;

		if (b->open[i].recorded_id != recorded_id)
			continue;
		if (last)
			drop(b, i);
		return id;
	}
	return 0;
}

/* Of an act that was not done here only the new process is left. */
static int on_outcome(struct km_backtest *b, const struct km_raw_outcome *raw)
{
	struct km_raw_outcome o = *raw;
	bool starts = o.verb == KM_START || o.verb == KM_RESTART;

	if (!o.intent_id)
		return feed(b, raw, sizeof(*raw));
	o.intent_id = id_here(b, raw->intent_id, true);
	if (!o.intent_id) {
		if (o.state != KM_OUT_DONE || !starts)
			return 0;
		o.state = KM_OUT_ADOPTED;
	}
	return feed(b, &o, sizeof(o));
}

static int on_command(struct km_backtest *b, const struct km_raw_command *raw)
{
	struct km_raw_command c = *raw;

	if (c.command != KM_CMD_IDS_USED) {
		c.decision_id = id_here(b, raw->decision_id, false);
		if (!c.decision_id)
			return 0;
	}
	return feed(b, &c, sizeof(c));
}

/* Our rules stand in for the recorded ones; configuration stays, and so does the policy unless
 * there is another. */
static int on_text(struct km_backtest *b, const struct km_raw_text *t)
{
	if (t->kind == KM_TEXT_COMMIT)
		return km_texts_save(&b->texts, t->hdr.ktime_ns, feed, b);
	if (t->kind == KM_TEXT_RULE || t->kind == KM_TEXT_MODES ||
	    (t->kind == KM_TEXT_POLICY && b->own_policy))
		return 0;
	return feed(b, t, t->hdr.size);
}

int km_backtest_feed(struct km_backtest *b, const void *raw, size_t len)
{
	const struct kmend_hdr *hdr = raw;
	int r;

	if (len < sizeof(*hdr) || hdr->size != len)
		return 0;
	if (hdr->ktime_ns > b->now_ns && hdr->type != KM_RAW_STATE) {
		r = answer_until(b, hdr->ktime_ns);
		if (r < 0)
			return r;
		b->now_ns = hdr->ktime_ns;
	}
	if (hdr->type == KM_RAW_SAID)
		return on_said(b, raw);
	if (hdr->type == KM_RAW_TEXT && len >= sizeof(struct km_raw_text))
		return on_text(b, raw);
	if (hdr->type == KM_RAW_OUTCOME && len == sizeof(struct km_raw_outcome))
		return on_outcome(b, raw);
	if (hdr->type == KM_RAW_COMMAND && len == sizeof(struct km_raw_command))
		return on_command(b, raw);
	return feed(b, raw, len);
}

/* All of RULES as if an operator had promoted them. */
static int add_modes(struct km_texts *t, const struct km_rules *rules)
{
	km_autofree(km_buf_freep) struct km_buf *text = NULL;
	struct km_modes modes = { .count = rules->count };
	struct km_json_writer w;
	int r = km_buf_new(KM_CONFIG_BYTES_MAX, &text);

	modes.entry = r == 0 ? calloc(rules->count + 1, sizeof(*modes.entry)) : NULL;
	if (!modes.entry)
		return -ENOMEM;
	for (size_t i = 0; i < rules->count; i++) {
		struct km_mode_entry *e = &modes.entry[i];

		e->mode = KM_AUTO;
		km_copy(e->id, sizeof(e->id), rules->rule[i]->id);
		km_copy(e->by, sizeof(e->by), "back-test");
		km_copy(e->why, sizeof(e->why), "back-test");
		memcpy(e->digest, rules->rule[i]->digest, sizeof(e->digest));
	}
	km_jw_init(&w, text, false);
	km_modes_write(&modes, &w);
	free(modes.entry);
	if (km_buf_error(text) < 0)
		return km_buf_error(text);
	return km_texts_put(t, KM_TEXT_MODES, KM_MODES_FILE, km_buf_text(text), text->len);
}

static int take_texts(struct km_backtest *b, struct km_error *err)
{
	km_autofree(km_set_clear) struct km_set set = { 0 };
	int r = km_texts_compile(b->opts.texts, err, &set);

	for (size_t i = 0; i < b->opts.texts->count && r == 0; i++) {
		const struct km_text *x = &b->opts.texts->text[i];

		b->own_policy |= x->kind == KM_TEXT_POLICY;
		if (x->kind != KM_TEXT_MODES || b->opts.as_written)
			r = km_texts_put(&b->texts, x->kind, x->file, x->bytes, x->len);
	}
	if (r == 0 && !b->opts.as_written)
		r = add_modes(&b->texts, set.rules);
	return r;
}

int km_backtest_new(const struct km_backtest_opts *opts, struct km_error *err,
                    struct km_backtest **ret)
{
	km_autofree(km_backtest_freep) struct km_backtest *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	b->opts = *opts;
	b->open = calloc(OPEN_MAX, sizeof(*b->open));
	r = b->open ? take_texts(b, err) : -ENOMEM;
	if (r == 0)
		r = km_pipeline_new(&b->pipeline);
	if (r < 0)
		return r;
	*ret = km_take(b);
	return 0;
}

struct km_backtest *km_backtest_free(struct km_backtest *b)
{
	if (!b)
		return NULL;
	km_pipeline_free(b->pipeline);
	km_texts_clear(&b->texts);
	free(b->open);
	free(b);
	return NULL;
}

struct km_pipeline *km_backtest_pipeline(const struct km_backtest *b)
{
	return b->pipeline;
}

uint64_t km_backtest_refused(const struct km_backtest *b)
{
	return b->refused;
}
