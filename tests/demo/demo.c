/* SPDX-License-Identifier: Apache-2.0 */
/* demo OUT DIR: runs kmendd with the configuration in DIR, kills one of its services as an outsider
 * would, waits until all that must happen has happened (or 80 s are over), prints the timeline and
 * the verdict on each claim. Everything is read back from the trace and the action journal. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/text.h"
#include "demo.h"
#include "loop/loop.h"

#define DEADLINE_NS (80 * KM_NS_PER_S)
/* The victim lives for so long before it is killed. */
#define VICTIM_NS (4 * KM_NS_PER_S)

struct demo {
	const char *out, *dir;
	char trace[KM_PATH_MAX], journal[KM_PATH_MAX];
	pid_t daemon, recorder;
	uint32_t outsider;
	uint64_t begin_ns;
	struct rows rows;
	struct demo_check check[DEMO_CHECKS];
	size_t checks;
};

/* Starts OUT/ARGV[0] with its standard error in DIR/LOG. */
static pid_t start(const struct demo *d, const char *log, char *const *argv)
{
	char path[KM_PATH_MAX], file[KM_PATH_MAX];
	pid_t pid;

	snprintf(path, sizeof(path), "%s/%s", d->out, argv[0]);
	snprintf(file, sizeof(file), "%s/%s", d->dir, log);
	pid = fork();
	if (pid == 0) {
		int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

		if (fd < 0 || dup2(fd, STDERR_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0)
			_exit(126);
		execv(path, argv);
		_exit(127);
	}
	return pid;
}

/* A socket that kmendd tells when it is ready, as it tells systemd. */
static int notify_socket(const struct demo *d)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/notify", d->dir);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return -1;
	setenv("NOTIFY_SOCKET", a.sun_path, 1);
	return fd;
}

static bool wait_ready(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char text[256];

	while (poll(&p, 1, 15000) > 0) {
		ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

		text[n > 0 ? n : 0] = '\0';
		if (strstr(text, "READY=1"))
			return true;
	}
	return false;
}

static bool start_daemon(struct demo *d)
{
	char config[KM_PATH_MAX], rules[KM_PATH_MAX], state[KM_PATH_MAX], run[KM_PATH_MAX];
	char *argv[] = { "kmendd", "--foreground", "--no-view", "--config",
		         config,   "--rules",      rules,       "--state",
		         state,    "--run",        run,         "--stop-services",
		         NULL };
	km_autoclose int ready = notify_socket(d);

	snprintf(config, sizeof(config), "%s/kmend.json", d->dir);
	snprintf(rules, sizeof(rules), "%s/rules", d->dir);
	snprintf(state, sizeof(state), "%s/state", d->dir);
	snprintf(run, sizeof(run), "%s/run", d->dir);
	if (ready < 0)
		return false;
	d->daemon = start(d, "kmendd.log", argv);
	unsetenv("NOTIFY_SOCKET");
	return wait_ready(ready);
}

static void start_recorder(struct demo *d)
{
	char socket[KM_PATH_MAX];
	char *argv[] = { "kmend", "--socket", socket, "trace", "record", d->trace, NULL };

	snprintf(socket, sizeof(socket), "%s/run/control.sock", d->dir);
	d->recorder = start(d, "recorder.log", argv);
}

/* Somebody else on the host: what it does is none of kmend's business, but kmend can name it. */
static uint32_t kill_as_outsider(uint32_t pid)
{
	pid_t outsider = fork();

	if (outsider == 0) {
		prctl(PR_SET_NAME, "outsider");
		_exit(kill((pid_t)pid, SIGKILL) < 0);
	}
	waitpid(outsider, NULL, 0);
	return (uint32_t)outsider;
}

static void read_back(struct demo *d)
{
	d->rows.count = 0;
	demo_read_trace(d->trace, &d->rows);
	demo_read_journal(d->journal, &d->rows);
}

static void maybe_kill(struct demo *d)
{
	for (size_t i = 0; i < d->rows.count && !d->outsider; i++) {
		const struct row *r = &d->rows.row[i];

		if (r->kind == ROW_STARTED && strcmp(r->service, "demo-victim") == 0 &&
		    km_now_ns() - r->t_ns > VICTIM_NS)
			d->outsider = kill_as_outsider(r->pid);
	}
}

static bool all_hold(struct demo *d)
{
	bool all = true;

	d->checks = demo_check(&d->rows, d->outsider, d->check);
	for (size_t i = 0; i < d->checks; i++)
		all = all && d->check[i].holds;
	return all;
}

/* Each time the recorder or the actor has written something, until all holds. */
static void watch(struct demo *d)
{
	struct pollfd p = { .fd = inotify_init1(IN_CLOEXEC), .events = POLLIN };
	char events[4096];

	if (p.fd < 0 || inotify_add_watch(p.fd, d->journal, IN_MODIFY) < 0 ||
	    inotify_add_watch(p.fd, d->dir, IN_MODIFY) < 0)
		return;
	while (km_now_ns() - d->begin_ns < DEADLINE_NS) {
		if (poll(&p, 1, 1000) > 0 && read(p.fd, events, sizeof(events)) < 0)
			break;
		read_back(d);
		maybe_kill(d);
		if (d->rows.full || all_hold(d) || waitpid(d->daemon, NULL, WNOHANG))
			break;
	}
	close(p.fd);
}

static int stop(pid_t pid)
{
	int status = -1;

	if (pid <= 0)
		return 0;
	kill(pid, SIGTERM);
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The recording through the same binary: the same words, byte for byte, or not. */
static bool replays(const struct demo *d)
{
	char *argv[] = { "kmend", "-j", "replay", (char *)d->trace, NULL };
	int status = -1;
	pid_t pid = start(d, "replay.log", argv);

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int by_time(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return x->t_ns < y->t_ns ? -1 : x->t_ns > y->t_ns;
}

static void print_timeline(struct demo *d)
{
	static const char *const kinds[] = {
		"forecast", "decision", "verdict", "event", "act", "up"
	};

	qsort(d->rows.row, d->rows.count, sizeof(d->rows.row[0]), by_time);
	printf("\n%8s  %-16s %-9s %-12s %s\n", "time", "service", "what", "", "");
	for (size_t i = 0; i < d->rows.count; i++) {
		const struct row *r = &d->rows.row[i];
		char text[512];

		printf("%7.2fs  %-16s %-9s %-12s %s\n",
		       ((double)r->t_ns - (double)d->begin_ns) / 1e9, r->service, kinds[r->kind],
		       r->what, km_text_escape(r->text, text, sizeof(text)));
	}
}

static int verdict(const struct demo *d, bool replayed, int status)
{
	bool all = d->checks > 0 && replayed && status == 0 && !d->rows.full;

	printf("\n");
	for (size_t i = 0; i < d->checks; i++) {
		const struct demo_check *c = &d->check[i];

		printf("%-4s %-16s %s%s%s\n", c->holds ? "ok" : "FAIL", c->service, c->claim,
		       c->detail[0] ? ": " : "", c->detail);
		all = all && c->holds;
	}
	printf("%-4s %-16s %s\n", replayed ? "ok" : "FAIL", "(trace)",
	       "a replay of the recording says the same, byte for byte");
	printf("%-4s %-16s %s\n", status == 0 ? "ok" : "FAIL", "(kmendd)", "ended in order");
	printf("\ndemo: %s after %.0f s\n", all ? "all of it happened" : "NOT all of it happened",
	       (double)(km_now_ns() - d->begin_ns) / 1e9);
	return !all;
}

int main(int argc, char **argv)
{
	static struct demo d;
	bool replayed;
	int status;

	if (argc != 3)
		return 2;
	d.out = argv[1];
	d.dir = argv[2];
	d.begin_ns = km_now_ns();
	snprintf(d.trace, sizeof(d.trace), "%s/demo.trace", d.dir);
	snprintf(d.journal, sizeof(d.journal), "%s/state/journal", d.dir);
	if (!start_daemon(&d)) {
		fprintf(stderr, "demo: kmendd did not get ready, see %s/kmendd.log\n", d.dir);
		stop(d.daemon);
		return 1;
	}
	start_recorder(&d);
	watch(&d);
	stop(d.recorder);
	status = stop(d.daemon);
	read_back(&d);
	all_hold(&d);
	replayed = replays(&d);
	print_timeline(&d);
	return verdict(&d, replayed, status);
}
