// SPDX-License-Identifier: Apache-2.0
/* What operators say about when nothing is to be done. */
#include "report/request.h"

#define MAINTAIN_MIN_NS KM_NS_PER_S
#define MAINTAIN_MAX_NS (30ULL * 86400 * KM_NS_PER_S)

static void say(struct km_request *rq, enum km_operator what, uint64_t for_ns, const char *audit)
{
	rq->reply->effect = KM_EFFECT_OPERATOR;
	rq->reply->operator=(struct km_raw_operator){
		.operation = what,
		.uid = rq->peer->uid,
		.tgid = rq->peer->tgid,
		.for_ns = for_ns,
	};
	km_copy(rq->reply->operator.service, sizeof(rq->reply->operator.service), rq->args.name);
	km_history_audit(rq->view->history, audit, rq->peer->uid, rq->peer->tgid,
	                 rq->view->realtime_ns);
}

static int pause_all(struct km_request *rq)
{
	say(rq, KM_OP_PAUSE, 0, "paused");
	km_jw_kbool(rq->w, "paused", true);
	return 0;
}

static int resume(struct km_request *rq)
{
	say(rq, KM_OP_RESUME, 0, "resumed");
	km_jw_kbool(rq->w, "paused",
	            (rq->view->policy && rq->view->policy->pause) ||
	                    km_decide_paused_by_file(rq->view->decide));
	return 0;
}

int km_operator_forget(struct km_request *rq)
{
	say(rq, KM_OP_FORGET, 0, "calibration forgotten");
	km_jw_kbool(rq->w, "calibrated", false);
	return 0;
}

int km_operator_maintain(struct km_request *rq)
{
	uint64_t for_ns = 0;

	if (!km_request_service(rq, rq->args.name))
		return -ENOENT;
	if (strcmp(rq->args.lasting, "end") != 0 &&
	    (km_parse_duration(rq->args.lasting, &for_ns) < 0 || for_ns < MAINTAIN_MIN_NS ||
	     for_ns > MAINTAIN_MAX_NS))
		return km_request_fail(rq, "bad_request", "write 30m, or end",
		                       "\"for\" must be 1s to 30d, or end");
	say(rq, KM_OP_MAINTAIN, for_ns, for_ns ? "maintenance begun" : "maintenance ended");
	km_jw_kstring(rq->w, "service", rq->args.name);
	km_jw_ku64(rq->w, "for_s", for_ns / KM_NS_PER_S);
	return 0;
}

const struct km_control_command km_operator_commands[] = {
	{ "operator", "pause", km_args_none, true, pause_all },
	{ "operator", "resume", km_args_none, true, resume },
	{ 0 },
};
