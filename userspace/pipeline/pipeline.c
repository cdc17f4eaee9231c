/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/state.h"

/* A loss counts as reconciled after so many whole passes over all processes. */
#define LOSSY_TICKS 2

static bool meta_valid(const void *row)
{
	const struct km_pipeline_meta *m = row;

	return m->key == 1 && m->lossy_ticks <= LOSSY_TICKS;
}

static const struct km_table_opts meta_opts = {
	.name = "pipeline",
	.rows_max = 1,
	.row_size = sizeof(struct km_pipeline_meta),
	.key_size = sizeof(uint64_t),
	.valid = meta_valid,
};

/* The tables of all phases, in the order of the phases: a checkpoint names them by their place
 * here. */
static void list_tables(struct km_pipeline *p)
{
	struct km_table **t = p->tables;
	size_t n = 0;

	t[n++] = p->meta_table;
	n += km_attribute_tables(p->attribute, t + n, KM_TABLES_MAX - n);
	n += km_measure_tables(p->measure, t + n, KM_TABLES_MAX - n);
	n += km_predict_tables(p->predict, t + n, KM_TABLES_MAX - n);
	n += km_matcher_tables(p->matcher, t + n, KM_TABLES_MAX - n);
	n += km_decide_tables(p->decide, t + n, KM_TABLES_MAX - n);
	n += km_verify_tables(p->verify, t + n, KM_TABLES_MAX - n);
	p->table_count = n;
}

static int put_in_force(struct km_pipeline *p, struct km_set *set)
{
	struct km_set old = p->set;
	int r;

	r = km_attribute_configure(p->attribute, set->config, p->meta->now_ns);
	if (r < 0)
		return r;
	p->set = *set;
	*set = (struct km_set){ 0 };
	km_decide_configure(p->decide, p->set.config, p->set.policy, p->set.rules);
	km_matcher_rules_changed(p->matcher, p->set.rules);
	km_set_clear(&old);
	return 0;
}

static int commit(struct km_pipeline *p)
{
	km_autofree(km_set_clear) struct km_set set = { 0 };
	int r = km_texts_compile(&p->coming, &p->refused, &set);

	if (r == 0)
		r = put_in_force(p, &set);
	p->is_refused = r < 0;
	if (r < 0) {
		km_texts_clear(&p->coming);
		return r;
	}
	km_texts_clear(&p->texts);
	p->texts = p->coming;
	p->coming = (struct km_texts){ 0 };
	return 0;
}

static int make_phases(struct km_pipeline *p)
{
	int r;

	if ((r = km_attribute_new(&p->attribute)) < 0 || (r = km_measure_new(&p->measure)) < 0 ||
	    (r = km_predict_new(&p->predict)) < 0 || (r = km_matcher_new(&p->matcher)) < 0 ||
	    (r = km_decide_new(&p->decide)) < 0 || (r = km_verify_new(&p->verify)) < 0 ||
	    (r = km_table_new(&meta_opts, &p->meta_table)) < 0 ||
	    (r = km_places_new(&p->places)) < 0)
		return r;
	return 0;
}

int km_pipeline_new(struct km_pipeline **ret)
{
	km_autofree(km_pipeline_freep) struct km_pipeline *p = calloc(1, sizeof(*p));
	uint64_t key = 1;
	int r;

	if (!p)
		return -ENOMEM;
	r = make_phases(p);
	if (r == 0)
		r = km_table_put(p->meta_table, &key, &p->meta);
	if (r >= 0)
		r = commit(p); /* of nothing: the defaults */
	if (r < 0)
		return r;
	list_tables(p);
	*ret = km_take(p);
	return 0;
}

struct km_pipeline *km_pipeline_free(struct km_pipeline *p)
{
	if (!p)
		return NULL;
	km_verify_free(p->verify);
	km_decide_free(p->decide);
	km_matcher_free(p->matcher);
	km_predict_free(p->predict);
	km_measure_free(p->measure);
	km_attribute_free(p->attribute);
	km_table_free(p->meta_table);
	km_table_free(p->places);
	km_texts_clear(&p->coming);
	km_texts_clear(&p->texts);
	km_set_clear(&p->set);
	km_outputs_free(&p->outputs);
	free(p);
	return NULL;
}

/* 0 until the first clock record. */
static uint64_t realtime_s(const struct km_pipeline *p)
{
	if (!p->meta->realtime_ns)
		return 0;
	return km_pipeline_realtime_ns(p, p->meta->now_ns) / KM_NS_PER_S;
}

static bool open_incident_of(const struct km_pipeline *p, const struct km_service *s,
                             uint64_t rule_key)
{
	return s && km_decide_incident_open(p->decide, s->id, rule_key, p->meta->now_ns);
}

static bool incident_open(const struct km_match_input *in, enum km_incident_whose whose)
{
	const struct km_pipeline *p = in->userdata;
	const struct km_service_def *all = p->set.config->services;

	if (whose == KM_OF_SERVICE)
		return open_incident_of(p, in->service, in->rule_key);
	for (size_t i = 0; in->def && i < in->def->need_count; i++)
		if (open_incident_of(p,
		                     km_attribute_service_by_name(p->attribute,
		                                                  all[in->def->needs[i]].name),
		                     UINT64_MAX))
			return true;
	return false;
}

static struct km_decide_world world_of(const struct km_pipeline *p)
{
	return (struct km_decide_world){
		.now_ns = p->meta->now_ns,
		.realtime_s = realtime_s(p),
		.attribute = p->attribute,
		.measure = p->measure,
		.lossy = p->meta->lossy_ticks > 0,
	};
}

static int put_out(struct km_pipeline *p, const struct km_service *s, struct km_output out)
{
	out.t_ns = p->meta->now_ns;
	out.service = s;
	return km_outputs_add(&p->outputs, &out);
}

/* Ends that an act causes are its own. */
static void expect_end(struct km_pipeline *p, const struct km_decision *d)
{
	if (d->answer == KM_ANSWER_ACT && (d->verb == KM_STOP || d->verb == KM_RESTART))
		km_attribute_expect_end(p->attribute, d->service_id,
		                        p->meta->now_ns + d->timeout_ns);
}

/* Something is the matter with S: whoever collects may look closer for a while. */
static int look_closer(struct km_pipeline *p, const struct km_service *s, uint32_t depths)
{
	struct km_depth_ask ask;

	if (!s || !km_decide_depth(p->decide, s, depths, p->meta->now_ns, &ask))
		return 0;
	return put_out(p, s, (struct km_output){ .kind = KM_OUT_DEPTH, .depth = &ask });
}

static int put_decision(struct km_pipeline *p, const struct km_decision *d)
{
	const struct km_service *s = km_attribute_service(p->attribute, d->service_id);
	enum km_answer answer = d->answer;
	int r = put_out(p, s, (struct km_output){ .kind = KM_OUT_DECISION, .decision = d });

	return r < 0 ? r : look_closer(p, s, km_depth_of_answer[answer]);
}

/* Nothing is done, so nobody will say that it was: the look begins with the decision. */
static int begin_shadow(struct km_pipeline *p, const struct km_decision *d)
{
	const struct km_raw_outcome none = { .hdr.ktime_ns = p->meta->now_ns };

	if (d->answer != KM_ANSWER_SHADOW)
		return 0;
	return km_verify_begin(p->verify, d, &none, km_rules_get(p->set.rules, d->rule_key),
	                       d->has_forecast ? d->forecast.level : -1.0);
}

/* Decisions and verdicts lead to one another; each one is put out in the order in which it was
 * made. */
static int drain(struct km_pipeline *p)
{
	struct km_decide_world world;
	const struct km_decision *d;
	const struct km_verdict *v;
	int r = 0;

	for (;;) {
		while ((d = km_decide_next(p->decide))) {
			expect_end(p, d);
			r = begin_shadow(p, d);
			if (r == 0)
				r = put_decision(p, d);
			if (r < 0)
				return r;
		}
		v = km_verify_next(p->verify);
		if (!v)
			return 0;
		world = world_of(p);
		r = put_out(p, km_attribute_service(p->attribute, v->service_id),
		            (struct km_output){ .kind = KM_OUT_VERDICT, .verdict = v });
		if (r == 0)
			r = km_decide_verdict(p->decide, &world, v->decision_id, v->kind);
		if (r < 0)
			return r;
	}
}

/* What phases 5, 6 and 9 look at together, of one service. */
struct look {
	const struct km_service *service;
	const struct km_features *features[KM_RESOURCE_MAX];
};

static struct look look_at(struct km_pipeline *p, const struct km_service *s)
{
	struct look look = { .service = s };

	for (unsigned int i = 0; i < KM_RESOURCE_MAX; i++)
		look.features[i] = km_measure_features(p->measure, s->id, (enum km_resource)i);
	return look;
}

static int verify_service(struct km_pipeline *p, const struct look *look, enum km_event event)
{
	struct km_verify_input in = {
		.now_ns = p->meta->now_ns,
		.service = look->service,
		.predict = p->predict,
		.attribute = p->attribute,
		.event = event,
	};

	memcpy(in.features, look->features, sizeof(in.features));
	return km_verify_service(p->verify, p->set.rules, &in);
}

/* One service's round through the rules. */
struct round {
	struct km_pipeline *p;
	struct km_decide_world world;
};

static int on_match(void *userdata, const struct km_match *m)
{
	struct round *round = userdata;
	struct km_decide *d = round->p->decide;
	int r = km_decide_match(d, &round->world, m);

	return r < 0 ? r : km_decide_keeps(d, m->service_id, m->rule->key);
}

static int match_service(struct km_pipeline *p, const struct look *look, enum km_event event)
{
	const struct km_service *s = look->service;
	struct round round = { p, world_of(p) };
	struct km_match_input in = {
		.now_ns = p->meta->now_ns,
		.service = s,
		.event = event,
		.attribute = p->attribute,
		.measure = p->measure,
		.predict = p->predict,
		.ends = km_measure_ends(p->measure, s->id),
		.def = km_config_service(p->set.config, s->name),
		.realtime_s = realtime_s(p),
		.incident_open = incident_open,
		.userdata = p,
	};

	memcpy(in.features, look->features, sizeof(in.features));
	return km_matcher_service(p->matcher, &in, on_match, &round);
}

static int predict_service(struct km_pipeline *p, const struct look *look)
{
	const struct km_service *s = look->service;
	double values[KM_W_MAX];
	struct km_predict_input in = {
		.now_ns = p->meta->now_ns,
		.wall_s = realtime_s(p),
		.horizon_ns = p->set.config->settings.horizon_ns,
		.service = s,
		.ends = km_measure_ends(p->measure, s->id),
		.values = values,
	};
	const struct km_forecast *said;
	int r;

	km_places_values(p, s->id, values);
	memcpy(in.features, look->features, sizeof(in.features));
	r = km_predict_service(p->predict, &in);
	for (size_t i = 0; r > 0 && (said = km_predict_said(p->predict, i)); i++) {
		int k = put_out(p, s,
		                (struct km_output){ .kind = KM_OUT_FORECAST, .forecast = said });

		if (k == 0 && said->why == KM_WHY_NONE)
			k = look_closer(p, s, km_depth_of_forecast[said->kind]);
		if (k < 0)
			return k;
	}
	return r < 0 ? r : 0;
}

static bool failed(const struct km_service *s, enum km_event event)
{
	return event == KM_EV_OOM ||
	       (!s->last.asked && s->last.known && (s->last.exit_code || s->last.oom));
}

/* Something happened to S: what it means is settled at once, not at the next tick. */
static int on_event(struct km_pipeline *p, struct km_service *s, enum km_event event)
{
	struct look look;
	int r;

	if (event == KM_EV_ENDED || event == KM_EV_OOM)
		km_predict_outcome(p->predict, s->id, failed(s, event));
	if (event == KM_EV_STARTED || event == KM_EV_ENDED)
		km_predict_forget(p->predict, s->id);
	if (event != KM_EV_CONNECT_FAILED) {
		r = put_out(p, s, (struct km_output){ .kind = KM_OUT_EVENT, .event = event });
		if (r < 0)
			return r;
	}
	look = look_at(p, s);
	r = event == KM_EV_ENDED ? predict_service(p, &look) : 0;
	if (r == 0)
		r = verify_service(p, &look, event);
	if (r >= 0)
		r = drain(p);
	return r < 0 ? r : match_service(p, &look, event);
}

static int on_tick(struct km_pipeline *p)
{
	struct km_decide_world world;
	struct km_service *s;
	uint32_t slot = 0;
	int r = 0;

	km_measure_tick(p->measure, p->meta->now_ns);
	if (p->meta->lossy_ticks)
		p->meta->lossy_ticks--;
	while ((s = km_attribute_next(p->attribute, &slot)) && r >= 0) {
		struct look look = look_at(p, s);

		r = predict_service(p, &look);
		if (r == 0)
			r = verify_service(p, &look, KM_EV_NONE);
		if (r >= 0)
			r = drain(p);
		if (r >= 0)
			r = match_service(p, &look, KM_EV_NONE);
		if (r >= 0)
			r = drain(p);
	}
	world = world_of(p);
	return r < 0 ? r : km_decide_tick(p->decide, &world);
}

static int on_outcome(struct km_pipeline *p, const struct km_raw_outcome *o)
{
	struct km_decide_world world = world_of(p);
	const struct km_decision *d;
	const struct km_service *s;
	struct look look;
	int r;

	if (o->state == KM_OUT_ABSENT) {
		s = km_attribute_service_by_name(p->attribute, o->service);
		return s ? km_decide_absent(p->decide, &world, s) : 0;
	}
	if (!o->intent_id)
		return 0;
	r = km_decide_outcome(p->decide, &world, o);
	d = r < 0 ? NULL : km_decide_verifying(p->decide, o->intent_id);
	if (!d)
		return r;
	r = km_verify_begin(p->verify, d, o, km_rules_get(p->set.rules, d->rule_key),
	                    d->has_forecast ? d->forecast.level : -1.0);
	s = km_attribute_service(p->attribute, d->service_id);
	/* It may be over already: what was started ended before its outcome was known. */
	if (r < 0 || !s)
		return r;
	look = look_at(p, s);
	return verify_service(p, &look, KM_EV_NONE);
}

static int on_text(struct km_pipeline *p, const struct km_raw_text *t)
{
	return t->kind == KM_TEXT_COMMIT ? commit(p) : km_texts_add(&p->coming, t);
}

#define TCP_SYN_SENT 2

/* That nobody answers is known between two ticks. */
static int on_connect(struct km_pipeline *p, const struct km_service *s,
                      const struct kmend_tcp_state *t)
{
	struct look look;

	if (t->from != TCP_SYN_SENT ||
	    !km_predict_unanswered(p->predict, s->id, p->meta->now_ns, t->in_a_row))
		return 0;
	look = look_at(p, s);
	return predict_service(p, &look);
}

/* What the signal says of one service: measured, then settled. */
static int on_subject(struct km_pipeline *p, const struct km_signal *sig,
                      const struct km_subject *subject)
{
	int r = km_measure_signal(p->measure, sig, subject);

	if (r < 0 && r != -ENOSPC && r != -EINVAL)
		return r;
	if (subject->service && sig->type == KMEND_TCP_STATE)
		r = on_connect(p, subject->service, &sig->tcp_state);
	if (r < 0 && r != -ENOSPC && r != -EINVAL)
		return r;
	if (subject->service && subject->event != KM_EV_NONE)
		return on_event(p, subject->service, subject->event);
	return 0;
}

/* A signal that says something of a process, of one or several services, or of the host. */
static int on_signal(struct km_pipeline *p, const struct km_signal *sig)
{
	struct km_subject subject = { 0 };
	int r = km_attribute_signal(p->attribute, sig, &subject);

	if (r < 0)
		return r == -ENOSPC ? 0 : r; /* counted there */
	r = on_subject(p, sig, &subject);
	/* What it changed for others is an event of theirs, not their signal. */
	while (r >= 0 && km_attribute_more(p->attribute, &subject) > 0)
		r = on_subject(p, &(struct km_signal){ .t_ns = sig->t_ns }, &subject);
	return r;
}

/* What makes the picture doubtful until everything was looked at again. */
static bool lowers_trust(const struct km_raw_value *v)
{
	if (v->signal == KM_SIG_CANARY)
		return !(v->value > 0);
	return (v->signal == KM_SIG_LINKS_LOST || v->signal == KM_SIG_CLOCK_STEPS) && v->value > 0;
}

static int dispatch(struct km_pipeline *p, const struct km_signal *sig)
{
	struct km_decide_world world;
	int r;

	switch (sig->type) {
	case KM_RAW_TEXT:
		return on_text(p, sig->text);
	case KM_RAW_CLOCK:
		p->meta->clock_ns = sig->t_ns;
		p->meta->realtime_ns = sig->clock.realtime_ns;
		return 0;
	case KM_RAW_SAID:
	case KM_RAW_PROBE:
		return 0;
	case KM_RAW_VALUE:
		if (lowers_trust(sig->value))
			p->meta->lossy_ticks = LOSSY_TICKS;
		return on_signal(p, sig);
	case KM_RAW_LOSS:
		p->meta->lossy_ticks = LOSSY_TICKS;
		return 0;
	case KM_RAW_COMMAND:
		world = world_of(p);
		return km_decide_command(p->decide, &world, &sig->command);
	case KM_RAW_LEASE:
		km_decide_lease(p->decide,
		                km_attribute_service_by_name(p->attribute, sig->lease.service),
		                &sig->lease);
		return 0;
	case KM_RAW_OPERATOR:
		if (sig->operator.operation == KM_OP_FORGET)
			return km_predict_forget_calibration(p->predict), 0;
		world = world_of(p);
		return km_decide_operator(p->decide, &world, &sig->operator);
	case KM_RAW_TICK:
		/* Attribution first: a process missing from two passes is gone. */
		r = on_signal(p, sig);
		return r < 0 ? r : on_tick(p);
	case KM_RAW_OUTCOME:
		/* Said once more after a restart, to an engine that may have missed it. */
		if (sig->outcome.recovered && sig->outcome.intent_id &&
		    !km_decide_acting(p->decide, sig->outcome.intent_id))
			return 0;
		r = on_signal(p, sig);
		return r < 0 ? r : on_outcome(p, &sig->outcome);
	default:
		return on_signal(p, sig);
	}
}

int km_pipeline_feed(struct km_pipeline *p, const void *raw, size_t len)
{
	struct km_signal sig;
	int r;

	km_outputs_clear(&p->outputs);
	r = km_decode(raw, len, &sig);
	if (r == 0 && sig.type == KM_RAW_STATE)
		return km_pipeline_restore(p, sig.state);
	p->meta->fed++;
	if (r < 0) {
		p->meta->bad++;
		return r;
	}
	p->running = p->running || sig.type != KM_RAW_TEXT;
	if (sig.t_ns > p->meta->now_ns)
		p->meta->now_ns = sig.t_ns;
	r = dispatch(p, &sig);
	return r < 0 ? r : drain(p);
}

void km_pipeline_expect_end(struct km_pipeline *p, uint64_t service_id, uint64_t within_ns)
{
	km_attribute_expect_end(p->attribute, service_id, p->meta->now_ns + within_ns);
}

void km_pipeline_listen(struct km_pipeline *p, km_match_ear ear, void *userdata)
{
	km_matcher_listen(p->matcher, ear, userdata);
}

const struct km_output *km_pipeline_next(struct km_pipeline *p)
{
	return km_outputs_take(&p->outputs);
}

const struct km_error *km_pipeline_refused(const struct km_pipeline *p)
{
	return p->is_refused ? &p->refused : NULL;
}
