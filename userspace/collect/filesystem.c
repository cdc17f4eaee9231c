// SPDX-License-Identifier: Apache-2.0
/* Room, inodes, read-only state and errors of each local filesystem. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "base/fs.h"
#include "collect/filesystem.h"
#include "collect/internal.h"

/* Passes. What stood still is looked at less often, until it moves. */
#define STILL_EVERY  4
#define ERRORS_EVERY 16

struct km_room {
	struct km_filesystem fs;
	struct km_told errors;
	uint64_t free; /* blocks and inodes, last time */
	bool still;    /* as the time before */
};

struct km_rooms {
	int mountinfo_fd;
	size_t count;
	struct km_room rows[KM_FILESYSTEMS_MAX];
};

int km_rooms_open(struct km_collect *c)
{
	struct km_rooms *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->mountinfo_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	c->rooms = r;
	return 0;
}

void km_rooms_close(struct km_collect *c)
{
	if (!c->rooms)
		return;
	km_close(&c->rooms->mountinfo_fd);
	free(c->rooms);
	c->rooms = NULL;
}

/* The kernel says when something was mounted, unmounted or remounted. */
static bool changed(const struct km_rooms *r)
{
	struct pollfd p = { .fd = r->mountinfo_fd, .events = POLLPRI };

	return !r->count || poll(&p, 1, 0) != 0;
}

static const struct km_room *before(const struct km_room *old, size_t count,
                                    const struct km_filesystem *fs)
{
	for (size_t i = 0; i < count; i++)
		if (old[i].fs.major == fs->major && old[i].fs.minor == fs->minor)
			return &old[i];
	return NULL;
}

static void look_at_mounts(struct km_rooms *r)
{
	km_autofree_char char *text = NULL;
	struct km_filesystem now[KM_FILESYSTEMS_MAX];
	struct km_room *old;
	size_t old_count = r->count;

	if (r->mountinfo_fd < 0 || km_mountinfo_read(r->mountinfo_fd, &text) < 0)
		return;
	old = malloc(sizeof(r->rows));
	if (!old)
		return;
	memcpy(old, r->rows, sizeof(r->rows));
	r->count = km_filesystems_parse(text, now, KM_FILESYSTEMS_MAX);
	for (size_t i = 0; i < r->count; i++) {
		const struct km_room *was = before(old, old_count, &now[i]);

		memset(&r->rows[i], 0, sizeof(r->rows[i]));
		if (was)
			r->rows[i] = *was;
		r->rows[i].fs = now[i];
	}
	free(old);
}

static int say(struct km_collect *c, const struct km_room *r, enum km_sig sig, double value,
               double limit)
{
	return km_value_emit(c, &(struct km_said){ .signal = sig,
	                                           .entity = KM_ENTITY_FILESYSTEM,
	                                           .name = r->fs.mount,
	                                           .value = value,
	                                           .limit = limit });
}

/* The limit is what users without privilege can fill: root's reserve is no room. */
static int say_room(struct km_collect *c, struct km_room *r)
{
	struct statvfs s;
	double unit, used, files;
	int k;

	if (statvfs(r->fs.mount, &s) < 0 || s.f_blocks == 0)
		return 0; /* not to be seen by this user, or unmounted meanwhile: not measured */
	r->still = r->free == s.f_bfree + s.f_ffree;
	r->free = s.f_bfree + s.f_ffree;
	unit = (double)s.f_frsize;
	used = (double)(s.f_blocks - s.f_bfree) * unit;
	k = say(c, r, KM_SIG_FS_BYTES_FREE, (double)s.f_bavail * unit, 0);
	if (k == 0)
		k = say(c, r, KM_SIG_FS_BYTES_USED, used, used + (double)s.f_bavail * unit);
	if (k || s.f_files == 0) /* btrfs and vfat make inodes as they need them */
		return k;
	files = (double)(s.f_files - s.f_ffree);
	k = say(c, r, KM_SIG_FS_INODES_FREE, (double)s.f_ffree, 0);
	return k ? k : say(c, r, KM_SIG_FS_INODES_USED, files, (double)s.f_files);
}

static int say_errors(struct km_collect *c, struct km_room *r)
{
	struct km_said said = { .signal = KM_SIG_FS_ERRORS,
		                .entity = KM_ENTITY_FILESYSTEM,
		                .name = r->fs.mount };
	char file[128];
	uint64_t n;

	if (!r->fs.device[0])
		return 0;
	snprintf(file, sizeof(file), "/sys/fs/ext4/%s/errors_count", r->fs.device);
	if (km_fs_read_u64(AT_FDCWD, file, &n) < 0)
		return 0;
	return km_value_delta(c, &said, &r->errors, n);
}

int km_rooms_emit(struct km_collect *c)
{
	struct km_rooms *r = c->rooms;
	int k = 0;

	if (changed(r))
		look_at_mounts(r);
	for (size_t i = 0; i < r->count && k == 0; i++) {
		if (r->rows[i].still && c->pass % STILL_EVERY)
			continue;
		k = say_room(c, &r->rows[i]);
		if (k == 0)
			k = say(c, &r->rows[i], KM_SIG_FS_READONLY, r->rows[i].fs.readonly, 0);
		if (k == 0 && c->pass % ERRORS_EVERY == 0)
			k = say_errors(c, &r->rows[i]);
	}
	return k;
}
