// SPDX-License-Identifier: Apache-2.0
/* hooks O ROUNDS: what a system call costs while somebody looks closely, against empty programs on
 * the same hooks, in the same run: rounds of all rows one after the other, medians of CPU time.
 *
 *   none     nothing is attached (the A/A row is the next one)
 *   again    ... once more
 *   exit     an empty program on sys_exit
 *   calls    each call and error is counted
 *   pair     empty programs on sys_enter and sys_exit
 *   latency  histograms of calls that may block
 *   after    at once after detaching */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/syscall.h>

#include "bench/bench.h"
#include "collect/internal.h"

#define ROUNDS_MAX 101
#define CALLS      300000
#define OWNER      1

enum row { NONE, AGAIN, EXIT, COUNTED, PAIR, LATENCY, AFTER, ROWS };

static const char *const names[ROWS] = { "none", "again",   "exit", "calls",
	                                 "pair", "latency", "after" };

static int ignore(void *userdata, const void *raw, size_t len)
{
	(void)userdata;
	(void)raw;
	(void)len;
	return 0;
}

static int empty(const char *hook)
{
	const struct bpf_insn insns[] = { { .code = 0xb7 }, { .code = 0x95 } }; /* r0 = 0; exit */
	struct bpf_prog_load_opts opts = { .sz = sizeof(opts),
		                           .expected_attach_type = BPF_TRACE_RAW_TP };
	int id = libbpf_find_vmlinux_btf_id(hook, BPF_TRACE_RAW_TP);

	opts.attach_btf_id = id < 0 ? 0 : (uint32_t)id;
	return bpf_prog_load(BPF_PROG_TYPE_TRACING, "empty", "GPL", insns, 2, &opts);
}

/* Nanoseconds of CPU time a call: reads of nothing, which is one that may block. */
static double measure(int zero)
{
	uint64_t start = km_cpu_ns();
	char c;

	for (int i = 0; i < CALLS; i++)
		if (syscall(SYS_read, zero, &c, 1) != 1)
			bench_die("/dev/zero ended");
	return (double)(km_cpu_ns() - start) / CALLS;
}

static void lease(struct km_collect *c, uint64_t cgroup_id, uint32_t depths)
{
	const struct km_lease_ask ask = { "bench", cgroup_id, OWNER,
		                          km_now_ns() + 600 * KM_NS_PER_S, depths };
	char why[128];

	if (km_collect_lease(c, &ask, why, sizeof(why)) < 0)
		bench_die("not looked at closely: %s", why);
}

static void one_round(struct km_collect *c, uint64_t cgroup_id, const int progs[2], double *ret)
{
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC), links[2];

	ret[NONE] = measure(zero);
	ret[AGAIN] = measure(zero);
	links[1] = bpf_raw_tracepoint_open(NULL, progs[1]);
	ret[EXIT] = measure(zero);
	links[0] = bpf_raw_tracepoint_open(NULL, progs[0]);
	ret[PAIR] = measure(zero);
	close(links[0]);
	close(links[1]);
	lease(c, cgroup_id, KM_DEPTH_CALLS);
	ret[COUNTED] = measure(zero);
	lease(c, cgroup_id, KM_DEPTH_LATENCY);
	ret[LATENCY] = measure(zero);
	km_collect_unlease(c, OWNER);
	ret[AFTER] = measure(zero);
	close(zero);
}

static bool report(double v[ROWS][ROUNDS_MAX], size_t n)
{
	double m[ROWS], calls, latency;

	for (int i = 0; i < ROWS; i++) {
		m[i] = bench_quantile(v[i], n, 0.5);
		printf("%-8s %8.1f ns/call  %+7.1f\n", names[i], m[i], m[i] - m[NONE]);
	}
	calls = (m[COUNTED] - m[NONE]) / (m[EXIT] - m[NONE]);
	latency = (m[LATENCY] - m[NONE]) / (m[PAIR] - m[NONE]);
	printf("calls    %.2f of an empty hook (1.10)  %s\n", calls, calls <= 1.1 ? "ok" : "OVER");
	printf("latency  %.2f of an empty pair (2.20)  %s\n", latency,
	       latency <= 2.2 ? "ok" : "OVER");
	printf("after    %.3f, A/A %.3f  %s\n", m[AFTER] / m[NONE], m[AGAIN] / m[NONE],
	       m[AFTER] <= m[NONE] * 1.02 + (m[AGAIN] > m[NONE] ? m[AGAIN] - m[NONE] : 0) ? "ok"
	                                                                                  : "OVER");
	return calls <= 1.1 && latency <= 2.2;
}

int main(int argc, char **argv)
{
	static const struct km_config config = { .settings = { .sample_period_ns = KM_NS_PER_S,
		                                               .signal_budget_ppm = 100000 } };
	static double v[ROWS][ROUNDS_MAX];
	size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	struct km_collect_opts opts = { .config = &config };
	const int progs[2] = { empty("sys_enter"), empty("sys_exit") };
	struct km_collect *c = NULL;
	struct km_loop *loop = NULL;
	double row[ROWS];
	uint64_t id;

	if (!rounds || rounds > ROUNDS_MAX)
		bench_die("usage: hooks O ROUNDS");
	bench_need_world();
	id = bench_enter_group();
	if (progs[0] < 0 || progs[1] < 0 || km_loop_new(&loop) < 0 ||
	    km_collect_prepare(&opts, &c) < 0 || km_collect_start(c, loop, ignore, NULL) < 0)
		bench_die("the collector does not start");
	km_collect_watch(c, id, true);
	for (size_t i = 0; i < rounds; i++) {
		one_round(c, id, progs, row);
		for (int k = 0; k < ROWS; k++)
			v[k][i] = row[k];
	}
	km_collect_stop(c, true);
	km_loop_free(loop);
	return !report(v, rounds);
}
