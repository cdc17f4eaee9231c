/* SPDX-License-Identifier: Apache-2.0 */
/* From a service's definition to a running program: in its own cgroups from the first instruction,
 * in a session of its own, with its user, limits and directory, and with nothing of the caller's
 * but standard error (also as its standard output). Its environment is PATH, KMEND_SERVICE and,
 * where it is to say that it lives, NOTIFY_SOCKET. */
#ifndef KM_SPAWN_H
#define KM_SPAWN_H

#include <sys/resource.h>

#include "base/config.h"

/* Supplementary groups of a service's user; more is a mistake in the host's group file. */
#define KM_GROUPS_MAX 64

struct km_spawn {
	const struct km_service_def *def;
	uint64_t intent_id;
	int cgroup_dir;
	int v1_dir[2];       /* memory and pids, -1: none */
	bool by_fork;        /* not cloned into its cgroup: see km_cgroup_kill() */
	struct rlimit files; /* RLIMIT_NOFILE */
	uint32_t uid, gid;
	uint32_t groups[KM_GROUPS_MAX];
	int group_count;    /* -1: stays who the caller is */
	int program_fd;     /* what is executed, 0: argv[0] by its path */
	int out_fd;         /* standard output and error; 0: the caller's standard error is both */
	const char *notify; /* NOTIFY_SOCKET, NULL: none */
};

/* Directories that hold one for each service: cgroup v2's, and v1's memory and pids, NULL where
 * there is none. */
struct km_spawn_roots {
	const char *v2;
	const char *v1[2];
};

struct km_spawned {
	uint32_t tgid;
	int pidfd;
	/* A socket. End of file or -ECONNRESET: execve() was done, or it was killed; else one
	 * km_spawn_error. */
	int exec_fd;
};

struct km_spawn_error {
	int32_t error; /* negative errno */
	char step[28];
};

/* Nothing prepared yet; DEF must outlive S. FILES: where the definition says nothing of them. */
void km_spawn_init(struct km_spawn *s, const struct km_service_def *def,
                   const struct rlimit *files);
void km_spawn_close(struct km_spawn *s);
/* The caller may open as many files as it ever may; what it was allowed before. */
struct rlimit km_spawn_lift_files(void);
/* Looks up the definition's user (slow: the host's name services) into uid to group_count. -ENOENT:
 * no such user. */
int km_spawn_user(struct km_spawn *s);
/* The same, the cgroups with the definition's limits, and what it says of descriptors. */
int km_spawn_prepare(struct km_spawn *s, const struct km_spawn_roots *roots);
/* The child gets ready beside its caller, and waits before its execve() for km_spawn_go(). Where
 * exec_fd is closed before that, or its caller ends, it ends, and nothing of the service has run.
 * Both descriptors are the caller's. */
int km_spawn(const struct km_spawn *s, struct km_spawned *ret);
/* Returns at once: what came of it says exec_fd, or pidfd. */
void km_spawn_go(const struct km_spawned *child);
/* Instead of it: the child is gone at return (tgid 0: it was), both descriptors closed. */
void km_spawn_drop(struct km_spawned *child);
/* The wait status of a child that ended, or -1 where it is not ours. */
int km_spawn_reap(int pidfd);
/* Kills who was cloned into the cgroup DIR and did not reach its execve(): it runs our own program,
 * and left alone would go on when its caller, who died, has been said to have done nothing. A
 * negative errno: somebody in there could not be looked at. */
int km_spawn_kill_half_made(int dir);
/* Nobody is left in DIR, but perhaps TGID, and that (0: nobody) is exiting. */
bool km_spawn_is_over(int dir, uint32_t tgid);
/* The main process in DIR: the one that was (TGID, START_NS; 0: whenever it began) if it is still
 * there, else the oldest of what is. */
struct km_spawn_main {
	uint32_t tgid;
	uint64_t start_ns;
};
int km_spawn_find_main(int dir, const struct km_spawn_main *was, struct km_spawn_main *ret,
                       int *ret_pidfd);
/* IS is the one that was. */
bool km_spawn_same_main(const struct km_spawn_main *was, const struct km_spawn_main *is);

#endif
