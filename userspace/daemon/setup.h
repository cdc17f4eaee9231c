/* SPDX-License-Identifier: Apache-2.0 */
/* What must stand before the first fork: directories, lock, texts, sockets. Logs what is wrong. */
#ifndef KM_SETUP_H
#define KM_SETUP_H

#include "daemon/daemon.h"
#include "pipeline/texts.h"

/* Who the unprivileged processes are. */
struct km_user {
	const char *name;
	uint32_t uid, gid;
};

struct km_daemon {
	struct km_daemon_opts opts;
	struct km_texts texts; /* configuration, policy, rules as read */
	struct km_set set;     /* compiled */
	struct km_user engine, front, prober;
	uint32_t readers_gid; /* may read through the control socket; UINT32_MAX: root only */
	bool root;
	bool observe_only; /* nothing may be acted on, for REASON */
	char reason[256];
	int lock_fd;
	int listen_fd;
	int notify_fd;  /* where commands say that they live; -1: none has to */
	int journal_fd; /* state/journal, root's; -1: cannot be written */
	int engine_fd;  /* state/engine, the engine's; -1: cannot be written */
	char engine_dir[KM_PATH_MAX];
	char pin_dir[KM_PATH_MAX]; /* empty: nothing is pinned */
	bool pin_mounted;          /* we mounted the bpffs there */
	char cgroup_root[KM_PATH_MAX];
	char memory_root[KM_PATH_MAX]; /* empty on pure v2 */
	char pids_root[KM_PATH_MAX];
	char cpu_root[KM_PATH_MAX];
	char probe_root[KM_PATH_MAX]; /* cgroups of exec checks, the prober's; empty: none */
	char notify_path[KM_PATH_MAX];
	char pause_file[KM_PATH_MAX]; /* run/pause: while root has it there, nothing is acted on */
	uint64_t started_ns;
};

/* 0, or an exit status after the reason was logged. */
int km_setup_begin(const struct km_daemon_opts *opts, struct km_daemon *d);
/* Undoes what a clean end must not leave behind: socket, lock, pins, mount, empty cgroups. */
void km_setup_end(struct km_daemon *d);

/* The texts of configuration, policy and rules; *ERR names file, line and remedy. */
int km_setup_read_texts(const struct km_daemon_opts *opts, struct km_texts *ret,
                        struct km_error *err);

/* Puts a policy that pauses everything in the place of the one in T. */
int km_setup_pause(struct km_texts *t);

/* cgroups.c: directories for supervised commands; 0 or an errno that leaves them empty. */
int km_setup_cgroups(struct km_daemon *d);
void km_setup_cgroups_end(struct km_daemon *d);
/* For the prober: 0, or an errno that leaves exec checks without cgroups. */
int km_setup_probe_cgroup(struct km_daemon *d);
/* Called by the prober as root: into its own cgroup there; a descriptor of its parent or -1. */
int km_setup_probe_join(const struct km_daemon *d);
/* pins.c: a directory on a bpffs; leaves pin_dir empty where there can be none. */
void km_setup_pins(struct km_daemon *d);
void km_setup_pins_end(struct km_daemon *d);

#endif
