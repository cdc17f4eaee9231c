/* SPDX-License-Identifier: Apache-2.0 */
/* restart O FILES ROUNDS: how long a supervised command is away: from just before the SIGKILL of
 * its main process to the first line of its replacement's main(), both by CLOCK_MONOTONIC.
 * The last line is "restart p50 MS p99 MS". */
#include <signal.h>
#include <sys/prctl.h>

#include "bench/bench.h"

#define ROUNDS_MAX 10000
#define PLACE      "/run/restart" /* FILES/kmend.json says it as well */
#define LOST_MS    5000
#define WARM_UP    5

struct stamp {
	uint64_t ns;
	pid_t pid;
};

static struct stamp next_stamp(int fd)
{
	char text[128], *end;
	struct stamp s;

	if (!bench_receive(fd, text, sizeof(text), LOST_MS))
		bench_die("no replacement within %d ms; see " PLACE "/log", LOST_MS);
	s.ns = strtoull(text, &end, 10);
	s.pid = (pid_t)strtol(end, NULL, 10);
	return s;
}

/* A service that lived for a moment, each time a bit longer: not in step with any timer. */
static void let_live(size_t i)
{
	struct timespec t = { .tv_nsec = (long)((30 + i * 7 % 20) * KM_NS_PER_MS) };

	nanosleep(&t, NULL);
}

static void measure(int fd, double *ms, size_t rounds)
{
	struct stamp s = next_stamp(fd);
	size_t i;

	for (i = 0; i < rounds + WARM_UP; i++) {
		uint64_t killed;

		let_live(i);
		killed = bench_now_ns();
		if (kill(s.pid, SIGKILL) < 0)
			bench_die("process %d is not there", s.pid);
		s = next_stamp(fd);
		if (i >= WARM_UP)
			ms[i - WARM_UP] = (double)(s.ns - killed) / 1e6;
	}
}

int main(int argc, char **argv)
{
	static double ms[ROUNDS_MAX];
	size_t rounds = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
	char program[PATH_MAX], config[PATH_MAX], rules[PATH_MAX];
	struct bench_daemon d;
	int fd;

	if (!rounds || rounds > ROUNDS_MAX)
		bench_die("usage: restart O FILES ROUNDS");
	bench_need_world();
	if (mkdir(PLACE, 0755) < 0)
		bench_die(PLACE ": %s", strerror(errno));
	fd = bench_listen(PLACE "/stamp");
	snprintf(program, sizeof(program), "%s/kmendd", argv[1]);
	snprintf(config, sizeof(config), "%s/kmend.json", argv[2]);
	snprintf(rules, sizeof(rules), "%s/rules", argv[2]);
	d = bench_start(program, PLACE, config, rules);
	measure(fd, ms, rounds);
	bench_stop(&d);
	printf("%zu rounds: least %.2f ms, 90 %% %.2f ms, most %.2f ms\n", rounds,
	       bench_quantile(ms, rounds, 0), bench_quantile(ms, rounds, 0.9),
	       bench_quantile(ms, rounds, 1));
	printf("restart p50 %.2f p99 %.2f\n", bench_quantile(ms, rounds, 0.5),
	       bench_quantile(ms, rounds, 0.99));
	return 0;
}
