/* SPDX-License-Identifier: Apache-2.0 */
/* One request, one answer: strict reading, one table, rights, and the shape of every answer. */
#include "report/request.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"

static const struct km_control_command *const tables[] = {
	km_status_commands,   km_service_commands,  km_endpoint_commands, km_operator_commands,
	km_signal_commands,   km_forecast_commands, km_rule_commands,     km_action_commands,
	km_incident_commands, km_trace_commands,    km_bpf_commands,      km_audit_commands,
};

#define ARG(member, kind, required)                                \
#member, kind, required, offsetof(struct km_args, member), \
		sizeof(((struct km_args *)0)->member)

const struct km_json_field km_args_none[] = { { 0 } };

const struct km_json_field km_args_list[] = {
	{ ARG(limit, KM_JSON_COUNT, false), 1, KM_ROWS_MAX, NULL },
	{ ARG(offset, KM_JSON_COUNT, false), 0, 1000000, NULL },
	{ 0 },
};

const struct km_json_field km_args_history[] = {
	{ ARG(limit, KM_JSON_COUNT, false), 1, KM_HISTORY_ROWS, NULL },
	{ ARG(service, KM_JSON_STRING, false), 0, 0, NULL },
	{ 0 },
};

const struct km_json_field km_args_any_name[] = { { ARG(name, KM_JSON_STRING, false), 0, 0, NULL },
	                                          { 0 } };

const struct km_json_field km_args_name[] = {
	{ ARG(name, KM_JSON_STRING, true), 0, 0, NULL },
	{ 0 },
};

const struct km_json_field km_args_id[] = {
	{ ARG(id, KM_JSON_COUNT, true), 1, 0, NULL },
	{ 0 },
};

struct envelope {
	uint64_t version;
	char object[32];
	char command[32];
	const cJSON *args;
};

static const struct km_json_field envelope_fields[] = {
	{ "version", KM_JSON_COUNT, true, offsetof(struct envelope, version), 0, 1, 1, NULL },
	{ "object", KM_JSON_STRING, true, offsetof(struct envelope, object), 32, 0, 0, NULL },
	{ "command", KM_JSON_STRING, true, offsetof(struct envelope, command), 32, 0, 0, NULL },
	{ "args", KM_JSON_OBJECT, false, offsetof(struct envelope, args), 0, 0, 0, NULL },
	{ 0 },
};

int km_request_fail(struct km_request *rq, const char *code, const char *remedy, const char *fmt,
                    ...)
{
	va_list ap;

	rq->code = code;
	km_copy(rq->remedy, sizeof(rq->remedy), remedy ? remedy : "");
	va_start(ap, fmt);
	vsnprintf(rq->error, sizeof(rq->error), fmt, ap);
	va_end(ap);
	return -EBADMSG;
}

static const char *nearest_service(const struct km_view *view, const char *name)
{
	const struct km_service *s;
	const char *best = NULL;
	uint32_t slot = 0;

	while ((s = km_attribute_next(view->attribute, &slot))) {
		const char *const one[] = { best ? best : s->name, s->name, NULL };
		const char *near = km_text_nearest(name, one);

		best = near ? near : best;
	}
	return best;
}

const struct km_service *km_request_service(struct km_request *rq, const char *name)
{
	const struct km_service *s = km_attribute_service_by_name(rq->view->attribute, name);
	char remedy[KM_NAME_MAX + 32] = "see: kmend service list";
	const char *near;

	if (s)
		return s;
	near = nearest_service(rq->view, name);
	if (near)
		snprintf(remedy, sizeof(remedy), "did you mean %s?", near);
	km_request_fail(rq, "not_found", remedy, "no service %s is known", name);
	return NULL;
}

int km_request_page(const struct km_request *rq, uint64_t *n, uint64_t *more)
{
	uint64_t limit = rq->args.limit ? rq->args.limit : KM_ROWS_DEFAULT;
	uint64_t i = (*n)++;

	if (i < rq->args.offset)
		return 0;
	if (i - rq->args.offset < limit)
		return 1;
	(*more)++;
	return 0;
}

static const struct km_control_command *find(const char *object, const char *command, bool *known)
{
	*known = false;
	for (size_t i = 0; i < KM_ARRAY_SIZE(tables); i++) {
		for (const struct km_control_command *c = tables[i]; c->object; c++) {
			if (strcmp(c->object, object) != 0)
				break;
			*known = true;
			if (strcmp(c->command, command) == 0)
				return c;
		}
	}
	return NULL;
}

static int bad_json(struct km_request *rq, const struct km_error *err)
{
	char text[sizeof(rq->error)];

	return km_request_fail(rq, "bad_request", err->remedy, "%s",
	                       km_error_format(err, text, sizeof(text)));
}

static int deny(struct km_request *rq, const struct km_control_command *c)
{
	const char *group = rq->view->config ? rq->view->config->settings.socket_group : "kmend";
	char what[96], remedy[160];

	snprintf(what, sizeof(what), "denied: %s %s", c->object, c->command);
	km_history_audit(rq->view->history, what, rq->peer->uid, rq->peer->tgid,
	                 rq->view->realtime_ns);
	if (c->changer)
		return km_request_fail(rq, "denied", "run it as root (sudo kmend ...)",
		                       "%s %s is for root", c->object, c->command);
	snprintf(remedy, sizeof(remedy), "run it as root, or join the group %s and log in again",
	         group);
	return km_request_fail(rq, "denied", remedy, "user %u is not in the group %s",
	                       rq->peer->uid, group);
}

static int dispatch(struct km_request *rq, const char *request, size_t len)
{
	km_autofree(km_json_freep) struct km_json *doc = NULL;
	struct envelope e = { 0 };
	struct km_error err = { 0 };
	const struct km_control_command *c;
	bool known;

	if (km_json_parse(request, len, "request", &err, &doc) < 0 ||
	    km_json_read(doc, km_json_root(doc), envelope_fields, &e, &err) < 0)
		return bad_json(rq, &err);
	c = find(e.object, e.command, &known);
	if (!c)
		return km_request_fail(rq, "bad_request",
		                       "kmend and kmendd are of different versions: restart kmendd",
		                       known ? "%s has no command %s" : "no object %s %s", e.object,
		                       e.command);
	if (!(c->changer ? rq->peer->changer : rq->peer->reader))
		return deny(rq, c);
	if (e.args && km_json_read(doc, e.args, c->args, &rq->args, &err) < 0)
		return bad_json(rq, &err);
	for (const struct km_json_field *f = c->args; !e.args && f->key; f++)
		if (f->required)
			return km_request_fail(rq, "bad_request", "see: kmend help",
			                       "%s %s needs %s", e.object, e.command, f->key);
	return c->handle(rq);
}

static void write_error(const struct km_request *rq, struct km_buf *out)
{
	struct km_json_writer w;

	km_buf_reset(out);
	km_jw_init(&w, out, false);
	km_jw_object(&w);
	km_jw_ku64(&w, "version", 1);
	km_jw_kstring(&w, "error", rq->error);
	km_jw_kstring(&w, "remedy", rq->remedy[0] ? rq->remedy : NULL);
	km_jw_kstring(&w, "code", rq->code);
	km_jw_end_object(&w);
}

int km_control_answer(const struct km_view *view, const struct km_peer *peer, const char *request,
                      size_t len, struct km_buf *out, struct km_control_reply *ret)
{
	struct km_control_reply reply = { .kind = KM_FRAME_END };
	struct km_json_writer w;
	struct km_request rq = { .view = view, .peer = peer, .w = &w, .reply = &reply };
	int r;

	km_buf_reset(out);
	km_jw_init(&w, out, false);
	km_jw_object(&w);
	km_jw_ku64(&w, "version", 1);
	r = dispatch(&rq, request, len);
	km_jw_end_object(&w);
	if (r == 0 && (km_buf_error(out) < 0 || out->len > KM_JSON_BYTES_MAX))
		r = km_request_fail(&rq, "failed", "ask for less with --limit",
		                    "the answer is over 1 MiB");
	if (r < 0) {
		reply = (struct km_control_reply){ .kind = KM_FRAME_ERROR };
		write_error(&rq, out);
	}
	if (km_buf_error(out) < 0)
		return -ENOMEM;
	*ret = reply;
	return 0;
}
