/* SPDX-License-Identifier: Apache-2.0 */
/* pairs O ROUNDS [WORK...]: what kmendd costs others. CPU time of WORK with kmendd and without.
 *
 * A round is without, with, without, without, without: "ratio" is with over the mean of its two
 * neighbours, "A/A" the fourth over the mean of its two. So slow drift of a shared machine cancels,
 * and the noise that is left stands beside the result. Medians over all rounds. */
#include <signal.h>
#include <sys/prctl.h>

#include "bench/bench.h"

#define ROUNDS_MAX 101
#define PLACE      "/run/pairs"
#define HTTP_PORT  "18080"

struct work {
	const char *name;
	const char *unit;
	const char *count; /* about half a second of it; http: seconds */
	double unit_ns;
	bool absolute; /* the limit is 1.00 +- 0.02, not A/A + 0.02 (connect: + 0.03) */
};

static const struct work works[] = {
	{ "fork", "us/fork+exec", "800", 1e3, false },
	{ "pipe", "ns/round trip", "100000", 1, false },
	{ "http", "us/request", "2", 1e3, false },
	{ "getppid", "ns/call", "4000000", 1, true },
	{ "read", "ns/call", "2000000", 1, true },
	{ "connect", "us/connection", "10000", 1e3, false },
};

static pid_t nginx;

static double run_load(const char *out, const struct work *w)
{
	char program[PATH_MAX], text[256];
	char *const argv[] = { program, strdupa(w->name), strdupa(w->count), NULL };
	char *end;

	snprintf(program, sizeof(program), "%s/tests/bench/load", out);
	if (test_run(argv, text, sizeof(text), 60000) != 0)
		bench_die("load %s failed: %s", w->name, text);
	return strtod(text, &end) / strtod(w->count, NULL);
}

static void start_nginx(void)
{
	static const char config[] =
		"daemon off; master_process off; worker_processes 1; pid " PLACE "/nginx.pid;"
		"error_log " PLACE "/nginx.log; events { worker_connections 256; }"
		"http { access_log off; keepalive_requests 1000000000;"
		" client_body_temp_path " PLACE "; proxy_temp_path " PLACE ";"
		" fastcgi_temp_path " PLACE "; uwsgi_temp_path " PLACE "; scgi_temp_path " PLACE ";"
		" server { listen 127.0.0.1:" HTTP_PORT "; location / { return 200 'hello'; } } }";
	char *const argv[] = { "nginx", "-e", PLACE "/nginx.log", "-c", PLACE "/nginx.conf", NULL };
	FILE *f = fopen(PLACE "/nginx.conf", "we");
	struct test_child child;

	if (!f || fputs(config, f) == EOF || fclose(f) == EOF || test_spawn(argv, &child) < 0)
		bench_die("nginx cannot be started");
	nginx = child.pid;
}

/* nginx's and wrk's CPU time a request; connections are kept for some requests, then made anew. */
static double run_http(const struct work *w)
{
	char url[] = "http://127.0.0.1:" HTTP_PORT "/", duration[16], text[4096], *p;
	char *const argv[] = { "wrk", "-t1", "-c16", duration, url, NULL };
	struct rusage before, after;
	uint64_t cpu;

	snprintf(duration, sizeof(duration), "-d%ss", w->count);
	getrusage(RUSAGE_CHILDREN, &before);
	cpu = bench_cpu_ns(nginx);
	if (test_run(argv, text, sizeof(text), 60000) != 0 || !strstr(text, " requests in"))
		bench_die("wrk failed: %s", text);
	cpu = bench_cpu_ns(nginx) - cpu;
	getrusage(RUSAGE_CHILDREN, &after);
	for (p = strstr(text, " requests in"); p > text && p[-1] >= '0' && p[-1] <= '9';)
		p--;
	return ((double)cpu + bench_rusage_ns(&after) - bench_rusage_ns(&before)) / strtod(p, NULL);
}

static double measure(const char *out, const struct work *w)
{
	return strcmp(w->name, "http") == 0 ? run_http(w) : run_load(out, w);
}

struct result {
	double without[ROUNDS_MAX], with[ROUNDS_MAX], ratio[ROUNDS_MAX], aa[ROUNDS_MAX];
	double daemon[ROUNDS_MAX]; /* share of one CPU that kmendd itself took meanwhile */
};

static double measure_with(const char *out, const struct work *w, double *ret_daemon)
{
	char program[PATH_MAX];
	struct bench_daemon d;
	uint64_t cpu, wall;
	double v;

	snprintf(program, sizeof(program), "%s/kmendd", out);
	d = bench_start(program, PLACE, NULL, NULL);
	cpu = bench_family_cpu_ns(d.pid);
	wall = bench_now_ns();
	v = measure(out, w);
	*ret_daemon = (double)(bench_family_cpu_ns(d.pid) - cpu) / (double)(bench_now_ns() - wall);
	bench_stop(&d);
	return v;
}

static void one_round(const char *out, const struct work *w, struct result *r, size_t i)
{
	double a, b, c, d;

	a = measure(out, w);
	r->with[i] = measure_with(out, w, &r->daemon[i]);
	b = measure(out, w);
	c = measure(out, w);
	d = measure(out, w);
	r->without[i] = a;
	r->ratio[i] = 2 * r->with[i] / (a + b);
	r->aa[i] = 2 * c / (b + d);
}

/* True if WORK keeps its limit. */
static bool pairs(const char *out, const struct work *w, size_t rounds)
{
	static struct result r;
	double ratio, aa;
	bool good;
	size_t i;

	measure(out, w); /* caches */
	for (i = 0; i < rounds; i++)
		one_round(out, w, &r, i);
	ratio = bench_quantile(r.ratio, rounds, 0.5);
	aa = bench_quantile(r.aa, rounds, 0.5);
	good = w->absolute ? ratio < 1.02 && ratio > 0.98
	                   : ratio <= aa + (strcmp(w->name, "connect") ? 0.02 : 0.03);
	printf("%-8s %-14s %10.2f %10.2f  %6.3f  %5.3f..%5.3f  %6.3f  %5.3f..%5.3f  %6.2f  %3zu  "
	       "%s\n",
	       w->name, w->unit, bench_quantile(r.without, rounds, 0.5) / w->unit_ns,
	       bench_quantile(r.with, rounds, 0.5) / w->unit_ns, ratio,
	       bench_quantile(r.ratio, rounds, 0.25), bench_quantile(r.ratio, rounds, 0.75), aa,
	       bench_quantile(r.aa, rounds, 0.25), bench_quantile(r.aa, rounds, 0.75),
	       100 * bench_quantile(r.daemon, rounds, 0.5), rounds, good ? "ok" : "OVER");
	fflush(stdout);
	return good;
}

static bool wanted(const struct work *w, char **names)
{
	char **n;

	for (n = names; *n; n++)
		if (strcmp(*n, w->name) == 0)
			return true;
	return !*names;
}

int main(int argc, char **argv)
{
	size_t i, rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	bool good = true;

	if (!rounds || rounds > ROUNDS_MAX)
		bench_die("usage: pairs O ROUNDS [fork|pipe|http|getppid|read|connect...]");
	bench_need_world();
	if (mkdir(PLACE, 0755) < 0)
		bench_die(PLACE ": %s", strerror(errno));
	start_nginx();
	puts("work     unit              without       with   ratio   quartiles        A/A   "
	     "quartiles"
	     "  kmendd%    n");
	for (i = 0; i < KM_ARRAY_SIZE(works); i++)
		if (wanted(&works[i], argv + 3))
			good &= pairs(argv[1], &works[i], rounds);
	kill(nginx, SIGKILL);
	return !good;
}
