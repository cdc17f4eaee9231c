/* SPDX-License-Identifier: Apache-2.0 */
/* The engine process: sources in, pipeline, requests to the actor, history, answers. */
#ifndef KM_ENGINE_H
#define KM_ENGINE_H

#include "act/message.h"
#include "collect/collect.h"
#include "daemon/setup.h"
#include "pipeline/pipeline.h"
#include "record/history.h"
#include "record/recording.h"
#include "record/trace.h"
#include "report/client.h"
#include "report/control.h"

/* Clients with a stream open (trace record, signal watch); each costs a buffer. */
#define KM_STREAMS_MAX 16

struct km_stream {
	uint64_t client;               /* id in the set of clients, 0: free */
	struct km_trace_writer *trace; /* NULL: signals as text */
	struct km_buf *out;
	char service[KM_NAME_MAX]; /* signals of this one only, empty: all */
	uint32_t depths;           /* of it, only what was asked for; 0: what comes */
};

/* Lines of evidence are kept once for each incident; so many incidents are told apart at a time. */
#define KM_EVIDENCE_KEPT 64

struct km_evidence_kept {
	uint64_t incident_id;
	uint64_t checkpoint; /* number of the one in memory that the records follow */
	size_t records;      /* of those behind it */
};

struct km_engine {
	char boot_id[40];    /* of this boot, empty: not read yet */
	struct km_daemon *d; /* of before the fork; read only */
	struct km_loop *loop;
	struct km_collect *collect;
	struct km_pipeline *pipeline;
	struct km_history *history; /* NULL where nothing can be written */
	struct km_clients *clients;
	int actor_sock, front_sock, prober_sock;
	bool actor_ready;
	int paused;   /* the file that pauses is there; -1: not looked at yet */
	bool feeding; /* records that arrive while one is fed are refused: a bug */
	uint64_t records, bad, decisions;
	struct km_buf *base;   /* a checkpoint, as base/sparse.h keeps it, */
	struct km_buf *recent; /* and all raw records since, for evidence */
	unsigned int recent_ticks;
	uint64_t recent_count; /* checkpoints made in memory */
	struct km_evidence_kept kept[KM_EVIDENCE_KEPT];
	struct km_recording *recording;   /* NULL where nothing can be written */
	bool unrecorded;                  /* the last piece of it could not be, and that was said */
	struct km_buf *rows;              /* scratch: a piece of a checkpoint */
	int slot_fd[2];                   /* its files, 0: not open yet */
	uint64_t checkpoints;             /* sequence of the newest */
	uint64_t checkpoint_ns;           /* of the last one on disk */
	struct km_buf *lasting;           /* rows that outlive the boot, as they are on disk */
	uint64_t lasting_of;              /* number of checkpoints when they were looked at */
	uint64_t learnt_ns;               /* when what was learnt was written last; 0: not yet */
	uint64_t kept_ns;                 /* levels up to then are in the history */
	bool dirty;                       /* something worth a checkpoint was said since */
	struct km_buf *text;              /* scratch: one output */
	struct km_front_request *request; /* KM_MESSAGE_MAX bytes: what the front sends */
	struct km_stream stream[KM_STREAMS_MAX];
	char mode[320];
	char refused[2048]; /* why the last reload was refused */
};

/* Runs until told to stop; exit status of the process. */
int km_engine_run(struct km_daemon *d, int actor_sock, int front_sock, int prober_sock);

/* The one way in: streams, evidence, pipeline, outputs. */
int km_engine_feed(struct km_engine *e, const void *raw, size_t len);
uint64_t km_engine_realtime_ns(const struct km_engine *e, uint64_t t_ns);

/* engine_act.c: what comes out goes to the actor, history and log. */
int km_engine_output(struct km_engine *e, const struct km_output *o);
void km_engine_follow(struct km_engine *e, const struct km_service *s);
int km_engine_actor(void *userdata, int fd, uint32_t events);

/* engine_health.c: what the prober says. */
int km_engine_prober(void *userdata, int fd, uint32_t events);
/* Endpoints of S were doubted at T_NS: their checks look now. */
void km_engine_ask_checks(struct km_engine *e, const struct km_service *s, uint64_t t_ns);

/* engine_control.c: the front's requests and streams. */
int km_engine_front(void *userdata, int fd, uint32_t events);
void km_engine_view(struct km_engine *e, struct km_view *ret);
void km_engine_stream_raw(struct km_engine *e, const void *raw);
void km_engine_stream_flush(struct km_engine *e);
void km_engine_stream_end(struct km_engine *e);

/* checkpoint.c: state over a restart. */
int km_checkpoint_write(struct km_engine *e);
/* Feeds what was saved in this boot; how many rows, or negative errno. */
int km_checkpoint_read(struct km_engine *e);
/* Both files get another name, for people to look at. */
void km_checkpoint_set_aside(struct km_engine *e);
/* lasting.c: what must be known after a reboot. Each as above; written only if a checkpoint was
 * since the last time. */
int km_lasting_write(struct km_engine *e);
int km_lasting_read(struct km_engine *e);
void km_lasting_set_aside(struct km_engine *e);
/* What was learnt of services: km_lasting_write() writes it each hour; damage harms nobody. */
int km_learnt_write(struct km_engine *e);
void km_learnt_read(struct km_engine *e);
/* evidence.c: what led to a decision. */
int km_evidence_begin(struct km_engine *e);
/* After each tick: begins anew when it is time. */
void km_evidence_tick(struct km_engine *e);
/* What came since goes into the recording. */
void km_evidence_record(struct km_engine *e);
void km_evidence_add(struct km_engine *e, const void *raw, size_t len);
/* Keeps what led to decision D: evidence/INCIDENT-DECISION.trace and lines in the history. */
int km_evidence_keep(struct km_engine *e, const struct km_decision *d);
/* What the step of D wants to be looked at before it is taken: lines of its incident. */
void km_evidence_capture(struct km_engine *e, const struct km_decision *d);
/* A descriptor of the trace kept of a decision (0: the first) of an incident, or negative errno. */
int km_evidence_open(const struct km_engine *e, uint64_t incident_id, uint64_t decision_id);

#endif
