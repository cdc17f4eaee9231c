/* SPDX-License-Identifier: Apache-2.0 */
/* Inside phase 1: the kernel side as descriptors. libbpf's objects live only while loading; what is
 * kept is one descriptor each for map, program and link, so that it survives fork() and costs
 * nothing. */
#ifndef KM_COLLECT_BPF_H
#define KM_COLLECT_BPF_H

#include "base/sha256.h"
#include "collect/raw.h"

enum km_map {
	KM_MAP_MUST = 0,
	KM_MAP_BULK,
	KM_MAP_COUNTS,
	KM_MAP_WATCH,
	KM_MAP_SELF,
	KM_MAP_RETRANS,
	KM_MAP_SUMS,
	KM_MAP_PEERS,
	KM_MAP_STARTS,
	KM_MAP_PORTS,
	KM_MAP_RUNS,
	KM_MAP_TURNS,
	KM_MAP_FOLLOWED,
	KM_MAP_UNTOLD,
	KM_MAP_PASS,
	KM_MAP_HISTS,
	KM_MAP_DROPS,
	KM_MAP_FAMILIES,
	KM_MAP_STINTS,
	KM_MAP_ASKED,
	KM_MAP_WHERE,
	KM_MAP_MAX
};

/* One row of the table of programs in bpf_table.c, in this order. */
enum km_prog_id {
	KM_PROG_FORK = 0,
	KM_PROG_EXEC,
	KM_PROG_EXIT,
	KM_PROG_SIGNAL,
	KM_PROG_OOM,
	KM_PROG_OOM_KILL,
	KM_PROG_OOM_PID,
	KM_PROG_TCP_STATE,
	KM_PROG_RETRANSMIT,
	KM_PROG_TASKS,
	KM_PROG_SOCKETS,
	KM_PROG_RECLAIM,
	KM_PROG_RECLAIM_END,
	KM_PROG_LIMIT,
	KM_PROG_LIMIT_END,
	KM_PROG_HUNG,
	KM_PROG_KERNEL_ERROR,
	KM_PROG_IO_ERROR,
	KM_PROG_CALLS,
	KM_PROG_IO,
	KM_PROG_DROP,
	KM_PROG_ENTER,
	KM_PROG_LEAVE,
	KM_PROG_SWITCH,
	KM_PROG_DNS_ASK,
	KM_PROG_DNS_HEAR,
	KM_PROG_WHERE,
	KM_PROG_CANARY,
	KM_PROG_MAX
};

enum km_family {
	KM_FAMILY_PROC,
	KM_FAMILY_MEM,
	KM_FAMILY_NET,
	KM_FAMILY_BLOCK,
	KM_FAMILY_SYSCALL,
	KM_FAMILY_LATENCY,
	KM_FAMILY_DEMAND,
	KM_FAMILY_SNAPSHOT,
	KM_FAMILY_PROBE,
	KM_FAMILY_MAX
};

enum km_attach {
	KM_ATTACH_TRACE,
	KM_ATTACH_ITER,
	KM_ATTACH_NONE,
	KM_ATTACH_WINDOW, /* like a trace, by duty.c or demand.c, now and then */
};

struct km_prog_def {
	const char *name; /* of the function */
	enum km_family family;
	enum km_attach attach;
	const char *hook; /* "tp_btf/sched_process_exit" */
	uint16_t type;    /* enum kmend_type it delivers, 0 none */
};

struct km_map_def {
	const char *name;
	const char *kind;
	uint32_t type; /* enum bpf_map_type */
	uint32_t key_size;
	uint32_t value_size;
	uint32_t entries; /* 0: told by struct km_bpf_opts or the number of CPUs */
	uint32_t flags;
};

extern const struct km_prog_def km_prog_defs[KM_PROG_MAX];
extern const struct km_map_def km_map_defs[KM_MAP_MAX];
extern const char *const km_family_names[KM_FAMILY_MAX];
/* The embedded ELF file of a family. */
struct km_span km_family_elf(enum km_family family);

enum km_prog_state {
	KM_PROG_ABSENT = 0, /* not tried: what it needs is not there */
	KM_PROG_FAILED,
	KM_PROG_UNUSED, /* another program does the same on this kernel */
	KM_PROG_READY,  /* loaded, run on demand */
	KM_PROG_ATTACHED,
	KM_PROG_STATE_MAX
};

extern const char *const km_prog_state_names[KM_PROG_STATE_MAX + 1];

struct km_prog {
	int prog_fd;
	int link_fd;
	enum km_prog_state state;
	char reason[KM_NAME_MAX];
};

struct km_bpf_opts {
	const char *pin_dir; /* NULL: nothing is pinned */
	uint32_t must_bytes; /* 0: as in event.h */
	uint32_t bulk_bytes; /* of each ring */
};

struct km_bpf {
	struct km_prog progs[KM_PROG_MAX];
	int maps[KM_MAP_MAX];           /* -1: none */
	int bulk[KMEND_BULK_RINGS_MAX]; /* what KM_MAP_BULK holds: setup.bulk_rings of them */
	int old_must; /* rings of an earlier build, to be drained first; -1: none */
	int old_bulk[KMEND_BULK_RINGS_MAX];
	int pin_fd; /* directory of the pins, locked; -1: not pinned */
	char pin_dir[KM_PATH_MAX];
	struct kmend_setup setup;
	uint8_t drop_class[KMEND_DROP_REASONS]; /* enum km_drop of each reason */
	uint8_t build[KM_SHA256_SIZE];
	bool taken_over;            /* maps and links of an earlier run go on */
	struct kmend_count *counts; /* mapped table, NULL: none */
	size_t counts_size;
	char reason[KM_NAME_MAX]; /* why nothing at all is loaded */
};

/* Nothing open yet. */
void km_bpf_init(struct km_bpf *b);
/* Fills the initialized B with what this kernel allows; what is missing says why. -EEXIST: another
 * instance holds the pins; no other failure. Close with km_bpf_close(), which leaves pins in
 * place. */
int km_bpf_load(const struct km_bpf_opts *opts, struct km_bpf *b);
void km_bpf_close(struct km_bpf *b);
static inline bool km_bpf_works(const struct km_bpf *b, enum km_prog_id id)
{
	return b->progs[id].state >= KM_PROG_READY;
}

/* Why a packet was not delivered, as it is told. */
enum km_drop {
	KM_DROP_NONE = 0, /* it was, or the kernel does not say */
	KM_DROP_NO_SOCKET,
	KM_DROP_FULL,
	KM_DROP_FILTERED,
	KM_DROP_DAMAGED,
	KM_DROP_OTHER,
	KM_DROP_MAX
};

/* drops.c: by the names of the reason, without SKB_DROP_REASON_. */
enum km_drop km_drop_of(const char *name);

/* Which programs of FAMILY (bits by km_prog_id) have a hook in this kernel's BTF; the others get
 * their state and reason. */
struct btf;
void km_drops_learn(const struct btf *btf, uint8_t ret[KMEND_DROP_REASONS]);
uint32_t km_bpf_hooks(struct km_bpf *b, const struct btf *btf, enum km_family family);
/* Loads the programs in MASK; what fails alone says why. */
void km_bpf_load_family(struct km_bpf *b, enum km_family family, uint32_t mask);
/* A link of its own; negative errno. */
int km_bpf_attach(const struct km_prog_def *d, int prog_fd);
void km_bpf_attach_all(struct km_bpf *b);
/* The true cause of ERR (negative errno) with its remedy; LOG is the verifier's, may be NULL. */
void km_bpf_reason(int err, const char *log, char *out, size_t size);

/* bpf_map.c */
int km_bpf_make_maps(struct km_bpf *b);
int km_bpf_map_counts(struct km_bpf *b);
/* Sum over CPUs. */
struct kmend_count km_bpf_count(const struct km_bpf *b, enum kmend_ring ring, uint32_t type);
/* What a reader has said of it so far: a row behind the last CPU's that only user space writes, so
 * that the next reader goes on from there. Only with B->counts. */
struct kmend_count *km_bpf_told(const struct km_bpf *b, enum kmend_ring ring, uint32_t type);
/* Finds the PID namespace; -errno if it cannot be told. Needs KM_PROG_WHERE for all but the initial
 * one. */
int km_bpf_find_pidns(struct km_bpf *b);
int km_bpf_canary(const struct km_bpf *b);

/* bpf_pin.c. B->build is the hash of what would be loaded. 1: everything was taken over; 0: nothing
 * usable was there (rings of another build are in B->old_must and old_bulk); -EEXIST. */
int km_pins_open(struct km_bpf *b, const char *pin_dir);
/* Takes away all pins of ours: links end unless someone else holds them. */
void km_pins_clear(int pin_fd);
void km_pins_put(struct km_bpf *b);
/* A link that was made anew takes the place of its pin, if this process may. */
void km_pins_put_link(struct km_bpf *b, int id);

#endif
