// SPDX-License-Identifier: Apache-2.0
/* exits O ROUNDS [HOGS]: from the last instruction of a process to whoever waits for its end: the
 * collector by its ring, and a pidfd, of the same ends in the same run; with so many CPU hogs. The
 * process is what a service's is: a program that was executed, with 16 MiB that it has written to,
 * which the kernel takes back between the two. */
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "bench/bench.h"
#include "collect/internal.h"

#define ROUNDS_MAX 20000
#define PIDS_MAX   (1 << 22)
#define HEAP       (16 * 1024 * 1024)

struct shared {
	uint64_t ended_ns;          /* of the process under way */
	uint64_t told_ns[PIDS_MAX]; /* when the collector's sink had it */
	volatile uint32_t ready;
};

static int sink(void *userdata, const void *raw, size_t len)
{
	const struct kmend_exit *e = raw;
	struct shared *s = userdata;

	(void)len;
	if (e->hdr.type == KMEND_EXIT && e->tgid < PIDS_MAX)
		s->told_ns[e->tgid] = km_now_ns();
	return 0;
}

/* As the engine does it, for ever. */
static void collect(struct shared *s, uint64_t cgroup_id)
{
	struct km_collect_opts opts = { 0 };
	struct km_collect *c = NULL;
	struct km_loop *loop = NULL;

	km_loop_short_turns();
	if (km_loop_new(&loop) < 0 || km_collect_prepare(&opts, &c) < 0 ||
	    km_collect_start(c, loop, sink, s) < 0)
		_exit(1);
	km_collect_watch(c, cgroup_id, true);
	s->ready = 1;
	km_loop_run(loop);
	_exit(0);
}

static pid_t child(void (*fn)(struct shared *, uint64_t), struct shared *s, uint64_t cgroup_id)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fn(s, cgroup_id);
	}
	return pid;
}

static void hog(struct shared *s, uint64_t cgroup_id)
{
	(void)s;
	(void)cgroup_id;
	for (;;)
		;
}

static struct shared *share(int fd)
{
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (s == MAP_FAILED)
		bench_die("no memory to share: %s", strerror(errno));
	return s;
}

/* "exits --end FD": the service. */
static int end_as_a_service(int fd)
{
	struct shared *s = share(fd);
	char *heap = malloc(HEAP);

	if (!heap)
		return 1;
	memset(heap, 1, HEAP);
	poll(NULL, 0, 2); /* whoever waits for it sleeps by now */
	s->ended_ns = km_now_ns();
	_exit(heap[HEAP / 2] != 1);
}

static pid_t start_service(int fd)
{
	char number[16];
	char *const argv[] = { "exits", "--end", number, NULL };
	pid_t pid;

	snprintf(number, sizeof(number), "%d", fd);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execv("/proc/self/exe", argv);
		_exit(127);
	}
	return pid;
}

/* False: the collector was not told within a second. */
static bool one(struct shared *s, int fd, double *by_ring, double *by_pidfd)
{
	pid_t pid = start_service(fd);
	struct pollfd p = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	uint64_t end;

	poll(&p, 1, -1);
	end = km_now_ns();
	*by_pidfd = (double)(end - s->ended_ns) / 1000;
	close(p.fd);
	waitpid(pid, NULL, 0);
	while (!__atomic_load_n(&s->told_ns[pid], __ATOMIC_ACQUIRE))
		if (km_now_ns() - end > KM_NS_PER_S)
			return false;
		else
			poll(NULL, 0, 1);
	*by_ring = (double)(s->told_ns[pid] - s->ended_ns) / 1000;
	s->told_ns[pid] = 0;
	return true;
}

int main(int argc, char **argv)
{
	static double ring[ROUNDS_MAX], pidfd[ROUNDS_MAX];
	size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	int hogs = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 0;
	struct shared *s;
	double r, p;
	bool good;
	int fd;

	if (argc == 3 && strcmp(argv[1], "--end") == 0)
		return end_as_a_service((int)strtol(argv[2], NULL, 10));
	if (!rounds || rounds > ROUNDS_MAX)
		bench_die("usage: exits O ROUNDS [HOGS]");
	bench_need_world();
	fd = memfd_create("exits", 0); /* for the service too */
	if (fd < 0 || ftruncate(fd, sizeof(*s)) < 0)
		bench_die("memfd: %s", strerror(errno));
	s = share(fd);
	child(collect, s, bench_enter_group());
	while (!s->ready)
		poll(NULL, 0, 10);
	poll(NULL, 0, 1500); /* until a pass has found the cgroup */
	for (int i = 0; i < hogs; i++)
		child(hog, s, 0);
	for (size_t i = 0; i < rounds; i++)
		if (!one(s, fd, &ring[i], &pidfd[i]))
			bench_die("an end was not told");
	r = bench_quantile(ring, rounds, 0.5);
	p = bench_quantile(pidfd, rounds, 0.5);
	good = r <= p / 2 && bench_quantile(ring, rounds, 0.99) <= (hogs ? 1000 : 300);
	printf("exits, %d hogs: ring p50 %.1f us p99 %.1f us, pidfd p50 %.1f us p99 %.1f us  %s\n",
	       hogs, r, bench_quantile(ring, rounds, 0.99), p, bench_quantile(pidfd, rounds, 0.99),
	       good ? "ok" : "OVER");
	return !good;
}
