// SPDX-License-Identifier: Apache-2.0
/* Between the clone and execve() only what is async-signal-safe: the child is a copy of its parent,
 * and everything slow was done before. */
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/cgroup.h"
#include "base/identity.h"
#include "base/spawn.h"
#include "base/urgency.h"

/* Where the child reports once all other descriptors are closed. */
#define REPORT_FD 3
/* What is executed by its descriptor; open also in the program. */
#define PROGRAM_FD 4
/* For a half-made child to be gone after SIGKILL. */
#define HALF_MADE_MS 1000

void km_spawn_init(struct km_spawn *s, const struct km_service_def *def, const struct rlimit *files)
{
	*s = (struct km_spawn){
		.def = def, .cgroup_dir = -1, .v1_dir = { -1, -1 }, .files = *files
	};
}

void km_spawn_close(struct km_spawn *s)
{
	km_close(&s->cgroup_dir);
	km_close(&s->v1_dir[0]);
	km_close(&s->v1_dir[1]);
}

struct rlimit km_spawn_lift_files(void)
{
	struct rlimit before = { 0 }, more;

	getrlimit(RLIMIT_NOFILE, &before);
	more = (struct rlimit){ before.rlim_max, before.rlim_max };
	setrlimit(RLIMIT_NOFILE, &more);
	return before;
}

int km_spawn_user(struct km_spawn *s)
{
	struct passwd *pw;

	s->group_count = -1;
	if (!s->def->user[0] || strcmp(s->def->user, "root") == 0)
		return 0;
	pw = getpwnam(s->def->user);
	if (!pw)
		return -ENOENT;
	s->uid = pw->pw_uid;
	s->gid = pw->pw_gid;
	s->group_count = KM_GROUPS_MAX;
	return getgrouplist(pw->pw_name, pw->pw_gid, s->groups, &s->group_count) < 0 ? -E2BIG : 0;
}

/* A limit goes where its controller is: v1 or, without one, v2. */
int km_spawn_prepare(struct km_spawn *s, const struct km_spawn_roots *roots)
{
	const struct km_service_limits *want = &s->def->limits;
	const struct {
		const char *v1_file, *v2_file;
		uint64_t value;
	} limits[2] = {
		{ "memory.limit_in_bytes", "memory.max", want->memory_bytes },
		{ "pids.max", "pids.max", want->pids },
	};
	int r = km_spawn_user(s);

	for (int i = 0; r == 0 && i < 2; i++) {
		bool v1 = roots->v1[i];

		km_close(&s->cgroup_dir);
		km_close(&s->v1_dir[i]);
		r = km_cgroup_prepare(roots->v2, s->def->name, limits[i].v2_file,
		                      v1 ? KM_UNKNOWN : limits[i].value, &s->cgroup_dir);
		if (r == 0 && v1)
			r = km_cgroup_prepare(roots->v1[i], s->def->name, limits[i].v1_file,
			                      limits[i].value, &s->v1_dir[i]);
	}
	if (want->nofile != KM_UNKNOWN)
		s->files = (struct rlimit){ want->nofile, want->nofile };
	return r;
}

static _Noreturn void fail(int report, const char *step)
{
	struct km_spawn_error e = { .error = -errno };

	km_copy(e.step, sizeof(e.step), step);
	(void)!write(report, &e, sizeof(e));
	_exit(127);
}

static int join(int dir, const char *file)
{
	int fd = openat(dir, file, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, "0", 1) == 1 ? 0 : -1;
}

static void join_cgroups(const struct km_spawn *s, int report, bool forked)
{
	if (forked && join(s->cgroup_dir, "cgroup.procs") < 0)
		fail(report, "cgroup");
	/* v1: a thread that moves itself by "tasks" takes no lock over all processes of the host
	 * (9a3284fad42f "cgroup: Optimize single thread migration"): 0.05 ms, not 2. */
	for (size_t i = 0; i < KM_ARRAY_SIZE(s->v1_dir); i++)
		if (s->v1_dir[i] >= 0 && join(s->v1_dir[i], "tasks") < 0)
			fail(report, "v1 cgroup");
}

static void reset_signals(void)
{
	struct sigaction act = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		sigaction(i, &act, NULL); /* SIGKILL, SIGSTOP and libc's own refuse */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void drop_rights(const struct km_spawn *s, int report)
{
	if (setrlimit(RLIMIT_NOFILE, &s->files) < 0)
		fail(report, "limit of descriptors");
	if (s->group_count >= 0 &&
	    (setgroups((size_t)s->group_count, s->groups) < 0 ||
	     setresgid(s->gid, s->gid, s->gid) < 0 || setresuid(s->uid, s->uid, s->uid) < 0))
		fail(report, "user");
}

static void wait_for_go(int report)
{
	char go;

	if (recv(report, &go, 1, 0) != 1)
		_exit(127);
}

/* Without it an actor that comes after a crash would take this start for one that never was. */
static void mark(const struct km_spawn *s, int report)
{
	int r = km_cgroup_mark_set(s->cgroup_dir, s->intent_id);

	errno = -r;
	if (r < 0 && r != -EOPNOTSUPP)
		fail(report, "mark of the intent");
}

static _Noreturn void run(const struct km_spawn *s, char *const env[], int report, bool forked)
{
	int null, program = -1;

	km_urgency_raise(0);
	join_cgroups(s, report, forked);
	reset_signals();
	setsid();
	umask(022);
	null = open("/dev/null", O_RDONLY);
	if (null < 0 || dup2(null, 0) < 0 || (s->out_fd && dup2(s->out_fd, 2) < 0) ||
	    dup2(2, 1) < 0)
		fail(report, "standard input and output");
	wait_for_go(report);
	mark(s, report);
	km_urgency_reset();
	drop_rights(s, report);
	if (chdir(s->def->directory[0] ? s->def->directory : "/") < 0)
		fail(report, "working directory");
	/* Neither may be written over by the other. */
	if (s->program_fd && (program = fcntl(s->program_fd, F_DUPFD, PROGRAM_FD + 1)) < 0)
		fail(report, "descriptors");
	if ((report != REPORT_FD && dup3(report, REPORT_FD, O_CLOEXEC) < 0) ||
	    (s->program_fd && dup2(program, PROGRAM_FD) < 0) ||
	    syscall(SYS_close_range, PROGRAM_FD + !!s->program_fd, ~0U, 0) < 0)
		fail(report, "descriptors");
	/* Not closed on the way: an interpreter reads its script by this number. */
	if (s->program_fd)
		syscall(SYS_execveat, PROGRAM_FD, "", s->def->argv, env, AT_EMPTY_PATH);
	else
		execve(s->def->argv[0], s->def->argv, env);
	fail(REPORT_FD, "execve");
}

/* Into its cgroup from birth; where that does not work, a fork that moves itself. */
static pid_t clone_into(const struct km_spawn *s, int *ret_pidfd, bool *ret_forked)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_INTO_CGROUP,
		.pidfd = (uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)s->cgroup_dir,
	};
	pid_t pid = s->by_fork ? -1 : (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	*ret_forked =
		s->by_fork || (pid < 0 && (errno == ENOSYS || errno == EPERM || errno == EINVAL));
	if (!*ret_forked)
		return pid;
	pid = fork();
	if (pid > 0)
		*ret_pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	return pid;
}

int km_spawn(const struct km_spawn *s, struct km_spawned *ret)
{
	char name[sizeof("KMEND_SERVICE=") + KM_NAME_MAX];
	char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char notify[sizeof("NOTIFY_SOCKET=") + KM_PATH_MAX];
	char *env[] = { path, name, s->notify ? notify : NULL, NULL };
	int report[2], pidfd = -1, r;
	bool forked;
	pid_t pid;

	snprintf(name, sizeof(name), "KMEND_SERVICE=%s", s->def->name);
	snprintf(notify, sizeof(notify), "NOTIFY_SOCKET=%s", s->notify ? s->notify : "");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, report) < 0)
		return -errno;
	pid = clone_into(s, &pidfd, &forked);
	if (pid == 0) {
		km_close(&report[0]); /* or it would never see its end */
		run(s, env, report[1], forked);
	}
	r = pid < 0 || pidfd < 0 ? -errno : 0;
	km_close(&report[1]);
	if (r == 0) {
		*ret = (struct km_spawned){ (uint32_t)pid, pidfd, report[0] };
		return 0;
	}
	km_close(&report[0]);
	if (pid > 0 && kill(pid, SIGKILL) == 0)
		waitpid(pid, NULL, 0);
	return r;
}

void km_spawn_go(const struct km_spawned *child)
{
	(void)!send(child->exec_fd, "", 1, MSG_NOSIGNAL);
}

void km_spawn_drop(struct km_spawned *child)
{
	if (!child->tgid)
		return;
	km_close(&child->exec_fd);
	waitid(P_PIDFD, (id_t)child->pidfd, &(siginfo_t){ 0 }, WEXITED);
	km_close(&child->pidfd);
	child->tgid = 0;
}

int km_spawn_reap(int pidfd)
{
	siginfo_t info = { 0 };

	if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0)
		return -1;
	return info.si_code == CLD_EXITED ? info.si_status << 8
	                                  : info.si_status | (info.si_code == CLD_DUMPED) << 7;
}

/* 1, 0, or a negative errno. */
static int runs_our_program(uint32_t pid)
{
	char path[32], exe[KM_PATH_MAX], own[KM_PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", own, sizeof(own)), n;

	snprintf(path, sizeof(path), "/proc/%u/exe", pid);
	n = len < 0 ? -1 : readlink(path, exe, sizeof(exe));
	if (n < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	return n == len && memcmp(exe, own, (size_t)len) == 0;
}

int km_spawn_kill_half_made(int dir)
{
	uint32_t pids[KM_CGROUP_PIDS_MAX];
	struct km_identity id;
	int n = km_cgroup_pids(dir, pids), unseen = n < 0 ? n : 0;

	for (int i = n - 1; i >= 0; i--) {
		km_autoclose int fd = -1;
		int r = km_identity_read(pids[i], &id);

		if (r == 0 && id.before_exec)
			r = runs_our_program(pids[i]);
		if (r == 1)
			r = km_identity_open(pids[i], id.start_ns, &fd);
		if (r < 0 && r != -ESRCH)
			unseen = r;
		if (fd < 0)
			continue;
		km_pidfd_kill(fd, SIGKILL);
		poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, HALF_MADE_MS);
	}
	return unseen;
}

bool km_spawn_is_over(int dir, uint32_t tgid)
{
	uint32_t pids[KM_CGROUP_PIDS_MAX];
	struct km_identity id;
	int n = km_cgroup_pids(dir, pids);

	return (n == 0 || (n == 1 && pids[0] == tgid)) &&
	       (!tgid || (km_identity_read(tgid, &id) == 0 && id.dying));
}

bool km_spawn_same_main(const struct km_spawn_main *was, const struct km_spawn_main *is)
{
	return is->tgid == was->tgid && (!was->start_ns || was->start_ns == is->start_ns);
}

int km_spawn_find_main(int dir, const struct km_spawn_main *was, struct km_spawn_main *ret,
                       int *ret_pidfd)
{
	uint32_t pids[KM_CGROUP_PIDS_MAX];
	int n = km_cgroup_pids(dir, pids), r = n < 0 ? n : -ESRCH;
	struct km_spawn_main best = { 0 };

	for (int i = 0; i < n; i++) {
		struct km_identity id;
		struct km_spawn_main is;

		if (km_identity_read(pids[i], &id) < 0)
			continue;
		is = (struct km_spawn_main){ id.tgid, id.start_ns };
		if (r < 0 || km_spawn_same_main(was, &is) ||
		    (is.start_ns < best.start_ns && !km_spawn_same_main(was, &best)))
			best = is;
		r = 0;
	}
	if (r == 0)
		r = km_identity_open(best.tgid, best.start_ns, ret_pidfd);
	if (r == 0)
		*ret = best;
	return r;
}
