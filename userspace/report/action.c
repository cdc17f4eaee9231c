/* SPDX-License-Identifier: Apache-2.0 */
#include "report/request.h"

static void write_waiting(const struct km_view *v, struct km_json_writer *w)
{
	const struct km_decision *d;
	uint32_t slot = 0;

	km_jw_key(w, "waiting");
	km_jw_array(w);
	while ((d = km_decide_waiting(v->decide, &slot))) {
		km_jw_object(w);
		km_jw_ku64(w, "id", d->id);
		km_jw_ku64(w, "incident", d->incident_id);
		km_jw_kstring(w, "service", d->service);
		km_jw_kstring(w, "rule", d->rule);
		km_jw_kstring(w, "answer", km_answer_names[d->answer]);
		km_jw_kstring(w, "verb", km_verb_names[d->verb]);
		km_jw_kstring(w, "reason", d->reason);
		km_jw_ku64(w, "expires_s",
		           d->due_ns > v->now_ns ? (d->due_ns - v->now_ns) / KM_NS_PER_S : 0);
		km_jw_end_object(w);
	}
	km_jw_end_array(w);
}

static int list(struct km_request *rq)
{
	const struct km_history_filter f = {
		.service = rq->args.service[0] ? rq->args.service : NULL,
		.limit = rq->args.limit,
	};

	write_waiting(rq->view, rq->w);
	km_jw_key(rq->w, "actions");
	return km_history_actions(rq->view->history, &f, rq->w);
}

static int show(struct km_request *rq)
{
	const struct km_history_filter f = { .decision_id = rq->args.id, .limit = 1 };
	size_t before;

	km_jw_key(rq->w, "actions");
	before = rq->w->out->len;
	km_history_actions(rq->view->history, &f, rq->w);
	if (rq->w->out->len <= before + 2) /* "[]" */
		return km_request_fail(rq, "not_found", "see: kmend action list",
		                       "no decision %llu is in the history",
		                       (unsigned long long)rq->args.id);
	return 0;
}

static bool is_waiting(const struct km_view *v, uint64_t id)
{
	const struct km_decision *d;
	uint32_t slot = 0;

	while ((d = km_decide_waiting(v->decide, &slot)))
		if (d->id == id)
			return true;
	return false;
}

/* Whether the decision still waits is judged when the command has gone through the pipeline; what
 * plainly does not is refused here. A quarantine is released by approving it and is not listed as
 * waiting. */
static bool may_decide(struct km_request *rq, enum km_command command)
{
	const struct km_service *s;
	uint32_t slot = 0;

	if (is_waiting(rq->view, rq->args.id))
		return true;
	while (command == KM_CMD_APPROVE && (s = km_attribute_next(rq->view->attribute, &slot)))
		if (km_decide_quarantined(rq->view->decide, s->id))
			return true;
	return false;
}

static int decide(struct km_request *rq, enum km_command command)
{
	if (!may_decide(rq, command))
		return km_request_fail(rq, "not_found", "see: kmend action list",
		                       "decision %llu does not wait for an answer",
		                       (unsigned long long)rq->args.id);
	rq->reply->effect = KM_EFFECT_COMMAND;
	rq->reply->command = (struct km_raw_command){
		.decision_id = rq->args.id,
		.command = command,
		.uid = rq->peer->uid,
		.tgid = rq->peer->tgid,
	};
	km_history_audit(rq->view->history,
	                 command == KM_CMD_APPROVE ? "approved" : "denied by operator",
	                 rq->peer->uid, rq->peer->tgid, rq->view->realtime_ns);
	km_jw_ku64(rq->w, "id", rq->args.id);
	km_jw_kstring(rq->w, "command", command == KM_CMD_APPROVE ? "approve" : "deny");
	return 0;
}

static int approve(struct km_request *rq)
{
	return decide(rq, KM_CMD_APPROVE);
}

static int deny(struct km_request *rq)
{
	return decide(rq, KM_CMD_DENY);
}

const struct km_control_command km_action_commands[] = {
	{ "action", "list", km_args_history, false, list },
	{ "action", "show", km_args_id, false, show },
	{ "action", "approve", km_args_id, true, approve },
	{ "action", "deny", km_args_id, true, deny },
	{ 0 },
};
