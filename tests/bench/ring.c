// SPDX-License-Identifier: Apache-2.0
/* ring O ROUNDS: the way of a record from a program to the sink, with the real emit_begin() and
 * emit_end() of bpf/lib and the real reader: bursts of 64-byte records by one CPU, by two at the
 * same time, then what the reader takes to deliver them; CPU time, the best of ROUNDS. At last
 * 70,000 a second while nobody reads for a second. Rings are so large that they hold that. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>

#include "bench/bench.h"
#include "collect/internal.h"
#include "tests/bench/ring.skel.h"

#define RING_BYTES    (8 * 1024 * 1024) /* each */
#define BURST         100000
#define STALL_RECORDS 70000
#define STALL_MS      1000
#define ROUNDS_MAX    101
#define PRODUCERS     2

static struct {
	struct km_collect *collect;
	uint64_t delivered, last_ns, disorder;
} reader;

struct producer {
	pthread_t thread;
	pthread_barrier_t *begin;
	int prog, cpu;
	uint64_t bursts, each; /* each per millisecond, where there are several */
	uint64_t cpu_ns;
};

static int sink(void *userdata, const void *raw, size_t len)
{
	const struct kmend_hdr *h = raw;

	(void)userdata;
	(void)len;
	if (h->type != KMEND_TYPE_MAX - 1)
		return 0;
	reader.delivered++;
	reader.disorder += h->ktime_ns < reader.last_ns;
	reader.last_ns = h->ktime_ns;
	return 0;
}

/* As bpf_load.c does it with the families. */
static int load(struct km_bpf *b)
{
	struct ring_bpf *skel = ring_bpf__open();
	struct bpf_map *map;

	if (!skel)
		bench_die("the program cannot be opened");
	bpf_object__for_each_map(map, skel->obj) for (int i = 0; i < KM_MAP_MAX;
	                                              i++) if (strcmp(bpf_map__name(map),
	                                                              km_map_defs[i].name) == 0)
		bpf_map__reuse_fd(map, b->maps[i]);
	memcpy(skel->rodata, &b->setup, sizeof(b->setup));
	if (ring_bpf__load(skel) < 0)
		bench_die("the program cannot be loaded (bpf_loop is from 5.17 on)");
	return bpf_program__fd(skel->progs.bench_emit);
}

static void emit(int prog, uint64_t count)
{
	struct bpf_test_run_opts opts = { .sz = sizeof(opts),
		                          .ctx_in = &count,
		                          .ctx_size_in = sizeof(count) };

	if (bpf_prog_test_run_opts(prog, &opts) < 0)
		bench_die("the program does not run: %s", strerror(errno));
}

static void *produce(void *arg)
{
	struct producer *p = arg;
	cpu_set_t one;
	uint64_t begin;

	CPU_ZERO(&one);
	CPU_SET(p->cpu, &one);
	if (pthread_setaffinity_np(pthread_self(), sizeof(one), &one) != 0)
		bench_die("CPU %d cannot be used", p->cpu);
	pthread_barrier_wait(p->begin);
	begin = km_cpu_ns();
	for (uint64_t i = 0; i < p->bursts; i++) {
		emit(p->prog, p->each);
		if (p->bursts > 1)
			poll(NULL, 0, 1);
	}
	p->cpu_ns = km_cpu_ns() - begin;
	return NULL;
}

/* On the first COUNT of P, at the same time. */
static void run(struct producer *p, size_t count)
{
	pthread_barrier_t begin;

	pthread_barrier_init(&begin, NULL, (unsigned int)count);
	for (size_t i = 0; i < count; i++) {
		p[i].begin = &begin;
		if (pthread_create(&p[i].thread, NULL, produce, &p[i]) != 0)
			bench_die("no thread");
	}
	for (size_t i = 0; i < count; i++)
		pthread_join(p[i].thread, NULL);
	pthread_barrier_destroy(&begin);
}

/* Nanoseconds of CPU time a record, of what WANTED producers wrote. */
static double drain(uint64_t wanted)
{
	uint64_t begin = km_cpu_ns();

	reader.delivered = reader.last_ns = reader.disorder = 0;
	if (km_rings_drain(reader.collect) < 0 || reader.delivered != wanted || reader.disorder)
		bench_die("%lu of %lu records were delivered, %lu out of order", reader.delivered,
		          wanted, reader.disorder);
	return (double)(km_cpu_ns() - begin) / (double)wanted;
}

static void keep_least(double *best, double v)
{
	if (v < *best)
		*best = v;
}

static bool bursts(struct producer *p, size_t rounds)
{
	double one = 1e9, two = 1e9, reading = 1e9, all;

	for (size_t i = 0; i < rounds; i++) {
		run(p, 1);
		keep_least(&one, (double)p[0].cpu_ns / BURST);
		keep_least(&reading, drain(BURST));
		run(p, 2);
		keep_least(&two, (double)(p[0].cpu_ns + p[1].cpu_ns) / (2 * BURST));
		keep_least(&reading, drain(2 * BURST));
	}
	all = (one > two ? one : two) + reading;
	printf("one      %6.2f million/s a CPU (5)  %s\n", 1e3 / one, one <= 200 ? "ok" : "OVER");
	printf("two      %6.2f of one (1.8)  %s\n", 2 * one / two,
	       2 * one / two >= 1.8 ? "ok" : "OVER");
	printf("all      %6.3f CPU-seconds a million (0.15): writing %.1f ns, reading %.1f  %s\n",
	       all / 1e3, all - reading, reading, all <= 150 ? "ok" : "OVER");
	return one <= 200 && 2 * one / two >= 1.8 && all <= 150;
}

static bool stall(struct producer *p)
{
	const struct km_bpf *b = &reader.collect->bpf;
	uint64_t lost = km_bpf_count(b, KMEND_BULK, KMEND_TYPE_MAX - 1).lost;

	for (int i = 0; i < PRODUCERS; i++) {
		p[i].bursts = STALL_MS;
		p[i].each = STALL_RECORDS / STALL_MS / PRODUCERS;
	}
	run(p, PRODUCERS);
	lost = km_bpf_count(b, KMEND_BULK, KMEND_TYPE_MAX - 1).lost - lost;
	drain(STALL_RECORDS - lost);
	printf("stalled  %lu of %d records lost in a second (0)  %s\n", lost, STALL_RECORDS,
	       lost ? "OVER" : "ok");
	return lost == 0;
}

int main(int argc, char **argv)
{
	struct km_collect_opts opts = { .bulk_bytes = RING_BYTES };
	size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	struct producer p[PRODUCERS] = { 0 };
	struct km_loop *loop = NULL;
	bool good;
	int prog;

	if (!rounds || rounds > ROUNDS_MAX)
		bench_die("usage: ring O ROUNDS");
	bench_need_world();
	if (km_loop_new(&loop) < 0 || km_collect_prepare(&opts, &reader.collect) < 0 ||
	    km_collect_start(reader.collect, loop, sink, NULL) < 0)
		bench_die("the collector does not start");
	prog = load(&reader.collect->bpf);
	for (int i = 0; i < PRODUCERS; i++)
		p[i] = (struct producer){ .prog = prog, .cpu = i, .bursts = 1, .each = BURST };
	good = bursts(p, rounds);
	good &= stall(p);
	km_collect_stop(reader.collect, true);
	km_loop_free(loop);
	return !good;
}
