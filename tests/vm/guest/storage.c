// SPDX-License-Identifier: Apache-2.0
/* An ext4 of 64 MiB that fills up, runs out of inodes, turns read-only and finds errors. */
#include "vm/guest/guest.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#define DISK "/disk"

/* Writes until there is no room. */
static bool fill(struct guest *g)
{
	static char block[65536];
	int fd = open(DISK "/full", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ssize_t n;

	do
		n = write(fd, block, sizeof(block));
	while (n > 0);
	WANT(g, n < 0 && errno == ENOSPC);
	fsync(fd);
	close(fd);
	return true;
}

static bool bytes_free(struct guest *g)
{
	bool ok = guest_value(g, "fs.bytes_free", DISK, 16 << 20, 64 << 20) && fill(g) &&
	          guest_value(g, "fs.bytes_free", DISK, 0, 4096);

	unlink(DISK "/full");
	return ok;
}

static bool bytes_used(struct guest *g)
{
	const struct km_raw_value *v;
	struct statvfs s;
	bool full = fill(g);

	v = guest_value(g, "fs.bytes_used", DISK, 32 << 20, 64 << 20);
	statvfs(DISK, &s);
	unlink(DISK "/full");
	WANT_RECORD(g, full && v);
	WANT(g, v->limit > 0 && v->value >= 0.99 * v->limit);
	WANT_IS(g, v->value, (s.f_blocks - s.f_bfree) * s.f_frsize);
	WANT_IS(g, v->entity, KM_ENTITY_FILESYSTEM);
	return true;
}

/* N files, or as many as there are inodes. */
static int make_files(int n)
{
	char path[64];
	int i, fd;

	mkdir(DISK "/many", 0700);
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), DISK "/many/%d", i);
		fd = open(path, O_WRONLY | O_CREAT, 0600);
		if (fd < 0)
			break;
		close(fd);
	}
	return i;
}

static void remove_files(int n)
{
	char path[64];

	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), DISK "/many/%d", i);
		unlink(path);
	}
	rmdir(DISK "/many");
}

static bool inodes_free(struct guest *g)
{
	int n = make_files(1000000);
	bool ok = guest_value(g, "fs.inodes_free", DISK, 0, 0);

	remove_files(n);
	return ok && guest_value(g, "fs.inodes_free", DISK, n, n + 1);
}

static bool inodes_used(struct guest *g)
{
	int n = make_files(200);
	const struct km_raw_value *v = guest_value(g, "fs.inodes_used", DISK, 200, 300);
	struct statvfs s;

	remove_files(n);
	WANT_RECORD(g, v);
	WANT_IS(g, statvfs(DISK, &s), 0);
	WANT_IS(g, v->limit, s.f_files);
	return true;
}

static bool readonly(struct guest *g)
{
	bool ok;

	WANT_IS(g, mount(NULL, DISK, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	ok = guest_value(g, "fs.readonly", DISK, 1, 1);
	WANT_IS(g, mount(NULL, DISK, NULL, MS_REMOUNT, NULL), 0);
	return ok && guest_value(g, "fs.readonly", DISK, 0, 0);
}

/* ext4's own way to try what it does when it finds damage. */
static bool errors(struct guest *g)
{
	WANT_RECORD(g, guest_value(g, "fs.errors", DISK, 0, 0));
	WANT(g, guest_write("/sys/fs/ext4/vda/trigger_fs_error", "case"));
	WANT_RECORD(g, guest_count(g, "fs.errors", DISK, 1));
	return true;
}

/* A disk whose every request fails. */
static bool failing_device(struct guest *g)
{
	char byte;
	int fd = open("/dev/vdc", O_RDONLY);

	WANT(g, fd >= 0);
	WANT(g, pread(fd, &byte, 1, 1 << 20) < 0 && errno == EIO);
	close(fd);
	return guest_count(g, "block.errors", "vdc", 1);
}

static void write_late(void)
{
	int fd;

	guest_enter_group();
	fd = open(DISK "/late", O_WRONLY | O_CREAT, 0600);
	if (write(fd, "x", 1) != 1)
		_exit(1);
}

/* Who writes to a frozen filesystem waits in the kernel and cannot be killed; the kernel's watchdog
 * finds it. */
static bool hung_task(struct guest *g)
{
	int fd = open(DISK, O_RDONLY | O_DIRECTORY);
	uint32_t pid;
	bool ok;

	WANT(g, guest_write("/proc/sys/kernel/hung_task_timeout_secs", "2"));
	WANT_IS(g, ioctl(fd, FIFREEZE, 0), 0);
	pid = GUEST_CHILD(write_late());
	ok = guest_count(g, "sched.hung", NULL, 1);
	ioctl(fd, FITHAW, 0);
	close(fd);
	guest_reap(pid);
	guest_write("/proc/sys/kernel/hung_task_timeout_secs", "120");
	return ok;
}

const struct guest_case guest_storage[] = {
	{ "fs.bytes_free", bytes_free },
	{ "fs.bytes_used", bytes_used },
	{ "fs.inodes_free", inodes_free },
	{ "fs.inodes_used", inodes_used },
	{ "fs.readonly", readonly },
	{ "fs.errors", errors },
	{ "block.errors", failing_device },
	{ "sched.hung", hung_task },
	{ NULL, NULL },
};
