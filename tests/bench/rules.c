/* SPDX-License-Identifier: Apache-2.0 */
/* rules [RULES [SERVICES]]: how long that many rules (5,000) take to load from files, with trust
 * and compilation, and what a second of that many services (1,000) costs once they are in force. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "daemon/setup.h"
#include "pipeline/pipeline.h"

#define CLASSES 10
#define TICKS   20

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * KM_NS_PER_S + (uint64_t)t.tv_nsec;
}

static double resident_mib(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)u.ru_maxrss / 1024;
}

/* As operators write them: a forecast, a level with 'for', an event, each with its own bounds. */
static const char *const whens[] = {
	"{\"forecast\": {\"kind\": \"exhaustion\", \"resource\": \"memory\", \"probability\": "
	"\"%u%%\", \"within\": \"30m\", \"for\": \"1m\"}}",
	"{\"all\": [{\"state\": {\"is\": \"up\"}}, {\"level\": {\"resource\": \"memory\", "
	"\"above\": \"%u%%\", \"until_below\": \"50%%\", \"for\": \"30s\"}}]}",
	"{\"event\": {\"is\": \"ended\", \"how\": \"failed\", \"count\": 3, \"within\": \"%um\"}}",
	"{\"any\": [{\"level\": {\"resource\": \"descriptors\", \"above\": \"%u%%\"}}, {\"level\": "
	"{\"resource\": \"threads\", \"above\": \"90%%\", \"for\": \"10s\"}}]}",
};

static int write_rule(int dir, unsigned int i)
{
	char name[64], when[256];
	FILE *f;
	int fd;

	snprintf(name, sizeof(name), "class-%u/rule-%u.json", i % CLASSES, i);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f)
		return -errno;
	/* NOLINTNEXTLINE(clang-diagnostic-format-nonliteral): one of the four above */
	snprintf(when, sizeof(when), whens[i % KM_ARRAY_SIZE(whens)], 60 + i % 39);
	fprintf(f,
	        "{\n\t\"version\": 1,\n\t\"id\": \"rule-%u\",\n\t\"summary\": \"a rule of a "
	        "bench\",\n"
	        "\t\"why\": \"An explanation as long as people write it: what the evidence means, "
	        "what "
	        "the repair costs and when it is wrong, in two or three sentences that are read at "
	        "night.\",\n\t\"owner\": \"ops\",\n\t\"maturity\": \"experimental\",\n"
	        "\t\"scope\": { \"all\": true },\n\t\"when\": %s,\n"
	        "\t\"unless\": { \"state\": { \"is\": \"down\" } },\n"
	        "\t\"plan\": [{ \"do\": \"notify\" }, { \"do\": \"restart\", \"timeout\": \"90s\" "
	        "}],\n"
	        "\t\"verify\": { \"within\": \"10m\", \"that\": { \"up\": true } },\n"
	        "\t\"guard\": { \"mode\": \"suggest\", \"cooldown\": \"1h\" }\n}\n",
	        i, when);
	return fclose(f) ? -errno : 0;
}

static int write_rules(const char *folder, unsigned int count)
{
	km_autoclose int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[32];
	int r = 0;

	umask(022);
	for (unsigned int i = 0; i < CLASSES; i++) {
		snprintf(name, sizeof(name), "class-%u", i);
		if (mkdirat(dir, name, 0755) < 0)
			return -errno;
	}
	for (unsigned int i = 0; i < count && r == 0; i++)
		r = write_rule(dir, i);
	return r;
}

static int feed(void *userdata, const void *raw, size_t len)
{
	int r = km_pipeline_feed(userdata, raw, len);

	while (km_pipeline_next(userdata))
		;
	return r;
}

static int load(const char *folder, struct km_pipeline *p)
{
	const struct km_daemon_opts opts = { .rules = folder };
	km_autofree(km_texts_clear) struct km_texts texts = { 0 };
	struct km_error err = { 0 };
	uint64_t begin = cpu_ns();
	char line[1024];
	int r = km_setup_read_texts(&opts, &texts, &err);

	if (r < 0) {
		fprintf(stderr, "%s\n", km_error_format(&err, line, sizeof(line)));
		return r;
	}
	printf("read        %8.1f ms CPU  (owner, mode and links of each file and folder)\n",
	       (double)(cpu_ns() - begin) / 1e6);
	r = km_texts_save(&texts, 1000 * KM_NS_PER_S, feed, p);
	if (r < 0)
		return r;
	printf("in force    %8.1f ms CPU  in all, %zu rules, %.1f MiB resident\n",
	       (double)(cpu_ns() - begin) / 1e6, km_pipeline_rules(p)->count, resident_mib());
	return 0;
}

static int make_services(struct km_pipeline *p, unsigned int count, uint64_t now_ns)
{
	int r = 0;

	for (unsigned int i = 1; i <= count && r >= 0; i++) {
		struct km_raw_cgroup c = { .hdr = { .type = KM_RAW_CGROUP,
			                            .size = sizeof(c),
			                            .ktime_ns = now_ns,
			                            .cgroup_id = i } };
		struct km_raw_process q = { .hdr = { .type = KM_RAW_PROCESS,
			                             .size = sizeof(q),
			                             .ktime_ns = now_ns,
			                             .cgroup_id = i },
			                    .tgid = 1000 + i,
			                    .ppid = 1,
			                    .start_ns = now_ns,
			                    .wait_status = -1 };

		snprintf(c.path, sizeof(c.path), "/system.slice/s%u.service", i);
		r = feed(p, &c, sizeof(c));
		if (r >= 0)
			r = feed(p, &q, sizeof(q));
	}
	return r;
}

/* A second: a level of each service, and the tick. It wanders between 30 % and 40 %, and of each
 * fiftieth between 70 % and 80 %, where a third of the rules about it hold. */
static int second(struct km_pipeline *p, unsigned int services, unsigned int n)
{
	uint64_t now_ns = (1001 + n) * KM_NS_PER_S;
	struct km_raw_tick tick = {
		.hdr = { .type = KM_RAW_TICK, .size = sizeof(tick), .ktime_ns = now_ns }
	};
	int r = 0;

	for (unsigned int i = 1; i <= services && r >= 0; i++) {
		struct km_raw_level l = { .hdr = { .type = KM_RAW_LEVEL,
			                           .size = sizeof(l),
			                           .ktime_ns = now_ns,
			                           .cgroup_id = i },
			                  .resource = KM_MEMORY,
			                  .level = (30 + (i * 7 + n * 3) % 10) << 20,
			                  .limit = 100 << 20 };

		r = feed(p, &l, sizeof(l));
	}
	return r < 0 ? r : feed(p, &tick, sizeof(tick));
}

static int run(struct km_pipeline *p, unsigned int services)
{
	uint64_t best = UINT64_MAX;
	int r = make_services(p, services, 1001 * KM_NS_PER_S - 1);

	for (unsigned int n = 0; n < TICKS && r >= 0; n++) {
		uint64_t begin = cpu_ns();

		r = second(p, services, n);
		if (n >= TICKS / 2 && cpu_ns() - begin < best)
			best = cpu_ns() - begin;
	}
	if (r < 0)
		return r;
	printf("evaluation  %8.1f ms CPU a second, %.1f %% of a core, %u services, the best of "
	       "%d\n",
	       (double)best / 1e6, (double)best / 1e7, services, TICKS / 2);
	return 0;
}

static void remove_rules(const char *folder, unsigned int count)
{
	km_autoclose int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[64];

	for (unsigned int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "class-%u/rule-%u.json", i % CLASSES, i);
		unlinkat(dir, name, 0);
	}
	for (unsigned int i = 0; i < CLASSES; i++) {
		snprintf(name, sizeof(name), "class-%u", i);
		unlinkat(dir, name, AT_REMOVEDIR);
	}
	rmdir(folder);
}

int main(int argc, char **argv)
{
	unsigned int rules = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 10) : 5000;
	unsigned int services = argc > 2 ? (unsigned int)strtoul(argv[2], NULL, 10) : 1000;
	km_autofree(km_pipeline_freep) struct km_pipeline *p = NULL;
	char folder[] = "/tmp/kmend-rules-XXXXXX";
	int r = km_pipeline_new(&p);

	if (r < 0 || !mkdtemp(folder) || chmod(folder, 0755) < 0)
		return 1;
	r = write_rules(folder, rules);
	if (r == 0)
		r = load(folder, p);
	remove_rules(folder, rules);
	if (r == 0)
		r = run(p, services);
	if (r < 0)
		fprintf(stderr, "rules: %s\n", strerror(-r));
	return r < 0;
}
