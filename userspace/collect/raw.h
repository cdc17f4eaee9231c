/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that can change a decision, as one kind of record: struct kmend_hdr and a fixed body
 * (bpf/event.h below 256, this file from 256 on), self-delimiting by hdr.size, 8-byte multiples.
 * This is what enters phase 2, what a trace holds and what a replay feeds. */
#ifndef KM_RAW_H
#define KM_RAW_H

#include "base/base.h"
#include "base/catalogue.h"
#include "base/config.h"
#include "base/policy.h"
#include "base/resource.h"
#include "event.h"

/* u16 size field; multiple of 8. */
#define KM_RAW_MAX        65528
#define KM_RAW_TEXT_PIECE 32768

enum km_raw_type {
	KM_RAW_TICK = 256,    /* end of a sampling pass: levels are complete, time has advanced */
	KM_RAW_CLOCK = 257,   /* where boot time stands in wall-clock time */
	KM_RAW_TEXT = 258,    /* a piece of configuration, policy or a rule */
	KM_RAW_CGROUP = 259,  /* a cgroup: id and path, or that it is gone */
	KM_RAW_PROCESS = 260, /* a process that existed before the start, or was found by pidfile */
	KM_RAW_LEVEL = 261,   /* one level of one cgroup with its limit */
	KM_RAW_HOST = 262,    /* host-wide levels and PSI */
	KM_RAW_LOSS = 263,    /* records lost since the last such record */
	KM_RAW_OUTCOME = 264, /* what the actor says about an intent, or an adopted service */
	KM_RAW_COMMAND = 265, /* an operator's approve, deny, ... */
	KM_RAW_PROBE = 266,   /* what this kernel can deliver: one signal available or not */
	KM_RAW_STATE = 267,   /* a row of a checkpoint; only before the first other record */
	KM_RAW_SAID =
		268, /* what the pipeline put out, as text: ignored as input, compared by replay */
	KM_RAW_VALUE = 280,    /* a value of one signal of one entity */
	KM_RAW_LEASE = 281,    /* somebody looks at a service closely now, or not any more */
	KM_RAW_HEALTH = 300,   /* how a health check stands */
	KM_RAW_OPERATOR = 301, /* an operator's pause, resume, maintain */
	KM_RAW_ENDPOINT = 310, /* where connections to an endpoint go now, as the actor says */
	KM_RAW_MAX_TYPE
};

struct km_raw_tick {
	struct kmend_hdr hdr;
};

struct km_raw_clock {
	struct kmend_hdr hdr;
	uint64_t realtime_ns; /* CLOCK_REALTIME at hdr.ktime_ns */
};

enum km_text_kind {
	KM_TEXT_CONFIG = 0,
	KM_TEXT_POLICY = 1,
	KM_TEXT_RULE = 2,
	KM_TEXT_COMMIT = 3,
	KM_TEXT_SERVICES = 4, /* a file of services.d */
	KM_TEXT_MODES = 5,    /* which rules were promoted or demoted: policy/modes.json */
	KM_TEXT_KIND_MAX
};

/* Pieces come in order, offset 0 first, until total is reached; a set is put in force by COMMIT
 * (total 0), as a whole or, if any text is in error, not at all. */
struct km_raw_text {
	struct kmend_hdr hdr;
	uint32_t kind;
	uint32_t total;
	uint32_t offset;
	uint32_t len; /* bytes here; the record is padded to 8 */
	char file[KM_NAME_MAX];
	char bytes[];
};

struct km_raw_cgroup {
	struct kmend_hdr hdr; /* cgroup_id */
	uint32_t gone;
	uint32_t pad;
	char path[KM_PATH_MAX]; /* below the cgroup v2 mount, "/" is the root */
};

enum km_process_source {
	KM_FROM_SCAN = 0,
	KM_FROM_PIDFILE = 1,
	KM_FROM_EXIT_WATCH = 2,
	KM_PROCESS_SOURCE_MAX
};

struct km_raw_process {
	struct kmend_hdr hdr; /* cgroup_id */
	uint32_t tgid;
	uint32_t ppid;
	uint64_t start_ns;
	uint32_t uid;
	uint32_t source;     /* KM_FROM_EXIT_WATCH: it is gone (pidfd or waitpid), seen without the
				kernel record */
	int32_t wait_status; /* KM_FROM_EXIT_WATCH: as wait(2); -1 not known */
	uint32_t image;      /* kmend_image() of the executable, 0 not known */
	char comm[KMEND_COMM_LEN];
	char path[KMEND_PATH_LEN]; /* executable; empty: not readable */
	char service[KM_NAME_MAX]; /* KM_FROM_PIDFILE: the definition */
};

struct km_raw_level {
	struct kmend_hdr hdr;
	uint32_t resource; /* enum km_resource */
	uint32_t pad;
	uint64_t level;
	uint64_t limit; /* KM_UNKNOWN: none */
};

/* One value of one signal of the catalogue. */
struct km_raw_value {
	struct kmend_hdr hdr; /* cgroup_id: of the service, or whose endpoint it is */
	uint32_t signal;      /* enum km_sig */
	uint32_t entity;      /* enum km_entity */
	double value;         /* level now; events or amount within the period; 99th percentile */
	double limit;         /* negative: none */
	double error;         /* standard error of VALUE, where not all was looked at */
	uint64_t period_ns;   /* that VALUE stands for; of a level: until the next one */
	uint64_t window_ns;   /* that was looked at, at most the period */
	uint32_t len;         /* of the name; the record is padded to 8 */
	uint32_t pad;
	char name[]; /* mount point, device, ADDRESS:PORT; empty for a service and the host */
};

struct km_raw_host {
	struct kmend_hdr hdr;
	uint64_t memory_total_bytes;
	uint64_t memory_available_bytes;
	uint64_t swap_total_bytes;
	uint64_t swap_free_bytes;
	uint64_t files_open;
	uint64_t files_max;
	uint32_t psi_cpu_some_ppm; /* avg10 */
	uint32_t psi_memory_some_ppm;
	uint32_t psi_memory_full_ppm;
	uint32_t psi_io_some_ppm;
	uint32_t psi_io_full_ppm;
	uint32_t processes;
	uint32_t psi_measured; /* 0: PSI is off, the members above mean nothing */
	uint32_t pad;
};

struct km_raw_loss {
	struct kmend_hdr hdr;
	uint32_t type; /* of the record lost */
	uint32_t ring; /* 0 must-not-lose, 1 bulk */
	uint64_t seen;
	uint64_t lost;
};

enum km_outcome_state {
	KM_OUT_REFUSED = 0, /* the actor's own check said no; nothing was done */
	KM_OUT_DONE = 1,
	KM_OUT_FAILED = 2,   /* tried, did not work; error says why */
	KM_OUT_UNKNOWN = 3,  /* interrupted, and the world does not tell */
	KM_OUT_NOT_DONE = 4, /* recovered after a crash: it had not happened */
	KM_OUT_ADOPTED = 5,  /* no intent: a supervised command was found running */
	KM_OUT_ABSENT = 6,   /* no intent: a supervised command was not found running */
	KM_OUT_RETURNED = 7, /* what the act set for a time was set back, or with error was not */
	KM_OUT_STATE_MAX
};

struct km_raw_outcome {
	struct kmend_hdr hdr; /* cgroup_id: of the service, if it is a supervised command */
	uint64_t intent_id;   /* the decision's id; 0 for ADOPTED and ABSENT */
	uint32_t state;
	uint32_t verb;
	int32_t error; /* negative errno or 0 */
	uint32_t tgid; /* main process now, 0 none */
	uint64_t start_ns;
	uint32_t recovered; /* 1: found out after a restart of the actor */
	uint32_t pad;
	char service[KM_NAME_MAX];
	char detail[KM_NAME_MAX]; /* for people */
};

enum km_command {
	KM_CMD_APPROVE = 0,
	KM_CMD_DENY = 1,
	KM_CMD_IDS_USED =
		2, /* by the daemon at its start: ids up to decision_id were given out before */
	KM_CMD_MAX
};

struct km_raw_command {
	struct kmend_hdr hdr;
	uint64_t decision_id;
	uint32_t command;
	uint32_t uid;
	uint32_t tgid;
	uint32_t pad;
};

enum km_operator {
	KM_OP_PAUSE = 0, /* nothing is done until RESUME */
	KM_OP_RESUME = 1,
	KM_OP_MAINTAIN = 2,    /* nothing is done to SERVICE for so long; 0: that is over */
	KM_OP_FORGET = 3,      /* how often forecasts came true on this host */
	KM_OP_PAUSE_FILE = 4,  /* the file that pauses is there */
	KM_OP_RESUME_FILE = 5, /* ... and is not */
	KM_OP_MAX
};

struct km_raw_operator {
	struct kmend_hdr hdr;
	uint32_t operation;
	uint32_t uid;
	uint32_t tgid;
	uint32_t pad;
	uint64_t for_ns;
	char service[KM_NAME_MAX];
};

enum km_lease_state {
	KM_LEASE_GRANTED = 0,
	KM_LEASE_REFUSED = 1, /* also one that was granted and turned out to cost too much */
	KM_LEASE_ENDED = 2,
	KM_LEASE_STATE_MAX
};

struct km_raw_lease {
	struct kmend_hdr hdr; /* cgroup_id: of the service */
	uint32_t state;
	uint32_t depths; /* enum km_depth */
	uint32_t person; /* 1: somebody asked for it, 0: suspicion did */
	uint32_t pad;
	uint64_t until_ns;
	char service[KM_NAME_MAX];
	char reason[128]; /* for people; of GRANTED: none */
};

struct km_raw_probe {
	struct kmend_hdr hdr;
	uint32_t type;      /* enum kmend_type it delivers */
	uint32_t available; /* 1 in place, 0 not */
	char reason[KM_NAME_MAX];
};

/* Said when it changes, and now and then while it does not. */
struct km_raw_health {
	struct kmend_hdr hdr;
	uint32_t health; /* enum km_health */
	uint32_t pad;
	uint64_t latency_ns; /* of the newest attempt */
	uint64_t believe_ns; /* so long after this record, without another one */
	uint64_t used_s;     /* certificate: seconds of its life that are over */
	uint64_t life_s;     /* ... and all of them; 0: none was seen */
	char service[KM_NAME_MAX];
	char check[KM_CHECK_NAME_MAX];
	char reason[128]; /* for people */
};

struct km_raw_endpoint {
	struct kmend_hdr hdr;
	uint32_t share;    /* of KMEND_SHARE_ALL that go to the standby; 0: all go to the primary */
	uint32_t standby;  /* from 1; 0: none */
	uint32_t outlives; /* 1: it goes on when kmend ends */
	uint32_t pad;
	char service[KM_NAME_MAX];
	char endpoint[KM_ENDPOINT_NAME_MAX];
};

struct km_raw_state {
	struct kmend_hdr hdr;
	uint32_t table; /* index in the pipeline's table of tables */
	uint32_t slot;
	uint32_t row_size;
	uint32_t layout; /* version of the row's struct */
	uint8_t row[];
};

struct km_raw_said {
	struct kmend_hdr hdr;
	uint32_t len;
	uint32_t pad;
	char text[]; /* one JSON object without the newline */
};

#endif
