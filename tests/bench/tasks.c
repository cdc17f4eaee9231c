// SPDX-License-Identifier: Apache-2.0
/* tasks O ROUNDS: what it costs to look at each process once: a pass of the task iterator over
 * 1,000 sleeping processes of a watched service, all of them listed, up to the sink. CPU time a
 * process, the best of ROUNDS; beside it a pass in which none had a turn on a CPU, as most are. */
#include <signal.h>
#include <sys/prctl.h>

#include "bench/bench.h"
#include "collect/internal.h"

#define PROCESSES 1000
#define LIMIT_NS  1000

static int count(void *userdata, const void *raw, size_t len)
{
	const struct kmend_hdr *h = raw;
	uint64_t *listed = userdata;

	(void)len;
	*listed += h->type == KMEND_TASK;
	return 0;
}

static void populate(void)
{
	for (int i = 0; i < PROCESSES; i++) {
		pid_t pid = fork();

		if (pid < 0)
			bench_die("fork: %s", strerror(errno));
		if (pid)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
}

/* Nanoseconds of CPU time of one pass. */
static double pass(struct km_collect *c, bool whole)
{
	uint64_t begin;

	c->whole_passes = whole;
	begin = km_cpu_ns();
	if (km_tasks_emit(c) < 0)
		bench_die("tasks cannot be listed");
	return (double)(km_cpu_ns() - begin);
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	struct km_collect_opts opts = { 0 };
	struct km_collect *c = NULL;
	struct km_loop *loop = NULL;
	uint64_t listed = 0, id;
	double all = 1e12, rest = 1e12;

	if (!rounds)
		bench_die("usage: tasks O ROUNDS");
	bench_need_world();
	id = bench_enter_group();
	populate();
	if (km_loop_new(&loop) < 0 || km_collect_prepare(&opts, &c) < 0 ||
	    km_collect_start(c, loop, count, &listed) < 0)
		bench_die("the collector does not start");
	if (!km_bpf_works(&c->bpf, KM_PROG_TASKS))
		bench_die("no iterator over tasks: %s", c->bpf.progs[KM_PROG_TASKS].reason);
	km_collect_watch(c, id, true);
	for (size_t i = 0; i < rounds; i++) {
		uint64_t before = listed;
		double ns = pass(c, true);

		if (listed - before < PROCESSES)
			bench_die("%lu of %d processes were listed", listed - before, PROCESSES);
		ns /= (double)(listed - before);
		all = ns < all ? ns : all;
		ns = pass(c, false) / PROCESSES;
		rest = ns < rest ? ns : rest;
	}
	printf("tasks    %.0f ns a process that is listed (%d), %.0f ns one that did not run  %s\n",
	       all, LIMIT_NS, rest, all <= LIMIT_NS ? "ok" : "OVER");
	km_collect_stop(c, true);
	km_loop_free(loop);
	return all > LIMIT_NS;
}
