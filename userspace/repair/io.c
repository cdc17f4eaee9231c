// SPDX-License-Identifier: Apache-2.0
/* io.max of cgroup v2: one rate for each direction and for each device that the service has used.
 * v1 is left out: it does not see what is written through the page cache. */
#include <fcntl.h>
#include <stdio.h>

#include "base/fs.h"
#include "base/text.h"
#include "repair/effect.h"

/* Devices of one service; what is past them is not throttled. */
#define DEVICES_MAX 64
#define FILE_MAX    16384

struct devices {
	uint32_t major[DEVICES_MAX], minor[DEVICES_MAX];
	size_t count;
	uint64_t least; /* of all rates that are set, KM_UNKNOWN: none is */
};

static void add_device(struct devices *d, uint64_t major, uint64_t minor)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->major[i] == major && d->minor[i] == minor)
			return;
	if (d->count == DEVICES_MAX)
		return;
	d->major[d->count] = (uint32_t)major;
	d->minor[d->count++] = (uint32_t)minor;
}

static void take_rates(struct devices *d, const char *p, const char *end)
{
	while ((p = memchr(p, '=', (size_t)(end - p)))) {
		uint64_t rate;

		p++;
		if (km_text_u64(&p, &rate) == 0 && rate < d->least)
			d->least = rate;
	}
}

/* "8:0 rbytes=1 ...", a line a device; "default" and the like are none. */
static int take_file(struct devices *d, int dir, const char *file, bool rates)
{
	char text[FILE_MAX];
	ssize_t n = km_fs_read_small(dir, file, text, sizeof(text));
	const char *line = text;

	if (n < 0)
		return n == -ENOENT ? -EOPNOTSUPP : (int)n;
	while (*line) {
		const char *p = line, *end = strchrnul(line, '\n');
		uint64_t major, minor;

		if (km_text_u64(&p, &major) == 0 && *p++ == ':' && km_text_u64(&p, &minor) == 0) {
			add_device(d, major, minor);
			if (rates)
				take_rates(d, p, end);
		}
		line = *end ? end + 1 : end;
	}
	return 0;
}

static int find(const struct km_target *t, struct devices *ret)
{
	int r = t->v2 ? take_file(ret, t->dir, "io.max", true) : -EOPNOTSUPP;

	return r < 0 ? r : take_file(ret, t->dir, "io.stat", false);
}

static int read_io(const struct km_target *t, uint64_t now[2])
{
	struct devices d = { .least = KM_UNKNOWN };
	int r = find(t, &d);

	if (r < 0)
		return r;
	now[0] = d.least;
	now[1] = 0;
	return d.count ? 0 : -ENODEV;
}

/* Whose rates are set already has a reason that we do not know: they are not touched. */
static int want_io(const struct km_verb_args *args, uint64_t ret[2])
{
	if (ret[0] != KM_UNKNOWN)
		return -ENOSPC;
	ret[0] = args->amount;
	return 0;
}

static int write_io(const struct km_target *t, const uint64_t v[2])
{
	km_autoclose int fd = openat(t->dir, "io.max", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	struct devices d = { .least = KM_UNKNOWN };
	int r = fd < 0 ? -errno : find(t, &d), done = 0, error = -ENODEV;
	char rate[24] = "max", line[96];

	if (v[0] != KM_UNKNOWN)
		snprintf(rate, sizeof(rate), "%llu", (unsigned long long)v[0]);
	for (size_t i = 0; r == 0 && i < d.count; i++) {
		int len = snprintf(line, sizeof(line), "%u:%u rbps=%s wbps=%s", d.major[i],
		                   d.minor[i], rate, rate);

		/* Stacked devices have counters, but take no limits. */
		if (pwrite(fd, line, (size_t)len, 0) == len)
			done++;
		else
			error = -errno;
	}
	return r < 0 ? r : done ? 0 : error;
}

const struct km_effect km_effects_io[] = {
	{ KM_THROTTLE, "io", "io", "bytes a second", read_io, want_io, write_io },
	{ 0 },
};
