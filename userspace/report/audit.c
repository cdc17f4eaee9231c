/* SPDX-License-Identifier: Apache-2.0 */
#include "report/request.h"

static int list(struct km_request *rq)
{
	km_jw_key(rq->w, "audit");
	return km_history_audits(rq->view->history, rq->args.limit, rq->w);
}

static const struct km_json_field list_args[] = {
	{ "limit", KM_JSON_COUNT, false, offsetof(struct km_args, limit), 0, 1, KM_HISTORY_ROWS,
	  NULL },
	{ 0 },
};

const struct km_control_command km_audit_commands[] = {
	{ "audit", "list", list_args, false, list },
	{ 0 },
};
