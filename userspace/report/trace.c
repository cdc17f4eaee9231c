/* SPDX-License-Identifier: Apache-2.0 */
#include "report/request.h"

/* For root: a trace holds the texts of configuration, policy and rules, and every path executed. */
static int record(struct km_request *rq)
{
	rq->reply->effect = KM_EFFECT_TRACE_STREAM;
	return 0;
}

const struct km_control_command km_trace_commands[] = {
	{ "trace", "record", km_args_none, true, record },
	{ 0 },
};
