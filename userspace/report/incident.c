/* SPDX-License-Identifier: Apache-2.0 */
#include "report/request.h"

static int list(struct km_request *rq)
{
	const struct km_history_filter f = {
		.service = rq->args.service[0] ? rq->args.service : NULL,
		.limit = rq->args.limit,
	};

	km_jw_key(rq->w, "incidents");
	return km_history_incidents(rq->view->history, &f, rq->w);
}

static int not_found(struct km_request *rq)
{
	return km_request_fail(rq, "not_found", "see: kmend incident list",
	                       "no incident %llu is in the history",
	                       (unsigned long long)rq->args.id);
}

static int show(struct km_request *rq)
{
	const struct km_history_filter f = { .incident_id = rq->args.id, .limit = 1 };
	const struct km_history_filter actions = { .incident_id = rq->args.id };
	size_t before;

	km_jw_key(rq->w, "incidents");
	before = rq->w->out->len;
	km_history_incidents(rq->view->history, &f, rq->w);
	if (rq->w->out->len <= before + 2) /* "[]" */
		return not_found(rq);
	km_jw_key(rq->w, "actions");
	return km_history_actions(rq->view->history, &actions, rq->w);
}

static int explain(struct km_request *rq)
{
	km_jw_key(rq->w, "incident");
	return km_history_incident(rq->view->history, rq->args.id, rq->w) < 0 ? not_found(rq) : 0;
}

/* For root: the evidence begins with the configuration, as every trace does. */
static int evidence(struct km_request *rq)
{
	rq->reply->effect = KM_EFFECT_EVIDENCE;
	rq->reply->incident_id = rq->args.id;
	rq->reply->decision_id = rq->args.decision;
	return 0;
}

static const struct km_json_field evidence_args[] = {
	{ "id", KM_JSON_COUNT, true, offsetof(struct km_args, id), 0, 1, 0, NULL },
	{ "decision", KM_JSON_COUNT, false, offsetof(struct km_args, decision), 0, 0, 0, NULL },
	{ 0 },
};

const struct km_control_command km_incident_commands[] = {
	{ "incident", "list", km_args_history, false, list },
	{ "incident", "show", km_args_id, false, show },
	{ "incident", "explain", km_args_id, false, explain },
	{ "incident", "evidence", evidence_args, true, evidence },
	{ 0 },
};
