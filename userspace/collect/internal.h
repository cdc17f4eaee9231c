/* SPDX-License-Identifier: Apache-2.0 */
/* Inside phase 1: the collector and what its files hand each other. Nobody else includes this but
 * its tests. */
#ifndef KM_COLLECT_INTERNAL_H
#define KM_COLLECT_INTERNAL_H

#include <sys/types.h>

#include "base/table.h"
#include "collect/bpf.h"
#include "collect/cgroup.h"
#include "collect/collect.h"
#include "collect/host.h"
#include "collect/level.h"
#include "collect/procfs.h"
#include "collect/ringbuf.h"

/* The iterator's own buffer in the kernel is 32 KiB: one read empties it. */
#define KM_TASK_BUFFER 32768

/* Bulk rings are looked at in each pass, and this often where passes are further apart; the reader
 * is woken earlier when one is half full. */
#define KM_BULK_PERIOD_NS KM_NS_PER_S
/* Bulk records between two looks at the must ring: at about 2 us each, 1 ms. */
#define KM_BULK_BURST 512

/* All zero: none. */
struct km_rings {
	struct km_ring must;
	struct km_ring bulk[KMEND_BULK_RINGS_MAX];
	uint32_t count; /* of bulk rings */
};

/* A process found by the scan before the start. */
struct km_found {
	uint64_t start_ns;
	uint64_t cgroup_id;
	uint32_t tgid;
	uint32_t ppid;
	uint32_t uid;
	uint32_t gone; /* its end was seen before it could be told */
	uint32_t image;
	char comm[KMEND_COMM_LEN];
	char *path;
};

struct km_pidfile {
	const struct km_service_def *def;
	uint32_t tgid; /* last told */
	uint64_t start_ns;
};

/* A count that only grows, and when it was last looked at. */
struct km_told {
	uint64_t value;
	uint64_t t_ns; /* 0: never */
};

/* What signals in windows have seen last. */
struct km_sums_window {
	uint64_t window_ns; /* was attached, */
	uint64_t period_ns; /* and stands for */
	uint32_t passes;    /* that a period has */
	bool closing;       /* its counts are being told */
};

/* Files of /proc that stay open. */
enum km_host_file {
	KM_FILE_MEMINFO,
	KM_FILE_FILES,
	KM_FILE_PSI_CPU,
	KM_FILE_PSI_MEMORY,
	KM_FILE_PSI_IO,
	KM_FILE_LOADAVG,
	KM_KEPT_FILES
};

struct km_rooms;
struct km_sufferer;
struct km_duty;
struct km_demand;

struct km_collect {
	struct km_collect_opts opts;
	struct km_bpf bpf;
	bool bpf_used;

	struct km_rings rings, old_rings;
	uint32_t self[KMEND_SELF_MAX];

	struct km_cgroup_mounts mounts;
	struct km_cgroups *cgroups;
	struct km_levels *levels;
	struct km_table
		*alive; /* only without fork and exit programs: who lived at the last pass */
	struct km_table *retrans; /* counts told */
	struct km_table *wanted;  /* cgroups to be watched as soon as they are known */
	struct km_pidfile *pidfiles;
	size_t pidfile_count;
	int proc_fd;

	struct km_found *found;
	size_t found_count;
	size_t found_size;

	char *task_buffer;
	uint32_t processes; /* of the last pass */
	uint32_t zombies;   /* of the last pass that looked at tasks */
	bool iter_refused;
	uint64_t period_ns;      /* of a pass */
	uint64_t task_cost_ns;   /* of looking at all tasks, smoothed */
	uint64_t task_next_pass; /* first pass at which they are looked at again */
	uint64_t whole_ns;       /* when all were listed last */
	uint32_t whole_passes;   /* so many have to be */
	uint64_t realtime_offset_ns;
	uint64_t pass; /* number of the pass, for what is done at every Nth */

	int stats_fd;        /* run-time statistics are on while it is open */
	uint64_t stats_pass; /* when someone last asked for them */

	struct km_table *sums;    /* counts told */
	struct km_table *peers;   /* counts told */
	struct km_table *accepts; /* listeners by cgroup */
	uint64_t sockets_next_pass;
	uint32_t sockets_every; /* passes from the last look to that one */
	bool sockets_calm;      /* that one saw nothing that could run out */
	uint64_t canary_sent_ns;
	uint64_t canary_seen_ns;
	bool canary_judged; /* it was said whether the last one came back */
	struct km_duty *duty;
	uint64_t suspected_ns; /* when something was last expected to fail, or failed; 0: never */
	struct km_demand *demand;
	struct km_sums_window window;
	struct km_rooms *rooms;
	struct km_sufferer *sufferers;
	size_t sufferer_count;
	uint32_t host_pressure[KM_PRESSURES]; /* ppm, as the host was told last */
	int host_fd[KM_KEPT_FILES];           /* 0: not open yet */
	uint64_t pids_max;
	bool no_conntrack; /* nothing needed the connection tracker, last time it was looked for */
	struct km_told troubles[KM_TROUBLES];
	struct km_told heat, warnings;
	uint64_t drops[KM_DROP_MAX]; /* so far, when the last window ended */

	struct km_loop *loop;
	km_collect_sink sink;
	void *userdata;
	int error; /* first non-zero answer of the sink */
	int timer_fd;
	int bulk_timer_fd;
	int tick_timer_fd;

	struct km_source sources[KM_SIG_MAX + 1];
	uint8_t source_of[KMEND_TYPE_MAX + KM_RAW_MAX_TYPE - KM_RAW_TICK]; /* row + 1, 0 none */
	uint8_t source_next[KM_SIG_MAX]; /* of the same type: row + 1, 0 none */
};

/* To the sink, counted. 0 or the sink's answer, which is kept in C->error. */
int km_emit(struct km_collect *c, const void *raw, size_t len);
/* Header of a record of ours: zeroes RAW, fills in type, size, now and CGROUP_ID. */
void km_raw_init(void *raw, uint16_t type, size_t size, uint64_t cgroup_id);

/* value.c: what is said of an entity. */
struct km_said {
	enum km_sig signal;
	enum km_entity entity;
	uint64_t cgroup_id; /* of services and endpoints */
	const char *name;   /* as in km_raw_value; NULL: none */
	double value;
	double limit; /* 0: none */
	double error;
	uint64_t period_ns; /* 0: a level, */
	uint32_t every;     /* which comes each so many passes (0: 1) */
	uint64_t window_ns; /* 0: all of the period */
};

int km_value_emit(struct km_collect *c, const struct km_said *s);

/* Says how much it grew since T, which becomes NOW; nothing at the first look. */
int km_value_delta(struct km_collect *c, struct km_said *s, struct km_told *t, uint64_t now);

/* ring.c */
int km_rings_open(struct km_collect *c);
void km_rings_close(struct km_collect *c);
int km_rings_add(struct km_collect *c);
void km_rings_remove(struct km_collect *c);
int km_rings_drain(struct km_collect *c);
/* What an earlier build left behind. */
int km_rings_drain_old(struct km_collect *c);

/* count.c: LOSS and RETRANSMIT records, from counts in the kernel. */
int km_losses_emit(struct km_collect *c);
int km_retransmits_emit(struct km_collect *c);
/* Takes over: what was counted before this start was told by the last reader. */
void km_retransmits_prime(struct km_collect *c);
void km_retransmits_forget(struct km_collect *c, uint64_t cgroup_id);

/* snapshot.c: each thread group once, by iterator or /proc; the iterator leaves out those that did
 * not run since the pass before, unless it is to be WHOLE. */
int km_tasks_each(struct km_collect *c, bool whole, km_task_cb cb, void *userdata);
/* What was heard is in doubt: the next passes list all. */
void km_tasks_doubt(struct km_collect *c);
/* Each record that the iterator behind FD writes. */
typedef int (*km_record_cb)(void *userdata, const struct kmend_hdr *h);
int km_iter_read(struct km_collect *c, int fd, km_record_cb cb, void *userdata);
/* CPU time of this thread. */
uint64_t km_cpu_ns(void);
int km_tasks_emit(struct km_collect *c);
/* The step of a pass: km_tasks_emit() as often as its cost allows. */
int km_tasks_step(struct km_collect *c);
/* What costs more the more there is on the host gets a share of a CPU, and is done as rarely as
 * that demands. */
struct km_allowance {
	uint64_t ppm;      /* of a CPU */
	uint64_t cheap_ns; /* at most so much: always, however short the period */
	uint64_t every_max;
};
extern const struct km_allowance km_task_allowance;
/* After how many passes it is done again, if that costs COST_NS. */
uint64_t km_every(const struct km_allowance *a, uint64_t cost_ns, uint64_t period_ns);
bool km_is_self(const struct km_collect *c, uint32_t tgid);

/* scan.c */
int km_scan(struct km_collect *c);
int km_scan_emit(struct km_collect *c);
void km_scan_exit_seen(struct km_collect *c, uint32_t tgid, uint64_t start_ns);
void km_scan_free(struct km_collect *c);

/* alive.c: births and deaths by comparing passes, where the kernel does not tell. */
int km_alive_open(struct km_collect *c);
/* Told by the scan already. */
void km_alive_know(struct km_collect *c, const struct km_found *f);
int km_alive_see(struct km_collect *c, const struct kmend_task *t);
int km_alive_sweep(struct km_collect *c);

/* filesystem.c */
int km_rooms_open(struct km_collect *c);
void km_rooms_close(struct km_collect *c);
int km_rooms_emit(struct km_collect *c);

/* suffering.c */
int km_suffering_add(struct km_collect *c, uint64_t cgroup_id, const char *path);
void km_suffering_drop(struct km_collect *c, uint64_t cgroup_id);
void km_suffering_free(struct km_collect *c);
int km_suffering_emit(struct km_collect *c);

/* sums.c */
int km_sums_open(struct km_collect *c);
int km_sums_emit(struct km_collect *c);
/* Counts of system calls: what was so far is told or lost. */
void km_sums_prime_calls(struct km_collect *c);
/* What c->window saw. */
int km_sums_emit_window(struct km_collect *c);

/* duty.c: signals in windows, and the controller that keeps their cost under the budget. */
int km_duty_open(struct km_collect *c);
int km_duty_start(struct km_collect *c);
void km_duty_close(struct km_collect *c);
/* NULL: windows run; else why not. */
const char *km_duty_why_not(const struct km_collect *c);
/* The next window of one that lasted WINDOW_NS and cost COST_PPM; at most MAX_NS. */
uint64_t km_duty_next(uint64_t window_ns, double cost_ppm, double budget_ppm, uint64_t max_ns);
/* How far the next window is while nothing is suspected: the last was LAST_NS before, attaching and
 * detaching took ATTACH_NS of CPU. */
uint64_t km_duty_calm(uint64_t last_ns, uint64_t attach_ns);

/* System calls are HELD attached by demand.c, or no longer; an open window is given up. */
void km_duty_hold(struct km_collect *c, bool held);
bool km_duty_held(const struct km_collect *c);
/* What others cost now is taken off the budget of windows. */
void km_duty_share(struct km_collect *c, double ppm);
/* CPU time of one run of a program on its hook; runs of the kind RUN, and of system calls. */
uint64_t km_duty_run_ns(const struct km_collect *c);
uint64_t km_duty_runs(const struct km_collect *c, enum kmend_run run);
uint64_t km_duty_calls(const struct km_collect *c);

/* demand.c: what is looked at closely because somebody asked. */
int km_demand_open(struct km_collect *c);
int km_demand_start(struct km_collect *c);
void km_demand_close(struct km_collect *c);
int km_demand_step(struct km_collect *c);
/* Value of CGROUP_ID's row in the map of the watched. */
uint32_t km_demand_mark(const struct km_collect *c, const char *path);
/* A mark has changed: what tasks remember of it holds no longer. */
void km_demand_renew(const struct km_collect *c);

/* drops.c: what c->window saw of packets that were not delivered. */
int km_drops_emit(struct km_collect *c);
/* What was counted before this start was told by the last reader. */
void km_drops_prime(struct km_collect *c);
/* troubles.c: heat, warnings of the kernel, CPUs that were stuck. */
int km_troubles_emit(struct km_collect *c);

/* histogram.c: durations by bucket, as the kernel side counts them. */
uint64_t km_hist_edge_ns(uint32_t bucket); /* where it ends */
/* Below which SHARE of them are, in ns, the bucket's end; 0: there are none. */
uint64_t km_hist_quantile(const struct kmend_hist *h, double share);

/* sockets.c */
int km_sockets_open(struct km_collect *c);
int km_sockets_step(struct km_collect *c);

/* honesty.c */
int km_honesty_step(struct km_collect *c);
/* A record on its way to the sink. */
void km_honesty_seen(struct km_collect *c, const struct kmend_hdr *h);
/* N of what lowers trust happened. */
int km_honesty_say(struct km_collect *c, enum km_sig sig, double n);

/* limits.c */
int km_limits_emit(struct km_collect *c);

/* host.c, clock.c, pidfile.c */
int km_host_emit(struct km_collect *c);
/* All of FILE as text. */
int km_host_read(struct km_collect *c, enum km_host_file file, char *text, size_t size);
void km_host_close(struct km_collect *c);
int km_clock_emit(struct km_collect *c);
int km_pidfiles_open(struct km_collect *c);
int km_pidfiles_emit(struct km_collect *c);

/* objects.c: switches statistics off when nobody asked for so many passes. */
#define KM_STATS_PASSES 60
void km_stats_expire(struct km_collect *c);

/* sources.c */
void km_sources_init(struct km_collect *c);
void km_sources_update(struct km_collect *c);
void km_sources_count(struct km_collect *c, const struct kmend_hdr *h, const void *raw);
int km_probes_emit(struct km_collect *c);

#endif
