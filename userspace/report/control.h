/* SPDX-License-Identifier: Apache-2.0 */
/* The control protocol and what the daemon answers.
 *
 * Client and front: a Unix stream socket. Both ways frames { u32 length, u32 kind } little endian +
 * body. A request is one KM_FRAME_REQUEST:
 * {"version":1,"object":"service","command":"show","args":{...}}. The answer is any number of ITEM
 * (one JSON object each, streams) or DATA (bytes) frames, then one END: {"version":1,...} or one
 * ERROR: {"version":1,"error":"...","remedy":"...","code":"denied|not_found|bad_request|failed"}.
 * The front accepts, checks lengths and time-outs, and passes each request with the client's socket
 * (SCM_RIGHTS) to the engine, which reads SO_PEERCRED itself: a broken front cannot claim to be
 * root. */
#ifndef KM_CONTROL_H
#define KM_CONTROL_H

#include "collect/collect.h"
#include "base/message.h"
#include "record/history.h"

#define KM_CONTROL_REQUEST_MAX 65536
#define KM_CONTROL_BODY_MAX    (16 * 1024 * 1024)
#define KM_CONTROL_CLIENTS_MAX 64

enum km_frame {
	KM_FRAME_REQUEST = 1,
	KM_FRAME_ITEM = 2,
	KM_FRAME_DATA = 3,
	KM_FRAME_END = 4,
	KM_FRAME_ERROR = 5
};

struct km_frame_hdr {
	uint32_t length; /* of the body */
	uint32_t kind;
};

/* What the engine lets the report phase look at; all const but the history handle. */
struct km_view {
	const struct km_attribute *attribute;
	struct km_measure *measure;
	const struct km_predict *predict;
	const struct km_rules *rules;
	const struct km_policy *policy;
	const struct km_config *config;
	const struct km_decide *decide;
	struct km_collect *collect;
	struct km_history *history;
	uint64_t now_ns;
	uint64_t realtime_ns;
	uint64_t started_ns;
	const char *mode; /* "full", "no bpf", "observe only: ..." */
	const char *state_dir;
	uint64_t records_fed, records_bad, decisions;
	const char *rules_refused; /* error of the last refused reload, or NULL */
};

/* Who asks, from SO_PEERCRED. */
struct km_peer {
	uint32_t uid;
	uint32_t gid;
	uint32_t tgid;
	bool reader;  /* root, or of the group */
	bool changer; /* root */
};

/* What the engine must do besides answering. */
enum km_control_effect {
	KM_EFFECT_NONE = 0,
	KM_EFFECT_COMMAND,       /* feed .command into the pipeline */
	KM_EFFECT_OPERATOR,      /* feed .operator into the pipeline */
	KM_EFFECT_TRACE_STREAM,  /* send a checkpoint and all further raw records as DATA frames
				    until the client goes */
	KM_EFFECT_SIGNAL_STREAM, /* send signals as ITEM frames until the client goes */
	KM_EFFECT_EVIDENCE, /* send the evidence trace of .incident_id as DATA frames, then END */
};

struct km_control_reply {
	enum km_frame kind; /* END or ERROR */
	enum km_control_effect effect;
	struct km_raw_command command;   /* hdr is filled in by the engine */
	struct km_raw_operator operator; /* and here */
	uint64_t incident_id;
	uint64_t decision_id;      /* EVIDENCE: 0 the first of the incident */
	char service[KM_NAME_MAX]; /* SIGNAL_STREAM: only this one, empty: all */
	uint32_t depths;           /* SIGNAL_STREAM: looks at it closely meanwhile; 0: does not */
	uint64_t for_ns;           /* ... for so long at most */
};

/* Answers one request: BODY is written into OUT. Denials are answered, and recorded in the history.
 * Never fails otherwise than by writing an ERROR body; negative errno only for -ENOMEM. */
int km_control_answer(const struct km_view *view, const struct km_peer *peer, const char *request,
                      size_t len, struct km_buf *out, struct km_control_reply *ret);

/* The front process: LISTEN_FD accepted here, requests to ENGINE_SOCK. Returns when the engine
 * goes. */
struct km_front_opts {
	int listen_fd;
	int engine_sock;
	uint64_t request_timeout_ns; /* for a client to send its whole request, 10 s */
};
int km_front_run(const struct km_front_opts *opts);

/* front to engine, over base/message.h, the client's socket passed along */
struct km_front_request {
	struct km_message_hdr hdr;
	uint32_t len;
	uint32_t pad;
	char json[]; /* at most KM_CONTROL_REQUEST_MAX - 256 */
};
#define KM_FRONT_REQUEST 1

/* A text table or one live screen of the same view, for a terminal (WIDTH, HEIGHT) or a log. */
int km_view_screen(const struct km_view *view, unsigned int width, unsigned int height,
                   struct km_buf *out);

#endif
