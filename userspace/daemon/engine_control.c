/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that the front hands over, and the streams that some of them open. */
#include <stdio.h>

#include "base/log.h"
#include "daemon/engine.h"

/* What one client's stream may hold between two flushes: a checkpoint of a full host. */
#define STREAM_BYTES_MAX KM_CLIENT_BYTES_MAX
#define SIGNAL_TEXT_MAX  65536

void km_engine_view(struct km_engine *e, struct km_view *ret)
{
	*ret = (struct km_view){
		.attribute = km_pipeline_attribute(e->pipeline),
		.measure = km_pipeline_measure(e->pipeline),
		.predict = km_pipeline_predict(e->pipeline),
		.rules = km_pipeline_rules(e->pipeline),
		.policy = km_pipeline_policy(e->pipeline),
		.config = km_pipeline_config(e->pipeline),
		.decide = km_pipeline_decide(e->pipeline),
		.collect = e->collect,
		.history = e->history,
		.now_ns = km_now_ns(),
		.realtime_ns = km_engine_realtime_ns(e, km_now_ns()),
		.started_ns = e->d->started_ns,
		.mode = e->mode,
		.state_dir = e->d->opts.state,
		.records_fed = e->records,
		.records_bad = e->bad,
		.decisions = e->decisions,
		.rules_refused = e->refused[0] ? e->refused : NULL,
	};
}

static void stream_close(struct km_engine *e, struct km_stream *s)
{
	if (s->depths)
		km_collect_unlease(e->collect, s->client);
	km_trace_writer_free(s->trace);
	km_buf_free(s->out);
	*s = (struct km_stream){ 0 };
}

static int trace_cb(void *userdata, const void *raw, size_t len)
{
	struct km_stream *s = userdata;

	(void)len;
	return km_trace_add(s->trace, raw);
}

/* What is ready goes out; a stream whose client is gone or too slow is closed. */
static void stream_flush(struct km_engine *e, struct km_stream *s)
{
	int r = km_trace_flush(s->trace);

	if (r == 0 && s->out->len)
		r = km_clients_frame(e->clients, s->client, KM_FRAME_DATA, s->out->data,
		                     s->out->len);
	km_buf_reset(s->out);
	if (r < 0 || !km_clients_alive(e->clients, s->client)) {
		km_clients_drop(e->clients, s->client);
		stream_close(e, s);
	}
}

static int send_error(struct km_engine *e, uint64_t client, const char *what, const char *code)
{
	km_autofree(km_buf_freep) struct km_buf *body = NULL;
	struct km_json_writer w;

	if (km_buf_new(4096, &body) < 0)
		return -ENOMEM;
	km_jw_init(&w, body, false);
	km_jw_object(&w);
	km_jw_ku64(&w, "version", 1);
	km_jw_kstring(&w, "error", what);
	km_jw_kstring(&w, "code", code);
	km_jw_end_object(&w);
	return km_clients_frame(e->clients, client, KM_FRAME_ERROR, body->data, body->len);
}

/* Looks at the service closely until the client goes, or its time is over. */
static int stream_lease(struct km_engine *e, struct km_stream *s,
                        const struct km_control_reply *reply)
{
	const struct km_attribute *a = km_pipeline_attribute(e->pipeline);
	const struct km_service *service = km_attribute_service_by_name(a, reply->service);
	const struct km_lease_ask ask = { .service = reply->service,
		                          .cgroup_id = service ? service->cgroup_id : 0,
		                          .owner = s->client,
		                          .until_ns = km_now_ns() + reply->for_ns,
		                          .depths = reply->depths };
	char why[128];
	int r = km_collect_lease(e->collect, &ask, why, sizeof(why));

	if (r == 0) {
		s->depths = reply->depths;
		return 0;
	}
	r = send_error(e, s->client, why, "failed");
	stream_close(e, s);
	return r;
}

static int stream_open(struct km_engine *e, uint64_t client, const struct km_control_reply *reply)
{
	struct km_stream *s = NULL;
	int r;

	for (size_t i = 0; i < KM_STREAMS_MAX && !s; i++)
		if (!e->stream[i].client)
			s = &e->stream[i];
	if (!s)
		return -EMFILE;
	s->client = client;
	km_copy(s->service, sizeof(s->service), reply->service);
	if (reply->effect == KM_EFFECT_SIGNAL_STREAM)
		return reply->depths ? stream_lease(e, s, reply) : 0;
	r = km_buf_new(STREAM_BYTES_MAX, &s->out);
	if (r == 0)
		r = km_trace_writer_new(s->out, &s->trace);
	/* The stream begins with all that is known now, so that a replay goes on from here. */
	if (r == 0)
		r = km_pipeline_save(e->pipeline, trace_cb, s);
	if (r < 0) {
		stream_close(e, s);
		return r;
	}
	stream_flush(e, s);
	return 0;
}

static bool of_service(struct km_engine *e, const struct km_stream *s, const struct km_signal *sig)
{
	const struct km_attribute *a = km_pipeline_attribute(e->pipeline);
	const struct km_service *service = km_attribute_service_by_name(a, s->service);

	return service && sig->cgroup_id && service->cgroup_id == sig->cgroup_id;
}

/* Who asked for depth is told what it shows, and what becomes of it. */
static bool is_deep(const struct km_stream *s, const struct km_signal *sig)
{
	if (sig->type == KM_RAW_LEASE)
		return strcmp(sig->lease.service, s->service) == 0;
	return sig->type == KM_RAW_VALUE && km_catalogue_depth(sig->value->signal) & s->depths;
}

static void stream_signal(struct km_engine *e, struct km_stream *s, const struct km_signal *sig)
{
	km_autofree(km_buf_freep) struct km_buf *text = NULL;
	struct km_json_writer w;
	int r;

	if (sig->type == KM_RAW_STATE || sig->type == KM_RAW_SAID || sig->type == KM_RAW_TEXT ||
	    (s->service[0] && !of_service(e, s, sig)) || (s->depths && !is_deep(s, sig)))
		return;
	r = km_buf_new(SIGNAL_TEXT_MAX, &text);
	if (r < 0)
		return;
	km_jw_init(&w, text, false);
	km_jw_object(&w);
	km_signal_write(sig, &w);
	km_jw_end_object(&w);
	r = km_buf_error(text);
	if (r == 0)
		r = km_clients_frame(e->clients, s->client, KM_FRAME_ITEM, text->data, text->len);
	if (r < 0)
		stream_close(e, s);
}

void km_engine_stream_raw(struct km_engine *e, const void *raw)
{
	const struct kmend_hdr *hdr = raw;

	for (size_t i = 0; i < KM_STREAMS_MAX; i++) {
		struct km_stream *s = &e->stream[i];
		struct km_signal sig;

		if (!s->client)
			continue;
		if (s->trace && km_trace_add(s->trace, raw) < 0)
			stream_close(e, s);
		else if (!s->trace && km_decode(raw, hdr->size, &sig) == 0)
			stream_signal(e, s, &sig);
	}
}

static void stream_end(struct km_engine *e, struct km_stream *s, const char *body)
{
	km_clients_frame(e->clients, s->client, KM_FRAME_END, body, strlen(body));
	stream_close(e, s);
}

void km_engine_stream_flush(struct km_engine *e)
{
	for (size_t i = 0; i < KM_STREAMS_MAX; i++) {
		struct km_stream *s = &e->stream[i];

		if (s->client && s->trace)
			stream_flush(e, s);
		else if (s->client && !km_clients_alive(e->clients, s->client))
			stream_close(e, s);
		else if (s->depths && !km_collect_leased(e->collect, s->client))
			stream_end(e, s, "{\"version\":1,\"ended\":\"its time or the budget\"}");
	}
}

void km_engine_stream_end(struct km_engine *e)
{
	km_engine_stream_flush(e);
	for (size_t i = 0; i < KM_STREAMS_MAX; i++)
		if (e->stream[i].client)
			stream_end(e, &e->stream[i],
			           "{\"version\":1,\"ended\":\"the daemon stops\"}");
}

static int send_evidence(struct km_engine *e, uint64_t client, const struct km_control_reply *reply)
{
	static const char end[] = "{\"version\":1}";
	km_autoclose int fd = km_evidence_open(e, reply->incident_id, reply->decision_id);
	char chunk[65536];
	ssize_t n;

	if (fd < 0)
		return send_error(e, client, "no evidence trace is kept of this incident",
		                  "not_found");
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		if (km_clients_frame(e->clients, client, KM_FRAME_DATA, chunk, (size_t)n) < 0)
			return 0;
	return km_clients_frame(e->clients, client, KM_FRAME_END, end, sizeof(end) - 1);
}

static int do_effect(struct km_engine *e, uint64_t client, struct km_control_reply *reply,
                     const struct km_buf *body)
{
	int r;

	switch (reply->effect) {
	case KM_EFFECT_TRACE_STREAM:
	case KM_EFFECT_SIGNAL_STREAM:
		r = stream_open(e, client, reply);
		return r < 0 ? send_error(e, client, "too many streams are open", "failed") : 0;
	case KM_EFFECT_EVIDENCE:
		return send_evidence(e, client, reply);
	case KM_EFFECT_COMMAND:
		reply->command.hdr = (struct kmend_hdr){
			.type = KM_RAW_COMMAND,
			.size = sizeof(reply->command),
			.ktime_ns = km_now_ns(),
		};
		r = km_engine_feed(e, &reply->command, sizeof(reply->command));
		if (r < 0)
			return r;
		break;
	case KM_EFFECT_OPERATOR:
		reply->operator.hdr =(struct kmend_hdr){
			.type = KM_RAW_OPERATOR,
			.size = sizeof(reply->operator),
			.ktime_ns = km_now_ns(),
		};
		r = km_engine_feed(e, &reply->operator, sizeof(reply->operator));
		if (r < 0)
			return r;
		km_checkpoint_write(e); /* a kill switch outlives a crash */
		break;
	case KM_EFFECT_NONE:
		break;
	}
	return km_clients_frame(e->clients, client, reply->kind, body->data, body->len);
}

static int answer(struct km_engine *e, const struct km_front_request *m, size_t len, int *fd)
{
	km_autofree(km_buf_freep) struct km_buf *body = NULL;
	struct km_control_reply reply = { 0 };
	struct km_view view;
	struct km_peer peer;
	uint64_t client;
	int r;

	if (len < sizeof(*m) || m->hdr.type != KM_FRONT_REQUEST || m->len > len - sizeof(*m) ||
	    *fd < 0)
		return -EBADMSG;
	r = km_peer_read(*fd, e->d->readers_gid, &peer);
	if (r < 0)
		return 0; /* it went meanwhile */
	if (!e->d->root && peer.uid == geteuid())
		peer.reader = true;
	r = km_clients_add(e->clients, km_take_fd(fd), &client);
	if (r < 0)
		return 0; /* it was told that there are too many */
	r = km_buf_new(KM_CONTROL_BODY_MAX, &body);
	if (r < 0)
		return r;
	km_engine_view(e, &view);
	r = km_control_answer(&view, &peer, m->json, m->len, body, &reply);
	if (r < 0)
		return r;
	r = do_effect(e, client, &reply, body);
	return r == -ENOENT || r == -ENOBUFS ? 0 : r;
}

int km_engine_front(void *userdata, int fd, uint32_t events)
{
	struct km_engine *e = userdata;

	(void)events;
	for (;;) {
		km_autoclose int client = -1;
		ssize_t n = km_message_recv(fd, e->request, KM_MESSAGE_MAX, &client);
		int r;

		if (n == -EAGAIN)
			return 0;
		if (n == -EBADMSG)
			continue; /* the front is not trusted: one bad message costs one answer */
		if (n <= 0)
			return n ? (int)n : -EPIPE;
		r = answer(e, e->request, (size_t)n, &client);
		if (r < 0 && r != -EBADMSG)
			return r;
	}
}
