/* SPDX-License-Identifier: Apache-2.0 */
/* Inside phase 1: which cgroups there are. Identity is the inode number of the directory in the
 * cgroup v2 mount, which is what BPF reads too. New and gone ones are told by inotify on each
 * directory; a full walk is made at the start and, in case something slipped by, now and then. */
#ifndef KM_COLLECT_CGROUP_H
#define KM_COLLECT_CGROUP_H

#include "base/base.h"

/* Beyond it a cgroup is not followed: eight for each service one daemon may follow. */
#define KM_CGROUPS_MAX      16384
#define KM_CGROUP_DEPTH_MAX 64 /* each level holds a descriptor while walking */

struct km_cgroups;

struct km_cgroups_ops {
	/* A new one, parents before children, or GONE. Non-zero ends the walk with it. */
	int (*seen)(void *userdata, uint64_t id, const char *path, bool gone);
	/* Its events shall wake the daemon at once, or no longer. */
	void (*watch)(void *userdata, uint64_t id, bool on);
	void *userdata;
};

/* ROOT: the cgroup2 mount (any directory tree will do). Nothing is read before the walk. */
int km_cgroups_new(const char *root, const struct km_cgroups_ops *ops, struct km_cgroups **ret);
struct km_cgroups *km_cgroups_free(struct km_cgroups *g);
KM_DEFINE_FREEP(struct km_cgroups, km_cgroups_free)

int km_cgroups_walk(struct km_cgroups *g);
/* Readable when something changed; -1: no inotify, only walks tell. */
int km_cgroups_fd(const struct km_cgroups *g);
/* Handles what inotify tells. Never blocks. */
int km_cgroups_events(struct km_cgroups *g);

/* NULL: not known. The collector's, valid until the cgroup goes. */
const char *km_cgroups_path(const struct km_cgroups *g, uint64_t id);
/* 0: not known. */
uint64_t km_cgroups_id(const struct km_cgroups *g, const char *path);
uint32_t km_cgroups_count(const struct km_cgroups *g);
/* How many were not followed for want of room. */
uint64_t km_cgroups_refused(const struct km_cgroups *g);

/* Watches the cgroup and what is or will be below it (the root: only itself). -ENOENT. */
int km_cgroups_watch(struct km_cgroups *g, uint64_t id, bool on);

/* Tells the watch callback once more of ID and of all below it that are watched. */
void km_cgroups_remark(struct km_cgroups *g, uint64_t id);

/* Where the hierarchies are mounted; empty: nowhere. */
struct km_cgroup_mounts {
	char unified[KM_PATH_MAX];
	char memory[KM_PATH_MAX]; /* v1 controllers */
	char pids[KM_PATH_MAX];
	char cpu[KM_PATH_MAX];
};

/* TEXT as in /proc/self/mountinfo; is changed. */
void km_cgroup_mounts_parse(char *text, struct km_cgroup_mounts *ret);
int km_cgroup_mounts_read(struct km_cgroup_mounts *ret);
/* All of /proc/PID/mountinfo behind FD; *RET is the caller's. */
int km_mountinfo_read(int fd, char **ret);
/* Blanks, tabs, newlines and backslashes are written as \ooo there. */
void km_mountinfo_unescape(char *s);

#endif
