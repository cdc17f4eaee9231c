/* SPDX-License-Identifier: Apache-2.0 */
/* Private to report/: one request on its way to its handler, and the table of handlers. */
#ifndef KM_REPORT_REQUEST_H
#define KM_REPORT_REQUEST_H

#include "base/buf.h"
#include "report/control.h"

/* An answer is read with the one JSON reader, which takes 1 MiB: lists are cut to so many rows of
 * at most about 1 KiB. The client asks for more with "offset". */
#define KM_ROWS_MAX     1000
#define KM_ROWS_DEFAULT 500

/* Arguments of all commands; a command's table of fields says which it takes. */
struct km_args {
	char name[KM_NAME_MAX];
	char service[KM_NAME_MAX];
	char signal[64];
	char lasting[32]; /* "30m" */
	uint64_t id;
	uint64_t decision;
	uint64_t limit;
	uint64_t offset;
	uint64_t samples;
	bool all;
};

extern const struct km_json_field km_args_none[];
extern const struct km_json_field km_args_list[];     /* limit, offset */
extern const struct km_json_field km_args_history[];  /* limit, service */
extern const struct km_json_field km_args_name[];     /* name */
extern const struct km_json_field km_args_any_name[]; /* name, or none */
extern const struct km_json_field km_args_id[];       /* id */

struct km_request {
	const struct km_view *view;
	const struct km_peer *peer;
	struct km_args args;
	struct km_json_writer *w; /* inside the answer's object, "version" is written */
	struct km_control_reply *reply;
	const char *code; /* of a failure */
	char error[768];
	char remedy[512];
};

/* 0: members are written. Negative: km_request_fail() was called, what was written is dropped. */
typedef int (*km_handler)(struct km_request *rq);

struct km_control_command {
	const char *object;
	const char *command;
	const struct km_json_field *args;
	bool changer; /* needs root */
	km_handler handle;
};

/* Always -EBADMSG. CODE: denied, not_found, bad_request or failed. */
int km_request_fail(struct km_request *rq, const char *code, const char *remedy, const char *fmt,
                    ...) __attribute__((format(printf, 4, 5)));
/* The service named in the arguments, or NULL after km_request_fail() with the nearest name. */
const struct km_service *km_request_service(struct km_request *rq, const char *name);
/* At the row with number *N (counted up): 1 to write it, 0 to leave it out, and *MORE counts those
 * behind the limit. */
int km_request_page(const struct km_request *rq, uint64_t *n, uint64_t *more);

/* One a file, NULL-object-terminated. */
extern const struct km_control_command km_status_commands[];
extern const struct km_control_command km_service_commands[];
extern const struct km_control_command km_endpoint_commands[];
extern const struct km_control_command km_operator_commands[];
extern const struct km_control_command km_signal_commands[];
extern const struct km_control_command km_forecast_commands[];
extern const struct km_control_command km_rule_commands[];
extern const struct km_control_command km_action_commands[];
extern const struct km_control_command km_incident_commands[];
extern const struct km_control_command km_trace_commands[];
extern const struct km_control_command km_bpf_commands[];
extern const struct km_control_command km_audit_commands[];

/* status.c: a resource's unit: "bytes", "count". */
/* status.c: the collector's table, or an empty one: a view without a collector is one of a
 * replay. */
const struct km_source *km_view_sources(const struct km_view *view);
/* operator.c: "service maintain". */
int km_operator_maintain(struct km_request *rq);
int km_operator_forget(struct km_request *rq);
/* service.c: the forecast in force that comes first, or NULL. */
const struct km_forecast *km_nearest_forecast(const struct km_view *view, uint64_t service_id);

#endif
