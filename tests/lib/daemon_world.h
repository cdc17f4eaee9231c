/* SPDX-License-Identifier: Apache-2.0 */
/* For scenarios: the whole daemon in a world of its own, with one supervised service, "keeper". */
#ifndef KM_TEST_DAEMON_WORLD_H
#define KM_TEST_DAEMON_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <dirent.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "base/json.h"
#include "lib/spawn.h"

#define DIR_PATH     "/run/t"
#define CONTROL_PATH "/run/t/run/control.sock"

#define READY_MS     10000
#define END_MS       15000

static char control[] = CONTROL_PATH;

static const char config[] =
	"{\"version\":1,\"settings\":{\"sample_period\":\"250ms\"},\"services\":"
	"[{\"name\":\"keeper\",\"command\":[\"%s\",\"victim\"]}]}";
static const char policy[] =
	"{\"version\":1,\"verbs\":[\"start\",\"restart\"],\"services\":[\"keeper\"],"
	"\"budget\":{\"service\":{\"count\":100,\"per\":\"1m\"},\"host\":{\"count\":100,\"per\":"
	"\"1m\"}}}";
static const char rule[] =
	"{\"version\":1,\"id\":\"keep\",\"summary\":\"s\",\"why\":\"w\",\"owner\":\"o\","
	"\"maturity\":\"experimental\",\"scope\":{\"services\":[\"keeper\"]},"
	"\"when\":{\"event\":{\"is\":\"ended\",\"how\":\"any\"}},"
	"\"plan\":[{\"do\":\"start\",\"timeout\":\"5s\"}],"
	"\"verify\":{\"within\":\"5s\",\"that\":{\"up\":true,\"up_for\":\"1s\"}},"
	"\"otherwise\":\"escalate\",\"guard\":{\"mode\":\"auto\"}}";

static char text[262144];

static inline void write_file(const char *path, const char *format, const char *arg)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fprintf(f, format, arg);
	assert_int_equal(fclose(f), 0);
}

static inline void make_files(void)
{
	mkdir(DIR_PATH, 0755);
	mkdir(DIR_PATH "/rules", 0755);
	mkdir(DIR_PATH "/rules/crash", 0755);
	mkdir(DIR_PATH "/rules/policy", 0755);
	write_file(DIR_PATH "/kmend.json", config, test_built("tests/lib/demo_service"));
	write_file(DIR_PATH "/rules/policy/guardrails.json", "%s", policy);
	write_file(DIR_PATH "/rules/crash/keep.json", "%s", rule);
}

/* Nothing of an earlier test: its repairs, and how they ended, would count in this one. */
static inline int forget_state(void **state)
{
	char *const argv[] = { "rm", "-rf", DIR_PATH "/state", NULL };

	(void)state;
	return test_run(argv, text, sizeof(text), READY_MS);
}

/* Starts kmendd with EXTRA options (NULL-terminated) and waits until it says that it is ready;
 * false if it ended, or did not say so in time. */
static inline bool start(struct test_child *c, char *const *extra)
{
	char daemon_path[2 * PATH_MAX];
	char *argv[32] = { daemon_path,
		           "--foreground",
		           "--no-view",
		           "--config",
		           DIR_PATH "/kmend.json",
		           "--rules",
		           DIR_PATH "/rules",
		           "--state",
		           DIR_PATH "/state",
		           "--run",
		           DIR_PATH "/run" };
	static unsigned int starts; /* one that runs already goes on telling its own socket */
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct pollfd p[2] = { { .events = POLLIN }, { .events = POLLIN } };
	char said[256];
	size_t n = 11;
	bool ready = false;

	snprintf(daemon_path, sizeof(daemon_path), "%s", test_built("kmendd"));
	while (extra && *extra)
		argv[n++] = *extra++;
	snprintf(a.sun_path, sizeof(a.sun_path), DIR_PATH "/notify-%u", starts++);
	p[0].fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(p[0].fd, (struct sockaddr *)&a, sizeof(a)), 0);
	chmod(a.sun_path, 0666);
	setenv("NOTIFY_SOCKET", a.sun_path, 1);
	assert_int_equal(test_spawn(argv, c), 0);
	unsetenv("NOTIFY_SOCKET");
	p[1].fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	while (!ready && poll(p, 2, READY_MS) > 0 && p[0].revents) {
		ssize_t k = recv(p[0].fd, said, sizeof(said) - 1, 0);

		said[k > 0 ? k : 0] = '\0';
		ready = strstr(said, "READY=1");
	}
	close(p[0].fd);
	close(p[1].fd);
	return ready;
}

/* Waits for the end of PID; false if it lives on for MS. */
static inline bool ended(pid_t pid, int ms)
{
	struct pollfd p = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	bool gone = p.fd < 0 || poll(&p, 1, ms) > 0;

	if (p.fd >= 0)
		close(p.fd);
	return gone;
}

/* Ends the daemon; what it said is in text. A service that outlives it holds the pipe open, so
 * only what is there is read. */
static inline int stop(struct test_child *c, int signo)
{
	ssize_t n;

	kill(c->pid, signo);
	if (!ended(c->pid, END_MS))
		return -1;
	fcntl(c->out, F_SETFL, O_NONBLOCK);
	n = read(c->out, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	if (strstr(text, "Sanitizer"))
		print_message("%s\n", text);
	return test_wait(c);
}

/* Runs kmend with WORDS; its output is in text. */
#define KMEND(...)                                                                              \
	test_run((char *const[]){ kmend_path(), "--socket", control, __VA_ARGS__, NULL }, text, \
	         sizeof(text), READY_MS)

static inline char *kmend_path(void)
{
	static char path[2 * PATH_MAX];

	snprintf(path, sizeof(path), "%s", test_built("kmend"));
	return path;
}

/* First process whose name is NAME; 0: there is none. */
static inline pid_t find_process(const char *name)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	pid_t found = 0;

	while (!found && (e = readdir(proc))) {
		char path[300], comm[32] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%s/comm", e->d_name);
		f = fopen(path, "r");
		if (f && fgets(comm, sizeof(comm), f)) {
			comm[strcspn(comm, "\n")] = '\0';
			if (strcmp(comm, name) == 0)
				found = (pid_t)strtol(e->d_name, NULL, 10);
		}
		if (f)
			fclose(f);
	}
	closedir(proc);
	return found;
}

/* Until a process NAME other than NOT is there. */
static inline pid_t await_process(const char *name, pid_t not )
{
	long end = test_now_ms() + READY_MS;

	while (test_now_ms() < end) {
		pid_t pid = find_process(name);

		if (pid && pid != not )
			return pid;
		poll(NULL, 0, 5); /* a process can be awaited only by looking */
	}
	return 0;
}

/* How many names in PATH begin with PREFIX; a new bpffs has files of the kernel's own. */
static inline size_t entries(const char *path, const char *prefix)
{
	DIR *d = opendir(path);
	struct dirent *e;
	size_t n = 0;

	while (d && (e = readdir(d)))
		n += strncmp(e->d_name, prefix, strlen(prefix)) == 0 && e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

static inline void end_keeper(void)
{
	pid_t pid = find_process("demo_service");

	if (pid) {
		kill(pid, SIGKILL);
		ended(pid, END_MS);
	}
}

#endif
