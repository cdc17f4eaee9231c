// SPDX-License-Identifier: Apache-2.0
/* What each hook costs those who run into it, in instructions. For a guest in which time is counted
 * in them (QEMU -icount shift=0). A line a hook:
 *     cost NAME WORK EMPTY OURS
 * WORK is what calling the kernel takes without a program, by the time stamp counter; EMPTY and
 * OURS what a program that does nothing and ours take, by the kernel's run-time statistics, which
 * hold nothing of what happens around. syscall.other is a call that nobody asked about, with all
 * that is always on, by the time stamp counter.
 * The smallest of many rounds is told: others had a timer or the allocator's slow path in them. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <x86intrin.h>

#include "collect/internal.h"

#define ROUNDS 40

static void call(void)
{
	getppid();
}

static void fork_and_exit(void)
{
	pid_t pid = vfork(); /* no page tables to copy: fewer instructions that are not ours */

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
}

static void execute(void)
{
	char *argv[] = { "busybox", "true", NULL };
	pid_t pid = vfork();

	if (pid == 0) {
		execv("/bin/busybox", argv);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
}

static void terminate(void)
{
	kill(getpid(), SIGTERM); /* ignored, and told nevertheless */
}

static void tell(void)
{
	kill(getpid(), SIGUSR1); /* not one that is told */
}

/* Nobody listens at port 1. */
static void connect_refused(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(1) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	connect(fd, (void *)&a, sizeof(a));
	close(fd);
}

/* All that happens to a connection in good order, none of it told. */
static void connect_and_close(void)
{
	static int listener = -1;
	static struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0), peer;

	if (listener < 0) {
		listener = socket(AF_INET, SOCK_STREAM, 0);
		a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		bind(listener, (void *)&a, sizeof(a));
		listen(listener, 4);
		getsockname(listener, (void *)&a, &len);
	}
	connect(fd, (void *)&a, sizeof(a));
	peer = accept(listener, NULL, NULL);
	close(fd);
	close(peer);
}

static const struct row {
	const char *name;
	void (*work)(void);
	enum km_prog_id prog;
	int times; /* in a round */
} rows[] = {
	{ "fork", fork_and_exit, KM_PROG_FORK, 4 },
	{ "exec", execute, KM_PROG_EXEC, 2 },
	{ "exit", fork_and_exit, KM_PROG_EXIT, 4 },
	{ "signal.told", terminate, KM_PROG_SIGNAL, 10 },
	{ "signal.other", tell, KM_PROG_SIGNAL, 10 },
	{ "tcp.refused", connect_refused, KM_PROG_TCP_STATE, 4 },
	{ "tcp.good", connect_and_close, KM_PROG_TCP_STATE, 4 },
	{ "syscall.window", call, KM_PROG_CALLS, 50 },
};

static int ignore(void *userdata, const void *raw, size_t len)
{
	(void)userdata;
	(void)raw;
	(void)len;
	return 0;
}

/* Rings are emptied between rounds: a full one would be cheaper. */
static uint64_t least(struct km_collect *c, const struct row *r)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t begin, n;

		km_collect_drain(c);
		r->work();
		begin = __rdtsc();
		for (int k = 0; k < r->times; k++)
			r->work();
		n = (__rdtsc() - begin) / (uint64_t)r->times;
		if (n < best)
			best = n;
	}
	return best;
}

/* A program that does nothing, for the hook of D. */
static int load_empty(const struct km_prog_def *d)
{
	const struct bpf_insn insns[] = { { .code = 0xb7 }, { .code = 0x95 } }; /* r0 = 0; exit */
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_RAW_TP);
	int id = libbpf_find_vmlinux_btf_id(strchr(d->hook, '/') + 1, BPF_TRACE_RAW_TP);

	if (id < 0)
		return id;
	opts.attach_btf_id = (uint32_t)id;
	return bpf_prog_load(BPF_PROG_TYPE_TRACING, "empty", "GPL", insns, 2, &opts);
}

static uint64_t run_time(int prog, uint64_t *runs)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(prog, &info, &size) < 0)
		return 0;
	*runs = info.run_cnt;
	return info.run_time_ns;
}

/* A run of PROG, which is attached meanwhile; 0: it cannot be, or did not run. */
static uint64_t least_run(struct km_collect *c, const struct row *r, int prog)
{
	int link = km_bpf_attach(&km_prog_defs[r->prog], prog);
	uint64_t best = UINT64_MAX;

	if (link < 0)
		return 0;
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t runs = 0, before = 0, ns = run_time(prog, &before);

		r->work();
		ns = run_time(prog, &runs) - ns;
		if (runs > before && ns / (runs - before) < best)
			best = ns / (runs - before);
		km_collect_drain(c);
	}
	close(link);
	return best == UINT64_MAX ? 0 : best;
}

static bool measure(struct km_collect *c, const struct row *r, int empty_fd)
{
	uint64_t work = least(c, r), empty, ours;
	int stats = bpf_enable_stats(BPF_STATS_RUN_TIME);

	empty = least_run(c, r, empty_fd);
	ours = least_run(c, r, c->bpf.progs[r->prog].prog_fd);
	km_close(&stats);
	if (!empty || !ours)
		return false;
	printf("cost %s %lu %lu %lu\n", r->name, work, empty, ours);
	return true;
}

static void detach_all(struct km_bpf *b)
{
	for (int i = 0; i < KM_PROG_MAX; i++)
		if (km_prog_defs[i].attach == KM_ATTACH_TRACE)
			km_close(&b->progs[i].link_fd);
}

/* A call that nobody asked about, with all that is always on. */
static void bystander(struct km_collect *c)
{
	const struct row r = { "syscall.other", call, KM_PROG_MAX, 50 };
	uint64_t with = least(c, &r), without;

	detach_all(&c->bpf);
	without = least(c, &r);
	printf("cost %s %lu 0 %ld\n", r.name, without, (long)(with - without));
}

/* In a process that is not the daemon's: about those nothing is said. */
static int measure_all(struct km_collect *c)
{
	int empty[KM_ARRAY_SIZE(rows)], failed = 0;

	/* All of them first: a process that grows is forked at a higher price. */
	for (size_t i = 0; i < KM_ARRAY_SIZE(rows); i++)
		empty[i] = load_empty(&km_prog_defs[rows[i].prog]);
	bystander(c);
	for (size_t i = 0; i < KM_ARRAY_SIZE(rows); i++) {
		if (empty[i] >= 0 && measure(c, &rows[i], empty[i]))
			continue;
		printf("cost %s: %s\n", rows[i].name, c->bpf.progs[rows[i].prog].reason);
		failed++;
	}
	fflush(stdout);
	return failed;
}

int main(void)
{
	struct km_collect_opts opts = { 0 };
	struct km_collect *c = NULL;
	struct km_loop *loop = NULL;
	int status = -1;
	pid_t pid;

	signal(SIGTERM, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	if (km_loop_new(&loop) < 0 || km_collect_prepare(&opts, &c) < 0)
		return 1;
	if (km_collect_start(c, loop, ignore, NULL) < 0)
		return 1;
	pid = fork();
	if (pid == 0)
		_exit(measure_all(c));
	waitpid(pid, &status, 0);
	km_collect_stop(c, true);
	km_loop_free(loop);
	return status != 0;
}
