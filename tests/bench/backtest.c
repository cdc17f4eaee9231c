/* SPDX-License-Identifier: Apache-2.0 */
/* backtest KMEND [HOURS]: a history (a week) of 20 services with 16 signals each, at 1 Hz, as
 * a trace, and what `kmend rule backtest` of all shipped rules over it costs. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "record/trace.h"
#include "review/world.h"

#define SERVICES 20
#define WEEK     168
#define PIECE    (1 << 20)

/* With three resources, and what the kernel tells of retransmits, 16. */
static const char *const signals[] = {
	"sched.cpu",       "sched.run_delay", "sched.involuntary", "memory.faults.major",
	"io.written",      "sched.blocked",   "sched.stopped",     "process.zombies",
	"psi.memory.some", "psi.cpu.some",    "psi.io.some",       "syscall.calls",
	"net.retransmits",
};

struct out {
	struct km_trace_writer *w;
	struct km_buf *buf;
	int fd;
};

static int flush(struct out *o)
{
	ssize_t n = write(o->fd, o->buf->data, o->buf->len);
	bool whole = n == (ssize_t)o->buf->len;

	km_buf_reset(o->buf);
	return whole ? 0 : -EIO;
}

static int sink(void *userdata, const void *raw, size_t len)
{
	struct out *o = userdata;
	int r = km_trace_add(o->w, raw);

	(void)len;
	return r == 0 && o->buf->len > PIECE ? flush(o) : r;
}

static uint64_t chance(uint64_t *seed, uint64_t below)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (*seed >> 33) % below;
}

static void tell_values(struct km_world *w, struct km_world_service *s, uint64_t *seed)
{
	for (size_t k = 0; k < KM_ARRAY_SIZE(signals); k++) {
		struct km_world_value v = { .signal = km_catalogue_find(signals[k]),
			                    .name = "",
			                    .value = k < 5 ? (double)chance(seed, 1000) : 0,
			                    .limit = -1,
			                    .period_ns = KM_NS_PER_S };

		if (k == 0)
			v.value += 100000;
		if (v.signal == KM_SIG_RETRANSMITS)
			v.value = chance(seed, 50) == 0;
		km_world_value(w, s, &v);
	}
}

/* One in seven leaks; each fails about once in two days and comes back. */
static void second(struct km_world *w, size_t i, uint64_t *seed)
{
	struct km_world_service *s = &w->service[i];
	uint64_t t = w->t_ns / KM_NS_PER_S, leak = i % 7 ? 0 : t % 20000 * 20000;

	if (!s->tgid && (t + i) % 5 == 0)
		km_world_start(w, s);
	if (s->tgid && chance(seed, 200000) == 0)
		km_world_end(w, s, 1 << 8);
	if (!s->tgid)
		return;
	km_world_level(w, s, KM_MEMORY, (100 << 20) + chance(seed, 1 << 20) + leak, 512 << 20);
	km_world_level(w, s, KM_THREADS, 30 + chance(seed, 5), 512);
	km_world_level(w, s, KM_DESCRIPTORS, 100 + chance(seed, 30), 1024);
	tell_values(w, s, seed);
}

static void begin(struct km_world *w)
{
	char config[4096] = "{\"version\":1,\"services\":[", one[64];

	for (int i = 0; i < SERVICES; i++) {
		struct km_service_def def = { .kind = KM_BY_COMMAND };

		snprintf(def.name, sizeof(def.name), "s%d", i);
		snprintf(one, sizeof(one), "%s{\"name\":\"s%d\",\"command\":[\"/bin/s\"]}",
		         i ? "," : "", i);
		strncat(config, one, sizeof(config) - strlen(config) - 1);
		km_world_add(w, &def);
	}
	strncat(config, "]}", sizeof(config) - strlen(config) - 1);
	km_world_text(w, KM_TEXT_CONFIG, "kmend.json", config);
	km_world_text(w, KM_TEXT_POLICY, "policy/guardrails.json",
	              "{\"version\":1,\"verbs\":[\"start\",\"restart\"],\"services\":[\"*\"]}");
	km_world_text(w, KM_TEXT_COMMIT, "commit", "");
}

static int write_history(int fd, uint64_t hours)
{
	struct out o = { .fd = fd };
	struct km_world w;
	uint64_t seed = 1;
	int r = km_buf_new(4 * PIECE, &o.buf);

	if (r == 0)
		r = km_trace_writer_new(o.buf, &o.w);
	km_world_init(&w, sink, &o);
	if (r == 0)
		begin(&w);
	for (uint64_t t = 1; r >= 0 && t <= hours * 3600; t++) {
		w.t_ns = t * KM_NS_PER_S;
		for (size_t i = 0; i < SERVICES; i++)
			second(&w, i, &seed);
		r = km_world_tick(&w);
	}
	if (r >= 0)
		r = km_trace_flush(o.w);
	if (r >= 0)
		r = flush(&o);
	km_trace_writer_free(o.w);
	km_buf_free(o.buf);
	return r;
}

static int run(const char *kmend, const char *path)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		execl(kmend, kmend, "rule", "backtest", "rules/", "--trace", path, NULL);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -ECHILD;
}

int main(int argc, char **argv)
{
	uint64_t hours = argc > 2 ? strtoul(argv[2], NULL, 10) : WEEK;
	char path[] = "/tmp/kmend-week-XXXXXX";
	struct rusage u;
	double s;
	int fd, r;

	if (argc < 2)
		return 2;
	fd = mkstemp(path);
	r = fd < 0 ? -errno : write_history(fd, hours);
	if (r >= 0)
		r = run(argv[1], path);
	unlink(path);
	if (r < 0) {
		fprintf(stderr, "backtest: %s\n", strerror(-r));
		return 1;
	}
	getrusage(RUSAGE_CHILDREN, &u);
	s = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
	printf("back-test   %8.1f s CPU for %llu hours, %.0f times real time, %.1f MiB resident\n",
	       s, (unsigned long long)hours, (double)hours * 3600 / s, (double)u.ru_maxrss / 1024);
	return 0;
}
