/* SPDX-License-Identifier: Apache-2.0 */
/* Inside phase 1: processes as /proc shows them, where the kernel programs do not tell. About 35 us
 * a process; descriptors only of processes that we may look into. */
#ifndef KM_COLLECT_PROCFS_H
#define KM_COLLECT_PROCFS_H

#include "collect/raw.h"

typedef int (*km_task_cb)(void *userdata, const struct kmend_task *t);

struct km_proc_stat {
	uint32_t pid;
	uint32_t ppid;
	uint64_t flags;
	uint64_t cpu_ns;
	uint64_t start_ns;
	uint32_t threads;
	char state;
	char comm[KMEND_COMM_LEN];
};

/* One line of /proc/PID/stat. The name may hold anything, ") R 1 (" included: it ends at the last
 * parenthesis. -EBADMSG. */
int km_proc_stat_parse(const char *text, struct km_proc_stat *ret);
/* Path of the cgroup v2 line of /proc/PID/cgroup; -ENOENT. */
int km_proc_cgroup_parse(const char *text, char *path, size_t size);
/* Soft limit "Max open files" of /proc/PID/limits, KM_UNKNOWN unlimited; -ENOENT. */
int km_proc_limits_parse(const char *text, uint64_t *ret);
/* "Key:  123 kB" of /proc/PID/status or /proc/meminfo: the number; -ENOENT. */
int km_proc_key_parse(const char *text, const char *key, uint64_t *ret);

/* PROC_FD: /proc. CGROUP_MOUNT: of cgroup v2, "" if none. -ESRCH: gone. -ENOTSUP: a kernel
 * thread. */
int km_procfs_task(int proc_fd, const char *cgroup_mount, uint32_t pid, struct kmend_task *ret);
int km_procfs_each(int proc_fd, const char *cgroup_mount, km_task_cb cb, void *userdata);
/* What PATH_OUT (KMEND_PATH_LEN) is executed from, its last bytes; empty: not readable. */
void km_procfs_exe(int proc_fd, uint32_t pid, char *path_out);
/* kmend_image() of it; 0: not readable. */
uint32_t km_procfs_image(int proc_fd, uint32_t pid);
/* Start and parent only. */
int km_procfs_stat(int proc_fd, uint32_t pid, struct km_proc_stat *ret);

#endif
