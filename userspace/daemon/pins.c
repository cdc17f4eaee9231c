/* SPDX-License-Identifier: Apache-2.0 */
/* Where BPF maps and links are pinned, so that rings go on filling while the engine is away.
 *
 * A host has a bpffs at /sys/fs/bpf (systemd mounts it); there each instance has a directory named
 * by its run directory. Where there is none, a bpffs of our own is mounted in the run directory:
 * unmounting it at a clean end removes every pin at once. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/log.h"
#include "base/text.h"
#include "collect/collect.h"
#include "daemon/setup.h"

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
}

static int own_mount(struct km_daemon *d)
{
	snprintf(d->pin_dir, sizeof(d->pin_dir), "%s/bpf", d->opts.run);
	if (mkdir(d->pin_dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (is_bpffs(d->pin_dir)) {
		d->pin_mounted =
			true; /* of an instance that was killed: its rings are taken over */
		return 0;
	}
	if (mount("bpf", d->pin_dir, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0)
		return -errno;
	d->pin_mounted = true;
	return 0;
}

void km_setup_pins(struct km_daemon *d)
{
	int r;

	d->pin_dir[0] = '\0';
	if (!d->root || d->opts.no_bpf)
		return;
	if (is_bpffs("/sys/fs/bpf")) {
		snprintf(d->pin_dir, sizeof(d->pin_dir), "/sys/fs/bpf/kmend-%08x",
		         (unsigned int)km_hash(d->opts.run, strlen(d->opts.run)));
		r = mkdir(d->pin_dir, 0700) < 0 && errno != EEXIST ? -errno : 0;
	} else {
		r = own_mount(d);
	}
	if (r < 0) {
		km_log(KM_WARNING,
		       "cannot pin BPF maps below %s: %s; records are lost while the engine is "
		       "away",
		       d->pin_dir, strerror(-r));
		d->pin_dir[0] = '\0';
	}
}

/* A failover that is to outlive us is pinned in a directory of its own; a new bpffs has files of
 * the kernel's. */
static bool holds_more(const char *path)
{
	DIR *dir = opendir(path);
	bool more = false;
	struct dirent *e;

	while (dir && !more && (e = readdir(dir)))
		more = e->d_type == DT_DIR && e->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return more;
}

void km_setup_pins_end(struct km_daemon *d)
{
	if (!d->pin_dir[0])
		return;
	km_collect_unpin(d->pin_dir);
	if (holds_more(d->pin_dir))
		return;
	if (d->pin_mounted && umount2(d->pin_dir, MNT_DETACH) < 0)
		km_log(KM_WARNING, "cannot unmount %s: %s", d->pin_dir, strerror(errno));
	rmdir(d->pin_dir);
	d->pin_dir[0] = '\0';
}
