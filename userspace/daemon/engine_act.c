/* SPDX-License-Identifier: Apache-2.0 */
/* Outputs of the pipeline on their way to the actor, the history and the log; outcomes back. */
#include <stdio.h>

#include "base/log.h"
#include "daemon/engine.h"

static int request(struct km_engine *e, const struct km_decision *d)
{
	struct km_act_request m = {
		.hdr = { .type = KM_ACT_REQUEST, .version = KM_ACT_VERSION, .size = sizeof(m) },
		.intent_id = d->id,
		.timeout_ns = d->timeout_ns,
		.args = d->args,
		.start_ns = d->start_ns,
		.tgid = d->tgid,
		.verb = d->verb,
		.signal = d->signal,
	};
	int r;

	km_copy(m.service, sizeof(m.service), d->service);
	km_copy(m.rule, sizeof(m.rule), d->rule);
	km_copy(m.reason, sizeof(m.reason), d->reason);
	/* What a restart must know (cooldowns, attempts) is kept before the request goes out. */
	r = km_checkpoint_write(e);
	if (r < 0 && r != -EBADF)
		km_log(KM_WARNING, "checkpoint not written: %s", strerror(-r));
	r = km_message_send(e->actor_sock, &m, sizeof(m), -1);
	if (r != -EAGAIN)
		return r;
	/* A stuck actor: the repair's own deadline turns this into an escalation. */
	km_log(KM_ERR, "the actor takes no requests; decision %llu was not handed over",
	       (unsigned long long)d->id);
	return 0;
}

/* S has a new life, perhaps in a new cgroup: what its endpoints are routed to goes with it. */
void km_engine_follow(struct km_engine *e, const struct km_service *s)
{
	struct km_act_request m = {
		.hdr = { .type = KM_ACT_FOLLOW, .version = KM_ACT_VERSION, .size = sizeof(m) },
		.start_ns = s->main_start_ns,
		.tgid = s->main_tgid,
	};
	const struct km_service_def *def =
		km_config_service(km_pipeline_config(e->pipeline), s->name);
	bool routed = false;

	for (size_t i = 0; def && i < def->endpoint_count; i++) {
		const struct km_endpoint_state *now =
			km_attribute_endpoint(km_pipeline_attribute(e->pipeline), s->id,
		                              def->endpoints[i].name);

		routed = routed || (now && now->share);
	}
	if (!routed)
		return;
	km_copy(m.service, sizeof(m.service), s->name);
	km_message_send(e->actor_sock, &m, sizeof(m), -1);
}

/* The text as it is said: into the trace, and the evidence, beside the input that led to it. */
static int say(struct km_engine *e, const struct km_output *o)
{
	struct km_json_writer w;
	struct km_raw_said *said;
	size_t size;

	km_buf_reset(e->text);
	km_jw_init(&w, e->text, false);
	km_output_write(o, &w);
	if (km_buf_error(e->text) < 0)
		return km_buf_error(e->text);
	size = (sizeof(*said) + e->text->len + 7) / 8 * 8;
	if (size > KM_RAW_MAX)
		return -E2BIG;
	said = calloc(1, size);
	if (!said)
		return -ENOMEM;
	said->hdr = (struct kmend_hdr){
		.type = KM_RAW_SAID,
		.size = (uint16_t)size,
		.ktime_ns = o->t_ns,
	};
	said->len = (uint32_t)e->text->len;
	memcpy(said->text, e->text->data, e->text->len);
	km_engine_stream_raw(e, said);
	km_evidence_add(e, said, size);
	free(said);
	return 0;
}

static int on_decision(struct km_engine *e, const struct km_decision *d)
{
	int r = 0;

	e->decisions++;
	if (d->answer == KM_ANSWER_ACT || d->answer == KM_ANSWER_ASK ||
	    d->answer == KM_ANSWER_SUGGEST)
		km_evidence_capture(e, d);
	if (d->answer == KM_ANSWER_ACT)
		r = request(e, d);
	if (r < 0)
		return r;
	km_log(KM_NOTICE, "decision %llu: %s: %s %s: %s", (unsigned long long)d->id, d->service,
	       km_answer_names[d->answer], km_verb_names[d->verb], d->reason);
	if (e->history)
		km_history_decision(e->history, d, km_buf_text(e->text),
		                    km_engine_realtime_ns(e, d->t_ns));
	if (d->answer == KM_ANSWER_ACT || d->answer == KM_ANSWER_ASK ||
	    d->answer == KM_ANSWER_SUGGEST)
		km_evidence_keep(e, d);
	return 0;
}

/* Whether that is done is told by a record. */
static void look_closer(struct km_engine *e, const struct km_output *o)
{
	const struct km_lease_ask ask = { .service = o->service->name,
		                          .cgroup_id = o->depth->cgroup_id,
		                          .until_ns = o->depth->until_ns,
		                          .depths = o->depth->depths };
	char why[128];

	if (km_collect_lease(e->collect, &ask, why, sizeof(why)) < 0)
		km_log(KM_NOTICE, "%s is not looked at closely: %s", ask.service, why);
}

/* Back from an end that nobody asked for: how long it was down. */
static int on_event(struct km_engine *e, const struct km_output *o)
{
	const struct km_service *s = o->service;

	if (!e->history || o->event != KM_EV_STARTED || !s || !s->last.t_ns || s->last.asked ||
	    s->last.t_ns > o->t_ns)
		return 0;
	return km_history_down(e->history, s->name, km_engine_realtime_ns(e, s->last.t_ns),
	                       km_engine_realtime_ns(e, o->t_ns));
}

int km_engine_output(struct km_engine *e, const struct km_output *o)
{
	uint64_t realtime = km_engine_realtime_ns(e, o->t_ns);
	int r = say(e, o);

	if (r < 0)
		return r;
	e->dirty = e->dirty || o->kind != KM_OUT_FORECAST;
	switch (o->kind) {
	case KM_OUT_DECISION:
		return on_decision(e, o->decision);
	case KM_OUT_VERDICT:
		km_log(KM_NOTICE, "verdict on %llu: %s: %s: %s",
		       (unsigned long long)o->verdict->decision_id, o->verdict->service,
		       km_verdict_names[o->verdict->kind], o->verdict->reason);
		if (e->history)
			km_history_verdict(e->history, o->verdict, km_buf_text(e->text), realtime);
		return 0;
	case KM_OUT_FORECAST:
		if (e->history && o->service)
			km_history_forecast(e->history, o->forecast, o->service->name, realtime);
		return 0;
	case KM_OUT_DEPTH:
		look_closer(e, o);
		return 0;
	case KM_OUT_EVENT:
		return on_event(e, o);
	case KM_OUT_KIND_MAX:
		break;
	}
	return 0;
}

static int on_outcome(struct km_engine *e, struct km_act_outcome *m)
{
	int r;

	m->outcome.hdr.type = KM_RAW_OUTCOME;
	m->outcome.hdr.size = sizeof(m->outcome);
	if (m->outcome.hdr.cgroup_id)
		km_collect_watch(e->collect, m->outcome.hdr.cgroup_id, true);
	if (e->history && m->outcome.intent_id &&
	    (!m->outcome.recovered ||
	     km_decide_acting(km_pipeline_decide(e->pipeline), m->outcome.intent_id)))
		km_history_outcome(e->history, &m->outcome,
		                   km_engine_realtime_ns(e, m->outcome.hdr.ktime_ns));
	r = km_engine_feed(e, &m->outcome, sizeof(m->outcome));
	/* An engine that is killed now must not take the act for one without an outcome. */
	if (r == 0 && m->outcome.intent_id)
		km_checkpoint_write(e);
	return r;
}

static int on_ready(struct km_engine *e, const struct km_act_plain *m)
{
	struct km_raw_command c = {
		.hdr = { .type = KM_RAW_COMMAND, .size = sizeof(c), .ktime_ns = km_now_ns() },
		.command = KM_CMD_IDS_USED,
		.decision_id = m->intent_id,
	};

	e->actor_ready = true;
	return km_engine_feed(e, &c, sizeof(c));
}

union from_actor {
	struct km_message_hdr hdr;
	struct km_act_outcome outcome;
	struct km_act_child child;
	struct km_act_endpoint endpoint;
	struct km_act_plain plain;
};

static int on_message(struct km_engine *e, union from_actor *m, size_t len)
{
	if (m->hdr.version != KM_ACT_VERSION)
		return -EBADMSG;
	if (m->hdr.type == KM_ACT_OUTCOME && len == sizeof(m->outcome))
		return on_outcome(e, &m->outcome);
	if (m->hdr.type == KM_ACT_CHILD && len == sizeof(m->child))
		return km_engine_feed(e, &m->child.process, sizeof(m->child.process));
	if (m->hdr.type == KM_ACT_ENDPOINT && len == sizeof(m->endpoint) &&
	    m->endpoint.endpoint.hdr.type == KM_RAW_ENDPOINT &&
	    m->endpoint.endpoint.hdr.size == sizeof(m->endpoint.endpoint))
		return km_engine_feed(e, &m->endpoint.endpoint, sizeof(m->endpoint.endpoint));
	if (m->hdr.type == KM_ACT_READY && len == sizeof(m->plain))
		return on_ready(e, &m->plain);
	return -EBADMSG;
}

int km_engine_actor(void *userdata, int fd, uint32_t events)
{
	struct km_engine *e = userdata;

	(void)events;
	for (;;) {
		union from_actor m;
		ssize_t n = km_message_recv(fd, &m, sizeof(m), NULL);
		int r;

		if (n == -EAGAIN)
			return 0;
		if (n <= 0)
			return n ? (int)n : -EPIPE;
		/* The kernel wrote its record of an end before the actor could see it: who sent the
		 * signal stands only there. */
		r = km_collect_drain(e->collect);
		if (r == 0)
			r = on_message(e, &m, (size_t)n);
		if (r < 0)
			return r;
	}
}
