/* SPDX-License-Identifier: Apache-2.0 */
/* enclose [OPTIONS] -- COMMAND...: runs COMMAND in a small world of its own (root).
 *
 * Own PID, mount, IPC, UTS and cgroup namespaces, and a fresh cgroup in every hierarchy, made below
 * the caller's: inside, "/" of /proc/self/cgroup is that cgroup and the cgroup mounts show nothing
 * else, in the layout that the host has. /proc and /sys are new, a bpffs is on /sys/fs/bpf, a tmpfs
 * on /run. When COMMAND ends, or enclose itself is killed, all that runs inside is killed; then the
 * cgroups are removed. Exit status: COMMAND's, 128 + signal, or 125 if the world could not be made.
 *
 *   --net           own network namespace as well, its lo up
 *   --keep-run      /run stays the host's
 *   --tmpfs PATH    an empty tmpfs there (at most 16 --tmpfs and --overlay)
 *   --overlay PATH  what is there, writable, all changes gone at the end
 *   --init          COMMAND itself is PID 1, a system manager; it is killed where else it would be
 *                   sent the signal that enclose was sent. Managers clean up, so it gets a root of
 *                   its own: the host's root file system, all changes gone at the end, no other
 *                   mount of the host, a /dev with the harmless devices, /proc/sys and /sys
 *                   read-only but for cgroups and the bpffs
 *   --share DIR     with --init: there, and only there, changes are the host's (one DIR) */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/base.h"
#include "lib/enclose_mount.h"

#define HIERARCHIES_MAX 20   /* v2 and every v1 controller of 5.10 (13), and some named ones */
#define PLACES_MAX      16   /* --tmpfs and --overlay; tests use up to four */
#define TEXT_MAX        4096 /* a path, or a line of mountinfo */
#define EMPTY_WAIT_MS   3000 /* PID 1 is reaped: everything inside is dead, only slow to leave */
#define CANNOT          125  /* as timeout(1), nohup(1) and env(1) do */

struct hierarchy {
	bool v2;
	char options[256];    /* for mount(2), v1: "memory", "none,name=systemd" */
	char mount[TEXT_MAX]; /* where the host has it */
	char home[TEXT_MAX];  /* the caller's cgroup */
	char dir[TEXT_MAX];   /* the fresh one below it; empty: not made */
};

struct place {
	const char *path;
	char kind; /* 't'mpfs, 'o'verlay, 's'hare */
};

struct world {
	bool net, keep_run, init;
	struct place places[PLACES_MAX];
	size_t place_count;
	struct hierarchy hierarchies[HIERARCHIES_MAX];
	size_t count;
	bool debugfs, tracefs, securityfs; /* the host has it mounted in /sys */
	char **argv;
	sigset_t mask; /* the caller's */
};

static int join(char *dst, const char *a, const char *b)
{
	int n = snprintf(dst, TEXT_MAX, "%s%s%s", a, *b == '/' || !*b ? "" : "/", b);

	if (n < 0 || n >= TEXT_MAX) {
		errno = ENAMETOOLONG;
		return complain("%s", b);
	}
	return 0;
}

/* PATH/NAME: writes TEXT in one piece. */
static int write_file(const char *path, const char *name, const char *text)
{
	char file[TEXT_MAX];
	km_autoclose int fd = -1;

	if (join(file, path, name) < 0)
		return -ENAMETOOLONG;
	fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

/* ---- which hierarchies there are, and where the caller stands in them ---- */

/* LIST has all of WORDS (both with commas between), in WORDS' order and without others between. */
static bool has_words(const char *list, const char *words)
{
	char a[300], b[300];

	if (snprintf(a, sizeof(a), ",%s,", list) >= (int)sizeof(a) ||
	    snprintf(b, sizeof(b), ",%s,", words) >= (int)sizeof(b))
		return false;
	return strstr(a, b);
}

/* From /proc/self/cgroup: the caller's path in the hierarchy with the super block options SUPER;
 * its controllers. False: the caller stands in none such. */
static bool find_self(bool v2, const char *super, char *path, char *controllers)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[TEXT_MAX];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f)) {
		char *words = strchr(line, ':'), *p = words ? strchr(words + 1, ':') : NULL;

		if (!p)
			continue;
		*p++ = '\0';
		words++;
		p[strcspn(p, "\n")] = '\0';
		found = v2 ? !*words : *words && has_words(super, words);
		if (found) {
			km_copy(path, TEXT_MAX, p);
			km_copy(controllers, 200, words);
		}
	}
	if (f)
		fclose(f);
	return found;
}

static int add_hierarchy(struct world *w, bool v2, const char *root, const char *mount_point,
                         const char *super)
{
	char self[TEXT_MAX], controllers[200], options[256];
	struct hierarchy *h;
	size_t i, n = strlen(root);

	if (!find_self(v2, super, self, controllers))
		return 0;
	/* Bind mounts of a part that the caller does not stand in show nothing of it. */
	if (strcmp(root, "/") != 0 && strncmp(self, root, n) != 0)
		return 0;
	snprintf(options, sizeof(options), "%s%s", strchr(controllers, '=') ? "none," : "",
	         controllers);
	for (i = 0; i < w->count; i++)
		if (w->hierarchies[i].v2 == v2 && strcmp(w->hierarchies[i].options, options) == 0)
			return 0;
	if (w->count == HIERARCHIES_MAX) {
		errno = E2BIG;
		return complain("more than %d cgroup hierarchies", HIERARCHIES_MAX);
	}
	h = &w->hierarchies[w->count++];
	h->v2 = v2;
	memcpy(h->options, options, sizeof(options));
	km_copy(h->mount, sizeof(h->mount), mount_point);
	return join(h->home, mount_point, strcmp(root, "/") ? self + n : self);
}

/* mountinfo: ID PARENT MAJOR:MINOR ROOT MOUNT-POINT OPTIONS [TAGS...] - TYPE SOURCE SUPER */
static int find_mounts(struct world *w)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[TEXT_MAX];
	int r = 0;

	if (!f)
		return complain("/proc/self/mountinfo");
	while (r == 0 && fgets(line, sizeof(line), f)) {
		char root[1024], mount_point[1024], type[32], super[256];
		const char *tail = strstr(line, " - ");

		if (!tail || sscanf(line, "%*s %*s %*s %1023s %1023s", root, mount_point) != 2 ||
		    sscanf(tail, " - %31s %*s %255s", type, super) != 2)
			continue;
		if (strncmp(type, "cgroup", 6) == 0)
			r = add_hierarchy(w, type[6] == '2', root, mount_point, super);
		w->debugfs |= strcmp(mount_point, "/sys/kernel/debug") == 0;
		w->tracefs |= strcmp(mount_point, "/sys/kernel/tracing") == 0;
		w->securityfs |= strcmp(mount_point, "/sys/kernel/security") == 0;
	}
	fclose(f);
	return r;
}

/* ---- cgroups: made, entered, left, removed ---- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	return type == FTW_DP && rmdir(path) < 0 && errno != ENOENT ? -1 : 0;
}

static int remove_tree(const char *dir)
{
	return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) < 0 && errno != ENOENT ? -errno : 0;
}

/* What an enclose that was killed left behind: named by its PID, and that is gone. */
static void sweep(const char *home)
{
	static const char prefix[] = "enclose-";
	char path[TEXT_MAX];
	DIR *d = opendir(home);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		pid_t pid;

		if (strncmp(e->d_name, prefix, strlen(prefix)) != 0)
			continue;
		pid = (pid_t)strtol(e->d_name + strlen(prefix), NULL, 10);
		if (pid > 0 && kill(pid, 0) < 0 && errno == ESRCH &&
		    join(path, home, e->d_name) == 0)
			remove_tree(path);
	}
	if (d)
		closedir(d);
}

/* FILE of cgroup DIR as it is in HOME: a fresh cpuset of v1 admits nobody before. */
static void inherit(const char *home, const char *dir, const char *file)
{
	char path[TEXT_MAX], text[1024];
	km_autoclose int fd = -1;
	ssize_t n;

	if (join(path, home, file) < 0)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	if (n > 0)
		write_file(dir, file, text);
}

static int make_cgroups(struct world *w)
{
	static const char *const controllers[] = { "+memory", "+pids", "+cpu", "+io" };
	struct timespec now;
	char name[64];
	size_t i, k;

	clock_gettime(CLOCK_BOOTTIME, &now);
	snprintf(name, sizeof(name), "enclose-%d-%lx", getpid(), now.tv_nsec);
	for (i = 0; i < w->count; i++) {
		struct hierarchy *h = &w->hierarchies[i];
		char dir[TEXT_MAX];

		sweep(h->home);
		/* Works in the root cgroup only, or where the host delegates; without it, no limits
		 * inside. */
		for (k = 0; h->v2 && k < KM_ARRAY_SIZE(controllers); k++)
			write_file(h->home, "cgroup.subtree_control", controllers[k]);
		if (join(dir, h->home, name) < 0)
			return -ENAMETOOLONG;
		if (mkdir(dir, 0755) < 0)
			return complain("%s", dir);
		memcpy(h->dir, dir, sizeof(dir));
		if (strstr(h->options, "cpuset")) {
			inherit(h->home, dir, "cpuset.cpus");
			inherit(h->home, dir, "cpuset.mems");
		}
	}
	return 0;
}

static int enter_cgroups(const struct world *w)
{
	size_t i;

	for (i = 0; i < w->count; i++) {
		int r = write_file(w->hierarchies[i].dir, "cgroup.procs", "0");

		errno = -r;
		if (r < 0)
			return complain("cannot enter %s", w->hierarchies[i].dir);
	}
	return 0;
}

static void leave_cgroups(const struct world *w)
{
	size_t i;

	for (i = 0; i < w->count; i++)
		write_file(w->hierarchies[i].home, "cgroup.procs", "0");
}

/* Returns when DIR may have become empty, at the latest after MS. */
static void await_empty(const struct hierarchy *h, int ms)
{
	struct timespec pause = { .tv_nsec = 5 * KM_NS_PER_MS };
	struct pollfd p = { .events = POLLPRI };
	char file[TEXT_MAX], text[256];

	/* A v1 hierarchy says nothing when it empties (release_agent is one for all of it). */
	if (!h->v2 || join(file, h->dir, "cgroup.events") < 0) {
		nanosleep(&pause, NULL);
		return;
	}
	p.fd = open(file, O_RDONLY | O_CLOEXEC);
	if (p.fd >= 0 && read(p.fd, text, sizeof(text)) > 0)
		poll(&p, 1, ms);
	km_close(&p.fd);
}

static int remove_cgroups(struct world *w)
{
	uint64_t waited = 0;
	int result = 0;
	size_t i;

	for (i = 0; i < w->count; i++) {
		struct hierarchy *h = &w->hierarchies[i];
		int r = *h->dir ? remove_tree(h->dir) : 0;

		for (; r == -EBUSY && waited < EMPTY_WAIT_MS; waited += 5) {
			await_empty(h, 5);
			r = remove_tree(h->dir);
		}
		if (r < 0) {
			errno = -r;
			result = complain("%s is left behind", h->dir);
		}
	}
	return result;
}

/* ---- inside ---- */

static int put_cgroups(const struct world *w)
{
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
	size_t i;
	int r = 0;

	if (w->count > 1 || (w->count == 1 && !w->hierarchies[0].v2))
		r = put("tmpfs", "/sys/fs/cgroup", flags, "mode=755");
	for (i = 0; r == 0 && i < w->count; i++) {
		const struct hierarchy *h = &w->hierarchies[i];

		r = put(h->v2 ? "cgroup2" : "cgroup", h->mount, flags, h->v2 ? NULL : h->options);
	}
	return r;
}

static int put_sys(const struct world *w)
{
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
	int r;

	/* Gone, not covered: else mountinfo goes on to list the host's cgroup mounts. */
	umount2("/sys", MNT_DETACH);
	r = put("sysfs", "/sys", flags, NULL);

	if (r == 0 && w->debugfs)
		r = put("debugfs", "/sys/kernel/debug", flags, NULL);
	if (r == 0 && w->tracefs)
		r = put("tracefs", "/sys/kernel/tracing", flags, NULL);
	if (r == 0 && w->securityfs)
		r = put("securityfs", "/sys/kernel/security", flags, NULL);
	if (r == 0)
		r = put_cgroups(w);
	if (r == 0)
		r = put("bpf", "/sys/fs/bpf", flags, "mode=700");
	return r;
}

static int lo_up(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	km_autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	request.ifr_flags = IFF_UP;
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		return complain("lo");
	return 0;
}

/* A manager sees /sys and /proc/sys, and changes them for nobody. */
static int hold(void)
{
	int r = read_only("/proc/sys");

	if (r == 0 && access("/proc/sysrq-trigger", F_OK) == 0)
		r = read_only("/proc/sysrq-trigger");
	if (r == 0 && mount(NULL, "/sys", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) < 0)
		r = complain("/sys read-only");
	return r < 0 ? r : drop_machine();
}

static int put_places(const struct world *w)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < w->place_count; i++)
		if (w->places[i].kind == 'o')
			r = put_overlay(w->places[i].path);
		else if (w->places[i].kind == 't')
			r = put("tmpfs", w->places[i].path, MS_NOSUID | MS_NODEV, "mode=1777");
	return r;
}

/* The one directory that stays the host's in a root of its own; NULL: none. */
static const char *share(const struct world *w)
{
	size_t i;

	for (i = 0; i < w->place_count; i++)
		if (w->places[i].kind == 's')
			return w->places[i].path;
	return NULL;
}

static int furnish(const struct world *w)
{
	int r = 0;

	if (unshare(CLONE_NEWNS | CLONE_NEWCGROUP) < 0)
		return complain("unshare");
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return complain("private mounts");
	if (w->net)
		r = lo_up();
	if (r == 0 && w->init)
		r = put_root(share(w));
	if (r == 0 && w->init)
		r = put_devices();
	umount2("/proc", MNT_DETACH);
	if (r == 0)
		r = put("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	if (r == 0)
		r = put_sys(w);
	if (r == 0 && !w->keep_run)
		r = put("tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=755");
	if (r == 0)
		r = put_places(w);
	return r == 0 && w->init ? hold() : r;
}

static void become_command(const struct world *w)
{
	sigprocmask(SIG_SETMASK, &w->mask, NULL);
	execvp(w->argv[0], w->argv);
	complain("%s", w->argv[0]);
	_exit(errno == ENOENT ? 127 : 126);
}

static int exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Until PID ends: passes on what we are sent, or KILL_IT; reaps all children. Its wait status. */
static int attend(pid_t pid, bool kill_it)
{
	sigset_t set;

	sigfillset(&set);
	for (;;) {
		int sig = sigwaitinfo(&set, NULL), status;
		pid_t ended;

		if (sig > 0 && sig != SIGCHLD)
			kill(pid, kill_it ? SIGKILL : sig);
		while ((ended = waitpid(-1, &status, WNOHANG)) > 0)
			if (ended == pid)
				return status;
	}
}

/* PID 1: when it returns, the kernel kills everything inside. */
static int inside(const struct world *w)
{
	pid_t pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (furnish(w) < 0)
		return CANNOT;
	if (w->init)
		become_command(w);
	pid = fork();
	if (pid < 0) {
		complain("fork");
		return CANNOT;
	}
	if (pid == 0)
		become_command(w);
	return exit_status(attend(pid, false));
}

/* ---- outside ---- */

static int run(struct world *w)
{
	long flags = CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | (w->net ? CLONE_NEWNET : 0);
	sigset_t all;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &w->mask);
	if (enter_cgroups(w) < 0) {
		leave_cgroups(w);
		return CANNOT;
	}
	/* fork(2) with namespaces: what is born here is born in the fresh cgroups. */
	pid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0)
		_exit(inside(w));
	leave_cgroups(w);
	if (pid < 0) {
		complain("clone");
		return CANNOT;
	}
	return exit_status(attend(pid, w->init));
}

static int usage(void)
{
	fputs("usage: enclose [--net] [--keep-run] [--init] [--tmpfs PATH] [--overlay PATH] "
	      "[--share DIR] -- "
	      "COMMAND...\n",
	      stderr);
	return -EINVAL;
}

static int read_options(struct world *w, int argc, char **argv)
{
	static const struct option options[] = {
		{ "net", no_argument, NULL, 'n' },
		{ "keep-run", no_argument, NULL, 'k' },
		{ "init", no_argument, NULL, 'i' },
		{ "tmpfs", required_argument, NULL, 't' },
		{ "overlay", required_argument, NULL, 'o' },
		{ "share", required_argument, NULL, 's' },
		{},
	};
	int c;

	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		w->net |= c == 'n';
		w->keep_run |= c == 'k';
		w->init |= c == 'i';
		if (c == '?')
			return usage();
		if (c != 't' && c != 'o' && c != 's')
			continue;
		if (w->place_count == PLACES_MAX || *optarg != '/')
			return usage();
		w->places[w->place_count++] = (struct place){ optarg, (char)c };
	}
	w->argv = argv + optind;
	return optind < argc ? 0 : usage();
}

int main(int argc, char **argv)
{
	static struct world w;
	int status = CANNOT;

	if (read_options(&w, argc, argv) < 0)
		return 2;
	if (geteuid() != 0) {
		fputs("enclose: needs root\n", stderr);
		return CANNOT;
	}
	if (find_mounts(&w) == 0 && make_cgroups(&w) == 0)
		status = run(&w);
	if (remove_cgroups(&w) < 0 && status == 0)
		status = CANNOT;
	return status;
}
