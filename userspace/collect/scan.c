// SPDX-License-Identifier: Apache-2.0
/* What already ran before the start: looked at as root, told later. */
#include "collect/internal.h"

static int keep(void *userdata, const struct kmend_task *t)
{
	struct km_collect *c = userdata;
	char path[KMEND_PATH_LEN];
	struct km_found *f;

	if (c->found_count >= KM_PROCESSES_MAX)
		return 0;
	if (c->found_count == c->found_size) {
		size_t size = c->found_size ? 2 * c->found_size : 256;

		f = reallocarray(c->found, size, sizeof(*f));
		if (!f)
			return -ENOMEM;
		c->found = f;
		c->found_size = size;
	}
	km_procfs_exe(c->proc_fd, t->tgid, path);
	f = &c->found[c->found_count];
	*f = (struct km_found){ .start_ns = t->start_ns,
		                .cgroup_id = t->hdr.cgroup_id,
		                .tgid = t->tgid,
		                .ppid = t->ppid,
		                .uid = t->uid,
		                .image = km_procfs_image(c->proc_fd, t->tgid),
		                .path = strdup(path) };
	if (!f->path)
		return -ENOMEM;
	memcpy(f->comm, t->comm, sizeof(f->comm));
	c->found_count++;
	return 0;
}

int km_scan(struct km_collect *c)
{
	return km_tasks_each(c, true, keep, c);
}

void km_scan_free(struct km_collect *c)
{
	for (size_t i = 0; i < c->found_count; i++)
		free(c->found[i].path);
	free(c->found);
	c->found = NULL;
	c->found_count = c->found_size = 0;
}

/* Rings are emptied before the scan is told; without this, who ended in between would seem to live.
 */
void km_scan_exit_seen(struct km_collect *c, uint32_t tgid, uint64_t start_ns)
{
	for (size_t i = 0; i < c->found_count; i++)
		if (c->found[i].tgid == tgid && c->found[i].start_ns == start_ns)
			c->found[i].gone = 1;
}

int km_scan_emit(struct km_collect *c)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->found_count; i++) {
		const struct km_found *f = &c->found[i];
		struct km_raw_process raw;

		if (f->gone || km_is_self(c, f->tgid))
			continue;
		if (c->alive)
			km_alive_know(c, f);
		km_raw_init(&raw, KM_RAW_PROCESS, sizeof(raw), f->cgroup_id);
		raw.tgid = f->tgid;
		raw.ppid = f->ppid;
		raw.start_ns = f->start_ns;
		raw.uid = f->uid;
		raw.source = KM_FROM_SCAN;
		raw.wait_status = -1;
		raw.image = f->image;
		memcpy(raw.comm, f->comm, sizeof(raw.comm));
		km_copy(raw.path, sizeof(raw.path), f->path);
		r = km_emit(c, &raw, sizeof(raw));
	}
	km_scan_free(c);
	return r;
}
