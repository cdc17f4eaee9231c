// SPDX-License-Identifier: Apache-2.0
/* Pins: maps, programs and links by name in a directory of a bpffs, so that they go on without a
 * reader and the next one takes them over. "meta" is pinned last and says which build made them;
 * without it, or with another build in it, the rings are drained and everything is made anew. */
#include <bpf/bpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>

#include "base/text.h"
#include "collect/bpf.h"
#include "collect/collect.h"

#define PIN_PATH_MAX (KM_PATH_MAX + 32) /* a name of ours behind it */

static void pin_path(const struct km_bpf *b, const char *prefix, const char *name,
                     char path[PIN_PATH_MAX])
{
	snprintf(path, PIN_PATH_MAX, "%s/%s%s", b->pin_dir, prefix, name);
}

static int get(const struct km_bpf *b, const char *prefix, const char *name)
{
	char path[PIN_PATH_MAX];

	pin_path(b, prefix, name, path);
	return bpf_obj_get(path);
}

static int put(const struct km_bpf *b, const char *prefix, const char *name, int fd)
{
	char path[PIN_PATH_MAX];

	if (fd < 0)
		return 0;
	pin_path(b, prefix, name, path);
	return bpf_obj_pin(fd, path);
}

static bool same_build(const struct km_bpf *b)
{
	km_autoclose int fd = get(b, "", "meta");
	uint8_t build[KM_SHA256_SIZE];
	uint32_t key = 0;

	return fd >= 0 && bpf_map_lookup_elem(fd, &key, build) == 0 &&
	       memcmp(build, b->build, sizeof(build)) == 0;
}

/* Each ring has a pin of its own: without it a descriptor would need CAP_SYS_ADMIN. */
static void bulk_name(uint32_t i, char name[32])
{
	snprintf(name, 32, "%s_%u", km_map_defs[KM_MAP_BULK].name, i);
}

static bool take_bulk(const struct km_bpf *b, uint32_t count, int fds[KMEND_BULK_RINGS_MAX])
{
	bool all = true;
	char name[32];

	for (uint32_t i = 0; i < count; i++) {
		bulk_name(i, name);
		fds[i] = get(b, "", name);
		all &= fds[i] >= 0;
	}
	return all;
}

/* All maps, or none. */
static bool take_maps(struct km_bpf *b)
{
	bool all = take_bulk(b, b->setup.bulk_rings, b->bulk);

	for (int i = 0; i < KM_MAP_MAX; i++) {
		b->maps[i] = get(b, "", km_map_defs[i].name);
		all &= b->maps[i] >= 0;
	}
	for (int i = 0; i < KM_MAP_MAX && !all; i++)
		km_close(&b->maps[i]);
	for (int i = 0; i < KMEND_BULK_RINGS_MAX && !all; i++)
		km_close(&b->bulk[i]);
	return all;
}

/* A build of before had one bulk ring, by the name that the map of them has now. */
static void take_old(struct km_bpf *b)
{
	b->old_must = get(b, "", km_map_defs[KM_MAP_MUST].name);
	take_bulk(b, KMEND_BULK_RINGS_MAX, b->old_bulk);
	if (b->old_bulk[0] < 0)
		b->old_bulk[0] = get(b, "", km_map_defs[KM_MAP_BULK].name);
}

static void take_progs(struct km_bpf *b)
{
	for (int i = 0; i < KM_PROG_MAX; i++) {
		const struct km_prog_def *d = &km_prog_defs[i];
		struct km_prog *p = &b->progs[i];

		p->prog_fd = get(b, "prog_", d->name);
		if (p->prog_fd < 0)
			continue;
		if (d->attach != KM_ATTACH_NONE)
			p->link_fd = get(b, "link_", d->name);
		if (d->attach != KM_ATTACH_NONE && p->link_fd < 0) {
			km_close(&p->prog_fd); /* loaded and attached anew */
			continue;
		}
		p->state = p->link_fd >= 0 ? KM_PROG_ATTACHED : KM_PROG_READY;
	}
}

int km_pins_open(struct km_bpf *b, const char *pin_dir)
{
	int r;

	b->pin_fd = open(pin_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->pin_fd < 0)
		return -errno;
	/* Shared by fork: held until the last process of this instance is gone. */
	if (flock(b->pin_fd, LOCK_EX | LOCK_NB) < 0) {
		r = errno == EWOULDBLOCK ? -EEXIST : -errno;
		km_close(&b->pin_fd);
		return r;
	}
	km_copy(b->pin_dir, sizeof(b->pin_dir), pin_dir);
	if (same_build(b) && take_maps(b)) {
		take_progs(b);
		return 1;
	}
	take_old(b);
	return 0;
}

static bool is_ours(const char *name)
{
	return strncmp(name, "kmend_", 6) == 0 || strncmp(name, "prog_km_", 8) == 0 ||
	       strncmp(name, "link_km_", 8) == 0 || strcmp(name, "meta") == 0;
}

void km_pins_clear(int pin_fd)
{
	int fd = openat(pin_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (!dir) {
		km_close(&fd);
		return;
	}
	/* First what says that the rest is whole. */
	unlinkat(pin_fd, "meta", 0);
	while ((e = readdir(dir)))
		if (is_ours(e->d_name))
			unlinkat(pin_fd, e->d_name, 0);
	closedir(dir);
}

static int put_meta(const struct km_bpf *b)
{
	km_autoclose int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "kmend_meta", sizeof(uint32_t),
	                                     KM_SHA256_SIZE, 1, NULL);
	uint32_t key = 0;

	if (fd < 0)
		return fd;
	if (bpf_map_update_elem(fd, &key, b->build, BPF_ANY) < 0)
		return -errno;
	return put(b, "", "meta", fd);
}

static int put_bulk(const struct km_bpf *b)
{
	char name[32];
	int r = 0;

	for (uint32_t i = 0; i < b->setup.bulk_rings && (r == 0 || r == -EEXIST); i++) {
		bulk_name(i, name);
		r = put(b, "", name, b->bulk[i]);
	}
	return r;
}

/* A pin that is there already was taken over. Without all of them a successor could not go on, so
 * then there are none. */
void km_pins_put(struct km_bpf *b)
{
	int r = put_bulk(b);

	for (int i = 0; i < KM_MAP_MAX && (r == 0 || r == -EEXIST); i++)
		r = put(b, "", km_map_defs[i].name, b->maps[i]);
	for (int i = 0; i < KM_PROG_MAX && (r == 0 || r == -EEXIST); i++) {
		r = put(b, "prog_", km_prog_defs[i].name, b->progs[i].prog_fd);
		if (r == 0 || r == -EEXIST)
			r = put(b, "link_", km_prog_defs[i].name, b->progs[i].link_fd);
	}
	if (r == 0 || r == -EEXIST)
		r = put_meta(b);
	if (r == 0 || r == -EEXIST)
		return;
	km_pins_clear(b->pin_fd);
	snprintf(b->reason, sizeof(b->reason), "nothing is pinned in %.150s: %s", b->pin_dir,
	         strerror(-r));
}

void km_pins_put_link(struct km_bpf *b, int id)
{
	char name[64];

	snprintf(name, sizeof(name), "link_%s", km_prog_defs[id].name);
	unlinkat(b->pin_fd, name, 0);
	put(b, "link_", km_prog_defs[id].name, b->progs[id].link_fd);
}

int km_collect_unpin(const char *pin_dir)
{
	km_autoclose int fd = open(pin_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	km_pins_clear(fd);
	return 0;
}
