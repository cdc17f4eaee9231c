/* SPDX-License-Identifier: Apache-2.0 */
/* Phase 1: where data comes from; the only phase that reads the outside world. It hands raw records
 * (raw.h) to one sink. Two steps, because privileges are dropped between them:
 *
 *   km_collect_prepare()  as root: loads or takes over BPF programs, maps and links (pinned), scans
 *                         what already runs, opens what later needs no privilege
 *   km_collect_start()    as the engine's user: rings, sampling timer, cgroup walk
 *
 * Between them the process may fork; whoever does not go on to start() calls
 * km_collect_stop(c, false) on its copy, which only closes that process's descriptors.
 *
 * Every source is optional on its own; what is missing is said as KM_RAW_PROBE records and in the
 * table below. */
#ifndef KM_COLLECT_H
#define KM_COLLECT_H

#include "base/config.h"
#include "collect/raw.h"
#include "loop/loop.h"

struct km_collect;

struct km_collect_opts {
	const struct km_config *config; /* sampling period, pidfiles; must outlive the collector */
	const char *pin_dir;            /* on a bpffs; NULL: nothing is pinned */
	bool no_bpf; /* /proc, PSI, pidfd and cgroup files only (also for tests of that mode) */
	/* Of the rings, powers of two; 0: as in event.h (tests make them small). */
	uint32_t must_bytes;
	uint32_t bulk_bytes; /* of each */
};

/* RAW is a whole record, 8-byte aligned, valid during the call. Non-zero ends the loop with it. */
typedef int (*km_collect_sink)(void *userdata, const void *raw, size_t len);

/* Never fails for a missing signal. -EEXIST: PIN_DIR belongs to a running instance. */
int km_collect_prepare(const struct km_collect_opts *opts, struct km_collect **ret);
/* Emits PROBE, CLOCK and CGROUP records for what is there, then what waited in taken-over rings,
 * then PROCESS records, then goes on in LOOP. The calling process is one of our own (see
 * km_collect_self()). */
int km_collect_start(struct km_collect *c, struct km_loop *loop, km_collect_sink sink,
                     void *userdata);
/* Detaches and closes; with UNPIN the pins go as well (clean exit), else they stay and the rings go
 * on filling. */
struct km_collect *km_collect_stop(struct km_collect *c, bool unpin);
/* For the process that keeps root: removes what PIN_DIR holds. */
int km_collect_unpin(const char *pin_dir);

/* The daemon's own processes, about which nothing is said: at most KMEND_SELF_MAX, else -E2BIG.
 * Before km_collect_start(), which adds the caller if there is room. */
int km_collect_self(struct km_collect *c, const uint32_t *tgids, size_t count);

/* Somebody asked for run counts lately, and this process may not switch the kernel's statistics on
 * itself (they need CAP_SYS_ADMIN): whoever keeps root should, until this is false again. */
bool km_collect_wants_stats(const struct km_collect *c);
/* Delivers what lies in the rings now: what the kernel recorded before something else was heard. */
int km_collect_drain(struct km_collect *c);
/* A cgroup the daemon answers for: its exits and signals, and those of all below it, wake the
 * daemon at once, and its memory and tasks are read as KM_RAW_LEVEL at each pass. May be called
 * from the sink. -ENOENT: no such cgroup is known yet; it is watched as soon as it is. */
int km_collect_watch(struct km_collect *c, uint64_t cgroup_id, bool on);
/* Connections to the endpoints in CONFIG, and to their standbys, are told of at once from now on;
 * those of the configuration that it was prepared with are from its start. */
void km_collect_follow(struct km_collect *c, const struct km_config *config);
/* Depth: a service is looked at closely for as long as somebody wants to know. Said as KM_RAW_LEASE
 * soon after; until_ns is boot time. OWNER is whoever may end it; 0: suspicion, one a service. */
struct km_lease_ask {
	const char *service;
	uint64_t cgroup_id;
	uint64_t owner;
	uint64_t until_ns;
	uint32_t depths; /* enum km_depth */
};

/* Of one owner and service a new one replaces the old. Refused, with the reason in WHY: -EDQUOT the
 * budget, -ENOSPC too many, -ENOENT no cgroup, -EOPNOTSUPP this kernel. */
int km_collect_lease(struct km_collect *c, const struct km_lease_ask *ask, char *why, size_t size);
bool km_collect_leased(const struct km_collect *c, uint64_t owner);
/* All of OWNER's, at once. */
void km_collect_unlease(struct km_collect *c, uint64_t owner);

/* Boot time of the tick wanted by phase 7 between two samples; 0: none. Emits a KM_RAW_TICK then.
 */
void km_collect_want_tick(struct km_collect *c, uint64_t at_ns);
/* Something was forecast or decided: signals in windows are looked at as often as they can be. */
void km_collect_suspect(struct km_collect *c);

/* One row a signal of the catalogue, in its order: what `kmend signal list` prints. */
struct km_source {
	const char *name;
	const struct km_catalogue_row *what;
	const char *hook; /* as it is collected here */
	bool available;
	bool off;                 /* not available because nobody wants it */
	char held[KM_NAME_MAX];   /* services of which it is on all the time now; empty: none */
	char refused[128];        /* why it was refused lately; empty: it was not */
	char reason[KM_NAME_MAX]; /* why not, and the remedy */
	uint64_t records;         /* delivered */
};

/* KM_SIG_MAX rows, and one without a name; the collector's. */
const struct km_source *km_collect_sources(const struct km_collect *c);

/* A BPF program or map, for `kmend bpf list`. */
struct km_bpf_object {
	char name[16];
	char kind[16]; /* "tp_btf", "iter", "ringbuf", "hash" */
	char hook[64];
	char state[16];     /* attached, failed, ... */
	uint64_t run_count; /* KM_UNKNOWN where statistics are off */
	uint64_t run_time_ns;
	uint64_t seen, lost; /* maps that are rings */
	char reason[128];
};

/* Fills up to MAX rows; number written. */
size_t km_collect_bpf_objects(struct km_collect *c, struct km_bpf_object *ret, size_t max);

/* One finding of the doctor: works without a daemon and without root, and says what could not be
 * looked at. */
struct km_finding {
	char what[64]; /* "kernel", "btf", "cap_bpf", "lockdown", "cgroup", "psi", "bpffs",
			  "systemd", ... */
	enum { KM_FOUND_GOOD, KM_FOUND_LIMITED, KM_FOUND_MISSING, KM_FOUND_NOT_LOOKED } state;
	char detail[256]; /* what is so, and what depends on it */
	char remedy[256];
};

size_t km_collect_doctor(struct km_finding *ret, size_t max);
#define KM_FINDINGS_MAX 32

#endif
