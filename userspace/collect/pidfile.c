// SPDX-License-Identifier: Apache-2.0
/* Services that are found by the file their main process writes its number into. */
#include <fcntl.h>

#include "base/fs.h"
#include "collect/internal.h"

int km_pidfiles_open(struct km_collect *c)
{
	const struct km_config *config = c->opts.config;
	size_t n = 0;

	for (size_t i = 0; config && i < config->service_count; i++)
		n += config->services[i].kind == KM_BY_PIDFILE;
	if (!n)
		return 0;
	c->pidfiles = calloc(n, sizeof(*c->pidfiles));
	if (!c->pidfiles)
		return -ENOMEM;
	for (size_t i = 0; i < config->service_count; i++)
		if (config->services[i].kind == KM_BY_PIDFILE)
			c->pidfiles[c->pidfile_count++].def = &config->services[i];
	return 0;
}

/* Opened without waiting: a FIFO in that place must not stop the daemon. */
static uint32_t read_pid(const char *path)
{
	km_autoclose int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	char text[32], *end;
	unsigned long pid;
	ssize_t n;

	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	pid = strtoul(text, &end, 10);
	return end == text || pid > INT32_MAX || (*end && *end != '\n') ? 0 : (uint32_t)pid;
}

static int look(struct km_collect *c, struct km_pidfile *f)
{
	struct km_raw_process raw;
	struct km_proc_stat s;
	struct kmend_task t;
	uint32_t pid;

	pid = read_pid(f->def->match);
	if (!pid || km_procfs_stat(c->proc_fd, pid, &s) < 0)
		return 0;
	if (pid == f->tgid && s.start_ns == f->start_ns)
		return 0;
	if (km_procfs_task(c->proc_fd, c->mounts.unified, pid, &t) < 0)
		return 0;
	f->tgid = t.tgid;
	f->start_ns = t.start_ns;
	km_raw_init(&raw, KM_RAW_PROCESS, sizeof(raw), t.hdr.cgroup_id);
	raw.tgid = t.tgid;
	raw.ppid = t.ppid;
	raw.start_ns = t.start_ns;
	raw.uid = t.uid;
	raw.source = KM_FROM_PIDFILE;
	raw.wait_status = -1;
	memcpy(raw.comm, t.comm, sizeof(raw.comm));
	km_procfs_exe(c->proc_fd, t.tgid, raw.path);
	raw.image = km_procfs_image(c->proc_fd, t.tgid);
	km_copy(raw.service, sizeof(raw.service), f->def->name);
	return km_emit(c, &raw, sizeof(raw));
}

int km_pidfiles_emit(struct km_collect *c)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->pidfile_count; i++)
		r = look(c, &c->pidfiles[i]);
	return r;
}
